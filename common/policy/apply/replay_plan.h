#ifndef DROVER_POLICY_REPLAY_PLAN_H
#define DROVER_POLICY_REPLAY_PLAN_H

/*
 * What a replay reads: ranges of partitions, and which of their records. It is kept with the
 * checkpoint of each of its partitions, beside what else is there (sequence.h), so that whoever
 * goes on with the replay reads the same, wherever he is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

struct replay_range {
    int32_t partition;
    int64_t from, to; /* offsets [from, to) */
};

/* Which records: all whose tenant (isolation key) and entity are these; empty: any. */
struct replay_filter {
    struct bytes tenant, entity;
};

static inline bool replay_filter_takes(const struct replay_filter *filter, struct bytes tenant,
                                       struct bytes entity)
{
    return (!filter->tenant.size || bytes_equal(filter->tenant, tenant)) &&
           (!filter->entity.size || bytes_equal(filter->entity, entity));
}

/* A member of what is kept with the checkpoint: "~replay":{"from":…,"to":…,"tenant":…,"entity":…}
 */
void replay_plan_append(struct buf *out, const struct replay_range *range,
                        const struct replay_filter *filter);
/* Offsets, and the filter's texts into `texts`, which they view. False: no replay is kept there. */
bool replay_plan_parse(struct bytes kept, struct replay_range *range, struct replay_filter *filter,
                       struct buf *texts);

#endif
