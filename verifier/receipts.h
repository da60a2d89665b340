#ifndef DROVER_VERIFIER_RECEIPTS_H
#define DROVER_VERIFIER_RECEIPTS_H

/*
 * What others say: receipts of workers and producers in the results topic. Producers alone know
 * what they rejected and withheld; what workers say is tested against what was found, and a receipt
 * that does not hold is a warning about the worker, never a verdict about a record.
 */

#include "verifier/verify_run.h"

/* Reads what the results topic holds since the last call. A missing topic is no failure. */
MUST_USE enum outcome receipts_read(struct verify_run *run, struct error *err);
/* Warns of receipts that do not hold, once the source was read: which of its offsets are no
 * messages is known then. */
void receipts_test(struct verify_run *run);
void receipts_free(struct verify_run *run);

#endif
