/* Foreign keys between the mappings' tables. They are Drover's by their name, so one that is not as
 * the mappings want it is replaced. */
#include "common/io/postgres/pg_schema.h"

#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_session.h"

enum { TEXT_LIMIT = 1 << 20 };

/* $1 table, $2 constraint, $3 parent table, $4 and $5 their columns: 'missing', 'same', 'other' */
static const char STATE[] =
    "SELECT coalesce((SELECT CASE WHEN c.contype = 'f' AND c.confrelid = $3::text::regclass"
    "    AND (SELECT string_agg(a.attname, ',' ORDER BY p.place)"
    "           FROM unnest(c.conkey) WITH ORDINALITY AS p (attnum, place)"
    "           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = p.attnum) = $4::text"
    "    AND (SELECT string_agg(a.attname, ',' ORDER BY p.place)"
    "           FROM unnest(c.confkey) WITH ORDINALITY AS p (attnum, place)"
    "           JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = p.attnum) = $5::text"
    "    AND c.confdeltype = 'a' AND NOT c.condeferrable THEN 'same' ELSE 'other' END"
    "   FROM pg_constraint c WHERE c.conrelid = $1::text::regclass AND c.conname = $2::text),"
    "  'missing')";

struct wanted {
    const struct mapping *mapping, *parent;
    size_t number;
    char name[32];
    struct buf table, parent_table, columns, parent_columns;
};

static void wanted_init(struct wanted *wanted, const struct mapping *mapping, size_t number,
                        const struct mapping *parent)
{
    const struct mapping_reference *reference = &mapping->references[number];
    *wanted = (struct wanted){.mapping = mapping, .parent = parent, .number = number};
    snprintf(wanted->name, sizeof wanted->name, SCHEMA_REFERENCE "%zu", number + 1);
    buf_init(&wanted->table, TEXT_LIMIT);
    buf_init(&wanted->parent_table, TEXT_LIMIT);
    buf_init(&wanted->columns, TEXT_LIMIT);
    buf_init(&wanted->parent_columns, TEXT_LIMIT);
    schema_sql_table_name(&wanted->table, mapping);
    schema_sql_table_name(&wanted->parent_table, parent);
    buf_append_text(&wanted->columns, "isolation_key");
    buf_append_text(&wanted->parent_columns, "isolation_key");
    for (size_t i = 0; i < reference->column_count; i++) {
        buf_append_format(&wanted->columns, ",%s", mapping->columns[reference->columns[i]].name);
        buf_append_format(&wanted->parent_columns, ",%s", parent->columns[parent->key[i]].name);
    }
}

static void wanted_free(struct wanted *wanted)
{
    buf_free(&wanted->table);
    buf_free(&wanted->parent_table);
    buf_free(&wanted->columns);
    buf_free(&wanted->parent_columns);
}

static enum outcome apply_one(struct pg_schema *apply, struct wanted *wanted, struct error *err)
{
    const struct bytes params[] = {buf_view(&wanted->table), bytes_text(wanted->name),
                                   buf_view(&wanted->parent_table), buf_view(&wanted->columns),
                                   buf_view(&wanted->parent_columns)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = pg_schema_ask(apply, STATE, params, 5, &text, err);
    bool missing = strcmp(buf_text(&text), "missing") == 0;
    if (outcome == OUT_OK && strcmp(buf_text(&text), "same") != 0) {
        buf_reset(&text);
        if (!missing)
            buf_append_format(&text, "ALTER TABLE %s DROP CONSTRAINT %s;\n",
                              buf_text(&wanted->table), wanted->name);
        schema_reference_sql(&text, wanted->mapping, wanted->number, wanted->parent);
        outcome =
            pg_schema_change(apply, buf_text(&text), err, "%s foreign key %s from %s.%s to %s.%s",
                             missing ? "create" : "replace", wanted->name, wanted->mapping->schema,
                             wanted->mapping->table, wanted->parent->schema, wanted->parent->table);
    }
    buf_free(&text);
    return outcome;
}

/* References the mapping no longer has. */
static enum outcome drop_others(struct pg_schema *apply, const struct mapping *mapping,
                                struct error *err)
{
    struct buf table;
    buf_init(&table, TEXT_LIMIT);
    schema_sql_table_name(&table, mapping);
    char count[24];
    snprintf(count, sizeof count, "%zu", mapping->reference_count);
    const struct bytes params[] = {buf_view(&table), bytes_text(count)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        apply->connection,
        "SELECT format('drop foreign key %s of %s', conname, conrelid::regclass),"
        "       format('ALTER TABLE %s DROP CONSTRAINT %I', $1::text, conname)"
        "  FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'f'"
        "   AND conname ~ '^" SCHEMA_REFERENCE "[0-9]{1,6}$'"
        "   AND substr(conname, length('" SCHEMA_REFERENCE "') + 1)::int > $2::text::int",
        params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        outcome = pg_schema_change(apply, PQgetvalue(result, row, 1), err, "%s",
                                   PQgetvalue(result, row, 0));
    PQclear(result);
    buf_free(&table);
    return outcome;
}

enum outcome pg_schema_references(struct pg_schema *apply, const struct mapping_set *mappings,
                                  struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = mappings->items[i];
        outcome = drop_others(apply, mapping, err);
        for (size_t r = 0; r < mapping->reference_count && outcome == OUT_OK; r++) {
            struct wanted wanted;
            wanted_init(&wanted, mapping, r,
                        mapping_set_find(mappings, bytes_text(mapping->references[r].entity)));
            outcome = apply_one(apply, &wanted, err);
            wanted_free(&wanted);
        }
        if (outcome != OUT_OK && err && !err->where[0])
            error_where(err, "%s", mapping->file);
    }
    return outcome;
}
