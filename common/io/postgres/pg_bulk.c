/* See the header. */
#include "common/io/postgres/pg_bulk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"
#include "common/io/postgres/pg_writer.h"
#include "common/model/schema/schema_load.h"

enum { TEXT_LIMIT = 1 << 20, LIST_LIMIT = 64 << 20 };

/* A mapping's load table; number 0: it has none, or another group's. */
struct bulk_table {
    int number;
    bool is_others; /* another group loads it: */
    char group[PG_LOAD_GROUP_SIZE];
    const char *name; /* of the prepared statement */
    char *append_sql, *copy_sql;
    bool has_arrays; /* which travel as jsonb (pg_upsert.h): COPY does not take them */
};

struct pg_bulk {
    const struct mapping_set *mappings;
    struct bulk_table *tables; /* by position in the mappings */
    bool known;
    uint64_t generation;
    size_t count;            /* tables with a number */
    struct buf list, counts; /* scratch: parameters */
    char **names;            /* of statements: connections remember them longer than the tables */
    size_t name_count;
};

struct pg_bulk *pg_bulk_new(const struct mapping_set *mappings)
{
    struct pg_bulk *bulk = mem_new(sizeof *bulk);
    bulk->mappings = mappings;
    bulk->tables = mem_zeroed(mappings->count + 1, sizeof *bulk->tables);
    buf_init(&bulk->list, LIST_LIMIT);
    buf_init(&bulk->counts, LIST_LIMIT);
    return bulk;
}

static void drop_tables(struct pg_bulk *bulk)
{
    for (size_t i = 0; i < bulk->mappings->count; i++) {
        free(bulk->tables[i].append_sql);
        free(bulk->tables[i].copy_sql);
        bulk->tables[i] = (struct bulk_table){0};
    }
    bulk->count = 0;
}

void pg_bulk_free(struct pg_bulk *bulk)
{
    drop_tables(bulk);
    for (size_t i = 0; i < bulk->name_count; i++)
        free(bulk->names[i]);
    free(bulk->names);
    free(bulk->tables);
    buf_free(&bulk->list);
    buf_free(&bulk->counts);
    free(bulk);
}

/* ---- which tables ---- */

bool pg_bulk_is_known(const struct pg_bulk *bulk)
{
    return bulk->known;
}

void pg_bulk_forget(struct pg_bulk *bulk)
{
    bulk->known = false;
}

void pg_bulk_queue_ask(struct writer *writer)
{
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(writer->batch->fence.group));
    pg_connection_query(writer->connection, NULL,
                        "SELECT table_schema, table_name, CASE \"group\" WHEN $1::text THEN"
                        " number ELSE 0 END, \"group\" FROM drover.load WHERE state <> 'done'",
                        wire.params, wire.count);
}

static char *make_copy(const struct mapping *mapping, int number)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    buf_append_text(&sql, "COPY ");
    schema_load_name(&sql, number);
    buf_append_char(&sql, ' ');
    schema_load_columns(&sql, mapping);
    buf_append_text(&sql, " FROM STDIN (FORMAT binary);");
    char *text = mem_text(buf_text(&sql));
    buf_free(&sql);
    return text;
}

static const char *keep_name(struct pg_bulk *bulk, int number)
{
    char *name = mem_format("drover_append_%d", number);
    for (size_t i = 0; i < bulk->name_count; i++)
        if (strcmp(bulk->names[i], name) == 0) {
            free(name);
            return bulk->names[i];
        }
    bulk->names = mem_resize(bulk->names, bulk->name_count + 1, sizeof *bulk->names);
    bulk->names[bulk->name_count++] = name;
    return name;
}

static void fill_table(struct pg_bulk *bulk, size_t at, int number)
{
    struct bulk_table *table = &bulk->tables[at];
    const struct mapping *mapping = bulk->mappings->items[at];
    table->number = number;
    table->name = keep_name(bulk, number);
    table->append_sql = pg_upsert_make_append(mapping, number);
    table->copy_sql = make_copy(mapping, number);
    for (size_t i = 0; i < mapping->column_count; i++)
        table->has_arrays = table->has_arrays || mapping->columns[i].type.array;
}

/* The row about the mapping's table, or -1: a table has one load at a time. */
static int find_row(const PGresult *result, const struct mapping *mapping)
{
    for (int row = 0; row < PQntuples(result); row++)
        if (bytes_equal(pg_wire_get_bytes(result, row, 0), bytes_text(mapping->schema)) &&
            bytes_equal(pg_wire_get_bytes(result, row, 1), bytes_text(mapping->table)))
            return row;
    return -1;
}

