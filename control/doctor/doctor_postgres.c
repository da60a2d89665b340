/* The server, then the gates with each role, then what the schema lacks. */
#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_session.h"
#include "control/doctor/doctor.h"
#include "control/schema/schema_apply.h"

enum { CONNECT_MS = 5000 };

/* The version as its maker writes it, without the distribution's addition. */
static void say_server(struct doctor *doctor, PGconn *connection)
{
    const char *version = PQparameterStatus(connection, "server_version");
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    int size = version ? (int)strcspn(version, " ") : 0;
    struct error err = {0};
    if (PQserverVersion(connection) < 140000 || !encoding || strcmp(encoding, "UTF8") != 0) {
        error_set(&err, OUT_FATAL, ERR_PG_VERSION, "PostgreSQL %.*s with encoding %s will not do",
                  size, version ? version : "", encoding ? encoding : "unknown");
        doctor_say_error(doctor, FINDING_PROBLEM, "postgres", &err);
        return;
    }
    doctor_say(doctor, FINDING_OK, "postgres", NULL, "%.*s as %s@%s · %s", size,
               version ? version : "", PQuser(connection), PQdb(connection), encoding);
}

/* Logs in as the role does and passes the gate (FAULTS I01 to I03). */
static bool check_role(struct doctor *doctor, const char *role, const char *command)
{
    struct error err = {0};
    PGconn *connection = NULL;
    enum outcome outcome = pg_session_open(doctor->settings->database_url, role, "drover-doctor",
                                           CONNECT_MS, &connection, &err);
    if (outcome == OUT_OK)
        outcome = pg_gate_check(connection, &err);
    if (outcome == OUT_OK)
        doctor_say(doctor, FINDING_OK, "postgres", NULL,
                   "role %s (drover %s) is bound by row level security",
                   role && role[0] ? role : PQuser(connection), command);
    else if (err.code == ERR_PG_SCHEMA)
        doctor_say(doctor, FINDING_WARNING, "postgres", "drover schema apply", "%s", err.text);
    else
        doctor_say_error(doctor, FINDING_PROBLEM, "postgres", &err);
    PQfinish(connection);
    return outcome == OUT_OK;
}

/* What `schema apply` would do is exactly what is missing. */
static void check_schema(struct doctor *doctor)
{
    if (doctor->mappings.count == 0)
        return;
    struct settings settings = *doctor->settings;
    settings.dry_run = true;
    struct schema_apply apply;
    struct error err = {0};
    enum outcome outcome = schema_apply_run(&settings, &doctor->mappings, &apply, &err);
    const char *changes = buf_text(&apply.changes);
    if (outcome != OUT_OK)
        doctor_say_error(doctor, err.code == ERR_PG_PERMISSION ? FINDING_WARNING : FINDING_PROBLEM,
                         "postgres", &err);
    else if (apply.count)
        doctor_say(doctor, FINDING_WARNING, "postgres", "drover schema apply",
                   "schema: %zu change%s needed: %.*s%s", apply.count, apply.count == 1 ? "" : "s",
                   (int)strcspn(changes, "\n"), changes, apply.count > 1 ? ", …" : "");
    else
        doctor_say(doctor, FINDING_OK, "postgres", NULL,
                   "schema is up to date: %zu table%s, policies, functions", doctor->mappings.count,
                   doctor->mappings.count == 1 ? "" : "s");
    schema_apply_free(&apply);
}

/* Policies add up: one more that lets a row through lets it through (permissive is the default). */
static void check_policies(struct doctor *doctor, PGconn *connection)
{
    for (size_t i = 0; i < doctor->mappings.count; i++) {
        const struct mapping *mapping = doctor->mappings.items[i];
        struct buf table;
        buf_init(&table, 512);
        schema_sql_table_name(&table, mapping);
        const struct bytes params[] = {buf_view(&table)};
        PGresult *result = NULL;
        struct error err = {0};
        enum outcome outcome = pg_session_query(
            connection,
            "SELECT string_agg(polname, ', ' ORDER BY polname) FROM pg_policy"
            " WHERE polrelid = to_regclass($1::text) AND polpermissive"
            "   AND polname NOT IN ('drover_tenant', 'drover_worker', 'drover_verifier')",
            params, 1, false, &result, &err);
        if (outcome == OUT_OK && !PQgetisnull(result, 0, 0))
            doctor_say(doctor, FINDING_WARNING, "postgres",
                       "make it RESTRICTIVE or drop it, unless it is meant to open the table",
                       "%s.%s has further policies, and permissive ones add up: %s",
                       mapping->schema, mapping->table, PQgetvalue(result, 0, 0));
        PQclear(result);
        buf_free(&table);
    }
}

void doctor_check_postgres(struct doctor *doctor)
{
    const struct settings *settings = doctor->settings;
    struct error err = {0};
    PGconn *connection = NULL;
    if (pg_session_open(settings->database_url, "", "drover-doctor", CONNECT_MS, &connection,
                        &err) != OUT_OK) {
        doctor_say_error(doctor, FINDING_PROBLEM, "postgres", &err);
        return;
    }
    say_server(doctor, connection);
    check_policies(doctor, connection);
    PQfinish(connection);
    check_role(doctor, settings->worker_role, "work");
    check_role(doctor, settings->verifier_role, "verify");
    check_schema(doctor);
}
