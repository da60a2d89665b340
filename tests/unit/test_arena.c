#include "common/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"

START_TEST(every_size_is_aligned_and_writable)
{
    static const size_t SIZES[] = {1, 15, 16, 17, 100, 4096, 5000, 70000, 1 << 20, 3 << 20};
    struct arena arena;
    arena_init(&arena, 64 << 20);
    for (int round = 0; round < 3; round++) {
        char *places[20];
        size_t expected = 0;
        for (size_t i = 0; i < 20; i++) {
            size_t size = SIZES[i % 10];
            places[i] = arena_alloc(&arena, size);
            ck_assert_ptr_nonnull(places[i]);
            ck_assert_uint_eq((uintptr_t)places[i] % 16, 0);
            memset(places[i], (int)i, size);
            expected += (size + 15) / 16 * 16;
        }
        ck_assert_uint_eq(arena.used, expected);
        ck_assert(arena.held >= arena.used);
        for (size_t i = 0; i < 20; i++) {
            ck_assert_int_eq(places[i][0], (char)i);
            ck_assert_int_eq(places[i][SIZES[i % 10] - 1], (char)i);
        }
        arena_reset(&arena);
        ck_assert_uint_eq(arena.used, 0);
    }
    arena_free(&arena);
    ck_assert_uint_eq(arena.held, 0);
}
END_TEST

START_TEST(what_lasts_is_not_copied)
{
    static const char TEXT[] = "a text of somebody else";
    struct arena arena;
    arena_init(&arena, 1024);
    struct bytes part = bytes_of(TEXT + 2, 4), outside = bytes_of(TEXT, 3);
    ck_assert(arena_keep(&arena, part).data != part.data);
    arena.lasting = bytes_of(TEXT + 2, 10);
    size_t used = arena.used;
    ck_assert_ptr_eq(arena_keep(&arena, part).data, part.data);
    ck_assert_ptr_eq(arena_keep(&arena, bytes_of(TEXT + 2, 10)).data, TEXT + 2);
    ck_assert_ptr_eq(arena_keep(&arena, bytes_of(TEXT + 12, 0)).data, TEXT + 12);
    ck_assert_uint_eq(arena.used, used);
    ck_assert(arena_keep(&arena, outside).data != outside.data);
    ck_assert(arena_keep(&arena, bytes_of(TEXT + 2, 11)).data != TEXT + 2);
    ck_assert_ptr_nonnull(arena_keep(&arena, (struct bytes){0}).data);
    arena_reset(&arena);
    ck_assert(arena_keep(&arena, part).data != part.data);
    arena_free(&arena);
}
END_TEST

static const struct {
    const char *name;
    size_t limit, first, second;
    int given; /* of the two */
} LIMITS[] = {
    {"both fit exactly", 64, 32, 32, 2},
    {"the second is a byte too much", 64, 32, 33, 1},
    {"rounding counts", 40, 17, 1, 1},
    {"no room at all", 0, 1, 1, 0},
    {"the rounded size would pass the limit", 20, 18, 4, 1},
    {"a size near the end of the numbers", 64, SIZE_MAX, SIZE_MAX - 8, 0},
    {"the same without a limit", SIZE_MAX, SIZE_MAX, SIZE_MAX - 8, 0},
};

START_TEST(the_limit_answers_null)
{
    struct arena arena;
    arena_init(&arena, LIMITS[_i].limit);
    int given = (arena_alloc(&arena, LIMITS[_i].first) != NULL) +
                (arena_alloc(&arena, LIMITS[_i].second) != NULL);
    ck_assert_msg(given == LIMITS[_i].given, "%s: %d", LIMITS[_i].name, given);
    ck_assert_uint_le(arena.used, arena.limit);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
    arena_reset(&arena);
    if (LIMITS[_i].limit >= 16)
        ck_assert_ptr_nonnull(arena_alloc(&arena, 16));
    arena_free(&arena);
}
END_TEST

