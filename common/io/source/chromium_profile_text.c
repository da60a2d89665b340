/* Strings of Blink's storage as JSON: UTF-16LE or Latin-1, by their first byte (fault row L03). */
#include "common/io/source/chromium_profile_internal.h"

#define IS_HIGH(unit) ((unit) >= 0xD800 && (unit) <= 0xDBFF)
#define IS_LOW(unit) ((unit) >= 0xDC00 && (unit) <= 0xDFFF)

bool chromium_text_is_valid(struct bytes stored)
{
    if (stored.size == 0)
        return false;
    return stored.data[0] == CHROMIUM_LATIN1 ||
           (stored.data[0] == CHROMIUM_UTF16 && stored.size % 2 == 1);
}

static void append_ascii(struct buf *out, uint32_t c)
{
    if (c < 0x20)
        buf_append_format(out, "\\u%04x", (unsigned)c);
    else if (c == '"' || c == '\\')
        buf_append(out, (char[]){'\\', (char)c}, 2);
    else
        buf_append_char(out, (char)c);
}

static void append_character(struct buf *out, uint32_t c)
{
    char utf8[4];
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c < 0x80) {
        append_ascii(out, c);
        return;
    }
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        utf8[i] = (char)(0x80 | (c & 0x3F));
    utf8[0] = (char)((0xF00 >> size & 0xFF) | c);
    buf_append(out, utf8, size);
}

static uint32_t unit_at(struct bytes stored, size_t at)
{
    if (at + 1 >= stored.size)
        return 0;
    return (uint32_t)(unsigned char)stored.data[at] | (uint32_t)(unsigned char)stored.data[at + 1]
                                                          << 8;
}

/* Returns the bytes taken: 2, or 4 of a pair. */
static size_t append_utf16(struct buf *out, struct bytes stored, size_t at)
{
    uint32_t unit = unit_at(stored, at);
    uint32_t low = unit_at(stored, at + 2);
    if (IS_HIGH(unit) && IS_LOW(low)) {
        append_character(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        return 4;
    }
    if (IS_HIGH(unit) || IS_LOW(unit))
        buf_append_format(out, "\\u%04x", (unsigned)unit);
    else
        append_character(out, unit);
    return 2;
}

size_t chromium_text_append(struct buf *out, struct bytes stored, size_t at, size_t max)
{
    bool wide = stored.data[0] == CHROMIUM_UTF16;
    if (at == 0)
        at = 1;
    while (at < stored.size && out->size < max) {
        if (wide) {
            at += append_utf16(out, stored, at);
        } else {
            append_character(out, (unsigned char)stored.data[at]);
            at++;
        }
    }
    return at;
}
