/* See the header. */
#include "verifier/follow/follow_screen.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/base/text_width.h"
#include "common/policy/html_out.h"
#include "common/policy/plot/plot_scale.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings_sum.h"
#include "common/policy/view_lines.h"

enum {
    NAME_WIDTH = 9,
    COUNT_WIDTH = 14,
    WRONG_WIDTH = 10,
    SHARE_WIDTH = 12,
};

/* What stays longest where the terminal is low. */
enum weight {
    WEIGHT_SCOPE = 1,
    WEIGHT_READS,
    WEIGHT_WRITES,
    WEIGHT_BESIDE,
    WEIGHT_FIVE_MINUTES,
    WEIGHT_DAY,
    WEIGHT_HOUR,
    WEIGHT_MINUTE,
    WEIGHT_HEAD,
    WEIGHT_FULL_PASS,
    WEIGHT_SOURCES,
    WEIGHT_BEHIND,
    WEIGHT_TOTAL,
    WEIGHT_AWAY,
    WEIGHT_VERDICT,
};

static struct buf *begin_line(struct view_lines *lines, enum weight weight, const char *name)
{
    struct buf *out = view_lines_add(lines, (int)weight);
    buf_append_format(out, "  %-*s ", NAME_WIDTH, name);
    return out;
}

/* " · " between two parts of a line, behind its name. */
static void append_part(struct buf *out, const char **between)
{
    buf_append_text(out, *between);
    *between = " · ";
}

static void append_counted(struct buf *out, const char **between, uint64_t count, const char *what)
{
    if (count == 0)
        return;
    append_part(out, between);
    view_lines_append_count(out, "", count, what);
}

static void append_titled(struct buf *out, const char **between, const uint64_t *counts,
                          enum verdict verdict)
{
    if (counts[verdict] == 0)
        return;
    append_counted(out, between, counts[verdict], " ");
    buf_append_text(out, TOTALS_VERIFY.classes[verdict].title);
}

/* ---- windows ----------------------------------------------------------------------------- */

static void append_right(struct buf *out, struct bytes text, int width)
{
    for (int at = text_width(text); at < width; at++)
        buf_append_char(out, ' ');
    buf_append_bytes(out, text);
}

static void append_share(struct buf *out, double share)
{
    struct buf text;
    buf_init(&text, 64);
    if (isfinite(share))
        plot_append_value(&text, PLOT_SHARE, share);
    else
        buf_append_text(&text, "–");
    append_right(out, buf_view(&text), SHARE_WIDTH);
    buf_free(&text);
}

/* A column that has no room is left out as a whole: the rate first, which the counts say too. */
struct columns {
    bool has_rate, has_upper;
};

static struct columns columns_of(int width)
{
    int counts = 3 + NAME_WIDTH + COUNT_WIDTH + WRONG_WIDTH;
    return (struct columns){.has_rate = width >= counts + 2 * SHARE_WIDTH,
                            .has_upper = width >= counts + SHARE_WIDTH};
}

static void append_head(struct view_lines *lines, struct columns columns)
{
    struct buf *out = begin_line(lines, WEIGHT_HEAD, "");
    append_right(out, BYTES_LITERAL("compared"), COUNT_WIDTH);
    append_right(out, BYTES_LITERAL("wrong"), WRONG_WIDTH);
    if (columns.has_rate)
        append_right(out, BYTES_LITERAL("rate"), SHARE_WIDTH);
    if (columns.has_upper)
        append_right(out, BYTES_LITERAL("95 % bound"), SHARE_WIDTH);
}

static void append_window(struct view_lines *lines, struct columns columns,
                          const struct rolling *rolling, enum follow_window_kind kind)
{
    static const struct {
        const char *name;
        enum weight weight;
    } ROWS[FOLLOW_WINDOWS] = {
        [FOLLOW_MINUTE] = {"1 min", WEIGHT_MINUTE},
        [FOLLOW_FIVE_MINUTES] = {"5 min", WEIGHT_FIVE_MINUTES},
        [FOLLOW_HOUR] = {"1 h", WEIGHT_HOUR},
        [FOLLOW_DAY] = {"24 h", WEIGHT_DAY},
        [FOLLOW_TOTAL] = {"total", WEIGHT_TOTAL},
    };
    char text[28];
    struct follow_window window;
    rolling_window(rolling, kind, &window);
    uint64_t compared = follow_report_compared(window.counts);
    uint64_t wrong = follow_report_wrong(window.counts);
    struct buf *out = begin_line(lines, ROWS[kind].weight, ROWS[kind].name);
    append_right(out, bytes_text(text_format_count(compared, text)), COUNT_WIDTH);
    append_right(out, bytes_text(text_format_count(wrong, text)), WRONG_WIDTH);
    if (columns.has_rate)
        append_share(out, compared ? (double)wrong / (double)compared : NAN);
    if (columns.has_upper)
        append_share(out, compared ? window.upper : NAN);
}

