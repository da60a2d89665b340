/*
 * A sweep of the pending children: the lock, the passes over its pages, who is an orphan by now,
 * old tombstones, and what is to be told. A record's way in, and its form there: pg_pending_put.c.
 */
#include "common/io/postgres/pg_sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_pending_put.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_upsert.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_sql.h"
#include "common/policy/apply/record_row.h"

/* Of the group and topic that are the first two parameters. */
#define SWEEP_OURS "\"group\" = $1::text AND topic = $2::text"
/* Rows read at a time. */
#define SWEEP_PAGE 500
#define SWEEP_PAGE_TEXT "500"
#define SWEEP_PAGE_BYTES "8388608"
/* Rows of a page: so many, and so many bytes, but one in any case. */
#define SWEEP_WITHIN(rows, where)                                                                  \
    " FROM (SELECT w.*, sum(octet_length(coalesce(w.value, '')) + octet_length(w.headers)) OVER "  \
    "(ORDER BY w.partition, w.\"offset\") - octet_length(coalesce(w.value, '')) AS before"         \
    "  FROM (SELECT * FROM drover.waiting WHERE " where                                            \
    "         ORDER BY partition, \"offset\" LIMIT " rows ") AS w) AS w"                           \
    " WHERE before < " SWEEP_PAGE_BYTES " ORDER BY partition, \"offset\""

struct sweep {
    const struct pg_sweep_config *config;
    PGconn *connection;
    struct pg_upsert **upserts; /* by position in the mappings; made when needed */
    struct mapping_work work;
    struct buf memory; /* scratch */
    int64_t ran_ms;    /* the pending children's clock */
    size_t settled;    /* records written or refused so far: the server is well */
};

#define SWEEP_COLUMNS                                                                              \
    "partition, \"offset\", isolation_key, entity, version, key, value, headers, state, "          \
    "no_key::int4"

/* ---- what the parts of a sweep share ---- */

static bool sweep_is_stopped(const struct sweep *sweep)
{
    return sweep->config->stop && atomic_load(sweep->config->stop);
}

/* A row of drover.waiting as a message; columns as SWEEP_COLUMNS says. False: malformed. */
static bool sweep_take_message(const PGresult *result, int row, struct envelope *message)
{
    bool has_key = pg_wire_get_int8(result, row, 9) == 0;
    message->key = has_key ? pg_wire_get_bytes(result, row, 5) : (struct bytes){0};
    message->null_value = PQgetisnull(result, row, 6);
    message->value = message->null_value ? (struct bytes){0} : pg_wire_get_bytes(result, row, 6);
    return pg_pending_unpack_headers(pg_wire_get_bytes(result, row, 7), message);
}

static enum outcome sweep_set_tenant(struct sweep *sweep, struct bytes tenant, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection, "SELECT pg_catalog.set_config('app.current_tenant_key', $1::text, true)",
        &tenant, 1, true, &result, err);
    PQclear(result);
    return outcome;
}

/* ---- one page, tried ---- */

/*
 * One page of the pending children, tried in one transaction: its records as a batch, tenant by
 * tenant and parents first; those whose parents are still missing are left out, the others written
 * and marked. A group that is refused for another reason is written row by row under savepoints:
 * which record PostgreSQL refuses, and which it has already, is what the statement itself says.
 */

#define BATCH_MEMORY (512u << 20)

