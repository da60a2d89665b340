/*
 * A table against its twin: columns, primary key, checks. The queries give finished statements,
 * spelled by the server, and say of each whether it is a contradiction that only the owner of the
 * data can resolve.
 */
#include "common/io/postgres/pg_schema.h"

#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_session.h"

enum { TEXT_LIMIT = 1 << 20 };

/* ---- columns and primary key ------------------------------------------------------------- */

/* A type that holds every value of the column's as it is. */
#define DIGITS(t)                                                                                  \
    "CASE " t ".base WHEN 'int2'::regtype THEN 5 WHEN 'int4'::regtype THEN 10 ELSE 19 END"
#define SCALE(t) "((" t ".atttypmod - 4) & 2047)"
#define WHOLE(t) "((((" t ".atttypmod - 4) >> 16) & 65535) - " SCALE(t) ")"
#define WIDENS                                                                                     \
    "e.list = w.list AND e.attcollation = w.attcollation AND CASE"                                 \
    " WHEN e.base = 'varchar'::regtype THEN w.base = 'text'::regtype OR (w.base = e.base AND"      \
    "   (w.atttypmod = -1 OR (e.atttypmod <> -1 AND w.atttypmod > e.atttypmod)))"                  \
    " WHEN e.base = 'numeric'::regtype THEN w.base = e.base AND (w.atttypmod = -1 OR"              \
    "   (e.atttypmod <> -1 AND " SCALE("w") " >= " SCALE("e") " AND " WHOLE("w") " >= " WHOLE(     \
        "e") "))"                                                                                  \
             " WHEN e.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN"            \
             "   w.base = 'int8'::regtype OR (w.base = 'int4'::regtype AND e.base = "              \
             "'int2'::regtype) OR"                                                                 \
             "   (w.base = 'numeric'::regtype AND (w.atttypmod = -1 OR " WHOLE("w") " >= " DIGITS( \
                 "e") "))"                                                                         \
                      " WHEN e.base = 'float4'::regtype THEN w.base = 'float8'::regtype ELSE "     \
                      "false END"

/* Without a USING an assignment refuses what does not fit; an explicit cast would cut it. */
#define ASSIGNS                                                                                    \
    "e.list = w.list AND (e.base = w.base"                                                         \
    " OR (SELECT typcategory FROM pg_type WHERE oid = w.base) = 'S'"                               \
    " OR EXISTS (SELECT FROM pg_cast WHERE castsource = e.base AND casttarget = w.base"            \
    "              AND castcontext IN ('i', 'a')))"
/* What does not fit is refused, and the rest stays what it is. */
#define REFUSES                                                                                    \
    ASSIGNS                                                                                        \
    " AND CASE WHEN w.base IN ('text'::regtype, 'varchar'::regtype) THEN true"                     \
    " WHEN e.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN"                     \
    "   w.base IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)"         \
    " WHEN e.base = 'numeric'::regtype THEN w.base = e.base AND (w.atttypmod = -1 OR"              \
    "   (e.atttypmod <> -1 AND " SCALE("w") " >= " SCALE(                                          \
        "e") "))"                                                                                  \
             " ELSE e.base = 'date'::regtype AND w.base = 'timestamptz'::regtype END"

/* $1 the table, $2 the twin, $3 whether columns may be widened; rows: contradiction, line,
 * statement, place, whether it only widens, whether it may change values. */
