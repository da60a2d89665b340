#ifndef DROVER_WORKER_ENDING_H
#define DROVER_WORKER_ENDING_H

/*
 * When `work --until-end` is done: not when the partitions that it holds are written to their ends,
 * but all of the topic. The others are somebody else's, who may have died: then they come here when
 * the group has noticed (session.timeout.ms). So the store is asked how far they are, one after the
 * other; what ends where Kafka has no more message (transaction markers, aborted ones) is looked
 * up in the topic.
 */

#include "worker/partition.h"

#include "common/port/checkpoint.h"

struct ending {
    struct partitions *partitions;
    const struct worker_ports *ports; /* checkpoint */
    int64_t *ends;                    /* by partition, at the start; NULL: nobody else's matter */
    int32_t at;                       /* those below are at their ends */
    int64_t seen;                     /* of partition `at`; -1: not yet */
    bool looking;
    uint64_t looked_ms;           /* the last question */
    uint64_t moved_ms, called_ms; /* `at` or `seen` changed; was asked for */
};

/* Asks for the ends; blocks. Without it only what is held counts: of a replay's worker. OUT_RETRY
 * DRV-K001 when nobody says them in time. */
MUST_USE enum outcome ending_open(struct ending *ending, struct error *err);
void ending_free(struct ending *ending);
/* While everything that is held is at its end: whether the rest is, too. Asks when it is time; when
 * it has not moved for ENDING_WAIT_MS the worker fails with DRV-W018. */
bool ending_is_reached(struct ending *ending, uint64_t now_ms);
/* What checkpoint_look was asked for. Blocks for a moment where the topic is looked at. */
void ending_on_seen(struct ending *ending, int32_t partition, const struct checkpoint_seen *seen);

/* Twice what a group takes to notice a dead member (session.timeout.ms is 45 s). */
#define ENDING_WAIT_MS 90000

#endif
