#include "verifier/receipts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plural.h"
#include "common/io/clock.h"
#include "common/model/message/receipt.h"
#include "common/model/message/record.h"
#include "verifier/history.h"

#define EARLIEST_MS 1577836800000 /* 2020: of receipts */
#define CLOCKS_APART_MS 3600000
#define BATCHES_MAX 200000 /* 40 bytes each; more are not tested */
#define RUNS_MAX 1000
#define SETTLED_MAX 1000000 /* 16 bytes each; of more the dead letters are not tested */

/* One batch receipt. The same batch twice (the worker was cut off before it could note that it had
 * written the receipt) is one receipt. */
struct batch_receipt {
    int32_t partition;
    int64_t first, next;
    uint64_t counted; /* over all classes */
    uint64_t told_dead, told_waiting;
    uint64_t dead;    /* with those that had waited */
    uint64_t waiting; /* and not known to be settled */
    uint64_t listed;  /* places of its offsets that receipts list as dead-lettered */
};

struct receipts {
    struct batch_receipt *batches;
    size_t count, room;
    bool overflowed;
    char (*runs)[64];
    size_t run_count;
    struct settled_item *settled; /* what became of records that waited */
    size_t settled_count, settled_room;
    int64_t settled_round;
    struct diff_dead dead; /* the places that receipts list as dead-lettered */
    bool dead_overflowed;
    bool joined; /* join_all was called since the last receipt */
};

static void note_dead(struct receipts *receipts, int32_t partition, int64_t offset)
{
    const struct dead_letter dead = {.partition = partition, .offset = offset};
    if (!diff_dead_add(&receipts->dead, &dead))
        receipts->dead_overflowed = true;
}

static void take_dead(struct receipts *receipts, struct bytes json, const char *group)
{
    struct receipt_dead dead;
    if (!receipt_parse_dead(json, bytes_text(group), &dead))
        return;
    for (size_t i = 0; i < dead.count; i++)
        note_dead(receipts, dead.partition, dead.offsets[i]);
    free(dead.offsets);
}

/* For the plots. A clock that is wrong by years would stretch them to one bucket. */
static void note_flow(struct verify_run *run, const struct receipt_summary *summary,
                      uint64_t records)
{
    int64_t latest_ms = clock_unix_ms() + CLOCKS_APART_MS;
    if (summary->committed_ms >= EARLIEST_MS && summary->committed_ms <= latest_ms)
        time_buckets_add(&run->report.flow, summary->committed_ms, records, summary->lag);
}

static void take_batch(struct verify_run *run, const struct receipt_summary *summary)
{
    struct receipts *receipts = run->receipts;
    struct batch_receipt receipt = {.partition = summary->partition,
                                    .first = summary->first,
                                    .next = summary->next,
                                    .told_dead = summary->counts[CLASS_DEAD],
                                    .told_waiting = summary->counts[CLASS_WAITING]};
    for (int i = 0; i < CLASS_COUNT; i++)
        receipt.counted += summary->counts[i];
    note_flow(run, summary, receipt.counted);
    if (receipts->count == BATCHES_MAX) {
        receipts->overflowed = true;
        return;
    }
    receipts->batches = mem_grown(receipts->batches, &receipts->room, receipts->count + 1,
                                  sizeof *receipts->batches);
    receipts->batches[receipts->count++] = receipt;
    receipts->joined = false;
}

/* Sent again, it has the round of the first. */
static void take_settled(struct receipts *receipts, struct bytes json)
{
    struct settled_receipt receipt;
    if (receipt_parse_settled(json, &receipt, NULL) != OUT_OK)
        return;
    bool is_new = receipt.round > receipts->settled_round;
    size_t wanted = receipts->settled_count + receipt.count;
    if (is_new && wanted <= SETTLED_MAX) {
        receipts->settled = mem_grown(receipts->settled, &receipts->settled_room, wanted,
                                      sizeof *receipts->settled);
        for (size_t i = 0; i < receipt.count; i++) {
            receipts->settled[receipts->settled_count++] = receipt.items[i];
            if (receipt.items[i].the_class == CLASS_DEAD)
                note_dead(receipts, receipt.items[i].partition, receipt.items[i].offset);
        }
    }
    receipts->overflowed = receipts->overflowed || wanted > SETTLED_MAX;
    if (is_new)
        receipts->settled_round = receipt.round;
    receipt_free_settled(&receipt);
}

static void take_produce(struct verify_run *run, const struct receipt_summary *summary)
{
    struct receipts *receipts = run->receipts;
    if (record_run_follows(bytes_text(summary->run)))
        return; /* what it rejected is told by source, and taken back when it is put right */
    for (size_t i = 0; i < receipts->run_count; i++)
        if (strcmp(receipts->runs[i], summary->run) == 0)
            return;
    if (receipts->run_count == RUNS_MAX) {
        receipts->overflowed = true;
        return;
    }
    if (!receipts->runs)
        receipts->runs = mem_zeroed(RUNS_MAX, sizeof *receipts->runs);
    memcpy(receipts->runs[receipts->run_count++], summary->run, sizeof *receipts->runs);
    run->rejected += summary->counts[CLASS_REJECTED];
    run->withheld += summary->counts[CLASS_WITHHELD];
}

