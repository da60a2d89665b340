/*
 * SQLSTATE -> what to do, as one table of classes and exceptions (FAULTS 3.1). Exceptions are
 * looked up first. Total: what is in neither table halts, as skipping an unknown failure would lose
 * data.
 */

#include "common/io/postgres/pg_error.h"

#include <stdbool.h>
#include <string.h>

#include "common/model/schema/schema_sql.h"

struct state_rule {
    const char *state; /* five characters, or two for a class */
    enum pg_action action;
};

static const struct state_rule STATES[] = {
    {"DR001", PG_FENCED},
    {"DR002", PG_FENCED},
    {"DR003", PG_RECORD},   /* drover.not_written() */
    {"DR004", PG_TX_RETRY}, /* drover.load_fence() */
    {"25P04", PG_CONNECTION_LOST},
    {"57P01", PG_CONNECTION_LOST},
    {"57P02", PG_CONNECTION_LOST},
    {"57P03", PG_CONNECTION_LOST},
    {"57P05", PG_CONNECTION_LOST},
    {"25P03", PG_CONNECTION_LOST},
    {"25006", PG_CONNECTION_LOST},
    {"53300", PG_CONNECTION_LOST},
    {"08P01", PG_HALT},
    {"55P03", PG_TX_RETRY},
    {"55006", PG_TX_RETRY},
    {"57014", PG_TX_RETRY},
    {"40002", PG_RECORD},
    {"40003", PG_TX_RETRY},
    {"58P01", PG_HALT},
    {"58P02", PG_HALT},
    {"57000", PG_RESOURCE},
    {"26000", PG_REPREPARE},
    {"42P05", PG_REPREPARE},
    {"54011", PG_HALT},
    {"54023", PG_HALT},
    {"P0001", PG_RECORD},
    {"P0004", PG_RECORD},
    {"XX000", PG_QUARANTINE},
    {"XX001", PG_HALT},
    {"XX002", PG_HALT},
};

static const struct state_rule CLASSES[] = {
    {"08", PG_CONNECTION_LOST}, {"40", PG_TX_RETRY}, {"53", PG_RESOURCE}, {"58", PG_RESOURCE},
    {"22", PG_RECORD},          {"23", PG_RECORD},   {"44", PG_RECORD},   {"54", PG_RECORD},
    {"38", PG_RECORD},          {"39", PG_RECORD},
};

enum pg_action pg_classify(const char *sqlstate)
{
    if (!sqlstate || !*sqlstate)
        return PG_CONNECTION_LOST;
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        if (strcmp(STATES[i].state, sqlstate) == 0)
            return STATES[i].action;
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++)
        if (strncmp(CLASSES[i].state, sqlstate, 2) == 0)
            return CLASSES[i].action;
    return PG_HALT;
}

static enum error_code code_of(enum pg_action action, const char *state)
{
    switch (action) {
    case PG_CONNECTION_LOST:
        return ERR_PG_UNREACHABLE;
    case PG_TX_RETRY:
    case PG_REPREPARE:
        return ERR_PG_TRANSIENT;
    case PG_RESOURCE:
        return ERR_PG_RESOURCE;
    case PG_RECORD:
    case PG_QUARANTINE:
        return ERR_PG_DATA;
    case PG_FENCED:
        return strcmp(state, "DR002") == 0 ? ERR_CHECKPOINT : ERR_FENCED;
    case PG_HALT:
        break;
    }
    if (strcmp(state, "42501") == 0)
        return ERR_PG_PERMISSION;
    if (strcmp(state, "42P07") == 0 || strcmp(state, "42710") == 0 || strcmp(state, "42723") == 0)
        return ERR_PG_TAKEN; /* a relation, another object, a function */
    if (strncmp(state, "28", 2) == 0)
        return ERR_PG_AUTH;
    if (strncmp(state, "42", 2) == 0 || strncmp(state, "3", 1) == 0)
        return ERR_PG_SCHEMA;
    return ERR_PG_PROTOCOL;
}

static enum outcome outcome_of(enum pg_action action)
{
    switch (action) {
    case PG_CONNECTION_LOST:
    case PG_TX_RETRY:
    case PG_RESOURCE:
    case PG_REPREPARE:
        return OUT_RETRY;
    case PG_RECORD:
    case PG_QUARANTINE:
        return OUT_REJECT;
    default:
        return OUT_FATAL;
    }
}

