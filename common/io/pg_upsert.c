#include "common/io/pg_upsert.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Type OIDs of pg_type.dat, part of the wire protocol. */
#define OID_INT8 20
#define OID_BYTEA 17
#define OID_BOOL 16

#define STATEMENT_MOST (1u << 20)

static char *take_text(struct buf *text)
{
    char *copy = strdup(buf_text(text));
    if (!copy || text->failed)
        abort();
    buf_reset(text);
    return copy;
}

/* An array column's parameter is jsonb; it becomes the real type in the select list. */
static void append_selected(struct buf *sql, const struct column *column, size_t at)
{
    if (!column->type.array) {
        buf_append_format(sql, "u.c%zu", at);
        return;
    }
    buf_append_format(sql,
                      "CASE WHEN u.c%zu IS NOT NULL THEN ARRAY(SELECT e.v FROM "
                      "pg_catalog.jsonb_array_elements_text(u.c%zu) WITH ORDINALITY AS e(v, o) "
                      "ORDER BY e.o)::",
                      at, at);
    value_type_append_sql(sql, &column->type);
    buf_append_text(sql, " END");
}

static void append_key_columns(struct buf *sql, const struct mapping *mapping, const char *prefix)
{
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, "%s%s\"%s\"", k ? ", " : "", prefix,
                          mapping->columns[mapping->key[k]].name);
}

/* unnest of several arrays at once has no qualified spelling; ROWS FROM is the same. */
static void append_unnest(struct buf *sql, size_t number, const char *type)
{
    buf_append_format(sql, "pg_catalog.unnest($%zu::%s), ", number, type);
}

static void append_source(struct buf *sql, const struct mapping *mapping)
{
    size_t count = mapping->column_count;
    buf_append_text(sql, " FROM ROWS FROM (");
    for (size_t i = 0; i < count; i++)
        append_unnest(sql, i + 2, value_type_param_array(&mapping->columns[i].type));
    append_unnest(sql, count + 2, "int8[]");
    append_unnest(sql, count + 3, "bytea[]");
    append_unnest(sql, count + 4, "bool[]");
    sql->size -= 2; /* the last comma */
    buf_append_text(sql, ") AS u(");
    for (size_t i = 0; i < count; i++)
        buf_append_format(sql, "c%zu, ", i);
    buf_append_text(sql, "v, d, x)");
}

static void append_updates(struct buf *sql, const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].key_at < 0)
            buf_append_format(sql, "\"%s\" = EXCLUDED.\"%s\", ", mapping->columns[i].name,
                              mapping->columns[i].name);
    for (size_t i = 0; i < mapping->generated_count; i++)
        if (mapping->generated[i].kind == GENERATED_ON_WRITE)
            buf_append_format(sql, "\"%s\" = CURRENT_TIMESTAMP, ", mapping->generated[i].name);
    buf_append_text(sql, "drover_version = EXCLUDED.drover_version, "
                         "drover_digest = EXCLUDED.drover_digest, "
                         "drover_deleted = EXCLUDED.drover_deleted");
}

static char *make_upsert(const struct mapping *mapping, struct buf *sql)
{
    buf_append_format(sql, "INSERT INTO \"%s\".\"%s\" AS t (isolation_key", mapping->schema,
                      mapping->table);
    for (size_t i = 0; i < mapping->column_count; i++)
        buf_append_format(sql, ", \"%s\"", mapping->columns[i].name);
    buf_append_text(sql, ", drover_version, drover_digest, drover_deleted) SELECT $1::text");
    for (size_t i = 0; i < mapping->column_count; i++) {
        buf_append_text(sql, ", ");
        append_selected(sql, &mapping->columns[i], i);
    }
    buf_append_text(sql, ", u.v, u.d, u.x");
    append_source(sql, mapping);
    buf_append_text(sql, " ON CONFLICT (isolation_key, ");
    append_key_columns(sql, mapping, "");
    buf_append_text(sql, ") DO UPDATE SET ");
    append_updates(sql, mapping);
    buf_append_text(sql, " WHERE t.drover_version < EXCLUDED.drover_version");
    return take_text(sql);
}

static char *make_look(const struct mapping *mapping, struct buf *sql)
{
    buf_append_text(sql, "SELECT u.o, t.drover_version, t.drover_digest, "
                         "t.xmin::text::int8 FROM ROWS FROM (");
    for (size_t k = 0; k < mapping->key_count; k++)
        append_unnest(sql, k + 2, value_type_param_array(&mapping->columns[mapping->key[k]].type));
    sql->size -= 2; /* the last comma */
    buf_append_text(sql, ") WITH ORDINALITY AS u(");
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, "k%zu, ", k);
    buf_append_format(sql, "o) JOIN \"%s\".\"%s\" AS t ON t.isolation_key = $1::text",
                      mapping->schema, mapping->table);
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, " AND t.\"%s\" = u.k%zu", mapping->columns[mapping->key[k]].name, k);
    return take_text(sql);
}

