/* Numbers, sizes and durations as people write and read them. */

#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "common/base/text.h"

/* Digits at the start of `text`; false when there is none or the value passes UINT64_MAX. */
static bool parse_digits(struct bytes text, size_t *used, uint64_t *value)
{
    uint64_t sum = 0;
    size_t at = 0;
    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        unsigned digit = (unsigned)(text.data[at] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *used = at;
    *value = sum;
    return at > 0;
}

bool text_parse_int64(struct bytes text, int64_t *value)
{
    if (text.size == 0)
        return false;
    bool negative = text.data[0] == '-';
    struct bytes digits = {text.data + negative, text.size - negative};
    size_t used;
    uint64_t magnitude;
    if (!parse_digits(digits, &used, &magnitude) || used != digits.size)
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits followed by nothing or exactly one of the units; letters in any case. */
static bool parse_with_unit(struct bytes text, const struct unit *units, size_t count,
                            uint64_t *value)
{
    size_t used;
    uint64_t number;
    if (!parse_digits(text, &used, &number))
        return false;
    struct bytes rest = {text.data + used, text.size - used};
    for (size_t i = 0; i < count; i++) {
        struct bytes name = bytes_text(units[i].name);
        if (name.size != rest.size || (rest.size && strncasecmp(name.data, rest.data, rest.size)))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return false;
        *value = number * units[i].factor;
        return true;
    }
    return false;
}

bool text_parse_size(struct bytes text, uint64_t *value)
{
    static const uint64_t K = 1024;
    const struct unit units[] = {
        {"", 1},       {"k", K},       {"kb", K},        {"kib", K},        {"m", K * K},
        {"mb", K * K}, {"mib", K * K}, {"g", K * K * K}, {"gb", K * K * K}, {"gib", K * K * K},
    };
    return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), value);
}

bool text_parse_millis(struct bytes text, uint64_t *value)
{
    static const struct unit UNITS[] = {
        {"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    return parse_with_unit(text, UNITS, sizeof(UNITS) / sizeof(UNITS[0]), value);
}

char *text_format_count(uint64_t value, char out[28])
{
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    char *at = out;
    while (count > 0) {
        *at++ = digits[--count];
        if (count > 0 && count % 3 == 0)
            *at++ = ' ';
    }
    *at = '\0';
    return out;
}

char *text_format_size(uint64_t bytes, char out[16])
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, 16, "%u B", (unsigned)bytes);
        return out;
    }
    /* In integers, so that every machine rounds alike; what rounds up to 1024 takes the next. */
    unsigned shift = 10;
    size_t unit = 1;
    uint64_t tenths;
    for (;; shift += 10, unit++) {
        uint64_t whole = bytes >> shift;
        uint64_t part = bytes & (((uint64_t)1 << shift) - 1);
        /* the upper 10 bits of what is left are finer than a tenth and cannot overflow */
        uint64_t finest = shift > 10 ? part >> (shift - 10) : part;
        tenths = whole * 10 + (finest * 10 + 512) / 1024;
        if (tenths < 10240 || shift == 60)
            break;
    }
    snprintf(out, 16, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), UNITS[unit]);
    return out;
}
