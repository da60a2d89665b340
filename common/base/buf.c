#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

enum { FIRST_CAPACITY = 64 };

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_reset(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->limit);
}

/* Doubles up to the limit. One byte more than the capacity is always there, for buf_text. */
static void grow(struct buf *buf, size_t needed)
{
    size_t capacity = buf->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buf->capacity;
    while (capacity < needed)
        capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
    char *data = mem_resize(buf->data, capacity + 1, 1);
    buf->data = data;
    buf->capacity = capacity;
}

char *buf_extend_slowly(struct buf *buf, size_t size)
{
    if (buf->failed || size > buf->limit - buf->size) {
        buf->failed = true;
        return NULL;
    }
    if (!buf->data || size > buf->capacity - buf->size)
        grow(buf, buf->size + size);
    char *place = buf->data + buf->size;
    buf->size += size;
    return place;
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (length < 0) {
        buf->failed = true;
        return;
    }
    size_t size = (size_t)length;
    if (size < sizeof(small)) {
        buf_append(buf, small, size);
        return;
    }
    char *place = buf_extend(buf, size);
    if (!place)
        return;
    va_start(args, format);
    vsnprintf(place, size + 1, format, args); /* the NUL goes into the spare byte */
    va_end(args);
}

/* Escapes of a byte inside a JSON string; plain bytes are not here. */
static void append_escape(struct buf *buf, unsigned char c)
{
    static const char SHORT[256] = {['"'] = '"',  ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r',
                                    ['\t'] = 't', ['\b'] = 'b',  ['\f'] = 'f'};
    if (SHORT[c]) {
        buf_append_char(buf, '\\');
        buf_append_char(buf, SHORT[c]);
    } else if (c < 0x20) {
        buf_append_format(buf, "\\u%04x", c);
    } else {
        buf_append(buf, "\xEF\xBF\xBD", 3); /* U+FFFD */
    }
}

void buf_append_json(struct buf *buf, struct bytes text)
{
    buf_append_char(buf, '"');
    size_t plain = 0; /* start of bytes not yet appended, none of which needs an escape */
    size_t at = 0;
    while (at < text.size) {
        unsigned char c = (unsigned char)text.data[at];
        size_t size = text_utf8_size(text, at);
        if (size > 1 || (size == 1 && c >= 0x20 && c != '"' && c != '\\')) {
            at += size;
            continue;
        }
        buf_append(buf, text.data + plain, at - plain);
        append_escape(buf, c);
        plain = ++at;
    }
    if (at > plain)
        buf_append(buf, text.data + plain, at - plain);
    buf_append_char(buf, '"');
}

void buf_append_be16(struct buf *buf, uint16_t value)
{
    unsigned char *place = (unsigned char *)buf_extend(buf, 2);
    if (!place)
        return;
    place[0] = (unsigned char)(value >> 8);
    place[1] = (unsigned char)value;
}

/* Compilers turn the shifts into one byte swap and one store. */
void buf_append_be32(struct buf *buf, uint32_t value)
{
    unsigned char *place = (unsigned char *)buf_extend(buf, 4);
    if (!place)
        return;
    place[0] = (unsigned char)(value >> 24);
    place[1] = (unsigned char)(value >> 16);
    place[2] = (unsigned char)(value >> 8);
    place[3] = (unsigned char)value;
}

void buf_append_be64(struct buf *buf, uint64_t value)
{
    unsigned char *place = (unsigned char *)buf_extend(buf, 8);
    if (!place)
        return;
    place[0] = (unsigned char)(value >> 56);
    place[1] = (unsigned char)(value >> 48);
    place[2] = (unsigned char)(value >> 40);
    place[3] = (unsigned char)(value >> 32);
    place[4] = (unsigned char)(value >> 24);
    place[5] = (unsigned char)(value >> 16);
    place[6] = (unsigned char)(value >> 8);
    place[7] = (unsigned char)value;
}

const char *buf_text(struct buf *buf)
{
    if (!buf->data)
        return "";
    buf->data[buf->size] = '\0';
    return buf->data;
}

struct bytes buf_view(const struct buf *buf)
{
    return bytes_of(buf->data, buf->size);
}
