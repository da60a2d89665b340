/* How far everything is acknowledged: marks come out in order, none before what was sent ahead of
 * it. */
#include "common/policy/acked_prefix.h"

#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

START_TEST(a_mark_waits_for_what_is_before_it)
{
    struct acked_prefix prefix;
    int first, second;
    acked_prefix_init(&prefix);
    uint64_t a = acked_prefix_send(&prefix);
    acked_prefix_mark(&prefix, &first);
    uint64_t b = acked_prefix_send(&prefix);
    acked_prefix_mark(&prefix, &second);
    acked_prefix_acknowledge(&prefix, b);
    ck_assert_ptr_null(acked_prefix_take(&prefix)); /* b alone is no prefix */
    ck_assert_uint_eq(acked_prefix_marks(&prefix), 2);
    acked_prefix_acknowledge(&prefix, a);
    ck_assert_ptr_eq(acked_prefix_take(&prefix), &first);
    ck_assert_ptr_eq(acked_prefix_take(&prefix), &second);
    ck_assert_ptr_null(acked_prefix_take(&prefix));
    acked_prefix_free(&prefix);
}
END_TEST

START_TEST(a_mark_with_nothing_before_it_comes_out_at_once)
{
    struct acked_prefix prefix;
    int note;
    acked_prefix_init(&prefix);
    ck_assert_ptr_null(acked_prefix_take(&prefix));
    acked_prefix_mark(&prefix, &note);
    uint64_t behind = acked_prefix_send(&prefix);
    ck_assert_ptr_eq(acked_prefix_take(&prefix), &note);
    ck_assert_ptr_null(acked_prefix_take(&prefix)); /* what is behind it is not marked */
    acked_prefix_acknowledge(&prefix, behind);
    acked_prefix_free(&prefix);
}
END_TEST

START_TEST(what_is_left_can_be_dropped)
{
    struct acked_prefix prefix;
    int notes[2];
    acked_prefix_init(&prefix);
    acked_prefix_send(&prefix);
    acked_prefix_mark(&prefix, &notes[0]);
    acked_prefix_mark(&prefix, &notes[1]);
    ck_assert_ptr_null(acked_prefix_take(&prefix));
    ck_assert_ptr_eq(acked_prefix_drop(&prefix), &notes[0]);
    ck_assert_ptr_eq(acked_prefix_drop(&prefix), &notes[1]);
    ck_assert_ptr_null(acked_prefix_drop(&prefix));
    acked_prefix_free(&prefix);
}
END_TEST

enum { MESSAGES = 5000, MARK_EVERY = 7 };

/* Against the plain rule, acknowledgements in a random order, more marks than the ring begins with.
 */
START_TEST(no_mark_comes_out_early_or_late)
{
    static uint64_t span[MESSAGES];
    static bool acked[MESSAGES];
    static size_t order[MESSAGES], marks[MESSAGES];
    struct acked_prefix prefix;
    size_t out = 0, mark_count = 0;
    random_begin((uint64_t)_i + 1);
    acked_prefix_init(&prefix);
    memset(acked, 0, sizeof acked);
    for (size_t i = 0; i < MESSAGES; i++) {
        order[i] = i;
        span[i] = acked_prefix_send(&prefix);
        if ((i + 1) % MARK_EVERY)
            continue;
        marks[mark_count] = i + 1;
        acked_prefix_mark(&prefix, &marks[mark_count++]);
    }
    for (size_t i = MESSAGES - 1; i > 0; i--) {
        size_t other = random_below(i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    size_t whole = 0;
    for (size_t i = 0; i < MESSAGES; i++) {
        acked_prefix_acknowledge(&prefix, span[order[i]]);
        acked[order[i]] = true;
        while (whole < MESSAGES && acked[whole])
            whole++;
        for (size_t *mark; (mark = acked_prefix_take(&prefix)); out++)
            ck_assert_uint_le(*mark, whole);
        ck_assert(out == mark_count || marks[out] > whole);
    }
    ck_assert_uint_eq(out, mark_count);
    acked_prefix_free(&prefix);
}
END_TEST

static Suite *acked_prefix_suite(void)
{
    Suite *suite = suite_create("acked_prefix");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_mark_waits_for_what_is_before_it);
    tcase_add_test(tcase, a_mark_with_nothing_before_it_comes_out_at_once);
    tcase_add_test(tcase, what_is_left_can_be_dropped);
    tcase_add_loop_test(tcase, no_mark_comes_out_early_or_late, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(acked_prefix_suite)
