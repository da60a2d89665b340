/* What a replay keeps beside the sequences, and where it sees the runs' numbers. */

#include "common/policy/apply/replay_plan.h"

#include "tests/support/suite.h"

START_TEST(what_is_kept_is_read_again)
{
    static const struct replay_range RANGE = {3, 10, 20, 15};
    static const struct replay_plan PLAN = {
        {BYTES_LITERAL("acme \"north\""), BYTES_LITERAL("cart")}, BYTES_LITERAL("0a1b hybrid"), 7};
    struct replay_range range = {.partition = 3};
    struct replay_plan plan;
    struct buf text, texts;
    buf_init(&text, 4096);
    buf_init(&texts, 4096);
    buf_append_text(&text, "{\"r\":5,");
    replay_plan_append(&text, &RANGE, &PLAN);
    buf_append_char(&text, '}');
    ck_assert(replay_plan_parse(buf_view(&text), &range, &plan, &texts));
    ck_assert_int_eq(range.from, 10);
    ck_assert_int_eq(range.to, 20);
    ck_assert_int_eq(range.numbers_from, 15);
    ck_assert(bytes_equal(plan.filter.tenant, PLAN.filter.tenant));
    ck_assert(bytes_equal(plan.filter.entity, PLAN.filter.entity));
    ck_assert(bytes_equal(plan.mappings, PLAN.mappings));
    ck_assert_int_eq(plan.parts, 7);
    ck_assert(!replay_plan_parse(BYTES_LITERAL("{\"r\":5}"), &range, &plan, &texts));
    ck_assert(!replay_plan_parse(BYTES_LITERAL("no JSON"), &range, &plan, &texts));
    buf_free(&text);
    buf_free(&texts);
}
END_TEST

static const struct {
    const char *name;
    struct replay_range range;
    int64_t next, at;
} ROWS[] = {
    {"the workers are within it, nothing is read", {0, 10, 20, 15}, 10, 15},
    {"read up to below their place", {0, 10, 20, 15}, 12, 15},
    {"read up to beyond it", {0, 10, 20, 15}, 17, 17},
    {"it begins behind their place", {0, 10, 20, 4}, 10, 4},
    {"and some of it is read", {0, 10, 20, 4}, 11, 11},
    {"they are beyond it", {0, 10, 20, 30}, 11, 30},
};

START_TEST(the_numbers_are_true_at_one_place)
{
    ck_assert_msg(replay_numbers_at(&ROWS[_i].range, ROWS[_i].next) == ROWS[_i].at, "%s",
                  ROWS[_i].name);
}
END_TEST

static Suite *replay_plan_suite(void)
{
    Suite *suite = suite_create("replay_plan");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, what_is_kept_is_read_again);
    tcase_add_loop_test(tcase, the_numbers_are_true_at_one_place, 0, sizeof ROWS / sizeof ROWS[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(replay_plan_suite)
