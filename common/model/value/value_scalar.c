/*
 * A JSON value to PostgreSQL's binary form. Strict: a value of another kind than the column's form
 * says is refused, never converted (fault row J21), and a number that does not fit is never
 * rounded. No message holds any part of the value.
 *
 * The inverse gives the JSON value that the mapping's form says. A cell that is malformed or holds
 * what no source could have given (NaN, infinity, a year beyond 9999) is NULL: somebody else wrote
 * it.
 */
#include "common/model/value/value_scalar.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/hex.h"
#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"

/* ---- text forms: UUID and hex ---- */

/* Positions 8, 13, 18 and 23 of a UUID's text. */
static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool value_uuid_parse(struct bytes text, unsigned char uuid[16])
{
    if (text.size != 36)
        return false;
    for (size_t i = 0, at = 0; i < 16; i++, at += 2) {
        if (is_dash_place(at) && text.data[at++] != '-')
            return false;
        int byte = hex_byte(text.data + at);
        if (byte < 0)
            return false;
        uuid[i] = (unsigned char)byte;
    }
    return true;
}

void value_uuid_append(struct buf *out, const char *uuid)
{
    char text[36], *at = text;
    for (size_t i = 0; i < 16; i++) {
        if (is_dash_place((size_t)(at - text)))
            *at++ = '-';
        at = hex_put(at, uuid + i, 1);
    }
    buf_append(out, text, sizeof(text));
}

void value_hex_append(struct buf *out, struct bytes binary)
{
    char *place = buf_extend(out, binary.size * 2);
    if (place)
        hex_put(place, binary.data, binary.size);
}

bool value_hex_parse(struct bytes hex, struct buf *out)
{
    if (hex.size % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.size; i += 2) {
        int byte = hex_byte(hex.data + i);
        if (byte < 0)
            return false;
        buf_append_char(out, (char)byte);
    }
    return true;
}

/* ---- what every encoding ends in: the cell, or why it is none ---- */

static enum outcome store_bytes(const struct value_target *to, struct bytes bytes)
{
    if (!bytes.data)
        return error_set(to->err, OUT_REJECT, ERR_JSON_SIZE,
                         "the value does not fit the memory of a batch");
    *to->cell = (struct cell){bytes.data, (int32_t)bytes.size};
    return OUT_OK;
}

enum outcome value_store(const struct value_target *to, const void *binary, size_t size)
{
    struct bytes copy = {0};
    if (size <= INT32_MAX)
        copy = arena_copy(to->arena, bytes_of(binary, size));
    return store_bytes(to, copy);
}

static const char *kind_of(yyjson_val *val)
{
    switch (yyjson_get_type(val)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return "a boolean";
    case YYJSON_TYPE_STR:
        return "a string";
    case YYJSON_TYPE_ARR:
        return "an array";
    case YYJSON_TYPE_OBJ:
        return "an object";
    default:
        return "a number";
    }
}

enum outcome value_reject_kind(const struct value_target *to, const char *expected,
                               yyjson_val *found)
{
    error_set(to->err, OUT_REJECT, ERR_VALUE_TYPE, "expected %s, found %s", expected,
              kind_of(found));
    if (to->type->form != FORM_NATURAL)
        error_hint(to->err, "the column's as: is not how the source writes it: change it or leave "
                            "it out, or fix the source");
    return OUT_REJECT;
}

/* ---- numbers: decimal to cell and back ---- */

bool value_is_number(const struct value_type *type)
{
    return type->base >= VALUE_INT2 && type->base <= VALUE_NUMERIC;
}

static int int_size(const struct value_type *type)
{
    return type->base == VALUE_INT2 ? 2 : (type->base == VALUE_INT4 ? 4 : 8);
}

int64_t value_be_read(const char *data, int size)
{
    uint64_t value = (signed char)data[0] < 0 ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | (unsigned char)data[i];
    return (int64_t)value;
}

static enum outcome out_of_range(const struct value_target *to)
{
    return error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE, "the number does not fit the column");
}

