/*
 * JSON text from a document. Strings have one form, the same in compact text and in canonical
 * text: only `"`, `\` and bytes below 0x20 are escaped. Recursion is bounded by the document's
 * depth, which json_parse has checked.
 */

#include "common/base/hex.h"
#include "common/model/json/json.h"

#include <assert.h>
#include <inttypes.h>

static bool needs_escape(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* Index of the first byte from `at` that may need an escape; whole words without one are skipped.
 * A word is looked at with the classic test for a zero byte (Mycroft): it never misses one. */
static size_t skip_plain(struct bytes text, size_t at)
{
    const uint64_t ONES = UINT64_C(0x0101010101010101), HIGHS = UINT64_C(0x8080808080808080);
    uint64_t word;
    while (text.size - at >= sizeof(word)) {
        memcpy(&word, text.data + at, sizeof(word));
        uint64_t quote = word ^ ONES * '"', slash = word ^ ONES * '\\';
        uint64_t hits =
            ((word - ONES * 0x20) & ~word) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash);
        if (hits & HIGHS)
            break;
        at += sizeof(word);
    }
    while (at < text.size && !needs_escape(text.data[at]))
        at++;
    return at;
}

static void append_escaped(struct buf *out, unsigned char c)
{
    if (c < 0x20)
        buf_append(out, (char[]){'\\', 'u', '0', '0', HEX_DIGITS[c >> 4], HEX_DIGITS[c & 15]}, 6);
    else
        buf_append(out, (char[]){'\\', (char)c}, 2);
}

static void append_quoted(struct buf *out, struct bytes text)
{
    char *place = buf_extend(out, text.size + 2);
    if (!place)
        return;
    place[0] = '"';
    if (text.size > 0)
        memcpy(place + 1, text.data, text.size);
    place[text.size + 1] = '"';
}

void json_append_string(struct buf *out, struct bytes text)
{
    size_t at = skip_plain(text, 0);
    if (at == text.size) {
        append_quoted(out, text);
        return;
    }
    buf_append_char(out, '"');
    size_t plain = 0; /* start of bytes not yet appended, none of which needs an escape */
    while (at < text.size) {
        buf_append(out, text.data + plain, at - plain);
        append_escaped(out, (unsigned char)text.data[at]);
        plain = at + 1;
        at = skip_plain(text, plain);
    }
    buf_append(out, text.data + plain, text.size - plain);
    buf_append_char(out, '"');
}

void json_append_scalar(struct buf *out, yyjson_val *val)
{
    struct bytes text = bytes_of(unsafe_yyjson_get_str(val), unsafe_yyjson_get_len(val));
    switch (unsafe_yyjson_get_tag(val)) {
    case YYJSON_TYPE_NULL:
        buf_append(out, "null", 4);
        return;
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE:
        buf_append(out, "true", 4);
        return;
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE:
        buf_append(out, "false", 5);
        return;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_UINT:
        buf_append_format(out, "%" PRIu64, unsafe_yyjson_get_uint(val));
        return;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_SINT:
        buf_append_format(out, "%" PRId64, unsafe_yyjson_get_sint(val));
        return;
    default:
        break;
    }
    if (unsafe_yyjson_is_raw(val)) {
        buf_append_bytes(out, text);
        return;
    }
    assert(unsafe_yyjson_is_str(val)); /* no reals, no containers */
    /* yyjson's mark of strings that held no escape, so need none */
    if (unsafe_yyjson_get_subtype(val) & YYJSON_SUBTYPE_NOESC)
        append_quoted(out, text);
    else
        json_append_string(out, text);
}

void json_append_key(struct buf *out, char before, yyjson_val *key)
{
    size_t size = unsafe_yyjson_get_len(key);
    if (!(unsafe_yyjson_get_subtype(key) & YYJSON_SUBTYPE_NOESC)) {
        buf_append_char(out, before);
        json_append_string(out, bytes_of(unsafe_yyjson_get_str(key), size));
        buf_append_char(out, ':');
        return;
    }
    char *place = buf_extend(out, size + 4);
    if (!place)
        return;
    place[0] = before;
    place[1] = '"';
    memcpy(place + 2, unsafe_yyjson_get_str(key), size);
    place[size + 2] = '"';
    place[size + 3] = ':';
}

static void append_object(struct buf *out, yyjson_val *object)
{
    char before = '{';
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        json_append_key(out, before, key);
        json_append(out, yyjson_obj_iter_get_val(key));
        before = ',';
    }
    if (before == '{')
        buf_append_char(out, '{');
    buf_append_char(out, '}');
}

static void append_array(struct buf *out, yyjson_val *array)
{
    char before = '[';
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));) {
        buf_append_char(out, before);
        json_append(out, item);
        before = ',';
    }
    if (before == '[')
        buf_append_char(out, '[');
    buf_append_char(out, ']');
}

void json_append(struct buf *out, yyjson_val *val)
{
    if (unsafe_yyjson_is_obj(val))
        append_object(out, val);
    else if (unsafe_yyjson_is_arr(val))
        append_array(out, val);
    else
        json_append_scalar(out, val);
}
