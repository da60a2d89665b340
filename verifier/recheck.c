#include "verifier/recheck.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/message/tenant.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/verify/diff_content.h"
#include "common/policy/verify/diff_fields.h"
#include "verifier/expected.h"
#include "verifier/moving.h"
#include "verifier/samples.h"
#include "verifier/side_checks.h"

#define CHUNK_RECORDS 500 /* suspects whose rows are fetched at once */
#define CHUNK_BYTES ((size_t)8 << 20)
/* One record may have max_record_bytes, its cells as many again. */
#define CHUNK_ARENA_MAX ((size_t)256 << 20)

/* Entries of the table by place in the topic. */
struct suspects {
    struct diff_entry **items;
    size_t count;
};

/* ---- what is looked up together: suspects, whose source records were read again, and extra rows.
 * Their rows come in one query a mapping; then each has its verdict, and its sample. ---- */

/* Everything it points at is in the chunk's arena, or the report's. */
struct sought {
    const struct mapping *mapping;
    struct diff_key key;
    struct record record;       /* of an extra row tenant and id alone */
    struct row row;             /* its key cells find the stored row; of a suspect run forward */
    struct diff_entry *entry;   /* a suspect; else NULL */
    struct actual_extra *extra; /* an extra row; else NULL */
    bool found;
    bool open; /* it looked wrong in a store that moves: decided later */
};

struct chunk {
    struct verify_run *run;
    struct pg_snapshot *snapshot; /* a later one; NULL with `store` */
    struct store_reader *store;   /* once more; NULL with `snapshot` */
    struct moving *moving;        /* the store moves while it is read; else NULL */
    bool decided;                 /* what moved: the suspects are those that are proven wrong */
    struct suspects suspects;
    struct arena arena;
    struct sought items[CHUNK_RECORDS];
    size_t count;
    const struct mapping *mapping; /* whose rows are fetched now */
};

static void keep_record(struct chunk *chunk, const struct record *from, struct record *to)
{
    struct bytes *const TEXTS[] = {
        &to->tenant,     &to->entity,     &to->id,   &to->payload,
        &to->source_key, &to->origin.uri, &to->user, &to->localstorage_origin,
        &to->sealed,     &to->run};
    *to = *from;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (TEXTS[i]->size)
            *TEXTS[i] = arena_copy(&chunk->arena, *TEXTS[i]);
}

/* A sample with the members that differ, in the report's memory. */
static void add_sample(struct chunk *chunk, const struct sought *item, enum verdict verdict,
                       const struct judge_row *row, const struct diff_fields *fields,
                       struct bytes reason)
{
    struct verify_report *report = &chunk->run->report;
    struct verify_sample *sample =
        samples_add(chunk->run, verdict, ERR_NONE, &item->record, (int32_t)item->entry->partition,
                    item->entry->offset);
    if (!sample)
        return;
    sample->table = item->mapping->table;
    sample->has_expected = true;
    sample->expected_version = item->entry->version;
    sample->has_actual = row != NULL;
    sample->actual_version = row ? row->row.version : 0;
    sample->reason = verify_report_copy(report, reason);
    sample->field_total = fields->total;
    sample->fields = arena_array(&report->arena, fields->count, sizeof *sample->fields);
    for (size_t i = 0; sample->fields && i < fields->count; i++) {
        const struct diff_field *field = &fields->items[i];
        sample->fields[sample->field_count++] = (struct diff_field){
            verify_report_copy(report, field->path), verify_report_copy(report, field->expected),
            verify_report_copy(report, field->actual), field->rule};
    }
}

/* What is found now decides. A record whose key a later one has taken over, and rightly, is
 * superseded. */
static void settle(struct chunk *chunk, struct sought *item, enum verdict verdict)
{
    struct diff_entry *entry = item->entry;
    bool cleared = verdict == VERDICT_MATCH || entry->seen;
    bool suspected = verdict_is_suspect(entry->verdict);
    if (suspected && !verdict_is_suspect(verdict) && cleared)
        chunk->run->report.changed++;
    if (!verdict_is_suspect(verdict) && entry->seen)
        verdict = VERDICT_SUPERSEDED;
    entry->verdict = verdict;
}

