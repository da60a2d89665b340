/* Receipts and dead letters, each message once: every reading goes on where the last one ended. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/model/message/dead_letter.h"
#include "control/status/status.h"

typedef void (*on_message)(struct status *status, const struct bus_message *message);

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

static void take_receipt(struct status *status, const struct bus_message *message)
{
    struct receipt_summary summary;
    if (receipt_parse(message->envelope.value, &summary, NULL) != OUT_OK)
        return;
    if (summary.is_settled) {
        take_settled(status, message->envelope.value);
    } else if (summary.is_loaded) {
        take_loaded(status, message->envelope.value);
    } else if (summary.is_produce) {
        status->rejected += summary.counts[CLASS_REJECTED];
        status->withheld += summary.counts[CLASS_WITHHELD];
    } else if (summary.partition >= 0 && summary.partition < status->partition_count &&
               (!summary.group[0] || strcmp(summary.group, status->settings->group) == 0)) {
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

static void count_all(struct status *status)
{
    memset(status->counts, 0, sizeof status->counts);
    for (int32_t i = 0; i < status->partition_count; i++) {
        count_partition(&status->partitions[i]);
        for (int c = 0; c < WORK_COUNT; c++)
            status->counts[c] += status->partitions[i].counts[c];
    }
    status->counts[WORK_REJECTED] = status->rejected;
    status->counts[WORK_WITHHELD] = status->withheld;
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

/* Remembers the id; false when it is known. */
static bool add_id(struct status *status, struct bytes id)
{
    uint64_t hash = hash64(id);
    size_t low = 0, high = status->dead_id_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (status->dead_ids[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < status->dead_id_count && status->dead_ids[low] == hash)
        return false;
    if (status->dead_id_count == status->dead_id_room) {
        status->dead_id_room = status->dead_id_room ? status->dead_id_room * 2 : 256;
        status->dead_ids =
            mem_resize(status->dead_ids, status->dead_id_room, sizeof(status->dead_ids[0]));
    }
    memmove(&status->dead_ids[low + 1], &status->dead_ids[low],
            (status->dead_id_count - low) * sizeof(status->dead_ids[0]));
    status->dead_ids[low] = hash;
    status->dead_id_count++;
    return true;
}

static struct status_code *find_code(struct status *status, const char *code)
{
    for (size_t i = 0; i < status->code_count; i++)
        if (strcmp(status->codes[i].code, code) == 0)
            return &status->codes[i];
    return NULL;
}

/* In the order of the codes; those that have none come last. There is room. */
static struct status_code *add_code(struct status *status, const char *code)
{
    size_t at = 0;
    while (at < status->code_count && strcmp(status->codes[at].code, code) < 0)
        at++;
    struct status_code *made = &status->codes[at];
    memmove(made + 1, made, (status->code_count - at) * sizeof(*made));
    status->code_count++;
    *made = (struct status_code){.count = 0};
    snprintf(made->code, sizeof(made->code), "%s", code);
    return made;
}

static void count_code(struct status *status, enum error_code code)
{
    static const char OTHER[] = "other";
    size_t max = sizeof(status->codes) / sizeof(status->codes[0]);
    const char *name = code == ERR_NONE ? OTHER : error_code_id(code); /* no header is printed */
    struct status_code *found = find_code(status, name);
    if (!found && status->code_count + 1 >= max) { /* the last place is for all that have none */
        name = OTHER;
        found = find_code(status, name);
    }
    if (!found)
        found = add_code(status, name);
    found->count++;
}

static void take_dead_letter(struct status *status, const struct bus_message *message)
{
    const struct dead_letter_origin origin = dead_letter_read(&message->envelope);
    if (origin.id.size == 0 || add_id(status, origin.id))
        count_code(status, origin.code);
}

/* What came since the last reading; `read` are the offsets it goes on from. */
static enum outcome find_new(struct status *status, const char *topic, const int64_t *read,
                             struct bus_range **ranges, size_t *count, bool *any, struct error *err)
{
    *any = false;
    enum outcome outcome = bus_ranges(status->bus, topic, status->timeout_ms, ranges, count, err);
    if (*count > (size_t)status->partition_count)
        *count = (size_t)status->partition_count;
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
    size_t count = 0;
    bool any;
    enum outcome outcome = find_new(status, topic, read, &ranges, &count, &any, err);
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
    if (outcome == OUT_OK)
        outcome = read_topic(status, TOPIC_DEAD_LETTERS, status->dead_read, take_dead_letter, err);
    count_all(status);
    return outcome;
}
