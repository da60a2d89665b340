/* See the header: chunks in, contiguous bytes out. */
#include "common/model/json/json_window.h"

#include <assert.h>

#include "common/model/json/json_scan.h"

#define BITE_MIN 4096 /* first helping of a chunk that completes a record in `carry` */

void json_window_init(struct json_window *window)
{
    *window = (struct json_window){.here.line = 1};
    buf_init(&window->carry, SIZE_MAX / 4); /* bounded by its use: one record and one chunk */
}

void json_window_free(struct json_window *window)
{
    buf_free(&window->carry);
}

void json_window_feed(struct json_window *window, struct bytes chunk)
{
    assert(window->chunk_at == window->chunk.size && !window->finished);
    window->chunk = chunk;
    window->chunk_at = 0;
}

static struct bytes behind(struct bytes text, size_t at)
{
    return bytes_of(text.size > at ? text.data + at : NULL, text.size - at);
}

struct bytes json_window_view(const struct json_window *window)
{
    if (window->in_carry)
        return behind(buf_view(&window->carry), window->carry_at);
    return behind(window->chunk, window->chunk_at);
}

bool json_window_is_last(const struct json_window *window)
{
    return window->finished && (!window->in_carry || window->chunk_at == window->chunk.size);
}

static void move(struct json_place *place, struct bytes text)
{
    size_t last = 0;
    size_t lines = json_scan_lines(text, &last);
    if (lines) {
        place->line += lines;
        place->line_start = place->byte + last;
    }
    place->byte += text.size;
}

struct json_place json_window_place(const struct json_window *window, size_t offset)
{
    struct json_place place = window->here;
    move(&place, bytes_of(json_window_view(window).data, offset));
    return place;
}

void json_window_consume(struct json_window *window, size_t size)
{
    struct bytes view = json_window_view(window);
    assert(size <= view.size);
    move(&window->here, bytes_of(view.data, size));
    if (!window->in_carry) {
        window->chunk_at += size;
        return;
    }
    window->carry_at += size;
    size_t left = window->carry.size - window->carry_at;
    if (left <= window->chunk_at) { /* all of it is in the chunk as well */
        window->chunk_at -= left;
        window->in_carry = false;
        buf_reset(&window->carry);
        window->carry_at = 0;
    }
}

static void append_to_carry(struct json_window *window, size_t size)
{
    struct buf *carry = &window->carry;
    if (window->carry_at > 0) {
        carry->size -= window->carry_at;
        memmove(carry->data, carry->data + window->carry_at, carry->size);
        window->carry_at = 0;
    }
    buf_append(carry, window->chunk.data + window->chunk_at, size);
    window->chunk_at += size;
}

bool json_window_take_more(struct json_window *window)
{
    size_t left = window->chunk.size - window->chunk_at;
    if (left == 0 || !window->in_carry) { /* the view ends where the chunk does */
        if (left)
            append_to_carry(window, left);
        window->in_carry = window->carry.size > 0;
        window->chunk = (struct bytes){0};
        window->chunk_at = 0;
        return false;
    }
    size_t held = window->carry.size - window->carry_at;
    size_t bite = held > BITE_MIN ? held : BITE_MIN;
    append_to_carry(window, bite < left ? bite : left);
    return true;
}
