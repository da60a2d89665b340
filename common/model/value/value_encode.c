/*
 * A JSON value to PostgreSQL's binary form. Strict: a value of another kind than the column's form
 * says is refused, never converted (fault row J21), and a number that does not fit is never
 * rounded. No message holds any part of the value.
 */

#include "common/model/value/value_scalar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"

static enum outcome reject_form(const struct value_target *to, const char *expected)
{
    return error_set(to->err, OUT_REJECT, ERR_VALUE_FORM, "expected %s", expected);
}

static struct bytes string_of(yyjson_val *val)
{
    return bytes_of(unsafe_yyjson_get_str(val), unsafe_yyjson_get_len(val));
}

/* The text of a number. `memory` is for documents built in memory, whose numbers are not raw. */
bool value_number_text(yyjson_val *val, char memory[24], struct bytes *text)
{
    int size = 0;
    if (yyjson_is_raw(val)) {
        *text = bytes_of(unsafe_yyjson_get_raw(val), unsafe_yyjson_get_len(val));
        return true;
    }
    if (yyjson_is_uint(val))
        size = snprintf(memory, 24, "%" PRIu64, unsafe_yyjson_get_uint(val));
    else if (yyjson_is_sint(val))
        size = snprintf(memory, 24, "%" PRId64, unsafe_yyjson_get_sint(val));
    *text = bytes_of(memory, (size_t)size);
    return size > 0;
}

/* ---- text ---- */

bool value_is_longer(struct bytes text, int32_t most)
{
    if (text.size <= (size_t)most)
        return false;
    size_t characters = 0;
    for (size_t i = 0; i < text.size; i++)
        characters += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return characters > (size_t)most;
}

static enum outcome encode_text(const struct value_target *to, yyjson_val *val)
{
    char memory[24];
    struct bytes text;
    if (to->type->form == FORM_NUMBER) {
        if (!value_number_text(val, memory, &text))
            return value_reject_kind(to, "a number", val);
    } else if (yyjson_is_str(val)) {
        text = string_of(val);
    } else {
        return value_reject_kind(to, "a string", val);
    }
    if (to->type->length > 0 && value_is_longer(text, to->type->length))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_LENGTH,
                         "the string has more than %d characters", to->type->length);
    return value_store(to, text.data, text.size);
}

/* ---- bool and numbers ---- */

static enum outcome encode_bool(const struct value_target *to, yyjson_val *val)
{
    bool truth = yyjson_is_true(val);
    if (to->type->form == FORM_STRING) {
        if (!yyjson_is_str(val))
            return value_reject_kind(to, "a string holding true or false", val);
        truth = bytes_equal(string_of(val), BYTES_LITERAL("true"));
        if (!truth && !bytes_equal(string_of(val), BYTES_LITERAL("false")))
            return reject_form(to, "the string to be true or false");
    } else if (!yyjson_is_bool(val)) {
        return value_reject_kind(to, "a boolean", val);
    }
    return value_store(to, &(char){truth}, 1);
}

/* A number held in a string must come back as the very same characters. */
static bool is_printed_as(const struct value_type *type, const struct decimal *number,
                          struct bytes text)
{
    char memory[2048]; /* 308 whole digits, 1000 of a scale */
    struct buf printed = value_buf_over(memory, sizeof(memory));
    value_append_number(type, number, &printed);
    return bytes_equal(buf_view(&printed), text);
}

static enum outcome encode_number(const struct value_target *to, yyjson_val *val)
{
    char memory[24];
    struct bytes text;
    bool string = to->type->form == FORM_STRING;
    if (string ? !yyjson_is_str(val) : !value_number_text(val, memory, &text))
        return value_reject_kind(to, string ? "a string holding a number" : "a number", val);
    if (string)
        text = string_of(val);
    struct decimal number;
    if (!decimal_parse(text, &number))
        return string ? reject_form(to, "the string to hold a number as JSON writes it, of at most "
                                        "309 digits and exponents within 308")
                      : error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                                  "the number has too many digits or too large an exponent");
    enum outcome outcome = value_encode_decimal(to, &number);
    if (outcome == OUT_OK && string && *to->exact)
        *to->exact = is_printed_as(to->type, &number, text);
    return outcome;
}

/* ---- times ---- */

static enum outcome store_micros(const struct value_target *to, int64_t micros)
{
    unsigned char binary[8];
    uint64_t value = (uint64_t)micros;
    for (int i = 7; i >= 0; i--, value >>= 8)
        binary[i] = (unsigned char)value;
    return value_store(to, binary, sizeof(binary));
}

/* Fault row T02: a number of another unit than declared lands thousands of years away. */
#define EPOCH_LEAST (INT64_C(-2208988800) * 1000000)   /* 1900-01-01 */
#define EPOCH_MOST (INT64_C(7258118400) * 1000000 - 1) /* before 2200-01-01 */

