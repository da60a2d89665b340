#include "common/io/postgres/pg_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_generation.h"
#include "common/io/postgres/pg_load.h"
#include "common/io/postgres/pg_session.h"

enum {
    CONNECT_MS = 10000,
    TEXT_LIMIT = 1 << 20,
    ATTEMPTS = 3,
    OLDEST_SERVER = 140000,
    PER_GRANT_OPTIONS = 160000, /* GRANT … WITH INHERIT FALSE */
};

/* Two applies at once would both see a table missing. The number is this program's alone. */
#define LOCK "SELECT pg_catalog.pg_advisory_xact_lock(7242026112100)"

struct schema_roles pg_schema_roles(const struct settings *settings)
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
static enum outcome join_role(struct pg_schema *apply, const char *role, struct error *err)
{
    bool options = PQserverVersion(apply->connection) >= PER_GRANT_OPTIONS;
    const struct bytes params[] = {bytes_text(role), bytes_text(options ? "SET" : "MEMBER")};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = pg_schema_ask(
        apply, "SELECT pg_has_role(current_user, $1::text::name, $2::text)", params, 2, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "f") == 0) {
        buf_reset(&text);
        buf_append_text(&text, "GRANT ");
        schema_sql_identifier(&text, role);
        buf_append_format(&text, " TO CURRENT_USER%s",
                          options ? " WITH INHERIT FALSE, SET TRUE" : "");
        outcome = pg_schema_change(apply, buf_text(&text), err, "let %s take the role %s",
                                   PQuser(apply->connection), role);
    }
    buf_free(&text);
    return outcome;
}

static enum outcome apply_role(struct pg_schema *apply, const char *role, struct error *err)
{
    const struct bytes params[] = {bytes_text(role)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = pg_schema_ask(
        apply, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1::text", params, 1,
        &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "t") == 0) {
        outcome = refuse_strong_role(role, err);
    } else if (outcome == OUT_OK && text.size == 0) {
        buf_reset(&text);
        schema_sql_role(&text, role);
        outcome = pg_schema_change(apply, buf_text(&text), err, "create role %s", role);
    }
    buf_free(&text);
    return outcome == OUT_OK ? join_role(apply, role, err) : outcome;
}

static enum outcome apply_core_table(struct pg_schema *apply, const struct schema_core_table *table,
                                     struct error *err)
{
    char name[128], twin[128];
    snprintf(name, sizeof(name), "drover.%s", table->name);
    snprintf(twin, sizeof(twin), "pg_temp.%s", table->name);
    const struct bytes params[] = {bytes_text(name)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply, "SELECT to_regclass($1::text)", params, 1, &text, err);
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
        outcome = pg_schema_change(apply, buf_text(&text), err, "create table %s", name);
    else if (outcome == OUT_OK)
        outcome = pg_session_run(apply->connection, buf_text(&text), err);
    buf_free(&text);
    if (outcome == OUT_OK && !missing)
        outcome = pg_schema_diff(apply, name, twin, err);
    if (outcome == OUT_OK && !missing && table->tenants)
        outcome = pg_schema_protect(apply, &mapping, err);
    if (outcome == OUT_OK && !missing)
        outcome = pg_schema_drop_twin(apply, twin, err);
    if (outcome == OUT_OK)
        outcome = pg_schema_grant(apply, table->worker_rights, name, apply->roles.worker, err);
    if (outcome == OUT_OK)
        outcome = pg_schema_grant(apply, "SELECT", name, apply->roles.verifier, err);
    return outcome;
}

/* "same", "other" (its code was changed), "drop" (its arguments or result are), or "missing". */
static enum outcome ask_function(struct pg_schema *apply, const struct schema_function *function,
                                 struct buf *state, struct error *err)
{
    const struct bytes params[] = {bytes_text(function->name), bytes_text(function->arguments),
                                   bytes_text(function->result), bytes_text(function->body),
                                   bytes_text(apply->roles.worker)};
    return pg_schema_ask(
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

static enum outcome apply_function(struct pg_schema *apply, const struct schema_function *function,
                                   struct error *err)
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
        outcome =
            pg_schema_change(apply, buf_text(&text), err, "%s function drover.%s",
                             strcmp(found, "missing") == 0 ? "create" : "replace", function->name);
    }
    buf_free(&text);
    buf_free(&state);
    return outcome;
}