START_TEST(blocks_double_and_become_one)
{
    struct arena arena;
    arena_init(&arena, 8 << 20);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
    ck_assert_uint_eq(arena.held, 4096);
    for (int i = 0; i < 400; i++)
        ck_assert_ptr_nonnull(arena_alloc(&arena, 4096));
    size_t held = arena.held;
    ck_assert_uint_le(held, 4u << 20);
    size_t used = arena.used;
    arena_reset(&arena);
    ck_assert_uint_eq(arena.held, 0);
    for (int i = 0; i < 200; i++)
        ck_assert_ptr_nonnull(arena_alloc(&arena, 4096));
    size_t one = arena.held;
    ck_assert(one > used && one <= used / 8 * 9);
    arena_reset(&arena);
    ck_assert_uint_eq(arena.held, one);
    arena_free(&arena);
    arena_free(&arena);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
    arena_free(&arena);
}
END_TEST

START_TEST(a_large_request_leaves_the_current_block_in_use)
{
    struct arena arena;
    arena_init(&arena, 8 << 20);
    char *first = arena_alloc(&arena, 16);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 2 << 20));
    char *second = arena_alloc(&arena, 16);
    ck_assert_ptr_eq(second, first + 16);
    arena_free(&arena);
}
END_TEST

START_TEST(arrays_are_zeroed_and_checked)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    memset(arena_alloc(&arena, 4000), 0xAA, 4000);
    arena_reset(&arena);
    unsigned char *array = arena_array(&arena, 100, 7);
    for (size_t i = 0; i < 700; i++)
        ck_assert_uint_eq(array[i], 0);
    ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_array(&arena, SIZE_MAX, SIZE_MAX));
    ck_assert_ptr_nonnull(arena_array(&arena, 0, 8));
    ck_assert_ptr_nonnull(arena_array(&arena, 8, 0));
    arena_free(&arena);
}
END_TEST

START_TEST(copies_end_in_a_nul)
{
    struct arena arena;
    arena_init(&arena, 64);
    struct bytes copy = arena_copy(&arena, bytes_of("a\0b", 3));
    ck_assert_uint_eq(copy.size, 3);
    ck_assert_int_eq(memcmp(copy.data, "a\0b", 4), 0);
    struct bytes empty = arena_copy(&arena, bytes_of(NULL, 0));
    ck_assert_ptr_nonnull(empty.data);
    ck_assert_uint_eq(empty.size, 0);
    ck_assert_int_eq(empty.data[0], '\0');
    char text[64] = "";
    ck_assert_ptr_null(arena_copy(&arena, bytes_of(text, sizeof(text))).data);
    arena_free(&arena);
}
END_TEST

/* The next unit is a little larger each time, as batches of one topic are: it finds its room. */
START_TEST(a_little_more_needs_no_second_block)
{
    struct arena arena;
    arena_init(&arena, 64u << 20);
    for (int i = 0; i < 3000; i++)
        ck_assert_ptr_nonnull(arena_alloc(&arena, 304));
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
    size_t held = arena.held;
    for (int more = 0; more < 3; more++) {
        arena_reset(&arena);
        for (int i = 0; i < 3000 + 100 * more; i++)
            ck_assert_ptr_nonnull(arena_alloc(&arena, 304));
        ck_assert_uint_eq(arena.held, held);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(what_took_several_blocks_takes_one_the_next_time)
{
    struct arena arena;
    arena_init(&arena, 64u << 20);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3000; i++)
            ck_assert_ptr_nonnull(arena_alloc(&arena, 300));
        if (round > 1) /* an eighth more than was used */
            ck_assert_uint_eq(arena.held, arena.used / 8 * 9);
        arena_reset(&arena);
        ck_assert_uint_eq(arena.used, 0);
    }
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_nonnull(arena_alloc(&arena, 300000));
    arena_reset(&arena); /* too much to be held for ever: the largest block stays */
    ck_assert_uint_le(arena.held, 2u << 20);
    arena_free(&arena);
}
END_TEST

static Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_test(tcase, every_size_is_aligned_and_writable);
    tcase_add_test(tcase, what_lasts_is_not_copied);
    tcase_add_test(tcase, what_took_several_blocks_takes_one_the_next_time);
    tcase_add_test(tcase, a_little_more_needs_no_second_block);
    tcase_add_loop_test(tcase, the_limit_answers_null, 0, sizeof(LIMITS) / sizeof(LIMITS[0]));
    tcase_add_test(tcase, blocks_double_and_become_one);
    tcase_add_test(tcase, a_large_request_leaves_the_current_block_in_use);
    tcase_add_test(tcase, arrays_are_zeroed_and_checked);
    tcase_add_test(tcase, copies_end_in_a_nul);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(arena_suite)
