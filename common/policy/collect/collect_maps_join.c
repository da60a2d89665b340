/* Joined records by the id they name: a hash table over an arena, both counted in the limit. */
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/policy/collect/collect_maps_parts.h"

#define FIRST_CAPACITY 64

void maps_joins_init(struct maps_joins *joins, size_t limit)
{
    *joins = (struct maps_joins){0};
    arena_init(&joins->arena, limit);
}

void maps_joins_free(struct maps_joins *joins)
{
    arena_free(&joins->arena);
    free(joins->slots);
}

static size_t slot_of(const struct maps_joins *joins, const struct mapping *target, uint64_t hash,
                      struct bytes id)
{
    size_t slot = hash & (joins->capacity - 1);
    for (; joins->slots[slot]; slot = (slot + 1) & (joins->capacity - 1)) {
        const struct maps_joined *joined = joins->slots[slot];
        if (joined->hash == hash && joined->target == target && bytes_equal(joined->id, id))
            break;
    }
    return slot;
}

struct maps_joined *maps_joins_find(const struct maps_joins *joins, const struct mapping *target,
                                    struct bytes id)
{
    if (!joins->capacity)
        return NULL;
    return joins->slots[slot_of(joins, target, hash64(id), id)];
}

/* Keeps a quarter of the slots free. False when the limit does not allow it. */
static bool make_room(struct maps_joins *joins)
{
    if (joins->count + joins->count / 3 + 1 < joins->capacity)
        return true;
    size_t capacity = joins->capacity ? joins->capacity * 2 : FIRST_CAPACITY;
    if (joins->arena.used + capacity * sizeof(*joins->slots) > joins->arena.limit)
        return false;
    free(joins->slots);
    joins->slots = calloc(capacity, sizeof(*joins->slots));
    if (!joins->slots)
        abort();
    joins->capacity = capacity;
    for (struct maps_joined *joined = joins->first; joined; joined = joined->next)
        joins->slots[slot_of(joins, joined->target, joined->hash, joined->id)] = joined;
    return true;
}

static struct maps_joined *copy_of(struct arena *arena, const struct maps_joined *joined)
{
    struct maps_joined *copy = arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *joined;
    copy->id = arena_copy(arena, joined->id);
    copy->text = arena_copy(arena, joined->text);
    copy->name = arena_copy(arena, joined->name);
    return copy->id.data && copy->text.data && copy->name.data ? copy : NULL;
}

void maps_joins_add(struct maps_joins *joins, const struct maps_joined *joined)
{
    if (joins->over || maps_joins_find(joins, joined->target, joined->id))
        return;
    struct maps_joined *copy = make_room(joins) ? copy_of(&joins->arena, joined) : NULL;
    size_t held = joins->arena.used + joins->capacity * sizeof(*joins->slots);
    if (!copy || held > joins->arena.limit) {
        joins->over = true;
        return;
    }
    copy->hash = hash64(joined->id);
    copy->next = NULL;
    copy->matched = false;
    joins->slots[slot_of(joins, copy->target, copy->hash, copy->id)] = copy;
    joins->count++;
    if (joins->last)
        joins->last->next = copy;
    else
        joins->first = copy;
    joins->last = copy;
}
