#ifndef DROVER_BASE_ARENA_H
#define DROVER_BASE_ARENA_H

/*
 * Memory of one unit of work (one batch, one compiled mapping), freed as a whole. Blocks double
 * from 4 KiB to 1 MiB; a limit is not optional. Reaching the limit because of input is an answer
 * (NULL), not a crash; failing to get a block the limit allows aborts the process, as uncommitted
 * work is delivered again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"

struct arena_block;

#define ARENA_ALIGNMENT 16

struct arena {
    struct arena_block *blocks; /* the current one first */
    char *next;                 /* what is free of it */
    size_t room;
    size_t used;          /* bytes handed out, rounded up to 16 */
    size_t held;          /* bytes asked of the system */
    size_t limit;         /* of `used` */
    bool refused;         /* something did not fit since the last reset */
    size_t wanted;        /* capacity of the first block; 0: the usual one */
    struct bytes lasting; /* somebody else's memory that stays as long as what is allocated here */
};

void arena_init(struct arena *arena, size_t limit);
/* Frees everything but the largest block, which is kept for the next unit of work; where several
 * were needed (up to 4 MiB together) the next unit gets one of that size. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

/* 16-byte aligned, uninitialised; NULL when the limit would be passed. size 0 is allowed. */
MUST_USE void *arena_alloc_slowly(struct arena *arena, size_t size);
MUST_USE static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (size == 0 || size > arena->room || arena->used > arena->limit ||
        rounded > arena->limit - arena->used)
        return arena_alloc_slowly(arena, size);
    void *place = arena->next;
    arena->next += rounded;
    arena->room -= rounded;
    arena->used += rounded;
    return place;
}
/* The same, zeroed; NULL also when count * size overflows. */
MUST_USE void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies; the copy has a NUL after its last byte (not counted). `data` NULL on failure. */
MUST_USE struct bytes arena_copy(struct arena *arena, struct bytes source);
/* What lasts as long as the arena's content: `source` itself where it lies in `lasting`, else a
 * copy. No NUL after its last byte. `data` NULL on failure. */
MUST_USE static inline struct bytes arena_keep(struct arena *arena, struct bytes source)
{
    size_t before = (uintptr_t)source.data - (uintptr_t)arena->lasting.data;
    if (source.data && source.size <= arena->lasting.size &&
        before <= arena->lasting.size - source.size)
        return source;
    return arena_copy(arena, source);
}

#endif
