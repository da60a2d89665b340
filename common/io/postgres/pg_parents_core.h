#ifndef DROVER_IO_PG_PARENTS_CORE_H
#define DROVER_IO_PG_PARENTS_CORE_H

/* What the parts of a sweep share. Internal to pg_parents*.c. */

#include <libpq-fe.h>

#include "common/io/postgres/pg_parents.h"
#include "common/io/postgres/pg_upsert.h"

/* Of the group and topic that are the first two parameters. */
#define PARENTS_OURS "\"group\" = $1::text AND topic = $2::text"
/* Rows read at a time. */
#define PARENTS_PAGE 500
#define PARENTS_PAGE_TEXT "500"
#define PARENTS_PAGE_BYTES "8388608"
/* Rows of a page: so many, and so many bytes, but one in any case. */
#define PARENTS_WITHIN(rows, where)                                                                \
    " FROM (SELECT w.*, sum(octet_length(coalesce(w.value, '')) + octet_length(w.headers)) OVER "  \
    "(ORDER BY w.partition, w.\"offset\") - octet_length(coalesce(w.value, '')) AS before"         \
    "  FROM (SELECT * FROM drover.waiting WHERE " where                                            \
    "         ORDER BY partition, \"offset\" LIMIT " rows ") AS w) AS w"                           \
    " WHERE before < " PARENTS_PAGE_BYTES " ORDER BY partition, \"offset\""

struct sweep {
    const struct parents_config *config;
    PGconn *connection;
    struct pg_upsert **upserts; /* by position in the mappings; made when needed */
    struct mapping_work work;
    struct buf memory; /* scratch */
    int64_t ran_ms;    /* the waiting room's clock */
    size_t settled;    /* records written or refused so far: the server is well */
};

bool parents_is_stopped(const struct sweep *sweep);
/* A row of drover.waiting as a message; columns as PARENTS_COLUMNS says. False: malformed. */
#define PARENTS_COLUMNS                                                                            \
    "partition, \"offset\", isolation_key, entity, version, key, value, headers, state, "          \
    "no_key::int4"
bool parents_take_message(const PGresult *result, int row, struct envelope *message);
struct bytes parents_bytes(const PGresult *result, int row, int column);
MUST_USE enum outcome parents_set_tenant(struct sweep *sweep, struct bytes tenant,
                                         struct error *err);

/* pg_parents_try.c: one page after (partition, offset), in one transaction; moves both on. *got:
 * how many got in; *end: there was nothing left. */
MUST_USE enum outcome parents_try_page(struct sweep *sweep, int32_t *partition, int64_t *offset,
                                       size_t *got, bool *end, struct error *err);
/* pg_parents_orphan.c. The clock goes on, and those parked since the last sweep learn when their
 * wait is over; a mark is taken when one's is. *reached: everything up to the mark has been
 * written, so that after trying all once more, parents_name_orphans may say who is one. */
MUST_USE enum outcome parents_begin_marks(struct sweep *sweep, struct pending_result *told,
                                          bool *reached, struct error *err);
MUST_USE enum outcome parents_name_orphans(struct sweep *sweep, struct error *err);
/* pg_parents_purge.c */
MUST_USE enum outcome parents_purge(struct sweep *sweep, uint64_t *purged, struct error *err);

#endif
