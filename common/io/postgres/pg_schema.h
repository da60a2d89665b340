#ifndef DROVER_IO_PG_SCHEMA_H
#define DROVER_IO_PG_SCHEMA_H

/*
 * Makes in PostgreSQL what the mappings need and is missing, in one transaction under one lock.
 * Never drops a table or column, and changes a type only where that was allowed and no value is
 * lost: what contradicts the mapping is an error that names both and the statement. A dry run does
 * all of it and rolls back, so that it tells the truth.
 *
 * What a table should be is not written down a second time: a temporary twin is made from the
 * same SQL, and the server's own catalogs of both are compared, in the server's own spelling.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/schema/schema_sql.h"

/* What is being done, and the lines that tell it. */
struct pg_schema {
    struct pg_conn *connection; /* libpq's; NULL again when it is done */
    struct schema_roles roles;
    struct buf changes; /* one line each */
    size_t count;
    bool widen;       /* columns whose new type holds all that the old one did may get it */
    bool made;        /* the last table that was looked at was not there */
    struct buf notes; /* which way tables are written, one line each (pg_load.h) */
};

struct schema_roles pg_schema_roles(const struct settings *settings);

/* As the owner of the tables; `hybrid`: the storage that the group is to be pinned to. Blocks.
 * Fills `apply`, to be freed with pg_schema_free also after a failure: OUT_RETRY when the server is
 * away, else OUT_FATAL, and nothing was changed. */
MUST_USE enum outcome pg_schema_apply(const struct settings *settings,
                                      const struct mapping_set *mappings, bool hybrid,
                                      struct pg_schema *apply, struct error *err);
void pg_schema_free(struct pg_schema *apply);
/* Of libpq, its major version. */
int pg_schema_library(void);

/* ---- pg_schema_change.c, and the parts that are made of it */

/* Runs `sql` and notes the line. */
MUST_USE enum outcome pg_schema_change(struct pg_schema *apply, const char *sql, struct error *err,
                                       const char *line, ...) PRINTF_LIKE(4, 5);
/* The single text of the single row a query gives ("" for NULL); `answer` is reset first. */
MUST_USE enum outcome pg_schema_ask(struct pg_schema *apply, const char *sql,
                                    const struct bytes *params, size_t count, struct buf *answer,
                                    struct error *err);
/* Makes, repairs and grants one mapping's table. */
MUST_USE enum outcome pg_schema_table(struct pg_schema *apply, const struct mapping *mapping,
                                      struct error *err);
/* Policies and flags of a table whose twin has them. */
MUST_USE enum outcome pg_schema_protect(struct pg_schema *apply, const struct mapping *mapping,
                                        struct error *err);
/* Foreign keys, once all tables are there: adds, replaces and drops those named drover_fk_<n>. */
MUST_USE enum outcome pg_schema_references(struct pg_schema *apply,
                                           const struct mapping_set *mappings, struct error *err);
/* Compares `table` with its twin (both as SQL names) and makes what is missing (pg_schema_diff.c).
 */
MUST_USE enum outcome pg_schema_diff(struct pg_schema *apply, const char *table, const char *twin,
                                     struct error *err);
MUST_USE enum outcome pg_schema_drop_twin(struct pg_schema *apply, const char *twin,
                                          struct error *err);
/* Grants each of the comma-separated rights the role has not. */
MUST_USE enum outcome pg_schema_grant(struct pg_schema *apply, const char *rights,
                                      const char *table, const char *role, struct error *err);
/* The schema, when it is missing, and the right to use it. */
MUST_USE enum outcome pg_schema_namespace(struct pg_schema *apply, const char *schema,
                                          struct error *err);

#endif
