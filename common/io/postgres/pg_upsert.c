#include "common/io/postgres/pg_upsert.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_load.h"
#include "common/model/schema/schema_sql.h"

/* Type OIDs of pg_type.dat, part of the wire protocol. */

#define STATEMENT_MAX (1u << 20)

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

enum source { SOURCE_ROWS, SOURCE_OFFSETS, SOURCE_ORDINALS };

static void append_source(struct buf *sql, const struct mapping *mapping, enum source source)
{
    static const char *const LAST[] = {"v, d, x)", "v, d, x, o)", "v, d, x, o)"};
    size_t count = mapping->column_count;
    buf_append_text(sql, " FROM ROWS FROM (");
    append_unnest(sql, 1, "text[]");
    for (size_t i = 0; i < count; i++)
        append_unnest(sql, i + 2, value_type_param_array(&mapping->columns[i].type));
    append_unnest(sql, count + 2, "int8[]");
    append_unnest(sql, count + 3, "bytea[]");
    append_unnest(sql, count + 4, "bool[]");
    if (source == SOURCE_OFFSETS)
        append_unnest(sql, count + 6, "int8[]");
    sql->size -= 2; /* the last comma */
    buf_append_format(sql, ")%s AS u(t, ", source == SOURCE_ORDINALS ? " WITH ORDINALITY" : "");
    for (size_t i = 0; i < count; i++)
        buf_append_format(sql, "c%zu, ", i);
    buf_append_text(sql, LAST[source]);
}

/* The literal a soft delete sets; a mapping takes text, bool and integers only. */
static void append_soft_value(struct buf *sql, const struct mapping *mapping)
{
    yyjson_val *value = mapping->soft_value;
    if (yyjson_is_str(value))
        schema_sql_literal(sql, yyjson_get_str(value));
    else
        json_append(sql, value);
}

/* Soft: a delete leaves a living row's columns as they are but one, and a tombstone a tombstone. */
static void append_update(struct buf *sql, const struct mapping *mapping, size_t at)
{
    const char *name = mapping->columns[at].name;
    if (mapping->on_delete != DELETE_SOFT) {
        buf_append_format(sql, "\"%s\" = EXCLUDED.\"%s\", ", name, name);
        return;
    }
    buf_append_format(sql, "\"%s\" = CASE WHEN EXCLUDED.drover_deleted%s THEN ", name,
                      (int)at == mapping->soft_column ? " AND NOT t.drover_deleted" : "");
    if ((int)at == mapping->soft_column)
        append_soft_value(sql, mapping);
    else
        buf_append_format(sql, "t.\"%s\"", name);
    buf_append_format(sql, " ELSE EXCLUDED.\"%s\" END, ", name);
}

static void append_updates(struct buf *sql, const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].key_at < 0)
            append_update(sql, mapping, i);
    for (size_t i = 0; i < mapping->generated_count; i++)
        if (mapping->generated[i].kind == GENERATED_ON_WRITE)
            buf_append_format(sql, "\"%s\" = CURRENT_TIMESTAMP, ", mapping->generated[i].name);
    buf_append_text(sql, "drover_version = EXCLUDED.drover_version, "
                         "drover_generation = EXCLUDED.drover_generation, "
                         "drover_digest = EXCLUDED.drover_digest, "
                         "drover_deleted = EXCLUDED.drover_deleted");
    if (mapping->on_delete == DELETE_SOFT)
        buf_append_text(sql, " AND t.drover_deleted");
    if (mapping->on_delete == DELETE_HARD)
        buf_append_text(sql, ", drover_deleted_at = EXCLUDED.drover_deleted_at");
}

/* Tombstones that are to go one day are found again by their tenant; the row is locked until the
 * batch's end, so that the housekeeper cannot drop the mark of a tombstone it does not see yet. In
 * the order of their bytes, as groups are: batches lock in one order. */
