#include "common/policy/verify/verify_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/policy/text_line.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_mask.h"
#include "common/policy/verify/verify_reads.h"
#include "common/policy/verify/verify_words.h"

#define NAME_BYTES_MAX 32 /* characters of a tenant or entity in a sample */
#define WARNING_MAX 400   /* as verify_report.c keeps them */

/* What is being written, for all of this file. */
struct screen {
    const struct verify_report *report;
    const struct verify_text_options *options;
    uint64_t total[VERDICT_COUNT];
    struct buf *out;
};

static void append_count(struct buf *out, uint64_t count)
{
    char text[28];
    buf_append_text(out, text_format_count(count, text));
}

/* "a/b.json:3:1" of /srv/x/a/b.json:3:1, when the folder is /srv/x. */
static struct bytes relative(const struct screen *screen, struct bytes path)
{
    const char *folder = screen->options->folder;
    size_t size = folder ? strlen(folder) : 0;
    bool below = size > 1 && path.size > size + 1 && memcmp(path.data, folder, size) == 0 &&
                 path.data[size] == '/';
    return below ? bytes_of(path.data + size + 1, path.size - size - 1) : path;
}

/* ---- one sample -------------------------------------------------------------------------- */

static void append_fields(const struct screen *screen, const struct verify_sample *sample)
{
    struct buf *out = screen->out;
    for (size_t i = 0; i < sample->field_count; i++) {
        const struct diff_field *field = &sample->fields[i];
        struct buf piece;
        buf_init(&piece, 16384);
        buf_append_text(out, "      ");
        struct text_line line = text_line_begin(out, 8, screen->options->width);
        text_append_safe(&piece, field->path, 120);
        text_line_put(&line, buf_view(&piece));
        buf_reset(&piece);
        buf_append_text(&piece, "  source ");
        verify_mask_append(&piece, screen->report, field->expected);
        text_line_put(&line, buf_view(&piece));
        buf_reset(&piece);
        buf_append_text(&piece, ", stored ");
        verify_mask_append(&piece, screen->report, field->actual);
        text_line_put(&line, buf_view(&piece));
        if (field->rule)
            text_line_format(&line, "  (%s ±%g)", field->rule->name, field->rule->tolerance);
        text_line_end(&line);
        buf_free(&piece);
    }
    if (sample->field_total > sample->field_count)
        buf_append_format(out, "      … and %zu more member%s\n",
                          sample->field_total - sample->field_count,
                          plural_end(sample->field_total - sample->field_count));
}

static void put_safe(struct text_line *line, const char *before, struct bytes text, size_t max)
{
    struct buf piece;
    buf_init(&piece, 16384);
    buf_append_text(&piece, before);
    text_append_safe(&piece, text, max);
    text_line_put(line, buf_view(&piece));
    buf_free(&piece);
}

static void put_identity(const struct screen *screen, const struct verify_sample *sample,
                         struct text_line *line)
{
    const struct verify_report *report = screen->report;
    if (sample->file.size) {
        put_safe(line, " ", sample->file, VERIFY_VALUE_MAX);
        return;
    }
    put_safe(line, "", sample->tenant, NAME_BYTES_MAX);
    put_safe(line, sample->tenant.size ? "/" : "", sample->entity, NAME_BYTES_MAX);
    if (sample->tenant.size || sample->id.size) /* else it was not known whose it is */
        text_line_format(line, " key h:%08x",
                         (unsigned)(verify_mask_hash_key(report, &sample->key) >> 32));
    if (report->show_values && sample->id.size)
        put_safe(line, " id=", sample->id, VERIFY_VALUE_MAX);
    if (sample->name.size && (report->show_values || sample->name.data[0] == '/'))
        put_safe(line, " name=", sample->name, VERIFY_VALUE_MAX);
}

static void append_sample(const struct screen *screen, const struct verify_sample *sample)
{
    struct buf *out = screen->out;
    buf_append_text(out, "    ");
    struct text_line line = text_line_begin(out, 6, screen->options->width);
    put_identity(screen, sample, &line);
    if (sample->has_place)
        text_line_format(&line, "  %s-%d@%" PRId64, screen->report->topic, sample->partition,
                         sample->offset);
    if (sample->origin.size)
        put_safe(&line, "  from ", relative(screen, sample->origin), VERIFY_VALUE_MAX);
    if (!sample->has_place && sample->table)
        text_line_format(&line, "  table %s", sample->table);
    text_line_end(&line);
    struct bytes why = verify_words_sample_reason(sample);
    if (why.size) {
        struct buf reason;
        buf_init(&reason, 4096);
        text_append_safe(&reason, why, 300);
        buf_append_text(out, "      ");
        line = text_line_begin(out, 6, screen->options->width);
        text_line_words(&line, buf_view(&reason));
        text_line_end(&line);
        buf_free(&reason);
    }
    if (sample->has_expected && sample->has_actual &&
        sample->expected_version != sample->actual_version) {
        buf_append_text(out, "      ");
        line = text_line_begin(out, 8, screen->options->width);
        text_line_format(&line, "source version %" PRId64 ",", sample->expected_version);
        text_line_format(&line, " stored version %" PRId64, sample->actual_version);
        text_line_end(&line);
    }
    append_fields(screen, sample);
}