struct pg_upsert *pg_upsert_new(const struct mapping *mapping, int number)
{
    struct pg_upsert *upsert = calloc(1, sizeof *upsert);
    struct buf sql;
    if (!upsert)
        abort();
    buf_init(&sql, STATEMENT_MOST);
    upsert->mapping = mapping;
    upsert->upsert_sql = make_upsert(mapping, &sql);
    upsert->look_sql = make_look(mapping, &sql);
    buf_append_format(&sql, "drover_upsert_%d", number);
    upsert->upsert_name = take_text(&sql);
    buf_append_format(&sql, "drover_look_%d", number);
    upsert->look_name = take_text(&sql);
    buf_free(&sql);
    return upsert;
}

void pg_upsert_free(struct pg_upsert *upsert)
{
    if (!upsert)
        return;
    free(upsert->upsert_name);
    free(upsert->upsert_sql);
    free(upsert->look_name);
    free(upsert->look_sql);
    free(upsert);
}

/* ---- parameters -------------------------------------------------------------------------- */

/* Positions are noted as offsets while the buffer may still move. */
struct param_list {
    struct buf *memory;
    size_t starts[PG_LANE_PARAMS_MOST];
    int sizes[PG_LANE_PARAMS_MOST];
    int count;
};

static void begin_param(struct param_list *list)
{
    assert(list->count < PG_LANE_PARAMS_MOST);
    list->starts[list->count] = list->memory->size;
}

static void finish_param(struct param_list *list)
{
    list->sizes[list->count] = (int)(list->memory->size - list->starts[list->count]);
    list->count++;
}

static void append_array_header(struct buf *out, uint32_t oid, size_t count, bool nulls)
{
    buf_append_be32(out, 1); /* dimensions */
    buf_append_be32(out, nulls);
    buf_append_be32(out, oid);
    buf_append_be32(out, (uint32_t)count);
    buf_append_be32(out, 1); /* lower bound */
}

static void append_tenant(struct param_list *list, struct bytes tenant)
{
    begin_param(list);
    buf_append_bytes(list->memory, tenant);
    finish_param(list);
}

static void append_cells(struct param_list *list, const struct batch *batch, size_t column,
                         uint32_t oid, const uint32_t *order, size_t count)
{
    struct buf *out = list->memory;
    begin_param(list);
    append_array_header(out, oid, count, true);
    for (size_t i = 0; i < count; i++) {
        struct cell cell = batch->items[order[i]].row.cells[column];
        buf_append_be32(out, (uint32_t)cell.size);
        if (cell.size > 0)
            buf_append(out, cell.data, (size_t)cell.size);
    }
    finish_param(list);
}

static void append_own(struct param_list *list, const struct batch *batch, const uint32_t *order,
                       size_t count)
{
    struct buf *out = list->memory;
    begin_param(list);
    append_array_header(out, OID_INT8, count, false);
    for (size_t i = 0; i < count; i++) {
        buf_append_be32(out, 8);
        buf_append_be64(out, (uint64_t)batch->items[order[i]].row.version);
    }
    finish_param(list);
    begin_param(list);
    append_array_header(out, OID_BYTEA, count, false);
    for (size_t i = 0; i < count; i++) {
        const struct digest *digest = &batch->items[order[i]].row.digest;
        buf_append_be32(out, sizeof digest->bytes);
        buf_append(out, digest->bytes, sizeof digest->bytes);
    }
    finish_param(list);
    begin_param(list);
    append_array_header(out, OID_BOOL, count, false);
    for (size_t i = 0; i < count; i++) {
        buf_append_be32(out, 1);
        buf_append_char(out, batch->items[order[i]].row.deleted);
    }
    finish_param(list);
}

static void queue(const struct param_list *list, struct pg_lane *lane, const char *name,
                  const char *sql)
{
    struct pg_param params[PG_LANE_PARAMS_MOST];
    assert(!list->memory->failed); /* batches are bounded far below the buffer's limit */
    for (int i = 0; i < list->count; i++)
        params[i] = (struct pg_param){list->memory->data + list->starts[i], list->sizes[i]};
    pg_lane_query(lane, name, sql, params, list->count);
}

void pg_upsert_queue(const struct pg_upsert *upsert, struct pg_lane *lane,
                     const struct batch *batch, struct bytes tenant, const uint32_t *order,
                     size_t count, struct buf *memory)
{
    const struct mapping *mapping = upsert->mapping;
    struct param_list list = {.memory = memory, .count = 0};
    buf_reset(memory);
    append_tenant(&list, tenant);
    for (size_t i = 0; i < mapping->column_count; i++)
        append_cells(&list, batch, i, value_type_param_oid(&mapping->columns[i].type), order,
                     count);
    append_own(&list, batch, order, count);
    queue(&list, lane, upsert->upsert_name, upsert->upsert_sql);
}

void pg_upsert_queue_look(const struct pg_upsert *upsert, struct pg_lane *lane,
                          const struct batch *batch, struct bytes tenant, const uint32_t *order,
                          size_t count, struct buf *memory)
{
    const struct mapping *mapping = upsert->mapping;
    struct param_list list = {.memory = memory, .count = 0};
    buf_reset(memory);
    append_tenant(&list, tenant);
    for (size_t k = 0; k < mapping->key_count; k++)
        append_cells(&list, batch, mapping->key[k],
                     value_type_param_oid(&mapping->columns[mapping->key[k]].type), order, count);
    queue(&list, lane, upsert->look_name, upsert->look_sql);
}