/* In a store that moves nothing is wrong at once: it is kept until it is decided. Then what has
 * changed since is neither right nor wrong. True: it has no verdict from here. */
static bool is_moving(struct chunk *chunk, struct sought *item, bool found,
                      const struct diff_row *row)
{
    const struct moving_record *decided;
    if (!chunk->moving)
        return false;
    if (!chunk->decided) {
        const struct moving_record record = {.mapping = item->mapping,
                                             .key = item->key,
                                             .tenant = item->record.tenant,
                                             .id = item->record.id,
                                             .entry = item->entry,
                                             .extra = item->extra,
                                             .found = found,
                                             .row = *row};
        item->open = moving_add(chunk->moving, &record);
        return item->open;
    }
    decided = moving_find(chunk->moving, &item->key);
    if (!decided || moving_is_same(decided, found, row))
        return false;
    item->entry->verdict = VERDICT_LAGGING;
    return true;
}

static void judge_missing(struct chunk *chunk, struct sought *item)
{
    if (item->entry->may_be_gone) {
        settle(chunk, item, VERDICT_MATCH);
        return;
    }
    if (is_moving(chunk, item, false, &(struct diff_row){0}))
        return;
    const char *reason = item->entry->deleted ? "the delete left no tombstone" : "";
    add_sample(chunk, item, VERDICT_MISSING, NULL, &(struct diff_fields){0}, bytes_text(reason));
    settle(chunk, item, VERDICT_MISSING);
}

/* `doc` is what the row gives back, NULL when it is none; `why` says why it is no row of Drover's.
 */
static void judge_stored(struct chunk *chunk, struct sought *item, const struct judge_row *row,
                         yyjson_doc *doc, const struct error *why)
{
    struct judged judged;
    judge_recheck(item->mapping, item->entry, &item->record, &item->row, row, doc, why,
                  &chunk->run->judge, &chunk->arena, &judged);
    if (judged.verdict == VERDICT_DIFFERENT && !judged.fields.total && !judged.reason.size)
        judged.reason =
            row->flaw ? bytes_text(row->flaw) : BYTES_LITERAL("a field of the hash is another");
    if (verdict_is_suspect(judged.verdict) && is_moving(chunk, item, true, &row->diff))
        return;
    if (judged.verdict != VERDICT_MATCH)
        add_sample(chunk, item, judged.verdict, row, &judged.fields, judged.reason);
    settle(chunk, item, judged.verdict);
}

static void judge_row(struct chunk *chunk, struct sought *item, struct judge_row *row)
{
    struct error why = {0};
    yyjson_doc *doc = NULL;
    bool alike = row->row.deleted == (item->entry->deleted != 0);
    if (alike && judge_read(item->mapping, row, &chunk->run->judge, &doc, &why) == OUT_OK)
        why = (struct error){0};
    judge_stored(chunk, item, row, doc, &why);
    yyjson_doc_free(doc);
}

static void clear_extra(struct verify_run *run, const struct actual_extra *extra)
{
    run->report.groups.items[extra->group].counts[VERDICT_EXTRA]--;
    run->report.changed++;
}

static void confirm_extra(struct verify_run *run, const struct actual_extra *extra)
{
    struct verify_sample *sample = verify_report_sample(&run->report, VERDICT_EXTRA, ERR_NONE);
    if (!sample)
        return;
    sample->tenant = extra->tenant;
    sample->entity = bytes_text(extra->mapping->entity);
    sample->id = extra->id;
    sample->key = extra->key;
    sample->table = extra->mapping->table;
    sample->has_actual = true;
    sample->actual_version = extra->version;
    bool nameless = run->options.store && !extra->tenant.size;
    if (!nameless && !tenant_key_is_valid(extra->tenant))
        sample->reason = BYTES_LITERAL("its isolation_key is no tenant's key");
}

