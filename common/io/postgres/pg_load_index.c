/* See the header. */
#include "common/io/postgres/pg_load_index.h"

#include <libpq-fe.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_load.h"

enum { TEXT_LIMIT = 1 << 20 };

#define KEY SIZE_MAX /* in place of an index's position */

/* Says which row it is, when one is found: columns key, partition, offset. */
static void say_row(const struct mapping *mapping, const PGresult *found, struct error *err)
{
    error_where(err, "%s.%s, record %s, partition %s offset %s", mapping->schema, mapping->table,
                PQgetvalue(found, 0, 0), PQgetvalue(found, 0, 1), PQgetvalue(found, 0, 2));
}

/* The rows go into an empty table with this index alone, half by half, until one is refused. */
static void find_row(PGconn *session, const struct mapping *mapping, int number, size_t at,
                     struct error *err)
{
    struct buf sql;
    PGresult *found = NULL;
    buf_init(&sql, TEXT_LIMIT);
    schema_load_try(&sql, mapping, number, at == KEY ? NULL : &mapping->indexes[at]);
    enum outcome outcome = pg_session_run(session, buf_text(&sql), NULL);
    if (outcome == OUT_OK)
        outcome = pg_session_query(session,
                                   "SELECT f ->> 0, f ->> 1, f ->> 2 FROM (SELECT"
                                   " nullif(current_setting('drover.refused', true), '')::jsonb"
                                   " AS f) AS s WHERE f IS NOT NULL",
                                   NULL, 0, false, &found, NULL);
    if (outcome == OUT_OK && PQntuples(found) == 1)
        say_row(mapping, found, err);
    PQclear(found);
    buf_free(&sql);
}

/* What came of it may be anything that an expression raises; of the server, or the data? */
static enum outcome refuse(PGconn *session, const struct mapping *mapping, int number, size_t at,
                           const char *shown, struct error *err)
{
    struct error seen = *err;
    if (pg_session_run(session, "ROLLBACK TO SAVEPOINT load_index", err) != OUT_OK)
        return err->outcome;
    error_set(err, OUT_FATAL, ERR_PG_DATA,
              "index %s cannot be built over what was loaded: it does not take every row", shown);
    error_where(err, "%s.%s", mapping->schema, mapping->table);
    error_cause(err, "%s", seen.cause);
    error_hint(err, "drover load abort gives the load up: upserts read all of it again, and "
                    "dead-letter such records one by one");
    find_row(session, mapping, number, at, err);
    return OUT_FATAL;
}

/* One index under a savepoint. *refused: by the rows, and taken back. */
static enum outcome make(PGconn *session, const char *sql, bool *refused, struct error *err)
{
    *refused = false;
    enum outcome outcome = pg_session_run(session, "SAVEPOINT load_index", err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = pg_session_run(session, sql, err);
    *refused = outcome == OUT_REJECT || outcome == OUT_FATAL;
    return outcome;
}

enum outcome pg_load_make_key(PGconn *session, const struct mapping *mapping, int number,
                              const char *shown, bool *has_many, struct error *err)
{
    struct buf sql;
    bool refused = false;
    buf_init(&sql, TEXT_LIMIT);
    schema_load_key(&sql, mapping, number);
    enum outcome outcome = make(session, buf_text(&sql), &refused, err);
    buf_free(&sql);
    *has_many = refused && strncmp(err->cause, "23505", 5) == 0;
    if (*has_many) { /* no failure: nobody is to be told of it */
        *err = (struct error){0};
        return pg_session_run(session, "ROLLBACK TO SAVEPOINT load_index", err);
    }
    return refused ? refuse(session, mapping, number, KEY, shown, err) : outcome;
}

enum outcome pg_load_make_indexes(PGconn *session, const struct mapping *mapping, int number,
                                  struct error *err)
{
    enum outcome outcome = OUT_OK;
    struct buf sql;
    bool refused = false;
    buf_init(&sql, TEXT_LIMIT);
    for (size_t i = 0; i < mapping->index_count && outcome == OUT_OK; i++) {
        buf_reset(&sql);
        schema_load_index(&sql, mapping, number, i);
        outcome = make(session, buf_text(&sql), &refused, err);
        if (refused)
            outcome = refuse(session, mapping, number, i, mapping->indexes[i].name, err);
    }
    buf_free(&sql);
    return outcome;
}