static void append_mark(struct buf *sql, const struct mapping *mapping)
{
    buf_append_text(sql, "WITH mark AS (INSERT INTO drover.purge AS p (table_schema, table_name, "
                         "isolation_key) SELECT ");
    schema_sql_literal(sql, mapping->schema);
    buf_append_text(sql, "::text, ");
    schema_sql_literal(sql, mapping->table);
    buf_append_format(sql,
                      "::text, u.t FROM ROWS FROM (pg_catalog.unnest($1::text[]), "
                      "pg_catalog.unnest($%zu::bool[])) AS u(t, x) WHERE u.x GROUP BY u.t ORDER BY "
                      "u.t COLLATE \"C\" ON CONFLICT (table_schema, table_name, isolation_key) DO "
                      "UPDATE SET marked_at = pg_catalog.clock_timestamp()) ",
                      mapping->column_count + 4);
}

/* Asked once a statement: when all is found, the rows' columns are not even taken apart. */
#define NOT_ALL_FOUND                                                                              \
    " AND (SELECT pg_catalog.count(*) FROM found) < pg_catalog.cardinality($1::text[])"

/* A mapping that never changed writes no version twice, and needs no digests for it. */
static bool writes_again(const struct mapping *mapping)
{
    return mapping->generation > 0;
}

/* The guard of every write (batch_is_held): what is stored, as `row`, gives way to what comes, of
 * that version and digest. The generation is the same for all that comes. */
static void append_gives_way(struct buf *sql, const struct mapping *mapping, const char *row,
                             const char *version, const char *digest)
{
    if (!writes_again(mapping)) {
        buf_append_format(sql, "%s.drover_version < %s", row, version);
        return;
    }
    buf_append_format(sql,
                      "(%s.drover_version < %s OR (%s.drover_version = %s AND "
                      "%s.drover_generation < %" PRId32 " AND %s.drover_digest = %s))",
                      row, version, row, version, row, mapping->generation, row, digest);
}

/* The opposite. */
static void append_stays(struct buf *sql, const struct mapping *mapping)
{
    if (!writes_again(mapping)) {
        buf_append_text(sql, "s.drover_version >= u.v");
        return;
    }
    buf_append_format(sql,
                      "(s.drover_version > u.v OR (s.drover_version = u.v AND "
                      "(s.drover_generation >= %" PRId32 " OR s.drover_digest <> u.d)))",
                      mapping->generation);
}

static void append_insert(struct buf *sql, const struct mapping *mapping, bool looking)
{
    bool hard = mapping->on_delete == DELETE_HARD;
    buf_append_format(sql, "INSERT INTO \"%s\".\"%s\" AS t (isolation_key", mapping->schema,
                      mapping->table);
    for (size_t i = 0; i < mapping->column_count; i++)
        buf_append_format(sql, ", \"%s\"", mapping->columns[i].name);
    buf_append_format(sql,
                      ", drover_version, drover_generation, drover_digest, drover_deleted%s) "
                      "SELECT u.t",
                      hard ? ", drover_deleted_at" : "");
    for (size_t i = 0; i < mapping->column_count; i++) {
        buf_append_text(sql, ", ");
        append_selected(sql, &mapping->columns[i], i);
    }
    buf_append_format(sql, ", u.v, %" PRId32 ", u.d, u.x", mapping->generation);
    if (hard)
        buf_append_text(sql, ", CASE WHEN u.x THEN pg_catalog.clock_timestamp() END");
    append_source(sql, mapping, looking ? SOURCE_ORDINALS : SOURCE_ROWS);
    if (looking)
        buf_append_text(sql, " WHERE u.o NOT IN (SELECT f.o FROM found AS f)" NOT_ALL_FOUND);
    buf_append_text(sql, " ON CONFLICT (isolation_key, ");
    append_key_columns(sql, mapping, "");
    buf_append_text(sql, ") DO UPDATE SET ");
    append_updates(sql, mapping);
    buf_append_text(sql, " WHERE ");
    append_gives_way(sql, mapping, "t", "EXCLUDED.drover_version", "EXCLUDED.drover_digest");
}

