#ifndef DROVER_WORKER_PENDING_CHILDREN_H
#define DROVER_WORKER_PENDING_CHILDREN_H

/*
 * What a worker does for records that wait for those they refer to (common/port/pending.h): a sweep
 * each second while some wait, now and then otherwise; dead letters for those whose parents never
 * came, and Redis for those that got in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/policy/apply/batch.h"
#include "common/port/pending.h"

struct pending_children;
struct worker;

/* Whether a mapping of the worker's needs it. */
bool pending_children_are_needed(const struct worker *worker);
/* What the port is to tell; its owner is the worker. */
extern const struct pending_events PENDING_CHILDREN_EVENTS;
/* Of a port that was just opened with them. */
struct pending_children *pending_children_new(struct worker *worker, struct pending *port);
void pending_children_close(struct pending_children *children, void (*on_closed)(void *owner));
/* Without closing: of a worker that is given up. NULL is allowed. */
void pending_children_free(struct pending_children *children);
/* Some of a batch's records became pending. NULL: there are none. */
void pending_children_note(struct pending_children *children, const struct batch *batch);
void pending_children_tick(struct pending_children *children, uint64_t now_ms);
/* Nothing waits any more, as far as is known. */
bool pending_children_are_settled(const struct pending_children *children);

#endif
