#include "verifier/look_chunk.h"

#include <stdlib.h>

#include "common/io/postgres/pg_stored.h"
#include "common/policy/verify/diff_fields.h"
#include "verifier/beside.h"
#include "verifier/rows.h"
#include "verifier/stores.h"

#define ARENA_MOST                                                                                 \
    (256u << 20) /* one record may have max_record_bytes, its cells as many again                  \
                  */

void look_chunk_init(struct look_chunk *chunk, struct verify_run *run,
                     const struct look_stores *stores)
{
    chunk->run = run;
    chunk->stores = stores;
    chunk->count = 0;
    arena_init(&chunk->arena, ARENA_MOST);
}

void look_chunk_free(struct look_chunk *chunk)
{
    arena_free(&chunk->arena);
}

static struct bytes keep(struct look_chunk *chunk, struct bytes text)
{
    return text.size ? arena_copy(&chunk->arena, text) : text;
}

static void keep_record(struct look_chunk *chunk, const struct record *from, struct record *to)
{
    *to = *from;
    to->tenant = keep(chunk, from->tenant);
    to->entity = keep(chunk, from->entity);
    to->id = keep(chunk, from->id);
    to->payload = keep(chunk, from->payload);
    to->source_key = keep(chunk, from->source_key);
    to->origin.uri = keep(chunk, from->origin.uri);
    to->user = keep(chunk, from->user);
    to->storage_origin = keep(chunk, from->storage_origin);
    to->sealed = keep(chunk, from->sealed);
    to->run = keep(chunk, from->run);
}

enum outcome look_chunk_add(struct look_chunk *chunk, struct diff_entry *entry,
                            const struct bus_message *message, struct error *err)
{
    struct expected expected;
    if (chunk->count == VERIFY_CHUNK_RECORDS || chunk->arena.used > VERIFY_CHUNK_BYTES) {
        enum outcome outcome = look_chunk_judge(chunk, err);
        if (outcome != OUT_OK)
            return outcome;
    }
    chunk->run->log_version = entry->version; /* as it was when it was read in its order */
    /* It was usable when it was read first; if not now, its first verdict stays. */
    if (expected_make(chunk->run, message, &expected, NULL) != OUT_OK)
        return OUT_OK;
    struct look_item *item = &chunk->items[chunk->count];
    *item = (struct look_item){.entry = entry, .item = expected.item};
    keep_record(chunk, &expected.record, &item->record);
    if (mapping_forward(item->item->mapping, &item->record, &chunk->run->judge.source,
                        &chunk->arena, &item->row, NULL) == OUT_OK)
        chunk->count++;
    return OUT_OK;
}

