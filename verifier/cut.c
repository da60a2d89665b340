#include "verifier/cut.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/kafka_reader.h"
#include "common/io/pg_session.h"
#include "verifier/verify_limits.h"

enum outcome cut_open_snapshot(const struct verify_run *run, PGconn **session, struct error *err)
{
    const struct settings *settings = run->settings;
    *session = NULL;
    enum outcome outcome = pg_session_open(settings->database_url, settings->verifier_role,
                                           "drover-verify", VERIFY_CONNECT_MS, session, err);
    if (outcome == OUT_OK)
        outcome = pg_session_check_role(*session, err);
    /* The snapshot stays open while topics are read: pg_session's limits are for workers. */
    if (outcome == OUT_OK)
        outcome = pg_session_run(*session,
                                 "SET idle_in_transaction_session_timeout = 0;"
                                 "SET statement_timeout = 0",
                                 err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(*session,
                                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                 "SELECT 1", /* the first query takes the snapshot */
                                 err);
    if (outcome != OUT_OK) {
        PQfinish(*session);
        *session = NULL;
    }
    return outcome;
}

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

static void take_ranges(struct verify_run *run, const struct kafka_range *ranges, size_t count)
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
    struct kafka_range *ranges = NULL;
    size_t count = 0;
    /* The topic's ends are read after the snapshot was taken: no cut can be beyond them. */
    enum outcome outcome = cut_open_snapshot(run, &run->snapshot, err);
    if (outcome == OUT_OK)
        outcome = kafka_topic_ranges(run->settings, run->source_topic, VERIFY_KAFKA_MS, &ranges,
                                     &count, err);
    if (outcome == OUT_OK && count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the source topic does not exist");
        error_where(err, "%s", run->source_topic);
    }
    if (outcome == OUT_OK) {
        take_ranges(run, ranges, count);
        outcome = cut_read(run, run->snapshot, report->partitions, count, err);
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
