/* Memory that is there, or the process ends. */

#include <stdint.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/support/suite.h"

START_TEST(gives_what_is_asked_for)
{
    char *zeroes = mem_new(3), *none = mem_zeroed(0, 8), *part = mem_text_part("abc", 2);
    uint64_t *numbers = mem_zeroed(2, sizeof *numbers);
    ck_assert(zeroes[0] == 0 && zeroes[2] == 0 && numbers[1] == 0);
    ck_assert_ptr_nonnull(none);
    numbers[1] = 7;
    numbers = mem_resize(numbers, 1000, sizeof *numbers);
    ck_assert_uint_eq(numbers[1], 7);
    size_t room = 1000;
    numbers = mem_grown(numbers, &room, 1001, sizeof *numbers);
    ck_assert(room > 1000 && numbers[1] == 7);
    ck_assert_ptr_eq(mem_grown(numbers, &room, room, sizeof *numbers), numbers);
    ck_assert_str_eq(part, "ab");
    char *text = mem_format("%s-%d", part, 5), *copy = mem_text(text);
    ck_assert_str_eq(copy, "ab-5");
    char *whole = mem_text_part("a\0bc", 4); /* a NUL is no end of bytes that are counted */
    ck_assert_mem_eq(whole, "a\0bc", 5);
    free(whole);
    free(zeroes);
    free(none);
    free(part);
    free(numbers);
    free(text);
    free(copy);
}
END_TEST

static Suite *mem_suite(void)
{
    Suite *suite = suite_create("mem");
    TCase *tcase = tcase_create("mem");
    tcase_add_test(tcase, gives_what_is_asked_for);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(mem_suite)
