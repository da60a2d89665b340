#include "verifier/look.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_stored.h"
#include "verifier/cut.h"
#include "verifier/dead_letters.h"
#include "verifier/look_chunk.h"
#include "verifier/beside.h"
#include "verifier/look_extra.h"
#include "verifier/stores.h"

/* Entries of the table by place in the topic. */
struct suspects {
    struct diff_entry **items;
    size_t count;
};

static bool is_tolerable(const struct verify_run *run, const struct diff_entry *entry)
{
    if (entry->verdict != VERDICT_DIFFERENT)
        return false;
    const struct diff_group *group = &run->report.groups.items[entry->group];
    const struct verify_mapping *item = verify_run_mapping(run, group->entity);
    if (item)
        return item->tolerates;
    for (size_t i = 0; i < run->mappings.count; i++) /* group 0: any mapping */
        if (run->items[i].tolerates)
            return true;
    return false;
}

/* Marks the entries to look at and counts them. */
static size_t mark_suspects(struct verify_run *run)
{
    size_t at = 0, count = 0;
    uint64_t seen[VERDICT_COUNT] = {0};
    size_t boxes = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));) {
        if (entry->broken_box && boxes++ < VERIFY_LOOKED_MOST) {
            entry->marked = 1;
            count++;
        } else if (entry->broken_box) {
            run->report.beside.sealed.different++;
        }
        if (!verdict_is_suspect(entry->verdict) || entry->marked)
            continue;
        if (seen[entry->verdict]++ < VERIFY_LOOKED_MOST || is_tolerable(run, entry)) {
            entry->marked = 1;
            count++;
        } else {
            run->report.not_looked++;
        }
    }
    return count;
}

static int compare_places(const void *left, const void *right)
{
    const struct diff_entry *a = *(struct diff_entry *const *)left;
    const struct diff_entry *b = *(struct diff_entry *const *)right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static void sort_suspects(const struct verify_run *run, size_t count, struct suspects *suspects)
{
    size_t at = 0;
    suspects->items = malloc((count ? count : 1) * sizeof *suspects->items);
    if (!suspects->items)
        abort();
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));)
        if (entry->marked)
            suspects->items[suspects->count++] = entry;
    qsort(suspects->items, suspects->count, sizeof *suspects->items, compare_places);
}

static struct diff_entry *find_suspect(const struct suspects *suspects,
                                       const struct bus_message *message)
{
    struct diff_entry place = {.partition = (uint32_t)message->partition & 0xFFFFFu,
                               .offset = message->offset};
    struct diff_entry *key = &place;
    struct diff_entry **found =
        bsearch(&key, suspects->items, suspects->count, sizeof *suspects->items, compare_places);
    return found ? *found : NULL;
}

/* ---- what came between the two cuts */

static void explain_extras(struct actual_extras *extras, const struct diff_key *key)
{
    for (size_t i = 0; i < extras->count; i++)
        if (diff_key_equal(&extras->items[i].key, key))
            extras->items[i].explained = true;
}

/* A later record that takes over a suspect's key is what the row must be at the later cut. */
static void take_later(struct verify_run *run, struct actual_extras *extras,
                       const struct bus_message *message)
{
    struct expected expected;
    expected_tick(run, message);
    if (diff_dead_find(&run->dead, message->partition, message->offset) ||
        expected_make(run, message, &expected, NULL) != OUT_OK ||
        !diff_in_pass(&expected.source.key, run->pass, run->report.passes))
        return;
    explain_extras(extras, &expected.source.key);
    struct diff_entry *entry = diff_find(&run->table, &expected.source.key);
    if (!entry || !entry->marked || expected.source.version <= entry->version)
        return;
    entry->version = expected.source.version;
    diff_keep_columns(&expected.source.digest, &entry->digest, &expected.source);
    entry->digest = expected.source.digest;
    entry->source_tag = expected.source.source_tag;
    entry->reading = expected.source.reading;
    entry->deleted = expected.source.deleted;
    entry->may_be_gone = expected.source.may_be_gone;
    entry->partition = (uint32_t)expected.source.partition & 0xFFFFFu;
    entry->offset = expected.source.offset;
    entry->looked = 1;
}

