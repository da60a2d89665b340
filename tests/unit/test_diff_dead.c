#include "common/policy/diff_dead.h"

#include "tests/support/suite.h"

static const struct {
    const char *id;
    bool good;
    int32_t partition;
    int64_t offset;
} IDS[] = {
    {"drover.m.source-3-88121", true, 3, 88121},
    {"drover.m.source-0-0", true, 0, 0},
    {"drover.m.source-2147483647-9223372036854775807", true, INT32_MAX, INT64_MAX},
    {"drover.m.source-2147483648-1", false, 0, 0},
    {"drover.other.source-3-88121", false, 0, 0},
    {"drover.m.source-3", false, 0, 0},
    {"drover.m.source-3-", false, 0, 0},
    {"drover.m.source--3", false, 0, 0},
    {"drover.m.source-3-x", false, 0, 0},
    {"drover.m.source-3--5", false, 0, 0},
    {"drover.m.source", false, 0, 0},
    {"", false, 0, 0},
};

START_TEST(reads_an_id)
{
    int32_t partition = -1;
    int64_t offset = -1;
    bool good = diff_dead_parse_id(bytes_text(IDS[_i].id), BYTES_LITERAL("drover.m.source"),
                                   &partition, &offset);
    ck_assert_msg(good == IDS[_i].good, "%s", IDS[_i].id);
    if (good)
        ck_assert_msg(partition == IDS[_i].partition && offset == IDS[_i].offset, "%s", IDS[_i].id);
}
END_TEST

START_TEST(finds_what_was_added)
{
    struct diff_dead dead;
    diff_dead_init(&dead, 1u << 20);
    ck_assert_ptr_null(diff_dead_find(&dead, 0, 0));
    for (int64_t offset = 0; offset < 5000; offset += 2) {
        struct dead_letter letter = {offset, (int32_t)(offset % 3), ERR_VALUE_TYPE,
                                     (uint64_t)offset};
        ck_assert(diff_dead_add(&dead, &letter));
        ck_assert(diff_dead_add(&dead, &letter));
    }
    ck_assert_uint_eq(dead.count, 2500);
    for (int64_t offset = 0; offset < 5000; offset++) {
        const struct dead_letter *letter = diff_dead_find(&dead, (int32_t)(offset % 3), offset);
        ck_assert_msg((letter != NULL) == (offset % 2 == 0), "offset %lld", (long long)offset);
        ck_assert_ptr_null(diff_dead_find(&dead, (int32_t)(offset % 3) + 1, offset));
        if (letter)
            ck_assert_uint_eq(letter->tag, (uint64_t)offset);
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
        struct dead_letter letter = {.offset = offset};
        if (!diff_dead_add(&dead, &letter))
            break;
    }
    ck_assert_int_gt(offset, 500);
    ck_assert_int_lt(offset, 100000);
    ck_assert_uint_le(dead.capacity * sizeof *dead.letters, 64u << 10);
    for (int64_t i = 0; i < offset; i++)
        ck_assert_ptr_nonnull(diff_dead_find(&dead, 0, i));
    diff_dead_free(&dead);
}
END_TEST

static Suite *diff_dead_suite(void)
{
    Suite *suite = suite_create("diff_dead");
    TCase *tcase = tcase_create("set");
    tcase_add_loop_test(tcase, reads_an_id, 0, (int)(sizeof IDS / sizeof *IDS));
    tcase_add_test(tcase, finds_what_was_added);
    tcase_add_test(tcase, stops_at_its_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_dead_suite)
