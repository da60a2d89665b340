/* See the header: a hybrid logical clock whose physical part the caller gives. */
#include "common/policy/version.h"

#include <assert.h>

int64_t version_next(struct version_clock *clock, int64_t now_ms)
{
    assert(now_ms >= 0 && now_ms < INT64_C(1) << (63 - VERSION_COUNTER_BITS));
    int64_t physical = now_ms * (INT64_C(1) << VERSION_COUNTER_BITS);
    /* a counter that runs over goes on in the next millisecond: still greater than all before */
    clock->last = physical > clock->last ? physical : clock->last + 1;
    return clock->last;
}

void version_observe(struct version_clock *clock, int64_t version)
{
    if (version > clock->last)
        clock->last = version;
}

/* A timestamp is the producer's to choose: one beyond the clock's range counts as its end. */
static int64_t physical_of(int64_t timestamp_ms)
{
    const int64_t max = (INT64_C(1) << (63 - VERSION_COUNTER_BITS)) - 1;
    return timestamp_ms < 0 ? 0 : timestamp_ms > max ? max : timestamp_ms;
}

int64_t version_in_log(struct version_clock *clock, int64_t timestamp_ms, int64_t offset)
{
    const int64_t counter = (INT64_C(1) << VERSION_COUNTER_BITS) - 1;
    int64_t natural = physical_of(timestamp_ms) * (counter + 1) + (offset & counter);
    if (natural > clock->last)
        clock->last = natural;
    else if (clock->last < INT64_MAX)
        clock->last++;
    return clock->last;
}
