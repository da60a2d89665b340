/* The page of a verification that follows: what it found and how sure that is first, how it came
 * about last. */

#include "common/base/plural.h"
#include "common/policy/verify/follow_html_internal.h"

#include "common/base/text.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_html_internal.h"

#define REASON_MAX 8192

static void append_title(const struct follow_report *report, struct buf *out)
{
    verify_html_append_head(out, bytes_text(follow_report_verdict(report)));
    buf_append_text(out, "<h1>Verification of ");
    html_append_outside(out, bytes_text(report->migration), VERIFY_HTML_NAME_MAX);
    buf_append_text(out, " as it goes on <span>· as of ");
    html_append_time(out, report->facts.written_ms);
    buf_append_text(out, "</span></h1>\n");
}

static void append_banner(const struct follow_report *report, struct buf *out)
{
    static const char *const CLASSES[] = {
        [FOLLOW_MATCH] = "match",
        [FOLLOW_INCONCLUSIVE] = "not_verified",
        [FOLLOW_DISCREPANCY] = "discrepancy",
        [FOLLOW_TOO_SLOW] = "discrepancy",
        [FOLLOW_NOTHING] = "not_verified",
    };
    struct buf reason;
    buf_init(&reason, REASON_MAX);
    follow_report_append_reason(report, &reason);
    buf_append_format(out,
                      "<div id=\"verdict\" class=\"banner %s\">\n<p class=\"verdict\">%s</p>\n"
                      "<p class=\"reason\">",
                      CLASSES[follow_report_result(report)], follow_report_verdict(report));
    html_append_words(out, buf_view(&reason));
    buf_append_text(out, "</p>\n</div>\n");
    buf_free(&reason);
}

static void append_warnings(const struct follow_report *report, struct buf *out)
{
    if (report->full_pass.failure.size) {
        buf_append_text(out, "<p class=\"note\">The last full pass did not end: ");
        html_append_outside(out, report->full_pass.failure, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
    if (report->full_pass.not_whole.size) {
        buf_append_text(out, "<p class=\"note\">The last full pass was not whole, so what it did "
                             "not find may be there: ");
        html_append_outside(out, report->full_pass.not_whole, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
    for (size_t i = 0; i < report->warning_count; i++) {
        buf_append_text(out, "<p class=\"note warning\">warning: ");
        html_append_outside(out, report->warnings[i], VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
}

/* "12 key versions judged = 10 match + 2 superseded" */
static void append_sentence(struct buf *out, const uint64_t *counts)
{
    char text[28];
    const char *between = " = ";
    uint64_t judged = totals_records(&TOTALS_VERIFY, counts);
    buf_append_format(out, "%s key version%s judged", text_format_count(judged, text),
                      plural_end(judged));
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (!counts[v] || TOTALS_VERIFY.classes[v].outside)
            continue;
        buf_append_format(out, "%s%s %s", between, text_format_count(counts[v], text),
                          TOTALS_VERIFY.classes[v].title);
        between = " + ";
    }
    between = "; besides ";
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (!counts[v] || !TOTALS_VERIFY.classes[v].outside)
            continue;
        buf_append_format(out, "%s%s %s", between, text_format_count(counts[v], text),
                          TOTALS_VERIFY.classes[v].title);
        between = ", ";
    }
}

static void append_bar(const struct follow_report *report, struct buf *out)
{
    struct buf sentence;
    const uint64_t *counts = report->windows[FOLLOW_TOTAL].counts;
    uint64_t any = 0;
    for (int v = 0; v < VERDICT_COUNT; v++)
        any |= counts[v];
    if (!any)
        return;
    buf_init(&sentence, REASON_MAX);
    append_sentence(&sentence, counts);
    buf_append_text(out, "<section id=\"reconciliation\">\n<h2>What became of each</h2>\n");
    verify_html_append_classes(out, counts, buf_view(&sentence));
    buf_append_text(out, "</section>\n");
    buf_free(&sentence);
}

/* ---- how it came about ------------------------------------------------------------------- */

static void append_fact(struct buf *out, const char *title, const char *text)
{
    if (!text || !text[0])
        return;
    buf_append_format(out, "<dt>%s</dt><dd>", title);
    html_append_outside(out, bytes_text(text), VERIFY_HTML_TEXT_MAX);
    buf_append_text(out, "</dd>\n");
}

static void append_run(const struct follow_report *report, struct buf *out)
{
    buf_append_text(out, "<section id=\"run\">\n<h2>How it was verified</h2>\n<dl>\n");
    append_fact(out, "migration", report->migration);
    append_fact(out, "source topic", report->topic);
    append_fact(out, "group", report->group);
    append_fact(out, "verifier", report->id);
    report_facts_append_html(&report->facts, out);
    buf_append_text(out, "<dt>counts since</dt><dd>");
    html_append_time(out, report->since_ms);
    if (report->starts > 1) {
        buf_append_text(out, ", over ");
        html_append_count(out, report->starts);
        buf_append_text(out, " starts");
    }
    buf_append_text(out, "</dd>\n</dl>\n</section>\n");
}

static void append_footer(const struct follow_report *report, struct buf *out)
{
    buf_append_text(out, "<footer>\n<p>A key&#39;s version is compared once for each range of "
                         "messages that ends with it; a discrepancy counts when it was still there "
                         "at later looks. Keys and values are shown as kind, size and a keyed hash "
                         "(h:…). The same numbers for machines: report.json, beside this file. "
                         "Written ");
    html_append_time(out, report->facts.written_ms);
    buf_append_text(out, " by drover " DROVER_VERSION ".</p>\n</footer>\n");
}

void follow_report_append_html(const struct follow_report *report, struct buf *out)
{
    append_title(report, out);
    append_banner(report, out);
    append_warnings(report, out);
    append_bar(report, out);
    follow_html_append_problems(report, out);
    follow_html_append_windows(report, out);
    follow_html_append_plots(report, out);
    write_latency_append_html(&report->writes, out);
    verify_html_append_reads(report->reads, out);
    follow_html_append_scope(report, out);
    follow_html_append_groups(report, out);
    follow_html_append_partitions(report, out);
    append_run(report, out);
    append_footer(report, out);
    buf_append_text(out, "</body>\n</html>\n");
}
