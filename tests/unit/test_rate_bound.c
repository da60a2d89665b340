/* The bound of a rate: what can be said of it without computing it otherwise. That it is exact is
 * unit.rate_bound_exact's (rate_bound.py). */
#include "common/policy/rate/rate_bound.h"

#include <math.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

START_TEST(none_of_29956_is_the_first_below_a_ten_thousandth)
{
    ck_assert(rate_bound_upper(0, 29955) >= 0.0001);
    ck_assert(rate_bound_upper(0, 29956) < 0.0001);
    ck_assert_int_eq(rate_bound_gate(0, 29955, 0.0001), RATE_GATE_INCONCLUSIVE);
    ck_assert_int_eq(rate_bound_gate(0, 29956, 0.0001), RATE_GATE_PASS);
}
END_TEST

START_TEST(nothing_compared_shows_nothing)
{
    ck_assert(rate_bound_upper(0, 0) == 1);
    ck_assert(rate_bound_upper(7, 7) == 1);
    ck_assert(rate_bound_upper(1, 1) == 1);
    ck_assert_int_eq(rate_bound_gate(0, 0, 1), RATE_GATE_INCONCLUSIVE);
    ck_assert_int_eq(rate_bound_gate(3, 3, 0.5), RATE_GATE_FAIL);
}
END_TEST

START_TEST(what_was_found_is_below_the_bound)
{
    random_begin((uint64_t)_i + 1);
    for (int i = 0; i < 200; i++) {
        uint64_t compared = 2 + random_any() % 100000000;
        uint64_t found = random_any() % compared;
        double upper = rate_bound_upper(found, compared);
        ck_assert_msg(upper > (double)found / (double)compared && upper <= 1,
                      "seed %lu: %lu of %lu", (unsigned long)random_seed, (unsigned long)found,
                      (unsigned long)compared);
        ck_assert_msg(rate_bound_upper(found, compared + 1 + compared / 1000) < upper,
                      "seed %lu: more of %lu", (unsigned long)random_seed, (unsigned long)compared);
        ck_assert_msg(found + 1 == compared || rate_bound_upper(found + 1, compared) > upper,
                      "seed %lu: one more than %lu of %lu", (unsigned long)random_seed,
                      (unsigned long)found, (unsigned long)compared);
    }
}
END_TEST

START_TEST(a_gate_waits_between_the_rate_and_its_bound)
{
    double upper = rate_bound_upper(10, 1000);
    ck_assert_int_eq(rate_bound_gate(10, 1000, upper * 1.001), RATE_GATE_PASS);
    ck_assert_int_eq(rate_bound_gate(10, 1000, upper * 0.999), RATE_GATE_INCONCLUSIVE);
    ck_assert_int_eq(rate_bound_gate(10, 1000, 0.0101), RATE_GATE_INCONCLUSIVE);
    ck_assert_int_eq(rate_bound_gate(10, 1000, 0.01), RATE_GATE_FAIL);
    ck_assert_str_eq(rate_gate_word(RATE_GATE_INCONCLUSIVE), "inconclusive");
}
END_TEST

/* A follower's of many years: the bound is that of the normal approximation by then. */
START_TEST(large_counts_are_near_the_normal_bound)
{
    double n = 1e12, k = 1e9, rate = k / n;
    double upper = rate_bound_upper((uint64_t)k, (uint64_t)n);
    double normal = rate + 1.6448536269514722 * sqrt(rate * (1 - rate) / n);
    ck_assert(fabs(upper - normal) < 1e-3 * (normal - rate));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rate_bound");
    TCase *tests = tcase_create("rate_bound");
    tcase_add_test(tests, none_of_29956_is_the_first_below_a_ten_thousandth);
    tcase_add_test(tests, nothing_compared_shows_nothing);
    tcase_add_loop_test(tests, what_was_found_is_below_the_bound, 0, 5);
    tcase_add_test(tests, a_gate_waits_between_the_rate_and_its_bound);
    tcase_add_test(tests, large_counts_are_near_the_normal_bound);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