static bool is_same(const struct pg_bulk *bulk, const PGresult *result)
{
    for (size_t i = 0; i < bulk->mappings->count; i++) {
        int row = find_row(result, bulk->mappings->items[i]);
        int number = row < 0 ? 0 : (int)pg_wire_get_int8(result, row, 2);
        if (number != bulk->tables[i].number ||
            bulk->tables[i].is_others != (row >= 0 && number == 0))
            return false;
    }
    return true;
}

void pg_bulk_take_answer(struct pg_bulk *bulk, const PGresult *result)
{
    bulk->known = true;
    if (is_same(bulk, result))
        return;
    drop_tables(bulk);
    bulk->generation++;
    for (size_t i = 0; i < bulk->mappings->count; i++) {
        int row = find_row(result, bulk->mappings->items[i]);
        int number = row < 0 ? 0 : (int)pg_wire_get_int8(result, row, 2);
        bulk->tables[i].is_others = row >= 0 && number == 0;
        if (bulk->tables[i].is_others)
            snprintf(bulk->tables[i].group, sizeof bulk->tables[i].group, "%.*s",
                     BYTES_ARGS(pg_wire_get_bytes(result, row, 3)));
        if (number == 0)
            continue;
        fill_table(bulk, i, number);
        bulk->count++;
    }
}

uint64_t pg_bulk_generation(const struct pg_bulk *bulk)
{
    return bulk->generation;
}

const struct mapping *pg_bulk_find_other_load(const struct pg_bulk *bulk, const struct batch *batch,
                                              const char **group)
{
    for (size_t g = 0; g < batch->group_count; g++)
        for (size_t i = 0; i < bulk->mappings->count; i++)
            if (bulk->mappings->items[i] == batch->groups[g].mapping && bulk->tables[i].is_others) {
                *group = bulk->tables[i].group;
                return bulk->mappings->items[i];
            }
    return NULL;
}

static const struct bulk_table *find_table(const struct pg_bulk *bulk,
                                           const struct mapping *mapping)
{
    for (size_t i = 0; bulk->count && i < bulk->mappings->count; i++)
        if (bulk->mappings->items[i] == mapping && bulk->tables[i].number)
            return &bulk->tables[i];
    return NULL;
}

bool pg_bulk_has(const void *bulk, const struct mapping *mapping)
{
    return find_table(bulk, mapping) != NULL;
}

/* ---- appended in pipeline mode ---- */

/* The first group of its mapping: those of promoted records come behind all others. */
static bool is_first_group(const struct batch *batch, size_t group)
{
    const struct mapping *mapping = batch->groups[group].mapping;
    if (group && batch->groups[group - 1].mapping == mapping)
        return false;
    for (size_t g = 0; g < group; g++)
        if (batch->groups[g].mapping == mapping)
            return false;
    return true;
}

/* '{1,2}': the load tables of the batch, each once; false: none. */
static bool append_numbers(struct writer *writer, struct buf *out)
{
    const struct batch *batch = writer->batch;
    bool any = false;
    buf_append_char(out, '{');
    for (size_t g = 0; g < batch->group_count; g++) {
        const struct bulk_table *table = find_table(writer->sink->bulk, batch->groups[g].mapping);
        if (!table || !is_first_group(batch, g))
            continue;
        buf_append_format(out, "%s%d", any ? "," : "", table->number);
        any = true;
    }
    buf_append_char(out, '}');
    return any;
}

/* Of the mapping's records those that are not refused: what the transaction appends. */
static size_t count_rows(const struct batch *batch, const struct mapping *mapping)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        count += item->mapping == mapping && !(item->decided && item->verdict == CLASS_DEAD);
    }
    return count;
}

/* '{2000,17}', by the numbers that append_numbers gives. */
static void append_counts(struct writer *writer, struct buf *out)
{
    const struct batch *batch = writer->batch;
    bool any = false;
    buf_append_char(out, '{');
    for (size_t g = 0; g < batch->group_count; g++) {
        const struct mapping *mapping = batch->groups[g].mapping;
        if (!find_table(writer->sink->bulk, mapping) || !is_first_group(batch, g))
            continue;
        buf_append_format(out, "%s%zu", any ? "," : "", count_rows(batch, mapping));
        any = true;
    }
    buf_append_char(out, '}');
}

int pg_bulk_queue_fence(struct writer *writer)
{
    struct buf *numbers = &writer->sink->bulk->list;
    struct pg_wire wire;
    buf_reset(numbers);
    if (!append_numbers(writer, numbers))
        return 0;
    pg_wire_init(&wire);
    pg_wire_text(&wire, buf_view(numbers));
    pg_connection_query(writer->connection, "drover_load_fence",
                        "SELECT drover.load_fence($1::text::integer[])", wire.params, wire.count);
    return 1;
}

