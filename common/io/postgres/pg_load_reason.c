/* See the header. */
#include "common/io/postgres/pg_load_reason.h"

#include <libpq-fe.h>

#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_load.h"

enum { TEXT_LIMIT = 1 << 20 };

/* Of a table, its indexes, constraints and policies: made LIKE it, it keeps those of columns. */
#define COMMENTS                                                                                   \
    " WHEN EXISTS (SELECT FROM pg_description AS d WHERE (d.classoid, d.objoid) IN ("              \
    "   SELECT 'pg_class'::regclass, c.oid WHERE d.objsubid = 0"                                   \
    "   UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index AS i"                    \
    "     WHERE i.indrelid = c.oid"                                                                \
    "   UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint AS k"                 \
    "     WHERE k.conrelid = c.oid AND k.contype <> 'c'"                                           \
    "   UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy AS p"                         \
    "     WHERE p.polrelid = c.oid)) THEN 'it has comments of its own'"

/* A publication's subscribers would get the rows under a name they do not know, or never. */
#define PUBLISHED                                                                                  \
    " WHEN EXISTS (SELECT FROM pg_publication_tables AS p WHERE p.schemaname = n.nspname"          \
    "   AND p.tablename = c.relname) THEN 'it is published'"                                       \
    " WHEN EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = c.oid)"                  \
    "   THEN 'a subscription writes it'"

/* Its own or the access method's, its TOAST table's, its columns' and its indexes'. */
#define STORAGE                                                                                    \
    " WHEN c.relreplident <> 'd' OR c.reloptions IS NOT NULL OR c.relpersistence <> 'p'"           \
    "   OR c.reltablespace <> 0 OR c.reloftype <> 0"                                               \
    "   OR c.relam <> (SELECT m.oid FROM pg_am AS m"                                               \
    "     WHERE m.amname = current_setting('default_table_access_method'))"                        \
    "   OR EXISTS (SELECT FROM pg_class AS t WHERE t.oid = c.reltoastrelid"                        \
    "     AND t.reloptions IS NOT NULL)"                                                           \
    "   OR EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid"           \
    "     WHERE i.indrelid = c.oid AND (i.indisclustered OR i.indisreplident OR x.reltablespace"   \
    "       <> 0 OR x.reloptions IS NOT NULL OR (i.indisprimary AND (NOT i.indimmediate OR"        \
    "       i.indnatts <> i.indnkeyatts))))"                                                       \
    "   THEN 'it has storage options of its own'"                                                  \
    " WHEN EXISTS (SELECT FROM pg_statistic_ext AS s WHERE s.stxrelid = c.oid)"                    \
    "   OR EXISTS (SELECT FROM pg_attribute AS a WHERE (a.attrelid = c.oid OR a.attrelid IN"       \
    "     (SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = c.oid)) AND a.attnum > 0"     \
    "     AND NOT a.attisdropped AND (a.attstattarget >= 0 OR a.attoptions IS NOT NULL))"          \
    "   THEN 'it has statistics of its own'"                                                       \
    " WHEN EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = c.oid) THEN 'it has rules'"      \
    " WHEN EXISTS (SELECT FROM pg_seclabel AS l WHERE l.classoid = 'pg_class'::regclass"           \
    "   AND l.objoid = c.oid) THEN 'it has security labels'"

/* Views, and functions that were parsed when they were made; what has the type of its rows. */
#define DEPENDENTS                                                                                 \
    " ELSE coalesce((SELECT min(CASE d.classid WHEN 'pg_rewrite'::regclass"                        \
    "     THEN pg_describe_object('pg_class'::regclass,"                                           \
    "       (SELECT r.ev_class FROM pg_rewrite AS r WHERE r.oid = d.objid), 0)"                    \
    "     ELSE pg_describe_object(d.classid, d.objid, 0) END) || ' depends on it'"                 \
    "   FROM pg_depend AS d WHERE d.deptype = 'n'"                                                 \
    "     AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid"                        \
    "           AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass))"                   \
    "       OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (c.reltype,"                  \
    "         (SELECT t.typarray FROM pg_type AS t WHERE t.oid = c.reltype))))), '')"

/* $1 the table, $2 the names of its mapping's indexes, one a line. PostgreSQL 18 has constraints
 * for NOT NULL ('n'), which the copy has, too. */
