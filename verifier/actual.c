#include "verifier/actual.h"

#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/model/json/json.h"
#include "common/policy/verify/diff_content.h"
#include "common/policy/verify/verify_copy.h"

/* ---- a row against what the topic says of its key ----------------------------------------- */

/* Rows of a store that keeps no texts are summed: nobody can tell whose they are. */
static void take_extra(struct verify_run *run, const struct mapping *mapping,
                       const struct judge_row *row, struct actual_extras *extras)
{
    struct diff_groups *groups = &run->report.groups;
    uint32_t group = row->row.tenant.size
                         ? diff_groups_find(groups, row->row.tenant, bytes_text(mapping->entity))
                         : 0;
    groups->items[group].counts[VERDICT_EXTRA]++;
    if (extras->count == VERIFY_RECHECK_MAX) {
        run->report.not_rechecked++;
        return;
    }
    extras->items[extras->count++] = (struct actual_extra){
        .mapping = mapping,
        .key = row->diff.key,
        .tenant = verify_report_copy(&run->report, row->row.tenant),
        .id = verify_report_copy(&run->report, row->row.id),
        .version = row->row.version,
        .group = group,
    };
}

/* Whether the row is what a record says that waited for its parents, and has the version of the one
 * that leads the key: that one is in conflict with it then, instead of the other way round. */
static bool is_pending_one(const struct verify_run *run, const struct diff_entry *entry,
                           const struct diff_row *row)
{
    struct diff_entry instead = *entry;
    for (size_t i = 0; i < run->pending_count; i++) {
        const struct diff_source *source = &run->pending[i].source;
        if (source->version != entry->version || !diff_key_equal(&source->key, &entry->key))
            continue;
        instead.digest = source->digest;
        instead.source_tag = source->source_tag;
        instead.deleted = source->deleted;
        if (diff_judge(&instead, row) == VERDICT_MATCH)
            return true;
    }
    return false;
}

#define PACE_ROWS 64 /* between two looks at the clock */

/* No more rows than verify.rows_per_second: rests when it is ahead. */
static void keep_pace(struct verify_run *run)
{
    uint64_t limit = run->settings->rows_per_second;
    if (limit == 0 || run->options.read_once || ++run->paced_rows % PACE_ROWS)
        return;
    uint64_t now_ms = clock_monotonic_ms();
    run->paced_from_ms = run->paced_from_ms ? run->paced_from_ms : now_ms;
    uint64_t due_ms = run->paced_from_ms + run->paced_rows * 1000 / limit;
    if (due_ms > now_ms)
        usleep((useconds_t)(due_ms - now_ms) * 1000);
}

/* Counts the row; of a store that keeps no texts every one is in the scope. */
static bool see_row(struct verify_run *run, const struct mapping *mapping, struct bytes tenant)
{
    const struct record record = {.tenant = tenant, .entity = bytes_text(mapping->entity)};
    bool in_scope = !tenant.size || scope_has(&run->scope, &record);
    verify_progress_step(&run->progress);
    keep_pace(run);
    run->report.rows += in_scope && run->pass == 0;
    return in_scope;
}

static void judge(struct verify_run *run, const struct mapping *mapping,
                  const struct judge_row *row, struct actual_extras *extras)
{
    struct diff_entry *entry;
    enum verdict verdict = diff_actual(&run->table, &row->diff, &entry);
    if (verdict == VERDICT_EXTRA) {
        take_extra(run, mapping, row, extras);
        return;
    }
    run->report.compared++;
    if ((verdict == VERDICT_DIFFERENT || verdict == VERDICT_BY_MAPPING) &&
        is_pending_one(run, entry, &row->diff))
        entry->verdict = VERDICT_MATCH;
}

/* ---- tables ------------------------------------------------------------------------------ */