/* What the table holds of a key, by probes of its index whatever the statistics say. */
static void append_stored(struct buf *sql, const struct mapping *mapping, const char *tenant)
{
    buf_append_format(sql,
                      " LEFT JOIN LATERAL (SELECT t.drover_version, t.drover_digest, "
                      "t.drover_generation FROM "
                      "\"%s\".\"%s\" AS t WHERE t.isolation_key = %s",
                      mapping->schema, mapping->table, tenant);
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, " AND t.\"%s\" = u.k%zu", mapping->columns[mapping->key[k]].name, k);
    buf_append_text(sql, " OFFSET 0) AS s ON true");
}

static void append_keys(struct buf *sql, const struct mapping *mapping, const char *prefix)
{
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, "%sk%zu, ", prefix, k);
}

/* FROM the keys of what is sent, numbered, LEFT JOIN what the table holds of them. */
static void append_held(struct buf *sql, const struct mapping *mapping)
{
    buf_append_text(sql, " FROM ROWS FROM (");
    append_unnest(sql, 1, "text[]");
    for (size_t k = 0; k < mapping->key_count; k++)
        append_unnest(sql, mapping->key[k] + 2,
                      value_type_param_array(&mapping->columns[mapping->key[k]].type));
    append_unnest(sql, mapping->column_count + 2, "int8[]");
    if (writes_again(mapping))
        append_unnest(sql, mapping->column_count + 3, "bytea[]");
    sql->size -= 2; /* the last comma */
    buf_append_text(sql, ") WITH ORDINALITY AS u(t, ");
    append_keys(sql, mapping, "");
    buf_append_text(sql, writes_again(mapping) ? "v, d, o)" : "v, o)");
    append_stored(sql, mapping, "u.t");
}

/*
 * The statement itself tells what it did not write, and why not. RETURNING gives tenant, key and
 * version of each row written; what was sent and is not among them is looked up. NOT IN over a
 * subquery is hashed whatever the planner believes of sizes: a join could become a nested loop.
 * The look-up sees the table as it was when the statement began: the row is there and stays
 * (append_stays), or nobody can say why it was not written (a trigger that returned NULL or
 * changed key or version; a row of the same instant): not_written() raises DR003, nothing of it
 * stands, and the search for refused records asks again.
 *
 * A conflict locks the row it meets, which writes to the table's page and the log even when the
 * row stays as it is. `looking` keeps what the table had when the statement began (found) away from
 * that: a row that stays then stays a moment later, too, and says the same.
 * What comes in between is met by the conflict, as ever.
 */
static char *make_upsert(const struct mapping *mapping, bool looking, struct buf *sql)
{
    bool hard = mapping->on_delete == DELETE_HARD;
    if (hard)
        append_mark(sql, mapping);
    buf_append_text(sql, hard ? ", " : "WITH ");
    if (looking) {
        buf_append_text(sql, "found AS MATERIALIZED (SELECT u.o, s.drover_version AS v, "
                             "s.drover_digest AS d, s.drover_generation AS g");
        append_held(sql, mapping);
        buf_append_text(sql, " WHERE ");
        append_stays(sql, mapping);
        buf_append_text(sql, "), ");
    }
    buf_append_text(sql, "written AS (");
    append_insert(sql, mapping, looking);
    buf_append_text(sql, " RETURNING t.isolation_key AS t, ");
    for (size_t k = 0; k < mapping->key_count; k++)
        buf_append_format(sql, "t.\"%s\" AS k%zu, ", mapping->columns[mapping->key[k]].name, k);
    buf_append_text(sql, "t.drover_version AS v) ");
    if (looking)
        buf_append_text(sql, "SELECT f.o, f.v, f.d, f.g::int8 FROM found AS f UNION ALL ");
    buf_append_text(sql, "SELECT u.o, s.drover_version, s.drover_digest, CASE WHEN ");
    append_stays(sql, mapping);
    buf_append_text(sql, " THEN s.drover_generation::int8 ELSE drover.not_written() END");
    append_held(sql, mapping);
    buf_append_text(sql, " WHERE (u.t, ");
    append_keys(sql, mapping, "u.");
    buf_append_text(sql, "u.v) NOT IN (SELECT w.t, ");
    append_keys(sql, mapping, "w.");
    buf_append_text(sql, "w.v FROM written AS w)");
    if (looking)
        buf_append_text(sql, " AND u.o NOT IN (SELECT f.o FROM found AS f)" NOT_ALL_FOUND);
    return take_text(sql);
}

