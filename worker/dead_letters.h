#ifndef DROVER_WORKER_DEAD_LETTERS_H
#define DROVER_WORKER_DEAD_LETTERS_H

/* Dead records ─► dead letter topic, acknowledged before their batch commits. */

#include "common/port/pending.h"
#include "worker/outbox.h"
#include "worker/partition.h"

struct dead_letters {
    struct partitions *partitions;
    const struct worker_ports *ports; /* sink */
    struct outbox *outbox;
};

/* Puts the dead letters of the current batch's decided items into the outbox; its
 * dead_letters_pending counts them. When one can never fit, its partition is halted. */
void dead_letters_send(struct dead_letters *dead_letters, struct partition *partition);
/* The dead letter of a child whose parent never came; the orphan stays where it is until the tally
 * is told its end. OUT_REJECT: it can never fit. */
MUST_USE enum outcome dead_letters_send_orphan(struct dead_letters *dead_letters,
                                               const struct pending_orphan *orphan,
                                               struct outbox_tally *tally, struct error *err);
/* The sink has decided that records of the batch are dead, and waits with its commit. */
void dead_letters_on_rejected(struct dead_letters *dead_letters, struct batch *batch);
/* The outbox's. */
void dead_letters_on_told(void *owner, void *item, enum outcome outcome, const struct error *err);

#endif
