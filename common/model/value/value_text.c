/* Text forms shared by scalars, arrays and keys: UUID and hex. */

#include "common/base/hex.h"
#include "common/model/value/value_scalar.h"

/* Positions 8, 13, 18 and 23 of a UUID's text. */
static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool value_uuid_parse(struct bytes text, unsigned char uuid[16])
{
    if (text.size != 36)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (is_dash_place(at) && text.data[at++] != '-')
            return false;
        int high = hex_value(text.data[at++]);
        int low = hex_value(text.data[at++]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

void value_uuid_append(struct buf *out, const char *uuid)
{
    char text[36];
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (is_dash_place(at))
            text[at++] = '-';
        text[at++] = HEX_DIGITS[(unsigned char)uuid[i] >> 4];
        text[at++] = HEX_DIGITS[(unsigned char)uuid[i] & 15];
    }
    buf_append(out, text, sizeof(text));
}

void value_hex_append(struct buf *out, struct bytes binary)
{
    char *place = buf_extend(out, binary.size * 2);
    for (size_t i = 0; place && i < binary.size; i++) {
        *place++ = HEX_DIGITS[(unsigned char)binary.data[i] >> 4];
        *place++ = HEX_DIGITS[(unsigned char)binary.data[i] & 15];
    }
}

bool value_hex_parse(struct bytes hex, struct buf *out)
{
    if (hex.size % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.size; i += 2) {
        int high = hex_value(hex.data[i]);
        int low = hex_value(hex.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_append_char(out, (char)(high << 4 | low));
    }
    return true;
}
