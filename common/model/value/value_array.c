/*
 * Arrays, which travel as jsonb. Towards PostgreSQL a cell is a JSON array of the elements' input
 * texts (or null), which the statement casts to the array type; what comes back is to_jsonb() of
 * the column, where numbers are numbers and jsonb is itself. The two are told apart by a blank
 * behind the version byte, which PostgreSQL never writes and does not mind, so that a cell just
 * made decodes like the one PostgreSQL gives back for it.
 */

#include "common/model/value/value_scalar.h"

#include <string.h>

#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"

static const char MADE_HERE[] = "\x01 ["; /* to_jsonb() gives "\x01[" */

/* ---- towards PostgreSQL ---- */

/* A cell as the text that PostgreSQL's input function of the type takes. */
static bool append_input_text(const struct value_type *type, struct cell cell, struct buf *out)
{
    struct bytes view = bytes_of(cell.data, (size_t)cell.size);
    struct decimal number;
    switch (type->base) {
    case VALUE_JSONB:
        buf_append(out, cell.data + 1, view.size - 1);
        return true;
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        timestamp_append(out, value_be_read(cell.data, 8), type->base == VALUE_TIMESTAMPTZ);
        return true;
    case VALUE_BYTEA:
        buf_append_text(out, "\\x");
        value_hex_append(out, view);
        return true;
    default:
        if (!value_is_number(type)) /* a key's text is the input text as well */
            return value_append_key(type, cell, out);
        if (!value_cell_decimal(type, cell, &number))
            return false;
        value_append_number(type, &number, out);
        return true;
    }
}

static enum outcome append_element(const struct value_target *to, yyjson_val *element,
                                   struct buf *text, struct buf *out)
{
    if (yyjson_is_null(element)) {
        buf_append_text(out, "null");
        return OUT_OK;
    }
    if (yyjson_is_arr(element) && to->type->base != VALUE_JSONB)
        return error_set(to->err, OUT_REJECT, ERR_VALUE_TYPE,
                         "expected an array of single values, found an array in it");
    struct cell cell;
    bool exact = true;
    struct value_type type = *to->type;
    type.array = false;
    const struct value_target one = {&type, to->arena, &cell, &exact, to->err};
    enum outcome outcome = value_encode_scalar(&one, element);
    if (outcome != OUT_OK)
        return outcome;
    *to->exact = *to->exact && exact;
    buf_reset(text);
    if (!append_input_text(&type, cell, text))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_FORM, "an element cannot be written");
    out->failed = out->failed || text->failed;
    json_append_string(out, buf_view(text));
    return OUT_OK;
}

enum outcome value_encode_array(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_arr(val))
        return value_reject_kind(to, "an array", val);
    struct buf text, out;
    buf_init(&text, to->arena->limit);
    buf_init(&out, to->arena->limit);
    buf_append(&out, MADE_HERE, sizeof(MADE_HERE) - 1);
    enum outcome outcome = OUT_OK;
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    for (yyjson_val *element; outcome == OUT_OK && (element = yyjson_arr_iter_next(&iter));) {
        if (iter.idx > 1)
            buf_append_char(&out, ',');
        outcome = append_element(to, element, &text, &out);
    }
    buf_append_char(&out, ']');
    if (outcome == OUT_OK)
        outcome = value_store(to, out.data, out.failed ? SIZE_MAX : out.size);
    buf_free(&text);
    buf_free(&out);
    return outcome;
}

/* ---- from PostgreSQL ---- */

/* A text of a time or of bytes, in the form JSON has for it. */
static yyjson_mut_val *decode_by_cell(const struct value_type *type, struct bytes text,
                                      yyjson_mut_doc *doc)
{
    bool zoned = type->base == VALUE_TIMESTAMPTZ;
    char memory[64];
    struct buf out = value_buf_over(memory, sizeof(memory));
    int64_t micros;
    int32_t days;
    bool truncated;
    unsigned char uuid[16];
    if (type->base == VALUE_UUID && value_uuid_parse(text, uuid))
        value_uuid_append(&out, (const char *)uuid);
    else if (type->base == VALUE_DATE && timestamp_parse_date(text, &days))
        timestamp_append_date(&out, days);
    else if ((zoned || type->base == VALUE_TIMESTAMP) &&
             timestamp_parse(text, zoned ? TIMESTAMP_ZONE_REQUIRED : TIMESTAMP_ZONE_NONE, &micros,
                             &truncated))
        timestamp_append(&out, micros, zoned);
    return out.size > 0 ? yyjson_mut_strncpy(doc, out.data, out.size) : NULL;
}

