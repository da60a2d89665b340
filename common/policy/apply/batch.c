#include "common/base/mem.h"
#include "common/policy/apply/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(size_t capacity, size_t memory_max)
{
    struct batch *batch = mem_new(sizeof *batch);
    batch->items = mem_zeroed(capacity, sizeof *batch->items);
    batch->sorted = mem_zeroed(capacity, sizeof *batch->sorted);
    batch->order = mem_zeroed(capacity, sizeof *batch->order);
    batch->capacity = capacity;
    arena_init(&batch->arena, memory_max);
    return batch;
}

static void drop_error(struct batch_item *item)
{
    free(item->err);
    item->err = NULL;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++)
        drop_error(&batch->items[i]);
    arena_free(&batch->arena);
    free(batch->items);
    free(batch->sorted);
    free(batch->contests);
    free(batch->order);
    free(batch->groups);
    batch_sorter_free(&batch->sorter);
    free(batch);
}

void batch_reset(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        drop_error(&batch->items[i]);
    arena_reset(&batch->arena);
    memset(&batch->fence, 0, sizeof batch->fence);
    batch->count = batch->sorted_count = batch->contest_count = 0;
    batch->order_count = batch->group_count = batch->first_order = batch->first_groups = 0;
    batch->bytes = batch->held = 0;
    batch->passed_over = false;
    batch->redelivered = batch->outcome_unknown = batch->commit_lost = batch->in_sink = false;
    batch->dead_letters_pending = 0;
    batch->attempts = 0;
    batch->refusals = 0;
    batch->owner = batch->sink_state = NULL;
    batch->next = NULL;
}

struct batch_item *batch_add(struct batch *batch, int64_t offset)
{
    if (batch->count == batch->capacity)
        return NULL;
    struct batch_item *item = &batch->items[batch->count++];
    memset(item, 0, sizeof *item);
    item->offset = offset;
    return item;
}

static void decide(struct batch_item *item, enum record_class verdict)
{
    item->decided = true;
    item->verdict = verdict;
}

/* Not in the arena: what its limit leaves no room for would lose its code on the way to the
 * dead letters, and each retry makes errors anew. */
void batch_reject(struct batch *batch, struct batch_item *item, const struct error *err)
{
    (void)batch;
    decide(item, CLASS_DEAD);
    if (!item->err)
        item->err = mem_alloc(sizeof *item->err);
    *item->err = *err;
}

static void undecide(struct batch_item *item)
{
    item->decided = item->tried = item->aside = item->put_off = false;
    item->seen = SEEN_NOT_ASKED;
    drop_error(item);
}

/* ---- candidates -------------------------------------------------------------------------- */

static bool same_content(const struct row *a, const struct row *b)
{
    return a->deleted == b->deleted && digest_equal(&a->digest, &b->digest);
}

static struct batch_item *candidate(const struct batch *batch, size_t at)
{
    return &batch->items[batch->sorted[at]];
}

/* The store has it, or something that is not older. */
static bool is_taken(const struct batch_item *item)
{
    bool left = item->decided && (item->verdict == CLASS_DEAD || item->verdict == CLASS_WAITING);
    return item->tried && !left;
}

static bool find_next(const struct batch *batch, const struct batch_contest *contest, size_t *next)
{
    *next = (size_t)contest->first + contest->tried;
    if (contest->tried == contest->count)
        return false;
    if (contest->tried < contest->all)
        return true;
    /* those behind what the store took are not newer */
    for (size_t i = *next; i-- > contest->first;)
        if (is_taken(candidate(batch, i)))
            return false;
    return true;
}

static bool is_soft_delete(const struct batch_item *item)
{
    return item->row.deleted && item->mapping->on_delete == DELETE_SOFT;
}

static int compare_offsets(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right; /* items are by offset */
    return (a > b) - (a < b);
}

