#include "common/model/message/halted.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <yyjson.h>

static void append_text(struct buf *out, const char *name, const char *value)
{
    buf_append_format(out, "\"%s\":", name);
    buf_append_json(out, bytes_text(value));
    buf_append_char(out, ',');
}

void halted_append(struct buf *out, const struct halted *halted)
{
    buf_append_text(out, "{\"kind\":\"halted\",");
    append_text(out, "topic", halted->topic);
    append_text(out, "group", halted->group);
    buf_append_format(out,
                      "\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"epoch\":%" PRId64 ",",
                      halted->partition, halted->offset, halted->epoch);
    append_text(out, "code", halted->code);
    append_text(out, "text", halted->text);
    append_text(out, "run", halted->run);
    buf_append_format(out, "\"expected\":%" PRId64 ",\"found\":%" PRId64 ",", halted->expected,
                      halted->found);
    append_text(out, "worker", halted->worker);
    buf_append_format(out, "\"at_ms\":%" PRId64 "}", halted->at_ms);
}

static void take_text(yyjson_val *root, const char *name, char *out, size_t size)
{
    const char *text = yyjson_get_str(yyjson_obj_get(root, name));
    snprintf(out, size, "%s", text ? text : "");
}

static int64_t take_number(yyjson_val *root, const char *name)
{
    yyjson_val *value = yyjson_obj_get(root, name);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : -1;
}

enum outcome halted_parse(struct bytes json, struct halted *halted, struct error *err)
{
    memset(halted, 0, sizeof *halted);
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_equals_str(yyjson_obj_get(root, "kind"), "halted")) {
        yyjson_doc_free(doc);
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the message tells of no halted partition");
    }
    take_text(root, "topic", halted->topic, sizeof halted->topic);
    take_text(root, "group", halted->group, sizeof halted->group);
    halted->partition = (int32_t)take_number(root, "partition");
    halted->offset = take_number(root, "offset");
    halted->epoch = take_number(root, "epoch");
    take_text(root, "code", halted->code, sizeof halted->code);
    take_text(root, "text", halted->text, sizeof halted->text);
    take_text(root, "run", halted->run, sizeof halted->run);
    halted->expected = take_number(root, "expected");
    halted->found = take_number(root, "found");
    take_text(root, "worker", halted->worker, sizeof halted->worker);
    halted->at_ms = take_number(root, "at_ms");
    yyjson_doc_free(doc);
    return OUT_OK;
}