/* The server's primary message may quote the value it refused: 'invalid input syntax for type
 * integer: "…"', 'unsupported Unicode escape', 'date/time field value out of range: "…"'. What
 * follows the first ": " or stands in quotes that are not an identifier's cannot be told apart, so
 * for the data classes the message is cut at the first quote after a colon. */
static int safe_length(const char *state, const char *message, const char *raised_by)
{
    const char *end = message + strlen(message);
    bool data = strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
                strncmp(state, "P0", 2) == 0 || strncmp(state, "38", 2) == 0;
    const char *cut = data ? strstr(message, ": ") : NULL;
    bool own = strncmp(state, "DR", 2) == 0;
    if (state[0] == 'P' || (!own && raised_by && strcmp(raised_by, "exec_stmt_raise") == 0))
        cut = message; /* a trigger's own words may be anything */
    return (int)((cut ? cut : end) - message);
}

enum pg_action pg_error_from_result(const PGresult *result, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    enum pg_action action = pg_classify(state);
    if (!state || !*state) {
        error_set(err, OUT_RETRY, ERR_PG_UNREACHABLE, "the connection to PostgreSQL broke");
        return action;
    }
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *raised_by = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    enum error_code code = code_of(action, state);
    if (strcmp(state, "23503") == 0 && constraint &&
        strncmp(constraint, SCHEMA_REFERENCE, strlen(SCHEMA_REFERENCE)) == 0)
        code = ERR_PG_PARENT; /* a reference of the mapping: the parent may still come */
    if (strcmp(state, "DR003") == 0)
        code = ERR_PG_SKIPPED;
    if (strcmp(state, "DR004") == 0)
        code = ERR_PG_LOADING;
    error_set(err, outcome_of(action), code, "%s", error_code_meaning(code));
    message = message ? message : "";
    error_cause(err, "%s %.*s", state, safe_length(state, message, raised_by), message);
    if (table || constraint)
        error_where(err, "%s%s%s%s%s", table ? table : "", column ? "." : "", column ? column : "",
                    constraint ? " constraint " : "", constraint ? constraint : "");
    return action;
}

void pg_error_blame_record(struct error *err)
{
    struct error seen = *err;
    bool known =
        seen.code == ERR_PG_DATA || seen.code == ERR_PG_PARENT || seen.code == ERR_PG_SKIPPED;
    enum error_code code = known ? seen.code : ERR_PG_DATA;
    bool ours = strncmp(seen.cause, "DR", 2) == 0; /* or a trigger's, with words of its own */
    error_set(err, OUT_REJECT, code, "%s", error_code_meaning(code));
    error_cause(err, "%.*s", ours ? 5 : (int)sizeof seen.cause, seen.cause);
    error_where(err, "%s", seen.where);
}

/* libpq's text names host, port, user and database, never the password. error_cause masks it, makes
 * one line of it and cuts it, in this order. */
enum outcome pg_error_from_connection(PGconn *connection, struct error *err)
{
    const char *text = connection ? PQerrorMessage(connection) : "out of memory";
    bool refused = strstr(text, "authentication failed") || strstr(text, "no password supplied") ||
                   (strstr(text, "role \"") && strstr(text, "does not exist")) ||
                   strstr(text, "no pg_hba.conf entry") ||
                   strstr(text, "permission denied to set role");
    bool missing = strstr(text, "database \"") && strstr(text, "does not exist");
    enum outcome outcome;
    if (refused)
        outcome = error_set(err, OUT_FATAL, ERR_PG_AUTH, "PostgreSQL refused the login");
    else if (missing)
        outcome = error_set(err, OUT_FATAL, ERR_PG_SCHEMA, "the database does not exist");
    else
        outcome = error_set(err, OUT_RETRY, ERR_PG_UNREACHABLE, "PostgreSQL cannot be reached");
    error_cause(err, "%s", text);
    if (missing)
        error_hint(err, "make the database (createdb), or name another one: database.url");
    if (strstr(text, "role \"drover_"))
        error_hint(err, "drover schema apply makes the roles");
    return outcome;
}
