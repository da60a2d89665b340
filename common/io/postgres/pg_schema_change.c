/* One change of the schema, or one question: what the parts of an apply are made of. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_schema.h"

enum { TEXT_LIMIT = 1 << 20 };

enum outcome pg_schema_change(struct pg_schema *apply, const char *sql, struct error *err,
                              const char *line, ...)
{
    char text[400];
    va_list args;
    va_start(args, line);
    vsnprintf(text, sizeof(text), line, args);
    va_end(args);
    enum outcome outcome = pg_session_run(apply->connection, sql, err);
    if (outcome != OUT_OK) {
        error_hint(err, "this was the step: %s", text);
        return outcome;
    }
    buf_append_format(&apply->changes, "%s\n", text);
    apply->count++;
    return OUT_OK;
}

enum outcome pg_schema_ask(struct pg_schema *apply, const char *sql, const struct bytes *params,
                           size_t count, struct buf *answer, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(apply->connection, sql, params, count, false, &result, err);
    buf_reset(answer);
    if (outcome == OUT_OK && PQntuples(result) > 0)
        buf_append_text(answer, PQgetvalue(result, 0, 0));
    PQclear(result);
    return outcome;
}

static enum outcome grant_usage(struct pg_schema *apply, const char *schema, const char *role,
                                struct error *err)
{
    const struct bytes params[] = {bytes_text(role), bytes_text(schema)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply, "SELECT has_schema_privilege($1::text::name, $2::text, 'USAGE')",
                      params, 2, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "t") != 0) {
        buf_reset(&text);
        buf_append_text(&text, "GRANT USAGE ON SCHEMA ");
        schema_sql_identifier(&text, schema);
        buf_append_text(&text, " TO ");
        schema_sql_identifier(&text, role);
        outcome = pg_schema_change(apply, buf_text(&text), err, "grant usage of schema %s to %s",
                                   schema, role);
    }
    buf_free(&text);
    return outcome;
}

enum outcome pg_schema_namespace(struct pg_schema *apply, const char *schema, struct error *err)
{
    const struct bytes params[] = {bytes_text(schema)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = pg_schema_ask(
        apply, "SELECT oid FROM pg_namespace WHERE nspname = $1::text", params, 1, &text, err);
    if (outcome == OUT_OK && text.size == 0) {
        schema_sql_namespace(&text, schema, &apply->roles);
        outcome = pg_schema_change(apply, buf_text(&text), err, "create schema %s", schema);
    }
    buf_free(&text);
    if (outcome == OUT_OK)
        outcome = grant_usage(apply, schema, apply->roles.worker, err);
    if (outcome == OUT_OK)
        outcome = grant_usage(apply, schema, apply->roles.verifier, err);
    return outcome;
}

enum outcome pg_schema_grant(struct pg_schema *apply, const char *rights, const char *table,
                             const char *role, struct error *err)
{
    const struct bytes params[] = {bytes_text(role), bytes_text(table), bytes_text(rights)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply,
                      "SELECT bool_and(has_table_privilege($1::text::name, $2::text, one))"
                      "  FROM unnest(string_to_array($3::text, ', ')) AS one",
                      params, 3, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "t") != 0) {
        buf_reset(&text);
        buf_append_format(&text, "GRANT %s ON %s TO ", rights, table);
        schema_sql_identifier(&text, role);
        outcome = pg_schema_change(apply, buf_text(&text), err, "grant %s on %s to %s", rights,
                                   table, role);
    }
    buf_free(&text);
    return outcome;
}

enum outcome pg_schema_drop_twin(struct pg_schema *apply, const char *twin, struct error *err)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "DROP TABLE %s", twin);
    return pg_session_run(apply->connection, sql, err);
}
