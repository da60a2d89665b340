#include "common/model/message/state_entry.h"

#include <string.h>

static const char *const NAMES[STATE_KINDS] = {
    [STATE_FOLLOW] = "follow",
    [STATE_VERIFY] = "verify",
};

void state_entry_append_key(struct buf *out, enum state_kind kind, struct bytes id)
{
    buf_append_format(out, "%s/%.*s", NAMES[kind], BYTES_ARGS(id));
}

bool state_entry_split_key(struct bytes key, enum state_kind *kind, struct bytes *id)
{
    for (int i = 0; i < STATE_KINDS; i++) {
        size_t size = strlen(NAMES[i]);
        if (key.size <= size + 1 || memcmp(key.data, NAMES[i], size) != 0 || key.data[size] != '/')
            continue;
        *kind = (enum state_kind)i;
        *id = bytes_of(key.data + size + 1, key.size - size - 1);
        return id->size <= STATE_ENTRY_ID_MAX;
    }
    return false;
}

void state_entry_begin(struct json_out *out, enum state_kind kind, struct bytes id,
                       const char *host, int64_t now_ms)
{
    json_out_object(out, NULL);
    json_out_verbatim(out, "kind", bytes_text(NAMES[kind]));
    json_out_verbatim(out, "id", id);
    json_out_verbatim(out, "host", bytes_text(host));
    json_out_time(out, "at", now_ms);
}

yyjson_doc *state_entry_read(struct bytes value, enum state_kind kind)
{
    if (value.size > STATE_ENTRY_BYTES_MAX)
        return NULL;
    yyjson_doc *doc = yyjson_read(value.data, value.size, 0);
    yyjson_val *said = yyjson_obj_get(yyjson_doc_get_root(doc), "kind");
    if (yyjson_equals_str(said, NAMES[kind]))
        return doc;
    yyjson_doc_free(doc);
    return NULL;
}
