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

#include "worker/dead_letters.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/policy/apply/batch_gate.h"
#include "common/model/message/dead_letter.h"
#include "common/port/sink.h"

/* Whose dead letter is on its way. A batch is recycled only when none of its own is left. */
struct dead_letter_sending {
    struct batch *batch; /* with `item`; NULL: the dead letter of `orphan` */
    struct batch_item *item;
    const struct pending_orphan *orphan;
    struct outbox_tally *tally; /* of `orphan` */
    bool bare;                  /* it was refused once: headers that may go are left out */
};

static bool is_waiting(const struct batch_item *item)
{
    return item->decided && item->verdict == CLASS_DEAD && item->message && !item->dead_lettered;
}

/* Makes the dead letter and puts it into the outbox, which owns a copy of all of it. */
static enum outcome queue_dead_letter(struct dead_letters *dead_letters,
                                      const struct message_view *message,
                                      const struct dead_letter_place *place,
                                      const struct error *reason, int attempts,
                                      const struct dead_letter_sending *way, struct error *err)
{
    struct dead_letter_message dead_letter;
    enum outcome outcome =
        dead_letter_make(message, place, reason, attempts, outbox_message_max(dead_letters->outbox),
                         way->bare, &dead_letter, err);
    if (outcome == OUT_OK) {
        struct dead_letter_sending *kept = mem_alloc(sizeof *kept);
        *kept = *way;
        outbox_put(dead_letters->outbox, place->partition % outbox_partitions(dead_letters->outbox),
                   &dead_letter.view, kept);
    }
    dead_letter_free(&dead_letter);
    return outcome;
}

static enum outcome queue_item(struct dead_letters *dead_letters,
                               const struct dead_letter_sending *way, struct error *err)
{
    static const struct error UNKNOWN = {.code = ERR_PG_DATA};
    struct batch *batch = way->batch;
    const struct batch_item *item = way->item;
    struct dead_letter_place place = {dead_letters->partitions->config->source,
                                      batch->fence.partition, item->offset, item->log_version};
    struct message_view message;
    struct header *headers;
    bus_view_whole(dead_letters->partitions->config->bus, item->message, &headers, &message);
    enum outcome outcome =
        queue_dead_letter(dead_letters, &message, &place, item->err ? item->err : &UNKNOWN,
                          batch->attempts + 1, way, err);
    free(headers);
    if (outcome == OUT_OK)
        batch->dead_letters_pending++;
    return outcome;
}

/* As of a record that is refused at once: of one that brought no version its place in the log,
 * which is the version that its row got. */
static int64_t log_version_of(const struct dead_letters *dead_letters,
                              const struct pending_orphan *orphan)
{
    struct record record;
    const struct mapping *mapping =
        mapping_set_find(&dead_letters->partitions->config->mappings, orphan->entity);
    bool is_stamped = mapping && mapping->version_source == VERSION_STAMPED &&
                      envelope_decode(&orphan->message, &record, NULL) == OUT_OK &&
                      !record.has_version;
    return is_stamped ? orphan->version : 0;
}

static enum outcome queue_orphan(struct dead_letters *dead_letters,
                                 const struct dead_letter_sending *way, struct error *err)
{
    const struct pending_orphan *orphan = way->orphan;
    struct dead_letter_place place = {.topic = dead_letters->partitions->config->source,
                                      .partition = orphan->partition,
                                      .offset = orphan->offset,
                                      .log_version = log_version_of(dead_letters, orphan)};
    struct message_view message = message_of(&orphan->message);
    return queue_dead_letter(dead_letters, &message, &place, &orphan->err, 1, way, err);
}

enum outcome dead_letters_send_orphan(struct dead_letters *dead_letters,
                                      const struct pending_orphan *orphan,
                                      struct outbox_tally *tally, struct error *err)
{
    const struct dead_letter_sending way = {.orphan = orphan, .tally = tally};
    enum outcome outcome = queue_orphan(dead_letters, &way, err);
    tally->on_way += outcome == OUT_OK;
    return outcome;
}

/* The dead letter of a batch's record cannot be had: its batch is not written. */
static void give_up_batch(struct dead_letters *dead_letters, struct batch *batch,
                          const struct error *err)
{
    struct partition *partition = batch->owner;
    if (err->outcome == OUT_REJECT && partition)
        partition_halt(partition, err); /* the others go on */
    else if (err->outcome != OUT_REJECT)
        state_fail(dead_letters->partitions->state, err);
}

void dead_letters_send(struct dead_letters *dead_letters, struct partition *partition)
{
    struct error err;
    struct batch *batch = partition->current;
    if (batch->redelivered) /* they were sent before the batch was committed */
        return;
    for (size_t i = 0; i < batch->count; i++) {
        struct dead_letter_sending way = {.batch = batch, .item = &batch->items[i]};
        if (!is_waiting(way.item) || queue_item(dead_letters, &way, &err) == OUT_OK)
            continue;
        give_up_batch(dead_letters, batch, &err);
        return;
    }
}

/* None of the batch's dead letters is on its way any more. */
static void settle(struct dead_letters *dead_letters, struct batch *batch)
{
    struct error err;
    if (!batch->in_sink) {
        if (!batch->owner)
            partition_orphan(dead_letters->partitions, batch);
        return; /* else the loop's turn goes on with it */
    }
    if (batch->owner && batch_gate_commit(batch, &err) == OUT_OK) {
        sink_commit(dead_letters->ports->sink, batch);
        return;
    }
    if (batch->owner)
        give_up_batch(dead_letters, batch, &err);
    sink_give_up(dead_letters->ports->sink, batch);
}

void dead_letters_on_rejected(struct dead_letters *dead_letters, struct batch *batch)
{
    if (batch->owner)
        dead_letters_send(dead_letters, batch->owner);
    if (!batch->dead_letters_pending)
        settle(dead_letters, batch);
}

/* True when the dead letter is on its way once more. */
static bool send_bare(struct dead_letters *dead_letters, struct dead_letter_sending *way,
                      struct error *err)
{
    if (err->outcome != OUT_REJECT || way->bare || (way->batch && !way->batch->owner))
        return false;
    way->bare = true;
    return (way->batch ? queue_item(dead_letters, way, err)
                       : queue_orphan(dead_letters, way, err)) == OUT_OK;
}

static void on_told_batch(struct dead_letters *dead_letters, struct dead_letter_sending *way,
                          enum outcome outcome, struct error *err)
{
    struct batch *batch = way->batch;
    if (outcome == OUT_OK)
        way->item->dead_lettered = true;
    else if (!send_bare(dead_letters, way, err))
        give_up_batch(dead_letters, batch, err);
    if (--batch->dead_letters_pending == 0) /* last: until then nobody recycles the batch */
        settle(dead_letters, batch);
}

static void on_told_orphan(struct dead_letters *dead_letters, struct dead_letter_sending *way,
                           enum outcome outcome, struct error *err)
{
    if (outcome != OUT_OK && send_bare(dead_letters, way, err))
        return;
    outbox_tally_told(way->tally, outcome);
    if (outcome != OUT_OK)
        state_fail(dead_letters->partitions->state, err);
}

void dead_letters_on_told(void *owner, void *item, enum outcome outcome, const struct error *err)
{
    struct dead_letters *dead_letters = owner;
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
        on_told_batch(dead_letters, way, outcome, &why);
    else
        on_told_orphan(dead_letters, way, outcome, &why);
    free(way);
}
