#include "common/policy/verify_mask.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/text.h"

static const char *kind_of(struct bytes value)
{
    switch (value.data[0]) {
    case '"':
        return "string";
    case '{':
        return "object";
    case '[':
        return "array";
    case 't':
    case 'f':
        return "boolean";
    case 'n':
        return "null";
    default:
        return "number";
    }
}

static void append_masked(struct buf *out, const struct verify_report *report, struct bytes value)
{
    struct buf salted;
    const char *kind = kind_of(value);
    buf_append_text(out, kind);
    if (strcmp(kind, "null") == 0)
        return;
    if (strcmp(kind, "boolean") != 0) {
        size_t quotes = value.data[0] == '"' ? 2 : 0;
        buf_append_format(out, " of %zu bytes", value.size - quotes);
    }
    buf_init(&salted, value.size + sizeof report->salt);
    buf_append(&salted, &report->salt, sizeof report->salt);
    buf_append_bytes(&salted, value);
    buf_append_format(out, " h:%08x", (unsigned)(hash64(buf_view(&salted)) >> 32));
    buf_free(&salted);
}

void verify_mask_append(struct buf *out, const struct verify_report *report, struct bytes value)
{
    if (value.size == 0)
        buf_append_text(out, "absent");
    else if (report->show_values)
        text_append_safe(out, value, VERIFY_VALUE_MOST);
    else
        append_masked(out, report, value);
}

void verify_mask_append_json(struct buf *out, const struct verify_report *report,
                             struct bytes value)
{
    struct buf text;
    if (value.size == 0) {
        buf_append_text(out, "null");
        return;
    }
    buf_init(&text, 16 * VERIFY_VALUE_MOST + 64);
    verify_mask_append(&text, report, value);
    buf_append_json(out, buf_view(&text));
    buf_free(&text);
}
