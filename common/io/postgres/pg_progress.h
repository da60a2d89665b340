#ifndef DROVER_IO_PG_PROGRESS_H
#define DROVER_IO_PG_PROGRESS_H

/*
 * The progress port over drover.partition_progress. One lane of its own; requests run in order, one
 * round trip each. (Row level security is pg_gate.h's, before.)
 */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/postgres/pg_lane.h"
#include "common/port/progress.h"

struct pg_progress_config {
    struct pg_lane_config lane;
    const char *group, *topic, *worker; /* `worker`: the owner's name in the table */
    int32_t partitions;                 /* of the topic, to be pinned */
    const struct mapping_set *mappings;
    bool hybrid; /* storage hybrid: redis_next is moved by whoever writes Redis */
};

/* Texts and mappings must outlive it. Connects at once. */
struct progress *pg_progress_new(uv_loop_t *loop, const struct pg_progress_config *config,
                                 const struct progress_events *events, void *owner);

#endif
