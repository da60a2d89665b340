#ifndef DROVER_IO_PG_UPSERT_H
#define DROVER_IO_PG_UPSERT_H

/*
 * The statements of one mapping and their binary parameters: one `INSERT … SELECT FROM unnest(…)
 * ON CONFLICT DO UPDATE … WHERE version < … RETURNING` for any number of rows of one tenant, which
 * tells what it did not write, and the look-up for rows that were written by somebody else. Text is
 * made once per mapping; parameters per group. The array wire format is PostgreSQL's array_recv:
 * ndim, flags, element oid, length, lower bound, elements.
 */

#include "common/base/buf.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_connection.h"
#include "common/policy/apply/batch.h"

struct pg_upsert {
    const struct mapping *mapping;
    char *upsert_name, *upsert_sql;
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

/* Queues the upsert of `count` items (indexes into batch->items) of one tenant. `memory` is
 * scratch. Result: the rows that were NOT written because the table holds them with a version that
 * is not less; columns, binary: ordinal int8 (from 1), stored version int8, stored digest bytea,
 * and one without meaning. All others of the `count` were written as they are, or the query fails
 * with DR003. No rows (`count` 0): whether the table and the rights are there. */
void pg_upsert_queue(const struct pg_upsert *upsert, struct pg_connection *connection,
                     const struct batch *batch, struct bytes tenant, const uint32_t *order,
                     size_t count, struct buf *memory);
/* The same statement's parameters, for whoever sends it otherwise; views into `memory`. Returns
 * their number. */
int pg_upsert_params(const struct pg_upsert *upsert, const struct batch *batch, struct bytes tenant,
                     const uint32_t *order, size_t count, struct buf *memory,
                     struct pg_param params[PG_CONNECTION_PARAMS_MAX]);
/* The statement that appends the same rows to the load table of that number, whatever it holds; its
 * parameters are the upsert's, then the partition (int4) and the rows' offsets (int8[]). Result: no
 * rows. Caller frees. */
char *pg_upsert_make_append(const struct mapping *mapping, int number);
/* Queues the look-up of the same rows. Result columns, binary: ordinal int8 (from 1), version int8,
 * digest bytea. Rows that do not exist are absent. */
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
