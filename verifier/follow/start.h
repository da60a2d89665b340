#ifndef DROVER_VERIFIER_FOLLOW_START_H
#define DROVER_VERIFIER_FOLLOW_START_H

/* Where a partition is gone on with that was just assigned. Pure. */

#include <stdint.h>

/* All are offsets; -1: not known. */
struct start_known {
    int64_t book_results, book_position; /* the own book's: of the results topic, of the source */
    int64_t committed;                   /* the group's, of the results topic */
    int64_t results_low, results_end;    /* taken before the checkpoint */
    int64_t source_low;
    int64_t checkpoint; /* the workers'; source_low or less: there is none */
};

struct start_place {
    int64_t results;  /* first message of the results topic to be read */
    int64_t position; /* of the source: what lies below is not compared; -1: what the first receipt
                         tells of is the first */
    uint64_t lost;    /* offsets of the source that were to be compared, and are gone */
};

/* The own book, unless the group has gone on without it; then the group; at the first start of all
 * the workers' checkpoint: what was committed before is a full pass's. */
struct start_place start_choose(const struct start_known *known);

#endif
