#ifndef DROVER_IO_PG_LOAD_H
#define DROVER_IO_PG_LOAD_H

/*
 * Loading an empty table: rows are appended to a load table without indexes
 * (common/model/schema/schema_load.h, pg_bulk.h), and when all are there the owner of the schema
 * leaves one row a key, builds the indexes and puts it in the table's place. Its row in
 * drover.load:
 *
 *   (none) ── begin ──► loading ── finish ──► finalising ─────────► done
 *                       workers append        batches are refused    workers upsert
 *
 * Or back to (none), by abort: the load table is dropped, and what was appended is read again.
 *
 * What finalising does is one transaction: killed at any point it is as if it had not begun, and
 * it begins again. The table is in nobody's sight before it has its policies.
 */

#include "common/base/buf.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_schema.h"
#include "common/model/message/receipt.h"

/* What locks in drover.load_fence() are about. */
#define PG_LOAD_LOCK "724202611"

/* As part of an apply, in its transaction: begins the loading of each mapping's table of which
 * that can be said (settings->load), and notes for each which way it is written and why
 * (apply->notes; with `upsert` only where a load is open already, with NULL nothing). `made`, by
 * position: the apply has just made the table. */
MUST_USE enum outcome pg_load_begin(struct pg_schema *apply, const struct settings *settings,
                                    const struct mapping_set *mappings, bool hybrid,
                                    const bool *made, struct error *err);

/* Is the table of a mapping being loaded, by whatever group? */
MUST_USE enum outcome pg_load_is_open(struct pg_schema *apply, const struct mapping *mapping,
                                      bool *open, struct error *err);

/* Records of a partition that are no rows of the table. */
struct pg_load_left {
    enum record_class the_class;
    int32_t partition;
    uint64_t count;
};

/* One table, finished now or before and not yet told. */
struct pg_load_table {
    int number;
    char name[200]; /* public.cart */
    uint64_t rows;
    struct pg_load_left *left;
    size_t left_count;
};

struct pg_load_report {
    struct pg_load_table *tables; /* by number, which grow */
    size_t count;
};

/* Somebody is in the way of a finish, which waits: who, in `err`. On the finish's thread. */
struct pg_load_waiting {
    void (*say)(void *owner, const struct error *err);
    void *owner;
};

/* As the owner of the tables: finishes every table that the group of the settings loads. Blocks,
 * for as long as indexes take. Fills `report` (pg_load_free, also after a failure) with those that
 * are finished by then. OUT_RETRY: the server is away or a lock was not to be had; OUT_FATAL. Safe
 * to be called again, and by two at once. */
MUST_USE enum outcome pg_load_finish(const struct settings *settings,
                                     const struct mapping_set *mappings,
                                     const struct pg_load_waiting *waiting,
                                     struct pg_load_report *report, struct error *err);
/* The receipt of these tables is stored. */
MUST_USE enum outcome pg_load_note_told(const struct settings *settings,
                                        const struct pg_load_report *report, struct error *err);
void pg_load_free(struct pg_load_report *report);

struct pg_load_abort {
    struct buf tables;   /* that were being loaded, one name a line */
    uint64_t partitions; /* whose checkpoints went back, by */
    uint64_t records;    /* offsets in sum */
};

/* As the owner of the tables: gives up what the group loads. Fills `done` (pg_load_abort_free, also
 * after a failure). OUT_RETRY (also: a finish is at work) and OUT_FATAL: nothing was dropped, and
 * the batches of the loads stay refused until it is called again, or pg_load_finish. */
MUST_USE enum outcome pg_load_abort(const struct settings *settings,
                                    const struct mapping_set *mappings, struct pg_load_abort *done,
                                    struct error *err);
void pg_load_abort_free(struct pg_load_abort *done);

#endif
