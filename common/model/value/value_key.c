/*
 * Key cells as text and back, and scalars written in YAML. Equal keys have equal text: PostgreSQL
 * compares numerics without their scale and times as instants, so the text does too.
 */

#include "common/model/value/value_scalar.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"

#define EPOCH_UNITS 1000000 /* microseconds */

/* Appends a time as Unix time in microseconds. */
static bool append_time(struct cell cell, struct buf *out)
{
    int64_t micros = cell.size == 8 ? value_be_read(cell.data, 8) : INT64_MAX;
    if (!timestamp_is_usable(micros))
        return false;
    bool exact;
    buf_append_format(out, "%lld", (long long)timestamp_to_epoch(micros, EPOCH_UNITS, &exact));
    return true;
}

static bool append_date(struct cell cell, struct buf *out)
{
    int64_t days = cell.size == 4 ? value_be_read(cell.data, 4) : INT64_MAX;
    if (days < DATE_MIN || days > DATE_MAX)
        return false;
    timestamp_append_date(out, (int32_t)days);
    return true;
}

static bool append_number(const struct value_type *type, struct cell cell, struct buf *out)
{
    struct decimal number;
    if (!value_cell_decimal(type, cell, &number))
        return false;
    decimal_append_canonical(out, &number);
    return true;
}

bool value_append_key(const struct value_type *type, struct cell cell, struct buf *out)
{
    if (cell.size < 0 || type->array)
        return false;
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        buf_append(out, cell.data, (size_t)cell.size);
        return true;
    case VALUE_BOOL:
        if (cell.size == 1)
            buf_append_text(out, cell.data[0] ? "true" : "false");
        return cell.size == 1;
    case VALUE_DATE:
        return append_date(cell, out);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        return append_time(cell, out);
    case VALUE_UUID:
        if (cell.size == 16)
            value_uuid_append(out, cell.data);
        return cell.size == 16;
    case VALUE_BYTEA:
        value_hex_append(out, bytes_of(cell.data, (size_t)cell.size));
        return true;
    case VALUE_JSONB:
        return false;
    default:
        return append_number(type, cell, out);
    }
}

static enum outcome reject_key(const struct value_target *to)
{
    return error_set(to->err, OUT_REJECT, ERR_VALUE_FORM,
                     "the id does not have the form of the key column's type");
}

static enum outcome store_time(const struct value_target *to, struct bytes text)
{
    int64_t value, micros;
    if (!text_parse_int64(text, &value) || !timestamp_from_epoch(value, EPOCH_UNITS, &micros))
        return reject_key(to);
    return value_store_be(to, (uint64_t)micros, 8);
}

static enum outcome store_date(const struct value_target *to, struct bytes text)
{
    int32_t days;
    if (!timestamp_parse_date(text, &days))
        return reject_key(to);
    return value_store_be(to, (uint32_t)days, 4);
}

static enum outcome store_hex(const struct value_target *to, struct bytes text)
{
    struct buf binary;
    buf_init(&binary, text.size);
    enum outcome outcome =
        value_hex_parse(text, &binary) ? value_store(to, binary.data, binary.size) : reject_key(to);
    buf_free(&binary);
    return outcome;
}

static enum outcome store_uuid(const struct value_target *to, struct bytes text)
{
    unsigned char uuid[16];
    return value_uuid_parse(text, uuid) ? value_store(to, uuid, sizeof(uuid)) : reject_key(to);
}

static enum outcome store_bool(const struct value_target *to, struct bytes text)
{
    bool truth = bytes_equal(text, BYTES_LITERAL("true"));
    if (!truth && !bytes_equal(text, BYTES_LITERAL("false")))
        return reject_key(to);
    return value_store(to, &(char){truth}, 1);
}

/* What a column of text can hold: PostgreSQL takes neither NUL nor what is no UTF-8. */
static enum outcome store_text(const struct value_target *to, struct bytes text)
{
    size_t at;
    if (!text_is_utf8(text, &at) || (text.size && memchr(text.data, '\0', text.size)))
        return reject_key(to);
    if (to->type->length > 0 && value_is_longer(text, to->type->length))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_LENGTH,
                         "the id has more than %d characters", to->type->length);
    return value_store(to, text.data ? text.data : "", text.size);
}

enum outcome value_parse_key(const struct value_type *type, struct bytes text, struct arena *arena,
                             struct cell *cell, struct error *err)
{
    bool exact = true;
    const struct value_target to = {type, arena, cell, &exact, err};
    struct decimal number;
    *cell = CELL_NULL;
    if (type->array)
        return reject_key(&to);
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        return store_text(&to, text);
    case VALUE_BOOL:
        return store_bool(&to, text);
    case VALUE_DATE:
        return store_date(&to, text);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        return store_time(&to, text);
    case VALUE_UUID:
        return store_uuid(&to, text);
    case VALUE_BYTEA:
        return store_hex(&to, text);
    case VALUE_JSONB:
        return reject_key(&to);
    default:
        if (!decimal_parse(text, &number))
            return reject_key(&to);
        return value_encode_decimal(&to, &number);
    }
}

/* ---- YAML ---- */

/* The JSON text a YAML scalar stands for, by the kind the column's form takes. */
static void append_json_of(const struct value_type *type, struct bytes text, bool plain,
                           struct buf *out)
{
    bool bare = type->form >= FORM_NUMBER ||
                (type->form <= FORM_LOOSE && (value_is_number(type) || type->base == VALUE_BOOL));
    yyjson_doc *parsed;
    if (type->array || type->base == VALUE_JSONB) {
        bare = json_parse(text, JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK;
        if (bare)
            yyjson_doc_free(parsed);
    } else if (bare && !plain) {
        bare = false; /* "5" is a string, which the column then refuses */
    }
    if (bare)
        buf_append_bytes(out, text);
    else
        json_append_string(out, text);
}

yyjson_mut_val *value_from_yaml(const struct value_type *type, struct bytes text, bool plain,
                                yyjson_mut_doc *doc)
{
    enum { SCALAR_MAX = 1024 * 1024 };
    if (text.size > SCALAR_MAX)
        return NULL;
    struct buf json;
    struct arena arena;
    buf_init(&json, SCALAR_MAX * 6 + 2);
    arena_init(&arena, SCALAR_MAX * 16);
    append_json_of(type, text, plain, &json);
    yyjson_doc *parsed = NULL;
    yyjson_mut_val *val = NULL;
    struct cell cell;
    bool exact;
    /* The encoder says whether the column takes it. */
    if (json_parse(buf_view(&json), JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK &&
        value_encode(type, yyjson_doc_get_root(parsed), &arena, &cell, &exact, NULL) == OUT_OK)
        val = yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed));
    yyjson_doc_free(parsed);
    arena_free(&arena);
    buf_free(&json);
    return val;
}
