#include "verifier/cut.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/kafka/kafka_reader.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_stored.h"
#include "verifier/stores.h"
#include "verifier/verify_limits.h"

static bool read_number(const PGresult *result, int row, int column, int64_t *number)
{
    return text_parse_int64(
        bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)),
        number);
}

/* The topic's end is below what was committed: it was made anew under the old progress. */
static void warn_beyond(struct verify_run *run, const struct verify_partition *at, int64_t next)
{
    run->report.broken = true;
    verify_report_warn(&run->report,
                       "%s-%d ends at %" PRId64 ", but the group has committed %" PRId64
                       ": the topic was made anew, or is another one",
                       run->source_topic, at->partition, at->high, next);
}

enum outcome cut_read(struct verify_run *run, PGconn *session, struct verify_partition *partitions,
                      size_t count, struct error *err)
{
    PGresult *result = NULL;
    struct bytes params[2] = {bytes_text(run->settings->group), bytes_text(run->source_topic)};
    enum outcome outcome = pg_session_query(session,
                                            "SELECT partition, next_offset"
                                            " FROM drover.partition_progress"
                                            " WHERE \"group\" = $1::text AND topic = $2::text",
                                            params, 2, false, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    for (size_t i = 0; i < count; i++)
        partitions[i].cut = partitions[i].low;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t partition, next;
        if (!read_number(result, row, 0, &partition) || !read_number(result, row, 1, &next))
            continue;
        if (partition < 0 || (size_t)partition >= count) {
            run->report.broken = true;
            verify_report_warn(&run->report,
                               "progress is stored for partition %" PRId64
                               ", which the topic does not have",
                               partition);
            continue;
        }
        struct verify_partition *at = &partitions[partition];
        if (next > at->low)
            at->cut = next;
    }
    PQclear(result);
    return OUT_OK;
}

enum outcome cut_read_store(const struct verify_run *run, struct stored_reader *store,
                            struct verify_partition *partitions, size_t count, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        int64_t next = -1;
        outcome = store->ops->progress(store, run->settings->group, run->source_topic, (int32_t)i,
                                       &next, err);
        partitions[i].cut = next > partitions[i].low ? next : partitions[i].low;
    }
    return outcome;
}

static void take_ranges(struct verify_run *run, const struct bus_range *ranges, size_t count)
{
    struct verify_report *report = &run->report;
    report->partitions = calloc(count ? count : 1, sizeof *report->partitions);
    if (!report->partitions)
        abort();
    report->partition_count = count;
    for (size_t i = 0; i < count; i++) {
        report->partitions[i] = (struct verify_partition){ranges[i].partition, ranges[i].from,
                                                          ranges[i].from, ranges[i].to};
        report->evicted += (uint64_t)ranges[i].from;
    }
}

enum outcome cut_take(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    struct bus_range *ranges = NULL;
    size_t count = 0;
    /* The topic's ends are read after the snapshot was taken: no cut can be beyond them. */
    enum outcome outcome =
        verify_run_keeps_no_cells(run)
            ? stores_open(run, &run->store, err)
            : pg_stored_snapshot(run->settings, "drover-verify", &run->snapshot, err);
    if (outcome == OUT_OK)
        outcome = kafka_topic_ranges(run->settings, run->source_topic, VERIFY_KAFKA_MS, &ranges,
                                     &count, err);
    if (outcome == OUT_OK && count == 0)
        outcome = kafka_topics_no_migration(run->settings, err);
    if (outcome == OUT_OK) {
        take_ranges(run, ranges, count);
        outcome = run->store ? cut_read_store(run, run->store, report->partitions, count, err)
                             : cut_read(run, run->snapshot, report->partitions, count, err);
    }
    for (size_t i = 0; outcome == OUT_OK && i < count; i++) {
        struct verify_partition *at = &report->partitions[i];
        if (at->cut <= at->high)
            continue;
        warn_beyond(run, at, at->cut);
        at->cut = at->high;
    }
    free(ranges);
    return outcome;
}
