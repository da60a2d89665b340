#ifndef DROVER_VERIFIER_ROWS_H
#define DROVER_VERIFIER_ROWS_H

/* Rows of a mapping's table as pg_stored.h selects them, as the comparison needs them. */

#include "verifier/verify_run.h"

/* One row, read: views into its cells and run's buffers until the next row. */
struct rows_row {
    struct row row; /* id is set */
    struct diff_row diff;
    uint64_t claimed_tag; /* of the digest the worker stored */
};

/* Fills all but diff.digest, diff.unreadable. False when a column of Drover's own is malformed. */
MUST_USE bool rows_take(struct verify_run *run, const struct mapping *mapping,
                        const struct cell *cells, struct rows_row *row);
/* Runs the mapping backwards and digests what comes out. OUT_REJECT: the row gives no record back;
 * `err` says which column. `doc` may be NULL; else the caller frees what it got. */
MUST_USE enum outcome rows_give_back(struct verify_run *run, const struct mapping *mapping,
                                     struct rows_row *row, yyjson_doc **doc, struct error *err);

#endif
