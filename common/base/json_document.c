#include "common/base/json_document.h"

#include <stdio.h>

#include "common/base/error_json.h"

enum {
    SCHEMA_VERSION = 1,
    SHOWN_MAX = 50, /* of one document: a page of mistakes is fixed at a time */
};

void json_document_begin(struct json_out *out, const char *kind, int64_t unix_ms)
{
    char schema[96];
    snprintf(schema, sizeof schema, "drover/%s/%d", kind, SCHEMA_VERSION);
    json_out_object(out, NULL);
    json_out_text(out, "schema", schema);
    json_out_text(out, "kind", kind);
    json_out_text(out, "version", DROVER_VERSION);
    json_out_time(out, "time", unix_ms);
}

void json_document_end(struct json_out *out, const struct error_list *errors, const int *exit_code)
{
    size_t count = errors ? errors->count : 0;
    size_t shown = count < SHOWN_MAX ? count : SHOWN_MAX;
    uint64_t more = errors ? errors->count - shown + errors->dropped : 0;
    json_out_end_to(out, 1);
    json_out_list(out, "errors");
    for (size_t i = 0; i < shown; i++)
        error_append_json(&errors->items[i], out, NULL);
    json_out_end(out);
    if (more)
        json_out_count(out, "errors_not_shown", more);
    if (exit_code)
        json_out_int(out, "exit_code", *exit_code);
    else
        json_out_null(out, "exit_code");
    json_out_end(out);
}
