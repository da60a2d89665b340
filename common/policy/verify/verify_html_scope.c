/* What was not compared, in report.html: a match is one of the rest. */

#include "common/policy/verify/verify_html_internal.h"

#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_words.h"

/* Classes of records that have no stored value to be compared with. */
static const struct {
    enum verdict verdict;
    const char *why;
} UNCOMPARED[] = {
    {VERDICT_SUPERSEDED, "a greater version of their key is in the source, and is compared"},
    {VERDICT_DEAD, "refused by the worker: they lie in the dead letters"},
    {VERDICT_REJECTED, "refused by the producer: they never got into the topic"},
    {VERDICT_WITHHELD, "tokens that the producer kept back"},
    {VERDICT_UNPRODUCED, "in the source files, but not in the topic"},
    {VERDICT_DISCARDED, "a person decided that they are not migrated"},
    {VERDICT_LAGGING, "at or above the snapshot: the workers had not written them yet"},
    {VERDICT_WAITING, "their parent had not come yet"},
    {VERDICT_ELSEWHERE, "from a source that was not read again"},
};

void verify_html_append_uncompared(struct buf *out, uint64_t count, const char *what,
                                   const char *why)
{
    if (!count)
        return;
    buf_append_text(out, "<tr><td class=\"n\">");
    html_append_count(out, count);
    buf_append_text(out, "</td><td>");
    html_append_words(out, bytes_text(what));
    buf_append_text(out, "</td><td>");
    html_append_words(out, bytes_text(why));
    buf_append_text(out, "</td></tr>\n");
}

static void append_rows(const struct verify_html *page)
{
    const struct verify_report *report = page->report;
    for (size_t i = 0; i < sizeof UNCOMPARED / sizeof *UNCOMPARED; i++)
        verify_html_append_uncompared(page->out, page->total[UNCOMPARED[i].verdict],
                                      TOTALS_VERIFY.classes[UNCOMPARED[i].verdict].title,
                                      UNCOMPARED[i].why);
    verify_html_append_uncompared(page->out, report->evicted, "evicted",
                                  verify_words_evicted(report->evicted));
    verify_html_append_uncompared(page->out, report->not_rechecked, "not looked at again",
                                  "differences that are counted without naming their members");
    verify_html_append_uncompared(page->out, report->side_checks.sealed.not_compared,
                                  "sealed values",
                                  "without the key, or of a store whose vault is not read");
    verify_html_append_uncompared(page->out, report->side_checks.redis.expired, "expired in Redis",
                                  "gone, and their time to live was over");
}

static bool has_rows(const struct verify_html *page)
{
    const struct verify_report *report = page->report;
    bool any = report->evicted || report->not_rechecked ||
               report->side_checks.sealed.not_compared || report->side_checks.redis.expired;
    for (size_t i = 0; i < sizeof UNCOMPARED / sizeof *UNCOMPARED; i++)
        any = any || page->total[UNCOMPARED[i].verdict];
    return any;
}

static void append_bounds(const struct verify_html *page)
{
    struct buf *out = page->out;
    if (page->report->only_tenant) {
        buf_append_text(out, "<p class=\"note\">Only tenant ");
        html_append_outside(out, bytes_text(page->report->only_tenant), VERIFY_HTML_NAME_MAX);
        buf_append_text(out, " was compared; nothing is said of any other.</p>\n");
    }
    buf_append_text(out, "<p>No sample was taken: every record in this scope was looked up by "
                         "itself. Examples are a choice of at most ");
    html_append_count(out, page->report->samples_max);
    buf_append_text(out, " for each verdict.</p>\n");
    if (!page->report->source_files)
        buf_append_text(out, "<p>The original files were not read again: the source is what the "
                             "topic holds and what the producers told. drover verify --source "
                             "PATH compares the files too.</p>\n");
}

void verify_html_append_scope(const struct verify_html *page)
{
    struct buf *out = page->out;
    buf_append_text(out, "<section id=\"scope\">\n<h2>What was not compared</h2>\n");
    append_bounds(page);
    if (has_rows(page)) {
        buf_append_text(out, "<table>\n<tr><th class=\"n\">number</th><th>what</th>"
                             "<th>why</th></tr>\n");
        append_rows(page);
        buf_append_text(out, "</table>\n");
    }
    buf_append_text(out, "</section>\n");
}
