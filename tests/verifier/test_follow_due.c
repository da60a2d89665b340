/* Which offsets receipts make due: every one once, in order, and none that nobody told of without
 * being a gap. */
#include "verifier/follow/due.h"

#include "tests/support/random.h"
#include "tests/support/suite.h"

static void take(struct due *due, int64_t first, int64_t next, uint64_t hints, int64_t results)
{
    const struct receipt_summary receipt = {.first = first, .next = next};
    due_take(due, &receipt, hints, results);
}

START_TEST(ranges_come_in_order_and_end_at_the_checkpoint)
{
    struct due due;
    due_init(&due, 0, 100);
    take(&due, 0, 10, 0, 101);
    take(&due, 10, 25, 0, 102);
    ck_assert_uint_eq(due_backlog(&due), 25);
    ck_assert_int_eq(due_end(&due, 0, 9, 1000), 0); /* not as a whole below it */
    ck_assert_int_eq(due_end(&due, 0, 10, 1000), 10);
    ck_assert_int_eq(due_end(&due, 0, 30, 1000), 25);
    ck_assert_int_eq(due_end(&due, 0, 30, 7), 7);
    due_done(&due, 7); /* a part of a range: its receipt is not done */
    ck_assert_int_eq(due.results, 100);
    ck_assert_int_eq(due_end(&due, 7, 30, 1000), 25);
    due_done(&due, 25);
    ck_assert_int_eq(due.results, 102);
    ck_assert_uint_eq(due_backlog(&due), 0);
    due_free(&due);
}
END_TEST

START_TEST(without_a_position_the_first_receipt_begins)
{
    struct due due;
    due_init(&due, -1, 0);
    ck_assert_uint_eq(due_backlog(&due), 0);
    take(&due, 40, 50, 0, 1);
    ck_assert_int_eq(due.position, 40);
    ck_assert(!due_find(&due, 40)->is_gap);
    due_free(&due);
}
END_TEST

START_TEST(what_no_receipt_tells_of_is_a_gap)
{
    struct due due;
    due_init(&due, 5, 0);
    take(&due, 10, 20, 0, 1);
    ck_assert(due_find(&due, 5)->is_gap);
    ck_assert(due_find(&due, 9)->is_gap);
    ck_assert(!due_find(&due, 10)->is_gap);
    ck_assert_ptr_null(due_find(&due, 20));
    ck_assert_int_eq(due_find(&due, 5)->superseded, -1);
    due_free(&due);
}
END_TEST

/* When Redis had a range is the first time that it was told; one that was committed before a crash
 * is dated by nobody. */
START_TEST(when_what_was_there)
{
    struct due due;
    const struct receipt_summary recovered = {
        .first = 20, .next = 30, .counts[CLASS_RECOVERED] = 10, .committed_ms = 5};
    due_init(&due, 5, 0);
    take(&due, 10, 20, 0, 1);
    due_take(&due, &recovered, 0, 2);
    ck_assert(!due_find(&due, 5)->is_dated);
    ck_assert(due_find(&due, 10)->is_dated);
    ck_assert(!due_find(&due, 20)->is_dated);
    due_followed(&due, 9, 1000);
    ck_assert_int_eq(due_find(&due, 5)->in_redis_ms, -1); /* not as a whole */
    due_followed(&due, 20, 2000);
    due_followed(&due, 25, 3000);
    ck_assert_int_eq(due_find(&due, 5)->in_redis_ms, 2000);
    ck_assert_int_eq(due_find(&due, 10)->in_redis_ms, 2000);
    ck_assert_int_eq(due_find(&due, 20)->in_redis_ms, -1);
    due_free(&due);
}
END_TEST

