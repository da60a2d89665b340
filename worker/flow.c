/*
 * A partition's current batch: dead letters first, then the sink, then receipts. One batch a
 * partition at a time; connections go round the partitions. What is read but not written is
 * budgeted: above the budget fetching pauses, below half of it goes on (the gap between keeps a
 * pause rare, because librdkafka throws its fetched messages away with each).
 */

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/policy/apply/batch_gate.h"
#include "worker/outbox.h"
#include "worker/pending_children.h"
#include "worker/worker.h"

static bool has_work(const struct partition *partition)
{
    return partition->current || partition->queue_first ||
           (partition->open && partition->open->count);
}

/* Makes the next batch the current one. */
static bool take_next(struct partition *partition)
{
    if (!partition->queue_first)
        intake_close(partition);
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
static bool passes_gate(struct worker *worker, struct partition *partition)
{
    struct error err;
    struct batch *batch = partition->current;
    if (!partition->dead_letters_sent) {
        if (outbox_is_full(worker->dead_letters))
            return false;
        partition->dead_letters_sent = true;
        dead_letters_send(partition);
        if (partition->current != batch) /* one can never be sent: the partition was halted */
            return false;
    }
    enum outcome outcome = batch_gate_submit(batch, &err);
    if (outcome == OUT_FATAL)
        worker_fail(worker, &err); /* what came before it is the reason, when there is one */
    return outcome == OUT_OK;
}

/* One step of one partition; true when it took a connection. */
static bool advance(struct worker *worker, struct partition *partition, uint64_t now_ms)
{
    if (partition->state != PARTITION_READING || (!partition->current && !take_next(partition)))
        return false;
    struct batch *batch = partition->current;
    if (batch->in_sink || partition->retry_at_ms > now_ms || !passes_gate(worker, partition))
        return false;
    batch->in_sink = true;
    batch->fence.epoch = partition->epoch;
    batch->fence.results_next = partition->results_next;
    batch->fence.redis_next = partition_redis_next(partition, batch->fence.end);
    sink_submit(worker->sink, batch);
    return true;
}

void flow_pump(struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING || worker->revoking || outbox_is_full(worker->results) ||
        (worker->stage && redis_stage_is_full(worker->stage)))
        return;
    uint64_t now_ms = clock_now_ms(worker->clock);
    for (int32_t i = 0; i < worker->partition_total && sink_can_submit(worker->sink); i++) {
        int32_t number = (worker->round + i) % worker->partition_total;
        struct partition *partition = &worker->partitions[number];
        if (worker->held[number] && has_work(partition) && advance(worker, partition, now_ms))
            worker->round = number + 1;
    }
}

/* ---- budget ------------------------------------------------------------------------------ */

static void set_paused(struct worker *worker, bool paused)
{
    int32_t *numbers = calloc((size_t)worker->partition_total + 1, sizeof *numbers);
    size_t count = 0;
    if (!numbers)
        abort();
    for (int32_t i = 0; i < worker->partition_total; i++) {
        struct partition *partition = &worker->partitions[i];
        if (!worker->held[i] || partition->state != PARTITION_READING ||
            partition->paused == paused)
            continue;
        partition->paused = paused;
        numbers[count++] = i;
    }
    if (paused)
        bus_consumer_pause(worker->consumer, numbers, count);
    else
        bus_consumer_resume(worker->consumer, numbers, count);
    free(numbers);
}

/* Too much is read and not written, or written and not yet told, or not yet in Redis. */
static bool is_over(const struct worker *worker)
{
    return worker->in_flight_bytes > worker->settings->work_memory ||
           outbox_is_full(worker->dead_letters) || outbox_is_full(worker->results) ||
           (worker->stage && redis_stage_is_full(worker->stage));
}

static bool is_well_under(const struct worker *worker)
{
    return worker->in_flight_bytes < worker->settings->work_memory / 2 &&
           outbox_has_room(worker->dead_letters) && outbox_has_room(worker->results) &&
           (!worker->stage || redis_stage_has_room(worker->stage));
}

void flow_check_budget(struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING || worker->revoking)
        return;
    if (!worker->over_budget && is_over(worker)) {
        worker->over_budget = true;
        set_paused(worker, true);
    } else if (worker->over_budget && is_well_under(worker)) {
        worker->over_budget = false;
        set_paused(worker, false);
    }
}

/* ---- ends -------------------------------------------------------------------------------- */

/* For the breaker: what it was, and where one of them is. */
static void note_dead(struct worker *worker, const struct batch *batch,
                      const struct batch_item *item)
{
    struct worker_counts *counts = &worker->counts;
    if (item->verdict != CLASS_DEAD || !item->err) {
        counts->same_in_a_row = 0;
        return;
    }
    bool same = counts->same_in_a_row && counts->last_dead.code == item->err->code;
    counts->same_in_a_row = same ? counts->same_in_a_row + 1 : 1;
    counts->last_dead = *item->err;
    error_where(&counts->last_dead, "%s-%" PRId32 "@%" PRId64, batch->fence.topic,
                batch->fence.partition, item->offset);
}

