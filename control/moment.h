#ifndef DROVER_CONTROL_MOMENT_H
#define DROVER_CONTROL_MOMENT_H

/* A moment on the command line, spelled the same for every command that takes one. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"

/* For hints: all the ways. */
#define MOMENT_FORMS "2026-01-31T10:00:00Z, 2026-01-31 (its first moment in UTC), or 2h (ago)"

/* Milliseconds since 1970. False: it is none of the forms. */
MUST_USE bool moment_parse(const char *text, int64_t *unix_ms);

#endif
