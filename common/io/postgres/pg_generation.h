#ifndef DROVER_IO_PG_GENERATION_H
#define DROVER_IO_PG_GENERATION_H

/*
 * The generations of mappings in PostgreSQL: drover.mapping_generation holds, by table, each form
 * its mapping had (model/mapping/mapping_generation.h). `drover schema apply` registers, who writes
 * or reads back asks, and keeps the answer in mapping->generation.
 */

#include "common/io/postgres/pg_schema.h"

typedef struct pg_conn PGconn; /* libpq's */

/* In the transaction of an apply, after the table was made (`apply->made`) or repaired. A form that
 * is not the newest one becomes it; OUT_FATAL DRV-P010 while the table is being loaded. */
MUST_USE enum outcome pg_generation_register(struct pg_schema *apply, struct mapping *mapping,
                                             struct error *err);

/* For who writes: OUT_FATAL DRV-M005 when one is not the newest one, DRV-P005 without the table. */
MUST_USE enum outcome pg_generation_take(PGconn *connection, const struct mapping_set *mappings,
                                         struct error *err);
/* For who reads back: a form that is not the newest one counts as it would when it were taken over;
 * where nothing is registered all are 0. */
MUST_USE enum outcome pg_generation_read(PGconn *connection, const struct mapping_set *mappings,
                                         struct error *err);

#endif
