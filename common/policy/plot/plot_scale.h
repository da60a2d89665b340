#ifndef DROVER_POLICY_PLOT_SCALE_H
#define DROVER_POLICY_PLOT_SCALE_H

/* The upright axis of a plot: from zero to a round number above the highest value, or by powers of
 * ten, where zero is a line below the lowest of them. And numbers and times as labels. */

#include "common/policy/plot/plot.h"

struct plot_scale {
    enum plot_unit unit;
    bool logarithmic;
    double step; /* between lines; of a logarithmic one in powers of ten */
    int lines;   /* above the lowest one, which is zero */
    double low;  /* logarithmic: power of ten of the line above zero */
};

struct plot_scale plot_scale_of(const struct plot *plot);
/* 0 at the lowest line, 1 at the highest; for a value that is known. */
double plot_scale_place(const struct plot_scale *scale, double value);
/* What the line stands for, 0 the lowest. */
double plot_scale_line(const struct plot_scale *scale, int line);
/* "12 000", "0.01 %", "3.5 ms" */
void plot_append_value(struct buf *out, enum plot_unit unit, double value);
/* "14:02:11"; with less of it, or the day before it, as a span of `span_ms` needs. */
void plot_append_time(struct buf *out, int64_t unix_ms, int64_t span_ms);

#endif
