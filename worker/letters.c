/*
 * Dead letters are acknowledged by Kafka before the offsets of their batch move, so a crash in
 * between sends them again (their id is the record's place, so readers see one) but never loses
 * one.
 */

#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/kafka_message.h"
#include "common/io/log.h"
#include "worker/dead_letter.h"
#include "worker/letter_way.h"
#include "worker/parents.h"
#include "worker/worker.h"

static bool is_waiting(const struct batch_item *item)
{
    return item->decided && item->verdict == CLASS_DEAD && item->message && !item->dead_lettered;
}

static enum outcome send_one(struct partition *partition, struct batch *batch,
                             struct batch_item *item, struct error *err)
{
    struct worker *worker = partition->worker;
    static const struct error UNKNOWN = {.code = ERR_PG_DATA};
    struct envelope message, letter;
    struct letter_place place = {worker->source, partition->number, item->offset};
    kafka_message_view(item->message, &message);
    dead_letter_make(&message, &place, item->err ? item->err : &UNKNOWN, batch->attempts + 1,
                     &worker->text, &letter);
    struct letter_way *way = letter_way_new(batch, item);
    int32_t target = partition->number % kafka_sender_partitions(worker->letters);
    enum outcome outcome = letter_way_send(worker->letters, target, &letter, way, err);
    if (outcome != OUT_OK)
        free(way);
    return outcome;
}

void letters_send(struct partition *partition)
{
    struct error err;
    struct batch *batch = partition->current;
    if (batch->second_look) /* they were sent before the batch was committed */
        return;
    for (size_t i = 0; i < batch->count; i++) {
        if (!is_waiting(&batch->items[i]))
            continue;
        batch->letters_pending++; /* first: sending may serve delivery reports */
        if (send_one(partition, batch, &batch->items[i], &err) != OUT_OK) {
            batch->letters_pending--;
            worker_fail(partition->worker, &err);
            return;
        }
    }
}

static void go_on(struct partition *partition)
{
    if (partition->current->in_sink)
        sink_commit(partition->worker->sink, partition->current);
    else
        flow_pump(partition->worker);
}

void letters_on_rejected(void *owner, struct batch *batch)
{
    struct worker *worker = owner;
    struct partition *partition = batch->owner;
    if (!partition) {
        sink_give_up(worker->sink, batch);
        return;
    }
    letters_send(partition);
    if (!batch->letters_pending)
        sink_commit(worker->sink, batch);
}

void letters_on_delivered(void *owner, void *item, enum outcome outcome, int32_t target,
                          int64_t offset, const struct error *err)
{
    struct worker *worker = owner;
    struct letter_way *way = item;
    (void)target;
    (void)offset;
    struct batch *batch = way->batch;
    bool last = batch && --batch->letters_pending == 0;
    if (batch)
        way->item->dead_lettered = outcome == OUT_OK;
    else if (worker->parents)
        parents_on_delivered(worker->parents, outcome == OUT_OK);
    free(way);
    if (outcome != OUT_OK) {
        struct error fatal = *err;
        fatal.outcome = OUT_FATAL;
        worker_fail(worker, &fatal);
    }
    if (!batch)
        return;
    if (!batch->owner && last && batch->in_sink)
        sink_give_up(worker->sink, batch);
    else if (!batch->owner)
        flow_orphan(worker, batch);
    else if (last && outcome == OUT_OK)
        go_on(batch->owner);
}
