/* The page put together: what keeps the report from being trusted and the verdict first, how it
 * came about last. */

#include "common/policy/verify/verify_html_internal.h"

#include <inttypes.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_words.h"

#define REASON_MAX 8192

/* ---- the first lines --------------------------------------------------------------------- */

static void append_banner(const struct verify_html *page)
{
    static const char *const CLASSES[] = {
        [VERIFY_MATCH] = "match",
        [VERIFY_DISCREPANCY] = "discrepancy",
        [VERIFY_NOTHING] = "not_verified",
    };
    struct buf reason, *out = page->out;
    buf_init(&reason, REASON_MAX);
    verify_words_append_reason(page->report, &reason);
    buf_append_format(out,
                      "<div id=\"verdict\" class=\"banner %s\">\n<p class=\"verdict\">%s</p>\n"
                      "<p class=\"reason\">",
                      CLASSES[verify_report_result(page->report)],
                      verify_words_verdict(page->report));
    html_append_words(out, buf_view(&reason));
    buf_append_text(out, "</p>\n</div>\n");
    buf_free(&reason);
}

static void append_notes(const struct verify_html *page)
{
    struct buf *out = page->out;
    const struct verify_report *report = page->report;
    if (!verify_report_adds_up(report))
        buf_append_format(out, "<p class=\"note\">%s: " VERIFY_WORDS_COUNTS ".</p>\n",
                          error_code_id(ERR_VERIFY_COUNTS));
    if (report->evicted > report->given_up) {
        buf_append_text(out, "<p class=\"note\">");
        uint64_t gone = report->evicted - report->given_up;
        html_append_count(out, gone);
        buf_append_format(out, " %s.</p>\n", verify_words_evicted(gone));
    }
    for (size_t i = 0; i < report->warning_count; i++) {
        buf_append_text(out, "<p class=\"note warning\">warning: ");
        html_append_outside(out, bytes_text(report->warnings[i]), VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
    if (report->show_values)
        buf_append_text(out, "<p class=\"note\">This report shows values of the data "
                             "(--show-values): keep it as you keep the data.</p>\n");
}

/* ---- the run ----------------------------------------------------------------------------- */

static void append_fact(const struct verify_html *page, const char *title, struct bytes text)
{
    if (!text.size)
        return;
    buf_append_format(page->out, "<dt>%s</dt><dd>", title);
    html_append_outside(page->out, text, VERIFY_HTML_TEXT_MAX);
    buf_append_text(page->out, "</dd>\n");
}

static void append_fact_text(const struct verify_html *page, const char *title, const char *text)
{
    append_fact(page, title, text ? bytes_text(text) : (struct bytes){0});
}

static void append_fact_count(const struct verify_html *page, const char *title, uint64_t count)
{
    buf_append_format(page->out, "<dt>%s</dt><dd>", title);
    html_append_count(page->out, count);
    buf_append_text(page->out, "</dd>\n");
}

static void append_pace(const struct verify_html *page)
{
    struct buf pace;
    buf_init(&pace, 256);
    totals_append_pace(&pace, page->report->source_count, page->report->duration_ms);
    buf_append_text(page->out, "<dt>duration</dt><dd>");
    html_append_words(page->out, buf_view(&pace));
    buf_append_text(page->out, "</dd>\n");
    buf_free(&pace);
}

static void append_run(const struct verify_html *page)
{
    const struct verify_report *report = page->report;
    char size[16];
    buf_append_text(page->out, "<section id=\"run\">\n<h2>How it was verified</h2>\n<dl>\n");
    append_fact_text(page, "migration", report->migration);
    append_fact_text(page, "source topic", report->topic);
    append_fact_text(page, "group", report->group);
    append_fact_text(page, "tenant", report->only_tenant);
    report_facts_append_html(&report->facts, page->out);
    append_pace(page);
    append_fact_count(page, "source records", report->source_count);
    append_fact_count(page, "messages", report->messages);
    append_fact_count(page, "keys compared", report->compared);
    append_fact_count(page, "rows read", report->rows);
    if (report->changed)
        append_fact_count(page, "changed and rechecked", report->changed);
    append_fact_count(page, "partitions", report->partition_count);
    append_fact_count(page, "passes", report->passes);
    append_fact_text(page, "memory", text_format_size(report->memory_bytes, size));
    buf_append_text(page->out, "</dl>\n</section>\n");
}

static void append_footer(const struct verify_html *page)
{
    buf_append_text(page->out, "<footer>\n<p>");
    if (!page->report->show_values)
        buf_append_text(page->out,
                        "Keys and values are shown as kind, size and a keyed hash (h:…): equal "
                        "ones have equal hashes, and nobody can try guesses against them. ");
    buf_append_text(page->out, "The same numbers for machines: report.json, beside this file. "
                               "Written ");
    html_append_time(page->out, page->report->facts.written_ms);
    buf_append_text(page->out, " by drover " DROVER_VERSION ".</p>\n</footer>\n");
}

/* ---- all of it --------------------------------------------------------------------------- */

static void append_title(const struct verify_html *page)
{
    struct buf *out = page->out;
    buf_append_text(out, "<h1>Verification of ");
    html_append_outside(out, bytes_text(page->report->migration), VERIFY_HTML_NAME_MAX);
    buf_append_text(out, " <span>· ");
    html_append_time(out, page->report->started_ms);
    buf_append_text(out, "</span></h1>\n");
}

void verify_html_append(const struct verify_report *report, struct buf *out)
{
    struct verify_html page = {.report = report, .out = out};
    diff_groups_total(&report->groups, page.total);
    verify_html_append_head(out, bytes_text(verify_words_verdict(report)));
    append_title(&page);
    append_banner(&page);
    append_notes(&page);
    verify_html_append_bar(&page);
    verify_html_append_problems(&page);
    verify_html_append_groups(&page);
    verify_html_append_sources(&page);
    verify_html_append_reads(report->reads, out);
    verify_html_append_scope(&page);
    verify_html_append_flow(&page);
    append_run(&page);
    append_footer(&page);
    buf_append_text(out, "</body>\n</html>\n");
}
