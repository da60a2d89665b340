/* See the header. */
#include "verifier/follow/due.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void due_init(struct due *due, int64_t position, int64_t results)
{
    *due =
        (struct due){.position = position, .told = position, .results = results, .heard = results};
}

void due_free(struct due *due)
{
    free(due->ranges);
    free(due->hints);
    *due = (struct due){0};
}

bool due_has_room(const struct due *due)
{
    return due->count < DUE_RANGES_MAX && due->hint_count < DUE_HINTS_MAX;
}

/* ---- ranges ------------------------------------------------------------------------------ */

static struct due_range *last_of(const struct due *due)
{
    return due->count ? &due->ranges[due->first + due->count - 1] : NULL;
}

static void push(struct due *due, const struct due_range *range)
{
    if (due->first && due->first + due->count == due->room) {
        memmove(due->ranges, due->ranges + due->first, due->count * sizeof *due->ranges);
        due->first = 0;
    }
    due->ranges =
        mem_grown(due->ranges, &due->room, due->first + due->count + 1, sizeof *due->ranges);
    due->ranges[due->first + due->count++] = *range;
    due->told = range->next;
}

/* What the last receipt still was to tell of never comes: a later one is there. */
static void end_last(struct due *due)
{
    struct due_range *last = last_of(due);
    if (!last || last->unheard == 0)
        return;
    last->unheard = 0;
    last->is_gap = true;
}

void due_pass(struct due *due, int64_t results)
{
    struct due_range *last = last_of(due);
    due->heard = results;
    if (last)
        last->results = results;
    else
        due->results = results;
}

void due_take(struct due *due, const struct receipt_summary *receipt, uint64_t hints,
              int64_t results)
{
    int64_t first = receipt->first;
    due->is_repeat = receipt->next <= first || receipt->next <= due->told;
    if (due->is_repeat) {
        due_pass(due, results);
        return;
    }
    due->heard = results;
    end_last(due);
    if (due->told < 0)
        due->position = due->told = first;
    if (first > due->told) {
        const struct due_range gap = {.first = due->told,
                                      .next = first,
                                      .results = due->results,
                                      .is_gap = true,
                                      .superseded = -1,
                                      .committed_ms = receipt->committed_ms,
                                      .in_redis_ms = -1};
        push(due, &gap);
    }
    bool is_whole = first == due->told && receipt->counts[CLASS_RECOVERED] == 0;
    const struct due_range range = {.first = due->told,
                                    .next = receipt->next,
                                    .results = results,
                                    .unheard = hints,
                                    .superseded =
                                        is_whole ? (int64_t)receipt->counts[CLASS_SUPERSEDED] : -1,
                                    .committed_ms = receipt->committed_ms,
                                    .is_dated = receipt->counts[CLASS_RECOVERED] == 0,
                                    .in_redis_ms = -1};
    push(due, &range);
}

void due_doubt(struct due *due)
{
    struct due_range *last = due->is_repeat ? NULL : last_of(due);
    if (last)
        last->is_gap = true;
}

void due_followed(struct due *due, int64_t next, int64_t unix_ms)
{
    for (size_t i = 0; i < due->count; i++) {
        struct due_range *range = &due->ranges[due->first + i];
        if (range->next > next)
            return;
        if (range->in_redis_ms < 0)
            range->in_redis_ms = unix_ms;
    }
}

int64_t due_end(const struct due *due, int64_t from, int64_t checkpoint, uint64_t max)
{
    int64_t end = from;
    int64_t limit = max < INT64_MAX / 2 ? from + (int64_t)max : INT64_MAX;
    for (size_t i = 0; i < due->count && end < limit; i++) {
        const struct due_range *range = &due->ranges[due->first + i];
        if (range->unheard || range->next > checkpoint)
            break;
        if (range->next > end)
            end = range->next;
    }
    return end < limit ? end : limit;
}

const struct due_range *due_find(const struct due *due, int64_t offset)
{
    size_t low = 0, high = due->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (due->ranges[due->first + middle].next <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    const struct due_range *range = &due->ranges[due->first + low];
    return low < due->count && range->first <= offset ? range : NULL;
}

void due_done(struct due *due, int64_t next)
{
    size_t gone = 0;
    while (due->count && due->ranges[due->first].next <= next) {
        due->results = due->ranges[due->first].results;
        due->first++;
        due->count--;
    }
    if (due->count == 0)
        due->first = 0;
    if (next > due->position)
        due->position = next;
    while (gone < due->hint_count && due->hints[gone].offset < next)
        gone++;
    due->hint_count -= gone;
    if (gone && due->hint_count)
        memmove(due->hints, due->hints + gone, due->hint_count * sizeof *due->hints);
}

uint64_t due_backlog(const struct due *due)
{
    return due->told > due->position ? (uint64_t)(due->told - due->position) : 0;
}

/* ---- hints ------------------------------------------------------------------------------- */

/* The first hint at or above the offset. */
static size_t place_of(const struct due *due, int64_t offset)
{
    size_t low = 0, high = due->hint_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (due->hints[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A part of a receipt's range may have been told of before, by one that was cut otherwise. */
void due_hint(struct due *due, int64_t offset, enum record_class the_class)
{
    size_t at = place_of(due, offset);
    struct due_range *last = due->is_repeat ? NULL : last_of(due);
    bool is_told = at < due->hint_count && due->hints[at].offset == offset;
    if (!last || offset >= last->next)
        return;
    last->unheard -= last->unheard > 0;
    if (is_told || offset < last->first)
        return;
    if (due->hint_count >= 2 * DUE_HINTS_MAX) {
        last->is_gap = true;
        due->lost_hints++;
        return;
    }
    due->hints = mem_grown(due->hints, &due->hint_room, due->hint_count + 1, sizeof *due->hints);
    memmove(due->hints + at + 1, due->hints + at, (due->hint_count - at) * sizeof *due->hints);
    due->hints[at] = (struct due_hint){offset, the_class};
    due->hint_count++;
}

enum record_class due_class(const struct due *due, int64_t offset)
{
    size_t at = place_of(due, offset);
    bool is_told = at < due->hint_count && due->hints[at].offset == offset;
    return is_told ? due->hints[at].the_class : CLASS_APPLIED;
}
