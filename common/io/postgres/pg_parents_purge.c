/*
 * Removes tombstones of mappings with on_delete: hard once they are older than their life: a replay
 * from before that would bring a deleted record back, so the life must exceed the topic's
 * retention. drover.purge says which tenants have any, because nobody sees the rows of all tenants.
 * A tombstone that children still refer to stays.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io/postgres/pg_parents_core.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_sql.h"

/* Tenants of one mapping cared for in one sweep. */
#define TENANTS_MOST "20"
#define LIFE " - $4::text::int8 * interval '1 millisecond'"

static void append_children(struct buf *sql, const struct mapping_set *mappings,
                            const struct mapping *parent)
{
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *child = mappings->items[i];
        for (size_t r = 0; r < child->reference_count; r++) {
            const struct mapping_reference *reference = &child->references[r];
            if (mapping_set_find(mappings, bytes_text(reference->entity)) != parent)
                continue;
            buf_append_format(sql,
                              " AND NOT EXISTS (SELECT FROM \"%s\".\"%s\" AS c WHERE "
                              "c.isolation_key = t.isolation_key",
                              child->schema, child->table);
            for (size_t k = 0; k < parent->key_count; k++)
                buf_append_format(sql, " AND c.\"%s\" = t.\"%s\"",
                                  child->columns[reference->columns[k]].name,
                                  parent->columns[parent->key[k]].name);
            buf_append_char(sql, ')');
        }
    }
}

/* $1 schema, $2 table, $3 tenant, $4 life, $5 the mark as it was seen. */
static enum outcome purge_tenant(struct sweep *sweep, const struct mapping *mapping,
                                 const struct bytes *params, uint64_t *purged, struct error *err)
{
    struct buf sql;
    PGresult *result = NULL;
    buf_init(&sql, 1u << 20);
    buf_append_format(&sql,
                      "DELETE FROM \"%s\".\"%s\" AS t WHERE isolation_key = $3::text AND "
                      "drover_deleted AND drover_deleted_at < clock_timestamp()" LIFE
                      " AND $1::text <> $2::text || $5::text",
                      mapping->schema, mapping->table);
    append_children(&sql, sweep->config->mappings, mapping);
    enum outcome outcome =
        pg_session_query(sweep->connection, buf_text(&sql), params, 5, false, &result, err);
    if (outcome == OUT_OK)
        *purged += strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    buf_reset(&sql);
    /* what is left is looked at again when the oldest of it is due, at the soonest a tenth of a
     * life from now; no look when a batch marks the tenant again meanwhile */
    buf_append_format(&sql,
                      "WITH t AS (SELECT min(drover_deleted_at) AS oldest FROM \"%s\".\"%s\" WHERE "
                      "isolation_key = $3::text AND drover_deleted),"
                      " gone AS (DELETE FROM drover.purge AS p USING t WHERE t.oldest IS NULL AND "
                      "p.table_schema = $1::text AND p.table_name = $2::text AND p.isolation_key = "
                      "$3::text AND p.marked_at = $5::text::timestamptz)"
                      " UPDATE drover.purge AS p SET oldest = greatest(t.oldest, clock_timestamp() "
                      "- $4::text::int8 * interval '0.9 milliseconds') FROM t WHERE t.oldest IS "
                      "NOT NULL AND p.table_schema = $1::text AND p.table_name = $2::text AND "
                      "p.isolation_key = $3::text",
                      mapping->schema, mapping->table);
    result = NULL;
    if (outcome == OUT_OK)
        outcome =
            pg_session_query(sweep->connection, buf_text(&sql), params, 5, false, &result, err);
    PQclear(result);
    buf_free(&sql);
    return outcome;
}

static enum outcome purge_mapping(struct sweep *sweep, const struct mapping *mapping,
                                  struct bytes life, uint64_t *purged, struct error *err)
{
    const struct bytes which[] = {bytes_text(mapping->schema), bytes_text(mapping->table),
                                  BYTES_LITERAL(""), life};
    PGresult *tenants = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT isolation_key, marked_at::text FROM drover.purge WHERE table_schema = $1::text AND "
        "table_name = $2::text AND $3::text = '' AND oldest < clock_timestamp()" LIFE
        " ORDER BY oldest LIMIT " TENANTS_MOST,
        which, 4, false, &tenants, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(tenants); row++) {
        const struct bytes params[] = {which[0], which[1], parents_bytes(tenants, row, 0), life,
                                       parents_bytes(tenants, row, 1)};
        outcome = pg_session_run(sweep->connection, "BEGIN", err);
        if (outcome == OUT_OK)
            outcome = parents_set_tenant(sweep, params[2], err);
        if (outcome == OUT_OK)
            outcome = purge_tenant(sweep, mapping, params, purged, err);
        if (outcome == OUT_OK)
            outcome = pg_session_run(sweep->connection, "COMMIT", err);
    }
    PQclear(tenants);
    return outcome;
}

enum outcome parents_purge(struct sweep *sweep, uint64_t *purged, struct error *err)
{
    char life[24];
    snprintf(life, sizeof life, "%" PRIu64, sweep->config->tombstone_life_ms);
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < sweep->config->mappings->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = sweep->config->mappings->items[i];
        if (mapping->on_delete == DELETE_HARD && !parents_is_stopped(sweep))
            outcome = purge_mapping(sweep, mapping, bytes_text(life), purged, err);
    }
    return outcome;
}
