#include "common/base/mem.h"
#include "common/policy/verify/diff_groups.h"

#include <stdlib.h>

void diff_groups_init(struct diff_groups *groups, size_t max)
{
    *groups = (struct diff_groups){.room = 16, .place_count = 64, .max = max};
    groups->items = mem_zeroed(groups->room, sizeof *groups->items);
    groups->places = mem_zeroed(groups->place_count, sizeof *groups->places);
    arena_init(&groups->names, GROUPS_BYTES_MAX);
    groups->items[0].tenant = BYTES_LITERAL("(other)");
    groups->items[0].entity = BYTES_LITERAL("(other)");
    groups->count = 1;
}

void diff_groups_free(struct diff_groups *groups)
{
    free(groups->items);
    free(groups->places);
    arena_free(&groups->names);
    *groups = (struct diff_groups){0};
}

static size_t slot_of(struct bytes tenant, struct bytes entity, size_t places)
{
    return (size_t)(hash64(tenant) * 31 + hash64(entity)) & (places - 1);
}

static uint32_t *find_place(const struct diff_groups *groups, struct bytes tenant,
                            struct bytes entity)
{
    size_t at = slot_of(tenant, entity, groups->place_count);
    for (;; at = (at + 1) & (groups->place_count - 1)) {
        uint32_t *place = &groups->places[at];
        if (*place == 0)
            return place;
        const struct diff_group *group = &groups->items[*place - 1];
        if (bytes_equal(group->tenant, tenant) && bytes_equal(group->entity, entity))
            return place;
    }
}

static void grow(struct diff_groups *groups)
{
    if (groups->count == groups->room) {
        groups->items = mem_resize(groups->items, 2 * groups->room, sizeof *groups->items);
        groups->room *= 2;
    }
    if (groups->count * 2 < groups->place_count)
        return;
    free(groups->places);
    groups->place_count *= 2;
    groups->places = mem_zeroed(groups->place_count, sizeof *groups->places);
    for (size_t i = 1; i < groups->count; i++)
        *find_place(groups, groups->items[i].tenant, groups->items[i].entity) = (uint32_t)i + 1;
}

uint32_t diff_groups_find(struct diff_groups *groups, struct bytes tenant, struct bytes entity)
{
    uint32_t *place = find_place(groups, tenant, entity);
    if (*place)
        return *place - 1;
    struct bytes names[2] = {{0}};
    if (groups->count < groups->max) {
        names[0] = arena_copy(&groups->names, tenant);
        names[1] = arena_copy(&groups->names, entity);
    }
    if (!names[0].data || !names[1].data) {
        groups->overflowed++;
        return 0;
    }
    grow(groups);
    uint32_t index = (uint32_t)groups->count++;
    groups->items[index] = (struct diff_group){.tenant = names[0], .entity = names[1]};
    *find_place(groups, tenant, entity) = index + 1;
    return index;
}

void diff_groups_total(const struct diff_groups *groups, uint64_t counts[VERDICT_COUNT])
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        counts[i] = 0;
    for (size_t g = 0; g < groups->count; g++)
        for (int i = 0; i < VERDICT_COUNT; i++)
            counts[i] += groups->items[g].counts[i];
}

uint64_t diff_counts_records(const uint64_t counts[VERDICT_COUNT])
{
    uint64_t sum = 0;
    for (int i = 0; i < VERDICT_OUTSIDE; i++)
        sum += counts[i];
    return sum;
}

uint64_t diff_counts_problems(const uint64_t counts[VERDICT_COUNT])
{
    uint64_t sum = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (verdict_is_problem((enum verdict)i))
            sum += counts[i];
    return sum;
}

struct ranked {
    const struct diff_group *group;
    uint64_t problems;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->problems != b->problems)
        return a->problems < b->problems ? 1 : -1;
    int order = bytes_compare(a->group->tenant, b->group->tenant);
    return order ? order : bytes_compare(a->group->entity, b->group->entity);
}

static bool has_any(const uint64_t counts[VERDICT_COUNT])
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (counts[i])
            return true;
    return false;
}

uint32_t *diff_groups_order(const struct diff_groups *groups, size_t *count)
{
    struct ranked *ranked = mem_alloc(groups->count * sizeof *ranked);
    uint32_t *order = mem_alloc(groups->count * sizeof *order);
    *count = 0;
    for (size_t i = 0; i < groups->count; i++) {
        const struct diff_group *group = &groups->items[i];
        if (has_any(group->counts))
            ranked[(*count)++] = (struct ranked){group, diff_counts_problems(group->counts)};
    }
    qsort(ranked, *count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < *count; i++)
        order[i] = (uint32_t)(ranked[i].group - groups->items);
    free(ranked);
    return order;
}

static void add_group(struct diff_groups_sum *sum, const struct diff_group *group)
{
    sum->groups++;
    for (int v = 0; v < VERDICT_COUNT; v++)
        sum->counts[v] += group->counts[v];
}

void diff_groups_split(const struct diff_groups *groups, size_t listed_max,
                       struct diff_groups_split *split)
{
    size_t count;
    uint32_t *order = diff_groups_order(groups, &count);
    size_t room = count < listed_max ? count : listed_max;
    *split = (struct diff_groups_split){.listed = mem_zeroed(room + 1, sizeof *split->listed)};
    for (size_t i = 0; i < count; i++) {
        const struct diff_group *group = &groups->items[order[i]];
        bool bad = diff_counts_problems(group->counts) > 0;
        if (bad && split->listed_count < room)
            split->listed[split->listed_count++] = group;
        else
            add_group(bad ? &split->left_out : &split->matching, group);
    }
    free(order);
}

void diff_groups_split_free(struct diff_groups_split *split)
{
    free(split->listed);
    *split = (struct diff_groups_split){0};
}
