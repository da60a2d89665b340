#include "common/policy/plot/plot_scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/text.h"

enum { LINES_MAX = 4, DECADES_MAX = 12 };

#define VALUE_MAX 1e300 /* what is above is drawn as that: a round number above it exists */

static void widen(double value, double *min, double *max)
{
    if (!isfinite(value) || value <= 0)
        return;
    if (value < *min)
        *min = value;
    if (value > *max)
        *max = value > VALUE_MAX ? VALUE_MAX : value;
}

/* 1, 2 or 5 times a power of ten, at least `value`. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    double first = value / power;
    return (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10) * power;
}

static void scale_even(struct plot_scale *scale, double max)
{
    bool whole = scale->unit == PLOT_COUNT;
    scale->step = max > 0 ? round_up(max / LINES_MAX) : 1;
    if (whole && scale->step < 1)
        scale->step = 1;
    scale->lines = max > 0 ? (int)ceil(max / scale->step - 1e-9) : 1;
}

static void scale_by_tens(struct plot_scale *scale, double min, double max)
{
    double high = ceil(log10(max) - 1e-9);
    scale->low = floor(log10(min) + 1e-9);
    if (scale->low < high - DECADES_MAX)
        scale->low = high - DECADES_MAX;
    scale->step = ceil((high - scale->low) / (LINES_MAX - 1));
    if (scale->step < 1)
        scale->step = 1;
    scale->lines = 1 + (int)ceil((high - scale->low) / scale->step);
}

struct plot_scale plot_scale_of(const struct plot *plot)
{
    double min = INFINITY, max = 0;
    struct plot_scale scale = {.unit = plot->unit};
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->count; i++)
            widen(plot->series[s].values[i], &min, &max);
    widen(plot->limit, &min, &max);
    scale.logarithmic = plot->logarithmic && max > 0;
    if (scale.logarithmic)
        scale_by_tens(&scale, min, max);
    else
        scale_even(&scale, max);
    return scale;
}

double plot_scale_place(const struct plot_scale *scale, double value)
{
    double place;
    if (value <= 0)
        return 0;
    if (scale->logarithmic)
        place = ((log10(value) - scale->low) / scale->step + 1) / scale->lines;
    else
        place = value / scale->step / scale->lines;
    return place < 0 ? 0 : place > 1 ? 1 : place;
}

double plot_scale_line(const struct plot_scale *scale, int line)
{
    if (line == 0)
        return 0;
    return scale->logarithmic ? pow(10, scale->low + scale->step * (line - 1)) : scale->step * line;
}

/* Three digits that count, without zeros at the end. */
static void append_short(struct buf *out, double value)
{
    char text[64];
    int decimals = value > 0 ? 2 - (int)floor(log10(value) + 1e-9) : 0;
    decimals = decimals < 0 ? 0 : decimals > 15 ? 15 : decimals;
    size_t size = (size_t)snprintf(text, sizeof text, "%.*f", decimals, value);
    if (decimals)
        while (text[size - 1] == '0')
            size--;
    if (text[size - 1] == '.')
        size--;
    buf_append(out, text, size);
}

static void append_count(struct buf *out, double value)
{
    static const struct {
        double from;
        const char *unit;
    } UNITS[] = {{1e15, NULL}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}};
    char text[28];
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (value < UNITS[i].from)
            continue;
        if (!UNITS[i].unit) {
            buf_append_format(out, "%.2e", value);
            return;
        }
        append_short(out, value / UNITS[i].from);
        buf_append_text(out, UNITS[i].unit);
        return;
    }
    if (value < 100 && value != floor(value))
        append_short(out, value);
    else
        buf_append_text(out, text_format_count((uint64_t)llround(value), text));
}

void plot_append_value(struct buf *out, enum plot_unit unit, double value)
{
    if (!(value > 0))
        value = 0;
    if (value > VALUE_MAX)
        value = VALUE_MAX;
    switch (unit) {
    case PLOT_SHARE:
        if (value > 1e6)
            append_count(out, value * 100);
        else
            append_short(out, value * 100);
        buf_append_text(out, " %");
        return;
    case PLOT_MS:
        if (value < 1000)
            append_short(out, value);
        else
            append_count(out, value / 1000);
        buf_append_text(out, value < 1000 ? " ms" : " s");
        return;
    default:
        append_count(out, value);
    }
}

void plot_append_time(struct buf *out, int64_t unix_ms, int64_t span_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm moment;
    char text[40];
    const char *form = span_ms < 600000      ? "%H:%M:%S"
                       : span_ms < 129600000 ? "%H:%M"
                                             : "%m-%d %H:%M";
    if (gmtime_r(&seconds, &moment) && strftime(text, sizeof text, form, &moment))
        buf_append_text(out, text);
}