/* One by one: the other stores have no query for many keys. */
static enum outcome judge_in_store(struct chunk *chunk, struct error *err)
{
    struct store_reader *store = chunk->store;
    for (size_t i = 0; i < chunk->count; i++) {
        struct sought *item = &chunk->items[i];
        struct stored_record stored = {0};
        struct judge_row row;
        struct error why = {0};
        yyjson_doc *doc = NULL;
        enum outcome outcome = store->ops->find(store, item->mapping, item->record.tenant,
                                                item->record.id, &stored, &item->found, &why);
        if (outcome != OUT_OK && outcome != OUT_REJECT) {
            *err = why;
            return outcome;
        }
        stored.mapping = item->mapping;
        if (item->found)
            actual_take_stored(chunk->run, &stored, outcome == OUT_OK, &row, &doc);
        if (item->extra && item->found)
            is_moving(chunk, item, true, &row.diff);
        else if (item->extra)
            item->found = outcome == OUT_REJECT;
        else if (item->found)
            judge_stored(chunk, item, &row, doc, &why);
        yyjson_doc_free(doc);
    }
    return OUT_OK;
}

/* One row of a mapping's table. */
static enum outcome take_row(void *owner, const struct cell *cells, struct error *err)
{
    struct chunk *chunk = owner;
    struct judge_row row;
    (void)err;
    if (!actual_take_cells(chunk->run, chunk->mapping, cells, &row))
        return OUT_OK;
    for (size_t i = 0; i < chunk->count; i++) {
        struct sought *item = &chunk->items[i];
        if (item->found || !diff_key_equal(&item->key, &row.diff.key))
            continue;
        item->found = true;
        if (item->entry)
            judge_row(chunk, item, &row);
    }
    return OUT_OK;
}

/* All items of one mapping. */
static enum outcome judge_mapping(struct chunk *chunk, const struct mapping *mapping,
                                  struct error *err)
{
    struct pg_row_key keys[CHUNK_RECORDS];
    size_t count = 0;
    for (size_t i = 0; i < chunk->count; i++)
        if (chunk->items[i].mapping == mapping)
            keys[count++] =
                (struct pg_row_key){chunk->items[i].record.tenant, chunk->items[i].row.cells};
    chunk->mapping = mapping;
    return count ? pg_snapshot_find(chunk->snapshot, mapping, keys, count, take_row, chunk, err)
                 : OUT_OK;
}

/* What was not found, and extra rows that were; what is wrong with a suspect's boxes. */
static enum outcome conclude_item(struct chunk *chunk, struct sought *item, struct error *err)
{
    if (item->open)
        return OUT_OK; /* its boxes, if any, with its verdict */
    if (item->extra && item->found)
        confirm_extra(chunk->run, item->extra);
    else if (item->extra)
        clear_extra(chunk->run, item->extra);
    else if (!item->found)
        judge_missing(chunk, item);
    return item->entry && item->entry->broken_box
               ? side_sealed_recheck(chunk->run, &item->record, err)
               : OUT_OK;
}

static enum outcome judge_chunk(struct chunk *chunk, struct error *err)
{
    const struct mapping_set *mappings = chunk->run->scope.mappings;
    bool in_store = chunk->store != NULL;
    enum outcome outcome = in_store ? judge_in_store(chunk, err) : OUT_OK;
    for (size_t i = 0; !in_store && i < mappings->count && outcome == OUT_OK; i++)
        outcome = judge_mapping(chunk, mappings->items[i], err);
    for (size_t i = 0; i < chunk->count && outcome == OUT_OK; i++)
        outcome = conclude_item(chunk, &chunk->items[i], err);
    chunk->count = 0;
    arena_reset(&chunk->arena);
    return outcome;
}

static enum outcome make_room(struct chunk *chunk, struct error *err)
{
    bool is_full = chunk->count == CHUNK_RECORDS || chunk->arena.used > CHUNK_BYTES;
    return is_full ? judge_chunk(chunk, err) : OUT_OK;
}

static enum outcome add_suspect(struct chunk *chunk, struct diff_entry *entry,
                                const struct bus_message *message, struct error *err)
{
    struct expected expected;
    enum outcome outcome = make_room(chunk, err);
    if (outcome != OUT_OK)
        return outcome;
    chunk->run->log_version = entry->version; /* as it was when it was read in its order */
    /* It was usable when it was read first; if not now, its first verdict stays. */
    if (expected_make(chunk->run, message, &expected, NULL) != OUT_OK)
        return OUT_OK;
    struct sought *item = &chunk->items[chunk->count];
    *item = (struct sought){.mapping = expected.mapping, .key = entry->key, .entry = entry};
    keep_record(chunk, &expected.record, &item->record);
    if (mapping_forward(item->mapping, &item->record, &chunk->run->judge.source, &chunk->arena,
                        &item->row, NULL) == OUT_OK)
        chunk->count++;
    return OUT_OK;
}

