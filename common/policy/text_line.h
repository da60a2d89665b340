#ifndef DROVER_POLICY_TEXT_LINE_H
#define DROVER_POLICY_TEXT_LINE_H

/*
 * Lines of at most a width, made of pieces that are never broken: who has no room goes to the next
 * line. A piece that is wider than a line stands in one of its own.
 */

#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"

struct text_line {
    struct buf *out;
    size_t column; /* of the line so far */
    size_t indent; /* spaces before each line but the first */
    size_t width;
};

/* Goes on behind what stands in the buffer's last line. */
struct text_line text_line_begin(struct buf *out, size_t indent, size_t width);
/* Spaces at its begin part it from what stands before it, and are left out at a line's begin. */
void text_line_put(struct text_line *line, struct bytes piece);
/* The same, formatted; at most 1,023 bytes of it. */
void text_line_format(struct text_line *line, const char *format, ...) PRINTF_LIKE(2, 3);
/* Each word is a piece; all spaces but the first are one. */
void text_line_words(struct text_line *line, struct bytes text);
/* Ends the line. */
void text_line_end(struct text_line *line);

#endif
