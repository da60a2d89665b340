/*
 * A small machine over the window onto the stream (json_window.h). What has been read of a value
 * stays in view only while it is captured; skipped and read strings leave it at once.
 *
 *        ┌────────────────── enter ───────────────────┐
 *        ▼                                            │
 *      FIRST ─► NAME ─► COLON ─► VALUE ─► OFFERED ────┴─► BRACKETS STRING SCALAR READ
 *        │        ▲                ▲                                  │
 *        └► LEFT  └──── NEXT ──────┘◄─────────────────────────────────┘
 *
 * At the top TOP stands for VALUE and AFTER for NEXT. Nothing that is said depends on where chunks
 * end: a break is reported at the byte where the grammar is violated, and not before it is reached.
 */
#include "common/model/json/json_walk.h"

#include <assert.h>
#include <stdlib.h>

#include "common/model/json/json_stream_detect.h"
#include "common/model/json/json_walk_parts.h"
#include "common/model/json/json_walk_string.h"

struct json_walk *json_walk_new(size_t capture_most)
{
    struct json_walk *walk = calloc(1, sizeof(*walk));
    if (!walk)
        abort();
    walk->capture_most = capture_most;
    json_window_init(&walk->window);
    for (size_t i = 0; i <= JSON_WALK_DEPTH_MOST; i++)
        buf_init(&walk->levels[i].name, JSON_WALK_NAME_MOST);
    return walk;
}

void json_walk_free(struct json_walk *walk)
{
    if (!walk)
        return;
    json_window_free(&walk->window);
    for (size_t i = 0; i <= JSON_WALK_DEPTH_MOST; i++)
        buf_free(&walk->levels[i].name);
    free(walk);
}

void json_walk_reset(struct json_walk *walk)
{
    struct buf carry = walk->window.carry; /* its memory is kept */
    buf_reset(&carry);
    walk->window = (struct json_window){.here.line = 1, .carry = carry};
    walk->state = STATE_BEGIN;
    walk->depth = 0;
    walk->levels[0].index = 0;
    walk->spent = 0;
}

void json_walk_allow_many(struct json_walk *walk)
{
    walk->many = true;
}

void json_walk_feed(struct json_walk *walk, struct bytes chunk)
{
    if (walk->state != STATE_DONE)
        json_window_feed(&walk->window, chunk);
}

void json_walk_finish(struct json_walk *walk)
{
    walk->window.finished = true;
}

/* ---- answers ---- */

/* ---- structure ---- */

/* False when the view is empty then. */
static bool skip_space(struct json_walk *walk)
{
    struct bytes text = view(walk);
    size_t at = 0;
    while (at < text.size && json_is_space(text.data[at]))
        at++;
    if (at)
        consume(walk, at);
    return at < text.size;
}

static enum json_walk_verdict step_begin(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    struct bytes text = view(walk);
    if (text.size < 4 && !is_last(walk))
        return NEED_TEXT;
    const char *foreign = json_detect_foreign(text);
    if (foreign) {
        (void)json_walk_broken(walk, step, 0, err, "");
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is written in %s", foreign);
        error_hint(err, "convert it to UTF-8: iconv -f %s -t UTF-8", foreign);
        return SAY_BROKEN;
    }
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        consume(walk, 3);
        walk->window.here.line_start = 3;
    }
    walk->state = STATE_TOP;
    return GO_ON;
}

static enum json_walk_verdict offer(struct json_walk *walk, struct json_walk_step *step,
                                    struct error *err)
{
    char c = view(walk).data[0];
    bool known = c == '{' || c == '[' || c == '"';
    if (!known && !json_walk_is_scalar(c))
        return json_walk_broken(walk, step, 0, err, "a value is missing");
    walk->kind = known ? c : 'n';
    walk->index = top(walk)->index++;
    walk->from = walk->window.here;
    walk->state = STATE_OFFERED;
    return SAY_VALUE;
}

static enum json_walk_verdict step_top(struct json_walk *walk, struct json_walk_step *step,
                                       struct error *err)
{
    if (skip_space(walk)) {
        if (walk->state == STATE_TOP || walk->many)
            return offer(walk, step, err);
        return json_walk_broken(walk, step, 0, err, "bytes behind the end of the document");
    }
    if (!is_last(walk))
        return NEED_TEXT;
    walk->state = STATE_DONE;
    return SAY_END;
}

