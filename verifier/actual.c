#include "verifier/actual.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_stored.h"
#include "common/model/schema/schema_sql.h"
#include "common/policy/verify/verify_copy.h"
#include "verifier/rows.h"
#include "verifier/stores.h"
#include "verifier/verify_limits.h"

#define ROW_MOST (512u << 20) /* PostgreSQL's own limit of a row is 1 GiB */
#define SQL_MOST (1u << 20)

static enum outcome take_row(struct verify_run *run, const struct verify_mapping *item,
                             const struct cell *cells, struct actual_extras *extras,
                             struct error *err)
{
    struct judge_row row;
    struct diff_entry *entry;
    struct verify_report *report = &run->report;
    verify_progress_step(&run->progress);
    if (!rows_take(run, item->mapping, cells, &row))
        return error_set(err, OUT_FATAL, ERR_PG_PROTOCOL,
                         "a row of %s has no usable key, version or mark of deletion",
                         item->mapping->table);
    report->rows += run->pass == 0;
    if (!diff_in_pass(&row.diff.key, run->pass, report->passes))
        return OUT_OK;
    entry = diff_find(&run->table, &row.diff.key);
    /* what is decided by the version alone need not be run backwards */
    if (entry && row.row.deleted == (entry->deleted != 0) && entry->version == row.row.version &&
        judge_read(item->mapping, &row, &run->judge, NULL, NULL) == OUT_FATAL)
        return error_set(err, OUT_FATAL, ERR_INTERNAL, "a row could not be run backwards");
    actual_judge(run, item, &row, extras);
    return OUT_OK;
}

static void append_copy(const struct verify_run *run, const struct mapping *mapping,
                        struct buf *out)
{
    buf_append_text(out, "COPY (");
    pg_stored_append_select(out, mapping, true);
    if (run->settings->only_tenant) {
        buf_append_text(out, " WHERE t.isolation_key = ");
        schema_sql_literal(out, run->settings->only_tenant);
    }
    buf_append_text(out, ") TO STDOUT (FORMAT binary)");
}

static enum outcome begin_copy(struct verify_run *run, const struct mapping *mapping,
                               struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MOST);
    append_copy(run, mapping, &sql);
    PGresult *result = PQexec(run->snapshot, buf_text(&sql));
    buf_free(&sql);
    enum outcome outcome = OUT_OK;
    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        pg_error_from_result(result, err);
        outcome = err->outcome;
    }
    PQclear(result);
    return outcome;
}

/* The stream's trailer says that it is whole, the command's result that the server agrees. */
static enum outcome finish_copy(struct verify_run *run, bool ended, const struct mapping *mapping,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (PGresult *result; (result = PQgetResult(run->snapshot));) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && outcome == OUT_OK) {
            pg_error_from_result(result, err);
            outcome = err->outcome;
        }
        PQclear(result);
    }
    if (outcome == OUT_OK && !ended)
        outcome = error_set(err, OUT_FATAL, ERR_PG_PROTOCOL, "the rows of %s came cut off",
                            mapping->table);
    return outcome;
}

/* All rows of one piece of the stream. */
static enum outcome take_piece(struct verify_run *run, const struct verify_mapping *item,
                               struct verify_copy *copy, struct cell *cells,
                               struct actual_extras *extras, struct error *err)
{
    size_t count = pg_stored_cell_count(item->mapping);
    for (;;) {
        enum outcome outcome;
        switch (verify_copy_next(copy, cells, count)) {
        case VERIFY_COPY_ROW:
            outcome = take_row(run, item, cells, extras, err);
            if (outcome != OUT_OK)
                return outcome;
            break;
        case VERIFY_COPY_MORE:
        case VERIFY_COPY_END:
            return OUT_OK;
        case VERIFY_COPY_BROKEN:
            return error_set(err, OUT_FATAL, ERR_PG_PROTOCOL, "the rows of %s cannot be read",
                             item->mapping->table);
        }
    }
}

static enum outcome read_table(struct verify_run *run, const struct verify_mapping *item,
                               struct actual_extras *extras, struct error *err)
{
    struct verify_copy copy;
    struct cell *cells = calloc(pg_stored_cell_count(item->mapping), sizeof *cells);
    char *piece = NULL;
    if (!cells)
        abort();
    verify_copy_init(&copy, ROW_MOST);
    enum outcome outcome = begin_copy(run, item->mapping, err);
    if (outcome != OUT_OK)
        goto done;
    int size;
    while (outcome == OUT_OK && (size = PQgetCopyData(run->snapshot, &piece, 0)) > 0) {
        verify_copy_feed(&copy, bytes_of(piece, (size_t)size));
        outcome = take_piece(run, item, &copy, cells, extras, err);
        PQfreemem(piece);
    }
    if (outcome == OUT_OK)
        outcome = finish_copy(run, copy.ended, item->mapping, err);
done:
    verify_copy_free(&copy);
    free(cells);
    return outcome;
}

enum outcome actual_read(struct verify_run *run, struct actual_extras *extras, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (run->store)
        outcome = stores_read(run, extras, err);
    for (size_t i = 0; !run->store && i < run->mappings.count && outcome == OUT_OK; i++)
        outcome = read_table(run, &run->items[i], extras, err);
    if (outcome != OUT_OK)
        return outcome;
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&run->table, &at));) {
        if (entry->verdict != VERDICT_PENDING)
            continue;
        entry->verdict = entry->may_be_gone ? VERDICT_MATCH : VERDICT_MISSING;
        run->report.compared++;
    }
    return OUT_OK;
}
