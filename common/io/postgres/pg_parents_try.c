/*
 * One page of the waiting room, tried in one transaction: its records as a batch, tenant by tenant
 * and parents first; those whose parents are still missing are left out, the others written and
 * marked. A group that is refused for another reason is written row by row under savepoints: which
 * record PostgreSQL refuses, and which it has already, is what the statement itself says.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_parents_core.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"
#include "common/policy/apply/record_row.h"

#define BATCH_MEMORY (512u << 20)

/* A page on its way. Items' offsets are rows of `rows`, as partitions mix. */
struct page {
    PGresult *rows;
    struct batch *batch;
    const char *states[PARENTS_PAGE]; /* by row: NULL goes on waiting */
};

static const struct pg_upsert *upsert_of(struct sweep *sweep, const struct mapping *mapping)
{
    const struct mapping_set *mappings = sweep->config->mappings;
    size_t at = 0;
    while (mappings->items[at] != mapping)
        at++;
    if (!sweep->upserts[at])
        sweep->upserts[at] = pg_upsert_new(mappings, at);
    return sweep->upserts[at];
}

/* pg_session_query takes fewer parameters than a mapping may have columns. */
static enum outcome query(struct sweep *sweep, const char *sql, const struct pg_param *params,
                          int count, PGresult **result, struct error *err)
{
    const char *values[PG_LANE_PARAMS_MOST];
    int sizes[PG_LANE_PARAMS_MOST], formats[PG_LANE_PARAMS_MOST];
    for (int i = 0; i < count; i++) {
        values[i] = params[i].data;
        sizes[i] = params[i].size;
        formats[i] = 1;
    }
    (void)PQsendQueryParams(sweep->connection, sql, count, NULL, values, sizes, formats, 1);
    return pg_session_answer(sweep->connection, result, err);
}

static enum outcome run(struct sweep *sweep, const char *sql, struct error *err)
{
    return pg_session_run(sweep->connection, sql, err);
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum outcome read_page(struct sweep *sweep, int32_t partition, int64_t offset,
                              struct page *page, struct error *err)
{
    char after[2][24];
    snprintf(after[0], sizeof after[0], "%d", partition);
    snprintf(after[1], sizeof after[1], "%" PRId64, offset);
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic), bytes_text(after[0]),
                                   bytes_text(after[1])};
    return pg_session_query(sweep->connection,
                            "SELECT " PARENTS_COLUMNS PARENTS_WITHIN(
                                PARENTS_PAGE_TEXT,
                                "\"group\" = $1::text AND topic = $2::text AND state IS NULL AND "
                                "(partition, \"offset\") > ($3::text::int4, $4::text::int8)"),
                            params, 4, true, &page->rows, err);
}

/* What the worker made of it once; another answer now is one more reason to give it up. */
static void add_row(struct sweep *sweep, struct page *page, int row)
{
    struct envelope message;
    struct record record;
    struct error err;
    struct batch_item *item = batch_add(page->batch, row);
    bool good = false;
    if (!parents_take_message(page->rows, row, &message))
        error_set(&err, OUT_REJECT, ERR_ENVELOPE, "the headers it was kept with are damaged");
    else
        good = envelope_decode(&message, &record, &err) == OUT_OK;
    if (good) {
        record.tenant = parents_bytes(page->rows, row, 2);
        record.entity = parents_bytes(page->rows, row, 3);
        record.version = pg_wire_get_int8(page->rows, row, 4);
        record.has_version = true;
        item->sealed = record.sealed;
        good = record_to_row(sweep->config->mappings, &record, record.version, &sweep->work,
                             &page->batch->arena, &item->mapping, &item->row, &err) == OUT_OK;
    }
    if (good)
        return;
    batch_reject(page->batch, item, &err);
    page->states[row] = error_code_id(err.code);
}

/* ---- writing ----------------------------------------------------------------------------- */

static enum outcome leave_out(struct sweep *sweep, struct page *page, struct batch_group *group,
                              struct error *err)
{
    const struct pg_upsert *upsert = upsert_of(sweep, group->mapping);
    struct pg_param params[PG_LANE_PARAMS_MOST];
    bool lacking[PARENTS_PAGE] = {0};
    PGresult *result = NULL;
    if (!upsert->lack_sql)
        return OUT_OK;
    int count =
        pg_upsert_lack_params(upsert, page->batch, group->tenant, page->batch->order + group->first,
                              group->count, &sweep->memory, params);
    enum outcome outcome = query(sweep, upsert->lack_sql, params, count, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal >= 1 && (uint64_t)ordinal <= group->count)
            lacking[ordinal - 1] = true;
    }
    PQclear(result);
    batch_park(page->batch, group, lacking);
    return OUT_OK;
}

static void settle(struct page *page, struct batch_item *item, enum record_class its_class)
{
    item->decided = true;
    item->verdict = its_class;
    page->states[item->offset] = record_class_name(its_class);
}

