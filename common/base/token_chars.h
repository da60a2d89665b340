#ifndef DROVER_BASE_TOKEN_CHARS_H
#define DROVER_BASE_TOKEN_CHARS_H

/* The classes of bytes that token_match.c and token_shape.c read: one table look-up each. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"

#define CHAR_DIGIT 0x001u   /* 0-9 */
#define CHAR_CAPITAL 0x002u /* A-Z */
#define CHAR_SMALL 0x004u   /* a-z */
#define CHAR_HEX 0x008u     /* 0-9 a-f */
#define CHAR_HEX_ANY 0x010u /* 0-9 a-f A-F */
#define CHAR_JOIN 0x020u    /* _ - */
#define CHAR_DOT 0x040u     /* . */
#define CHAR_BASE64 0x080u  /* + / = */
#define CHAR_TILDE 0x100u   /* ~ */
#define CHAR_SIGN 0x200u    /* = : > @ : something may stand before or behind them */
#define CHAR_BLANK 0x400u   /* blank, tab, line ends */
#define CHAR_QUOTE 0x800u   /* " ' \ */
#define CHAR_CLOSE 0x1000u  /* & ; , < > ( ) [ ] { } NUL: ends a value, as blanks and quotes do */

#define CHAR_ALNUM (CHAR_DIGIT | CHAR_CAPITAL | CHAR_SMALL)
#define CHAR_WORD (CHAR_ALNUM | CHAR_JOIN)

extern const uint16_t TOKEN_CHARS[256];

static inline bool token_char_is(char c, unsigned flags)
{
    return (TOKEN_CHARS[(unsigned char)c] & flags) != 0;
}

/* Whether one of the text's bytes is of the flags; whether it has a digit and a letter. */
bool token_chars_hold(struct bytes text, unsigned flags);
bool token_chars_are_mixed(struct bytes text);

#endif
