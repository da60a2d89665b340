/* See the header. */
#include "verifier/follow/settled_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void settled_list_init(struct settled_list *list)
{
    *list = (struct settled_list){.round = INT64_MIN};
}

void settled_list_free(struct settled_list *list)
{
    free(list->entries);
    settled_list_init(list);
}

void settled_list_reset(struct settled_list *list)
{
    list->count = list->picked = 0;
    list->round = INT64_MIN;
}

/* Sent again, it has the round of the first. */
void settled_list_add(struct settled_list *list, const struct settled_receipt *receipt,
                      size_t partitions, int32_t told_in, int64_t told_at)
{
    if (receipt->round <= list->round)
        return;
    list->round = receipt->round;
    list->entries =
        mem_grown(list->entries, &list->room, list->count + receipt->count, sizeof *list->entries);
    for (size_t i = 0; i < receipt->count; i++)
        if ((size_t)receipt->items[i].partition < partitions)
            list->entries[list->count++] = (struct settled_entry){
                .item = receipt->items[i], .told_in = told_in, .told_at = told_at};
}

static int compare(const void *left, const void *right)
{
    const struct settled_item *a = left, *b = right; /* an entry begins with its item */
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

size_t settled_list_pick(struct settled_list *list, size_t max)
{
    list->picked = list->count < max ? list->count : max;
    if (list->picked)
        qsort(list->entries, list->picked, sizeof *list->entries, compare);
    for (size_t i = 0; i < list->count; i++)
        list->entries[i].is_done = false;
    return list->picked;
}

struct settled_entry *settled_list_find(const struct settled_list *list, int32_t partition,
                                        int64_t offset)
{
    const struct settled_item place = {partition, offset, CLASS_APPLIED};
    return list->picked
               ? bsearch(&place, list->entries, list->picked, sizeof *list->entries, compare)
               : NULL;
}

void settled_list_done_all(struct settled_list *list)
{
    for (size_t i = 0; i < list->picked; i++)
        list->entries[i].is_done = true;
}

size_t settled_list_done_below(struct settled_list *list, int32_t partition, int64_t offset)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct settled_entry *entry = &list->entries[i];
        if (entry->item.partition != partition || entry->item.offset >= offset)
            continue;
        entry->is_done = true;
        count++;
    }
    return count;
}

void settled_list_drop_done(struct settled_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!list->entries[i].is_done)
            list->entries[kept++] = list->entries[i];
    list->count = kept;
    list->picked = 0;
}

int64_t settled_list_held(const struct settled_list *list, int32_t told_in)
{
    int64_t held = INT64_MAX;
    for (size_t i = 0; i < list->count; i++) {
        const struct settled_entry *entry = &list->entries[i];
        if (!entry->is_done && entry->told_in == told_in && entry->told_at < held)
            held = entry->told_at;
    }
    return held;
}
