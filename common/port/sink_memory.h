#ifndef DROVER_PORT_SINK_MEMORY_H
#define DROVER_PORT_SINK_MEMORY_H

/*
 * The sink contract over plain memory: the reference the other sinks are compared with, and the
 * store of simulations. A store outlives its sinks, as a database outlives its connections.
 */

#include "common/port/sink.h"

struct memory_store;

struct memory_row {
    int64_t version;
    struct digest digest;
    bool deleted;
    uint64_t writes; /* how often it was written */
};

struct memory_store *memory_store_new(void);
void memory_store_free(struct memory_store *store);
/* A new epoch of a partition; *next_offset is where to go on. */
int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset);
/* NULL when there is none; valid until the next write. */
const struct memory_row *memory_store_find(const struct memory_store *store, const char *entity,
                                           struct bytes tenant, struct bytes id);

/* `refuses` (may be NULL) plays the constraint of a table: true = this item can never be written.
 */
struct sink *memory_sink_new(struct memory_store *store, int lanes,
                             bool (*refuses)(const struct batch_item *item),
                             const struct sink_events *events, void *owner);
/* Does what a turn of a loop would; false when there was nothing to do. */
bool memory_sink_turn(struct sink *sink);

#endif