static enum outcome apply_core(struct pg_schema *apply, struct error *err)
{
    enum outcome outcome = pg_schema_namespace(apply, "drover", err);
    size_t count;
    const struct schema_core_table *tables = schema_core_tables(&count);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = apply_core_table(apply, &tables[i], err);
    const struct schema_function *functions = schema_core_functions(&count);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = apply_function(apply, &functions[i], err);
    return outcome;
}

/* A group is pinned to the mappings and the storage its workers started with; applying new ones
 * lets it go on. */
static enum outcome release_pins(struct pg_schema *apply, const struct mapping_set *mappings,
                                 const char *group, bool hybrid, struct error *err)
{
    char pin[MAPPING_PIN_SIZE];
    struct buf answer;
    mapping_set_pin(mappings, hybrid, pin);
    const struct bytes params[] = {bytes_text(group), bytes_text(pin)};
    buf_init(&answer, 4096);
    enum outcome outcome =
        pg_schema_ask(apply,
                      "WITH gone AS (DELETE FROM drover.pinned_group WHERE \"group\" = $1::text"
                      " AND fingerprint <> $2::text RETURNING split_part(fingerprint, ' ', 1)"
                      " <> split_part($2::text, ' ', 1) AS others) SELECT CASE WHEN count(*) = 0"
                      " THEN '' WHEN bool_or(others) THEN 'mappings' ELSE 'storage' END FROM"
                      " gone",
                      params, 2, &answer, err);
    if (outcome == OUT_OK && answer.size > 0) {
        buf_append_format(&apply->changes,
                          "take the new %s over for group %s (restart its workers)\n",
                          buf_text(&answer), group);
        apply->count++;
    }
    buf_free(&answer);
    return outcome;
}

/* With the ways they are written in at first. */
static enum outcome apply_tables(struct pg_schema *apply, const struct settings *settings,
                                 const struct mapping_set *mappings, bool hybrid, struct error *err)
{
    enum outcome outcome = OUT_OK;
    bool *made = mem_zeroed(mappings->count + 1, sizeof *made);
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++) {
        outcome = pg_schema_table(apply, mappings->items[i], err);
        made[i] = apply->made;
        if (outcome == OUT_OK)
            outcome = pg_generation_register(apply, mappings->items[i], err);
    }
    if (outcome == OUT_OK)
        outcome = pg_schema_references(apply, mappings, err);
    if (outcome == OUT_OK)
        outcome = pg_load_begin(apply, settings, mappings, hybrid, made, err);
    free(made);
    return outcome;
}

static enum outcome apply_all(struct pg_schema *apply, const struct settings *settings,
                              const struct mapping_set *mappings, bool hybrid, struct error *err)
{
    enum outcome outcome = pg_session_run(apply->connection, "BEGIN; " LOCK, err);
    if (outcome == OUT_OK)
        outcome = apply_role(apply, apply->roles.worker, err);
    if (outcome == OUT_OK)
        outcome = apply_role(apply, apply->roles.verifier, err);
    if (outcome == OUT_OK)
        outcome = apply_core(apply, err);
    if (outcome == OUT_OK)
        outcome = apply_tables(apply, settings, mappings, hybrid, err);
    if (outcome == OUT_OK)
        outcome = release_pins(apply, mappings, settings->group, hybrid, err);
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

enum outcome pg_schema_apply(const struct settings *settings, const struct mapping_set *mappings,
                             bool hybrid, struct pg_schema *apply, struct error *err)
{
    *apply = (struct pg_schema){.roles = pg_schema_roles(settings),
                                .widen = settings->allow && strcmp(settings->allow, "widen") == 0};
    buf_init(&apply->changes, TEXT_LIMIT);
    buf_init(&apply->notes, TEXT_LIMIT);
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
        buf_reset(&apply->notes);
        apply->count = 0;
        outcome = apply_all(apply, settings, mappings, hybrid, err);
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

int pg_schema_library(void)
{
    return PQlibVersion() / 10000;
}

void pg_schema_free(struct pg_schema *apply)
{
    buf_free(&apply->changes);
    buf_free(&apply->notes);
}
