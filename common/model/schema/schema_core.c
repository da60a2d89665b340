/*
 * The schema `drover`: where each partition's reading stands, what is pinned, and the functions
 * through which workers move it. The functions are the fence: whoever does not
 * hold the newest epoch, or does not begin where the last batch ended, changes nothing.
 */
#include "common/model/schema/schema_sql.h"

#include <string.h>

static const struct schema_core_table TABLES[] = {
    {"partition_progress",
     "    \"group\" text COLLATE \"C\" NOT NULL,\n"
     "    topic text COLLATE \"C\" NOT NULL,\n"
     "    partition integer NOT NULL,\n"
     "    next_offset bigint NOT NULL DEFAULT 0,\n"
     "    redis_next bigint NOT NULL DEFAULT 0,\n"
     "    results_next bigint NOT NULL DEFAULT 0,\n"
     "    epoch bigint NOT NULL DEFAULT 1,\n"
     "    owner text,\n"
     "    sequences jsonb NOT NULL DEFAULT '{}',\n"
     "    updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    PRIMARY KEY (\"group\", topic, partition)\n",
     "SELECT, INSERT, UPDATE, DELETE"},
    {"pinned_topic",
     "    topic text COLLATE \"C\" PRIMARY KEY,\n"
     "    partitions integer NOT NULL,\n"
     "    pinned_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()\n",
     "SELECT, INSERT"},
    {"pinned_group",
     "    \"group\" text COLLATE \"C\" PRIMARY KEY,\n"
     "    fingerprint text NOT NULL,\n"
     "    pinned_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()\n",
     "SELECT, INSERT, DELETE"},
    /* Each form that a table's mapping had (model/mapping/mapping_form.h); rows name theirs in
     * drover_generation. */
    {"mapping_generation",
     "    table_schema text COLLATE \"C\" NOT NULL,\n"
     "    table_name text COLLATE \"C\" NOT NULL,\n"
     "    generation integer NOT NULL,\n"
     "    fingerprint text NOT NULL,\n"
     "    since timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    PRIMARY KEY (table_schema, table_name, generation)\n",
     "SELECT"},
    /* Records whose parents have not come yet, with their messages
     * (common/io/postgres/pg_sweep.h). state: NULL waits; a class ('applied', 'superseded'…):
     * what became of it, Redis has still to hear of it; otherwise the error code of an orphan,
     * whose dead letter is on its way. due_ms: on the clock of drover.sweep, when its wait is over.
     * round: the receipt that tells of it. */
    {"waiting",
     "    \"group\" text COLLATE \"C\" NOT NULL,\n"
     "    topic text COLLATE \"C\" NOT NULL,\n"
     "    partition integer NOT NULL,\n"
     "    \"offset\" bigint NOT NULL,\n"
     "    isolation_key text COLLATE \"C\" NOT NULL,\n"
     "    entity text COLLATE \"C\" NOT NULL,\n"
     "    version bigint NOT NULL,\n"
     "    key bytea NOT NULL,\n"
     "    value bytea,\n"
     "    headers bytea NOT NULL,\n"
     "    since timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    state text,\n"
     "    no_key boolean NOT NULL DEFAULT false,\n"
     "    due_ms bigint,\n"
     "    round bigint,\n"
     "    PRIMARY KEY (\"group\", topic, partition, \"offset\")\n",
     "SELECT, INSERT, UPDATE, DELETE", .tenants = true, .queue = true},
    /* The pending children's clock, which runs only while sweeps succeed; the mark: where the log
     * ended when waits were over, to be written before anybody is an orphan; the last round told.
     */
    {"sweep",
     "    \"group\" text COLLATE \"C\" NOT NULL,\n"
     "    topic text COLLATE \"C\" NOT NULL,\n"
     "    ran_ms bigint NOT NULL DEFAULT 0,\n"
     "    swept_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    mark_ms bigint,\n"
     "    mark_ends bigint[],\n"
     "    round bigint NOT NULL DEFAULT 0,\n"
     "    PRIMARY KEY (\"group\", topic)\n",
     "SELECT, INSERT, UPDATE, DELETE"},
    /* Which tenants have tombstones to be removed (on_delete: hard). */
    {"purge",
     "    table_schema text COLLATE \"C\" NOT NULL,\n"
     "    table_name text COLLATE \"C\" NOT NULL,\n"
     "    isolation_key text COLLATE \"C\" NOT NULL,\n"
     "    oldest timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    marked_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    PRIMARY KEY (table_schema, table_name, isolation_key)\n",
     "SELECT, INSERT, UPDATE, DELETE", .tenants = true, .queue = true},
    /* Sealed secrets; rows of mappings hold their references (common/io/postgres/pg_vault.h). */
    {"credential_vault",
     "    isolation_key text COLLATE \"C\" NOT NULL,\n"
     "    reference text COLLATE \"C\" NOT NULL,\n"
     "    entity text COLLATE \"C\" NOT NULL,\n"
     "    record_id text COLLATE \"C\" NOT NULL,\n"
     "    field text COLLATE \"C\" NOT NULL,\n"
     "    key_id bytea NOT NULL,\n"
     "    ciphertext bytea NOT NULL,\n"
     "    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    rotated_at timestamp with time zone,\n"
     "    PRIMARY KEY (isolation_key, reference)\n",
     "SELECT, INSERT, UPDATE, DELETE", .tenants = true},
    /* Tables that are loaded before they have indexes (common/io/postgres/pg_load.h), and those
     * that were. state: loading, finalising, done. left_out: records of each partition that the
     * finalising found to be no rows of the table, by class. told: a receipt says so. starts: the
     * group's checkpoints when it began: topic, partition, next_offset, sequences of each. */
    {"load",
     "    number integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,\n"
     "    \"group\" text COLLATE \"C\" NOT NULL,\n"
     "    table_schema text COLLATE \"C\" NOT NULL,\n"
     "    table_name text COLLATE \"C\" NOT NULL,\n"
     "    state text NOT NULL DEFAULT 'loading',\n"
     "    rows bigint,\n"
     "    left_out jsonb NOT NULL DEFAULT '[]',\n"
     "    told boolean NOT NULL DEFAULT false,\n"
     "    began_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    changed_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
     "    starts jsonb NOT NULL DEFAULT '[]'\n",
     "SELECT"},
    /* Records PostgreSQL refused while their table was loaded: until it is done nothing else tells
     * them from those that are in it. */
    {"load_refused",
     "    number integer NOT NULL,\n"
     "    topic text COLLATE \"C\" NOT NULL,\n"
     "    partition integer NOT NULL,\n"
     "    \"offset\" bigint NOT NULL,\n"
     "    PRIMARY KEY (number, topic, partition, \"offset\")\n",
     "SELECT, INSERT"},
    /* Rows that batches have appended, counted in their transactions: what the finish has to find.
     */
    {"load_appended",
     "    number integer NOT NULL,\n"
     "    topic text COLLATE \"C\" NOT NULL,\n"
     "    partition integer NOT NULL,\n"
     "    appended bigint NOT NULL,\n"
     "    PRIMARY KEY (number, topic, partition)\n",
     "SELECT, INSERT, UPDATE"},
};