/* The key cells of an extra row are made of its id, as a delete's are. */
static enum outcome add_extra(struct chunk *chunk, struct actual_extra *extra, struct error *err)
{
    enum outcome outcome = make_room(chunk, err);
    if (outcome != OUT_OK)
        return outcome;
    struct sought *item = &chunk->items[chunk->count];
    *item = (struct sought){.mapping = extra->mapping,
                            .key = extra->key,
                            .record = {.tenant = extra->tenant, .id = extra->id},
                            .extra = extra};
    if (extra->explained)
        clear_extra(chunk->run, extra);
    else if (record_key_row(extra->mapping, extra->tenant, extra->id, &chunk->run->judge.source,
                            &chunk->arena, &item->row, NULL) != OUT_OK)
        confirm_extra(chunk->run, extra);
    else
        chunk->count++;
    return OUT_OK;
}

/* ---- which are suspects ------------------------------------------------------------------ */

/* `any`: there is a mapping with a tolerance; that of a group 0, which is many, may be one. */
static bool is_tolerable(const struct verify_run *run, const struct diff_entry *entry, bool any)
{
    bool differs = entry->verdict == VERDICT_DIFFERENT || entry->verdict == VERDICT_BY_MAPPING;
    if (!differs || !any)
        return false;
    struct bytes entity = run->report.groups.items[entry->group].entity;
    const struct mapping *mapping = mapping_set_find(&run->mappings, entity);
    return !mapping || diff_content_tolerates(mapping);
}

/* Marks the entries to recheck and counts them. */
static size_t mark_suspects(struct verify_run *run)
{
    size_t at = 0, count = 0;
    uint64_t seen[VERDICT_COUNT] = {0};
    size_t boxes = 0;
    bool any = false;
    for (size_t i = 0; i < run->mappings.count; i++)
        any = any || diff_content_tolerates(run->mappings.items[i]);
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));) {
        bool box = entry->broken_box && boxes++ < VERIFY_RECHECK_MAX;
        bool suspect = !box && verdict_is_suspect(entry->verdict);
        entry->marked = box || (suspect && (seen[entry->verdict]++ < VERIFY_RECHECK_MAX ||
                                            is_tolerable(run, entry, any)));
        run->report.side_checks.sealed.different += entry->broken_box && !box;
        run->report.not_rechecked += suspect && !entry->marked;
        count += entry->marked;
    }
    return count;
}

static int compare_places(const void *left, const void *right)
{
    const struct diff_entry *a = *(struct diff_entry *const *)left;
    const struct diff_entry *b = *(struct diff_entry *const *)right;
    return verify_run_compare_places(a->partition, a->offset, b->partition, b->offset);
}