static const char COLUMNS[] =
    "WITH a AS ("
    "  SELECT a.attrelid, a.attname, a.attnum, a.attnotnull, a.attidentity, a.attgenerated,"
    "         a.atttypid, a.atttypmod, a.attcollation, pg_get_expr(d.adbin, d.adrelid) AS fallback,"
    "         CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.oid END AS base,"
    "         t.typcategory = 'A' AS list, format_type(a.atttypid, a.atttypmod) AS plain,"
    "         format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation <> t.typcollation"
    "           THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END AS type"
    "    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    "    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    "   WHERE a.attrelid IN ($1::text::regclass, $2::text::regclass)"
    "     AND a.attnum > 0 AND NOT a.attisdropped),"
    " w AS (SELECT * FROM a WHERE attrelid = $2::text::regclass),"
    " e AS (SELECT * FROM a WHERE attrelid = $1::text::regclass)"
    " SELECT false, format('add column %s %s to %s', w.attname, w.type, $1::text::regclass),"
    "        format('ALTER TABLE %s ADD COLUMN %I %s%s%s%s', $1::text, w.attname, w.type,"
    "          CASE WHEN w.attidentity <> '' THEN ' GENERATED BY DEFAULT AS IDENTITY' ELSE '' END,"
    "          coalesce(' DEFAULT ' || w.fallback, ''),"
    "          CASE WHEN w.attnotnull THEN ' NOT NULL' ELSE '' END), w.attnum, false, false"
    "   FROM w LEFT JOIN e USING (attname) WHERE e.attrelid IS NULL"
    " UNION ALL"
    " SELECT NOT (widens AND $3::text::bool), format(CASE WHEN widens AND $3::text::bool THEN"
    "          'widen column %s of %s from %s to %s' ELSE"
    "          'column %s of %s is %s, the mapping wants %s' END, attname, $1::text::regclass, was,"
    "          type), format('ALTER TABLE %s ALTER COLUMN %I TYPE %s%s', $1::text, attname, type,"
    "          CASE WHEN assigns THEN '' ELSE format(' USING %I::%s', attname, plain) END),"
    "        attnum, widens, NOT (widens OR refuses)"
    "   FROM (SELECT attname, e.type AS was, w.type, w.plain, w.attnum, " WIDENS " AS widens,"
    "               " ASSIGNS " AS assigns, " REFUSES " AS refuses"
    "           FROM w JOIN e USING (attname)"
    "          WHERE (w.atttypid, w.atttypmod, w.attcollation)"
    "             <> (e.atttypid, e.atttypmod, e.attcollation)) AS differing"
    " UNION ALL"
    " SELECT true, format('column %s of %s is GENERATED ALWAYS%s, the mapping wants to fill it',"
    "          attname, $1::text::regclass,"
    "          CASE WHEN e.attidentity = 'a' THEN ' AS IDENTITY (BY DEFAULT would do)' ELSE '' "
    "END),"
    "        '', w.attnum, false, false"
    "   FROM w JOIN e USING (attname)"
    "  WHERE e.attgenerated <> '' OR (e.attidentity = 'a' AND w.attidentity = '')"
    " UNION ALL"
    " SELECT false, format('set column %s of %s not null', attname, $1::text::regclass),"
    "        format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', $1::text, attname), w.attnum,"
    "        false, false"
    "   FROM w JOIN e USING (attname) WHERE w.attnotnull AND NOT e.attnotnull"
    " UNION ALL"
    " SELECT false, format('give column %s of %s its default', attname, $1::text::regclass),"
    "        format('ALTER TABLE %s ALTER COLUMN %I %s', $1::text, attname,"
    "          coalesce('SET DEFAULT ' || w.fallback, 'ADD GENERATED BY DEFAULT AS IDENTITY')),"
    "        w.attnum, false, false"
    "   FROM w JOIN e USING (attname)"
    "  WHERE (w.attidentity <> '' OR w.fallback IS NOT NULL)"
    "    AND e.attidentity = '' AND e.fallback IS NULL"
    " UNION ALL"
    " SELECT true, format('column %s of %s is NOT NULL, has no default, and no mapping fills it',"
    "          attname, $1::text::regclass), '', 10000 + e.attnum, false, false"
    "   FROM e LEFT JOIN w USING (attname)"
    "  WHERE w.attrelid IS NULL AND e.attnotnull AND e.fallback IS NULL AND e.attidentity = ''"
    "    AND e.attgenerated = ''"
    " ORDER BY 4";

static const char PRIMARY_KEY[] =
    "WITH k AS ("
    "  SELECT c.conrelid, string_agg(a.attname, ', ' ORDER BY p.place) AS columns"
    "    FROM pg_constraint c CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS p (attnum, place)"
    "    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = p.attnum"
    "   WHERE c.contype = 'p' AND c.conrelid IN ($1::text::regclass, $2::text::regclass)"
    "   GROUP BY c.conrelid)"
    " SELECT true, format('the primary key of %s is (%s), the mapping wants (%s)', "
    "$1::text::regclass,"
    "          coalesce(e.columns, 'none'), w.columns), '', 0, false, false"
    "   FROM k w LEFT JOIN k e ON e.conrelid = $1::text::regclass"
    "  WHERE $3::text IS NOT NULL AND w.conrelid = $2::text::regclass"
    "    AND w.columns IS DISTINCT FROM e.columns";

/* All contradictions at once, so that they can be fixed at once; the error holds as many as fit.
 */
