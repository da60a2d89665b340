#ifndef DROVER_VERIFIER_FOLLOW_FULL_PASS_H
#define DROVER_VERIFIER_FOLLOW_FULL_PASS_H

/*
 * Full passes: what no receipt tells of, rows nobody sent, rows that changed long after they were
 * written, is found by a verification of everything, from time to time: a child, `drover verify`
 * with this process's own arguments. It goes on beside the follower, throttled by
 * verify.rows_per_second.
 */

#include <uv.h>

#include "common/io/settings.h"
#include "verifier/follow/notes.h"

struct full_pass;

/* The loop and the book outlive it. Reads when the last one was. */
MUST_USE enum outcome full_pass_open(const struct settings *settings, uv_loop_t *loop,
                                     struct notes *notes, struct full_pass **full,
                                     struct error *err);
/* Begins one when it is time to, and puts one that has ended into the book. Fails as that does. */
MUST_USE enum outcome full_pass_turn(struct full_pass *full, struct error *err);
/* The last one that ended; began_ms negative: none did. */
const struct follow_full_pass *full_pass_last(const struct full_pass *full);
/* Ends a running one; what it owns on the loop is gone when the loop has turned. NULL is allowed.
 */
void full_pass_stop(struct full_pass *full);
/* When full_pass_is_open is false, or the process ends anyway. */
bool full_pass_is_open(const struct full_pass *full);
void full_pass_free(struct full_pass *full);

#endif
