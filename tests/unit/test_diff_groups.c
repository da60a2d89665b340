#include "common/policy/verify/diff_groups.h"

#include <stdio.h>

#include "tests/support/suite.h"

START_TEST(a_group_keeps_its_number)
{
    struct diff_groups groups;
    diff_groups_init(&groups, GROUPS_MAX);
    uint32_t numbers[600];
    char tenant[32];
    for (int i = 0; i < 600; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i / 2);
        numbers[i] = diff_groups_find(&groups, bytes_text(tenant), bytes_text(i % 2 ? "a" : "b"));
        ck_assert_uint_eq(numbers[i], (unsigned)i + 1);
    }
    for (int i = 0; i < 600; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i / 2);
        ck_assert_uint_eq(
            diff_groups_find(&groups, bytes_text(tenant), bytes_text(i % 2 ? "a" : "b")),
            numbers[i]);
    }
    /* "t" + "1a" is not "t1" + "a" */
    ck_assert_uint_gt(diff_groups_find(&groups, bytes_text("t"), bytes_text("1a")), 600);
    diff_groups_free(&groups);
}
END_TEST

START_TEST(too_many_are_summed_in_other)
{
    struct diff_groups groups;
    char tenant[32];
    uint64_t total[VERDICT_COUNT];
    diff_groups_init(&groups, 11);
    for (int i = 0; i < 50; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i);
        uint32_t number = diff_groups_find(&groups, bytes_text(tenant), bytes_text("e"));
        ck_assert_uint_eq(number, i < 10 ? (unsigned)i + 1 : 0);
        groups.items[number].counts[VERDICT_MATCH]++;
    }
    diff_groups_total(&groups, total);
    ck_assert_uint_eq(total[VERDICT_MATCH], 50);
    ck_assert_uint_eq(groups.items[0].counts[VERDICT_MATCH], 40);
    ck_assert_uint_eq(groups.overflowed, 40);
    diff_groups_free(&groups);
}
END_TEST

START_TEST(problems_come_first)
{
    static const struct {
        const char *tenant, *entity;
        enum verdict verdict;
        uint64_t count;
    } ROWS[] = {
        {"b", "x", VERDICT_MATCH, 10}, {"a", "y", VERDICT_MATCH, 5}, {"c", "x", VERDICT_MISSING, 1},
        {"a", "x", VERDICT_MATCH, 99}, {"d", "x", VERDICT_EXTRA, 7}, {"e", "x", VERDICT_MATCH, 0},
    };
    static const char *const ORDER[] = {"dx", "cx", "ax", "ay", "bx"};
    struct diff_groups groups;
    size_t count;
    diff_groups_init(&groups, GROUPS_MAX);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        groups
            .items[diff_groups_find(&groups, bytes_text(ROWS[i].tenant),
                                    bytes_text(ROWS[i].entity))]
            .counts[ROWS[i].verdict] += ROWS[i].count;
    uint32_t *order = diff_groups_order(&groups, &count);
    ck_assert_uint_eq(count, 5); /* empty ones are left out */
    for (size_t i = 0; i < count; i++) {
        const struct diff_group *group = &groups.items[order[i]];
        ck_assert_int_eq(group->tenant.data[0], ORDER[i][0]);
        ck_assert_int_eq(group->entity.data[0], ORDER[i][1]);
    }
    free(order);
    diff_groups_free(&groups);
}
END_TEST

START_TEST(extra_rows_are_no_source_records)
{
    uint64_t counts[VERDICT_COUNT] = {0};
    for (int i = 0; i < VERDICT_COUNT; i++)
        counts[i] = 1;
    /* extra, unexpected tenant */
    ck_assert_uint_eq(diff_counts_records(counts), VERDICT_OUTSIDE);
    /* match, within tolerance, superseded, unchanged, withheld, discarded, resolved and of other
     * sources are none */
    ck_assert_uint_eq(diff_counts_problems(counts), VERDICT_COUNT - 8);
}
END_TEST

static Suite *diff_groups_suite(void)
{
    Suite *suite = suite_create("diff_groups");
    TCase *tcase = tcase_create("groups");
    tcase_add_test(tcase, a_group_keeps_its_number);
    tcase_add_test(tcase, too_many_are_summed_in_other);
    tcase_add_test(tcase, problems_come_first);
    tcase_add_test(tcase, extra_rows_are_no_source_records);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_groups_suite)
