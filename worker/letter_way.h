#ifndef DROVER_WORKER_LETTER_WAY_H
#define DROVER_WORKER_LETTER_WAY_H

/* Which item a dead letter on its way belongs to. Its batch is recycled only when none is left. A
 * letter without a batch is that of an orphan (parents.h). */

#include <stdlib.h>

#include "common/io/clock.h"
#include "common/io/kafka_sender.h"
#include "common/policy/batch.h"

/* How long a full local queue of dead letters may hold the loop up (Kafka is away, and 32 MiB of
 * them wait): then the worker stops, and nothing is lost, as their batches are not committed. */
#define LETTER_WAIT_MS 10000

struct letter_way {
    struct batch *batch;
    struct batch_item *item;
};

static inline struct letter_way *letter_way_new(struct batch *batch, struct batch_item *item)
{
    struct letter_way *way = malloc(sizeof *way);
    if (!way)
        abort();
    *way = (struct letter_way){batch, item};
    return way;
}

/* As kafka_sender_send, but a full queue is waited for; never OUT_RETRY. The way stays the caller's
 * unless the letter was taken. */
static inline enum outcome letter_way_send(struct kafka_sender *sender, int32_t target,
                                           const struct envelope *letter, struct letter_way *way,
                                           struct error *err)
{
    uint64_t give_up_ms = clock_monotonic_ms() + LETTER_WAIT_MS;
    enum outcome outcome;
    while ((outcome = kafka_sender_send(sender, target, letter, way, err)) == OUT_RETRY) {
        if (clock_monotonic_ms() > give_up_ms)
            return error_set(err, OUT_FATAL, ERR_KAFKA_UNREACHABLE,
                             "the dead letters cannot be stored: their queue is full");
        kafka_sender_poll(sender, 20);
    }
    return outcome;
}

#endif