bool actual_take_cells(struct verify_run *run, const struct mapping *mapping,
                       const struct cell *cells, struct judge_row *row)
{
    static const struct digest NONE;
    *row = (struct judge_row){0};
    if (!pg_store_reader_take(mapping, cells, &row->row))
        return false;
    /* own columns: version, digest, deleted */
    struct cell digest = cells[2 + mapping->column_count];
    if (!verify_copy_bool(cells[3 + mapping->column_count], &row->tombstone))
        return false;
    buf_reset(&run->judge.content);
    if (!mapping_append_id(mapping, row->row.cells, &run->judge.content))
        return false;
    row->row.id = buf_view(&run->judge.content);
    row->diff = (struct diff_row){
        .key = verify_run_key(run, row->row.tenant, bytes_text(mapping->entity), row->row.id),
        .version = row->row.version,
        .older_mapping = row->row.generation < mapping->generation,
        .deleted = row->row.deleted,
        .has_claim = true,
        .claimed_tag = digest.size == sizeof row->row.digest.bytes
                           ? diff_tag_of(&row->row.digest)
                           : ~diff_tag_of(&NONE), /* not even the zeros of a delete */
    };
    return !run->key.failed && !run->judge.content.failed;
}

struct table_reading {
    struct verify_run *run;
    const struct mapping *mapping;
    struct actual_extras *extras;
};

static enum outcome take_row(void *owner, const struct cell *cells, struct error *err)
{
    struct table_reading *reading = owner;
    struct verify_run *run = reading->run;
    const struct mapping *mapping = reading->mapping;
    struct judge_row row;
    if (!actual_take_cells(run, mapping, cells, &row))
        return error_set(err, OUT_FATAL, ERR_PG_PROTOCOL,
                         "a row of %s has no usable key, version or mark of deletion",
                         mapping->table);
    if (!see_row(run, mapping, row.row.tenant) ||
        !diff_in_pass(&row.diff.key, run->pass, run->report.passes))
        return OUT_OK;
    /* most rows are as they should be, so what a row says is found out while its entry comes near
     */
    diff_prefetch(&run->table, &row.diff.key);
    judge_digest(mapping, &row, &run->judge);
    judge(run, mapping, &row, reading->extras);
    return OUT_OK;
}

static enum outcome read_tables(struct verify_run *run, struct actual_extras *extras,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < run->scope.mappings->count && outcome == OUT_OK; i++) {
        struct table_reading reading = {run, run->scope.mappings->items[i], extras};
        outcome = pg_snapshot_rows(run->snapshot, reading.mapping, run->scope.tenant, take_row,
                                   &reading, err);
    }
    return outcome;
}

/* ---- other stores ------------------------------------------------------------------------ */

void actual_join_fields(struct bytes fields, struct digest *digest)
{
    if (!fields.size)
        return;
    struct digest both[2] = {*digest, digest_of(fields)};
    *digest = digest_of(bytes_of((const char *)both, sizeof both));
}

/* The digest of what is stored; false when it is no record. */
static bool digest_stored(struct verify_run *run, const struct stored_record *stored,
                          struct judge_row *row, yyjson_doc **doc)
{
    yyjson_doc *made = NULL;
    bool ok = json_parse(stored->json, JSON_UNICODE_REJECT, NULL, &made, NULL) == OUT_OK &&
              diff_content_digest(stored->mapping, yyjson_doc_get_root(made),
                                  run->has_cells ? stored->cells : NULL, &run->judge.content,
                                  &row->diff.digest);
    if (ok)
        actual_join_fields(stored->fields, &row->diff.digest);
    if (ok && stored->flaw)
        actual_join_fields(bytes_text(stored->flaw), &row->diff.digest);
    if (ok && doc)
        *doc = made;
    else
        yyjson_doc_free(made);
    return ok;
}

