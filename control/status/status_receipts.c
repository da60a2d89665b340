/* Receipts, each message once: every reading goes on where the last one ended. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/message/reading.h"
#include "common/model/message/record.h"
#include "control/status/status.h"

static void settle(struct status *status, const struct settled_item *item)
{
    if (item->partition >= 0 && item->partition < status->partition_count)
        status->partitions[item->partition].settled[item->the_class]++;
}

/* They come in order, in one partition; one that was sent again has the round of the first. */
static void take_settled(struct status *status, struct bytes json)
{
    struct settled_receipt receipt;
    if (receipt_parse_settled(json, &receipt, NULL) != OUT_OK)
        return;
    for (size_t i = 0; i < receipt.count && receipt.round > status->settled_round; i++)
        settle(status, &receipt.items[i]);
    if (receipt.round > status->settled_round)
        status->settled_round = receipt.round;
    receipt_free_settled(&receipt);
}

/* Of a receipt made again after a crash, what is behind the last one that was told of. Where it
 * does not say which record is in which class, the first ones are those that were told. */
static void take_rest(const struct status_partition *partition, struct bytes json,
                      struct receipt_summary *summary)
{
    uint64_t rest[CLASS_COUNT] = {0};
    uint64_t known = (uint64_t)(partition->receipts_to - summary->first);
    bool exact = receipt_count_from(json, partition->receipts_to, rest);
    for (int i = 0; i < CLASS_COUNT; i++) {
        uint64_t drop = summary->counts[i] < known ? summary->counts[i] : known;
        known -= drop;
        summary->counts[i] = exact ? rest[i] : summary->counts[i] - drop;
    }
}

/* A batch may have two receipts, as it is sent again when its acknowledgement was lost, and cut
 * anew after a crash. Those of one partition come in order, so one that covers nothing new says
 * nothing new. */
static void take_batch(struct status *status, struct bytes json, struct receipt_summary *summary)
{
    struct status_partition *partition = &status->partitions[summary->partition];
    int64_t told =
        partition->receipts_to > partition->low ? partition->receipts_to : partition->low;
    if (summary->next <= partition->receipts_to)
        return;
    /* of a worker that was frozen between commit and receipt: the claim after its own tells all of
     * it again, record by record, and has told a part of it already */
    if (summary->first < partition->receipts_to && summary->epoch < partition->told_epoch)
        return;
    partition->told_epoch = summary->epoch;
    if (summary->first > told)
        partition->gaps += (uint64_t)(summary->first - told);
    else if (summary->first < partition->receipts_to)
        take_rest(partition, json, summary);
    partition->receipts_to = summary->next;
    for (int i = 0; i < CLASS_COUNT; i++)
        partition->told[i] += summary->counts[i];
}

/* They come in order, in one partition; one that was sent again has the number of the first. */
static void take_loaded(struct status *status, struct bytes json)
{
    struct loaded_receipt receipt;
    if (receipt_parse_loaded(json, bytes_text(status->settings->group), &receipt, NULL) != OUT_OK)
        return;
    for (size_t i = 0; i < receipt.count && receipt.number > status->loaded_number; i++) {
        const struct loaded_item *item = &receipt.items[i];
        if (item->partition >= 0 && item->partition < status->partition_count)
            status->partitions[item->partition].loaded[item->the_class] += item->count;
    }
    if (receipt.number > status->loaded_number)
        status->loaded_number = receipt.number;
    free(receipt.items);
}

static void take_reading(struct status *status, struct bytes json)
{
    struct reading reading;
    if (reading_parse(json, &reading, NULL) == OUT_OK &&
        !readings_add(&status->readings, &reading, (struct bytes){0}))
        status->readings_beyond++;
    reading_free(&reading);
}

/* Which one is current the checkpoint says. */
static bool take_halted(struct status *status, struct bytes json)
{
    struct halted halted;
    if (halted_parse(json, &halted, NULL) != OUT_OK)
        return false;
    if (halted.partition >= 0 && halted.partition < status->partition_count &&
        strcmp(halted.group, status->settings->group) == 0)
        status->halts[halted.partition] = (struct status_halt){true, halted};
    return true;
}

const struct halted *status_halted(const struct status *status, int32_t partition)
{
    const struct status_halt *halt = &status->halts[partition];
    const struct status_partition *at = &status->partitions[partition];
    bool current = halt->told && halted_is_current(&halt->halted, at->next_offset, at->epoch);
    return current ? &halt->halted : NULL;
}

