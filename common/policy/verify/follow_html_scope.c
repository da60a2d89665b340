/* What a verification that follows did not compare, and how far it is. */

#include "common/policy/verify/follow_html_internal.h"

#include <inttypes.h>

#include "common/policy/html_out.h"
#include "common/policy/plot/plot_scale.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_html_internal.h"

static const struct {
    enum verdict verdict;
    const char *why;
} UNCOMPARED[] = {
    {VERDICT_SUPERSEDED, "a later message of the same key was there; that one is compared"},
    {VERDICT_OVERTAKEN, "the row was newer than the message; the newer message is compared"},
    {VERDICT_DEAD, "refused by the worker: they lie in the dead letters"},
    {VERDICT_DISCARDED, "a person decided that they are not migrated"},
    {VERDICT_WAITING, "their parent had not come yet"},
    {VERDICT_LAGGING, "the workers had not written them yet"},
};

static void append_share(const struct follow_report *report, struct buf *out)
{
    struct buf text;
    if (!(report->share < 1))
        return;
    buf_init(&text, 256);
    plot_append_value(&text, PLOT_SHARE, report->share);
    buf_append_text(out, "<p class=\"note\">It cannot keep up: a sample of ");
    html_append_words(out, buf_view(&text));
    buf_append_text(out, " of the keys, chosen by their hash, is compared now.</p>\n");
    buf_free(&text);
}

static void append_full_pass(const struct follow_report *report, struct buf *out)
{
    const struct follow_full_pass *pass = &report->full_pass;
    if (pass->began_ms < 0) {
        buf_append_text(out, "<p class=\"note\">There was no full pass yet: rows that no message "
                             "since the begin tells of were not looked at.</p>\n");
    } else {
        buf_append_text(out, "<p>Rows that no message tells of were looked at by the last full "
                             "pass, begun ");
        html_append_time(out, pass->began_ms);
        buf_append_format(out, ", which took %" PRIu64 ".%" PRIu64 " s", pass->duration_ms / 1000,
                          pass->duration_ms % 1000 / 100);
        buf_append_text(out, " and found ");
        html_append_count(out, pass->problems);
        buf_append_text(out, pass->problems == 1 ? " problem" : " problems");
        buf_append_text(out, pass->not_whole.size ? "; it was not whole." : ".");
        buf_append_text(out, "</p>\n");
    }
    if (pass->next_ms >= 0) {
        buf_append_text(out, "<p class=\"dim\">The next one begins ");
        html_append_time(out, pass->next_ms);
        buf_append_text(out, ".</p>\n");
    }
}

static uint64_t sum_of_rows(const struct follow_report *report)
{
    const uint64_t *counts = report->windows[FOLLOW_TOTAL].counts;
    uint64_t sum = report->not_compared + report->not_rechecked + report->open_suspects;
    for (size_t i = 0; i < sizeof UNCOMPARED / sizeof *UNCOMPARED; i++)
        sum += counts[UNCOMPARED[i].verdict];
    return sum;
}

void follow_html_append_scope(const struct follow_report *report, struct buf *out)
{
    const uint64_t *counts = report->windows[FOLLOW_TOTAL].counts;
    buf_append_text(out, "<section id=\"scope\">\n<h2>What was not compared</h2>\n");
    append_share(report, out);
    append_full_pass(report, out);
    if (report->waited_ms >= 1000) {
        buf_append_format(out,
                          "<p>For %" PRIu64 " s a server did not answer; what came meanwhile "
                          "was compared later.</p>\n",
                          report->waited_ms / 1000);
    }
    if (sum_of_rows(report)) {
        buf_append_text(out, "<table>\n<tr><th class=\"n\">number</th><th>what</th>"
                             "<th>why</th></tr>\n");
        verify_html_append_uncompared(out, report->not_compared, "left out",
                                      "not in the sample, while it could not keep up");
        for (size_t i = 0; i < sizeof UNCOMPARED / sizeof *UNCOMPARED; i++)
            verify_html_append_uncompared(out, counts[UNCOMPARED[i].verdict],
                                          TOTALS_VERIFY.classes[UNCOMPARED[i].verdict].title,
                                          UNCOMPARED[i].why);
        verify_html_append_uncompared(
            out, report->open_suspects, "suspects",
            "looked wrong once, and are looked at again before they count");
        verify_html_append_uncompared(out, report->not_rechecked, "not looked at again",
                                      "looked wrong once when too many others did");
        buf_append_text(out, "</table>\n");
    }
    buf_append_text(out, "</section>\n");
}

/* ---- partitions -------------------------------------------------------------------------- */

static void append_offset(struct buf *out, int64_t offset)
{
    if (offset < 0) {
        buf_append_text(out, "<td class=\"n dim\">–</td>");
        return;
    }
    buf_append_text(out, "<td class=\"n\">");
    html_append_count(out, (uint64_t)offset);
    buf_append_text(out, "</td>");
}

void follow_html_append_partitions(const struct follow_report *report, struct buf *out)
{
    if (!report->partition_count)
        return;
    buf_append_text(out, "<section id=\"partitions\">\n<h2>How far it is</h2>\n"
                         "<div class=\"wide\">\n<table>\n<tr><th class=\"n\">partition</th>"
                         "<th class=\"n\">verified up to</th><th class=\"n\">written up to</th>"
                         "<th class=\"n\">end of the topic</th></tr>\n");
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct follow_partition *partition = &report->partitions[i];
        buf_append_text(out, "<tr>");
        append_offset(out, partition->partition);
        append_offset(out, partition->verified);
        append_offset(out, partition->committed);
        append_offset(out, partition->end);
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</table>\n</div>\n</section>\n");
}
