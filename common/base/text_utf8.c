/* One UTF-8 sequence: below buf.c, which text.c is not. */
#include "common/base/text.h"

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first. */
size_t text_utf8_size(struct bytes text, size_t at)
{
    const unsigned char *c = (const unsigned char *)text.data + at;
    size_t left = text.size - at;
    if (c[0] < 0x80)
        return 1;
    if (c[0] < 0xC2 || c[0] > 0xF4 || left < 2 || !is_continuation(c[1]))
        return 0;
    if (c[0] < 0xE0)
        return 2;
    if (left < 3 || !is_continuation(c[2]))
        return 0;
    if (c[0] < 0xF0) {
        bool overlong = c[0] == 0xE0 && c[1] < 0xA0;
        bool surrogate = c[0] == 0xED && c[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !is_continuation(c[3]))
        return 0;
    bool overlong = c[0] == 0xF0 && c[1] < 0x90;
    bool beyond = c[0] == 0xF4 && c[1] > 0x8F;
    return overlong || beyond ? 0 : 4;
}
