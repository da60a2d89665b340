#ifndef DROVER_IO_STORES_H
#define DROVER_IO_STORES_H

/*
 * The stores there are, one row each: what a store enforces, how a worker opens it, how it is read
 * back, how far it tells that its workers are, and what `drover doctor` looks at. Who needs to know
 * what a store can do asks its row. A new store is a folder of common/io, whose *_store_row.c is
 * its row, and a line of the table in stores.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/checkpoint.h"
#include "common/port/checkpoint_editor.h"
#include "common/port/store_reader.h"

struct uv_loop_s;
struct pg_conn;
struct sink_events;
struct redis_stage_events;
struct pending_events;

/* What a worker opens its store with. All of it outlives what is opened. */
struct store_opening {
    const struct settings *settings;
    struct checkpoint_config checkpoint;
    uint64_t wait_ms; /* for a server that is away, in `check`; at most */
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

/* How far the group's workers are, from outside of them. */
struct store_status {
    const struct settings *settings;
    const char *topic;
    int32_t partitions;
    int timeout_ms; /* of each question to a server */
    /* Each partition that it knows; what the store does not keep is 0. `holder` empty: nobody's now
     */
    void (*tell)(struct store_status *status, int32_t partition, const struct checkpoint_row *row,
                 const char *holder);
    uint64_t waiting;        /* records among the pending children: their parents are not there */
    char loading[200];       /* tables that are being loaded (pg_load.h), one a line, or empty */
    uint64_t unwritten;      /* files whose records have moved on */
    struct pg_conn *session; /* PostgreSQL's, from one reading to the next; NULL at first */
};

enum finding {
    FINDING_OK,
    FINDING_WARNING,
    FINDING_PROBLEM,
};

/* Whom `drover doctor` has told what it finds. Checks go on after a failure where the next answer
 * does not depend on it. */
struct findings {
    const struct settings *settings;
    struct mapping_set mappings; /* empty when they could not be loaded */
    /* One line about `part` ("kafka"). `fix` NULL: there is nothing to do. */
    void (*say)(struct findings *findings, enum finding finding, const char *part, const char *fix,
                const char *format, ...) PRINTF_LIKE(5, 6);
    /* The same from an error; the exit code follows the error's code. */
    void (*say_error)(struct findings *findings, enum finding finding, const char *part,
                      const struct error *err);
};

struct store {
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
    /* Sets the mappings' generations as the store has them, before it is read back; a form it does
     * not know gets the next one. Blocks. NULL: all are 0. */
    enum outcome (*read_generations)(const struct settings *settings,
                                     const struct mapping_set *mappings, struct error *err);
    /* OUT_FATAL DRV-M005: a mapping is not the newest one that is registered, and a worker with it
     * would not start. Blocks. NULL: a worker registers what it has. */
    enum outcome (*check_generations)(const struct settings *settings,
                                      const struct mapping_set *mappings, struct error *err);
    /* NULL as open_reader. Blocks; after OUT_RETRY the next reading connects anew. */
    enum outcome (*read_status)(struct store_status *status, struct error *err);
    void (*end_status)(struct store_status *status); /* after the last; NULL: nothing is left */
    /* Its checkpoints, from outside of the workers; timeout_ms for each answer. NULL in_process. */
    enum outcome (*open_editor)(const struct settings *settings, int timeout_ms,
                                struct checkpoint_editor **editor, struct error *err);
    /* Can it be used as it is set up? Blocks. NULL: there is nothing to ask. */
    void (*examine)(struct findings *findings);
    /* What its Redis says it is, for reports; empty when it does not. Blocks for a few seconds at
     * most. NULL: it has none. */
    void (*read_redis_version)(const struct settings *settings, char *out, size_t size);
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

/* read_status by a store's editor; closes it. */
enum outcome store_read_checkpoints(struct store_status *status, struct checkpoint_editor *editor,
                                    struct error *err);

/* Records are kept whole, as JSON, and compared by their digest: there are no cells. */
static inline bool store_keeps_documents(const struct store *store)
{
    return !store->has_tables && !store->in_process;
}

#endif