START_TEST(repeats_tell_nothing_new)
{
    struct due due;
    due_init(&due, 0, 0);
    take(&due, 0, 10, 1, 1);
    due_hint(&due, 3, CLASS_DEAD);
    take(&due, 0, 10, 1, 2); /* sent again */
    due_hint(&due, 3, CLASS_DEAD);
    take(&due, 4, 14, 1, 3); /* cut otherwise */
    due_hint(&due, 12, CLASS_CONFLICT);
    ck_assert_uint_eq(due.count, 2);
    ck_assert_int_eq(due_end(&due, 0, 100, 1000), 14);
    ck_assert_int_eq(due_find(&due, 10)->superseded, -1); /* its counts are of more */
    ck_assert_int_eq(due_class(&due, 3), CLASS_DEAD);
    ck_assert_int_eq(due_class(&due, 12), CLASS_CONFLICT);
    ck_assert_int_eq(due_class(&due, 4), CLASS_APPLIED);
    due_done(&due, 14);
    ck_assert_uint_eq(due.hint_count, 0);
    ck_assert_int_eq(due.results, 3);
    due_free(&due);
}
END_TEST

START_TEST(a_range_waits_for_its_hints_and_is_a_gap_when_they_never_come)
{
    struct due due;
    due_init(&due, 0, 0);
    take(&due, 0, 10, 2, 1);
    due_hint(&due, 1, CLASS_DEAD);
    ck_assert_int_eq(due_end(&due, 0, 100, 1000), 0);
    due_hint(&due, 1, CLASS_DEAD); /* of a further part, again: it is one that was to come */
    ck_assert_int_eq(due_end(&due, 0, 100, 1000), 10);
    take(&due, 10, 20, 5, 2);
    take(&due, 20, 30, 0, 3);
    ck_assert_int_eq(due_end(&due, 0, 100, 1000), 30);
    ck_assert(due_find(&due, 15)->is_gap);
    ck_assert(!due_find(&due, 25)->is_gap);
    due_doubt(&due);
    ck_assert(due_find(&due, 25)->is_gap);
    due_free(&due);
}
END_TEST

START_TEST(other_messages_move_the_results_position)
{
    struct due due;
    due_init(&due, 0, 7);
    due_pass(&due, 9);
    ck_assert_int_eq(due.results, 9);
    take(&due, 0, 10, 0, 10);
    due_pass(&due, 11);
    ck_assert_int_eq(due.results, 9);
    due_done(&due, 10);
    ck_assert_int_eq(due.results, 11);
    due_free(&due);
}
END_TEST

/* Receipts of batches cut at random, some twice, some lost: each offset is looked at once, and the
 * lost ones are gaps. */
START_TEST(every_offset_once)
{
    struct due due;
    bool told[2000] = {false};
    uint8_t looked[2000] = {0};
    int64_t at = 0, results = 0;
    random_begin((uint64_t)_i + 1);
    due_init(&due, 0, 0);
    while (at < 1900) {
        int64_t next = at + 1 + (int64_t)random_below(90);
        bool is_lost = random_below(6) == 0;
        if (!is_lost) {
            int64_t first = random_below(4) ? at : at - (int64_t)random_below(20);
            first = first < 0 ? 0 : first;
            for (int64_t i = first; i < next; i++)
                told[i] = true;
            take(&due, first, next, 0, ++results);
            if (random_below(5) == 0)
                take(&due, first, next, 0, ++results);
        }
        at = next;
        int64_t end = due_end(&due, due.position, at, random_below(300));
        for (int64_t i = due.position; i < end; i++) {
            looked[i]++;
            ck_assert(due_find(&due, i) != NULL);
            ck_assert(told[i] || due_find(&due, i)->is_gap);
        }
        due_done(&due, end);
    }
    for (int64_t i = 0; i < due.position; i++)
        ck_assert_uint_eq(looked[i], 1);
    ck_assert(due.position > 0);
    due_free(&due);
}
END_TEST

static Suite *due_suite(void)
{
    Suite *suite = suite_create("follow_due");
    TCase *tcase = tcase_create("due");
    tcase_add_test(tcase, ranges_come_in_order_and_end_at_the_checkpoint);
    tcase_add_test(tcase, without_a_position_the_first_receipt_begins);
    tcase_add_test(tcase, what_no_receipt_tells_of_is_a_gap);
    tcase_add_test(tcase, when_what_was_there);
    tcase_add_test(tcase, repeats_tell_nothing_new);
    tcase_add_test(tcase, a_range_waits_for_its_hints_and_is_a_gap_when_they_never_come);
    tcase_add_test(tcase, other_messages_move_the_results_position);
    tcase_add_loop_test(tcase, every_offset_once, 0, 30);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(due_suite)
