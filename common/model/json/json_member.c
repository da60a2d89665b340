/* See the header. Names with escapes are rare; they go through the JSON reader. */
#include "common/model/json/json_member.h"

#include <yyjson.h>

#include "common/base/text.h"
#include "common/model/json/json_stream_detect.h"

static size_t skip_space(struct bytes text, size_t at)
{
    while (at < text.size && json_is_space(text.data[at]))
        at++;
    return at;
}

bool json_member_split(struct bytes text, struct json_member *member)
{
    if (text.size == 0 || text.data[0] != '"')
        return false;
    size_t at = 1;
    while (at < text.size && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    if (at >= text.size)
        return false;
    member->name = bytes_of(text.data, ++at);
    at = skip_space(text, at);
    if (at >= text.size || text.data[at] != ':')
        return false;
    at = skip_space(text, at + 1);
    member->value = bytes_of(text.data + at, text.size - at);
    member->value_at = at;
    return at < text.size;
}

static enum outcome not_unicode(struct error *err)
{
    return error_set(err, OUT_REJECT, ERR_JSON_UNICODE, "the member's name is not valid Unicode");
}

static enum outcome decode(struct bytes name, struct buf *out, struct error *err)
{
    yyjson_doc *doc = yyjson_read(name.data, name.size, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    enum outcome outcome = OUT_OK;
    if (!yyjson_is_str(root))
        outcome = not_unicode(err);
    else if (strlen(yyjson_get_str(root)) < yyjson_get_len(root))
        outcome = error_set(err, OUT_REJECT, ERR_JSON_NUL, "the member's name holds a NUL");
    else
        buf_append(out, yyjson_get_str(root), yyjson_get_len(root));
    yyjson_doc_free(doc);
    return outcome;
}

enum outcome json_member_name(struct bytes name, struct buf *out, struct error *err)
{
    if (memchr(name.data, '\\', name.size))
        return decode(name, out, err);
    struct bytes inner = bytes_of(name.data + 1, name.size - 2);
    if (!text_is_utf8(inner, NULL))
        return not_unicode(err);
    buf_append_bytes(out, inner);
    return OUT_OK;
}
