#ifndef DROVER_VERIFIER_SIDE_CHECKS_H
#define DROVER_VERIFIER_SIDE_CHECKS_H

/* Side checks: comparisons besides the source records' verdicts; what they find is in
 * report.side_checks. All but side_unexpected are of the settings' store: nothing of another one.
 */

#include "verifier/verify_run.h"

/* Places of the records that wait for their parents, into run->waiting; nothing without tables. */
MUST_USE enum outcome side_pending(struct verify_run *run, struct error *err);
/* Rows whose reference has no parent, in the snapshot; nothing without tables. */
MUST_USE enum outcome side_orphans(struct verify_run *run, struct error *err);
/* Extra rows of tenants that the source does not have at all are told apart. After the last pass.
 */
void side_unexpected(struct verify_run *run);
/* Storage file: each file of the store, and what lies among them. */
MUST_USE enum outcome side_files(struct verify_run *run, struct error *err);
/* redis_check.c: storage hybrid: what Redis holds against the rows it follows. */
MUST_USE enum outcome side_redis(struct verify_run *run, struct error *err);

/* Each box that a record of the topic carries against the vault's. Boxes of records that lost their
 * key may be gone: nothing refers to them, and `drover secret sweep` removes them. So side_sealed
 * only says that one is not as it should be, and what is still wrong at the recheck of the record
 * that leads its key is counted and named. */
MUST_USE enum outcome side_sealed_open(struct verify_run *run, struct error *err);
void side_sealed_close(struct verify_run *run);
MUST_USE enum outcome side_sealed(struct verify_run *run, const struct record *record, bool *broken,
                                  struct error *err);
/* A later snapshot of the vault, before the recheck. */
MUST_USE enum outcome side_sealed_refresh(struct verify_run *run, struct error *err);
MUST_USE enum outcome side_sealed_recheck(struct verify_run *run, const struct record *record,
                                          struct error *err);

#endif
