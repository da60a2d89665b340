/* Sessions on a real server: what is fixed in each, what refuses, what an answer means. */
#include "common/io/postgres/pg_session.h"

#include "tests/support/database.h"
#include "tests/support/suite.h"

static PGconn *connection;

static void set_up(void)
{
    struct error err = {0};
    ck_assert_msg(pg_session_open(database_server(), "", "drover-test", 5000, &connection, &err) ==
                      OUT_OK,
                  "%s %s", err.text, err.cause);
}

static void tear_down(void)
{
    PQfinish(connection);
    connection = NULL;
}

static void expect_text(const char *sql, const struct bytes *params, size_t count, const char *want)
{
    struct error err = {0};
    PGresult *result = NULL;
    ck_assert_msg(pg_session_query(connection, sql, params, count, false, &result, &err) == OUT_OK,
                  "%s: %s %s", sql, err.text, err.cause);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), want);
    PQclear(result);
}

static const struct {
    const char *sql, *value;
} FIXED[] = {
    {"SHOW TimeZone", "UTC"},
    {"SHOW search_path", "pg_catalog"},
    {"SHOW client_encoding", "UTF8"},
    {"SHOW IntervalStyle", "postgres"},
    {"SHOW bytea_output", "hex"},
    {"SHOW extra_float_digits", "1"},
    {"SHOW idle_in_transaction_session_timeout", "5s"},
    {"SHOW lock_timeout", "30s"},
    {"SHOW application_name", "drover-test"},
    {"SELECT '2020-01-02 03:04:05'::timestamptz", "2020-01-02 03:04:05+00"},
};

START_TEST(a_session_reads_values_one_way)
{
    expect_text(FIXED[_i].sql, NULL, 0, FIXED[_i].value);
}
END_TEST

START_TEST(options_of_the_user_stay_and_lose)
{
    struct error err = {0};
    PGconn *other = NULL;
    setenv("PGOPTIONS", "-c statement_timeout=77s -c TimeZone=Asia/Kolkata", 1);
    ck_assert_int_eq(pg_session_open(database_server(), "", "x", 5000, &other, &err), OUT_OK);
    unsetenv("PGOPTIONS");
    PQfinish(connection);
    connection = other;
    expect_text("SHOW statement_timeout", NULL, 0, "77s");
    expect_text("SHOW TimeZone", NULL, 0, "UTC");
}
END_TEST

START_TEST(parameters_keep_every_byte)
{
    const struct bytes bytes[] = {BYTES_LITERAL("a\0b")};
    expect_text("SELECT encode($1::bytea, 'hex')", bytes, 1, "610062");
    const struct bytes mixed[] = {BYTES_LITERAL("it's"), {0}, BYTES_LITERAL("42")};
    expect_text("SELECT $1::text || coalesce($2::text, '-') || ($3::text::int + 1)", mixed, 3,
                "it's-43");
}
END_TEST

/* PostgreSQL's text holds no NUL: it must be refused, not cut. */
START_TEST(a_nul_in_text_is_refused)
{
    const struct bytes params[] = {BYTES_LITERAL("a\0b")};
    struct error err = {0};
    PGresult *result = NULL;
    ck_assert_int_eq(
        pg_session_query(connection, "SELECT $1::text", params, 1, false, &result, &err),
        OUT_REJECT);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(err.code, ERR_PG_DATA);
}
END_TEST

static const struct {
    const char *sql;
    enum outcome outcome;
    enum error_code code;
} FAILURES[] = {
    {"SELECT 1/0", OUT_REJECT, ERR_PG_DATA},
    {"SELECT * FROM nowhere", OUT_FATAL, ERR_PG_SCHEMA},
    {"SELECT FROM WHERE", OUT_FATAL, ERR_PG_SCHEMA},
    {"CREATE TABLE pg_temp.x (n int); CREATE INDEX n ON pg_temp.x (n);"
     " CREATE INDEX n ON pg_temp.x (n)",
     OUT_FATAL, ERR_PG_TAKEN},
    {"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", OUT_RETRY,
     ERR_PG_TRANSIENT},
    {"SELECT pg_terminate_backend(pg_backend_pid())", OUT_RETRY, ERR_PG_UNREACHABLE},
};

