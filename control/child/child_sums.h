#ifndef DROVER_CONTROL_CHILD_SUMS_H
#define DROVER_CONTROL_CHILD_SUMS_H

/* What a parent's children told, summed: of one moment, so that what is shown of it adds up. */

#include "control/child/child.h"

struct child_sums {
    uint64_t read, produce[PRODUCE_COUNT]; /* source records, and what became of them */
    uint64_t taken, work[WORK_COUNT];      /* the same of the workers */
    uint64_t metrics[METRIC_COUNT];
    size_t workers, running; /* that were started; that have not ended */
};

/* By child_role. */
void child_sum(const struct child *children, size_t count, struct child_sums *sums);

#endif
