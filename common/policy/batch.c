#include "common/policy/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(size_t capacity, size_t memory_most)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    batch->items = calloc(capacity, sizeof *batch->items);
    batch->order = calloc(capacity, sizeof *batch->order);
    if (!batch->items || !batch->order)
        abort();
    batch->capacity = capacity;
    arena_init(&batch->arena, memory_most);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    arena_free(&batch->arena);
    free(batch->items);
    free(batch->order);
    free(batch);
}

void batch_reset(struct batch *batch)
{
    arena_reset(&batch->arena);
    memset(&batch->fence, 0, sizeof batch->fence);
    batch->count = batch->order_count = batch->group_count = batch->bytes = batch->held = 0;
    batch->groups = NULL;
    batch->second_look = batch->outcome_unknown = batch->in_sink = false;
    batch->letters_pending = 0;
    batch->attempts = 0;
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

void batch_reject(struct batch *batch, struct batch_item *item, const struct error *err)
{
    decide(item, CLASS_DEAD);
    item->err = arena_alloc(&batch->arena, sizeof *item->err);
    if (item->err)
        *item->err = *err;
}

static int compare_places(const struct batch_item *a, const struct batch_item *b)
{
    if (a->mapping->rank != b->mapping->rank) /* parents before their children */
        return a->mapping->rank < b->mapping->rank ? -1 : 1;
    if (a->mapping != b->mapping)
        return strcmp(a->mapping->entity, b->mapping->entity);
    int order = bytes_compare(a->row.tenant, b->row.tenant);
    return order ? order : bytes_compare(a->row.id, b->row.id);
}

/* By place, then the winner of a place first: greatest version, then the earliest offset. */
static int compare_items(const void *left, const void *right, void *items)
{
    const struct batch_item *a = (const struct batch_item *)items + *(const uint32_t *)left;
    const struct batch_item *b = (const struct batch_item *)items + *(const uint32_t *)right;
    int order = compare_places(a, b);
    if (order)
        return order;
    if (a->row.version != b->row.version)
        return a->row.version > b->row.version ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static bool same_content(const struct row *a, const struct row *b)
{
    return a->deleted == b->deleted && digest_equal(&a->digest, &b->digest);
}

/* A soft delete leaves the row with its columns, and the record they are of may come in the same
 * batch: whether it does must not show. */
static void keep_columns(struct batch *batch, struct batch_item *winner,
                         const struct batch_item *item)
{
    const struct mapping *mapping = winner->mapping;
    bool exact;
    if (mapping->on_delete != DELETE_SOFT || !winner->row.deleted || winner->row.keeps ||
        item->row.deleted || item->row.version >= winner->row.version ||
        item->offset > winner->offset) /* what comes after its delete is not written either */
        return;
    struct cell *cells = arena_array(&batch->arena, mapping->column_count, sizeof *cells);
    if (!cells)
        return; /* a tombstone, then */
    memcpy(cells, item->row.cells, mapping->column_count * sizeof *cells);
    if (value_encode(&mapping->columns[mapping->soft_column].type, mapping->soft_value,
                     &batch->arena, &cells[mapping->soft_column], &exact, NULL) != OUT_OK)
        return;
    winner->row.cells = cells;
    winner->row.keeps = true;
}

/* Keeps the first of each run of the same place; the others are decided against it or, for equal
 * versions below the winner's, simply superseded. */
static void reduce(struct batch *batch, size_t open)
{
    size_t kept = 0;
    for (size_t i = 0; i < open; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        struct batch_item *winner = kept ? &batch->items[batch->order[kept - 1]] : NULL;
        if (!winner || compare_places(winner, item) != 0) {
            batch->order[kept++] = batch->order[i];
            continue;
        }
        if (item->row.version < winner->row.version)
            decide(item, CLASS_SUPERSEDED);
        else
            decide(item, same_content(&item->row, &winner->row) ? CLASS_UNCHANGED : CLASS_CONFLICT);
        keep_columns(batch, winner, item);
    }
    batch->order_count = kept;
}

static bool same_group(const struct batch_item *a, const struct batch_item *b)
{
    return a->mapping == b->mapping && bytes_equal(a->row.tenant, b->row.tenant);
}

static void make_groups(struct batch *batch)
{
    batch->groups = arena_array(&batch->arena, batch->order_count + 1, sizeof *batch->groups);
    if (!batch->groups)
        abort(); /* the arena's limit has room for it by how the worker sizes it */
    for (size_t i = 0; i < batch->order_count; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        struct batch_group *last =
            batch->group_count ? &batch->groups[batch->group_count - 1] : NULL;
        if (last && same_group(&batch->items[batch->order[last->first]], item)) {
            last->count++;
            continue;
        }
        batch->groups[batch->group_count++] = (struct batch_group){
            .mapping = item->mapping, .tenant = item->row.tenant, .first = i, .count = 1};
    }
}

void batch_close(struct batch *batch)
{
    size_t open = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->items[i].decided)
            batch->order[open++] = (uint32_t)i;
    qsort_r(batch->order, open, sizeof *batch->order, compare_items, batch->items);
    reduce(batch, open);
    make_groups(batch);
}

/* Undoes what parking did to a group's order: rows are locked in one order everywhere. */
static void unpark(struct batch *batch, struct batch_group *group)
{
    if (group->parked)
        qsort_r(batch->order + group->first, group->count, sizeof *batch->order, compare_items,
                batch->items);
    group->parked = 0;
}

void batch_park(struct batch *batch, struct batch_group *group, const bool *lacking)
{
    uint32_t *order = batch->order + group->first;
    size_t kept = 0, left = 0;
    uint32_t *parked = arena_array(&batch->arena, group->count, sizeof *parked);
    if (!parked)
        abort(); /* a few bytes a record; the worker sizes the arena far above */
    for (size_t i = 0; i < group->count; i++) {
        bool lacks = i >= group->count - group->parked || lacking[i];
        if (!lacks) {
            order[kept++] = order[i];
            continue;
        }
        parked[left++] = order[i];
        decide(&batch->items[order[i]], CLASS_WAITING);
    }
    memcpy(order + kept, parked, left * sizeof *parked);
    group->parked = left;
}

void batch_retry(struct batch *batch)
{
    for (size_t i = 0; i < batch->order_count; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        item->decided = false;
        item->err = NULL;
    }
    for (size_t i = 0; i < batch->group_count; i++) {
        batch->groups[i].incomplete = false;
        unpark(batch, &batch->groups[i]);
    }
    batch->attempts++;
}

enum record_class batch_classify(const struct row *row, int64_t stored_version,
                                 struct bytes stored_digest)
{
    if (stored_version > row->version)
        return CLASS_SUPERSEDED;
    if (stored_version < row->version)
        return CLASS_APPLIED; /* written in between by nobody we know; the guard let it pass */
    bool same = stored_digest.size == sizeof row->digest.bytes &&
                memcmp(stored_digest.data, row->digest.bytes, stored_digest.size) == 0;
    return same ? CLASS_UNCHANGED : CLASS_CONFLICT;
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
