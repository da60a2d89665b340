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

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/model/json/json_scan.h"
#include "common/model/json/json_stream_detect.h"
#include "common/model/json/json_string.h"
#include "common/model/json/json_window.h"

#define JSON_WALK_CHUNK_MAX                                                                        \
    (16 * 1024) /* of a string read piecewise: fits the first-level cache                          \
                 */

enum json_walk_state {
    STATE_BEGIN,
    STATE_TOP,
    STATE_FIRST,
    STATE_NAME,
    STATE_COLON,
    STATE_VALUE,
    STATE_OFFERED, /* the caller must choose */
    STATE_BRACKETS,
    STATE_STRING,
    STATE_SCALAR,
    STATE_READ,
    STATE_NEXT,
    STATE_AFTER,
    STATE_DONE,
};

/* What a step asks of the loop; the first ones are the answers of json_walk_next. */
enum json_walk_verdict {
    SAY_VALUE = JSON_WALK_VALUE,
    SAY_CAPTURED = JSON_WALK_CAPTURED,
    SAY_PART = JSON_WALK_PART,
    SAY_LEFT = JSON_WALK_LEFT,
    SAY_REJECTED = JSON_WALK_REJECTED,
    SAY_BROKEN = JSON_WALK_BROKEN,
    NEED_TEXT = JSON_WALK_MORE,
    SAY_END = JSON_WALK_END,
    GO_ON,
};

struct json_walk_level {
    bool object;
    uint64_t index; /* of the next value */
    struct buf name;
};

struct json_walk {
    struct json_window window;
    enum json_walk_state state;
    bool many;
    size_t capture_max;
    size_t depth;
    struct json_walk_level levels[JSON_WALK_DEPTH_MAX + 1]; /* [0]: the top, [n]: entered n deep */

    /* the value offered */
    char kind;
    uint64_t index;
    struct json_place from;
    bool capture; /* else skipped */
    bool large;
    size_t at; /* of a string or scalar: next byte to look at, from the view's first */
    struct json_scan scan;
    size_t spent; /* bytes of the text last given */
    char piece[JSON_WALK_CHUNK_MAX];
};

static inline struct bytes view(const struct json_walk *walk)
{
    return json_window_view(&walk->window);
}

static inline bool is_last(const struct json_walk *walk)
{
    return json_window_is_last(&walk->window);
}

static inline void consume(struct json_walk *walk, size_t size)
{
    json_window_consume(&walk->window, size);
}

static inline struct json_walk_level *top(struct json_walk *walk)
{
    return &walk->levels[walk->depth];
}

static inline void locate(struct json_walk_step *step, const struct json_place *place)
{
    step->line = place->line;
    step->column = place->byte - place->line_start + 1;
    step->byte = place->byte;
}

/* Fills in what is the same for all answers about the value offered. */
static inline void describe(struct json_walk *walk, struct json_walk_step *step)
{
    step->kind = walk->kind;
    step->index = walk->index;
    if (top(walk)->object)
        step->name = buf_view(&top(walk)->name);
    locate(step, &walk->from);
}

static inline void value_is_over(struct json_walk *walk)
{
    walk->state = walk->depth ? STATE_NEXT : STATE_AFTER;
}

/* Numbers and literals, also those that JSON does not have: their text is judged by who takes it.
 */
static inline bool is_scalar(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '+' ||
           c == '.';
}

struct json_walk *json_walk_new(size_t capture_max)
{
    struct json_walk *walk = mem_new(sizeof(*walk));
    walk->capture_max = capture_max;
    json_window_init(&walk->window);
    for (size_t i = 0; i <= JSON_WALK_DEPTH_MAX; i++)
        buf_init(&walk->levels[i].name, JSON_WALK_NAME_MAX);
    return walk;
}

void json_walk_free(struct json_walk *walk)
{
    if (!walk)
        return;
    json_window_free(&walk->window);
    for (size_t i = 0; i <= JSON_WALK_DEPTH_MAX; i++)
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

/* ---- where a walk cannot go on ---- */

static enum json_walk_verdict answer_broken(struct json_walk *walk, struct json_walk_step *step,
                                            size_t at, struct error *err, const char *why)
{
    struct json_place place = json_window_place(&walk->window, at);
    locate(step, &place);
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: %s", why);
    walk->state = STATE_DONE;
    return SAY_BROKEN;
}

/* The view does not suffice. */
static enum json_walk_verdict need_more(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    if (!is_last(walk))
        return NEED_TEXT;
    struct json_place place = json_window_place(&walk->window, view(walk).size);
    locate(step, &place);
    error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED, "the input ends in the middle of the document");
    walk->state = STATE_DONE;
    return SAY_BROKEN;
}

