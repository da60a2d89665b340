/*
 * Tolerances decided in decimal. Subtracting doubles gives 10.006 - 10.005 = 0.00099999999999945,
 * and other pairs a little above 0.001: at the boundary the answer would be chance. Here every
 * number is laid out as decimal digits at fixed places, so the difference is exact.
 */

#include "common/policy/verify/diff_within.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/value/decimal.h"

/* Places from 10^-1008 to 10^399: decimal.h lets the first digit be within 10^308, and the last be
 * the thousandth behind the point. */
#define PLACES 1408
#define PLACE_OF_ONE 1008

struct fixed {
    uint8_t digits[PLACES]; /* digits[i] counts 10^(i - PLACE_OF_ONE) */
};

/* The magnitude of a decimal. */
static struct fixed lay_out(const struct decimal *decimal)
{
    struct fixed fixed;
    memset(&fixed, 0, sizeof fixed);
    for (int i = 0; i < decimal->count; i++) {
        int place = PLACE_OF_ONE + decimal->exponent + (decimal->count - 1 - i);
        if (place >= 0 && place < PLACES)
            fixed.digits[place] = (uint8_t)(decimal->digits[i] - '0');
    }
    return fixed;
}

static int compare(const struct fixed *a, const struct fixed *b)
{
    for (int i = PLACES - 1; i >= 0; i--)
        if (a->digits[i] != b->digits[i])
            return a->digits[i] < b->digits[i] ? -1 : 1;
    return 0;
}

static struct fixed add(const struct fixed *a, const struct fixed *b)
{
    struct fixed sum;
    int carry = 0;
    for (int i = 0; i < PLACES; i++) {
        int digit = a->digits[i] + b->digits[i] + carry;
        carry = digit >= 10;
        sum.digits[i] = (uint8_t)(carry ? digit - 10 : digit);
    }
    return sum;
}

/* a - b for a >= b. */
static struct fixed subtract(const struct fixed *a, const struct fixed *b)
{
    struct fixed rest;
    int borrow = 0;
    for (int i = 0; i < PLACES; i++) {
        int digit = a->digits[i] - b->digits[i] - borrow;
        borrow = digit < 0;
        rest.digits[i] = (uint8_t)(borrow ? digit + 10 : digit);
    }
    return rest;
}

static bool parse_value(yyjson_val *val, struct decimal *out)
{
    if (yyjson_is_raw(val))
        return decimal_parse(bytes_of(yyjson_get_raw(val), yyjson_get_len(val)), out);
    if (yyjson_is_str(val))
        return decimal_parse(bytes_of(yyjson_get_str(val), yyjson_get_len(val)), out);
    return false;
}

/* The decimal somebody wrote when a double came of it: the shortest that reads back the same. */
static bool parse_double(double value, struct decimal *out)
{
    char text[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (strtod(text, NULL) == value)
            return decimal_parse(bytes_text(text), out);
    }
    return false;
}

bool diff_within(yyjson_val *a, yyjson_val *b, double tolerance)
{
    struct decimal left, right, max;
    if (!parse_value(a, &left) || !parse_value(b, &right) || !parse_double(tolerance, &max))
        return false;
    struct fixed x = lay_out(&left), y = lay_out(&right), limit = lay_out(&max);
    struct fixed distance;
    if (left.negative != right.negative)
        distance = add(&x, &y);
    else
        distance = compare(&x, &y) >= 0 ? subtract(&x, &y) : subtract(&y, &x);
    return compare(&distance, &limit) <= 0;
}