/* The statement gives back the rows it did not write: ordinal, and version and digest of what the
 * table holds instead (pg_upsert.c). All others are written. */
static void take_answer(struct page *page, size_t first, size_t count, const PGresult *result)
{
    const struct batch *batch = page->batch;
    for (size_t i = first; i < first + count; i++)
        settle(page, &batch->items[batch->order[i]], CLASS_APPLIED);
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal < 1 || (uint64_t)ordinal > count)
            continue;
        struct batch_item *item = &batch->items[batch->order[first + (size_t)ordinal - 1]];
        settle(page, item,
               batch_classify(&item->row, pg_wire_get_int8(result, row, 1),
                              parents_bytes(result, row, 2)));
    }
}

/* What would be checked at COMMIT is checked now, where the record is known. */
static enum outcome check_deferred(struct sweep *sweep, struct error *err)
{
    enum outcome outcome = run(sweep, "SET CONSTRAINTS ALL IMMEDIATE", err);
    return outcome == OUT_OK ? run(sweep, "SET CONSTRAINTS ALL DEFERRED", err) : outcome;
}

/* The sealed values of rows go in with them: what waited has them in its message. */
static enum outcome write_boxes(struct sweep *sweep, const struct batch *batch,
                                const struct batch_group *group, size_t first, size_t count,
                                struct error *err)
{
    struct pg_param params[PG_VAULT_PARAMS];
    PGresult *result = NULL;
    int used = pg_vault_params(batch, group, first, count, &sweep->memory, params);
    enum outcome outcome =
        used ? query(sweep, PG_VAULT_INSERT, params, used, &result, err) : OUT_OK;
    PQclear(result);
    return outcome;
}

/* Rows of one tenant and table under a savepoint. Not OK: nothing of them is written and the
 * transaction goes on, unless *broken; `err` says what PostgreSQL said. */
static enum outcome write_rows(struct sweep *sweep, struct page *page,
                               const struct batch_group *group, size_t first, size_t count,
                               bool *broken, struct error *err)
{
    const struct pg_upsert *upsert = upsert_of(sweep, group->mapping);
    struct pg_param params[PG_LANE_PARAMS_MOST];
    PGresult *result = NULL;
    *broken = true;
    enum outcome outcome = run(sweep, "SAVEPOINT part", err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = write_boxes(sweep, page->batch, group, first, count, err);
    if (outcome == OUT_OK) {
        int used = pg_upsert_params(upsert, page->batch, group->tenant, page->batch->order + first,
                                    count, &sweep->memory, params);
        outcome = query(sweep, upsert->upsert_sql, params, used, &result, err);
    }
    if (outcome == OUT_OK)
        outcome = check_deferred(sweep, err);
    if (outcome == OUT_OK)
        take_answer(page, first, count, result);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = run(sweep, "RELEASE SAVEPOINT part", err);
    else
        *broken = run(sweep, "ROLLBACK TO SAVEPOINT part", NULL) != OUT_OK;
    return outcome;
}

/* A state that tells of the server may be raised by one row's trigger or policy: the statement
 * without rows tells which it is. */
static enum outcome blame(struct sweep *sweep, struct page *page, const struct batch_group *group,
                          size_t place, const struct error *said, struct error *err)
{
    struct batch_item *item = &page->batch->items[page->batch->order[place]];
    struct error its = *said;
    bool broken = false;
    if (said->outcome == OUT_FATAL) {
        enum outcome outcome = write_rows(sweep, page, group, place, 0, &broken, err);
        if (outcome != OUT_OK)
            return broken ? OUT_RETRY : outcome;
    }
    pg_error_blame_record(&its);
    batch_reject(page->batch, item, &its);
    page->states[item->offset] = error_code_id(its.code);
    return OUT_OK;
}

/* One refusal costs one record. What may pass (a lock, a time-out) is left to wait for the next
 * sweep. Out of a resource is the server, and ends the sweep (time does not count then), unless
 * others were taken in it. */
static enum outcome write_one_by_one(struct sweep *sweep, struct page *page,
                                     const struct batch_group *group, size_t count,
                                     struct error *err)
{
    bool exhausted = false;
    for (size_t i = group->first; i < group->first + count; i++) {
        struct batch_item *item = &page->batch->items[page->batch->order[i]];
        struct error said;
        bool broken = false;
        enum outcome outcome = write_rows(sweep, page, group, i, 1, &broken, &said);
        if (outcome != OUT_OK && broken) {
            *err = said;
            return OUT_RETRY;
        }
        if (outcome == OUT_RETRY || (outcome == OUT_REJECT && said.code == ERR_PG_PARENT)) {
            item->decided = true;
            item->verdict = CLASS_WAITING;
            exhausted = exhausted || said.code == ERR_PG_RESOURCE;
            if (said.code == ERR_PG_RESOURCE)
                *err = said;
            continue;
        }
        if (outcome != OUT_OK)
            outcome = blame(sweep, page, group, i, &said, err);
        if (outcome != OUT_OK)
            return outcome;
        sweep->settled++;
    }
    return exhausted && !sweep->settled ? OUT_RETRY : OUT_OK;
}

static enum outcome write_group(struct sweep *sweep, struct page *page, struct batch_group *group,
                                struct error *err)
{
    enum outcome outcome = parents_set_tenant(sweep, group->tenant, err);
    if (outcome == OUT_OK)
        outcome = leave_out(sweep, page, group, err);
    size_t count = group->count - group->parked;
    if (outcome != OUT_OK || count == 0)
        return outcome;
    bool broken = false;
    outcome = write_rows(sweep, page, group, group->first, count, &broken, err);
    if (outcome == OUT_OK) {
        sweep->settled += count;
        return OUT_OK;
    }
    return broken ? OUT_RETRY : write_one_by_one(sweep, page, group, count, err);
}

/* Older versions of what was written in the same page: the store would answer the same. */
static void settle_overtaken(struct page *page)
{
    struct batch *batch = page->batch;
    batch_settle(batch);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].decided && batch->items[i].verdict != CLASS_WAITING &&
            batch->items[i].verdict != CLASS_DEAD)
            page->states[batch->items[i].offset] = record_class_name(batch->items[i].verdict);
}