/* The lower `size` bytes, at most 8, in network byte order. */
static enum outcome store_be(const struct value_target *to, uint64_t value, int size)
{
    unsigned char binary[8];
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        binary[i] = (unsigned char)value;
    return value_store(to, binary, (size_t)size);
}

static enum outcome store_int(const struct value_target *to, int64_t value)
{
    int size = int_size(to->type);
    if (size < 8 &&
        (value < -(INT64_C(1) << (8 * size - 1)) || value >= INT64_C(1) << (8 * size - 1)))
        return out_of_range(to);
    return store_be(to, (uint64_t)value, size);
}

static enum outcome encode_int(const struct value_target *to, const struct decimal *number)
{
    if (number->exponent < 0) {
        error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                  "the column takes whole numbers, and this one has a fraction");
        error_hint(to->err, "make the column numeric, or fix the source");
        return OUT_REJECT;
    }
    int64_t value;
    return decimal_to_int64(number, &value) ? store_int(to, value) : out_of_range(to);
}

/* ---- floats ---- */

/* Powers of ten and integers of 15 digits are exact doubles, so one operation on them rounds once:
 * as strtod does, without it (Clinger's fast path). */
enum { POWERS = 23 };
static const double TENS[POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool from_short(const struct decimal *number, double *value)
{
    if (number->count > DBL_DIG || number->exponent >= POWERS || number->exponent <= -POWERS)
        return false;
    int64_t digits = 0;
    for (int i = 0; i < number->count; i++)
        digits = digits * 10 + (number->digits[i] - '0');
    double size = (double)digits;
    size = number->exponent < 0 ? size / TENS[-number->exponent] : size * TENS[number->exponent];
    *value = number->negative ? -size : size;
    return true;
}

/* Mantissa and exponent as integers: strtod must not meet a decimal point, which is the locale's.
 */
enum { STRTOD_ROOM = DECIMAL_DIGITS_MAX + 32 };

static void format_for_strtod(const struct decimal *number, char out[STRTOD_ROOM])
{
    snprintf(out, STRTOD_ROOM, "%s%.*se%d", number->negative ? "-" : "",
             number->count ? number->count : 1, number->count ? number->digits : "0",
             number->exponent);
}

bool value_float_from(const struct decimal *number, bool single, double *value)
{
    char text[STRTOD_ROOM];
    if (!single && from_short(number, value))
        return true;
    format_for_strtod(number, text);
    *value = single ? (double)strtof(text, NULL) : strtod(text, NULL);
    return isfinite(*value) && (*value != 0.0 || number->count == 0);
}

/* "1.2500e+01", where the point may be another character, to 125 * 10^-1. */
static bool parse_printed(const char *printed, struct decimal *number)
{
    char text[64];
    size_t size = 0;
    bool point = false;
    for (; *printed; printed++) {
        bool digit = *printed >= '0' && *printed <= '9';
        if (digit || *printed == 'e' || *printed == '-' || *printed == '+') {
            text[size++] = *printed;
        } else if (!point) {
            text[size++] = '.';
            point = true;
        }
    }
    return decimal_parse(bytes_of(text, size), number);
}

static bool print_digits(double value, int digits, bool single, struct decimal *number)
{
    char printed[64];
    double again;
    snprintf(printed, sizeof(printed), "%.*e", digits - 1, value);
    return parse_printed(printed, number) && value_float_from(number, single, &again) &&
           again == value;
}

/* Looks for the one decimal of at most 15 digits that is this double, by the same operation. */
static bool print_short(double value, struct decimal *number)
{
    for (int scale = 0; scale <= DBL_DIG; scale++) {
        double digits = nearbyint(value * TENS[scale]);
        if (fabs(digits) >= TENS[DBL_DIG])
            return false;
        if (digits / TENS[scale] == value) {
            char text[24];
            int size = snprintf(text, sizeof(text), "%lld", (long long)digits);
            bool made = decimal_parse(bytes_of(text, (size_t)size), number);
            number->exponent -= scale;
            return made;
        }
    }
    return false;
}

static bool print_long(double value, bool single, struct decimal *number)
{
    /* Up to DBL_DIG digits are always kept by a normal number, so that many, without the zeros at
     * their end, are the shortest form if they read back at all; subnormals keep fewer. */
    bool subnormal = fabs(value) < (single ? (double)FLT_MIN : DBL_MIN);
    int min = subnormal ? 1 : (single ? FLT_DIG : DBL_DIG);
    int max = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    for (int digits = min; digits <= max; digits++) {
        if (print_digits(value, digits, single, number))
            return true;
    }
    return false;
}

bool value_float_shortest(double value, bool single, struct decimal *number)
{
    if (!isfinite(value))
        return false;
    *number = (struct decimal){0};
    if (value == 0.0)
        return true;
    if ((single || !print_short(value, number)) && !print_long(value, single, number))
        return false;
    number->scale = number->exponent < 0 ? -number->exponent : 0;
    return true;
}

/* A decimal this short comes back from any normal number nearest to it: no need to print it. */
static bool is_surely_kept(const struct decimal *number, double value, bool single)
{
    return number->count <= (single ? FLT_DIG : DBL_DIG) &&
           (number->count == 0 || fabs(value) >= (single ? (double)FLT_MIN : DBL_MIN));
}

static enum outcome encode_float(const struct value_target *to, const struct decimal *number)
{
    bool single = to->type->base == VALUE_FLOAT4;
    double value;
    if (!value_float_from(number, single, &value))
        return out_of_range(to);
    struct decimal shortest;
    if (!is_surely_kept(number, value, single) &&
        (!value_float_shortest(value, single, &shortest) ||
         decimal_compare(&shortest, number) != 0))
        *to->exact = false;
    float narrow = (float)value;
    uint64_t bits = 0;
    uint32_t narrow_bits = 0;
    memcpy(&bits, &value, sizeof(value));
    memcpy(&narrow_bits, &narrow, sizeof(narrow));
    return single ? store_be(to, narrow_bits, 4) : store_be(to, bits, 8);
}

static bool float_cell(struct cell cell, bool single, struct decimal *number)
{
    uint64_t bits = (uint64_t)value_be_read(cell.data, cell.size);
    uint32_t narrow_bits = (uint32_t)bits;
    double value;
    float narrow;
    memcpy(&value, &bits, sizeof(value));
    memcpy(&narrow, &narrow_bits, sizeof(narrow));
    return value_float_shortest(single ? (double)narrow : value, single, number);
}

/* ---- numeric ---- */

/* A declared scale is what PostgreSQL pads to; nothing is rounded to it. */
static bool fit_numeric(const struct value_type *type, struct decimal *number)
{
    if (type->precision == 0)
        return true;
    int whole = number->count > 0 ? number->count + number->exponent : 0;
    if (number->exponent < -type->scale || whole > type->precision - type->scale)
        return false;
    number->scale = type->scale;
    return true;
}

static enum outcome encode_numeric(const struct value_target *to, struct decimal *number)
{
    if (!fit_numeric(to->type, number))
        return out_of_range(to);
    char memory[2 * DECIMAL_DIGITS_MAX]; /* a header of 8 bytes, two for every four digits */
    struct buf binary = value_buf_over(memory, sizeof(memory));
    decimal_append_numeric(&binary, number);
    return value_store(to, binary.data, binary.size);
}

/* ---- all of them ---- */

/* A number as the cell of the target's numeric type (integers, floats, numeric). */
static enum outcome encode_decimal(const struct value_target *to, struct decimal *number)
{
    switch (to->type->base) {
    case VALUE_FLOAT4:
    case VALUE_FLOAT8:
        return encode_float(to, number);
    case VALUE_NUMERIC:
        return encode_numeric(to, number);
    default:
        return encode_int(to, number);
    }
}

static bool int_cell(struct cell cell, struct decimal *number)
{
    char text[20]; /* sign and 19 digits */
    char *at = text + sizeof(text);
    int64_t value = value_be_read(cell.data, cell.size);
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + size % 10);
        size /= 10;
    } while (size > 0);
    if (value < 0)
        *--at = '-';
    return decimal_parse(bytes_of(at, (size_t)(text + sizeof(text) - at)), number);
}

