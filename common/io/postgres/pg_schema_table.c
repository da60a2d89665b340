/*
 * The tables: each made when it is missing, otherwise compared piece by piece with its twin, and
 * the foreign keys between them.
 */
#include "common/io/postgres/pg_schema.h"

#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_load.h"
#include "common/io/postgres/pg_session.h"

enum { TEXT_LIMIT = 1 << 20 };

/* ---- one mapping's table ----------------------------------------------------------------- */

/* A table is checked through these names throughout. */
struct names {
    struct buf table; /* "public"."cart" */
    struct buf twin;  /* "pg_temp"."cart" */
    char shown[160];  /* public.cart */
};

static void names_init(struct names *names, const struct mapping *mapping)
{
    buf_init(&names->table, TEXT_LIMIT);
    buf_init(&names->twin, TEXT_LIMIT);
    schema_sql_table_name(&names->table, mapping);
    buf_append_text(&names->twin, "pg_temp.");
    schema_sql_identifier(&names->twin, mapping->table);
    snprintf(names->shown, sizeof(names->shown), "%s.%s", mapping->schema, mapping->table);
}

static void names_free(struct names *names)
{
    buf_free(&names->table);
    buf_free(&names->twin);
}

static void append_whole_table(struct buf *out, const struct mapping *mapping,
                               const struct schema_roles *roles, const char *schema)
{
    schema_sql_table(out, mapping, schema);
    for (size_t i = 0; i < mapping->index_count; i++)
        schema_index_sql(out, mapping, &mapping->indexes[i], schema);
    for (int policy = 0; policy < POLICY_COUNT; policy++)
        schema_sql_policy(out, mapping, (enum schema_policy)policy, roles, schema);
}

static enum outcome create_table(struct pg_schema *apply, const struct mapping *mapping,
                                 struct names *names, struct error *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    append_whole_table(&sql, mapping, &apply->roles, mapping->schema);
    schema_sql_grants(&sql, buf_text(&names->table), schema_worker_rights(mapping), &apply->roles);
    /* isolation_key and the columns of Drover */
    size_t columns =
        mapping->column_count + mapping->generated_count + 4 + (mapping->on_delete == DELETE_HARD);
    enum outcome outcome = pg_schema_change(
        apply, buf_text(&sql), err, "create table %s with %zu columns, %zu indexes and %d policies",
        names->shown, columns, mapping->index_count + 1, POLICY_COUNT);
    buf_free(&sql);
    return outcome;
}

/* Two flags: RLS at all, and for the owner as well (FAULTS I02). */
static enum outcome repair_flags(struct pg_schema *apply, struct names *names, struct error *err)
{
    const struct bytes params[] = {buf_view(&names->table)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply,
                      "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class"
                      " WHERE oid = $1::text::regclass",
                      params, 1, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "t") != 0) {
        buf_reset(&text);
        buf_append_format(&text,
                          "ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                          buf_text(&names->table));
        outcome = pg_schema_change(apply, buf_text(&text), err,
                                   "enable and force row level security on %s", names->shown);
    }
    buf_free(&text);
    return outcome;
}

static enum outcome repair_policy(struct pg_schema *apply, const struct mapping *mapping,
                                  enum schema_policy policy, struct names *names, struct error *err)
{
    const char *name = schema_sql_policy_name(policy);
    const struct bytes params[] = {buf_view(&names->table), buf_view(&names->twin),
                                   bytes_text(name)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = pg_schema_ask(
        apply,
        "WITH p AS (SELECT polrelid, (polpermissive, polcmd, polroles,"
        "                  pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, "
        "polrelid))::text"
        "                  AS rule FROM pg_policy WHERE polname = $3::text)"
        " SELECT CASE WHEN e.rule IS NULL THEN 'missing' WHEN e.rule = w.rule THEN 'same'"
        "             ELSE 'other' END"
        "   FROM p w LEFT JOIN p e ON e.polrelid = $1::text::regclass"
        "  WHERE w.polrelid = $2::text::regclass",
        params, 3, &text, err);
    bool missing = strcmp(buf_text(&text), "missing") == 0;
    if (outcome == OUT_OK && strcmp(buf_text(&text), "same") != 0) {
        buf_reset(&text);
        if (!missing)
            buf_append_format(&text, "DROP POLICY %s ON %s;\n", name, buf_text(&names->table));
        schema_sql_policy(&text, mapping, policy, &apply->roles, mapping->schema);
        outcome = pg_schema_change(apply, buf_text(&text), err, "%s policy %s on %s",
                                   missing ? "create" : "replace", name, names->shown);
    }
    buf_free(&text);
    return outcome;
}

static enum outcome ask_index(struct pg_schema *apply, const struct mapping *mapping,
                              const struct mapping_index *index, struct buf *state,
                              struct error *err)
{
    const struct bytes params[] = {bytes_text(mapping->schema), bytes_text(index->name)};
    return pg_schema_ask(
        apply,
        "WITH i AS (SELECT c.relnamespace, c.relname, t.relname AS of_table, i.indisvalid,"
        "    (i.indisunique, i.indoption::text, i.indclass::text, i.indcollation::text,"
        "     pg_get_expr(i.indpred, i.indrelid),"
        "     (SELECT array_agg(pg_get_indexdef(c.oid, n, false) ORDER BY n)"
        "        FROM generate_series(1, i.indnatts) AS n))::text AS rule"
        "   FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
        "   JOIN pg_class t ON t.oid = i.indrelid WHERE c.relname = $2::text)"
        " SELECT CASE WHEN e.rule IS NULL THEN 'missing'"
        "    WHEN e.rule = w.rule AND e.of_table = w.of_table AND e.indisvalid THEN 'same'"
        "    ELSE 'other' END"
        "   FROM i w LEFT JOIN i e ON e.relnamespace = $1::text::regnamespace"
        "  WHERE w.relnamespace = pg_my_temp_schema()",
        params, 2, state, err);
}

static enum outcome repair_index(struct pg_schema *apply, const struct mapping *mapping,
                                 const struct mapping_index *index, struct names *names,
                                 struct error *err)
{
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = ask_index(apply, mapping, index, &text, err);
    if (outcome == OUT_OK && strcmp(buf_text(&text), "other") == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_PG_SCHEMA,
                            "the index %s is there, but not as the mapping wants it", index->name);
        error_where(err, "%s", names->shown);
        error_hint(err, "DROP INDEX \"%s\".\"%s\" and apply again", mapping->schema, index->name);
    } else if (outcome == OUT_OK && strcmp(buf_text(&text), "missing") == 0) {
        buf_reset(&text);
        schema_index_sql(&text, mapping, index, mapping->schema);
        outcome = pg_schema_change(apply, buf_text(&text), err, "create index %s on %s",
                                   index->name, names->shown);
    }
    buf_free(&text);
    return outcome;
}

