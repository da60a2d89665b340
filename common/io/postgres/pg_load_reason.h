#ifndef DROVER_IO_PG_LOAD_REASON_H
#define DROVER_IO_PG_LOAD_REASON_H

/*
 * Why a table cannot be put aside for another one that was made LIKE it: what the copy would not
 * have (publications, triggers, sequences, storage options …), and what depends on the old one.
 * Asked when a load begins, and again before the tables are swapped, as nothing keeps the owner of
 * the database from changing the table meanwhile. Internal to pg_load.
 */

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

struct pg_conn;

/* Each appends nothing to `reason`, or why not, in words that follow "because". The failures are
 * pg_session_query's. */

/* What the catalogs tell. */
MUST_USE enum outcome pg_load_ask_reason(struct pg_conn *session, const struct mapping *mapping,
                                         struct buf *reason, struct error *err);
/* What else depends on it only PostgreSQL knows: it is dropped, and that taken back. In a
 * transaction. */
MUST_USE enum outcome pg_load_try_drop(struct pg_conn *session, const struct mapping *mapping,
                                       struct buf *reason, struct error *err);
/* Was it changed since load table `number` was made like it? */
MUST_USE enum outcome pg_load_ask_change(struct pg_conn *session, const struct mapping *mapping,
                                         int number, struct buf *reason, struct error *err);

#endif
