/* See the header. Tables come whole through COPY in binary, which is the fastest way to read them
 * and needs no cursor; single rows come by arrays of keys. */
#include "common/io/postgres/pg_snapshot.h"

#include <stdlib.h>

#include <libpq-fe.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_sql.h"
#include "common/policy/verify/verify_copy.h"

#define ROW_MAX (512u << 20) /* PostgreSQL's own limit of a row is 1 GiB */
#define SQL_MAX (1u << 20)
#define KEYS_MAX 33            /* isolation_key and PostgreSQL's 32 columns of an index */
#define MEMORY_MAX (64u << 20) /* 500 keys of 512 bytes are far below */

struct pg_snapshot {
    PGconn *session; /* open transaction: REPEATABLE READ, READ ONLY */
};

enum outcome pg_snapshot_open(const struct settings *settings, const char *application,
                              const struct mapping_set *mappings, struct pg_snapshot **snapshot,
                              struct error *err)
{
    PGconn *session = NULL;
    *snapshot = NULL;
    enum outcome outcome = pg_session_snapshot(settings, application, &session, err);
    if (outcome == OUT_OK)
        outcome = pg_load_refuse_open(session, settings->group, mappings ? mappings->items : NULL,
                                      mappings ? mappings->count : 0, err);
    if (outcome != OUT_OK) {
        PQfinish(session);
        return outcome;
    }
    *snapshot = mem_new(sizeof **snapshot);
    (*snapshot)->session = session;
    return OUT_OK;
}

const char *pg_snapshot_server(const struct pg_snapshot *snapshot)
{
    const char *version = PQparameterStatus(snapshot->session, "server_version");
    return version ? version : "";
}

void pg_snapshot_close(struct pg_snapshot *snapshot)
{
    if (!snapshot)
        return;
    PQfinish(snapshot->session);
    free(snapshot);
}

/* ---- places ------------------------------------------------------------------------------ */

static bool read_number(const PGresult *result, int row, int column, int64_t *number)
{
    return text_parse_int64(pg_wire_get_bytes(result, row, column), number);
}

/* Two numbers a row. */
static enum outcome visit_places(struct pg_snapshot *snapshot, const char *sql, const char *group,
                                 const char *topic, pg_place_visit *visit, void *owner,
                                 struct error *err)
{
    PGresult *result = NULL;
    struct bytes params[2] = {bytes_text(group), bytes_text(topic)};
    enum outcome outcome = pg_session_query(snapshot->session, sql, params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        int64_t partition, offset;
        if (read_number(result, row, 0, &partition) && read_number(result, row, 1, &offset) &&
            !visit(owner, partition, offset))
            break;
    }
    PQclear(result);
    return outcome;
}

enum outcome pg_snapshot_checkpoints(struct pg_snapshot *snapshot, const char *group,
                                     const char *topic, pg_place_visit *visit, void *owner,
                                     struct error *err)
{
    return visit_places(snapshot,
                        "SELECT partition, next_offset FROM drover.partition_progress"
                        " WHERE \"group\" = $1::text AND topic = $2::text",
                        group, topic, visit, owner, err);
}

enum outcome pg_snapshot_redis_checkpoints(struct pg_snapshot *snapshot, const char *group,
                                           const char *topic, pg_place_visit *visit, void *owner,
                                           struct error *err)
{
    return visit_places(snapshot,
                        "SELECT partition, redis_next FROM drover.partition_progress"
                        " WHERE \"group\" = $1::text AND topic = $2::text",
                        group, topic, visit, owner, err);
}

static enum outcome has_table(struct pg_snapshot *snapshot, bool *exists, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(snapshot->session, "SELECT to_regclass('drover.waiting') IS NOT NULL",
                         NULL, 0, false, &result, err);
    *exists = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return outcome;
}

enum outcome pg_snapshot_pending(struct pg_snapshot *snapshot, const char *group, const char *topic,
                                 pg_place_visit *visit, void *owner, struct error *err)
{
    bool exists = false;
    enum outcome outcome = has_table(snapshot, &exists, err);
    if (outcome != OUT_OK || !exists)
        return outcome;
    return visit_places(snapshot,
                        "SELECT partition, \"offset\" FROM drover.waiting WHERE \"group\" = "
                        "$1::text AND topic = $2::text AND (state IS NULL OR state LIKE 'DRV-%')",
                        group, topic, visit, owner, err);
}

/* ---- whole tables ------------------------------------------------------------------------ */

