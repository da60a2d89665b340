#include "verifier/verify_session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plural.h"
#include "common/io/clock.h"
#include "common/io/mappings.h"
#include "common/io/report_folder.h"
#include "common/io/stores.h"
#include "common/policy/verify/verify_next.h"
#include "verifier/actual.h"
#include "verifier/expected.h"
#include "verifier/history.h"
#include "verifier/moving.h"
#include "verifier/reads/reads_sample.h"
#include "verifier/receipts.h"
#include "verifier/recheck.h"
#include "verifier/side_checks.h"
#include "verifier/source_check.h"
#include "verifier/untaken.h"

#define MEMORY_MIN (16u << 20)
#define FIRST_KEYS 4096 /* read_once: the table grows */

struct verify_session {
    struct verify_run run;
    bool fed; /* at least once */
    uint64_t opened_ms;
};

/* ---- opening ----------------------------------------------------------------------------- */

static enum outcome check_memory(struct verify_run *run, struct error *err)
{
    if (!run->options.read_once && run->memory_max < MEMORY_MIN)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY, "the memory budget is below 16 MiB");
    return OUT_OK;
}

static enum outcome take_scope(struct verify_run *run, struct error *err)
{
    enum outcome outcome = scope_init(&run->scope, run->settings, &run->mappings, err);
    run->report.only_tenant = run->scope.tenant;
    return outcome;
}

/* Before any work: what takes hours would end there. Who reads once has tried it. */
static enum outcome try_report_folder(struct verify_run *run, struct error *err)
{
    return run->options.read_once ? OUT_OK : report_folder_try(run->settings->report_dir, err);
}

static enum outcome name_topics(struct verify_run *run, struct error *err)
{
    return topic_format_all(run->settings->prefix, run->settings->migration, run->topics, err);
}

static enum outcome take_mappings(struct verify_run *run, struct error *err)
{
    if (!run->options.mappings)
        return mapping_set_load(run->settings, &run->mappings, err);
    run->mappings = *run->options.mappings;
    return OUT_OK;
}

static void init_run(struct verify_run *run, const struct settings *settings,
                     const struct verify_options *options)
{
    struct verify_report *report = &run->report;
    bool quiet = options->read_once || settings->quiet || settings->plain;
    verify_run_init_work(run, settings);
    run->options = *options;
    run->memory_max = options->read_once ? settings->store_memory : settings->verify_memory;
    report->memory_bytes = run->memory_max;
    report->source_files = settings->verify_sources.count;
    report->passes = 1;
    diff_dead_init(&run->dead,
                   options->read_once ? run->memory_max : VERIFY_DEAD_SHARE(run->memory_max));
    diff_dead_init(&run->waiting, VERIFY_DEAD_SHARE(run->memory_max));
    diff_untaken_init(&run->untaken,
                      options->read_once ? run->memory_max : VERIFY_UNTAKEN_SHARE(run->memory_max));
    history_init(run);
    report->readings = &run->readings;
    verify_progress_init(&run->progress, options->read_once ? -1 : settings->progress_fd, quiet);
}

