#ifndef DROVER_IO_PG_ERROR_H
#define DROVER_IO_PG_ERROR_H

/*
 * The one place that knows SQLSTATEs: what each means for a batch (FAULTS 3.1). The server's
 * DETAIL and parameter values never get into an error: they hold data.
 *
 * A trigger may raise any of them for one row, so a state alone never says that the server is to
 * blame: see pg_writer.c for what is done when one follows a row.
 */

#include <libpq-fe.h>

#include "common/base/error.h"

enum pg_action {
    PG_CONNECTION_LOST, /* new connection; an unfinished COMMIT's outcome is unknown: re-read
                           checkpoint */
    PG_TX_RETRY,        /* roll back, wait a little, same connection */
    PG_RESOURCE,        /* pause, probe every 5 s */
    PG_REPREPARE,       /* prepared statements are gone: prepare again, retry */
    PG_RECORD,          /* bisect to the record, dead-letter it */
    PG_HALT,            /* stop the partition: schema, rights, a bug */
    PG_QUARANTINE,      /* XX000: bisect, halt when it repeats */
    PG_FENCED,          /* our fence function's own states DR001 (epoch) and DR002 (offset) */
};

/* NULL or empty means the connection broke. Total: unknown states are PG_HALT. */
enum pg_action pg_classify(const char *sqlstate);

/* Fills err from a failed result: code and outcome by the action, SQLSTATE, primary message without
 * values, table.column or constraint as where. Returns the action. */
enum pg_action pg_error_from_result(const PGresult *result, struct error *err);
/* Makes of an error that followed one record through the bisection that record's: OUT_REJECT, with
 * DRV-P110 in place of a code that tells of the server; SQLSTATE and place stay. */
void pg_error_blame_record(struct error *err);
/* From a connection that failed: DRV-P001 unreachable, DRV-P002 login refused, DRV-P009. The
 * password never appears. */
enum outcome pg_error_from_connection(PGconn *connection, struct error *err);

#endif