static enum outcome report(const PGresult *result, struct error *err)
{
    char all[240] = "", statements[200] = "";
    size_t used = 0, stated = 0;
    bool widens = true, loses = false;
    for (int row = 0; row < PQntuples(result) && used < sizeof(all); row++) {
        const char *statement = PQgetvalue(result, row, 2);
        if (PQgetvalue(result, row, 0)[0] != 't')
            continue;
        int size = snprintf(all + used, sizeof(all) - used, "%s%s", used ? "; " : "",
                            PQgetvalue(result, row, 1));
        used += size > 0 ? (size_t)size : 0;
        widens = widens && PQgetvalue(result, row, 4)[0] == 't';
        loses = loses || PQgetvalue(result, row, 5)[0] == 't';
        if (statement[0] && stated + strlen(statement) + 3 < (loses ? 140 : sizeof(statements)))
            stated += (size_t)snprintf(statements + stated, sizeof(statements) - stated, "%s%s",
                                       stated ? "; " : "", statement);
    }
    if (!all[0])
        return OUT_OK;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_PG_SCHEMA, "%s", all);
    if (widens)
        error_hint(err, "drover schema apply --allow widen, which does: %s", statements);
    else if (stated && loses)
        error_hint(err,
                   "nothing was changed; look at the values first, %s may round or cut them; or "
                   "change the mapping",
                   statements);
    else if (stated)
        error_hint(err, "nothing was changed; %s; or change the mapping", statements);
    else
        error_hint(err, "nothing was changed; change the table yourself, or the mapping, or give "
                        "the mapping another table");
    return outcome;
}

static enum outcome apply_query(struct pg_schema *apply, const char *sql, const char *table,
                                const char *twin, struct error *err)
{
    const struct bytes params[] = {bytes_text(table), bytes_text(twin),
                                   bytes_text(apply->widen ? "true" : "false")};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(apply->connection, sql, params, 3, false, &result, err);
    if (outcome == OUT_OK)
        outcome = report(result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        outcome = pg_schema_change(apply, PQgetvalue(result, row, 2), err, "%s",
                                   PQgetvalue(result, row, 1));
    PQclear(result);
    return outcome;
}

/* ---- checks ------------------------------------------------------------------------------ */

/* $1 the table, $2 the twin; rows: name, rule, expression; the rule that is there, or NULL; whether
 * it is there but for rows that do not fit it (NOT VALID); the table, for people. A check of ours
 * that the twin no longer has comes without a rule. */
static const char CHECKS[] =
    "WITH c AS (SELECT conrelid, conname, pg_get_constraintdef(oid) AS rule, convalidated,"
    "             pg_get_expr(conbin, conrelid) AS expression FROM pg_constraint"
    "            WHERE contype = 'c' AND conrelid IN ($1::text::regclass, $2::text::regclass)),"
    " w AS (SELECT * FROM c WHERE conrelid = $2::text::regclass),"
    " e AS (SELECT * FROM c WHERE conrelid = $1::text::regclass)"
    " SELECT coalesce(w.conname, e.conname), w.rule, w.expression, e.rule,"
    "        NOT e.convalidated AND e.rule = w.rule || ' NOT VALID',"
    "        $1::text::regclass"
    "   FROM w FULL JOIN e ON e.conname = w.conname"
    "  WHERE (w.rule IS NOT NULL AND w.rule IS DISTINCT FROM e.rule)"
    "     OR (w.rule IS NULL AND e.conname = 'drover_required')"
    " ORDER BY 1";

struct check {
    const char *name, *rule, *expression; /* `rule` NULL: it goes */
    const char *shown;                    /* the table's name */
    bool exists, waits;                   /* waits: it is there, NOT VALID */
};

static enum outcome as_role(struct pg_schema *apply, const char *role, struct error *err)
{
    struct buf sql;
    buf_init(&sql, 512);
    buf_append_text(&sql, "SET LOCAL ROLE ");
    if (role)
        schema_sql_identifier(&sql, role);
    else
        buf_append_text(&sql, "NONE");
    enum outcome outcome = pg_session_run(apply->connection, buf_text(&sql), err);
    buf_free(&sql);
    return outcome;
}

/* Rows that the check would refuse: the verifier's role sees those of all tenants, which the
 * owner, whom row level security binds as well, does not. A table that it may not read yet has just
 * been made. */
static enum outcome count_others(struct pg_schema *apply, const char *table,
                                 const struct check *check, struct buf *count, struct error *err)
{
    const struct bytes params[] = {bytes_text(apply->roles.verifier), bytes_text(table)};
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply, "SELECT has_table_privilege($1::text::name, $2::text, 'SELECT')",
                      params, 2, count, err);
    bool reads = strcmp(buf_text(count), "t") == 0;
    buf_reset(count);
    if (outcome != OUT_OK || !reads) {
        buf_free(&sql);
        buf_append_char(count, '0');
        return outcome;
    }
    buf_append_format(&sql, "SELECT count(*) FROM %s WHERE NOT (%s)", table, check->expression);
    outcome = as_role(apply, apply->roles.verifier, err);
    if (outcome == OUT_OK)
        outcome = pg_schema_ask(apply, buf_text(&sql), NULL, 0, count, err);
    if (outcome == OUT_OK)
        outcome = as_role(apply, NULL, err);
    buf_free(&sql);
    return outcome;
}

