#include "common/base/arena.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BLOCK = 4096,          /* a page: a compiled mapping or a small batch fits */
    LARGEST_BLOCK = 1024 * 1024, /* more would hold memory that is rarely used to its end */
    LARGEST_WANTED = 4 * LARGEST_BLOCK,
};

struct arena_block {
    struct arena_block *next;
    size_t capacity; /* a multiple of the alignment */
    alignas(ARENA_ALIGNMENT) char data[];
};

/* What a request of no bytes gets: not NULL, and not to be written to. */
static alignas(ARENA_ALIGNMENT) char nothing[ARENA_ALIGNMENT];

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

static void free_blocks(struct arena *arena, struct arena_block *kept)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        if (block != kept)
            free(block);
        block = next;
    }
}

static void begin_block(struct arena *arena, struct arena_block *block)
{
    arena->blocks = block;
    arena->next = block ? block->data : NULL;
    arena->room = block ? block->capacity : 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *largest = arena->blocks;
    for (struct arena_block *block = arena->blocks; block; block = block->next) {
        if (block->capacity > largest->capacity)
            largest = block;
    }
    /* what took several blocks finds one that holds it all the next time, and a little more: units
     * of work are alike, not the same */
    if (largest && largest->capacity < arena->used && arena->used <= LARGEST_WANTED) {
        arena->wanted = (arena->used + arena->used / 8) & ~(size_t)(ARENA_ALIGNMENT - 1);
        largest = NULL;
    }
    free_blocks(arena, largest);
    if (largest)
        largest->next = NULL;
    begin_block(arena, largest);
    arena->used = 0;
    arena->refused = false;
    arena->lasting = (struct bytes){0};
    arena->held = largest ? largest->capacity : 0;
}

void arena_free(struct arena *arena)
{
    free_blocks(arena, NULL);
    arena_init(arena, arena->limit);
}

/* The usual capacity of the next block: what was used before the reset, then twice the current
 * one, within bounds. */
static size_t next_capacity(const struct arena *arena)
{
    if (!arena->blocks)
        return arena->wanted > FIRST_BLOCK ? arena->wanted : FIRST_BLOCK;
    size_t capacity = arena->blocks->capacity * 2;
    return capacity < LARGEST_BLOCK ? capacity : LARGEST_BLOCK;
}

/* A request above the usual capacity gets a block of its own behind the current one, so that
 * what is left of the current block is still used. */
static void *alloc_own(struct arena *arena, struct arena_block *block)
{
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    arena->used += block->capacity;
    return block->data;
}

void *arena_alloc_slowly(struct arena *arena, size_t size)
{
    if (size == 0)
        return nothing;
    size_t rounded = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (rounded < size || arena->used > arena->limit || rounded > arena->limit - arena->used) {
        arena->refused = true;
        return NULL;
    }
    size_t usual = next_capacity(arena);
    size_t capacity = rounded > usual ? rounded : usual;
    struct arena_block *block = mem_alloc(sizeof(*block) + capacity);
    block->capacity = capacity;
    arena->held += capacity;
    if (rounded > usual && arena->blocks)
        return alloc_own(arena, block);
    block->next = arena->blocks;
    begin_block(arena, block);
    return arena_alloc(arena, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        arena->refused = true;
        return NULL;
    }
    void *place = arena_alloc(arena, count * size);
    if (place && count * size > 0)
        memset(place, 0, count * size);
    return place;
}

struct bytes arena_copy(struct arena *arena, struct bytes source)
{
    if (source.size == SIZE_MAX)
        return (struct bytes){NULL, 0};
    char *copy = arena_alloc(arena, source.size + 1);
    if (!copy)
        return (struct bytes){NULL, 0};
    if (source.size)
        memcpy(copy, source.data, source.size);
    copy[source.size] = '\0';
    return bytes_of(copy, source.size);
}
