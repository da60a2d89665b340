/* PostgreSQL as a store: `database`, and `hybrid`, where Redis is written behind it. */

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/log.h"
#include "common/io/postgres/pg_checkpoint.h"
#include "common/io/postgres/pg_checkpoint_editor.h"
#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_generation.h"
#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_pending.h"
#include "common/io/postgres/pg_schema.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/redis/redis_stage.h"
#include "common/io/redis/redis_store_row.h"
#include "common/io/stores.h"

#define CONNECT_MS 10000 /* one connection attempt of a worker, */
#define EXAMINE_MS 5000  /* and of the doctor */

/* ---- a worker's -------------------------------------------------------------------------- */

static enum outcome check(const struct store_opening *opening, struct error *err)
{
    PGconn *session = NULL;
    enum outcome outcome = pg_gate_pass(opening->settings, opening->wait_ms, &session, err);
    if (outcome == OUT_OK)
        outcome = pg_generation_take(session, opening->checkpoint.mappings, err);
    PQfinish(session);
    return outcome;
}

static enum outcome check_hybrid(const struct store_opening *opening, struct error *err)
{
    enum outcome outcome = redis_store_row_check(opening, err);
    return outcome == OUT_OK ? check(opening, err) : outcome;
}

static void open_tables(const struct store_opening *opening, bool hybrid, struct store_parts *parts)
{
    const struct settings *settings = opening->settings;
    const struct pg_connection_config connection = {.url = settings->database_url,
                                                    .role = settings->worker_role,
                                                    .application = "drover-worker",
                                                    .connect_ms = CONNECT_MS};
    const struct pg_pending_config pending = {settings, opening->checkpoint, opening->bus, hybrid};
    parts->checkpoint = pg_checkpoint_new(opening->loop, &connection, &opening->checkpoint, hybrid,
                                          opening->checkpoint_events, opening->owner);
    parts->sink = pg_sink_new(opening->loop, &connection, (int)settings->connections,
                              opening->checkpoint.mappings, opening->sink_events, opening->owner);
    if (opening->pending_events)
        parts->pending =
            pg_pending_new(opening->loop, &pending, opening->pending_events, opening->owner);
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    (void)err;
    open_tables(opening, false, parts);
    return OUT_OK;
}

static const char NOTHING_FOR_REDIS[] = "no mapping has redis:, so nothing is written to Redis";

static bool has_redis(const struct mapping_set *mappings)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (mappings->items[i]->redis.form != REDIS_NONE)
            return true;
    return false;
}

static enum outcome open_hybrid(const struct store_opening *opening, struct store_parts *parts,
                                struct error *err)
{
    open_tables(opening, true, parts);
    if (!has_redis(opening->checkpoint.mappings))
        log_line(LOG_WARN, "redis.unused", "why=\"%s\"", NOTHING_FOR_REDIS);
    return redis_stage_new(opening->loop, opening->settings, "/proc/self/exe",
                           opening->stage_events, opening->owner, &parts->stage, err);
}

/* ---- reading back ------------------------------------------------------------------------ */

static enum outcome open_reader(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    return pg_store_reader_open(settings, mappings->items, mappings->count, reading->only_tenant,
                                reader, err);
}

typedef enum outcome ask_generations(PGconn *session, const struct mapping_set *mappings,
                                     struct error *err);

static enum outcome with_session(const struct settings *settings,
                                 const struct mapping_set *mappings, ask_generations *ask,
                                 struct error *err)
{
    PGconn *session = NULL;
    enum outcome outcome = pg_session_open(settings->database_url, settings->verifier_role,
                                           "drover-verifier", CONNECT_MS, &session, err);
    if (outcome == OUT_OK)
        outcome = ask(session, mappings, err);
    PQfinish(session);
    return outcome;
}

static enum outcome read_generations(const struct settings *settings,
                                     const struct mapping_set *mappings, struct error *err)
{
    return with_session(settings, mappings, pg_generation_read, err);
}

static enum outcome check_generations(const struct settings *settings,
                                      const struct mapping_set *mappings, struct error *err)
{
    return with_session(settings, mappings, pg_generation_take, err);
}

/* ---- how far its workers are ------------------------------------------------------------- */

static int64_t number(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    if (!text_parse_int64(bytes_text(PQgetvalue(result, row, column)), &value))
        return 0;
    return value;
}

static void tell_row(struct store_status *status, const PGresult *result, int row)
{
    const struct checkpoint_row checkpoint = {.next_offset = number(result, row, 1),
                                              .redis_next = number(result, row, 2),
                                              .results_next = number(result, row, 3),
                                              .epoch = number(result, row, 4)};
    int64_t at = number(result, row, 0);
    if (at >= 0 && at < status->partitions)
        status->tell(status, (int32_t)at, &checkpoint, PQgetvalue(result, row, 5));
}

