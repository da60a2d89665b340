#ifndef DROVER_MODEL_JSON_WALK_PARTS_H
#define DROVER_MODEL_JSON_WALK_PARTS_H

/* The walk's own state, shared by its two files: json_walk.c (structure) and json_walk_value.c
 * (what the caller chose for a value). */

#include "common/base/buf.h"
#include "common/model/json/json_scan.h"
#include "common/model/json/json_walk.h"
#include "common/model/json/json_window.h"

#define JSON_WALK_PIECE_MOST                                                                       \
    (16 * 1024) /* of a string read piecewise: fits the first-level cache */

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
    size_t capture_most;
    size_t depth;
    struct json_walk_level levels[JSON_WALK_DEPTH_MOST + 1]; /* [0]: the top, [n]: entered n deep */

    /* the value offered */
    char kind;
    uint64_t index;
    struct json_place from;
    bool capture; /* else skipped */
    bool large;
    size_t at; /* of a string or scalar: next byte to look at, from the view's first */
    struct json_scan scan;
    size_t spent; /* bytes of the text last given */
    char piece[JSON_WALK_PIECE_MOST];
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

static inline void json_walk_locate(struct json_walk_step *step, const struct json_place *place)
{
    step->line = place->line;
    step->column = place->byte - place->line_start + 1;
    step->byte = place->byte;
}

/* Fills in what is the same for all answers about the value offered. */
static inline void json_walk_describe(struct json_walk *walk, struct json_walk_step *step)
{
    step->kind = walk->kind;
    step->index = walk->index;
    if (top(walk)->object)
        step->name = buf_view(&top(walk)->name);
    json_walk_locate(step, &walk->from);
}

static inline void json_walk_value_is_over(struct json_walk *walk)
{
    walk->state = walk->depth ? STATE_NEXT : STATE_AFTER;
}

/* Numbers and literals, also those that JSON does not have: their text is judged by who takes it.
 */
static inline bool json_walk_is_scalar(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '+' ||
           c == '.';
}

enum json_walk_verdict json_walk_broken(struct json_walk *walk, struct json_walk_step *step,
                                        size_t at, struct error *err, const char *why);
/* The view does not suffice. */
enum json_walk_verdict json_walk_need(struct json_walk *walk, struct json_walk_step *step,
                                      struct error *err);
/* One step in a value: STATE_BRACKETS, STRING, SCALAR, READ. */
enum json_walk_verdict json_walk_value_step(struct json_walk *walk, struct json_walk_step *step,
                                            struct error *err);

#endif