/* A bus that does not answer is asked again when there is something to be verified. */
static uint64_t count_messages(const struct verify_run *run)
{
    struct error ignored;
    struct bus_range *ranges = NULL;
    size_t count = 0;
    uint64_t messages = 0;
    if (bus_ranges(run->options.bus, run->topics[TOPIC_SOURCE], VERIFY_BUS_MS, &ranges, &count,
                   &ignored) != OUT_OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        messages += (uint64_t)(ranges[i].to - ranges[i].from);
    free(ranges);
    return messages;
}

/* Who holds it says when everything is written; the files are there before. */
static enum outcome wait_for_store(struct verify_run *run, struct error *err)
{
    if (!run->options.hold)
        return OUT_OK;
    enum outcome outcome = source_check_read_ahead(run, count_messages(run), err);
    uint64_t from_ms = clock_monotonic_ms();
    if (outcome == OUT_OK)
        run->options.hold();
    run->held_ms = clock_monotonic_ms() - from_ms;
    run->report.started_ms = clock_unix_ms();
    return outcome;
}

/* Of the settings' store: the snapshot first, as no checkpoint in it can be beyond the topic's ends
 * that are read after it. */
static enum outcome open_store(struct verify_run *run, struct error *err)
{
    const struct verify_store *given = run->options.store;
    run->has_cells = given ? given->has_cells : !store_keeps_documents(store_of(run->settings));
    if (given)
        return OUT_OK; /* when it is read */
    const struct store *store = store_of(run->settings);
    if (store->read_generations &&
        store->read_generations(run->settings, &run->mappings, err) != OUT_OK)
        return OUT_FATAL;
    return run->has_cells ? pg_snapshot_open(run->settings, VERIFY_APPLICATION, &run->mappings,
                                             &run->snapshot, err)
                          : verify_run_open_store(run, &run->store, err);
}

static enum outcome take_ranges(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    struct bus_range *ranges = NULL;
    size_t count = 0;
    const char *topic = run->topics[TOPIC_SOURCE];
    struct verify_cursor *cursor = &run->cursors[TOPIC_SOURCE];
    enum outcome outcome = bus_ranges(run->options.bus, topic, VERIFY_BUS_MS, &ranges, &count, err);
    if (outcome == OUT_OK && count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC,
                            "there is no migration %s: it has no topic", run->settings->migration);
        error_where(err, "%s", topic);
    }
    if (outcome != OUT_OK)
        return outcome;
    report->partitions = mem_zeroed(count, sizeof *report->partitions);
    *cursor = (struct verify_cursor){mem_zeroed(count, sizeof *cursor->next), count};
    report->partition_count = count;
    for (size_t i = 0; i < count; i++) {
        report->partitions[i] = (struct verify_partition){ranges[i].partition, ranges[i].from,
                                                          ranges[i].from, ranges[i].to};
        report->evicted += (uint64_t)ranges[i].from;
    }
    free(ranges);
    return OUT_OK;
}

/* Of a topic whose end is below what was committed: it was made anew under the old progress. */
static void check_ends(struct verify_run *run)
{
    struct verify_report *report = &run->report;
    for (size_t i = 0; i < report->partition_count; i++) {
        struct verify_partition *at = &report->partitions[i];
        if (at->snapshot_end <= at->high)
            continue;
        verify_report_break(report,
                            "%s-%d ends at %" PRId64 ", but the group has committed %" PRId64
                            ": the topic was made anew, or is another one",
                            run->topics[TOPIC_SOURCE], at->partition, at->high, at->snapshot_end);
        at->snapshot_end = at->high;
    }
}

/* The topic's ends of now. */
static enum outcome take_ends(struct verify_run *run, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(run->options.bus, run->topics[TOPIC_SOURCE], VERIFY_BUS_MS,
                                      &ranges, &count, err);
    for (size_t i = 0; i < count && i < run->report.partition_count; i++)
        run->report.partitions[i].high = ranges[i].to;
    free(ranges);
    return outcome;
}

/* Those of a store that moves are read after the ends, so these are asked for once more. */
static enum outcome take_checkpoints(struct verify_run *run, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!run->options.store)
        outcome =
            verify_run_checkpoints(run, run->snapshot, run->store, run->report.partitions, err);
    if (outcome == OUT_OK && moving_is_needed(run))
        outcome = take_ends(run, err);
    if (outcome == OUT_OK)
        check_ends(run);
    return outcome;
}

/* Needs the mappings and the store. */
static enum outcome take_facts(struct verify_run *run, struct error *err)
{
    (void)err;
    verify_facts_take(&run->facts, run->settings, &run->mappings,
                      run->snapshot ? pg_snapshot_server(run->snapshot) : NULL, &run->report.facts);
    run->report.facts.began_ms = run->report.started_ms;
    run->report.mappings = &run->mappings;
    return OUT_OK;
}

typedef enum outcome session_step(struct verify_run *run, struct error *err);

/* Until NULL, or a failure. */
static enum outcome take_steps(session_step *const *steps, struct verify_run *run,
                               struct error *err)
{
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && *steps)
        outcome = (*steps++)(run, err);
    return outcome;
}

enum outcome verify_session_open(const struct settings *settings,
                                 const struct verify_options *options,
                                 struct verify_session **session, struct error *err)
{
    static session_step *const STEPS[] = {
        check_memory, take_scope,    try_report_folder, verify_run_take_mask_key,
        name_topics,  take_mappings, wait_for_store,    open_store,
        take_facts,   take_ranges,   take_checkpoints,  NULL};
    struct verify_session *made = mem_zeroed(1, sizeof *made);
    made->opened_ms = clock_monotonic_ms();
    init_run(&made->run, settings, options);
    enum outcome outcome = take_steps(STEPS, &made->run, err);
    *session = outcome == OUT_OK ? made : NULL;
    if (outcome != OUT_OK)
        verify_session_close(made);
    return outcome;
}

