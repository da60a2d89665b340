/*
 * A partition's current batch: dead letters first, then the sink, then receipts. One batch a
 * partition at a time; connections go round the partitions. What is read but not written is
 * budgeted: above the budget nothing is taken from the consumer, which costs nothing and is over in
 * a moment while the store writes. When it lasts, fetching pauses, until half of the budget is
 * free: a pause is dear, as librdkafka throws its fetched messages away with each.
 */

#include "worker/flow.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/policy/apply/batch_gate.h"
#include "common/port/sink.h"
#include "worker/pending_children.h"

/* Makes the next batch the current one. */
static bool take_next(struct flow *flow, struct partition *partition)
{
    if (!partition->queue_first)
        intake_close(flow->intake, partition);
    struct batch *batch = partition->queue_first;
    if (!batch)
        return false;
    partition->queue_first = batch->next;
    if (!partition->queue_first)
        partition->queue_last = NULL;
    batch->next = NULL;
    partition->current = batch;
    partition->dead_letters_sent = false;
    partition->retry_at_ms = 0;
    return true;
}

/* True when the current batch's dead letters are all safe. */
static bool passes_gate(struct flow *flow, struct partition *partition)
{
    struct error err;
    struct batch *batch = partition->current;
    if (!partition->dead_letters_sent) {
        if (outbox_is_full(flow->dead_letters->outbox))
            return false;
        partition->dead_letters_sent = true;
        dead_letters_send(flow->dead_letters, partition);
        if (partition->current != batch) /* one can never be sent: the partition was halted */
            return false;
    }
    enum outcome outcome = batch_gate_submit(batch, &err);
    if (outcome == OUT_FATAL)
        state_fail(flow->partitions->state,
                   &err); /* what came before it is the reason, when there is one */
    return outcome == OUT_OK;
}

/* One step of one partition; true when it took a connection. */
static bool advance(struct flow *flow, struct partition *partition, uint64_t now_ms)
{
    bool writes = partition->state == PARTITION_READING || partition->state == PARTITION_HALTING;
    if (!writes || (!partition->current && !take_next(flow, partition)))
        return false;
    struct batch *batch = partition->current;
    if (batch->in_sink || partition->retry_at_ms > now_ms || !passes_gate(flow, partition))
        return false;
    batch->in_sink = true;
    batch->fence.epoch = partition->epoch;
    batch->fence.results_next = partition->results_next;
    batch->fence.redis_next = partition_redis_next(partition, batch->fence.end);
    sink_submit(flow->ports->sink, batch);
    return true;
}

void flow_pump(struct flow *flow)
{
    const struct partitions *all = flow->partitions;
    const struct worker_ports *ports = flow->ports;
    int32_t total = all->config->partition_total;
    if (!state_is_working(all->state) || outbox_is_full(flow->receipts->outbox) ||
        (ports->stage && redis_stage_is_full(ports->stage)))
        return;
    uint64_t now_ms = clock_now_ms(all->config->clock);
    for (int32_t i = 0; i < total && sink_can_submit(ports->sink); i++) {
        int32_t number = (flow->round + i) % total;
        struct partition *partition = &all->items[number];
        if (partition_has_work(partition) && advance(flow, partition, now_ms))
            flow->round = number + 1;
    }
}

/* ---- budget ------------------------------------------------------------------------------ */

/* How long the group's word and Kafka's errors may wait, while the consumer is held. */
#define HOLD_MS 1000

static void set_held(struct partitions *all, bool held)
{
    all->held = held;
    all->held_ms = clock_now_ms(all->config->clock);
    if (all->consumer)
        bus_consumer_hold(all->consumer, held);
}

