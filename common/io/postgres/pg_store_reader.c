/* See the header. One table is one cursor; what FETCH brings at once grows and shrinks with the
 * size of what it brought before. */
#include "common/io/postgres/pg_store_reader.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/json/canonical.h"
#include "common/model/schema/schema_sql.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/verify/verify_copy.h"

#define OWN_COLUMNS 5 /* isolation_key before, version, digest, deleted and generation behind */
#define DIGEST_SIZE 16
#define SQL_MAX (1u << 20)
#define RECORD_MAX (512u << 20) /* PostgreSQL's own limit of a row is 1 GiB */
#define FETCH_FIRST 64
#define FETCH_MAX 4096
#define FETCH_BYTES (4u << 20) /* of a fetch: more halves the next one, a quarter doubles it */

struct pg_store_reader {
    struct store_reader reader; /* first: the port's view of it */
    PGconn *session;
    struct mapping *const *mappings;
    size_t count, at; /* mappings[at] is being read */
    const char *only_tenant;
    PGresult *rows;  /* of the last fetch */
    PGresult *found; /* of the last find */
    int row;
    bool open, last; /* the cursor; nothing is behind `rows` */
    size_t fetch;
    struct cell *cells;
    size_t cell_room;
    struct mapping_work work;
    struct arena arena;
    struct buf id, json, sql;
};

static void append_column(struct buf *out, const struct column *column, bool strict)
{
    struct buf name;
    buf_init(&name, 1024);
    buf_append_text(&name, "t.");
    schema_sql_identifier(&name, column->name);
    if (!column->type.array)
        buf_append_format(out, ", %s", buf_text(&name));
    else if (!strict)
        buf_append_format(out, ", to_jsonb(%s)", buf_text(&name));
    else
        buf_append_format(out,
                          ", CASE WHEN array_ndims(%s) > 1 OR array_lower(%s, 1) <> 1 THEN "
                          "'{}'::jsonb ELSE to_jsonb(%s) END",
                          buf_text(&name), buf_text(&name), buf_text(&name));
    buf_free(&name);
}

void pg_store_reader_append_select(struct buf *out, const struct mapping *mapping, bool strict)
{
    buf_append_text(out, "SELECT t.isolation_key");
    for (size_t i = 0; i < mapping->column_count; i++)
        append_column(out, &mapping->columns[i], strict);
    buf_append_text(out, ", t.drover_version, t.drover_digest, t.drover_deleted, "
                         "t.drover_generation FROM ");
    schema_sql_table_name(out, mapping);
    buf_append_text(out, " AS t");
}

void pg_store_reader_append_tenant(struct buf *out, const char *before, const char *only_tenant)
{
    if (!only_tenant || !only_tenant[0])
        return;
    buf_append_format(out, "%s.isolation_key = ", before);
    schema_sql_literal(out, only_tenant);
}

size_t pg_store_reader_cell_count(const struct mapping *mapping)
{
    return mapping->column_count + OWN_COLUMNS;
}

bool pg_store_reader_take(const struct mapping *mapping, const struct cell *cells, struct row *row)
{
    const struct cell *own = cells + 1 + mapping->column_count;
    *row = (struct row){0};
    if (cells[0].size < 0 || !verify_copy_int64(own[0], &row->version) ||
        !verify_copy_bool(own[2], &row->deleted) || !verify_copy_int32(own[3], &row->generation))
        return false;
    row->cells = (struct cell *)(cells + 1); /* mapping.h reads them only */
    row->tenant = bytes_of(cells[0].data, (size_t)cells[0].size);
    if (own[1].size == DIGEST_SIZE)
        memcpy(row->digest.bytes, own[1].data, DIGEST_SIZE);
    row->deleted = mapping_row_is_deleted(
        mapping, row->deleted, bytes_of(own[1].data, own[1].size > 0 ? (size_t)own[1].size : 0));
    return true;
}

/* ---- rows to records */

static void take_cells(struct pg_store_reader *stored, int row, size_t count)
{
    if (stored->cell_room < count) {
        free(stored->cells);
        stored->cells = mem_zeroed(count, sizeof *stored->cells);
        stored->cell_room = count;
    }
    pg_wire_get_cells(stored->rows, row, stored->cells, count);
}

