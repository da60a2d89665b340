/*
 * UTF-8, percent-encoding, safe output and patterns. Numbers and sizes are in text_number.c,
 * suggestions in text_nearest.c: three files because they share nothing.
 */

#include "common/base/text.h"

#include <stdint.h>
#include <string.h>

#include "common/base/hex.h"

/* Most text is ASCII: eight bytes at a time where no byte has its high bit set. */
static size_t skip_ascii(struct bytes text, size_t at)
{
    uint64_t word;
    while (text.size - at >= sizeof(word)) {
        memcpy(&word, text.data + at, sizeof(word));
        if (word & 0x8080808080808080u)
            break;
        at += sizeof(word);
    }
    return at;
}

uint32_t text_utf8_point(const char *at, size_t size)
{
    static const unsigned char FIRST_MASK[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (unsigned char)at[0] & FIRST_MASK[size];
    for (size_t i = 1; i < size; i++)
        point = point << 6 | ((unsigned char)at[i] & 0x3F);
    return point;
}

bool text_is_utf8(struct bytes text, size_t *at)
{
    size_t here = 0;
    while ((here = skip_ascii(text, here)) < text.size) {
        size_t size = text_utf8_size(text, here);
        if (size == 0) {
            if (at)
                *at = here;
            return false;
        }
        here += size;
    }
    return true;
}

/* RFC 3986's unreserved characters. */
static bool is_unreserved(unsigned char c)
{
    static const bool UNRESERVED[256] = {
        ['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1,
        ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1,
        ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
        ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
        ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
        ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1,
        ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1,
        ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
        ['y'] = 1, ['z'] = 1,
    };
    return UNRESERVED[c];
}

void text_percent_encode(struct buf *out, struct bytes text)
{
    static const char UPPER[] = "0123456789ABCDEF"; /* RFC 3986, section 2.1 */
    size_t plain = 0;                               /* start of the run that stays as it is */
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved(c))
            continue;
        buf_append(out, text.data + plain, i - plain);
        buf_append(out, (char[]){'%', UPPER[c >> 4], UPPER[c & 15]}, 3);
        plain = i + 1;
    }
    if (plain < text.size)
        buf_append(out, text.data + plain, text.size - plain);
}

bool text_percent_decode(struct buf *out, struct bytes text)
{
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%')
            continue;
        if (text.size - i < 3)
            return false;
        int high = hex_value(text.data[i + 1]);
        int low = hex_value(text.data[i + 2]);
        if (high < 0 || low < 0)
            return false;
        buf_append(out, text.data + plain, i - plain);
        buf_append_char(out, (char)(high << 4 | low));
        i += 2;
        plain = i + 1;
    }
    if (plain < text.size)
        buf_append(out, text.data + plain, text.size - plain);
    return true;
}

void text_append_pointer_name(struct buf *out, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '~')
            buf_append_text(out, "~0");
        else if (name.data[i] == '/')
            buf_append_text(out, "~1");
        else
            buf_append_char(out, name.data[i]);
    }
}

/* One '*' is remembered at a time: a later one makes the earlier one's choice final, so the time
 * is at most pattern times text and hostile patterns cannot blow it up. */
bool text_glob(const char *pattern, struct bytes text)
{
    const char *star = NULL;
    size_t at = 0;
    size_t star_at = 0;
    while (at < text.size) {
        if (*pattern == '*') {
            star = ++pattern;
            star_at = at;
        } else if (*pattern == '?') {
            size_t size = text_utf8_size(text, at);
            at += size ? size : 1;
            pattern++;
        } else if (*pattern && *pattern == text.data[at]) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
