#include "common/policy/verify/diff_dead.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/text.h"

#define FREE_OFFSET (-1)
#define CAPACITY_FIRST 256

void diff_dead_init(struct diff_dead *dead, size_t bytes_max)
{
    *dead = (struct diff_dead){.bytes_max = bytes_max};
}

void diff_dead_free(struct diff_dead *dead)
{
    free(dead->dead_letters);
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
        struct dead_letter *dead_letter = &dead->dead_letters[at];
        if (dead_letter->offset == FREE_OFFSET ||
            (dead_letter->offset == offset && dead_letter->partition == partition))
            return dead_letter;
    }
}

/* Old and new table are there at once while it grows: both count against the limit. */
static bool grow(struct diff_dead *dead)
{
    struct diff_dead bigger = *dead;
    bigger.capacity = dead->capacity ? dead->capacity * 2 : CAPACITY_FIRST;
    if ((dead->capacity + bigger.capacity) * sizeof *dead->dead_letters > dead->bytes_max)
        return false;
    bigger.dead_letters = malloc(bigger.capacity * sizeof *bigger.dead_letters);
    if (!bigger.dead_letters)
        return false;
    for (size_t i = 0; i < bigger.capacity; i++)
        bigger.dead_letters[i].offset = FREE_OFFSET;
    for (size_t i = 0; i < dead->capacity; i++) {
        const struct dead_letter *dead_letter = &dead->dead_letters[i];
        if (dead_letter->offset != FREE_OFFSET)
            *place_of(&bigger, dead_letter->partition, dead_letter->offset) = *dead_letter;
    }
    free(dead->dead_letters);
    *dead = bigger;
    return true;
}

/* NULL: no room. */
static struct dead_letter *make_place(struct diff_dead *dead, const struct dead_letter *dead_letter)
{
    if ((dead->count + 1) * 4 > dead->capacity * 3 && !grow(dead))
        return NULL;
    struct dead_letter *place = place_of(dead, dead_letter->partition, dead_letter->offset);
    if (place->offset == FREE_OFFSET) {
        *place = *dead_letter;
        dead->count++;
    }
    return place;
}

bool diff_dead_add(struct diff_dead *dead, const struct dead_letter *dead_letter)
{
    return make_place(dead, dead_letter) != NULL;
}

bool diff_dead_put(struct diff_dead *dead, const struct dead_letter *dead_letter)
{
    struct dead_letter *place = make_place(dead, dead_letter);
    if (place)
        *place = *dead_letter;
    return place != NULL;
}

const struct dead_letter *diff_dead_find(const struct diff_dead *dead, int32_t partition,
                                         int64_t offset)
{
    if (dead->count == 0)
        return NULL;
    const struct dead_letter *dead_letter = place_of(dead, partition, offset);
    return dead_letter->offset == FREE_OFFSET ? NULL : dead_letter;
}
