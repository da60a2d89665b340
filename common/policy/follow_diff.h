#ifndef DROVER_POLICY_FOLLOW_DIFF_H
#define DROVER_POLICY_FOLLOW_DIFF_H

/*
 * What changed between two readings of one source: both sides sorted by key bytes, looked at from
 * their fronts, so memory is two entries whatever the size.
 *
 *   step(old, now) ─► same | added | changed | deleted | behind, and which side goes on
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/hash.h"

struct follow_entry {
    struct bytes key; /* of the record's message: tenant, entity, id */
    struct digest digest;
    int64_t version;
    bool deleted; /* old side: a tombstone, kept for its version */
    bool pending; /* old side: that its delete was sent is not known: it is sent again */
};

enum follow_change {
    FOLLOW_SAME,
    FOLLOW_ADDED,
    FOLLOW_CHANGED,
    FOLLOW_DELETED,
    FOLLOW_BEHIND, /* back again, but its own version is not above its deletion */
};

struct follow_step {
    enum follow_change change;
    bool take_old, take_now; /* the sides it spoke of, to be moved on */
};

/* NULL: that side has ended; not both. `version` of the now side counts only for records that
 * bring their own (`own`): a stamped one is given a version above all before. */
struct follow_step follow_diff_step(const struct follow_entry *old, const struct follow_entry *now,
                                    bool own);

/* What is noted as a change's version before it is sent, so that whatever is sent for the key later
 * is above: `floor`: the greatest the key ever had, `version`: the record's. A stamped one is the
 * next above the floor, or it is of the clock, which goes on above all that it ever gave. */
int64_t follow_given_version(bool deleted, bool own, int64_t floor, int64_t version);

/* The version of a delete: above the record's last one. Stamped records take the clock's
 * `clock_version`; for records that bring their own, the smallest version above, so that the
 * record's next one wins whatever its unit is. Above the greatest version there is none: then it is
 * returned, and no delete can be newer than the record. */
int64_t follow_delete_version(bool own, int64_t last, int64_t clock_version);

#endif
