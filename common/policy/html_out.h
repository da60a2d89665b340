#ifndef DROVER_POLICY_HTML_OUT_H
#define DROVER_POLICY_HTML_OUT_H

/*
 * Text for pages of HTML. Tags are literals of the program, appended as they are; everything else
 * goes through here, so that nothing in it can be a tag, an attribute or the end of one.
 *
 * What comes from outside (names, values, warnings) is made safe for people as on a terminal first
 * (text_append_safe: secrets masked, control characters and bidirectional overrides as \xNN and
 * \u{N}), and isolated, so that text that runs from right to left does not move what is beside it.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

/* Words of the program, safe between tags and in a quoted attribute. A number stays in one line
 * with the word behind it. */
void html_append_words(struct buf *out, struct bytes words);
/* From outside, at most `max` bytes of it, then "…"; between tags only. */
void html_append_outside(struct buf *out, struct bytes text, size_t max);
/* The same of a text that was made safe already. */
void html_append_isolated(struct buf *out, struct bytes safe);
/* "12 345" */
void html_append_count(struct buf *out, uint64_t count);
/* "2026-01-31 14:02:11 UTC" */
void html_append_time(struct buf *out, int64_t unix_ms);

#endif
