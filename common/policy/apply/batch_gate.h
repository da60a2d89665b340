#ifndef DROVER_POLICY_BATCH_GATE_H
#define DROVER_POLICY_BATCH_GATE_H

/*
 * The one gate a batch passes before its offsets may move: it asks every item, and keeps no count
 * that could be wrong. An offset never moves past a record that is in no class, nor past a dead one
 * whose dead letter Kafka has not acknowledged. Pure; whoever calls it acts on the answer.
 *
 *   open ─► batch_gate_submit ─► sink … ─► batch_gate_commit ─► COMMIT ─► batch_gate_written ─►
 * receipt
 *
 * A batch that is read again (redelivered) had its dead letters acknowledged before it was
 * committed.
 */

#include "common/policy/apply/batch.h"

/* May it go to the sink? OUT_OK; OUT_RETRY: dead letters are on their way, ask again; OUT_FATAL
 * DRV-W010: a dead record has no dead letter and none is on its way. */
MUST_USE enum outcome batch_gate_submit(const struct batch *batch, struct error *err);
/* May the sink, which has decided some items as dead, commit it? Answers as before. */
MUST_USE enum outcome batch_gate_commit(const struct batch *batch, struct error *err);
/* Does it add up, so that it may be taken as written and a receipt may say so? OUT_FATAL DRV-W010:
 * an item without a class of a batch's, a dead one without its dead letter, an offset outside the
 * fence or out of order, or a fence that does not end behind the last item. */
MUST_USE enum outcome batch_gate_written(const struct batch *batch, struct error *err);

#endif
