#ifndef DROVER_VERIFIER_ROWS_H
#define DROVER_VERIFIER_ROWS_H

/* Rows of a mapping's table as pg_stored.h selects them, as the comparison needs them. */

#include "verifier/verify_run.h"

/* Fills all of `row` but what judge_read finds: views into the cells and run's buffers until the
 * next row. False when a column of Drover's own is malformed. */
MUST_USE bool rows_take(struct verify_run *run, const struct mapping *mapping,
                        const struct cell *cells, struct judge_row *row);

#endif
