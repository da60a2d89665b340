/* A sweep of the waiting room: the lock, the passes, who is an orphan by now, and what is to be
 * told. */

#include "common/io/pg_parents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/pg_parents_core.h"
#include "common/io/pg_parents_park.h"
#include "common/io/pg_session.h"
#include "common/io/pg_wire.h"

#define CONNECT_MS 5000
#define MEMORY_MOST (512u << 20)
/* The first half of the advisory lock's key: this program's alone. */
#define LOCK_CLASS "7242026"
#define TELL_MOST "1000"

#define OURS "\"group\" = $1::text AND topic = $2::text"
bool parents_is_stopped(const struct sweep *sweep)
{
    return sweep->config->stop && atomic_load(sweep->config->stop);
}

struct bytes parents_bytes(const PGresult *result, int row, int column)
{
    return bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

bool parents_take_message(const PGresult *result, int row, struct envelope *message)
{
    message->key = parents_bytes(result, row, 5);
    message->null_value = PQgetisnull(result, row, 6);
    message->value = message->null_value ? (struct bytes){0} : parents_bytes(result, row, 6);
    return pg_parents_unpack_headers(parents_bytes(result, row, 7), message);
}

enum outcome parents_set_tenant(struct sweep *sweep, struct bytes tenant, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection, "SELECT pg_catalog.set_config('app.current_tenant_key', $1::text, true)",
        &tenant, 1, true, &result, err);
    PQclear(result);
    return outcome;
}

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

static enum outcome name_orphans(struct sweep *sweep, struct error *err)
{
    const struct parents_config *config = sweep->config;
    char wait_ms[24];
    PGresult *result = NULL;
    if (config->reading_ms < config->wait_ms || parents_is_stopped(sweep))
        return OUT_OK;
    snprintf(wait_ms, sizeof wait_ms, "%" PRIu64, config->wait_ms);
    const struct bytes params[] = {bytes_text(config->group), bytes_text(config->topic),
                                   bytes_text(wait_ms), bytes_text(error_code_id(ERR_PG_PARENT))};
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "UPDATE drover.waiting SET state = $4::text WHERE " OURS " AND state IS NULL"
        " AND since < clock_timestamp() - $3::text::int8 * interval '1 millisecond'",
        params, 4, false, &result, err);
    PQclear(result);
    return outcome;
}

static enum outcome count_waiting(struct sweep *sweep, struct parents_result *told,
                                  struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state IS NOT NULL)"
        "  FROM drover.waiting WHERE " OURS,
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

static void tell_orphan(const PGresult *result, int row, struct parents_orphan *orphan)
{
    *orphan = (struct parents_orphan){.partition = (int32_t)pg_wire_get_int8(result, row, 0),
                                      .offset = pg_wire_get_int8(result, row, 1),
                                      .tenant = parents_bytes(result, row, 2),
                                      .entity = parents_bytes(result, row, 3)};
    if (!parents_take_message(result, row, &orphan->message))
        orphan->message.header_count = 0;
    enum error_code code = code_of(parents_bytes(result, row, 8));
    error_set(&orphan->err, OUT_REJECT, code, "%s", error_code_meaning(code));
    error_where(&orphan->err, "entity %.*s", BYTES_ARGS(orphan->entity));
}

static void tell_applied(const struct mapping_set *mappings, const PGresult *result, int row,
                         struct parents_applied *applied)
{
    struct envelope message;
    struct record record;
    *applied = (struct parents_applied){.partition = (int32_t)pg_wire_get_int8(result, row, 0),
                                        .offset = pg_wire_get_int8(result, row, 1),
                                        .tenant = parents_bytes(result, row, 2),
                                        .version = pg_wire_get_int8(result, row, 4)};
    applied->mapping = mapping_set_find(mappings, parents_bytes(result, row, 3));
    if (parents_take_message(result, row, &message) &&
        envelope_decode(&message, &record, NULL) == OUT_OK)
        applied->id = record.id;
}

static enum outcome tell(struct sweep *sweep, struct parents_result *told, struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT " PARENTS_COLUMNS PARENTS_WITHIN(TELL_MOST, OURS " AND state IS NOT NULL"), params,
        2, true, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    int rows = PQntuples(result);
    told->memory = result;
    told->applied = calloc((size_t)rows + 1, sizeof *told->applied);
    told->orphans = calloc((size_t)rows + 1, sizeof *told->orphans);
    if (!told->applied || !told->orphans)
        abort();
    for (int row = 0; row < rows; row++) {
        if (bytes_equal(parents_bytes(result, row, 8), BYTES_LITERAL("applied")))
            tell_applied(sweep->config->mappings, result, row,
                         &told->applied[told->applied_count++]);
        else
            tell_orphan(result, row, &told->orphans[told->orphan_count++]);
    }
    return count_waiting(sweep, told, err);
}

enum outcome pg_parents_sweep(const struct parents_config *config, struct parents_result *result,
                              struct error *err)
{
    struct sweep sweep;
    bool locked = false;
    *result = (struct parents_result){0};
    enum outcome outcome = open_sweep(&sweep, config, err);
    if (outcome == OUT_OK)
        outcome = try_lock(&sweep, &locked, err);
    result->busy = outcome == OUT_OK && !locked;
    if (locked) {
        outcome = try_all(&sweep, err);
        if (outcome == OUT_OK)
            outcome = name_orphans(&sweep, err);
        if (outcome == OUT_OK)
            outcome = tell(&sweep, result, err);
        if (outcome == OUT_OK)
            outcome = parents_purge(&sweep, &result->purged, err);
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
                           const struct parents_result *result, struct error *err)
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
                         "DELETE FROM drover.waiting WHERE " OURS " AND state IS NOT NULL"
                         " AND (partition, \"offset\") IN (SELECT p, o FROM ROWS FROM "
                         "(unnest($3::text::int4[]), unnest($4::text::int8[])) AS u(p, o))",
                         params, 4, false, &deleted, err);
    PQclear(deleted);
    buf_free(&numbers);
    buf_free(&offsets);
    return outcome;
}

enum outcome pg_parents_forget(const struct parents_config *config,
                               const struct parents_result *result, struct error *err)
{
    PGconn *connection = NULL;
    if (result->applied_count + result->orphan_count == 0)
        return OUT_OK;
    enum outcome outcome =
        pg_session_open(config->url, config->role, "drover-parents", CONNECT_MS, &connection, err);
    pg_cutoff_watch(config->cutoff, connection);
    if (outcome == OUT_OK)
        outcome = forget(connection, config, result, err);
    pg_cutoff_watch(config->cutoff, NULL);
    PQfinish(connection);
    return outcome;
}

void pg_parents_result_free(struct parents_result *result)
{
    PQclear(result->memory);
    free(result->applied);
    free(result->orphans);
    *result = (struct parents_result){0};
}
