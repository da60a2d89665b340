#ifndef DROVER_BASE_JSON_OUT_H
#define DROVER_BASE_JSON_OUT_H

/*
 * Writes JSON for machines into a buffer, member by member: commas, quotes and the closing of what
 * is open are its own, so that no caller writes punctuation. One line, no spaces.
 *
 * What the values look like is decided here for every document of the program:
 *   counts, sizes, offsets   numbers; beyond 2^53 - 1, where a reader's doubles would lie, strings
 *   versions, hashes         always strings (json_out_exact, text): all 64 bits matter
 *   moments                  RFC 3339 in UTC with milliseconds
 *   durations                seconds; the name ends in _seconds
 *
 * `name` is the member's in an object and NULL in a list. Names are literals of the program, in
 * snake_case.
 * The buffer's sticky `failed` is the only failure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/hash.h"

#define JSON_OUT_DEPTH_MAX 32 /* open at once; deeper is a bug and aborts */

struct json_out {
    struct buf *buf;
    char closers[JSON_OUT_DEPTH_MAX]; /* of what is open, outermost first */
    unsigned depth;
    bool first; /* the next item opens its container: no comma */
};

/* The buffer stays the caller's. */
void json_out_init(struct json_out *out, struct buf *buf);

void json_out_object(struct json_out *out, const char *name);
void json_out_list(struct json_out *out, const char *name);
/* Closes the innermost. */
void json_out_end(struct json_out *out);
/* Closes until so many are open: also what a failure left open. */
void json_out_end_to(struct json_out *out, unsigned depth);

void json_out_null(struct json_out *out, const char *name);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_count(struct json_out *out, const char *name, uint64_t value);
void json_out_int(struct json_out *out, const char *name, int64_t value);
void json_out_real(struct json_out *out, const char *name, double value, int decimals);
/* NULL becomes null; bytes that are no UTF-8 become U+FFFD; what looks like a secret is masked, as
 * it is in texts for people (text_append_masked). */
void json_out_text(struct json_out *out, const char *name, const char *text);
void json_out_bytes(struct json_out *out, const char *name, struct bytes text);
/* As it is: what the answer is about, where nothing of the data can be. */
void json_out_verbatim(struct json_out *out, const char *name, struct bytes text);
void json_out_digest(struct json_out *out, const char *name, const struct digest *digest);
void json_out_exact(struct json_out *out, const char *name, int64_t value);
void json_out_seconds(struct json_out *out, const char *name, uint64_t ms);
/* Unix time in milliseconds; null when negative (not known). */
void json_out_time(struct json_out *out, const char *name, int64_t unix_ms);
/* A value that is JSON already. */
void json_out_raw(struct json_out *out, const char *name, struct bytes json);

#endif
