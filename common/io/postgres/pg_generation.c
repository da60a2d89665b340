/* See the header. */
#include "common/io/postgres/pg_generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_load.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/mapping/mapping_generation.h"

#define ALL                                                                                        \
    "SELECT generation, fingerprint, table_schema, table_name FROM drover.mapping_generation"

static void see(struct mapping_generation *generation, const PGresult *result, int row)
{
    mapping_generation_see(generation, (int32_t)strtol(PQgetvalue(result, row, 0), NULL, 10),
                           bytes_text(PQgetvalue(result, row, 1)));
}

/* ---- asking ------------------------------------------------------------------------------ */

static void keep(const struct mapping_set *mappings, const struct mapping_generation *generations)
{
    for (size_t i = 0; i < mappings->count; i++)
        mappings->items[i]->generation = mapping_generation_number(&generations[i]);
}

static enum outcome check(const struct mapping_set *mappings,
                          const struct mapping_generation *generations, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++)
        outcome = mapping_generation_check(&generations[i], mappings->items[i],
                                           "drover schema apply takes this one over; or start with "
                                           "the newest one",
                                           err);
    return outcome;
}

static enum outcome ask(PGconn *connection, const struct mapping_set *mappings, bool writes,
                        struct error *err)
{
    PGresult *result = NULL;
    struct mapping_generation *generations = mem_zeroed(mappings->count + 1, sizeof *generations);
    for (size_t i = 0; i < mappings->count; i++)
        mapping_generation_begin(&generations[i], mappings->items[i]);
    enum outcome outcome = pg_session_query(connection, ALL, NULL, 0, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        for (size_t i = 0; i < mappings->count; i++)
            if (strcmp(mappings->items[i]->schema, PQgetvalue(result, row, 2)) == 0 &&
                strcmp(mappings->items[i]->table, PQgetvalue(result, row, 3)) == 0)
                see(&generations[i], result, row);
    PQclear(result);
    if (outcome == OUT_OK && writes)
        outcome = check(mappings, generations, err);
    if (outcome == OUT_OK)
        keep(mappings, generations);
    free(generations);
    return outcome;
}

enum outcome pg_generation_take(PGconn *connection, const struct mapping_set *mappings,
                                struct error *err)
{
    return ask(connection, mappings, true, err);
}

/* A schema from before there were generations has no such table. */
enum outcome pg_generation_read(PGconn *connection, const struct mapping_set *mappings,
                                struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(connection, "SELECT to_regclass('drover.mapping_generation') IS NOT NULL",
                         NULL, 0, false, &result, err);
    bool exists = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return exists ? ask(connection, mappings, false, err) : outcome;
}

/* ---- registering ------------------------------------------------------------------------- */

static enum outcome find(struct pg_schema *apply, const struct mapping *mapping,
                         struct mapping_generation *generation, struct error *err)
{
    const struct bytes params[] = {bytes_text(mapping->schema), bytes_text(mapping->table)};
    PGresult *result = NULL;
    mapping_generation_begin(generation, mapping);
    enum outcome outcome = pg_session_query(
        apply->connection, ALL " WHERE table_schema = $1::text AND table_name = $2::text", params,
        2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        see(generation, result, row);
    PQclear(result);
    return outcome;
}

static enum outcome insert(struct pg_schema *apply, const struct mapping *mapping,
                           const struct mapping_generation *generation, struct error *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", mapping_generation_number(generation));
    const struct bytes params[] = {bytes_text(mapping->schema), bytes_text(mapping->table),
                                   bytes_text(number), bytes_text(generation->form)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        apply->connection,
        "INSERT INTO drover.mapping_generation (table_schema, table_name, generation, fingerprint)"
        " VALUES ($1::text, $2::text, $3::text::int4, $4::text)",
        params, 4, false, &result, err);
    PQclear(result);
    return outcome;
}

/* Columns that the mapping does not fill stay, with what they hold: those that it filled before are
 * among them. */
static enum outcome append_kept(struct pg_schema *apply, const struct mapping *mapping,
                                struct error *err)
{
    PGresult *result = NULL;
    const struct bytes params[] = {bytes_text(mapping->schema), bytes_text(mapping->table)};
    const char *before = "; kept, but not filled:";
    enum outcome outcome = pg_session_query(
        apply->connection,
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text"
        "   AND c.relname = $2::text AND a.attnum > 0 AND NOT a.attisdropped"
        "   AND a.attname <> 'isolation_key' AND a.attname NOT LIKE 'drover\\_%'"
        " ORDER BY a.attnum",
        params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        const char *name = PQgetvalue(result, row, 0);
        bool filled = false;
        for (size_t i = 0; i < mapping->column_count && !filled; i++)
            filled = strcmp(mapping->columns[i].name, name) == 0;
        for (size_t i = 0; i < mapping->generated_count && !filled; i++)
            filled = strcmp(mapping->generated[i].name, name) == 0;
        if (filled)
            continue;
        buf_append_format(&apply->changes, "%s %s", before, name);
        before = ",";
    }
    PQclear(result);
    return outcome;
}

/* Of a table that was just made there is nothing to say. */
static enum outcome note(struct pg_schema *apply, const struct mapping *mapping,
                         const struct mapping_generation *generation, struct error *err)
{
    enum outcome outcome = OUT_OK;
    enum mapping_generation_state state = mapping_generation_state(generation);
    if (apply->made)
        return OUT_OK;
    buf_append_format(&apply->changes, "register the %smapping of %s.%s as generation %d",
                      state == GENERATION_CHANGED ? "changed " : "", mapping->schema,
                      mapping->table, mapping_generation_number(generation));
    if (state == GENERATION_AGAIN)
        buf_append_format(&apply->changes, ", which it was as generation %d", generation->own);
    if (state != GENERATION_FIRST) {
        buf_append_text(&apply->changes, " (rows from before: drover replay --rewrite");
        outcome = append_kept(apply, mapping, err);
        buf_append_char(&apply->changes, ')');
    }
    buf_append_char(&apply->changes, '\n');
    apply->count++;
    return outcome;
}

/* What is loaded is all of one generation (schema_load.h). */
static enum outcome refuse_loading(struct pg_schema *apply, const struct mapping *mapping,
                                   struct error *err)
{
    bool loading = false;
    enum outcome outcome = pg_load_is_open(apply, mapping, &loading, err);
    if (outcome != OUT_OK || !loading)
        return outcome;
    outcome = error_set(err, OUT_FATAL, ERR_PG_LOADING,
                        "the mapping of %s.%s cannot change while the table is being loaded",
                        mapping->schema, mapping->table);
    error_where(err, "%s", mapping->file);
    return outcome;
}

enum outcome pg_generation_register(struct pg_schema *apply, struct mapping *mapping,
                                    struct error *err)
{
    struct mapping_generation generation;
    enum outcome outcome = find(apply, mapping, &generation, err);
    if (outcome != OUT_OK)
        return outcome;
    enum mapping_generation_state state = mapping_generation_state(&generation);
    mapping->generation = mapping_generation_number(&generation);
    if (state == GENERATION_NEWEST)
        return OUT_OK;
    if (state != GENERATION_FIRST)
        outcome = refuse_loading(apply, mapping, err);
    if (outcome == OUT_OK)
        outcome = insert(apply, mapping, &generation, err);
    if (outcome == OUT_OK)
        outcome = note(apply, mapping, &generation, err);
    return outcome;
}
