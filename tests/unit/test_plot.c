/* Plots: what is drawn is what was given, whatever it is; no peak is lost, a gap is a gap, and the
 * page stays well formed and small. */

#include "common/policy/plot/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/policy/plot/plot_path.h"
#include "common/policy/plot/plot_scale.h"
#include "common/policy/plot/time_buckets.h"
#include "tests/support/html_parse.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define MOMENT 1700000000000

static struct buf out;
static int64_t *times;
static double *values;
static struct plot_series series[2];
static struct plot plot;

static void setup(void)
{
    buf_init(&out, 1u << 20);
    times = NULL;
    values = NULL;
    series[0] = (struct plot_series){"records a second", NULL};
    plot = (struct plot){.id = "plot-x",
                         .title = "Throughput",
                         .unit = PLOT_COUNT,
                         .series = series,
                         .series_count = 1};
}

static void teardown(void)
{
    buf_free(&out);
    free(times);
    free(values);
}

static void give(size_t count)
{
    free(times);
    free(values);
    times = mem_zeroed(count + 1, sizeof *times);
    values = mem_zeroed(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        times[i] = MOMENT + (int64_t)i * 1000;
    plot.times = times;
    plot.count = count;
    series[0].values = values;
}

static const char *show(void)
{
    static const char DOCTYPE[] = "<!DOCTYPE html>\n";
    buf_reset(&out);
    buf_append_text(&out, DOCTYPE);
    plot_append(&plot, &out);
    ck_assert(!out.failed);
    struct html_parser parser = {.text = buf_view(&out)};
    ck_assert_msg(html_parse(&parser), "%s", parser.fault);
    ck_assert_ptr_null(strstr(buf_text(&out), "nan"));
    ck_assert_ptr_null(strstr(buf_text(&out), "inf"));
    return buf_text(&out);
}

/* The drawn points and how many lines they are in. */
static struct drawn {
    size_t points, lines;
    double highest, lowest; /* y, downwards */
    double last_x;
} drawn(void)
{
    struct drawn found = {.highest = 1e9, .lowest = -1};
    double x, y;
    const char *at = strstr(show(), "class=\"s1\" d=\"");
    ck_assert_ptr_nonnull(at);
    at += strlen("class=\"s1\" d=\"");
    while (*at != '"') {
        int size = 0;
        char kind = *at++;
        if (kind == 'h') {
            at += strlen(".1");
            continue;
        }
        ck_assert(kind == 'M' || kind == 'L');
        ck_assert_int_eq(sscanf(at, "%lf %lf%n", &x, &y, &size), 2);
        at += size;
        ck_assert(x >= 0 && x <= PLOT_WIDTH && y >= 0 && y <= PLOT_HEIGHT);
        ck_assert(kind == 'M' || x >= found.last_x);
        found.last_x = x;
        found.points++;
        found.lines += kind == 'M';
        found.highest = y < found.highest ? y : found.highest;
        found.lowest = y > found.lowest ? y : found.lowest;
    }
    return found;
}

START_TEST(test_nothing_to_draw)
{
    give(0);
    ck_assert_ptr_nonnull(strstr(show(), "Throughput: not known."));
    give(3);
    for (int i = 0; i < 3; i++)
        values[i] = i ? INFINITY : NAN;
    ck_assert(!plot_has_values(&plot));
    ck_assert_ptr_nonnull(strstr(show(), "Throughput: not known."));
}
END_TEST

START_TEST(test_one_point_is_a_dot)
{
    give(1);
    values[0] = 42;
    ck_assert_ptr_nonnull(strstr(show(), "d=\"M500.0 "));
    ck_assert_ptr_nonnull(strstr(show(), "h.1\""));
    ck_assert_ptr_nonnull(strstr(show(), "highest 42"));
}
END_TEST

START_TEST(test_all_equal_and_all_zero)
{
    give(50);
    for (int i = 0; i < 50; i++)
        values[i] = 7;
    struct drawn found = drawn();
    ck_assert_uint_eq(found.points, 50);
    ck_assert_uint_eq(found.lines, 1);
    ck_assert_double_eq(found.highest, found.lowest);
    ck_assert(found.lowest < PLOT_HEIGHT && found.highest > 0);
    for (int i = 0; i < 50; i++)
        values[i] = 0;
    found = drawn();
    ck_assert_double_eq(found.highest, PLOT_HEIGHT);
    ck_assert_ptr_nonnull(strstr(show(), "<span>1</span><span>0</span>"));
}
END_TEST

START_TEST(test_gaps_are_gaps)
{
    give(30);
    for (int i = 0; i < 30; i++)
        values[i] = i == 10 || i == 12 ? NAN : 5;
    struct drawn found = drawn(); /* 0 to 9, 11 alone, 13 to 29 */
    ck_assert_uint_eq(found.lines, 3);
    ck_assert_uint_eq(found.points, 28);
    for (int i = 20; i < 30; i++)
        times[i] += 60000;
    ck_assert_uint_eq(drawn().lines, 3);
    plot.gap_ms = 2000;
    ck_assert_uint_eq(drawn().lines, 4);
    ck_assert_ptr_nonnull(strstr(show(), "h.1M"));
}
END_TEST

START_TEST(test_many_points_are_thinned_and_no_peak_is_lost)
{
    give(100000);
    for (int i = 0; i < 100000; i++)
        values[i] = 500 + (i * 7919) % 100;
    values[77777] = 1000; /* the scale's top: 1000 = 2 * 500 */
    values[33333] = 0;
    struct drawn found = drawn();
    ck_assert_uint_le(found.points, 2 * PLOT_COLUMNS + 2);
    ck_assert_uint_gt(found.points, PLOT_COLUMNS);
    ck_assert_uint_eq(found.lines, 1);
    ck_assert_double_eq(found.highest, 0);
    ck_assert_double_eq(found.lowest, PLOT_HEIGHT);
    ck_assert_uint_lt(out.size, 64 << 10);
}
END_TEST

/* As many gaps as values: bounded all the same. */
START_TEST(test_many_gaps_are_thinned)
{
    give(100000);
    for (int i = 0; i < 100000; i++)
        values[i] = i % 2 ? NAN : i % 10;
    struct drawn found = drawn();
    ck_assert_uint_le(found.points, 2 * PLOT_COLUMNS + 2);
    ck_assert_uint_gt(found.lines, PLOT_COLUMNS / 2);
    ck_assert_uint_lt(out.size, 64 << 10);
    for (int i = 0; i < 100000; i++) /* one long gap, wider than a column */
        values[i] = i > 40000 && i < 60000 ? NAN : 3;
    ck_assert_uint_eq(drawn().lines, 2);
}
END_TEST

START_TEST(test_huge_ranges)
{
    static const double HUGES[] = {1e-300, 1e300, -1e300, 1.7e308, 5e-324, INFINITY, 1, NAN};
    for (int unit = PLOT_COUNT; unit <= PLOT_MS; unit++)
        for (int logarithmic = 0; logarithmic < 2; logarithmic++) {
            teardown();
            setup();
            plot.unit = (enum plot_unit)unit;
            plot.logarithmic = logarithmic;
            give(8);
            memcpy(values, HUGES, sizeof HUGES);
            struct drawn found = drawn();
            ck_assert_uint_eq(found.points, 6);
            ck_assert_double_eq(found.highest, logarithmic ? 0 : found.highest);
            ck_assert_double_eq(found.lowest, PLOT_HEIGHT); /* what is below zero */
        }
}
END_TEST

START_TEST(test_by_powers_of_ten_zero_is_the_lowest_line)
{
    give(3);
    values[0] = 0;
    values[1] = 0.0001;
    values[2] = 1;
    plot.unit = PLOT_SHARE;
    plot.logarithmic = true;
    plot.limit = 0.01;
    plot.limit_name = "limit";
    ck_assert_ptr_nonnull(strstr(show(), "<span>100&#160;%</span><span>1&#160;%</span>"
                                         "<span>0.01&#160;%</span><span>0&#160;%</span>"));
    ck_assert_ptr_nonnull(strstr(show(), "class=\"limit\" d=\"M0 100.0H1000\""));
    ck_assert_ptr_nonnull(strstr(show(), "M0.0 300.0L500.0 200.0L1000.0 0.0"));
}
END_TEST

/* Random ones: well formed, within the drawing, and bounded. */
START_TEST(test_random_plots)
{
    random_begin(13);
    for (int round = 0; round < 40; round++) {
        teardown();
        setup();
        give(1 + random_below(3000));
        for (size_t i = 0; i < plot.count; i++) {
            values[i] = random_below(10) == 0 ? NAN : pow(10, (double)random_below(40) - 20);
            times[i] = (i ? times[i - 1] : MOMENT) + (int64_t)random_below(20000);
        }
        plot.unit = (enum plot_unit)random_below(4);
        plot.logarithmic = random_below(2);
        plot.gap_ms = random_below(2) ? 5000 : 0;
        plot.limit = random_below(2) ? NAN : 3;
        plot.limit_name = "limit";
        if (plot_has_values(&plot))
            drawn();
    }
}
END_TEST

static const char *value(enum plot_unit unit, double number)
{
    buf_reset(&out);
    plot_append_value(&out, unit, number);
    return buf_text(&out);
}

START_TEST(test_labels)
{
    ck_assert_str_eq(value(PLOT_COUNT, 0), "0");
    ck_assert_str_eq(value(PLOT_COUNT, 12345), "12 345");
    ck_assert_str_eq(value(PLOT_COUNT, 2500000), "2.5 M");
    ck_assert_str_eq(value(PLOT_COUNT, 3e9), "3 G");
    ck_assert_str_eq(value(PLOT_A_SECOND, 0.5), "0.5");
    ck_assert_str_eq(value(PLOT_SHARE, 0.0001), "0.01 %");
    ck_assert_str_eq(value(PLOT_SHARE, 0.0000123), "0.00123 %");
    ck_assert_str_eq(value(PLOT_SHARE, 1), "100 %");
    ck_assert_str_eq(value(PLOT_MS, 3.456), "3.46 ms");
    ck_assert_str_eq(value(PLOT_MS, 1500), "1.5 s");
    ck_assert_str_eq(value(PLOT_COUNT, NAN), "0");
}
END_TEST

/* ---- buckets ----------------------------------------------------------------------------- */

static uint64_t sum_of(const struct time_buckets *buckets)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < buckets->used; i++)
        sum += buckets->items[i].count;
    return sum;
}