/* Where those of the version of candidate `from` of the contest end. */
static uint32_t end_of_version(const struct batch *batch, const struct batch_contest *contest,
                               uint32_t from)
{
    int64_t version = candidate(batch, (size_t)contest->first + from)->row.version;
    uint32_t end = from + 1;
    while (end < contest->count &&
           candidate(batch, (size_t)contest->first + end)->row.version == version)
        end++;
    return end;
}

/* Where those end that are tried together with candidate `from`, the first one of its version. */
static uint32_t end_of_all(const struct batch *batch, const struct batch_contest *contest,
                           uint32_t from)
{
    const struct row *first = &candidate(batch, (size_t)contest->first + from)->row;
    if (contest->replays)
        return contest->count;
    if (first->generation == 0) /* what is there of the version stays, whichever it is */
        return from + 1;
    uint32_t end = end_of_version(batch, contest, from);
    for (uint32_t i = from + 1; i < end; i++)
        if (!same_content(&candidate(batch, (size_t)contest->first + i)->row, first))
            return end;
    return from + 1;
}

static void note_contest(struct batch *batch, size_t first, size_t count)
{
    struct batch_contest contest = {.first = (uint32_t)first, .count = (uint32_t)count};
    for (size_t i = first; i < first + count; i++)
        contest.replays = contest.replays || is_soft_delete(candidate(batch, i));
    if (contest.replays)
        qsort(batch->sorted + first, count, sizeof *batch->sorted, compare_offsets);
    contest.all = end_of_all(batch, &contest, 0);
    batch->contests = mem_grown(batch->contests, &batch->contest_capacity, batch->contest_count + 1,
                                sizeof *batch->contests);
    batch->contests[batch->contest_count++] = contest;
}

static void note_contests(struct batch *batch)
{
    batch->contest_count = 0;
    for (size_t i = 0, first = 0; i < batch->sorted_count; i++) {
        bool last = i + 1 == batch->sorted_count ||
                    !batch_same_place(candidate(batch, i), candidate(batch, i + 1));
        if (!last)
            continue;
        if (i > first)
            note_contest(batch, first, i + 1 - first);
        first = i + 1;
    }
}

/* ---- order and groups -------------------------------------------------------------------- */

static bool same_group(const struct batch_item *a, const struct batch_item *b)
{
    return a->mapping == b->mapping && bytes_equal(a->row.tenant, b->row.tenant);
}

/* Behind those of `first_group`, in which a run may go on. */
static void append_order(struct batch *batch, size_t sorted_at, size_t first_group)
{
    struct batch_item *item = candidate(batch, sorted_at);
    struct batch_group *last =
        batch->group_count > first_group ? &batch->groups[batch->group_count - 1] : NULL;
    item->tried = true;
    batch->order[batch->order_count++] = batch->sorted[sorted_at];
    if (last && same_group(&batch->items[batch->order[last->first]], item)) {
        last->count++;
        return;
    }
    batch->groups = mem_grown(batch->groups, &batch->group_capacity, batch->group_count + 1,
                              sizeof *batch->groups);
    batch->groups[batch->group_count++] = (struct batch_group){.mapping = item->mapping,
                                                               .tenant = item->row.tenant,
                                                               .first = batch->order_count - 1,
                                                               .count = 1};
}

void batch_close(struct batch *batch)
{
    batch->sorted_count = batch->order_count = batch->group_count = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->items[i].decided)
            batch->sorted[batch->sorted_count++] = (uint32_t)i;
    batch_sort(&batch->sorter, batch->items, batch->sorted, batch->sorted_count);
    note_contests(batch);
    struct batch_contest *contest = batch->contests;
    for (size_t i = 0, left = batch->contest_count; i < batch->sorted_count;) {
        append_order(batch, i, 0);
        if (left == 0 || i < contest->first) {
            i++;
            continue;
        }
        contest->tried = 1;
        i += contest->count;
        contest++;
        left--;
    }
    batch->first_order = batch->order_count;
    batch->first_groups = batch->group_count;
}

