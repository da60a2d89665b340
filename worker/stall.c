#include "worker/stall.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/policy/watchdog.h"

#define CHECK_EVERY_MS 250
#define ASK_MS 1000 /* a stopping worker waits for it */

struct stall {
    struct watchdog watchdog;
    int64_t furthest; /* read up to, over all claims of this assignment */
    int64_t end;      /* of the log, as it was asked */
    uint64_t asked_ms;
};

struct stalls {
    struct membership *membership;
    const struct partitions *partitions;
    struct stall *items; /* by partition */
    uint64_t polled_ms;
    uint64_t moved_ms; /* any of them */
    bool is_asking;
    void (*on_closed)(void *owner);
    void *owner;
};

struct stalls *stalls_new(struct membership *membership)
{
    struct stalls *stalls = mem_new(sizeof *stalls);
    stalls->membership = membership;
    stalls->partitions = membership->partitions;
    stalls->items =
        mem_zeroed((size_t)stalls->partitions->config->partition_total, sizeof *stalls->items);
    return stalls;
}

void stalls_free(struct stalls *stalls)
{
    if (!stalls)
        return;
    free(stalls->items);
    free(stalls);
}

void stalls_begin(struct stalls *stalls, const int32_t *partitions, size_t count)
{
    const struct worker_config *config = stalls->partitions->config;
    uint64_t now_ms = clock_now_ms(config->clock);
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] >= config->partition_total) /* said by who claims it */
            continue;
        struct stall *stall = &stalls->items[partitions[i]];
        stall->furthest = stall->end = -1;
        stall->asked_ms = now_ms;
        watchdog_init(&stall->watchdog, config->settings->stall_ms, now_ms);
    }
}

/* ---- where the log ends ------------------------------------------------------------------ */

static void on_ends(void *owner, const int64_t *ends)
{
    struct stalls *stalls = owner;
    stalls->is_asking = false;
    for (int32_t i = 0; ends && i < stalls->partitions->config->partition_total; i++)
        stalls->items[i].end = ends[i];
    if (stalls->on_closed)
        stalls->on_closed(stalls->owner);
}

static void ask(struct stalls *stalls)
{
    const struct worker_config *config = stalls->partitions->config;
    stalls->is_asking = true;
    bus_ask_ends(config->bus, config->source, config->partition_total, ASK_MS, on_ends, stalls);
}

/* ---- checking ----------------------------------------------------------------------------- */

static int64_t end_of(const struct stalls *stalls, int32_t number)
{
    int64_t heard = bus_consumer_end(stalls->partitions->consumer, number);
    int64_t asked = stalls->items[number].end;
    int64_t end = heard > asked ? heard : asked;
    const struct replay_range *range = stalls->partitions->items[number].range;
    return range && end > range->to ? range->to : end;
}

static bool has_work(const struct partition *partition, int64_t end)
{
    switch (partition->state) {
    case PARTITION_READING:
        return partition->next_offset < end || partition->position < partition->redelivered_until ||
               partition->current || partition->queue_first || partition->open;
    case PARTITION_HALTED: /* said, and counted */
        return false;
    default:
        return true;
    }
}

/* A worker above its budget pauses all partitions until some are written: then those move. */
static bool is_excused(const struct stalls *stalls, const struct partition *partition,
                       uint64_t now_ms)
{
    const struct worker_state *state = stalls->partitions->state;
    const struct redis_stage *stage = stalls->membership->ports->stage;
    bool redis = stage && redis_stage_is_full(stage);
    bool retries = partition->current && partition->current->attempts > 0; /* each is logged */
    bool others = now_ms - stalls->moved_ms < state->config->settings->stall_ms;
    return state->store_lost || redis || retries || (stalls->partitions->over_budget && others);
}

static const char *state_name(enum partition_state state)
{
    static const char *const NAMES[] = {"away",    "claiming", "reading",
                                        "halting", "halted",   "fenced"};
    return NAMES[state];
}

static size_t queued(const struct partition *partition)
{
    size_t count = partition->open ? 1 : 0;
    for (const struct batch *batch = partition->queue_first; batch; batch = batch->next)
        count++;
    return count;
}

/* What the sink or Kafka still has of it ends by itself, and would be written twice for nothing. */
static void act(struct stalls *stalls, struct partition *partition, uint64_t still_ms)
{
    const struct partitions *all = stalls->partitions;
    const struct batch *current = partition->current;
    bool in_sink = current && current->in_sink;
    size_t dead_letters = current ? (size_t)current->dead_letters_pending : 0;
    bool claims = partition->state != PARTITION_CLAIMING && !in_sink && !dead_letters;
    log_each(LOG_WARN, "partition.stalled",
             "partition=%d state=%s still_ms=%" PRIu64 " epoch=%" PRId64 " position=%" PRId64
             " next=%" PRId64 " end=%" PRId64 " queued=%zu current=%s dead_letters=%zu paused=%s "
             "over_budget=%s in_flight_bytes=%zu action=%s",
             partition->number, state_name(partition->state), still_ms, partition->epoch,
             partition->position, partition->next_offset, end_of(stalls, partition->number),
             queued(partition),
             in_sink   ? "sink"
             : current ? "yes"
                       : "no",
             dead_letters, partition->paused ? "yes" : "no", all->over_budget ? "yes" : "no",
             all->state->in_flight_bytes, claims ? "claim" : "wait");
    if (claims)
        membership_claim_one(stalls->membership, partition);
}

/* True when it should be asked where the log ends. */
static bool check(struct stalls *stalls, struct partition *partition, uint64_t now_ms)
{
    struct stall *stall = &stalls->items[partition->number];
    if (partition->position > stall->furthest)
        stall->furthest = partition->position;
    struct watchdog_view view = {
        .moves = partition->next_offset + stall->furthest,
        .has_work = has_work(partition, end_of(stalls, partition->number)),
        .is_excused = is_excused(stalls, partition, now_ms),
    };
    uint64_t still_ms = watchdog_still_ms(&stall->watchdog, now_ms);
    if (view.moves != stall->watchdog.moves)
        stall->asked_ms = stalls->moved_ms = now_ms;
    if (watchdog_step(&stall->watchdog, &view, now_ms))
        act(stalls, partition, still_ms);
    return !view.has_work && partition->state == PARTITION_READING &&
           now_ms - stall->asked_ms >= partition->all->config->settings->stall_ms;
}

void stalls_tick(struct stalls *stalls, uint64_t now_ms)
{
    const struct partitions *all = stalls->partitions;
    bool asks = false;
    if (now_ms - stalls->polled_ms < CHECK_EVERY_MS || !state_is_working(all->state) ||
        !all->consumer || stalls->is_asking)
        return;
    stalls->polled_ms = now_ms;
    for (struct partition *next = NULL; (next = partitions_next(all, next));) {
        if (check(stalls, next, now_ms)) {
            stalls->items[next->number].asked_ms = now_ms;
            asks = true;
        }
    }
    if (asks)
        ask(stalls);
}

void stalls_close(struct stalls *stalls, void (*on_closed)(void *owner), void *owner)
{
    stalls->on_closed = on_closed;
    stalls->owner = owner;
    if (!stalls->is_asking)
        on_closed(owner);
}
