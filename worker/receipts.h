#ifndef DROVER_WORKER_RECEIPTS_H
#define DROVER_WORKER_RECEIPTS_H

/* Committed batch ─► results topic; the watermarks that follow. */

#include "common/model/message/halted.h"
#include "worker/outbox.h"
#include "worker/partition.h"

struct receipts {
    const struct partitions *partitions;
    const struct worker_ports *ports; /* checkpoint */
    struct outbox *outbox;
};

/* Puts the batch's receipt into the outbox. OUT_FATAL DRV-W010: it would not add up; nothing was
 * put. */
MUST_USE enum outcome receipts_send(struct receipts *receipts, const struct partition *partition,
                                    const struct batch *batch, struct error *err);
/* What became of records that waited. */
void receipts_send_settled(struct receipts *receipts, int64_t round, struct settled_item *items,
                           size_t count, struct outbox_tally *tally);
/* What a halted partition is halted for. */
void receipts_send_halted(struct receipts *receipts, const struct halted *halted);
/* Stores watermarks that have moved. */
void receipts_store(struct receipts *receipts, struct partition *partition);
/* The outbox's. */
void receipts_on_told(void *owner, void *item, enum outcome outcome, const struct error *err);

#endif
