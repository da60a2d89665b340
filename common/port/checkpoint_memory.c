#include "common/port/checkpoint_memory.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/port/checkpoint_queue.h"

struct memory_checkpoint_port {
    struct checkpoint_queue queue; /* stays the first member */
    struct memory_store *store;
    struct checkpoint_row claimed; /* by the claim in flight; the sequences are the port's */
    void (*on_closed)(void *owner);
};

static struct memory_checkpoint_port *of(struct checkpoint *base)
{
    return (struct memory_checkpoint_port *)base;
}

static void free_checkpoint(struct memory_checkpoint_port *port)
{
    checkpoint_queue_clear(&port->queue);
    free((char *)port->claimed.sequences.data);
    free(port);
}

static void claim(struct memory_checkpoint_port *port, int32_t partition)
{
    int64_t next_offset, epoch = memory_store_claim(port->store, partition, &next_offset);
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(port->store, partition);
    struct bytes sequences =
        checkpoint->sequences.size ? checkpoint->sequences : BYTES_LITERAL("{}");
    char *copy = mem_alloc(sequences.size);
    memcpy(copy, sequences.data, sequences.size);
    port->claimed = (struct checkpoint_row){
        .next_offset = next_offset,
        .redis_next = checkpoint->redis_next,
        .results_next = checkpoint->results_next,
        .epoch = epoch,
        .sequences = bytes_of(copy, sequences.size),
    };
}

/* The request is done in the store; its answer is on its way. */
static void execute(struct memory_checkpoint_port *port, const struct checkpoint_request *request)
{
    port->queue.in_flight = true;
    if (request->kind == REQUEST_CLAIM)
        claim(port, request->partition);
    if (request->kind == REQUEST_ADVANCE || request->kind == REQUEST_RELEASE)
        memory_store_advance(port->store, request->partition, request->epoch, request->redis_next,
                             request->results_next);
    if (request->kind == REQUEST_RELEASE)
        memory_store_release(port->store, request->partition, request->epoch);
}

static void tell_seen(const struct memory_checkpoint_port *port, int32_t partition)
{
    const struct checkpoint *base = &port->queue.base;
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(port->store, partition);
    const struct checkpoint_seen seen = {.epoch = checkpoint ? checkpoint->epoch : 0,
                                         .next_offset = checkpoint ? checkpoint->next_offset : 0,
                                         .is_owned = checkpoint && checkpoint->owned};
    base->events.on_seen(base->owner, partition, &seen);
}

/* A claim that was forgotten meanwhile is told to nobody. */
static void answer(struct memory_checkpoint_port *port)
{
    const struct checkpoint *base = &port->queue.base;
    struct checkpoint_request done = checkpoint_queue_pop(&port->queue);
    struct checkpoint_row claimed = port->claimed;
    bool forgotten = port->queue.forgotten;
    port->queue.forgotten = false;
    port->claimed = (struct checkpoint_row){0};
    if (done.kind == REQUEST_CHECK)
        base->events.on_checked(base->owner);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        base->events.on_claimed(base->owner, done.partition, &claimed);
    else if (done.kind == REQUEST_RELEASE)
        base->events.on_released(base->owner, done.partition);
    else if (done.kind == REQUEST_LOOK)
        tell_seen(port, done.partition);
    free((char *)claimed.sequences.data);
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
    if (port->queue.in_flight)
        answer(port);
    else
        execute(port, port->queue.first);
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
        checkpoint_queue_claim, checkpoint_queue_advance,       checkpoint_queue_release,
        checkpoint_queue_look,  checkpoint_queue_forget_claims, checkpoint_queue_is_idle,
        close_checkpoint};
    struct memory_checkpoint_port *port = mem_new(sizeof *port);
    port->queue.base = (struct checkpoint){.ops = &OPS, .events = *events, .owner = owner};
    port->queue.pump = pump;
    port->store = store;
    checkpoint_queue_push(&port->queue, (struct checkpoint_request){.kind = REQUEST_CHECK});
    return &port->queue.base;
}