START_TEST(a_failure_says_what_to_do)
{
    struct error err = {0};
    ck_assert_int_eq(pg_session_run(connection, FAILURES[_i].sql, &err), FAILURES[_i].outcome);
    ck_assert_int_eq(err.code, FAILURES[_i].code);
}
END_TEST

START_TEST(several_statements_stop_at_the_first_failure)
{
    struct error err = {0};
    ck_assert_int_eq(pg_session_run(connection,
                                    "CREATE TEMP TABLE a (x int); SELECT 1/0; CREATE TEMP TABLE b "
                                    "(x int)",
                                    &err),
                     OUT_REJECT);
    expect_text("SELECT to_regclass('pg_temp.a') IS NULL AND to_regclass('pg_temp.b') IS NULL",
                NULL, 0, "t");
}
END_TEST

static const struct {
    const char *url;
    const char *role;
    enum outcome outcome;
    enum error_code code;
} REFUSED[] = {
    {NULL, "", OUT_FATAL, ERR_CONF_MISSING},
    {"", "", OUT_FATAL, ERR_CONF_MISSING},
    {"postgresql://127.0.0.1:1/x", "", OUT_RETRY, ERR_PG_UNREACHABLE},
    {"postgresql://x:secretword@127.0.0.1:1/x", "", OUT_RETRY, ERR_PG_UNREACHABLE},
};

START_TEST(a_refused_connection_is_told_apart)
{
    struct error err = {0};
    PGconn *other = NULL;
    ck_assert_int_eq(pg_session_open(REFUSED[_i].url, REFUSED[_i].role, "x", 2000, &other, &err),
                     REFUSED[_i].outcome);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(err.code, REFUSED[_i].code);
    ck_assert_ptr_null(strstr(err.cause, "secretword"));
}
END_TEST

START_TEST(a_missing_role_is_a_missing_schema)
{
    struct error err = {0};
    PGconn *other = NULL;
    ck_assert_int_eq(
        pg_session_open(database_server(), "no such role\\ 'x'", "x", 5000, &other, &err),
        OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_PG_SCHEMA);
}
END_TEST

START_TEST(a_superuser_is_refused)
{
    const char *admin = getenv("DROVER_ADMIN_DATABASE_URL");
    ck_assert_msg(admin != NULL,
                  "DROVER_ADMIN_DATABASE_URL is not set: run the tests by ./dev test");
    struct error err = {0};
    ck_assert_int_eq(pg_session_check_role(connection, &err), OUT_OK);
    PGconn *other = NULL;
    ck_assert_int_eq(pg_session_open(admin, "", "x", 5000, &other, &err), OUT_OK);
    ck_assert_int_eq(pg_session_check_role(other, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_RLS);
    PQfinish(other);
}
END_TEST

static Suite *pg_session_suite(void)
{
    Suite *suite = suite_create("pg_session");
    TCase *tcase = tcase_create("session");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_session_reads_values_one_way, 0, sizeof(FIXED) / sizeof(FIXED[0]));
    tcase_add_test(tcase, options_of_the_user_stay_and_lose);
    tcase_add_test(tcase, parameters_keep_every_byte);
    tcase_add_test(tcase, a_nul_in_text_is_refused);
    tcase_add_loop_test(tcase, a_failure_says_what_to_do, 0,
                        sizeof(FAILURES) / sizeof(FAILURES[0]));
    tcase_add_test(tcase, several_statements_stop_at_the_first_failure);
    tcase_add_loop_test(tcase, a_refused_connection_is_told_apart, 0,
                        sizeof(REFUSED) / sizeof(REFUSED[0]));
    tcase_add_test(tcase, a_missing_role_is_a_missing_schema);
    tcase_add_test(tcase, a_superuser_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pg_session_suite)
