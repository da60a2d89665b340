#ifndef DROVER_WORKER_WORKER_MEMORY_H
#define DROVER_WORKER_WORKER_MEMORY_H

/*
 * A worker over memory: topics, store and clock are its owner's, and everything it does is a call
 * of its owner; nothing waits. In a rehearsal and a run in memory `settle` does all there is to do;
 * tests and the simulation take the steps one by one, in any order.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/port/bus_memory.h"
#include "common/port/sink_memory.h"
#include "worker/worker.h"

/* All of it outlives the worker. */
struct memory_worker_config {
    struct bus_memory *bus;
    struct memory_store *store;
    const struct clock *clock;
    const struct mapping_set *mappings;
    const struct worker_replay *replay; /* or NULL */
    int connections;
    bool (*refuses)(const struct batch_item *item); /* the store's constraint; NULL: none */
    const char *name;
};

struct memory_worker {
    struct worker *worker;
    struct memory_worker_config config;
    struct sink *sink;
    struct checkpoint *checkpoint;
    struct pending *pending;
    bool ended;       /* on_ended was told, */
    const char *left; /* and what it left behind; NULL: nothing */
};

/* Starts it; it is in no group yet (bus_memory_assign, once is_member). On failure there is nothing
 * to free. `settings` is the owner's, of storage memory. */
MUST_USE enum outcome memory_worker_start(const struct settings *settings,
                                          const struct memory_worker_config *config,
                                          struct memory_worker **worker, struct error *err);
/* It is gone: as by kill -9, unless it has ended. NULL is allowed. */
void memory_worker_free(struct memory_worker *worker);

/* True when it has a consumer: once its store was checked, until it stops. */
bool memory_worker_is_member(const struct memory_worker *worker);

/* Each does one thing of a worker's loop; false when there was nothing to do. */
bool memory_worker_consume(struct memory_worker *worker, size_t messages_max);
bool memory_worker_checkpoint(struct memory_worker *worker);
bool memory_worker_pending(struct memory_worker *worker, enum memory_fate fate);
/* The step of the `which`th connection that has one. */
bool memory_worker_write(struct memory_worker *worker, size_t which, enum memory_fate fate);
/* All of it until nothing is left to do at this time. */
void memory_worker_settle(struct memory_worker *worker);
/* What time brings. */
void memory_worker_tick(struct memory_worker *worker);

#endif