/* Unix time in s, ms or us; fractions down to microseconds are kept (time.time() writes them). */
static enum outcome encode_epoch(const struct value_target *to, yyjson_val *val)
{
    static const int SHIFT[] = {[FORM_EPOCH_S] = 6, [FORM_EPOCH_MS] = 3, [FORM_EPOCH_US] = 0};
    char memory[24];
    struct bytes text;
    if (!value_number_text(val, memory, &text))
        return value_reject_kind(to, "a Unix time number", val);
    struct decimal number;
    int64_t unix_micros, micros;
    bool usable = decimal_parse(text, &number);
    number.exponent += usable && number.count > 0 ? SHIFT[to->type->form] : 0;
    while (usable && number.exponent < 0) { /* digits below a microsecond: cut, never rounded */
        *to->exact = false;
        number.count -= number.count > 0;
        number.exponent = number.count > 0 ? number.exponent + 1 : 0;
    }
    if (!usable || !decimal_to_int64(&number, &unix_micros) || unix_micros < EPOCH_LEAST ||
        unix_micros > EPOCH_MOST || !timestamp_from_epoch(unix_micros, 1000000, &micros))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                         "the time is outside the years 1900 to 2199: is the unit right?");
    return store_micros(to, micros);
}

static enum outcome encode_timestamp(const struct value_target *to, yyjson_val *val)
{
    if (to->type->form >= FORM_EPOCH_S)
        return encode_epoch(to, val);
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding a time", val);
    bool zoned = to->type->base == VALUE_TIMESTAMPTZ;
    enum timestamp_zone zone = zoned ? TIMESTAMP_ZONE_REQUIRED : TIMESTAMP_ZONE_NONE;
    int64_t micros;
    bool truncated;
    if (!timestamp_parse(string_of(val), zone, &micros, &truncated))
        return reject_form(to, zoned ? "a time with its zone, like 2024-01-15T10:30:00Z"
                                     : "a time without a zone, like 2024-01-15T10:30:00");
    char memory[64];
    struct buf printed = value_buf_over(memory, sizeof(memory));
    timestamp_append(&printed, micros, zoned);
    *to->exact = !truncated && bytes_equal(buf_view(&printed), string_of(val));
    return store_micros(to, micros);
}

static enum outcome encode_date(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding a date", val);
    int32_t days;
    if (!timestamp_parse_date(string_of(val), &days))
        return reject_form(to, "a date like 2024-01-15");
    uint32_t bits = (uint32_t)days;
    char binary[4] = {(char)(bits >> 24), (char)(bits >> 16), (char)(bits >> 8), (char)bits};
    return value_store(to, binary, sizeof(binary));
}

/* ---- the others ---- */

static enum outcome encode_uuid(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding a UUID", val);
    unsigned char uuid[16];
    if (!value_uuid_parse(string_of(val), uuid))
        return reject_form(to, "a UUID like 123e4567-e89b-42d3-a456-426614174000");
    struct bytes text = string_of(val);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'F')
            *to->exact = false;
    }
    return value_store(to, uuid, sizeof(uuid));
}

/* libsodium 1.0.18 takes some bytes above 127 for letters of base64. */
static bool is_ascii(struct bytes text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.size; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

static enum outcome encode_bytea(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding base64", val);
    struct bytes text = string_of(val);
    size_t room = text.size / 4 * 3;
    unsigned char *binary = arena_alloc(to->arena, room + 1);
    if (!binary)
        return value_store(to, NULL, SIZE_MAX);
    size_t size;
    const char *end = text.data;
    /* Strict: standard alphabet, padded, no bits left over. With an end it stops at the first
     * character it does not take, which must be the end. */
    if (text.size % 4 != 0 || !is_ascii(text) ||
        sodium_base642bin(binary, room + 1, text.data, text.size, NULL, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data + text.size)
        return reject_form(to, "base64 with padding");
    *to->cell = (struct cell){(const char *)binary, (int32_t)size};
    return OUT_OK;
}

/* Version byte and text. Most are small: only larger ones take memory from the heap. */
static enum outcome encode_jsonb(const struct value_target *to, yyjson_val *val)
{
    char memory[4096];
    struct buf small = value_buf_over(memory, sizeof(memory));
    buf_append_char(&small, 1);
    json_append(&small, val);
    if (!small.failed)
        return value_store(to, small.data, small.size);
    struct buf large;
    buf_init(&large, to->arena->limit);
    buf_append_char(&large, 1);
    json_append(&large, val);
    enum outcome outcome = value_store(to, large.data, large.failed ? SIZE_MAX : large.size);
    buf_free(&large);
    return outcome;
}

enum outcome value_encode_scalar(const struct value_target *to, yyjson_val *val)
{
    switch (to->type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        return encode_text(to, val);
    case VALUE_BOOL:
        return encode_bool(to, val);
    case VALUE_DATE:
        return encode_date(to, val);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        return encode_timestamp(to, val);
    case VALUE_UUID:
        return encode_uuid(to, val);
    case VALUE_JSONB:
        return encode_jsonb(to, val);
    case VALUE_BYTEA:
        return encode_bytea(to, val);
    default:
        return encode_number(to, val);
    }
}
