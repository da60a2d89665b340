/* UTF-8, percent-encoding, patterns, numbers, sizes and suggestions. One UTF-8 sequence is in
 * text_utf8.c, safe output in text_safe.c. */

#include "common/base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
        int byte = text.size - i < 3 ? -1 : hex_byte(text.data + i + 1);
        if (byte < 0)
            return false;
        buf_append(out, text.data + plain, i - plain);
        buf_append_char(out, (char)byte);
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

/* ---- numbers, sizes and durations as people write and read them ---- */

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

bool text_cut_number(struct bytes *text, const char *mark, uint64_t *number)
{
    size_t from = text->size, mark_size = strlen(mark);
    int64_t value;
    while (from > 0 && text->data[from - 1] >= '0' && text->data[from - 1] <= '9')
        from--;
    if (from < mark_size || memcmp(text->data + from - mark_size, mark, mark_size) != 0 ||
        !text_parse_int64(bytes_of(text->data + from, text->size - from), &value))
        return false;
    *number = (uint64_t)value;
    text->size = from - mark_size;
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

/* ---- "did you mean …?": the distance between two words and the nearest of several ---- */

enum {
    LONGEST_WORD = 64, /* of keys and flags; longer input is no typing mistake */
    NOT_NEAR = 255,
};

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment (Damerau-Levenshtein without overlapping swaps), three rows at a time.
 */
unsigned text_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > LONGEST_WORD || b_size > LONGEST_WORD)
        return NOT_NEAR;
    unsigned char rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned char *row = rows[i % 3];
        const unsigned char *above = rows[(i - 1) % 3];
        const unsigned char *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = min(best, min(above[j], row[j - 1]) + 1u);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min(best, two_above[j - 2] + 1u);
            row[j] = (unsigned char)best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    unsigned best = 1 + (unsigned)(strlen(word) / 4);
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!candidates[i])
            continue;
        unsigned distance = text_distance(word, candidates[i]);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
