/*
 * One receipt a batch, keyed by its partition, into the same partition of the results topic; a
 * large one is cut into several messages (model/message/receipt.h). The watermark results_next
 * follows the acknowledgement of the last of them (they come in order per partition) and is stored
 * with the next batch, or by itself when nothing else comes.
 */

#include "worker/receipts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/policy/apply/batch_gate.h"
#include "common/port/checkpoint.h"

/* A message of a receipt has at most this many bytes; less when the topic takes less. */
#define PART_MAX ((size_t)512 << 10)
#define PART_AROUND 64 /* its key and header */

/* What is noted of a receipt's message on its way: where the watermark moves when it has arrived;
 * -1 unless it is the receipt's last. */
struct receipt_way {
    int32_t partition;
    int64_t epoch, next;
    struct outbox_tally *tally; /* of records that waited; else NULL */
};

/* The group of the rows' tenant, or of its share when `shared`. */
static struct receipt_group *find_group(struct receipt *receipt, const struct batch_group *rows,
                                        bool shared)
{
    struct bytes entity = bytes_text(rows->mapping->entity);
    struct bytes tenant = shared ? (struct bytes){0} : rows->tenant;
    int share = shared ? (int)(hash64(rows->tenant) % RECEIPT_SHARES) : 0;
    for (size_t i = receipt->group_count; i-- > 0;) {
        struct receipt_group *group = &receipt->groups[i];
        if (group->share == share && bytes_equal(group->tenant, tenant) &&
            bytes_equal(group->entity, entity))
            return group;
    }
    struct receipt_group *group = &receipt->groups[receipt->group_count++];
    *group = (struct receipt_group){.tenant = tenant, .share = share, .entity = entity};
    return group;
}

static void sum_groups(struct receipt *receipt, const struct batch *batch)
{
    bool shared = batch->group_count > RECEIPT_GROUPS_MAX;
    for (size_t g = 0; g < batch->group_count; g++) {
        const struct batch_group *rows = &batch->groups[g];
        struct receipt_group *group = NULL; /* made when one of them was applied */
        for (size_t i = rows->first; i < rows->first + rows->count; i++) {
            const struct batch_item *item = &batch->items[batch->order[i]];
            if (item->verdict != CLASS_APPLIED)
                continue;
            group = group ? group : find_group(receipt, rows, shared);
            group->applied++;
            digest_add(&group->sum, &item->row.digest);
        }
    }
}

static void list_rejects(struct receipt *receipt, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        enum record_class told = batch_told_class(batch, item);
        receipt->counts[told]++;
        if (receipt->runs)
            receipt_add_run(receipt, item->offset, told);
        if (item->verdict != CLASS_DEAD && item->verdict != CLASS_CONFLICT)
            continue;
        enum error_code code = item->err                         ? item->err->code
                               : item->verdict == CLASS_CONFLICT ? ERR_VALUE_CONFLICT
                                                                 : ERR_PG_DATA;
        receipt->rejects[receipt->reject_count++] = (struct receipt_reject){
            .offset = item->offset, .code = error_code_id(code), .the_class = item->verdict};
    }
}

static void fill(struct receipt *receipt, const struct partition *partition,
                 const struct batch *batch)
{
    const struct worker_config *config = partition->all->config;
    int64_t end = bus_consumer_end(partition->all->consumer, partition->number);
    *receipt = (struct receipt){
        .worker = bytes_text(config->name),
        .topic = bytes_text(config->source),
        .group = bytes_text(config->group),
        .partition = partition->number,
        .first = batch->fence.start,
        .next = batch->fence.end,
        .epoch = partition->epoch,
        .committed_ms = clock_wall_ms(config->clock),
        .lag = end > batch->fence.end ? end - batch->fence.end : 0,
        .recovered = batch_is_recovered(batch),
    };
    receipt->groups = calloc(batch->group_count + 1, sizeof *receipt->groups); /* shares: fewer */
    receipt->rejects = calloc(batch->count + 1, sizeof *receipt->rejects);
    /* Records that are read again (a crash, a load that was given up) come in batches cut anew. Who
     * waits is told of a second time when it no longer does, so it must be known who was told of.
     */
    bool again = receipt->recovered || batch_count(batch, CLASS_WAITING) > 0;
    receipt->runs = again ? calloc(batch->count + 1, sizeof *receipt->runs) : NULL;
    if (!receipt->groups || !receipt->rejects || (again && !receipt->runs))
        abort();
    list_rejects(receipt, batch);
    sum_groups(receipt, batch);
}

/* Hands the outbox one message, and `way` with it. */
static void put(struct receipts *receipts, int32_t partition, const char *key,
                const struct buf *text, const struct receipt_way *way)
{
    static const struct header TYPE = {BYTES_LITERAL(HEADER_CONTENT_TYPE),
                                       BYTES_LITERAL("application/json")};
    const struct message_view message = {
        .key = bytes_text(key), .value = buf_view(text), .headers = &TYPE, .header_count = 1};
    struct receipt_way *kept = mem_alloc(sizeof *kept);
    *kept = *way;
    outbox_put(receipts->outbox, partition, &message, kept);
}

