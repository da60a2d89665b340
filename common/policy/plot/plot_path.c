#include "common/policy/plot/plot_path.h"

#include <math.h>

struct point {
    size_t at; /* of the series; orders those of a column */
    double x, y;
};

struct path {
    struct buf *out;
    bool down;     /* the pen is on the paper */
    size_t points; /* since it came down */
};

/* Of the points that share a column, those that are kept. */
struct column {
    int number;
    bool used;
    bool broken; /* a gap lies in it: the line ends behind it */
    struct point min, max;
};

/* A point alone is a dot: a line of no length, whose ends are round. */
static void lift(struct path *path)
{
    if (path->down && path->points == 1)
        buf_append_text(path->out, "h.1");
    path->down = false;
    path->points = 0;
}

static void draw(struct path *path, const struct point *point)
{
    buf_append_format(path->out, "%c%.1f %.1f", path->down ? 'L' : 'M', point->x, point->y);
    path->down = true;
    path->points++;
}

static void flush_column(struct path *path, struct column *column)
{
    if (!column->used)
        return;
    bool upwards = column->min.at <= column->max.at;
    draw(path, upwards ? &column->min : &column->max);
    if (column->min.at != column->max.at)
        draw(path, upwards ? &column->max : &column->min);
    if (column->broken)
        lift(path);
    column->used = column->broken = false;
}

static void take(struct path *path, struct column *column, const struct point *point, bool thin)
{
    int number = (int)(point->x * PLOT_COLUMNS / PLOT_WIDTH);
    if (!thin) {
        draw(path, point);
        return;
    }
    if (column->used && column->number != number)
        flush_column(path, column);
    if (!column->used) {
        column->used = true;
        column->number = number;
        column->min = column->max = *point;
        return;
    }
    if (point->y > column->min.y) /* downwards */
        column->min = *point;
    if (point->y < column->max.y)
        column->max = *point;
}

static void take_gap(struct path *path, struct column *column)
{
    if (column->used)
        column->broken = true;
    else
        lift(path);
}

void plot_append_path(struct buf *out, const struct plot *plot, const struct plot_scale *scale,
                      const double *values)
{
    struct path path = {.out = out};
    struct column column = {0};
    bool thin = plot->count > 2 * (size_t)PLOT_COLUMNS;
    int64_t before = 0;
    bool has_before = false;
    double first = plot->count ? (double)plot->times[0] : 0;
    double span = plot->count ? (double)plot->times[plot->count - 1] - first : 0;
    for (size_t i = 0; i < plot->count; i++) {
        if (!isfinite(values[i])) {
            take_gap(&path, &column);
            continue;
        }
        if (has_before && plot->gap_ms && plot->times[i] - before > plot->gap_ms)
            take_gap(&path, &column);
        before = plot->times[i];
        has_before = true;
        double x = span > 0 ? ((double)plot->times[i] - first) / span : 0.5;
        const struct point point = {
            .at = i,
            .x = (x < 0   ? 0
                  : x > 1 ? 1
                          : x) *
                 PLOT_WIDTH,
            .y = (1 - plot_scale_place(scale, values[i])) * PLOT_HEIGHT,
        };
        take(&path, &column, &point, thin);
    }
    flush_column(&path, &column);
    lift(&path);
}
