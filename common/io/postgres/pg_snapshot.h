#ifndef DROVER_IO_PG_SNAPSHOT_H
#define DROVER_IO_PG_SNAPSHOT_H

/*
 * What the verifier asks of PostgreSQL, in one REPEATABLE READ snapshot as the verifier's role:
 * checkpoints, rows as they lie there, records that wait, orphans, sealed boxes. Nothing of it is
 * judged here. Rows are cells in binary as pg_store_reader.h selects them, arrays strictly.
 * Blocking.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"

struct pg_snapshot;

/* `application` as pg_stat_activity shows it; `mappings` (may be NULL): whose tables are read.
 * *snapshot is NULL after a failure: also DRV-P010, one of them is being loaded. */
MUST_USE enum outcome pg_snapshot_open(const struct settings *settings, const char *application,
                                       const struct mapping_set *mappings,
                                       struct pg_snapshot **snapshot, struct error *err);
/* The server's version, "15.8 (Debian 15.8-0+deb12u1)"; the snapshot's. */
const char *pg_snapshot_server(const struct pg_snapshot *snapshot);
/* NULL is allowed. */
void pg_snapshot_close(struct pg_snapshot *snapshot);

/* Places of a topic as a group sees them: its checkpoints, or the records that wait for their
 * parents (none where there is no table of them). False ends the walk: OUT_OK all the same. */
typedef bool pg_place_visit(void *owner, int64_t partition, int64_t offset);
MUST_USE enum outcome pg_snapshot_checkpoints(struct pg_snapshot *snapshot, const char *group,
                                              const char *topic, pg_place_visit *visit, void *owner,
                                              struct error *err);
/* Storage hybrid: the same of Redis, which follows. */
MUST_USE enum outcome pg_snapshot_redis_checkpoints(struct pg_snapshot *snapshot, const char *group,
                                                    const char *topic, pg_place_visit *visit,
                                                    void *owner, struct error *err);
MUST_USE enum outcome pg_snapshot_pending(struct pg_snapshot *snapshot, const char *group,
                                          const char *topic, pg_place_visit *visit, void *owner,
                                          struct error *err);

/* `cells`: pg_store_reader_cell_count(mapping), valid during the call. Another outcome than OUT_OK
 * ends the walk with it. */
typedef enum outcome pg_cells_visit(void *owner, const struct cell *cells, struct error *err);
/* All rows of a mapping's table; only_tenant: an isolation key, NULL (or empty): of all
 * tenants. */
MUST_USE enum outcome pg_snapshot_rows(struct pg_snapshot *snapshot, const struct mapping *mapping,
                                       const char *only_tenant, pg_cells_visit *visit, void *owner,
                                       struct error *err);

struct pg_row_key {
    struct bytes tenant;
    const struct cell *cells; /* in the order of mapping->columns; only key columns are used */
};
/* Those of `keys` that there are, in any order: one query. */
MUST_USE enum outcome pg_snapshot_find(struct pg_snapshot *snapshot, const struct mapping *mapping,
                                       const struct pg_row_key *keys, size_t count,
                                       pg_cells_visit *visit, void *owner, struct error *err);

/* Rows of `child` whose reference has no row of `parent`; one with a NULL in it is none, a deleted
 * parent is one, as foreign keys see it. */
MUST_USE enum outcome
pg_snapshot_count_orphans(struct pg_snapshot *snapshot, const struct mapping *child,
                          const struct mapping_reference *reference, const struct mapping *parent,
                          const char *only_tenant, uint64_t *count, struct error *err);

/* Appends the sealed box of a reference in the vault; nothing when there is none. */
MUST_USE enum outcome pg_snapshot_box(struct pg_snapshot *snapshot, struct bytes tenant,
                                      struct bytes reference, struct buf *box, struct error *err);

#endif