/* A page on its way. Items' offsets are rows of `rows`, as partitions mix. */
struct page {
    PGresult *rows;
    struct batch *batch;
    const char *states[SWEEP_PAGE]; /* by row: NULL goes on waiting */
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
    const char *values[PG_CONNECTION_PARAMS_MAX];
    int sizes[PG_CONNECTION_PARAMS_MAX], formats[PG_CONNECTION_PARAMS_MAX];
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

/* ---- reading ---- */

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
                            "SELECT " SWEEP_COLUMNS SWEEP_WITHIN(
                                SWEEP_PAGE_TEXT,
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
    bool ok = false;
    if (!sweep_take_message(page->rows, row, &message))
        error_set(&err, OUT_REJECT, ERR_ENVELOPE, "the headers it was kept with are damaged");
    else
        ok = envelope_decode(&message, &record, &err) == OUT_OK;
    if (ok) {
        record.tenant = pg_wire_get_bytes(page->rows, row, 2);
        record.entity = pg_wire_get_bytes(page->rows, row, 3);
        record.version = pg_wire_get_int8(page->rows, row, 4);
        record.has_version = true;
        item->sealed = record.sealed;
        ok = record_to_row(sweep->config->mappings, &record, record.version, &sweep->work,
                           &page->batch->arena, &item->mapping, &item->row, &err) == OUT_OK;
    }
    if (ok)
        return;
    batch_reject(page->batch, item, &err);
    page->states[row] = error_code_id(err.code);
}

/* ---- writing ---- */

static enum outcome leave_out(struct sweep *sweep, struct page *page, struct batch_group *group,
                              struct error *err)
{
    const struct pg_upsert *upsert = upsert_of(sweep, group->mapping);
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    bool missing_parent[SWEEP_PAGE] = {0};
    PGresult *result = NULL;
    if (!upsert->missing_parent_sql)
        return OUT_OK;
    int count = pg_upsert_missing_parent_params(upsert, page->batch, group->tenant,
                                                page->batch->order + group->first, group->count,
                                                &sweep->memory, params);
    enum outcome outcome = query(sweep, upsert->missing_parent_sql, params, count, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal >= 1 && (uint64_t)ordinal <= group->count)
            missing_parent[ordinal - 1] = true;
    }
    PQclear(result);
    batch_set_pending(page->batch, group, missing_parent);
    return OUT_OK;
}

static void settle(struct page *page, struct batch_item *item, enum record_class its_class)
{
    item->decided = true;
    item->verdict = its_class;
    page->states[item->offset] = record_class_name(its_class);
}

