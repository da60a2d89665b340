#ifndef DROVER_PORT_CHECKPOINT_H
#define DROVER_PORT_CHECKPOINT_H

/*
 * A worker's dealings with a store's checkpoint besides batches: start-up checks, claims,
 * watermarks, releases. Requests run in order and are repeated until they are answered (all are
 * idempotent) or forgotten. Callbacks never come from inside a request.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/error.h"

struct checkpoint;
struct mapping_set;

/* Whose it is, and what is pinned for the group. Texts and mappings outlive the checkpoint. */
struct checkpoint_config {
    const char *group, *topic, *worker; /* `worker`: the owner's name, as others see it */
    int32_t partitions;                 /* of the topic */
    const struct mapping_set *mappings;
    const int64_t *read_to; /* by partition, where its reading ends; NULL: where the topic does */
    bool is_replay;         /* its group is new each time, and takes no mapping over */
};

struct checkpoint_row {
    int64_t next_offset, redis_next, results_next, epoch;
    struct bytes sequences; /* JSON; valid during the call */
};

/* A partition, as anybody may see it. */
struct checkpoint_seen {
    int64_t epoch; /* of the claim that holds now; 0: none ever did */
    int64_t next_offset;
    bool is_owned;
};

struct checkpoint_events {
    /* The store is there and may be written, the partition count and the mappings are those
     * pinned. Called once, after the first connection. */
    void (*on_checked)(void *owner);
    void (*on_claimed)(void *owner, int32_t partition, const struct checkpoint_row *row);
    void (*on_released)(void *owner, int32_t partition);
    /* OUT_RETRY: the store is away (said again by each try); OUT_FATAL: nothing will come of it. */
    void (*on_error)(void *owner, const struct error *err);
    /* What checkpoint_look asked. */
    void (*on_seen)(void *owner, int32_t partition, const struct checkpoint_seen *seen);
};

struct checkpoint_ops {
    void (*claim)(struct checkpoint *checkpoint, int32_t partition);
    /* Moves the watermarks; no answer. */
    void (*advance)(struct checkpoint *checkpoint, int32_t partition, int64_t epoch,
                    int64_t redis_next, int64_t results_next);
    /* The same, and gives the partition up. */
    void (*release)(struct checkpoint *checkpoint, int32_t partition, int64_t epoch,
                    int64_t redis_next, int64_t results_next);
    /* Asks whose the partition is and how far it is written, and changes nothing. */
    void (*look)(struct checkpoint *checkpoint, int32_t partition);
    /* Drops claims not yet answered (a rebalance overtook them). */
    void (*forget_claims)(struct checkpoint *checkpoint);
    bool (*is_idle)(const struct checkpoint *checkpoint);
    void (*close)(struct checkpoint *checkpoint, void (*on_closed)(void *owner));
};

struct checkpoint {
    const struct checkpoint_ops *ops;
    struct checkpoint_events events;
    void *owner;
};

static inline void checkpoint_claim(struct checkpoint *checkpoint, int32_t partition)
{
    checkpoint->ops->claim(checkpoint, partition);
}

static inline void checkpoint_advance(struct checkpoint *checkpoint, int32_t partition,
                                      int64_t epoch, int64_t redis_next, int64_t results_next)
{
    checkpoint->ops->advance(checkpoint, partition, epoch, redis_next, results_next);
}

static inline void checkpoint_release(struct checkpoint *checkpoint, int32_t partition,
                                      int64_t epoch, int64_t redis_next, int64_t results_next)
{
    checkpoint->ops->release(checkpoint, partition, epoch, redis_next, results_next);
}

static inline void checkpoint_look(struct checkpoint *checkpoint, int32_t partition)
{
    checkpoint->ops->look(checkpoint, partition);
}

static inline void checkpoint_forget_claims(struct checkpoint *checkpoint)
{
    checkpoint->ops->forget_claims(checkpoint);
}

static inline bool checkpoint_is_idle(const struct checkpoint *checkpoint)
{
    return checkpoint->ops->is_idle(checkpoint);
}

static inline void checkpoint_close(struct checkpoint *checkpoint, void (*on_closed)(void *owner))
{
    checkpoint->ops->close(checkpoint, on_closed);
}

#endif
