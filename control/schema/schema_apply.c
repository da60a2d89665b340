#include "control/schema/schema_apply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_session.h"
#include "common/io/stores.h"

enum {
    CONNECT_MS = 10000,
    TEXT_LIMIT = 1 << 20,
    ATTEMPTS = 3,
    OLDEST_SERVER = 140000,
    PER_GRANT_OPTIONS = 160000, /* GRANT … WITH INHERIT FALSE */
};

/* Two applies at once would both see a table missing. The number is this program's alone. */
#define LOCK "SELECT pg_catalog.pg_advisory_xact_lock(7242026112100)"

struct schema_roles schema_apply_roles(const struct settings *settings)
{
    bool worker = settings->worker_role && settings->worker_role[0];
    bool verifier = settings->verifier_role && settings->verifier_role[0];
    return (struct schema_roles){
        .worker = worker ? settings->worker_role : "drover_worker",
        .verifier = verifier ? settings->verifier_role : "drover_verifier",
    };
}

static enum outcome refuse_strong_role(const char *role, struct error *err)
{
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_RLS,
                                     "the role %s is a superuser or has BYPASSRLS: no policy would "
                                     "hold it",
                                     role);
    error_hint(err, "ALTER ROLE \"%s\" NOSUPERUSER NOBYPASSRLS", role);
    return outcome;
}

/* The login user must be able to become the role. Without inheriting from it where that can be
 * said, as it would otherwise act under the role's policies without becoming it. */
static enum outcome join_role(struct schema_apply *apply, const char *role, struct error *err)
{
    bool options = PQserverVersion(apply->connection) >= PER_GRANT_OPTIONS;
    const struct bytes params[] = {bytes_text(role), bytes_text(options ? "SET" : "MEMBER")};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = schema_apply_ask(
        apply, "SELECT pg_has_role(current_user, $1::text::name, $2::text)", params, 2, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "f") == 0) {
        buf_reset(&text);
        buf_append_text(&text, "GRANT ");
        schema_sql_identifier(&text, role);
        buf_append_format(&text, " TO CURRENT_USER%s",
                          options ? " WITH INHERIT FALSE, SET TRUE" : "");
        outcome = schema_apply_change(apply, buf_text(&text), err, "let %s take the role %s",
                                      PQuser(apply->connection), role);
    }
    buf_free(&text);
    return outcome;
}

static enum outcome apply_role(struct schema_apply *apply, const char *role, struct error *err)
{
    const struct bytes params[] = {bytes_text(role)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = schema_apply_ask(
        apply, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1::text", params, 1,
        &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "t") == 0) {
        outcome = refuse_strong_role(role, err);
    } else if (outcome == OUT_OK && text.size == 0) {
        buf_reset(&text);
        schema_sql_role(&text, role);
        outcome = schema_apply_change(apply, buf_text(&text), err, "create role %s", role);
    }
    buf_free(&text);
    return outcome == OUT_OK ? join_role(apply, role, err) : outcome;
}

static enum outcome apply_core_table(struct schema_apply *apply,
                                     const struct schema_core_table *table, struct error *err)
{
    char name[128], twin[128];
    snprintf(name, sizeof(name), "drover.%s", table->name);
    snprintf(twin, sizeof(twin), "pg_temp.%s", table->name);
    const struct bytes params[] = {bytes_text(name)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        schema_apply_ask(apply, "SELECT to_regclass($1::text)", params, 1, &text, err);
    bool missing = text.size == 0;
    buf_reset(&text);
    schema_core_table_sql(&text, table, missing ? "drover" : "pg_temp");
    if (missing)
        schema_sql_grants(&text, name, table->worker_rights, &apply->roles);
    const struct mapping mapping = schema_core_mapping(table);
    for (int policy = 0; table->tenants && policy < POLICY_COUNT; policy++)
        schema_sql_policy(&text, &mapping, (enum schema_policy)policy, &apply->roles,
                          missing ? "drover" : "pg_temp");
    if (outcome == OUT_OK && missing)
        outcome = schema_apply_change(apply, buf_text(&text), err, "create table %s", name);
    else if (outcome == OUT_OK)
        outcome = pg_session_run(apply->connection, buf_text(&text), err);
    buf_free(&text);
    if (outcome == OUT_OK && !missing)
        outcome = schema_diff_apply(apply, name, twin, err);
    if (outcome == OUT_OK && !missing && table->tenants)
        outcome = schema_table_protect(apply, &mapping, err);
    if (outcome == OUT_OK && !missing)
        outcome = schema_apply_drop_twin(apply, twin, err);
    if (outcome == OUT_OK)
        outcome = schema_apply_grant(apply, table->worker_rights, name, apply->roles.worker, err);
    if (outcome == OUT_OK)
        outcome = schema_apply_grant(apply, "SELECT", name, apply->roles.verifier, err);
    return outcome;
}

/* "same", "other" (its code was changed), "drop" (its arguments or result are), or "missing". */
static enum outcome ask_function(struct schema_apply *apply, const struct schema_function *function,
                                 struct buf *state, struct error *err)
{
    const struct bytes params[] = {bytes_text(function->name), bytes_text(function->arguments),
                                   bytes_text(function->result), bytes_text(function->body),
                                   bytes_text(apply->roles.worker)};
    return schema_apply_ask(
        apply,
        "SELECT coalesce((SELECT CASE"
        "    WHEN pg_get_function_identity_arguments(p.oid) <> $2::text"
        "      OR pg_get_function_result(p.oid) <> $3::text THEN 'drop'"
        "    WHEN p.prosrc = $4::text AND NOT p.prosecdef"
        "     AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']"
        "     AND has_function_privilege($5::text::name, p.oid, 'EXECUTE') THEN 'same'"
        "    ELSE 'other' END"
        "  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        "  WHERE n.nspname = 'drover' AND p.proname = $1::text ORDER BY 1 LIMIT 1), 'missing')",
        params, 5, state, err);
}

