/* Children whose parent is in none of the sources: in PostgreSQL they would wait, and end as
 * DRV-P111 unless another run brings the parent. */
#include <stdlib.h>
#include <string.h>

#include "common/model/message/envelope.h"
#include "control/rehearse/rehearse.h"

struct wish {
    struct diff_key parent;
    uint32_t group;
};

struct rehearse_parents {
    struct wish *wishes;
    size_t count, room;
    struct buf id, key;
};

struct rehearse_parents *rehearse_parents_new(void)
{
    struct rehearse_parents *parents = calloc(1, sizeof *parents);
    if (!parents)
        abort();
    buf_init(&parents->id, 4096);
    buf_init(&parents->key, 8192);
    return parents;
}

void rehearse_parents_free(struct rehearse_parents *parents)
{
    if (!parents)
        return;
    free(parents->wishes);
    buf_free(&parents->id);
    buf_free(&parents->key);
    free(parents);
}

size_t rehearse_parents_bytes(const struct rehearse_parents *parents)
{
    return parents->room * sizeof *parents->wishes;
}

static void note(struct rehearse_parents *parents, struct wish wish)
{
    if (parents->count == parents->room) {
        parents->room = parents->room ? parents->room * 2 : 256;
        parents->wishes = realloc(parents->wishes, parents->room * sizeof *parents->wishes);
        if (!parents->wishes)
            abort();
    }
    parents->wishes[parents->count++] = wish;
}

/* The parent's key from the child's cells; false when one is NULL: no reference. */
static bool make_key(struct rehearse_parents *parents, const struct mapping *parent,
                     const struct mapping_reference *reference, const struct row *row)
{
    struct cell cells[MAPPING_COLUMNS_MOST];
    for (size_t i = 0; i < parent->column_count; i++)
        cells[i] = CELL_NULL;
    for (size_t i = 0; i < reference->column_count && i < parent->key_count; i++) {
        cells[parent->key[i]] = row->cells[reference->columns[i]];
        if (cells[parent->key[i]].size < 0)
            return false;
    }
    buf_reset(&parents->id);
    buf_reset(&parents->key);
    if (reference->column_count != parent->key_count ||
        !mapping_append_id(parent, cells, &parents->id))
        return false;
    envelope_append_key(&parents->key, row->tenant, bytes_text(parent->entity),
                        buf_view(&parents->id));
    return !parents->key.failed;
}

void rehearse_parents_take(struct rehearse_parents *parents, const struct mapping_set *mappings,
                           const struct mapping *mapping, const struct row *row, uint32_t group)
{
    for (size_t i = 0; i < mapping->reference_count; i++) {
        const struct mapping_reference *reference = &mapping->references[i];
        const struct mapping *parent = mapping_set_find(mappings, bytes_text(reference->entity));
        if (parent && make_key(parents, parent, reference, row))
            note(parents, (struct wish){diff_key_of(buf_view(&parents->key)), group});
    }
}

uint64_t rehearse_parents_judge(const struct rehearse_parents *parents,
                                const struct memory_store *store, uint64_t *counts)
{
    uint64_t orphans = 0;
    for (size_t i = 0; i < parents->count; i++) {
        if (memory_store_has(store, &parents->wishes[i].parent))
            continue;
        counts[parents->wishes[i].group]++;
        orphans++;
    }
    return orphans;
}
