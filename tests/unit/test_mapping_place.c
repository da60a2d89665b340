/* Which line of a mapping a differing member is named with. */
#include "common/policy/verify/mapping_place.h"

#include <string.h>

#include "tests/support/compile_mapping.h"
#include "tests/support/suite.h"

static const char MAPPING[] = "entity: order\n"
                              "table: o\n"
                              "key: [no]\n"
                              "columns:\n"
                              "  - { name: no, from: /no, type: int8 }\n"
                              "  - { name: address, from: /to, type: jsonb }\n"
                              "  - { name: city, from: /from/city/name, type: text }\n"
                              "rest: extra\n";
static struct mapping *mapping;

static void setup(void)
{
    mapping = compile(MAPPING);
}
static void teardown(void)
{
    mapping_free(mapping);
}

static const char *name_of(const char *path)
{
    const struct column *column = mapping_place_find(mapping, bytes_text(path));
    return column ? column->name : "";
}

START_TEST(a_member_has_the_column_nearest_to_it)
{
    ck_assert_str_eq(name_of("/no"), "no");
    ck_assert_str_eq(name_of("/to/street/0"), "address");
    ck_assert_str_eq(name_of("/from"), "city");
    ck_assert_str_eq(name_of("/from/city/name"), "city");
    ck_assert_str_eq(name_of("/from/city/country"), "extra");
    ck_assert_str_eq(name_of("/nothing"), "extra");
    ck_assert_str_eq(name_of("/not"), "extra");
    ck_assert_str_eq(name_of("column city"), "city");
    ck_assert_str_eq(name_of("column drover_version"), "");
    ck_assert_str_eq(name_of(""), "");
}
END_TEST

START_TEST(it_is_named_with_file_and_line)
{
    struct mapping_set set = {.items = &mapping, .count = 1};
    struct buf out;
    buf_init(&out, 4096);
    mapping_place_append_column(&set, BYTES_LITERAL("order"), BYTES_LITERAL("/to/street"), &out);
    ck_assert_ptr_nonnull(
        strstr(buf_text(&out), "column <bdi>address</bdi>, <bdi>m.yaml</bdi>:6<"));
    buf_reset(&out);
    mapping_place_append_column(&set, BYTES_LITERAL("other"), BYTES_LITERAL("/to"), &out);
    mapping_place_append_column(NULL, BYTES_LITERAL("order"), BYTES_LITERAL("/to"), &out);
    mapping_place_append_column(&set, BYTES_LITERAL("order"), BYTES_LITERAL("column x"), &out);
    mapping_place_append_file(&set, BYTES_LITERAL("other"), &out);
    mapping_place_append_file(NULL, BYTES_LITERAL("order"), &out);
    ck_assert_str_eq(buf_text(&out), "");
    mapping_place_append_file(&set, BYTES_LITERAL("order"), &out);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "m.yaml"));
    buf_free(&out);
}
END_TEST

static Suite *mapping_place_suite(void)
{
    Suite *suite = suite_create("mapping_place");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_member_has_the_column_nearest_to_it);
    tcase_add_test(tcase, it_is_named_with_file_and_line);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(mapping_place_suite)
