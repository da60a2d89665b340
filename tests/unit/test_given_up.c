/* Ranges in any order, that touch or hold each other, against a map of all offsets. */
#include "common/policy/verify/given_up.h"

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { PARTITIONS = 3, OFFSETS = 60 };

START_TEST(counts_what_the_model_counts)
{
    bool model[PARTITIONS][OFFSETS] = {{false}};
    struct given_up given_up = {0};
    random_begin((uint64_t)_i);
    for (int step = 0; step < 15; step++) {
        int32_t partition = (int32_t)random_below(PARTITIONS);
        int64_t from = (int64_t)random_below(OFFSETS);
        int64_t to = from + (int64_t)random_below(random_below(4) ? 5 : OFFSETS);
        to = to < OFFSETS ? to : OFFSETS;
        ck_assert(given_up_add(&given_up, partition, from, to));
        for (int64_t offset = from; offset < to; offset++)
            model[partition][offset] = true;
        size_t runs = 0;
        for (int p = 0; p < PARTITIONS; p++) {
            uint64_t sum = 0;
            for (int64_t end = 0; end <= OFFSETS; end++) {
                ck_assert_uint_eq(given_up_below(&given_up, p, end), sum);
                sum += end < OFFSETS && model[p][end];
                runs += end < OFFSETS && model[p][end] && !(end && model[p][end - 1]);
            }
        }
        ck_assert_uint_eq(given_up.count, runs); /* as few as there can be */
    }
    given_up_free(&given_up);
}
END_TEST

START_TEST(has_a_bound)
{
    struct given_up given_up = {0};
    for (int64_t i = 0; i < GIVEN_UP_MAX; i++)
        ck_assert(given_up_add(&given_up, 1, 2 * i, 2 * i + 1));
    ck_assert(!given_up_add(&given_up, 1, 2 * GIVEN_UP_MAX, 2 * GIVEN_UP_MAX + 1));
    ck_assert(given_up_add(&given_up, 1, 0, 4)); /* no further one */
    ck_assert(given_up_add(&given_up, 1, 9, 9));
    ck_assert_uint_eq(given_up_below(&given_up, 1, INT64_MAX), GIVEN_UP_MAX + 2);
    ck_assert_uint_eq(given_up_below(&given_up, 0, INT64_MAX), 0);
    given_up_free(&given_up);
}
END_TEST

static Suite *given_up_suite(void)
{
    Suite *suite = suite_create("given_up");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, counts_what_the_model_counts, 0, 50);
    tcase_add_test(tcase, has_a_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(given_up_suite)
