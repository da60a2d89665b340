#ifndef DROVER_MODEL_JSON_SCAN_H
#define DROVER_MODEL_JSON_SCAN_H

/*
 * Finds where one element of a list ends, without understanding its values: brackets balance,
 * strings are honoured. Broken text does not stop it; what it does then is written in the .c, and
 * is the resynchronisation rule of json_stream. Resumable at every byte.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

#define JSON_SCAN_KINDS 1024 /* levels whose bracket is remembered; records have 256 at most */

enum json_scan_result {
    JSON_SCAN_END,      /* the element is text[0, at) */
    JSON_SCAN_BOUNDARY, /* the same, broken: the next element begins at `at` */
    JSON_SCAN_MORE,     /* the text does not suffice */
    JSON_SCAN_CUT,      /* the input ended inside the element */
};

enum json_scan_state {
    JSON_SCAN_PLAIN,  /* between strings */
    JSON_SCAN_STRING, /* inside one */
    JSON_SCAN_CLOSED, /* behind its closing quote: the next byte says whether it was one */
};

struct json_scan {
    size_t at;    /* next byte to read, from the element's first */
    size_t quote; /* where the string being read was opened */
    size_t broken_at;
    const char *broken; /* what is wrong, for people; NULL while nothing is */
    uint32_t depth;
    enum json_scan_state state;
    char closer;     /* what closes the list around it: ']' '}' or 0 */
    char before;     /* last byte that json_scan_drop took away and is not white space */
    bool run;        /* no bracket begins it: it lasts up to ',' or the closer */
    bool bounded;    /* a '{' where a member belongs begins the next element */
    bool forgetting; /* earlier bytes are not kept: no going back */
    uint64_t kinds[JSON_SCAN_KINDS / 64]; /* 1 = object */
};

/* `first` is the element's first byte. */
void json_scan_init(struct json_scan *scan, char first, char closer, bool bounded);

/* Goes on in `text`, the element's bytes from its first one (from the last drop when forgetting);
 * what was there before must still be there. `last`: nothing follows `text`. */
enum json_scan_result json_scan_step(struct json_scan *scan, struct bytes text, bool last);

/* Forgets the bytes before `at` and every going back to them. Returns how many. */
size_t json_scan_drop(struct json_scan *scan, struct bytes text);

/* First byte at or after `at` that does not just stand for itself in a string: a quote, a
 * backslash, a control character; text.size when there is none. */
size_t json_scan_in_string(struct bytes text, size_t at);

/* Newlines in `text`; *last is the offset behind the last one when there is one. */
size_t json_scan_lines(struct bytes text, size_t *last);

#endif
