#ifndef DROVER_PORT_PENDING_MEMORY_H
#define DROVER_PORT_PENDING_MEMORY_H

/* The pending contract (pending.h) over a store in memory, which keeps children pending. */

#include "common/port/bus.h"
#include "common/port/clock.h"
#include "common/port/pending.h"
#include "common/port/sink_memory.h"
#include "common/port/store_memory.h"

/* All of it outlives the port. */
struct memory_pending_config {
    struct memory_store *store;
    struct bus *bus; /* asked where the topic ends */
    const char *topic;
    int32_t partitions;
    const int64_t *read_to; /* as struct checkpoint_config's */
    uint64_t wait_ms;       /* before it is an orphan, unless the sweep is the last */
    const struct clock *clock;
    bool wants_rows; /* of what got in */
};

struct pending *memory_pending_new(const struct memory_pending_config *config,
                                   const struct pending_events *events, void *owner);
/* Does what was asked for and tells it, unless `fate` is another; false when nothing was. */
bool memory_pending_turn(struct pending *pending, enum memory_fate fate);
/* A crash: it is gone, nothing is told; others may sweep. */
void memory_pending_abandon(struct pending *pending);

#endif
