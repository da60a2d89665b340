/*
 * The vault for commands. What refers to it is found by the form of a reference anywhere in a row's
 * text, so that columns, rest members and JSON in strings count alike.
 */

#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_sql.h"

#define CONNECT_MS 10000
#define SQL_MAX (4u << 20)
#define PAGE "500"
#define AGE "interval '1 hour'"
/* m: behind a run of '$' and "{sealed:", or on its own. Of an even run it is the text's own
 * letters (policy/secrets/secret_text.h). */
#define REFERENCE_FORM "'([$]*)[{]sealed:(sec_[a-z2-7]{32})|(sec_[a-z2-7]{32})', 'g'"
#define REFERENCE "coalesce(m[3], m[2])"
#define IS_REFERENCE "(m[3] IS NOT NULL OR pg_catalog.length(m[1]) % 2 = 1)"
#define ISO_UTC(column)                                                                            \
    "coalesce(pg_catalog.to_char(" column                                                          \
    " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')"

static const char PAGE_SQL[] =
    "SELECT isolation_key, reference, entity, record_id, field, key_id, ciphertext, " ISO_UTC(
        "created_at") ", " ISO_UTC("rotated_at") " FROM drover.credential_vault"
                                                 " WHERE ($1::text = '' OR isolation_key = "
                                                 "$1::text)"
                                                 " AND ($2::text = '' OR reference = $2::text)"
                                                 " AND (isolation_key, reference) > ($3::text, "
                                                 "$4::text)"
                                                 " ORDER BY isolation_key, reference LIMIT " PAGE;

enum outcome pg_vault_open(const struct settings *settings, bool writer, PGconn **session,
                           struct error *err)
{
    return pg_session_open(settings->database_url,
                           writer ? settings->worker_role : settings->verifier_role,
                           "drover-secret", CONNECT_MS, session, err);
}

void pg_vault_close(PGconn *session)
{
    PQfinish(session);
}

static struct vault_row row_of(const PGresult *result, int row)
{
    return (struct vault_row){.tenant = pg_wire_get_bytes(result, row, 0),
                              .reference = pg_wire_get_bytes(result, row, 1),
                              .entity = pg_wire_get_bytes(result, row, 2),
                              .id = pg_wire_get_bytes(result, row, 3),
                              .field = pg_wire_get_bytes(result, row, 4),
                              .key_id = pg_wire_get_bytes(result, row, 5),
                              .box = pg_wire_get_bytes(result, row, 6),
                              .created = pg_wire_get_bytes(result, row, 7),
                              .rotated = pg_wire_get_bytes(result, row, 8)};
}

/* pg_session takes a NULL pointer for SQL's NULL. */
static struct bytes not_null(struct bytes text)
{
    return text.data ? text : BYTES_LITERAL("");
}

/* One page; the last row's key is kept in `after`. */
static enum outcome read_page(PGconn *reader, struct bytes tenant, struct bytes reference,
                              struct buf after[2], PGresult **page, struct error *err)
{
    const struct bytes params[] = {not_null(tenant), not_null(reference),
                                   bytes_text(buf_text(&after[0])),
                                   bytes_text(buf_text(&after[1]))};
    enum outcome outcome = pg_session_query(reader, PAGE_SQL, params, 4, true, page, err);
    int rows = outcome == OUT_OK ? PQntuples(*page) : 0;
    for (int part = 0; part < 2 && rows > 0; part++) {
        buf_reset(&after[part]);
        buf_append_bytes(&after[part], pg_wire_get_bytes(*page, rows - 1, part));
    }
    return outcome;
}