bool value_cell_decimal(const struct value_type *type, struct cell cell, struct decimal *number)
{
    switch (type->base) {
    case VALUE_NUMERIC:
        return cell.size >= 0 &&
               decimal_from_numeric(bytes_of(cell.data, (size_t)cell.size), number);
    case VALUE_FLOAT4:
        return cell.size == 4 && float_cell(cell, true, number);
    case VALUE_FLOAT8:
        return cell.size == 8 && float_cell(cell, false, number);
    default:
        return cell.size == int_size(type) && int_cell(cell, number);
    }
}

void value_append_number(const struct value_type *type, const struct decimal *number,
                         struct buf *out)
{
    if (type->base == VALUE_NUMERIC)
        decimal_append_plain(out, number);
    else
        decimal_append_canonical(out, number);
}

/* ---- JSON to cell ---- */

static enum outcome reject_form(const struct value_target *to, const char *expected)
{
    return error_set(to->err, OUT_REJECT, ERR_VALUE_FORM, "expected %s", expected);
}

bool value_number_text(yyjson_val *val, char memory[24], struct bytes *text)
{
    int size = 0;
    if (yyjson_is_raw(val)) {
        *text = json_text_of(val);
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

/* More than `max` characters? */
static bool is_longer(struct bytes text, int32_t max)
{
    if (text.size <= (size_t)max)
        return false;
    size_t characters = 0;
    for (size_t i = 0; i < text.size; i++)
        characters += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return characters > (size_t)max;
}

static enum outcome encode_text(const struct value_target *to, yyjson_val *val)
{
    char memory[24];
    struct bytes text;
    if (to->type->form == FORM_NUMBER) {
        if (!value_number_text(val, memory, &text))
            return value_reject_kind(to, "a number", val);
    } else if (yyjson_is_str(val)) {
        text = json_text_of(val);
    } else {
        return value_reject_kind(to, "a string", val);
    }
    if (to->type->length > 0 && is_longer(text, to->type->length))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_LENGTH,
                         "the string has more than %d characters", to->type->length);
    return store_bytes(to,
                       text.size <= INT32_MAX ? arena_keep(to->arena, text) : (struct bytes){0});
}

/* ---- bool and numbers ---- */

static enum outcome encode_bool(const struct value_target *to, yyjson_val *val)
{
    bool truth = yyjson_is_true(val);
    if (to->type->form == FORM_STRING) {
        if (!yyjson_is_str(val))
            return value_reject_kind(to, "a string holding true or false", val);
        truth = bytes_equal(json_text_of(val), BYTES_LITERAL("true"));
        if (!truth && !bytes_equal(json_text_of(val), BYTES_LITERAL("false")))
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
        text = json_text_of(val);
    struct decimal number;
    int64_t whole;
    if (to->type->base <= VALUE_INT8 && decimal_short_int64(text, &whole))
        return store_int(to, whole); /* and a string of this form is how it is printed */
    if (!decimal_parse(text, &number))
        return string ? reject_form(to, "the string to hold a number as JSON writes it, of at most "
                                        "309 digits and exponents within 308")
                      : error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                                  "the number has too many digits or too large an exponent");
    enum outcome outcome = encode_decimal(to, &number);
    if (outcome == OUT_OK && string && *to->exact)
        *to->exact = is_printed_as(to->type, &number, text);
    return outcome;
}

/* ---- times ---- */

/* Fault row T02: a number of another unit than declared lands thousands of years away. */
#define EPOCH_MIN (INT64_C(-2208988800) * 1000000)    /* 1900-01-01 */
#define EPOCH_MAX (INT64_C(7258118400) * 1000000 - 1) /* before 2200-01-01 */

static enum outcome encode_epoch_micros(const struct value_target *to, bool usable,
                                        int64_t unix_micros)
{
    int64_t micros;
    if (!usable || unix_micros < EPOCH_MIN || unix_micros > EPOCH_MAX ||
        !timestamp_from_epoch(unix_micros, 1000000, &micros))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                         "the time is outside the years 1900 to 2199: is the unit right?");
    return store_be(to, (uint64_t)micros, 8);
}

