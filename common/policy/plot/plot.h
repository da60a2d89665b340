#ifndef DROVER_POLICY_PLOT_H
#define DROVER_POLICY_PLOT_H

/*
 * Line plots for pages: values over time as one figure of HTML with inline SVG, which needs no
 * script. Lines and their colours follow the page's style (verify_html_head.c) by classes, so they
 * are right in light, in dark and on paper; lines differ by dashes too. Words and numbers are HTML
 * beside the drawing, so that they keep their size however narrow the page is; what the drawing
 * shows is said in words as well, for those who do not see it.
 *
 *   12 000 ┤   ╱╲      ─── records a second
 *    6 000 ┤ ╱   ╲╱
 *        0 ┼────────
 *          14:02   14:12
 *
 * A value that is not known (NaN, infinite) is a gap, and so is a time without points of more than
 * gap_ms. More points than there are columns are thinned: of each column the lowest and the highest
 * stay, so that no peak is lost.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { PLOT_SERIES_MAX = 4 };

enum plot_unit {
    PLOT_COUNT,
    PLOT_A_SECOND,
    PLOT_SHARE, /* 0 to 1, shown as per cent */
    PLOT_MS,
};

struct plot_series {
    const char *name;     /* a literal of the program */
    const double *values; /* one for each time */
};

/* Borrowed; texts are literals of the program. */
struct plot {
    const char *id;    /* of the figure's elements: letters and '-' */
    const char *title; /* "Throughput" */
    enum plot_unit unit;
    bool logarithmic;     /* zero is then the lowest line */
    const int64_t *times; /* Unix time in milliseconds, ascending */
    size_t count;         /* of times */
    int64_t gap_ms;       /* 0: only values that are not known are gaps */
    const struct plot_series *series;
    size_t series_count; /* at most PLOT_SERIES_MAX */
    double limit;        /* a line across; NaN, or 0: none */
    const char *limit_name;
};

/* Whether there is a value to be drawn at all. */
bool plot_has_values(const struct plot *plot);
/* <figure>…</figure>; where there is no value, the sentence that there is none. Only `out` can
 * fail. Less than 64 KiB a series, however many points. */
void plot_append(const struct plot *plot, struct buf *out);

#endif