char *pg_upsert_make_append(const struct mapping *mapping, int number)
{
    struct buf sql;
    buf_init(&sql, STATEMENT_MAX);
    buf_append_text(&sql, "INSERT INTO ");
    schema_load_name(&sql, number);
    buf_append_char(&sql, ' ');
    schema_load_columns(&sql, mapping);
    buf_append_text(&sql, " SELECT u.t");
    for (size_t i = 0; i < mapping->column_count; i++) {
        buf_append_text(&sql, ", ");
        append_selected(&sql, &mapping->columns[i], i);
    }
    buf_append_format(&sql, ", u.v, u.d, u.x, $%zu::int4, u.o", mapping->column_count + 5);
    append_source(&sql, mapping, SOURCE_OFFSETS);
    char *text = take_text(&sql);
    buf_free(&sql);
    return text;
}

static char *make_classify(const struct mapping *mapping, struct buf *sql)
{
    buf_append_text(sql, "SELECT u.o, s.drover_version, s.drover_digest, s.drover_generation "
                         "FROM ROWS FROM (");
    for (size_t k = 0; k < mapping->key_count; k++)
        append_unnest(sql, k + 2, value_type_param_array(&mapping->columns[mapping->key[k]].type));
    sql->size -= 2; /* the last comma */
    buf_append_text(sql, ") WITH ORDINALITY AS u(");
    append_keys(sql, mapping, "");
    buf_append_text(sql, "o)");
    append_stored(sql, mapping, "$1::text");
    buf_append_text(sql, " WHERE s.drover_version IS NOT NULL");
    return take_text(sql);
}

/* Columns of all references, one after the other, are c0, c1 …; NULL in one of them: no reference.
 * A row that refers to itself brings its parent. */
static void append_missing_parent(struct buf *sql, const struct mapping_reference *reference,
                                  const struct mapping *mapping, const struct mapping *parent,
                                  size_t at)
{
    buf_append_char(sql, '(');
    for (size_t i = 0; parent == mapping && i < reference->column_count; i++)
        buf_append_format(sql, "%su.c%zu = u.k%zu", i ? " AND " : "NOT (", at + i, i);
    if (parent == mapping)
        buf_append_text(sql, ") AND ");
    for (size_t i = 0; i < reference->column_count; i++)
        buf_append_format(sql, "u.c%zu IS NOT NULL AND ", at + i);
    buf_append_format(sql, "NOT EXISTS (SELECT FROM \"%s\".\"%s\" AS p WHERE p.isolation_key = $1",
                      parent->schema, parent->table);
    for (size_t i = 0; i < reference->column_count; i++)
        buf_append_format(sql, " AND p.\"%s\" = u.c%zu", parent->columns[parent->key[i]].name,
                          at + i);
    buf_append_text(sql, "))");
}

