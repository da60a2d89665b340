#include "common/policy/verify/diff_dead.h"

#include "tests/support/suite.h"

START_TEST(finds_what_was_added)
{
    struct diff_dead dead;
    diff_dead_init(&dead, 1u << 20);
    ck_assert_ptr_null(diff_dead_find(&dead, 0, 0));
    for (int64_t offset = 0; offset < 5000; offset += 2) {
        struct dead_letter dead_letter = {offset, (int32_t)(offset % 3), ERR_VALUE_TYPE,
                                          (uint64_t)offset};
        ck_assert(diff_dead_add(&dead, &dead_letter));
        ck_assert(diff_dead_add(&dead, &dead_letter));
    }
    ck_assert_uint_eq(dead.count, 2500);
    for (int64_t offset = 0; offset < 5000; offset++) {
        const struct dead_letter *dead_letter =
            diff_dead_find(&dead, (int32_t)(offset % 3), offset);
        ck_assert_msg((dead_letter != NULL) == (offset % 2 == 0), "offset %lld", (long long)offset);
        ck_assert_ptr_null(diff_dead_find(&dead, (int32_t)(offset % 3) + 1, offset));
        if (dead_letter)
            ck_assert_uint_eq(dead_letter->tag, (uint64_t)offset);
    }
    diff_dead_free(&dead);
}
END_TEST

START_TEST(stops_at_its_memory)
{
    struct diff_dead dead;
    int64_t offset = 0;
    diff_dead_init(&dead, 64u << 10);
    for (; offset < 100000; offset++) {
        struct dead_letter dead_letter = {.offset = offset};
        if (!diff_dead_add(&dead, &dead_letter))
            break;
    }
    ck_assert_int_gt(offset, 500);
    ck_assert_int_lt(offset, 100000);
    ck_assert_uint_le(dead.capacity * sizeof *dead.dead_letters, 64u << 10);
    for (int64_t i = 0; i < offset; i++)
        ck_assert_ptr_nonnull(diff_dead_find(&dead, 0, i));
    diff_dead_free(&dead);
}
END_TEST

static Suite *diff_dead_suite(void)
{
    Suite *suite = suite_create("diff_dead");
    TCase *tcase = tcase_create("set");
    tcase_add_test(tcase, finds_what_was_added);
    tcase_add_test(tcase, stops_at_its_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_dead_suite)
