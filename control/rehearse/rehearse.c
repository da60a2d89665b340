#include "control/rehearse/rehearse.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/report_folder.h"
#include "common/io/log.h"
#include "common/io/source/source_rules.h"
#include "common/io/terminal.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_text.h"
#include "producer/produce.h"

#define BUS_SHARE 16 /* of store.memory: messages on their way */
#define BUS_MOST ((size_t)16 << 20)
#define ARENA_MOST ((size_t)1 << 20)

/* The others' turn, whenever the producer polls. After a failure messages are only thrown away, and
 * the run ends by itself at the end of its sources or by its own failure. */
static void on_poll(void *owner)
{
    struct rehearsal *rehearsal = owner;
    struct bus_message message;
    while (bus_memory_next(rehearsal->reader, &message)) {
        bool dead = false;
        if (rehearsal->failure.code != ERR_NONE)
            break;
        rehearse_work_take(rehearsal, &message, &dead);
        rehearse_check_take(rehearsal, &message, dead);
    }
    rehearse_work_flush(rehearsal);
    if (rehearsal->failure.code == ERR_NONE)
        bus_memory_release(rehearsal->reader);
    else
        bus_memory_on_poll(rehearsal->bus, NULL, NULL); /* the bus fills, the producer ends */
}

static enum outcome open_topics(struct rehearsal *rehearsal, struct error *err)
{
    char results[TOPIC_NAME_SIZE];
    struct bus_range ranges[REHEARSE_PARTITIONS];
    const struct settings *settings = rehearsal->settings;
    if (topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, rehearsal->source_topic,
                     err) != OUT_OK ||
        topic_format(settings->prefix, settings->migration, TOPIC_RESULTS, results, err) != OUT_OK)
        return OUT_FATAL;
    size_t share = (size_t)settings->store_memory / BUS_SHARE;
    rehearsal->bus = bus_memory_new(share < BUS_MOST ? share : BUS_MOST);
    bus_memory_make_topic(rehearsal->bus, rehearsal->source_topic, REHEARSE_PARTITIONS);
    bus_memory_make_topic(rehearsal->bus, results, 1);
    for (int32_t i = 0; i < REHEARSE_PARTITIONS; i++)
        ranges[i] = (struct bus_range){i, 0, INT64_MAX};
    rehearsal->reader =
        bus_memory_reader_new(rehearsal->bus, rehearsal->source_topic, ranges, REHEARSE_PARTITIONS);
    bus_memory_on_poll(rehearsal->bus, on_poll, rehearsal);
    return OUT_OK;
}

static void close_rehearsal(struct rehearsal *rehearsal)
{
    if (rehearsal->store) {
        rehearse_work_close(rehearsal);
        rehearse_check_close(rehearsal);
    }
    memory_store_free(rehearsal->store);
    bus_memory_reader_free(rehearsal->reader);
    bus_memory_free(rehearsal->bus);
    mapping_set_free(&rehearsal->mappings);
    arena_free(&rehearsal->arena);
    buf_free(&rehearsal->tenant_from);
    free(rehearsal);
}

/* ---- what is said ------------------------------------------------------------------------ */

/* `drover run --json` over servers gives the verifier's document before its own, too. */
static void answer_run(const struct rehearsal *rehearsal, struct answer *answer)
{
    const struct produce_ledger *ledger = &rehearsal->ledger;
    struct buf json;
    buf_init(&json, ANSWER_MOST);
    verify_json_append_document(&rehearsal->report, clock_unix_ms(), &json);
    answer_pass_on(answer, bytes_of(json.data, json.size - 1));
    buf_free(&json);
    struct json_out *out = answer_body(answer);
    const uint64_t produced[PRODUCE_COUNT] = {[PRODUCE_PRODUCED] = ledger->produced,
                                              [PRODUCE_REJECTED] = ledger->rejected,
                                              [PRODUCE_WITHHELD] = ledger->withheld};
    uint64_t worked[WORK_COUNT] = {0};
    totals_add_receipt(worked, rehearsal->classes);
    json_out_text(out, "end", "finished");
    json_out_object(out, "produce");
    totals_append_json(out, &TOTALS_PRODUCE, produced);
    json_out_end(out);
    json_out_object(out, "work");
    totals_append_json(out, &TOTALS_WORK, worked);
    json_out_end(out);
    json_out_seconds(out, "duration_seconds", rehearsal->report.duration_ms);
}

/* As `drover verify` says it. */
static enum outcome say_run(const struct rehearsal *rehearsal, struct error *err)
{
    struct buf json, text;
    char counts[2][28];
    const struct settings *settings = rehearsal->settings;
    buf_init(&json, ANSWER_MOST);
    buf_init(&text, ANSWER_MOST);
    verify_json_append_document(&rehearsal->report, clock_unix_ms(), &json);
    char *path = NULL, cwd[PATH_MAX];
    enum outcome outcome = report_folder_write(settings->report_dir, buf_view(&json), &path, err);
    const struct verify_text_options options = {
        .report_path = path,
        .folder = getcwd(cwd, sizeof cwd),
        .colour = !settings->plain && terminal_colour(STDOUT_FILENO),
        .width = terminal_text_width(STDOUT_FILENO),
    };
    verify_text_append(&rehearsal->report, &options, &text);
    free(path);
    if (settings->json)
        answer_run(rehearsal, settings->answer);
    else if (!settings->quiet)
        fputs(buf_text(&text), stdout);
    if (!settings->quiet)
        fprintf(stderr, "  tenant   %s\n", buf_text((struct buf *)&rehearsal->tenant_from));
    if (!settings->quiet)
        fprintf(stderr,
                "run in memory: %s read, %s applied; nothing is left of it when this process "
                "ends\n",
                text_format_count(rehearsal->ledger.read, counts[0]),
                text_format_count(rehearsal->classes[CLASS_APPLIED], counts[1]));
    buf_free(&json);
    buf_free(&text);
    return outcome;
}

