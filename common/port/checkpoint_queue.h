#ifndef DROVER_PORT_CHECKPOINT_QUEUE_H
#define DROVER_PORT_CHECKPOINT_QUEUE_H

/*
 * The waiting requests of a checkpoint (checkpoint.h) that sends them one at a time, for stores
 * behind a connection. An implementation embeds a queue as its first member, gives `pump`, which
 * sends the first request when none is in flight, and pops it when it is answered.
 */

#include "common/port/checkpoint.h"

enum checkpoint_request_kind {
    REQUEST_CHECK, /* the start-up checks */
    REQUEST_CLAIM,
    REQUEST_ADVANCE,
    REQUEST_RELEASE,
    REQUEST_LOOK,
};

struct checkpoint_request {
    enum checkpoint_request_kind kind;
    int32_t partition;
    int64_t epoch, redis_next, results_next;
    struct checkpoint_request *next;
};

struct checkpoint_queue {
    struct checkpoint base; /* stays the first member */
    struct checkpoint_request *first, *last;
    bool in_flight; /* the first one has been sent */
    bool forgotten; /* the one in flight is a claim nobody waits for */
    void (*pump)(struct checkpoint_queue *queue);
};

/* Behind the others; pumps. */
void checkpoint_queue_push(struct checkpoint_queue *queue, struct checkpoint_request request);
/* The first one, answered or given up; in_flight is false then. There must be one. */
struct checkpoint_request checkpoint_queue_pop(struct checkpoint_queue *queue);
void checkpoint_queue_clear(struct checkpoint_queue *queue);

/* checkpoint_ops of every such checkpoint, but for close. */
void checkpoint_queue_claim(struct checkpoint *base, int32_t partition);
void checkpoint_queue_advance(struct checkpoint *base, int32_t partition, int64_t epoch,
                              int64_t redis_next, int64_t results_next);
void checkpoint_queue_release(struct checkpoint *base, int32_t partition, int64_t epoch,
                              int64_t redis_next, int64_t results_next);
void checkpoint_queue_look(struct checkpoint *base, int32_t partition);
void checkpoint_queue_forget_claims(struct checkpoint *base);
bool checkpoint_queue_is_idle(const struct checkpoint *base);

#endif
