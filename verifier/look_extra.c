#include "verifier/look_extra.h"

#include <stdlib.h>

#include "common/io/postgres/pg_stored.h"
#include "common/model/message/tenant.h"
#include "common/policy/apply/record_row.h"
#include "verifier/fetch.h"
#include "verifier/rows.h"
#include "verifier/verify_limits.h"

#define ARENA_MOST (16u << 20)

/* Extra rows of one mapping, looked up together. */
struct extra_chunk {
    struct verify_run *run;
    const struct look_stores *stores;
    const struct verify_mapping *item;
    struct actual_extra *extras[VERIFY_CHUNK_RECORDS];
    struct fetch_key keys[VERIFY_CHUNK_RECORDS];
    bool found[VERIFY_CHUNK_RECORDS];
    size_t count;
    struct arena arena;
};

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
    sample->entity = bytes_text(extra->item->mapping->entity);
    sample->id = extra->id;
    sample->key = extra->key;
    sample->table = extra->item->mapping->table;
    sample->has_actual = true;
    sample->actual_version = extra->version;
    if (!tenant_key_is_valid(extra->tenant))
        sample->reason = BYTES_LITERAL("its isolation_key is no tenant's key");
}

static void mark_found(struct extra_chunk *chunk, const struct diff_key *key)
{
    for (size_t i = 0; i < chunk->count; i++)
        if (diff_key_equal(&chunk->extras[i]->key, key))
            chunk->found[i] = true;
}

static void mark_result(struct extra_chunk *chunk, const PGresult *result)
{
    const struct mapping *mapping = chunk->item->mapping;
    size_t width = pg_stored_cell_count(mapping);
    struct cell *cells = calloc(width, sizeof *cells);
    if (!cells)
        abort();
    for (int i = 0; i < PQntuples(result); i++) {
        struct judge_row row;
        fetch_cells(result, i, cells, width);
        if (rows_take(chunk->run, mapping, cells, &row))
            mark_found(chunk, &row.diff.key);
    }
    free(cells);
}

static enum outcome find_in_store(struct extra_chunk *chunk, struct error *err)
{
    struct stored_reader *store = chunk->stores->store;
    for (size_t i = 0; i < chunk->count; i++) {
        struct stored stored;
        enum outcome outcome =
            store->ops->find(store, chunk->item->mapping, chunk->extras[i]->tenant,
                             chunk->extras[i]->id, &stored, &chunk->found[i], err);
        if (outcome != OUT_OK && outcome != OUT_REJECT)
            return outcome;
        chunk->found[i] = chunk->found[i] || outcome == OUT_REJECT;
    }
    return OUT_OK;
}

static enum outcome find_in_table(struct extra_chunk *chunk, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = fetch_rows(chunk->stores->session, chunk->item->mapping, chunk->keys,
                                      chunk->count, &result, err);
    if (outcome == OUT_OK)
        mark_result(chunk, result);
    PQclear(result);
    return outcome;
}

static enum outcome judge_chunk(struct extra_chunk *chunk, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (chunk->count)
        outcome = chunk->stores->store ? find_in_store(chunk, err) : find_in_table(chunk, err);
    for (size_t i = 0; i < chunk->count && outcome == OUT_OK; i++) {
        if (chunk->found[i])
            confirm_extra(chunk->run, chunk->extras[i]);
        else
            clear_extra(chunk->run, chunk->extras[i]);
    }
    chunk->count = 0;
    arena_reset(&chunk->arena);
    return outcome;
}

/* The key cells of a row known by its id, as a delete's are made. */
static bool add_extra(struct extra_chunk *chunk, struct actual_extra *extra)
{
    struct row row;
    if (record_key_row(chunk->item->mapping, extra->tenant, extra->id, &chunk->run->judge.source,
                       &chunk->arena, &row, NULL) != OUT_OK)
        return false;
    chunk->extras[chunk->count] = extra;
    chunk->found[chunk->count] = false;
    chunk->keys[chunk->count++] = (struct fetch_key){extra->tenant, row.cells};
    return true;
}

static enum outcome judge_mapping(struct extra_chunk *chunk, struct actual_extras *extras,
                                  struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < extras->count && outcome == OUT_OK; i++) {
        struct actual_extra *extra = &extras->items[i];
        if (extra->item != chunk->item)
            continue;
        if (extra->explained)
            clear_extra(chunk->run, extra);
        else if (!add_extra(chunk, extra))
            confirm_extra(chunk->run, extra);
        if (chunk->count == VERIFY_CHUNK_RECORDS)
            outcome = judge_chunk(chunk, err);
    }
    return outcome == OUT_OK ? judge_chunk(chunk, err) : outcome;
}

enum outcome look_extra_judge(struct verify_run *run, const struct look_stores *stores,
                              struct actual_extras *extras, struct error *err)
{
    struct extra_chunk *chunk = calloc(1, sizeof *chunk);
    enum outcome outcome = OUT_OK;
    if (!chunk)
        abort();
    chunk->run = run;
    chunk->stores = stores;
    arena_init(&chunk->arena, ARENA_MOST);
    for (size_t i = 0; i < run->mappings.count && outcome == OUT_OK; i++) {
        chunk->item = &run->items[i];
        outcome = judge_mapping(chunk, extras, err);
    }
    arena_free(&chunk->arena);
    free(chunk);
    return outcome;
}
