#include "common/io/postgres/pg_gate.h"

#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/postgres/pg_session.h"
#include "common/policy/backoff.h"

#define CONNECT_MS 10000 /* one connection attempt */

/*
 * A view runs with its owner's rights unless it is a security_invoker (PostgreSQL 15); before 15,
 * one owned by a role that policies bind is all that can be asked for. A materialized view holds
 * rows that no policy ever sees.
 */
static const char OPEN_RELATIONS[] =
    "SELECT string_agg(format('%s %s %s', kind, relation, fault), '; '), count(*) FROM ("
    " SELECT c.oid::regclass::text AS relation,"
    "   CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END AS "
    "kind,"
    "   CASE WHEN c.relkind = 'm' THEN 'keeps rows outside any policy'"
    "        WHEN c.relkind = 'v' THEN 'is not a security_invoker'"
    "        WHEN NOT c.relrowsecurity THEN 'has row level security disabled'"
    "        ELSE 'does not FORCE row level security' END AS fault"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_roles o ON o.oid = "
    "c.relowner"
    " WHERE a.attname = 'isolation_key' AND NOT a.attisdropped"
    "   AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%'"
    "                                 OR nspname = 'information_schema')"
    /* load tables have no policy, as COPY is refused under one: nobody but their owner reads them
     * (model/schema/schema_load.h) */
    "   AND NOT (c.relnamespace = coalesce(to_regnamespace('drover_load'), 0::oid)"
    "            AND NOT EXISTS (SELECT FROM aclexplode(c.relacl) AS a"
    "              WHERE a.grantee <> c.relowner AND a.privilege_type <> 'INSERT'))"
    "   AND CASE c.relkind"
    "       WHEN 'r' THEN NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    "       WHEN 'p' THEN NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    "       WHEN 'm' THEN true"
    "       WHEN 'v' THEN CASE WHEN current_setting('server_version_num')::int >= 150000"
    "         THEN NOT coalesce((SELECT bool_or(option_value::boolean)"
    "              FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker'),"
    "              false)"
    "         ELSE o.rolsuper OR o.rolbypassrls END"
    "       ELSE false END"
    " ORDER BY 1) AS open_relation";

/* OUT_FATAL DRV-X001 naming the relations. */
static enum outcome check_relations(PGconn *connection, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(connection, OPEN_RELATIONS, NULL, 0, false, &result, err);
    if (outcome == OUT_OK && !PQgetisnull(result, 0, 0)) {
        outcome = error_set(err, OUT_FATAL, ERR_RLS, "%s", PQgetvalue(result, 0, 0));
        error_where(err, "database %s", PQdb(connection));
        error_hint(err,
                   "drover schema apply repairs the mappings' tables; protect or remove the others "
                   "(views: WITH (security_invoker = true))");
    }
    PQclear(result);
    return outcome;
}

enum outcome pg_gate_check(PGconn *connection, struct error *err)
{
    enum outcome outcome = pg_session_check_role(connection, err);
    return outcome == OUT_OK ? check_relations(connection, err) : outcome;
}

enum outcome pg_gate_pass(const struct settings *settings, uint64_t wait_ms, PGconn **session,
                          struct error *err)
{
    enum outcome outcome;
    struct backoff backoff = BACKOFF_CONNECTION;
    uint64_t began_ms = clock_monotonic_ms();
    *session = NULL;
    if (!settings->database_url)
        return error_set(err, OUT_FATAL, ERR_CONF_MISSING, "database.url is not set");
    while ((outcome = pg_session_open(settings->database_url, settings->worker_role,
                                      "drover-worker", CONNECT_MS, session, err)) == OUT_RETRY) {
        if (clock_monotonic_ms() - began_ms > wait_ms)
            return OUT_FATAL;
        usleep(1000 * backoff_next_ms(&backoff, UINT32_MAX / 2));
    }
    if (outcome == OUT_OK)
        outcome = pg_gate_check(*session, err);
    if (outcome != OUT_OK) {
        PQfinish(*session);
        *session = NULL;
    }
    return outcome;
}
