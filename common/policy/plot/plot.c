/* The figure: its caption with the legend, labels, the drawing, and what it shows in words. */

#include "common/policy/plot/plot.h"

#include <math.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/policy/html_out.h"
#include "common/policy/plot/plot_path.h"
#include "common/policy/plot/plot_scale.h"

#define WORDS_MAX 4096

enum { TIMES_SHOWN = 3 };

bool plot_has_values(const struct plot *plot)
{
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->count; i++)
            if (isfinite(plot->series[s].values[i]))
                return true;
    return false;
}

static bool has_limit(const struct plot *plot)
{
    return isfinite(plot->limit) && plot->limit > 0;
}

static int64_t span_of(const struct plot *plot)
{
    return plot->times[plot->count - 1] - plot->times[0];
}

/* ---- in words ---------------------------------------------------------------------------- */

static void append_series_words(struct buf *words, const struct plot *plot,
                                const struct plot_series *series)
{
    size_t min = SIZE_MAX, max = SIZE_MAX, last = SIZE_MAX;
    for (size_t i = 0; i < plot->count; i++) {
        double value = series->values[i];
        if (!isfinite(value))
            continue;
        if (last == SIZE_MAX || value < series->values[min])
            min = i;
        if (last == SIZE_MAX || value > series->values[max])
            max = i;
        last = i;
    }
    buf_append_format(words, "%s: ", series->name);
    if (last == SIZE_MAX) {
        buf_append_text(words, "not known. ");
        return;
    }
    buf_append_text(words, "lowest ");
    plot_append_value(words, plot->unit, series->values[min]);
    buf_append_text(words, ", highest ");
    plot_append_value(words, plot->unit, series->values[max]);
    buf_append_text(words, " at ");
    plot_append_time(words, plot->times[max], span_of(plot));
    buf_append_text(words, ", last ");
    plot_append_value(words, plot->unit, series->values[last]);
    buf_append_text(words, ". ");
}

static void append_words(struct buf *words, const struct plot *plot)
{
    for (size_t s = 0; s < plot->series_count; s++)
        append_series_words(words, plot, &plot->series[s]);
    if (has_limit(plot)) {
        buf_append_format(words, "%s: ", plot->limit_name);
        plot_append_value(words, plot->unit, plot->limit);
        buf_append_text(words, ". ");
    }
    while (words->size && words->data[words->size - 1] == ' ')
        words->size--;
}

/* ---- the figure -------------------------------------------------------------------------- */

static void append_caption(struct buf *out, const struct plot *plot)
{
    buf_append_format(out, "<figcaption><b>%s</b>", plot->title);
    for (size_t s = 0; s < plot->series_count; s++)
        buf_append_format(out, " <span class=\"line s%zu\">%s</span>", s + 1, plot->series[s].name);
    if (has_limit(plot))
        buf_append_format(out, " <span class=\"line limit\">%s</span>", plot->limit_name);
    buf_append_text(out, "</figcaption>\n");
}

static void append_value_labels(struct buf *out, const struct plot *plot,
                                const struct plot_scale *scale)
{
    struct buf label;
    buf_init(&label, 256);
    buf_append_text(out, "<div class=\"values\">");
    for (int line = scale->lines; line >= 0; line--) {
        buf_reset(&label);
        plot_append_value(&label, plot->unit, plot_scale_line(scale, line));
        buf_append_text(out, "<span>");
        html_append_words(out, buf_view(&label));
        buf_append_text(out, "</span>");
    }
    buf_append_text(out, "</div>\n");
    buf_free(&label);
}

static void append_time_labels(struct buf *out, const struct plot *plot)
{
    int64_t span = span_of(plot);
    int shown = span > 0 ? TIMES_SHOWN : 1;
    buf_append_text(out, "<div class=\"times\">");
    for (int i = 0; i < shown; i++) {
        buf_append_text(out, "<span>");
        plot_append_time(out, plot->times[0] + (shown > 1 ? span / (shown - 1) * i : 0), span);
        buf_append_text(out, i == shown - 1 ? " UTC</span>" : "</span>");
    }
    buf_append_text(out, "</div>\n");
}

static void append_lines(struct buf *out, const struct plot *plot, const struct plot_scale *scale)
{
    buf_append_text(out, "<path class=\"grid\" d=\"");
    for (int line = 0; line <= scale->lines; line++)
        buf_append_format(out, "M0 %.1fH%d", PLOT_HEIGHT * (1 - (double)line / scale->lines),
                          PLOT_WIDTH);
    buf_append_text(out, "\" />");
    if (has_limit(plot))
        buf_append_format(out, "<path class=\"limit\" d=\"M0 %.1fH%d\" />",
                          (1 - plot_scale_place(scale, plot->limit)) * PLOT_HEIGHT, PLOT_WIDTH);
}

static void append_drawing(struct buf *out, const struct plot *plot, const struct plot_scale *scale,
                           struct bytes words)
{
    buf_append_format(out,
                      "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">%s</title>"
                      "<desc id=\"%s-desc\">",
                      PLOT_WIDTH, PLOT_HEIGHT, plot->id, plot->id, plot->id, plot->title, plot->id);
    html_append_words(out, words);
    buf_append_text(out, "</desc>\n");
    append_lines(out, plot, scale);
    for (size_t s = plot->series_count; s-- > 0;) { /* the first one above the others */
        buf_append_format(out, "\n<path class=\"s%zu\" d=\"", s + 1);
        plot_append_path(out, plot, scale, plot->series[s].values);
        buf_append_text(out, "\" />");
    }
    buf_append_text(out, "\n</svg>\n");
}

void plot_append(const struct plot *plot, struct buf *out)
{
    struct buf words;
    if (!plot_has_values(plot)) {
        buf_append_format(out, "<p class=\"dim\">%s: not known.</p>\n", plot->title);
        return;
    }
    struct plot_scale scale = plot_scale_of(plot);
    buf_init(&words, WORDS_MAX);
    append_words(&words, plot);
    buf_append_format(out, "<figure class=\"plot\" id=\"%s\">\n", plot->id);
    append_caption(out, plot);
    buf_append_text(out, "<div class=\"frame\">\n");
    append_value_labels(out, plot, &scale);
    append_drawing(out, plot, &scale, buf_view(&words));
    append_time_labels(out, plot);
    buf_append_text(out, "</div>\n<p class=\"dim\">");
    html_append_words(out, buf_view(&words));
    buf_append_text(out, "</p>\n</figure>\n");
    buf_free(&words);
}
