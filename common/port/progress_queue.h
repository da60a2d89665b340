#ifndef DROVER_PORT_PROGRESS_QUEUE_H
#define DROVER_PORT_PROGRESS_QUEUE_H

/*
 * The waiting requests of a progress (progress.h) that sends them one at a time, for stores behind
 * a connection. An implementation embeds a queue as its first member, gives `pump`, which sends the
 * first request when none is in flight, and pops it when it is answered.
 */

#include "common/port/progress.h"

enum progress_request_kind {
    REQUEST_CHECK, /* the start-up checks */
    REQUEST_CLAIM,
    REQUEST_STAGES,
    REQUEST_RELEASE,
};

struct progress_request {
    enum progress_request_kind kind;
    int32_t partition;
    int64_t epoch, redis_next, results_next;
    struct progress_request *next;
};

struct progress_queue {
    struct progress base; /* stays the first member */
    struct progress_request *first, *last;
    bool in_flight; /* the first one has been sent */
    bool forgotten; /* the one in flight is a claim nobody waits for */
    void (*pump)(struct progress_queue *queue);
};

/* Behind the others; pumps. */
void progress_queue_push(struct progress_queue *queue, struct progress_request request);
/* The first one, answered or given up; in_flight is false then. There must be one. */
struct progress_request progress_queue_pop(struct progress_queue *queue);
void progress_queue_clear(struct progress_queue *queue);

/* progress_ops of every such progress, but for close. */
void progress_queue_claim(struct progress *base, int32_t partition);
void progress_queue_stages(struct progress *base, int32_t partition, int64_t epoch,
                           int64_t redis_next, int64_t results_next);
void progress_queue_release(struct progress *base, int32_t partition, int64_t epoch,
                            int64_t redis_next, int64_t results_next);
void progress_queue_forget_claims(struct progress *base);
bool progress_queue_is_idle(const struct progress *base);

#endif