#define KEY "p.\"group\" = p_group AND p.topic = p_topic AND p.partition = p_partition"

/* After an UPDATE that found no row: whose fault is it? The second SELECT sees what the UPDATE,
 * after waiting for the other's commit, saw. */
#define REFUSE_OTHER_EPOCH                                                                         \
    "    SELECT p.epoch, p.next_offset INTO found_epoch, found_offset\n"                           \
    "      FROM drover.partition_progress AS p\n"                                                  \
    "     WHERE " KEY ";\n"                                                                        \
    "    IF found_epoch IS DISTINCT FROM p_epoch THEN\n"                                           \
    "      RAISE EXCEPTION 'epoch % of this partition is over, it is now %', p_epoch, "            \
    "found_epoch\n"                                                                                \
    "        USING ERRCODE = 'DR001';\n"                                                           \
    "    END IF;\n"

static const struct schema_function FUNCTIONS[] = {
    {"claim", "p_group text, p_topic text, p_partition integer, p_owner text",
     "TABLE(next_offset bigint, redis_next bigint, results_next bigint, epoch bigint, sequences "
     "jsonb)",
     "sql",
     "\n"
     "  INSERT INTO drover.partition_progress AS p (\"group\", topic, partition, owner)\n"
     "  VALUES (p_group, p_topic, p_partition, p_owner)\n"
     "  ON CONFLICT (\"group\", topic, partition) DO UPDATE\n"
     "     SET epoch = p.epoch + 1, owner = EXCLUDED.owner, updated_at = clock_timestamp()\n"
     "  RETURNING p.next_offset, p.redis_next, p.results_next, p.epoch, p.sequences\n"},
    {"fence",
     "p_group text, p_topic text, p_partition integer, p_epoch bigint, p_start bigint, "
     "p_end bigint, p_redis_next bigint, p_results_next bigint, p_sequences jsonb",
     "void", "plpgsql",
     "\n"
     "DECLARE\n"
     "  found_epoch bigint;\n"
     "  found_offset bigint;\n"
     "BEGIN\n"
     "  UPDATE drover.partition_progress AS p\n"
     "     SET next_offset = p_end,\n"
     "         redis_next = greatest(p.redis_next, p_redis_next),\n"
     "         results_next = greatest(p.results_next, p_results_next),\n"
     "         sequences = p_sequences,\n"
     "         updated_at = clock_timestamp()\n"
     "   WHERE " KEY "\n"
     "     AND p.epoch = p_epoch AND p.next_offset = p_start AND p_end >= p_start;\n"
     "  IF NOT FOUND THEN\n" REFUSE_OTHER_EPOCH
     "    RAISE EXCEPTION 'a batch of % to % does not follow %', p_start, p_end, found_offset\n"
     "      USING ERRCODE = 'DR002';\n"
     "  END IF;\n"
     "END\n"},
    {"progress_stages",
     "p_group text, p_topic text, p_partition integer, p_epoch bigint, p_redis_next bigint, "
     "p_results_next bigint",
     "void", "plpgsql",
     "\n"
     "DECLARE\n"
     "  found_epoch bigint;\n"
     "  found_offset bigint;\n"
     "BEGIN\n"
     "  UPDATE drover.partition_progress AS p\n"
     "     SET redis_next = greatest(p.redis_next, p_redis_next),\n"
     "         results_next = greatest(p.results_next, p_results_next),\n"
     "         updated_at = clock_timestamp()\n"
     "   WHERE " KEY "\n"
     "     AND p.epoch = p_epoch;\n"
     "  IF NOT FOUND THEN\n" REFUSE_OTHER_EPOCH "  END IF;\n"
     "END\n"},
    /* Called for a row that an upsert neither wrote nor found newer (pg_upsert.c). */
    {"not_written", "", "bigint", "plpgsql",
     "\n"
     "BEGIN\n"
     "  RAISE EXCEPTION 'the row was not written: a trigger returned NULL, or changed its key or "
     "version'\n"
     "    USING ERRCODE = 'DR003';\n"
     "END\n"},
    /* In a batch's transaction, before its rows go into load tables: whoever ends the loading takes
     * the same locks, so that it waits for this transaction, and later ones are kept out. */
    {"load_fence", "p_numbers integer[]", "void", "plpgsql",
     "\n"
     "DECLARE\n"
     "  n integer;\n"
     "  found text;\n"
     "BEGIN\n"
     "  FOREACH n IN ARRAY p_numbers LOOP\n"
     "    FOR turn IN 1..2 LOOP\n"
     "      SELECT l.state INTO found FROM drover.load AS l WHERE l.number = n;\n"
     "      IF found IS DISTINCT FROM 'loading' THEN\n"
     "        RAISE EXCEPTION 'load % is %', n, coalesce(found, 'gone') USING ERRCODE = 'DR004';\n"
     "      END IF;\n"
     "      PERFORM pg_advisory_xact_lock_shared(724202611, n);\n"
     "    END LOOP;\n"
     "  END LOOP;\n"
     "END\n"},
    {"load_count", "p_topic text, p_partition integer, p_numbers integer[], p_counts bigint[]",
     "void", "plpgsql",
     "\n"
     "BEGIN\n"
     "  INSERT INTO drover.load_appended AS a (number, topic, partition, appended)\n"
     "  SELECT u.n, p_topic, p_partition, u.c\n"
     "    FROM ROWS FROM (unnest(p_numbers), unnest(p_counts)) AS u(n, c)\n"
     "  ON CONFLICT (number, topic, partition) DO UPDATE\n"
     "     SET appended = a.appended + EXCLUDED.appended;\n"
     "END\n"},
    {"release", "p_group text, p_topic text, p_partition integer, p_epoch bigint", "void", "sql",
     "\n"
     "  UPDATE drover.partition_progress AS p\n"
     "     SET owner = NULL, updated_at = clock_timestamp()\n"
     "   WHERE " KEY " AND p.epoch = p_epoch\n"},
};

