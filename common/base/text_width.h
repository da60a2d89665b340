#ifndef DROVER_BASE_TEXT_WIDTH_H
#define DROVER_BASE_TEXT_WIDTH_H

/*
 * How many columns of a terminal a text takes: wide characters (East Asian, emoji) take two,
 * combining marks and SGR colour sequences none. Where Unicode's versions differ a character counts
 * as the wider one, so that what is said to fit does fit. The text holds no other control
 * characters (text_append_safe). Pure.
 */

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

int text_width(struct bytes text);
/* Bytes of the longest start that takes at most `width` columns; a character is never cut in two,
 * and sequences right behind the cut belong to the start. */
size_t text_width_fit(struct bytes text, int width);
/* At most `width` columns: what is too long ends in "…". Colour sequences behind the cut are kept,
 * so that a colour that was begun is ended. */
void text_append_fit(struct buf *out, struct bytes text, int width);

#endif
