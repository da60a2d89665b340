/* How fast the records were written and how far the workers were behind, in report.html: from the
 * receipts, which are what the workers say, not what was compared. */

#include "common/policy/verify/verify_html_internal.h"

#include <math.h>

#include "common/policy/html_out.h"
#include "common/policy/plot/plot.h"

enum { POINTS_MIN = 3 }; /* fewer are said in words */

static void append_plots(const struct verify_html *page)
{
    const struct time_buckets *flow = &page->report->flow;
    int64_t times[TIME_BUCKETS_MAX];
    double rates[TIME_BUCKETS_MAX], lags[TIME_BUCKETS_MAX], max_lag = 0;
    const struct plot_series rate = {"records committed a second", rates};
    const struct plot_series lag = {"messages behind, of the partition most behind", lags};
    struct plot plot = {.id = "plot-throughput",
                        .title = "Throughput",
                        .unit = PLOT_A_SECOND,
                        .times = times,
                        .count = flow->used,
                        .series = &rate,
                        .series_count = 1};
    for (size_t i = 0; i < flow->used; i++) {
        times[i] = time_buckets_begin(flow, i);
        rates[i] = (double)flow->items[i].count * 1000 / (double)flow->width_ms;
        lags[i] = flow->items[i].level < 0 ? NAN : (double)flow->items[i].level;
        if (lags[i] > max_lag)
            max_lag = lags[i];
    }
    plot_append(&plot, page->out);
    plot.id = "plot-lag";
    plot.title = "Lag";
    plot.unit = PLOT_COUNT;
    plot.series = &lag;
    if (max_lag > 0)
        plot_append(&plot, page->out);
    else
        buf_append_text(page->out, "<p>Lag: at none of these commits was a message waiting.</p>\n");
}

static void append_words(const struct verify_html *page)
{
    const struct time_buckets *flow = &page->report->flow;
    uint64_t records = 0;
    for (size_t i = 0; i < flow->used; i++)
        records += flow->items[i].count;
    buf_append_text(page->out, "<p class=\"dim\">The workers&#39; receipts tell of ");
    html_append_count(page->out, records);
    buf_append_format(page->out, " records, committed from <span class=\"mono\">");
    html_append_time(page->out, time_buckets_begin(flow, 0));
    buf_append_text(page->out, "</span> to <span class=\"mono\">");
    html_append_time(page->out, time_buckets_begin(flow, flow->used));
    buf_append_format(page->out, "</span>%s</p>\n",
                      flow->used < POINTS_MIN ? ": too short a time for a plot." : ".");
}

void verify_html_append_flow(const struct verify_html *page)
{
    if (!page->report->flow.used)
        return;
    buf_append_text(page->out, "<section id=\"flow\">\n<h2>How it was written</h2>\n");
    append_words(page);
    if (page->report->flow.used >= POINTS_MIN)
        append_plots(page);
    buf_append_text(page->out, "</section>\n");
}
