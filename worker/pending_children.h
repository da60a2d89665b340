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
/* The state and the stage are asked for by way of the two that send. */
struct pending_children *pending_children_new(struct dead_letters *dead_letters,
                                              struct receipts *receipts, struct pending *port);
/* The port's events. */
void pending_children_on_swept(struct pending_children *children, enum outcome outcome,
                               const struct error *err);
void pending_children_on_forgotten(struct pending_children *children, uint64_t removed,
                                   enum outcome outcome, const struct error *err);
/* Closes the port, whose owner is told. */
void pending_children_close(struct pending_children *children, void (*on_closed)(void *owner));
/* Of a worker that has ended, or is given up. NULL is allowed. */
void pending_children_free(struct pending_children *children);
/* Some of a batch's records became pending. NULL: there are none. */
void pending_children_note(struct pending_children *children, const struct batch *batch);
void pending_children_tick(struct pending_children *children, uint64_t now_ms);
/* Nothing waits any more, as far as is known. */
bool pending_children_are_settled(const struct pending_children *children);

#endif