void receipts_send_settled(struct receipts *receipts, int64_t round, struct settled_item *items,
                           size_t count, struct outbox_tally *tally)
{
    struct buf text;
    const struct worker_config *config = receipts->partitions->config;
    struct settled_receipt receipt = {bytes_text(config->name),
                                      bytes_text(config->source),
                                      bytes_text(config->group),
                                      round,
                                      items,
                                      count};
    buf_init(&text, PART_MAX);
    receipt_append_settled(&text, &receipt);
    tally->on_way++;
    /* those who read them need them in order: always the first partition */
    put(receipts, 0, "settled", &text, &(struct receipt_way){.tally = tally});
    buf_free(&text);
}

void receipts_send_halted(struct receipts *receipts, const struct halted *halted)
{
    char key[16];
    struct buf text;
    const struct receipt_way way = {halted->partition, halted->epoch, -1, NULL};
    snprintf(key, sizeof key, "%d", halted->partition);
    buf_init(&text, PART_MAX);
    halted_append(&text, halted);
    put(receipts, halted->partition % outbox_partitions(receipts->outbox), key, &text, &way);
    buf_free(&text);
}

static void put_receipt(struct receipts *receipts, const struct receipt *receipt)
{
    char key[16];
    struct buf text;
    struct receipt_cursor cursor = {0};
    size_t max = outbox_message_max(receipts->outbox);
    max = max > PART_MAX ? PART_MAX : max;
    max = max > PART_AROUND ? max - PART_AROUND : 0;
    snprintf(key, sizeof key, "%d", receipt->partition);
    buf_init(&text, 2 * PART_MAX); /* what has no list is not cut */
    do {
        buf_reset(&text);
        receipt_append_part(&text, receipt, max, &cursor);
        struct receipt_way way = {receipt->partition, receipt->epoch,
                                  cursor.more ? -1 : receipt->next, NULL};
        put(receipts, receipt->partition % outbox_partitions(receipts->outbox), key, &text, &way);
    } while (cursor.more);
    buf_free(&text);
}

/* A receipt says of each record of its batch in which class it is. */
static enum outcome check_counts(const struct receipt *receipt, const struct batch *batch,
                                 struct error *err)
{
    uint64_t counted = 0;
    for (int i = 0; i < CLASS_COUNT; i++)
        counted += receipt->counts[i];
    if (counted == batch->count)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_BATCH,
              "a receipt would count %" PRIu64 " records of the %zu of its batch", counted,
              batch->count);
    error_where(err, "%.*s-%d@%" PRId64, BYTES_ARGS(receipt->topic), receipt->partition,
                receipt->first);
    return OUT_FATAL;
}

enum outcome receipts_send(struct receipts *receipts, const struct partition *partition,
                           const struct batch *batch, struct error *err)
{
    struct receipt receipt;
    if (batch->fence.end <= partition->receipts_from)
        return OUT_OK; /* read again for Redis's sake */
    enum outcome outcome = batch_gate_written(batch, err);
    if (outcome != OUT_OK)
        return outcome;
    fill(&receipt, partition, batch);
    outcome = check_counts(&receipt, batch, err);
    if (outcome == OUT_OK)
        put_receipt(receipts, &receipt);
    free(receipt.groups);
    free(receipt.rejects);
    free(receipt.runs);
    return outcome;
}

void receipts_on_told(void *owner, void *item, enum outcome outcome, const struct error *err)
{
    const struct receipts *receipts = owner;
    struct receipt_way *way = item;
    struct partition *partition = partitions_find(receipts->partitions, way->partition);
    bool ours = partition && partition->epoch == way->epoch;
    if (way->tally) {
        outbox_tally_told(way->tally, outcome);
    } else if (outcome != OUT_OK) {
        log_error(LOG_WARN, "receipt.lost", err);
        if (ours)
            partition->receipts_broken = true;
    } else if (ours && !partition->receipts_broken && way->next > partition->results_next) {
        partition->results_next = way->next;
    }
    free(way);
}

void receipts_store(struct receipts *receipts, struct partition *partition)
{
    bool idle = !partition->current && !partition->queue_first;
    bool moved = partition->results_next > partition->results_stored ||
                 partition->redis_next > partition->redis_saved;
    if (!idle || !moved)
        return;
    partition->results_stored = partition->results_next;
    partition->redis_saved = partition->redis_next;
    checkpoint_advance(receipts->ports->checkpoint, partition->number, partition->epoch,
                       partition_redis_next(partition, partition->redis_next),
                       partition->results_next);
}
