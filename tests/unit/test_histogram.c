/* The histogram against a sorted array of the same values, whatever their distribution. What it is
 * compared with that is not ours: e2e.histogram. */

#include "common/policy/histogram.h"

#include <math.h>
#include <stdio.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

#define MINUTE_NS ((uint64_t)60000000000)
#define VALUES_MAX 20000

static const double PERCENTS[] = {0, 0.01, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100};
static uint64_t values[VALUES_MAX];

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Every magnitude alike; one magnitude; few different ones; a tail. */
static uint64_t draw(int kind, uint64_t highest)
{
    switch (kind) {
    case 0:
        return random_any() % (highest + 1);
    case 1:
        return random_below(highest + 1);
    case 2:
        return random_below(5) * 1000;
    default:
        return random_below(100) ? 50000 + random_below(20000) : random_below(highest + 1);
    }
}

/* The rank as a count of values, by whole numbers: the least one such that `percent` of them are
 * not above. */
static size_t rank(size_t count, double percent)
{
    size_t hundredths = (size_t)llround(percent * 100);
    size_t above = (count * hundredths + 9999) / 10000;
    return above ? above - 1 : 0;
}

static void check_values(struct histogram *histogram, size_t count, unsigned digits)
{
    double sum = 0;
    qsort(values, count, sizeof *values, compare);
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    ck_assert_uint_eq(histogram->count, count);
    ck_assert_uint_eq(histogram->min, values[0]);
    ck_assert_uint_eq(histogram->max, values[count - 1]);
    ck_assert_double_eq_tol(histogram_mean(histogram), sum / (double)count,
                            sum / (double)count * 1e-9);
    for (size_t i = 0; i < sizeof PERCENTS / sizeof *PERCENTS; i++) {
        uint64_t exact = values[rank(count, PERCENTS[i])];
        uint64_t found = histogram_percentile(histogram, PERCENTS[i]);
        double off = found >= exact ? (double)(found - exact) : INFINITY;
        ck_assert_msg(off <= (double)exact * pow(10, -(double)digits),
                      "seed %llu: %zu values, %u digits, p%g is %llu, not %llu",
                      (unsigned long long)random_seed, count, digits, PERCENTS[i],
                      (unsigned long long)found, (unsigned long long)exact);
    }
}

START_TEST(percentiles_are_those_of_the_sorted_values)
{
    random_begin(20261129);
    printf("histogram: seed %llu\n", (unsigned long long)random_seed);
    for (int round = 0; round < 120; round++) {
        struct histogram histogram;
        unsigned digits = 1 + (unsigned)random_below(5);
        uint64_t highest = round % 3 ? MINUTE_NS : 200000 + random_any() / 4;
        size_t count = 1 + (size_t)random_below(round % 10 ? 300 : VALUES_MAX);
        histogram_init(&histogram, highest, digits);
        for (size_t i = 0; i < count; i++) {
            values[i] = draw(round % 4, highest);
            histogram_record(&histogram, values[i]);
        }
        check_values(&histogram, count, digits);
        histogram_free(&histogram);
    }
}
END_TEST

START_TEST(merged_is_as_recorded_in_one)
{
    random_begin(7);
    for (int round = 0; round < 40; round++) {
        struct histogram parts[3];
        size_t count = 1 + (size_t)random_below(2000);
        for (int i = 0; i < 3; i++)
            histogram_init(&parts[i], MINUTE_NS, 3);
        for (size_t i = 0; i < count; i++) {
            values[i] = draw(round % 4, MINUTE_NS);
            histogram_record(&parts[random_below(3)], values[i]);
        }
        histogram_merge(&parts[0], &parts[1]);
        histogram_merge(&parts[0], &parts[2]);
        check_values(&parts[0], count, 3);
        histogram_reset(&parts[0]);
        ck_assert_uint_eq(parts[0].count, 0);
        ck_assert_uint_eq(histogram_percentile(&parts[0], 99), 0);
        histogram_merge(&parts[0], &parts[1]);
        ck_assert_uint_eq(parts[0].max, parts[1].max);
        ck_assert_uint_eq(parts[0].min, parts[1].min);
        for (int i = 0; i < 3; i++)
            histogram_free(&parts[i]);
    }
}
END_TEST

START_TEST(what_is_above_is_counted_and_kept_within)
{
    struct histogram histogram;
    histogram_init(&histogram, 1000000, 3);
    size_t size = histogram.size;
    histogram_record(&histogram, 999);
    histogram_record(&histogram, 1000001);
    histogram_record(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram.size, size);
    ck_assert_uint_eq(histogram.above, 2);
    ck_assert_uint_eq(histogram.max, UINT64_MAX);
    ck_assert_uint_eq(histogram_percentile(&histogram, 10), 999);
    uint64_t top = histogram_percentile(&histogram, 99);
    ck_assert(top >= 1000000 && top <= 1001000);
    histogram_free(&histogram);
}
END_TEST

START_TEST(of_none_and_of_one)
{
    struct histogram histogram;
    histogram_init(&histogram, MINUTE_NS, 3);
    ck_assert_uint_eq(histogram_percentile(&histogram, 50), 0);
    ck_assert_double_eq(histogram_mean(&histogram), 0);
    ck_assert_uint_lt(histogram.size * sizeof *histogram.counts, 256u << 10); /* a minute of ns */
    histogram_record(&histogram, 0);
    ck_assert_uint_eq(histogram_percentile(&histogram, 100), 0);
    histogram_record(&histogram, 123456789);
    ck_assert_uint_eq(histogram_percentile(&histogram, 100), 123456789);
    ck_assert_uint_eq(histogram_percentile(&histogram, 50), 0);
    histogram_free(&histogram);
}
END_TEST

static Suite *histogram_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, percentiles_are_those_of_the_sorted_values);
    tcase_add_test(tcase, merged_is_as_recorded_in_one);
    tcase_add_test(tcase, what_is_above_is_counted_and_kept_within);
    tcase_add_test(tcase, of_none_and_of_one);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(histogram_suite)
