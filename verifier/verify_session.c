#include "verifier/verify_session.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/io/clock.h"
#include "common/io/key_file.h"
#include "common/io/mappings.h"
#include "common/io/stores.h"
#include "common/model/message/tenant.h"
#include "common/policy/verify/diff_content.h"
#include "common/policy/verify/verify_mask.h"
#include "verifier/actual.h"
#include "verifier/dead_letters.h"
#include "verifier/expected.h"
#include "verifier/receipts.h"
#include "verifier/recheck.h"
#include "verifier/side_checks.h"
#include "verifier/source_check.h"

#define KEY_MAX (64u << 10)
#define RECORD_MAX (512u << 20)
#define MEMORY_MIN (16u << 20)
#define FIRST_KEYS 4096 /* read_once: the table grows */
#define FIRST_BYTES ((size_t)FIRST_KEYS * 80)

struct verify_session {
    struct verify_run run;
    bool fed; /* at least once */
    uint64_t opened_ms;
};

/* ---- opening ----------------------------------------------------------------------------- */

static enum outcome take_mappings(struct verify_run *run, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (run->options.mappings)
        run->mappings = *run->options.mappings;
    else
        outcome = mapping_set_load(run->settings, &run->mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    run->items = calloc(run->mappings.count + 1, sizeof *run->items);
    if (!run->items)
        abort();
    for (size_t i = 0; i < run->mappings.count; i++) {
        const struct mapping *mapping = run->mappings.items[i];
        run->items[i] = (struct verify_mapping){
            .mapping = mapping,
            .tolerates = diff_content_tolerates(mapping),
        };
    }
    return OUT_OK;
}

static enum outcome name_topics(struct verify_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, run->source_topic, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_RESULTS,
                               run->results_topic, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_DEAD_LETTERS,
                               run->dead_letter_topic, err);
    return outcome;
}

static enum outcome check_settings(const struct verify_run *run, struct error *err)
{
    const char *only = run->settings->only_tenant;
    if (!run->options.read_once && run->memory_max < MEMORY_MIN)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY, "the memory budget is below 16 MiB");
    if (only && only[0] && !tenant_key_is_valid(bytes_text(only)))
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "--only-tenant is not an isolation key (components percent-encoded, "
                         "joined with ':')");
    return OUT_OK;
}

/* With a key file a record has the same hash in every report of the migration. */
static enum outcome take_mask_key(struct verify_run *run, struct error *err)
{
    struct secret_ring ring;
    bool present = false;
    enum outcome outcome = key_file_load(run->settings, &ring, &present, err);
    if (outcome != OUT_OK || !present)
        return outcome;
    secret_ring_report_key(&ring, run->report.mask_key);
    secret_ring_wipe(&ring);
    return OUT_OK;
}

static void init_run(struct verify_run *run, const struct settings *settings,
                     const struct verify_options *options)
{
    struct verify_report *report = &run->report;
    bool quiet = options->read_once || settings->quiet || settings->plain;
    run->settings = settings;
    run->options = *options;
    run->memory_max = options->read_once ? settings->store_memory : settings->verify_memory;
    verify_report_init(report, (size_t)settings->samples, (size_t)settings->report_tenants);
    report->show_values = settings->show_values;
    verify_mask_draw_key(report);
    report->migration = settings->migration;
    report->group = settings->group;
    report->topic = run->source_topic;
    report->only_tenant = settings->only_tenant;
    report->started_ms = clock_unix_ms();
    report->memory_bytes = run->memory_max;
    report->passes = 1;
    diff_dead_init(&run->dead,
                   options->read_once ? run->memory_max : VERIFY_DEAD_SHARE(run->memory_max));
    diff_dead_init(&run->waiting, VERIFY_DEAD_SHARE(run->memory_max));
    judge_work_init(&run->judge);
    arena_init(&run->arena, RECORD_MAX);
    buf_init(&run->key, KEY_MAX);
    verify_progress_init(&run->progress, options->read_once ? -1 : settings->progress_fd, quiet);
}

/* Of the settings' store: the snapshot first, as no checkpoint in it can be beyond the topic's ends
 * that are read after it. */
static enum outcome open_store(struct verify_run *run, struct error *err)
{
    const struct verify_store *given = run->options.store;
    run->has_cells = given ? given->has_cells : !store_keeps_documents(store_of(run->settings));
    if (given)
        return OUT_OK; /* when it is read */
    return run->has_cells ? pg_snapshot_open(run->settings, "drover-verify", &run->snapshot, err)
                          : verify_run_open_store(run, &run->store, err);
}

static enum outcome take_ranges(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome =
        bus_ranges(run->options.bus, run->source_topic, VERIFY_BUS_MS, &ranges, &count, err);
    if (outcome == OUT_OK && count == 0)
        outcome =
            error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "there is no topic %s", run->source_topic);
    if (outcome != OUT_OK)
        return outcome;
    report->partitions = calloc(count, sizeof *report->partitions);
    run->fed = calloc(count, sizeof *run->fed);
    if (!report->partitions || !run->fed)
        abort();
    report->partition_count = count;
    for (size_t i = 0; i < count; i++) {
        report->partitions[i] = (struct verify_partition){ranges[i].partition, ranges[i].from,
                                                          ranges[i].from, ranges[i].to};
        report->evicted += (uint64_t)ranges[i].from;
    }
    free(ranges);
    return OUT_OK;
}

