/* The hybrid logical clock. */
#include "common/policy/version.h"

#include "tests/support/suite.h"

static int64_t version_to_ms(int64_t version)
{
    return version >> VERSION_COUNTER_BITS;
}

START_TEST(follows_physical_time)
{
    struct version_clock clock = {0};
    int64_t first = version_next(&clock, 1000);
    int64_t second = version_next(&clock, 1001);
    ck_assert_int_eq(version_to_ms(first), 1000);
    ck_assert_int_eq(version_to_ms(second), 1001);
    ck_assert_int_eq(second - first, INT64_C(1) << VERSION_COUNTER_BITS);
}
END_TEST

START_TEST(grows_when_time_stands_or_goes_back)
{
    struct version_clock clock = {0};
    int64_t last = version_next(&clock, 5000);
    for (int i = 0; i < 200000; i++) { /* more than the counter holds */
        int64_t next = version_next(&clock, 5000 - i % 7);
        ck_assert_int_gt(next, last);
        last = next;
    }
    ck_assert_int_eq(version_to_ms(last), 5003);
}
END_TEST

/* Records of one key at these places: a later one must win whatever its timestamp says. */
START_TEST(log_order_is_version_order)
{
    struct version_clock clock = {0};
    int64_t last = 0;
    static const struct {
        int64_t timestamp, offset;
    } PLACES[] = {{1000, 65534},      {1000, 65535},  {1000, 65536},  {999, 65537},
                  {-1, 65538},        {1001, 131072}, {1001, 131073}, {INT64_MAX / 2, 131074},
                  {INT64_MAX, 131075}};
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        int64_t version = version_in_log(&clock, PLACES[i].timestamp, PLACES[i].offset);
        ck_assert_int_gt(version, last);
        last = version;
    }
    clock = (struct version_clock){0};
    ck_assert_int_eq(version_in_log(&clock, 7, 65537), (INT64_C(7) << VERSION_COUNTER_BITS) + 1);
}
END_TEST

START_TEST(never_gives_what_was_observed)
{
    struct version_clock clock = {0};
    version_observe(&clock, 999);
    version_observe(&clock, 5);
    ck_assert_int_eq(version_next(&clock, 0), 1000);
}
END_TEST

START_TEST(the_same_files_give_the_same_versions)
{
    struct version_clock first = {0}, again = {0};
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(version_next(&first, 777 + i / 100), version_next(&again, 777 + i / 100));
}
END_TEST

START_TEST(holds_the_last_millisecond)
{
    struct version_clock clock = {0};
    int64_t max = (INT64_C(1) << 47) - 1;
    ck_assert_int_gt(version_next(&clock, max), 0);
    ck_assert_int_eq(version_to_ms(clock.last), max);
}
END_TEST

static Suite *version_suite(void)
{
    Suite *suite = suite_create("version");
    TCase *clock = tcase_create("clock");
    tcase_add_test(clock, follows_physical_time);
    tcase_add_test(clock, grows_when_time_stands_or_goes_back);
    tcase_add_test(clock, log_order_is_version_order);
    tcase_add_test(clock, never_gives_what_was_observed);
    tcase_add_test(clock, the_same_files_give_the_same_versions);
    tcase_add_test(clock, holds_the_last_millisecond);
    suite_add_tcase(suite, clock);
    return suite;
}

SUITE_MAIN(version_suite)
