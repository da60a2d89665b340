/* Values as the caller chose: captured, skipped, read piecewise, entered. See json_walk.c. */
#include <assert.h>

#include "common/model/json/json_walk_parts.h"
#include "common/model/json/json_walk_string.h"

/* The value is view[0, size), or its rest when what was before has been dropped. */
static enum json_walk_verdict end_value(struct json_walk *walk, struct json_walk_step *step,
                                        size_t size, struct error *err)
{
    walk->spent = size;
    json_walk_value_is_over(walk);
    if (!walk->capture)
        return GO_ON;
    json_walk_describe(walk, step);
    if (walk->large || size > walk->capture_most) {
        error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the value is larger than the limit of %zu bytes",
                  walk->capture_most);
        return SAY_REJECTED;
    }
    step->text = bytes_of(view(walk).data, size);
    return SAY_CAPTURED;
}

/* The bytes up to `at` belong to the value, which has not ended. Whether they may go. */
static bool may_drop(struct json_walk *walk, size_t at)
{
    walk->large = walk->large || (walk->capture && at > walk->capture_most);
    return !walk->capture || walk->large;
}

static enum json_walk_verdict step_brackets(struct json_walk *walk, struct json_walk_step *step,
                                            struct error *err)
{
    struct bytes text = view(walk);
    enum json_scan_result result = json_scan_step(&walk->scan, text, false);
    if (walk->scan.broken)
        return json_walk_broken(walk, step, walk->scan.broken_at, err, walk->scan.broken);
    if (result == JSON_SCAN_END)
        return end_value(walk, step, walk->scan.at, err);
    if (may_drop(walk, walk->scan.at))
        consume(walk, json_scan_drop(&walk->scan, text));
    return json_walk_need(walk, step, err);
}

static enum json_walk_verdict step_string(struct json_walk *walk, struct json_walk_step *step,
                                          struct error *err)
{
    switch (json_string_close(view(walk), &walk->at)) {
    case JSON_STRING_CLOSED:
        return end_value(walk, step, walk->at + 1, err);
    case JSON_STRING_CONTROL:
        return json_walk_broken(walk, step, walk->at, err, "a control character in a string");
    default:
        break;
    }
    if (may_drop(walk, walk->at)) {
        consume(walk, walk->at);
        walk->at = 0;
    }
    return json_walk_need(walk, step, err);
}

static enum json_walk_verdict step_scalar(struct json_walk *walk, struct json_walk_step *step,
                                          struct error *err)
{
    struct bytes text = view(walk);
    while (walk->at < text.size && json_walk_is_scalar(text.data[walk->at]))
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
    json_walk_describe(walk, step);
    step->text = bytes_of(walk->piece, size);
    step->last = last;
    if (last)
        json_walk_value_is_over(walk);
    return SAY_PART;
}

static enum json_walk_verdict reject_escape(struct json_walk *walk, struct json_walk_step *step,
                                            struct error *err)
{
    json_walk_describe(walk, step);
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
        json_string_decode(view(walk), &at, walk->piece, JSON_WALK_PIECE_MOST, &size);
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
        return json_walk_broken(walk, step, 0, err, "a control character in a string");
    return json_walk_need(walk, step, err);
}

enum json_walk_verdict json_walk_value_step(struct json_walk *walk, struct json_walk_step *step,
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
    assert(walk->depth < JSON_WALK_DEPTH_MOST);
    walk->spent = 1;
    walk->depth++;
    top(walk)->object = walk->kind == '{';
    top(walk)->index = 0;
    walk->state = STATE_FIRST;
}
