/*
 * `drover schema apply` on a real server: complete, idempotent, repairing, never destroying; and
 * what the schema promises: tenants apart, the fence, the gate.
 */
#include "common/io/postgres/pg_schema.h"

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_generation.h"
#include "common/io/postgres/pg_session.h"
#include "tests/support/database.h"
#include "tests/support/suite.h"

static const char CART[] =
    "entity: cart\n"
    "table: shop.cart\n"
    "key: [id]\n"
    "columns:\n"
    "  - { name: row, generated: identity, type: int8 }\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: total, from: /total, type: 'numeric(10,2)', required: true }\n"
    "  - { name: tags, from: /tags, type: 'text[]' }\n"
    "  - { name: made, generated: on_insert, type: timestamptz }\n"
    "rest: rest\n"
    "indexes:\n"
    "  - { name: cart_total, columns: [total DESC] }\n"
    "  - { name: cart_lower, columns: ['(lower(id))'], unique: true }\n";

static struct test_database database;
static struct settings settings;
static struct mapping *mappings[1];
static const struct mapping_set SET = {mappings, 1};

/* Making a database takes seconds, emptying one does not. */
static void create(void)
{
    database_create(&database, "schema");
}

static void drop(void)
{
    database_drop(&database);
}

static void set_up(void)
{
    struct error err = {0};
    database_run(database.url,
                 "DROP SCHEMA IF EXISTS shop, drover CASCADE;"
                 "DROP TABLE IF EXISTS public.free, public.parted, public.other, public.kept");
    settings = (struct settings){.database_url = database.url,
                                 .worker_role = "drover_worker",
                                 .verifier_role = "drover_verifier"};
    ck_assert_msg(mapping_parse("cart.yaml", bytes_text(CART), &mappings[0], &err) == OUT_OK, "%s",
                  err.text);
}

static void tear_down(void)
{
    mapping_free(mappings[0]);
}

/* Applies and returns how many changes it took. */
static size_t apply(void)
{
    struct pg_schema done;
    struct error err = {0};
    enum outcome outcome = pg_schema_apply(&settings, &SET, false, &done, &err);
    ck_assert_msg(outcome == OUT_OK, "%s %s %s %s", err.text, err.cause, err.where, err.hint);
    size_t count = done.count;
    pg_schema_free(&done);
    return count;
}

static PGconn *log_in(const char *role)
{
    PGconn *connection = NULL;
    struct error err = {0};
    ck_assert_msg(pg_session_open(database.url, role, "drover-test", 5000, &connection, &err) ==
                      OUT_OK,
                  "%s %s", err.text, err.cause);
    return connection;
}