/* ---- the other lines --------------------------------------------------------------------- */

static void append_verdict(struct buf *out, const struct follow_numbers *numbers, bool with_bound)
{
    struct follow_report report = {0};
    follow_numbers_report(numbers, &report);
    if (!with_bound) {
        report.facts.ended_ms = -1;               /* it goes on */
        report.windows[FOLLOW_TOTAL].upper = NAN; /* stands below */
    }
    buf_append_format(out, "%s: ", follow_report_verdict(&report));
    follow_report_append_reason(&report, out);
}

static void append_behind(struct view_lines *lines, const struct follow_numbers *numbers)
{
    const char *between = "";
    struct buf *out = begin_line(lines, WEIGHT_BEHIND, "lag");
    if (numbers->backlog == 0)
        buf_append_text(out, "none");
    append_counted(out, &between, numbers->backlog, " to compare");
    if (numbers->backlog && numbers->behind_ms >= 1000) {
        buf_append_text(out, ", since ");
        outage_append_time(out, numbers->behind_ms);
    }
    if (numbers->share < 1)
        buf_append_format(out, " · %.4g %% of the keys", 100 * numbers->share);
    between = " · ";
    append_counted(out, &between, numbers->suspects, " looked at again");
    append_counted(out, &between, numbers->lag, " not yet written");
}

static void append_beside(struct view_lines *lines, const uint64_t *total)
{
    static const enum verdict BESIDE[] = {VERDICT_SUPERSEDED, VERDICT_OVERTAKEN, VERDICT_DEAD,
                                          VERDICT_WAITING, VERDICT_CONFLICT};
    const char *between = "";
    struct buf *out = begin_line(lines, WEIGHT_BESIDE, "beside");
    for (size_t i = 0; i < sizeof BESIDE / sizeof *BESIDE; i++)
        append_titled(out, &between, total, BESIDE[i]);
    append_counted(out, &between, total[ROLLING_NOT_COMPARED], " not compared");
    append_counted(out, &between, total[ROLLING_NOT_RECHECKED], " not looked at again");
    if (!*between)
        buf_reset(out);
}

static void append_ago(struct buf *out, int64_t span_ms)
{
    outage_append_time(out, span_ms > 0 ? (uint64_t)span_ms : 0);
}

static void append_full_pass(struct view_lines *lines, const struct follow_screen *screen)
{
    const struct follow_full_pass *full = screen->numbers->full;
    const char *between = "";
    struct buf *out = begin_line(lines, WEIGHT_FULL_PASS, "full pass");
    if (full->began_ms >= 0) {
        append_part(out, &between);
        view_lines_append_count(out, "", full->problems,
                                full->problems == 1 ? " problem" : " problems");
        if (full->failure.size)
            buf_append_text(out, " · the last one failed");
        else if (full->not_whole.size)
            buf_append_text(out, " · not whole");
        buf_append_text(out, " · ");
        append_ago(out, screen->unix_ms - full->began_ms);
        buf_append_text(out, " ago");
    }
    if (screen->is_full_running) {
        append_part(out, &between);
        buf_append_text(out, "one is on");
    } else if (screen->next_ms != INT64_MAX) {
        append_part(out, &between);
        buf_append_text(out, "next in ");
        append_ago(out, screen->next_ms - screen->unix_ms);
    }
    if (!*between)
        buf_append_text(out, "none");
}

/* Nothing while all is well. */
static void append_sources(struct view_lines *lines, const struct readings_sum *sources)
{
    const char *between = "";
    if (!sources || readings_sum_is_clean(sources))
        return;
    struct buf *out = begin_line(lines, WEIGHT_SOURCES, "sources");
    append_counted(out, &between, sources->rejected, " rejected");
    append_counted(out, &between, sources->incomplete, " not complete");
    append_counted(out, &between, sources->beyond, " readings had no room");
    if (!sources->is_known) {
        append_part(out, &between);
        buf_append_text(out, "are being read");
    }
}

static void append_latencies(struct view_lines *lines, const struct follow_numbers *numbers)
{
    struct buf part;
    buf_init(&part, 512);
    write_latency_append_line(&numbers->writes, &part);
    if (part.size)
        buf_append_bytes(begin_line(lines, WEIGHT_WRITES, "writes"), buf_view(&part));
    buf_reset(&part);
    if (numbers->reads)
        verify_reads_append_line(numbers->reads, &part);
    if (part.size)
        buf_append_bytes(begin_line(lines, WEIGHT_READS, ""), buf_view(&part));
    buf_free(&part);
}