static yyjson_mut_val *decode_bytea_text(const struct value_type *type, struct bytes text,
                                         yyjson_mut_doc *doc)
{
    if (text.size < 2 || memcmp(text.data, "\\x", 2) != 0)
        return NULL;
    struct buf binary;
    buf_init(&binary, text.size);
    yyjson_mut_val *val = NULL;
    if (value_hex_parse(bytes_of(text.data + 2, text.size - 2), &binary))
        val = value_decode_scalar(type, (struct cell){binary.data, (int32_t)binary.size}, doc);
    buf_free(&binary);
    return val;
}

/* Halfway between two floats PostgreSQL prints one digit more than the shortest that reads back
 * (its Ryu takes no bounds): the float decides, as it does for a cell that is no array. */
static bool settle_float(const struct value_type *type, struct decimal *number)
{
    bool single = type->base == VALUE_FLOAT4;
    double value;
    return value_float_from(number, single, &value) && value_float_shortest(value, single, number);
}

static yyjson_mut_val *decode_number_text(const struct value_type *type, struct bytes text,
                                          yyjson_mut_doc *doc)
{
    struct decimal number;
    if (!decimal_parse(text, &number)) /* 'NaN' and 'Infinity' come as strings */
        return NULL;
    if (type->base != VALUE_FLOAT4 && type->base != VALUE_FLOAT8)
        return yyjson_mut_rawncpy(doc, text.data, text.size);
    char memory[128];
    struct buf printed = value_buf_over(memory, sizeof(memory));
    if (!settle_float(type, &number))
        return NULL;
    value_append_number(type, &number, &printed);
    return yyjson_mut_rawncpy(doc, printed.data, printed.size);
}

/* An element written as text: all of a cell made here, and strings, times, bytes of any cell. */
static yyjson_mut_val *decode_element_text(const struct value_type *type, struct bytes text,
                                           yyjson_mut_doc *doc)
{
    if (value_is_number(type))
        return decode_number_text(type, text, doc);
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        return yyjson_mut_strncpy(doc, text.data, text.size);
    case VALUE_BOOL:
        return yyjson_mut_bool(doc, bytes_equal(text, BYTES_LITERAL("true")));
    case VALUE_BYTEA:
        return decode_bytea_text(type, text, doc);
    default:
        return decode_by_cell(type, text, doc);
    }
}

static yyjson_mut_val *decode_made_here(const struct value_type *type, struct bytes text,
                                        yyjson_mut_doc *doc)
{
    if (type->base != VALUE_JSONB)
        return decode_element_text(type, text, doc);
    yyjson_doc *parsed;
    if (json_parse(text, JSON_UNICODE_REJECT, NULL, &parsed, NULL) != OUT_OK)
        return NULL;
    yyjson_mut_val *val = yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed));
    yyjson_doc_free(parsed);
    return val;
}

static yyjson_mut_val *decode_element(const struct value_type *type, yyjson_val *element,
                                      bool made_here, yyjson_mut_doc *doc)
{
    struct bytes text = bytes_of(unsafe_yyjson_get_str(element), unsafe_yyjson_get_len(element));
    if (yyjson_is_null(element))
        return yyjson_mut_null(doc);
    if (made_here)
        return yyjson_is_str(element) ? decode_made_here(type, text, doc) : NULL;
    if (type->base == VALUE_JSONB)
        return yyjson_val_mut_copy(doc, element);
    if (type->base == VALUE_BOOL)
        return yyjson_is_bool(element) ? yyjson_mut_bool(doc, yyjson_is_true(element)) : NULL;
    if (value_is_number(type))
        return yyjson_is_raw(element) ? decode_number_text(type, text, doc) : NULL;
    return yyjson_is_str(element) ? decode_element_text(type, text, doc) : NULL;
}

yyjson_mut_val *value_decode_array(const struct value_type *type, struct cell cell,
                                   yyjson_mut_doc *doc)
{
    size_t mark = sizeof(MADE_HERE) - 1;
    bool made_here = (size_t)cell.size >= mark && memcmp(cell.data, MADE_HERE, mark) == 0;
    yyjson_doc *parsed = value_parse_jsonb(cell, NULL);
    yyjson_val *root = yyjson_doc_get_root(parsed);
    yyjson_mut_val *array = yyjson_is_arr(root) ? yyjson_mut_arr(doc) : NULL;
    yyjson_arr_iter iter = yyjson_arr_iter_with(root);
    for (yyjson_val *element; array && (element = yyjson_arr_iter_next(&iter));) {
        yyjson_mut_val *made = decode_element(type, element, made_here, doc);
        if (!made || !yyjson_mut_arr_append(array, made))
            array = NULL;
    }
    yyjson_doc_free(parsed);
    return array;
}
