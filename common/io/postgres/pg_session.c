#include "common/io/postgres/pg_session.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/stop.h"

#define SNAPSHOT_CONNECT_MS 10000

enum {
    OPTIONS_LIMIT = 8192,
    PARAMS_MAX = 33,        /* a tenant, and PostgreSQL's 32 columns of a key */
    SLICE_MS = 200,         /* how often a wait looks whether the process is to stop */
    OLDEST_SERVER = 140000, /* pipelines are the client's; 14 is the oldest still maintained */
};

/* Everything that could make the same value read differently on another server (FAULTS 3.1). */
static const char *const FIXED_OPTIONS[] = {
    "TimeZone=UTC",
    "DateStyle=ISO",
    "IntervalStyle=postgres",
    "bytea_output=hex",
    "extra_float_digits=1",
    "search_path=pg_catalog",
    "standard_conforming_strings=on",
    "lock_timeout=30s",
    "idle_in_transaction_session_timeout=5s",
    "idle_session_timeout=0",
    "default_transaction_isolation=read\\ committed", /* a serializable one fails where ours waits
                                                       */
    "row_security=on",
};

/* What a role or a database was given for its people does not count (its time-out would end the
 * same batch for ever; compiling a plan costs more than our statements), but what the user says of
 * this very connection does. */
static const char *const DEFAULT_OPTIONS[] = {
    "statement_timeout=0",
    "jit=off",
};

/* The `options` the user put into the URL, else PGOPTIONS; malloc'ed or NULL. */
static char *options_of(const char *url)
{
    const char *from_environment = getenv("PGOPTIONS");
    PQconninfoOption *parts = PQconninfoParse(url, NULL);
    char *found = NULL;
    for (PQconninfoOption *part = parts; part && part->keyword; part++)
        if (strcmp(part->keyword, "options") == 0 && part->val)
            found = strdup(part->val);
    PQconninfoFree(parts);
    if (!found && from_environment)
        found = strdup(from_environment);
    return found;
}

/* Within `options` a space ends an argument unless it follows a backslash. */
static void append_escaped(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == ' ' || *value == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *value);
    }
}

/* Of one option the last one counts: defaults, the user's, the fixed ones. */
static char *make_options(const char *url, const char *role, const char *defaults)
{
    struct buf options;
    buf_init(&options, OPTIONS_LIMIT);
    for (size_t i = 0; i < sizeof(DEFAULT_OPTIONS) / sizeof(DEFAULT_OPTIONS[0]); i++)
        buf_append_format(&options, "-c %s ", DEFAULT_OPTIONS[i]);
    if (defaults)
        buf_append_format(&options, "%s ", defaults);
    char *of_user = options_of(url);
    if (of_user) {
        buf_append_text(&options, of_user);
        buf_append_char(&options, ' ');
    }
    free(of_user);
    for (size_t i = 0; i < sizeof(FIXED_OPTIONS) / sizeof(FIXED_OPTIONS[0]); i++)
        buf_append_format(&options, "%s-c %s", i ? " " : "", FIXED_OPTIONS[i]);
    if (role && role[0]) {
        buf_append_text(&options, " -c role=");
        append_escaped(&options, role);
    }
    char *text = mem_text(buf_text(&options));
    buf_free(&options);
    return text;
}

void pg_params_init(struct pg_params *params, const char *url, const char *role,
                    const char *application, const char *defaults)
{
    *params = (struct pg_params){.options = make_options(url, role, defaults)};
    const char *const pairs[][2] = {
        {"dbname", url}, /* first: what follows is stronger */
        {"fallback_application_name", application},
        {"connect_timeout", "10"},
        {"keepalives_idle", "30"},
        {"keepalives_interval", "10"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "30000"},
        {"client_encoding", "UTF8"},
        {"options", params->options},
    };
    size_t count = sizeof(pairs) / sizeof(pairs[0]);
    assert(count < sizeof(params->keywords) / sizeof(params->keywords[0]));
    for (size_t i = 0; i < count; i++) {
        params->keywords[i] = pairs[i][0];
        params->values[i] = pairs[i][1];
    }
}

void pg_params_free(struct pg_params *params)
{
    free(params->options);
    *params = (struct pg_params){0};
}

