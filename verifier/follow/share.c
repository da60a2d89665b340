/* See the header. */
#include "verifier/follow/share.h"

#include "common/base/hash.h"

bool share_step(struct share *share, uint64_t backlog, uint64_t backlog_max)
{
    unsigned before = share->halvings;
    if (backlog > backlog_max && share->halvings < SHARE_HALVINGS_MAX)
        share->halvings++;
    else if (backlog < backlog_max / 4 && share->halvings)
        share->halvings--;
    return share->halvings != before;
}

double share_of(const struct share *share)
{
    return 1.0 / (double)(1u << share->halvings);
}

uint64_t share_hash(struct bytes key)
{
    return hash64(key);
}

/* The hash's high bits: its low ones may have chosen the partition. */
bool share_has(const struct share *share, uint64_t hash)
{
    return share->halvings == 0 || hash >> (64 - share->halvings) == 0;
}
