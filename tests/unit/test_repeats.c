/* When a store looks before it writes: what the last batches were decides. */
#include "common/policy/apply/repeats.h"

#include "tests/support/suite.h"

/* Batches of 2,000, of which so many percent were left alone; whether the next one looks. */
static const struct {
    const char *name;
    int percent[8];
    bool expected;
} ROWS[] = {
    {"a first load", {0, 0, 0, 0, 0, 0, 0, 0}, false},
    {"a second run", {100}, true},
    {"half of it is known", {50, 50, 50, 50}, true},
    {"a third begins nothing", {40, 40, 40, 40}, false},
    {"and ends nothing", {100, 100, 40, 40, 40, 40, 40, 40}, true},
    {"new records after a repetition", {100, 100, 100, 0, 0, 0}, false},
    {"a repetition after a load", {0, 0, 0, 0, 100, 100, 100}, true},
    {"one batch among others", {0, 0, 0, 100, 0, 0, 0, 0}, false},
};

START_TEST(the_last_batches_decide)
{
    struct repeats repeats = {0};
    for (size_t i = 0; i < 8; i++)
        if (i == 0 || ROWS[_i].percent[i] || !ROWS[_i].expected)
            repeats_note(&repeats, 2000, 20 * (size_t)ROWS[_i].percent[i]);
    ck_assert_msg(repeats.expected == ROWS[_i].expected, "%s", ROWS[_i].name);
}
END_TEST

START_TEST(nothing_decides_nothing)
{
    struct repeats repeats = {0};
    repeats_note(&repeats, 0, 0);
    ck_assert(!repeats.expected);
    repeats_note(&repeats, 3, 3);
    repeats_note(&repeats, 0, 0);
    ck_assert(repeats.expected);
}
END_TEST

static Suite *repeats_suite(void)
{
    Suite *suite = suite_create("repeats");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, the_last_batches_decide, 0, sizeof ROWS / sizeof *ROWS);
    tcase_add_test(tcase, nothing_decides_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(repeats_suite)