static enum outcome begin_copy(struct pg_snapshot *snapshot, const struct mapping *mapping,
                               const char *only_tenant, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    buf_append_text(&sql, "COPY (");
    pg_store_reader_append_select(&sql, mapping, true);
    pg_store_reader_append_tenant(&sql, " WHERE t", only_tenant);
    buf_append_text(&sql, ") TO STDOUT (FORMAT binary)");
    PGresult *result = PQexec(snapshot->session, buf_text(&sql));
    buf_free(&sql);
    enum outcome outcome = OUT_OK;
    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        pg_error_from_result(result, err);
        outcome = err->outcome;
    }
    PQclear(result);
    return outcome;
}

/* The stream's trailer says that it is whole, the command's result that the server agrees. */
static enum outcome finish_copy(struct pg_snapshot *snapshot, bool ended,
                                const struct mapping *mapping, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (PGresult *result; (result = PQgetResult(snapshot->session));) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && outcome == OUT_OK) {
            pg_error_from_result(result, err);
            outcome = err->outcome;
        }
        PQclear(result);
    }
    if (outcome == OUT_OK && !ended)
        outcome = error_set(err, OUT_FATAL, ERR_PG_PROTOCOL, "the rows of %s came cut off",
                            mapping->table);
    return outcome;
}

/* All rows of one piece of the stream. */
static enum outcome visit_piece(const struct mapping *mapping, struct verify_copy *copy,
                                struct cell *cells, pg_cells_visit *visit, void *owner,
                                struct error *err)
{
    size_t count = pg_store_reader_cell_count(mapping);
    for (;;) {
        enum outcome outcome;
        switch (verify_copy_next(copy, cells, count)) {
        case VERIFY_COPY_ROW:
            outcome = visit(owner, cells, err);
            if (outcome != OUT_OK)
                return outcome;
            break;
        case VERIFY_COPY_MORE:
        case VERIFY_COPY_END:
            return OUT_OK;
        case VERIFY_COPY_BROKEN:
            return error_set(err, OUT_FATAL, ERR_PG_PROTOCOL, "the rows of %s cannot be read",
                             mapping->table);
        }
    }
}

static struct cell *make_cells(const struct mapping *mapping)
{
    struct cell *cells = mem_zeroed(pg_store_reader_cell_count(mapping), sizeof *cells);
    return cells;
}

enum outcome pg_snapshot_rows(struct pg_snapshot *snapshot, const struct mapping *mapping,
                              const char *only_tenant, pg_cells_visit *visit, void *owner,
                              struct error *err)
{
    struct verify_copy copy;
    struct cell *cells = make_cells(mapping);
    char *piece = NULL;
    int size;
    verify_copy_init(&copy, ROW_MAX);
    enum outcome outcome = begin_copy(snapshot, mapping, only_tenant, err);
    bool begun = outcome == OUT_OK;
    while (outcome == OUT_OK && (size = PQgetCopyData(snapshot->session, &piece, 0)) > 0) {
        verify_copy_feed(&copy, bytes_of(piece, (size_t)size));
        outcome = visit_piece(mapping, &copy, cells, visit, owner, err);
        PQfreemem(piece);
    }
    if (begun && outcome == OUT_OK)
        outcome = finish_copy(snapshot, copy.ended, mapping, err);
    verify_copy_free(&copy);
    free(cells);
    return outcome;
}

/* ---- rows by their keys: one query with the keys as binary arrays ------------------------- */

static void append_query(struct buf *out, const struct mapping *mapping)
{
    pg_store_reader_append_select(out, mapping, true);
    buf_append_text(out, " WHERE (t.isolation_key");
    for (size_t i = 0; i < mapping->key_count; i++) {
        buf_append_text(out, ", t.");
        schema_sql_identifier(out, mapping->columns[mapping->key[i]].name);
    }
    buf_append_text(out, ") IN (SELECT * FROM unnest($1::text[]");
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        buf_append_format(out, ", $%zu::%s", i + 2, value_type_param_array(&column->type));
    }
    buf_append_text(out, "))");
}

/* Appends one parameter's array and notes where it begins. */
static void append_param(struct buf *out, const struct mapping *mapping, size_t param,
                         const struct pg_row_key *keys, size_t count)
{
    if (param == 0) {
        pg_wire_append_array(out, OID_TEXT, count, false);
        for (size_t i = 0; i < count; i++)
            pg_wire_append_element(out, keys[i].tenant.data, (int32_t)keys[i].tenant.size);
        return;
    }
    size_t at = mapping->key[param - 1];
    pg_wire_append_array(out, value_type_param_oid(&mapping->columns[at].type), count, false);
    for (size_t i = 0; i < count; i++)
        pg_wire_append_element(out, keys[i].cells[at].data, keys[i].cells[at].size);
}

