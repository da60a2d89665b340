#include "common/policy/verify/verify_side_checks.h"

#include <string.h>

#include "common/policy/verify/verify_report.h"
#include "common/policy/verify/verify_secrets.h"
#include "tests/support/suite.h"

static struct verify_side_checks side_checks;

static void check_text(const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    verify_side_checks_append_text(&side_checks, 100, &out);
    ck_assert_str_eq(buf_text(&out), expected);
    buf_free(&out);
}

START_TEST(nothing_to_tell_is_nothing)
{
    side_checks = (struct verify_side_checks){0};
    check_text("");
    ck_assert_uint_eq(verify_side_checks_problems(&side_checks), 0);
}
END_TEST

START_TEST(what_is_no_fault_is_no_problem)
{
    side_checks =
        (struct verify_side_checks){.redis = {.compared = true, .match = 1200, .expired = 3},
                                    .sealed = {.match = 1, .not_compared = 2}};
    verify_side_checks_orphans(&side_checks, "child", "parent", 0);
    check_text("redis against the tables: 1 200 match, 3 expired, not compared\n"
               "sealed values in all messages: 1 match, 2 not compared\n");
    ck_assert_uint_eq(verify_side_checks_problems(&side_checks), 0);
}
END_TEST

START_TEST(each_problem_counts_for_the_verdict)
{
    static const struct verify_side_checks PROBLEMS[] = {
        {.redis = {.different = 1}},    {.redis = {.stale = 1}},
        {.redis = {.target_newer = 1}}, {.redis = {.missing = 1}},
        {.redis = {.extra = 1}},        {.sealed = {.missing = 1}},
        {.sealed = {.different = 1}},   {.orphans = {{"child", "parent", 1}}, .orphan_count = 1},
    };
    for (size_t i = 0; i < sizeof PROBLEMS / sizeof *PROBLEMS; i++) {
        struct verify_report report;
        verify_report_init(&report, 1, 50);
        uint32_t group = diff_groups_find(&report.groups, bytes_text("t"), bytes_text("e"));
        report.groups.items[group].counts[VERDICT_MATCH] = 1;
        report.source_count = report.compared = 1;
        ck_assert_int_eq(verify_report_result(&report), VERIFY_MATCH);
        report.side_checks = PROBLEMS[i];
        ck_assert_uint_eq(verify_side_checks_problems(&report.side_checks), 1);
        ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
        verify_report_free(&report);
    }
}
END_TEST

START_TEST(orphans_beyond_the_room_are_summed)
{
    side_checks = (struct verify_side_checks){0};
    for (int i = 0; i < VERIFY_ORPHANS_MAX + 3; i++)
        verify_side_checks_orphans(&side_checks, "child", "parent", 2);
    ck_assert_uint_eq(side_checks.orphan_count, VERIFY_ORPHANS_MAX);
    ck_assert_uint_eq(verify_side_checks_problems(&side_checks), 2 * (VERIFY_ORPHANS_MAX + 3));
}
END_TEST

#define REFERENCE "sec_abcdefghijklmnopqrstuvwxyz234567"

START_TEST(what_stands_for_a_secret_is_made_the_same)
{
    static const char *const CASES[][2] = {
        {"{\"a\":{\"$sealed\":\"" REFERENCE "\"},\"b\":1}",
         "{\"a\":{\"$withheld\":\"token\"},\"b\":1}"},
        {"{\"s\":\"{\\\"$sealed\\\":\\\"" REFERENCE "\\\"}\"}",
         "{\"s\":\"{\\\"$withheld\\\":\\\"token\\\"}\"}"},
        {"{\"$sealed\":\"sec_short\"}", "{\"$sealed\":\"sec_short\"}"},
        {"\"$sealed\"", "\"$sealed\""},
        {"\"$sealed\\\"\"", "\"$sealed\\\"\""},
        {"{\"$sealed\":{}}", "{\"$sealed\":{}}"},
        {"[]", "[]"},
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        buf_reset(&out);
        verify_secrets_append(&out, bytes_text(CASES[i][0]));
        ck_assert_str_eq(buf_text(&out), CASES[i][1]);
    }
    buf_free(&out);
}
END_TEST

static Suite *verify_side_checks_suite(void)
{
    Suite *suite = suite_create("verify_beside");
    TCase *tcase = tcase_create("verify_beside");
    tcase_add_test(tcase, nothing_to_tell_is_nothing);
    tcase_add_test(tcase, what_is_no_fault_is_no_problem);
    tcase_add_test(tcase, each_problem_counts_for_the_verdict);
    tcase_add_test(tcase, orphans_beyond_the_room_are_summed);
    tcase_add_test(tcase, what_stands_for_a_secret_is_made_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_side_checks_suite)
