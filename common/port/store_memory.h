#ifndef DROVER_PORT_STORE_MEMORY_H
#define DROVER_PORT_STORE_MEMORY_H

/*
 * A store of plain memory: 64 bytes a key, and the rows themselves when they are to be read back.
 * Bounded by bytes. It outlives its sinks (sink_memory.h), as a database outlives its connections.
 */

#include "common/policy/apply/batch.h"
#include "common/policy/verify/diff.h"
#include "common/port/stored.h"

struct memory_store;

enum memory_keeps {
    MEMORY_KEEPS_VERSIONS, /* versions and digests only */
    MEMORY_KEEPS_CHECKS,   /* each row is run backwards at once: what it gives back, as a digest */
    MEMORY_KEEPS_ROWS,     /* for memory_stored_open */
};

struct kept_row;

struct memory_row {
    int64_t version;
    struct digest digest;
    union {
        struct digest given_back; /* MEMORY_KEEPS_CHECKS: diff_content_digest of the inverse */
        struct kept_row *kept;    /* MEMORY_KEEPS_ROWS */
    };
    uint32_t writes; /* how often it was written */
    bool deleted;
    bool unreadable; /* MEMORY_KEEPS_CHECKS: it gives no record back */
};

struct memory_store *memory_store_new(enum memory_keeps keeps, size_t bytes_most);
void memory_store_free(struct memory_store *store);
/* A new epoch of a partition; *next_offset is where to go on. */
int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset);
/* NULL when there is none; valid until the next write. */
const struct memory_row *memory_store_find(const struct memory_store *store, const char *entity,
                                           struct bytes tenant, struct bytes id);
/* Whether there is a row, by the hash of its place. */
bool memory_store_has(const struct memory_store *store, const struct diff_key *key);
/* The next row from *at on, which then stands behind it; NULL at the end. In no order. */
const struct memory_row *memory_store_next(const struct memory_store *store, size_t *at,
                                           struct diff_key *key);
size_t memory_store_count(const struct memory_store *store);
size_t memory_store_bytes(const struct memory_store *store);

/* For the sink: OUT_FATAL DRV-W001, DRV-W002 when the fence does not hold, DRV-F003 when the batch
 * does not fit; nothing was changed then. */
MUST_USE enum outcome memory_store_admit(struct memory_store *store, const struct batch *batch,
                                         struct error *err);
/* For the sink, once admitted: writes, sets the verdicts, moves the progress. */
void memory_store_write(struct memory_store *store, struct batch *batch);

/* Of a store that keeps rows. Sees what is written meanwhile: nothing may be. */
struct stored_reader *memory_stored_open(struct memory_store *store);

#endif
