/*
 * PostgreSQL's binary form to the JSON value the mapping's form says. A cell that is malformed or
 * holds what no source could have given (NaN, infinity, a year beyond 9999) is NULL: somebody else
 * wrote it.
 */

#include "common/model/value/value_scalar.h"

#include <sodium.h>

#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"

/* jsonb up to this size is parsed in memory of the stack: yyjson takes 12 bytes a byte of text. */
enum { SMALL_JSONB = 1024, POOL_ROOM = 16 * 1024 };

static yyjson_mut_val *make_string(yyjson_mut_doc *doc, struct bytes text)
{
    return yyjson_mut_strncpy(doc, text.data ? text.data : "", text.size);
}

static yyjson_mut_val *make_raw(yyjson_mut_doc *doc, struct bytes text)
{
    return yyjson_mut_rawncpy(doc, text.data, text.size);
}

static yyjson_mut_val *decode_text(const struct value_type *type, struct bytes text,
                                   yyjson_mut_doc *doc)
{
    struct decimal number;
    if (type->form != FORM_NUMBER)
        return make_string(doc, text);
    return decimal_parse(text, &number) ? make_raw(doc, text) : NULL;
}

static yyjson_mut_val *decode_bool(const struct value_type *type, struct cell cell,
                                   yyjson_mut_doc *doc)
{
    if (cell.size != 1 || (cell.data[0] != 0 && cell.data[0] != 1))
        return NULL;
    if (type->form == FORM_STRING)
        return yyjson_mut_str(doc, cell.data[0] ? "true" : "false");
    return yyjson_mut_bool(doc, cell.data[0]);
}

static yyjson_mut_val *decode_number(const struct value_type *type, struct cell cell,
                                     yyjson_mut_doc *doc)
{
    struct decimal number;
    if (!value_cell_decimal(type, cell, &number))
        return NULL;
    char memory[2048]; /* 308 whole digits, 1000 of a scale */
    struct buf printed = value_buf_over(memory, sizeof(memory));
    value_append_number(type, &number, &printed);
    return type->form == FORM_STRING ? make_string(doc, buf_view(&printed))
                                     : make_raw(doc, buf_view(&printed));
}

static void append_epoch(const struct value_type *type, int64_t micros, struct buf *out)
{
    static const int SHIFT[] = {[FORM_EPOCH_S] = 6, [FORM_EPOCH_MS] = 3, [FORM_EPOCH_US] = 0};
    bool exact;
    struct decimal number;
    char memory[24];
    struct buf text = value_buf_over(memory, sizeof(memory));
    buf_append_format(&text, "%lld", (long long)timestamp_to_epoch(micros, 1000000, &exact));
    if (!decimal_parse(buf_view(&text), &number))
        return;
    number.exponent -= number.count > 0 ? SHIFT[type->form] : 0;
    decimal_append_canonical(out, &number);
}

static yyjson_mut_val *decode_timestamp(const struct value_type *type, struct cell cell,
                                        yyjson_mut_doc *doc)
{
    int64_t micros = cell.size == 8 ? value_be_read(cell.data, 8) : INT64_MAX;
    if (!timestamp_is_usable(micros))
        return NULL;
    char memory[64];
    struct buf text = value_buf_over(memory, sizeof(memory));
    if (type->form >= FORM_EPOCH_S) {
        append_epoch(type, micros, &text);
        return make_raw(doc, buf_view(&text));
    }
    timestamp_append(&text, micros, type->base == VALUE_TIMESTAMPTZ);
    return make_string(doc, buf_view(&text));
}

static yyjson_mut_val *decode_date(struct cell cell, yyjson_mut_doc *doc)
{
    int64_t days = cell.size == 4 ? value_be_read(cell.data, 4) : INT64_MAX;
    if (days < DATE_LEAST || days > DATE_MOST)
        return NULL;
    char memory[64];
    struct buf text = value_buf_over(memory, sizeof(memory));
    timestamp_append_date(&text, (int32_t)days);
    return make_string(doc, buf_view(&text));
}

static yyjson_mut_val *decode_uuid(struct cell cell, yyjson_mut_doc *doc)
{
    if (cell.size != 16)
        return NULL;
    char memory[64];
    struct buf text = value_buf_over(memory, sizeof(memory));
    value_uuid_append(&text, cell.data);
    return make_string(doc, buf_view(&text));
}

static yyjson_mut_val *decode_bytea(struct bytes binary, yyjson_mut_doc *doc)
{
    struct buf text;
    size_t room = sodium_base64_ENCODED_LEN(binary.size, sodium_base64_VARIANT_ORIGINAL);
    buf_init(&text, room);
    char *place = buf_extend(&text, room);
    sodium_bin2base64(place, room, (const unsigned char *)binary.data, binary.size,
                      sodium_base64_VARIANT_ORIGINAL);
    yyjson_mut_val *val = make_string(doc, bytes_of(place, room - 1));
    buf_free(&text);
    return val;
}

yyjson_doc *value_parse_jsonb(struct cell cell, const yyjson_alc *alc)
{
    yyjson_doc *parsed;
    if (cell.size < 2 || cell.data[0] != 1)
        return NULL;
    struct bytes text = bytes_of(cell.data + 1, (size_t)cell.size - 1);
    return json_parse(text, JSON_UNICODE_REJECT, alc, &parsed, NULL) == OUT_OK ? parsed : NULL;
}

static yyjson_mut_val *decode_jsonb(struct cell cell, yyjson_mut_doc *doc)
{
    char pool[POOL_ROOM];
    yyjson_alc alc;
    bool small = cell.size <= SMALL_JSONB && yyjson_alc_pool_init(&alc, pool, sizeof(pool));
    yyjson_doc *parsed = value_parse_jsonb(cell, small ? &alc : NULL);
    yyjson_mut_val *val = parsed ? yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed)) : NULL;
    yyjson_doc_free(parsed);
    return val;
}

yyjson_mut_val *value_decode_scalar(const struct value_type *type, struct cell cell,
                                    yyjson_mut_doc *doc)
{
    struct bytes view = bytes_of(cell.data, (size_t)cell.size);
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        return decode_text(type, view, doc);
    case VALUE_BOOL:
        return decode_bool(type, cell, doc);
    case VALUE_DATE:
        return decode_date(cell, doc);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        return decode_timestamp(type, cell, doc);
    case VALUE_UUID:
        return decode_uuid(cell, doc);
    case VALUE_JSONB:
        return decode_jsonb(cell, doc);
    case VALUE_BYTEA:
        return decode_bytea(view, doc);
    default:
        return decode_number(type, cell, doc);
    }
}
