/* Records that waited: what a receipt tells is looked at once, as many at once as there is room
 * for, and its place is held until all of it was. */
#include "tests/support/suite.h"
#include "verifier/follow/settled_list.h"

static struct settled_list list;

static void add(int64_t round, int64_t told_at, size_t count, struct settled_item *items)
{
    const struct settled_receipt receipt = {.round = round, .items = items, .count = count};
    settled_list_add(&list, &receipt, 3, 0, told_at);
}

static void setup(void)
{
    struct settled_item first[] = {
        {2, 9, CLASS_APPLIED}, {0, 5, CLASS_DEAD}, {7, 1, CLASS_APPLIED}};
    struct settled_item second[] = {{0, 3, CLASS_APPLIED}, {0, 4, CLASS_APPLIED}};
    settled_list_init(&list);
    add(4, 100, 3, first); /* of partition 7 nothing is known */
    add(4, 101, 3, first); /* sent again */
    add(5, 102, 2, second);
}

static void teardown(void)
{
    settled_list_free(&list);
}

START_TEST(a_receipt_counts_once)
{
    ck_assert_uint_eq(list.count, 4);
    ck_assert_int_eq(settled_list_held(&list, 0), 100);
    ck_assert_int_eq(settled_list_held(&list, 1), INT64_MAX);
    settled_list_reset(&list);
    ck_assert_int_eq(settled_list_held(&list, 0), INT64_MAX);
    struct settled_item again[] = {{0, 5, CLASS_DEAD}};
    add(4, 100, 1, again);
    ck_assert_uint_eq(list.count, 1);
}
END_TEST

START_TEST(no_more_than_there_is_room_for)
{
    ck_assert_uint_eq(settled_list_pick(&list, 3), 3);
    ck_assert_ptr_null(settled_list_find(&list, 0, 4)); /* not picked */
    struct settled_entry *entry = settled_list_find(&list, 0, 5);
    ck_assert_ptr_nonnull(entry);
    ck_assert_int_eq(entry->item.the_class, CLASS_DEAD);
    entry->is_done = true;
    settled_list_drop_done(&list); /* the look was full before the others came */
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(settled_list_held(&list, 0), 100);
    ck_assert_uint_eq(settled_list_pick(&list, 2), 2);
    settled_list_done_all(&list);
    settled_list_drop_done(&list);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_int_eq(settled_list_held(&list, 0), 102);
    ck_assert_uint_eq(settled_list_pick(&list, 0), 0);
    ck_assert_uint_eq(settled_list_pick(&list, 9), 1);
}
END_TEST

START_TEST(what_a_failed_look_met_is_not_done)
{
    settled_list_pick(&list, 9);
    settled_list_find(&list, 2, 9)->is_done = true;
    settled_list_pick(&list, 9);
    settled_list_drop_done(&list);
    ck_assert_uint_eq(list.count, 4);
    ck_assert_uint_eq(settled_list_done_below(&list, 0, 5), 2);
    settled_list_drop_done(&list);
    ck_assert_uint_eq(list.count, 2);
}
END_TEST

static Suite *settled_suite(void)
{
    Suite *suite = suite_create("follow_settled");
    TCase *tcase = tcase_create("settled");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_receipt_counts_once);
    tcase_add_test(tcase, no_more_than_there_is_room_for);
    tcase_add_test(tcase, what_a_failed_look_met_is_not_done);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(settled_suite)