/* Unix time in s, ms or us; fractions down to microseconds are kept (time.time() writes them). */
static enum outcome encode_epoch(const struct value_target *to, yyjson_val *val)
{
    static const int SHIFT[] = {[FORM_EPOCH_S] = 6, [FORM_EPOCH_MS] = 3, [FORM_EPOCH_US] = 0};
    static const int64_t UNIT[] = {
        [FORM_EPOCH_S] = 1000000, [FORM_EPOCH_MS] = 1000, [FORM_EPOCH_US] = 1};
    char memory[24];
    struct bytes text;
    if (!value_number_text(val, memory, &text))
        return value_reject_kind(to, "a Unix time number", val);
    struct decimal number;
    int64_t whole, unix_micros;
    if (decimal_short_int64(text, &whole)) {
        bool fits = !__builtin_mul_overflow(whole, UNIT[to->type->form], &unix_micros);
        return encode_epoch_micros(to, fits, unix_micros);
    }
    bool usable = decimal_parse(text, &number);
    number.exponent += usable && number.count > 0 ? SHIFT[to->type->form] : 0;
    while (usable && number.exponent < 0) { /* digits below a microsecond: cut, never rounded */
        *to->exact = false;
        number.count -= number.count > 0;
        number.exponent = number.count > 0 ? number.exponent + 1 : 0;
    }
    usable = usable && decimal_to_int64(&number, &unix_micros);
    return encode_epoch_micros(to, usable, usable ? unix_micros : 0);
}

