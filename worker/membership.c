/*
 * Kafka hands out partitions; the store decides where they go on. An assignment is answered only
 * when every partition has been claimed, a revocation only when no batch of theirs is with the
 * sink (or five seconds are over: the fence then keeps a late transaction out).
 */

#include "worker/membership.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/port/checkpoint.h"
#include "worker/pending_children.h"

#define REVOKE_MS 5000 /* fault row K01 */

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const struct replay_range *range_of(const struct worker_replay *replay, int32_t number)
{
    for (size_t i = 0; replay && i < replay->count; i++)
        if (replay->ranges[i].partition == number)
            return &replay->ranges[i];
    return NULL;
}

/* Asks the store where it goes on. */
static void claim(struct membership *membership, int32_t number)
{
    struct partitions *all = membership->partitions;
    all->items[number] = (struct partition){.all = all,
                                            .number = number,
                                            .state = PARTITION_CLAIMING,
                                            .range = range_of(all->config->replay, number),
                                            .backoff = BACKOFF_TRANSACTION};
    all->held_count++;
    membership->claims_waiting++;
    checkpoint_claim(membership->ports->checkpoint, number);
}

void membership_on_assigned(struct membership *membership, const int32_t *partitions, size_t count)
{
    struct partitions *all = membership->partitions;
    struct error err;
    if (all->state->phase != WORKER_RUNNING) /* stopping: nothing is taken any more */
        count = 0;
    log_line(LOG_INFO, "group.assigned", "partitions=%zu", count);
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] >= all->config->partition_total) {
            error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                      "topic %s has more partitions than the %d it started with",
                      all->config->source, all->config->partition_total);
            state_fail(all->state, &err);
            return;
        }
        claim(membership, partitions[i]);
    }
    if (count == 0 && bus_consumer_start(all->consumer, NULL, NULL, 0, &err) != OUT_OK)
        state_fail(all->state, &err);
}

/* Some of those that are held, as the group is told of them. */
struct places {
    int32_t *numbers;
    int64_t *offsets;
    size_t count;
};

static struct places new_places(const struct partitions *all)
{
    struct places places = {calloc(all->held_count + 1, sizeof *places.numbers),
                            calloc(all->held_count + 1, sizeof *places.offsets), 0};
    if (!places.numbers || !places.offsets)
        abort();
    return places;
}

static void add_place(struct places *places, int32_t number, int64_t offset)
{
    places->numbers[places->count] = number;
    places->offsets[places->count++] = offset;
}

static void free_places(struct places *places)
{
    free(places->numbers);
    free(places->offsets);
}

/* An assignment replaces the one before, so all that is read is named, each from where it stands;
 * when all claims are answered, also what was `claimed`. librdkafka keeps the pause of a partition
 * it gave up (FAULTS K23), so all is resumed; the budget pauses again what must wait. One that was
 * halted stays so, also when the others are claimed again. */
static void read_those(struct partitions *all, bool claimed)
{
    struct error err;
    struct places places = new_places(all);
    for (struct partition *next = NULL; (next = partitions_next(all, next));) {
        if (next->state != PARTITION_READING && !(claimed && next->state == PARTITION_CLAIMING))
            continue;
        next->state = PARTITION_READING;
        next->paused = false;
        add_place(&places, next->number, next->position);
    }
    all->over_budget = false;
    if (all->held)
        bus_consumer_hold(all->consumer, false);
    all->held = false;
    if (bus_consumer_start(all->consumer, places.numbers, places.offsets, places.count, &err) !=
        OUT_OK)
        state_fail(all->state, &err);
    bus_consumer_resume(all->consumer, places.numbers, places.count);
    free_places(&places);
}

void membership_read_again(struct partitions *all)
{
    read_those(all, false);
}

/* Without the numbers a gap could not be told from a beginning. */
static void halt_without_sequences(struct partition *partition)
{
    struct error err;
    error_set(&err, OUT_FATAL, ERR_SEQUENCES,
              "the stored sequence numbers of the partition cannot be read");
    error_where(&err, "%s-%d", partition->all->config->source, partition->number);
    if (partition->range)
        error_hint(&err, "%s --accept-gap begins with none", partition->all->config->replay->go_on);
    partition_halt(partition, &err);
}

/* Sets the runs' numbers, the clock, and where reading begins. False when what is stored cannot be
 * read and is not to be given up. */
static bool take_sequences(struct partition *partition, struct bytes stored)
{
    struct log_place place;
    bool ok = sequence_parse(stored, &partition->sequences, &place);
    if (!ok && partition->all->config->settings->accept_gap) {
        log_line(LOG_WARN, "sequences.given_up", "partition=%d", partition->number);
        memset(&partition->sequences, 0, sizeof partition->sequences);
        place = LOG_PLACE_NONE;
        ok = true;
    }
    partition->position =
        min(log_clock_start(&partition->log, partition->wanted, &place), partition->numbers_at);
    return ok;
}