/* A row that the table holds (append_stays) is not written, and lacks nothing. */
static char *make_missing_parent(const struct mapping_set *mappings, const struct mapping *mapping,
                                 struct buf *sql)
{
    size_t number = 2, count = 0;
    buf_append_text(sql, "SELECT u.o FROM ROWS FROM (");
    for (size_t k = 0; k < mapping->key_count; k++)
        append_unnest(sql, number++,
                      value_type_param_array(&mapping->columns[mapping->key[k]].type));
    append_unnest(sql, number++, "int8[]");
    if (writes_again(mapping))
        append_unnest(sql, number++, "bytea[]");
    for (size_t r = 0; r < mapping->reference_count; r++)
        for (size_t i = 0; i < mapping->references[r].column_count; i++, count++)
            append_unnest(
                sql, number++,
                value_type_param_array(&mapping->columns[mapping->references[r].columns[i]].type));
    sql->size -= 2; /* the last comma */
    buf_append_text(sql, ") WITH ORDINALITY AS u(");
    append_keys(sql, mapping, "");
    buf_append_text(sql, writes_again(mapping) ? "v, d, " : "v, ");
    for (size_t i = 0; i < count; i++)
        buf_append_format(sql, "c%zu, ", i);
    buf_append_text(sql, "o)");
    append_stored(sql, mapping, "$1::text");
    buf_append_text(sql, " WHERE (s.drover_version IS NULL OR ");
    append_gives_way(sql, mapping, "s", "u.v", "u.d");
    buf_append_text(sql, ") AND (false");
    for (size_t r = 0, at = 0; r < mapping->reference_count; r++) {
        const struct mapping_reference *reference = &mapping->references[r];
        buf_append_text(sql, " OR ");
        append_missing_parent(sql, reference, mapping,
                              mapping_set_find(mappings, bytes_text(reference->entity)), at);
        at += reference->column_count;
    }
    buf_append_char(sql, ')');
    return take_text(sql);
}

struct pg_upsert *pg_upsert_new(const struct mapping_set *mappings, size_t number)
{
    const struct mapping *mapping = mappings->items[number];
    struct pg_upsert *upsert = mem_new(sizeof *upsert);
    struct buf sql;
    buf_init(&sql, STATEMENT_MAX);
    upsert->mapping = mapping;
    upsert->upsert_sql = make_upsert(mapping, false, &sql);
    upsert->looking_sql = make_upsert(mapping, true, &sql);
    upsert->classify_sql = make_classify(mapping, &sql);
    buf_append_format(&sql, "drover_upsert_%zu", number);
    upsert->upsert_name = take_text(&sql);
    buf_append_format(&sql, "drover_looking_%zu", number);
    upsert->looking_name = take_text(&sql);
    buf_append_format(&sql, "drover_look_%zu", number);
    upsert->classify_name = take_text(&sql);
    if (mapping->reference_count) {
        upsert->missing_parent_sql = make_missing_parent(mappings, mapping, &sql);
        buf_append_format(&sql, "drover_lack_%zu", number);
        upsert->missing_parent_name = take_text(&sql);
    }
    buf_free(&sql);
    return upsert;
}

const struct pg_upsert *pg_upsert_of(const struct mapping_set *mappings,
                                     struct pg_upsert *const *upserts,
                                     const struct mapping *mapping)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (mappings->items[i] == mapping)
            return upserts[i];
    assert(!"a batch holds a mapping the sink does not know");
    return NULL;
}

/* ---- tenants ----------------------------------------------------------------------------- */

const char PG_UPSERT_ENTER[] =
    "SELECT pg_catalog.set_config('app.current_tenant_key', $1::text, true), "
    "pg_catalog.set_config('" SCHEMA_TENANTS_SETTING "', $2::text, true)";

/* Isolation keys are percent-encoded; whatever else is there goes alone. */
static bool can_be_listed(struct bytes tenant)
{
    return tenant.size && !memchr(tenant.data, ',', tenant.size);
}

/* Tenants must ascend: groups that a promotion appended begin again, and hold keys that an earlier
 * group had; one statement must not have a key twice. */
size_t pg_upsert_span(const struct batch *batch, size_t group)
{
    const struct batch_group *first = &batch->groups[group];
    size_t end = group + 1;
    if (!can_be_listed(first->tenant))
        return end;
    for (; end < batch->group_count; end++) {
        const struct batch_group *next = &batch->groups[end];
        if (next->mapping != first->mapping || !can_be_listed(next->tenant) ||
            bytes_compare(batch->groups[end - 1].tenant, next->tenant) >= 0)
            break;
    }
    return end;
}

