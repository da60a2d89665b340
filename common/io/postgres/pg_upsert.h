#ifndef DROVER_IO_PG_UPSERT_H
#define DROVER_IO_PG_UPSERT_H

/*
 * The statements of one mapping and their binary parameters: one `INSERT … SELECT FROM unnest(…)
 * ON CONFLICT DO UPDATE … WHERE older RETURNING` for any number of rows of the tenants that
 * were entered, which tells what it did not write, and the look-up for rows that were written by
 * somebody else. Text is made once per mapping; parameters per statement. The array wire format is
 * PostgreSQL's array_recv: ndim, flags, element oid, length, lower bound, elements.
 *
 * Which tenants were entered is told by settings, from the batch's groups; which tenant a row is
 * of, by the row. The workers' policy compares the two (model/schema/schema_sql.h).
 */

#include "common/base/buf.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_connection.h"
#include "common/policy/apply/batch.h"

struct pg_upsert {
    const struct mapping *mapping;
    char *upsert_name, *upsert_sql;
    char *looking_name, *looking_sql; /* the same, with a look at the table before it writes */
    char *classify_name, *classify_sql;
    char *missing_parent_name, *missing_parent_sql; /* NULL when the mapping refers to nothing */
};

/* For the mapping at `number` of the set. Caller frees with pg_upsert_free. */
struct pg_upsert *pg_upsert_new(const struct mapping_set *mappings, size_t number);
/* Of `upserts`, by position in `mappings`, the mapping's. */
const struct pg_upsert *pg_upsert_of(const struct mapping_set *mappings,
                                     struct pg_upsert *const *upserts,
                                     const struct mapping *mapping);
void pg_upsert_free(struct pg_upsert *upsert);

/* Sets the one tenant, or the list of them, that a transaction writes: text parameters $1, $2. */
extern const char PG_UPSERT_ENTER[];
/* The first group behind `group` that does not go with it in one statement, when the table takes
 * rows of several tenants in one. */
size_t pg_upsert_span(const struct batch *batch, size_t group);
/* Their list, for PG_UPSERT_ENTER: of groups [group, end). */
void pg_upsert_append_tenants(struct buf *out, const struct batch *batch, size_t group, size_t end);

/* Queues the upsert of `count` items (indexes into batch->items), each key once. `looking`: what
 * the table already holds, and keeps (batch_is_held), is found before anything is locked, and left
 * alone; cheaper where most of them are, dearer where few are. What it says and what it writes is
 * the same. `memory` is scratch. Result: the rows that were NOT written because the table keeps
 * what it holds; the mapping's generation stands in the statement; columns, binary: ordinal int8
 * (from 1), stored version int8, stored digest bytea, stored generation int8. All others of the
 * `count` were written as they are, or the query fails with DR003. No rows (`count` 0): whether the
 * table and the rights are there. */
void pg_upsert_queue(const struct pg_upsert *upsert, struct pg_connection *connection,
                     const struct batch *batch, const uint32_t *order, size_t count, bool looking,
                     struct buf *memory);
/* The same statement's parameters, for whoever sends it otherwise; views into `memory`. Returns
 * their number. */
int pg_upsert_params(const struct pg_upsert *upsert, const struct batch *batch,
                     const uint32_t *order, size_t count, struct buf *memory,
                     struct pg_param params[PG_CONNECTION_PARAMS_MAX]);
/* The statement that appends the same rows to the load table of that number, whatever it holds; its
 * parameters are the upsert's, then the partition (int4) and the rows' offsets (int8[]). Result: no
 * rows. Caller frees. */
char *pg_upsert_make_append(const struct mapping *mapping, int number);
/* Queues the look-up of the same rows. Result columns, binary: ordinal int8 (from 1), version int8,
 * digest bytea, generation int4. Rows that do not exist are absent. */
void pg_upsert_queue_classify(const struct pg_upsert *upsert, struct pg_connection *connection,
                              const struct batch *batch, struct bytes tenant, const uint32_t *order,
                              size_t count, struct buf *memory);

/* Parameters of missing_parent_sql, which gives the ordinals (int8, from 1) of rows that would
 * be written and refer to a parent that is not there. Returns their number. */
int pg_upsert_missing_parent_params(const struct pg_upsert *upsert, const struct batch *batch,
                                    struct bytes tenant, const uint32_t *order, size_t count,
                                    struct buf *memory,
                                    struct pg_param params[PG_CONNECTION_PARAMS_MAX]);

#endif
