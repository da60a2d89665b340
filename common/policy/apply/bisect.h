#ifndef DROVER_POLICY_BISECT_H
#define DROVER_POLICY_BISECT_H

/*
 * Finds the records a store refuses among `count` sorted ones, by bisection: good parts are written
 * once (each under a savepoint), a refused part of one record is poison. Of two halves whose parent
 * was refused, when the first turned out good the second is known to hold the fault and is split
 * without being tried; second halves left over are tried together. One poison in 2,000 takes 12
 * tries instead of 22 (fault row P07).
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"

/* A batch of 2^30 needs 31 levels; each level leaves one part waiting. */
#define BISECT_DEPTH 40

struct bisect_part {
    size_t first, count;
    bool known_bad;  /* holds at least one poison: do not try it whole */
    bool first_half; /* its sibling waits right below */
};

struct bisect {
    struct bisect_part waiting[BISECT_DEPTH];
    size_t depth;
    struct bisect_part current;
};

/* `count` >= 1 records [first, first + count) that were refused as a whole. */
void bisect_init(struct bisect *bisect, size_t first, size_t count);

enum bisect_step {
    BISECT_TRY,    /* write [*first, +*count), then bisect_tell */
    BISECT_POISON, /* the one record *first is refused; go on with bisect_next */
    BISECT_END,
};
enum bisect_step bisect_next(struct bisect *bisect, size_t *first, size_t *count);
/* What became of the part last given by BISECT_TRY. */
void bisect_tell(struct bisect *bisect, bool written);

#endif