/* Milliseconds, as JavaScript and timestamp_append write them. Of a text that was taken for a time
 * these places say so. */
static bool is_in_milliseconds(struct bytes text, bool zoned)
{
    return text.size == 23 + (size_t)zoned && text.data[10] == 'T' && text.data[19] == '.' &&
           (zoned ? text.data[23] == 'Z' : text.data[22] <= '9');
}

static bool is_time_printed_as(int64_t micros, bool zoned, struct bytes text)
{
    char memory[64];
    struct buf printed = value_buf_over(memory, sizeof(memory));
    timestamp_append(&printed, micros, zoned);
    return bytes_equal(buf_view(&printed), text);
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
    if (!timestamp_parse(json_text_of(val), zone, &micros, &truncated))
        return reject_form(to, zoned ? "a time with its zone, like 2024-01-15T10:30:00Z"
                                     : "a time without a zone, like 2024-01-15T10:30:00");
    *to->exact = is_in_milliseconds(json_text_of(val), zoned) ||
                 (!truncated && is_time_printed_as(micros, zoned, json_text_of(val)));
    return store_be(to, (uint64_t)micros, 8);
}

static enum outcome encode_date(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding a date", val);
    int32_t days;
    if (!timestamp_parse_date(json_text_of(val), &days))
        return reject_form(to, "a date like 2024-01-15");
    return store_be(to, (uint32_t)days, 4);
}

/* ---- the others ---- */