static enum outcome apply_function(struct schema_apply *apply,
                                   const struct schema_function *function, struct error *err)
{
    struct buf state, text;
    buf_init(&state, TEXT_LIMIT);
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = ask_function(apply, function, &state, err);
    const char *found = buf_text(&state);
    if (outcome == OUT_OK && strcmp(found, "same") != 0) {
        if (strcmp(found, "drop") == 0)
            buf_append_format(
                &text,
                "DO $drover$ DECLARE f record; BEGIN FOR f IN SELECT p.oid::regprocedure"
                " AS name FROM pg_proc p WHERE p.pronamespace = 'drover'::regnamespace"
                " AND p.proname = '%s' LOOP EXECUTE 'DROP FUNCTION ' || f.name;"
                " END LOOP; END $drover$;\n",
                function->name);
        schema_core_function_sql(&text, function);
        buf_append_format(&text, "GRANT EXECUTE ON FUNCTION drover.%s(%s) TO ", function->name,
                          function->arguments);
        schema_sql_identifier(&text, apply->roles.worker);
        outcome = schema_apply_change(apply, buf_text(&text), err, "%s function drover.%s",
                                      strcmp(found, "missing") == 0 ? "create" : "replace",
                                      function->name);
    }
    buf_free(&text);
    buf_free(&state);
    return outcome;
}

static enum outcome apply_core(struct schema_apply *apply, struct error *err)
{
    enum outcome outcome = schema_apply_namespace(apply, "drover", err);
    size_t count;
    const struct schema_core_table *tables = schema_core_tables(&count);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = apply_core_table(apply, &tables[i], err);
    const struct schema_function *functions = schema_core_functions(&count);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = apply_function(apply, &functions[i], err);
    return outcome;
}

static enum outcome apply_all(struct schema_apply *apply, const struct settings *settings,
                              const struct mapping_set *mappings, struct error *err)
{
    enum outcome outcome = pg_session_run(apply->connection, "BEGIN; " LOCK, err);
    if (outcome == OUT_OK)
        outcome = apply_role(apply, apply->roles.worker, err);
    if (outcome == OUT_OK)
        outcome = apply_role(apply, apply->roles.verifier, err);
    if (outcome == OUT_OK)
        outcome = apply_core(apply, err);
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++)
        outcome = schema_table_apply(apply, mappings->items[i], err);
    if (outcome == OUT_OK)
        outcome = schema_references_apply(apply, mappings, err);
    if (outcome == OUT_OK)
        outcome = schema_pins_release(apply, mappings, settings->group,
                                      store_of(settings)->has_stage, err);
    return outcome;
}

static enum outcome check_server(PGconn *connection, struct error *err)
{
    int version = PQserverVersion(connection);
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (version >= OLDEST_SERVER && encoding && strcmp(encoding, "UTF8") == 0)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_PG_VERSION, "PostgreSQL %d with encoding %s will not do",
                     version / 10000, encoding ? encoding : "unknown");
}

enum outcome schema_apply_run(const struct settings *settings, const struct mapping_set *mappings,
                              struct schema_apply *apply, struct error *err)
{
    *apply = (struct schema_apply){.roles = schema_apply_roles(settings)};
    buf_init(&apply->changes, TEXT_LIMIT);
    for (size_t i = 0; i < mappings->count; i++)
        if (schema_index_check(mappings->items[i], err) != OUT_OK)
            return OUT_FATAL;
    enum outcome outcome = pg_session_open(settings->database_url, "", "drover-schema", CONNECT_MS,
                                           &apply->connection, err);
    if (outcome == OUT_OK)
        outcome = check_server(apply->connection, err);
    bool connected = outcome == OUT_OK;
    /* Another database's apply may touch the same roles at the same moment: once more, then. */
    for (int attempt = 0; connected && attempt < ATTEMPTS; attempt++) {
        buf_reset(&apply->changes);
        apply->count = 0;
        outcome = apply_all(apply, settings, mappings, err);
        bool keep = outcome == OUT_OK && !settings->dry_run;
        enum outcome end = pg_session_run(apply->connection, keep ? "COMMIT" : "ROLLBACK",
                                          outcome == OUT_OK ? err : NULL);
        if (outcome == OUT_OK)
            outcome = end;
        if (outcome == OUT_OK || outcome == OUT_FATAL)
            break;
    }
    PQfinish(apply->connection);
    apply->connection = NULL;
    return outcome;
}

void schema_apply_free(struct schema_apply *apply)
{
    buf_free(&apply->changes);
}
