#include "common/policy/follow_diff.h"

#include <assert.h>
#include <stdint.h>

static enum follow_change compare(const struct follow_entry *old, const struct follow_entry *now,
                                  bool own)
{
    if (old->pending)
        return FOLLOW_CHANGED;
    if (old->deleted)
        return own && now->version <= old->version ? FOLLOW_BEHIND : FOLLOW_ADDED;
    return digest_equal(&old->digest, &now->digest) ? FOLLOW_SAME : FOLLOW_CHANGED;
}

struct follow_step follow_diff_step(const struct follow_entry *old, const struct follow_entry *now,
                                    bool own)
{
    assert(old || now);
    int order = !old ? 1 : !now ? -1 : bytes_compare(old->key, now->key);
    if (order == 0)
        return (struct follow_step){compare(old, now, own), true, true};
    if (order > 0)
        return (struct follow_step){FOLLOW_ADDED, false, true};
    return (struct follow_step){old->deleted && !old->pending ? FOLLOW_SAME : FOLLOW_DELETED, true,
                                false};
}

int64_t follow_given_version(bool deleted, bool own, int64_t floor, int64_t version)
{
    if (deleted || !own)
        return follow_delete_version(true, floor, 0);
    return version > floor ? version : floor;
}

int64_t follow_delete_version(bool own, int64_t last, int64_t clock_version)
{
    if (last == INT64_MAX)
        return last;
    return own || clock_version <= last ? last + 1 : clock_version;
}
