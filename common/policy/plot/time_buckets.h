#ifndef DROVER_POLICY_TIME_BUCKETS_H
#define DROVER_POLICY_TIME_BUCKETS_H

/*
 * What happened over a time nobody knows the length of beforehand, in bounded memory: a row of
 * buckets of one width, which doubles when the row is full. Counts are summed, levels keep their
 * greatest. What comes need not be in order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIME_BUCKETS_MAX = 512 };

struct time_bucket {
    uint64_t count;
    int64_t level; /* greatest; negative: none was told */
};

struct time_buckets {
    int64_t width_ms;
    int64_t first; /* number of items[0]: its begin is first * width_ms */
    size_t used;
    struct time_bucket items[TIME_BUCKETS_MAX];
};

/* Empty, of buckets of that width. */
void time_buckets_init(struct time_buckets *buckets, int64_t width_ms);
/* At Unix time `unix_ms`, which is not negative. `level` negative: not known. */
void time_buckets_add(struct time_buckets *buckets, int64_t unix_ms, uint64_t count, int64_t level);
static inline int64_t time_buckets_begin(const struct time_buckets *buckets, size_t at)
{
    return (buckets->first + (int64_t)at) * buckets->width_ms;
}

#endif