static int compare_batches(const void *left, const void *right)
{
    const struct batch_receipt *a = left, *b = right;
    return verify_run_compare_places(a->partition, a->first, b->partition, b->first);
}

/* Sorts, and drops repeats. */
static void join_batches(struct receipts *receipts, const struct verify_run *run)
{
    size_t kept = 0;
    int64_t next = 0;
    int32_t partition = -1;
    if (receipts->count)
        qsort(receipts->batches, receipts->count, sizeof *receipts->batches, compare_batches);
    for (size_t i = 0; i < receipts->count; i++) {
        const struct batch_receipt *receipt = &receipts->batches[i];
        if (receipt->partition < 0 || (size_t)receipt->partition >= run->report.partition_count)
            continue;
        if (receipt->partition != partition) {
            partition = receipt->partition;
            next = run->report.partitions[partition].low;
        }
        if (receipt->next <= next)
            continue; /* a repeat, or below what the topic still holds */
        next = receipt->next;
        receipts->batches[kept++] = *receipt;
    }
    receipts->count = kept;
}

/* The offsets no receipt tells of although a later one is there. */
static uint64_t count_holes(const struct receipts *receipts, const struct verify_run *run)
{
    uint64_t holes = 0;
    int64_t next = 0;
    int32_t partition = -1;
    for (size_t i = 0; i < receipts->count; i++) {
        const struct batch_receipt *receipt = &receipts->batches[i];
        if (receipt->partition != partition)
            next = run->report.partitions[receipt->partition].low;
        partition = receipt->partition;
        if (receipt->first > next)
            holes += (uint64_t)(receipt->first - next) -
                     holes_in(&run->holes, partition, next, receipt->first);
        next = receipt->next;
    }
    return holes;
}

struct place {
    int32_t partition;
    int64_t offset;
};

static int compare_place(const void *key, const void *element)
{
    const struct place *item = key;
    const struct batch_receipt *receipt = element;
    if (item->partition != receipt->partition)
        return item->partition < receipt->partition ? -1 : 1;
    return item->offset < receipt->first ? -1 : item->offset >= receipt->next;
}

/* The receipt that tells of the place, after join_batches. NULL: there is none. */
static struct batch_receipt *find_batch(const struct receipts *receipts, int32_t partition,
                                        int64_t offset)
{
    const struct place place = {partition, offset};
    return receipts->count ? bsearch(&place, receipts->batches, receipts->count,
                                     sizeof *receipts->batches, compare_place)
                           : NULL;
}

/* Those that waited leave that class of their batch for the one they ended in. */
static void settle_batches(struct receipts *receipts)
{
    for (size_t i = 0; i < receipts->count; i++) {
        struct batch_receipt *receipt = &receipts->batches[i];
        receipt->dead = receipt->told_dead;
        receipt->waiting = receipt->told_waiting;
        receipt->listed = 0;
    }
    for (size_t i = 0; i < receipts->settled_count; i++) {
        const struct settled_item *item = &receipts->settled[i];
        struct batch_receipt *receipt = find_batch(receipts, item->partition, item->offset);
        if (!receipt || receipt->waiting == 0)
            continue;
        receipt->waiting--;
        receipt->dead += item->the_class == CLASS_DEAD;
    }
    for (size_t i = 0; i < receipts->dead.capacity; i++) {
        const struct dead_letter *dead = &receipts->dead.dead_letters[i];
        struct batch_receipt *receipt =
            dead->offset < 0 ? NULL : find_batch(receipts, dead->partition, dead->offset);
        if (receipt)
            receipt->listed++;
    }
}

static void join_all(struct receipts *receipts, const struct verify_run *run)
{
    join_batches(receipts, run);
    settle_batches(receipts);
    receipts->joined = true;
}

bool receipts_deny_dead(const struct verify_run *run, int32_t partition, int64_t offset)
{
    const struct receipts *receipts = run->receipts;
    if (!receipts || !receipts->joined || receipts->dead_overflowed || run->options.read_once ||
        diff_dead_find(&receipts->dead, partition, offset))
        return false;
    const struct batch_receipt *receipt = find_batch(receipts, partition, offset);
    return receipt && receipt->waiting == 0 && receipt->listed >= receipt->dead;
}

static uint64_t found_dead(const struct verify_run *run, const struct batch_receipt *receipt)
{
    uint64_t found = 0;
    for (int64_t offset = receipt->first; offset < receipt->next; offset++)
        found += diff_dead_find(&run->dead, receipt->partition, offset) != NULL &&
                 !receipts_deny_dead(run, receipt->partition, offset);
    return found;
}

