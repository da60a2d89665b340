#ifndef DROVER_IO_STORES_H
#define DROVER_IO_STORES_H

/*
 * The stores there are, one row each: what a storage is made of, and how it is read back. Who needs
 * to know what a storage can do asks its row; a new store is a row here, its sink, checkpoint and
 * reader in files of their own, and a line in worker/worker_stores.c and
 * control/status/status_checkpoints.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/store_reader.h"

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
    /* NULL: there is nothing to read back when the process has ended. */
    enum outcome (*open_reader)(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err);
};

/* The row of settings->storage. */
const struct store *store_of(const struct settings *settings);

/* Records are kept whole, as JSON, and compared by their digest: there are no cells. */
static inline bool store_keeps_documents(const struct store *store)
{
    return !store->has_tables && !store->in_process;
}

#endif
