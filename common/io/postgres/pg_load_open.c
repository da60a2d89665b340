/* See the header. */
#include "common/io/postgres/pg_load_open.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_session.h"

enum { CONNECT_MS = 10000 };

static enum outcome has_loads(PGconn *session, bool *exists, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        session, "SELECT to_regclass('drover.load') IS NOT NULL", NULL, 0, false, &result, err);
    *exists = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return outcome;
}

enum outcome pg_load_read_opens(PGconn *session, struct pg_load_opens *opens, struct error *err)
{
    bool exists = false;
    PGresult *rows = NULL;
    *opens = (struct pg_load_opens){0};
    enum outcome outcome = has_loads(session, &exists, err);
    if (outcome != OUT_OK || !exists)
        return outcome;
    outcome = pg_session_query(session,
                               "SELECT table_schema, table_name, \"group\", state = 'finalising'"
                               " FROM drover.load WHERE state <> 'done' ORDER BY number",
                               NULL, 0, false, &rows, err);
    size_t count = outcome == OUT_OK ? (size_t)PQntuples(rows) : 0;
    opens->items = mem_zeroed(count + 1, sizeof *opens->items);
    opens->count = count;
    for (size_t i = 0; i < count; i++) {
        struct pg_load_open *open = &opens->items[i];
        int row = (int)i;
        snprintf(open->schema, sizeof open->schema, "%s", PQgetvalue(rows, row, 0));
        snprintf(open->table, sizeof open->table, "%s", PQgetvalue(rows, row, 1));
        snprintf(open->group, sizeof open->group, "%s", PQgetvalue(rows, row, 2));
        open->is_finalising = PQgetvalue(rows, row, 3)[0] == 't';
    }
    PQclear(rows);
    return outcome;
}

enum outcome pg_load_ask_opens(const struct settings *settings, struct pg_load_opens *opens,
                               struct error *err)
{
    PGconn *session = NULL;
    *opens = (struct pg_load_opens){0};
    enum outcome outcome =
        pg_session_open(settings->database_url, "", "drover-load", CONNECT_MS, &session, err);
    if (outcome == OUT_OK)
        outcome = pg_load_read_opens(session, opens, err);
    PQfinish(session);
    return outcome;
}

void pg_load_opens_free(struct pg_load_opens *opens)
{
    free(opens->items);
    *opens = (struct pg_load_opens){0};
}

/* ---- who reads tables ---- */

static bool names_one(struct mapping *const *mappings, size_t count,
                      const struct pg_load_open *open)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mappings[i]->schema, open->schema) == 0 &&
            strcmp(mappings[i]->table, open->table) == 0)
            return true;
    return false;
}

static bool is_of(const struct pg_load_open *open, const char *group)
{
    return group && strcmp(open->group, group) == 0;
}

enum outcome pg_load_list_open(PGconn *session, const char *group, struct buf *names,
                               struct error *err)
{
    struct pg_load_opens opens;
    enum outcome outcome = pg_load_read_opens(session, &opens, err);
    for (size_t i = 0; i < opens.count; i++)
        if (is_of(&opens.items[i], group))
            buf_append_format(names, "%s.%s\n", opens.items[i].schema, opens.items[i].table);
    pg_load_opens_free(&opens);
    return outcome;
}

enum outcome pg_load_refuse_open(PGconn *session, const char *group,
                                 struct mapping *const *mappings, size_t count, struct error *err)
{
    struct pg_load_opens opens;
    enum outcome outcome = pg_load_read_opens(session, &opens, err);
    for (size_t i = 0; i < opens.count && outcome == OUT_OK; i++) {
        const struct pg_load_open *open = &opens.items[i];
        if (!is_of(open, group) && !names_one(mappings, count, open))
            continue;
        outcome =
            error_set(err, OUT_FATAL, ERR_PG_LOADING, "%s", error_code_meaning(ERR_PG_LOADING));
        error_where(err, "%s.%s", open->schema, open->table);
        if (!is_of(open, group))
            error_cause(err, "group %s loads it, and the table is empty until that is finished",
                        open->group);
    }
    pg_load_opens_free(&opens);
    return outcome;
}

/* ---- what is typed ---- */

/* PREFIX.MIGRATION.worker (settings.c, name_group) */
void pg_load_append_flags(struct buf *out, const struct settings *settings, const char *group)
{
    static const char END[] = ".worker";
    size_t prefix = strlen(settings->prefix), size = strlen(group), end = sizeof END - 1;
    if (strcmp(group, settings->group) == 0)
        return;
    bool by_migration = size > prefix + 1 + end && strncmp(group, settings->prefix, prefix) == 0 &&
                        group[prefix] == '.' && strcmp(group + size - end, END) == 0;
    if (by_migration)
        buf_append_format(out, " --migration %.*s", (int)(size - prefix - 1 - end),
                          group + prefix + 1);
    else
        buf_append_format(out, " --group %s", group);
}
