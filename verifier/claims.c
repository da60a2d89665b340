#include "verifier/claims.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/kafka_reader.h"
#include "common/model/receipt.h"
#include "verifier/verify_limits.h"

#define BATCHES_MOST 200000 /* 40 bytes each; more are not tested */
#define RUNS_MOST 1000

/* One batch receipt. The same batch twice (the worker was cut off before it could note that it had
 * written the receipt) is one claim. */
struct batch_claim {
    int32_t partition;
    int64_t first, next;
    uint64_t counted; /* over all classes */
    uint64_t dead;
};

struct claim_reading {
    struct batch_claim *batches;
    size_t count, room;
    bool overflowed;
    char (*runs)[64];
    size_t run_count;
};

static void take_batch(struct claim_reading *reading, const struct receipt_summary *summary)
{
    struct batch_claim claim = {summary->partition, summary->first, summary->next, 0,
                                summary->counts[CLASS_DEAD]};
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

static uint64_t found_dead(const struct verify_run *run, const struct batch_claim *claim)
{
    uint64_t found = 0;
    for (int64_t offset = claim->first; offset < claim->next; offset++)
        found += diff_dead_find(&run->dead, claim->partition, offset) != NULL;
    return found;
}

/* Only batches below the cut are known in full. */
static void test_batches(struct claim_reading *reading, struct verify_run *run)
{
    struct verify_report *report = &run->report;
    uint64_t holes = join_batches(reading, run);
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
        if (claim->dead != found_dead(run, claim))
            verify_report_warn(report,
                               "the worker's receipt of %s-%d@%" PRId64 " counts %" PRIu64
                               " dead letters, the topic holds %" PRIu64,
                               run->source_topic, claim->partition, claim->first, claim->dead,
                               found_dead(run, claim));
    }
}

static void take_message(struct claim_reading *reading, const struct kafka_read_message *message,
                         struct claims *claims)
{
    struct receipt_summary summary;
    if (receipt_parse(message->envelope.value, &summary, NULL) != OUT_OK)
        return;
    if (summary.is_produce)
        take_produce(reading, &summary, claims);
    else
        take_batch(reading, &summary);
}

enum outcome claims_read(struct verify_run *run, struct claims *claims, struct error *err)
{
    struct claim_reading reading = {0};
    struct kafka_range *ranges = NULL;
    struct kafka_reader *reader = NULL;
    const struct kafka_read_message *message = NULL;
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
        outcome = kafka_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take_message(&reading, message, claims);
    }
    if (outcome == OUT_OK)
        test_batches(&reading, run);
    kafka_reader_close(reader);
    free(reading.batches);
    free(reading.runs);
    free(ranges);
    return outcome;
}
