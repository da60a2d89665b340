/* Members that differ are named; content from outside the payload is compared too. */

#include "common/policy/verify/diff_fields.h"

#include "common/model/json/json.h"
#include "common/policy/verify/diff_content.h"
#include "tests/support/suite.h"

static const char MAPPING[] = "entity: reading\n"
                              "table: reading\n"
                              "key: [name]\n"
                              "columns:\n"
                              "  - { name: name, from: /name, type: text }\n"
                              "  - { name: mse, from: /mse, type: float8, tolerance: 0.001 }\n"
                              "  - { name: deep, from: /a/b, type: float8, tolerance: 0.1 }\n"
                              "  - { name: place, from: $key, type: text }\n"
                              "rest: extra\n";

static struct mapping *mapping;
static struct arena arena;

static void setup(void)
{
    struct error err = {0};
    arena_init(&arena, 1u << 20);
    ck_assert_msg(mapping_parse("reading.yaml", bytes_text(MAPPING), &mapping, &err) == OUT_OK,
                  "%s %s", err.text, err.where);
}

static void teardown(void)
{
    mapping_free(mapping);
    arena_free(&arena);
}

static yyjson_doc *parse(const char *text)
{
    yyjson_doc *doc = NULL;
    ck_assert_int_eq(json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, NULL), OUT_OK);
    return doc;
}

static const struct {
    const char *name, *expected, *actual;
    const char *paths; /* joined by spaces */
    size_t tolerated;
} ROWS[] = {
    {"equal", "{\"name\":\"x\",\"n\":1.0}", "{\"n\":1,\"name\":\"x\"}", "", 0},
    {"a member changed", "{\"name\":\"x\",\"n\":1}", "{\"name\":\"x\",\"n\":2}", "/n", 0},
    {"a member lost", "{\"name\":\"x\",\"n\":1}", "{\"name\":\"x\"}", "/n", 0},
    {"a member new", "{\"name\":\"x\"}", "{\"name\":\"x\",\"n\":null}", "/n", 0},
    {"null is not absent", "{\"n\":null}", "{}", "/n", 0},
    {"string is not number", "{\"n\":\"1\"}", "{\"n\":1}", "/n", 0},
    {"trailing space", "{\"n\":\"a\"}", "{\"n\":\"a \"}", "/n", 0},
    {"nested", "{\"o\":{\"p\":1,\"q\":{\"r\":2}}}", "{\"o\":{\"q\":{\"r\":3},\"p\":1}}", "/o/q/r",
     0},
    {"arrays are one value", "{\"a\":{\"l\":[1,2]}}", "{\"a\":{\"l\":[1,2,3]}}", "/a/l", 0},
    {"escaped names", "{\"a/b\":1,\"c~d\":1}", "{\"a/b\":2,\"c~d\":2}", "/a~1b /c~0d", 0},
    {"within tolerance", "{\"mse\":0.5}", "{\"mse\":0.501}", "/mse", 1},
    {"beyond tolerance", "{\"mse\":0.5}", "{\"mse\":0.5011}", "/mse", 0},
    {"nested tolerance", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1.1}}", "/a/b", 1},
    {"absent is never tolerated", "{\"mse\":0}", "{}", "/mse", 0},
    {"both kinds", "{\"mse\":0.5,\"n\":1}", "{\"mse\":0.501,\"n\":2}", "/mse /n", 1},
    {"not objects", "[1]", "[2]", "", 0},
};

START_TEST(names_what_differs)
{
    struct diff_fields fields;
    struct buf paths;
    yyjson_doc *a = parse(ROWS[_i].expected), *b = parse(ROWS[_i].actual);
    struct diff_side expected = {yyjson_doc_get_root(a), NULL};
    struct diff_side actual = {yyjson_doc_get_root(b), NULL};
    diff_fields_find(mapping, expected, actual, &arena, &fields);
    buf_init(&paths, 1000);
    for (size_t i = 0; i < fields.count; i++) {
        if (i)
            buf_append_char(&paths, ' ');
        buf_append_bytes(&paths, fields.items[i].path);
    }
    ck_assert_msg(strcmp(buf_text(&paths), ROWS[_i].paths) == 0, "%s: %s", ROWS[_i].name,
                  buf_text(&paths));
    ck_assert_msg(fields.tolerated == ROWS[_i].tolerated, "%s", ROWS[_i].name);
    ck_assert_uint_eq(fields.total, fields.count);
    buf_free(&paths);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}
END_TEST

START_TEST(counts_what_it_does_not_show)
{
    struct diff_fields fields;
    struct buf text;
    buf_init(&text, 10000);
    for (int i = 0; i < 30; i++)
        buf_append_format(&text, "%c\"m%d\":%d", i ? ',' : '{', i, i);
    buf_append_char(&text, '}');
    yyjson_doc *a = parse(buf_text(&text)), *b = parse("{}");
    struct diff_side expected = {yyjson_doc_get_root(a), NULL};
    struct diff_side actual = {yyjson_doc_get_root(b), NULL};
    diff_fields_find(mapping, expected, actual, &arena, &fields);
    ck_assert_uint_eq(fields.count, DIFF_FIELDS_MAX);
    ck_assert_uint_eq(fields.total, 30);
    buf_free(&text);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}