/* A schema from before there was a table of pending children has none. */
static enum outcome read_waiting(struct store_status *status, const struct bytes *params,
                                 struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(status->session, "SELECT to_regclass('drover.waiting') IS NOT NULL", NULL,
                         0, false, &result, err);
    bool exists = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    status->waiting = 0;
    if (!exists)
        return outcome;
    outcome = pg_session_query(
        status->session,
        "SELECT count(*) FROM drover.waiting WHERE \"group\" = $1::text AND topic = $2::text",
        params, 2, false, &result, err);
    if (outcome == OUT_OK)
        status->waiting = (uint64_t)number(result, 0, 0);
    PQclear(result);
    return outcome;
}

static enum outcome read_loading(struct store_status *status, struct error *err)
{
    struct buf names;
    buf_init(&names, 64u << 10);
    enum outcome outcome = pg_load_list_open(status->session, status->settings->group, &names, err);
    while (names.size >= sizeof status->loading) /* whole lines */
        do
            names.size--;
        while (names.size && names.data[names.size - 1] != '\n');
    snprintf(status->loading, sizeof status->loading, "%s", buf_text(&names));
    buf_free(&names);
    return outcome;
}

static void end_status(struct store_status *status)
{
    PQfinish(status->session);
    status->session = NULL;
}

