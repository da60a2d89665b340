#include "common/policy/apply/sequence.h"

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
    struct log_place none = LOG_PLACE_NONE, mark;
    struct buf text;
    sequence_see(&sequences, RUN_A, 0, &missing);
    sequence_see(&sequences, RUN_B, 0, &missing);
    sequence_see(&sequences, RUN_A, 1, &missing);
    buf_init(&text, 4096);
    sequence_append(&sequences, &none, &text);
    ck_assert(sequence_parse(buf_view(&text), &again, &mark));
    ck_assert_uint_eq(again.count, 2);
    ck_assert_str_eq(again.runs[0].run, "a");
    ck_assert_int_eq(again.runs[0].next, 2);
    ck_assert(sequence_parse(BYTES_LITERAL("{}"), &again, &mark));
    ck_assert(!sequence_parse(BYTES_LITERAL("[1]"), &again, &mark));
    ck_assert(!sequence_parse(BYTES_LITERAL("{\"a\":\"x\"}"), &again, &mark));
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

/* Whatever a run is called: it is counted, and what is stored is read again. */
START_TEST(any_name_is_counted_and_stored)
{
    static const struct bytes NAMES[] = {
        BYTES_LITERAL("nul\0a"),
        BYTES_LITERAL("nul\0b"),
        BYTES_LITERAL("\0"),
        BYTES_LITERAL("a\"b\\c"),
        BYTES_LITERAL("\x01\n"),
        BYTES_LITERAL("\xff\xfe"),
        BYTES_LITERAL("Z\xc3\xbcrich"),
        BYTES_LITERAL("~log"),
        BYTES_LITERAL("plain-1.2:3/4@5"),
        BYTES_LITERAL("0123456789012345678901234567890123456789012345678901234567890123456789"),
    };
    enum { COUNT = sizeof NAMES / sizeof NAMES[0] };
    int64_t missing;
    struct sequences sequences = {0}, again;
    struct log_place written = {{70, INT64_MAX}, {90, 5}}, mark;
    struct buf text;
    buf_init(&text, 1u << 16);
    for (int64_t number = 0; number < 5; number++) {
        for (size_t i = 0; i < COUNT; i++)
            ck_assert_msg(sequence_see(&sequences, NAMES[i], number, &missing) == SEQUENCE_OK,
                          "name %zu, number %d", i, (int)number);
        buf_reset(&text);
        sequence_append(&sequences, &written, &text);
        for (size_t i = 0; i < text.size; i++)
            ck_assert(text.data[i] >= ' ' && text.data[i] < 127 && text.data[i] != '\\');
        ck_assert(sequence_parse(buf_view(&text), &again, &mark));
        ck_assert_int_eq(mark.from.end, 70);
        ck_assert_int_eq(mark.next.end, 90);
        ck_assert_int_eq(mark.from.clock, INT64_MAX);
        ck_assert_uint_eq(again.count, COUNT);
        sequences = again;
    }
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(sequence_see(&sequences, NAMES[i], 7, &missing), SEQUENCE_GAP);
    buf_free(&text);
}
END_TEST

START_TEST(what_earlier_versions_stored_is_read)
{
    int64_t missing;
    struct sequences sequences;
    struct log_place mark;
    ck_assert(sequence_parse(BYTES_LITERAL("{\"\":1,\"a b\":4,\"r\":2}"), &sequences, &mark));
    ck_assert_int_eq(mark.from.end, -1);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("a b"), 4, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("r"), 2, &missing), SEQUENCE_OK);
    ck_assert(!sequence_parse(BYTES_LITERAL("{\"~log\":[1]}"), &sequences, &mark));
    ck_assert(!sequence_parse(BYTES_LITERAL("{\"~log\":[-1,2,3,4]}"), &sequences, &mark));
    ck_assert(!sequence_parse(BYTES_LITERAL(""), &sequences, &mark));
}
END_TEST

/* A run whose beginning is given up is taken as it comes, once, and counted from there on. */
START_TEST(what_is_open_takes_unknown_runs_as_they_come)
{
    int64_t missing;
    struct sequences sequences;
    struct log_place mark;
    struct buf text;
    char kept[SEQUENCE_RUN_MAX + 1];
    buf_init(&text, 4096);
    ck_assert(sequence_parse(BYTES_LITERAL("{\"~open\":9,\"~plan\":{\"to\":1},\"known\":4}"),
                             &sequences, &mark));
    ck_assert_int_eq(sequences.open_until, 9);
    ck_assert_uint_eq(sequences.count, 1);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("new"), 17, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("new"), 19, &missing), SEQUENCE_GAP);
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("known"), 5, &missing), SEQUENCE_GAP);
    sequence_append(&sequences, &LOG_PLACE_NONE, &text);
    ck_assert_str_eq(buf_text(&text), "{\"known\":4,\"new\":18,\"~open\":9}");
    sequences.open_until = 0;
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("other"), 3, &missing), SEQUENCE_GAP);
    ck_assert_int_eq(sequence_next_of(&sequences, BYTES_LITERAL("new"), kept), 18);
    ck_assert_str_eq(kept, "new");
    ck_assert_int_eq(sequence_next_of(&sequences, BYTES_LITERAL("a b"), kept), 0);
    ck_assert(sequence_expect(&sequences, kept, 7));
    ck_assert_int_eq(sequence_see(&sequences, BYTES_LITERAL("a b"), 7, &missing), SEQUENCE_OK);
    ck_assert(!sequence_expect(&sequences, "a b", 7));
    ck_assert(!sequence_expect(&sequences, "", 7));
    buf_free(&text);
}
END_TEST

/* A number that cannot be read is the next one: no false gap behind it. */
START_TEST(a_number_that_cannot_be_read_costs_itself)
{
    int64_t missing;
    struct sequences sequences = {0};
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 0, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, SEQUENCE_UNREAD, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, 2, &missing), SEQUENCE_OK);
    ck_assert_int_eq(sequence_see(&sequences, RUN_A, INT64_MAX, &missing), SEQUENCE_GAP);
}
END_TEST

/* Any number of runs side by side, stored and read again in between in any order: no false gap. */
START_TEST(runs_side_by_side_make_no_false_gap)
{
    enum { RUNS = 100 };
    int64_t missing, next[RUNS] = {0};
    struct sequences sequences = {0}, again;
    struct log_place none = LOG_PLACE_NONE, mark;
    struct buf text;
    char name[16];
    srand((unsigned)_i + 1);
    int runs = 1 + rand() % RUNS;
    buf_init(&text, 1u << 16);
    for (int i = 0; i < 5000; i++) {
        int run = rand() % runs;
        int size = snprintf(name, sizeof name, "run%d", run);
        ck_assert_msg(sequence_see(&sequences, bytes_of(name, (size_t)size), next[run]++,
                                   &missing) == SEQUENCE_OK,
                      "seed %d: %d runs", _i + 1, runs);
        if (rand() % 100)
            continue;
        buf_reset(&text);
        sequence_append(&sequences, &none, &text);
        ck_assert(sequence_parse(buf_view(&text), &again, &mark));
        sequences = again;
    }
    buf_free(&text);
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
    tcase_add_test(tcase, any_name_is_counted_and_stored);
    tcase_add_test(tcase, what_earlier_versions_stored_is_read);
    tcase_add_test(tcase, what_is_open_takes_unknown_runs_as_they_come);
    tcase_add_test(tcase, a_number_that_cannot_be_read_costs_itself);
    tcase_add_loop_test(tcase, runs_side_by_side_make_no_false_gap, 0, 30);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(sequence_suite)
