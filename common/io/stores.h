#ifndef DROVER_IO_STORES_H
#define DROVER_IO_STORES_H

/*
 * The stores there are, one row each: what a store enforces, how a worker opens it, and how it is
 * read back. Who needs to know what a store can do asks its row. A new store is a folder of
 * common/io, whose *_store_row.c is its row, and a line of the table in stores.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/store_reader.h"

struct uv_loop_s;
struct sink_events;
struct checkpoint_events;
struct redis_stage_events;
struct pending_events;

/* What a worker opens its store with. All of it outlives what is opened. */
struct store_opening {
    const struct settings *settings;
    const struct mapping_set *mappings;
    const char *group, *topic, *worker; /* `worker`: the owner's name, as others see it */
    int32_t partitions;                 /* of the topic, to be pinned */
    uint64_t wait_ms;                   /* for a server that is away, in `check`; at most */
    struct bus *bus;
    struct uv_loop_s *loop; /* NULL over memory */
    const struct sink_events *sink_events;
    const struct checkpoint_events *checkpoint_events;
    const struct redis_stage_events *stage_events;
    const struct pending_events *pending_events; /* NULL: no record can wait for another */
    void *owner;                                 /* of all events */
};

/* The caller's, each closed by its port. */
struct store_parts {
    struct sink *sink;
    struct checkpoint *checkpoint;
    struct redis_stage *stage; /* has_stage; else NULL */
    struct pending *pending;   /* NULL: not asked for, or records wait in PostgreSQL alone */
};

typedef enum outcome store_open(const struct store_opening *opening, struct store_parts *parts,
                                struct error *err);

struct store_reading {
    const char *only_tenant; /* an isolation key; NULL: all */
    /* What lies there, edited and strange things included, as a verifier asks; else the records as
     * the store knows them. */
    bool as_it_lies;
};

struct store {
    const char *name;        /* the setting's word */
    const char *away, *back; /* the events of an outage; kept by the log, so they last for ever */
    bool has_tables;         /* records are rows in PostgreSQL */
    bool has_redis;          /* redis.url is needed */
    bool has_stage;          /* Redis is written behind PostgreSQL: redis_next trails next_offset */
    bool has_files;          /* tenants' files lie in store.dir */
    bool in_process;         /* no other process sees it */
    bool one_writer;         /* one worker process at a time */
    bool may_forget; /* its checkpoints may be gone while the worker runs: it claims again */
    /* How long a delete is remembered at least; `hard`: where the mapping says on_delete: hard. */
    uint64_t (*tombstone_life_ms)(const struct settings *settings, bool hard);
    /* What must hold before a worker opens it: row level security, a lock. Blocks. */
    enum outcome (*check)(const struct store_opening *opening, struct error *err);
    /* After `check`; once a process. What is in `parts` after a failure is to be closed as well.
     * Both NULL in_process: who runs its worker opens it (worker/worker_memory.h). */
    store_open *open;
    /* When all of it is closed, or was never opened; NULL: nothing is left. */
    void (*free)(void);
    /* NULL: there is nothing to read back when the process has ended. */
    enum outcome (*open_reader)(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err);
};

/* The row of settings->storage. */
const struct store *store_of(const struct settings *settings);

/* The rows that have a folder, each in its own. */
extern const struct store PG_STORE_ROW, PG_STORE_ROW_HYBRID, REDIS_STORE_ROW, FILE_STORE_ROW;

/* tombstone_life_ms of a store that keeps them for ever where deletes are not hard. */
static inline uint64_t store_tombstone_life_ms(const struct settings *settings, bool hard)
{
    return hard ? settings->tombstone_life_ms : UINT64_MAX / 2;
}

/* Records are kept whole, as JSON, and compared by their digest: there are no cells. */
static inline bool store_keeps_documents(const struct store *store)
{
    return !store->has_tables && !store->in_process;
}

#endif
