/* See the header. */
#include "verifier/follow/share.h"

#include "common/base/hash.h"

bool share_step(struct share *share, uint64_t backlog, uint64_t backlog_max)
{
    unsigned before = share->steps;
    if (backlog > backlog_max && share->steps < SHARE_STEPS_MAX)
        share->steps++;
    else if (backlog < backlog_max / 4 && share->steps)
        share->steps--;
    return share->steps != before;
}

double share_of(const struct share *share)
{
    return 1.0 / (double)(1u << share->steps);
}

uint64_t share_hash(struct bytes key)
{
    return hash64(key);
}

/* The hash's high bits: its low ones may have chosen the partition. */
bool share_has(const struct share *share, uint64_t hash)
{
    return share->steps == 0 || hash >> (64 - share->steps) == 0;
}
