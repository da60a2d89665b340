#ifndef DROVER_MODEL_JSON_STRING_H
#define DROVER_MODEL_JSON_STRING_H

/* The inside of a JSON string whose text may end anywhere: where it closes, and what its escapes
 * stand for. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

enum json_string_result {
    JSON_STRING_CLOSED,  /* `at` is the closing quote */
    JSON_STRING_MORE,    /* the text does not suffice; go on at `at` when there is more */
    JSON_STRING_FULL,    /* no room for more (decoding only) */
    JSON_STRING_ESCAPE,  /* a bad escape begins at `at` (decoding only) */
    JSON_STRING_CONTROL, /* a control character at `at` */
};

/* Looks for the closing quote from text[*at] on. */
enum json_string_result json_string_close(struct bytes text, size_t *at);

/* Decodes from text[*at] on to out[*size…], of `room` bytes, at least JSON_STRING_ROOM. Stops at
 * character boundaries only, so *at may stay a few bytes before the end of the text. */
#define JSON_STRING_ROOM 8
enum json_string_result json_string_decode(struct bytes text, size_t *at, char *out, size_t room,
                                           size_t *size);

#endif