/* ---- problems ---------------------------------------------------------------------------- */

/* Samples of the problem, at most `max`; their number. */
static size_t append_examples(const struct screen *screen, const struct verify_code *problem,
                              size_t max)
{
    size_t shown = 0;
    const struct verify_report *report = screen->report;
    for (size_t i = 0; i < report->sample_counts[problem->verdict] && shown < max; i++) {
        const struct verify_sample *sample = &report->samples[problem->verdict][i];
        if (sample->code != problem->code)
            continue;
        append_sample(screen, sample);
        shown++;
    }
    return shown;
}

static void append_rest(const struct screen *screen, uint64_t rest, bool listed)
{
    if (!rest)
        return;
    buf_append_text(screen->out, "    … and ");
    append_count(screen->out, rest);
    buf_append_format(screen->out, " more%s\n", listed ? ", some of them in report.json" : "");
}

static void append_problem(const struct screen *screen, const struct verify_code *problem,
                           size_t max)
{
    const struct verify_report *report = screen->report;
    bool has_code = problem->code != ERR_NONE;
    buf_append_text(screen->out, "  ");
    struct text_line line = text_line_begin(screen->out, 4, screen->options->width);
    char number[28];
    text_line_format(&line, "%s %s", text_format_count(problem->count, number),
                     TOTALS_VERIFY.classes[problem->verdict].title);
    if (has_code) {
        text_line_format(&line, ": %s", error_code_id(problem->code));
        text_line_put(&line, BYTES_LITERAL(" "));
        text_line_words(&line, bytes_text(error_code_meaning(problem->code)));
    }
    text_line_end(&line);
    size_t shown = append_examples(screen, problem, max);
    bool listed = report->sample_counts[problem->verdict] > shown;
    append_rest(screen, shown ? problem->count - shown : 0, listed);
    bool extra = problem->verdict == VERDICT_EXTRA || problem->verdict == VERDICT_UNEXPECTED_TENANT;
    if (extra && shown && !report->show_values)
        buf_append_text(screen->out, "    (their ids are shown with --show-values)\n");
}

/* What is wrong beside the records, below the line that counts it. */
static void append_list(const struct screen *screen, int list, const char *title)
{
    const struct verify_report *report = screen->report;
    size_t count = report->sample_counts[list];
    size_t shown = count < VERIFY_TEXT_SAMPLES ? count : VERIFY_TEXT_SAMPLES;
    if (shown)
        buf_append_format(screen->out, "  %s:\n", title);
    for (size_t i = 0; i < shown; i++) {
        const struct verify_sample *sample = &report->samples[list][i];
        buf_append_format(screen->out, "    %s:", verdict_name(sample->verdict));
        append_sample(screen, sample);
    }
    if (count > shown)
        buf_append_text(screen->out, "    … and more in report.json\n");
}

static void append_problems(const struct screen *screen)
{
    static const char *const TITLES[] = {"redis", "sealed values", "files"};
    size_t count;
    struct verify_code *problems = verify_report_problems(screen->report, &count);
    size_t each = count ? VERIFY_TEXT_SAMPLES / count : 0;
    if (count)
        buf_append_text(screen->out, "problems:\n");
    for (size_t i = 0; i < count; i++)
        append_problem(screen, &problems[i], each ? each : 1);
    for (int list = VERIFY_LIST_REDIS; list < VERIFY_LIST_COUNT; list++)
        append_list(screen, list, TITLES[list - VERIFY_LIST_REDIS]);
    free(problems);
}

/* ---- tenants ----------------------------------------------------------------------------- */

static void name_rest(char name[64], size_t count, const char *what)
{
    char number[28];
    snprintf(name, 64, "%s %s", text_format_count(count, number), what);
}

/* Those with problems, the most first; all the others in two sums. */
static void append_tenants(const struct screen *screen)
{
    const struct totals_table table = {.set = &TOTALS_VERIFY,
                                       .name_titles = {"tenant", "entity"},
                                       .records_title = "records",
                                       .width = screen->options->width};
    struct totals_row rows[VERIFY_TEXT_GROUPS + 2];
    struct diff_groups_split split;
    size_t shown = 0;
    char names[2][64];
    diff_groups_split(&screen->report->groups, VERIFY_TEXT_GROUPS, &split);
    for (; shown < split.listed_count; shown++)
        rows[shown] =
            (struct totals_row){.names = {split.listed[shown]->tenant, split.listed[shown]->entity},
                                .counts = split.listed[shown]->counts};
    name_rest(names[0], split.left_out.groups, "more with problems");
    name_rest(names[1], split.matching.groups, "without a problem");
    if (split.left_out.groups)
        rows[shown++] =
            (struct totals_row){.names = {bytes_text(names[0])}, .counts = split.left_out.counts};
    if (shown && split.matching.groups)
        rows[shown++] =
            (struct totals_row){.names = {bytes_text(names[1])}, .counts = split.matching.counts};
    if (shown)
        totals_append_table(screen->out, &table, rows, shown);
    diff_groups_split_free(&split);
}