void membership_on_claimed(struct membership *membership, int32_t number,
                           const struct checkpoint_row *row)
{
    struct partitions *all = membership->partitions;
    struct partition *partition = &all->items[number];
    if (partition->state != PARTITION_CLAIMING || all->state->revoking)
        return;
    partition->epoch = row->epoch;
    partition->next_offset = partition->redelivered_until = row->next_offset;
    partition->results_next = partition->results_stored = row->results_next;
    partition->receipts_from = row->results_next;
    /* only hybrid has a Redis that may be behind */
    partition->redis_next = all->config->store->has_stage ? row->redis_next : row->next_offset;
    partition->redis_saved = row->redis_next;
    partition->wanted = partition->batch_start =
        min(min(row->next_offset, row->results_next), partition->redis_next);
    partition->at_end = partition->range && partition->wanted >= partition->range->to;
    partition->numbers_at =
        partition->range ? replay_numbers_at(partition->range, row->next_offset) : row->next_offset;
    bool known = take_sequences(partition, row->sequences);
    log_line(LOG_INFO, "partition.claimed",
             "partition=%d epoch=%" PRId64 " next=%" PRId64 " from=%" PRId64, number, row->epoch,
             row->next_offset, partition->position);
    membership->claims_waiting--;
    if (!known)
        halt_without_sequences(partition);
    if (membership->claims_waiting == 0)
        read_those(all, true);
}

static void claim_again(struct membership *membership, struct partition *partition)
{
    partition_drop(partition);
    membership->partitions->held_count--;
    claim(membership, partition->number);
}

void membership_claim_again(struct membership *membership)
{
    struct partitions *all = membership->partitions;
    if (!state_is_working(all->state) || membership->claims_waiting)
        return;
    for (struct partition *next = NULL; (next = partitions_next(all, next));)
        if (next->state == PARTITION_READING || next->state == PARTITION_HALTING)
            claim_again(membership, next);
}

void membership_claim_one(struct membership *membership, struct partition *partition)
{
    if (state_is_working(partition->all->state) && partition->state != PARTITION_CLAIMING)
        claim_again(membership, partition);
}

/* ---- giving up --------------------------------------------------------------------------- */

void membership_commit(const struct membership *membership)
{
    const struct partitions *all = membership->partitions;
    struct places places = new_places(all);
    for (struct partition *next = NULL; (next = partitions_next(all, next));)
        if (next->state != PARTITION_CLAIMING && next->state != PARTITION_FENCED)
            add_place(&places, next->number, next->next_offset);
    bus_consumer_commit(all->consumer, places.numbers, places.offsets, places.count);
    free_places(&places);
}

/* Stores the watermarks and gives up the claims of everything held. */
static void release(struct membership *membership)
{
    struct partitions *all = membership->partitions;
    struct checkpoint *checkpoint = membership->ports->checkpoint;
    for (struct partition *next = NULL; (next = partitions_next(all, next));) {
        partition_drop(next);
        if (next->state != PARTITION_CLAIMING)
            checkpoint_release(checkpoint, next->number, next->epoch,
                               partition_redis_next(next, next->redis_next), next->results_next);
        next->state = PARTITION_AWAY;
    }
    checkpoint_forget_claims(checkpoint);
    all->held_count = membership->claims_waiting = 0;
}

void membership_leave(struct membership *membership)
{
    struct partitions *all = membership->partitions;
    if (all->consumer)
        membership_commit(membership);
    if (membership->ports->checkpoint)
        release(membership);
    bool gives_up = all->state->revoking;
    all->state->revoking = false;
    if (gives_up)
        bus_consumer_give_up(all->consumer);
}

void membership_on_revoked(struct membership *membership)
{
    struct partitions *all = membership->partitions;
    uint64_t now_ms = clock_now_ms(all->config->clock);
    if (all->state->phase >= WORKER_RELEASING) { /* everything was released already */
        bus_consumer_give_up(all->consumer);
        return;
    }
    log_line(LOG_INFO, "group.revoked", "partitions=%zu", all->held_count);
    all->state->revoking = true;
    membership->revoke_by_ms = now_ms + REVOKE_MS;
    membership_check_revoked(membership, now_ms);
}

void membership_check_revoked(struct membership *membership, uint64_t now_ms)
{
    struct partitions *all = membership->partitions;
    if (!all->state->revoking || (partitions_are_busy(all) && now_ms < membership->revoke_by_ms))
        return;
    outbox_turn(membership->results);
    membership_leave(membership);
}

/* Nothing of it is on its way, and Kafka has no more: by its own word, or because the next offset
 * is the end last heard of. (A word that was overtaken by a pause is not said again.) */
static bool is_at_end(const struct partition *partition)
{
    if (partition->state == PARTITION_HALTED)
        return true;
    if (partition->state != PARTITION_READING || partition->current || partition->queue_first ||
        partition->open)
        return false;
    int64_t end = bus_consumer_end(partition->all->consumer, partition->number);
    if (end >= 0 && end < partition->next_offset) /* it is halted when Kafka says where it ends */
        return false;
    return partition->at_end || (end >= 0 && partition->position >= end);
}

bool membership_at_end(const struct membership *membership)
{
    const struct worker_ports *ports = membership->ports;
    for (struct partition *next = NULL; (next = partitions_next(membership->partitions, next));)
        if (!is_at_end(next))
            return false;
    return pending_children_are_settled(ports->pending) &&
           (!ports->stage || redis_stage_is_settled(ports->stage));
}
