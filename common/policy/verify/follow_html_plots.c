/* Plots of the page of a verification that follows, one point a minute; and the latencies of both
 * stores. */

#include "common/policy/verify/follow_html_internal.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/html_out.h"
#include "common/policy/plot/plot.h"
#include "common/policy/plot/plot_scale.h"

enum { MINUTE_MS = 60000, GAP_MS = 90000, POINTS_MIN = 2 };

/* One row of numbers for each, by minute. */
enum column {
    COMMITTED,
    LAG,
    BEHIND,
    RATE,
    UPPER,
    OLD_P50,
    OLD_P99,
    NEW_P50,
    NEW_P99,
    COLUMNS,
};

static double known(int64_t value)
{
    return value < 0 ? NAN : (double)value;
}

static void fill(const struct follow_minute *minute, double *columns, size_t at, size_t count)
{
    const double row[COLUMNS] = {
        [COMMITTED] = known(minute->committed) * 1000 / MINUTE_MS,
        [LAG] = known(minute->lag),
        [BEHIND] = known(minute->behind),
        [RATE] = minute->rate,
        [UPPER] = minute->upper,
        [OLD_P50] = minute->old_p50_ms,
        [OLD_P99] = minute->old_p99_ms,
        [NEW_P50] = minute->new_p50_ms,
        [NEW_P99] = minute->new_p99_ms,
    };
    for (int i = 0; i < COLUMNS; i++)
        columns[(size_t)i * count + at] = row[i];
}

static void append_plots(const struct follow_report *report, const int64_t *times,
                         const double *columns, struct buf *out)
{
    size_t count = report->minute_count;
    const struct plot_series rates[] = {
        {"upper bound (95 %) of the hour before", columns + UPPER * count},
        {"discrepancy rate of the hour before", columns + RATE * count},
    };
    const struct plot_series throughput = {"records committed a second",
                                           columns + COMMITTED * count};
    const struct plot_series lags[] = {
        {"messages the workers are behind", columns + LAG * count},
        {"messages the verifier is behind them", columns + BEHIND * count},
    };
    const struct plot_series reads[] = {
        {"old store, half of the reads", columns + OLD_P50 * count},
        {"new store, half of the reads", columns + NEW_P50 * count},
        {"old store, 99 %", columns + OLD_P99 * count},
        {"new store, 99 %", columns + NEW_P99 * count},
    };
    const struct plot all = {.times = times, .count = count, .gap_ms = GAP_MS, .limit = NAN};
    struct plot plots[4] = {all, all, all, all};
    plots[0].id = "plot-rate";
    plots[0].title = "Discrepancies";
    plots[0].unit = PLOT_SHARE;
    plots[0].logarithmic = true;
    plots[0].series = rates;
    plots[0].series_count = 2;
    plots[0].limit = report->rate_max;
    plots[0].limit_name = "limit";
    plots[1].id = "plot-throughput";
    plots[1].title = "Throughput";
    plots[1].unit = PLOT_A_SECOND;
    plots[1].series = &throughput;
    plots[1].series_count = 1;
    plots[2].id = "plot-lag";
    plots[2].title = "Lag";
    plots[2].unit = PLOT_COUNT;
    plots[2].series = lags;
    plots[2].series_count = 2;
    plots[3].id = "plot-latency";
    plots[3].title = "Latency of reads";
    plots[3].unit = PLOT_MS;
    plots[3].series = reads;
    plots[3].series_count = 4;
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++)
        if (plot_has_values(&plots[i]))
            plot_append(&plots[i], out);
}

void follow_html_append_plots(const struct follow_report *report, struct buf *out)
{
    size_t count = report->minute_count;
    if (count < POINTS_MIN)
        return;
    int64_t *times = mem_zeroed(count, sizeof *times);
    double *columns = mem_zeroed(count, COLUMNS * sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        times[i] = report->minutes[i].unix_ms;
        fill(&report->minutes[i], columns, i, count);
    }
    buf_append_text(out, "<section id=\"plots\">\n<h2>How it went</h2>\n");
    append_plots(report, times, columns, out);
    buf_append_text(out, "</section>\n");
    free(columns);
    free(times);
}

/* ---- latencies --------------------------------------------------------------------------- */

static void append_cell(struct buf *out, enum plot_unit unit, double value)
{
    struct buf text;
    if (!isfinite(value)) {
        buf_append_text(out, "<td class=\"n dim\">–</td>");
        return;
    }
    buf_init(&text, 256);
    plot_append_value(&text, unit, value);
    buf_append_text(out, "<td class=\"n\">");
    html_append_words(out, buf_view(&text));
    buf_append_text(out, "</td>");
    buf_free(&text);
}

static void append_latency(struct buf *out, const char *title, const struct follow_latency *reads)
{
    buf_append_format(out, "<tr><td>%s</td><td class=\"n\">", title);
    html_append_count(out, reads->reads);
    buf_append_text(out, "</td><td class=\"n\">");
    html_append_count(out, reads->failed);
    buf_append_text(out, "</td>");
    append_cell(out, PLOT_MS, reads->p50_ms);
    append_cell(out, PLOT_MS, reads->p95_ms);
    append_cell(out, PLOT_MS, reads->p99_ms);
    buf_append_text(out, "</tr>\n");
}

static double ratio(double new_ms, double old_ms)
{
    return old_ms > 0 ? new_ms / old_ms : NAN;
}

void follow_html_append_latencies(const struct follow_report *report, struct buf *out)
{
    const struct follow_latency *old_reads = &report->old_reads, *new_reads = &report->new_reads;
    if (!old_reads->reads && !new_reads->reads)
        return;
    buf_append_text(out, "<section id=\"latency\">\n<h2>Reads of both stores</h2>\n"
                         "<div class=\"wide\">\n<table>\n<tr><th class=\"name\">store</th>"
                         "<th class=\"n\">reads</th><th class=\"n\">failed</th>"
                         "<th class=\"n\">half within</th><th class=\"n\">95 % within</th>"
                         "<th class=\"n\">99 % within</th></tr>\n");
    append_latency(out, "old", old_reads);
    append_latency(out, "new", new_reads);
    if (old_reads->reads && new_reads->reads) {
        buf_append_text(out, "<tr class=\"total\"><td>new to old</td><td></td><td></td>");
        append_cell(out, PLOT_A_SECOND, ratio(new_reads->p50_ms, old_reads->p50_ms));
        append_cell(out, PLOT_A_SECOND, ratio(new_reads->p95_ms, old_reads->p95_ms));
        append_cell(out, PLOT_A_SECOND, ratio(new_reads->p99_ms, old_reads->p99_ms));
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</table>\n</div>\n</section>\n");
}
