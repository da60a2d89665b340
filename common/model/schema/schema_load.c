/* See the header. */
#include "common/model/schema/schema_load.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_SIZE = 48 };

static const char *name_of(int number, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "load_%d", number);
    return name;
}

static const char *key_name(int number, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "load_%d_key", number);
    return name;
}

void schema_load_name(struct buf *out, int number)
{
    char name[NAME_SIZE];
    schema_sql_append(out, SCHEMA_LOAD ".%i", name_of(number, name));
}

void schema_load_columns(struct buf *out, const struct mapping *mapping)
{
    buf_append_text(out, "(isolation_key");
    for (size_t i = 0; i < mapping->column_count; i++)
        schema_sql_append(out, ", %i", mapping->columns[i].name);
    buf_append_text(out, ", drover_version, drover_digest, drover_deleted, drover_load_partition, "
                         "drover_load_offset)");
}

/* Default privileges may give a new table's rights to anybody. */
static void append_revokes(struct buf *out, int number)
{
    char name[NAME_SIZE];
    schema_sql_append(out,
                      "DO $drover$ DECLARE g record; BEGIN\n"
                      "  FOR g IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'\n"
                      "      ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS name\n"
                      "    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a\n"
                      "   WHERE c.oid = '" SCHEMA_LOAD
                      ".%s'::regclass AND a.grantee <> c.relowner\n"
                      "  LOOP EXECUTE 'REVOKE ALL ON " SCHEMA_LOAD ".%s FROM ' || g.name;\n"
                      "  END LOOP;\n"
                      "END $drover$;\n",
                      name_of(number, name), name_of(number, name));
}

void schema_load_sql(struct buf *out, const struct mapping *mapping, int number,
                     const struct schema_roles *roles)
{
    char name[NAME_SIZE];
    name_of(number, name);
    schema_sql_append(out,
                      "CREATE SCHEMA IF NOT EXISTS " SCHEMA_LOAD ";\n"
                      "GRANT USAGE ON SCHEMA " SCHEMA_LOAD " TO %i;\n"
                      "CREATE TABLE " SCHEMA_LOAD ".%i (LIKE %i.%i INCLUDING ALL EXCLUDING INDEXES,"
                      "\n    drover_load_offset bigint NOT NULL,\n"
                      "    drover_load_partition integer NOT NULL);\n",
                      roles->worker, name, mapping->schema, mapping->table);
    buf_append_format(out,
                      "ALTER TABLE " SCHEMA_LOAD ".%s ALTER COLUMN drover_generation SET DEFAULT "
                      "%" PRId32 ";\n",
                      name, mapping->generation);
    append_revokes(out, number);
    schema_sql_append(out,
                      "GRANT INSERT ON " SCHEMA_LOAD ".%i TO %i;\n"
                      "REVOKE INSERT, UPDATE, DELETE ON %i.%i FROM %i;\n",
                      name, roles->worker, mapping->schema, mapping->table, roles->worker);
}

static void append_key(struct buf *out, const struct mapping *mapping, const char *prefix)
{
    buf_append_format(out, "%sisolation_key", prefix);
    for (size_t i = 0; i < mapping->key_count; i++)
        schema_sql_append(out, ", %s%i", prefix, mapping->columns[mapping->key[i]].name);
}

void schema_load_key(struct buf *out, const struct mapping *mapping, int number)
{
    char name[NAME_SIZE], its_name[NAME_SIZE];
    name_of(number, name);
    schema_sql_append(out, "ALTER TABLE " SCHEMA_LOAD ".%i ADD CONSTRAINT %i PRIMARY KEY (", name,
                      key_name(number, its_name));
    append_key(out, mapping, "");
    buf_append_text(out, ");\n");
}

/*
 * Of the rows of a key, in the order of the log: one that is newer than all before it was applied;
 * an older one is superseded; one of the same version is unchanged or a conflict by the content of
 * the first that had it, which was applied. `best` is the row that stays.
 */