static enum outcome give_back(struct pg_store_reader *stored, const struct mapping *mapping,
                              const struct row *row, struct error *err)
{
    yyjson_doc *doc = NULL;
    buf_reset(&stored->json);
    if (row->deleted)
        return OUT_OK;
    enum outcome outcome = mapping_inverse(mapping, row, &stored->work, &doc, err);
    if (outcome != OUT_OK)
        return outcome == OUT_RETRY ? OUT_FATAL : outcome;
    canonical_append(&stored->json, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return stored->json.failed
               ? error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the row is too large to be given back")
               : OUT_OK;
}

static enum outcome take_row(struct pg_store_reader *stored, const struct mapping *mapping, int at,
                             struct stored_record *out, struct error *err)
{
    struct row row;
    take_cells(stored, at, pg_store_reader_cell_count(mapping));
    buf_reset(&stored->id);
    *out = (struct stored_record){.mapping = mapping};
    if (!pg_store_reader_take(mapping, stored->cells, &row) ||
        !mapping_append_id(mapping, row.cells, &stored->id))
        return error_set(err, OUT_FATAL, ERR_PG_PROTOCOL,
                         "a row of %s has no usable key, version or mark of deletion",
                         mapping->table);
    out->tenant = row.tenant;
    out->id = buf_view(&stored->id);
    out->version = row.version;
    out->generation = row.generation;
    out->digest = row.digest;
    out->deleted = row.deleted;
    out->cells = row.cells;
    enum outcome outcome = give_back(stored, mapping, &row, err);
    out->json = buf_view(&stored->json);
    return outcome;
}

static enum outcome run_rows(struct pg_store_reader *stored, const struct bytes *params,
                             size_t count, struct error *err)
{
    PQclear(stored->rows);
    stored->rows = NULL;
    stored->row = 0;
    return pg_session_query(stored->session, buf_text(&stored->sql), params, count, true,
                            &stored->rows, err);
}

/* ---- reading on */

static enum outcome open_cursor(struct pg_store_reader *stored, struct error *err)
{
    buf_reset(&stored->sql);
    buf_append_text(&stored->sql, "DECLARE drover_stored BINARY NO SCROLL CURSOR FOR ");
    pg_store_reader_append_select(&stored->sql, stored->mappings[stored->at], false);
    pg_store_reader_append_tenant(&stored->sql, " WHERE t", stored->only_tenant);
    enum outcome outcome = pg_session_run(stored->session, buf_text(&stored->sql), err);
    stored->open = outcome == OUT_OK;
    stored->last = false;
    stored->fetch = FETCH_FIRST;
    return outcome;
}

static void adapt_fetch(struct pg_store_reader *stored)
{
    size_t bytes = PQresultMemorySize(stored->rows);
    if (bytes > FETCH_BYTES && stored->fetch > 1)
        stored->fetch /= 2;
    else if (bytes < FETCH_BYTES / 4 && stored->fetch < FETCH_MAX)
        stored->fetch *= 2;
}

static enum outcome fetch_more(struct pg_store_reader *stored, struct error *err)
{
    size_t wanted = stored->fetch;
    buf_reset(&stored->sql);
    buf_append_format(&stored->sql, "FETCH %zu FROM drover_stored", wanted);
    enum outcome outcome = run_rows(stored, NULL, 0, err);
    if (outcome != OUT_OK)
        return outcome;
    stored->last = (size_t)PQntuples(stored->rows) < wanted;
    adapt_fetch(stored);
    return OUT_OK;
}

static enum outcome close_cursor(struct pg_store_reader *stored, struct error *err)
{
    stored->open = false;
    stored->at++;
    return pg_session_run(stored->session, "CLOSE drover_stored", err);
}

/* A row to be taken is in stored->rows, or all tables are read. */
static enum outcome reach_row(struct pg_store_reader *stored, struct error *err)
{
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && stored->at < stored->count) {
        if (!stored->open)
            outcome = open_cursor(stored, err);
        else if (stored->rows && stored->row < PQntuples(stored->rows))
            return OUT_OK;
        else if (stored->last)
            outcome = close_cursor(stored, err);
        else
            outcome = fetch_more(stored, err);
    }
    return outcome;
}

static enum outcome next_row(struct store_reader *reader, struct stored_record *out,
                             struct error *err)
{
    struct pg_store_reader *stored = (struct pg_store_reader *)reader;
    *out = (struct stored_record){0};
    if (reach_row(stored, err) != OUT_OK)
        return OUT_FATAL; /* the snapshot is gone with the connection: there is no second try */
    if (stored->at == stored->count)
        return OUT_OK;
    return take_row(stored, stored->mappings[stored->at], stored->row++, out, err);
}

/* ---- one row */

static void append_key(struct buf *sql, const struct mapping *mapping)
{
    pg_store_reader_append_select(sql, mapping, false);
    buf_append_text(sql, " WHERE t.isolation_key = $1::text");
    for (size_t i = 0; i < mapping->key_count; i++) {
        buf_append_text(sql, " AND t.");
        schema_sql_identifier(sql, mapping->columns[mapping->key[i]].name);
        buf_append_format(sql, " = $%zu", i + 2);
    }
}

