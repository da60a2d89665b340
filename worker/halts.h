#ifndef DROVER_WORKER_HALTS_H
#define DROVER_WORKER_HALTS_H

/*
 * Partitions that are halted: the results topic is told of each (model/message/halted.h), and the
 * store is asked every few seconds whether somebody has resumed it (`drover resume`); then it is
 * claimed again.
 */

#include "worker/membership.h"
#include "worker/receipts.h"

struct halts {
    struct partitions *partitions;
    const struct worker_ports *ports;
    struct receipts *receipts;
    struct membership *membership;
    uint64_t looked_ms;
};

/* Every tick, also while the worker drains: what made it stop is told. Nothing of a replay. */
void halts_tick(struct halts *halts, uint64_t now_ms);
/* What checkpoint_look was asked for. */
void halts_on_seen(struct halts *halts, int32_t partition, const struct checkpoint_seen *seen);

#endif