static enum outcome read_status(struct store_status *status, struct error *err)
{
    const struct settings *settings = status->settings;
    enum outcome outcome = OUT_OK;
    if (!status->session)
        outcome = pg_session_open(settings->database_url, settings->verifier_role, "drover-status",
                                  status->timeout_ms, &status->session, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct bytes params[] = {bytes_text(settings->group), bytes_text(status->topic)};
    PGresult *result = NULL;
    outcome =
        pg_session_query(status->session,
                         "SELECT partition, next_offset, redis_next, results_next, epoch, owner"
                         "  FROM drover.partition_progress"
                         " WHERE \"group\" = $1::text AND topic = $2::text",
                         params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        tell_row(status, result, row);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = read_waiting(status, params, err);
    if (outcome == OUT_OK)
        outcome = read_loading(status, err);
    if (outcome == OUT_RETRY)
        end_status(status);
    return outcome;
}

/* ---- the doctor: the server, the gates with each role, what the schema lacks ------------- */

/* The version as its maker writes it, without the distribution's addition. */
static void say_server(struct findings *findings, PGconn *connection)
{
    const char *version = PQparameterStatus(connection, "server_version");
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    int size = version ? (int)strcspn(version, " ") : 0;
    struct error err = {0};
    if (PQserverVersion(connection) < 140000 || !encoding || strcmp(encoding, "UTF8") != 0) {
        error_set(&err, OUT_FATAL, ERR_PG_VERSION, "PostgreSQL %.*s with encoding %s will not do",
                  size, version ? version : "", encoding ? encoding : "unknown");
        findings->say_error(findings, FINDING_PROBLEM, "postgres", &err);
        return;
    }
    findings->say(findings, FINDING_OK, "postgres", NULL, "%.*s as %s@%s · %s", size,
                  version ? version : "", PQuser(connection), PQdb(connection), encoding);
}

/* Logs in as the role does and passes the gate (FAULTS I01 to I03). */
static void check_role(struct findings *findings, const char *role, const char *command)
{
    struct error err = {0};
    PGconn *connection = NULL;
    enum outcome outcome = pg_session_open(findings->settings->database_url, role, "drover-doctor",
                                           EXAMINE_MS, &connection, &err);
    if (outcome == OUT_OK)
        outcome = pg_gate_check(connection, &err);
    if (outcome == OUT_OK)
        findings->say(findings, FINDING_OK, "postgres", NULL,
                      "role %s (drover %s) is bound by row level security",
                      role && role[0] ? role : PQuser(connection), command);
    else if (err.code == ERR_PG_SCHEMA)
        findings->say(findings, FINDING_WARNING, "postgres", "drover schema apply", "%s", err.text);
    else
        findings->say_error(findings, FINDING_PROBLEM, "postgres", &err);
    PQfinish(connection);
}

/* A table that is made before the run is none that the run makes. */
static const char *fix_of(const struct settings *settings)
{
    bool is_auto = settings->load && strcmp(settings->load, "auto") == 0;
    return is_auto ? "drover run makes what is missing, and fills it in bulk (load: auto); after "
                     "drover schema apply it would not"
                   : "drover schema apply";
}

/* What `schema apply` would do is exactly what is missing. */
static void check_schema(struct findings *findings, bool hybrid)
{
    if (findings->mappings.count == 0)
        return;
    struct settings settings = *findings->settings;
    settings.dry_run = true;
    settings.load = NULL; /* that is no change of the schema */
    struct pg_schema apply;
    struct error err = {0};
    enum outcome outcome = pg_schema_apply(&settings, &findings->mappings, hybrid, &apply, &err);
    const char *changes = buf_text(&apply.changes);
    if (outcome != OUT_OK)
        findings->say_error(findings,
                            err.code == ERR_PG_PERMISSION ? FINDING_WARNING : FINDING_PROBLEM,
                            "postgres", &err);
    else if (apply.count)
        findings->say(findings, FINDING_WARNING, "postgres", fix_of(findings->settings),
                      "schema: %zu change%s needed: %.*s%s", apply.count,
                      apply.count == 1 ? "" : "s", (int)strcspn(changes, "\n"), changes,
                      apply.count > 1 ? ", …" : "");
    else
        findings->say(findings, FINDING_OK, "postgres", NULL,
                      "schema is up to date: %zu table%s, policies, functions",
                      findings->mappings.count, findings->mappings.count == 1 ? "" : "s");
    pg_schema_free(&apply);
}

/* What is read of such a table is not what was loaded. */
static void check_loading(struct findings *findings, PGconn *connection)
{
    struct error err = {0};
    struct pg_load_opens opens;
    struct buf fix;
    buf_init(&fix, 4096);
    (void)!pg_load_read_opens(connection, &opens, &err);
    for (size_t i = 0; i < opens.count; i++) {
        const struct pg_load_open *open = &opens.items[i];
        if (!mapping_set_find_table(&findings->mappings, open->schema, open->table))
            continue;
        buf_reset(&fix);
        buf_append_text(&fix, "drover load finish");
        pg_load_append_flags(&fix, findings->settings, open->group);
        findings->say(findings, FINDING_WARNING, "postgres", buf_text(&fix),
                      "still being loaded: %s.%s, by group %s", open->schema, open->table,
                      open->group);
    }
    buf_free(&fix);
    pg_load_opens_free(&opens);
}

/* Policies add up: one more that lets a row through lets it through (permissive is the default). */
static void check_policies(struct findings *findings, PGconn *connection)
{
    for (size_t i = 0; i < findings->mappings.count; i++) {
        const struct mapping *mapping = findings->mappings.items[i];
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
            findings->say(findings, FINDING_WARNING, "postgres",
                          "make it RESTRICTIVE or drop it, unless it is meant to open the table",
                          "%s.%s has further policies, and permissive ones add up: %s",
                          mapping->schema, mapping->table, PQgetvalue(result, 0, 0));
        PQclear(result);
        buf_free(&table);
    }
}

static void examine_tables(struct findings *findings, bool hybrid)
{
    const struct settings *settings = findings->settings;
    struct error err = {0};
    PGconn *connection = NULL;
    if (pg_session_open(settings->database_url, "", "drover-doctor", EXAMINE_MS, &connection,
                        &err) != OUT_OK) {
        findings->say_error(findings, FINDING_PROBLEM, "postgres", &err);
        return;
    }
    say_server(findings, connection);
    check_policies(findings, connection);
    check_loading(findings, connection);
    PQfinish(connection);
    check_role(findings, settings->worker_role, "work");
    check_role(findings, settings->verifier_role, "verify");
    check_schema(findings, hybrid);
}

/* A Redis that is named is looked at, although only hybrid needs it. */
static void examine(struct findings *findings)
{
    examine_tables(findings, false);
    if (findings->settings->redis_url && findings->settings->redis_url[0])
        redis_store_row_examine(findings, false);
}

static void examine_hybrid(struct findings *findings)
{
    examine_tables(findings, true);
    redis_store_row_examine(findings, true);
    if (findings->mappings.count && !has_redis(&findings->mappings))
        findings->say(findings, FINDING_WARNING, "redis",
                      "add redis: to a mapping, or use storage database", "%s", NOTHING_FOR_REDIS);
}

const struct store PG_STORE_ROW = {.away = "postgres.away",
                                   .back = "postgres.back",
                                   .has_tables = true,
                                   .tombstone_life_ms = store_tombstone_life_ms,
                                   .check = check,
                                   .open = open_store,
                                   .open_reader = open_reader,
                                   .read_generations = read_generations,
                                   .check_generations = check_generations,
                                   .read_status = read_status,
                                   .open_editor = pg_checkpoint_editor_open,
                                   .end_status = end_status,
                                   .examine = examine};

const struct store PG_STORE_ROW_HYBRID = {.away = "postgres.away",
                                          .back = "postgres.back",
                                          .has_tables = true,
                                          .has_redis = true,
                                          .has_stage = true,
                                          .tombstone_life_ms = store_tombstone_life_ms,
                                          .check = check_hybrid,
                                          .open = open_hybrid,
                                          .open_reader = open_reader,
                                          .read_generations = read_generations,
                                          .check_generations = check_generations,
                                          .read_status = read_status,
                                          .open_editor = pg_checkpoint_editor_open,
                                          .end_status = end_status,
                                          .examine = examine_hybrid,
                                          .read_redis_version = redis_store_row_version};
