/* The reconciliation as one bar: each class of the sum is a part, as wide as its share, but never
 * too narrow to be seen. */

#include "common/policy/verify/verify_html_internal.h"

#include <inttypes.h>

#include "common/base/error.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_words.h"

#define BAR_WIDTH 1000.0
#define BAR_PART_MIN 4.0 /* of it */
#define BAR_GAP 1.5
#define IDENTITY_MAX 8192

static bool is_part(const uint64_t *total, int verdict)
{
    return total[verdict] && !TOTALS_VERIFY.classes[verdict].outside;
}

static double width_of(const uint64_t *total, int verdict, uint64_t sum)
{
    double width = (double)total[verdict] / (double)sum * BAR_WIDTH;
    return width < BAR_PART_MIN ? BAR_PART_MIN : width;
}

static void append_parts(struct buf *out, const uint64_t *total, uint64_t sum)
{
    double all = 0, x = 0;
    for (int v = 0; v < VERDICT_COUNT; v++)
        all += is_part(total, v) ? width_of(total, v, sum) : 0;
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (!is_part(total, v))
            continue;
        double width = width_of(total, v, sum) / all * BAR_WIDTH;
        double shown = x + width < BAR_WIDTH - BAR_GAP ? width - BAR_GAP : width;
        buf_append_format(out,
                          "<rect class=\"c-%s\" x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"26\">"
                          "<title>",
                          TOTALS_VERIFY.classes[v].name, x, shown);
        html_append_count(out, total[v]);
        buf_append_format(out, " %s</title></rect>", TOTALS_VERIFY.classes[v].title);
        x += width;
    }
}

/* Cut, not rounded: what is not all of it is never 100 %, and what is not nothing never 0. */
static void append_share(struct buf *out, uint64_t count, uint64_t sum)
{
    uint64_t parts = (uint64_t)((double)count / (double)sum * 10000);
    if (count < sum && parts >= 10000)
        parts = 9999;
    if (count && !parts)
        buf_append_text(out, "&lt; 0.01 %");
    else
        buf_append_format(out, "%" PRIu64 ".%02" PRIu64 " %%", parts / 100, parts % 100);
}

static void append_legend(struct buf *out, const uint64_t *total, uint64_t sum)
{
    buf_append_text(out, "<ul class=\"legend\">\n");
    for (int v = 0; v < VERDICT_COUNT; v++) {
        const struct totals_class *class = &TOTALS_VERIFY.classes[v];
        if (!is_part(total, v))
            continue;
        buf_append_format(out,
                          "<li class=\"c-%s\"><span class=\"key\"></span><span>%s</span>"
                          "<span class=\"n\">",
                          class->name, class->title);
        html_append_count(out, total[v]);
        buf_append_text(out, "</span><span class=\"n dim\">");
        append_share(out, total[v], sum);
        buf_append_text(out, "</span></li>\n");
    }
    buf_append_text(out, "</ul>\n");
}

/* Without the end of its line. */
static struct bytes identity(const struct verify_html *page, struct buf *text)
{
    totals_append_identity(text, &TOTALS_VERIFY, page->total, page->report->source_count,
                           verify_words_records(page->report), 0, SIZE_MAX);
    struct bytes line = buf_view(text);
    return line.size ? bytes_of(line.data, line.size - 1) : line;
}

void verify_html_append_classes(struct buf *out, const uint64_t total[VERDICT_COUNT],
                                struct bytes sentence)
{
    uint64_t sum = totals_records(&TOTALS_VERIFY, total);
    buf_append_text(out, "<svg class=\"bar\" viewBox=\"0 0 1000 26\" "
                         "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    html_append_words(out, sentence);
    buf_append_text(out, "\">");
    append_parts(out, total, sum);
    buf_append_text(out, "</svg>\n");
    append_legend(out, total, sum);
    buf_append_text(out, "<p class=\"identity\">");
    html_append_words(out, sentence);
    buf_append_text(out, "</p>\n");
}

void verify_html_append_bar(const struct verify_html *page)
{
    struct buf text, *out = page->out;
    buf_init(&text, IDENTITY_MAX);
    buf_append_text(out, "<section id=\"reconciliation\">\n<h2>Reconciliation</h2>\n");
    verify_html_append_classes(out, page->total, identity(page, &text));
    buf_reset(&text);
    if (verify_words_append_messages(page->report, &text)) {
        buf_append_text(out, "<p class=\"dim\">");
        html_append_words(out, buf_view(&text));
        buf_append_text(out, ": what was rejected is not there, and a record may have "
                             "been sent several times.</p>\n");
    }
    buf_free(&text);
    buf_append_text(out, "</section>\n");
}
