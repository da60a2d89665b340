/* A sweep of the waiting room: the lock, the passes, who is an orphan by now, and what is to be
 * told. */

#include "common/io/postgres/pg_parents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_parents_core.h"
#include "common/io/postgres/pg_parents_park.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_wire.h"

#define CONNECT_MS 5000
#define MEMORY_MOST (512u << 20)
/* The first half of the advisory lock's key: this program's alone. */
#define LOCK_CLASS "7242026"
#define TELL_MOST "1000"

static enum outcome open_sweep(struct sweep *sweep, const struct parents_config *config,
                               struct error *err)
{
    *sweep = (struct sweep){.config = config};
    sweep->upserts = calloc(config->mappings->count + 1, sizeof *sweep->upserts);
    if (!sweep->upserts)
        abort();
    mapping_work_init(&sweep->work);
    buf_init(&sweep->memory, MEMORY_MOST);
    enum outcome outcome = pg_session_open(config->url, config->role, "drover-parents", CONNECT_MS,
                                           &sweep->connection, err);
    pg_cutoff_watch(config->cutoff, sweep->connection);
    return outcome;
}

static void close_sweep(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->config->mappings->count; i++)
        pg_upsert_free(sweep->upserts[i]);
    free(sweep->upserts);
    mapping_work_free(&sweep->work);
    buf_free(&sweep->memory);
    pg_cutoff_watch(sweep->config->cutoff, NULL);
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
    for (size_t got = 1; got && outcome == OUT_OK && !parents_is_stopped(sweep);) {
        int32_t partition = -1;
        int64_t offset = -1;
        bool end = false;
        got = 0;
        while (!end && outcome == OUT_OK && !parents_is_stopped(sweep))
            outcome = parents_try_page(sweep, &partition, &offset, &got, &end, err);
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
        "  FROM drover.waiting WHERE " PARENTS_OURS,
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
                                      .tenant = parents_bytes(result, row, 2),
                                      .entity = parents_bytes(result, row, 3)};
    if (!parents_take_message(result, row, &orphan->message))
        orphan->message.header_count = 0;
    enum error_code code = code_of(parents_bytes(result, row, 8));
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
    *applied = (struct pending_applied){.the_class = class_of(parents_bytes(result, row, 8)),
                                        .partition = (int32_t)pg_wire_get_int8(result, row, 0),
                                        .offset = pg_wire_get_int8(result, row, 1),
                                        .tenant = parents_bytes(result, row, 2),
                                        .version = pg_wire_get_int8(result, row, 4)};
    applied->mapping = mapping_set_find(mappings, parents_bytes(result, row, 3));
    if (parents_take_message(result, row, &message) &&
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
        "            WHERE " PARENTS_OURS " AND state IS NOT NULL),"
        " n AS (UPDATE drover.sweep SET round = drover.sweep.round + 1 FROM o"
        "        WHERE " PARENTS_OURS " AND o.round IS NULL AND o.decided > 0"
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
        "WITH page AS MATERIALIZED (SELECT partition, \"offset\"" PARENTS_WITHIN(
            TELL_MOST, PARENTS_OURS " AND state IS NOT NULL") ")"
                                                              " UPDATE drover.waiting AS u SET "
                                                              "round = $3::text::int8 FROM page"
                                                              " WHERE " PARENTS_OURS
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
                               "SELECT " PARENTS_COLUMNS " FROM drover.waiting WHERE " PARENTS_OURS
                               " AND round = $3::text::int8 ORDER BY partition, \"offset\"",
                               params, 3, true, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    int rows = PQntuples(result);
    told->memory = result;
    told->applied = calloc((size_t)rows + 1, sizeof *told->applied);
    told->orphans = calloc((size_t)rows + 1, sizeof *told->orphans);
    if (!told->applied || !told->orphans)
        abort();
    for (int row = 0; row < rows; row++) {
        if (class_of(parents_bytes(result, row, 8)) != CLASS_DEAD)
            tell_applied(sweep->config->mappings, result, row,
                         &told->applied[told->applied_count++]);
        else
            tell_orphan(result, row, &told->orphans[told->orphan_count++]);
    }
    return count_waiting(sweep, told, err);
}

enum outcome pg_parents_sweep(const struct parents_config *config, struct pending_result *result,
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
        outcome = parents_begin_marks(&sweep, result, &reached, err);
        if (outcome == OUT_OK)
            outcome = try_all(&sweep, err);
        if (outcome == OUT_OK && reached && !parents_is_stopped(&sweep))
            outcome = parents_name_orphans(&sweep, err);
        if (outcome == OUT_OK)
            outcome = tell(&sweep, result, err);
        if (outcome == OUT_OK)
            outcome = parents_purge(&sweep, &result->purged, err);
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

static enum outcome forget(PGconn *connection, const struct parents_config *config,
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
                         "DELETE FROM drover.waiting WHERE " PARENTS_OURS " AND state IS NOT NULL"
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

enum outcome pg_parents_forget(const struct parents_config *config,
                               const struct pending_result *result, uint64_t *removed,
                               struct error *err)
{
    *removed = 0;
    if (!result->session)
        return OUT_OK;
    pg_cutoff_watch(config->cutoff, result->session);
    enum outcome outcome = forget(result->session, config, result, removed, err);
    pg_cutoff_watch(config->cutoff, NULL);
    return outcome;
}

void pg_parents_result_free(struct pending_result *result)
{
    PQclear(result->memory);
    PQfinish(result->session);
    free(result->applied);
    free(result->orphans);
    *result = (struct pending_result){0};
}
