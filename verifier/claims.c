#include "verifier/claims.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/kafka/kafka_reader.h"
#include "common/model/message/receipt.h"
#include "verifier/verify_limits.h"

#define BATCHES_MOST 200000 /* 40 bytes each; more are not tested */
#define RUNS_MOST 1000
#define SETTLED_MOST 1000000 /* 16 bytes each; of more the dead letters are not tested */

/* One batch receipt. The same batch twice (the worker was cut off before it could note that it had
 * written the receipt) is one claim. */
struct batch_claim {
    int32_t partition;
    int64_t first, next;
    uint64_t counted; /* over all classes */
    uint64_t dead;
    uint64_t waiting; /* and not known to be settled */
};

struct claim_reading {
    struct batch_claim *batches;
    size_t count, room;
    bool overflowed;
    char (*runs)[64];
    size_t run_count;
    struct settled_item *settled; /* what became of records that waited */
    size_t settled_count, settled_room;
    int64_t settled_round;
};

static void take_batch(struct claim_reading *reading, const struct receipt_summary *summary)
{
    struct batch_claim claim = {.partition = summary->partition,
                                .first = summary->first,
                                .next = summary->next,
                                .dead = summary->counts[CLASS_DEAD],
                                .waiting = summary->counts[CLASS_WAITING]};
    for (int i = 0; i < CLASS_COUNT; i++)
        claim.counted += summary->counts[i];
    if (reading->count == BATCHES_MOST) {
        reading->overflowed = true;
        return;
    }
    if (reading->count == reading->room) {
        reading->room = reading->room ? 2 * reading->room : 64;
        reading->batches = realloc(reading->batches, reading->room * sizeof *reading->batches);
        if (!reading->batches)
            abort();
    }
    reading->batches[reading->count++] = claim;
}

/* Sent again, it has the round of the first. */
static void take_settled(struct claim_reading *reading, struct bytes json)
{
    struct settled_receipt receipt;
    if (receipt_parse_settled(json, &receipt, NULL) != OUT_OK)
        return;
    bool is_new = receipt.round > reading->settled_round;
    size_t wanted = reading->settled_count + receipt.count;
    if (is_new && wanted > reading->settled_room && wanted <= SETTLED_MOST) {
        reading->settled_room = 2 * wanted;
        reading->settled =
            realloc(reading->settled, reading->settled_room * sizeof *reading->settled);
        if (!reading->settled)
            abort();
    }
    if (is_new && wanted <= SETTLED_MOST)
        for (size_t i = 0; i < receipt.count; i++)
            reading->settled[reading->settled_count++] = receipt.items[i];
    reading->overflowed = reading->overflowed || wanted > SETTLED_MOST;
    if (is_new)
        reading->settled_round = receipt.round;
    receipt_free_settled(&receipt);
}

static void take_produce(struct claim_reading *reading, const struct receipt_summary *summary,
                         struct claims *claims)
{
    for (size_t i = 0; i < reading->run_count; i++)
        if (strcmp(reading->runs[i], summary->run) == 0)
            return;
    if (reading->run_count == RUNS_MOST) {
        reading->overflowed = true;
        return;
    }
    memcpy(reading->runs[reading->run_count++], summary->run, sizeof *reading->runs);
    claims->runs++;
    claims->rejected += summary->counts[CLASS_REJECTED];
    claims->withheld += summary->counts[CLASS_WITHHELD];
    claims->produced += summary->produced;
}

