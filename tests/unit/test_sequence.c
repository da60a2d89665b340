#include "common/policy/sequence.h"

#include <stdio.h>

#include "common/policy/backoff.h"
#include "tests/support/suite.h"

#define RUN_A BYTES_LITERAL("a")
#define RUN_B BYTES_LITERAL("b")

START_TEST(gaps_and_repeats_are_told)
{
    int64_t missing;
    struct sequences sequences = {0};
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 0, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_B, 0, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 1, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 1, &missing), SEQUENCE_REPEAT);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 5, &missing), SEQUENCE_GAP);
    ck_assert_int_eq(missing, 3);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 2, &missing), SEQUENCE_OK);
    sequence_accept(&sequences, RUN_A, 9);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 10, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("new"), 1, &missing), SEQUENCE_GAP);
    ck_assert_int_eq(sequence_see(&sequences, (struct bytes){0}, 7, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, -1, &missing), SEQUENCE_OK);
}
END_TEST

START_TEST(the_oldest_run_is_forgotten)
{
    int64_t missing;
    char name[16];
    struct sequences sequences = {0};
    for (int i = 0; i <= SEQUENCE_RUNS; i++) {
        int size = snprintf(name, sizeof name, "run%d", i);
        ck_assert_int_eq(sequence_see(&sequences, bytes_of(name, (size_t)size), 0, &missing),
                         SEQUENCE_OK);
    }
    ck_assert_uint_eq(sequences.count, SEQUENCE_RUNS);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("run1"), 1, &missing), SEQUENCE_OK);
    /* run0 is not known any more: its next number is taken as it comes */
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("run0"), 17, &missing), SEQUENCE_OK);
}
END_TEST

START_TEST(they_survive_being_stored)
{
    int64_t missing;
    struct sequences sequences = {0}, again;
    struct buf text;
    sequence_see(&sequences, RUN_A, 0, &missing);
    sequence_see(&sequences, RUN_B, 0, &missing);
    sequence_see(&sequences, RUN_A, 1, &missing);
    buf_init(&text, 4096);
    sequence_append(&sequences, &text);
    ck_assert(sequence_parse(buf_view(&text), &again));
    ck_assert_uint_eq(again.count, 2);
    ck_assert_str_eq(again.runs[0].run, "a");
    ck_assert_int_eq(again.runs[0].next, 2);
    ck_assert(sequence_parse(BYTES_LITERAL("{}"), &again));
    ck_assert(!sequence_parse(BYTES_LITERAL("[1]"), &again));
    ck_assert(!sequence_parse(BYTES_LITERAL("{\"a\":\"x\"}"), &again));
    buf_free(&text);
}
END_TEST

START_TEST(waits_grow_to_their_limit)
{
    struct backoff backoff = BACKOFF_CONNECTION;
    ck_assert_uint_eq(backoff_next_ms(&backoff, 0), 50);
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 200);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_le(backoff_next_ms(&backoff, UINT32_MAX), 30000);
    ck_assert_uint_eq(backoff_next_ms(&backoff, UINT32_MAX), 30000);
    backoff_reset(&backoff);
    ck_assert_uint_le(backoff_next_ms(&backoff, UINT32_MAX), 100);
}
END_TEST

static Suite *sequence_suite(void)
{
    Suite *suite = suite_create("sequence");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, gaps_and_repeats_are_told);
    tcase_add_test(tcase, the_oldest_run_is_forgotten);
    tcase_add_test(tcase, they_survive_being_stored);
    tcase_add_test(tcase, waits_grow_to_their_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(sequence_suite)