void actual_take_stored(struct verify_run *run, const struct stored_record *stored, bool readable,
                        struct judge_row *row, yyjson_doc **doc)
{
    if (doc)
        *doc = NULL;
    *row = (struct judge_row){
        .flaw = stored->flaw,
        .row = {.tenant = stored->tenant,
                .id = stored->id,
                .version = stored->version,
                .generation = stored->generation,
                .deleted = stored->deleted,
                .digest = stored->digest,
                .cells = run->has_cells ? (struct cell *)stored->cells : NULL},
        .diff = {.version = stored->version,
                 .older_mapping = stored->generation < stored->mapping->generation,
                 .deleted = stored->deleted,
                 .has_claim = true,
                 .claimed_tag = diff_tag_of(&stored->digest)},
    };
    row->diff.key = stored->key ? *stored->key
                                : verify_run_key(run, stored->tenant,
                                                 bytes_text(stored->mapping->entity), stored->id);
    if (stored->deleted)
        return;
    if (stored->given_back)
        row->diff.digest = *stored->given_back;
    row->diff.unreadable =
        !readable || (!stored->given_back && !digest_stored(run, stored, row, doc));
}

static void take_record(struct verify_run *run, const struct stored_record *stored, bool readable,
                        struct actual_extras *extras)
{
    struct judge_row row;
    if (!see_row(run, stored->mapping, stored->tenant))
        return;
    actual_take_stored(run, stored, readable, &row, NULL);
    if (diff_in_pass(&row.diff.key, run->pass, run->report.passes))
        judge(run, stored->mapping, &row, extras);
}

/* A key of Redis that holds no record, or another key's: named by its name. */
static void take_stray(struct verify_run *run, const struct stored_record *stored, const char *why)
{
    struct verify_report *report = &run->report;
    if (run->pass != 0)
        return;
    report->side_checks.redis.unexpected++;
    struct verify_sample *sample =
        verify_report_sample_side(report, VERIFY_LIST_REDIS, VERDICT_EXTRA);
    if (!sample)
        return;
    sample->entity = bytes_text(stored->mapping->entity);
    sample->name = verify_report_copy(report, stored->id);
    sample->key = diff_key_of(stored->id);
    sample->reason = verify_report_copy(report, bytes_text(why));
}

/* A store that was read to its end is opened once more. */
static enum outcome reopen(struct verify_run *run, struct error *err)
{
    if (run->pass == 0 && run->store)
        return OUT_OK;
    if (run->store)
        run->store->ops->close(run->store);
    return verify_run_open_store(run, &run->store, err);
}

static enum outcome read_store(struct verify_run *run, struct actual_extras *extras,
                               struct error *err)
{
    struct stored_record stored;
    struct error why = {0};
    enum outcome outcome = reopen(run, err);
    while (outcome == OUT_OK) {
        outcome = run->store->ops->next(run->store, &stored, &why);
        if (outcome == OUT_OK && !stored.mapping)
            return OUT_OK;
        if (outcome != OUT_OK && outcome != OUT_REJECT) {
            *err = why;
            return outcome;
        }
        bool named = stored.key || (stored.tenant.size && stored.id.size);
        if (stored.mapping && named) {
            take_record(run, &stored, outcome == OUT_OK, extras);
        } else if (stored.mapping && stored.id.size && why.code == ERR_REDIS_UNOWNED) {
            take_stray(run, &stored, why.text);
        } else {
            verify_report_break(&run->report, "a record of the store cannot be read: %s", why.text);
        }
        outcome = OUT_OK;
    }
    return outcome;
}

enum outcome actual_read(struct verify_run *run, struct actual_extras *extras, struct error *err)
{
    enum outcome outcome =
        run->snapshot ? read_tables(run, extras, err) : read_store(run, extras, err);
    if (outcome != OUT_OK)
        return outcome;
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));) {
        if (entry->verdict != VERDICT_UNDECIDED)
            continue;
        entry->verdict = entry->may_be_gone ? VERDICT_MATCH : VERDICT_MISSING;
        run->report.compared++;
    }
    return OUT_OK;
}
