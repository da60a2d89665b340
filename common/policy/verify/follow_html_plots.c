/* Plots of the page of a verification that follows, one point a minute. */

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
