/* See the header. */
#include "common/policy/view_lines.h"

#include <assert.h>

#include "common/base/text.h"
#include "common/base/text_width.h"

#define LINE_LIMIT 4096

void view_lines_begin(struct view_lines *lines, int width)
{
    lines->width = width;
    lines->count = 0;
}

struct buf *view_lines_add(struct view_lines *lines, int weight)
{
    assert(lines->count < VIEW_LINES_MAX);
    struct buf *text = &lines->texts[lines->count];
    buf_init(text, LINE_LIMIT);
    lines->weights[lines->count++] = weight;
    return text;
}

void view_lines_add_outages(struct view_lines *lines, int weight, const struct outages *outages,
                            uint64_t now_ms, const char *indent)
{
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (outages->of[service].is_on)
            outage_append_line(view_lines_add(lines, weight), outages, (enum outage_service)service,
                               now_ms, indent, lines->width);
}

/* How many are before it when there is room for some only. */
static size_t place_of(const struct view_lines *lines, size_t at)
{
    size_t place = 0;
    for (size_t i = 0; i < lines->count; i++)
        place += lines->texts[i].size > 0 && (lines->weights[i] > lines->weights[at] ||
                                              (lines->weights[i] == lines->weights[at] && i < at));
    return place;
}

void view_lines_end(struct view_lines *lines, int height, struct buf *out)
{
    size_t room = height > 1 ? (size_t)height - 1 : 0; /* the cursor stands below */
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->texts[i].size == 0 || place_of(lines, i) >= room)
            continue;
        text_append_fit(out, buf_view(&lines->texts[i]), lines->width);
        buf_append_char(out, '\n');
    }
    for (size_t i = 0; i < lines->count; i++)
        buf_free(&lines->texts[i]);
    lines->count = 0;
}

void view_lines_append_count(struct buf *out, const char *before, uint64_t count, const char *what)
{
    char text[28];
    buf_append_format(out, "%s%s%s", before, text_format_count(count, text), what);
}