void verify_session_close(struct verify_session *session)
{
    if (!session)
        return;
    struct verify_run *run = &session->run;
    verify_progress_clear(&run->progress);
    pg_snapshot_close(run->snapshot);
    if (run->store)
        run->store->ops->close(run->store);
    diff_table_free(&run->table);
    diff_dead_free(&run->dead);
    diff_dead_free(&run->waiting);
    diff_untaken_clear(&run->untaken);
    history_free(run);
    side_sealed_close(run);
    source_check_free(run->source_check);
    receipts_free(run);
    free(run->pending);
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        free(run->cursors[kind].next);
    free(run->clocks);
    free(run->cut_clocks);
    holes_free(&run->holes);
    pass_map_free(&run->pass_map);
    if (!run->options.mappings)
        mapping_set_free(&run->mappings);
    verify_run_free_work(run);
    free(session);
}

/* ---- feeding ----------------------------------------------------------------------------- */

static enum outcome make_table(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    uint64_t all = 0; /* what lags has its keys as well */
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct verify_partition *at = &report->partitions[i];
        int64_t end = at->high > at->snapshot_end ? at->high : at->snapshot_end; /* fed beyond */
        all += (uint64_t)(end - at->low);
    }
    if (!run->options.read_once) {
        report->passes = diff_passes(all, VERIFY_TABLE_SHARE(run->memory_max));
        verify_progress_expect(&run->progress, all, report->passes);
        pass_map_begin(&run->pass_map, report->partitions, report->partition_count, report->passes,
                       VERIFY_PASS_SHARE(run->memory_max));
    }
    return verify_run_make_table(run, run->options.read_once ? FIRST_KEYS : all, err);
}

/* What is known before any message is read. */
static enum outcome begin(struct verify_run *run, struct error *err)
{
    enum outcome outcome = side_pending(run, err);
    if (outcome == OUT_OK && !run->options.store)
        outcome = side_sealed_open(run, err);
    if (outcome == OUT_OK)
        outcome = make_table(run, err);
    if (outcome == OUT_OK)
        expected_begin(run);
    return outcome == OUT_OK ? source_check_begin(run, err) : outcome;
}

enum outcome verify_session_feed(struct verify_session *session, const int64_t *ends,
                                 struct error *err)
{
    struct verify_run *run = &session->run;
    struct verify_report *report = &run->report;
    for (size_t i = 0; ends && i < report->partition_count; i++)
        if (ends[i] > report->partitions[i].snapshot_end)
            report->partitions[i].snapshot_end = ends[i];
    enum outcome outcome = receipts_read(run, err);
    if (outcome == OUT_OK)
        outcome = history_read_decisions(run, err);
    if (outcome == OUT_OK)
        outcome = expected_read_dead_letters(run, err);
    if (outcome == OUT_OK && !session->fed)
        outcome = begin(run, err);
    session->fed = true;
    if (outcome == OUT_OK)
        outcome = expected_read(run, err);
    if (outcome == OUT_OK && !verify_run_fits(run, 0)) /* dead letters, receipts, what waits */
        outcome = error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                            "what is kept to compare does not fit the memory storage");
    return outcome;
}

int64_t verify_session_fed(const struct verify_session *session, enum topic_kind kind,
                           int32_t partition)
{
    const struct verify_cursor *cursor = &session->run.cursors[kind];
    return (size_t)partition < cursor->count ? cursor->next[partition] : 0;
}

size_t verify_session_bytes(const struct verify_session *session)
{
    return verify_run_bytes(&session->run);
}

void verify_session_note_produced(struct verify_session *session,
                                  const struct produce_counters *counters)
{
    struct verify_run *run = &session->run;
    struct verify_report *report = &run->report;
    if (!counters->failed_sources) { /* else they count the sources as well */
        free(run->rejected_codes);
        run->rejected_codes = mem_zeroed(PRODUCE_CODES_MAX, sizeof *run->rejected_codes);
        memcpy(run->rejected_codes, counters->by_code, sizeof counters->by_code);
    }
    if (!counters->failed_sources)
        return;
    verify_report_break(report, "%" PRIu64 " source%s could not be read whole",
                        counters->failed_sources, plural_end(counters->failed_sources));
}

/* ---- concluding -------------------------------------------------------------------------- */