/* The statement gives back the rows it did not write: ordinal, and version, digest and generation
 * of what the table holds instead (pg_upsert.c). All others are written. */
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
                              (int32_t)pg_wire_get_int8(result, row, 3),
                              pg_wire_get_bytes(result, row, 2)));
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
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    PGresult *result = NULL;
    *broken = true;
    enum outcome outcome = run(sweep, "SAVEPOINT part", err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = write_boxes(sweep, page->batch, group, first, count, err);
    if (outcome == OUT_OK) {
        int used = pg_upsert_params(upsert, page->batch, page->batch->order + first, count,
                                    &sweep->memory, params);
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

#define SKIPPED_TRIES 3

/* write_rows of one. What another session wrote at the same instant, which the statement had to
 * wait for, is seen by the next statement; a trigger that skips the row does so each time. */
static enum outcome write_alone(struct sweep *sweep, struct page *page,
                                const struct batch_group *group, size_t place, bool *broken,
                                struct error *err)
{
    enum outcome outcome;
    int tries = 0;
    do
        outcome = write_rows(sweep, page, group, place, 1, broken, err);
    while (outcome != OUT_OK && !*broken && err->code == ERR_PG_SKIPPED && ++tries < SKIPPED_TRIES);
    return outcome;
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
        bool broken;
        enum outcome outcome = write_alone(sweep, page, group, i, &broken, &said);
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
    enum outcome outcome = sweep_set_tenant(sweep, group->tenant, err);
    if (outcome == OUT_OK)
        outcome = leave_out(sweep, page, group, err);
    size_t count = group->count - group->pending;
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

/* One page after (partition, offset), in one transaction; moves both on. *got: how many got in;
 * *end: there was nothing left. */
static enum outcome sweep_try_page(struct sweep *sweep, int32_t *partition, int64_t *offset,
                                   size_t *got, bool *end, struct error *err)
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

/* ---- who is an orphan ---- */

/*
 * Who is an orphan. Time that passes is no fault of a record, and neither is a backlog or an
 * outage, so no wall clock decides. drover.sweep keeps a clock that runs only while sweeps succeed:
 *
 *   pending ──(wait_ms of that clock)──► due ──► mark: the ends of the topic's partitions, now
 *          ──(checkpoints of all partitions at the mark, whoever owns them)──► reached
 *          ──(all tried once more)──► those due by the mark are orphans
 *
 * One that is due is spared as long as another waits that may be its parent and became pending
 * within wait_ms after it: that one's own parent has time to come.
 */

/* Of one gap between sweeps so much counts at most: they come each second while something waits,
 * and what lies between two that are further apart was an outage, or nobody was there. */
#define GAP_MAX_MS "5000"

static enum outcome number_query(struct sweep *sweep, const char *sql, int64_t number,
                                 PGresult **result, struct error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic), bytes_text(text)};
    return pg_session_query(sweep->connection, sql, params, 3, true, result, err);
}

/* *due: some waits are over, and there is no mark; *marked: there is one. */
static enum outcome go_on(struct sweep *sweep, bool *due, bool *marked, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = number_query(
        sweep,
        "INSERT INTO drover.sweep AS s (\"group\", topic) VALUES ($1::text, $2::text)"
        " ON CONFLICT (\"group\", topic) DO UPDATE SET swept_at = clock_timestamp(),"
        " ran_ms = s.ran_ms + least(greatest((extract(epoch FROM clock_timestamp() - s.swept_at)"
        " * 1000)::int8, 0), " GAP_MAX_MS ")"
        " RETURNING ran_ms, (cardinality(mark_ends) = $3::text::int8)::int4",
        sweep->config->partitions, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    sweep->ran_ms = pg_wire_get_int8(result, 0, 0);
    *marked = pg_wire_get_int8(result, 0, 1) != 0;
    PQclear(result);
    outcome = number_query(sweep,
                           "UPDATE drover.waiting SET due_ms = $3::text::int8 WHERE " SWEEP_OURS
                           " AND state IS NULL AND due_ms IS NULL",
                           sweep->ran_ms + (int64_t)sweep->config->wait_ms, &result, err);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = number_query(sweep,
                               "SELECT count(*) FROM drover.waiting WHERE " SWEEP_OURS
                               " AND state IS NULL AND due_ms <= $3::text::int8",
                               sweep->config->is_last ? INT64_MAX : sweep->ran_ms, &result, err);
    if (outcome == OUT_OK) {
        *due = pg_wire_get_int8(result, 0, 0) > 0;
        PQclear(result);
    }
    return outcome;
}

/* *known: the ends could be had. */
static enum outcome take_mark(struct sweep *sweep, bool *known, struct error *err)
{
    const struct pg_sweep_config *config = sweep->config;
    int64_t *ends = mem_zeroed((size_t)config->partitions + 1, sizeof *ends);
    char ran_ms[24];
    struct buf list;
    PGresult *result = NULL;
    enum outcome outcome = OUT_OK;
    buf_init(&list, 1u << 24);
    *known = config->ends && config->ends(config->owner, ends, config->partitions);
    for (int32_t i = 0; i < config->partitions; i++)
        buf_append_format(&list, "%s%" PRId64, i ? "," : "{", ends[i]);
    buf_append_char(&list, '}');
    snprintf(ran_ms, sizeof ran_ms, "%" PRId64, sweep->ran_ms);
    const struct bytes params[] = {bytes_text(config->group), bytes_text(config->topic),
                                   bytes_text(ran_ms), buf_view(&list)};
    if (*known)
        outcome = pg_session_query(sweep->connection,
                                   "UPDATE drover.sweep SET mark_ms = $3::text::int8, "
                                   "mark_ends = $4::text::int8[] WHERE " SWEEP_OURS,
                                   params, 4, false, &result, err);
    PQclear(result);
    buf_free(&list);
    free(ends);
    return outcome;
}

/* Messages between the checkpoints and the mark. */
static enum outcome count_behind(struct sweep *sweep, uint64_t *behind, struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT coalesce(sum(greatest(e.ends - coalesce(p.next_offset, 0), 0)), 0)::int8"
        "  FROM (SELECT u.ends, u.place - 1 AS partition FROM drover.sweep AS s,"
        "          unnest(s.mark_ends) WITH ORDINALITY AS u(ends, place)"
        "         WHERE s.\"group\" = $1::text AND s.topic = $2::text) AS e"
        "  LEFT JOIN drover.partition_progress AS p ON p.\"group\" = $1::text"
        "   AND p.topic = $2::text AND p.partition = e.partition",
        params, 2, true, &result, err);
    if (outcome == OUT_OK)
        *behind = (uint64_t)pg_wire_get_int8(result, 0, 0);
    PQclear(result);
    return outcome;
}

/* The clock goes on, and those pending since the last sweep learn when their wait is over; a mark
 * is taken when one's is. *reached: everything up to the mark has been written, so that after
 * trying all once more, sweep_name_orphans may say who is one. */
static enum outcome sweep_begin_marks(struct sweep *sweep, struct pending_result *told,
                                      bool *reached, struct error *err)
{
    bool due = false, marked = false;
    *reached = false;
    enum outcome outcome = go_on(sweep, &due, &marked, err);
    if (outcome != OUT_OK || !due)
        return outcome;
    /* what is produced last is behind an older mark */
    if (!marked || sweep->config->is_last)
        outcome = take_mark(sweep, &marked, err);
    if (outcome != OUT_OK || !marked)
        return outcome;
    outcome = count_behind(sweep, &told->behind, err);
    *reached = outcome == OUT_OK && told->behind == 0;
    return outcome;
}

/* The entities others refer to, as an array's text. */
static void list_parents(const struct mapping_set *mappings, struct buf *list)
{
    buf_append_char(list, '{');
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        for (size_t r = 0; r < mapping->reference_count; r++)
            buf_append_format(list, "%s\"%s\"", list->size > 1 ? "," : "",
                              mapping->references[r].entity);
    }
    buf_append_char(list, '}');
}

