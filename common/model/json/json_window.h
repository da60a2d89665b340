#ifndef DROVER_MODEL_JSON_WINDOW_H
#define DROVER_MODEL_JSON_WINDOW_H

/*
 * The part of a stream that is being looked at, as contiguous bytes whatever the chunks are, and
 * its place in the stream. Part of json_stream.
 *
 * A record inside one chunk is a view of it. One that spans chunks is gathered in `carry`, from
 * which reading goes back to the chunk as soon as what is left of it is in the chunk too. So each
 * byte is copied at most once, and only those near the chunks' edges.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

struct json_place {
    uint64_t byte;
    uint64_t line;       /* from 1 */
    uint64_t line_start; /* byte of the line's first column */
};

struct json_window {
    struct bytes chunk;
    size_t chunk_at; /* bytes of the chunk consumed, or copied to carry */
    struct buf carry;
    size_t carry_at;
    bool in_carry;
    bool finished;          /* no further chunk will come */
    struct json_place here; /* of the first byte in view */
};

void json_window_init(struct json_window *window);
void json_window_free(struct json_window *window);

/* The former chunk must be used up (json_window_take_more said so). */
void json_window_feed(struct json_window *window, struct bytes chunk);
struct bytes json_window_view(const struct json_window *window);
/* Nothing follows what is in view. */
bool json_window_is_last(const struct json_window *window);
/* Takes the first `size` bytes out of view; they stay readable until the next take_more or feed. */
void json_window_consume(struct json_window *window, size_t size);
/* Brings more into view; false when the chunk is used up: it is not needed any longer then. */
bool json_window_take_more(struct json_window *window);
/* Place of the byte at `offset` of the view. */
struct json_place json_window_place(const struct json_window *window, size_t offset);

#endif
