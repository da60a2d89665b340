/* Every kind of SQLSTATE has its action (fault rows P09, P10): classes, exceptions, none, unknown.
 */

#include "common/io/postgres/pg_error.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct {
    const char *state;
    enum pg_action action;
} ROWS[] = {
    {NULL, PG_CONNECTION_LOST},
    {"", PG_CONNECTION_LOST},
    {"08000", PG_CONNECTION_LOST},
    {"08006", PG_CONNECTION_LOST},
    {"08P01", PG_HALT},
    {"57P01", PG_CONNECTION_LOST},
    {"57P02", PG_CONNECTION_LOST},
    {"57P03", PG_CONNECTION_LOST},
    {"57P05", PG_CONNECTION_LOST},
    {"57P04", PG_HALT},
    {"25P03", PG_CONNECTION_LOST},
    {"25006", PG_CONNECTION_LOST},
    {"53300", PG_CONNECTION_LOST},
    {"40001", PG_TX_RETRY},
    {"40P01", PG_TX_RETRY},
    {"40003", PG_TX_RETRY},
    {"40002", PG_RECORD},
    {"55P03", PG_TX_RETRY},
    {"55006", PG_TX_RETRY},
    {"57014", PG_TX_RETRY},
    {"55000", PG_HALT},
    {"53000", PG_RESOURCE},
    {"53100", PG_RESOURCE},
    {"53200", PG_RESOURCE},
    {"58000", PG_RESOURCE},
    {"58030", PG_RESOURCE},
    {"58P01", PG_HALT},
    {"57000", PG_RESOURCE},
    {"26000", PG_REPREPARE},
    {"42P05", PG_REPREPARE},
    {"22001", PG_RECORD},
    {"22003", PG_RECORD},
    {"22021", PG_RECORD},
    {"22P02", PG_RECORD},
    {"22P05", PG_RECORD},
    {"23502", PG_RECORD},
    {"23503", PG_RECORD},
    {"23505", PG_RECORD},
    {"23514", PG_RECORD},
    {"23P01", PG_RECORD},
    {"44000", PG_RECORD},
    {"54000", PG_RECORD},
    {"54001", PG_RECORD},
    {"54011", PG_HALT},
    {"54023", PG_HALT},
    {"P0001", PG_RECORD},
    {"P0004", PG_RECORD},
    {"P0000", PG_HALT},
    {"38000", PG_RECORD},
    {"39000", PG_RECORD},
    {"28P01", PG_HALT},
    {"3D000", PG_HALT},
    {"3F000", PG_HALT},
    {"42501", PG_HALT},
    {"42P01", PG_HALT},
    {"42703", PG_HALT},
    {"42883", PG_HALT},
    {"0A000", PG_HALT},
    {"21000", PG_HALT},
    {"25P02", PG_HALT},
    {"XX000", PG_QUARANTINE},
    {"XX001", PG_HALT},
    {"XX002", PG_HALT},
    {"F0000", PG_HALT},
    {"72000", PG_HALT},
    {"HV000", PG_HALT},
    {"DR001", PG_FENCED},
    {"DR002", PG_FENCED},
    {"DR003", PG_RECORD},
    {"DR004", PG_TX_RETRY},
    {"25P04", PG_CONNECTION_LOST},
    {"ZZ999", PG_HALT},
};

START_TEST(each_state_has_its_action)
{
    ck_assert_msg(pg_classify(ROWS[_i].state) == ROWS[_i].action, "%s: %d",
                  ROWS[_i].state ? ROWS[_i].state : "(none)", pg_classify(ROWS[_i].state));
}
END_TEST

/* Only a record's own fault may ever reach the dead letters (fault row P08). */
START_TEST(no_result_is_a_lost_connection)
{
    struct error err;
    ck_assert_int_eq(pg_error_from_result(NULL, &err), PG_CONNECTION_LOST);
    ck_assert_int_eq(err.outcome, OUT_RETRY);
}
END_TEST

/* What libpq says is longer than a cause: wherever a secret stands in it, none of it is left. */
START_TEST(what_libpq_says_is_masked_before_it_is_cut)
{
    static const char TOKEN[] = "ghp_x7Kq2mVb9Rt4Lw8Zc3Nf6Hd1Js5Pg0Ya2Ue";
    char conninfo[600];
    struct error err;
    for (int before = 110; before < 260; before++) {
        snprintf(conninfo, sizeof conninfo, "host='/%0*d/%s'", before, 0, TOKEN);
        PGconn *connection = PQconnectdb(conninfo); /* a socket's path is of 107 bytes at most */
        ck_assert_ptr_nonnull(strstr(PQerrorMessage(connection), TOKEN));
        ck_assert_int_eq(pg_error_from_connection(connection, &err), OUT_RETRY);
        PQfinish(connection);
        ck_assert_msg(strstr(err.cause, "ghp_x") == NULL, "%d: %s", before, err.cause);
    }
}
END_TEST

static Suite *pg_error_suite(void)
{
    Suite *suite = suite_create("pg_error");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, each_state_has_its_action, 0, sizeof ROWS / sizeof *ROWS);
    tcase_add_test(tcase, no_result_is_a_lost_connection);
    tcase_add_test(tcase, what_libpq_says_is_masked_before_it_is_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pg_error_suite)