static void set_paused(const struct partitions *all, bool paused)
{
    int32_t *numbers = mem_zeroed(all->held_count + 1, sizeof *numbers);
    size_t count = 0;
    for (struct partition *next = NULL; (next = partitions_next(all, next));) {
        if (next->state != PARTITION_READING || next->paused == paused)
            continue;
        next->paused = paused;
        numbers[count++] = next->number;
    }
    if (paused)
        bus_consumer_pause(all->consumer, numbers, count);
    else
        bus_consumer_resume(all->consumer, numbers, count);
    free(numbers);
}

/* Too much is read and not written, or written and not yet told, or not yet in Redis. */
static bool is_over(const struct flow *flow)
{
    const struct partitions *all = flow->partitions;
    return all->state->in_flight_bytes > all->config->settings->work_memory ||
           outbox_is_full(flow->dead_letters->outbox) || outbox_is_full(flow->receipts->outbox) ||
           (flow->ports->stage && redis_stage_is_full(flow->ports->stage));
}

static bool is_well_under(const struct flow *flow)
{
    const struct partitions *all = flow->partitions;
    size_t memory = all->config->settings->work_memory;
    return all->state->in_flight_bytes < (all->held ? memory / 4 * 3 : memory / 2) &&
           outbox_has_room(flow->dead_letters->outbox) && outbox_has_room(flow->receipts->outbox) &&
           (!flow->ports->stage || redis_stage_has_room(flow->ports->stage));
}

void flow_check_budget(struct flow *flow)
{
    struct partitions *all = flow->partitions;
    bool works = state_is_working(all->state);
    if (all->held && (!works || is_well_under(flow))) {
        all->over_budget = false;
        set_held(all, false);
    } else if (!works) {
        return;
    } else if (all->held && clock_now_ms(all->config->clock) - all->held_ms >= HOLD_MS) {
        set_held(all, false);
        set_paused(all, true);
    } else if (!all->over_budget && is_over(flow)) {
        all->over_budget = true;
        set_held(all, true);
    } else if (all->over_budget && !all->held && is_well_under(flow)) {
        all->over_budget = false;
        set_paused(all, false);
    }
}

/* ---- ends -------------------------------------------------------------------------------- */

/* For the breaker: how many are dead in a row, and what and where the last one is. */
static void note_dead(struct dead_run *run, const struct batch *batch,
                      const struct batch_item *item)
{
    bool dead = item->verdict == CLASS_DEAD;
    run->count = dead ? run->count + 1 : 0;
    if (!dead || !item->err) {
        run->same = 0;
        return;
    }
    run->same = run->same && run->last.code == item->err->code ? run->same + 1 : 1;
    run->last = *item->err;
    error_where(&run->last, "%s-%" PRId32 "@%" PRId64, batch->fence.topic, batch->fence.partition,
                item->offset);
}

static void count_classes(struct flow *flow, const struct batch *batch)
{
    struct worker_counts *counts = &flow->partitions->state->counts;
    for (size_t i = 0; i < batch->count; i++) {
        enum record_class the_class = batch_told_class(batch, &batch->items[i]);
        counts->classes[the_class]++;
        state_tell_record(flow->partitions->state, batch->fence.partition, batch->items[i].offset,
                          the_class);
        note_dead(&flow->dead, batch, &batch->items[i]);
    }
    counts->metrics[METRIC_BATCHES]++;
    counts->taken += batch->count;
}

/* A fault of the configuration dressed as data must not send everything to the dead letters. */
static void check_limits(struct flow *flow)
{
    struct error err;
    struct worker_state *state = flow->partitions->state;
    const struct settings *settings = state->config->settings;
    const struct dead_run *run = &flow->dead;
    uint64_t dead = state->counts.classes[CLASS_DEAD];
    if (settings->dead_max && dead > settings->dead_max) {
        error_set(&err, OUT_FATAL, ERR_TOO_MANY_DEAD,
                  "%" PRIu64 " records were dead-lettered, %" PRIu64 " are allowed", dead,
                  settings->dead_max);
        state_fail(state, &err);
    } else if (settings->breaker && run->count >= settings->breaker) {
        const char *code = error_code_id(run->last.code);
        error_set(&err, OUT_FATAL, ERR_BREAKER,
                  "%" PRIu64 " records in a row were dead-lettered, the last %" PRIu64 " as %s",
                  run->count, run->same, code);
        error_cause(&err, "%s: %s", code,
                    run->last.text[0] ? run->last.text : error_code_meaning(run->last.code));
        error_where(&err, "%s", run->last.where);
        error_path(&err, "%s", run->last.path);
        error_hint(&err,
                   "drover explain %s: this looks like a fault of the mapping, not of the data",
                   code);
        state_fail(state, &err);
    }
}

