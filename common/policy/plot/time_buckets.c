#include "common/policy/plot/time_buckets.h"

#include <assert.h>
#include <string.h>

static const struct time_bucket EMPTY = {.level = -1};

static void merge(struct time_bucket *into, const struct time_bucket *from)
{
    into->count += from->count;
    if (from->level > into->level)
        into->level = from->level;
}

void time_buckets_init(struct time_buckets *buckets, int64_t width_ms)
{
    assert(width_ms > 0);
    *buckets = (struct time_buckets){.width_ms = width_ms};
}

/* Two neighbours become one: those whose numbers are the same when halved. */
static void double_width(struct time_buckets *buckets)
{
    int64_t first = buckets->first / 2;
    size_t used = 0;
    for (size_t i = 0; i < buckets->used; i++) {
        size_t at = (size_t)((buckets->first + (int64_t)i) / 2 - first);
        const struct time_bucket from = buckets->items[i];
        while (used <= at)
            buckets->items[used++] = EMPTY;
        merge(&buckets->items[at], &from);
    }
    buckets->width_ms *= 2;
    buckets->first = first;
    buckets->used = used;
}

static bool fits(const struct time_buckets *buckets, int64_t number)
{
    int64_t end = buckets->first + (int64_t)buckets->used;
    int64_t from = number < buckets->first ? number : buckets->first;
    int64_t to = number >= end ? number + 1 : end;
    return to - from <= TIME_BUCKETS_MAX;
}

/* Empty ones before the first, or behind the last, so that `number` is among them. */
static void reach(struct time_buckets *buckets, int64_t number)
{
    if (number < buckets->first) {
        size_t more = (size_t)(buckets->first - number);
        memmove(buckets->items + more, buckets->items, buckets->used * sizeof *buckets->items);
        for (size_t i = 0; i < more; i++)
            buckets->items[i] = EMPTY;
        buckets->first = number;
        buckets->used += more;
    }
    while (buckets->first + (int64_t)buckets->used <= number)
        buckets->items[buckets->used++] = EMPTY;
}

void time_buckets_add(struct time_buckets *buckets, int64_t unix_ms, uint64_t count, int64_t level)
{
    const struct time_bucket more = {count, level};
    if (!buckets->used)
        buckets->first = unix_ms / buckets->width_ms;
    while (!fits(buckets, unix_ms / buckets->width_ms))
        double_width(buckets);
    int64_t number = unix_ms / buckets->width_ms;
    reach(buckets, number);
    merge(&buckets->items[number - buckets->first], &more);
}
