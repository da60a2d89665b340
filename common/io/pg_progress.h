#ifndef DROVER_IO_PG_PROGRESS_H
#define DROVER_IO_PG_PROGRESS_H

/*
 * The worker's dealings with drover.partition_progress besides batches: start-up checks, claims,
 * watermarks, releases. One lane of its own; requests run in order, one round trip each, and are
 * repeated until they are answered (all are idempotent) or forgotten.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/pg_lane.h"

struct pg_progress;

struct progress_key {
    const char *group;
    const char *topic;
    int32_t partition;
};

struct progress_row {
    int64_t next_offset, redis_next, results_next, epoch;
    struct bytes sequences; /* JSON; valid during the call */
};

struct pg_progress_events {
    /* Our tables are there and may be written, the partition count and the mappings are those
     * pinned. Called once, after the first connection. (Row level security is pg_gate.h's, before.)
     */
    void (*on_checked)(void *owner);
    void (*on_claimed)(void *owner, int32_t partition, const struct progress_row *row);
    void (*on_released)(void *owner, int32_t partition);
    /* OUT_RETRY: PostgreSQL is away (said again by each try); OUT_FATAL: nothing will come of it.
     */
    void (*on_error)(void *owner, const struct error *err);
};

struct pg_progress_config {
    struct pg_lane_config lane;
    const char *group, *topic, *worker; /* `worker`: the owner's name in the table */
    int32_t partitions;                 /* of the topic, to be pinned */
    const struct mapping_set *mappings;
};

struct pg_progress *pg_progress_new(uv_loop_t *loop, const struct pg_progress_config *config,
                                    const struct pg_progress_events *events, void *owner);
void pg_progress_close(struct pg_progress *progress, void (*on_closed)(void *owner));

void pg_progress_claim(struct pg_progress *progress, int32_t partition);
/* Moves the watermarks; no answer. */
void pg_progress_stages(struct pg_progress *progress, int32_t partition, int64_t epoch,
                        int64_t redis_next, int64_t results_next);
/* The same, and gives the partition up. */
void pg_progress_release(struct pg_progress *progress, int32_t partition, int64_t epoch,
                         int64_t redis_next, int64_t results_next);
/* Drops claims not yet answered (a rebalance overtook them). */
void pg_progress_forget_claims(struct pg_progress *progress);
bool pg_progress_is_idle(const struct pg_progress *progress);

#endif
