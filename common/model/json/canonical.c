#include "common/model/json/canonical.h"

#include "common/model/value/decimal.h"
#include "common/model/json/json.h"
#include "common/model/json/members.h"

/* An integer as short as this is canonical as it is written: no exponent, no leading zero. */
#define PLAIN_DIGITS 40

static bool is_plain_integer(struct bytes text)
{
    size_t sign = text.data[0] == '-';
    if (text.size - sign > PLAIN_DIGITS || text.data[sign] == '0')
        return false;
    for (size_t i = sign; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return true;
}

static void append_number(struct buf *out, yyjson_val *raw)
{
    struct bytes text = bytes_of(unsafe_yyjson_get_raw(raw), unsafe_yyjson_get_len(raw));
    struct decimal decimal;
    if (is_plain_integer(text) || !decimal_parse(text, &decimal))
        buf_append_bytes(out, text); /* json_parse lets no other number through */
    else
        decimal_append_canonical(out, &decimal);
}

static void append_object(struct buf *out, yyjson_val *object)
{
    struct members members;
    members_sort(&members, object);
    for (size_t i = 0; i < members.count; i++) {
        yyjson_val *key = members.list[i].key;
        json_append_key(out, i == 0 ? '{' : ',', key);
        canonical_append(out, yyjson_obj_iter_get_val(key));
    }
    if (members.count == 0)
        buf_append_char(out, '{');
    buf_append_char(out, '}');
    members_free(&members);
}

static void append_array(struct buf *out, yyjson_val *array)
{
    char before = '[';
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));) {
        buf_append_char(out, before);
        canonical_append(out, item);
        before = ',';
    }
    if (before == '[')
        buf_append_char(out, '[');
    buf_append_char(out, ']');
}

void canonical_append(struct buf *out, yyjson_val *val)
{
    switch (unsafe_yyjson_get_type(val)) {
    case YYJSON_TYPE_OBJ:
        append_object(out, val);
        break;
    case YYJSON_TYPE_ARR:
        append_array(out, val);
        break;
    case YYJSON_TYPE_RAW:
        append_number(out, val);
        break;
    default:
        json_append_scalar(out, val);
    }
}

bool canonical_digest(yyjson_val *val, struct buf *scratch, struct digest *digest)
{
    buf_reset(scratch);
    canonical_append(scratch, val);
    if (scratch->failed)
        return false;
    *digest = digest_of(buf_view(scratch));
    return true;
}

/* Scalars without escapes or digits to think about; -1 when only the forms can tell. */
static int compare_quickly(yyjson_val *a, yyjson_val *b)
{
    if (unsafe_yyjson_is_str(a) && unsafe_yyjson_is_str(b))
        return bytes_equal(bytes_of(unsafe_yyjson_get_str(a), unsafe_yyjson_get_len(a)),
                           bytes_of(unsafe_yyjson_get_str(b), unsafe_yyjson_get_len(b)));
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
