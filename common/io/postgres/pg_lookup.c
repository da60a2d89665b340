#include "common/io/postgres/pg_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/model/schema/schema_sql.h"
#include "common/policy/apply/record_row.h"

#define SQL_MAX (1u << 20)
#define ARENA_MAX (1u << 20)
#define PARAMS_MAX 33 /* isolation_key and PostgreSQL's 32 columns of an index */
#define NAME_SIZE 32

struct pg_lookup {
    const struct settings *settings;
    uint64_t timeout_ms;
    PGconn *session;
    const struct mapping **prepared; /* statements of the session, by their number */
    size_t prepared_count, prepared_room;
    char name[NAME_SIZE]; /* of what is asked next */
    const char *values[PARAMS_MAX];
    int sizes[PARAMS_MAX];
    size_t count;
    struct mapping_work work;
    struct arena arena;
};

struct pg_lookup *pg_lookup_new(const struct settings *settings, uint64_t timeout_ms)
{
    struct pg_lookup *lookup = mem_new(sizeof *lookup);
    lookup->settings = settings;
    lookup->timeout_ms = timeout_ms;
    mapping_work_init(&lookup->work);
    arena_init(&lookup->arena, ARENA_MAX);
    return lookup;
}

static void forget_session(struct pg_lookup *lookup)
{
    PQfinish(lookup->session);
    lookup->session = NULL;
    lookup->prepared_count = 0;
}

void pg_lookup_close(struct pg_lookup *lookup)
{
    if (!lookup)
        return;
    forget_session(lookup);
    free(lookup->prepared);
    mapping_work_free(&lookup->work);
    arena_free(&lookup->arena);
    free(lookup);
}

static enum outcome connect_it(struct pg_lookup *lookup, struct error *err)
{
    char limit[64];
    if (lookup->session)
        return OUT_OK;
    snprintf(limit, sizeof limit, "SET statement_timeout = %llu",
             (unsigned long long)lookup->timeout_ms);
    enum outcome outcome =
        pg_session_open(lookup->settings->database_url, lookup->settings->verifier_role,
                        "drover-reads", (int)lookup->timeout_ms, &lookup->session, err);
    if (outcome == OUT_OK)
        outcome = pg_session_check_role(lookup->session, err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(lookup->session, limit, err);
    if (outcome != OUT_OK)
        forget_session(lookup);
    return outcome;
}

static void append_statement(struct buf *sql, const struct mapping *mapping)
{
    pg_store_reader_append_select(sql, mapping, false);
    buf_append_text(sql, " WHERE NOT t.drover_deleted AND t.isolation_key = $1");
    for (size_t i = 0; i < mapping->key_count; i++) {
        buf_append_text(sql, " AND t.");
        schema_sql_identifier(sql, mapping->columns[mapping->key[i]].name);
        buf_append_format(sql, " = $%zu", i + 2);
    }
}

/* What was not sent is an error of the answer. A session that was lost the next prepare makes
 * again. */
static enum outcome take_answer(struct pg_lookup *lookup, PGresult **result, struct error *err)
{
    enum outcome outcome = pg_session_answer(lookup->session, result, err);
    if (PQstatus(lookup->session) != CONNECTION_OK)
        forget_session(lookup);
    return outcome;
}

/* Names the mapping's statement, after it was prepared once a session. */
static enum outcome prepare_statement(struct pg_lookup *lookup, const struct mapping *mapping,
                                      struct error *err)
{
    size_t at = 0;
    struct buf sql;
    PGresult *result = NULL;
    while (at < lookup->prepared_count && lookup->prepared[at] != mapping)
        at++;
    snprintf(lookup->name, sizeof lookup->name, "lookup_%zu", at);
    if (at < lookup->prepared_count)
        return OUT_OK;
    buf_init(&sql, SQL_MAX);
    append_statement(&sql, mapping);
    PQsendPrepare(lookup->session, lookup->name, buf_text(&sql), 0, NULL);
    enum outcome outcome = take_answer(lookup, &result, err);
    PQclear(result);
    buf_free(&sql);
    if (outcome != OUT_OK)
        return outcome;
    lookup->prepared =
        mem_grown(lookup->prepared, &lookup->prepared_room, at + 1, sizeof *lookup->prepared);
    lookup->prepared[lookup->prepared_count++] = mapping;
    return OUT_OK;
}

static void take_value(struct pg_lookup *lookup, const char *data, int size)
{
    lookup->values[lookup->count] = data;
    lookup->sizes[lookup->count++] = size;
}

static enum outcome take_key(struct pg_lookup *lookup, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct error *err)
{
    struct row row;
    arena_reset(&lookup->arena);
    lookup->count = 0;
    if (mapping->key_count + 1 > PARAMS_MAX)
        return error_set(err, OUT_REJECT, ERR_MAPPING_KEY, "a key of %zu columns",
                         mapping->key_count);
    struct bytes kept = arena_copy(&lookup->arena, tenant);
    enum outcome outcome =
        record_key_row(mapping, kept, id, &lookup->work, &lookup->arena, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    take_value(lookup, kept.data, (int)kept.size);
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct cell *cell = &row.cells[mapping->key[i]];
        take_value(lookup, cell->data, cell->size);
    }
    return OUT_OK;
}

enum outcome pg_lookup_prepare(struct pg_lookup *lookup, const struct mapping *mapping,
                               struct bytes tenant, struct bytes id, struct error *err)
{
    enum outcome outcome = connect_it(lookup, err);
    if (outcome == OUT_OK)
        outcome = prepare_statement(lookup, mapping, err);
    return outcome == OUT_OK ? take_key(lookup, mapping, tenant, id, err) : outcome;
}

enum outcome pg_lookup_find(struct pg_lookup *lookup, bool *found, struct error *err)
{
    static const int BINARY[PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                           1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    PGresult *result = NULL;
    PQsendQueryPrepared(lookup->session, lookup->name, (int)lookup->count, lookup->values,
                        lookup->sizes, BINARY, 1);
    enum outcome outcome = take_answer(lookup, &result, err);
    *found = outcome == OUT_OK && PQntuples(result) > 0;
    PQclear(result);
    return outcome;
}
