#include "verifier/verify.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/report_folder.h"
#include "common/io/key_file.h"
#include "common/io/stores.h"
#include "common/model/message/tenant.h"
#include "common/policy/verify/diff_content.h"
#include "common/policy/verify/verify_mask.h"
#include "verifier/actual.h"
#include "verifier/beside.h"
#include "verifier/claims.h"
#include "verifier/cut.h"
#include "verifier/dead_letters.h"
#include "verifier/expected.h"
#include "verifier/look.h"
#include "verifier/report_file.h"
#include "verifier/source_check.h"
#include "verifier/verify_limits.h"
#include "verifier/verify_run.h"

#define KEY_MOST (64u << 10)
#define RECORD_MOST (512u << 20)
#define MEMORY_LEAST (16u << 20)

static enum outcome load_mappings(struct verify_run *run, struct error *err)
{
    enum outcome outcome = mapping_set_load(run->settings, &run->mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    run->items = calloc(run->mappings.count, sizeof *run->items);
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
        outcome =
            topic_format(settings->prefix, settings->migration, TOPIC_DLQ, run->dlq_topic, err);
    return outcome;
}

static enum outcome check_settings(const struct settings *settings, struct error *err)
{
    const char *only = settings->only_tenant;
    if (settings->verify_memory < MEMORY_LEAST)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY, "the memory budget is below 16 MiB");
    if (only && only[0] && !tenant_key_is_valid(bytes_text(only)))
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "--only-tenant is not an isolation key (components percent-encoded, "
                         "joined with ':')");
    return OUT_OK;
}

static void run_init(struct verify_run *run, const struct settings *settings)
{
    struct verify_report *report = &run->report;
    memset(run, 0, sizeof *run);
    run->settings = settings;
    verify_report_init(report, (size_t)settings->samples, (size_t)settings->report_tenants);
    report->show_values = settings->show_values;
    verify_mask_draw_key(report);
    report->migration = settings->migration;
    report->group = settings->group;
    report->topic = run->source_topic;
    report->only_tenant = settings->only_tenant;
    report->started_ms = clock_unix_ms();
    report->memory_bytes = settings->verify_memory;
    diff_dead_init(&run->dead, VERIFY_DEAD_SHARE(settings->verify_memory));
    diff_dead_init(&run->waiting, VERIFY_DEAD_SHARE(settings->verify_memory));
    judge_work_init(&run->judge);
    arena_init(&run->arena, RECORD_MOST);
    buf_init(&run->key, KEY_MOST);
    verify_progress_init(&run->progress, settings->progress_fd, settings->quiet || settings->plain);
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

static void run_free(struct verify_run *run)
{
    verify_progress_clear(&run->progress);
    PQfinish(run->snapshot);
    if (run->store)
        run->store->ops->close(run->store);
    diff_table_free(&run->table);
    diff_dead_free(&run->dead);
    diff_dead_free(&run->waiting);
    beside_sealed_close(run);
    free(run->dead_next);
    judge_work_free(&run->judge);
    free(run->clocks);
    holes_free(&run->holes);
    arena_free(&run->arena);
    buf_free(&run->key);
    free(run->items);
    mapping_set_free(&run->mappings);
    verify_report_free(&run->report);
}

/* Adds the verdicts of the pass's keys to their groups. */
static void count_verdicts(struct verify_run *run)
{
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));)
        run->report.groups.items[entry->group].counts[entry->verdict]++;
}

static enum outcome run_pass(struct verify_run *run, struct error *err)
{
    struct actual_extras extras = {0};
    extras.items = malloc(VERIFY_LOOKED_MOST * sizeof *extras.items);
    if (!extras.items)
        abort();
    enum outcome outcome = expected_read(run, err);
    if (outcome == OUT_OK)
        outcome = actual_read(run, &extras, err);
    if (outcome == OUT_OK)
        outcome = look_again(run, &extras, err);
    if (outcome == OUT_OK)
        count_verdicts(run);
    free(extras.items);
    return outcome;
}

