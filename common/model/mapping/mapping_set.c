#include "common/model/mapping/mapping_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

enum { NAMES_MAX = 64 }; /* candidates of a suggestion */

void mapping_set_free(struct mapping_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        mapping_free(set->items[i]);
    free(set->items);
    *set = (struct mapping_set){0};
}

const struct mapping *mapping_set_find(const struct mapping_set *set, struct bytes entity)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bytes_compare(bytes_text(set->items[middle]->entity), entity);
        if (order == 0)
            return set->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct mapping *mapping_set_find_table(const struct mapping_set *set, const char *schema,
                                             const char *table)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i]->schema, schema) == 0 && strcmp(set->items[i]->table, table) == 0)
            return set->items[i];
    return NULL;
}

/* Entity by entity, in their order: which file holds which does not matter. */
struct digest mapping_set_fingerprint(const struct mapping_set *set)
{
    struct buf all;
    buf_init(&all, (size_t)MAPPING_SET_MAX * 1024);
    for (size_t i = 0; i < set->count; i++) {
        buf_append_text(&all, set->items[i]->entity);
        buf_append_char(&all, '\0');
        buf_append(&all, set->items[i]->fingerprint.bytes,
                   sizeof(set->items[i]->fingerprint.bytes));
    }
    struct digest digest = digest_of(buf_view(&all));
    buf_free(&all);
    return digest;
}

void mapping_set_pin(const struct mapping_set *set, bool hybrid, char pin[MAPPING_PIN_SIZE])
{
    char hex[33];
    struct digest digest = mapping_set_fingerprint(set);
    digest_format(&digest, hex);
    snprintf(pin, MAPPING_PIN_SIZE, "%s%s", hex, hybrid ? " hybrid" : "");
}

const char *mapping_set_nearest(const struct mapping_set *set, struct bytes word)
{
    char text[65];
    if (word.size >= sizeof(text))
        return NULL;
    memcpy(text, word.data, word.size);
    text[word.size] = '\0';
    const char *names[NAMES_MAX];
    size_t count = set->count < NAMES_MAX ? set->count : NAMES_MAX;
    for (size_t i = 0; i < count; i++)
        names[i] = set->items[i]->entity;
    return text_nearest(text, names, count);
}
