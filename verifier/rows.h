#ifndef DROVER_VERIFIER_ROWS_H
#define DROVER_VERIFIER_ROWS_H

/*
 * Rows of a mapping's table as the verifier selects them: isolation_key, the mapping's columns (an
 * array as to_jsonb, see value.h), drover_version, drover_digest, drover_deleted. Columns that
 * PostgreSQL fills are no part of the record and are not read.
 */

#include "verifier/verify_run.h"

/* The SELECT list and FROM, as `t`. */
void rows_append_select(struct buf *out, const struct mapping *mapping);
/* Cells of one selected row. */
size_t rows_cell_count(const struct mapping *mapping);

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