/* The key cells of a record known by its id, as a delete's are made. */
static enum outcome key_cells(struct pg_store_reader *stored, const struct mapping *mapping,
                              struct bytes tenant, struct bytes id, struct bytes *params,
                              struct error *err)
{
    struct row row;
    arena_reset(&stored->arena);
    enum outcome outcome =
        record_key_row(mapping, tenant, id, &stored->work, &stored->arena, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    params[0] = tenant;
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct cell *cell = &row.cells[mapping->key[i]];
        params[i + 1] = bytes_of(cell->data, (size_t)cell->size);
    }
    return OUT_OK;
}

static enum outcome find_row(struct store_reader *reader, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct stored_record *out,
                             bool *found, struct error *err)
{
    struct pg_store_reader *stored = (struct pg_store_reader *)reader;
    struct bytes *params = mem_zeroed(mapping->key_count + 1, sizeof *params);
    *found = false;
    *out = (struct stored_record){.mapping = mapping, .tenant = tenant, .id = id};
    enum outcome outcome = key_cells(stored, mapping, tenant, id, params, err);
    if (outcome == OUT_OK) {
        PGresult *kept = stored->rows; /* `next` goes on where it was */
        int row = stored->row;
        stored->rows = NULL;
        buf_reset(&stored->sql);
        append_key(&stored->sql, mapping);
        outcome = run_rows(stored, params, mapping->key_count + 1, err);
        if (outcome == OUT_RETRY)
            outcome = OUT_FATAL;
        *found = outcome == OUT_OK && PQntuples(stored->rows) > 0;
        if (*found)
            outcome = take_row(stored, mapping, 0, out, err);
        out->tenant = tenant;
        PQclear(stored->found); /* the cells are views into it until the next call */
        stored->found = stored->rows;
        stored->rows = kept;
        stored->row = row;
    }
    free(params);
    return outcome;
}

/* ---- the reader */

static enum outcome read_checkpoint(struct store_reader *reader, const char *group,
                                    const char *topic, int32_t partition, int64_t *next_offset,
                                    struct error *err)
{
    struct pg_store_reader *stored = (struct pg_store_reader *)reader;
    char number[16];
    PGresult *result = NULL;
    int size = snprintf(number, sizeof number, "%d", partition);
    struct bytes params[3] = {bytes_text(group), bytes_text(topic), bytes_of(number, (size_t)size)};
    *next_offset = -1;
    enum outcome outcome = pg_session_query(
        stored->session,
        "SELECT next_offset FROM drover.partition_progress"
        " WHERE \"group\" = $1::text AND topic = $2::text AND partition = $3::text::int4",
        params, 3, false, &result, err);
    if (outcome == OUT_OK && PQntuples(result) > 0 &&
        !text_parse_int64(bytes_text(PQgetvalue(result, 0, 0)), next_offset))
        *next_offset = -1;
    PQclear(result);
    return outcome == OUT_RETRY ? OUT_FATAL : outcome;
}

static void close_reader(struct store_reader *reader)
{
    struct pg_store_reader *stored = (struct pg_store_reader *)reader;
    PQclear(stored->rows);
    PQclear(stored->found);
    PQfinish(stored->session);
    mapping_work_free(&stored->work);
    arena_free(&stored->arena);
    buf_free(&stored->id);
    buf_free(&stored->json);
    buf_free(&stored->sql);
    free(stored->cells);
    free(stored);
}

enum outcome pg_store_reader_open(const struct settings *settings, struct mapping *const *mappings,
                                  size_t count, const char *only_tenant,
                                  struct store_reader **reader, struct error *err)
{
    static const struct store_reader_ops OPS = {read_checkpoint, next_row, find_row, close_reader};
    PGconn *session = NULL;
    *reader = NULL;
    enum outcome outcome = pg_session_snapshot(settings, "drover-stored", &session, err);
    if (outcome == OUT_OK)
        outcome = pg_load_refuse_open(session, NULL, mappings, count, err);
    if (outcome != OUT_OK) {
        PQfinish(session);
        return outcome;
    }
    struct pg_store_reader *stored = mem_new(sizeof *stored);
    stored->reader.ops = &OPS;
    stored->session = session;
    stored->mappings = mappings;
    stored->count = count;
    stored->only_tenant = only_tenant;
    mapping_work_init(&stored->work);
    arena_init(&stored->arena, 1u << 20);
    buf_init(&stored->id, 64u << 10);
    buf_init(&stored->json, RECORD_MAX);
    buf_init(&stored->sql, SQL_MAX);
    *reader = &stored->reader;
    return OUT_OK;
}
