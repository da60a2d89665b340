/* See the header. */
#include "common/policy/verify/given_up.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The first range that ends at or behind the place. */
static size_t find(const struct given_up *given_up, int32_t partition, int64_t offset)
{
    size_t low = 0, high = given_up->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct given_up_range *at = &given_up->items[middle];
        if (at->partition < partition || (at->partition == partition && at->to < offset))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool given_up_add(struct given_up *given_up, int32_t partition, int64_t from, int64_t to)
{
    if (from < 0 || from >= to)
        return true;
    struct given_up_range joined = {partition, from, to};
    size_t first = find(given_up, partition, from), last = first;
    for (; last < given_up->count && given_up->items[last].partition == partition &&
           given_up->items[last].from <= to;
         last++) {
        const struct given_up_range *at = &given_up->items[last];
        joined.from = at->from < joined.from ? at->from : joined.from;
        joined.to = at->to > joined.to ? at->to : joined.to;
    }
    if (last == first && given_up->count == GIVEN_UP_MAX)
        return false;
    given_up->items =
        mem_grown(given_up->items, &given_up->room, given_up->count + 1, sizeof *given_up->items);
    memmove(&given_up->items[first + 1], &given_up->items[last],
            (given_up->count - last) * sizeof *given_up->items);
    given_up->items[first] = joined;
    given_up->count = given_up->count + 1 - (last - first);
    return true;
}

uint64_t given_up_below(const struct given_up *given_up, int32_t partition, int64_t end)
{
    uint64_t sum = 0;
    for (size_t i = find(given_up, partition, 0);
         i < given_up->count && given_up->items[i].partition == partition; i++) {
        const struct given_up_range *at = &given_up->items[i];
        int64_t to = at->to < end ? at->to : end;
        sum += to > at->from ? (uint64_t)(to - at->from) : 0;
    }
    return sum;
}

void given_up_free(struct given_up *given_up)
{
    free(given_up->items);
    *given_up = (struct given_up){0};
}
