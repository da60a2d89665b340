#include "verifier/verify.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/report_folder.h"
#include "common/io/terminal.h"
#include "common/io/terminal_live.h"
#include "common/policy/verify/verify_html.h"
#include "common/policy/verify/verify_next.h"
#include "common/policy/verify/verify_reads.h"
#include "common/policy/verify/verify_text.h"
#include "verifier/reads/reads.h"
#include "verifier/reads/reads_sample.h"
#include "verifier/verify_run.h"
#include "verifier/verify_session.h"

#define TEXT_MAX (4u << 20)

static enum outcome print(struct bytes text, struct error *err)
{
    size_t written = fwrite(text.data, 1, text.size, stdout);
    if (written == text.size && fflush(stdout) == 0)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_STATE_FILE, "the report could not be printed");
}

/* The verdict: all that --quiet leaves. */
static struct bytes last_line(struct bytes text)
{
    const char *before = text.size > 1 ? memrchr(text.data, '\n', text.size - 1) : NULL;
    size_t skip = before ? (size_t)(before + 1 - text.data) : 0;
    return bytes_of(text.data + skip, text.size - skip);
}

enum outcome verify_save(const struct settings *settings, const struct verify_report *report,
                         struct buf *json, char **path, struct error *err)
{
    const struct report_place place = {.folder = settings->report_dir,
                                       .migration = settings->migration,
                                       .run = report->facts.run,
                                       .keep = settings->report_keep};
    struct buf html;
    *path = NULL;
    buf_init(&html, ANSWER_MAX);
    verify_json_append_document(report, json);
    verify_html_append(report, &html);
    enum outcome outcome =
        json->failed || html.failed
            ? error_set(err, OUT_FATAL, ERR_REPORT, "the report is too large")
            : report_folder_write(&place, buf_view(json), buf_view(&html), path, err);
    buf_free(&html);
    return outcome;
}

void verify_append_text(const struct settings *settings, const struct verify_report *report,
                        const char *path, struct buf *out)
{
    char folder[PATH_MAX];
    const struct verify_text_options options = {
        .report_path = path,
        .folder = getcwd(folder, sizeof folder),
        .colour = !settings->plain && terminal_colour(STDOUT_FILENO),
        .width = terminal_text_width(STDOUT_FILENO),
    };
    verify_text_append(report, &options, out);
}

/* The report to standard output: as a table, or with --json as the same members of the answer. What
 * is printed goes before what became of the file: the verdict is there whatever that is. */
static enum outcome write_report(const struct settings *settings,
                                 const struct verify_report *report, struct error *err)
{
    struct buf json, text;
    char *path;
    struct error of_file = {0};
    buf_init(&json, ANSWER_MAX);
    buf_init(&text, TEXT_MAX);
    enum outcome written = verify_save(settings, report, &json, &path, &of_file);
    enum outcome outcome = OUT_OK;
    if (settings->json) {
        verify_json_append(report, answer_body(settings->answer));
    } else {
        verify_append_text(settings, report, path, &text);
        outcome = print(settings->quiet ? last_line(buf_view(&text)) : buf_view(&text), err);
    }
    if (written != OUT_OK && outcome == OUT_OK) {
        *err = of_file;
        outcome = written;
    }
    free(path);
    buf_free(&json);
    buf_free(&text);
    return outcome;
}

static enum exit_code say(const struct settings *settings, const struct verify_report *report,
                          struct error *err)
{
    bool match = verify_report_result(report) == VERIFY_MATCH;
    if (write_report(settings, report, err) != OUT_OK && match)
        return error_code_exit(err->code); /* else the verdict goes before it */
    return match ? EXIT_OK : EXIT_DISCREPANCY;
}

/* Until who started this one says that everything is written. */
static void wait_for_end_of_input(void)
{
    char ignored[64];
    ssize_t got;
    do {
        got = read(STDIN_FILENO, ignored, sizeof ignored);
    } while (got > 0 || (got < 0 && errno == EINTR));
}

static void draw_waiting(struct terminal_live *live, uint64_t for_ms)
{
    struct buf line;
    buf_init(&line, 128);
    terminal_live_open(live, STDERR_FILENO);
    buf_append_format(&line, "comparing reads for %g s\n", (double)for_ms / 1000);
    terminal_live_draw(live, buf_view(&line));
    buf_free(&line);
}

/* After the verdict: reads say how fast the stores are, not what is in them. */
static void compare_reads(const struct settings *settings, struct reads_sample *sample,
                          struct verify_report *report, struct verify_reads *result)
{
    if (!sample)
        return;
    struct terminal_live live;
    bool shown = settings->progress_fd < 0 && !settings->quiet && !settings->plain &&
                 terminal_is(STDERR_FILENO);
    if (shown)
        draw_waiting(&live, settings->compare_for_ms);
    reads_sample_read(sample, settings, result);
    if (shown) {
        terminal_live_clear(&live);
        terminal_live_close(&live);
    }
    report->reads = result;
}

static enum outcome make_sample(const struct settings *settings, struct reads_sample **sample,
                                struct error *err)
{
    *sample = NULL;
    if (!settings->compare_per_second)
        return OUT_OK;
    enum outcome outcome = reads_check(settings, err);
    if (outcome == OUT_OK)
        *sample = reads_sample_new((uint64_t)clock_unix_ms());
    return outcome;
}

enum exit_code verify_main(const struct settings *settings, struct buf *next, struct error *err)
{
    struct reads_sample *sample;
    struct verify_reads reads;
    if (make_sample(settings, &sample, err) != OUT_OK)
        return error_code_exit(err->code);
    struct bus *bus = kafka_bus_new(settings, NULL);
    kafka_bus_answer_within(bus, VERIFY_BUS_MS);
    struct verify_session *session = NULL;
    const struct verify_options options = {
        .bus = bus, .hold = settings->is_held ? wait_for_end_of_input : NULL, .sample = sample};
    enum outcome outcome = verify_session_open(settings, &options, &session, err);
    if (outcome != OUT_OK && err->code == ERR_KAFKA_TOPIC)
        outcome = kafka_topics_no_migration(settings, err); /* names those there are */
    if (outcome == OUT_OK)
        outcome = verify_session_conclude(session, err);
    if (outcome == OUT_OK)
        compare_reads(settings, sample, verify_session_report(session), &reads);
    enum exit_code code = outcome == OUT_OK ? say(settings, verify_session_report(session), err)
                                            : error_code_exit(err->code);
    if (outcome == OUT_OK && settings->progress_fd < 0)
        verify_next_append(verify_session_report(session), next);
    verify_session_close(session);
    reads_sample_free(sample);
    kafka_bus_free(bus);
    return code;
}