static enum json_walk_verdict leave(struct json_walk *walk)
{
    consume(walk, 1);
    walk->depth--;
    json_walk_value_is_over(walk);
    return SAY_LEFT;
}

static enum json_walk_verdict step_first(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    if (!skip_space(walk))
        return json_walk_need(walk, step, err);
    bool object = top(walk)->object;
    if (view(walk).data[0] == (object ? '}' : ']'))
        return leave(walk);
    walk->state = object ? STATE_NAME : STATE_VALUE;
    walk->at = 1;
    return GO_ON;
}

static enum json_walk_verdict step_next(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    if (!skip_space(walk))
        return json_walk_need(walk, step, err);
    bool object = top(walk)->object;
    char c = view(walk).data[0];
    if (c == (object ? '}' : ']'))
        return leave(walk);
    if (c != ',')
        return json_walk_broken(walk, step, 0, err,
                                object ? "',' or '}' is missing" : "',' or ']' is missing");
    consume(walk, 1);
    walk->state = object ? STATE_NAME : STATE_VALUE;
    walk->at = 1;
    return GO_ON;
}

static bool decode_name(struct json_walk *walk, struct bytes text, size_t *at)
{
    struct buf *name = &top(walk)->name;
    buf_reset(name);
    enum json_string_result result;
    do {
        size_t size = 0;
        result = json_string_decode(text, at, walk->piece, JSON_WALK_PIECE_MOST, &size);
        buf_append(name, walk->piece, size);
    } while (result == JSON_STRING_FULL);
    return result == JSON_STRING_CLOSED;
}

static enum json_walk_verdict step_name(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    if (walk->at == 1 && !skip_space(walk))
        return json_walk_need(walk, step, err);
    struct bytes text = view(walk);
    if (text.data[0] != '"')
        return json_walk_broken(walk, step, 0, err, "a member's name is missing");
    enum json_string_result result = json_string_close(text, &walk->at);
    if (walk->at > JSON_WALK_NAME_MOST)
        return json_walk_broken(walk, step, 0, err, "a member's name has more than 64 KiB");
    if (result == JSON_STRING_CONTROL)
        return json_walk_broken(walk, step, walk->at, err,
                                "a control character in a member's name");
    if (result == JSON_STRING_MORE)
        return json_walk_need(walk, step, err);
    size_t at = 1;
    if (!decode_name(walk, bytes_of(text.data, walk->at + 1), &at))
        return json_walk_broken(walk, step, at, err, "a bad escape in a member's name");
    consume(walk, walk->at + 1);
    walk->state = STATE_COLON;
    return GO_ON;
}

static enum json_walk_verdict step_colon(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    if (!skip_space(walk))
        return json_walk_need(walk, step, err);
    if (view(walk).data[0] != ':')
        return json_walk_broken(walk, step, 0, err, "':' is missing behind a member's name");
    consume(walk, 1);
    walk->state = STATE_VALUE;
    return GO_ON;
}

/* ---- the loop ---- */

static enum json_walk_verdict step_walk(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    switch (walk->state) {
    case STATE_BEGIN:
        return step_begin(walk, step, err);
    case STATE_TOP:
    case STATE_AFTER:
        return step_top(walk, step, err);
    case STATE_FIRST:
        return step_first(walk, step, err);
    case STATE_NAME:
        return step_name(walk, step, err);
    case STATE_COLON:
        return step_colon(walk, step, err);
    case STATE_VALUE:
        return skip_space(walk) ? offer(walk, step, err) : json_walk_need(walk, step, err);
    case STATE_BRACKETS:
    case STATE_STRING:
    case STATE_SCALAR:
    case STATE_READ:
        return json_walk_value_step(walk, step, err);
    case STATE_NEXT:
        return step_next(walk, step, err);
    case STATE_OFFERED:
    case STATE_DONE:
        break;
    }
    assert(walk->state == STATE_DONE); /* else the caller has not chosen */
    return SAY_END;
}

enum json_walk_result json_walk_next(struct json_walk *walk, struct json_walk_step *step,
                                     struct error *err)
{
    *step = (struct json_walk_step){0};
    for (;;) {
        consume(walk, walk->spent);
        walk->spent = 0;
        enum json_walk_verdict verdict = step_walk(walk, step, err);
        if (verdict == NEED_TEXT && (json_window_take_more(&walk->window) || is_last(walk)))
            continue;
        if (verdict == SAY_VALUE)
            json_walk_describe(walk, step);
        if (verdict != GO_ON)
            return (enum json_walk_result)verdict;
    }
}