static void on_written(struct flow *flow, struct partition *partition, struct batch *batch)
{
    struct error err;
    struct redis_stage *stage = flow->ports->stage;
    if (receipts_send(flow->receipts, partition, batch, &err) !=
        OUT_OK) { /* not taken as written */
        state_fail(flow->partitions->state, &err);
        partition_drop(partition);
        return;
    }
    backoff_reset(&partition->backoff);
    if (!batch->redelivered)
        partition->next_offset = batch->fence.end;
    if (stage)
        redis_stage_take(stage, batch, partition->redis_next);
    else
        partition->redis_next = partition->next_offset;
    pending_children_note(flow->ports->pending, batch);
    bool counted = !batch->redelivered;
    if (counted)
        count_classes(flow, batch);
    partition->current = NULL;
    partition_recycle(partition->all, batch);
    partition_check_halting(partition);
    if (counted)
        check_limits(flow);
}

static void on_retry(struct partition *partition, struct batch *batch, const struct error *err)
{
    struct worker_state *state = partition->all->state;
    const struct clock *clock = state->config->clock;
    bool resource = err->code == ERR_PG_RESOURCE || err->code == ERR_REDIS_RESOURCE;
    batch_retry(batch);
    state->counts.metrics[METRIC_RETRIES]++;
    struct backoff probe = BACKOFF_RESOURCE;
    uint32_t wait_ms =
        backoff_next_ms(resource ? &probe : &partition->backoff, clock_random(clock));
    partition->retry_at_ms = clock_now_ms(clock) + wait_ms;
    if (error_code_exit(err->code) == EXIT_UNREACHABLE)
        log_away("batch.retry", err);
    else
        log_error(LOG_WARN, "batch.retry", err);
}

static void on_refused(struct flow *flow, struct partition *partition, const struct error *err)
{
    struct worker_state *state = partition->all->state;
    if (err->code == ERR_FENCED) {
        /* a newer claim exists: the group has moved on, the revocation will come; else stall.c
         * claims it again */
        state->counts.fenced++;
        log_line(LOG_INFO, "partition.fenced", "partition=%d epoch=%" PRId64, partition->number,
                 partition->epoch);
        partition_drop(partition);
        partition->state = PARTITION_FENCED;
        if (state->config->replay) /* nobody will take it away: it goes on elsewhere */
            state_fail(state, err);
        return;
    }
    if (err->code == ERR_CHECKPOINT && state->config->store->may_forget) {
        log_error(LOG_WARN, "checkpoint.lost", err);
        membership_claim_again(flow->membership);
        return;
    }
    struct error where = *err;
    if (where.where[0] == '\0')
        error_where(&where, "%s-%d", state->config->source, partition->number);
    partition_drop(partition);
    state_fail(state, &where);
}

void flow_on_done(struct flow *flow, struct batch *batch, enum outcome outcome,
                  const struct error *err)
{
    struct partition *partition = batch->owner;
    batch->in_sink = false;
    if (!partition) { /* it was given up while the sink had the batch */
        partition_orphan(flow->partitions, batch);
        return;
    }
    if (outcome == OUT_OK)
        on_written(flow, partition, batch);
    else if (outcome == OUT_RETRY)
        on_retry(partition, batch, err);
    else
        on_refused(flow, partition, err);
    flow_check_budget(flow);
}
