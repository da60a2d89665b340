#ifndef DROVER_VERIFIER_BESIDE_H
#define DROVER_VERIFIER_BESIDE_H

/* The comparisons beside the source records' verdicts; what they find is in report.beside. */

#include "verifier/verify_run.h"

/* beside.c: rows whose reference has no parent, in the snapshot of the cut; nothing without
 * tables. */
MUST_USE enum outcome beside_orphans(struct verify_run *run, struct error *err);
/* Extra rows of tenants that the source does not have at all become foreign. After the last pass.
 */
void beside_foreign(struct verify_run *run);

/* waiting.c: places of the records that wait for their parents, into run->waiting. */
MUST_USE enum outcome beside_waiting(struct verify_run *run, struct error *err);

/* redis_check.c: storage hybrid: what Redis holds against the rows it follows. */
MUST_USE enum outcome beside_redis(struct verify_run *run, struct error *err);

/* files_check.c: storage file: each file of the store, and what lies among them. */
MUST_USE enum outcome beside_files(struct verify_run *run, struct error *err);

/* sealed_check.c: each box that a record of the topic carries against the vault's. Boxes of records
 * that lost their key may be gone: nothing refers to them, and `drover secret sweep` removes them.
 * So beside_sealed only says that one is not as it should be, and what is still wrong at the second
 * look of the record that leads its key is counted and named. */
MUST_USE enum outcome beside_sealed_open(struct verify_run *run, struct error *err);
void beside_sealed_close(struct verify_run *run);
MUST_USE enum outcome beside_sealed(struct verify_run *run, const struct record *record,
                                    bool *broken, struct error *err);
/* A later snapshot of the vault, before the second look. */
MUST_USE enum outcome beside_sealed_refresh(struct verify_run *run, struct error *err);
MUST_USE enum outcome beside_sealed_look(struct verify_run *run, const struct record *record,
                                         struct error *err);

#endif