void schema_load_thin(struct buf *out, const struct mapping *mapping, int number)
{
    char name[NAME_SIZE];
    name_of(number, name);
    schema_sql_append(out, "WITH many AS MATERIALIZED (SELECT ");
    append_key(out, mapping, "");
    schema_sql_append(out, " FROM " SCHEMA_LOAD ".%i GROUP BY ", name);
    append_key(out, mapping, "");
    buf_append_text(out, " HAVING count(*) > 1), seen AS MATERIALIZED (SELECT l.ctid AS place, "
                         "l.drover_load_partition AS partition, l.drover_version AS version, "
                         "l.drover_digest AS digest, max(l.drover_version) OVER (PARTITION BY ");
    append_key(out, mapping, "l.");
    buf_append_text(out, " ORDER BY l.drover_load_offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 "
                         "PRECEDING) AS newest, first_value(l.drover_digest) OVER (PARTITION BY ");
    append_key(out, mapping, "l.");
    buf_append_text(out, ", l.drover_version ORDER BY l.drover_load_offset) AS first_digest, "
                         "row_number() OVER (PARTITION BY ");
    append_key(out, mapping, "l.");
    schema_sql_append(out,
                      " ORDER BY l.drover_version DESC, l.drover_load_offset) AS best"
                      " FROM " SCHEMA_LOAD ".%i AS l WHERE (",
                      name);
    append_key(out, mapping, "l.");
    buf_append_text(out, ") IN (SELECT ");
    append_key(out, mapping, "m.");
    schema_sql_append(
        out,
        " FROM many AS m)), gone AS (DELETE FROM " SCHEMA_LOAD ".%i AS l USING seen"
        " WHERE l.ctid = seen.place AND seen.best > 1 RETURNING l.drover_load_partition AS "
        "partition)"
        " SELECT c.class, c.partition, count(*) FROM (SELECT s.partition, CASE"
        " WHEN s.version < s.newest THEN 'superseded'"
        " WHEN s.digest = s.first_digest THEN 'unchanged' ELSE 'conflict' END AS class"
        " FROM seen AS s WHERE s.version <= s.newest) AS c GROUP BY 1, 2"
        " UNION ALL SELECT 'gone', g.partition, count(*) FROM gone AS g GROUP BY g.partition"
        " ORDER BY 1, 2",
        name);
}

/* Index names are a schema's: two tables' may be alike, and here is a schema for all of them. */
static void index_name(int number, size_t at, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "load_%d_index_%zu", number, at);
}

/* The mapping with the load table's names. */
static struct mapping twin_of(const struct mapping *mapping, const char *name)
{
    struct mapping twin = *mapping;
    twin.schema = SCHEMA_LOAD;
    twin.table = name;
    return twin;
}

void schema_load_index(struct buf *out, const struct mapping *mapping, int number, size_t at)
{
    char name[NAME_SIZE], its_name[NAME_SIZE];
    const struct mapping twin = twin_of(mapping, name_of(number, name));
    struct mapping_index index = mapping->indexes[at];
    index_name(number, at, its_name);
    index.name = its_name;
    schema_index_sql(out, &twin, &index, SCHEMA_LOAD);
}

/* Blocks of the load table are halved until one has the row: what was taken stays in, so no row is
 * tried often. */
static const char FIND[] =
    "  high := greatest(1, pg_relation_size('" SCHEMA_LOAD ".%s'::regclass)\n"
    "    / current_setting('block_size')::bigint);\n"
    "  WHILE high - low > 1 LOOP\n"
    "    middle := (low + high) / 2;\n"
    "    BEGIN\n"
    "      INSERT INTO " SCHEMA_LOAD ".load_try SELECT * FROM " SCHEMA_LOAD ".%s AS l\n"
    "       WHERE l.ctid >= ('(' || low || ',0)')::tid AND l.ctid < ('(' || "
    "middle || ',0)')::tid;\n"
    "      low := middle;\n"
    "    EXCEPTION WHEN OTHERS THEN high := middle;\n"
    "    END;\n"
    "  END LOOP;\n"
    "  FOR found IN SELECT l.ctid AS place, l.drover_load_partition AS partition,\n"
    "      l.drover_load_offset AS its_offset, ";

