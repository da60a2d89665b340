#ifndef DROVER_PORT_SINK_MEMORY_H
#define DROVER_PORT_SINK_MEMORY_H

/*
 * The sink contract over plain memory (store_memory.h): the reference the other sinks are compared
 * with, and the store of rehearsals, of runs in memory and of the simulation. Children whose
 * parents are not there are pending when the store knows the mappings (memory_store_use_mappings)
 * and the events can view messages; unique indexes of the mappings refuse as PostgreSQL's would.
 */

#include "common/port/sink.h"
#include "common/port/store_memory.h"

/* `refuses` (may be NULL) plays the constraint of a table: true = this item can never be written.
 */
struct sink *memory_sink_new(struct memory_store *store, int connections,
                             bool (*refuses)(const struct batch_item *item),
                             const struct sink_events *events, void *owner);
/* Does what a turn of a loop would: a step of each connection that has one; false when there was
 * nothing to do. */
bool memory_sink_turn(struct sink *sink);

/* ---- by hand ----------------------------------------------------------------------------- */

enum memory_fate {
    FATE_DONE,
    FATE_ANSWER_LOST, /* it is done, and nobody hears of it: OUT_RETRY, batch->outcome_unknown */
    FATE_FAILED,      /* nothing of it is done: OUT_RETRY DRV-P001 */
};

/* Connections that have a step to do: to write what was submitted, commit, or give up. */
size_t memory_sink_steps(const struct sink *sink);
/* Does the step of the `which`th of them. */
void memory_sink_step(struct sink *sink, size_t which, enum memory_fate fate);
/* A crash: the sink is gone, nothing is told. A step that was not done never will be. */
void memory_sink_abandon(struct sink *sink);

#endif
