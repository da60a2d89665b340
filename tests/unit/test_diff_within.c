#include "common/policy/verify/diff_within.h"

#include "common/model/json/json.h"
#include "tests/support/suite.h"

static const struct {
    const char *a, *b;
    double tolerance;
    bool within;
} ROWS[] = {
    {"1", "1", 0.001, true},
    {"10.005", "10.006", 0.001, true}, /* doubles give 0.00099999999999945 */
    {"10.005", "10.0060000000000000001", 0.001, false},
    {"10.006", "10.005", 0.001, true},
    {"0.3", "0.4", 0.1, true}, /* doubles give 0.10000000000000003 */
    {"0.3", "0.40000000000000001", 0.1, false},
    {"0.3", "0.39999999999999999", 0.1, true},
    {"-0.0005", "0.0005", 0.001, true},
    {"-0.0005", "0.00050000001", 0.001, false},
    {"1e300", "1e300", 1e-9, true},
    {"1e300", "1.0000000000000000000001e300", 1e-9, false},
    {"1e-308", "0", 1e-300, true},
    {"9007199254740992", "9007199254740993", 0.5, false},
    {"9007199254740992", "9007199254740993", 1, true},
    {"\"1.5\"", "1.501", 0.001, true},
    {"\"x\"", "1.501", 10, false},
    {"null", "0", 10, false},
    {"true", "1", 10, false},
};

START_TEST(decides_boundaries_exactly)
{
    yyjson_doc *a, *b;
    struct error err;
    ck_assert_int_eq(json_parse(bytes_text(ROWS[_i].a), JSON_UNICODE_REJECT, NULL, &a, &err),
                     OUT_OK);
    ck_assert_int_eq(json_parse(bytes_text(ROWS[_i].b), JSON_UNICODE_REJECT, NULL, &b, &err),
                     OUT_OK);
    bool within = diff_within(yyjson_doc_get_root(a), yyjson_doc_get_root(b), ROWS[_i].tolerance);
    ck_assert_msg(within == ROWS[_i].within, "%s and %s within %g", ROWS[_i].a, ROWS[_i].b,
                  ROWS[_i].tolerance);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}
END_TEST

static Suite *diff_within_suite(void)
{
    Suite *suite = suite_create("diff_within");
    TCase *tcase = tcase_create("tolerance");
    tcase_add_loop_test(tcase, decides_boundaries_exactly, 0, (int)(sizeof ROWS / sizeof *ROWS));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_within_suite)