static enum outcome sweep_name_orphans(struct sweep *sweep, struct error *err)
{
    const struct pg_sweep_config *config = sweep->config;
    char wait_ms[24];
    struct buf parents;
    PGresult *result = NULL;
    buf_init(&parents, 1u << 20);
    list_parents(config->mappings, &parents);
    snprintf(wait_ms, sizeof wait_ms, "%" PRIu64, config->wait_ms);
    const struct bytes params[] = {bytes_text(config->group),
                                   bytes_text(config->topic),
                                   bytes_text(error_code_id(ERR_PG_PARENT)),
                                   buf_view(&parents),
                                   bytes_text(wait_ms),
                                   bytes_text(config->is_last ? "t" : "f")};
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "WITH m AS (UPDATE drover.sweep SET mark_ends = NULL WHERE " SWEEP_OURS
        "            RETURNING mark_ms)"
        " UPDATE drover.waiting AS w SET state = $3::text FROM m"
        "  WHERE w.\"group\" = $1::text AND w.topic = $2::text AND w.state IS NULL"
        "    AND ($6::text::bool OR (w.due_ms <= m.mark_ms AND NOT EXISTS"
        "      (SELECT FROM drover.waiting AS p WHERE p.\"group\" = $1::text"
        "          AND p.topic = $2::text AND p.state IS NULL AND p.entity = ANY ($4::text::text[])"
        "          AND p.due_ms > m.mark_ms AND p.due_ms < w.due_ms + $5::text::int8)))",
        params, 6, false, &result, err);
    PQclear(result);
    buf_free(&parents);
    return outcome;
}

/* ---- old tombstones ---- */

/*
 * Removes tombstones of mappings with on_delete: hard once they are older than their life: a replay
 * from before that would bring a deleted record back, so the life must exceed the topic's
 * retention. drover.purge says which tenants have any, because nobody sees the rows of all tenants.
 * A tombstone that children still refer to stays.
 */

/* Tenants of one mapping cared for in one sweep. */
#define TENANTS_MAX "20"
#define LIFE " - $4::text::int8 * interval '1 millisecond'"