enum outcome pg_vault_each(PGconn *reader, struct bytes tenant, struct bytes reference,
                           vault_visit *visit, void *owner, struct error *err)
{
    struct buf after[2];
    enum outcome outcome = OUT_OK;
    bool more = true;
    buf_init(&after[0], SQL_MAX);
    buf_init(&after[1], SQL_MAX);
    while (outcome == OUT_OK && more) {
        PGresult *page = NULL;
        outcome = read_page(reader, tenant, reference, after, &page, err);
        more = outcome == OUT_OK && PQntuples(page) > 0;
        for (int row = 0; outcome == OUT_OK && row < PQntuples(page); row++) {
            struct vault_row found = row_of(page, row);
            outcome = visit(owner, &found, err);
        }
        PQclear(page);
    }
    buf_free(&after[0]);
    buf_free(&after[1]);
    return outcome;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum outcome run(PGconn *writer, const char *sql, const struct bytes *params, size_t count,
                        uint64_t *rows, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(writer, sql, params, count, false, &result, err);
    if (outcome == OUT_OK && rows)
        *rows = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return outcome;
}

enum outcome pg_vault_begin(PGconn *writer, struct bytes tenant, struct error *err)
{
    enum outcome outcome = pg_session_run(writer, "BEGIN", err);
    if (outcome == OUT_OK)
        outcome = run(writer, "SELECT pg_catalog.set_config('app.current_tenant_key', $1, true)",
                      &tenant, 1, NULL, err);
    return outcome;
}

enum outcome pg_vault_commit(PGconn *writer, struct error *err)
{
    return pg_session_run(writer, "COMMIT", err);
}

enum outcome pg_vault_reseal(PGconn *writer, const struct vault_row *row, struct bytes box,
                             struct error *err)
{
    const struct bytes params[] = {row->tenant, row->reference, row->box, box,
                                   bytes_of(secret_box_key_id(box), SECRET_KEY_ID_SIZE)};
    return run(
        writer,
        "UPDATE drover.credential_vault SET ciphertext = $4::bytea, key_id = $5::bytea,"
        " rotated_at = clock_timestamp()"
        " WHERE isolation_key = $1::text AND reference = $2::text AND ciphertext = $3::bytea",
        params, 5, NULL, err);
}

/* ---- references ------------------------------------------------------------------------------ */

/* refs(k, r): tenant and reference, of every row. */
static void append_references(struct buf *sql, const struct mapping_set *mappings)
{
    buf_append_text(sql, "WITH refs(k, r) AS MATERIALIZED (");
    for (size_t i = 0; i < mappings->count; i++) {
        buf_append_text(sql, "SELECT drover_row.isolation_key, " REFERENCE " FROM ");
        schema_sql_table_name(sql, mappings->items[i]);
        buf_append_text(
            sql, " AS drover_row, pg_catalog.regexp_matches(drover_row::text, " REFERENCE_FORM
                 ") AS m WHERE " IS_REFERENCE " UNION ALL ");
    }
    buf_append_text(
        sql, "SELECT w.isolation_key, " REFERENCE " FROM drover.waiting AS w, "
             "pg_catalog.regexp_matches(pg_catalog.encode(w.value, 'escape'), " REFERENCE_FORM
             ") AS m WHERE " IS_REFERENCE ") ");
}

static void append_orphan_rule(struct buf *sql, const struct mapping_set *mappings)
{
    buf_append_text(sql, " AND v.entity IN (''");
    for (size_t i = 0; i < mappings->count; i++) {
        buf_append_text(sql, ", ");
        schema_sql_literal(sql, mappings->items[i]->entity);
    }
    buf_append_text(sql, ") AND NOT EXISTS (SELECT FROM refs WHERE refs.k = v.isolation_key"
                         " AND refs.r = v.reference)");
}

static enum outcome visit_pairs(PGconn *reader, const char *sql, struct bytes tenant,
                                vault_visit *visit, void *owner, struct error *err)
{
    PGresult *result = NULL;
    struct bytes param = not_null(tenant);
    enum outcome outcome = pg_session_query(reader, sql, &param, 1, true, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        struct vault_row pair = {.tenant = pg_wire_get_bytes(result, row, 0),
                                 .reference = pg_wire_get_bytes(result, row, 1)};
        outcome = visit(owner, &pair, err);
    }
    PQclear(result);
    return outcome;
}

/* Rows of a table that is being loaded are in nobody's sight: their entries would be orphans. */
static enum outcome refuse_loading(PGconn *session, const struct mapping_set *mappings,
                                   struct error *err)
{
    return pg_load_refuse_open(session, NULL, mappings->items, mappings->count, err);
}

enum outcome pg_vault_orphans(PGconn *reader, const struct mapping_set *mappings,
                              struct bytes tenant, vault_visit *visit, void *owner,
                              struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    append_references(&sql, mappings);
    buf_append_text(&sql, "SELECT v.isolation_key, v.reference FROM drover.credential_vault AS v"
                          " WHERE ($1::text = '' OR v.isolation_key = $1::text)");
    append_orphan_rule(&sql, mappings);
    buf_append_text(&sql, " ORDER BY 1, 2");
    enum outcome outcome = refuse_loading(reader, mappings, err);
    if (outcome == OUT_OK)
        outcome = visit_pairs(reader, buf_text(&sql), tenant, visit, owner, err);
    buf_free(&sql);
    return outcome;
}

enum outcome pg_vault_dangling(PGconn *reader, const struct mapping_set *mappings,
                               struct bytes tenant, vault_visit *visit, void *owner,
                               struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    append_references(&sql, mappings);
    buf_append_text(&sql,
                    "SELECT DISTINCT refs.k, refs.r FROM refs"
                    " WHERE ($1::text = '' OR refs.k = $1::text) AND NOT EXISTS"
                    " (SELECT FROM drover.credential_vault AS v WHERE v.isolation_key = refs.k"
                    " AND v.reference = refs.r) ORDER BY 1, 2");
    enum outcome outcome = visit_pairs(reader, buf_text(&sql), tenant, visit, owner, err);
    buf_free(&sql);
    return outcome;
}

enum outcome pg_vault_sweep(PGconn *writer, const struct mapping_set *mappings, struct bytes tenant,
                            uint64_t *removed, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    append_references(&sql, mappings);
    buf_append_text(&sql, "DELETE FROM drover.credential_vault AS v WHERE v.isolation_key = "
                          "$1::text AND v.created_at < clock_timestamp() - " AGE);
    append_orphan_rule(&sql, mappings);
    enum outcome outcome = pg_vault_begin(writer, tenant, err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(
            writer, "LOCK TABLE drover.credential_vault IN SHARE ROW EXCLUSIVE MODE", err);
    if (outcome == OUT_OK)
        outcome = refuse_loading(writer, mappings, err);
    if (outcome == OUT_OK)
        outcome = run(writer, buf_text(&sql), &tenant, 1, removed, err);
    buf_free(&sql);
    return outcome;
}
