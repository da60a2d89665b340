/* How long something is behind, against who knows when each message came. */
#include "common/policy/rate/lag_mark.h"

#include <stdbool.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { STEPS = 2000, INTERVAL_MS = 10000 };

/* Messages come, are dealt with in order or not at all for a while; the end is asked for now and
 * then. */
START_TEST(is_never_more_than_the_age)
{
    static uint64_t came_ms[STEPS * 10]; /* by offset */
    struct lag_mark mark = {0};
    int64_t end = 0, position = 0;
    uint64_t now_ms = 1000000;
    random_begin((uint64_t)_i + 1);
    for (int step = 0; step < STEPS; step++) {
        for (uint64_t i = random_below(3) ? random_below(9) : 0; i > 0; i--)
            came_ms[end++] = now_ms;
        bool stands = (step / 50) % 3 == 1;
        if (!stands)
            position += (int64_t)random_below((uint64_t)(end - position) + 1);
        if (random_below(4) == 0)
            position = stands ? position : end;
        now_ms += 1 + random_below(INTERVAL_MS);
        uint64_t lag_ms = lag_mark_step(&mark, position, end, now_ms);
        uint64_t age_ms = position < end ? now_ms - came_ms[position] : 0;
        ck_assert_msg(lag_ms <= age_ms, "seed %lu, step %d", (unsigned long)random_seed, step);
    }
}
END_TEST

START_TEST(grows_while_nothing_moves)
{
    struct lag_mark mark = {0};
    ck_assert_uint_eq(lag_mark_step(&mark, 5, 5, 1000), 0);
    ck_assert_uint_eq(lag_mark_step(&mark, 5, 9, 2000), 0); /* came since, seen now */
    ck_assert_uint_eq(lag_mark_step(&mark, 5, 12, 5000), 3000);
    ck_assert_uint_eq(lag_mark_step(&mark, 8, 12, 8000), 6000);
    ck_assert_uint_eq(lag_mark_step(&mark, 9, 12, 9000), 0); /* what was seen is dealt with */
    ck_assert_uint_eq(lag_mark_step(&mark, 9, 12, 9500), 500);
    ck_assert_uint_eq(lag_mark_step(&mark, 12, 12, 9600), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("lag_mark");
    TCase *tests = tcase_create("lag_mark");
    tcase_add_loop_test(tests, is_never_more_than_the_age, 0, 5);
    tcase_add_test(tests, grows_while_nothing_moves);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