/* The workers told of batches, and the store knows of none: it is not the one they wrote to. */
static void test_store(const struct receipts *receipts, struct verify_run *run)
{
    struct verify_report *report = &run->report;
    for (size_t i = 0; i < report->partition_count; i++)
        if (report->partitions[i].snapshot_end > report->partitions[i].low)
            return;
    if (receipts->count)
        verify_report_warn(report,
                           "%s: the receipts tell of records up to offset %" PRId64
                           " of %s-%d, the store has committed none: it was emptied, or is another",
                           error_code_id(ERR_STORE_OTHER), receipts->batches[0].next,
                           run->topics[TOPIC_SOURCE], receipts->batches[0].partition);
}

/* Only batches below the snapshot are known in full. */
void receipts_test(struct verify_run *run)
{
    struct receipts *receipts = run->receipts;
    struct verify_report *report = &run->report;
    if (!receipts)
        return;
    join_all(receipts, run);
    uint64_t holes = count_holes(receipts, run);
    test_store(receipts, run);
    bool hushed = run->options.read_once && receipts->overflowed; /* its worker is beside it */
    if (((holes && !run->holes.overflowed) || receipts->overflowed) && !hushed)
        verify_report_warn(report,
                           "hints incomplete: receipts of %" PRIu64
                           " record%s are not in %s (the verdicts do not need them)",
                           holes, plural_end(holes), run->topics[TOPIC_RESULTS]);
    for (size_t i = 0; i < receipts->count; i++) {
        const struct batch_receipt *receipt = &receipts->batches[i];
        if (receipt->next > report->partitions[receipt->partition].snapshot_end)
            continue;
        uint64_t offsets = (uint64_t)(receipt->next - receipt->first);
        uint64_t records =
            offsets - holes_in(&run->holes, receipt->partition, receipt->first, receipt->next);
        bool may_be = receipt->counted >= records && receipt->counted <= offsets; /* compaction */
        if (!may_be && !run->holes.overflowed)
            verify_report_warn(report,
                               "the worker's receipt of %s-%d@%" PRId64 " counts %" PRIu64
                               " records of %" PRIu64,
                               run->topics[TOPIC_SOURCE], receipt->partition, receipt->first,
                               receipt->counted, records);
        uint64_t dead = found_dead(run, receipt);
        /* an orphan's dead letter is there before its receipt */
        if (dead < receipt->dead || dead > receipt->dead + receipt->waiting)
            verify_report_warn(report,
                               "the worker's receipt of %s-%d@%" PRId64 " counts %" PRIu64
                               " dead letters, the topic holds %" PRIu64,
                               run->topics[TOPIC_SOURCE], receipt->partition, receipt->first,
                               receipt->dead, dead);
    }
}

static enum outcome refuse_readings(const struct verify_run *run, struct error *err)
{
    error_set(err, OUT_FATAL, run->options.read_once ? ERR_STORE_MEMORY : ERR_VERIFY_MEMORY,
              "the readings of more than %zu sources do not fit the memory budget",
              run->readings.count);
    if (!run->options.read_once)
        error_hint(err, "give --memory %zum", (size_t)(run->settings->verify_memory >> 19));
    return OUT_FATAL;
}

static enum outcome take_message(void *owner, const struct bus_message *message, struct error *err)
{
    struct verify_run *run = owner;
    struct receipts *receipts = run->receipts;
    struct receipt_summary summary;
    if (reading_is_one(message->envelope.value))
        return history_take_reading(run, message->envelope.value) ? OUT_OK
                                                                  : refuse_readings(run, err);
    bool is_receipt = receipt_parse(message->envelope.value, &summary, NULL) == OUT_OK;
    if (!run->options.read_once && (!is_receipt || summary.counts[CLASS_DEAD]))
        take_dead(receipts, message->envelope.value, run->settings->group); /* or a further part */
    if (!is_receipt)
        return OUT_OK;
    if (summary.group[0] && strcmp(summary.group, run->settings->group) != 0)
        return OUT_OK;     /* a replay's, or other workers' */
    if (summary.is_loaded) /* of classes between which no verdict makes a difference */
        return OUT_OK;
    if (summary.is_settled)
        take_settled(receipts, message->envelope.value);
    else if (summary.is_produce)
        take_produce(run, &summary);
    else
        take_batch(run, &summary);
    run->receipts_bytes = receipts->room * sizeof *receipts->batches +
                          receipts->settled_room * sizeof *receipts->settled +
                          receipts->dead.capacity * sizeof *receipts->dead.dead_letters;
    return OUT_OK;
}

enum outcome receipts_read(struct verify_run *run, struct error *err)
{
    if (!run->receipts) {
        run->receipts = mem_zeroed(1, sizeof *run->receipts);
        diff_dead_init(&run->receipts->dead, VERIFY_LISTED_SHARE(run->memory_max));
    }
    enum outcome outcome = verify_run_read_new(run, TOPIC_RESULTS, take_message, err);
    if (outcome == OUT_OK && !run->options.read_once)
        join_all(run->receipts, run);
    return outcome;
}

void receipts_free(struct verify_run *run)
{
    struct receipts *receipts = run->receipts;
    if (!receipts)
        return;
    diff_dead_free(&receipts->dead);
    free(receipts->batches);
    free(receipts->settled);
    free(receipts->runs);
    free(receipts);
    run->receipts = NULL;
}
