/* The verdict of a verification that follows, and its reason in words. */

#include "common/policy/verify/follow_report.h"

#include <math.h>

#include "common/base/text.h"
#include "common/policy/plot/plot_scale.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings_sum.h"

static bool is_slow(const struct follow_report *report)
{
    const struct verify_reads *reads = report->reads;
    if (!reads || !reads->enforced)
        return false;
    enum verify_reads_verdict verdict = verify_reads_verdict(reads);
    return verdict == READS_SLOWER || (verdict == READS_UNKNOWN && report->facts.ended_ms >= 0);
}

static bool is_known(const struct follow_report *report)
{
    const struct readings_sum *sources = report->sources;
    return !report->full_pass.not_whole.size &&
           (!sources || (sources->is_known && !sources->beyond));
}

enum follow_result follow_report_result(const struct follow_report *report)
{
    const struct follow_window *total = &report->windows[FOLLOW_TOTAL];
    const struct readings_sum *sources = report->sources;
    if (follow_report_wrong(total->counts) || report->full_pass.problems ||
        (sources && sources->rejected))
        return FOLLOW_DISCREPANCY;
    if (!follow_report_compared(total->counts))
        return FOLLOW_NOTHING;
    if (sources && sources->incomplete)
        return FOLLOW_DISCREPANCY;
    if (!is_known(report))
        return FOLLOW_INCONCLUSIVE;
    if (is_slow(report))
        return FOLLOW_TOO_SLOW;
    if (report->rate_max > 0 && !(total->upper < report->rate_max))
        return FOLLOW_INCONCLUSIVE;
    return FOLLOW_MATCH;
}

bool follow_report_is_right(const struct follow_report *report)
{
    enum follow_result result = follow_report_result(report);
    return result == FOLLOW_MATCH || (result == FOLLOW_INCONCLUSIVE && is_known(report));
}

const char *follow_report_verdict(const struct follow_report *report)
{
    static const char *const WORDS[] = {
        [FOLLOW_MATCH] = "MATCH",           [FOLLOW_INCONCLUSIVE] = "INCONCLUSIVE",
        [FOLLOW_DISCREPANCY] = "NOT EQUAL", [FOLLOW_TOO_SLOW] = "TOO SLOW",
        [FOLLOW_NOTHING] = "NOT VERIFIED",
    };
    return WORDS[follow_report_result(report)];
}

static void append_count(struct buf *out, uint64_t count, const char *what)
{
    char text[28];
    buf_append_format(out, "%s %s", text_format_count(count, text), what);
}

/* "3 missing, 1 stale" */
static void append_wrong(struct buf *out, const uint64_t *counts)
{
    const char *between = "";
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (!counts[v] || !follow_report_is_wrong((enum verdict)v))
            continue;
        buf_append_text(out, between);
        append_count(out, counts[v], TOTALS_VERIFY.classes[v].title);
        between = ", ";
    }
}

static void append_bound(const struct follow_report *report, struct buf *out)
{
    double upper = report->windows[FOLLOW_TOTAL].upper;
    if (isfinite(upper)) {
        buf_append_text(out, "; with 95 % confidence the rate is at most ");
        plot_append_value(out, PLOT_SHARE, upper);
    }
    if (report->rate_max > 0) {
        buf_append_text(out, isfinite(upper) ? ", the limit is " : "; the limit is ");
        plot_append_value(out, PLOT_SHARE, report->rate_max);
    }
}

/* Of what: all keys, or a share of them. */
static void append_compared(const struct follow_report *report, struct buf *out)
{
    uint64_t compared = follow_report_compared(report->windows[FOLLOW_TOTAL].counts);
    append_count(out, compared, compared == 1 ? "comparison" : "comparisons");
    if (report->not_compared) {
        buf_append_text(out, ", a sample: ");
        append_count(out, report->not_compared,
                     report->not_compared == 1 ? "was left out" : "were left out");
    }
}

static bool is_clean(const struct follow_full_pass *full)
{
    return full->began_ms >= 0 && !full->problems && !full->not_whole.size && !full->failure.size;
}

static void append_discrepancy(const struct follow_report *report, struct buf *out)
{
    const char *between = "";
    const uint64_t *counts = report->windows[FOLLOW_TOTAL].counts;
    if (follow_report_wrong(counts)) {
        append_wrong(out, counts);
        buf_append_text(out, " in ");
        append_compared(report, out);
        append_bound(report, out);
        between = "; ";
    }
    if (report->full_pass.problems) {
        buf_append_format(out, "%sthe last full pass found ", between);
        append_count(out, report->full_pass.problems,
                     report->full_pass.problems == 1 ? "problem" : "problems");
        between = "; ";
    }
    if (report->sources)
        readings_sum_append_words(report->sources, between, out);
}

/* Why nobody can say that there is no discrepancy. */
static void append_unknown(const struct follow_report *report, struct buf *out)
{
    buf_append_text(out, "no discrepancy, but ");
    if (report->full_pass.not_whole.size)
        buf_append_text(out, "the last full pass was not whole");
    else if (is_known(report))
        buf_append_text(out, "too few comparisons to say so");
    else
        readings_sum_append_words(report->sources, "", out);
    buf_append_text(out, ": ");
}

void follow_report_append_reason(const struct follow_report *report, struct buf *out)
{
    switch (follow_report_result(report)) {
    case FOLLOW_NOTHING:
        buf_append_text(out, "nothing was compared");
        if (is_clean(&report->full_pass))
            buf_append_text(out, ", though the last full pass found nothing wrong");
        if (report->sources)
            readings_sum_append_words(report->sources, "; ", out);
        return;
    case FOLLOW_DISCREPANCY:
        append_discrepancy(report, out);
        return;
    case FOLLOW_INCONCLUSIVE:
        append_unknown(report, out);
        append_compared(report, out);
        append_bound(report, out);
        break;
    case FOLLOW_MATCH:
    case FOLLOW_TOO_SLOW:
        buf_append_text(out, "no discrepancy in ");
        append_compared(report, out);
        append_bound(report, out);
    }
    if (is_slow(report)) {
        buf_append_text(out, "; reads: ");
        verify_reads_append_verdict(report->reads, out);
    }
}