static enum outcome query_rows(PGconn *session, const struct mapping *mapping,
                               const struct pg_row_key *keys, size_t count, PGresult **result,
                               struct error *err)
{
    size_t ends[KEYS_MAX];
    struct bytes values[KEYS_MAX];
    size_t params = mapping->key_count + 1;
    struct buf sql, memory;
    if (params > KEYS_MAX)
        return error_set(err, OUT_FATAL, ERR_MAPPING_KEY, "a key of %zu columns",
                         mapping->key_count);
    buf_init(&sql, SQL_MAX);
    buf_init(&memory, MEMORY_MAX);
    append_query(&sql, mapping);
    for (size_t p = 0; p < params; p++) {
        append_param(&memory, mapping, p, keys, count);
        ends[p] = memory.size;
    }
    for (size_t p = 0, from = 0; p < params; from = ends[p++]) /* it moves while it grows */
        values[p] = bytes_of(memory.data + from, ends[p] - from);
    enum outcome outcome =
        pg_session_query(session, buf_text(&sql), values, params, true, result, err);
    buf_free(&sql);
    buf_free(&memory);
    return outcome;
}

enum outcome pg_snapshot_find(struct pg_snapshot *snapshot, const struct mapping *mapping,
                              const struct pg_row_key *keys, size_t count, pg_cells_visit *visit,
                              void *owner, struct error *err)
{
    PGresult *result = NULL;
    size_t width = pg_store_reader_cell_count(mapping);
    enum outcome outcome = query_rows(snapshot->session, mapping, keys, count, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    struct cell *cells = make_cells(mapping);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        pg_wire_get_cells(result, row, cells, width);
        outcome = visit(owner, cells, err);
    }
    free(cells);
    PQclear(result);
    return outcome;
}

/* ---- beside the rows --------------------------------------------------------------------- */

static void append_pair(struct buf *sql, const char *left, const char *right)
{
    buf_append_text(sql, " AND p.");
    schema_sql_identifier(sql, left);
    buf_append_text(sql, " = c.");
    schema_sql_identifier(sql, right);
}

static void append_orphans(const struct mapping *child, const struct mapping_reference *reference,
                           const struct mapping *parent, const char *only_tenant, struct buf *sql)
{
    buf_append_text(sql, "SELECT count(*) FROM ");
    schema_sql_table_name(sql, child);
    buf_append_text(sql, " AS c WHERE NOT c.drover_deleted");
    pg_store_reader_append_tenant(sql, " AND c", only_tenant);
    for (size_t i = 0; i < reference->column_count; i++) {
        buf_append_text(sql, " AND c.");
        schema_sql_identifier(sql, child->columns[reference->columns[i]].name);
        buf_append_text(sql, " IS NOT NULL");
    }
    buf_append_text(sql, " AND NOT EXISTS (SELECT 1 FROM ");
    schema_sql_table_name(sql, parent);
    buf_append_text(sql, " AS p WHERE p.isolation_key = c.isolation_key");
    for (size_t i = 0; i < reference->column_count && i < parent->key_count; i++)
        append_pair(sql, parent->columns[parent->key[i]].name,
                    child->columns[reference->columns[i]].name);
    buf_append_char(sql, ')');
}

enum outcome pg_snapshot_count_orphans(struct pg_snapshot *snapshot, const struct mapping *child,
                                       const struct mapping_reference *reference,
                                       const struct mapping *parent, const char *only_tenant,
                                       uint64_t *count, struct error *err)
{
    PGresult *result = NULL;
    int64_t rows = 0;
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    append_orphans(child, reference, parent, only_tenant, &sql);
    enum outcome outcome =
        pg_session_query(snapshot->session, buf_text(&sql), NULL, 0, false, &result, err);
    if (outcome == OUT_OK && !read_number(result, 0, 0, &rows))
        outcome = error_set(err, OUT_FATAL, ERR_PG_PROTOCOL, "a count is no number");
    *count = (uint64_t)rows;
    PQclear(result);
    buf_free(&sql);
    return outcome;
}

static enum outcome keep_box(void *owner, const struct vault_row *row, struct error *err)
{
    (void)err;
    buf_append_bytes(owner, row->box);
    return OUT_OK;
}

enum outcome pg_snapshot_box(struct pg_snapshot *snapshot, struct bytes tenant,
                             struct bytes reference, struct buf *box, struct error *err)
{
    return pg_vault_each(snapshot->session, tenant, reference, keep_box, box, err);
}
