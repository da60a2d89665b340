/* Counts of the page of a verification that follows: by window, and by tenant and entity. */

#include "common/policy/verify/follow_html_internal.h"

#include <math.h>

#include "common/policy/html_out.h"
#include "common/policy/plot/plot_scale.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_html_internal.h"

static void append_number(struct buf *out, uint64_t number)
{
    buf_append_text(out, number ? "<td class=\"n\">" : "<td class=\"n dim\">");
    html_append_count(out, number);
    buf_append_text(out, "</td>");
}

static void append_share(struct buf *out, double share)
{
    struct buf text;
    if (!isfinite(share)) {
        buf_append_text(out, "<td class=\"n dim\">–</td>");
        return;
    }
    buf_init(&text, 256);
    plot_append_value(&text, PLOT_SHARE, share);
    buf_append_text(out, "<td class=\"n\">");
    html_append_words(out, buf_view(&text));
    buf_append_text(out, "</td>");
    buf_free(&text);
}

static void append_gate(const struct follow_report *report, const struct follow_window *window,
                        struct buf *out)
{
    if (!(report->rate_max > 0))
        return;
    if (!isfinite(window->upper))
        buf_append_text(out, "<td class=\"word dim\">nothing compared</td>");
    else if (window->upper < report->rate_max)
        buf_append_text(out, "<td class=\"word\">below</td>");
    else if (!follow_report_wrong(window->counts))
        buf_append_text(out, "<td class=\"word\">too few to say</td>");
    else
        buf_append_text(out, "<td class=\"word\"><span class=\"state bad\">not below</span></td>");
}

static void append_window(const struct follow_report *report, int kind, struct buf *out)
{
    static const char *const TITLES[] = {
        [FOLLOW_MINUTE] = "last minute", [FOLLOW_FIVE_MINUTES] = "5 minutes",
        [FOLLOW_HOUR] = "hour",          [FOLLOW_DAY] = "24 hours",
        [FOLLOW_TOTAL] = "all of it",
    };
    const struct follow_window *window = &report->windows[kind];
    uint64_t compared = follow_report_compared(window->counts);
    uint64_t wrong = follow_report_wrong(window->counts);
    buf_append_format(out, "<tr%s><td class=\"word\">%s</td>",
                      kind == FOLLOW_TOTAL ? " class=\"total\"" : "", TITLES[kind]);
    append_number(out, compared);
    append_number(out, wrong);
    append_share(out, compared ? (double)wrong / (double)compared : NAN);
    append_share(out, window->upper);
    append_gate(report, window, out);
    buf_append_text(out, "</tr>\n");
}

void follow_html_append_windows(const struct follow_report *report, struct buf *out)
{
    struct buf limit;
    buf_init(&limit, 256);
    buf_append_text(out, "<section id=\"windows\">\n<h2>How sure it is</h2>\n<div class=\"wide\">\n"
                         "<table>\n<tr><th class=\"name\">window</th><th class=\"n\">compared</th>"
                         "<th class=\"n\">wrong</th><th class=\"n\">rate</th>"
                         "<th class=\"n\">at most (95 %)</th>");
    if (report->rate_max > 0) {
        plot_append_value(&limit, PLOT_SHARE, report->rate_max);
        buf_append_text(out, "<th>limit ");
        html_append_words(out, buf_view(&limit));
        buf_append_text(out, "</th>");
    }
    buf_append_text(out, "</tr>\n");
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++)
        append_window(report, kind, out);
    buf_append_text(out, "</table>\n</div>\n<p class=\"dim\">At most: the one-sided upper bound "
                         "after Clopper and Pearson; without a discrepancy it falls as more is "
                         "compared.</p>\n</section>\n");
    buf_free(&limit);
}

/* ---- tenants and entities ---------------------------------------------------------------- */

static void append_group(const struct follow_report *report, const struct follow_group *group,
                         struct buf *out)
{
    const uint64_t *total = report->windows[FOLLOW_TOTAL].counts;
    buf_append_text(out, "<tr><td>");
    html_append_outside(out, group->tenant, VERIFY_HTML_NAME_MAX);
    buf_append_text(out, "</td><td>");
    html_append_outside(out, group->entity, VERIFY_HTML_NAME_MAX);
    buf_append_text(out, "</td><td>");
    html_append_outside(out, bytes_text(group->operation ? group->operation : ""),
                        VERIFY_HTML_NAME_MAX);
    buf_append_text(out, "</td>");
    append_number(out, follow_report_compared(group->counts));
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (total[v])
            append_number(out, group->counts[v]);
    buf_append_text(out, "</tr>\n");
}

void follow_html_append_groups(const struct follow_report *report, struct buf *out)
{
    const uint64_t *total = report->windows[FOLLOW_TOTAL].counts;
    size_t shown =
        report->group_count < FOLLOW_HTML_GROUPS_MAX ? report->group_count : FOLLOW_HTML_GROUPS_MAX;
    if (!shown)
        return;
    buf_append_text(out, "<section id=\"groups\">\n<h2>Tenants and entities</h2>\n"
                         "<div class=\"wide\">\n<table>\n<tr><th class=\"name\">tenant</th>"
                         "<th class=\"name\">entity</th><th></th><th class=\"n\">compared</th>");
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (total[v])
            buf_append_format(out, "<th class=\"n\">%s</th>", TOTALS_VERIFY.classes[v].column);
    buf_append_text(out, "</tr>\n");
    for (size_t i = 0; i < shown; i++)
        append_group(report, &report->groups[i], out);
    buf_append_text(out, "</table>\n</div>\n");
    if (report->group_count > shown) {
        buf_append_text(out, "<p class=\"dim\">… and ");
        html_append_count(out, report->group_count - shown);
        buf_append_text(out, " more in report.json</p>\n");
    }
    buf_append_text(out, "</section>\n");
}