static void take_receipt(struct status *status, const struct bus_message *message)
{
    struct receipt_summary summary;
    if (reading_is_one(message->envelope.value)) {
        take_reading(status, message->envelope.value);
        return;
    }
    if (take_halted(status, message->envelope.value))
        return;
    if (receipt_parse(message->envelope.value, &summary, NULL) != OUT_OK)
        return;
    if (summary.group[0] && strcmp(summary.group, status->settings->group) != 0)
        return; /* a replay's, or other workers' */
    if (summary.is_settled) {
        take_settled(status, message->envelope.value);
    } else if (summary.is_loaded) {
        take_loaded(status, message->envelope.value);
    } else if (summary.is_produce) {
        if (record_run_follows(bytes_text(summary.run)))
            return; /* it tells what is rejected of each source */
        status->run_rejected += summary.counts[CLASS_REJECTED];
        status->run_withheld += summary.counts[CLASS_WITHHELD];
    } else if (summary.partition >= 0 && summary.partition < status->partition_count) {
        take_batch(status, message->envelope.value, &summary);
    }
}

/* ---- the sums ---------------------------------------------------------------------------- */

static void take_from(uint64_t *count, uint64_t *excess)
{
    uint64_t taken = *count < *excess ? *count : *excess;
    *count -= taken;
    *excess -= taken;
}

/* They were told as applied, or as recovered. */
static void count_loaded(struct status_partition *partition)
{
    uint64_t left = 0;
    totals_add_receipt(partition->counts, partition->loaded);
    for (int i = 0; i < CLASS_COUNT; i++)
        left += partition->loaded[i];
    take_from(&partition->counts[WORK_APPLIED], &left);
    take_from(&partition->counts[WORK_RECOVERED], &left);
}

/* More may be settled than were told of as pending: a worker crashed, and before their batch's
 * receipt was made again they had got in, or were dead. There they count a second time. */
static void count_partition(struct status_partition *partition)
{
    uint64_t settled = 0, pending = partition->told[CLASS_WAITING];
    memset(partition->counts, 0, sizeof partition->counts);
    totals_add_receipt(partition->counts, partition->told);
    totals_add_receipt(partition->counts, partition->settled);
    for (int i = 0; i < CLASS_COUNT; i++)
        settled += partition->settled[i];
    uint64_t excess = settled > pending ? settled - pending : 0;
    partition->counts[WORK_PENDING] = settled < pending ? pending - settled : 0;
    take_from(&partition->counts[WORK_RECOVERED], &excess);
    take_from(&partition->counts[WORK_DEAD], &excess);
    count_loaded(partition);
    /* behind the last committed message there may be markers alone */
    int64_t next =
        partition->nothing_left ? partition->next_offset : partition->high - partition->lag;
    int64_t told =
        partition->receipts_to > partition->low ? partition->receipts_to : partition->low;
    uint64_t untold = next > told ? (uint64_t)(next - told) : 0;
    partition->counts[WORK_NO_RECEIPT] = partition->gaps + untold;
    partition->counts[WORK_TO_DO] = (uint64_t)partition->lag;
}

/* What the latest complete reading of each source says. */
static void count_sources(struct status *status)
{
    size_t at = 0;
    uint64_t rejected = status->run_rejected, withheld = status->run_withheld;
    status->sources = 0;
    status->produced = 0;
    for (const struct readings_entry *entry; (entry = readings_next(&status->readings, &at));) {
        status->sources += entry->complete && !entry->follows;
        status->produced += entry->produced;
        rejected += entry->rejected;
        withheld += entry->withheld;
    }
    status->counts[WORK_REJECTED] = rejected;
    status->counts[WORK_WITHHELD] = withheld;
    status->source_records =
        (status->sources ? status->produced : status->messages) + rejected + withheld;
}

static void count_all(struct status *status)
{
    memset(status->counts, 0, sizeof status->counts);
    for (int32_t i = 0; i < status->partition_count; i++) {
        count_partition(&status->partitions[i]);
        for (int c = 0; c < WORK_COUNT; c++)
            status->counts[c] += status->partitions[i].counts[c];
    }
    status->messages = totals_records(&TOTALS_WORK, status->counts);
    count_sources(status);
}

/* A receipt follows its commit, so none is ahead of the store that its worker writes to. */
static const struct status_partition *find_ahead(const struct status *status)
{
    for (int32_t i = 0; i < status->partition_count; i++)
        if (status->partitions[i].receipts_to > status->partitions[i].next_offset)
            return &status->partitions[i];
    return NULL;
}