static void append_scope(struct view_lines *lines, const struct follow_screen *screen)
{
    struct buf *out = begin_line(lines, WEIGHT_SCOPE, "");
    buf_append_text(out, "up ");
    outage_append_time(out, screen->up_ms);
    buf_append_format(out, " · %zu partition%s", screen->numbers->partitions,
                      plural_end(screen->numbers->partitions));
    buf_append_text(out, screen->is_stopping ? " · stopping" : " · Ctrl-C stops");
}

void follow_screen_append(struct buf *out, const struct follow_screen *screen, int width,
                          int height)
{
    struct view_lines lines;
    struct columns columns = columns_of(width);
    const struct follow_numbers *numbers = screen->numbers;
    view_lines_begin(&lines, width);
    append_verdict(begin_line(&lines, WEIGHT_VERDICT, "verify"), numbers, false);
    append_head(&lines, columns);
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++)
        append_window(&lines, columns, numbers->rolling, (enum follow_window_kind)kind);
    append_behind(&lines, numbers);
    append_beside(&lines, numbers->rolling->total);
    append_full_pass(&lines, screen);
    append_sources(&lines, numbers->sources);
    append_latencies(&lines, numbers);
    view_lines_add_outages(&lines, WEIGHT_AWAY, numbers->outages, screen->now_ms, "  ");
    append_scope(&lines, screen);
    view_lines_end(&lines, height, out);
}

/* Of the last full pass, where it is a reason: what it found, why it is not whole, and since when
 * that is known. */
static void append_full_reason(struct buf *out, const struct follow_full_pass *full)
{
    const char *between = "";
    if (full->began_ms < 0 || (!full->problems && !full->not_whole.size))
        return;
    buf_append_text(out, " (full pass of ");
    html_append_time(out, full->began_ms);
    buf_append_text(out, ": ");
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (follow_report_is_wrong((enum verdict)v))
            append_titled(out, &between, full->counts, (enum verdict)v);
    uint64_t wrong = follow_report_wrong(full->counts);
    uint64_t beside = full->problems > wrong ? full->problems - wrong : 0;
    append_counted(out, &between, beside, " beside the records");
    if (full->not_whole.size) {
        append_part(out, &between);
        buf_append_format(out, "not whole, %.*s", BYTES_ARGS(full->not_whole));
    }
    buf_append_char(out, ')');
}

void follow_screen_append_reason(struct buf *out, const struct follow_numbers *numbers)
{
    append_verdict(out, numbers, true);
    append_full_reason(out, numbers->full);
}

/* What is wrong beside the sources comes first. */
static void append_next_of_sources(struct buf *out, const struct readings_sum *sources,
                                   const char *begin)
{
    if (!sources)
        return;
    if (sources->rejected) {
        buf_append_format(out,
                          "%sdrover status names the sources, drover verify the codes: fix what is "
                          "rejected;\n       who follows the source takes it back\n",
                          begin);
        begin = "       ";
    }
    if (sources->incomplete)
        buf_append_format(out,
                          "%sput right what cannot be read whole; when it never comes again: "
                          "drover dlq\n       discard --source URI --reason TEXT\n",
                          begin);
}

static void append_next_of_problems(struct buf *out, const struct follow_numbers *numbers)
{
    bool is_wrong = follow_numbers_wrong(numbers) || numbers->full->problems;
    if (is_wrong)
        buf_append_text(out, "Next:  drover verify --show-values\n");
    if (is_wrong && !follow_numbers_wrong(numbers))
        buf_append_text(out, "       what the last full pass found counts until one finds "
                             "nothing: verify.full_every\n");
    append_next_of_sources(out, numbers->sources, is_wrong ? "       " : "Next:  ");
}

void follow_screen_append_next(struct buf *out, const struct follow_numbers *numbers)
{
    struct follow_report report = {0};
    follow_numbers_report(numbers, &report);
    switch (follow_report_result(&report)) {
    case FOLLOW_MATCH:
        return;
    case FOLLOW_DISCREPANCY:
        append_next_of_problems(out, numbers);
        return;
    case FOLLOW_NOTHING:
        buf_append_text(out, "Next:  drover verify compares what is there; this one compares what "
                             "is written while it runs\n");
        return;
    case FOLLOW_INCONCLUSIVE:
        buf_append_text(out, numbers->full->not_whole.size
                                 ? "Next:  drover verify, once what kept the full pass from being "
                                   "whole is over\n"
                                 : "Next:  let it compare more\n");
        return;
    case FOLLOW_TOO_SLOW:
        buf_append_text(out, "Next:  drover verify --compare-reads, with nothing else on the "
                             "stores\n");
    }
}

void follow_screen_append_summary(struct buf *out, const struct follow_numbers *numbers,
                                  const char *report)
{
    follow_screen_append_reason(out, numbers);
    buf_append_char(out, '\n');
    if (report)
        buf_append_format(out, "Report: %s\n", report);
    follow_screen_append_next(out, numbers);
}
