#include "common/policy/apply/batch_sort.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/policy/apply/batch.h"

#define NONE UINT32_MAX

struct sort_key {
    uint64_t prefix; /* of the id, behind what the group's ids have in common */
    uint32_t at;     /* of items */
};

struct sort_group {
    const struct batch_item *sample;
    uint64_t hash;
    uint32_t first, count; /* in keys */
};

bool batch_same_place(const struct batch_item *a, const struct batch_item *b)
{
    return a->mapping == b->mapping && bytes_equal(a->row.id, b->row.id) &&
           bytes_equal(a->row.tenant, b->row.tenant);
}

static bool same_group(const struct batch_item *a, const struct batch_item *b)
{
    return a->mapping == b->mapping && bytes_equal(a->row.tenant, b->row.tenant);
}

static void make_room(struct batch_sorter *sorter, size_t count)
{
    if (count <= sorter->capacity)
        return;
    size_t capacity = 64;
    while (capacity < count)
        capacity *= 2;
    batch_sorter_free(sorter);
    sorter->capacity = capacity;
    sorter->keys = mem_zeroed(capacity, sizeof *sorter->keys);
    sorter->groups = mem_zeroed(capacity, sizeof *sorter->groups);
    sorter->slots = mem_zeroed(2 * capacity, sizeof *sorter->slots);
    sorter->group_of = mem_zeroed(capacity, sizeof *sorter->group_of);
    sorter->order = mem_zeroed(capacity, sizeof *sorter->order);
}

void batch_sorter_free(struct batch_sorter *sorter)
{
    free(sorter->keys);
    free(sorter->groups);
    free(sorter->slots);
    free(sorter->group_of);
    free(sorter->order);
    *sorter = (struct batch_sorter){0};
}

/* ---- groups ------------------------------------------------------------------------------ */

/* The number of the item's group, a new one when it is the first of it. */
static uint32_t find_group(struct batch_sorter *sorter, const struct batch_item *item,
                           size_t *group_count)
{
    uint64_t hash = hash64(item->row.tenant) ^ (uint64_t)(uintptr_t)item->mapping;
    size_t mask = 2 * sorter->capacity - 1;
    size_t slot = (hash ^ hash >> 32) & mask;
    for (; sorter->slots[slot] != NONE; slot = (slot + 1) & mask) {
        uint32_t number = sorter->slots[slot];
        const struct sort_group *group = &sorter->groups[number];
        if (group->hash == hash && same_group(group->sample, item))
            return number;
    }
    uint32_t number = (uint32_t)(*group_count)++;
    sorter->slots[slot] = number;
    sorter->groups[number] = (struct sort_group){.sample = item, .hash = hash};
    return number;
}

static size_t find_groups(struct batch_sorter *sorter, const struct batch_item *items,
                          const uint32_t *places, size_t count)
{
    size_t group_count = 0;
    memset(sorter->slots, 0xFF, 2 * sorter->capacity * sizeof *sorter->slots);
    for (size_t i = 0; i < count; i++) {
        const struct batch_item *item = &items[places[i]];
        bool again = i > 0 && same_group(&items[places[i - 1]], item);
        uint32_t number = again ? sorter->group_of[i - 1] : find_group(sorter, item, &group_count);
        sorter->group_of[i] = number;
        sorter->groups[number].count++;
    }
    return group_count;
}

static int compare_groups(const void *left, const void *right, void *groups)
{
    const struct batch_item *a = ((struct sort_group *)groups)[*(const uint32_t *)left].sample;
    const struct batch_item *b = ((struct sort_group *)groups)[*(const uint32_t *)right].sample;
    if (a->mapping->rank != b->mapping->rank) /* parents before their children */
        return a->mapping->rank < b->mapping->rank ? -1 : 1;
    if (a->mapping != b->mapping)
        return strcmp(a->mapping->entity, b->mapping->entity);
    return bytes_compare(a->row.tenant, b->row.tenant);
}

/* Counts the records into their groups, which stand in their order. */
static void scatter(struct batch_sorter *sorter, const uint32_t *places, size_t count,
                    size_t group_count)
{
    for (size_t i = 0; i < group_count; i++)
        sorter->order[i] = (uint32_t)i;
    qsort_r(sorter->order, group_count, sizeof *sorter->order, compare_groups, sorter->groups);
    uint32_t first = 0;
    for (size_t i = 0; i < group_count; i++) {
        struct sort_group *group = &sorter->groups[sorter->order[i]];
        group->first = first;
        first += group->count;
        group->count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct sort_group *group = &sorter->groups[sorter->group_of[i]];
        sorter->keys[group->first + group->count++].at = places[i];
    }
}

/* ---- within a group ---------------------------------------------------------------------- */

static size_t common_size(struct bytes a, struct bytes b, size_t max)
{
    size_t size = 0;
    max = a.size < max ? a.size : max;
    max = b.size < max ? b.size : max;
    while (size < max && a.data[size] == b.data[size])
        size++;
    return size;
}

/* Eight bytes from `skip` on, the first one the highest; zeros behind the end. */
static uint64_t prefix_of(struct bytes id, size_t skip)
{
    uint64_t prefix = 0;
    size_t size = id.size - skip < 8 ? id.size - skip : 8;
    for (size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < size ? (unsigned char)id.data[skip + i] : 0);
    return prefix;
}

/* By id, then the winner of a place first: greatest version, then the earliest offset. */
static int compare_keys(const void *left, const void *right, void *items)
{
    const struct sort_key *left_key = left, *right_key = right;
    if (left_key->prefix != right_key->prefix)
        return left_key->prefix < right_key->prefix ? -1 : 1;
    const struct batch_item *a = (const struct batch_item *)items + left_key->at;
    const struct batch_item *b = (const struct batch_item *)items + right_key->at;
    int order = bytes_compare(a->row.id, b->row.id);
    if (order)
        return order;
    if (a->row.version != b->row.version)
        return a->row.version > b->row.version ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static void sort_group(struct sort_key *keys, size_t count, const struct batch_item *items)
{
    struct bytes first = items[keys[0].at].row.id;
    size_t skip = first.size;
    for (size_t i = 1; i < count && skip > 0; i++)
        skip = common_size(first, items[keys[i].at].row.id, skip);
    for (size_t i = 0; i < count; i++)
        keys[i].prefix = prefix_of(items[keys[i].at].row.id, skip);
    qsort_r(keys, count, sizeof *keys, compare_keys, (void *)items);
}

void batch_sort(struct batch_sorter *sorter, const struct batch_item *items, uint32_t *places,
                size_t count)
{
    if (count == 0)
        return; /* everything was refused */
    make_room(sorter, count);
    size_t group_count = find_groups(sorter, items, places, count);
    scatter(sorter, places, count, group_count);
    for (size_t i = 0; i < group_count; i++) {
        const struct sort_group *group = &sorter->groups[i];
        if (group->count > 1)
            sort_group(sorter->keys + group->first, group->count, items);
    }
    for (size_t i = 0; i < count; i++)
        places[i] = sorter->keys[i].at;
}
