#include "verifier/moving.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/stores.h"
#include "verifier/expected.h"

#define ROUNDS_MAX 8
#define RECORDS_MAX ((size_t)6 * VERIFY_RECHECK_MAX) /* verdicts that are suspects */
#define TEXTS_MAX ((size_t)16 << 20)

struct moving {
    struct verify_run *run;
    struct moving_record *items; /* sorted by key when they are decided */
    size_t count, room;
    struct arena texts;
    struct version_clock *clocks; /* as they were at the first message that was not compared */
};

bool moving_is_needed(const struct verify_run *run)
{
    return run->store != NULL && !run->options.store;
}

struct moving *moving_new(struct verify_run *run)
{
    struct moving *moving = mem_zeroed(1, sizeof *moving);
    moving->run = run;
    arena_init(&moving->texts, TEXTS_MAX);
    return moving;
}

void moving_free(struct moving *moving)
{
    if (!moving)
        return;
    arena_free(&moving->texts);
    free(moving->items);
    free(moving->clocks);
    free(moving);
}

bool moving_add(struct moving *moving, const struct moving_record *record)
{
    struct bytes tenant = arena_copy(&moving->texts, record->tenant);
    struct bytes id = arena_copy(&moving->texts, record->id);
    if (moving->count == RECORDS_MAX || !tenant.data || !id.data)
        return false;
    moving->items =
        mem_grown(moving->items, &moving->room, moving->count + 1, sizeof *moving->items);
    struct moving_record *item = &moving->items[moving->count++];
    *item = *record;
    item->tenant = tenant;
    item->id = id;
    item->end = MOVING_OPEN;
    return true;
}

static int compare_keys(const void *left, const void *right)
{
    const struct diff_key *a = &((const struct moving_record *)left)->key;
    const struct diff_key *b = &((const struct moving_record *)right)->key;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    return (a->low > b->low) - (a->low < b->low);
}

const struct moving_record *moving_find(const struct moving *moving, const struct diff_key *key)
{
    const struct moving_record wanted = {.key = *key};
    return moving->count
               ? bsearch(&wanted, moving->items, moving->count, sizeof wanted, compare_keys)
               : NULL;
}

struct moving_record *moving_next(struct moving *moving, size_t *at)
{
    return *at < moving->count ? &moving->items[(*at)++] : NULL;
}

bool moving_is_same(const struct moving_record *record, bool found, const struct diff_row *row)
{
    const struct diff_row *was = &record->row;
    if (!found || !record->found)
        return found == record->found;
    return was->version == row->version && was->deleted == row->deleted &&
           was->unreadable == row->unreadable && was->claimed_tag == row->claimed_tag &&
           (row->deleted || row->unreadable || digest_equal(&was->digest, &row->digest));
}

/* ---- what later messages say -------------------------------------------------------------- */

static enum outcome take_message(void *owner, const struct bus_message *message, struct error *err)
{
    struct moving *moving = owner;
    struct expected expected;
    (void)err;
    expected_tick(moving->run, message);
    if (expected_find_dead(moving->run, message) ||
        expected_make(moving->run, message, &expected, NULL) != OUT_OK)
        return OUT_OK;
    const struct diff_source *source = &expected.source;
    struct moving_record *item = (struct moving_record *)moving_find(moving, &source->key);
    if (!item || !item->found || item->end != MOVING_OPEN)
        return OUT_OK;
    const struct diff_entry made = {.key = source->key,
                                    .version = source->version,
                                    .digest = source->digest,
                                    .source_tag = source->source_tag,
                                    .deleted = source->deleted};
    if (diff_judge(&made, &item->row) == VERDICT_MATCH)
        item->end = MOVING_EXPLAINED;
    return OUT_OK;
}

/* From `from` to the topic's ends of now. Clocks begin where they were there. */
static enum outcome read_messages(struct moving *moving, const struct verify_partition *from,
                                  struct error *err)
{
    struct verify_run *run = moving->run;
    struct bus_range *ends = NULL;
    size_t count = 0;
    enum outcome outcome =
        bus_ranges(run->options.bus, run->topics[TOPIC_SOURCE], VERIFY_BUS_MS, &ends, &count, err);
    if (outcome == OUT_OK)
        outcome = expected_read_dead_letters(run, err);
    struct bus_range *ranges = verify_run_ranges(run);
    for (size_t i = 0; i < run->report.partition_count; i++) {
        bool known = i < count && !run->report.broken;
        ranges[i].from = from[i].snapshot_end;
        ranges[i].to = known ? ends[i].to : from[i].snapshot_end;
    }
    free(ends);
    memcpy(run->clocks, moving->clocks, run->report.partition_count * sizeof *run->clocks);
    if (outcome == OUT_OK)
        return verify_run_read(run, ranges, take_message, moving, err);
    free(ranges);
    return outcome;
}

/* ---- what is found by now ----------------------------------------------------------------- */

/* It was found wrong before, and none of the messages up to then makes it. */
static void take_found(struct moving_record *item, bool found, const struct diff_row *row)
{
    bool right = item->entry && found && diff_judge(item->entry, row) == VERDICT_MATCH;
    if (right)
        item->end = MOVING_EXPLAINED;
    else if (item->extra && !found)
        item->end = MOVING_GONE;
    else if (moving_is_same(item, found, row))
        item->end = MOVING_PROVEN;
    item->found = found;
    item->row = *row;
}

static enum outcome find_again(struct moving *moving, struct store_reader *store,
                               struct moving_record *item, struct error *err)
{
    struct stored_record stored = {0};
    struct judge_row row = {0};
    struct error why = {0};
    bool found = false;
    enum outcome outcome =
        store->ops->find(store, item->mapping, item->tenant, item->id, &stored, &found, &why);
    if (outcome != OUT_OK && outcome != OUT_REJECT) {
        *err = why;
        return outcome;
    }
    stored.mapping = item->mapping;
    if (found)
        actual_take_stored(moving->run, &stored, outcome == OUT_OK, &row, NULL);
    take_found(item, found, &row.diff);
    return OUT_OK;
}

/* *open: how many are still undecided. */
static enum outcome find_all_again(struct moving *moving, size_t *open, struct error *err)
{
    struct store_reader *store = NULL;
    enum outcome outcome = verify_run_open_store(moving->run, &store, err);
    *open = 0;
    for (size_t i = 0; i < moving->count && outcome == OUT_OK; i++) {
        struct moving_record *item = &moving->items[i];
        if (item->end != MOVING_OPEN)
            continue;
        outcome = find_again(moving, store, item, err);
        *open += item->end == MOVING_OPEN;
    }
    if (store)
        store->ops->close(store);
    return outcome;
}

enum outcome moving_decide(struct moving *moving, const struct verify_partition *from,
                           struct error *err)
{
    struct verify_run *run = moving->run;
    size_t bytes = run->report.partition_count * sizeof *run->clocks;
    enum outcome outcome = OUT_OK;
    size_t open = moving->count;
    if (!open)
        return OUT_OK;
    qsort(moving->items, moving->count, sizeof *moving->items, compare_keys);
    moving->clocks = mem_new(bytes);
    memcpy(moving->clocks, run->clocks, bytes);
    for (int round = 0; round < ROUNDS_MAX && open && outcome == OUT_OK; round++) {
        outcome = read_messages(moving, from, err);
        if (outcome == OUT_OK)
            outcome = find_all_again(moving, &open, err);
    }
    return outcome;
}
