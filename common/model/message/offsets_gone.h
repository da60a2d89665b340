#ifndef DROVER_MODEL_OFFSETS_GONE_H
#define DROVER_MODEL_OFFSETS_GONE_H

/* What retention, or somebody, deleted from a topic: said in one way by whoever meets it. */

#include <stdint.h>

#include "common/base/error.h"

#define OFFSETS_NOT_APPLIED "not applied yet"
#define OFFSETS_NOT_READ "not read yet"

/* "offsets 5 to 12 are gone from the topic, and were not applied yet": of [from, to), at least one,
 * and `were` what. OUT_FATAL DRV-K005; where and what to do are for the caller to add. */
enum outcome offsets_gone(struct error *err, int64_t from, int64_t to, const char *were);

#endif