static void append_children(struct buf *sql, const struct mapping_set *mappings,
                            const struct mapping *parent)
{
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *child = mappings->items[i];
        for (size_t r = 0; r < child->reference_count; r++) {
            const struct mapping_reference *reference = &child->references[r];
            if (mapping_set_find(mappings, bytes_text(reference->entity)) != parent)
                continue;
            buf_append_format(sql,
                              " AND NOT EXISTS (SELECT FROM \"%s\".\"%s\" AS c WHERE "
                              "c.isolation_key = t.isolation_key",
                              child->schema, child->table);
            for (size_t k = 0; k < parent->key_count; k++)
                buf_append_format(sql, " AND c.\"%s\" = t.\"%s\"",
                                  child->columns[reference->columns[k]].name,
                                  parent->columns[parent->key[k]].name);
            buf_append_char(sql, ')');
        }
    }
}

/* $1 schema, $2 table, $3 tenant, $4 life, $5 the mark as it was seen. */
static enum outcome purge_tenant(struct sweep *sweep, const struct mapping *mapping,
                                 const struct bytes *params, uint64_t *purged, struct error *err)
{
    struct buf sql;
    PGresult *result = NULL;
    buf_init(&sql, 1u << 20);
    buf_append_format(&sql,
                      "DELETE FROM \"%s\".\"%s\" AS t WHERE isolation_key = $3::text AND "
                      "drover_deleted AND drover_deleted_at < clock_timestamp()" LIFE
                      " AND $1::text <> $2::text || $5::text",
                      mapping->schema, mapping->table);
    append_children(&sql, sweep->config->mappings, mapping);
    enum outcome outcome =
        pg_session_query(sweep->connection, buf_text(&sql), params, 5, false, &result, err);
    if (outcome == OUT_OK)
        *purged += strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    buf_reset(&sql);
    /* what is left is looked at again when the oldest of it is due, at the soonest a tenth of a
     * life from now; no look when a batch marks the tenant again meanwhile */
    buf_append_format(&sql,
                      "WITH t AS (SELECT min(drover_deleted_at) AS oldest FROM \"%s\".\"%s\" WHERE "
                      "isolation_key = $3::text AND drover_deleted),"
                      " gone AS (DELETE FROM drover.purge AS p USING t WHERE t.oldest IS NULL AND "
                      "p.table_schema = $1::text AND p.table_name = $2::text AND p.isolation_key = "
                      "$3::text AND p.marked_at = $5::text::timestamptz)"
                      " UPDATE drover.purge AS p SET oldest = greatest(t.oldest, clock_timestamp() "
                      "- $4::text::int8 * interval '0.9 milliseconds') FROM t WHERE t.oldest IS "
                      "NOT NULL AND p.table_schema = $1::text AND p.table_name = $2::text AND "
                      "p.isolation_key = $3::text",
                      mapping->schema, mapping->table);
    result = NULL;
    if (outcome == OUT_OK)
        outcome =
            pg_session_query(sweep->connection, buf_text(&sql), params, 5, false, &result, err);
    PQclear(result);
    buf_free(&sql);
    return outcome;
}

static enum outcome purge_mapping(struct sweep *sweep, const struct mapping *mapping,
                                  struct bytes life, uint64_t *purged, struct error *err)
{
    const struct bytes which[] = {bytes_text(mapping->schema), bytes_text(mapping->table),
                                  BYTES_LITERAL(""), life};
    PGresult *tenants = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT isolation_key, marked_at::text FROM drover.purge WHERE table_schema = $1::text AND "
        "table_name = $2::text AND $3::text = '' AND oldest < clock_timestamp()" LIFE
        " ORDER BY oldest LIMIT " TENANTS_MAX,
        which, 4, false, &tenants, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(tenants); row++) {
        const struct bytes params[] = {which[0], which[1], pg_wire_get_bytes(tenants, row, 0), life,
                                       pg_wire_get_bytes(tenants, row, 1)};
        outcome = pg_session_run(sweep->connection, "BEGIN", err);
        if (outcome == OUT_OK)
            outcome = sweep_set_tenant(sweep, params[2], err);
        if (outcome == OUT_OK)
            outcome = purge_tenant(sweep, mapping, params, purged, err);
        if (outcome == OUT_OK)
            outcome = pg_session_run(sweep->connection, "COMMIT", err);
    }
    PQclear(tenants);
    return outcome;
}