int pg_bulk_queue_count(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct buf *numbers = &writer->sink->bulk->list, *counts = &writer->sink->bulk->counts;
    struct pg_wire wire;
    buf_reset(numbers);
    buf_reset(counts);
    if (!append_numbers(writer, numbers))
        return 0;
    append_counts(writer, counts);
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_wire_text(&wire, buf_view(numbers));
    pg_wire_text(&wire, buf_view(counts));
    pg_connection_query(writer->connection, "drover_load_count",
                        "SELECT drover.load_count($1, $2, $3::text::integer[], $4::text::bigint[])",
                        wire.params, wire.count);
    return 1;
}

static void append_offsets(struct buf *out, const struct batch *batch, const uint32_t *order,
                           size_t count)
{
    buf_reset(out);
    pg_wire_append_array(out, OID_INT8, count, false);
    for (size_t i = 0; i < count; i++) {
        buf_append_be32(out, 8);
        buf_append_be64(out, (uint64_t)batch->items[order[i]].offset);
    }
}

void pg_bulk_queue_rows(struct writer *writer, const struct batch_group *group, size_t first,
                        size_t count)
{
    struct pg_bulk *bulk = writer->sink->bulk;
    const struct batch *batch = writer->batch;
    const struct bulk_table *table = find_table(bulk, group->mapping);
    const uint32_t *order = batch->order + first;
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    struct pg_wire wire;
    int used = pg_upsert_params(
        pg_upsert_of(writer->sink->mappings, writer->sink->upserts, group->mapping), batch, order,
        count, &writer->sink->memory, params);
    append_offsets(&bulk->list, batch, order, count);
    pg_wire_init(&wire);
    pg_wire_int4(&wire, batch->fence.partition);
    params[used++] = wire.params[0];
    params[used++] = (struct pg_param){bulk->list.data, (int)bulk->list.size};
    pg_connection_query(writer->connection, table->name, table->append_sql, params, used);
}

/* ---- COPY ---- */

bool pg_bulk_can_copy(const struct writer *writer)
{
    const struct batch *batch = writer->batch;
    for (size_t g = 0; g < batch->group_count; g++) {
        const struct bulk_table *table = find_table(writer->sink->bulk, batch->groups[g].mapping);
        if (!table || table->has_arrays)
            return false;
    }
    return batch->group_count && !pg_vault_has(batch, 0, batch->order_count);
}

/* The first group behind those of the same mapping: they go in one COPY. */
static size_t end_of_run(const struct batch *batch, size_t group)
{
    const struct mapping *mapping = batch->groups[group].mapping;
    while (group < batch->group_count && batch->groups[group].mapping == mapping)
        group++;
    return group;
}

static void append_row(struct buf *out, const struct mapping *mapping, int32_t partition,
                       const struct batch_item *item)
{
    const struct row *row = &item->row;
    buf_append_be16(out, (uint16_t)(mapping->column_count + 6));
    pg_wire_append_element(out, row->tenant.data, (int32_t)row->tenant.size);
    for (size_t i = 0; i < mapping->column_count; i++)
        pg_wire_append_element(out, row->cells[i].data, row->cells[i].size);
    buf_append_be32(out, 8);
    buf_append_be64(out, (uint64_t)row->version);
    pg_wire_append_element(out, row->digest.bytes, sizeof row->digest.bytes);
    buf_append_be32(out, 1);
    buf_append_char(out, row->deleted);
    buf_append_be32(out, 4);
    buf_append_be32(out, (uint32_t)partition);
    buf_append_be32(out, 8);
    buf_append_be64(out, (uint64_t)item->offset);
}

/* Asked by the connection when the server waits for the rows of the next COPY. The head and the end
 * are those of copyto.c: signature of 11 bytes with a NUL, 4 of flags, 4 of no extension; -1. */