void pg_upsert_append_tenants(struct buf *out, const struct batch *batch, size_t group, size_t end)
{
    for (size_t g = group; g < end; g++) {
        if (g > group)
            buf_append_char(out, ',');
        buf_append_bytes(out, batch->groups[g].tenant);
    }
}

void pg_upsert_free(struct pg_upsert *upsert)
{
    if (!upsert)
        return;
    free(upsert->upsert_name);
    free(upsert->upsert_sql);
    free(upsert->looking_name);
    free(upsert->looking_sql);
    free(upsert->classify_name);
    free(upsert->classify_sql);
    free(upsert->missing_parent_name);
    free(upsert->missing_parent_sql);
    free(upsert);
}

/* ---- parameters -------------------------------------------------------------------------- */

/* Positions are noted as offsets while the buffer may still move. */
struct param_list {
    struct buf *memory;
    size_t starts[PG_CONNECTION_PARAMS_MAX];
    int sizes[PG_CONNECTION_PARAMS_MAX];
    int count;
};

static void begin_param(struct param_list *list)
{
    assert(list->count < PG_CONNECTION_PARAMS_MAX);
    list->starts[list->count] = list->memory->size;
}

static void finish_param(struct param_list *list)
{
    list->sizes[list->count] = (int)(list->memory->size - list->starts[list->count]);
    list->count++;
}

static void append_tenant(struct param_list *list, struct bytes tenant)
{
    begin_param(list);
    buf_append_bytes(list->memory, tenant);
    finish_param(list);
}

static void append_tenants(struct param_list *list, const struct batch *batch,
                           const uint32_t *order, size_t count)
{
    begin_param(list);
    pg_wire_append_array(list->memory, OID_TEXT, count, false);
    for (size_t i = 0; i < count; i++) {
        struct bytes tenant = batch->items[order[i]].row.tenant;
        pg_wire_append_element(list->memory, tenant.data, (int32_t)tenant.size);
    }
    finish_param(list);
}

static void append_cells(struct param_list *list, const struct batch *batch, size_t column,
                         uint32_t oid, const uint32_t *order, size_t count)
{
    size_t size = 0;
    begin_param(list);
    pg_wire_append_array(list->memory, oid, count, true);
    for (size_t i = 0; i < count; i++) {
        struct cell cell = batch->items[order[i]].row.cells[column];
        __builtin_prefetch(cell.data); /* it was made, or came, when the batch was filled */
        size += pg_wire_element_size(cell.size);
    }
    char *place = buf_extend(list->memory, size);
    for (size_t i = 0; place && i < count; i++) {
        struct cell cell = batch->items[order[i]].row.cells[column];
        place = pg_wire_put_element(place, cell.data, cell.size);
    }
    finish_param(list);
}

static void append_key_cells(struct param_list *list, const struct mapping *mapping,
                             const struct batch *batch, const uint32_t *order, size_t count)
{
    for (size_t k = 0; k < mapping->key_count; k++)
        append_cells(list, batch, mapping->key[k],
                     value_type_param_oid(&mapping->columns[mapping->key[k]].type), order, count);
}

static void append_versions(struct param_list *list, const struct batch *batch,
                            const uint32_t *order, size_t count)
{
    begin_param(list);
    pg_wire_append_array(list->memory, OID_INT8, count, false);
    char *place = buf_extend(list->memory, count * pg_wire_element_size(8));
    for (size_t i = 0; place && i < count; i++) {
        uint64_t version = htobe64((uint64_t)batch->items[order[i]].row.version);
        place = pg_wire_put_element(place, &version, 8);
    }
    finish_param(list);
}