/* The topic's end is below what was committed: it was made anew under the old progress. */
static void check_ends(struct verify_run *run)
{
    struct verify_report *report = &run->report;
    for (size_t i = 0; i < report->partition_count; i++) {
        struct verify_partition *at = &report->partitions[i];
        if (at->snapshot_end <= at->high)
            continue;
        report->broken = true;
        verify_report_warn(report,
                           "%s-%d ends at %" PRId64 ", but the group has committed %" PRId64
                           ": the topic was made anew, or is another one",
                           run->source_topic, at->partition, at->high, at->snapshot_end);
        at->snapshot_end = at->high;
    }
}

static enum outcome take_cut(struct verify_run *run, struct error *err)
{
    enum outcome outcome = open_store(run, err);
    if (outcome == OUT_OK)
        outcome = take_ranges(run, err);
    if (outcome == OUT_OK && !run->options.store)
        outcome =
            verify_run_checkpoints(run, run->snapshot, run->store, run->report.partitions, err);
    if (outcome == OUT_OK)
        check_ends(run);
    return outcome;
}

enum outcome verify_session_open(const struct settings *settings,
                                 const struct verify_options *options,
                                 struct verify_session **session, struct error *err)
{
    struct verify_session *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    struct verify_run *run = &made->run;
    made->opened_ms = clock_monotonic_ms();
    init_run(run, settings, options);
    enum outcome outcome = check_settings(run, err);
    if (outcome == OUT_OK)
        outcome = take_mask_key(run, err);
    if (outcome == OUT_OK)
        outcome = name_topics(run, err);
    if (outcome == OUT_OK)
        outcome = take_mappings(run, err);
    if (outcome == OUT_OK)
        outcome = take_cut(run, err);
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
    side_sealed_close(run);
    receipts_free(run);
    free(run->pending);
    free(run->dead_cursor.next);
    free(run->receipts_cursor.next);
    free(run->fed);
    judge_work_free(&run->judge);
    free(run->clocks);
    holes_free(&run->holes);
    arena_free(&run->arena);
    buf_free(&run->key);
    free(run->items);
    if (!run->options.mappings)
        mapping_set_free(&run->mappings);
    verify_report_free(&run->report);
    free(session);
}

/* ---- feeding ----------------------------------------------------------------------------- */

static enum outcome make_table(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    size_t bytes = VERIFY_TABLE_SHARE(run->memory_max);
    uint64_t below = 0, all = 0;
    for (size_t i = 0; i < report->partition_count; i++) {
        below += (uint64_t)(report->partitions[i].snapshot_end - report->partitions[i].low);
        all += (uint64_t)(report->partitions[i].high - report->partitions[i].low);
    }
    if (run->options.read_once) {
        below = FIRST_KEYS;
        bytes = FIRST_BYTES;
    } else {
        report->passes = diff_passes(below, bytes);
        verify_progress_expect(&run->progress, all, report->passes);
    }
    if (!diff_table_init(&run->table, below, bytes))
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the system does not give the memory asked for");
    return OUT_OK;
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
    return outcome;
}

enum outcome verify_session_feed(struct verify_session *session, const int64_t *ends,
                                 struct error *err)
{
    struct verify_run *run = &session->run;
    struct verify_report *report = &run->report;
    for (size_t i = 0; ends && i < report->partition_count; i++)
        if (ends[i] > report->partitions[i].snapshot_end)
            report->partitions[i].snapshot_end = ends[i];
    enum outcome outcome = dead_letters_read(run, err);
    if (outcome == OUT_OK && !session->fed)
        outcome = begin(run, err);
    session->fed = true;
    if (outcome == OUT_OK)
        outcome = expected_read(run, err);
    if (outcome == OUT_OK)
        outcome = receipts_read(run, err);
    if (outcome == OUT_OK && !verify_run_fits(run, 0)) /* dead letters, receipts, what waits */
        outcome = error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                            "what is kept to compare does not fit the memory storage");
    return outcome;
}

int64_t verify_session_fed(const struct verify_session *session, enum topic_kind kind,
                           int32_t partition)
{
    const struct verify_run *run = &session->run;
    const struct verify_cursor *cursor =
        kind == TOPIC_DEAD_LETTERS ? &run->dead_cursor : &run->receipts_cursor;
    if (kind == TOPIC_SOURCE)
        return run->fed[partition];
    return (size_t)partition < cursor->count ? cursor->next[partition] : 0;
}

size_t verify_session_bytes(const struct verify_session *session)
{
    return verify_run_bytes(&session->run);
}

