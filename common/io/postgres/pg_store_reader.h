#ifndef DROVER_IO_PG_STORE_READER_H
#define DROVER_IO_PG_STORE_READER_H

/*
 * What PostgreSQL holds, read back in one REPEATABLE READ snapshot as the verifier's role: the
 * store reader over mappings' tables. Rows come through binary cursors, table after table, as many
 * at once as keeps memory small; a mapping's inverse makes the record.
 */

#include "common/io/settings.h"
#include "common/model/mapping/mapping.h"
#include "common/port/store_reader.h"

/* Rows of a mapping's table as they are selected: isolation_key, the mapping's columns (an array as
 * to_jsonb, see value.h), drover_version, drover_digest, drover_deleted,
 * drover_generation. Columns that PostgreSQL fills are no part of the record and are not read. This
 * is the SELECT list and FROM, as `t`. `strict`: an array that Drover cannot have written (bounds
 * of its own, more than one dimension) comes as what is no array. */
void pg_store_reader_append_select(struct buf *out, const struct mapping *mapping, bool strict);
/* `before` (" WHERE t"), then ".isolation_key = …"; nothing for all tenants: NULL, or empty. */
void pg_store_reader_append_tenant(struct buf *out, const char *before, const char *only_tenant);
size_t pg_store_reader_cell_count(const struct mapping *mapping);
/* `cells`: that many. Sets all but the id; false when a column of Drover's own is malformed. A row
 * of a mapping with soft deletes is deleted when it has no digest. */
MUST_USE bool pg_store_reader_take(const struct mapping *mapping, const struct cell *cells,
                                   struct row *row);

/* `only_tenant`: an isolation key, or all tenants. `mappings` and what they hold must
 * outlive the reader. */
MUST_USE enum outcome pg_store_reader_open(const struct settings *settings,
                                           struct mapping *const *mappings, size_t count,
                                           const char *only_tenant, struct store_reader **reader,
                                           struct error *err);

#endif
