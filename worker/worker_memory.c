/* See the header. */
#include "worker/worker_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/port/checkpoint_memory.h"
#include "common/port/pending_memory.h"

#define MESSAGES_A_TURN 1000

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    struct worker *worker = opening->owner;
    struct memory_worker *over = worker->world.owner;
    const struct memory_pending_config config = {
        .store = over->config.store,
        .bus = opening->bus,
        .topic = opening->checkpoint.topic,
        .partitions = opening->checkpoint.partitions,
        .read_to = opening->checkpoint.read_to,
        .wait_ms = opening->settings->parent_wait_ms,
        .clock = worker->config.clock,
    };
    (void)err;
    parts->checkpoint = over->checkpoint =
        memory_checkpoint_new(over->config.store, opening->checkpoint_events, worker);
    parts->sink = over->sink = memory_sink_new(over->config.store, over->config.connections,
                                               over->config.refuses, opening->sink_events, worker);
    if (opening->pending_events)
        parts->pending = over->pending =
            memory_pending_new(&config, opening->pending_events, worker);
    return OUT_OK;
}

/* What was left behind is ended as by a crash. */
static void on_ended(void *owner, const char *left)
{
    struct memory_worker *over = owner;
    over->ended = true;
    over->left = left;
}

enum outcome memory_worker_start(const struct settings *settings,
                                 const struct memory_worker_config *config,
                                 struct memory_worker **out, struct error *err)
{
    struct memory_worker *over = mem_new(sizeof *over);
    over->config = *config;
    const struct worker_world world = {.bus = bus_memory_bus(config->bus),
                                       .clock = config->clock,
                                       .open = open_store,
                                       .mappings = config->mappings,
                                       .replay = config->replay,
                                       .owner = over,
                                       .on_ended = on_ended};
    over->worker = worker_new(settings, &world);
    snprintf(over->worker->config.name, sizeof over->worker->config.name, "%s", config->name);
    enum outcome outcome = worker_open(over->worker, err);
    if (outcome != OUT_OK) {
        memory_worker_free(over);
        return outcome;
    }
    worker_start(over->worker);
    *out = over;
    return OUT_OK;
}

void memory_worker_free(struct memory_worker *over)
{
    if (!over)
        return;
    if (over->worker->stalls) /* no question of its own is answered any more */
        bus_memory_forget_questions(over->config.bus, over->worker->stalls);
    if (over->sink)
        memory_sink_abandon(over->sink);
    if (over->checkpoint)
        memory_checkpoint_abandon(over->checkpoint);
    if (over->pending)
        memory_pending_abandon(over->pending);
    if (over->worker->partitions.consumer)
        bus_memory_abandon(over->worker->partitions.consumer);
    worker_free(over->worker);
    free(over);
}

bool memory_worker_is_member(const struct memory_worker *over)
{
    return over->worker->partitions.consumer && over->worker->state.phase == WORKER_RUNNING;
}

/* ---- turns ------------------------------------------------------------------------------- */

/* A part is gone when it has told that it is closed, which a turn of it does. */
struct turn {
    const struct worker *worker;
    int open_parts;
    enum worker_phase phase;
};

static struct turn begin_turn(const struct memory_worker *over)
{
    return (struct turn){over->worker, over->worker->open_parts, over->worker->state.phase};
}

static bool has_closed(const struct turn *turn)
{
    return turn->phase == WORKER_CLOSING && (turn->worker->state.phase != WORKER_CLOSING ||
                                             turn->worker->open_parts < turn->open_parts);
}

bool memory_worker_consume(struct memory_worker *over, size_t messages_max)
{
    return over->worker->partitions.consumer &&
           bus_memory_turn(over->worker->partitions.consumer, messages_max);
}

bool memory_worker_checkpoint(struct memory_worker *over)
{
    if (!over->checkpoint)
        return false;
    struct turn turn = begin_turn(over);
    bool any = memory_checkpoint_turn(over->checkpoint);
    if (has_closed(&turn))
        over->checkpoint = NULL;
    return any;
}

bool memory_worker_pending(struct memory_worker *over, enum memory_fate fate)
{
    if (!over->pending)
        return false;
    struct turn turn = begin_turn(over);
    bool any = memory_pending_turn(over->pending, fate);
    if (has_closed(&turn))
        over->pending = NULL;
    return any;
}

bool memory_worker_write(struct memory_worker *over, size_t which, enum memory_fate fate)
{
    if (!over->sink)
        return false;
    struct turn turn = begin_turn(over);
    size_t steps = memory_sink_steps(over->sink);
    if (steps)
        memory_sink_step(over->sink, which % steps, fate);
    else if (turn.phase == WORKER_CLOSING)
        memory_sink_turn(over->sink);
    if (has_closed(&turn))
        over->sink = NULL;
    return steps || !over->sink;
}

void memory_worker_settle(struct memory_worker *over)
{
    bool more = true;
    while (more && !over->ended) {
        more = memory_worker_checkpoint(over);
        more = memory_worker_consume(over, MESSAGES_A_TURN) || more;
        worker_turn(over->worker);
        more = memory_worker_write(over, 0, FATE_DONE) || more;
        more = memory_worker_pending(over, FATE_DONE) || more;
        worker_turn(over->worker);
    }
}

void memory_worker_tick(struct memory_worker *over)
{
    bus_poll(over->worker->config.bus);
    worker_tick(over->worker);
}
