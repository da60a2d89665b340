/* Counts by minute against a model that keeps every event with the time it came at: the sum of all
 * that the clock ever went forward. */
#include "common/policy/rate/rolling.h"

#include <math.h>
#include <string.h>

#include "common/policy/rate/rate_bound.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { EVENTS_MAX = 8000 };

static struct rolling rolling;

static struct {
    int64_t minute;
    unsigned class;
    uint64_t count;
} events[EVENTS_MAX];
static size_t event_count;
static int64_t model_ms, clock_ms;

static void begin(uint64_t seed)
{
    random_begin(seed);
    rolling_init(&rolling);
    event_count = 0;
    clock_ms = 1800000000000 + (int64_t)random_below(86400000);
    model_ms = clock_ms;
    rolling_step(&rolling, clock_ms);
}

static void move_clock(int64_t by_ms)
{
    clock_ms += by_ms;
    model_ms += by_ms > 0 ? by_ms : 0;
    ck_assert_int_eq(rolling_step(&rolling, clock_ms), model_ms / 60000);
}

static void add(unsigned class, uint64_t count)
{
    ck_assert_uint_lt(event_count, EVENTS_MAX);
    events[event_count].minute = model_ms / 60000;
    events[event_count].class = class;
    events[event_count++].count = count;
    rolling_add(&rolling, model_ms / 60000, class, count);
}

static void compare_windows(void)
{
    static const int64_t SPANS[] = {1, 5, 60, 1440};
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++) {
        uint64_t want[ROLLING_CLASSES] = {0}, counts[ROLLING_CLASSES];
        for (size_t i = 0; i < event_count; i++)
            if (kind == FOLLOW_TOTAL || events[i].minute >= model_ms / 60000 - SPANS[kind])
                want[events[i].class] += events[i].count;
        rolling_counts(&rolling, (enum follow_window_kind)kind, counts);
        for (int i = 0; i < ROLLING_CLASSES; i++)
            ck_assert_msg(counts[i] == want[i], "seed %lu, window %d, class %d: %lu, not %lu",
                          (unsigned long)random_seed, kind, i, (unsigned long)counts[i],
                          (unsigned long)want[i]);
        struct follow_window window;
        rolling_window(&rolling, (enum follow_window_kind)kind, &window);
        uint64_t compared = follow_report_compared(want);
        ck_assert(compared ? window.upper == rate_bound_upper(follow_report_wrong(want), compared)
                           : isnan(window.upper));
    }
}

static int64_t some_move(void)
{
    switch (random_below(12)) {
    case 0:
        return -(int64_t)random_below(7200000); /* set back */
    case 1:
        return (int64_t)random_below(3 * 86400000); /* away for days */
    case 2:
    case 3:
        return (int64_t)random_below(3600000);
    default:
        return (int64_t)random_below(90000);
    }
}

START_TEST(windows_are_those_of_who_keeps_everything)
{
    begin((uint64_t)_i + 1);
    for (int step = 0; step < 1500; step++) {
        move_clock(some_move());
        for (uint64_t i = random_below(3); i > 0; i--)
            add((unsigned)random_below(ROLLING_CLASSES), random_below(1000));
        if (step % 10 == 0)
            compare_windows();
    }
}
END_TEST

START_TEST(a_restart_goes_on_with_the_time_there_was)
{
    begin(1);
    move_clock(-3600000);
    move_clock(120000);
    int64_t now_ms = rolling.now_ms, shift_ms = rolling.shift_ms;
    ck_assert_int_eq(shift_ms, 3600000);
    rolling_init(&rolling);
    rolling_resume(&rolling, now_ms, shift_ms);
    move_clock(60000);
    ck_assert_int_eq(rolling.now_ms, now_ms + 60000);
}
END_TEST

/* One hour set back: what the minutes are called follows the clock of now. */
START_TEST(minutes_are_shown_by_the_clock_of_now)
{
    begin(2);
    add(VERDICT_MATCH, 3);
    move_clock(-3600000);
    struct follow_minute minutes[3];
    ck_assert_uint_eq(rolling_series(&rolling, 3, minutes), 1);
    ck_assert_int_eq(minutes[0].unix_ms, (model_ms / 60000) * 60000 - 3600000);
}
END_TEST

START_TEST(a_series_has_the_last_minutes_with_their_hour)
{
    begin(3);
    static struct follow_minute minutes[ROLLING_MINUTES];
    for (int i = 0; i < 2000; i++) {
        add(VERDICT_MATCH, 90);
        if (i % 7 == 0)
            add(VERDICT_MISSING, 10);
        add(VERDICT_DEAD, 5); /* not compared */
        move_clock(60000);
    }
    size_t count = rolling_series(&rolling, ROLLING_MINUTES, minutes);
    ck_assert_uint_eq(count, ROLLING_MINUTES - 1); /* nothing yet in the running one */
    for (size_t at = 61; at < count; at++) {
        uint64_t compared = 0, wrong = 0;
        for (size_t i = at - 59; i <= at; i++) {
            compared += minutes[i].compared;
            wrong += minutes[i].wrong;
        }
        ck_assert_int_eq(minutes[at].unix_ms, minutes[at - 1].unix_ms + 60000);
        ck_assert(fabs(minutes[at].rate - (double)wrong / (double)compared) < 1e-15);
        ck_assert(minutes[at].upper == rate_bound_upper(wrong, compared));
    }
    struct follow_minute last[5];
    ck_assert_uint_eq(rolling_series(&rolling, 5, last), 5);
    ck_assert_int_eq(last[4].unix_ms, minutes[count - 1].unix_ms);
}
END_TEST

START_TEST(gauges_add_keep_the_greatest_or_the_newest)
{
    begin(4);
    struct rolling_gauges gauges = ROLLING_NO_GAUGES;
    int64_t minute = model_ms / 60000;
    rolling_note(&rolling, minute, &gauges);
    struct follow_minute shown;
    ck_assert_uint_eq(rolling_series(&rolling, 1, &shown), 1);
    ck_assert(shown.committed == 0 && shown.lag == -1 && isnan(shown.new_p50_ms));
    ck_assert(isnan(shown.rate) && isnan(shown.upper));
    gauges = (struct rolling_gauges){10, 7, 3, NAN, NAN, 1.5, 2.5};
    rolling_note(&rolling, minute, &gauges);
    gauges = (struct rolling_gauges){5, 4, 9, NAN, NAN, 1.0, NAN};
    rolling_note(&rolling, minute, &gauges);
    rolling_note(&rolling, minute - 5000, &gauges); /* long gone */
    rolling_series(&rolling, 1, &shown);
    ck_assert(shown.committed == 15 && shown.lag == 7 && shown.behind == 9);
    ck_assert(shown.new_p50_ms == 1.0 && shown.new_p99_ms == 2.5 && isnan(shown.old_p50_ms));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rolling");
    TCase *tests = tcase_create("rolling");
    tcase_add_loop_test(tests, windows_are_those_of_who_keeps_everything, 0, 4);
    tcase_add_test(tests, a_restart_goes_on_with_the_time_there_was);
    tcase_add_test(tests, minutes_are_shown_by_the_clock_of_now);
    tcase_add_test(tests, a_series_has_the_last_minutes_with_their_hour);
    tcase_add_test(tests, gauges_add_keep_the_greatest_or_the_newest);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
