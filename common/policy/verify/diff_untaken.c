/* See the header. */
#include "common/policy/verify/diff_untaken.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_FIRST 64

void diff_untaken_init(struct diff_untaken *table, size_t bytes_max)
{
    static_assert(sizeof(struct untaken) == 40, "diff_untaken.h promises 40 bytes a key");
    *table = (struct diff_untaken){.bytes_max = bytes_max};
}

void diff_untaken_clear(struct diff_untaken *table)
{
    free(table->items);
    diff_untaken_init(table, table->bytes_max);
}

/* No key of a record begins with a NUL. */
struct diff_key diff_untaken_place_key(int32_t partition, int64_t offset)
{
    char text[48];
    int size = snprintf(text + 1, sizeof text - 1, "%" PRId32 "@%" PRId64, partition, offset);
    text[0] = '\0';
    return diff_key_of(bytes_of(text, (size_t)size + 1));
}

static bool is_free(const struct untaken *item)
{
    return item->key.high == 0 && item->key.low == 0;
}

static struct untaken *place_of(const struct diff_untaken *table, const struct diff_key *key)
{
    size_t at = (size_t)key->low & (table->capacity - 1); /* the capacity is 2^n */
    while (!is_free(&table->items[at]) && !diff_key_equal(&table->items[at].key, key))
        at = (at + 1) & (table->capacity - 1);
    return &table->items[at];
}

/* Old and new table are there at once while it grows: both count against the limit. */
static bool grow(struct diff_untaken *table)
{
    struct diff_untaken bigger = *table;
    bigger.capacity = table->capacity ? table->capacity * 2 : CAPACITY_FIRST;
    if ((table->capacity + bigger.capacity) * sizeof *table->items > table->bytes_max)
        return false;
    bigger.items = calloc(bigger.capacity, sizeof *bigger.items);
    if (!bigger.items)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (!is_free(&table->items[i]))
            *place_of(&bigger, &table->items[i].key) = table->items[i];
    free(table->items);
    *table = bigger;
    return true;
}

/* The one added last takes the place of the other, unless that is open and of a greater version. */
static void join(struct untaken *place, const struct untaken *item, struct untaken_change *change)
{
    struct untaken before = *place;
    bool keeps = !before.resolved && before.has_version && item->has_version &&
                 before.version > item->version;
    change->superseded = !before.history && !item->history;
    change->is_new = !keeps;
    if (keeps) {
        place->history = before.history && item->history;
        return;
    }
    change->was_sampled = before.sampled;
    change->verdict = (enum verdict)before.verdict;
    change->partition = (int32_t)before.partition;
    change->offset = before.offset;
    *place = *item;
    place->history = before.history && item->history;
}

bool diff_untaken_add(struct diff_untaken *table, const struct untaken *item,
                      const struct diff_entry *leader, struct untaken_change *change)
{
    *change = (struct untaken_change){0};
    if ((table->count + 1) * 4 > table->capacity * 3 && !grow(table))
        return false;
    struct untaken *place = place_of(table, &item->key);
    change->kept = place;
    if (is_free(place)) {
        *place = *item;
        change->is_new = true;
        table->count++;
    } else {
        join(place, item, change);
    }
    if (change->is_new && leader && item->has_version) {
        place->resolved = leader->version > item->version;
        place->contested = leader->version == item->version;
    }
    return true;
}

struct untaken *diff_untaken_resolve(struct diff_untaken *table, const struct diff_key *key,
                                     int64_t version, int32_t partition, int64_t offset,
                                     bool is_attempt)
{
    struct untaken *found = table->count ? diff_untaken_find(table, key) : NULL;
    if (!found || found->resolved)
        return NULL;
    bool behind = (int32_t)found->partition == partition && offset > found->offset;
    bool is_other = found->contested && !found->history && !is_attempt;
    bool same = found->has_version ? version == found->version && !is_other : true;
    if (!(found->has_version && version > found->version) && !(behind && same))
        return NULL;
    found->resolved = true;
    return found;
}

struct untaken *diff_untaken_find(const struct diff_untaken *table, const struct diff_key *key)
{
    if (table->count == 0)
        return NULL;
    struct untaken *place = place_of(table, key);
    return is_free(place) ? NULL : place;
}

struct untaken *diff_untaken_next(const struct diff_untaken *table, size_t *at)
{
    while (*at < table->capacity) {
        struct untaken *item = &table->items[(*at)++];
        if (!is_free(item))
            return item;
    }
    return NULL;
}
