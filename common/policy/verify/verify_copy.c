#include "common/policy/verify/verify_copy.h"

#include <endian.h>
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

static int64_t read_int16(const char *data)
{
    uint16_t word;
    memcpy(&word, data, sizeof word);
    return (int16_t)be16toh(word);
}

static int64_t read_int32(const char *data)
{
    uint32_t word;
    memcpy(&word, data, sizeof word);
    return (int32_t)be32toh(word);
}

/* Whether the view has so many bytes at `at`. */
static bool has(const struct verify_copy *copy, size_t at, size_t size)
{
    return copy->view.size - at >= size;
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
    if (!has(copy, copy->at, HEADER_SIZE))
        return VERIFY_COPY_MORE;
    const char *header = copy->view.data + copy->at;
    if (memcmp(header, SIGNATURE, SIGNATURE_SIZE) != 0)
        return VERIFY_COPY_BROKEN;
    int64_t flags = read_int32(header + SIGNATURE_SIZE);
    int64_t extension = read_int32(header + SIGNATURE_SIZE + 4);
    size_t at = copy->at + HEADER_SIZE;
    if (flags != 0 || extension < 0)
        return VERIFY_COPY_BROKEN; /* flags: OIDs, or an incompatible form of the future */
    if (!has(copy, at, (size_t)extension))
        return VERIFY_COPY_MORE;
    copy->at = at + (size_t)extension;
    copy->header_done = true;
    return VERIFY_COPY_ROW;
}

static enum verify_copy_result take_row(struct verify_copy *copy, struct cell *cells, size_t count)
{
    size_t at = copy->at;
    if (!has(copy, at, 2))
        return VERIFY_COPY_MORE;
    int64_t fields = read_int16(copy->view.data + at);
    at += 2;
    if (fields == -1) {
        copy->at = at;
        copy->ended = true;
        return VERIFY_COPY_END;
    }
    if (fields < 0 || (size_t)fields != count)
        return VERIFY_COPY_BROKEN;
    for (size_t i = 0; i < count; i++) {
        if (!has(copy, at, 4))
            return VERIFY_COPY_MORE;
        int64_t size = read_int32(copy->view.data + at);
        at += 4;
        if (size < -1)
            return VERIFY_COPY_BROKEN;
        cells[i] = size < 0 ? CELL_NULL : (struct cell){copy->view.data + at, (int32_t)size};
        if (size > 0 && !has(copy, at, (size_t)size))
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
    uint64_t word;
    memcpy(&word, cell.data, sizeof word);
    *value = (int64_t)be64toh(word);
    return true;
}

bool verify_copy_int32(struct cell cell, int32_t *value)
{
    if (cell.size != 4)
        return false;
    uint32_t word;
    memcpy(&word, cell.data, sizeof word);
    *value = (int32_t)be32toh(word);
    return true;
}

bool verify_copy_bool(struct cell cell, bool *value)
{
    if (cell.size != 1)
        return false;
    *value = cell.data[0] != 0;
    return true;
}
