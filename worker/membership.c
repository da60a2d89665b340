/*
 * Kafka hands out partitions; the store decides where they go on. An assignment is answered only
 * when every partition has been claimed, a revocation only when no batch of theirs is with the
 * sink (or five seconds are over: the fence then keeps a late transaction out).
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "worker/outbox.h"
#include "worker/pending_children.h"
#include "worker/stall.h"
#include "worker/worker.h"

#define REVOKE_MS 5000 /* fault row K01 */

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Asks the store where it goes on. */
static void claim(struct worker *worker, int32_t number)
{
    struct partition *partition = &worker->partitions[number];
    memset(partition, 0, sizeof *partition);
    partition->worker = worker;
    partition->number = number;
    partition->state = PARTITION_CLAIMING;
    partition->backoff = BACKOFF_TRANSACTION;
    worker->held[number] = true;
    worker->held_count++;
    worker->claims_waiting++;
    checkpoint_claim(worker->checkpoint, number);
}

void membership_on_assigned(void *owner, const int32_t *partitions, size_t count)
{
    struct worker *worker = owner;
    struct error err;
    if (worker->phase != WORKER_RUNNING) /* stopping: nothing is taken any more */
        count = 0;
    log_line(LOG_INFO, "group.assigned", "partitions=%zu", count);
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] >= worker->partition_total) {
            error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                      "topic %s has more partitions than the %d it started with", worker->source,
                      worker->partition_total);
            worker_fail(worker, &err);
            return;
        }
        stalls_begin(worker->stalls, partitions[i]);
        claim(worker, partitions[i]);
    }
    if (count == 0 && bus_consumer_start(worker->consumer, NULL, NULL, 0, &err) != OUT_OK)
        worker_fail(worker, &err);
}

/* An assignment replaces the one before, so all that is read is named, each from where it stands;
 * when all claims are answered, also what was `claimed`. librdkafka keeps the pause of a partition
 * it gave up (FAULTS K23), so all is resumed; the budget pauses again what must wait. One that was
 * halted stays so, also when the others are claimed again. */
static void read_those(struct worker *worker, bool claimed)
{
    struct error err;
    int32_t *numbers = calloc(worker->held_count + 1, sizeof *numbers);
    int64_t *offsets = calloc(worker->held_count + 1, sizeof *offsets);
    size_t count = 0;
    if (!numbers || !offsets)
        abort();
    for (int32_t i = 0; i < worker->partition_total; i++) {
        struct partition *partition = &worker->partitions[i];
        bool reads = partition->state == PARTITION_READING ||
                     (claimed && partition->state == PARTITION_CLAIMING);
        if (!worker->held[i] || !reads)
            continue;
        partition->state = PARTITION_READING;
        partition->paused = false;
        numbers[count] = i;
        offsets[count++] = partition->position;
    }
    worker->over_budget = false;
    if (bus_consumer_start(worker->consumer, numbers, offsets, count, &err) != OUT_OK)
        worker_fail(worker, &err);
    bus_consumer_resume(worker->consumer, numbers, count);
    free(numbers);
    free(offsets);
}

static void start_reading(struct worker *worker)
{
    read_those(worker, true);
}

void membership_read_again(struct worker *worker)
{
    read_those(worker, false);
}

/* Without the numbers a gap could not be told from a beginning. */
static void halt_without_sequences(struct partition *partition)
{
    struct error err;
    error_set(&err, OUT_FATAL, ERR_SEQUENCES,
              "the stored sequence numbers of the partition cannot be read");
    error_where(&err, "%s-%d", partition->worker->source, partition->number);
    partition_halt(partition, &err);
}

/* Sets the runs' numbers, the clock, and where reading begins. False when what is stored cannot be
 * read and is not to be given up. */
static bool take_sequences(struct partition *partition, struct bytes stored)
{
    struct log_place place;
    bool ok = sequence_parse(stored, &partition->sequences, &place);
    if (!ok && partition->worker->settings->accept_gap) {
        log_line(LOG_WARN, "sequences.given_up", "partition=%d", partition->number);
        memset(&partition->sequences, 0, sizeof partition->sequences);
        place = LOG_PLACE_NONE;
        ok = true;
    }
    partition->position = log_clock_start(&partition->log, partition->wanted, &place);
    return ok;
}

