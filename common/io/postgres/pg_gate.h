#ifndef DROVER_IO_PG_GATE_H
#define DROVER_IO_PG_GATE_H

/*
 * The gate every role passes before it touches a tenant's row: would row level security really
 * hold? (FAULTS I01 to I03.) Refuses a role that no policy binds, and any table, view or
 * materialized view with a column isolation_key through which rows could be seen past the policies.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"

typedef struct pg_conn PGconn; /* libpq's */

/* pg_session_check_role and pg_gate_check_relations. */
MUST_USE enum outcome pg_gate_check(PGconn *connection, struct error *err);
/* The same on a connection of its own, in the worker's role; waits for a server that is away for
 * wait_ms at most. Blocks. *session is the caller's (PQfinish), NULL after a failure. */
MUST_USE enum outcome pg_gate_pass(const struct settings *settings, uint64_t wait_ms,
                                   PGconn **session, struct error *err);

#endif
