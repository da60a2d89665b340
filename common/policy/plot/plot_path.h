#ifndef DROVER_POLICY_PLOT_PATH_H
#define DROVER_POLICY_PLOT_PATH_H

/* One series as the data of an SVG path. */

#include "common/policy/plot/plot_scale.h"

enum {
    PLOT_WIDTH = 1000,
    PLOT_HEIGHT = 300,
    PLOT_COLUMNS = 500, /* two points of each are kept; as many are drawn one by one */
};

/* "M0.0 300.0L…": nothing when no value is known. */
void plot_append_path(struct buf *out, const struct plot *plot, const struct plot_scale *scale,
                      const double *values);

#endif
