#ifndef DROVER_MODEL_JSON_TEXT_H
#define DROVER_MODEL_JSON_TEXT_H

/*
 * Looks at a JSON text byte by byte, without believing it: where it is not Unicode, how deep it
 * nests, whether it ends early. Used for texts that failed or that are too large to be parsed on
 * trust, and for the repair that JSON_UNICODE_REPLACE asks for; never on the fast path.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

struct json_text_facts {
    size_t fault_at;   /* first lone surrogate or invalid UTF-8 in a string; SIZE_MAX when none */
    size_t deepest;    /* most brackets open at once */
    size_t deepest_at; /* the byte that opened them */
    bool complete;     /* no bracket or string is open at the end */
};

void json_text_scan(struct bytes text, struct json_text_facts *scan);

/* Appends `text` with each lone surrogate escape, each invalid UTF-8 byte of a string and each
 * \u0000 replaced by U+FFFD. Everything else stays, valid or not. */
void json_text_repair(struct bytes text, struct buf *out);

#endif
