/*
 *   IDLE ─► SWEEPING (store) ─► TELLING (Kafka, Redis) ─► FORGETTING (store) ─► IDLE
 *
 * Of what got in Redis is told the row that the store has now; orphans get their dead letters, and
 * a receipt tells what became of both. Only when all of it is acknowledged the store forgets them:
 * a sweep after a crash tells them again.
 */

#include "worker/pending_children.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"

#define SWEEP_MS 1000
#define SAY_MS 10000  /* how often it is said that some wait */
#define REST_MS 15000 /* nothing waits: tombstones to be removed, and other workers' orphans */

enum phase {
    PHASE_IDLE,
    PHASE_SWEEPING,
    PHASE_TELLING,
    PHASE_FORGETTING,
};

struct pending_children {
    struct dead_letters *dead_letters;
    struct receipts *receipts;
    struct worker_state *state;
    struct pending *port;
    enum phase phase;
    bool is_last;
    uint64_t next_ms;
    bool new_pending; /* since the last sweep began */
    bool more;        /* the last sweep could not tell all */
    bool known;       /* `waiting` is what a sweep saw */
    uint64_t waiting;
    bool mirrored;                /* some of the round were given to Redis, */
    uint64_t mark;                /* the last one of them as this */
    struct outbox_tally messages; /* dead letters, and the receipt */
    uint64_t said_ms;             /* that some wait */
    uint64_t failed;              /* sweeps in a row: an outage is said once */
};

bool pending_children_are_needed(const struct mapping_set *mappings)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (mappings->items[i]->reference_count || mappings->items[i]->on_delete == DELETE_HARD)
            return true;
    return false;
}

struct pending_children *pending_children_new(struct dead_letters *dead_letters,
                                              struct receipts *receipts, struct pending *port)
{
    struct pending_children *children = mem_new(sizeof *children);
    children->dead_letters = dead_letters;
    children->receipts = receipts;
    children->state = dead_letters->partitions->state;
    children->port = port;
    return children;
}

static void end_round(struct pending_children *children)
{
    pending_end_round(children->port);
    children->phase = PHASE_IDLE;
    bool some = children->waiting || children->new_pending || children->more || !children->known;
    children->next_ms = clock_now_ms(children->state->config->clock) + (some ? SWEEP_MS : REST_MS);
}

static void after_telling(struct pending_children *children)
{
    const struct redis_stage *stage = children->receipts->ports->stage;
    bool in_redis = !children->mirrored || !stage || redis_stage_has_sent(stage, children->mark);
    if (children->phase != PHASE_TELLING || children->messages.on_way || !in_redis)
        return;
    if (children->messages.broken) {
        end_round(children);
        return;
    }
    children->phase = PHASE_FORGETTING;
    pending_forget(children->port);
}

/* A replay gives up nothing: its orphans go, and stay counted as waiting. What becomes of them is
 * for the workers to say, who wait for their parents, too. */
static size_t orphans_told(const struct pending_children *children)
{
    return children->state->config->replay ? 0 : children->port->result.orphan_count;
}

static void send_receipt(struct pending_children *children)
{
    const struct pending_result *result = &children->port->result;
    size_t count = 0, orphans = orphans_told(children);
    if (result->applied_count + orphans == 0)
        return;
    struct settled_item *items = mem_zeroed(result->applied_count + orphans, sizeof *items);
    for (size_t i = 0; i < result->applied_count; i++)
        items[count++] = (struct settled_item){
            result->applied[i].partition, result->applied[i].offset, result->applied[i].the_class};
    for (size_t i = 0; i < orphans; i++)
        items[count++] = (struct settled_item){result->orphans[i].partition,
                                               result->orphans[i].offset, CLASS_DEAD};
    receipts_send_settled(children->receipts, result->round, items, count, &children->messages);
    free(items);
}

static void tell(struct pending_children *children)
{
    struct error err;
    const struct pending_result *result = &children->port->result;
    children->phase = PHASE_TELLING;
    children->messages.broken = false;
    for (size_t i = 0; i < orphans_told(children); i++) {
        if (dead_letters_send_orphan(children->dead_letters, &result->orphans[i],
                                     &children->messages, &err) == OUT_OK)
            continue;
        children->messages.broken = true;
        state_fail(children->state, &err);
        break;
    }
    send_receipt(children);
    after_telling(children);
}

