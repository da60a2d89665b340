/*
 * A load that is given up. What was appended is in no table, so it has to be read again: the
 * group's checkpoints go back to where they stood when the first of its open loads began, offsets
 * and what is kept with them (drover.load.starts), in the transaction that drops the load tables.
 * A newer epoch keeps out who still works behind them.
 */
#include "common/io/postgres/pg_load.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_load.h"

enum { CONNECT_MS = 10000, TEXT_LIMIT = 1 << 20 };

/* Later batches are refused; those that had passed the fence are waited for, and committed. */
static enum outcome keep_workers_out(PGconn *session, struct bytes group, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        session,
        "UPDATE drover.load SET state = 'finalising', changed_at = clock_timestamp()"
        " WHERE \"group\" = $1::text AND state = 'loading'",
        &group, 1, false, &result, err);
    PQclear(result);
    if (outcome != OUT_OK)
        return outcome;
    outcome =
        pg_session_query(session,
                         "SELECT pg_advisory_xact_lock(" PG_LOAD_LOCK ", l.number) FROM"
                         " drover.load AS l WHERE l.\"group\" = $1::text AND l.state <> 'done'",
                         &group, 1, false, &result, err);
    PQclear(result);
    return outcome;
}

/* The load table goes, and the workers' role has its rights on the table again. */
static enum outcome give_up(PGconn *session, const struct mapping_set *mappings,
                            const struct schema_roles *roles, const PGresult *rows, int row,
                            struct error *err)
{
    const char *schema = PQgetvalue(rows, row, 1), *name = PQgetvalue(rows, row, 2);
    const struct mapping *mapping = mapping_set_find_table(mappings, schema, name);
    int number = (int)strtol(PQgetvalue(rows, row, 0), NULL, 10);
    struct buf sql, table;
    if (!mapping) {
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_MAPPING, "no mapping has the table that is being loaded");
        error_where(err, "%s.%s", schema, name);
        error_hint(err, "name the mapping that its load began with (-m FILE)");
        return outcome;
    }
    buf_init(&sql, TEXT_LIMIT);
    buf_init(&table, 512);
    schema_sql_table_name(&table, mapping);
    buf_append_text(&sql, "DROP TABLE IF EXISTS ");
    schema_load_name(&sql, number);
    buf_append_text(&sql, ";\n");
    schema_sql_grants(&sql, buf_text(&table), schema_worker_rights(mapping), roles);
    buf_append_format(&sql,
                      "DELETE FROM drover.load_refused WHERE number = %d;\n"
                      "DELETE FROM drover.load_appended WHERE number = %d;\n"
                      "DELETE FROM drover.load WHERE number = %d;\n",
                      number, number, number);
    enum outcome outcome = pg_session_run(session, buf_text(&sql), err);
    if (outcome != OUT_OK && err && !err->where[0])
        error_where(err, "%s.%s", schema, name);
    buf_free(&table);
    buf_free(&sql);
    return outcome;
}

/* $1 the group, $2 its first open load, whose row is still there: topic, partition, next_offset,
 * sequences of each partition. One that is not among them had not been claimed then. */
static const char GO_BACK[] =
    "WITH s AS (SELECT p.topic, p.partition, p.next_offset AS was,"
    "   coalesce((e.part ->> 2)::bigint, 0) AS next, coalesce(e.part -> 3, '{}'::jsonb) AS "
    "sequences"
    "   FROM drover.partition_progress AS p LEFT JOIN LATERAL (SELECT x AS part FROM drover.load AS"
    "     l, jsonb_array_elements(l.starts) AS x WHERE l.number = $2::text::int"
    "     AND x ->> 0 = p.topic AND (x ->> 1)::int = p.partition) AS e ON true"
    "   WHERE p.\"group\" = $1::text FOR UPDATE OF p),"
    " gone_back AS (UPDATE drover.partition_progress AS p SET next_offset = s.next,"
    "   results_next = least(p.results_next, s.next), redis_next = least(p.redis_next, s.next),"
    "   sequences = s.sequences, epoch = p.epoch + 1, owner = NULL, updated_at = clock_timestamp()"
    "   FROM s WHERE p.\"group\" = $1::text AND p.topic = s.topic AND p.partition = s.partition"
    "   AND s.was > s.next RETURNING s.was - s.next AS records)"
    " SELECT count(*), coalesce(sum(records), 0) FROM gone_back";

static enum outcome go_back(PGconn *session, struct bytes group, const char *first,
                            struct pg_load_abort *done, struct error *err)
{
    const struct bytes params[] = {group, bytes_text(first)};
    int64_t partitions = 0, records = 0;
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(session, GO_BACK, params, 2, false, &result, err);
    if (outcome == OUT_OK && text_parse_int64(bytes_text(PQgetvalue(result, 0, 0)), &partitions) &&
        text_parse_int64(bytes_text(PQgetvalue(result, 0, 1)), &records)) {
        done->partitions = (uint64_t)partitions;
        done->records = (uint64_t)records;
    }
    PQclear(result);
    return outcome;
}

/* A finish that is at work has the rows: it is waited for, as long as lock_timeout says. */
static enum outcome abort_all(PGconn *session, const struct settings *settings,
                              const struct mapping_set *mappings, struct pg_load_abort *done,
                              struct error *err)
{
    const struct bytes group = bytes_text(settings->group);
    const struct schema_roles roles = pg_schema_roles(settings);
    PGresult *rows = NULL;
    enum outcome outcome = pg_session_query(
        session,
        "SELECT number, table_schema, table_name FROM drover.load WHERE \"group\" ="
        " $1::text AND state <> 'done' ORDER BY number FOR UPDATE",
        &group, 1, false, &rows, err);
    if (outcome == OUT_OK && PQntuples(rows))
        outcome = go_back(session, group, PQgetvalue(rows, 0, 0), done, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(rows); row++) {
        outcome = give_up(session, mappings, &roles, rows, row, err);
        buf_append_format(&done->tables, "%s.%s\n", PQgetvalue(rows, row, 1),
                          PQgetvalue(rows, row, 2));
    }
    PQclear(rows);
    return outcome;
}

enum outcome pg_load_abort(const struct settings *settings, const struct mapping_set *mappings,
                           struct pg_load_abort *done, struct error *err)
{
    PGconn *session = NULL;
    *done = (struct pg_load_abort){0};
    buf_init(&done->tables, TEXT_LIMIT);
    enum outcome outcome =
        pg_session_open(settings->database_url, "", "drover-load", CONNECT_MS, &session, err);
    if (outcome == OUT_OK)
        outcome = keep_workers_out(session, bytes_text(settings->group), err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(session, "BEGIN", err);
    if (outcome == OUT_OK)
        outcome = abort_all(session, settings, mappings, done, err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(session, "COMMIT", err); /* else the session's end takes it back */
    PQfinish(session);
    return outcome;
}

void pg_load_abort_free(struct pg_load_abort *done)
{
    buf_free(&done->tables);
}
