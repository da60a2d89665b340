#ifndef DROVER_MODEL_JSON_RESUME_H
#define DROVER_MODEL_JSON_RESUME_H

/*
 * Where to go on in an element that has no end, because closing brackets are missing and it took
 * its neighbours in. Part of json_stream.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

/* How the element came to have no end. */
enum json_endless {
    JSON_ENDLESS_INPUT,  /* the input ended first */
    JSON_ENDLESS_BROKEN, /* over the limit, and broken before that */
    JSON_ENDLESS_LARGE,  /* over the limit, else sound: it may just be large */
};

/* The offset in `text`, which begins with the element, of the next element; 0 when nothing is
 * certain enough. `indent` bytes are before it in its line, `closer` closes its list (or 0). */
size_t json_resume_at(struct bytes text, size_t indent, char closer, enum json_endless endless);

#endif
