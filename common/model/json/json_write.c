/*
 * JSON text from a document, as it is and in the canonical form. Strings have one form, the same in
 * both: only `"`, `\` and bytes below 0x20 are escaped. Recursion is bounded by the document's
 * depth, which json_parse has checked.
 */

#include <assert.h>
#include <inttypes.h>

#include "common/base/hex.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/json/json_scan.h"
#include "common/model/json/members.h"
#include "common/model/value/decimal.h"

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
    size_t at = json_scan_in_string(text, 0);
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
        at = json_scan_in_string(text, plain);
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

static void append_value(struct buf *out, yyjson_val *val, bool canonical);

/* A number as short as this is canonical when it has no exponent, no zero at its end, and is no -0.
 */
#define PLAIN_DIGITS 40

static size_t count_digits(struct bytes text, size_t from)
{
    size_t at = from;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at - from;
}

static bool is_plain_number(struct bytes text)
{
    size_t sign = text.data[0] == '-', whole = count_digits(text, sign), at = sign + whole;
    if (text.size - sign > PLAIN_DIGITS)
        return false;
    if (at == text.size)
        return text.data[sign] != '0' || text.size == 1;
    return text.data[at] == '.' && at + 1 + count_digits(text, at + 1) == text.size &&
           text.data[text.size - 1] != '0';
}

/* The size of a value's text and of its quotes, when it is written as it was read; else 0. */
static size_t size_as_read(yyjson_val *val, bool canonical, size_t *quotes)
{
    struct bytes text = bytes_of(unsafe_yyjson_get_str(val), unsafe_yyjson_get_len(val));
    uint8_t tag = unsafe_yyjson_get_tag(val);
    *quotes = tag == (YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC);
    if (*quotes)
        return text.size + 2;
    return tag == YYJSON_TYPE_RAW && (!canonical || is_plain_number(text)) ? text.size : 0;
}

/* A member that stands in the text it was picked from as it is written here: "name":"value" is one
 * piece then. A document of yyjson's has no such text: it puts a NUL behind each name. */
static bool append_as_read(struct buf *out, char before, yyjson_val *key, yyjson_val *val,
                           bool canonical)
{
    const char *name = unsafe_yyjson_get_str(key);
    size_t name_size = unsafe_yyjson_get_len(key), quotes, size;
    if (unsafe_yyjson_get_tag(key) != (YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC) ||
        name[name_size] != '"' || (size = size_as_read(val, canonical, &quotes)) == 0 ||
        unsafe_yyjson_get_str(val) != name + name_size + 2 + quotes)
        return false;
    char *place = buf_extend(out, name_size + size + 4);
    if (place) {
        *place = before;
        memcpy(place + 1, name - 1, name_size + size + 3);
    }
    return true;
}

void json_append_member(struct buf *out, char before, yyjson_val *key, yyjson_val *val)
{
    if (append_as_read(out, before, key, val, false))
        return;
    json_append_key(out, before, key);
    append_value(out, val, false);
}

static void append_members(struct buf *out, const struct members *members)
{
    char before = '{';
    for (size_t i = 0; i < members->count; i++, before = ',') {
        yyjson_val *key = members->list[i].key, *val = key + 1;
        if (append_as_read(out, before, key, val, true))
            continue;
        json_append_key(out, before, key);
        append_value(out, val, true);
    }
    buf_append_text(out, before == '{' ? "{}" : "}");
}

static void append_object(struct buf *out, yyjson_val *object, bool canonical)
{
    struct members members;
    char before = '{';
    if (canonical) {
        members_sort(&members, object);
        append_members(out, &members);
        members_free(&members);
    } else {
        yyjson_obj_iter iter = yyjson_obj_iter_with(object);
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)); before = ',')
            json_append_member(out, before, key, yyjson_obj_iter_get_val(key));
        buf_append_text(out, before == '{' ? "{}" : "}");
    }
}

static void append_array(struct buf *out, yyjson_val *array, bool canonical)
{
    char before = '[';
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter)); before = ',') {
        buf_append_char(out, before);
        append_value(out, item, canonical);
    }
    buf_append_text(out, before == '[' ? "[]" : "]");
}

static void append_number(struct buf *out, yyjson_val *raw, bool canonical)
{
    struct bytes text = json_text_of(raw);
    struct decimal decimal;
    if (!canonical || is_plain_number(text) || !decimal_parse(text, &decimal))
        buf_append_bytes(out, text); /* json_parse lets no other number through */
    else
        decimal_append_canonical(out, &decimal);
}

static void append_value(struct buf *out, yyjson_val *val, bool canonical)
{
    switch (unsafe_yyjson_get_type(val)) {
    case YYJSON_TYPE_OBJ:
        append_object(out, val, canonical);
        break;
    case YYJSON_TYPE_ARR:
        append_array(out, val, canonical);
        break;
    case YYJSON_TYPE_RAW:
        append_number(out, val, canonical);
        break;
    default:
        json_append_scalar(out, val);
    }
}

void json_append(struct buf *out, yyjson_val *val)
{
    append_value(out, val, false);
}

/* ---- the canonical form ---- */

void canonical_append(struct buf *out, yyjson_val *val)
{
    append_value(out, val, true);
}

static bool digest_scratch(const struct buf *scratch, struct digest *digest)
{
    if (scratch->failed)
        return false;
    *digest = digest_of(buf_view(scratch));
    return true;
}

bool canonical_digest(yyjson_val *val, struct buf *scratch, struct digest *digest)
{
    buf_reset(scratch);
    canonical_append(scratch, val);
    return digest_scratch(scratch, digest);
}

bool canonical_digest_members(const struct members *members, struct buf *scratch,
                              struct digest *digest)
{
    buf_reset(scratch);
    append_members(scratch, members);
    return digest_scratch(scratch, digest);
}

/* Scalars without escapes or digits to think about; -1 when only the forms can tell. */
static int compare_quickly(yyjson_val *a, yyjson_val *b)
{
    if (unsafe_yyjson_is_str(a) && unsafe_yyjson_is_str(b))
        return bytes_equal(json_text_of(a), json_text_of(b));
    if (unsafe_yyjson_is_str(a) || unsafe_yyjson_is_str(b))
        return false;
    return -1;
}

bool canonical_equal(yyjson_val *a, yyjson_val *b)
{
    int known = compare_quickly(a, b);
    if (known >= 0)
        return known;
    /* Bounded by the record limit the documents were read under. */
    struct buf form_a, form_b;
    buf_init(&form_a, SIZE_MAX / 4);
    buf_init(&form_b, SIZE_MAX / 4);
    canonical_append(&form_a, a);
    canonical_append(&form_b, b);
    bool equal = bytes_equal(buf_view(&form_a), buf_view(&form_b));
    buf_free(&form_a);
    buf_free(&form_b);
    return equal;
}
