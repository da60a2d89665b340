/* Tenants and entities of report.html: those with problems, the others as sums. Rows and numbers
 * are those of report.json; columns of zeros are left out. */

#include "common/policy/verify/verify_html_internal.h"

#include "common/policy/html_out.h"
#include "common/policy/totals.h"

static void append_head(const struct verify_html *page)
{
    buf_append_text(page->out, "<tr><th class=\"name\">tenant</th><th class=\"name\">entity</th>"
                               "<th class=\"n\">records</th>");
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (page->total[v])
            buf_append_format(page->out, "<th class=\"n\">%s</th>",
                              TOTALS_VERIFY.classes[v].column);
    buf_append_text(page->out, "</tr>\n");
}

static void append_number(struct buf *out, uint64_t number)
{
    buf_append_text(out, number ? "<td class=\"n\">" : "<td class=\"n dim\">");
    html_append_count(out, number);
    buf_append_text(out, "</td>");
}

static void append_numbers(const struct verify_html *page, const uint64_t *counts)
{
    append_number(page->out, totals_records(&TOTALS_VERIFY, counts));
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (page->total[v])
            append_number(page->out, counts[v]);
    buf_append_text(page->out, "</tr>\n");
}

static void append_group(const struct verify_html *page, const struct diff_group *group)
{
    buf_append_text(page->out, "<tr><td>");
    html_append_outside(page->out, group->tenant, VERIFY_HTML_NAME_MAX);
    buf_append_text(page->out, "</td><td>");
    html_append_outside(page->out, group->entity, VERIFY_HTML_NAME_MAX);
    buf_append_text(page->out, "</td>");
    append_numbers(page, group->counts);
}

static void append_sum(const struct verify_html *page, const struct diff_groups_sum *sum,
                       const char *what)
{
    if (!sum->groups)
        return;
    buf_append_text(page->out, "<tr class=\"sum\"><td colspan=\"2\">");
    html_append_count(page->out, sum->groups);
    buf_append_format(page->out, " %s</td>", what);
    append_numbers(page, sum->counts);
}

void verify_html_append_groups(const struct verify_html *page)
{
    struct diff_groups_split split;
    diff_groups_split(&page->report->groups, page->report->groups_max, &split);
    buf_append_text(page->out, "<section id=\"groups\">\n<h2>Tenants and entities</h2>\n"
                               "<div class=\"wide\">\n<table>\n");
    append_head(page);
    for (size_t i = 0; i < split.listed_count; i++)
        append_group(page, split.listed[i]);
    append_sum(page, &split.left_out, "more with problems");
    append_sum(page, &split.matching, "without a problem");
    buf_append_text(page->out, "<tr class=\"total\"><td colspan=\"2\">total</td>");
    append_numbers(page, page->total);
    buf_append_text(page->out, "</table>\n</div>\n</section>\n");
    diff_groups_split_free(&split);
}
