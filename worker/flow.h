#ifndef DROVER_WORKER_FLOW_H
#define DROVER_WORKER_FLOW_H

/* Open batch ─► sink ─► done | retry | halt; budget and pausing. */

#include "worker/dead_letters.h"
#include "worker/intake.h"
#include "worker/membership.h"
#include "worker/partition.h"
#include "worker/receipts.h"

/* Records that died without one between them that did not. */
struct dead_run {
    uint64_t count;
    uint64_t same;     /* of those the last ones, of one code */
    struct error last; /* where: topic-partition@offset */
};

struct flow {
    struct partitions *partitions;
    const struct worker_ports *ports; /* sink, stage, pending */
    struct intake *intake;
    struct dead_letters *dead_letters;
    struct receipts *receipts;
    struct membership *membership;
    int32_t round; /* where the next look for work begins */
    struct dead_run dead;
};

/* Gives free connections to partitions in turn; called once a loop turn. */
void flow_pump(struct flow *flow);
void flow_on_done(struct flow *flow, struct batch *batch, enum outcome outcome,
                  const struct error *err);
void flow_check_budget(struct flow *flow);

#endif
