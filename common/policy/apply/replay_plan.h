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
    /* Where the workers were when it was made: from there on the runs' numbers are seen as they see
     * them (sequence.h), also of what lies before `from`. At `to` or above: nowhere. */
    int64_t numbers_from;
};

/* Which records: all whose tenant (isolation key) and entity are these; empty: any. */
struct replay_filter {
    struct bytes tenant, entity;
};

/* What is the same in all its partitions. */
struct replay_plan {
    struct replay_filter filter;
    struct bytes mappings; /* it is read under these (mapping_set_pin); empty: unknown */
    int64_t parts;         /* partitions that are read; less are kept while it is being made */
};

static inline bool replay_filter_takes(const struct replay_filter *filter, struct bytes tenant,
                                       struct bytes entity)
{
    return (!filter->tenant.size || bytes_equal(filter->tenant, tenant)) &&
           (!filter->entity.size || bytes_equal(filter->entity, entity));
}

/* From which offset on the numbers are seen, when it is read up to `next`: those that are kept with
 * the checkpoint are true there. */
static inline int64_t replay_numbers_at(const struct replay_range *range, int64_t next)
{
    return next > range->from && next > range->numbers_from ? next : range->numbers_from;
}

/* A member of what is kept with the checkpoint: "~replay":{"from":…,"to":…,"numbers_from":…,
 * "tenant":…,"entity":…,"mappings":…,"parts":…} */
void replay_plan_append(struct buf *out, const struct replay_range *range,
                        const struct replay_plan *plan);
/* All of the range but its partition; and the plan, whose texts go into `texts`, which they view.
 * False: no replay is kept there. */
bool replay_plan_parse(struct bytes kept, struct replay_range *range, struct replay_plan *plan,
                       struct buf *texts);

#endif