bool batch_promote(struct batch *batch)
{
    size_t next = 0, order_before = batch->order_count, groups_before = batch->group_count;
    for (size_t i = 0; i < batch->contest_count; i++) {
        struct batch_contest *contest = &batch->contests[i];
        if (!find_next(batch, contest, &next))
            continue;
        struct batch_item *item = candidate(batch, next);
        const struct batch_item *before = candidate(batch, next - 1);
        item->seen = before->seen; /* of the same key */
        item->stored_version = before->stored_version;
        item->stored_generation = before->stored_generation;
        item->stored_digest = before->stored_digest;
        append_order(batch, next, groups_before);
        if (contest->tried >= contest->all)
            contest->all = end_of_all(batch, contest, contest->tried);
        contest->tried++;
    }
    return batch->order_count > order_before;
}

void batch_promote_equals(struct batch *batch,
                          bool (*keeps)(const void *owner, const struct mapping *mapping),
                          const void *owner)
{
    size_t groups_before = batch->group_count;
    for (size_t i = 0; i < batch->contest_count; i++) {
        struct batch_contest *contest = &batch->contests[i];
        if (contest->replays || !keeps(owner, candidate(batch, contest->first)->mapping))
            continue;
        uint32_t count = end_of_version(batch, contest, 0);
        for (; contest->tried < count; contest->tried++)
            append_order(batch, (size_t)contest->first + contest->tried, groups_before);
    }
}

/* Undoes what becoming pending did to a group's order: rows are locked in one order everywhere. */
static void take_back_pending(struct batch *batch, struct batch_group *group)
{
    if (group->pending)
        batch_sort(&batch->sorter, batch->items, batch->order + group->first, group->count);
    group->pending = 0;
}

void batch_set_pending(struct batch *batch, struct batch_group *group, const bool *missing_parent)
{
    uint32_t *order = batch->order + group->first;
    size_t kept = 0, left = 0;
    uint32_t *pending = mem_alloc((group->count + 1) * sizeof *pending);
    for (size_t i = 0; i < group->count; i++) {
        bool is_orphan = i >= group->count - group->pending || missing_parent[i];
        if (!is_orphan) {
            order[kept++] = order[i];
            continue;
        }
        pending[left++] = order[i];
        decide(&batch->items[order[i]], CLASS_WAITING);
    }
    memcpy(order + kept, pending, left * sizeof *pending);
    free(pending);
    group->pending = left;
}

void batch_rewind(struct batch *batch)
{
    for (size_t i = 0; i < batch->sorted_count; i++)
        undecide(candidate(batch, i));
    batch->order_count = batch->first_order;
    batch->group_count = batch->first_groups;
    for (size_t i = 0; i < batch->group_count; i++)
        take_back_pending(batch, &batch->groups[i]);
    for (size_t i = 0; i < batch->order_count; i++)
        batch->items[batch->order[i]].tried = true;
    for (size_t i = 0; i < batch->contest_count; i++) {
        batch->contests[i].tried = 1;
        batch->contests[i].all = end_of_all(batch, &batch->contests[i], 0);
    }
}

void batch_retry(struct batch *batch)
{
    batch->attempts++;
    if (!batch->outcome_unknown) {
        batch_rewind(batch);
        return;
    }
    for (size_t i = 0; i < batch->sorted_count; i++) {
        struct batch_item *item = candidate(batch, i);
        if (item->verdict != CLASS_DEAD && item->verdict != CLASS_WAITING)
            item->decided = false;
    }
}

/* ---- verdicts ---------------------------------------------------------------------------- */

static bool has_digest(const struct row *row, struct bytes stored)
{
    return stored.size == sizeof row->digest.bytes &&
           memcmp(stored.data, row->digest.bytes, stored.size) == 0;
}