END_TEST

/* $key is in no document: a changed cell must change the digest, and be named. */
START_TEST(compares_columns_from_outside)
{
    struct buf scratch;
    struct digest first, same, other;
    struct diff_fields fields;
    struct cell cells[5] = {CELL_NULL, CELL_NULL, CELL_NULL, {"here", 4}, CELL_NULL};
    struct cell moved[5] = {CELL_NULL, CELL_NULL, CELL_NULL, {"hern", 4}, CELL_NULL};
    ck_assert_uint_eq(mapping->column_count, 5);
    buf_init(&scratch, 1000);
    yyjson_doc *doc = parse("{\"name\":\"x\"}");
    yyjson_val *root = yyjson_doc_get_root(doc);
    ck_assert(diff_content_digest(mapping, root, cells, &scratch, &first));
    ck_assert(diff_content_digest(mapping, root, cells, &scratch, &same));
    ck_assert(diff_content_digest(mapping, root, moved, &scratch, &other));
    ck_assert(digest_equal(&first, &same));
    ck_assert(!digest_equal(&first, &other));
    diff_fields_find(mapping, (struct diff_side){root, cells}, (struct diff_side){root, moved},
                     &arena, &fields);
    ck_assert_uint_eq(fields.total, 1);
    ck_assert(bytes_equal(fields.items[0].path, BYTES_LITERAL("column place")));
    ck_assert(bytes_equal(fields.items[0].actual, BYTES_LITERAL("\"hern\"")));
    moved[3] = CELL_NULL;
    ck_assert(diff_content_digest(mapping, root, moved, &scratch, &other));
    ck_assert(!digest_equal(&first, &other));
    buf_free(&scratch);
    yyjson_doc_free(doc);
}
END_TEST

/* Two columns of one member: what is within the tolerance of one is not within the other's, who has
 * none. */
START_TEST(tolerates_a_column_for_itself_alone)
{
    static const char SHARED[] = "entity: reading\n"
                                 "table: reading\n"
                                 "key: [name]\n"
                                 "columns:\n"
                                 "  - { name: name, from: /name, type: text }\n"
                                 "  - { name: rough, from: /b, type: int4, tolerance: 2 }\n"
                                 "  - { name: exact, from: /b, type: int4 }\n"
                                 "rest: extra\n";
    static const struct cell TWO = {"\0\0\0\2", 4}, THREE = {"\0\0\0\3", 4};
    struct cell expected[4] = {{"x", 1}, TWO, TWO, CELL_NULL};
    struct cell first[4] = {{"x", 1}, THREE, TWO, CELL_NULL};
    struct cell second[4] = {{"x", 1}, TWO, THREE, CELL_NULL};
    struct error err = {0};
    struct diff_fields fields;
    struct mapping *shared;
    ck_assert(mapping_parse("shared.yaml", bytes_text(SHARED), &shared, &err) == OUT_OK);
    yyjson_doc *a = parse("{\"name\":\"x\",\"b\":2}"), *b = parse("{\"name\":\"x\",\"b\":3}");
    yyjson_val *two = yyjson_doc_get_root(a), *three = yyjson_doc_get_root(b);
    diff_fields_find(shared, (struct diff_side){two, expected}, (struct diff_side){three, first},
                     &arena, &fields);
    ck_assert_uint_eq(fields.total, 1);
    ck_assert_uint_eq(fields.tolerated, 1);
    diff_fields_find(shared, (struct diff_side){two, expected}, (struct diff_side){three, second},
                     &arena, &fields);
    ck_assert_uint_eq(fields.total, 2);
    ck_assert_uint_eq(fields.tolerated, 1);
    ck_assert(bytes_equal(fields.items[1].path, BYTES_LITERAL("column exact")));
    yyjson_doc_free(a);
    yyjson_doc_free(b);
    mapping_free(shared);
}
END_TEST

START_TEST(knows_what_a_mapping_does)
{
    ck_assert(diff_content_tolerates(mapping));
    ck_assert(!diff_content_changes(mapping));
}
END_TEST

static Suite *diff_fields_suite(void)
{
    Suite *suite = suite_create("diff_fields");
    TCase *tcase = tcase_create("fields");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, names_what_differs, 0, (int)(sizeof ROWS / sizeof *ROWS));
    tcase_add_test(tcase, counts_what_it_does_not_show);
    tcase_add_test(tcase, compares_columns_from_outside);
    tcase_add_test(tcase, tolerates_a_column_for_itself_alone);
    tcase_add_test(tcase, knows_what_a_mapping_does);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_fields_suite)
