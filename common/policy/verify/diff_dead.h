#ifndef DROVER_POLICY_DIFF_DEAD_H
#define DROVER_POLICY_DIFF_DEAD_H

/*
 * Which source records were dead-lettered, and why: a set of (partition, offset), 24 bytes each. A
 * repeated dead letter (the worker died before it could commit) changes nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error_codes.h"

struct dead_letter {
    int64_t offset;
    int32_t partition;
    uint32_t code; /* enum error_code */
    uint64_t tag;  /* hash of the value, to test that the dead letter's bytes are the source's */
};

struct diff_dead {
    struct dead_letter *dead_letters; /* open addressing; offset -1 = free */
    size_t capacity;
    size_t count;
    size_t bytes_max;
};

void diff_dead_init(struct diff_dead *dead, size_t bytes_max);
void diff_dead_free(struct diff_dead *dead);
/* False when it would need more than `bytes_max`. */
MUST_USE bool diff_dead_add(struct diff_dead *dead, const struct dead_letter *dead_letter);
/* The same, and what is said of a place that is known is said anew. */
MUST_USE bool diff_dead_put(struct diff_dead *dead, const struct dead_letter *dead_letter);
const struct dead_letter *diff_dead_find(const struct diff_dead *dead, int32_t partition,
                                         int64_t offset);

#endif
