#ifndef DROVER_CONTROL_SCHEMA_APPLY_H
#define DROVER_CONTROL_SCHEMA_APPLY_H

/*
 * Makes in PostgreSQL what the mappings need and is missing, in one transaction under one lock.
 * Never drops a table or column and never changes a type: what contradicts the mapping is an error
 * that names both. A dry run does all of it and rolls back, so that it tells the truth.
 *
 * What a table should be is not written down a second time: a temporary twin is made from the
 * same SQL, and the server's own catalogs of both are compared, in the server's own spelling.
 */

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/schema/schema_sql.h"

/* What is being done, and the lines that tell it. */
struct schema_apply {
    PGconn *connection;
    struct schema_roles roles;
    struct buf changes; /* one line each */
    size_t count;
};

struct schema_roles schema_apply_roles(const struct settings *settings);

/* Fills `apply` (connection NULL again afterwards); free it with schema_apply_free, also after a
 * failure. */
MUST_USE enum outcome schema_apply_run(const struct settings *settings,
                                       const struct mapping_set *mappings,
                                       struct schema_apply *apply, struct error *err);
void schema_apply_free(struct schema_apply *apply);

/* ---- schema_change.c, and the parts that are made of it */

/* Runs `sql` and notes the line. */
MUST_USE enum outcome schema_apply_change(struct schema_apply *apply, const char *sql,
                                          struct error *err, const char *line, ...)
    PRINTF_LIKE(4, 5);
/* The single text of the single row a query gives ("" for NULL); `answer` is reset first. */
MUST_USE enum outcome schema_apply_ask(struct schema_apply *apply, const char *sql,
                                       const struct bytes *params, size_t count, struct buf *answer,
                                       struct error *err);
/* Makes, repairs and grants one mapping's table. */
MUST_USE enum outcome schema_table_apply(struct schema_apply *apply, const struct mapping *mapping,
                                         struct error *err);
/* Policies and flags of a table whose twin has them. */
MUST_USE enum outcome schema_table_protect(struct schema_apply *apply,
                                           const struct mapping *mapping, struct error *err);
/* Foreign keys, once all tables are there: adds, replaces and drops those named drover_fk_<n>. */
MUST_USE enum outcome schema_references_apply(struct schema_apply *apply,
                                              const struct mapping_set *mappings,
                                              struct error *err);
/* Forgets which mappings and storage the group's workers are pinned to when they are not these. */
MUST_USE enum outcome schema_pins_release(struct schema_apply *apply,
                                          const struct mapping_set *mappings, const char *group,
                                          bool hybrid, struct error *err);
/* Compares `table` with its twin (both as SQL names) and makes what is missing. */
MUST_USE enum outcome schema_diff_apply(struct schema_apply *apply, const char *table,
                                        const char *twin, struct error *err);
MUST_USE enum outcome schema_apply_drop_twin(struct schema_apply *apply, const char *twin,
                                             struct error *err);
/* Grants each of the comma-separated rights the role has not. */
MUST_USE enum outcome schema_apply_grant(struct schema_apply *apply, const char *rights,
                                         const char *table, const char *role, struct error *err);
/* The schema, when it is missing, and the right to use it. */
MUST_USE enum outcome schema_apply_namespace(struct schema_apply *apply, const char *schema,
                                             struct error *err);

#endif