static struct bytes fill_rows(void *owner, int number)
{
    static const char HEAD[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    const struct writer *writer = owner;
    const struct batch *batch = writer->batch;
    struct buf *rows = &writer->sink->memory;
    size_t group = 0;
    buf_reset(rows);
    buf_append(rows, HEAD, sizeof HEAD - 1);
    for (int i = 0; i < number; i++)
        group = end_of_run(batch, group);
    const struct mapping *mapping = batch->groups[group].mapping;
    size_t first = batch->groups[group].first, end = end_of_run(batch, group);
    const struct batch_group *last = &batch->groups[end - 1];
    for (size_t i = first; i < last->first + last->count; i++)
        append_row(rows, mapping, batch->fence.partition, &batch->items[batch->order[i]]);
    buf_append_be16(rows, UINT16_MAX);
    assert(!rows->failed);
    return buf_view(rows);
}

void pg_bulk_copy(struct writer *writer)
{
    const struct batch *batch = writer->batch;
    const struct batch_fence *at = &batch->fence;
    struct buf *sql = &writer->sink->memory, *list = &writer->sink->bulk->list;
    buf_reset(sql);
    schema_sql_append(sql, "BEGIN;SELECT drover.fence(%l,%l", at->group, at->topic);
    buf_append_format(sql, ",%" PRId32 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                      at->partition, at->epoch, at->start, at->end, at->redis_next,
                      at->results_next);
    buf_reset(list);
    buf_append_bytes(list, at->sequences.size ? at->sequences : BYTES_LITERAL("{}"));
    schema_sql_append(sql, ",%l::jsonb);SELECT drover.load_fence(", buf_text(list));
    buf_reset(list);
    append_numbers(writer, list);
    struct buf *counts = &writer->sink->bulk->counts;
    buf_reset(counts);
    append_counts(writer, counts);
    schema_sql_append(sql, "%l::integer[]),drover.load_count(%l", buf_text(list), at->topic);
    buf_append_format(sql, ",%" PRId32, at->partition);
    schema_sql_append(sql, ",%l::integer[],%l::bigint[]);", buf_text(list), buf_text(counts));
    for (size_t g = 0; g < batch->group_count; g = end_of_run(batch, g))
        buf_append_text(sql, find_table(writer->sink->bulk, batch->groups[g].mapping)->copy_sql);
    buf_append_text(sql, "COMMIT");
    pg_connection_copy(writer->connection, buf_text(sql), fill_rows);
}

/* ---- records that were refused ---- */

static bool is_refused(const struct writer *writer, const struct batch_item *item)
{
    return item->decided && item->verdict == CLASS_DEAD &&
           pg_bulk_has(writer->sink->bulk, item->mapping);
}

static void queue_refused(struct writer *writer, const struct bulk_table *table,
                          const uint32_t *items, size_t count)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct buf *list = &writer->sink->bulk->list;
    struct pg_wire wire;
    append_offsets(list, writer->batch, items, count);
    pg_wire_init(&wire);
    pg_wire_int4(&wire, table->number);
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_wire_text(&wire, buf_view(list));
    pg_connection_query(writer->connection, NULL,
                        "INSERT INTO drover.load_refused (number, topic, partition, \"offset\")"
                        " SELECT $1::int4, $2::text, $3::int4, u.o FROM"
                        " pg_catalog.unnest($4::int8[]) AS u(o)",
                        wire.params, wire.count);
}

void pg_bulk_queue_refused(struct writer *writer)
{
    const struct batch *batch = writer->batch;
    const struct pg_bulk *bulk = writer->sink->bulk;
    uint32_t *items = bulk->count ? mem_zeroed(batch->sorted_count + 1, sizeof *items) : NULL;
    for (size_t t = 0; items && t < bulk->mappings->count; t++) {
        size_t count = 0;
        for (size_t i = 0; bulk->tables[t].number && i < batch->sorted_count; i++) {
            const struct batch_item *item = &batch->items[batch->sorted[i]];
            if (item->mapping == bulk->mappings->items[t] && is_refused(writer, item))
                items[count++] = batch->sorted[i];
        }
        if (count)
            queue_refused(writer, &bulk->tables[t], items, count);
    }
    free(items);
}

int pg_bulk_queue_ask_refused(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct buf *numbers = &writer->sink->bulk->list;
    struct pg_wire wire;
    buf_reset(numbers);
    if (!append_numbers(writer, numbers))
        return 0;
    pg_wire_init(&wire);
    pg_wire_text(&wire, buf_view(numbers));
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_wire_int8(&wire, at->start);
    pg_wire_int8(&wire, at->end);
    pg_connection_query(
        writer->connection, "drover_refused",
        "SELECT r.\"offset\" FROM drover.load_refused AS r WHERE r.number = ANY"
        " ($1::text::int4[]) AND r.topic = $2::text AND r.partition = $3::int4 AND"
        " r.\"offset\" >= $4::int8 AND r.\"offset\" < $5::int8 UNION ALL SELECT -1::int8 FROM"
        " pg_catalog.unnest($1::text::int4[]) AS n(number) LEFT JOIN drover.load AS l USING"
        " (number) WHERE l.state IS NULL OR l.state = 'done'",
        wire.params, wire.count);
    return 1;
}

bool pg_bulk_take_refused(struct writer *writer, const PGresult *result)
{
    struct batch *batch = writer->batch;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t offset = pg_wire_get_int8(result, row, 0);
        if (offset < 0)
            return false;
        for (size_t i = 0; i < batch->count; i++)
            if (batch->items[i].offset == offset)
                batch->items[i].dead_lettered = true;
    }
    return true;
}
