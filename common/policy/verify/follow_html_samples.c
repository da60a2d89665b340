/* Discrepancies of the page of a verification that follows, by verdict. */

#include "common/policy/verify/follow_html_internal.h"

#include <inttypes.h>

#include "common/base/plural.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/mapping_place.h"
#include "common/policy/verify/readings_sum.h"
#include "common/policy/verify/verify_html_internal.h"

#define WORDS_MAX ((size_t)4096) /* bytes of a sentence */

static void append_identity(const struct follow_sample *sample, struct buf *out)
{
    buf_append_text(out, "<p>");
    html_append_outside(out, sample->tenant, VERIFY_HTML_NAME_MAX);
    buf_append_text(out, " / ");
    html_append_outside(out, sample->entity, VERIFY_HTML_NAME_MAX);
    buf_append_format(out, " <span class=\"dim\">key</span> <code>h:%016" PRIx64 "</code>",
                      sample->key_hash);
    if (sample->code != ERR_NONE)
        buf_append_format(out, " <code>%s</code>", error_code_id(sample->code));
    buf_append_text(out, "</p>\n");
}

static void append_places(const struct follow_report *report, const struct follow_sample *sample,
                          struct buf *out)
{
    if (sample->partition < 0 && !sample->origin.size)
        return;
    buf_append_text(out, "<p class=\"dim\">");
    if (sample->origin.size) {
        buf_append_text(out, "from <span class=\"mono\">");
        html_append_outside(out, sample->origin, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</span> ");
    }
    if (sample->partition >= 0) {
        buf_append_text(out, "at <span class=\"mono\">");
        html_append_outside(out, bytes_text(report->topic), VERIFY_HTML_TEXT_MAX);
        buf_append_format(out, "-%" PRId32 "@%" PRId64 "</span>", sample->partition,
                          sample->offset);
    }
    mapping_place_append_file(report->mappings, sample->entity, out);
    buf_append_text(out, "</p>\n");
}

static void append_seen(const struct follow_sample *sample, struct buf *out)
{
    buf_append_text(out, "<p class=\"dim\">first seen ");
    html_append_time(out, sample->first_ms);
    if (sample->seen > 1) {
        buf_append_text(out, ", at ");
        html_append_count(out, sample->seen);
        buf_append_text(out, " looks, last ");
        html_append_time(out, sample->last_ms);
    }
    buf_append_text(out, sample->is_over ? "; it is right by now</p>\n" : "</p>\n");
}

static void append_why(const struct follow_sample *sample, struct buf *out)
{
    if (sample->reason.size) {
        buf_append_text(out, "<p>");
        html_append_outside(out, sample->reason, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
    if (sample->has_versions && sample->source_version != sample->stored_version)
        buf_append_format(out, "<p>source version %" PRId64 ", stored version %" PRId64 "</p>\n",
                          sample->source_version, sample->stored_version);
}

static void append_value(struct bytes value, struct buf *out)
{
    buf_append_text(out, value.size ? "<td class=\"mono\">" : "<td class=\"dim\">");
    html_append_outside(out, value.size ? value : BYTES_LITERAL("absent"), VERIFY_HTML_TEXT_MAX);
    buf_append_text(out, "</td>");
}

static void append_fields(const struct follow_report *report, const struct follow_sample *sample,
                          struct buf *out)
{
    if (!sample->field_count)
        return;
    buf_append_text(out, "<table>\n<tr><th>member</th><th>source</th><th>stored</th></tr>\n");
    for (size_t i = 0; i < sample->field_count; i++) {
        buf_append_text(out, "<tr><td class=\"mono\">");
        html_append_outside(out, sample->fields[i].path, VERIFY_HTML_NAME_MAX);
        mapping_place_append_column(report->mappings, sample->entity, sample->fields[i].path, out);
        buf_append_text(out, "</td>");
        append_value(sample->fields[i].source, out);
        append_value(sample->fields[i].stored, out);
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</table>\n");
    if (sample->field_total > sample->field_count)
        buf_append_format(out, "<p class=\"dim\">… and %zu more member%s</p>\n",
                          sample->field_total - sample->field_count,
                          plural_end(sample->field_total - sample->field_count));
}

static void append_sample(const struct follow_report *report, const struct follow_sample *sample,
                          struct buf *out)
{
    buf_append_text(out, "<div class=\"sample\">\n");
    append_identity(sample, out);
    append_places(report, sample, out);
    append_why(sample, out);
    append_fields(report, sample, out);
    append_seen(sample, out);
    buf_append_text(out, "</div>\n");
}

/* The first in sight, the others behind a line that opens. */
static void append_samples(const struct follow_report *report, enum verdict verdict,
                           struct buf *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < report->sample_count && shown < FOLLOW_HTML_SAMPLES_MAX; i++) {
        if (report->samples[i].verdict != verdict)
            continue;
        if (shown == 1)
            buf_append_text(out, "<details><summary>more of them</summary>\n");
        append_sample(report, &report->samples[i], out);
        shown++;
    }
    if (shown > 1)
        buf_append_text(out, "</details>\n");
}

static void append_problem(const struct follow_report *report, enum verdict verdict,
                           struct buf *out)
{
    const struct totals_class *class = &TOTALS_VERIFY.classes[verdict];
    const char *advice = verify_html_advice(verdict);
    buf_append_format(out, "<article class=\"problem c-%s\">\n<h3>",
                      class->outside ? "outside" : class->name);
    html_append_count(out, report->windows[FOLLOW_TOTAL].counts[verdict]);
    buf_append_format(out, " %s <span class=\"dim\">· ", class->title);
    html_append_count(out, report->windows[FOLLOW_HOUR].counts[verdict]);
    buf_append_text(out, " in the last hour</span></h3>\n");
    if (advice) {
        buf_append_text(out, "<p class=\"fix\"><b>What to do:</b> ");
        html_append_words(out, bytes_text(advice));
        buf_append_text(out, "</p>\n");
    }
    append_samples(report, verdict, out);
    buf_append_text(out, "</article>\n");
}

/* Each under its verdict: the first in sight, the others behind a line that opens. */
static void append_full_samples(const struct follow_report *report, struct buf *out)
{
    size_t count = report->full_sample_count < FOLLOW_HTML_FULL_SAMPLES_MAX
                       ? report->full_sample_count
                       : FOLLOW_HTML_FULL_SAMPLES_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct follow_sample *sample = &report->full_samples[i];
        if (i == 1)
            buf_append_text(out, "<details><summary>more of them</summary>\n");
        buf_append_format(out, "<p><b>%s</b></p>\n", TOTALS_VERIFY.classes[sample->verdict].title);
        append_sample(report, sample, out);
    }
    if (count > 1)
        buf_append_text(out, "</details>\n");
}

/* What the full pass found beside that. */
static void append_full_pass(const struct follow_report *report, struct buf *out)
{
    const struct follow_full_pass *pass = &report->full_pass;
    buf_append_text(out, "<article class=\"problem\">\n<h3>");
    html_append_count(out, pass->problems);
    buf_append_text(out, " found by the last full pass</h3>\n<p>");
    const char *between = "";
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (!pass->counts[v] || !verdict_is_problem((enum verdict)v) || v == VERDICT_LAGGING)
            continue;
        buf_append_text(out, between);
        html_append_count(out, pass->counts[v]);
        buf_append_format(out, " %s", TOTALS_VERIFY.classes[v].title);
        between = ", ";
    }
    buf_append_text(out, "</p>\n");
    if (pass->report.size) {
        buf_append_text(out, "<p class=\"dim\">its report: <span class=\"mono\">");
        html_append_outside(out, pass->report, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</span></p>\n");
    }
    append_full_samples(report, out);
    buf_append_text(out, "</article>\n");
}

static void append_source(const struct readings_entry *entry, struct buf *out)
{
    uint64_t rejected = readings_sum_rejected(entry);
    buf_append_text(out, "<li><span class=\"mono\">");
    html_append_outside(out, entry->uri, VERIFY_HTML_TEXT_MAX);
    buf_append_text(out, "</span>");
    if (readings_is_incomplete(entry))
        buf_append_text(out, ": its reading is not complete");
    if (rejected) {
        buf_append_text(out, readings_is_incomplete(entry) ? ", " : ": ");
        html_append_count(out, rejected);
        buf_append_text(out, " rejected");
    }
    buf_append_text(out, "</li>\n");
}

/* Of those that are named in the report. */
static void append_sources(const struct readings_sum *sources, struct buf *out)
{
    struct buf words;
    buf_init(&words, WORDS_MAX);
    readings_sum_append_words(sources, "", &words);
    buf_append_text(out, "<article class=\"problem\" id=\"sources\">\n<h3>Sources as they stand "
                         "now</h3>\n<p>");
    html_append_words(out, buf_view(&words));
    buf_append_text(out, "</p>\n<ul>\n");
    for (size_t i = 0; i < sources->named_count; i++)
        append_source(sources->named[i], out);
    buf_append_text(out, "</ul>\n<p class=\"dim\">What is put right in the source is taken back by "
                         "who follows it; drover status names all of them.</p>\n</article>\n");
    buf_free(&words);
}

void follow_html_append_problems(const struct follow_report *report, struct buf *out)
{
    const uint64_t *counts = report->windows[FOLLOW_TOTAL].counts;
    const struct readings_sum *sources = report->sources;
    bool has_sources = sources && (sources->rejected || sources->incomplete);
    if (!follow_report_wrong(counts) && !report->full_pass.problems && !has_sources)
        return;
    buf_append_text(out, "<section id=\"problems\">\n<h2>Problems</h2>\n");
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (counts[v] && follow_report_is_wrong((enum verdict)v))
            append_problem(report, (enum verdict)v, out);
    if (report->full_pass.problems)
        append_full_pass(report, out);
    if (has_sources)
        append_sources(sources, out);
    buf_append_text(out, "</section>\n");
}