static enum outcome run_passes(struct verify_run *run, struct error *err)
{
    struct verify_report *report = &run->report;
    size_t bytes = VERIFY_TABLE_SHARE(run->settings->verify_memory);
    uint64_t below = 0, all = 0;
    for (size_t i = 0; i < report->partition_count; i++) {
        below += (uint64_t)(report->partitions[i].cut - report->partitions[i].low);
        all += (uint64_t)(report->partitions[i].high - report->partitions[i].low);
    }
    report->passes = diff_passes(below, bytes);
    verify_progress_expect(&run->progress, all, report->passes);
    if (!diff_table_init(&run->table, below, bytes))
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the system does not give the memory asked for");
    enum outcome outcome = OUT_OK;
    for (run->pass = 0; run->pass < report->passes && outcome == OUT_OK; run->pass++) {
        if (run->pass)
            diff_table_clear(&run->table);
        outcome = run_pass(run, err);
    }
    return outcome;
}

/* Producers tell what they rejected and withheld: those records have their classes too. The files
 * themselves know better what is rejected of them now. */
static void count_claims(struct verify_run *run, const struct claims *claims)
{
    struct diff_groups *groups = &run->report.groups;
    uint64_t rejected = run->settings->verify_sources.count ? 0 : claims->rejected;
    if (run->settings->only_tenant || (!rejected && !claims->withheld))
        return;
    uint32_t group = diff_groups_find(groups, VERIFY_AT_SOURCE, BYTES_LITERAL(""));
    groups->items[group].counts[VERDICT_REJECTED] += rejected;
    groups->items[group].counts[VERDICT_WITHHELD] += claims->withheld;
    run->report.source_count += rejected + claims->withheld;
}

/* Policies hide rows without an error. */
static void warn_of_no_rows(struct verify_run *run)
{
    if (run->report.rows == 0 && run->report.compared > 0)
        verify_report_warn(&run->report,
                           "no row can be seen: if the tables are not empty, the role %s lacks "
                           "its policies (drover schema apply)",
                           run->settings->verifier_role);
}

static enum outcome compare(struct verify_run *run, struct error *err)
{
    struct claims claims;
    enum outcome outcome = cut_take(run, err);
    if (outcome == OUT_OK)
        outcome = dead_letters_read(run, err);
    if (outcome == OUT_OK)
        outcome = beside_waiting(run, err);
    if (outcome == OUT_OK)
        outcome = beside_sealed_open(run, err);
    if (outcome == OUT_OK)
        outcome = run_passes(run, err);
    if (outcome == OUT_OK) /* after the topic was read: which of its offsets are no messages */
        outcome = claims_read(run, &claims, err);
    if (outcome == OUT_OK)
        outcome = beside_orphans(run, err);
    if (outcome == OUT_OK)
        outcome = beside_redis(run, err);
    if (outcome == OUT_OK)
        outcome = beside_files(run, err);
    if (outcome == OUT_OK)
        beside_foreign(run);
    if (outcome == OUT_OK)
        count_claims(run, &claims);
    if (outcome == OUT_OK)
        warn_of_no_rows(run);
    if (outcome == OUT_OK && run->settings->verify_sources.count)
        outcome = source_check_run(run, err);
    return outcome;
}

enum exit_code verify_main(const struct settings *settings, struct error *err)
{
    struct verify_run *run = malloc(sizeof *run);
    uint64_t started_ms = clock_monotonic_ms();
    if (!run)
        abort();
    run_init(run, settings);
    enum outcome outcome = check_settings(settings, err);
    if (outcome == OUT_OK)
        outcome = take_mask_key(run, err);
    if (outcome == OUT_OK)
        outcome = report_folder_try(settings->report_dir, err);
    if (outcome == OUT_OK)
        outcome = name_topics(run, err);
    if (outcome == OUT_OK)
        outcome = load_mappings(run, err);
    if (outcome == OUT_OK)
        outcome = compare(run, err);
    run->report.duration_ms = clock_monotonic_ms() - started_ms;
    if (outcome == OUT_OK)
        verify_progress_finish(&run->progress);
    else
        verify_progress_clear(&run->progress);
    enum exit_code code = EXIT_DISCREPANCY;
    if (outcome != OUT_OK)
        code = error_code_exit(err->code);
    else if (report_file_write(run, err) != OUT_OK &&
             verify_report_result(&run->report) == VERIFY_MATCH)
        code = error_code_exit(err->code); /* else the verdict goes before it */
    else if (verify_report_result(&run->report) == VERIFY_MATCH)
        code = EXIT_OK;
    run_free(run);
    free(run);
    return code;
}