/* ---- first and last lines ---------------------------------------------------------------- */

static void append_identity(const struct screen *screen)
{
    totals_append_identity(screen->out, &TOTALS_VERIFY, screen->total, screen->report->source_count,
                           verify_words_records(screen->report), 4, screen->options->width);
}

static void append_first_lines(const struct screen *screen)
{
    const struct verify_report *report = screen->report;
    struct buf *out = screen->out;
    if (!verify_report_adds_up(report)) {
        struct text_line line = text_line_begin(out, 4, screen->options->width);
        text_line_format(&line, "%s:", error_code_id(ERR_VERIFY_COUNTS));
        text_line_words(&line, BYTES_LITERAL(" " VERIFY_WORDS_COUNTS ":"));
        buf_append_text(out, "\n  ");
        append_identity(screen);
    }
    if (report->evicted > report->given_up) {
        uint64_t gone = report->evicted - report->given_up;
        append_count(out, gone);
        struct text_line line = text_line_begin(out, 4, screen->options->width);
        char words[128];
        snprintf(words, sizeof words, " %s", verify_words_evicted(gone));
        text_line_words(&line, bytes_text(words));
        text_line_end(&line);
    }
    for (size_t i = 0; i < report->warning_count; i++) {
        struct buf text;
        buf_init(&text, 8192);
        text_append_safe(&text, bytes_text(report->warnings[i]), WARNING_MAX);
        buf_append_text(out, "warning: ");
        struct text_line line = text_line_begin(out, 4, screen->options->width);
        text_line_words(&line, buf_view(&text));
        text_line_end(&line);
        buf_free(&text);
    }
}

/* One line, whatever the width: it is what --quiet leaves. */
static void append_verdict(const struct screen *screen)
{
    struct buf *out = screen->out;
    bool colour = screen->options->colour;
    bool match = verify_report_result(screen->report) == VERIFY_MATCH;
    buf_append_format(out, "%s%s%s  ",
                      !colour ? ""
                      : match ? "\033[32m"
                              : "\033[31m",
                      verify_words_verdict(screen->report), colour ? "\033[0m" : "");
    verify_words_append_reason(screen->report, out);
    buf_append_char(out, '\n');
}

/* The comma stays in the line before. */
static void put_also(struct text_line *line, uint64_t count, const char *what)
{
    char number[28];
    if (!count)
        return;
    text_line_put(line, BYTES_LITERAL(","));
    text_line_format(line, " %s %s", text_format_count(count, number), what);
}

static void append_run(const struct screen *screen)
{
    char number[28];
    struct buf *out = screen->out;
    const struct verify_report *report = screen->report;
    buf_append_text(out, "compared in ");
    struct text_line line = text_line_begin(out, 4, screen->options->width);
    struct buf pace;
    buf_init(&pace, 256);
    totals_append_pace(&pace, report->source_count, report->duration_ms);
    text_line_put(&line, buf_view(&pace));
    buf_free(&pace);
    text_line_put(&line, BYTES_LITERAL(","));
    text_line_format(&line, " %s %s", text_format_count(report->rows, number),
                     report->rows == 1 ? "row read" : "rows read");
    if (report->passes > 1)
        text_line_format(&line, " in each of %u passes", report->passes);
    put_also(&line, report->changed, "changed while verifying and were rechecked");
    put_also(&line, report->not_rechecked, "differences counted without naming their members");
    text_line_end(&line);
    if (screen->options->report_path) {
        struct bytes path = relative(screen, bytes_text(screen->options->report_path));
        buf_append_format(out, "Report: %.*s (+ .json)\n", BYTES_ARGS(path));
    }
}

void verify_text_append(const struct verify_report *report,
                        const struct verify_text_options *options, struct buf *out)
{
    struct screen screen = {.report = report, .options = options, .out = out};
    diff_groups_total(&report->groups, screen.total);
    append_first_lines(&screen);
    append_problems(&screen);
    append_tenants(&screen);
    if (verify_report_adds_up(report))
        append_identity(&screen);
    if (verify_words_append_messages(report, out))
        buf_append_char(out, '\n');
    verify_side_checks_append_text(&report->side_checks, options->width, out);
    if (report->reads)
        verify_reads_append_text(report->reads, options->width, out);
    append_run(&screen);
    append_verdict(&screen);
}
