#include "common/policy/apply/bisect.h"

#include <assert.h>
#include <string.h>

static void push(struct bisect *bisect, struct bisect_part part)
{
    assert(bisect->depth < BISECT_DEPTH);
    bisect->waiting[bisect->depth++] = part;
}

/* Second half below, first half on top: parts come in key order. */
static void split(struct bisect *bisect, struct bisect_part part)
{
    size_t half = part.count / 2;
    push(bisect, (struct bisect_part){.first = part.first + half, .count = part.count - half});
    push(bisect, (struct bisect_part){.first = part.first, .count = half, .first_half = true});
}

void bisect_init(struct bisect *bisect, size_t first, size_t count)
{
    assert(count >= 1);
    memset(bisect, 0, sizeof *bisect);
    push(bisect, (struct bisect_part){.first = first, .count = count, .known_bad = true});
}

/* Second halves left over once their first halves are dealt with stand side by side: one try. */
static void join_waiting(struct bisect *bisect, struct bisect_part *part)
{
    while (bisect->depth) {
        const struct bisect_part *below = &bisect->waiting[bisect->depth - 1];
        if (below->known_bad || below->first_half)
            return;
        part->count += below->count;
        bisect->depth--;
    }
}

enum bisect_step bisect_next(struct bisect *bisect, size_t *first, size_t *count)
{
    while (bisect->depth) {
        struct bisect_part part = bisect->waiting[--bisect->depth];
        if (part.known_bad && part.count > 1) {
            split(bisect, part);
            continue;
        }
        if (!part.known_bad && !part.first_half)
            join_waiting(bisect, &part);
        *first = part.first;
        *count = part.count;
        bisect->current = part;
        return part.known_bad ? BISECT_POISON : BISECT_TRY;
    }
    return BISECT_END;
}

void bisect_tell(struct bisect *bisect, bool written)
{
    struct bisect_part part = bisect->current;
    if (!written) {
        part.known_bad = true;
        part.first_half = false;
        push(bisect, part);
    } else if (part.first_half) {
        bisect->waiting[bisect->depth - 1].known_bad = true;
    }
}
