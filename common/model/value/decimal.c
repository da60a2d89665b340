/*
 * Exact decimals: text, canonical text, plain text, PostgreSQL's binary numeric.
 *
 * Everything is made from one idea: significant digits, and the power of ten of the last of them.
 * Zeros are held back while reading and only counted, so trailing zeros never become digits and
 * `1e131071` or a million zeros cost nothing (fault row J11).
 */

#include "common/model/value/decimal.h"

#include <string.h>

enum {
    GROUP = 4, /* decimal digits in one base-10000 digit of a numeric */
    GROUPS_MAX = DECIMAL_DIGITS_MAX / GROUP + 2, /* not aligned */
    PLAIN_MAX = 40, /* canonical form: powers of the leading digit written without exponent */
    CANONICAL_ROOM = DECIMAL_DIGITS_MAX + 64 /* "-0." + 39 zeros + digits, or "-" "." "e-308" */
};

/* Signs in numeric_send (PostgreSQL, numeric.c); other values are NaN and infinities. */
enum { NUMERIC_POSITIVE = 0x0000, NUMERIC_NEGATIVE = 0x4000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits arriving one by one; `zeros` of them are not yet known to be inside the number. */
struct intake {
    struct decimal *decimal;
    int64_t zeros;
};

static bool take_digit(struct intake *intake, char digit)
{
    struct decimal *decimal = intake->decimal;
    if (digit == '0') {
        intake->zeros += decimal->count > 0;
        return true;
    }
    if (decimal->count + intake->zeros + 1 > DECIMAL_DIGITS_MAX)
        return false;
    memset(decimal->digits + decimal->count, '0', (size_t)intake->zeros);
    decimal->count = (uint16_t)(decimal->count + intake->zeros);
    decimal->digits[decimal->count++] = digit;
    intake->zeros = 0;
    return true;
}

/* Digits from `at`; their number, or -1 when they are too many to hold. */
static int64_t take_digits(struct intake *intake, struct bytes text, size_t at)
{
    size_t from = at;
    for (; at < text.size && is_digit(text.data[at]); at++) {
        if (!take_digit(intake, text.data[at]))
            return -1;
    }
    return (int64_t)(at - from);
}

/* The exponent after `e`; *at moves behind it. Saturates far outside of what is accepted. */
static bool take_exponent(struct bytes text, size_t *at, int64_t *exponent)
{
    enum { SATURATED = 1000000000 };
    bool negative = *at < text.size && text.data[*at] == '-';
    if (*at < text.size && (negative || text.data[*at] == '+'))
        (*at)++;
    size_t from = *at;
    int64_t value = 0;
    for (; *at < text.size && is_digit(text.data[*at]); (*at)++) {
        if (value < SATURATED)
            value = value * 10 + (text.data[*at] - '0');
    }
    *exponent = negative ? -value : value;
    return *at > from;
}

static bool within(int64_t value, int64_t max)
{
    return value >= -max && value <= max;
}

/* Sets exponent and scale; `exponent` is that of the last digit written, zeros included. */
static bool settle(struct intake *intake, int64_t exponent)
{
    struct decimal *decimal = intake->decimal;
    int64_t leading = exponent;
    int64_t scale = exponent < 0 ? -exponent : 0;
    if (decimal->count > 0) {
        exponent += intake->zeros;
        leading = exponent + decimal->count - 1;
    } else {
        decimal->negative = false;
        leading = exponent > 0 ? exponent : 0; /* 0e5; of 0.000 the scale is the limit */
        exponent = 0;
    }
    if (!within(leading, DECIMAL_EXPONENT_MAX) || scale > DECIMAL_SCALE_MAX)
        return false;
    decimal->exponent = (int32_t)exponent;
    decimal->scale = (int32_t)scale;
    return true;
}

bool decimal_parse(struct bytes text, struct decimal *out)
{
    out->negative = text.size > 0 && text.data[0] == '-';
    out->count = 0;
    struct intake intake = {out, 0};
    size_t at = out->negative;
    int64_t whole = take_digits(&intake, text, at);
    if (whole < 1 || (whole > 1 && text.data[at] == '0'))
        return false;
    at += (size_t)whole;
    int64_t fraction = 0;
    if (at < text.size && text.data[at] == '.') {
        fraction = take_digits(&intake, text, ++at);
        if (fraction < 1)
            return false;
        at += (size_t)fraction;
    }
    int64_t exponent = 0;
    if (at < text.size && (text.data[at] | 0x20) == 'e') {
        at++;
        if (!take_exponent(text, &at, &exponent))
            return false;
    }
    return at == text.size && settle(&intake, exponent - fraction);
}

/* Appends to a place known to be large enough, returns the place behind. */
static char *put(char *at, const char *digits, size_t count)
{
    memcpy(at, digits, count);
    return at + count;
}

static char *put_zeros(char *at, size_t count)
{
    memset(at, '0', count);
    return at + count;
}

static char *put_plain(char *at, const struct decimal *decimal)
{
    const char *digits = decimal->digits;
    int count = decimal->count;
    int whole = count + decimal->exponent; /* digits before the point; may be < 0 */
    if (decimal->exponent >= 0) {
        at = put(at, digits, (size_t)count);
        return put_zeros(at, (size_t)decimal->exponent);
    }
    if (whole > 0) {
        at = put(at, digits, (size_t)whole);
        *at++ = '.';
        return put(at, digits + whole, (size_t)(count - whole));
    }
    at = put(at, "0.", 2);
    at = put_zeros(at, (size_t)-whole);
    return put(at, digits, (size_t)count);
}

static char *put_exponent(char *at, int exponent)
{
    *at++ = 'e';
    if (exponent < 0)
        *at++ = '-';
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (size >= 100)
        *at++ = (char)('0' + size / 100);
    *at++ = (char)('0' + size / 10 % 10); /* at least 41, so there are two digits */
    *at++ = (char)('0' + size % 10);
    return at;
}

void decimal_append_canonical(struct buf *out, const struct decimal *decimal)
{
    char text[CANONICAL_ROOM];
    char *at = text;
    if (decimal->negative)
        *at++ = '-';
    int leading = decimal->exponent + decimal->count - 1;
    if (decimal->count == 0) {
        *at++ = '0';
    } else if (within(leading, PLAIN_MAX)) {
        at = put_plain(at, decimal);
    } else {
        *at++ = decimal->digits[0];
        if (decimal->count > 1) {
            *at++ = '.';
            at = put(at, decimal->digits + 1, decimal->count - 1U);
        }
        at = put_exponent(at, leading);
    }
    buf_append(out, text, (size_t)(at - text));
}

/* Fraction digits to print: never fewer than the number has. */
static int fraction_digits(const struct decimal *decimal)
{
    int needed = decimal->count > 0 && decimal->exponent < 0 ? -decimal->exponent : 0;
    return decimal->scale > needed ? decimal->scale : needed;
}

void decimal_append_plain(struct buf *out, const struct decimal *decimal)
{
    char text[DECIMAL_EXPONENT_MAX + DECIMAL_DIGITS_MAX + DECIMAL_SCALE_MAX + 8];
    char *at = text;
    if (decimal->negative)
        *at++ = '-';
    int printed = 0;
    if (decimal->count == 0) {
        *at++ = '0';
    } else {
        at = put_plain(at, decimal);
        printed = decimal->exponent < 0 ? -decimal->exponent : 0;
    }
    int fraction = fraction_digits(decimal);
    if (fraction > 0 && printed == 0)
        *at++ = '.';
    at = put_zeros(at, (size_t)(fraction - printed));
    buf_append(out, text, (size_t)(at - text));
}

/* Rounds towards minus infinity, as powers of ten fall into groups of four. */
static int group_of(int power)
{
    return power >= 0 ? power / GROUP : -((-power + GROUP - 1) / GROUP);
}

void decimal_append_numeric(struct buf *out, const struct decimal *decimal)
{
    uint16_t groups[GROUPS_MAX] = {0};
    int weight = 0;
    int count = 0;
    if (decimal->count > 0) {
        static const uint16_t TENS[GROUP] = {1, 10, 100, 1000};
        int leading = decimal->exponent + decimal->count - 1;
        weight = group_of(leading);
        count = weight - group_of(decimal->exponent) + 1;
        for (int i = 0; i < decimal->count; i++) {
            int power = leading - i;
            int group = group_of(power);
            unsigned part = (unsigned)(decimal->digits[i] - '0') * TENS[power - group * GROUP];
            groups[weight - group] = (uint16_t)(groups[weight - group] + part);
        }
    }
    buf_append_be16(out, (uint16_t)count);
    buf_append_be16(out, (uint16_t)weight);
    buf_append_be16(out, decimal->negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE);
    buf_append_be16(out, (uint16_t)fraction_digits(decimal));
    for (int i = 0; i < count; i++)
        buf_append_be16(out, groups[i]);
}

static unsigned be16(const char *at)
{
    return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static bool take_group(struct intake *intake, unsigned group)
{
    if (group > 9999)
        return false;
    for (unsigned ten = 1000; ten > 0; ten /= 10) {
        if (!take_digit(intake, (char)('0' + group / ten % 10)))
            return false;
    }
    return true;
}

bool decimal_from_numeric(struct bytes binary, struct decimal *out)
{
    enum { HEADER = 8 };
    if (binary.size < HEADER)
        return false;
    unsigned count = be16(binary.data);
    int weight = (int16_t)be16(binary.data + 2);
    unsigned sign = be16(binary.data + 4);
    unsigned scale = be16(binary.data + 6);
    if (binary.size != HEADER + 2UL * count || scale > DECIMAL_SCALE_MAX ||
        (sign != NUMERIC_POSITIVE && sign != NUMERIC_NEGATIVE))
        return false;
    out->negative = sign == NUMERIC_NEGATIVE;
    out->count = 0;
    struct intake intake = {out, 0};
    for (unsigned i = 0; i < count; i++) {
        if (!take_group(&intake, be16(binary.data + HEADER + 2UL * i)))
            return false;
    }
    int64_t exponent = ((int64_t)weight - (int64_t)count + 1) * GROUP;
    if (!settle(&intake, out->count > 0 ? exponent : 0))
        return false;
    out->scale = (int32_t)scale;
    return true;
}

bool decimal_to_int64(const struct decimal *decimal, int64_t *value)
{
    enum { INT64_DIGITS = 19 };
    if (decimal->exponent < 0 || decimal->count + decimal->exponent > INT64_DIGITS)
        return false;
    uint64_t size = 0; /* 10^19 - 1 fits */
    for (int i = 0; i < decimal->count; i++)
        size = size * 10 + (uint64_t)(decimal->digits[i] - '0');
    for (int i = 0; i < decimal->exponent; i++)
        size *= 10;
    if (size > (uint64_t)INT64_MAX + decimal->negative)
        return false;
    *value = decimal->negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

/* Of the sizes, signs left aside; neither is zero. */
static int compare_size(const struct decimal *a, const struct decimal *b)
{
    int leading_a = a->exponent + a->count;
    int leading_b = b->exponent + b->count;
    if (leading_a != leading_b)
        return leading_a < leading_b ? -1 : 1;
    return bytes_compare(bytes_of(a->digits, a->count), bytes_of(b->digits, b->count));
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->count == 0 || b->count == 0) {
        int sign_a = a->count == 0 ? 0 : (a->negative ? -1 : 1);
        int sign_b = b->count == 0 ? 0 : (b->negative ? -1 : 1);
        return (sign_a > sign_b) - (sign_a < sign_b);
    }
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = compare_size(a, b);
    order = (order > 0) - (order < 0);
    return a->negative ? -order : order;
}

bool decimal_short_int64(struct bytes text, int64_t *value)
{
    size_t sign = text.size > 0 && text.data[0] == '-';
    size_t count = text.size - sign;
    if (count == 0 || count > 18 || (text.data[sign] == '0' && text.size > 1))
        return false;
    int64_t sum = 0;
    for (size_t i = sign; i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sign ? -sum : sum;
    return true;
}
