#ifndef DROVER_BASE_HEX_H
#define DROVER_BASE_HEX_H

/* Hexadecimal digits, lower case when written, either case when read. */

static const char HEX_DIGITS[] = "0123456789abcdef";

/* 0 to 15; -1: it is none. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
