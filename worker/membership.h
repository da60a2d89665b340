#ifndef DROVER_WORKER_MEMBERSHIP_H
#define DROVER_WORKER_MEMBERSHIP_H

/* Assigned ─► claimed ─► reading; revoked ─► drained ─► given up. */

#include "common/port/checkpoint.h"
#include "worker/outbox.h"
#include "worker/partition.h"

struct membership {
    struct partitions *partitions;
    const struct worker_ports *ports; /* checkpoint; at the end stage and pending */
    struct outbox *results;
    size_t claims_waiting;
    uint64_t revoke_by_ms;
};

void membership_on_assigned(struct membership *membership, const int32_t *partitions, size_t count);
void membership_on_claimed(struct membership *membership, int32_t partition,
                           const struct checkpoint_row *row);
void membership_on_revoked(struct membership *membership);
/* Asks the store anew where each partition stands, and goes on from there: a Redis that was away or
 * emptied may have forgotten what it had acknowledged. */
void membership_claim_again(struct membership *membership);
/* The same for one partition, whatever its state; nothing when it is not the time for it. */
void membership_claim_one(struct membership *membership, struct partition *partition);
/* Reads every partition on from its position. */
void membership_read_again(struct partitions *all);
/* Ends a revocation when nothing is with the sink any more, or its time is over. */
void membership_check_revoked(struct membership *membership, uint64_t now_ms);
/* Commits, stores the watermarks and gives up everything held: it may be somebody else's now. */
void membership_leave(struct membership *membership);
/* Tells the group how far it is; advisory, the store knows. */
void membership_commit(const struct membership *membership);
/* True when every assigned partition has been written to its end, or is halted. */
bool membership_at_end(const struct membership *membership);

#endif