/* ---- values as the caller chose ---- */

/* The value is view[0, size), or its rest when what was before has been dropped. */
static enum json_walk_verdict end_value(struct json_walk *walk, struct json_walk_step *step,
                                        size_t size, struct error *err)
{
    walk->spent = size;
    value_is_over(walk);
    if (!walk->capture)
        return GO_ON;
    describe(walk, step);
    if (walk->large || size > walk->capture_max) {
        error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the value is larger than the limit of %zu bytes",
                  walk->capture_max);
        return SAY_REJECTED;
    }
    step->text = bytes_of(view(walk).data, size);
    return SAY_CAPTURED;
}

/* The bytes up to `at` belong to the value, which has not ended. Whether they may go. */
static bool may_drop(struct json_walk *walk, size_t at)
{
    walk->large = walk->large || (walk->capture && at > walk->capture_max);
    return !walk->capture || walk->large;
}

static enum json_walk_verdict step_brackets(struct json_walk *walk, struct json_walk_step *step,
                                            struct error *err)
{
    struct bytes text = view(walk);
    enum json_scan_result result = json_scan_step(&walk->scan, text, false);
    if (walk->scan.broken)
        return answer_broken(walk, step, walk->scan.broken_at, err, walk->scan.broken);
    if (result == JSON_SCAN_END)
        return end_value(walk, step, walk->scan.at, err);
    if (may_drop(walk, walk->scan.at))
        consume(walk, json_scan_drop(&walk->scan, text));
    return need_more(walk, step, err);
}

static enum json_walk_verdict step_string(struct json_walk *walk, struct json_walk_step *step,
                                          struct error *err)
{
    switch (json_string_close(view(walk), &walk->at)) {
    case JSON_STRING_CLOSED:
        return end_value(walk, step, walk->at + 1, err);
    case JSON_STRING_CONTROL:
        return answer_broken(walk, step, walk->at, err, "a control character in a string");
    default:
        break;
    }
    if (may_drop(walk, walk->at)) {
        consume(walk, walk->at);
        walk->at = 0;
    }
    return need_more(walk, step, err);
}

static enum json_walk_verdict step_scalar(struct json_walk *walk, struct json_walk_step *step,
                                          struct error *err)
{
    struct bytes text = view(walk);
    while (walk->at < text.size && is_scalar(text.data[walk->at]))
        walk->at++;
    if (walk->at < text.size || is_last(walk))
        return end_value(walk, step, walk->at, err);
    if (may_drop(walk, walk->at)) {
        consume(walk, walk->at);
        walk->at = 0;
    }
    return NEED_TEXT;
}

static enum json_walk_verdict give_part(struct json_walk *walk, struct json_walk_step *step,
                                        size_t size, bool last)
{
    describe(walk, step);
    step->text = bytes_of(walk->piece, size);
    step->last = last;
    if (last)
        value_is_over(walk);
    return SAY_PART;
}

static enum json_walk_verdict reject_escape(struct json_walk *walk, struct json_walk_step *step,
                                            struct error *err)
{
    describe(walk, step);
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: a bad escape in a string");
    walk->capture = false;
    walk->at = 2;
    walk->state = STATE_STRING;
    return SAY_REJECTED;
}

static enum json_walk_verdict step_read(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    size_t at = 0;
    size_t size = 0;
    enum json_string_result result =
        json_string_decode(view(walk), &at, walk->piece, JSON_WALK_CHUNK_MAX, &size);
    if (result == JSON_STRING_CLOSED) {
        consume(walk, at + 1);
        return give_part(walk, step, size, true);
    }
    consume(walk, at);
    if (size)
        return give_part(walk, step, size, false);
    if (result == JSON_STRING_ESCAPE)
        return reject_escape(walk, step, err);
    if (result == JSON_STRING_CONTROL)
        return answer_broken(walk, step, 0, err, "a control character in a string");
    return need_more(walk, step, err);
}

