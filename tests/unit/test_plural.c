/* The end of a counted word. */
#include "common/base/plural.h"

#include <stdint.h>

#include "tests/support/suite.h"

START_TEST(one_alone_has_none)
{
    ck_assert_str_eq(plural_end(0), "s");
    ck_assert_str_eq(plural_end(1), "");
    ck_assert_str_eq(plural_end(2), "s");
    ck_assert_str_eq(plural_end(UINT64_MAX), "s");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("plural");
    TCase *tests = tcase_create("plural");
    tcase_add_test(tests, one_alone_has_none);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
