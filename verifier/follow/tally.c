/* See the header. */
#include "verifier/follow/tally.h"

#include <stdlib.h>

#include "common/base/mem.h"

void tally_init(struct tally *tally)
{
    *tally = (struct tally){0};
    diff_groups_init(&tally->groups, TALLY_GROUPS_MAX);
}

void tally_free(struct tally *tally)
{
    diff_groups_free(&tally->groups);
    free(tally->marks);
    free(tally->counts);
}

void tally_reset(struct tally *tally)
{
    tally->count = 0;
}

void tally_add(struct tally *tally, const struct record *record, unsigned class, uint64_t count)
{
    const struct tally_mark mark = {
        diff_groups_find(&tally->groups, record->tenant, record->entity),
        (uint8_t)record->operation, (uint8_t) class, count};
    struct tally_mark *last = tally->count ? &tally->marks[tally->count - 1] : NULL;
    if (last && last->group == mark.group && last->operation == mark.operation &&
        last->class == mark.class) {
        last->count += count;
        return;
    }
    tally->marks = mem_grown(tally->marks, &tally->room, tally->count + 1, sizeof *tally->marks);
    tally->marks[tally->count++] = mark;
}

static int compare_marks(const void *left, const void *right)
{
    const struct tally_mark *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->operation != b->operation)
        return a->operation < b->operation ? -1 : 1;
    return (a->class > b->class) - (a->class < b->class);
}

const struct book_count *tally_counts(struct tally *tally, size_t *count)
{
    size_t made = 0;
    if (tally->count)
        qsort(tally->marks, tally->count, sizeof *tally->marks, compare_marks);
    tally->counts =
        mem_grown(tally->counts, &tally->counts_room, tally->count + 1, sizeof *tally->counts);
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_mark *mark = &tally->marks[i];
        const struct diff_group *group = &tally->groups.items[mark->group];
        if (i && compare_marks(mark, mark - 1) == 0) {
            tally->counts[made - 1].count += mark->count;
            continue;
        }
        bool is_others = mark->group == 0;
        tally->counts[made++] =
            (struct book_count){.tenant = is_others ? BYTES_LITERAL(BOOK_OTHERS) : group->tenant,
                                .entity = is_others ? BYTES_LITERAL(BOOK_OTHERS) : group->entity,
                                .operation = (enum operation)mark->operation,
                                .class = mark->class,
                                .count = mark->count};
    }
    *count = made;
    return tally->counts;
}