/* True while the handshake should go on. */
static bool wait_for(PGconn *connection, PostgresPollingStatusType status, uint64_t deadline_ms)
{
    struct pollfd fd = {.fd = PQsocket(connection),
                        .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    uint64_t now_ms = clock_monotonic_ms();
    if (fd.fd < 0 || now_ms >= deadline_ms)
        return false;
    uint64_t left_ms = deadline_ms - now_ms;
    poll(&fd, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS); /* interrupted: asks again */
    return !stop_is_overdue();
}

/* The role is taken during login, so its failures come as a refused login: say what they are. */
static enum outcome connection_error(PGconn *connection, const char *role, struct error *err)
{
    const char *message = PQerrorMessage(connection);
    char missing[128];
    snprintf(missing, sizeof(missing), "role \"%s\" does not exist", role ? role : "");
    enum outcome outcome = pg_error_from_connection(connection, err);
    bool about_role = role && role[0] && strcmp(PQuser(connection), role) != 0;
    if (about_role && strstr(message, missing))
        return error_set(err, OUT_FATAL, ERR_PG_SCHEMA, "the role %s is missing", role);
    if (about_role && strstr(message, "permission denied to set role")) {
        outcome = error_set(err, OUT_FATAL, ERR_PG_PERMISSION, "%s may not take the role %s",
                            PQuser(connection), role);
        error_hint(err, "run drover schema apply as this user, or: GRANT %s TO %s", role,
                   PQuser(connection));
    }
    return outcome;
}

/* Notices tell of what was asked for anyway ("already exists, skipping"). */
static void ignore_notice(void *unused, const PGresult *result)
{
    (void)unused;
    (void)result;
}

enum outcome pg_session_open(const char *url, const char *role, const char *application,
                             int timeout_ms, PGconn **connection, struct error *err)
{
    *connection = NULL;
    if (!url || !url[0]) {
        enum outcome outcome = error_set(err, OUT_FATAL, ERR_CONF_MISSING, "no database is given");
        error_hint(err, "set DATABASE_URL, or database.url in drover.yaml");
        return outcome;
    }
    struct pg_params params;
    pg_params_init(&params, url, role, application, NULL);
    PGconn *opened = PQconnectStartParams(params.keywords, params.values, 1);
    pg_params_free(&params);
    if (!opened)
        abort();

    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    PostgresPollingStatusType status =
        PQstatus(opened) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED &&
           wait_for(opened, status, deadline_ms))
        status = PQconnectPoll(opened);

    enum outcome outcome = OUT_OK;
    if (status == PGRES_POLLING_OK) {
        PQsetNoticeReceiver(opened, ignore_notice, NULL);
        *connection = opened;
        return OUT_OK;
    }
    if (status == PGRES_POLLING_FAILED) {
        outcome = connection_error(opened, role, err);
    } else {
        outcome = error_set(err, OUT_RETRY, ERR_PG_UNREACHABLE,
                            "PostgreSQL did not answer within %d ms", timeout_ms);
        error_where(err, "%s:%s", PQhost(opened) ? PQhost(opened) : "", PQport(opened));
    }
    PQfinish(opened);
    return outcome;
}

/* Until an answer can be taken without waiting. A server that is silent (frozen, or far away) must
 * not hold a process that was asked to stop. */
static bool wait_for_answer(PGconn *connection)
{
    while (PQisBusy(connection)) {
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        if (PQflush(connection) == 1)
            fd.events |= POLLOUT;
        if (fd.fd < 0 || (poll(&fd, 1, SLICE_MS) > 0 && !PQconsumeInput(connection)))
            return true; /* lost: the result says so */
        if (stop_is_overdue())
            return false;
    }
    return true;
}

static enum outcome gave_up(struct error *err)
{
    return error_set(err, OUT_RETRY, ERR_PG_UNREACHABLE,
                     "PostgreSQL did not answer before the process had to stop");
}

static enum outcome take_result(PGconn *connection, PGresult *result, PGresult **out,
                                struct error *err)
{
    ExecStatusType status = PQresultStatus(result); /* of NULL: PGRES_FATAL_ERROR */
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = result;
        return OUT_OK;
    }
    struct error local;
    struct error *place = err ? err : &local;
    pg_error_from_result(result, place);
    PQclear(result);
    if (PQstatus(connection) == CONNECTION_BAD)
        place->outcome = OUT_RETRY;
    return place->outcome;
}

