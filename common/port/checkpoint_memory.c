#include "common/port/checkpoint_memory.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/port/checkpoint_queue.h"

struct memory_checkpoint_port {
    struct checkpoint_queue queue; /* stays the first member */
    struct memory_store *store;
    void (*on_closed)(void *owner);
};

static struct memory_checkpoint_port *of(struct checkpoint *base)
{
    return (struct memory_checkpoint_port *)base;
}

static void free_checkpoint(struct memory_checkpoint_port *port)
{
    checkpoint_queue_clear(&port->queue);
    free(port);
}

static void claim(struct memory_checkpoint_port *port, int32_t partition)
{
    const struct checkpoint *base = &port->queue.base;
    int64_t next_offset, epoch = memory_store_claim(port->store, partition, &next_offset);
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(port->store, partition);
    bool has_sequences = checkpoint->sequences.size > 0;
    const struct checkpoint_row row = {
        .next_offset = next_offset,
        .redis_next = checkpoint->redis_next,
        .results_next = checkpoint->results_next,
        .epoch = epoch,
        .sequences = has_sequences ? checkpoint->sequences : BYTES_LITERAL("{}"),
    };
    base->events.on_claimed(base->owner, partition, &row);
}

static void answer(struct memory_checkpoint_port *port, const struct checkpoint_request *request)
{
    const struct checkpoint *base = &port->queue.base;
    if (request->kind == REQUEST_CHECK) {
        base->events.on_checked(base->owner);
        return;
    }
    if (request->kind == REQUEST_CLAIM) {
        claim(port, request->partition);
        return;
    }
    memory_store_advance(port->store, request->partition, request->epoch, request->redis_next,
                         request->results_next);
    if (request->kind != REQUEST_RELEASE)
        return;
    memory_store_release(port->store, request->partition, request->epoch);
    base->events.on_released(base->owner, request->partition);
}

bool memory_checkpoint_turn(struct checkpoint *base)
{
    struct memory_checkpoint_port *port = of(base);
    if (port->on_closed) {
        void (*on_closed)(void *) = port->on_closed;
        void *owner = base->owner;
        free_checkpoint(port);
        on_closed(owner);
        return true;
    }
    if (!port->queue.first)
        return false;
    struct checkpoint_request request = checkpoint_queue_pop(&port->queue);
    answer(port, &request);
    return true;
}

void memory_checkpoint_abandon(struct checkpoint *base)
{
    free_checkpoint(of(base));
}

static void close_checkpoint(struct checkpoint *base, void (*on_closed)(void *owner))
{
    of(base)->on_closed = on_closed;
}

/* They wait for the next turn. */
static void pump(struct checkpoint_queue *queue)
{
    (void)queue;
}

struct checkpoint *memory_checkpoint_new(struct memory_store *store,
                                         const struct checkpoint_events *events, void *owner)
{
    static const struct checkpoint_ops OPS = {
        checkpoint_queue_claim,         checkpoint_queue_advance, checkpoint_queue_release,
        checkpoint_queue_forget_claims, checkpoint_queue_is_idle, close_checkpoint};
    struct memory_checkpoint_port *port = must(calloc(1, sizeof *port));
    port->queue.base = (struct checkpoint){.ops = &OPS, .events = *events, .owner = owner};
    port->queue.pump = pump;
    port->store = store;
    checkpoint_queue_push(&port->queue, (struct checkpoint_request){.kind = REQUEST_CHECK});
    return &port->queue.base;
}
