#include "common/policy/verify/verify_copy.h"

#include <string.h>

/* "PGCOPY\n\377\r\n\0", flags, length of the header's extension (documented with COPY). */
#define SIGNATURE "PGCOPY\n\377\r\n"
#define SIGNATURE_SIZE 11
#define HEADER_SIZE (SIGNATURE_SIZE + 8)

void verify_copy_init(struct verify_copy *copy, size_t row_max)
{
    memset(copy, 0, sizeof *copy);
    buf_init(&copy->pending, row_max);
}

void verify_copy_free(struct verify_copy *copy)
{
    buf_free(&copy->pending);
}

void verify_copy_feed(struct verify_copy *copy, struct bytes piece)
{
    copy->at = 0;
    copy->view = piece;
    if (copy->pending.size == 0)
        return;
    buf_append_bytes(&copy->pending, piece);
    copy->view = buf_view(&copy->pending);
}

static int64_t read_int(const char *data, size_t size)
{
    uint64_t value = (data[0] & 0x80) ? UINT64_MAX : 0; /* sign */
    for (size_t i = 0; i < size; i++)
        value = value << 8 | (uint8_t)data[i];
    return (int64_t)value;
}

/* Reads an integer at *at; false when the view ends before. */
static bool take_int(const struct verify_copy *copy, size_t *at, size_t size, int64_t *value)
{
    if (copy->view.size - *at < size)
        return false;
    *value = read_int(copy->view.data + *at, size);
    *at += size;
    return true;
}

/* Keeps what is left of the view for the next piece. */
static enum verify_copy_result want_more(struct verify_copy *copy)
{
    size_t left = copy->view.size - copy->at;
    if (copy->pending.size > 0) {
        memmove(copy->pending.data, copy->pending.data + copy->at, left);
        copy->pending.size = left;
    } else {
        buf_append(&copy->pending, copy->view.data + copy->at, left);
    }
    copy->at = 0;
    copy->view = (struct bytes){0};
    return copy->pending.failed ? VERIFY_COPY_BROKEN : VERIFY_COPY_MORE;
}

static enum verify_copy_result take_header(struct verify_copy *copy)
{
    size_t at = copy->at + SIGNATURE_SIZE;
    int64_t flags, extension;
    if (copy->view.size - copy->at < HEADER_SIZE)
        return VERIFY_COPY_MORE;
    if (memcmp(copy->view.data + copy->at, SIGNATURE, SIGNATURE_SIZE) != 0)
        return VERIFY_COPY_BROKEN;
    if (!take_int(copy, &at, 4, &flags) || !take_int(copy, &at, 4, &extension))
        return VERIFY_COPY_MORE;
    if (flags != 0 || extension < 0)
        return VERIFY_COPY_BROKEN; /* flags: OIDs, or an incompatible form of the future */
    if (copy->view.size - at < (size_t)extension)
        return VERIFY_COPY_MORE;
    copy->at = at + (size_t)extension;
    copy->header_done = true;
    return VERIFY_COPY_ROW;
}

static enum verify_copy_result take_row(struct verify_copy *copy, struct cell *cells, size_t count)
{
    int64_t fields, size;
    size_t at = copy->at;
    if (!take_int(copy, &at, 2, &fields))
        return VERIFY_COPY_MORE;
    if (fields == -1) {
        copy->at = at;
        copy->ended = true;
        return VERIFY_COPY_END;
    }
    if (fields < 0 || (size_t)fields != count)
        return VERIFY_COPY_BROKEN;
    for (size_t i = 0; i < count; i++) {
        if (!take_int(copy, &at, 4, &size))
            return VERIFY_COPY_MORE;
        if (size < -1)
            return VERIFY_COPY_BROKEN;
        cells[i] = size < 0 ? CELL_NULL : (struct cell){copy->view.data + at, (int32_t)size};
        if (size > 0 && copy->view.size - at < (size_t)size)
            return VERIFY_COPY_MORE;
        at += size > 0 ? (size_t)size : 0;
    }
    copy->at = at;
    return VERIFY_COPY_ROW;
}

enum verify_copy_result verify_copy_next(struct verify_copy *copy, struct cell *cells, size_t count)
{
    enum verify_copy_result result = VERIFY_COPY_ROW;
    if (copy->ended)
        return VERIFY_COPY_END;
    if (!copy->header_done)
        result = take_header(copy);
    if (result == VERIFY_COPY_ROW)
        result = take_row(copy, cells, count);
    return result == VERIFY_COPY_MORE ? want_more(copy) : result;
}

bool verify_copy_int64(struct cell cell, int64_t *value)
{
    if (cell.size != 8)
        return false;
    *value = read_int(cell.data, 8);
    return true;
}

bool verify_copy_bool(struct cell cell, bool *value)
{
    if (cell.size != 1)
        return false;
    *value = cell.data[0] != 0;
    return true;
}