/* A sample with the members that differ, in the report's memory. */
static void add_sample(struct look_chunk *chunk, const struct look_item *item, enum verdict verdict,
                       const struct judge_row *row, const struct diff_fields *fields,
                       struct bytes reason)
{
    struct verify_report *report = &chunk->run->report;
    struct verify_sample *sample =
        expected_sample(chunk->run, verdict, ERR_NONE, &item->record,
                        (int32_t)item->entry->partition, item->entry->offset);
    if (!sample)
        return;
    sample->table = item->item->mapping->table;
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
static void settle(struct look_chunk *chunk, struct look_item *item, enum verdict verdict)
{
    struct diff_entry *entry = item->entry;
    bool cleared = verdict == VERDICT_MATCH || entry->looked;
    bool suspected = verdict_is_suspect(entry->verdict);
    if (suspected && !verdict_is_suspect(verdict) && cleared)
        chunk->run->report.changed++;
    if (!verdict_is_suspect(verdict) && entry->looked)
        verdict = VERDICT_SUPERSEDED;
    entry->verdict = verdict;
}

static void judge_missing(struct look_chunk *chunk, struct look_item *item)
{
    if (item->entry->may_be_gone) {
        settle(chunk, item, VERDICT_MATCH);
        return;
    }
    struct diff_fields none = {0};
    struct bytes reason = {0};
    if (item->entry->deleted)
        reason = BYTES_LITERAL("the delete left no tombstone");
    add_sample(chunk, item, VERDICT_MISSING, NULL, &none, reason);
    settle(chunk, item, VERDICT_MISSING);
}

/* `doc` is what the row gives back, NULL when it is none; `why` says why it is no row of Drover's.
 */
static void judge_stored(struct look_chunk *chunk, struct look_item *item,
                         const struct judge_row *row, yyjson_doc *doc, const struct error *why)
{
    struct judged judged;
    judge_look(item->item->mapping, item->entry, &item->record, &item->row, row, doc, why,
               &chunk->run->judge, &chunk->arena, &judged);
    if (judged.verdict == VERDICT_DIFFERENT && !judged.fields.total && !judged.reason.size)
        judged.reason =
            row->flaw ? bytes_text(row->flaw) : BYTES_LITERAL("a field of the hash is another");
    if (judged.verdict != VERDICT_MATCH)
        add_sample(chunk, item, judged.verdict, row, &judged.fields, judged.reason);
    settle(chunk, item, judged.verdict);
}

static void judge_row(struct look_chunk *chunk, struct look_item *item, struct judge_row *row)
{
    struct error why = {0};
    yyjson_doc *doc = NULL;
    bool alike = row->row.deleted == (item->entry->deleted != 0);
    if (alike && judge_read(item->item->mapping, row, &chunk->run->judge, &doc, &why) == OUT_OK)
        why = (struct error){0};
    judge_stored(chunk, item, row, doc, &why);
    yyjson_doc_free(doc);
}

/* One by one: the other stores have no query for many keys. */
static enum outcome judge_in_store(struct look_chunk *chunk, struct error *err)
{
    struct stored_reader *store = chunk->stores->store;
    for (size_t i = 0; i < chunk->count; i++) {
        struct look_item *item = &chunk->items[i];
        struct stored stored = {0};
        struct judge_row row;
        struct error why = {0};
        yyjson_doc *doc = NULL;
        enum outcome outcome = store->ops->find(store, item->item->mapping, item->record.tenant,
                                                item->record.id, &stored, &item->found, &why);
        if (outcome != OUT_OK && outcome != OUT_REJECT) {
            *err = why;
            return outcome;
        }
        if (!item->found)
            continue;
        stores_take(chunk->run, item->item, &stored, outcome == OUT_OK, &row, &doc);
        judge_stored(chunk, item, &row, doc, &why);
        yyjson_doc_free(doc);
    }
    return OUT_OK;
}

static struct look_item *find_item(struct look_chunk *chunk, const struct diff_key *key)
{
    for (size_t i = 0; i < chunk->count; i++)
        if (diff_key_equal(&chunk->items[i].entry->key, key) && !chunk->items[i].found)
            return &chunk->items[i];
    return NULL;
}

static void judge_result(struct look_chunk *chunk, const struct mapping *mapping,
                         const PGresult *result)
{
    size_t width = pg_stored_cell_count(mapping);
    struct cell *cells = calloc(width, sizeof *cells);
    if (!cells)
        abort();
    for (int i = 0; i < PQntuples(result); i++) {
        struct judge_row row;
        fetch_cells(result, i, cells, width);
        if (!rows_take(chunk->run, mapping, cells, &row))
            continue;
        struct look_item *item = find_item(chunk, &row.diff.key);
        if (!item)
            continue;
        item->found = true;
        judge_row(chunk, item, &row);
    }
    free(cells);
}

/* All items of one mapping. */
static enum outcome judge_mapping(struct look_chunk *chunk, const struct verify_mapping *mapping,
                                  struct error *err)
{
    struct fetch_key keys[VERIFY_CHUNK_RECORDS];
    size_t count = 0;
    PGresult *result = NULL;
    for (size_t i = 0; i < chunk->count; i++)
        if (chunk->items[i].item == mapping)
            keys[count++] =
                (struct fetch_key){chunk->items[i].record.tenant, chunk->items[i].row.cells};
    if (count == 0)
        return OUT_OK;
    enum outcome outcome =
        fetch_rows(chunk->stores->session, mapping->mapping, keys, count, &result, err);
    if (outcome == OUT_OK)
        judge_result(chunk, mapping->mapping, result);
    PQclear(result);
    return outcome;
}

enum outcome look_chunk_judge(struct look_chunk *chunk, struct error *err)
{
    bool in_store = chunk->stores->store != NULL;
    enum outcome outcome = in_store ? judge_in_store(chunk, err) : OUT_OK;
    for (size_t i = 0; !in_store && i < chunk->run->mappings.count && outcome == OUT_OK; i++)
        outcome = judge_mapping(chunk, &chunk->run->items[i], err);
    for (size_t i = 0; i < chunk->count && outcome == OUT_OK; i++)
        if (!chunk->items[i].found)
            judge_missing(chunk, &chunk->items[i]);
    for (size_t i = 0; i < chunk->count && outcome == OUT_OK; i++)
        if (chunk->items[i].entry->broken_box)
            outcome = beside_sealed_look(chunk->run, &chunk->items[i].record, err);
    chunk->count = 0;
    arena_reset(&chunk->arena);
    return outcome;
}