static int compare_batches(const void *left, const void *right)
{
    const struct batch_claim *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Drops repeats, and counts the offsets no receipt tells of although a later one is there. */
static uint64_t join_batches(struct claim_reading *reading, const struct verify_run *run)
{
    size_t kept = 0;
    uint64_t holes = 0;
    int64_t next = 0;
    int32_t partition = -1;
    if (reading->count)
        qsort(reading->batches, reading->count, sizeof *reading->batches, compare_batches);
    for (size_t i = 0; i < reading->count; i++) {
        const struct batch_claim *claim = &reading->batches[i];
        if (claim->partition < 0 || (size_t)claim->partition >= run->report.partition_count)
            continue;
        if (claim->partition != partition) {
            partition = claim->partition;
            next = run->report.partitions[partition].low;
        }
        if (claim->next <= next)
            continue; /* a repeat, or below what the topic still holds */
        if (claim->first > next)
            holes += (uint64_t)(claim->first - next) -
                     holes_in(&run->holes, partition, next, claim->first);
        next = claim->next;
        reading->batches[kept++] = *claim;
    }
    reading->count = kept;
    return holes;
}

static int compare_place(const void *key, const void *element)
{
    const struct settled_item *item = key;
    const struct batch_claim *claim = element;
    if (item->partition != claim->partition)
        return item->partition < claim->partition ? -1 : 1;
    return item->offset < claim->first ? -1 : item->offset >= claim->next;
}

/* Those that waited leave that class of their batch for the one they ended in. */
static void settle_batches(struct claim_reading *reading)
{
    for (size_t i = 0; i < reading->settled_count && reading->count; i++) {
        struct batch_claim *claim = bsearch(&reading->settled[i], reading->batches, reading->count,
                                            sizeof *reading->batches, compare_place);
        if (!claim || claim->waiting == 0)
            continue;
        claim->waiting--;
        claim->dead += reading->settled[i].the_class == CLASS_DEAD;
    }
}

static uint64_t found_dead(const struct verify_run *run, const struct batch_claim *claim)
{
    uint64_t found = 0;
    for (int64_t offset = claim->first; offset < claim->next; offset++)
        found += diff_dead_find(&run->dead, claim->partition, offset) != NULL;
    return found;
}

/* Only batches below the cut are known in full. */
/* The workers told of batches, and the store knows of none: it is not the one they wrote to. */
static void test_store(const struct claim_reading *reading, struct verify_run *run)
{
    struct verify_report *report = &run->report;
    for (size_t i = 0; i < report->partition_count; i++)
        if (report->partitions[i].cut > report->partitions[i].low)
            return;
    if (reading->count)
        verify_report_warn(report,
                           "%s: the receipts tell of records up to offset %" PRId64
                           " of %s-%d, the store has committed none: it was emptied, or is another",
                           error_code_id(ERR_STORE_OTHER), reading->batches[0].next,
                           run->source_topic, reading->batches[0].partition);
}

static void test_batches(struct claim_reading *reading, struct verify_run *run)
{
    struct verify_report *report = &run->report;
    uint64_t holes = join_batches(reading, run);
    settle_batches(reading);
    test_store(reading, run);
    if ((holes && !run->holes.overflowed) || reading->overflowed)
        verify_report_warn(report,
                           "hints incomplete: receipts of %" PRIu64
                           " records are not in %s (the verdicts do not need them)",
                           holes, run->results_topic);
    for (size_t i = 0; i < reading->count; i++) {
        const struct batch_claim *claim = &reading->batches[i];
        if (claim->next > report->partitions[claim->partition].cut)
            continue;
        uint64_t records = (uint64_t)(claim->next - claim->first) -
                           holes_in(&run->holes, claim->partition, claim->first, claim->next);
        if (claim->counted != records && !run->holes.overflowed)
            verify_report_warn(
                report,
                "the worker's receipt of %s-%d@%" PRId64 " counts %" PRIu64 " records of %" PRIu64,
                run->source_topic, claim->partition, claim->first, claim->counted, records);
        uint64_t dead = found_dead(run, claim);
        /* an orphan's letter is there before its receipt */
        if (dead < claim->dead || dead > claim->dead + claim->waiting)
            verify_report_warn(report,
                               "the worker's receipt of %s-%d@%" PRId64 " counts %" PRIu64
                               " dead letters, the topic holds %" PRIu64,
                               run->source_topic, claim->partition, claim->first, claim->dead,
                               dead);
    }
}

static void take_message(struct claim_reading *reading, const struct bus_message *message,
                         struct claims *claims)
{
    struct receipt_summary summary;
    if (receipt_parse(message->envelope.value, &summary, NULL) != OUT_OK)
        return;
    if (summary.is_settled)
        take_settled(reading, message->envelope.value);
    else if (summary.is_produce)
        take_produce(reading, &summary, claims);
    else
        take_batch(reading, &summary);
}

enum outcome claims_read(struct verify_run *run, struct claims *claims, struct error *err)
{
    struct claim_reading reading = {0};
    struct bus_range *ranges = NULL;
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    size_t count;
    *claims = (struct claims){0};
    enum outcome outcome = kafka_topic_ranges(run->settings, run->results_topic, VERIFY_KAFKA_MS,
                                              &ranges, &count, err);
    if (outcome != OUT_OK || count == 0)
        return outcome;
    reading.runs = calloc(RUNS_MOST, sizeof *reading.runs);
    if (!reading.runs)
        abort();
    outcome = kafka_reader_open(run->settings, run->results_topic, ranges, count, VERIFY_KAFKA_MS,
                                &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take_message(&reading, message, claims);
    }
    if (outcome == OUT_OK)
        test_batches(&reading, run);
    bus_reader_close(reader);
    free(reading.batches);
    free(reading.settled);
    free(reading.runs);
    free(ranges);
    return outcome;
}