/* A record has one verdict: what is wrong with its row by now, or that it lags. */
static void count_leader(struct verify_run *run, const struct diff_entry *entry)
{
    bool more;
    enum verdict verdict = (enum verdict)entry->verdict;
    uint64_t *counts = run->report.groups.items[entry->group].counts;
    bool by_itself = entry->lags == LAGS_RECORD;
    if (!diff_counts_leader(entry, by_itself || untaken_has(run, &entry->key), &more))
        return;
    if (by_itself && more) {
        if (verdict != VERDICT_LAGGING)
            counts[VERDICT_LAGGING]--, counts[verdict]++;
        return;
    }
    if (entry->lags == LAGS_HISTORY && !verdict_is_problem(verdict))
        verdict = VERDICT_LAGGING;
    counts[verdict]++;
    run->report.source_count += more;
}

/* First what got into no row, as a row may stand for a record of those. */
static void count_pass(struct verify_run *run)
{
    size_t at = 0;
    untaken_count(run);
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));)
        count_leader(run, entry);
}

static enum outcome judge_pass(struct verify_run *run, struct error *err)
{
    struct actual_extras extras = {mem_zeroed(VERIFY_RECHECK_MAX, sizeof *extras.items), 0};
    enum outcome outcome = actual_read(run, &extras, err);
    if (outcome == OUT_OK && run->options.read_once)
        recheck_name_only(run, &extras);
    else if (outcome == OUT_OK)
        outcome = recheck_run(run, &extras, err);
    if (outcome == OUT_OK)
        count_pass(run);
    if (outcome == OUT_OK && run->options.sample)
        reads_sample_settle(run->options.sample, &run->table, run->pass, run->report.passes);
    free(extras.items);
    return outcome;
}

/* The first pass was fed. */
static enum outcome judge_passes(struct verify_run *run, struct error *err)
{
    enum outcome outcome = judge_pass(run, err);
    for (run->pass = 1; run->pass < run->report.passes && outcome == OUT_OK; run->pass++) {
        diff_table_clear(&run->table);
        diff_untaken_clear(&run->untaken);
        expected_begin(run);
        outcome = expected_read(run, err);
        if (outcome == OUT_OK)
            outcome = expected_read_lagging(run, err);
        if (outcome == OUT_OK)
            outcome = judge_pass(run, err);
    }
    return outcome;
}

/* Of one that was fed the ends are asked once more: there may be messages nobody fed. */
static enum outcome read_rest(struct verify_run *run, struct error *err)
{
    enum outcome outcome = run->options.read_once ? take_ends(run, err) : OUT_OK;
    if (outcome == OUT_OK)
        outcome = expected_read_lagging(run, err);
    if (outcome == OUT_OK && run->options.read_once)
        outcome = expected_read_dead_letters(run, err);
    return outcome == OUT_OK ? expected_settle_pending(run, err) : outcome;
}

/* After the topic was read: which of its offsets are no messages is known then. */
static enum outcome test_receipts(struct verify_run *run, struct error *err)
{
    enum outcome outcome = receipts_read(run, err);
    if (outcome != OUT_OK)
        return outcome;
    receipts_test(run);
    history_test(run);
    return OUT_OK;
}

/* What needs no further reading. Policies hide rows without an error. */
static enum outcome count_beside(struct verify_run *run, struct error *err)
{
    (void)err;
    side_unexpected(run);
    history_count_rejected(run);
    if (!run->options.store && run->report.rows == 0 && run->report.compared > 0)
        verify_report_warn(&run->report,
                           "no row can be seen: if the tables are not empty, the role %s lacks "
                           "its policies (drover schema apply)",
                           run->settings->verifier_role);
    return OUT_OK;
}

static void finish_progress(struct verify_run *run)
{
    struct buf next;
    buf_init(&next, VERIFY_NEXT_MAX);
    verify_next_append(&run->report, &next);
    verify_progress_finish(&run->progress, buf_text(&next));
    buf_free(&next);
}

enum outcome verify_session_conclude(struct verify_session *session, struct error *err)
{
    static session_step *const STEPS[] = {read_rest,    judge_passes,     test_receipts,
                                          side_orphans, side_redis,       side_files,
                                          count_beside, source_check_run, NULL};
    struct verify_run *run = &session->run;
    enum outcome outcome = session->fed ? OUT_OK : verify_session_feed(session, NULL, err);
    if (outcome == OUT_OK)
        outcome = take_steps(STEPS, run, err);
    run->report.duration_ms = clock_monotonic_ms() - session->opened_ms - run->held_ms;
    run->report.facts.ended_ms = run->report.facts.written_ms = clock_unix_ms();
    if (outcome == OUT_OK)
        finish_progress(run);
    else
        verify_progress_clear(&run->progress);
    return outcome;
}

struct verify_report *verify_session_report(struct verify_session *session)
{
    return &session->run.report;
}
