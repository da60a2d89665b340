#include "common/policy/acked_prefix.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define CAPACITY_MIN 64 /* a power of two */

struct acked_span {
    uint64_t waiting; /* sent in it, not acknowledged */
    void *note;       /* of the mark at its end; NULL: it is open */
};

static struct acked_span *span_at(const struct acked_prefix *prefix, size_t at)
{
    return &prefix->spans[(prefix->first + at) & (prefix->capacity - 1)];
}

static struct acked_span *last(const struct acked_prefix *prefix)
{
    return span_at(prefix, prefix->count - 1);
}

void acked_prefix_init(struct acked_prefix *prefix)
{
    *prefix = (struct acked_prefix){.capacity = CAPACITY_MIN, .count = 1};
    prefix->spans = mem_zeroed(prefix->capacity, sizeof *prefix->spans);
}

void acked_prefix_free(struct acked_prefix *prefix)
{
    free(prefix->spans);
    *prefix = (struct acked_prefix){0};
}

uint64_t acked_prefix_send(struct acked_prefix *prefix)
{
    last(prefix)->waiting++;
    return prefix->number + prefix->count - 1;
}

void acked_prefix_acknowledge(struct acked_prefix *prefix, uint64_t span)
{
    assert(span >= prefix->number && span - prefix->number < prefix->count);
    struct acked_span *found = span_at(prefix, (size_t)(span - prefix->number));
    assert(found->waiting > 0);
    found->waiting--;
}

static void grow(struct acked_prefix *prefix)
{
    struct acked_prefix before = *prefix;
    prefix->capacity *= 2;
    prefix->first = 0;
    prefix->spans = mem_zeroed(prefix->capacity, sizeof *prefix->spans);
    for (size_t i = 0; i < before.count; i++)
        prefix->spans[i] = *span_at(&before, i);
    free(before.spans);
}

void acked_prefix_mark(struct acked_prefix *prefix, void *note)
{
    assert(note);
    last(prefix)->note = note;
    if (prefix->count == prefix->capacity)
        grow(prefix);
    prefix->count++;
    *last(prefix) = (struct acked_span){0};
}

size_t acked_prefix_marks(const struct acked_prefix *prefix)
{
    return prefix->count - 1;
}

void *acked_prefix_drop(struct acked_prefix *prefix)
{
    if (prefix->count == 1)
        return NULL;
    void *note = span_at(prefix, 0)->note;
    prefix->first = (prefix->first + 1) & (prefix->capacity - 1);
    prefix->count--;
    prefix->number++;
    return note;
}

bool acked_prefix_is_reached(const struct acked_prefix *prefix)
{
    return prefix->count > 1 && span_at(prefix, 0)->waiting == 0;
}

void *acked_prefix_take(struct acked_prefix *prefix)
{
    return acked_prefix_is_reached(prefix) ? acked_prefix_drop(prefix) : NULL;
}
