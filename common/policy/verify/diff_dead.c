#include "common/policy/verify/diff_dead.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/text.h"

#define FREE_OFFSET (-1)
#define CAPACITY_FIRST 256

void diff_dead_init(struct diff_dead *dead, size_t bytes_most)
{
    *dead = (struct diff_dead){.bytes_most = bytes_most};
}

void diff_dead_free(struct diff_dead *dead)
{
    free(dead->letters);
    *dead = (struct diff_dead){0};
}

static size_t slot_of(int32_t partition, int64_t offset, size_t capacity)
{
    uint64_t mixed = ((uint64_t)partition << 48 ^ (uint64_t)offset) * 0x9E3779B97F4A7C15u;
    return (size_t)(mixed >> 32) & (capacity - 1); /* Fibonacci hashing; capacity is 2^n */
}

static struct dead_letter *place_of(const struct diff_dead *dead, int32_t partition, int64_t offset)
{
    size_t at = slot_of(partition, offset, dead->capacity);
    for (;; at = (at + 1) & (dead->capacity - 1)) {
        struct dead_letter *letter = &dead->letters[at];
        if (letter->offset == FREE_OFFSET ||
            (letter->offset == offset && letter->partition == partition))
            return letter;
    }
}

/* Old and new table are there at once while it grows: both count against the limit. */
static bool grow(struct diff_dead *dead)
{
    struct diff_dead bigger = *dead;
    bigger.capacity = dead->capacity ? dead->capacity * 2 : CAPACITY_FIRST;
    if ((dead->capacity + bigger.capacity) * sizeof *dead->letters > dead->bytes_most)
        return false;
    bigger.letters = malloc(bigger.capacity * sizeof *bigger.letters);
    if (!bigger.letters)
        return false;
    for (size_t i = 0; i < bigger.capacity; i++)
        bigger.letters[i].offset = FREE_OFFSET;
    for (size_t i = 0; i < dead->capacity; i++) {
        const struct dead_letter *letter = &dead->letters[i];
        if (letter->offset != FREE_OFFSET)
            *place_of(&bigger, letter->partition, letter->offset) = *letter;
    }
    free(dead->letters);
    *dead = bigger;
    return true;
}

bool diff_dead_add(struct diff_dead *dead, const struct dead_letter *letter)
{
    if ((dead->count + 1) * 4 > dead->capacity * 3 && !grow(dead))
        return false;
    struct dead_letter *place = place_of(dead, letter->partition, letter->offset);
    if (place->offset != FREE_OFFSET)
        return true;
    *place = *letter;
    dead->count++;
    return true;
}

const struct dead_letter *diff_dead_find(const struct diff_dead *dead, int32_t partition,
                                         int64_t offset)
{
    if (dead->count == 0)
        return NULL;
    const struct dead_letter *letter = place_of(dead, partition, offset);
    return letter->offset == FREE_OFFSET ? NULL : letter;
}
