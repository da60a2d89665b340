#ifndef DROVER_POLICY_GIVEN_UP_H
#define DROVER_POLICY_GIVEN_UP_H

/*
 * Offsets of the source topic that people gave up when a halted partition went on behind them
 * (DECISION_RESUMED): what is gone of those nobody waits for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"

#define GIVEN_UP_MAX (64u << 10) /* ranges that do not touch: each was a command of somebody */

struct given_up_range {
    int32_t partition;
    int64_t from, to; /* [from, to) */
};

/* Zeroed: none. */
struct given_up {
    struct given_up_range *items; /* by partition and offset; no two of them touch */
    size_t count, room;
};

/* An empty range is nothing. False: there are GIVEN_UP_MAX of them. */
MUST_USE bool given_up_add(struct given_up *given_up, int32_t partition, int64_t from, int64_t to);
/* How many offsets of a partition in [0, end) were given up. */
uint64_t given_up_below(const struct given_up *given_up, int32_t partition, int64_t end);
void given_up_free(struct given_up *given_up);

#endif
