#ifndef DROVER_WORKER_PENDING_CHILDREN_H
#define DROVER_WORKER_PENDING_CHILDREN_H

/*
 * What a worker does for records that wait for those they refer to (common/port/pending.h): a sweep
 * each second while some wait, now and then otherwise; dead letters for those whose parents never
 * came, and Redis for those that got in.
 */

#include "common/port/pending.h"
#include "worker/dead_letters.h"
#include "worker/receipts.h"

struct pending_children;

/* Whether one of the mappings needs it. */
bool pending_children_are_needed(const struct mapping_set *mappings);
/* What the port is to tell; its owner is what pending_children_new made. */
extern const struct pending_events PENDING_CHILDREN_EVENTS;
/* The state and the stage are asked for by way of the two that send. */
struct pending_children *pending_children_new(struct dead_letters *dead_letters,
                                              struct receipts *receipts);
/* Right after the port was opened, with PENDING_CHILDREN_EVENTS. */
void pending_children_use(struct pending_children *children, struct pending *port);
void pending_children_close(struct pending_children *children, void (*on_closed)(void *owner),
                            void *owner);
/* Of a worker that has ended, or is given up. NULL is allowed. */
void pending_children_free(struct pending_children *children);
/* Some of a batch's records became pending. NULL: there are none. */
void pending_children_note(struct pending_children *children, const struct batch *batch);
void pending_children_tick(struct pending_children *children, uint64_t now_ms);
/* Nothing waits any more, as far as is known. */
bool pending_children_are_settled(const struct pending_children *children);

#endif
