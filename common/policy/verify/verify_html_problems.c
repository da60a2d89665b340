/* The problems of report.html, by verdict and code: how many, what it means, what to do, and an
 * example; then what is wrong beside the records. */

#include "common/policy/verify/verify_html_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"

#define SIDE_TEXT_MAX (256u << 10)

/* What to do about a verdict that has no code. */
static const char *const ADVICE[VERDICT_COUNT] = {
    [VERDICT_DIFFERENT] = "the version is there already, so a replay does not write it: delete the "
                          "row, then drover replay; or have the source write a newer version",
    [VERDICT_BY_MAPPING] = "drover replay --rewrite writes again what is stale by mapping",
    [VERDICT_STALE] = "drover replay writes the newer version again",
    [VERDICT_MISSING] = "somebody changed the store, or a backup was restored: drover replay reads "
                        "the topic once more",
    [VERDICT_TARGET_NEWER] = "somebody else writes to the store: see who, before anything is sent "
                             "again",
    [VERDICT_CONFLICT] = "decide which is meant and give it a higher version",
    [VERDICT_AMBIGUOUS] = "decide which is meant and remove the other, or name a version in the "
                          "mapping",
    [VERDICT_LAGGING] = "wait for the workers, or start more of them, and verify again",
    [VERDICT_WAITING] = "send the parents; a record whose parent never comes becomes a dead letter",
    [VERDICT_DEAD] = "drover dlq list shows why; drover dlq replay sends them again",
    [VERDICT_UNPRODUCED] = "drover produce sends the files again; what is there is not written "
                           "twice",
    [VERDICT_EXTRA] = "no source record explains these rows: see who wrote them",
    [VERDICT_UNEXPECTED_TENANT] = "the source has no such tenant: see who wrote these rows",
    [VERDICT_GONE] = "the source has them no longer: send a delete for them, or bring them back",
};

const char *verify_html_advice(enum verdict verdict)
{
    return ADVICE[verdict];
}

static void append_advice(const struct verify_html *page, const struct verify_code *problem)
{
    bool has_code = problem->code != ERR_NONE;
    const char *advice = has_code ? error_code_advice(problem->code) : ADVICE[problem->verdict];
    if (!advice || !advice[0])
        return;
    buf_append_text(page->out, "<p class=\"fix\"><b>What to do:</b> ");
    html_append_words(page->out, bytes_text(advice));
    buf_append_text(page->out, "</p>\n");
}

/* The first in sight, the others behind a line that opens. Their number. */
static size_t append_samples(const struct verify_html *page, const struct verify_code *problem)
{
    const struct verify_report *report = page->report;
    size_t shown = 0;
    for (size_t i = 0; i < report->sample_counts[problem->verdict]; i++) {
        const struct verify_sample *sample = &report->samples[problem->verdict][i];
        if (sample->code != problem->code || shown == VERIFY_HTML_SAMPLES_MAX)
            continue;
        if (shown == 1)
            buf_append_text(page->out, "<details><summary>more of them</summary>\n");
        verify_html_append_sample(page, sample);
        shown++;
    }
    if (shown > 1)
        buf_append_text(page->out, "</details>\n");
    return shown;
}

static void append_rest(const struct verify_html *page, const struct verify_code *problem,
                        size_t shown)
{
    if (!shown || problem->count <= shown)
        return;
    buf_append_text(page->out, "<p class=\"dim\">… and ");
    html_append_count(page->out, problem->count - shown);
    buf_append_text(page->out, " more without a sample here</p>\n");
}

static void append_problem(const struct verify_html *page, const struct verify_code *problem)
{
    struct buf *out = page->out;
    const struct totals_class *class = &TOTALS_VERIFY.classes[problem->verdict];
    buf_append_format(out, "<article class=\"problem c-%s\">\n<h3>",
                      class->outside ? "outside" : class->name);
    html_append_count(out, problem->count);
    buf_append_format(out, " %s", class->title);
    if (problem->code != ERR_NONE)
        buf_append_format(out, " <code>%s</code>", error_code_id(problem->code));
    buf_append_text(out, "</h3>\n");
    if (problem->code != ERR_NONE) {
        buf_append_text(out, "<p>");
        html_append_words(out, bytes_text(error_code_meaning(problem->code)));
        buf_append_text(out, "</p>\n");
    }
    append_advice(page, problem);
    append_rest(page, problem, append_samples(page, problem));
    buf_append_text(out, "</article>\n");
}

/* ---- beside the records ------------------------------------------------------------------ */

static void append_list(const struct verify_html *page, int list, const char *title)
{
    const struct verify_report *report = page->report;
    size_t count = report->sample_counts[list];
    size_t shown = count < VERIFY_HTML_SAMPLES_MAX ? count : VERIFY_HTML_SAMPLES_MAX;
    for (size_t i = 0; i < shown; i++) {
        const struct verify_sample *sample = &report->samples[list][i];
        buf_append_format(page->out, "<p class=\"dim\">%s: %s</p>\n", title,
                          verdict_name(sample->verdict));
        verify_html_append_sample(page, sample);
    }
    if (count > shown)
        buf_append_text(page->out, "<p class=\"dim\">… and more in report.json</p>\n");
}

/* The lines of the screen; they name tables and entities, nothing of the data. */
static void append_side(const struct verify_html *page)
{
    static const char *const TITLES[] = {"Redis", "sealed value", "file"};
    struct buf text;
    bool has_samples = false;
    buf_init(&text, SIDE_TEXT_MAX);
    verify_side_checks_append_text(&page->report->side_checks, SIZE_MAX, &text);
    for (int list = VERIFY_LIST_REDIS; list < VERIFY_LIST_COUNT; list++)
        has_samples = has_samples || page->report->sample_counts[list];
    if (text.size || has_samples)
        buf_append_text(page->out, "<section id=\"beside\">\n<h2>Beside the records</h2>\n");
    for (struct bytes rest = buf_view(&text); rest.size;) {
        const char *end = memchr(rest.data, '\n', rest.size);
        size_t size = end ? (size_t)(end - rest.data) : rest.size;
        buf_append_text(page->out, "<p>");
        html_append_words(page->out, bytes_of(rest.data, size));
        buf_append_text(page->out, "</p>\n");
        rest = bytes_of(rest.data + size + (end != NULL), rest.size - size - (end != NULL));
    }
    for (int list = VERIFY_LIST_REDIS; list < VERIFY_LIST_COUNT; list++)
        append_list(page, list, TITLES[list - VERIFY_LIST_REDIS]);
    if (text.size || has_samples)
        buf_append_text(page->out, "</section>\n");
    buf_free(&text);
}

void verify_html_append_problems(const struct verify_html *page)
{
    size_t count;
    struct verify_code *problems = verify_report_problems(page->report, &count);
    if (count)
        buf_append_text(page->out, "<section id=\"problems\">\n<h2>Problems</h2>\n");
    for (size_t i = 0; i < count; i++)
        append_problem(page, &problems[i]);
    if (count)
        buf_append_text(page->out, "</section>\n");
    free(problems);
    append_side(page);
}
