#ifndef DROVER_VERIFIER_FETCH_H
#define DROVER_VERIFIER_FETCH_H

/* Rows by their keys, many at once: one query with the keys as binary arrays. */

#include <libpq-fe.h>

#include "verifier/verify_run.h"

struct fetch_key {
    struct bytes tenant;
    const struct cell *cells; /* in the order of mapping->columns; only key columns are used */
};

/* The rows there are, in any order, in binary, as pg_stored.h selects them. Caller PQclears. */
MUST_USE enum outcome fetch_rows(PGconn *session, const struct mapping *mapping,
                                 const struct fetch_key *keys, size_t count, PGresult **result,
                                 struct error *err);
/* The cells of one row of that result: views into it. */
void fetch_cells(const PGresult *result, int row, struct cell *cells, size_t count);

#endif
