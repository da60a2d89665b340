#ifndef DROVER_POLICY_VIEW_LINES_H
#define DROVER_POLICY_VIEW_LINES_H

/*
 * The lines of a view that is drawn in place: none wider than the terminal, and no more than fit
 * above the cursor. Where it is low the lightest go first, of equal ones the last. Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/policy/outage.h"

#define VIEW_LINES_MAX 24

struct view_lines {
    int width;
    size_t count;
    struct buf texts[VIEW_LINES_MAX];
    int weights[VIEW_LINES_MAX];
};

void view_lines_begin(struct view_lines *lines, int width);
/* The next one's text, for the caller to write; one that stays empty is not shown. */
struct buf *view_lines_add(struct view_lines *lines, int weight);
/* A line for each server that is away. */
void view_lines_add_outages(struct view_lines *lines, int weight, const struct outages *outages,
                            uint64_t now_ms, const char *indent);
/* Lines that each end in '\n', at most `height` - 1; the texts are gone then. */
void view_lines_end(struct view_lines *lines, int height, struct buf *out);

/* "before12 345what" */
void view_lines_append_count(struct buf *out, const char *before, uint64_t count, const char *what);

#endif