/* behind: messages that have to be written before the waits that are over end. */
static void say_waiting(struct pending_children *children)
{
    uint64_t now_ms = clock_now_ms(children->state->config->clock);
    bool said = children->said_ms && now_ms - children->said_ms < SAY_MS;
    if (children->waiting == 0)
        children->said_ms = 0;
    else if (!said) {
        children->said_ms = now_ms;
        log_line(LOG_INFO, "pending.waiting",
                 "records=%" PRIu64 " behind=%" PRIu64 " wait_ms=%" PRIu64, children->waiting,
                 children->port->result.behind,
                 children->is_last ? 0 : children->state->config->settings->parent_wait_ms);
    }
}

/* What Redis is to have of those that got in. */
static void mirror(struct pending_children *children)
{
    struct redis_stage *stage = children->receipts->ports->stage;
    const struct pending_result *result = &children->port->result;
    children->mirrored = false;
    for (size_t i = 0; stage && i < result->applied_count; i++) {
        const struct pending_applied *applied = &result->applied[i];
        if (!applied->row)
            continue;
        children->mark = redis_stage_take_row(stage, applied->mapping, applied->row, applied->json);
        children->mirrored = true;
    }
}

static void take_result(struct pending_children *children, enum outcome outcome)
{
    const struct pending_result *result = &children->port->result;
    mirror(children);
    if (result->busy || outcome != OUT_OK)
        return;
    children->known = true;
    children->more = result->more;
    children->waiting = result->waiting;
    say_waiting(children);
}

/* An outage is said when it begins and when it is over. */
static void say_outcome(struct pending_children *children, enum outcome outcome,
                        const struct error *err)
{
    if (outcome == OUT_FATAL) {
        state_fail(children->state, err);
    } else if (outcome != OUT_OK) {
        if (children->failed++ == 0)
            log_away("pending.away", err);
    } else if (children->failed) {
        log_back("pending.back", "tries=%" PRIu64, children->failed);
        children->failed = 0;
    }
}

void pending_children_on_swept(struct pending_children *children, enum outcome outcome,
                               const struct error *err)
{
    const struct pending_result *result = &children->port->result;
    if (!result->unread)
        take_result(children, outcome);
    say_outcome(children, outcome, err);
    if ((result->orphan_count || result->applied_count) && !result->unread)
        tell(children);
    else
        end_round(children);
}

/* Whoever removed them counts them, so that a round that was told twice is counted once. */
static void count_settled(struct pending_children *children)
{
    const struct pending_result *result = &children->port->result;
    struct worker_counts *counts = &children->state->counts;
    for (size_t i = 0; i < result->applied_count; i++) {
        const struct pending_applied *applied = &result->applied[i];
        counts->classes[applied->the_class]++;
        state_tell_record(children->state, applied->partition, applied->offset, applied->the_class);
    }
    counts->classes[CLASS_DEAD] += orphans_told(children);
    counts->settled += result->applied_count + orphans_told(children);
}

void pending_children_on_forgotten(struct pending_children *children, uint64_t removed,
                                   enum outcome outcome, const struct error *err)
{
    say_outcome(children, outcome, err);
    if (removed)
        count_settled(children);
    end_round(children);
}

void pending_children_note(struct pending_children *children, const struct batch *batch)
{
    if (!children || batch_count(batch, CLASS_WAITING) == 0)
        return;
    children->new_pending = true;
    uint64_t soon_ms = clock_now_ms(children->state->config->clock) + SWEEP_MS;
    if (children->next_ms > soon_ms)
        children->next_ms = soon_ms;
}

void pending_children_tick(struct pending_children *children, uint64_t now_ms)
{
    if (!children)
        return;
    after_telling(children);
    if (children->phase != PHASE_IDLE || now_ms < children->next_ms)
        return;
    children->new_pending = children->known = false;
    children->is_last = children->state->config->settings->until_end || state_nothing_comes();
    children->phase = PHASE_SWEEPING;
    pending_sweep(children->port, children->is_last);
}

bool pending_children_are_settled(const struct pending_children *children)
{
    return !children || (children->phase == PHASE_IDLE && children->known &&
                         !children->new_pending && !children->more && children->waiting == 0);
}

void pending_children_free(struct pending_children *children)
{
    free(children);
}

void pending_children_close(struct pending_children *children, void (*on_closed)(void *owner))
{
    pending_close(children->port, on_closed);
}
