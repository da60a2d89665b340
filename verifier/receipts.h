#ifndef DROVER_VERIFIER_RECEIPTS_H
#define DROVER_VERIFIER_RECEIPTS_H

/*
 * What others say: receipts of workers and producers in the results topic. Producers alone know
 * what they rejected and withheld; what workers say is tested against what was found, and a receipt
 * that does not hold is a warning about the worker, never a verdict about a record.
 *
 * A dead letter is sent before its batch is committed. When that fails, and the record gets in
 * later, at the same offset, its dead letter is history, and only the receipt of the batch that was
 * committed tells. A record of which it does so is expected in the store, like any other.
 */

#include "verifier/verify_run.h"

/* Reads what the results topic holds since the last call. A missing topic is no failure. */
MUST_USE enum outcome receipts_read(struct verify_run *run, struct error *err);
/* Whether the dead letter of that place is history: a receipt tells of its record, and none that it
 * is dead. False as well where nobody can say: what a receipt lists is not all there. */
bool receipts_deny_dead(const struct verify_run *run, int32_t partition, int64_t offset);
/* Warns of receipts that do not hold, once the source was read: which of its offsets are no
 * messages is known then. */
void receipts_test(struct verify_run *run);
void receipts_free(struct verify_run *run);

#endif
