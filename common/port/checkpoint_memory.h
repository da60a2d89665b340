#ifndef DROVER_PORT_CHECKPOINT_MEMORY_H
#define DROVER_PORT_CHECKPOINT_MEMORY_H

/* The progress contract (progress.h) over a store in memory. */

#include "common/port/progress.h"
#include "common/port/store_memory.h"

/* on_checked is told by the first turn. */
struct progress *memory_checkpoint_new(struct memory_store *store,
                                       const struct progress_events *events, void *owner);
/* Answers the first request; false when there was none. After on_closed it is gone. */
bool memory_checkpoint_turn(struct progress *progress);
/* A crash: it is gone, nothing is told; requests not yet answered are lost. */
void memory_checkpoint_abandon(struct progress *progress);

#endif
