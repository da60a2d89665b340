#ifndef DROVER_IO_PG_LOAD_LOCK_H
#define DROVER_IO_PG_LOAD_LOCK_H

/* The lock under which a load begins, and under which its tables are swapped: nobody else reads or
 * writes the table until the transaction is over. Internal to pg_load. */

#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

struct pg_conn;
struct pg_load_waiting; /* pg_load.h */

/* Waits as long as the session's lock_timeout says. */
MUST_USE enum outcome pg_load_lock(struct pg_conn *session, const struct mapping *mapping,
                                   struct error *err);
/* For a transaction that has cost much: tries for a moment, so that readers who come meanwhile do
 * not queue behind it for long, and again with growing pauses, up to 10 minutes; what the
 * transaction did is kept. Each time `waiting` is told who is in the way; in the end OUT_RETRY
 * names them. */
MUST_USE enum outcome pg_load_lock_patiently(struct pg_conn *session, const struct mapping *mapping,
                                             const struct pg_load_waiting *waiting,
                                             struct error *err);

#endif
