#include "common/policy/collect/key_seen.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define CAPACITY_MIN 128

void key_seen_init(struct key_seen *seen, size_t bytes)
{
    size_t max = CAPACITY_MIN;
    while (2 * max * sizeof(struct key_seen_entry) <= bytes)
        max *= 2;
    *seen = (struct key_seen){.max = max / 2}; /* half of the places stay free */
}

void key_seen_free(struct key_seen *seen)
{
    free(seen->entries);
    *seen = (struct key_seen){0};
}

static struct key_seen_entry *find(const struct key_seen *seen, uint64_t key)
{
    size_t at = (size_t)key & (seen->capacity - 1);
    while (seen->entries[at].key && seen->entries[at].key != key)
        at = (at + 1) & (seen->capacity - 1);
    return &seen->entries[at];
}

static void grow(struct key_seen *seen)
{
    struct key_seen before = *seen;
    seen->capacity = before.capacity ? 2 * before.capacity : CAPACITY_MIN;
    seen->entries = mem_zeroed(seen->capacity, sizeof *seen->entries);
    for (size_t i = 0; i < before.capacity; i++)
        if (before.entries[i].key)
            *find(seen, before.entries[i].key) = before.entries[i];
    free(before.entries);
}

enum key_seen_result key_seen_add(struct key_seen *seen, struct bytes key, struct bytes text,
                                  uint32_t source)
{
    uint64_t hash = hash64(key) | 1;
    uint32_t of_text = (uint32_t)hash64(text);
    if (seen->used * 2 >= seen->capacity && seen->used < seen->max)
        grow(seen);
    struct key_seen_entry *entry = find(seen, hash);
    if (!entry->key && seen->used >= seen->max) {
        seen->full = true;
        return KEY_NEW;
    }
    enum key_seen_result result = KEY_NEW;
    if (!entry->key)
        seen->used++;
    else if (entry->text == of_text)
        result = KEY_AGAIN;
    else
        result = entry->source == source ? KEY_TWICE : KEY_OVERLAP;
    *entry = (struct key_seen_entry){hash, source, of_text};
    return result;
}