static enum outcome sweep_purge(struct sweep *sweep, uint64_t *purged, struct error *err)
{
    char life[24];
    snprintf(life, sizeof life, "%" PRIu64, sweep->config->tombstone_life_ms);
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < sweep->config->mappings->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = sweep->config->mappings->items[i];
        if (mapping->on_delete == DELETE_HARD && !sweep_is_stopped(sweep))
            outcome = purge_mapping(sweep, mapping, bytes_text(life), purged, err);
    }
    return outcome;
}

/* ---- a sweep ---- */

#define CONNECT_MS 5000
#define MEMORY_MAX (512u << 20)
/* The first half of the advisory lock's key: this program's alone. */
#define LOCK_CLASS "7242026"
#define TELL_MAX "1000"

static enum outcome open_sweep(struct sweep *sweep, const struct pg_sweep_config *config,
                               struct error *err)
{
    *sweep = (struct sweep){.config = config};
    sweep->upserts = mem_zeroed(config->mappings->count + 1, sizeof *sweep->upserts);
    mapping_work_init(&sweep->work);
    buf_init(&sweep->memory, MEMORY_MAX);
    enum outcome outcome = pg_session_open(config->url, config->role, "drover-pending", CONNECT_MS,
                                           &sweep->connection, err);
    pg_cancel_watch(config->cancel, sweep->connection);
    return outcome;
}

static void close_sweep(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->config->mappings->count; i++)
        pg_upsert_free(sweep->upserts[i]);
    free(sweep->upserts);
    mapping_work_free(&sweep->work);
    buf_free(&sweep->memory);
    pg_cancel_watch(sweep->config->cancel, NULL);
    PQfinish(sweep->connection);
}

/* The lock goes with the connection. */
static enum outcome try_lock(struct sweep *sweep, bool *locked, struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(sweep->connection,
                                            "SELECT pg_try_advisory_lock(" LOCK_CLASS
                                            ", hashtext($1::text || '/' || $2::text))",
                                            params, 2, false, &result, err);
    *locked = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return outcome;
}

/* All pages; again from the start as long as a pass got something in, as it may be a parent. */
static enum outcome try_all(struct sweep *sweep, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t got = 1; got && outcome == OUT_OK && !sweep_is_stopped(sweep);) {
        int32_t partition = -1;
        int64_t offset = -1;
        bool end = false;
        got = 0;
        while (!end && outcome == OUT_OK && !sweep_is_stopped(sweep))
            outcome = sweep_try_page(sweep, &partition, &offset, &got, &end, err);
    }
    return outcome;
}

static enum outcome count_waiting(struct sweep *sweep, struct pending_result *told,
                                  struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state IS NOT NULL)"
        "  FROM drover.waiting WHERE " SWEEP_OURS,
        params, 2, true, &result, err);
    if (outcome == OUT_OK) {
        told->waiting = (uint64_t)pg_wire_get_int8(result, 0, 0);
        told->more =
            (uint64_t)pg_wire_get_int8(result, 0, 1) > told->applied_count + told->orphan_count;
    }
    PQclear(result);
    return outcome;
}

static enum error_code code_of(struct bytes id)
{
    for (int code = 0; code <= ERR_INTERNAL; code++)
        if (bytes_equal(bytes_text(error_code_id((enum error_code)code)), id))
            return (enum error_code)code;
    return ERR_PG_DATA;
}

static void tell_orphan(const PGresult *result, int row, struct pending_orphan *orphan)
{
    *orphan = (struct pending_orphan){.partition = (int32_t)pg_wire_get_int8(result, row, 0),
                                      .offset = pg_wire_get_int8(result, row, 1),
                                      .tenant = pg_wire_get_bytes(result, row, 2),
                                      .entity = pg_wire_get_bytes(result, row, 3),
                                      .version = pg_wire_get_int8(result, row, 4)};
    if (!sweep_take_message(result, row, &orphan->message))
        orphan->message.header_count = 0;
    enum error_code code = code_of(pg_wire_get_bytes(result, row, 8));
    error_set(&orphan->err, OUT_REJECT, code, "%s", error_code_meaning(code));
    error_where(&orphan->err, "entity %.*s", BYTES_ARGS(orphan->entity));
}