/* The single value, as `tenant` when one is given; a SQLSTATE when it fails. */
static const char *ask(PGconn *connection, const char *tenant, const char *sql)
{
    static char answer[256];
    const char *tenants[] = {tenant ? tenant : ""};
    PQclear(PQexecParams(connection, "SELECT set_config('app.current_tenant_key', $1, false)", 1,
                         NULL, tenants, NULL, NULL, 0));
    PGresult *result = PQexecParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK)
        snprintf(answer, sizeof(answer), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    else if (status == PGRES_COMMAND_OK)
        snprintf(answer, sizeof(answer), "%s", PQcmdTuples(result));
    else
        snprintf(answer, sizeof(answer), "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    PQclear(result);
    return answer;
}

START_TEST(a_second_apply_changes_nothing)
{
    ck_assert_uint_gt(apply(), 0);
    ck_assert_uint_eq(apply(), 0);
}
END_TEST

START_TEST(a_dry_run_tells_and_leaves)
{
    settings.dry_run = true;
    size_t told = apply();
    settings.dry_run = false;
    ck_assert_uint_eq(apply(), told);
}
END_TEST

/* The printed script and the apply must make the same thing. */
START_TEST(the_script_makes_what_apply_wants)
{
    struct buf sql;
    struct schema_roles roles = pg_schema_roles(&settings);
    buf_init(&sql, 1 << 20);
    schema_sql_all(&sql, mappings, 1, &roles);
    database_run(database.url, buf_text(&sql));
    buf_free(&sql);
    ck_assert_uint_eq(apply(), 0);
}
END_TEST

static const char *const DAMAGES[] = {
    "ALTER TABLE shop.cart NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE shop.cart DISABLE ROW LEVEL SECURITY",
    "DROP POLICY drover_tenant ON shop.cart",
    "ALTER POLICY drover_verifier ON shop.cart USING (true)",
    "ALTER POLICY drover_worker ON shop.cart TO PUBLIC",
    /* as an earlier Drover made it */
    "ALTER POLICY drover_worker ON shop.cart USING (isolation_key = nullif(current_setting("
    "'app.current_tenant_key', true), '') AND current_user = 'drover_worker')"
    " WITH CHECK (isolation_key = nullif(current_setting("
    "'app.current_tenant_key', true), '') AND current_user = 'drover_worker')",
    "ALTER POLICY drover_tenant ON shop.cart WITH CHECK (true)",
    "ALTER TABLE shop.cart DROP COLUMN total",
    "ALTER TABLE shop.cart ALTER COLUMN made DROP DEFAULT",
    "ALTER TABLE shop.cart ALTER COLUMN drover_deleted DROP NOT NULL",
    "ALTER TABLE shop.cart DROP CONSTRAINT drover_tenant_given",
    "ALTER TABLE shop.cart DROP CONSTRAINT drover_required,"
    " ADD CONSTRAINT drover_required CHECK (true)",
    "DROP INDEX shop.cart_total",
    "REVOKE INSERT ON shop.cart FROM drover_worker",
    "REVOKE SELECT ON shop.cart FROM drover_verifier",
    "REVOKE USAGE ON SCHEMA shop FROM drover_worker",
    "REVOKE EXECUTE ON FUNCTION drover.release(text, text, integer, bigint) FROM drover_worker",
    "DROP FUNCTION drover.claim(text, text, integer, text)",
    "ALTER FUNCTION drover.claim(text, text, integer, text) SECURITY DEFINER",
    "ALTER FUNCTION drover.claim(text, text, integer, text) RESET search_path",
    "DROP FUNCTION drover.release(text, text, integer, bigint);"
    "CREATE FUNCTION drover.release(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE drover.partition_progress DROP COLUMN sequences",
    "DROP TABLE drover.pinned_group",
};

START_TEST(damage_is_repaired)
{
    apply();
    database_run(database.url, DAMAGES[_i]);
    ck_assert_msg(apply() > 0, "not seen: %s", DAMAGES[_i]);
    ck_assert_msg(apply() == 0, "not repaired: %s", DAMAGES[_i]);
}
END_TEST

static const struct {
    const char *sql;
    const char *names; /* must stand in the error */
} CONTRADICTIONS[] = {
    {"ALTER TABLE shop.cart ALTER COLUMN total TYPE numeric(12,2)", "numeric(10,2)"},
    {"ALTER TABLE shop.cart ALTER COLUMN id TYPE text COLLATE \"POSIX\"", "id"},
    {"ALTER TABLE shop.cart DROP CONSTRAINT cart_pkey, ADD PRIMARY KEY (id)", "isolation_key, id"},
    {"ALTER TABLE shop.cart DROP CONSTRAINT cart_pkey", "none"},
    {"ALTER TABLE shop.cart ADD COLUMN other int NOT NULL", "other"},
    {"ALTER TABLE shop.cart DROP COLUMN total, ADD COLUMN total numeric(10,2) GENERATED ALWAYS AS "
     "(1.5) STORED",
     "GENERATED ALWAYS"},
    {"DROP INDEX shop.cart_lower; CREATE INDEX cart_lower ON shop.cart (id)", "cart_lower"},
    {"DROP TABLE shop.cart; CREATE VIEW shop.cart AS SELECT 1 AS id", "view"},
};

START_TEST(a_contradiction_is_named_and_nothing_done)
{
    apply();
    database_run(database.url, CONTRADICTIONS[_i].sql);
    database_run(database.url,
                 "DROP TABLE drover.pinned_group"); /* made before the table is seen */
    struct pg_schema done;
    struct error err = {0};
    ck_assert_int_eq(pg_schema_apply(&settings, &SET, false, &done, &err), OUT_FATAL);
    pg_schema_free(&done);
    ck_assert_int_eq(err.code, ERR_PG_SCHEMA);
    ck_assert_msg(strstr(err.text, CONTRADICTIONS[_i].names) != NULL, "%s", err.text);
    PGconn *connection = log_in("");
    ck_assert_str_eq(ask(connection, NULL, "SELECT to_regclass('drover.pinned_group')"), "");
    PQfinish(connection);
}
END_TEST

/* ---- a mapping that changes -------------------------------------------------------------- */

static void change_mapping(const char *from, const char *to)
{
    struct error err = {0};
    struct buf yaml;
    const char *at = strstr(CART, from);
    ck_assert(at != NULL);
    buf_init(&yaml, 8192);
    buf_append_format(&yaml, "%.*s%s%s", (int)(at - CART), CART, to, at + strlen(from));
    mapping_free(mappings[0]);
    ck_assert_msg(mapping_parse("cart.yaml", buf_view(&yaml), &mappings[0], &err) == OUT_OK, "%s",
                  err.text);
    buf_free(&yaml);
}

/* Applies; the lines that tell the changes. */
static const char *told(void)
{
    static char lines[2000];
    struct pg_schema done;
    struct error err = {0};
    ck_assert_msg(pg_schema_apply(&settings, &SET, false, &done, &err) == OUT_OK, "%s %s %s",
                  err.text, err.cause, err.hint);
    snprintf(lines, sizeof lines, "%s", buf_text(&done.changes));
    pg_schema_free(&done);
    return lines;
}

/* A column's type as the table has it and as the mapping wants it. `loses`: not every value of the
 * one is a value of the other. */
static const struct {
    const char *had, *wants;
    bool loses;
    bool changes; /* values, and without an error */
} TYPES[] = {
    {"varchar(5)", "varchar(9)", false},
    {"varchar(5)", "text", false},
    {"varchar(9)", "varchar(5)", true},
    {"text", "varchar(9)", true},
    {"int2", "int4", false},
    {"int2", "int8", false},
    {"int4", "int8", false},
    {"int8", "int4", true},
    {"int4", "int2", true},
    {"int4", "numeric(10,0)", false},
    {"int4", "numeric(11,2)", true},
    {"int8", "numeric(21,2)", false},
    {"float4", "float8", false},
    {"float8", "float4", true, true},
    {"numeric(8,2)", "numeric(9,2)", false},
    {"numeric(8,2)", "numeric(9,3)", false},
    {"numeric(8,2)", "numeric(8,3)", true},
    {"numeric(8,2)", "numeric(9,1)", true, true},
    {"varchar(5)[]", "text[]", false},
    {"int4[]", "int8[]", false},
    {"int4", "text", true},
    {"text", "text[]", true, true},
    {"date", "timestamptz", true},
    {"int4", "float8", true, true},
    {"text", "numeric", true, true},
    {"text", "int4", true, true},
    {"numeric", "int4", true, true},
    {"timestamptz", "date", true, true},
};

/* The statement that the hint gives. */
static void run_advised(const struct error *err, char answer[256])
{
    char sql[240];
    PGconn *connection = log_in("");
    const char *at = strstr(err->hint, "ALTER TABLE");
    ck_assert(at != NULL);
    snprintf(sql, sizeof sql, "%.*s", (int)strcspn(at, ";"), at);
    snprintf(answer, 256, "%s", ask(connection, NULL, sql));
    PQfinish(connection);
}

/* An explicit cast cuts without a word. */
START_TEST(a_narrower_column_cuts_nothing)
{
    char answer[256];
    struct pg_schema done;
    struct error err = {0};
    apply();
    database_run(database.url, "ALTER TABLE shop.cart ADD COLUMN w varchar(100)");
    PGconn *connection = log_in("");
    ck_assert_str_eq(
        ask(connection, "a",
            "INSERT INTO shop.cart (isolation_key, id, total, drover_version, drover_digest, w) "
            "SELECT 'a', n, 1, 1, '', repeat('t', 90) FROM generate_series(1, 4) AS n"),
        "4");
    change_mapping("rest: rest\n", "  - { name: w, from: /w, type: varchar(40) }\nrest: rest\n");
    ck_assert_int_eq(pg_schema_apply(&settings, &SET, false, &done, &err), OUT_FATAL);
    pg_schema_free(&done);
    ck_assert_msg(strstr(err.hint, "TYPE character varying(40); or") != NULL, "%s", err.hint);
    run_advised(&err, answer);
    ck_assert_str_eq(answer, "22001");
    ck_assert_str_eq(ask(connection, "a", "SELECT count(*) FROM shop.cart WHERE length(w) = 90"),
                     "4");
    PQfinish(connection);
}
END_TEST

START_TEST(a_type_is_widened_when_that_is_allowed_and_loses_nothing)
{
    char sql[400];
    struct pg_schema done;
    struct error err = {0};
    apply();
    snprintf(sql, sizeof sql, "ALTER TABLE shop.cart ADD COLUMN w %s", TYPES[_i].had);
    database_run(database.url, sql);
    snprintf(sql, sizeof sql, "  - { name: w, from: /w, type: '%s' }\nrest: rest\n",
             TYPES[_i].wants);
    change_mapping("rest: rest\n", sql);
    ck_assert_int_eq(pg_schema_apply(&settings, &SET, false, &done, &err), OUT_FATAL);
    pg_schema_free(&done);
    ck_assert_int_eq(err.code, ERR_PG_SCHEMA);
    ck_assert_msg(strstr(err.hint, "ALTER TABLE \"shop\".\"cart\" ALTER COLUMN w TYPE") != NULL,
                  "%s", err.hint);
    ck_assert_msg((strstr(err.hint, "--allow widen") == NULL) == TYPES[_i].loses, "%s to %s: %s",
                  TYPES[_i].had, TYPES[_i].wants, err.hint);
    ck_assert_msg((strstr(err.hint, "may round or cut") != NULL) == TYPES[_i].changes,
                  "%s to %s: %s", TYPES[_i].had, TYPES[_i].wants, err.hint);
    settings.allow = "widen";
    if (TYPES[_i].loses) {
        char answer[256];
        ck_assert_int_eq(pg_schema_apply(&settings, &SET, false, &done, &err), OUT_FATAL);
        pg_schema_free(&done);
        run_advised(&err, answer);
        ck_assert_msg(strcmp(answer, "42804") != 0, "%s to %s: %s", TYPES[_i].had, TYPES[_i].wants,
                      err.hint);
        return;
    }
    const char *lines = told();
    ck_assert_msg(strstr(lines, "widen column w of shop.cart from") != NULL, "%s", lines);
    settings.allow = NULL;
    ck_assert_uint_eq(apply(), 0);
}
END_TEST

#define ROW_OF(tenant)                                                                             \
    "INSERT INTO shop.cart (isolation_key, id, total, drover_version, drover_digest) VALUES "      \
    "('" tenant "', '1', 1, 1, '')"

/* A required column is new, and rows are there: what comes is checked, what is there when it fits.
 */
START_TEST(a_tighter_check_holds_for_what_comes)
{
    apply();
    PGconn *connection = log_in("");
    ck_assert_str_eq(ask(connection, "a", ROW_OF("a")), "1");
    ck_assert_str_eq(ask(connection, "b", ROW_OF("b")), "1");
    change_mapping("rest: rest\n",
                   "  - { name: w, from: /w, type: text, required: true }\nrest: rest\n");
    const char *lines = told();
    ck_assert_msg(strstr(lines, "2 rows do not fit it") != NULL, "%s", lines);
    ck_assert_uint_eq(apply(), 0);
    ck_assert_str_eq(ask(connection, "c", ROW_OF("c")), "23514");
    ck_assert_str_eq(ask(connection, "a", "UPDATE shop.cart SET w = 'x'"), "1");
    ck_assert_str_eq(ask(connection, "b", "UPDATE shop.cart SET w = 'x'"), "1");
    PQfinish(connection);
    lines = told();
    ck_assert_msg(strstr(lines, "validate check drover_required") != NULL, "%s", lines);
    ck_assert_uint_eq(apply(), 0);
}
END_TEST

START_TEST(a_column_removed_is_kept_and_asks_nothing)
{
    apply();
    struct error err = {0};
    mapping_free(mappings[0]);
    ck_assert_msg(
        mapping_parse("cart.yaml",
                      BYTES_LITERAL("entity: cart\ntable: shop.cart\nkey: [id]\nrest: rest\n"
                                    "columns:\n  - { name: id, from: /id, type: text }\n"),
                      &mappings[0], &err) == OUT_OK,
        "%s", err.text);
    const char *lines = told();
    ck_assert_msg(strstr(lines, "kept, but not filled: total, tags, row, made)") != NULL, "%s",
                  lines);
    ck_assert_msg(strstr(lines, "drop check drover_required of") != NULL, "%s", lines);
    ck_assert_uint_eq(apply(), 0);
    PGconn *connection = log_in("");
    ck_assert_str_eq(ask(connection, "a",
                         "INSERT INTO shop.cart (isolation_key, id, drover_version, drover_digest)"
                         " VALUES ('a', '1', 1, '')"),
                     "1");
    PQfinish(connection);
}
END_TEST

/* Registered by the table's name; a worker takes no mapping that is not the newest. */
START_TEST(a_changed_mapping_is_a_new_generation)
{
    struct error err = {0};
    apply();
    ck_assert_int_eq(mappings[0]->generation, 0);
    change_mapping("tags, from: /tags", "tags, from: /labels");
    PGconn *connection = log_in("drover_worker");
    ck_assert_int_eq(pg_generation_take(connection, &SET, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_MAPPING_GENERATION);
    ck_assert_int_eq(pg_generation_read(connection, &SET, &err), OUT_OK);
    ck_assert_int_eq(mappings[0]->generation, 1); /* what it would be */
    settings.dry_run = true;
    const char *lines = told();
    ck_assert_msg(strstr(lines, "register the changed mapping of shop.cart as generation 1 (") !=
                      NULL,
                  "%s", lines);
    settings.dry_run = false;
    ck_assert_int_eq(pg_generation_take(connection, &SET, &err), OUT_FATAL);
    apply();
    ck_assert_int_eq(pg_generation_take(connection, &SET, &err), OUT_OK);
    ck_assert_int_eq(mappings[0]->generation, 1);
    change_mapping("tags, from: /tags", "tags, from: /tags");
    lines = told();
    ck_assert_msg(strstr(lines, "generation 2, which it was as generation 0") != NULL, "%s", lines);
    ck_assert_int_eq(pg_generation_take(connection, &SET, &err), OUT_OK);
    ck_assert_int_eq(mappings[0]->generation, 2);
    PQfinish(connection);
}
END_TEST

#define INSERT_AS                                                                                  \
    "INSERT INTO shop.cart (isolation_key, id, total, drover_version, drover_digest) VALUES "

/* The owner is the application's user in most places, and a member of both roles. */
START_TEST(tenants_are_apart)
{
    apply();
    PGconn *worker = log_in("drover_worker");
    PGconn *verifier = log_in("drover_verifier");
    PGconn *owner = log_in("");
    ck_assert_str_eq(ask(worker, "a", INSERT_AS "('a', '1', 1, 1, '')"), "1");
    ck_assert_str_eq(ask(worker, "b", INSERT_AS "('b', '1', 2, 1, '')"), "1");
    ck_assert_str_eq(ask(worker, "a", INSERT_AS "('b', '2', 2, 1, '')"), "42501");
    ck_assert_str_eq(ask(worker, "", INSERT_AS "('', '2', 2, 1, '')"), "42501");
    ck_assert_str_eq(ask(worker, "a", "SELECT count(*) FROM shop.cart"), "1");
    ck_assert_str_eq(ask(worker, NULL, "SELECT count(*) FROM shop.cart"), "0");
    ck_assert_str_eq(ask(owner, "b", "SELECT sum(total) FROM shop.cart"), "2.00");
    ck_assert_str_eq(ask(owner, NULL, "SELECT count(*) FROM shop.cart"), "0");
    ck_assert_str_eq(ask(verifier, NULL, "SELECT count(*) FROM shop.cart"), "2");
    ck_assert_str_eq(ask(verifier, "a", INSERT_AS "('a', '3', 2, 1, '')"), "42501");
    ck_assert_str_eq(ask(worker, "a", "TRUNCATE shop.cart"), "42501");
    ck_assert_str_eq(ask(worker, "a", "DELETE FROM shop.cart"), "42501");
    PQfinish(worker);
    PQfinish(verifier);
    PQfinish(owner);
}
END_TEST

/* The list is the workers' alone: whoever else sets it sees and writes no more than before. */
START_TEST(a_list_of_tenants_opens_those_to_workers_alone)
{
    static const char LIST[] = "SELECT set_config('drover.batch_tenants', 'a,b', false)";
    apply();
    PGconn *worker = log_in("drover_worker");
    PGconn *owner = log_in("");
    ask(worker, NULL, LIST);
    ask(owner, NULL, LIST);
    ck_assert_str_eq(ask(worker, NULL, INSERT_AS "('a', '1', 1, 1, ''), ('b', '1', 2, 1, '')"),
                     "2");
    ck_assert_str_eq(ask(worker, NULL, INSERT_AS "('a', '2', 1, 1, ''), ('c', '1', 2, 1, '')"),
                     "42501");
    ck_assert_str_eq(ask(worker, NULL, INSERT_AS "('a,b', '2', 1, 1, '')"), "42501");
    ck_assert_str_eq(ask(worker, NULL, INSERT_AS "('', '2', 1, 1, '')"), "42501");
    ck_assert_str_eq(ask(worker, NULL, "UPDATE shop.cart SET isolation_key = 'c'"), "42501");
    ck_assert_str_eq(ask(worker, "c", INSERT_AS "('c', '1', 4, 1, '')"), "1");
    ck_assert_str_eq(ask(worker, NULL, "SELECT sum(total) FROM shop.cart"), "3.00");
    ck_assert_str_eq(ask(owner, NULL, "SELECT count(*) FROM shop.cart"), "0");
    ck_assert_str_eq(ask(owner, "a", "SELECT sum(total) FROM shop.cart"), "1.00");
    ck_assert_str_eq(ask(owner, "a", INSERT_AS "('b', '3', 2, 1, '')"), "42501");
    ck_assert_str_eq(ask(owner, "a", "UPDATE shop.cart SET total = 9 WHERE id = '1'"), "1");
    ck_assert_str_eq(ask(owner, "b", "SELECT sum(total) FROM shop.cart"), "2.00");
    PQfinish(worker);
    PQfinish(owner);
}
END_TEST

START_TEST(tombstones_are_the_workers_alone)
{
    apply();
    PGconn *worker = log_in("drover_worker");
    PGconn *owner = log_in("");
    ask(worker, "a", INSERT_AS "('a', '1', 1, 1, '')");
    ck_assert_str_eq(
        ask(worker, "a",
            "UPDATE shop.cart SET drover_deleted = true, total = NULL, drover_version = 2"),
        "1");
    ck_assert_str_eq(ask(worker, "a", "SELECT count(*) FROM shop.cart"), "1");
    ck_assert_str_eq(ask(owner, "a", "SELECT count(*) FROM shop.cart"), "0");
    ck_assert_str_eq(ask(worker, "a", "UPDATE shop.cart SET drover_deleted = false"), "23514");
    PQfinish(worker);
    PQfinish(owner);
}
END_TEST

static const struct {
    const char *sql;
    const char *answer;
} FENCE[] = {
    {"SELECT next_offset || ' ' || redis_next || ' ' || epoch FROM drover.claim('g', 't', 0, 'me')",
     "0 0 1"},
    {"SELECT drover.fence('g', 't', 0, 1, 0, 10, 4, 0, '{\"a\": 1}')", ""},
    {"SELECT drover.fence('g', 't', 0, 1, 0, 10, 0, 0, '{}')", "DR002"},  /* the same batch again */
    {"SELECT drover.fence('g', 't', 0, 1, 12, 20, 0, 0, '{}')", "DR002"}, /* a hole */
    {"SELECT drover.fence('g', 't', 0, 1, 10, 9, 0, 0, '{}')", "DR002"},  /* backwards */
    {"SELECT drover.fence('g', 't', 1, 1, 0, 10, 0, 0, '{}')", "DR001"},  /* never claimed */
    {"SELECT drover.progress_stages('g', 't', 0, 1, 8, 6)", ""},
    {"SELECT drover.progress_stages('g', 't', 0, 1, 3, 3)", ""}, /* watermarks never sink */
    {"SELECT next_offset || ' ' || redis_next || ' ' || results_next || ' ' || epoch || ' ' || "
     "(sequences->>'a') FROM drover.claim('g', 't', 0, 'other')",
     "10 8 6 2 1"},
    {"SELECT drover.fence('g', 't', 0, 1, 10, 20, 0, 0, '{}')", "DR001"}, /* the zombie */
    {"SELECT drover.progress_stages('g', 't', 0, 1, 9, 9)", "DR001"},
    {"SELECT drover.release('g', 't', 0, 1)", ""},
    {"SELECT owner FROM drover.partition_progress", "other"}, /* the zombie frees nothing */
    {"SELECT drover.release('g', 't', 0, 2)", ""},
    {"SELECT coalesce(owner, 'nobody') FROM drover.partition_progress", "nobody"},
};

START_TEST(the_fence_holds)
{
    apply();
    PGconn *worker = log_in("drover_worker");
    for (size_t i = 0; i < sizeof(FENCE) / sizeof(FENCE[0]); i++) {
        const char *answer = ask(worker, NULL, FENCE[i].sql);
        ck_assert_msg(strcmp(answer, FENCE[i].answer) == 0, "%s: %s", FENCE[i].sql, answer);
    }
    PQfinish(worker);
}
END_TEST

START_TEST(the_functions_are_not_everybodys)
{
    apply();
    PGconn *verifier = log_in("drover_verifier");
    ck_assert_str_eq(ask(verifier, NULL, "SELECT drover.release('g', 't', 0, 1)"), "42501");
    ck_assert_str_eq(ask(verifier, NULL, "UPDATE drover.partition_progress SET epoch = 9"),
                     "42501");
    ck_assert_str_eq(ask(verifier, NULL, "SELECT count(*) FROM drover.partition_progress"), "0");
    PQfinish(verifier);
}
END_TEST

static const struct {
    const char *sql;
    bool open;
} RELATIONS[] = {
    {"SELECT 1", false},
    {"CREATE TABLE public.free (isolation_key text)", true},
    {"ALTER TABLE shop.cart NO FORCE ROW LEVEL SECURITY", true},
    {"CREATE VIEW public.v WITH (security_invoker = true) AS SELECT * FROM shop.cart", false},
    {"CREATE VIEW public.v AS SELECT * FROM shop.cart", true},
    {"CREATE MATERIALIZED VIEW public.m AS SELECT * FROM shop.cart", true},
    {"CREATE TABLE public.parted (isolation_key text) PARTITION BY LIST (isolation_key)", true},
    {"CREATE TABLE public.other (tenant text)", false},
    {"CREATE TABLE public.kept (isolation_key text); ALTER TABLE public.kept ENABLE ROW LEVEL "
     "SECURITY, FORCE ROW LEVEL SECURITY",
     false},
};

START_TEST(the_gate_sees_what_is_open)
{
    apply();
    PGconn *owner = log_in("");
    bool old = PQserverVersion(owner) < 150000; /* no security_invoker, and ours is no superuser */
    PQfinish(owner);
    if (old && strstr(RELATIONS[_i].sql, " VIEW public.v"))
        return;
    database_run(database.url, RELATIONS[_i].sql);
    PGconn *worker = log_in("drover_worker");
    struct error err = {0};
    enum outcome outcome = pg_gate_check(worker, &err);
    ck_assert_msg((outcome == OUT_FATAL) == RELATIONS[_i].open, "%s: %s", RELATIONS[_i].sql,
                  err.text);
    if (RELATIONS[_i].open)
        ck_assert_int_eq(err.code, ERR_RLS);
    PQfinish(worker);
}
END_TEST

static Suite *schema_apply_suite(void)
{
    Suite *suite = suite_create("schema_apply");
    TCase *tcase = tcase_create("apply");
    tcase_add_unchecked_fixture(tcase, create, drop);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_second_apply_changes_nothing);
    tcase_add_test(tcase, a_dry_run_tells_and_leaves);
    tcase_add_test(tcase, the_script_makes_what_apply_wants);
    tcase_add_loop_test(tcase, damage_is_repaired, 0, sizeof(DAMAGES) / sizeof(DAMAGES[0]));
    tcase_add_loop_test(tcase, a_contradiction_is_named_and_nothing_done, 0,
                        sizeof(CONTRADICTIONS) / sizeof(CONTRADICTIONS[0]));
    tcase_add_test(tcase, a_narrower_column_cuts_nothing);
    tcase_add_loop_test(tcase, a_type_is_widened_when_that_is_allowed_and_loses_nothing, 0,
                        sizeof(TYPES) / sizeof(TYPES[0]));
    tcase_add_test(tcase, a_tighter_check_holds_for_what_comes);
    tcase_add_test(tcase, a_column_removed_is_kept_and_asks_nothing);
    tcase_add_test(tcase, a_changed_mapping_is_a_new_generation);
    tcase_add_test(tcase, tenants_are_apart);
    tcase_add_test(tcase, a_list_of_tenants_opens_those_to_workers_alone);
    tcase_add_test(tcase, tombstones_are_the_workers_alone);
    tcase_add_test(tcase, the_fence_holds);
    tcase_add_test(tcase, the_functions_are_not_everybodys);
    tcase_add_loop_test(tcase, the_gate_sees_what_is_open, 0,
                        sizeof(RELATIONS) / sizeof(RELATIONS[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(schema_apply_suite)