/* Reads [cut, later cut) of every partition. */
static enum outcome read_between(struct verify_run *run, const struct verify_partition *later,
                                 struct actual_extras *extras, struct error *err)
{
    size_t count = run->report.partition_count;
    struct bus_range *ranges = calloc(count, sizeof *ranges);
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    bool moved = false; /* of a topic that does not fit the progress nothing more can be read */
    if (!ranges)
        abort();
    for (size_t i = 0; i < count; i++) {
        ranges[i] =
            (struct bus_range){later[i].partition, run->report.partitions[i].cut, later[i].cut};
        moved = moved || (!run->report.broken && ranges[i].from < ranges[i].to);
    }
    enum outcome outcome = OUT_OK;
    if (moved)
        outcome = dead_letters_read(run, err);
    if (moved && outcome == OUT_OK)
        outcome = kafka_reader_open(run->settings, run->source_topic, ranges, count,
                                    VERIFY_KAFKA_MS, &reader, err);
    while (reader && outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take_later(run, extras, message);
    }
    bus_reader_close(reader);
    free(ranges);
    return outcome;
}

/* ---- the suspects' own records */

/* From each partition's first suspect to its last. */
static struct bus_range *ranges_of(const struct verify_run *run, const struct suspects *suspects)
{
    struct bus_range *ranges = calloc(run->report.partition_count, sizeof *ranges);
    if (!ranges)
        abort();
    for (size_t i = 0; i < run->report.partition_count; i++)
        ranges[i].partition = (int32_t)i;
    for (size_t i = 0; i < suspects->count; i++) {
        const struct diff_entry *entry = suspects->items[i];
        struct bus_range *range = &ranges[entry->partition];
        if (range->to == 0)
            range->from = entry->offset;
        range->to = entry->offset + 1;
    }
    return ranges;
}

static enum outcome judge_suspects(struct verify_run *run, const struct look_stores *stores,
                                   const struct suspects *suspects, struct error *err)
{
    struct bus_range *ranges = ranges_of(run, suspects);
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    struct look_chunk *chunk = malloc(sizeof *chunk);
    if (!chunk)
        abort();
    look_chunk_init(chunk, run, stores);
    enum outcome outcome =
        kafka_reader_open(run->settings, run->source_topic, ranges, run->report.partition_count,
                          VERIFY_KAFKA_MS, &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        struct diff_entry *entry = find_suspect(suspects, message);
        if (entry)
            outcome = look_chunk_add(chunk, entry, message, err);
    }
    if (outcome == OUT_OK)
        outcome = look_chunk_judge(chunk, err);
    bus_reader_close(reader);
    look_chunk_free(chunk);
    free(chunk);
    free(ranges);
    return outcome;
}

enum outcome look_again(struct verify_run *run, struct actual_extras *extras, struct error *err)
{
    size_t partitions = run->report.partition_count;
    size_t count = mark_suspects(run);
    struct suspects suspects = {0};
    struct look_stores stores = {0};
    if (count == 0 && extras->count == 0)
        return OUT_OK;
    struct verify_partition *later = malloc(partitions * sizeof *later);
    if (!later)
        abort();
    memcpy(later, run->report.partitions, partitions * sizeof *later);
    enum outcome outcome =
        run->store ? stores_open(run, &stores.store, err)
                   : pg_stored_snapshot(run->settings, "drover-verify", &stores.session, err);
    if (outcome == OUT_OK)
        outcome = run->store ? cut_read_store(run, stores.store, later, partitions, err)
                             : cut_read(run, stores.session, later, partitions, err);
    if (outcome == OUT_OK && run->sealed)
        outcome = beside_sealed_refresh(run, err);
    if (outcome == OUT_OK)
        outcome = read_between(run, later, extras, err);
    if (outcome == OUT_OK)
        sort_suspects(run, count, &suspects);
    if (outcome == OUT_OK && suspects.count)
        outcome = judge_suspects(run, &stores, &suspects, err);
    if (outcome == OUT_OK)
        outcome = look_extra_judge(run, &stores, extras, err);
    PQfinish(stores.session);
    if (stores.store)
        stores.store->ops->close(stores.store);
    free(suspects.items);
    free(later);
    return outcome;
}