/* Of a state; CLASS_DEAD when it is an error's code. */
static enum record_class class_of(struct bytes state)
{
    for (int i = 0; i < CLASS_DEAD; i++)
        if (bytes_equal(state, bytes_text(record_class_name((enum record_class)i))))
            return (enum record_class)i;
    return CLASS_DEAD;
}

static void tell_applied(const struct mapping_set *mappings, const PGresult *result, int row,
                         struct pending_applied *applied)
{
    struct envelope message;
    struct record record;
    *applied = (struct pending_applied){.the_class = class_of(pg_wire_get_bytes(result, row, 8)),
                                        .partition = (int32_t)pg_wire_get_int8(result, row, 0),
                                        .offset = pg_wire_get_int8(result, row, 1),
                                        .tenant = pg_wire_get_bytes(result, row, 2),
                                        .version = pg_wire_get_int8(result, row, 4)};
    applied->mapping = mapping_set_find(mappings, pg_wire_get_bytes(result, row, 3));
    if (sweep_take_message(result, row, &message) &&
        envelope_decode(&message, &record, NULL) == OUT_OK)
        applied->id = record.id;
}

/* The round that is open: what a crash kept from being forgotten is told first, as it was. Else a
 * new one of the next that are decided. 0: nothing to tell. */
static enum outcome open_round(struct sweep *sweep, int64_t *round, struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    *round = 0;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "WITH o AS (SELECT min(round) AS round, count(*) AS decided FROM drover.waiting"
        "            WHERE " SWEEP_OURS " AND state IS NOT NULL),"
        " n AS (UPDATE drover.sweep SET round = drover.sweep.round + 1 FROM o"
        "        WHERE " SWEEP_OURS " AND o.round IS NULL AND o.decided > 0"
        "        RETURNING drover.sweep.round AS round)"
        " SELECT coalesce(o.round, n.round, 0), (n.round IS NOT NULL)::int4"
        "   FROM o LEFT JOIN n ON true",
        params, 2, true, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    *round = pg_wire_get_int8(result, 0, 0);
    bool is_new = pg_wire_get_int8(result, 0, 1);
    PQclear(result);
    if (!is_new)
        return OUT_OK;
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, *round);
    const struct bytes with_round[] = {params[0], params[1], bytes_text(number)};
    /* Read once: without statistics PostgreSQL would read the page again for every row of it. */
    outcome = pg_session_query(
        sweep->connection,
        "WITH page AS MATERIALIZED (SELECT partition, \"offset\"" SWEEP_WITHIN(
            TELL_MAX, SWEEP_OURS " AND state IS NOT NULL") ")"
                                                           " UPDATE drover.waiting AS u SET "
                                                           "round = $3::text::int8 FROM page"
                                                           " WHERE " SWEEP_OURS
                                                           " AND u.partition = page.partition"
                                                           " AND u.\"offset\" = page.\"offset\"",
        with_round, 3, false, &result, err);
    PQclear(result);
    return outcome;
}

static enum outcome tell(struct sweep *sweep, struct pending_result *told, struct error *err)
{
    char round[24];
    PGresult *result = NULL;
    enum outcome outcome = open_round(sweep, &told->round, err);
    if (outcome != OUT_OK)
        return outcome;
    snprintf(round, sizeof round, "%" PRId64, told->round);
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic), bytes_text(round)};
    outcome = pg_session_query(sweep->connection,
                               "SELECT " SWEEP_COLUMNS " FROM drover.waiting WHERE " SWEEP_OURS
                               " AND round = $3::text::int8 ORDER BY partition, \"offset\"",
                               params, 3, true, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    int rows = PQntuples(result);
    told->memory = result;
    told->applied = mem_zeroed((size_t)rows + 1, sizeof *told->applied);
    told->orphans = mem_zeroed((size_t)rows + 1, sizeof *told->orphans);
    for (int row = 0; row < rows; row++) {
        if (class_of(pg_wire_get_bytes(result, row, 8)) != CLASS_DEAD)
            tell_applied(sweep->config->mappings, result, row,
                         &told->applied[told->applied_count++]);
        else
            tell_orphan(result, row, &told->orphans[told->orphan_count++]);
    }
    return count_waiting(sweep, told, err);
}

