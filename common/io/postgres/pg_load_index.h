#ifndef DROVER_IO_PG_LOAD_INDEX_H
#define DROVER_IO_PG_LOAD_INDEX_H

/*
 * The indexes of a load table, built when everything is in it. A row that an index does not take
 * (a text too long for a B-tree, an expression that fails) refuses the whole index then, where an
 * upsert would have refused the row: it is looked for, and named. Internal to pg_load.
 */

#include <stdbool.h>

#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

struct pg_conn;

/* In the transaction of the finish. OUT_FATAL DRV-P110: a row is refused; the record's key and
 * place in the log are in the error, and nothing of the transaction may be kept. */

/* The primary key; `shown`: the name it will have. *has_many: it was not built, some keys have
 * several rows. */
MUST_USE enum outcome pg_load_make_key(struct pg_conn *session, const struct mapping *mapping,
                                       int number, const char *shown, bool *has_many,
                                       struct error *err);
/* The other indexes of the mapping. */
MUST_USE enum outcome pg_load_make_indexes(struct pg_conn *session, const struct mapping *mapping,
                                           int number, struct error *err);

#endif
