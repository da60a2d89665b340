#ifndef DROVER_BASE_MEMORY_H
#define DROVER_BASE_MEMORY_H

/*
 * Memory that is small beside what it serves: when there is none left the process aborts, as
 * uncommitted work is delivered again. What input can make large is an arena's or a buf's, whose
 * limit is an answer.
 */

#include <stddef.h>
#include <stdlib.h>

/* What malloc and its like gave; never NULL. */
static inline void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* Room for one more than `count` in an array of pointers or structs that is the caller's to free();
 * it may move, to twice the room. `room` is a size_t, 0 at the beginning. */
#define MAKE_ROOM(items, count, room)                                                              \
    ((items) = must_grow((items), (count), &(room), sizeof *(items)))

static inline void *must_grow(void *items, size_t count, size_t *room, size_t item_size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 16;
    return must(reallocarray(items, *room, item_size));
}

#endif
