#ifndef DROVER_PORT_CHECKPOINT_MEMORY_H
#define DROVER_PORT_CHECKPOINT_MEMORY_H

/* The checkpoint contract (checkpoint.h) over a store in memory. */

#include "common/port/checkpoint.h"
#include "common/port/store_memory.h"

/* on_checked is told by the second turn. */
struct checkpoint *memory_checkpoint_new(struct memory_store *store,
                                         const struct checkpoint_events *events, void *owner);
/* Does the first request in the store, or answers what the turn before did; false when there was
 * none. After on_closed it is gone. */
bool memory_checkpoint_turn(struct checkpoint *checkpoint);
/* A crash: it is gone, nothing is told; requests not yet done are lost. */
void memory_checkpoint_abandon(struct checkpoint *checkpoint);

#endif
