/* See the header. */
#include "verifier/follow/notes.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum outcome notes_open(struct notes *notes, const struct settings *settings, size_t partitions,
                        struct error *err)
{
    (void)settings;
    (void)err;
    *notes = (struct notes){.positions = mem_zeroed(partitions, sizeof *notes->positions),
                            .count = partitions};
    for (size_t i = 0; i < partitions; i++)
        notes->positions[i] = (struct book_position){(int32_t)i, -1, -1};
    return OUT_OK;
}

void notes_close(struct notes *notes)
{
    free(notes->positions);
    *notes = (struct notes){0};
}

enum outcome notes_add(struct notes *notes, const struct book_page *page, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < page->count_count; i++)
        notes->total[page->counts[i].class] += page->counts[i].count;
    for (size_t i = 0; i < page->position_count; i++)
        notes->positions[page->positions[i].partition] = page->positions[i];
    return OUT_OK;
}
