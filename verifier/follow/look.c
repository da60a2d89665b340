/* See the header. */
#include "verifier/follow/look.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/stores.h"
#include "verifier/actual.h"
#include "verifier/expected.h"

#define CHUNK_ITEMS 500 /* whose rows are fetched at once */
#define ARENA_MAX ((size_t)64 << 20)
#define TABLE_BYTES ((size_t)1 << 20) /* of LOOK_MESSAGES_MAX keys */

/* ---- opening ----------------------------------------------------------------------------- */

enum outcome look_open(const struct settings *settings, size_t partitions, struct look **out,
                       struct error *err)
{
    struct look *look = mem_zeroed(1, sizeof *look);
    struct verify_run *run = &look->run;
    *out = NULL;
    look->settings = settings;
    verify_run_init_work(run, settings);
    arena_init(&look->arena, ARENA_MAX);
    look->items = mem_zeroed(LOOK_ITEMS_MAX, sizeof *look->items);
    run->report.partitions = mem_zeroed(partitions, sizeof *run->report.partitions);
    run->report.partition_count = partitions;
    for (size_t i = 0; i < partitions; i++)
        run->report.partitions[i] = (struct verify_partition){(int32_t)i, 0, 0, INT64_MAX};
    run->clocks = mem_zeroed(partitions, sizeof *run->clocks);
    run->has_cells = !store_keeps_documents(store_of(settings));
    enum outcome outcome =
        topic_format_all(settings->prefix, settings->migration, run->topics, err);
    if (outcome == OUT_OK)
        outcome = mapping_set_load(settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome = scope_init(&run->scope, settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome = verify_run_take_mask_key(run, err);
    if (outcome == OUT_OK && !diff_table_init(&look->table, LOOK_MESSAGES_MAX, TABLE_BYTES))
        outcome = error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                            "the system does not give the memory asked for");
    if (outcome == OUT_OK)
        *out = look;
    else
        look_close(look);
    return outcome;
}

static void forget_items(struct look *look)
{
    for (size_t i = 0; i < look->count; i++)
        if (!look->items[i].is_suspect)
            free(look->items[i].kept);
    look->count = look->new_count = look->bytes = 0;
    arena_reset(&look->arena);
}

void look_close(struct look *look)
{
    if (!look)
        return;
    look_end(look);
    forget_items(look);
    free(look->items);
    arena_free(&look->arena);
    diff_table_free(&look->table);
    free(look->run.clocks);
    mapping_set_free(&look->run.mappings);
    verify_run_free_work(&look->run);
    free(look);
}

enum outcome look_begin(struct look *look, struct error *err)
{
    struct verify_run *run = &look->run;
    const struct store *store = store_of(look->settings);
    forget_items(look);
    diff_table_clear(&look->table);
    run->report.started_ms = clock_unix_ms(); /* what may be gone by now */
    if (store->read_generations &&
        store->read_generations(look->settings, &run->mappings, err) != OUT_OK)
        return err->outcome;
    enum outcome outcome = run->has_cells ? pg_snapshot_open(look->settings, VERIFY_APPLICATION,
                                                             &run->mappings, &look->snapshot, err)
                                          : verify_run_open_store(run, &look->store, err);
    if (outcome == OUT_OK)
        outcome =
            verify_run_checkpoints(run, look->snapshot, look->store, run->report.partitions, err);
    return outcome;
}

void look_end(struct look *look)
{
    pg_snapshot_close(look->snapshot);
    if (look->store)
        look->store->ops->close(look->store);
    look->snapshot = NULL;
    look->store = NULL;
}

int64_t look_checkpoint(const struct look *look, int32_t partition)
{
    const struct verify_report *report = &look->run.report;
    return (size_t)partition < report->partition_count ? report->partitions[partition].snapshot_end
                                                       : 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

bool look_is_full(const struct look *look)
{
    return look->new_count == LOOK_MESSAGES_MAX || look->bytes >= LOOK_BYTES_MAX ||
           look->arena.used > ARENA_MAX / 2 || look->count == LOOK_ITEMS_MAX;
}

static void make_entry(struct look_item *item)
{
    const struct diff_source *source = &item->source;
    item->entry = (struct diff_entry){.key = source->key,
                                      .version = source->version,
                                      .digest = source->digest,
                                      .source_tag = source->source_tag,
                                      .deleted = source->deleted,
                                      .may_be_gone = source->may_be_gone,
                                      .partition = (uint32_t)source->partition & 0xFFFFFu,
                                      .offset = source->offset,
                                      .verdict = VERDICT_UNDECIDED};
}

/* What must be there, and the key cells that find it. False: it can become no row. */
static bool make(struct look *look, struct look_item *item, struct error *why)
{
    struct verify_run *run = &look->run;
    struct bus_message message;
    struct expected expected;
    kept_message_view(item->kept, &message);
    run->log_version = item->kept->log_version;
    enum outcome outcome = expected_make(run, &message, &expected, why);
    item->record = expected.record;
    if (outcome != OUT_OK) {
        item->record.id = (struct bytes){0};
        return false;
    }
    item->mapping = expected.mapping;
    item->key = expected.source.key;
    item->source = expected.source;
    item->source.reading = 0; /* no record is told apart from its history here */
    item->record.id = arena_copy(&look->arena, expected.record.id);
    make_entry(item);
    return mapping_forward(item->mapping, &item->record, &run->judge.source, &look->arena,
                           &item->row, why) == OUT_OK;
}

/* Who of the new ones leads its key: the others are decided. */
static void take_lead(struct look *look, struct look_item *item)
{
    enum verdict verdict;
    uint64_t counts[VERDICT_COUNT] = {0};
    if (diff_expect(&look->table, &item->source, counts, &verdict))
        item->verdict = verdict;
}

struct look_item *look_add(struct look *look, const struct bus_message *message)
{
    struct error why = {0};
    struct look_item *item = &look->items[look->count];
    expected_tick(&look->run, message);
    *item = (struct look_item){.kept = kept_message_make(message), .verdict = VERDICT_UNDECIDED};
    item->kept->log_version = look->run.log_version;
    look->count++;
    look->new_count++;
    look->bytes += item->kept->bytes;
    if (!make(look, item, &why)) {
        item->verdict = VERDICT_UNUSABLE;
        item->code = why.code;
    }
    if (!scope_has(&look->run.scope, &item->record)) {
        look->count--;
        look->bytes -= item->kept->bytes;
        free(item->kept);
        return NULL;
    }
    return item;
}

struct look_item *look_add_suspect(struct look *look, struct kept_message *kept, size_t suspect)
{
    struct error why = {0};
    struct look_item *item = &look->items[look->count];
    *item = (struct look_item){
        .kept = kept, .is_suspect = true, .suspect = suspect, .verdict = VERDICT_UNDECIDED};
    if (!make(look, item, &why))
        return NULL;
    look->count++;
    return item;
}

const struct diff_entry *look_leader(const struct look *look, const struct diff_key *key)
{
    return diff_find(&look->table, key);
}

uint64_t look_superseded_within(const struct look *look, int32_t partition, int64_t first,
                                int64_t next)
{
    struct diff_table table;
    enum verdict ignored;
    uint64_t counts[VERDICT_COUNT] = {0};
    if (!diff_table_init(&table, LOOK_MESSAGES_MAX, TABLE_BYTES))
        return UINT64_MAX;
    for (size_t i = 0; i < look->count; i++) {
        const struct look_item *item = &look->items[i];
        const struct kept_message *kept = item->kept;
        if (!item->is_suspect && item->mapping && kept->partition == partition &&
            kept->offset >= first && kept->offset < next &&
            !diff_expect(&table, &item->source, counts, &ignored))
            break;
    }
    diff_table_free(&table);
    return counts[VERDICT_SUPERSEDED];
}

/* ---- rows -------------------------------------------------------------------------------- */

static void judge_missing(struct look_item *item)
{
    item->verdict = item->entry.may_be_gone ? VERDICT_MATCH : VERDICT_MISSING;
    if (item->verdict == VERDICT_MISSING && item->entry.deleted)
        item->judged.reason = BYTES_LITERAL("the delete left no tombstone");
}

static void judge_wrong(struct look *look, struct look_item *item, const struct judge_row *row,
                        yyjson_doc *doc, const struct error *why)
{
    judge_recheck(item->mapping, &item->entry, &item->record, &item->row, row, doc, why,
                  &look->run.judge, &look->arena, &item->judged);
    if (item->judged.verdict == VERDICT_DIFFERENT && !item->judged.fields.total &&
        !item->judged.reason.size)
        item->judged.reason =
            row->flaw ? bytes_text(row->flaw) : BYTES_LITERAL("a field of the hash is another");
    item->verdict = item->judged.verdict;
}

static void judge_row(struct look *look, struct look_item *item, struct judge_row *row)
{
    struct error why = {0};
    yyjson_doc *doc = NULL;
    item->found = item->has_actual = true;
    item->actual_version = row->row.version;
    bool alike = row->row.deleted == (item->entry.deleted != 0);
    if (alike && judge_read(item->mapping, row, &look->run.judge, &doc, &why) == OUT_OK)
        why = (struct error){0};
    if (diff_judge(&item->entry, &row->diff) == VERDICT_MATCH)
        item->verdict = VERDICT_MATCH;
    else
        judge_wrong(look, item, row, doc, &why);
    yyjson_doc_free(doc);
}

static enum outcome take_row(void *owner, const struct cell *cells, struct error *err)
{
    struct look *look = owner;
    struct judge_row row;
    (void)err;
    if (!actual_take_cells(&look->run, look->mapping, cells, &row))
        return OUT_OK;
    const struct diff_key key = row.diff.key;
    for (size_t i = look->chunk_from; i < look->chunk_to; i++) {
        struct look_item *item = &look->items[i];
        if (item->verdict != VERDICT_UNDECIDED || item->mapping != look->mapping ||
            !diff_key_equal(&item->key, &key))
            continue;
        struct judge_row again = row; /* judged once for each message of the key */
        judge_row(look, item, &again);
    }
    return OUT_OK;
}

static enum outcome judge_mapping(struct look *look, const struct mapping *mapping,
                                  struct error *err)
{
    struct pg_row_key keys[CHUNK_ITEMS];
    size_t count = 0;
    for (size_t i = look->chunk_from; i < look->chunk_to; i++) {
        const struct look_item *item = &look->items[i];
        if (item->verdict == VERDICT_UNDECIDED && item->mapping == mapping)
            keys[count++] = (struct pg_row_key){item->record.tenant, item->row.cells};
    }
    look->mapping = mapping;
    return count ? pg_snapshot_find(look->snapshot, mapping, keys, count, take_row, look, err)
                 : OUT_OK;
}

/* One by one: the other stores have no query for many keys. */
static enum outcome judge_in_store(struct look *look, struct look_item *item, struct error *err)
{
    struct stored_record stored = {0};
    struct judge_row row;
    struct error why = {0};
    yyjson_doc *doc = NULL;
    enum outcome outcome = look->store->ops->find(look->store, item->mapping, item->record.tenant,
                                                  item->record.id, &stored, &item->found, &why);
    if (outcome != OUT_OK && outcome != OUT_REJECT) {
        *err = why;
        return outcome;
    }
    if (!item->found)
        return OUT_OK;
    stored.mapping = item->mapping;
    actual_take_stored(&look->run, &stored, outcome == OUT_OK, &row, &doc);
    item->has_actual = true;
    item->actual_version = row.row.version;
    if (diff_judge(&item->entry, &row.diff) == VERDICT_MATCH)
        item->verdict = VERDICT_MATCH;
    else
        judge_wrong(look, item, &row, doc, &why);
    yyjson_doc_free(doc);
    return OUT_OK;
}

static enum outcome judge_chunk(struct look *look, struct error *err)
{
    const struct mapping_set *mappings = &look->run.mappings;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; look->snapshot && i < mappings->count && outcome == OUT_OK; i++)
        outcome = judge_mapping(look, mappings->items[i], err);
    for (size_t i = look->chunk_from; i < look->chunk_to && outcome == OUT_OK; i++) {
        struct look_item *item = &look->items[i];
        if (item->verdict == VERDICT_UNDECIDED && look->store)
            outcome = judge_in_store(look, item, err);
        if (outcome == OUT_OK && item->verdict == VERDICT_UNDECIDED && !item->found)
            judge_missing(item);
    }
    return outcome;
}

/* What a newer one of the look took over. */
static void settle_lead(struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        struct look_item *item = &look->items[i];
        const struct diff_entry *leader = look_leader(look, &item->key);
        if (item->is_suspect || item->verdict != VERDICT_UNDECIDED || !leader)
            continue;
        if (leader->version > item->source.version)
            item->verdict = VERDICT_SUPERSEDED;
        else
            item->entry.digest = leader->digest; /* with the columns that a delete leaves */
    }
}

enum outcome look_judge(struct look *look, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < look->count; i++)
        if (!look->items[i].is_suspect && look->items[i].verdict == VERDICT_UNDECIDED)
            take_lead(look, &look->items[i]);
    settle_lead(look);
    for (size_t from = 0; from < look->count && outcome == OUT_OK; from += CHUNK_ITEMS) {
        look->chunk_from = from;
        look->chunk_to = from + CHUNK_ITEMS < look->count ? from + CHUNK_ITEMS : look->count;
        outcome = judge_chunk(look, err);
    }
    return outcome;
}