void schema_load_try(struct buf *out, const struct mapping *mapping, int number,
                     const struct mapping_index *index)
{
    char name[NAME_SIZE];
    const struct mapping twin = twin_of(mapping, "load_try");
    name_of(number, name);
    schema_sql_append(out, "CREATE TABLE " SCHEMA_LOAD ".load_try (LIKE " SCHEMA_LOAD ".%i);\n",
                      name);
    struct mapping_index its = index ? *index : (struct mapping_index){0};
    its.name = "load_try_index";
    if (index) {
        schema_index_sql(out, &twin, &its, SCHEMA_LOAD);
    } else {
        buf_append_text(out, "CREATE INDEX ON " SCHEMA_LOAD ".load_try (");
        append_key(out, mapping, "");
        buf_append_text(out, ");\n");
    }
    buf_append_text(out, "DO $drover$ DECLARE low bigint := 0; high bigint; middle bigint; found "
                         "record; BEGIN\n");
    schema_sql_append(out, FIND, name, name);
    buf_append_text(out, "concat_ws('/', ");
    append_key(out, mapping, "l.");
    schema_sql_append(
        out,
        ") AS key FROM " SCHEMA_LOAD ".%s AS l\n"
        "    WHERE l.ctid >= ('(' || low || ',0)')::tid\n"
        "      AND l.ctid < ('(' || (low + 1) || ',0)')::tid LOOP\n"
        "    BEGIN\n"
        "      INSERT INTO " SCHEMA_LOAD ".load_try SELECT * FROM " SCHEMA_LOAD
        ".%s AS l WHERE l.ctid = found.place;\n"
        "    EXCEPTION WHEN OTHERS THEN\n"
        "      PERFORM set_config('drover.refused', jsonb_build_array(left(found.key, "
        "100),\n        found.partition, found.its_offset)::text, true);\n"
        "      RETURN;\n"
        "    END;\n"
        "  END LOOP;\n"
        "END $drover$;\n",
        name, name);
}

/* Rights that others have on the table, as its owner gave them. */
static void append_rights(struct buf *out, const struct mapping *mapping, const char *name)
{
    struct buf table;
    buf_init(&table, 512);
    schema_sql_table_name(&table, mapping);
    schema_sql_append(
        out,
        "DO $drover$ DECLARE g record; BEGIN\n"
        "  FOR g IN SELECT a.privilege_type AS its_right, CASE a.grantee WHEN 0 THEN "
        "'PUBLIC'\n"
        "      ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS name,\n"
        "      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more\n"
        "    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a\n"
        "   WHERE c.oid = %l::regclass AND a.grantee <> c.relowner\n"
        "  LOOP EXECUTE 'GRANT ' || g.its_right || ' ON " SCHEMA_LOAD ".%s TO '\n"
        "    || g.name || g.more;\n"
        "  END LOOP;\n"
        "END $drover$;\n",
        buf_text(&table), name);
    buf_free(&table);
}

void schema_load_swap(struct buf *out, const struct mapping *mapping, int number, const char *key,
                      const struct schema_roles *roles)
{
    char name[NAME_SIZE], its_name[NAME_SIZE];
    const struct mapping twin = twin_of(mapping, name_of(number, name));
    struct buf table;
    buf_init(&table, 512);
    schema_sql_table_name(&table, &twin);
    schema_sql_append(out,
                      "ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n"
                      "REVOKE INSERT ON %s FROM %i;\n",
                      buf_text(&table), buf_text(&table), roles->worker);
    for (int policy = 0; policy < POLICY_COUNT; policy++)
        schema_sql_policy(out, &twin, (enum schema_policy)policy, roles, SCHEMA_LOAD);
    append_rights(out, mapping, name);
    schema_sql_grants(out, buf_text(&table), schema_worker_rights(mapping), roles);
    schema_sql_append(out,
                      "DROP TABLE %i.%i;\n"
                      "ALTER TABLE %s DROP COLUMN drover_load_offset, DROP COLUMN "
                      "drover_load_partition, ALTER COLUMN drover_generation SET DEFAULT 0;\n"
                      "ALTER TABLE %s RENAME CONSTRAINT %i TO %i;\n",
                      mapping->schema, mapping->table, buf_text(&table), buf_text(&table),
                      key_name(number, its_name), key);
    for (size_t i = 0; i < mapping->index_count; i++) {
        index_name(number, i, its_name);
        schema_sql_append(out, "ALTER INDEX " SCHEMA_LOAD ".%i RENAME TO %i;\n", its_name,
                          mapping->indexes[i].name);
    }
    schema_sql_append(out,
                      "ALTER TABLE %s RENAME TO %i;\n"
                      "ALTER TABLE " SCHEMA_LOAD ".%i SET SCHEMA %i;\n",
                      buf_text(&table), mapping->table, mapping->table, mapping->schema);
    buf_free(&table);
}
