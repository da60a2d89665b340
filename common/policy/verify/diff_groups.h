#ifndef DROVER_POLICY_DIFF_GROUPS_H
#define DROVER_POLICY_DIFF_GROUPS_H

/*
 * Counters by tenant and entity. Bounded: tenants beyond GROUPS_MAX groups (or GROUPS_BYTES_MAX
 * of names) are summed in group 0, "other", so that a hostile number of tenants costs no memory
 * and no record is left out of the totals.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/bytes.h"
#include "common/policy/verify/diff.h"

#define GROUPS_MAX 100000
#define GROUPS_BYTES_MAX (16u << 20)

struct diff_group {
    struct bytes tenant;
    struct bytes entity;
    uint64_t counts[VERDICT_COUNT];
};

struct diff_groups {
    struct diff_group *items; /* items[0] is "other" */
    size_t count;
    size_t room;
    uint32_t *places; /* open addressing: index + 1, 0 = free */
    size_t place_count;
    size_t max;
    struct arena names;
    uint64_t overflowed; /* lookups answered with group 0 */
};

/* `max` groups at most, GROUPS_MAX but in tests. */
void diff_groups_init(struct diff_groups *groups, size_t max);
void diff_groups_free(struct diff_groups *groups);
/* The group's index; makes it when new; 0 when there is no room. */
uint32_t diff_groups_find(struct diff_groups *groups, struct bytes tenant, struct bytes entity);
/* Sums over all groups. */
void diff_groups_total(const struct diff_groups *groups, uint64_t counts[VERDICT_COUNT]);
/* Source records of a group: everything below VERDICT_OUTSIDE. */
uint64_t diff_counts_records(const uint64_t counts[VERDICT_COUNT]);
/* Of those, and such rows: how many are problems. */
uint64_t diff_counts_problems(const uint64_t counts[VERDICT_COUNT]);
/* Indexes of non-empty groups, most problems first, then by tenant and entity; malloc'ed. */
uint32_t *diff_groups_order(const struct diff_groups *groups, size_t *count);

/* Several groups as one. */
struct diff_groups_sum {
    uint64_t groups;
    uint64_t counts[VERDICT_COUNT];
};

/* The same groups as reports show them: those with problems, up to a number; the others are sums.
 */
struct diff_groups_split {
    const struct diff_group **listed; /* into the groups; the split's own list */
    size_t listed_count;
    struct diff_groups_sum matching; /* have no problem */
    struct diff_groups_sum left_out; /* have one, but were beyond the number */
};

void diff_groups_split(const struct diff_groups *groups, size_t listed_max,
                       struct diff_groups_split *split);
void diff_groups_split_free(struct diff_groups_split *split);

#endif