/* One step in a value: STATE_BRACKETS, STRING, SCALAR, READ. */
static enum json_walk_verdict step_value(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    switch (walk->state) {
    case STATE_BRACKETS:
        return step_brackets(walk, step, err);
    case STATE_STRING:
        return step_string(walk, step, err);
    case STATE_SCALAR:
        return step_scalar(walk, step, err);
    default:
        assert(walk->state == STATE_READ);
        return step_read(walk, step, err);
    }
}

/* ---- the caller's choice ---- */

static void take(struct json_walk *walk, bool capture)
{
    assert(walk->state == STATE_OFFERED);
    walk->capture = capture;
    walk->large = false;
    walk->at = 1;
    walk->state = walk->kind == '"' ? STATE_STRING : STATE_SCALAR;
    if (walk->kind == '{' || walk->kind == '[') {
        json_scan_init(&walk->scan, walk->kind, 0, false);
        walk->state = STATE_BRACKETS;
    }
}

void json_walk_capture(struct json_walk *walk)
{
    take(walk, true);
}

void json_walk_skip(struct json_walk *walk)
{
    take(walk, false);
}

void json_walk_read(struct json_walk *walk)
{
    assert(walk->state == STATE_OFFERED && walk->kind == '"');
    walk->spent = 1;
    walk->state = STATE_READ;
}

void json_walk_enter(struct json_walk *walk)
{
    assert(walk->state == STATE_OFFERED && (walk->kind == '{' || walk->kind == '['));
    assert(walk->depth < JSON_WALK_DEPTH_MAX);
    walk->spent = 1;
    walk->depth++;
    top(walk)->object = walk->kind == '{';
    top(walk)->index = 0;
    walk->state = STATE_FIRST;
}

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
    const char *other = json_detect_encoding(text);
    if (other) {
        (void)answer_broken(walk, step, 0, err, "");
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is written in %s", other);
        error_hint(err, "convert it to UTF-8: iconv -f %s -t UTF-8", other);
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
    if (!known && !is_scalar(c))
        return answer_broken(walk, step, 0, err, "a value is missing");
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
        return answer_broken(walk, step, 0, err, "bytes behind the end of the document");
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
    value_is_over(walk);
    return SAY_LEFT;
}

static enum json_walk_verdict step_first(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    if (!skip_space(walk))
        return need_more(walk, step, err);
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
        return need_more(walk, step, err);
    bool object = top(walk)->object;
    char c = view(walk).data[0];
    if (c == (object ? '}' : ']'))
        return leave(walk);
    if (c != ',')
        return answer_broken(walk, step, 0, err,
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
        result = json_string_decode(text, at, walk->piece, JSON_WALK_CHUNK_MAX, &size);
        buf_append(name, walk->piece, size);
    } while (result == JSON_STRING_FULL);
    return result == JSON_STRING_CLOSED;
}

static enum json_walk_verdict step_name(struct json_walk *walk, struct json_walk_step *step,
                                        struct error *err)
{
    if (walk->at == 1 && !skip_space(walk))
        return need_more(walk, step, err);
    struct bytes text = view(walk);
    if (text.data[0] != '"')
        return answer_broken(walk, step, 0, err, "a member's name is missing");
    enum json_string_result result = json_string_close(text, &walk->at);
    if (walk->at > JSON_WALK_NAME_MAX)
        return answer_broken(walk, step, 0, err, "a member's name has more than 64 KiB");
    if (result == JSON_STRING_CONTROL)
        return answer_broken(walk, step, walk->at, err, "a control character in a member's name");
    if (result == JSON_STRING_MORE)
        return need_more(walk, step, err);
    size_t at = 1;
    if (!decode_name(walk, bytes_of(text.data, walk->at + 1), &at))
        return answer_broken(walk, step, at, err, "a bad escape in a member's name");
    consume(walk, walk->at + 1);
    walk->state = STATE_COLON;
    return GO_ON;
}

static enum json_walk_verdict step_colon(struct json_walk *walk, struct json_walk_step *step,
                                         struct error *err)
{
    if (!skip_space(walk))
        return need_more(walk, step, err);
    if (view(walk).data[0] != ':')
        return answer_broken(walk, step, 0, err, "':' is missing behind a member's name");
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
        return skip_space(walk) ? offer(walk, step, err) : need_more(walk, step, err);
    case STATE_BRACKETS:
    case STATE_STRING:
    case STATE_SCALAR:
    case STATE_READ:
        return step_value(walk, step, err);
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
            describe(walk, step);
        if (verdict != GO_ON)
            return (enum json_walk_result)verdict;
    }
}