enum outcome pg_sweep_run(const struct pg_sweep_config *config, struct pending_result *result,
                          struct error *err)
{
    struct sweep sweep;
    bool locked = false;
    *result = (struct pending_result){0};
    enum outcome outcome = open_sweep(&sweep, config, err);
    if (outcome == OUT_OK)
        outcome = try_lock(&sweep, &locked, err);
    result->busy = outcome == OUT_OK && !locked;
    if (locked) {
        bool reached = false;
        outcome = sweep_begin_marks(&sweep, result, &reached, err);
        if (outcome == OUT_OK)
            outcome = try_all(&sweep, err);
        if (outcome == OUT_OK && reached && !sweep_is_stopped(&sweep))
            outcome = sweep_name_orphans(&sweep, err);
        if (outcome == OUT_OK)
            outcome = tell(&sweep, result, err);
        if (outcome == OUT_OK)
            outcome = sweep_purge(&sweep, &result->purged, err);
    }
    if (outcome == OUT_OK && result->round) {
        result->session = sweep.connection;
        sweep.connection = NULL;
    }
    close_sweep(&sweep);
    return outcome;
}

static void add_place(struct buf *numbers, struct buf *offsets, int32_t partition, int64_t offset)
{
    buf_append_format(numbers, "%s%d", numbers->size > 1 ? "," : "", partition);
    buf_append_format(offsets, "%s%" PRId64, offsets->size > 1 ? "," : "", offset);
}

static enum outcome forget(PGconn *connection, const struct pg_sweep_config *config,
                           const struct pending_result *result, uint64_t *removed,
                           struct error *err)
{
    struct buf numbers, offsets;
    buf_init(&numbers, 1u << 20);
    buf_init(&offsets, 1u << 20);
    buf_append_char(&numbers, '{');
    buf_append_char(&offsets, '{');
    for (size_t i = 0; i < result->applied_count; i++)
        add_place(&numbers, &offsets, result->applied[i].partition, result->applied[i].offset);
    for (size_t i = 0; i < result->orphan_count; i++)
        add_place(&numbers, &offsets, result->orphans[i].partition, result->orphans[i].offset);
    buf_append_char(&numbers, '}');
    buf_append_char(&offsets, '}');
    const struct bytes params[] = {bytes_text(config->group), bytes_text(config->topic),
                                   buf_view(&numbers), buf_view(&offsets)};
    PGresult *deleted = NULL;
    enum outcome outcome =
        pg_session_query(connection,
                         "DELETE FROM drover.waiting WHERE " SWEEP_OURS " AND state IS NOT NULL"
                         " AND (partition, \"offset\") IN (SELECT p, o FROM ROWS FROM "
                         "(unnest($3::text::int4[]), unnest($4::text::int8[])) AS u(p, o))",
                         params, 4, false, &deleted, err);
    if (outcome == OUT_OK)
        *removed = strtoull(PQcmdTuples(deleted), NULL, 10);
    PQclear(deleted);
    buf_free(&numbers);
    buf_free(&offsets);
    return outcome;
}

enum outcome pg_sweep_forget(const struct pg_sweep_config *config,
                             const struct pending_result *result, uint64_t *removed,
                             struct error *err)
{
    *removed = 0;
    if (!result->session)
        return OUT_OK;
    pg_cancel_watch(config->cancel, result->session);
    enum outcome outcome = forget(result->session, config, result, removed, err);
    pg_cancel_watch(config->cancel, NULL);
    return outcome;
}

void pg_sweep_result_free(struct pending_result *result)
{
    PQclear(result->memory);
    PQfinish(result->session);
    free(result->applied);
    free(result->orphans);
    *result = (struct pending_result){0};
}
