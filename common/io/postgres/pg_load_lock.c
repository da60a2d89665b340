/* See the header. */
#include "common/io/postgres/pg_load_lock.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/io/clock.h"
#include "common/io/postgres/pg_load.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_sql.h"

enum {
    TEXT_LIMIT = 1 << 20,
    PATIENCE_MS = 600000,
    PAUSE_MAX_MS = 15000,
};

static void append_lock(struct buf *sql, const struct mapping *mapping)
{
    schema_sql_append(sql, "LOCK TABLE %i.%i IN ACCESS EXCLUSIVE MODE", mapping->schema,
                      mapping->table);
}

enum outcome pg_load_lock(PGconn *session, const struct mapping *mapping, struct error *err)
{
    struct buf sql;
    buf_init(&sql, 512);
    append_lock(&sql, mapping);
    enum outcome outcome = pg_session_run(session, buf_text(&sql), err);
    buf_free(&sql);
    return outcome;
}

/* "held by pid 4711 (user shop, idle in transaction for 310 s)". Other users' sessions show no
 * state to whoever is not a member of pg_read_all_stats. */
static void ask_blockers(PGconn *session, const struct mapping *mapping, char *out, size_t size)
{
    struct buf table;
    PGresult *result = NULL;
    buf_init(&table, 512);
    schema_sql_table_name(&table, mapping);
    const struct bytes params[] = {buf_view(&table)};
    snprintf(out, size, "held by others");
    enum outcome outcome = pg_session_query(
        session,
        "SELECT string_agg(format('pid %s (user %s%s)', l.pid, a.usename, CASE WHEN a.state IS NULL"
        " THEN '' ELSE format(', %s for %s s', a.state, extract(epoch FROM clock_timestamp() -"
        " a.xact_start)::bigint) END), ', ' ORDER BY l.pid) FROM pg_locks AS l JOIN "
        "pg_stat_activity AS a ON a.pid = l.pid"
        " WHERE l.granted AND l.pid <> pg_backend_pid() AND l.locktype = 'relation' AND"
        " l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"
        " AND l.relation = $1::text::regclass",
        params, 1, false, &result, NULL);
    if (outcome == OUT_OK && !PQgetisnull(result, 0, 0))
        snprintf(out, size, "held by %s", PQgetvalue(result, 0, 0));
    PQclear(result);
    buf_free(&table);
}

static enum outcome try_lock(PGconn *session, const struct mapping *mapping, bool *held,
                             struct error *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    buf_append_text(&sql, "SAVEPOINT load_lock; SET LOCAL lock_timeout = '2s'; ");
    append_lock(&sql, mapping);
    enum outcome outcome = pg_session_run(session, buf_text(&sql), err);
    buf_free(&sql);
    *held = outcome == OUT_RETRY && PQstatus(session) == CONNECTION_OK &&
            strncmp(err->cause, "55P03", 5) == 0;
    return *held ? pg_session_run(session, "ROLLBACK TO SAVEPOINT load_lock", err) : outcome;
}

/* On the server: a session that is idle in its transaction is ended. */
static enum outcome pause_for(PGconn *session, uint64_t pause_ms, struct error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT pg_sleep(%llu * 0.001)", (unsigned long long)pause_ms);
    return pg_session_run(session, sql, err);
}

static enum outcome refuse(const struct mapping *mapping, const char *who, struct error *err)
{
    error_set(err, OUT_RETRY, ERR_PG_TRANSIENT,
              "what was loaded cannot be put in the table's place yet: the table is %s", who);
    error_where(err, "%s.%s", mapping->schema, mapping->table);
    error_hint(err, "end these sessions, or wait for them");
    return OUT_RETRY;
}

enum outcome pg_load_lock_patiently(PGconn *session, const struct mapping *mapping,
                                    const struct pg_load_waiting *waiting, struct error *err)
{
    char who[200];
    bool held = false;
    uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS, pause_ms = 500;
    enum outcome outcome = try_lock(session, mapping, &held, err);
    while (outcome == OUT_OK && held) {
        ask_blockers(session, mapping, who, sizeof who);
        (void)!refuse(mapping, who, err);
        if (clock_monotonic_ms() >= end_ms)
            return OUT_RETRY;
        waiting->say(waiting->owner, err);
        outcome = pause_for(session, pause_ms, err);
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
        if (outcome == OUT_OK)
            outcome = try_lock(session, mapping, &held, err);
    }
    return outcome;
}
