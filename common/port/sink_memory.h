#ifndef DROVER_PORT_SINK_MEMORY_H
#define DROVER_PORT_SINK_MEMORY_H

/*
 * The sink contract over plain memory (store_memory.h): the reference the other sinks are compared
 * with, and the store of rehearsals and simulations.
 */

#include "common/port/sink.h"
#include "common/port/store_memory.h"

/* `refuses` (may be NULL) plays the constraint of a table: true = this item can never be written.
 */
struct sink *memory_sink_new(struct memory_store *store, int lanes,
                             bool (*refuses)(const struct batch_item *item),
                             const struct sink_events *events, void *owner);
/* Does what a turn of a loop would; false when there was nothing to do. */
bool memory_sink_turn(struct sink *sink);

#endif
