/* When a partition counts as stalled, with a clock of the test's own. */

#include "common/policy/watchdog.h"

#include "tests/support/suite.h"

#define WAIT_MS 1000
#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name;
    struct watchdog_view view;
    bool want;
} ROWS[] = {
    {"work, no move", {0, true, false}, true},
    {"nothing to do", {0, false, false}, false},
    {"waits for what was said", {0, true, true}, false},
    {"moved", {7, true, false}, false},
};

START_TEST(tells_what_stands_still)
{
    struct watchdog watchdog;
    watchdog_init(&watchdog, WAIT_MS, 5);
    ck_assert(!watchdog_step(&watchdog, &ROWS[0].view, 6));
    ck_assert_msg(watchdog_step(&watchdog, &ROWS[_i].view, 5 + WAIT_MS) == ROWS[_i].want, "%s",
                  ROWS[_i].name);
}
END_TEST

START_TEST(waits_longer_each_time)
{
    struct watchdog watchdog;
    struct watchdog_view still = {0, true, false};
    uint64_t told_ms = 0, wait_ms = WAIT_MS;
    watchdog_init(&watchdog, WAIT_MS, 0);
    for (int times = 0; times < 8; times++) {
        uint64_t now_ms = told_ms;
        while (!watchdog_step(&watchdog, &still, now_ms))
            now_ms += 10;
        ck_assert_uint_eq(now_ms - told_ms, wait_ms);
        ck_assert_uint_eq(watchdog_still_ms(&watchdog, now_ms), now_ms);
        told_ms = now_ms;
        wait_ms = wait_ms < WAIT_MS << WATCHDOG_DOUBLINGS ? wait_ms * 2 : wait_ms;
    }
}
END_TEST

START_TEST(a_move_begins_anew)
{
    struct watchdog watchdog;
    struct watchdog_view view = {0, true, false};
    watchdog_init(&watchdog, WAIT_MS, 0);
    ck_assert(watchdog_step(&watchdog, &view, WAIT_MS));
    view.moves = 1;
    ck_assert(!watchdog_step(&watchdog, &view, WAIT_MS + 1));
    ck_assert(!watchdog_step(&watchdog, &view, 2 * WAIT_MS));
    ck_assert(watchdog_step(&watchdog, &view, 2 * WAIT_MS + 1));
}
END_TEST

/* An outage that was said is no stall of its partitions; what comes after it may be one. */
START_TEST(an_excuse_stops_the_clock)
{
    struct watchdog watchdog;
    struct watchdog_view view = {0, true, true};
    watchdog_init(&watchdog, WAIT_MS, 0);
    for (uint64_t now_ms = 0; now_ms < 50 * WAIT_MS; now_ms += 100)
        ck_assert(!watchdog_step(&watchdog, &view, now_ms));
    view.is_excused = false;
    ck_assert(!watchdog_step(&watchdog, &view, 50 * WAIT_MS));
    ck_assert(watchdog_step(&watchdog, &view, 51 * WAIT_MS));
}
END_TEST

static Suite *watchdog_suite(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, tells_what_stands_still, 0, COUNT(ROWS));
    tcase_add_test(all, waits_longer_each_time);
    tcase_add_test(all, a_move_begins_anew);
    tcase_add_test(all, an_excuse_stops_the_clock);
    suite_add_tcase(suite, all);
    return suite;
}

SUITE_MAIN(watchdog_suite)
