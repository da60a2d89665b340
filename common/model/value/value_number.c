/* Integers, floats and numerics: decimal to cell and back. */

#include "common/model/value/value_scalar.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static enum outcome store_be(const struct value_target *to, uint64_t value, int size)
{
    unsigned char binary[8];
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        binary[i] = (unsigned char)value;
    return value_store(to, binary, (size_t)size);
}

static enum outcome encode_int(const struct value_target *to, const struct decimal *number)
{
    if (number->exponent < 0) {
        error_set(to->err, OUT_REJECT, ERR_VALUE_RANGE,
                  "the column takes whole numbers, and this one has a fraction");
        error_hint(to->err, "make the column numeric, or fix the source");
        return OUT_REJECT;
    }
    int size = int_size(to->type);
    int64_t value;
    if (!decimal_to_int64(number, &value) ||
        (size < 8 &&
         (value < -(INT64_C(1) << (8 * size - 1)) || value >= INT64_C(1) << (8 * size - 1))))
        return out_of_range(to);
    return store_be(to, (uint64_t)value, size);
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
enum { STRTOD_ROOM = DECIMAL_DIGITS_MOST + 32 };

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
    int least = subnormal ? 1 : (single ? FLT_DIG : DBL_DIG);
    int most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    for (int digits = least; digits <= most; digits++) {
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
    char memory[2 * DECIMAL_DIGITS_MOST]; /* a header of 8 bytes, two for every four digits */
    struct buf binary = value_buf_over(memory, sizeof(memory));
    decimal_append_numeric(&binary, number);
    return value_store(to, binary.data, binary.size);
}

/* ---- all of them ---- */

enum outcome value_encode_decimal(const struct value_target *to, struct decimal *number)
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