static uint64_t say_rehearsal(const struct rehearsal *rehearsal)
{
    struct buf text;
    const struct settings *settings = rehearsal->settings;
    uint64_t *orphans = calloc(rehearsal->report.groups.count + 1, sizeof *orphans);
    if (!orphans)
        abort();
    uint64_t orphan_count = rehearse_parents_judge(rehearsal->parents, rehearsal->store, orphans);
    buf_init(&text, ANSWER_MOST);
    if (settings->json)
        rehearse_json_append(rehearsal, orphans, answer_body(settings->answer));
    else if (!settings->quiet)
        rehearse_text_append(rehearsal, orphans, &text);
    fputs(buf_text(&text), stdout);
    buf_free(&text);
    free(orphans);
    return orphan_count;
}

static enum exit_code conclude(struct rehearsal *rehearsal, enum memory_keeps keeps,
                               enum exit_code produced, struct error *err)
{
    uint64_t orphans = 0;
    rehearse_check_judge(rehearsal, keeps);
    if (keeps == MEMORY_KEEPS_ROWS && say_run(rehearsal, err) != OUT_OK)
        return verify_report_result(&rehearsal->report) == VERIFY_MATCH ? error_code_exit(err->code)
                                                                        : EXIT_DISCREPANCY;
    if (keeps != MEMORY_KEEPS_ROWS)
        orphans = say_rehearsal(rehearsal);
    fflush(stdout);
    if (rehearsal->report.source_count == 0 && rehearsal->ledger.failed_sources == 0) {
        error_set(err, OUT_FATAL, ERR_SOURCE_EMPTY,
                  "the sources hold no record: there is nothing to migrate");
        return EXIT_DISCREPANCY;
    }
    if (verify_report_result(&rehearsal->report) != VERIFY_MATCH || orphans)
        return EXIT_DISCREPANCY;
    return produced;
}

static enum outcome find_tenant(struct rehearsal *rehearsal, struct error *err)
{
    struct source_rules rules;
    enum outcome outcome =
        source_rules_init(&rules, rehearsal->settings, &rehearsal->mappings, err);
    if (outcome == OUT_OK)
        source_rules_say_tenant(&rules, &rehearsal->tenant_from);
    source_rules_free(&rules);
    return outcome;
}

/* ---- all of it --------------------------------------------------------------------------- */

static enum exit_code play(struct rehearsal *rehearsal, enum memory_keeps keeps, struct error *err)
{
    static const struct produce_options OPTIONS = {.any_key = true, .unreported = true};
    uint64_t began_ms = clock_monotonic_ms();
    rehearsal->report.started_ms = clock_unix_ms();
    enum exit_code code = produce_run(rehearsal->settings, bus_memory_bus(rehearsal->bus), &OPTIONS,
                                      &rehearsal->ledger, err);
    if (rehearsal->failure.code != ERR_NONE) {
        *err = rehearsal->failure;
        return error_code_exit(err->code);
    }
    if (err->code != ERR_NONE || (code != EXIT_OK && code != EXIT_DISCREPANCY))
        return code; /* it did not read them all, whatever it had read */
    rehearsal->report.duration_ms = clock_monotonic_ms() - began_ms;
    return conclude(rehearsal, keeps, code, err);
}

enum exit_code rehearse_main(const struct settings *given, enum memory_keeps keeps,
                             struct error *err)
{
    struct settings settings = *given;
    settings.partitions = 0; /* of the topics in memory: their own number */
    struct rehearsal *rehearsal = calloc(1, sizeof *rehearsal);
    if (!rehearsal)
        abort();
    rehearsal->settings = &settings;
    arena_init(&rehearsal->arena, ARENA_MOST);
    buf_init(&rehearsal->tenant_from, 4096);
    log_setup_names("rehearse", settings.log_level, settings.log_format);
    enum exit_code code = EXIT_CONFIG;
    bool reports = keeps == MEMORY_KEEPS_ROWS;
    if (mapping_set_load(&settings, &rehearsal->mappings, err) == OUT_OK &&
        (!reports || report_folder_try(settings.report_dir, err) == OUT_OK) &&
        find_tenant(rehearsal, err) == OUT_OK && open_topics(rehearsal, err) == OUT_OK) {
        size_t share = (size_t)settings.store_memory / 2; /* keys and messages have the rest */
        rehearsal->store = memory_store_new(keeps, share);
        rehearse_work_open(rehearsal);
        rehearse_check_open(rehearsal);
        code = play(rehearsal, keeps, err);
    } else {
        code = error_code_exit(err->code);
    }
    close_rehearsal(rehearsal);
    return code;
}
