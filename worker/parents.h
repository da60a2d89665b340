#ifndef DROVER_WORKER_PARENTS_H
#define DROVER_WORKER_PARENTS_H

/*
 * Records that wait for those they refer to (common/io/postgres/pg_parents.h): a sweep in libuv's
 * pool each second while some wait, now and then otherwise; dead letters for those whose parents
 * never came, and Redis for those that got in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/policy/apply/batch.h"

struct parents;
struct worker;

/* NULL when no mapping needs it. */
struct parents *parents_new(struct worker *worker);
void parents_close(struct parents *parents, void (*on_closed)(void *owner));
/* Some of a batch's records were parked. */
void parents_note(struct parents *parents, const struct batch *batch);
void parents_tick(struct parents *parents, uint64_t now_ms);
/* Nothing waits any more, as far as is known. */
bool parents_is_settled(const struct parents *parents);

#endif