static void count_classes(struct worker *worker, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        bool dead = item->verdict == CLASS_DEAD;
        worker->counts.classes[batch_told_class(batch, item)]++;
        worker->counts.dead_in_a_row = dead ? worker->counts.dead_in_a_row + 1 : 0;
        note_dead(worker, batch, item);
    }
    worker->counts.metrics[METRIC_BATCHES]++;
    worker->counts.taken += batch->count;
}

/* A fault of the configuration dressed as data must not send everything to the dead letters. */
static void check_limits(struct worker *worker)
{
    struct error err;
    uint64_t dead = worker->counts.classes[CLASS_DEAD];
    if (worker->settings->dead_max && dead > worker->settings->dead_max) {
        error_set(&err, OUT_FATAL, ERR_TOO_MANY_DEAD,
                  "%" PRIu64 " records were dead-lettered, %" PRIu64 " are allowed", dead,
                  worker->settings->dead_max);
        worker_fail(worker, &err);
    } else if (worker->settings->breaker &&
               worker->counts.dead_in_a_row >= worker->settings->breaker) {
        const struct error *last = &worker->counts.last_dead;
        const char *code = error_code_id(last->code);
        error_set(&err, OUT_FATAL, ERR_BREAKER,
                  "%" PRIu64 " records in a row were dead-lettered, the last %" PRIu64 " as %s",
                  worker->counts.dead_in_a_row, worker->counts.same_in_a_row, code);
        error_cause(&err, "%s: %s", code,
                    last->text[0] ? last->text : error_code_meaning(last->code));
        error_where(&err, "%s", last->where);
        error_path(&err, "%s", last->path);
        error_hint(&err,
                   "drover explain %s: this looks like a fault of the mapping, not of the data",
                   code);
        worker_fail(worker, &err);
    }
}

static void on_written(struct partition *partition, struct batch *batch)
{
    struct worker *worker = partition->worker;
    struct error err;
    if (receipts_send(partition, batch, &err) != OUT_OK) { /* not taken as written */
        worker_fail(worker, &err);
        partition_drop(partition);
        return;
    }
    backoff_reset(&partition->backoff);
    if (!batch->redelivered)
        partition->next_offset = batch->fence.end;
    if (worker->stage)
        redis_stage_take(worker->stage, batch, partition->redis_next);
    else
        partition->redis_next = partition->next_offset;
    pending_children_note(worker->pending, batch);
    bool counted = !batch->redelivered;
    if (counted)
        count_classes(worker, batch);
    partition->current = NULL;
    partition_recycle(worker, batch);
    if (counted)
        check_limits(worker);
}

static void on_retry(struct partition *partition, struct batch *batch, const struct error *err)
{
    struct worker *worker = partition->worker;
    bool resource = err->code == ERR_PG_RESOURCE || err->code == ERR_REDIS_RESOURCE;
    batch_retry(batch);
    worker->counts.metrics[METRIC_RETRIES]++;
    struct backoff probe = BACKOFF_RESOURCE;
    uint32_t wait_ms =
        backoff_next_ms(resource ? &probe : &partition->backoff, clock_random(worker->clock));
    partition->retry_at_ms = clock_now_ms(worker->clock) + wait_ms;
    if (error_code_exit(err->code) == EXIT_UNREACHABLE)
        log_away("batch.retry", err);
    else
        log_error(LOG_WARN, "batch.retry", err);
}

static void on_refused(struct partition *partition, struct batch *batch, const struct error *err)
{
    struct worker *worker = partition->worker;
    (void)batch;
    if (err->code == ERR_FENCED) {
        /* a newer claim exists: the group has moved on, the revocation will come; else stall.c
         * claims it again */
        worker->counts.fenced++;
        log_line(LOG_INFO, "partition.fenced", "partition=%d epoch=%" PRId64, partition->number,
                 partition->epoch);
        partition_drop(partition);
        partition->state = PARTITION_FENCED;
        return;
    }
    if (err->code == ERR_CHECKPOINT && worker->store->may_forget) {
        log_error(LOG_WARN, "checkpoint.lost", err);
        membership_claim_again(worker);
        return;
    }
    struct error where = *err;
    if (where.where[0] == '\0')
        error_where(&where, "%s-%d", worker->source, partition->number);
    partition_drop(partition);
    worker_fail(worker, &where);
}

void flow_on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    struct worker *worker = owner;
    struct partition *partition = batch->owner;
    batch->in_sink = false;
    if (!partition) { /* it was given up while the sink had the batch */
        partition_orphan(worker, batch);
        return;
    }
    if (outcome == OUT_OK)
        on_written(partition, batch);
    else if (outcome == OUT_RETRY)
        on_retry(partition, batch, err);
    else
        on_refused(partition, batch, err);
    flow_check_budget(worker);
}