static enum outcome mark(struct sweep *sweep, struct page *page, size_t *got, struct error *err)
{
    struct buf lists[3];
    size_t marked = 0;
    for (int i = 0; i < 3; i++) {
        buf_init(&lists[i], 1u << 20);
        buf_append_char(&lists[i], '{');
    }
    for (int row = 0; row < PQntuples(page->rows); row++) {
        if (!page->states[row])
            continue;
        const char *comma = marked++ ? "," : "";
        buf_append_format(&lists[0], "%s%" PRId64, comma, pg_wire_get_int8(page->rows, row, 0));
        buf_append_format(&lists[1], "%s%" PRId64, comma, pg_wire_get_int8(page->rows, row, 1));
        buf_append_format(&lists[2], "%s%s", comma, page->states[row]);
    }
    for (int i = 0; i < 3; i++)
        buf_append_char(&lists[i], '}');
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic), buf_view(&lists[0]),
                                   buf_view(&lists[1]), buf_view(&lists[2])};
    PGresult *result = NULL;
    enum outcome outcome = OUT_OK;
    if (marked)
        outcome = pg_session_query(
            sweep->connection,
            "UPDATE drover.waiting AS w SET state = u.s FROM ROWS FROM (unnest($3::text::int4[]), "
            "unnest($4::text::int8[]), unnest($5::text::text[])) AS u(p, o, s) WHERE "
            "w.\"group\" = $1::text AND w.topic = $2::text AND w.partition = u.p AND "
            "w.\"offset\" = u.o",
            params, 5, false, &result, err);
    PQclear(result);
    for (int i = 0; i < 3; i++)
        buf_free(&lists[i]);
    *got += marked;
    return outcome;
}

static enum outcome write_page(struct sweep *sweep, struct page *page, size_t *got,
                               struct error *err)
{
    struct batch *batch = page->batch;
    size_t marked = 0;
    size_t g = 0;
    batch_close(batch);
    enum outcome outcome = run(sweep, "BEGIN", err);
    do { /* then the next candidates of keys whose records were left out or refused */
        for (; g < batch->group_count && outcome == OUT_OK; g++)
            outcome = write_group(sweep, page, &batch->groups[g], err);
    } while (outcome == OUT_OK && batch_promote(batch));
    if (outcome == OUT_OK)
        settle_overtaken(page);
    if (outcome == OUT_OK)
        outcome = mark(sweep, page, &marked, err);
    if (outcome == OUT_OK)
        outcome = run(sweep, "COMMIT", err);
    else
        (void)!run(sweep, "ROLLBACK", NULL);
    if (outcome == OUT_OK)
        *got += marked;
    return outcome;
}

enum outcome parents_try_page(struct sweep *sweep, int32_t *partition, int64_t *offset, size_t *got,
                              bool *end, struct error *err)
{
    struct page page = {0};
    enum outcome outcome = read_page(sweep, *partition, *offset, &page, err);
    int rows = outcome == OUT_OK ? PQntuples(page.rows) : 0;
    *end = rows == 0;
    if (rows) {
        page.batch = batch_new((size_t)rows, BATCH_MEMORY);
        for (int row = 0; row < rows; row++)
            add_row(sweep, &page, row);
        outcome = write_page(sweep, &page, got, err);
        *partition = (int32_t)pg_wire_get_int8(page.rows, rows - 1, 0);
        *offset = pg_wire_get_int8(page.rows, rows - 1, 1);
        batch_free(page.batch);
    }
    PQclear(page.rows);
    return outcome;
}