static enum outcome check_store(struct status *status, struct error *err)
{
    const struct status_partition *ahead = find_ahead(status);
    enum outcome outcome = ahead ? status_read(status, err) : OUT_OK; /* committed meanwhile? */
    ahead = outcome == OUT_OK && ahead ? find_ahead(status) : NULL;
    if (!ahead)
        return outcome;
    outcome = error_set(err, OUT_RETRY, ERR_STORE_OTHER,
                        "the receipts tell of records up to offset %" PRId64
                        ", the store has committed them up to %" PRId64,
                        ahead->receipts_to, ahead->next_offset);
    error_cause(err, "%s",
                ahead->receipts_to > ahead->high
                    ? "the topic ends before that: it was made anew, and its receipts were not"
                    : "a load was given up (drover load abort) and is not read again yet, or this "
                      "store belongs to another migration, or is an older copy of it");
    if (ahead->receipts_to <= ahead->high)
        error_hint(err, "after drover load abort, and of an older copy: start the workers, they "
                        "catch up; else name the store that they write to (database.url, --group)");
    error_where(err, "%s-%d, group %s", status->topics[TOPIC_SOURCE],
                (int)(ahead - status->partitions), status->settings->group);
    return outcome;
}

/* Those about dead letters are the register's (status_dead_letters.c). */
static void take_decision(struct status *status, const struct bus_message *message)
{
    struct decision decision;
    if (decision_parse(message->envelope.value, &decision, NULL) == OUT_OK &&
        decision.kind == DECISION_SOURCE && !readings_decide(&status->readings, &decision))
        status->readings_beyond++;
    decision_free(&decision);
}

typedef void (*on_message)(struct status *status, const struct bus_message *message);

/* What came since the last reading; `read` are the offsets it goes on from. */
static enum outcome find_new(struct status *status, const char *topic, const int64_t *read,
                             size_t max, struct bus_range **ranges, size_t *count, bool *any,
                             struct error *err)
{
    *any = false;
    enum outcome outcome = bus_ranges(status->bus, topic, status->timeout_ms, ranges, count, err);
    if (*count > max)
        *count = max;
    for (size_t i = 0; i < *count; i++) {
        struct bus_range *range = &(*ranges)[i];
        if (range->from < read[i])
            range->from = read[i];
        *any = *any || range->from < range->to;
    }
    return outcome;
}

/* Each message moves its own place in `read`: when reading fails half-way the next reading goes on
 * behind what was taken, as few receipts tell by themselves that they came before. */
static enum outcome read_ranges(struct status *status, const char *topic,
                                const struct bus_range *ranges, size_t count, int64_t *read,
                                on_message take, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome =
        bus_open_reader(status->bus, topic, ranges, count, status->timeout_ms, &reader, err);
    if (outcome != OUT_OK)
        return outcome;
    while ((outcome = bus_reader_next(reader, status->timeout_ms, &message, err)) == OUT_OK &&
           message) {
        take(status, message);
        read[message->partition] = message->offset + 1;
    }
    bus_reader_close(reader);
    return outcome;
}

static enum outcome read_topic(struct status *status, enum topic_kind kind, int64_t *read,
                               on_message take, struct error *err)
{
    const char *topic = status->topics[kind];
    struct bus_range *ranges = NULL;
    size_t count = 0, max = kind == TOPIC_CONTROL ? 1 : (size_t)status->partition_count;
    bool any;
    enum outcome outcome = find_new(status, topic, read, max, &ranges, &count, &any, err);
    if (outcome == OUT_OK && any)
        outcome = read_ranges(status, topic, ranges, count, read, take, err);
    for (size_t i = 0; outcome == OUT_OK && i < count; i++)
        if (ranges[i].to > read[i])
            read[i] = ranges[i].to;
    free(ranges);
    return outcome;
}

enum outcome status_read_receipts(struct status *status, struct error *err)
{
    enum outcome outcome =
        read_topic(status, TOPIC_RESULTS, status->results_read, take_receipt, err);
    if (outcome == OUT_OK)
        outcome = check_store(status, err);
    if (outcome == OUT_OK) /* a decision is made about a reading that was told */
        outcome = read_topic(status, TOPIC_CONTROL, status->control_read, take_decision, err);
    count_all(status);
    return outcome;
}