/* Its data follow: what is behind them is the caller's to read. */
static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_OUT || status == PGRES_COPY_IN;
}

enum outcome pg_session_answer(PGconn *connection, PGresult **result, struct error *err)
{
    PGresult *answer = NULL, *next = NULL;
    *result = NULL;
    do {
        if (!wait_for_answer(connection)) {
            PQclear(answer);
            return gave_up(err);
        }
        next = PQgetResult(connection);
        if (next && answer) /* the first tells; the rest must still be read */
            PQclear(next);
        else if (next)
            answer = next;
    } while (next && !is_copy(next));
    return take_result(connection, answer, result, err);
}

enum outcome pg_session_query(PGconn *connection, const char *sql, const struct bytes *params,
                              size_t count, bool binary, PGresult **result, struct error *err)
{
    assert(count <= PARAMS_MAX);
    const char *values[PARAMS_MAX] = {0};
    int lengths[PARAMS_MAX] = {0};
    int formats[PARAMS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        values[i] = params[i].data;
        lengths[i] = (int)params[i].size;
        formats[i] = 1;
    }
    *result = NULL;
    if (!PQsendQueryParams(connection, sql, (int)count, NULL, values, lengths, formats, binary))
        return take_result(connection, NULL, result, err);
    return pg_session_answer(connection, result, err);
}

/* The simple protocol, as only it takes several statements. Its text is never made from values:
 * schema_sql quotes every name it puts in. */
enum outcome pg_session_run(PGconn *connection, const char *sql, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!PQsendQuery(connection, sql))
        return take_result(connection, NULL, NULL, err);
    for (;;) {
        PGresult *result = NULL;
        if (!wait_for_answer(connection))
            return outcome == OUT_OK ? gave_up(err) : outcome;
        PGresult *next = PQgetResult(connection);
        if (!next)
            break;
        if (outcome != OUT_OK)
            PQclear(next); /* the first failure tells; the rest must still be read */
        else
            outcome = take_result(connection, next, &result, err);
        PQclear(result);
    }
    return outcome;
}

static enum outcome check_server(PGconn *connection, const char *encoding, struct error *err)
{
    int version = PQserverVersion(connection);
    if (version < OLDEST_SERVER)
        return error_set(err, OUT_FATAL, ERR_PG_VERSION, "PostgreSQL %d is too old",
                         version / 10000);
    if (strcmp(encoding, "UTF8") != 0)
        return error_set(err, OUT_FATAL, ERR_PG_VERSION, "the database %s has the encoding %s",
                         PQdb(connection), encoding);
    return OUT_OK;
}

enum outcome pg_session_check_role(PGconn *connection, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        connection,
        "SELECT rolname, rolsuper, rolbypassrls, pg_catalog.current_setting('server_encoding')"
        " FROM pg_catalog.pg_roles WHERE rolname = current_user",
        NULL, 0, false, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = check_server(connection, PQgetvalue(result, 0, 3), err);
    bool super = PQgetvalue(result, 0, 1)[0] == 't';
    bool bypass = PQgetvalue(result, 0, 2)[0] == 't';
    if (outcome == OUT_OK && (super || bypass)) {
        outcome = error_set(err, OUT_FATAL, ERR_RLS, "the role %s %s", PQgetvalue(result, 0, 0),
                            super ? "is a superuser: no policy holds it" : "has BYPASSRLS");
        error_where(err, "database %s", PQdb(connection));
    }
    PQclear(result);
    return outcome;
}

enum outcome pg_session_snapshot(const struct settings *settings, const char *application,
                                 PGconn **session, struct error *err)
{
    *session = NULL;
    enum outcome outcome = pg_session_open(settings->database_url, settings->verifier_role,
                                           application, SNAPSHOT_CONNECT_MS, session, err);
    if (outcome == OUT_OK)
        outcome = pg_session_check_role(*session, err);
    /* pg_session's limits are for workers. */
    if (outcome == OUT_OK)
        outcome = pg_session_run(*session,
                                 "SET idle_in_transaction_session_timeout = 0;"
                                 "SET statement_timeout = 0",
                                 err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(*session,
                                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                 "SELECT 1", /* the first query takes the snapshot */
                                 err);
    if (outcome != OUT_OK) {
        PQfinish(*session);
        *session = NULL;
    }
    return outcome;
}