void membership_on_claimed(void *owner, int32_t number, const struct checkpoint_row *row)
{
    struct worker *worker = owner;
    struct partition *partition = &worker->partitions[number];
    if (!worker->held[number] || partition->state != PARTITION_CLAIMING || worker->revoking)
        return;
    partition->epoch = row->epoch;
    partition->next_offset = partition->redelivered_until = row->next_offset;
    partition->results_next = partition->results_stored = row->results_next;
    partition->receipts_from = row->results_next;
    /* only hybrid has a Redis that may be behind */
    partition->redis_next = worker->stage ? row->redis_next : row->next_offset;
    partition->redis_saved = row->redis_next;
    partition->wanted = partition->batch_start =
        min(min(row->next_offset, row->results_next), partition->redis_next);
    bool known = take_sequences(partition, row->sequences);
    log_line(LOG_INFO, "partition.claimed",
             "partition=%d epoch=%" PRId64 " next=%" PRId64 " from=%" PRId64, number, row->epoch,
             row->next_offset, partition->position);
    worker->claims_waiting--;
    if (!known)
        halt_without_sequences(partition);
    if (worker->claims_waiting == 0)
        start_reading(worker);
}

static void claim_again(struct worker *worker, int32_t number)
{
    partition_drop(&worker->partitions[number]);
    worker->held_count--;
    claim(worker, number);
}

void membership_claim_again(struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING || worker->revoking || worker->claims_waiting)
        return;
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && worker->partitions[i].state == PARTITION_READING)
            claim_again(worker, i);
}

bool membership_claim_one(struct worker *worker, int32_t number)
{
    bool can = worker->phase == WORKER_RUNNING && !worker->revoking && worker->held[number] &&
               worker->partitions[number].state != PARTITION_CLAIMING;
    if (can)
        claim_again(worker, number);
    return can;
}

/* ---- giving up --------------------------------------------------------------------------- */

void membership_commit(struct worker *worker)
{
    int32_t *numbers = calloc(worker->held_count + 1, sizeof *numbers);
    int64_t *offsets = calloc(worker->held_count + 1, sizeof *offsets);
    size_t count = 0;
    if (!numbers || !offsets)
        abort();
    for (int32_t i = 0; i < worker->partition_total; i++) {
        enum partition_state state = worker->partitions[i].state;
        if (!worker->held[i] || state == PARTITION_CLAIMING || state == PARTITION_FENCED)
            continue;
        numbers[count] = i;
        offsets[count++] = worker->partitions[i].next_offset;
    }
    bus_consumer_commit(worker->consumer, numbers, offsets, count);
    free(numbers);
    free(offsets);
}

void membership_release(struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_total; i++) {
        struct partition *partition = &worker->partitions[i];
        if (!worker->held[i])
            continue;
        partition_drop(partition);
        if (partition->state != PARTITION_CLAIMING)
            checkpoint_release(worker->checkpoint, i, partition->epoch,
                               partition_redis_next(partition, partition->redis_next),
                               partition->results_next);
        worker->held[i] = false;
    }
    checkpoint_forget_claims(worker->checkpoint);
    worker->held_count = worker->claims_waiting = 0;
}

void membership_on_revoked(void *owner)
{
    struct worker *worker = owner;
    if (worker->phase >= WORKER_RELEASING) { /* everything was released already */
        bus_consumer_give_up(worker->consumer);
        return;
    }
    log_line(LOG_INFO, "group.revoked", "partitions=%zu", worker->held_count);
    worker->revoking = true;
    worker->revoke_by_ms = clock_now_ms(worker->clock) + REVOKE_MS;
    membership_check_revoked(worker, clock_now_ms(worker->clock));
}

void membership_check_revoked(struct worker *worker, uint64_t now_ms)
{
    if (!worker->revoking || (partitions_are_busy(worker) && now_ms < worker->revoke_by_ms))
        return;
    outbox_turn(worker->results);
    membership_commit(worker);
    membership_release(worker);
    worker->revoking = false;
    bus_consumer_give_up(worker->consumer);
}

/* Nothing of it is on its way, and Kafka has no more: by its own word, or because the next offset
 * is the end last heard of. (A word that was overtaken by a pause is not said again.) */
static bool is_at_end(const struct worker *worker, const struct partition *partition)
{
    if (partition->state == PARTITION_HALTED)
        return true;
    if (partition->state != PARTITION_READING || partition->current || partition->queue_first ||
        partition->open)
        return false;
    int64_t end = bus_consumer_end(worker->consumer, partition->number);
    if (end >= 0 && end < partition->next_offset) /* it is halted when Kafka says where it ends */
        return false;
    return partition->at_end || (end >= 0 && partition->position >= end);
}

bool membership_at_end(const struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && !is_at_end(worker, &worker->partitions[i]))
            return false;
    return pending_children_are_settled(worker->pending) &&
           (!worker->stage || redis_stage_is_settled(worker->stage));
}
