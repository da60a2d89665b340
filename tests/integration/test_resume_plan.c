/* What is given up when a halted partition goes on. Needs no server. */

#include "control/resume/resume_plan.h"

#include <string.h>

#include "tests/support/suite.h"

static struct resume_plan plan_of(int64_t next, int64_t redis_next, int64_t low, bool hybrid)
{
    struct resume_plan plan;
    struct resume_case known = {.low = low, .high = 100};
    checkpoint_image_init(&known.image);
    known.image.exists = true;
    known.image.next_offset = known.image.results_next = next;
    known.image.redis_next = redis_next;
    ck_assert_int_eq(resume_plan_decide(&known, hybrid, &plan, NULL), OUT_OK);
    checkpoint_image_free(&known.image);
    return plan;
}

/* [from, to) is given up, and the partition goes on at `next`. */
static void check_given_up(const struct resume_plan *plan, int64_t from, int64_t to, int64_t next,
                           const char *what)
{
    ck_assert(plan->gives_up);
    ck_assert_int_eq(plan->from, from);
    ck_assert_int_eq(plan->to, to);
    ck_assert_int_eq(plan->next_offset, next);
    ck_assert_ptr_nonnull(strstr(plan->what, what));
    ck_assert_ptr_nonnull(strstr(plan->what, "drover rebuild redis"));
}

START_TEST(what_redis_has_not_yet_is_given_up)
{
    struct resume_plan plan = plan_of(50, 20, 30, true);
    check_given_up(&plan, 20, 30, 50, "10 offsets not yet in Redis, 20 to 29");
}
END_TEST

START_TEST(what_was_not_applied_is_given_up)
{
    struct resume_plan plan = plan_of(50, 20, 60, true);
    check_given_up(&plan, 50, 60, 60, "10 offsets of the topic, 50 to 59");
}
END_TEST

START_TEST(what_is_in_both_stores_is_not)
{
    struct resume_case known = {.low = 40, .high = 100};
    struct resume_plan plan;
    checkpoint_image_init(&known.image);
    known.image.exists = true;
    known.image.next_offset = known.image.redis_next = 50;
    known.image.results_next = 30;
    ck_assert_int_eq(resume_plan_decide(&known, true, &plan, NULL), OUT_OK);
    ck_assert(!plan.gives_up);
    checkpoint_image_free(&known.image);
}
END_TEST

static Suite *resume_plan_suite(void)
{
    Suite *suite = suite_create("resume_plan");
    TCase *tcase = tcase_create("resume_plan");
    tcase_add_test(tcase, what_redis_has_not_yet_is_given_up);
    tcase_add_test(tcase, what_was_not_applied_is_given_up);
    tcase_add_test(tcase, what_is_in_both_stores_is_not);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(resume_plan_suite)