static const char REASON[] =
    "SELECT CASE"
    " WHEN c.relkind <> 'r' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits AS i"
    "   WHERE c.oid IN (i.inhrelid, i.inhparent)) THEN 'it is partitioned or inherits'"
    " WHEN c.relowner <> (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = current_user)"
    "   THEN 'it belongs to another role'"
    " WHEN pg_relation_size(c.oid) > 0 THEN 'it is not empty (deleted rows count until VACUUM or "
    "TRUNCATE)'"
    " WHEN EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)"
    "   THEN 'it has triggers'"
    " WHEN EXISTS (SELECT FROM pg_constraint AS k WHERE c.oid IN (k.conrelid, k.confrelid)"
    "   AND k.contype NOT IN ('c', 'p', 'n')) THEN 'it has constraints of its own'"
    " WHEN EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname NOT IN"
    "   ('drover_tenant', 'drover_worker', 'drover_verifier')) THEN 'it has policies of its own'"
    " WHEN EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid"
    "   WHERE i.indrelid = c.oid AND NOT i.indisprimary"
    "   AND x.relname <> ALL (string_to_array($2::text, chr(10))))"
    "   THEN 'it has indexes of its own'"
    " WHEN EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)"
    "   THEN 'rights are given on its columns'"
    " WHEN EXISTS (SELECT FROM pg_depend AS d JOIN pg_class AS q ON q.oid = d.objid AND q.relkind ="
    "   'S' WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
    "   AND d.refobjid = c.oid AND d.deptype IN ('a', 'i'))"
    "   THEN 'it has a serial or identity column'" PUBLISHED STORAGE COMMENTS DEPENDENTS
    " END FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.oid = $1::text::regclass";

/* $1 the table, $2 its load table. Both were validated: a check NOT VALID is none there. The
 * generation's default is each one's own (schema_load_sql). */
static const char CHANGE[] =
    "WITH a AS (SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod) AS type,"
    "   a.attcollation, a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,"
    "   a.attcompression, CASE WHEN a.attname <> 'drover_generation' THEN"
    "     pg_get_expr(d.adbin, d.adrelid) END AS fallback,"
    "   col_description(a.attrelid, a.attnum) AS words"
    "   FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid"
    "     AND d.adnum = a.attnum WHERE a.attrelid IN ($1::text::regclass, $2::text::regclass)"
    "     AND a.attnum > 0 AND NOT a.attisdropped"
    "     AND a.attname NOT IN ('drover_load_offset', 'drover_load_partition')),"
    " k AS (SELECT k.conrelid, k.conname, k.connoinherit, pg_get_expr(k.conbin, k.conrelid) AS "
    "rule,"
    "   obj_description(k.oid, 'pg_constraint') AS words FROM pg_constraint AS k"
    "   WHERE k.contype = 'c' AND k.conrelid IN ($1::text::regclass, $2::text::regclass)),"
    " both_a AS (SELECT attname, type, attcollation, attnotnull, attidentity, attgenerated,"
    "   attstorage, attcompression, fallback, words FROM a GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
    "   HAVING count(*) <> 2),"
    " both_k AS (SELECT conname FROM k GROUP BY conname, connoinherit, rule, words"
    "   HAVING count(*) <> 2)"
    " SELECT CASE WHEN EXISTS (SELECT FROM both_a) THEN"
    "   format('its column %s was changed while it was loaded', (SELECT min(attname) FROM both_a))"
    "   WHEN EXISTS (SELECT FROM both_k) THEN"
    "   format('its check %s was changed while it was loaded', (SELECT min(conname) FROM both_k))"
    "   ELSE '' END";

static enum outcome ask(PGconn *session, const char *sql, struct bytes second,
                        const struct mapping *mapping, struct buf *reason, struct error *err)
{
    struct buf table;
    PGresult *result = NULL;
    buf_init(&table, 512);
    schema_sql_table_name(&table, mapping);
    const struct bytes params[] = {buf_view(&table), second};
    enum outcome outcome = pg_session_query(session, sql, params, 2, false, &result, err);
    if (outcome == OUT_OK && PQntuples(result) == 1)
        buf_append_text(reason, PQgetvalue(result, 0, 0));
    PQclear(result);
    buf_free(&table);
    return outcome;
}

enum outcome pg_load_ask_reason(PGconn *session, const struct mapping *mapping, struct buf *reason,
                                struct error *err)
{
    struct buf indexes;
    buf_init(&indexes, TEXT_LIMIT);
    buf_append_text(&indexes, "");
    for (size_t i = 0; i < mapping->index_count; i++)
        buf_append_format(&indexes, "%s%s", i ? "\n" : "", mapping->indexes[i].name);
    enum outcome outcome =
        ask(session, REASON, bytes_text(buf_text(&indexes)), mapping, reason, err);
    buf_free(&indexes);
    return outcome;
}

enum outcome pg_load_ask_change(PGconn *session, const struct mapping *mapping, int number,
                                struct buf *reason, struct error *err)
{
    struct buf name;
    buf_init(&name, 512);
    schema_load_name(&name, number);
    enum outcome outcome = ask(session, CHANGE, buf_view(&name), mapping, reason, err);
    buf_free(&name);
    return outcome;
}

enum outcome pg_load_try_drop(PGconn *session, const struct mapping *mapping, struct buf *reason,
                              struct error *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    schema_sql_append(&sql, "SAVEPOINT load_try; DROP TABLE %i.%i", mapping->schema,
                      mapping->table);
    struct error seen = {0};
    enum outcome outcome = pg_session_run(session, buf_text(&sql), &seen);
    if (outcome != OUT_OK && outcome != OUT_RETRY)
        buf_append_text(reason, "other objects depend on it");
    buf_free(&sql);
    if (outcome == OUT_RETRY) {
        *err = seen;
        return outcome;
    }
    return pg_session_run(session, "ROLLBACK TO SAVEPOINT load_try", err);
}
