#ifndef DROVER_BASE_HEX_H
#define DROVER_BASE_HEX_H

/* Hexadecimal digits, lower case when written, either case when read. */

#include <stddef.h>

static const char HEX_DIGITS[] = "0123456789abcdef";

/* 0 to 15; -1: it is none. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that two digits at `at` stand for; -1: they do not. */
static inline int hex_byte(const char *at)
{
    int high = hex_value(at[0]), low = hex_value(at[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Writes two digits for each byte; returns the place behind them. */
static inline char *hex_put(char *at, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        *at++ = HEX_DIGITS[byte[i] >> 4];
        *at++ = HEX_DIGITS[byte[i] & 15];
    }
    return at;
}

#endif