static enum outcome encode_uuid(const struct value_target *to, yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return value_reject_kind(to, "a string holding a UUID", val);
    unsigned char uuid[16];
    if (!value_uuid_parse(json_text_of(val), uuid))
        return reject_form(to, "a UUID like 123e4567-e89b-42d3-a456-426614174000");
    struct bytes text = json_text_of(val);
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
    struct bytes text = json_text_of(val);
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

/* ---- cell to JSON ---- */

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

/* ---- what a cell holds of its value ---- */

/* Digits of an ISO time's fraction that microseconds do not have, other than zeros. The places are
 * those of a text that was taken for a time. */
static bool is_time_cut(struct bytes text)
{
    enum { POINT = 19, BEYOND = 26 };
    if (text.size <= BEYOND || text.data[POINT] != '.')
        return false;
    for (size_t at = POINT + 1; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        if (at >= BEYOND && text.data[at] != '0')
            return true;
    }
    return false;
}

/* Unix time: the number in the form's unit. */
static bool is_epoch_held(const struct value_type *type, const struct decimal *number,
                          struct cell cell)
{
    char memory[64];
    struct buf text = value_buf_over(memory, sizeof(memory));
    struct value_type epoch = *type;
    struct decimal held;
    if (type->form == FORM_LOOSE)
        epoch.form = FORM_EPOCH_MS;
    append_epoch(&epoch, value_be_read(cell.data, cell.size), &text);
    return decimal_parse(buf_view(&text), &held) && decimal_compare(&held, number) == 0;
}

bool value_is_held(const struct value_type *type, yyjson_val *val, struct cell cell)
{
    char memory[24];
    struct bytes text;
    struct decimal number, held;
    bool time = type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ;
    if (!time && !value_is_number(type))
        return true;
    if (yyjson_is_str(val))
        text = json_text_of(val);
    else if (!value_number_text(val, memory, &text))
        return false;
    if (time && yyjson_is_str(val))
        return !is_time_cut(text);
    if (!decimal_parse(text, &number))
        return false;
    return time ? is_epoch_held(type, &number, cell)
                : value_cell_decimal(type, cell, &held) && decimal_compare(&held, &number) == 0;
}

/* ---- keys as text, and back -------------------------------------------------------------- */

/* Equal keys have equal text: PostgreSQL compares numerics without their scale and times as
 * instants, so the text does too. */
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

/* Of a float: the id is another record's, or nobody's. */
static enum outcome reject_rounded(const struct value_target *to)
{
    return error_set(to->err, OUT_REJECT, ERR_VALUE_ROUNDED,
                     "the id has digits that the key column's type does not hold");
}

static enum outcome store_time(const struct value_target *to, struct bytes text)
{
    int64_t value, micros;
    if (!text_parse_int64(text, &value) || !timestamp_from_epoch(value, EPOCH_UNITS, &micros))
        return reject_key(to);
    return store_be(to, (uint64_t)micros, 8);
}

static enum outcome store_date(const struct value_target *to, struct bytes text)
{
    int32_t days;
    if (!timestamp_parse_date(text, &days))
        return reject_key(to);
    return store_be(to, (uint32_t)days, 4);
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
    if (to->type->length > 0 && is_longer(text, to->type->length))
        return error_set(to->err, OUT_REJECT, ERR_VALUE_LENGTH,
                         "the id has more than %d characters", to->type->length);
    return value_store(to, text.data ? text.data : "", text.size);
}

enum outcome value_parse_key(const struct value_type *type, struct bytes text, struct arena *arena,
                             struct cell *cell, struct error *err)
{
    bool exact = true;
    const struct value_target to = {type, arena, cell, &exact, err};
    enum outcome outcome;
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
        outcome = encode_decimal(&to, &number);
        return outcome != OUT_OK || exact ? outcome : reject_rounded(&to);
    }
}

/* ---- decoding, the rest ----------------------------------------------------------------- */

/* What JSON has in the same form as a key. */
static yyjson_mut_val *decode_as_key(const struct value_type *type, struct cell cell,
                                     yyjson_mut_doc *doc)
{
    char memory[64];
    struct buf text = value_buf_over(memory, sizeof(memory));
    return value_append_key(type, cell, &text) ? make_string(doc, buf_view(&text)) : NULL;
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
    case VALUE_UUID:
        return decode_as_key(type, cell, doc);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        return decode_timestamp(type, cell, doc);
    case VALUE_JSONB:
        return decode_jsonb(cell, doc);
    case VALUE_BYTEA:
        return decode_bytea(view, doc);
    default:
        return decode_number(type, cell, doc);
    }
}
