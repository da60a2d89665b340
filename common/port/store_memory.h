#ifndef DROVER_PORT_STORE_MEMORY_H
#define DROVER_PORT_STORE_MEMORY_H

/*
 * A store of plain memory: 64 bytes a key, and the rows themselves when they are to be read back;
 * the checkpoints of a topic; the records that wait for their parents (store_memory_children.h).
 * Bounded by bytes. It outlives its ports (sink_memory.h, checkpoint_memory.h, pending_memory.h),
 * as a database outlives its connections. It knows one group and one topic.
 *
 * Whoever writes does so in one piece: a call changes everything it says, or nothing.
 */

#include "common/model/mapping/mapping_set.h"
#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"
#include "common/policy/verify/diff.h"
#include "common/port/store_reader.h"

struct memory_store;
struct memory_children;

enum memory_keeps {
    MEMORY_KEEPS_VERSIONS, /* versions and digests only */
    MEMORY_KEEPS_CHECKS,   /* each row is run backwards at once: what it gives back, as a digest */
    MEMORY_KEEPS_ROWS,     /* with their cells */
};

struct kept_row;

#define MEMORY_GENERATIONS 256 /* a process sees few changes of a mapping */

struct memory_row {
    int64_t version;
    struct digest digest;
    union {
        struct digest given_back; /* MEMORY_KEEPS_CHECKS: diff_content_digest of the inverse */
        struct kept_row *kept;    /* MEMORY_KEEPS_ROWS */
    };
    uint32_t generation : 8;
    uint32_t writes : 24; /* how often it was written */
    bool deleted;
    bool unreadable;  /* MEMORY_KEEPS_CHECKS: it gives no record back */
    uint16_t mapping; /* the store's own number of its mapping */
};

struct memory_store *memory_store_new(enum memory_keeps keeps, size_t bytes_max);
void memory_store_free(struct memory_store *store);
/* From now on what the mappings say of each other and, with `indexes`, of their unique indexes
 * holds as in PostgreSQL: a row without its parent is refused or pending, one whose values another
 * one has in a unique index is refused. The set outlives the store; nothing may be written yet. */
void memory_store_use_mappings(struct memory_store *store, const struct mapping_set *mappings,
                               bool indexes);

/* NULL when it knows none. */
const struct mapping_set *memory_store_mappings(const struct memory_store *store);
bool memory_store_keeps_rows(const struct memory_store *store);

/* ---- looking ----------------------------------------------------------------------------- */

/* NULL when there is none; valid until the next write. */
const struct memory_row *memory_store_find(const struct memory_store *store, const char *entity,
                                           struct bytes tenant, struct bytes id);
/* Whether there is a row, by the hash of its place. */
bool memory_store_has(const struct memory_store *store, const struct diff_key *key);
/* Whether there is one that stays when `row` comes (batch_is_held). Of `row` its version,
 * generation and digest count. */
bool memory_store_holds(const struct memory_store *store, const struct diff_key *key,
                        const struct row *row);
size_t memory_store_count(const struct memory_store *store);
/* Of rows, indexes, checkpoints and pending messages. */
size_t memory_store_bytes(const struct memory_store *store);
/* Of any store that keeps checks or rows. Sees what is written meanwhile: nothing may be. */
struct store_reader *memory_store_reader_open(struct memory_store *store);

/* ---- checkpoints ------------------------------------------------------------------------- */

struct memory_checkpoint {
    int32_t partition;
    int64_t next_offset, redis_next, results_next, epoch;
    bool owned;             /* by the worker of the epoch */
    struct bytes sequences; /* JSON */
};

/* NULL when the partition was never claimed. Valid until the next claim or write. */
const struct memory_checkpoint *memory_store_checkpoint(const struct memory_store *store,
                                                        int32_t partition);
/* A new epoch of a partition; *next_offset is where to go on. */
int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset);
/* Moves the watermarks, never back; nothing when the epoch is over. */
void memory_store_advance(struct memory_store *store, int32_t partition, int64_t epoch,
                          int64_t redis_next, int64_t results_next);
/* Gives the partition up; nothing when the epoch is over. */
void memory_store_release(struct memory_store *store, int32_t partition, int64_t epoch);

/* As `drover resume` does it in a store: from `next_offset` on with these numbers, under a new
 * epoch that nobody has. It must have been claimed. */
void memory_store_resume(struct memory_store *store, int32_t partition, int64_t next_offset,
                         struct bytes sequences);

/* ---- writing: for the ports -------------------------------------------------------------- */

struct memory_writing {
    /* May be NULL; true: the table's constraint refuses this item. */
    bool (*refuses)(const struct batch_item *item);
    /* sink_events.view_message; NULL: what has no parent is refused. */
    void (*view_message)(void *owner, const struct batch_item *item, struct envelope *message);
    void *owner;
};

/* Writes what is undecided, sets the verdicts, keeps as pending what waits, moves the checkpoint.
 * OUT_REJECT: some are refused or wait that did not so far; all items have their verdicts, nothing
 * is written: the same call again, once the refused ones are safe, writes (or finds more of them).
 * OUT_FATAL: the fence does not hold (DRV-W001, DRV-W002), or it does not fit (DRV-F003). */
MUST_USE enum outcome memory_store_write(struct memory_store *store, struct batch *batch,
                                         const struct memory_writing *writing, struct error *err);
/* Whether a batch whose outcome nobody knows was written. OUT_FATAL DRV-W001: its epoch is over. */
MUST_USE enum outcome memory_store_has_written(const struct memory_store *store,
                                               const struct batch *batch, bool *written,
                                               struct error *err);
/* Sets the verdicts of what is undecided in a batch that was written before, from what is there. */
void memory_store_classify(struct memory_store *store, struct batch *batch);

/* ---- those that wait: for pending_memory.c ------------------------------------------------ */

struct memory_children *memory_store_children(struct memory_store *store);
/* Writes what can be written of records that waited, and sets the verdicts: CLASS_WAITING, its
 * parent is missing still; CLASS_DEAD, refused. OUT_FATAL DRV-F003: nothing is written. */
MUST_USE enum outcome memory_store_settle(struct memory_store *store, struct batch *batch,
                                          struct error *err);
/* The place of the first parent of a row that is not there; false when all are. */
bool memory_store_missing_parent(struct memory_store *store, const struct mapping *mapping,
                                 const struct row *row, struct diff_key *parent);

#endif