enum outcome pg_schema_protect(struct pg_schema *apply, const struct mapping *mapping,
                               struct error *err)
{
    struct names names;
    enum outcome outcome = OUT_OK;
    names_init(&names, mapping);
    for (int policy = 0; policy < POLICY_COUNT && outcome == OUT_OK; policy++)
        outcome = repair_policy(apply, mapping, (enum schema_policy)policy, &names, err);
    if (outcome == OUT_OK)
        outcome = repair_flags(apply, &names, err);
    names_free(&names);
    return outcome;
}

static enum outcome repair_table(struct pg_schema *apply, const struct mapping *mapping,
                                 struct names *names, struct error *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    append_whole_table(&sql, mapping, &apply->roles, "pg_temp");
    enum outcome outcome = pg_session_run(apply->connection, buf_text(&sql), err);
    buf_free(&sql);
    if (outcome == OUT_OK)
        outcome = pg_schema_diff(apply, buf_text(&names->table), buf_text(&names->twin), err);
    for (size_t i = 0; i < mapping->index_count && outcome == OUT_OK; i++)
        outcome = repair_index(apply, mapping, &mapping->indexes[i], names, err);
    if (outcome == OUT_OK)
        outcome = pg_schema_protect(apply, mapping, err);
    if (outcome == OUT_OK)
        outcome = pg_schema_drop_twin(apply, buf_text(&names->twin), err);
    return outcome;
}

/* "missing", "table", or what stands in its place. */
static enum outcome ask_kind(struct pg_schema *apply, struct names *names, struct buf *kind,
                             struct error *err)
{
    const struct bytes params[] = {buf_view(&names->table)};
    return pg_schema_ask(
        apply,
        "SELECT coalesce((SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table'"
        "    WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'other relation' END"
        "   FROM pg_class WHERE oid = to_regclass($1::text)), 'missing')",
        params, 1, kind, err);
}

/* What takes its place when it is loaded was made like it as it is. */
static enum outcome check_loading(struct pg_schema *apply, const struct mapping *mapping,
                                  struct names *names, struct error *err)
{
    size_t before = apply->count;
    enum outcome outcome = repair_table(apply, mapping, names, err);
    if (outcome != OUT_OK || apply->count == before)
        return outcome;
    outcome = error_set(err, OUT_FATAL, ERR_PG_LOADING,
                        "the table cannot be changed while it is being loaded");
    error_where(err, "%s", names->shown);
    return outcome;
}

static enum outcome grant_table(struct pg_schema *apply, const struct mapping *mapping,
                                const char *table, bool loading, struct error *err)
{
    const char *worker = loading ? "SELECT" : schema_worker_rights(mapping);
    enum outcome outcome = pg_schema_grant(apply, worker, table, apply->roles.worker, err);
    return outcome == OUT_OK ? pg_schema_grant(apply, "SELECT", table, apply->roles.verifier, err)
                             : outcome;
}

enum outcome pg_schema_table(struct pg_schema *apply, const struct mapping *mapping,
                             struct error *err)
{
    bool loading = false;
    struct names names;
    names_init(&names, mapping);
    struct buf kind;
    buf_init(&kind, TEXT_LIMIT);
    enum outcome outcome = pg_schema_namespace(apply, mapping->schema, err);
    if (outcome == OUT_OK)
        outcome = ask_kind(apply, &names, &kind, err);
    if (outcome == OUT_OK)
        outcome = pg_load_is_open(apply, mapping, &loading, err);
    const char *found = buf_text(&kind);
    apply->made = strcmp(found, "missing") == 0;
    if (outcome == OUT_OK && apply->made)
        outcome = create_table(apply, mapping, &names, err);
    else if (outcome == OUT_OK && loading)
        outcome = check_loading(apply, mapping, &names, err);
    else if (outcome == OUT_OK && strcmp(found, "table") == 0)
        outcome = repair_table(apply, mapping, &names, err);
    else if (outcome == OUT_OK)
        outcome =
            error_set(err, OUT_FATAL, ERR_PG_SCHEMA, "%s is a %s, not a table", names.shown, found);
    if (outcome == OUT_OK)
        outcome = grant_table(apply, mapping, buf_text(&names.table), loading, err);
    if (outcome != OUT_OK && err && !err->where[0])
        error_where(err, "%s, %s", names.shown, mapping->file);
    buf_free(&kind);
    names_free(&names);
    return outcome;
}

/* ---- foreign keys: Drover's by their name, so one that is not as wanted is replaced -------- */

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
