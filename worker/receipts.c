/*
 * One receipt a batch, keyed by its partition, into the same partition of the results topic. The
 * watermark results_next follows the acknowledgements (which come in order per partition) and is
 * stored with the next batch, or by itself when nothing else comes.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "worker/worker.h"

#define RECEIPT_MOST (8u << 20)

/* What is noted of a receipt on its way: where the watermark moves when it has arrived. */
struct receipt_way {
    int32_t partition;
    int64_t epoch, next;
};

static struct receipt_group *find_group(struct receipt *receipt, const struct batch_item *item)
{
    struct bytes entity = bytes_text(item->mapping->entity);
    for (size_t i = receipt->group_count; i-- > 0;) {
        struct receipt_group *group = &receipt->groups[i];
        if (bytes_equal(group->tenant, item->row.tenant) && bytes_equal(group->entity, entity))
            return group;
    }
    struct receipt_group *group = &receipt->groups[receipt->group_count++];
    *group = (struct receipt_group){.tenant = item->row.tenant, .entity = entity};
    return group;
}

/* Items in order are sorted by entity and tenant, so the newest group is nearly always the one. */
static void sum_groups(struct receipt *receipt, const struct batch *batch)
{
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        if (item->verdict != CLASS_APPLIED)
            continue;
        struct receipt_group *group = find_group(receipt, item);
        group->applied++;
        digest_add(&group->sum, &item->row.digest);
    }
}

static void list_rejects(struct receipt *receipt, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        receipt->counts[item->verdict]++;
        if (item->verdict != CLASS_DEAD && item->verdict != CLASS_CONFLICT)
            continue;
        enum error_code code = item->err                         ? item->err->code
                               : item->verdict == CLASS_CONFLICT ? ERR_VALUE_CONFLICT
                                                                 : ERR_PG_DATA;
        receipt->rejects[receipt->reject_count++] = (struct receipt_reject){
            .offset = item->offset, .code = error_code_id(code), .the_class = item->verdict};
    }
}

static void fill(struct receipt *receipt, struct partition *partition, const struct batch *batch)
{
    struct worker *worker = partition->worker;
    int64_t end = kafka_consumer_end(worker->consumer, partition->number);
    *receipt = (struct receipt){
        .worker = bytes_text(worker->name),
        .topic = bytes_text(worker->source),
        .partition = partition->number,
        .first = batch->fence.start,
        .next = batch->fence.end,
        .epoch = partition->epoch,
        .committed_ms = clock_unix_ms(),
        .lag = end > batch->fence.end ? end - batch->fence.end : 0,
        .recovered = batch->second_look || batch->outcome_unknown,
    };
    receipt->groups = calloc(batch->group_count + 1, sizeof *receipt->groups);
    receipt->rejects = calloc(batch->count + 1, sizeof *receipt->rejects);
    if (!receipt->groups || !receipt->rejects)
        abort();
    list_rejects(receipt, batch);
    sum_groups(receipt, batch);
}

static void send_receipt(struct partition *partition, struct buf *text, int64_t next)
{
    struct worker *worker = partition->worker;
    struct error err;
    char key[16];
    struct receipt_way *way = malloc(sizeof *way);
    if (!way)
        abort();
    *way = (struct receipt_way){partition->number, partition->epoch, next};
    int size = snprintf(key, sizeof key, "%d", partition->number);
    struct envelope envelope = {.key = bytes_of(key, (size_t)size), .value = buf_view(text)};
    envelope.headers[0] =
        (struct header){BYTES_LITERAL(HEADER_CONTENT_TYPE), BYTES_LITERAL("application/json")};
    envelope.header_count = 1;
    int32_t target = partition->number % kafka_sender_partitions(worker->results);
    enum outcome outcome;
    while ((outcome = kafka_sender_send(worker->results, target, &envelope, way, &err)) ==
           OUT_RETRY)
        if (kafka_sender_poll(worker->results, 100) == 0)
            break; /* Kafka is away: the receipt is made again after the next claim */
    if (outcome != OUT_OK) {
        free(way);
        partition->receipts_broken = true;
        log_error(LOG_WARN, "receipt.not_sent", &err);
    }
}

void receipts_send(struct partition *partition, const struct batch *batch)
{
    if (batch->fence.end <= partition->receipts_from)
        return; /* a second look for Redis's sake */
    struct receipt receipt;
    struct buf text;
    buf_init(&text, RECEIPT_MOST);
    fill(&receipt, partition, batch);
    receipt_append(&text, &receipt);
    if (!text.failed)
        send_receipt(partition, &text, batch->fence.end);
    buf_free(&text);
    free(receipt.groups);
    free(receipt.rejects);
}

void receipts_on_delivered(void *owner, void *item, enum outcome outcome, int32_t target,
                           int64_t offset, const struct error *err)
{
    struct worker *worker = owner;
    struct receipt_way *way = item;
    (void)target;
    (void)offset;
    struct partition *partition = &worker->partitions[way->partition];
    bool ours = worker->held[way->partition] && partition->epoch == way->epoch;
    if (outcome != OUT_OK) {
        log_error(LOG_WARN, "receipt.lost", err);
        partition->receipts_broken = ours || partition->receipts_broken;
    } else if (ours && !partition->receipts_broken && way->next > partition->results_next) {
        partition->results_next = way->next;
    }
    free(way);
}

void receipts_store(struct partition *partition)
{
    bool idle = !partition->current && !partition->queue_first;
    bool moved = partition->results_next > partition->results_stored ||
                 partition->redis_next > partition->redis_stored;
    if (!idle || !moved)
        return;
    partition->results_stored = partition->results_next;
    partition->redis_stored = partition->redis_next;
    progress_stages(partition->worker->progress, partition->number, partition->epoch,
                    partition->redis_next, partition->results_next);
}
