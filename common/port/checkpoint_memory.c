#include "common/port/checkpoint_memory.h"

#include <stdlib.h>

#include "common/port/progress_queue.h"

struct memory_progress {
    struct progress_queue queue; /* stays the first member */
    struct memory_store *store;
    void (*on_closed)(void *owner);
};

static struct memory_progress *of(struct progress *base)
{
    return (struct memory_progress *)base;
}

static void free_progress(struct memory_progress *progress)
{
    progress_queue_clear(&progress->queue);
    free(progress);
}

static void claim(struct memory_progress *progress, int32_t partition)
{
    const struct progress *base = &progress->queue.base;
    int64_t next_offset, epoch = memory_store_claim(progress->store, partition, &next_offset);
    const struct memory_checkpoint *checkpoint =
        memory_store_checkpoint(progress->store, partition);
    bool has_sequences = checkpoint->sequences.size > 0;
    const struct progress_row row = {
        .next_offset = next_offset,
        .redis_next = checkpoint->redis_next,
        .results_next = checkpoint->results_next,
        .epoch = epoch,
        .sequences = has_sequences ? checkpoint->sequences : BYTES_LITERAL("{}"),
    };
    base->events.on_claimed(base->owner, partition, &row);
}

static void answer(struct memory_progress *progress, const struct progress_request *request)
{
    const struct progress *base = &progress->queue.base;
    if (request->kind == REQUEST_CHECK) {
        base->events.on_checked(base->owner);
        return;
    }
    if (request->kind == REQUEST_CLAIM) {
        claim(progress, request->partition);
        return;
    }
    memory_store_stages(progress->store, request->partition, request->epoch, request->redis_next,
                        request->results_next);
    if (request->kind != REQUEST_RELEASE)
        return;
    memory_store_release(progress->store, request->partition, request->epoch);
    base->events.on_released(base->owner, request->partition);
}

bool memory_checkpoint_turn(struct progress *base)
{
    struct memory_progress *progress = of(base);
    if (progress->on_closed) {
        void (*on_closed)(void *) = progress->on_closed;
        void *owner = base->owner;
        free_progress(progress);
        on_closed(owner);
        return true;
    }
    if (!progress->queue.first)
        return false;
    struct progress_request request = progress_queue_pop(&progress->queue);
    answer(progress, &request);
    return true;
}

void memory_checkpoint_abandon(struct progress *base)
{
    free_progress(of(base));
}

static void close_progress(struct progress *base, void (*on_closed)(void *owner))
{
    of(base)->on_closed = on_closed;
}

/* They wait for the next turn. */
static void pump(struct progress_queue *queue)
{
    (void)queue;
}

struct progress *memory_checkpoint_new(struct memory_store *store,
                                       const struct progress_events *events, void *owner)
{
    static const struct progress_ops OPS = {progress_queue_claim,   progress_queue_stages,
                                            progress_queue_release, progress_queue_forget_claims,
                                            progress_queue_is_idle, close_progress};
    struct memory_progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        abort();
    progress->queue.base = (struct progress){.ops = &OPS, .events = *events, .owner = owner};
    progress->queue.pump = pump;
    progress->store = store;
    progress_queue_push(&progress->queue, (struct progress_request){.kind = REQUEST_CHECK});
    return &progress->queue.base;
}
