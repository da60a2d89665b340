/*
 * Escapes are looked at as soon as their bytes are there, and what they stand for never depends on
 * where the text ends: a high surrogate waits until it is known whether its low half follows. A
 * lone one becomes the three bytes it would have in UTF-8 if it were a character (WTF-8), so that
 * nothing is lost and the reader can tell.
 */
#include "common/model/json/json_string.h"

#include <stdint.h>

#include "common/base/hex.h"
#include "common/model/json/json_scan.h"

enum json_string_result json_string_close(struct bytes text, size_t *at)
{
    for (;;) {
        *at = json_scan_in_string(text, *at);
        if (*at == text.size)
            return JSON_STRING_MORE;
        if (text.data[*at] == '"')
            return JSON_STRING_CLOSED;
        if (text.data[*at] != '\\')
            return JSON_STRING_CONTROL;
        if (*at + 1 == text.size)
            return JSON_STRING_MORE;
        *at += 2;
    }
}

/* ---- one escape ---- */

enum escape {
    ESCAPE_SOUND,
    ESCAPE_MORE,
    ESCAPE_BAD,
};

/* The four digits behind a backslash and 'u' at `at`. */
static enum escape read_unit(struct bytes text, size_t at, uint32_t *unit)
{
    *unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        if (i >= text.size)
            return ESCAPE_MORE;
        int digit = hex_value(text.data[i]);
        if (digit < 0)
            return ESCAPE_BAD;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return ESCAPE_SOUND;
}

/* Whether the low half of a pair stands at `at`; BAD: it does not. */
static enum escape read_low(struct bytes text, size_t at, uint32_t *low)
{
    static const char OPENING[] = {'\\', 'u'};
    for (size_t i = 0; i < sizeof(OPENING); i++) {
        if (at + i >= text.size)
            return ESCAPE_MORE;
        if (text.data[at + i] != OPENING[i])
            return ESCAPE_BAD;
    }
    enum escape escape = read_unit(text, at, low);
    return escape == ESCAPE_SOUND && (*low < 0xDC00 || *low > 0xDFFF) ? ESCAPE_BAD : escape;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char LEAD[] = {[2] = 0xC0, [3] = 0xE0, [4] = 0xF0};
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(LEAD[size] | c);
    return size;
}

static enum escape decode_unit(struct bytes text, size_t *at, char *out, size_t *size)
{
    uint32_t unit, low;
    enum escape escape = read_unit(text, *at, &unit);
    if (escape != ESCAPE_SOUND)
        return escape;
    size_t used = 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        escape = read_low(text, *at + 6, &low);
        if (escape == ESCAPE_MORE)
            return escape;
        if (escape == ESCAPE_SOUND) {
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            used = 12;
        }
    }
    *at += used;
    *size += put_utf8(unit, out + *size);
    return ESCAPE_SOUND;
}

/* The escape whose backslash is text[*at]. */
static enum escape decode_escape(struct bytes text, size_t *at, char *out, size_t *size)
{
    static const char NAMES[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";
    if (*at + 1 >= text.size)
        return ESCAPE_MORE;
    char name = text.data[*at + 1];
    if (name == 'u')
        return decode_unit(text, at, out, size);
    const char *found = name ? strchr(NAMES, name) : NULL;
    if (!found)
        return ESCAPE_BAD;
    out[(*size)++] = MEANINGS[found - NAMES];
    *at += 2;
    return ESCAPE_SOUND;
}

/* ---- bytes that stand for themselves ---- */

static size_t character_size(unsigned char lead)
{
    if (lead < 0xC0)
        return 1;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* The size of text[from, to) without a character that goes on behind `to`. */
static size_t whole_characters(struct bytes text, size_t from, size_t to)
{
    for (size_t back = 1; back <= 3 && back <= to - from; back++) {
        unsigned char c = (unsigned char)text.data[to - back];
        if ((c & 0xC0) != 0x80)
            return character_size(c) > back ? to - back - from : to - from;
    }
    return to - from;
}

enum json_string_result json_string_decode(struct bytes text, size_t *at, char *out, size_t room,
                                           size_t *size)
{
    while (room - *size >= JSON_STRING_ROOM) {
        size_t end = json_scan_in_string(text, *at);
        size_t run = end - *at;
        bool cut = run > room - *size;
        if (cut)
            end = *at + room - *size;
        if (cut || end == text.size)
            run = whole_characters(text, *at, end);
        if (run)
            memcpy(out + *size, text.data + *at, run);
        *size += run;
        *at += run;
        if (cut)
            return JSON_STRING_FULL;
        if (end == text.size)
            return JSON_STRING_MORE;
        if (text.data[*at] == '"')
            return JSON_STRING_CLOSED;
        if (text.data[*at] != '\\')
            return JSON_STRING_CONTROL;
        if (room - *size < JSON_STRING_ROOM)
            break;
        enum escape escape = decode_escape(text, at, out, size);
        if (escape != ESCAPE_SOUND)
            return escape == ESCAPE_BAD ? JSON_STRING_ESCAPE : JSON_STRING_MORE;
    }
    return JSON_STRING_FULL;
}
