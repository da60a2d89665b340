#ifndef DROVER_TESTS_SIM_WORLD_H
#define DROVER_TESTS_SIM_WORLD_H

/*
 * A world of memory for real workers: topics, one store, a clock that its owner moves, and as many
 * workers as there are places. Everything that happens is a call of its owner; nothing waits, and
 * the same calls give the same world.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"
#include "common/port/bus_memory.h"
#include "common/policy/version.h"
#include "worker/worker_memory.h"

enum { WORLD_WORKERS = 3, WORLD_PARTITIONS_MAX = 4, WORLD_CONNECTIONS = 2 };

#define WORLD_SOURCE "sim.m.source"
#define WORLD_RESULTS "sim.m.results"
#define WORLD_DEAD_LETTERS "sim.m.dlq"
#define WORLD_POISON (-666) /* an n that the store refuses */

#define WORLD_GENERATIONS 3

/* A place for a worker; NULL: nobody is there. */
struct world_worker {
    struct memory_worker *over;
    struct settings settings;
};

struct world {
    struct clock clock;
    uint64_t now_ms;
    uint64_t random;          /* of the clock */
    struct settings settings; /* copied when a worker starts */
    const struct mapping_set *set;
    int generation;  /* of the mappings that the next worker starts with */
    int generations; /* they are below; 1: the mappings never change */
    struct bus_memory *bus;
    struct memory_store *store;
    int32_t partitions;
    struct bus_sender *producer;
    uint64_t sequences[WORLD_PARTITIONS_MAX];
    struct world_worker workers[WORLD_WORKERS];
    bool by_hand;
    const struct worker_replay *replay; /* of the workers that are started from now on; or NULL */
};

/* One message as the producer writes it. */
struct world_message {
    const char *entity; /* item, parent, child */
    int32_t partition;
    int key;
    int64_t version; /* -1: it brings none */
    int n;           /* WORLD_POISON: refused by the store */
    int parent;      /* of a child */
    bool deleted, broken /* no row can be made of it */;
};

/* `by_hand`: see bus_memory.h. The producer's own messages are stored at once all the same. */
void world_open(struct world *world, int32_t partitions, bool by_hand);
void world_close(struct world *world);
/* Where the message is, in its partition. */
int64_t world_produce(struct world *world, const struct world_message *message);

/* Starts a worker in a place that is free; it is in no group yet. What it does are the calls of
 * worker_memory.h. */
void world_worker_start(struct world *world, int place);
/* And gives it all partitions, which it has claimed then. Of a world of one worker. */
void world_worker_start_with_all(struct world *world, int place);
/* All of it until nothing is left to do at this time; stores what was sent. Nobody there: nothing.
 */
void world_worker_settle(struct world *world, int place);
/* It is gone, as by kill -9 unless it has ended. Nobody there: nothing. */
void world_worker_end(struct world *world, int place);

#endif
