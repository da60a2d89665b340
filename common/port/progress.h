#ifndef DROVER_PORT_PROGRESS_H
#define DROVER_PORT_PROGRESS_H

/*
 * A worker's dealings with a store's progress besides batches: start-up checks, claims, watermarks,
 * releases. Requests run in order and are repeated until they are answered (all are idempotent) or
 * forgotten. Callbacks never come from inside a request.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/error.h"

struct progress;

struct progress_row {
    int64_t next_offset, redis_next, results_next, epoch;
    struct bytes sequences; /* JSON; valid during the call */
};

struct progress_events {
    /* The store is there and may be written, the partition count and the mappings are those
     * pinned. Called once, after the first connection. */
    void (*on_checked)(void *owner);
    void (*on_claimed)(void *owner, int32_t partition, const struct progress_row *row);
    void (*on_released)(void *owner, int32_t partition);
    /* OUT_RETRY: the store is away (said again by each try); OUT_FATAL: nothing will come of it. */
    void (*on_error)(void *owner, const struct error *err);
};

struct progress_ops {
    void (*claim)(struct progress *progress, int32_t partition);
    /* Moves the watermarks; no answer. */
    void (*stages)(struct progress *progress, int32_t partition, int64_t epoch, int64_t redis_next,
                   int64_t results_next);
    /* The same, and gives the partition up. */
    void (*release)(struct progress *progress, int32_t partition, int64_t epoch, int64_t redis_next,
                    int64_t results_next);
    /* Drops claims not yet answered (a rebalance overtook them). */
    void (*forget_claims)(struct progress *progress);
    bool (*is_idle)(const struct progress *progress);
    void (*close)(struct progress *progress, void (*on_closed)(void *owner));
};

struct progress {
    const struct progress_ops *ops;
    struct progress_events events;
    void *owner;
};

static inline void progress_claim(struct progress *progress, int32_t partition)
{
    progress->ops->claim(progress, partition);
}

static inline void progress_stages(struct progress *progress, int32_t partition, int64_t epoch,
                                   int64_t redis_next, int64_t results_next)
{
    progress->ops->stages(progress, partition, epoch, redis_next, results_next);
}

static inline void progress_release(struct progress *progress, int32_t partition, int64_t epoch,
                                    int64_t redis_next, int64_t results_next)
{
    progress->ops->release(progress, partition, epoch, redis_next, results_next);
}

static inline void progress_forget_claims(struct progress *progress)
{
    progress->ops->forget_claims(progress);
}

static inline bool progress_is_idle(const struct progress *progress)
{
    return progress->ops->is_idle(progress);
}

static inline void progress_close(struct progress *progress, void (*on_closed)(void *owner))
{
    progress->ops->close(progress, on_closed);
}

#endif
