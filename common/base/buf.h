#ifndef DROVER_BASE_BUF_H
#define DROVER_BASE_BUF_H

/*
 * A growing byte buffer with a limit from birth and a sticky `failed` bit: builders write
 * straight-line code and check once at the end. After a failure appends do nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"

struct buf {
    char *data;
    size_t size;
    size_t capacity;
    size_t limit;
    bool failed; /* the limit was reached: the content is not complete */
};

void buf_init(struct buf *buf, size_t limit);
/* Empties and clears `failed`; keeps the memory. */
void buf_reset(struct buf *buf);
void buf_free(struct buf *buf);

/* Room for `size` more bytes to be written by the caller at the returned place, already counted
 * in `size`; NULL after a failure. Valid until the next append. */
char *buf_extend_slowly(struct buf *buf, size_t size);
static inline char *buf_extend(struct buf *buf, size_t size)
{
    /* there is room already, as there most often is; the first capacity may pass the limit */
    if (buf->failed || !buf->data || size > buf->capacity - buf->size ||
        size > buf->limit - buf->size)
        return buf_extend_slowly(buf, size);
    char *place = buf->data + buf->size;
    buf->size += size;
    return place;
}

/* `data` may be NULL when `size` is 0. */
static inline void buf_append(struct buf *buf, const void *data, size_t size)
{
    char *place = size ? buf_extend(buf, size) : NULL;
    if (place)
        memcpy(place, data, size);
}

static inline void buf_append_bytes(struct buf *buf, struct bytes bytes)
{
    buf_append(buf, bytes.data, bytes.size);
}

static inline void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

static inline void buf_append_char(struct buf *buf, char c)
{
    char *place = buf_extend(buf, 1);
    if (place)
        *place = c;
}

void buf_append_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* A JSON string with quotes; `text` must be valid UTF-8 (invalid bytes become U+FFFD). */
void buf_append_json(struct buf *buf, struct bytes text);
/* Network byte order, as PostgreSQL's binary formats want it. */
void buf_append_be16(struct buf *buf, uint16_t value);
void buf_append_be32(struct buf *buf, uint32_t value);
void buf_append_be64(struct buf *buf, uint64_t value);
/* Ensures a NUL after the content and returns it; "" when nothing was ever written. */
const char *buf_text(struct buf *buf);
struct bytes buf_view(const struct buf *buf);

#endif
