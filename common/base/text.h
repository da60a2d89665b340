#ifndef DROVER_BASE_TEXT_H
#define DROVER_BASE_TEXT_H

/* Small pure helpers on text: UTF-8, percent-encoding, numbers, suggestions, human sizes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

/* True when every byte belongs to well-formed UTF-8 (no surrogates, nothing above U+10FFFF).
 * When false, *at (may be NULL) is the offset of the first bad byte. */
bool text_is_utf8(struct bytes text, size_t *at);
/* Bytes (1 to 4) of the well-formed UTF-8 character at offset `at` < size; 0 when it is malformed.
 */
size_t text_utf8_size(struct bytes text, size_t at);
/* The code point of the well-formed character of `size` bytes, 1 to 4, at `at`. */
uint32_t text_utf8_point(const char *at, size_t size);

/* Percent-encodes every byte but A-Z a-z 0-9 . _ ~ and '-'; so ':' '/' '%' never stay as they are.
 */
void text_percent_encode(struct buf *out, struct bytes text);
/* False on "%" without two hex digits. */
bool text_percent_decode(struct buf *out, struct bytes text);

/* A name as a JSON pointer has it: '~' as "~0", '/' as "~1". Without the '/' before it. */
void text_append_pointer_name(struct buf *out, struct bytes name);

/* Whole text must be a decimal integer in range; no spaces, no '+'. */
bool text_parse_int64(struct bytes text, int64_t *value);
/* Takes `mark` and the decimal number behind it off the end of the text. False, and it stays as it
 * is, when it does not end so, or the number passes INT64_MAX. */
bool text_cut_number(struct bytes *text, const char *mark, uint64_t *number);
/* "64", "64k", "16MiB", "1.5 GB" not accepted: digits then optional k|m|g[i][b], powers of 1024. */
bool text_parse_size(struct bytes text, uint64_t *value);
/* "250ms" "10s" "5m" "24h" "7d"; a bare number is milliseconds. */
bool text_parse_millis(struct bytes text, uint64_t *value);

/* Edits (insert, delete, replace, swap) between two short words; 255 when either is over 64 bytes.
 */
unsigned text_distance(const char *a, const char *b);
/* The candidate nearest to `word` if it is near enough to be meant (distance <= 1 + length/4),
 * else NULL. `count` candidates; NULL entries are skipped. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

/* "12 345" with thin grouping by plain spaces; `out` of at least 28 bytes. Returns out. */
char *text_format_count(uint64_t value, char out[28]);
/* "1.9 MiB"; `out` of at least 16 bytes. Returns out. */
char *text_format_size(uint64_t bytes, char out[16]);

/* Appends `text` so that it may be shown: what looks like a secret (token_shape.h) as "***";
 * control characters, DEL, C1 and bidirectional overrides as \xNN / \u{N}, invalid UTF-8 as \xNN;
 * at most `most` input bytes, then "…". */
void text_append_safe(struct buf *out, struct bytes text, size_t max);
/* Only the masking: for JSON and for what is escaped elsewhere. */
void text_append_masked(struct buf *out, struct bytes text);
/* Of a JSON pointer: each name between '/' is masked as it was before ~0 and ~1. */
void text_append_masked_path(struct buf *out, struct bytes path);

/* Shell pattern with '*' and '?' only; no classes, no escapes. */
bool text_glob(const char *pattern, struct bytes text);

#endif
