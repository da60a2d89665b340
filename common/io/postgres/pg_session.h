#ifndef DROVER_IO_PG_SESSION_H
#define DROVER_IO_PG_SESSION_H

/*
 * A blocking PostgreSQL session for commands (schema, doctor, status, verify). The worker's own
 * asynchronous connections are pg_connection.h.
 */

#include <libpq-fe.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/io/settings.h"

/* Parameters for PQconnectStartParams from a URL or keyword string: expand_dbname, application
 * name, connect timeout, keepalives, tcp_user_timeout, client_encoding=UTF8, and `options` that fix
 * TimeZone=UTC, DateStyle=ISO, IntervalStyle, bytea_output=hex, extra_float_digits=1,
 * search_path=pg_catalog, standard_conforming_strings=on, lock_timeout=30s,
 * idle_in_transaction_session_timeout=5s (so that a frozen worker cannot hold a partition's row,
 * FAULTS K03; one who holds a snapshot for long sets it to 0) and, when not empty, role. The user's
 * own `options` come first and lose against ours; they win against `defaults` ("-c name=value …" or
 * NULL). Memory: freed by pg_params_free. */
struct pg_params {
    const char *keywords[16];
    const char *values[16];
    char *options;
};
void pg_params_init(struct pg_params *params, const char *url, const char *role,
                    const char *application, const char *defaults);
void pg_params_free(struct pg_params *params);

/* Connects and waits at most timeout_ms. *connection is the caller's (PQfinish). */
MUST_USE enum outcome pg_session_open(const char *url, const char *role, const char *application,
                                      int timeout_ms, PGconn **connection, struct error *err);

/* One statement. Parameters go in binary form with their lengths, which for text is the text
 * itself: write $1::text::int where another type is meant; data NULL is SQL's NULL. The result
 * comes in text, or in binary when asked. *result is the caller's (PQclear), NULL on failure.
 * Outcome: by pg_classify (OUT_RETRY for connection, transaction and resource states, OUT_FATAL for
 * halt, OUT_REJECT for data). */
MUST_USE enum outcome pg_session_query(PGconn *connection, const char *sql,
                                       const struct bytes *params, size_t count, bool binary,
                                       PGresult **result, struct error *err);
/* The first result of what was just sent on `connection`; what was not sent is an error as well.
 * Like all of this file it gives up (OUT_RETRY) soon after the process was asked to stop
 * (STOP_PATIENCE_MS): the connection is of no use then. *result as pg_session_query's. */
MUST_USE enum outcome pg_session_answer(PGconn *connection, PGresult **result, struct error *err);
/* Statements whose rows do not matter, separated by semicolons. */
MUST_USE enum outcome pg_session_run(PGconn *connection, const char *sql, struct error *err);

/* Refuses (DRV-X001) a current_user that is superuser or has BYPASSRLS, and (DRV-P009) servers
 * below 14 or databases not in UTF8. */
MUST_USE enum outcome pg_session_check_role(PGconn *connection, struct error *err);

/* A session as the verifier's role with a REPEATABLE READ, READ ONLY snapshot taken and no time
 * limits of its own: snapshots stay open while other things are read. `application` as
 * pg_stat_activity shows it. *session is the caller's (PQfinish), NULL after a failure. */
MUST_USE enum outcome pg_session_snapshot(const struct settings *settings, const char *application,
                                          PGconn **session, struct error *err);

#endif