static void append_digests(struct param_list *list, const struct batch *batch,
                           const uint32_t *order, size_t count)
{
    begin_param(list);
    pg_wire_append_array(list->memory, OID_BYTEA, count, false);
    char *place = buf_extend(list->memory, count * pg_wire_element_size(sizeof(struct digest)));
    for (size_t i = 0; place && i < count; i++) {
        const struct digest *digest = &batch->items[order[i]].row.digest;
        place = pg_wire_put_element(place, digest->bytes, sizeof digest->bytes);
    }
    finish_param(list);
}

static void append_own(struct param_list *list, const struct batch *batch, const uint32_t *order,
                       size_t count)
{
    append_versions(list, batch, order, count);
    append_digests(list, batch, order, count);
    begin_param(list);
    pg_wire_append_array(list->memory, OID_BOOL, count, false);
    char *place = buf_extend(list->memory, count * pg_wire_element_size(1));
    for (size_t i = 0; place && i < count; i++)
        place = pg_wire_put_element(place, &batch->items[order[i]].row.deleted, 1);
    finish_param(list);
}

static int finish(const struct param_list *list, struct pg_param *params)
{
    assert(!list->memory->failed); /* batches are bounded far below the buffer's limit */
    for (int i = 0; i < list->count; i++)
        params[i] = (struct pg_param){list->memory->data + list->starts[i], list->sizes[i]};
    return list->count;
}

int pg_upsert_params(const struct pg_upsert *upsert, const struct batch *batch,
                     const uint32_t *order, size_t count, struct buf *memory,
                     struct pg_param params[PG_CONNECTION_PARAMS_MAX])
{
    const struct mapping *mapping = upsert->mapping;
    struct param_list list = {.memory = memory, .count = 0};
    buf_reset(memory);
    append_tenants(&list, batch, order, count);
    for (size_t i = 0; i < mapping->column_count; i++)
        append_cells(&list, batch, i, value_type_param_oid(&mapping->columns[i].type), order,
                     count);
    append_own(&list, batch, order, count);
    return finish(&list, params);
}

void pg_upsert_queue(const struct pg_upsert *upsert, struct pg_connection *connection,
                     const struct batch *batch, const uint32_t *order, size_t count, bool looking,
                     struct buf *memory)
{
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    int param_count = pg_upsert_params(upsert, batch, order, count, memory, params);
    pg_connection_query(connection, looking ? upsert->looking_name : upsert->upsert_name,
                        looking ? upsert->looking_sql : upsert->upsert_sql, params, param_count);
}

void pg_upsert_queue_classify(const struct pg_upsert *upsert, struct pg_connection *connection,
                              const struct batch *batch, struct bytes tenant, const uint32_t *order,
                              size_t count, struct buf *memory)
{
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    struct param_list list = {.memory = memory, .count = 0};
    buf_reset(memory);
    append_tenant(&list, tenant);
    append_key_cells(&list, upsert->mapping, batch, order, count);
    pg_connection_query(connection, upsert->classify_name, upsert->classify_sql, params,
                        finish(&list, params));
}

int pg_upsert_missing_parent_params(const struct pg_upsert *upsert, const struct batch *batch,
                                    struct bytes tenant, const uint32_t *order, size_t count,
                                    struct buf *memory,
                                    struct pg_param params[PG_CONNECTION_PARAMS_MAX])
{
    const struct mapping *mapping = upsert->mapping;
    struct param_list list = {.memory = memory, .count = 0};
    buf_reset(memory);
    append_tenant(&list, tenant);
    append_key_cells(&list, mapping, batch, order, count);
    append_versions(&list, batch, order, count);
    if (writes_again(mapping))
        append_digests(&list, batch, order, count);
    for (size_t r = 0; r < mapping->reference_count; r++)
        for (size_t i = 0; i < mapping->references[r].column_count; i++) {
            size_t column = mapping->references[r].columns[i];
            append_cells(&list, batch, column, value_type_param_oid(&mapping->columns[column].type),
                         order, count);
        }
    return finish(&list, params);
}
