/*
 * Dead letters are acknowledged by Kafka before the offsets of their batch move, so a crash in
 * between sends them again (their id is the record's place, so readers see one) but never loses
 * one. Whether a batch may go on is asked of its items (policy/apply/batch_gate.h), never counted
 * here.
 *
 *   queue ─► outbox ─► told ─► the item is safe ─► settle: commit, give up, or the next loop turn
 *                        └ larger than the topic takes: once more, cut as far as the rule allows,
 *                          then its partition halts and nothing of its batch is written
 */

#include <stdlib.h>
#include <string.h>

#include "common/policy/apply/batch_gate.h"
#include "common/model/message/dead_letter.h"
#include "worker/outbox.h"
#include "worker/pending_children.h"
#include "worker/worker.h"

/* Whose dead letter is on its way. A batch is recycled only when none of its own is left. */
struct dead_letter_sending {
    struct batch *batch; /* with `item`; NULL: the dead letter of `orphan` */
    struct batch_item *item;
    const struct pending_orphan *orphan;
    bool bare; /* it was refused once: headers that may go are left out */
};

static bool is_waiting(const struct batch_item *item)
{
    return item->decided && item->verdict == CLASS_DEAD && item->message && !item->dead_lettered;
}

/* Makes the dead letter and puts it into the outbox, which owns a copy of all of it. */
static enum outcome queue_dead_letter(struct worker *worker, const struct message_view *message,
                                      const struct dead_letter_place *place,
                                      const struct error *reason, int attempts,
                                      const struct dead_letter_sending *way, struct error *err)
{
    struct dead_letter_message dead_letter;
    enum outcome outcome =
        dead_letter_make(message, place, reason, attempts, outbox_message_max(worker->dead_letters),
                         way->bare, &dead_letter, err);
    if (outcome == OUT_OK) {
        struct dead_letter_sending *kept = malloc(sizeof *kept);
        if (!kept)
            abort();
        *kept = *way;
        outbox_put(worker->dead_letters, place->partition % outbox_partitions(worker->dead_letters),
                   &dead_letter.view, kept);
    }
    dead_letter_free(&dead_letter);
    return outcome;
}

static enum outcome queue_item(struct worker *worker, const struct dead_letter_sending *way,
                               struct error *err)
{
    static const struct error UNKNOWN = {.code = ERR_PG_DATA};
    struct batch *batch = way->batch;
    const struct batch_item *item = way->item;
    struct dead_letter_place place = {worker->source, batch->fence.partition, item->offset};
    struct message_view message;
    struct header *headers;
    bus_view_whole(worker->bus, item->message, &headers, &message);
    enum outcome outcome = queue_dead_letter(
        worker, &message, &place, item->err ? item->err : &UNKNOWN, batch->attempts + 1, way, err);
    free(headers);
    if (outcome == OUT_OK)
        batch->dead_letters_pending++;
    return outcome;
}

static enum outcome queue_orphan(struct worker *worker, const struct dead_letter_sending *way,
                                 struct error *err)
{
    const struct pending_orphan *orphan = way->orphan;
    struct dead_letter_place place = {worker->source, orphan->partition, orphan->offset};
    struct message_view message = message_of(&orphan->message);
    return queue_dead_letter(worker, &message, &place, &orphan->err, 1, way, err);
}

enum outcome dead_letters_send_orphan(struct worker *worker, const struct pending_orphan *orphan,
                                      struct error *err)
{
    return queue_orphan(worker, &(struct dead_letter_sending){.orphan = orphan}, err);
}

/* The dead letter of a batch's record cannot be had: its batch is not written. */
static void give_up_batch(struct worker *worker, struct batch *batch, const struct error *err)
{
    struct partition *partition = batch->owner;
    if (err->outcome == OUT_REJECT && partition)
        partition_halt(partition, err); /* the others go on */
    else if (err->outcome != OUT_REJECT)
        worker_fail(worker, err);
}

void dead_letters_send(struct partition *partition)
{
    struct error err;
    struct batch *batch = partition->current;
    if (batch->redelivered) /* they were sent before the batch was committed */
        return;
    for (size_t i = 0; i < batch->count; i++) {
        struct dead_letter_sending way = {.batch = batch, .item = &batch->items[i]};
        if (!is_waiting(way.item) || queue_item(partition->worker, &way, &err) == OUT_OK)
            continue;
        give_up_batch(partition->worker, batch, &err);
        return;
    }
}

/* None of the batch's dead letters is on its way any more. */
static void settle(struct worker *worker, struct batch *batch)
{
    struct error err;
    if (!batch->in_sink) {
        if (!batch->owner)
            partition_orphan(worker, batch);
        return; /* else the loop's turn goes on with it */
    }
    if (batch->owner && batch_gate_commit(batch, &err) == OUT_OK) {
        sink_commit(worker->sink, batch);
        return;
    }
    if (batch->owner)
        give_up_batch(worker, batch, &err);
    sink_give_up(worker->sink, batch);
}

void dead_letters_on_rejected(void *owner, struct batch *batch)
{
    struct worker *worker = owner;
    if (batch->owner)
        dead_letters_send(batch->owner);
    if (!batch->dead_letters_pending)
        settle(worker, batch);
}

/* True when the dead letter is on its way once more. */
static bool send_bare(struct worker *worker, struct dead_letter_sending *way, struct error *err)
{
    if (err->outcome != OUT_REJECT || way->bare || (way->batch && !way->batch->owner))
        return false;
    way->bare = true;
    return (way->batch ? queue_item(worker, way, err) : queue_orphan(worker, way, err)) == OUT_OK;
}

static void on_told_batch(struct worker *worker, struct dead_letter_sending *way,
                          enum outcome outcome, struct error *err)
{
    struct batch *batch = way->batch;
    if (outcome == OUT_OK)
        way->item->dead_lettered = true;
    else if (!send_bare(worker, way, err))
        give_up_batch(worker, batch, err);
    if (--batch->dead_letters_pending == 0) /* last: until then nobody recycles the batch */
        settle(worker, batch);
}

static void on_told_orphan(struct worker *worker, struct dead_letter_sending *way,
                           enum outcome outcome, struct error *err)
{
    if (outcome != OUT_OK && send_bare(worker, way, err))
        return;
    worker->pending_told(worker->pending, outcome == OUT_OK);
    if (outcome != OUT_OK)
        worker_fail(worker, err);
}

void dead_letters_on_told(void *owner, void *item, enum outcome outcome, const struct error *err)
{
    struct worker *worker = owner;
    struct dead_letter_sending *way = item;
    struct error why = {0};
    if (outcome != OUT_OK) {
        why = *err;
        if (why.code == ERR_KAFKA_SIZE) {
            why.code = ERR_DEAD_LETTER_SIZE;
            why.hint[0] = '\0';
        }
    }
    if (way->batch)
        on_told_batch(worker, way, outcome, &why);
    else if (worker->pending)
        on_told_orphan(worker, way, outcome, &why);
    free(way);
}