void verify_session_note_produced(struct verify_session *session,
                                  const struct produce_counters *counters)
{
    struct verify_report *report = &session->run.report;
    for (size_t i = 0; i < PRODUCE_CODES_MAX && !counters->failed_sources; i++)
        if (counters->by_code[i]) /* else they count the sources as well */
            verify_report_count_code(report, VERDICT_REJECTED, (enum error_code)i,
                                     counters->by_code[i]);
    if (!counters->failed_sources)
        return;
    report->broken = true;
    verify_report_warn(report, "%" PRIu64 " sources could not be read whole",
                       counters->failed_sources);
}

/* ---- concluding -------------------------------------------------------------------------- */

/* Adds the verdicts of the pass's keys to their groups. */
static void count_verdicts(struct verify_run *run)
{
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));)
        run->report.groups.items[entry->group].counts[entry->verdict]++;
}

static enum outcome judge_pass(struct verify_run *run, struct error *err)
{
    struct actual_extras extras = {0};
    extras.items = malloc(VERIFY_RECHECK_MAX * sizeof *extras.items);
    if (!extras.items)
        abort();
    enum outcome outcome = actual_read(run, &extras, err);
    if (outcome == OUT_OK && run->options.read_once)
        recheck_name_only(run, &extras);
    else if (outcome == OUT_OK)
        outcome = recheck_run(run, &extras, err);
    if (outcome == OUT_OK)
        count_verdicts(run);
    free(extras.items);
    return outcome;
}

/* The first pass was fed. */
static enum outcome judge_passes(struct verify_run *run, struct error *err)
{
    enum outcome outcome = judge_pass(run, err);
    for (run->pass = 1; run->pass < run->report.passes && outcome == OUT_OK; run->pass++) {
        diff_table_clear(&run->table);
        expected_begin(run);
        outcome = expected_read(run, err);
        if (outcome == OUT_OK)
            outcome = judge_pass(run, err);
    }
    return outcome;
}

/* Of one that was fed the ends are asked once more: there may be messages nobody fed. */
static enum outcome read_rest(struct verify_run *run, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = OUT_OK;
    if (run->options.read_once)
        outcome =
            bus_ranges(run->options.bus, run->source_topic, VERIFY_BUS_MS, &ranges, &count, err);
    for (size_t i = 0; i < count && i < run->report.partition_count; i++)
        run->report.partitions[i].high = ranges[i].to;
    free(ranges);
    if (outcome == OUT_OK)
        outcome = expected_read_lagging(run, err);
    if (outcome == OUT_OK && run->options.read_once)
        outcome = dead_letters_read(run, err);
    return outcome == OUT_OK ? expected_settle_pending(run, err) : outcome;
}

static enum outcome check_sides(struct verify_run *run, struct error *err)
{
    enum outcome outcome = side_orphans(run, err);
    if (outcome == OUT_OK)
        outcome = side_redis(run, err);
    if (outcome == OUT_OK)
        outcome = side_files(run, err);
    if (outcome == OUT_OK)
        side_unexpected(run);
    return outcome;
}

/* Producers tell what they rejected and withheld: those records have their classes too. The files
 * themselves know better what is rejected of them now. */
static void count_produced(struct verify_run *run)
{
    struct diff_groups *groups = &run->report.groups;
    const struct receipts_produced produced = receipts_produced(run);
    uint64_t rejected = run->settings->verify_sources.count ? 0 : produced.rejected;
    if (verify_run_is_narrowed(run) || (!rejected && !produced.withheld))
        return;
    uint32_t group = diff_groups_find(groups, VERIFY_AT_SOURCE, BYTES_LITERAL(""));
    groups->items[group].counts[VERDICT_REJECTED] += rejected;
    groups->items[group].counts[VERDICT_WITHHELD] += produced.withheld;
    run->report.source_count += rejected + produced.withheld;
}

/* Policies hide rows without an error. */
static void warn_of_no_rows(struct verify_run *run)
{
    if (!run->options.store && run->report.rows == 0 && run->report.compared > 0)
        verify_report_warn(&run->report,
                           "no row can be seen: if the tables are not empty, the role %s lacks "
                           "its policies (drover schema apply)",
                           run->settings->verifier_role);
}

enum outcome verify_session_conclude(struct verify_session *session, struct error *err)
{
    struct verify_run *run = &session->run;
    enum outcome outcome = session->fed ? OUT_OK : verify_session_feed(session, NULL, err);
    if (outcome == OUT_OK)
        outcome = read_rest(run, err);
    if (outcome == OUT_OK)
        outcome = judge_passes(run, err);
    if (outcome == OUT_OK) /* after the topic was read: which of its offsets are no messages */
        outcome = receipts_read(run, err);
    if (outcome == OUT_OK)
        receipts_test(run);
    if (outcome == OUT_OK)
        outcome = check_sides(run, err);
    if (outcome == OUT_OK) {
        count_produced(run);
        warn_of_no_rows(run);
    }
    if (outcome == OUT_OK && !run->options.read_once && run->settings->verify_sources.count)
        outcome = source_check_run(run, err);
    run->report.duration_ms = clock_monotonic_ms() - session->opened_ms;
    if (outcome == OUT_OK)
        verify_progress_finish(&run->progress);
    else
        verify_progress_clear(&run->progress);
    return outcome;
}

struct verify_report *verify_session_report(struct verify_session *session)
{
    return &session->run.report;
}
