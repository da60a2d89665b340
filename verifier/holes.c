#include "verifier/holes.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define HOLES_MAX 200000 /* 24 bytes each */

void holes_begin(struct holes *holes, size_t partitions)
{
    holes_free(holes);
    holes->next = mem_zeroed(partitions, sizeof *holes->next);
}

void holes_start(struct holes *holes, int32_t partition, int64_t low)
{
    holes->next[partition] = low;
}

void holes_see(struct holes *holes, int32_t partition, int64_t offset)
{
    int64_t from = holes->next[partition];
    holes->next[partition] = offset + 1;
    if (offset <= from)
        return;
    holes->overflowed = holes->overflowed || holes->count == HOLES_MAX;
    if (holes->count == HOLES_MAX)
        return;
    holes->items = mem_grown(holes->items, &holes->room, holes->count + 1, sizeof *holes->items);
    holes->items[holes->count++] = (struct hole){partition, from, offset};
}

static int compare(const void *left, const void *right)
{
    const struct hole *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

void holes_finish(struct holes *holes)
{
    if (holes->count)
        qsort(holes->items, holes->count, sizeof *holes->items, compare);
}

uint64_t holes_in(const struct holes *holes, int32_t partition, int64_t from, int64_t to)
{
    size_t low = 0, high = holes->count;
    uint64_t found = 0;
    while (low < high) { /* the first one that ends behind `from` */
        size_t middle = low + (high - low) / 2;
        const struct hole *hole = &holes->items[middle];
        if (hole->partition < partition || (hole->partition == partition && hole->to <= from))
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < holes->count && holes->items[low].partition == partition &&
           holes->items[low].from < to;
         low++) {
        const struct hole *hole = &holes->items[low];
        found +=
            (uint64_t)((hole->to < to ? hole->to : to) - (hole->from > from ? hole->from : from));
    }
    return found;
}

uint64_t holes_count(const struct holes *holes)
{
    uint64_t count = 0;
    for (size_t i = 0; i < holes->count; i++)
        count += (uint64_t)(holes->items[i].to - holes->items[i].from);
    return count;
}

void holes_free(struct holes *holes)
{
    free(holes->items);
    free(holes->next);
    *holes = (struct holes){0};
}
