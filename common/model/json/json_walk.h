#ifndef DROVER_MODEL_JSON_WALK_H
#define DROVER_MODEL_JSON_WALK_H

/*
 * Walks through one JSON document that arrives in chunks, without building it: the caller steps
 * into containers, takes whole values as text, reads strings piece by piece, or skips. Memory: the
 * value being captured, `capture_max` bytes, and one member name.
 *
 * Like json_stream it knows strings and brackets: a captured value's own text is checked later by
 * json_parse. What it must understand itself (the structure it steps into, names, strings read
 * piecewise) it checks.
 *
 *   result = json_walk_next(walk, &step, &err)
 *   JSON_WALK_VALUE      the walk stands before a value: step.kind says which ('{', '[', '"', 'n'
 *                        for anything else), step.name is its member name (in an object) and
 *                        step.index its place; the caller must now call exactly one of
 *                        json_walk_enter, _capture, _read, _skip and then json_walk_next again
 *   JSON_WALK_CAPTURED   step.text is the value's text as read (after capture)
 *   JSON_WALK_PART       step.text is the next piece of the decoded string (after read); the last
 *                        one has step.last. Pieces end at character boundaries. Lone surrogates
 *                        come as their three-byte form (invalid UTF-8), U+0000 as a zero byte: the
 *                        reader of the pieces decides.
 *   JSON_WALK_LEFT       the container entered last has ended
 *   JSON_WALK_REJECTED   a captured value was larger than capture_max (DRV-J007): it was skipped,
 *                        the walk goes on; or a string read piecewise has a bad escape (DRV-J001):
 *                        its rest is skipped
 *   JSON_WALK_BROKEN     the structure is broken or cut (DRV-J001, DRV-J009): nothing more comes
 *   JSON_WALK_MORE       feed or finish
 *   JSON_WALK_END        the document has ended; only white space followed (else BROKEN)
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

#define JSON_WALK_DEPTH_MAX                                                                        \
    16 /* containers entered; values captured may nest as deep as JSON may */
#define JSON_WALK_NAME_MAX (64u << 10)

struct json_walk;

enum json_walk_result {
    JSON_WALK_VALUE,
    JSON_WALK_CAPTURED,
    JSON_WALK_PART,
    JSON_WALK_LEFT,
    JSON_WALK_REJECTED,
    JSON_WALK_BROKEN,
    JSON_WALK_MORE,
    JSON_WALK_END,
};

struct json_walk_step {
    char kind;
    bool last;
    struct bytes name;           /* decoded; valid until the next value of the same container */
    uint64_t index;              /* place in its container, from 0 */
    struct bytes text;           /* valid until the next call */
    uint64_t line, column, byte; /* of the value's first byte, as in json_stream.h */
};

struct json_walk *json_walk_new(size_t capture_max);
void json_walk_free(struct json_walk *walk);
/* Begins again at byte 0. */
void json_walk_reset(struct json_walk *walk);
/* Several documents one after the other (NDJSON): a value may follow the end of the last one. To be
 * called before the first feed; json_walk_next then gives VALUE again instead of END. */
void json_walk_allow_many(struct json_walk *walk);

/* Hands over the next chunk (borrowed until json_walk_next returns MORE). */
void json_walk_feed(struct json_walk *walk, struct bytes chunk);
void json_walk_finish(struct json_walk *walk);

enum json_walk_result json_walk_next(struct json_walk *walk, struct json_walk_step *step,
                                     struct error *err);
void json_walk_enter(struct json_walk *walk);   /* kind '{' or '[' */
void json_walk_capture(struct json_walk *walk); /* any kind */
void json_walk_read(struct json_walk *walk);    /* kind '"' */
void json_walk_skip(struct json_walk *walk);    /* any kind, no event */

#endif