static void sort_suspects(const struct verify_run *run, size_t count, struct suspects *suspects)
{
    size_t at = 0;
    suspects->items = mem_zeroed(count, sizeof *suspects->items);
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

/* ---- what came between the two snapshots -------------------------------------------------- */

struct later_reading {
    struct verify_run *run;
    struct actual_extras *extras;
};

static void explain_extras(struct actual_extras *extras, const struct diff_key *key)
{
    for (size_t i = 0; i < extras->count; i++)
        if (diff_key_equal(&extras->items[i].key, key))
            extras->items[i].explained = true;
}

/* A later record that takes over a suspect's key is what the row must be at the later snapshot. */
static enum outcome take_later(void *owner, const struct bus_message *message, struct error *err)
{
    const struct later_reading *reading = owner;
    struct verify_run *run = reading->run;
    struct expected expected;
    (void)err;
    expected_tick(run, message);
    if (expected_find_dead(run, message) ||
        expected_make(run, message, &expected, NULL) != OUT_OK ||
        !diff_in_pass(&expected.source.key, run->pass, run->report.passes))
        return OUT_OK;
    explain_extras(reading->extras, &expected.source.key);
    struct diff_entry *entry = diff_find(&run->table, &expected.source.key);
    if (!entry || !entry->marked || expected.source.version <= entry->version)
        return OUT_OK;
    entry->version = expected.source.version;
    diff_keep_columns(&expected.source.digest, &entry->digest, &expected.source);
    entry->digest = expected.source.digest;
    entry->source_tag = expected.source.source_tag;
    entry->reading = expected.source.reading;
    entry->deleted = expected.source.deleted;
    entry->may_be_gone = expected.source.may_be_gone;
    entry->partition = (uint32_t)expected.source.partition & 0xFFFFFu;
    entry->offset = expected.source.offset;
    entry->seen = 1;
    return OUT_OK;
}

/* Reads [snapshot, later snapshot) of every partition. */
static enum outcome read_between(struct verify_run *run, const struct verify_partition *later,
                                 struct actual_extras *extras, struct error *err)
{
    struct bus_range *ranges = verify_run_ranges(run);
    struct later_reading reading = {run, extras};
    memcpy(run->clocks, run->cut_clocks, run->report.partition_count * sizeof *run->clocks);
    bool moved = false; /* of a topic that does not fit the progress nothing more can be read */
    for (size_t i = 0; i < run->report.partition_count; i++) {
        ranges[i].from = run->report.partitions[i].snapshot_end;
        ranges[i].to = later[i].snapshot_end;
        moved = moved || (!run->report.broken && ranges[i].from < ranges[i].to);
    }
    enum outcome outcome = moved ? expected_read_dead_letters(run, err) : OUT_OK;
    if (moved && outcome == OUT_OK)
        return verify_run_read(run, ranges, take_later, &reading, err);
    free(ranges);
    return outcome;
}

/* ---- a store that moves ------------------------------------------------------------------- */

static void settle_moved(struct verify_run *run, struct moving_record *record)
{
    struct diff_entry *entry = record->entry;
    bool wrong = record->end == MOVING_PROVEN;
    bool unexplained =
        wrong || record->end == MOVING_OPEN; /* it is there, and no message made it */
    if (record->extra && unexplained) {
        confirm_extra(run, record->extra);
    } else if (record->extra) {
        clear_extra(run, record->extra);
    } else if (wrong) {
        entry->marked = true; /* its members are named */
    } else if (record->end == MOVING_EXPLAINED) {
        bool newer = entry->seen || record->row.version > entry->version;
        run->report.changed++;
        entry->verdict = newer ? VERDICT_SUPERSEDED : VERDICT_MATCH;
    } else {
        entry->verdict = VERDICT_LAGGING;
    }
}

/* Those that are proven wrong are the suspects then. */
static enum outcome decide_moving(struct chunk *chunk, const struct verify_partition *later,
                                  struct error *err)
{
    size_t at = 0, count = 0;
    enum outcome outcome = moving_decide(chunk->moving, later, err);
    for (size_t i = 0; i < chunk->suspects.count; i++)
        chunk->suspects.items[i]->marked = false;
    for (struct moving_record *record; (record = moving_next(chunk->moving, &at));) {
        settle_moved(chunk->run, record);
        count += record->entry && record->end == MOVING_PROVEN;
    }
    free(chunk->suspects.items);
    chunk->suspects = (struct suspects){0};
    sort_suspects(chunk->run, count, &chunk->suspects);
    chunk->decided = true;
    chunk->store->ops->close(chunk->store);
    chunk->store = NULL;
    return outcome == OUT_OK ? verify_run_open_store(chunk->run, &chunk->store, err) : outcome;
}

/* ---- the suspects' own records ----------------------------------------------------------- */

static enum outcome take_suspect(void *owner, const struct bus_message *message, struct error *err)
{
    struct chunk *chunk = owner;
    struct diff_entry *entry = find_suspect(&chunk->suspects, message);
    return entry ? add_suspect(chunk, entry, message, err) : OUT_OK;
}

/* From each partition's first suspect to its last. */
static struct bus_range *ranges_of(const struct verify_run *run, const struct suspects *suspects)
{
    struct bus_range *ranges = verify_run_ranges(run);
    for (size_t i = 0; i < run->report.partition_count; i++)
        ranges[i].from = ranges[i].to = 0;
    for (size_t i = 0; i < suspects->count; i++) {
        const struct diff_entry *entry = suspects->items[i];
        struct bus_range *range = &ranges[entry->partition];
        if (range->to == 0)
            range->from = entry->offset;
        range->to = entry->offset + 1;
    }
    return ranges;
}

static enum outcome judge_all(struct chunk *chunk, struct actual_extras *extras, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (chunk->suspects.count)
        outcome = verify_run_read(chunk->run, ranges_of(chunk->run, &chunk->suspects), take_suspect,
                                  chunk, err);
    for (size_t i = 0; i < extras->count && outcome == OUT_OK; i++)
        outcome = add_extra(chunk, &extras->items[i], err);
    return outcome == OUT_OK ? judge_chunk(chunk, err) : outcome;
}

/* ---- all of it --------------------------------------------------------------------------- */

/* The store as it is now, and where it is. A given one stands still. */
static enum outcome open_later(struct chunk *chunk, struct verify_partition *later,
                               struct error *err)
{
    struct verify_run *run = chunk->run;
    enum outcome outcome = run->snapshot ? pg_snapshot_open(run->settings, VERIFY_APPLICATION,
                                                            &run->mappings, &chunk->snapshot, err)
                                         : verify_run_open_store(run, &chunk->store, err);
    if (outcome == OUT_OK && !run->options.store)
        outcome = verify_run_checkpoints(run, chunk->snapshot, chunk->store, later, err);
    return outcome == OUT_OK && run->sealed ? side_sealed_refresh(run, err) : outcome;
}

enum outcome recheck_run(struct verify_run *run, struct actual_extras *extras, struct error *err)
{
    size_t partitions = run->report.partition_count;
    size_t count = mark_suspects(run);
    if (count == 0 && extras->count == 0)
        return OUT_OK;
    struct chunk *chunk = mem_zeroed(1, sizeof *chunk);
    struct verify_partition *later = mem_zeroed(partitions, sizeof *later);
    memcpy(later, run->report.partitions, partitions * sizeof *later);
    chunk->run = run;
    chunk->moving = moving_is_needed(run) ? moving_new(run) : NULL;
    arena_init(&chunk->arena, CHUNK_ARENA_MAX);
    enum outcome outcome = open_later(chunk, later, err);
    if (outcome == OUT_OK)
        outcome = read_between(run, later, extras, err);
    sort_suspects(run, count, &chunk->suspects);
    if (outcome == OUT_OK)
        outcome = judge_all(chunk, extras, err);
    if (outcome == OUT_OK && chunk->moving)
        outcome = decide_moving(chunk, later, err);
    if (outcome == OUT_OK && chunk->moving)
        outcome = judge_all(chunk, &(struct actual_extras){0}, err);
    moving_free(chunk->moving);
    pg_snapshot_close(chunk->snapshot);
    if (chunk->store)
        chunk->store->ops->close(chunk->store);
    arena_free(&chunk->arena);
    free(chunk->suspects.items);
    free(chunk);
    free(later);
    return outcome;
}

/* Of a key only its hash and its place are kept. */
static void name_entry(struct verify_run *run, const struct diff_entry *entry)
{
    char text[120];
    uint64_t line, column;
    struct verify_report *report = &run->report;
    struct verify_sample *sample =
        verify_report_sample(report, (enum verdict)entry->verdict, ERR_NONE);
    if (!sample)
        return;
    sample->tenant = report->groups.items[entry->group].tenant;
    sample->entity = report->groups.items[entry->group].entity;
    sample->key = entry->key;
    diff_unpack_place(entry->offset, &line, &column);
    const char *words = entry->verdict == VERDICT_MISSING && entry->deleted
                            ? "no tombstone is left of the delete of"
                        : entry->verdict == VERDICT_MISSING ? "no row is there for"
                        : entry->verdict == VERDICT_STALE   ? "the row is older than"
                        : entry->verdict == VERDICT_TARGET_NEWER
                            ? "the row has a version above that of"
                            : "the row does not give back as it was";
    snprintf(text, sizeof text, "%s the record of line %" PRIu64 ", column %" PRIu64, words, line,
             column);
    sample->reason = verify_report_copy(report, bytes_text(text));
}

void recheck_name_only(struct verify_run *run, const struct actual_extras *extras)
{
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));)
        if (verdict_is_problem((enum verdict)entry->verdict))
            name_entry(run, entry);
    for (size_t i = 0; i < extras->count; i++)
        confirm_extra(run, &extras->items[i]);
}