bool batch_is_held(const struct row *row, int64_t stored_version, int32_t stored_generation,
                   struct bytes stored_digest)
{
    if (stored_version != row->version)
        return stored_version > row->version;
    return stored_generation >= row->generation || !has_digest(row, stored_digest);
}

enum record_class batch_classify(const struct row *row, int64_t stored_version,
                                 int32_t stored_generation, struct bytes stored_digest)
{
    if (stored_version > row->version)
        return CLASS_SUPERSEDED;
    if (stored_version < row->version)
        return CLASS_APPLIED; /* written in between by nobody we know; the guard let it pass */
    if (!has_digest(row, stored_digest))
        return CLASS_CONFLICT;
    return stored_generation > row->generation ? CLASS_SUPERSEDED : CLASS_UNCHANGED;
}

void batch_decide_stored(struct batch_item *item, int64_t version, int32_t generation,
                         struct bytes digest)
{
    item->seen = SEEN_ROW;
    item->stored_version = version;
    item->stored_generation = generation;
    item->stored_digest = (struct digest){0};
    if (digest.size == sizeof item->stored_digest.bytes)
        memcpy(item->stored_digest.bytes, digest.data, digest.size);
    decide(item, batch_classify(&item->row, version, generation, digest));
}

/* `winner` was taken by the store, which so holds it or what it lost against. */
static enum record_class class_behind(const struct batch_item *item,
                                      const struct batch_item *winner)
{
    if (item->row.version < winner->row.version)
        return CLASS_SUPERSEDED;
    if (winner->verdict == CLASS_APPLIED || winner->verdict == CLASS_UNCHANGED)
        return same_content(&item->row, &winner->row) ? CLASS_UNCHANGED : CLASS_CONFLICT;
    if (winner->seen != SEEN_ROW)
        return winner->verdict;
    return batch_classify(
        &item->row, winner->stored_version, winner->stored_generation,
        bytes_of(winner->stored_digest.bytes, sizeof winner->stored_digest.bytes));
}

static void settle(struct batch *batch, const struct batch_contest *contest)
{
    const struct batch_item *winner = NULL;
    for (size_t i = contest->first; i < (size_t)contest->first + contest->count; i++) {
        struct batch_item *item = candidate(batch, i);
        if (winner && !item->decided)
            decide(item, class_behind(item, winner));
        else if (!winner && is_taken(item))
            winner = item;
    }
}

/* Each was written over the one before, if newer. */
static void settle_replayed(struct batch *batch, const struct batch_contest *contest)
{
    struct batch_item *last = NULL;
    for (size_t i = contest->first; i < (size_t)contest->first + contest->count; i++) {
        struct batch_item *item = candidate(batch, i);
        if (!item->tried || !item->decided || item->verdict != CLASS_APPLIED)
            continue;
        if (last && item->row.version < last->row.version) {
            item->verdict = CLASS_SUPERSEDED; /* as a redelivery finds it */
            continue;
        }
        if (last)
            last->verdict = CLASS_SUPERSEDED;
        last = item;
    }
}

void batch_settle(struct batch *batch)
{
    for (size_t i = 0; i < batch->contest_count; i++)
        if (batch->contests[i].replays)
            settle_replayed(batch, &batch->contests[i]);
        else
            settle(batch, &batch->contests[i]);
}

bool batch_is_recovered(const struct batch *batch)
{
    return batch->redelivered || batch->outcome_unknown;
}

enum record_class batch_told_class(const struct batch *batch, const struct batch_item *item)
{
    bool guessed = item->verdict == CLASS_APPLIED || item->verdict == CLASS_SUPERSEDED ||
                   item->verdict == CLASS_UNCHANGED;
    return guessed && batch_is_recovered(batch) ? CLASS_RECOVERED : item->verdict;
}

uint64_t batch_count(const struct batch *batch, enum record_class verdict)
{
    uint64_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += batch->items[i].decided && batch->items[i].verdict == verdict;
    return count;
}

bool batch_is_decided(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->items[i].decided)
            return false;
    return true;
}
