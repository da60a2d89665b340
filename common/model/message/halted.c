#include "common/model/message/halted.h"

#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "common/base/json_out.h"

void halted_append(struct buf *out, const struct halted *halted)
{
    struct json_out json;
    json_out_init(&json, out);
    json_out_object(&json, NULL);
    json_out_verbatim(&json, "kind", BYTES_LITERAL("halted"));
    json_out_verbatim(&json, "topic", bytes_text(halted->topic));
    json_out_verbatim(&json, "group", bytes_text(halted->group));
    json_out_int(&json, "partition", halted->partition);
    json_out_int(&json, "offset", halted->offset);
    json_out_int(&json, "epoch", halted->epoch);
    json_out_verbatim(&json, "code", bytes_text(halted->code));
    json_out_verbatim(&json, "text", bytes_text(halted->text));
    json_out_verbatim(&json, "run", bytes_text(halted->run));
    json_out_int(&json, "expected", halted->expected);
    json_out_int(&json, "found", halted->found);
    json_out_verbatim(&json, "worker", bytes_text(halted->worker));
    json_out_int(&json, "at_ms", halted->at_ms);
    json_out_end(&json);
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