START_TEST(test_buckets_double_their_width)
{
    static struct time_buckets buckets;
    time_buckets_init(&buckets, 1000);
    for (int i = 0; i < 512; i++)
        time_buckets_add(&buckets, MOMENT + i * 1000, 1, i);
    ck_assert_int_eq(buckets.width_ms, 1000);
    ck_assert_uint_eq(buckets.used, 512);
    time_buckets_add(&buckets, MOMENT + 512 * 1000, 1, 3);
    ck_assert_int_eq(buckets.width_ms, 2000);
    ck_assert_uint_eq(sum_of(&buckets), 513);
    ck_assert_int_eq(time_buckets_begin(&buckets, 0), MOMENT);
    ck_assert_uint_eq(buckets.items[0].count, 2);
    ck_assert_int_eq(buckets.items[0].level, 1);
    ck_assert_int_eq(buckets.items[buckets.used - 1].level, 3);
}
END_TEST

/* In any order, and as far apart as numbers are: nothing is lost, and each is in its bucket. */
START_TEST(test_buckets_take_any_order)
{
    static struct time_buckets buckets;
    random_begin(14);
    for (int round = 0; round < 200; round++) {
        int64_t at[300];
        uint64_t sum = 0;
        int count = 1 + (int)random_below(300);
        uint64_t spread = (uint64_t)1 << random_below(50);
        time_buckets_init(&buckets, 1000);
        for (int i = 0; i < count; i++) {
            at[i] = (int64_t)random_below(spread);
            sum += (uint64_t)i;
            time_buckets_add(&buckets, at[i], (uint64_t)i, i);
        }
        ck_assert_uint_eq(sum_of(&buckets), sum);
        ck_assert_uint_le(buckets.used, TIME_BUCKETS_MAX);
        for (int i = 0; i < count; i++) {
            int64_t number = at[i] / buckets.width_ms - buckets.first;
            ck_assert(number >= 0 && number < (int64_t)buckets.used);
            ck_assert_int_ge(buckets.items[number].level, i);
        }
    }
    time_buckets_init(&buckets, 1000);
    time_buckets_add(&buckets, 0, 1, -1);
    time_buckets_add(&buckets, INT64_MAX - 1, 1, -1);
    ck_assert_uint_eq(sum_of(&buckets), 2);
    ck_assert_int_eq(buckets.items[0].level, -1);
}
END_TEST

static Suite *plot_suite(void)
{
    Suite *suite = suite_create("plot");
    TCase *tcase = tcase_create("plot");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_nothing_to_draw);
    tcase_add_test(tcase, test_one_point_is_a_dot);
    tcase_add_test(tcase, test_all_equal_and_all_zero);
    tcase_add_test(tcase, test_gaps_are_gaps);
    tcase_add_test(tcase, test_many_points_are_thinned_and_no_peak_is_lost);
    tcase_add_test(tcase, test_many_gaps_are_thinned);
    tcase_add_test(tcase, test_huge_ranges);
    tcase_add_test(tcase, test_by_powers_of_ten_zero_is_the_lowest_line);
    tcase_add_test(tcase, test_random_plots);
    tcase_add_test(tcase, test_labels);
    tcase_add_test(tcase, test_buckets_double_their_width);
    tcase_add_test(tcase, test_buckets_take_any_order);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(plot_suite)
