/* `drover load begin|finish|abort`: what `drover run --load bulk` does by itself, for workers that
 * are started by hand; and the way out of a load that cannot be finished. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/stores.h"
#include "control/command.h"
#include "control/load/load_check.h"
#include "control/load/load_finish.h"

enum { TEXT_LIMIT = 1 << 20 };

static void print_lines(const char *lines)
{
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        printf("%.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

static void append_lines(struct json_out *out, const char *name, const char *lines)
{
    json_out_list(out, name);
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        json_out_bytes(out, NULL, bytes_of(lines, size));
        lines += size + (lines[size] == '\n');
    }
    json_out_end(out);
}

static enum exit_code begin(const struct invocation *invocation, struct error *err)
{
    struct settings settings = invocation->settings;
    struct mapping_set mappings;
    struct pg_schema apply;
    settings.load = "bulk";
    if (!settings.dry_run && load_check_topics(&settings, err) != OUT_OK)
        return command_fail(err);
    if (mapping_set_load(&settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    enum outcome outcome =
        pg_schema_apply(&settings, &mappings, store_of(&settings)->has_stage, &apply, err);
    if (outcome == OUT_OK && invocation->answer->wanted) {
        append_lines(answer_body(invocation->answer), "changes", buf_text(&apply.changes));
        append_lines(answer_body(invocation->answer), "ways", buf_text(&apply.notes));
    } else if (outcome == OUT_OK) {
        print_lines(buf_text(&apply.changes));
        print_lines(buf_text(&apply.notes));
    }
    pg_schema_free(&apply);
    mapping_set_free(&mappings);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

static void append_report(struct json_out *out, const struct pg_load_report *report)
{
    json_out_list(out, "tables");
    for (size_t i = 0; i < report->count; i++) {
        const struct pg_load_table *table = &report->tables[i];
        uint64_t counts[CLASS_COUNT] = {0};
        for (size_t j = 0; j < table->left_count; j++)
            counts[table->left[j].the_class] += table->left[j].count;
        json_out_object(out, NULL);
        json_out_text(out, "table", table->name);
        json_out_count(out, "rows", table->rows);
        json_out_count(out, "superseded", counts[CLASS_SUPERSEDED]);
        json_out_count(out, "unchanged", counts[CLASS_UNCHANGED]);
        json_out_count(out, "conflict", counts[CLASS_CONFLICT]);
        json_out_end(out);
    }
    json_out_end(out);
}

static void print_report(const struct pg_load_report *report)
{
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    for (size_t i = 0; i < report->count; i++) {
        load_append_table(&text, &report->tables[i]);
        buf_append_char(&text, '\n');
    }
    printf("%s", report->count ? buf_text(&text) : "no table is being loaded\n");
    buf_free(&text);
}

static void say_waiting(void *unused, const struct error *err)
{
    (void)unused;
    log_error(LOG_WARN, "load.waiting", err);
}

/* What is not in the load table when it ends goes the slow way, and no load of this table can begin
 * again. One that a finish has begun to end goes on: its workers can take nothing. */
static enum outcome check_taken(const struct settings *settings, struct error *err)
{
    struct load_states states;
    uint64_t left = 0;
    enum outcome outcome = load_ask_states(settings, &states, err);
    if (outcome == OUT_OK && states.loading)
        outcome = load_count_left(settings, &left, err);
    if (outcome != OUT_OK || left == 0)
        return outcome;
    outcome = error_set(err, OUT_FATAL, ERR_PG_LOADING,
                        "%" PRIu64 " record%s not taken yet; the load goes on", left,
                        left == 1 ? " of the topic is" : "s of the topic are");
    error_where(err, "group %s", settings->group);
    error_hint(err, "drover work --until-end takes them, then drover load finish; with --early the "
                    "load ends now, and they are written by upserts");
    return outcome;
}

static enum exit_code finish(const struct invocation *invocation, struct error *err)
{
    static const struct pg_load_waiting WAITING = {say_waiting, NULL};
    const struct settings *settings = &invocation->settings;
    struct pg_load_report report = {0};
    enum outcome outcome = settings->early ? OUT_OK : check_taken(settings, err);
    if (outcome == OUT_OK)
        outcome = load_finish(settings, &WAITING, &report, err);
    if (outcome == OUT_OK && invocation->answer->wanted)
        append_report(answer_body(invocation->answer), &report);
    else if (outcome == OUT_OK)
        print_report(&report);
    pg_load_free(&report);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

static void print_abort(const struct settings *settings, struct pg_load_abort *done)
{
    const char *tables = buf_text(&done->tables);
    if (!tables[0])
        printf("no table is being loaded\n");
    while (*tables) {
        size_t size = strcspn(tables, "\n");
        printf("%.*s: upsert, what was loaded is dropped\n", (int)size, tables);
        tables += size + (tables[size] == '\n');
    }
    if (done->partitions)
        printf("group %s: %" PRIu64 " record%s in %" PRIu64 " partition%s are read again (restart "
               "its workers)\n",
               settings->group, done->records, done->records == 1 ? "" : "s", done->partitions,
               done->partitions == 1 ? "" : "s");
}

static enum exit_code give_up(const struct invocation *invocation, struct error *err)
{
    struct pg_load_abort done;
    struct mapping_set mappings;
    if (mapping_set_load(&invocation->settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    enum outcome outcome = pg_load_abort(&invocation->settings, &mappings, &done, err);
    if (outcome == OUT_OK && invocation->answer->wanted) {
        struct json_out *out = answer_body(invocation->answer);
        append_lines(out, "tables", buf_text(&done.tables));
        json_out_count(out, "partitions", done.partitions);
        json_out_count(out, "records", done.records);
    } else if (outcome == OUT_OK) {
        print_abort(&invocation->settings, &done);
    }
    pg_load_abort_free(&done);
    mapping_set_free(&mappings);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

enum exit_code load_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"begin", "finish", "abort", NULL};
    static enum exit_code (*const WAYS[])(const struct invocation *,
                                          struct error *) = {begin, finish, give_up};
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "load", WORDS[word]);
    if (word > 0 && invocation->settings.dry_run) {
        error_set(err, OUT_FATAL, ERR_USAGE, "only drover load begin takes --dry-run");
        return EXIT_USAGE;
    }
    if (!store_of(&invocation->settings)->has_tables) {
        error_set(err, OUT_FATAL, ERR_USAGE, "this storage has no tables to be loaded");
        return EXIT_USAGE;
    }
    return WAYS[word](invocation, err);
}
