/* What every implementation of the port does with a row that it read back. */
#include "common/port/pending.h"

void pending_keep_row(struct pending_applied *applied, const struct stored_record *stored,
                      struct arena *arena)
{
    size_t cells = stored->mapping->column_count;
    struct row *row = arena_array(arena, 1, sizeof *row);
    struct cell *copies = arena_array(arena, cells, sizeof *copies);
    applied->json = arena_copy(arena, stored->json);
    if (!row || !copies || !applied->json.data)
        return;
    *row = (struct row){.tenant = arena_copy(arena, stored->tenant),
                        .id = arena_copy(arena, stored->id),
                        .version = stored->version,
                        .generation = stored->generation,
                        .digest = stored->digest,
                        .deleted = stored->deleted,
                        .cells = copies};
    for (size_t i = 0; i < cells; i++) {
        struct bytes view = bytes_of(stored->cells[i].data, (size_t)stored->cells[i].size);
        copies[i] = CELL_NULL;
        if (stored->cells[i].size >= 0)
            copies[i] = (struct cell){arena_copy(arena, view).data, stored->cells[i].size};
    }
    applied->mapping = stored->mapping;
    applied->row = row;
}