static void append_drop(struct buf *sql, const char *table, const struct check *check)
{
    buf_append_format(sql, "ALTER TABLE %s DROP CONSTRAINT ", table);
    schema_sql_identifier(sql, check->name);
}

static enum outcome drop_check(struct pg_schema *apply, const char *table,
                               const struct check *check, struct error *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_LIMIT);
    append_drop(&sql, table, check);
    enum outcome outcome = pg_schema_change(apply, buf_text(&sql), err, "drop check %s of %s",
                                            check->name, check->shown);
    buf_free(&sql);
    return outcome;
}

/* Rows that are there and do not fit keep nobody from it: those that come are checked, and when the
 * others have been written again the next apply makes it hold for all. */
static enum outcome make_check(struct pg_schema *apply, const char *table,
                               const struct check *check, const char *others, struct error *err)
{
    bool all = strcmp(others, "0") == 0;
    const char *verb = check->waits ? "validate" : check->exists ? "replace" : "add";
    struct buf sql;
    if (check->waits && !all)
        return OUT_OK; /* as it was said when it was made */
    buf_init(&sql, TEXT_LIMIT);
    if (check->waits) {
        buf_append_format(&sql, "ALTER TABLE %s VALIDATE CONSTRAINT ", table);
        schema_sql_identifier(&sql, check->name);
    } else {
        if (check->exists) {
            append_drop(&sql, table, check);
            buf_append_text(&sql, ";\n");
        }
        buf_append_format(&sql, "ALTER TABLE %s ADD CONSTRAINT ", table);
        schema_sql_identifier(&sql, check->name);
        buf_append_format(&sql, " %s%s", check->rule, all ? "" : " NOT VALID");
    }
    enum outcome outcome =
        all ? pg_schema_change(apply, buf_text(&sql), err, "%s check %s of %s", verb, check->name,
                               check->shown)
            : pg_schema_change(apply, buf_text(&sql), err,
                               "%s check %s of %s for what is written from now on: %s rows do not "
                               "fit it (drover replay --rewrite, then apply again)",
                               verb, check->name, check->shown, others);
    buf_free(&sql);
    return outcome;
}

static enum outcome apply_checks(struct pg_schema *apply, const char *table, const char *twin,
                                 struct error *err)
{
    const struct bytes params[] = {bytes_text(table), bytes_text(twin)};
    PGresult *result = NULL;
    struct buf others;
    buf_init(&others, 64);
    enum outcome outcome =
        pg_session_query(apply->connection, CHECKS, params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        const struct check check = {
            .name = PQgetvalue(result, row, 0),
            .rule = PQgetisnull(result, row, 1) ? NULL : PQgetvalue(result, row, 1),
            .expression = PQgetvalue(result, row, 2),
            .exists = !PQgetisnull(result, row, 3),
            .waits = PQgetvalue(result, row, 4)[0] == 't',
            .shown = PQgetvalue(result, row, 5),
        };
        if (!check.rule) {
            outcome = drop_check(apply, table, &check, err);
            continue;
        }
        outcome = count_others(apply, table, &check, &others, err);
        if (outcome == OUT_OK)
            outcome = make_check(apply, table, &check, buf_text(&others), err);
    }
    buf_free(&others);
    PQclear(result);
    return outcome;
}

enum outcome pg_schema_diff(struct pg_schema *apply, const char *table, const char *twin,
                            struct error *err)
{
    enum outcome outcome = apply_query(apply, PRIMARY_KEY, table, twin, err);
    if (outcome == OUT_OK)
        outcome = apply_query(apply, COLUMNS, table, twin, err);
    if (outcome == OUT_OK)
        outcome = apply_checks(apply, table, twin, err);
    return outcome;
}
