#ifndef DROVER_POLICY_LAG_MARK_H
#define DROVER_POLICY_LAG_MARK_H

/*
 * For how long something has been behind a growing end, when that end is only asked for now and
 * then: the end is marked with the time it was seen at, and until the mark is passed that is how
 * old what lies before it is, at least. Pure.
 */

#include <stdint.h>

struct lag_mark {
    int64_t end; /* an end that was there at marked_ms; all below it was older */
    uint64_t marked_ms;
};

/* How long in ms `position` has been behind, now that the end is `end` (`now_ms`: monotonic). Never
 * more than it is, and less by one interval of asking at most. Zeroes to begin with, and for a
 * partition that is taken over. */
uint64_t lag_mark_step(struct lag_mark *mark, int64_t position, int64_t end, uint64_t now_ms);

#endif