const struct schema_core_table *schema_core_tables(size_t *count)
{
    *count = sizeof(TABLES) / sizeof(TABLES[0]);
    return TABLES;
}

const struct schema_function *schema_core_functions(size_t *count)
{
    *count = sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]);
    return FUNCTIONS;
}

void schema_core_table_sql(struct buf *out, const struct schema_core_table *table,
                           const char *schema)
{
    schema_sql_append(out, "CREATE TABLE %i.%i (\n%s);\n", schema, table->name, table->columns);
    if (table->tenants)
        schema_sql_append(
            out, "ALTER TABLE %i.%i ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n", schema,
            table->name);
}

struct mapping schema_core_mapping(const struct schema_core_table *table)
{
    return (struct mapping){.schema = "drover", .table = table->name, .entity = table->name};
}

bool schema_core_is_queue(const struct mapping *mapping)
{
    if (strcmp(mapping->schema, "drover") != 0) /* which no mapping of a user's may name */
        return false;
    for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        if (strcmp(TABLES[i].name, mapping->table) == 0)
            return TABLES[i].queue;
    return false;
}

/* Only roles named in a GRANT may call it, with their own rights, and with no name looked up where
 * a user could have put something else. */
void schema_core_function_sql(struct buf *out, const struct schema_function *function)
{
    schema_sql_append(
        out,
        "CREATE OR REPLACE FUNCTION drover.%i(%s)\n"
        "RETURNS %s\n"
        "LANGUAGE %s VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp\n"
        "AS $drover$%s$drover$;\n"
        "REVOKE ALL ON FUNCTION drover.%i(%s) FROM PUBLIC;\n",
        function->name, function->arguments, function->result, function->language, function->body,
        function->name, function->arguments);
}
