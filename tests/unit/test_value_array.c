/*
 * Arrays: the cell that goes to PostgreSQL, the cell that comes back (what to_jsonb gives), and
 * that both decode to the same value.
 */

#include <stdio.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/value/value.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

/* `stored`: select to_jsonb(column)::text in PostgreSQL 15, with the time zone UTC. */
static const struct {
    const char *type, *json, *cell, *stored;
    bool exact;
    const char *decoded; /* NULL = json */
} ROWS[] = {
    {"text[]", "[]", "[]", "[]", true, NULL},
    {"text[]", "[\"a\",null,\"b\\\"c\",\"\"]", "[\"a\",null,\"b\\\"c\",\"\"]",
     "[\"a\", null, \"b\\\"c\", \"\"]", true, NULL},
    {"text[]", "[\"NULL\",\"{}\",\",\"]", "[\"NULL\",\"{}\",\",\"]", "[\"NULL\", \"{}\", \",\"]",
     true, NULL},
    {"varchar(2)[]", "[\"ab\"]", "[\"ab\"]", "[\"ab\"]", true, NULL},
    {"bool[]", "[true,false,null]", "[\"true\",\"false\",null]", "[true, false, null]", true, NULL},
    {"int4[]", "[1,-2,3e2]", "[\"1\",\"-2\",\"300\"]", "[1, -2, 300]", true, NULL},
    {"int8[]", "[9007199254740993]", "[\"9007199254740993\"]", "[9007199254740993]", true, NULL},
    {"float8[]", "[0.1,1e300,-0]", "[\"0.1\",\"1e300\",\"0\"]",
     "[0.1, "
     "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000, 0]",
     true, NULL},
    {"float4[]", "[0.1,16777217]", "[\"0.1\",\"16777216\"]", "[0.1, 16777216]", false,
     "[0.1,16777216]"},
    {"float4[]", "[55796650]", "[\"55796650\"]", "[55796648]", true, NULL},
    {"numeric[]", "[1.10,0,-5e-3]", "[\"1.10\",\"0\",\"-0.005\"]", "[1.10, 0, -0.005]", true, NULL},
    {"numeric(10,2)[]", "[1.5]", "[\"1.50\"]", "[1.50]", true, NULL},
    {"date[]", "[\"2024-01-15\"]", "[\"2024-01-15\"]", "[\"2024-01-15\"]", true, NULL},
    {"timestamptz[]", "[\"2024-01-15T10:30:00.120Z\"]", "[\"2024-01-15T10:30:00.120Z\"]",
     "[\"2024-01-15T10:30:00.12+00:00\"]", true, NULL},
    {"timestamptz[]", "[\"2024-01-15T11:30:00+01:00\"]", "[\"2024-01-15T10:30:00.000Z\"]",
     "[\"2024-01-15T10:30:00+00:00\"]", false, "[\"2024-01-15T10:30:00.000Z\"]"},
    {"timestamp[]", "[\"2024-01-15T10:30:00.000\"]", "[\"2024-01-15T10:30:00.000\"]",
     "[\"2024-01-15T10:30:00\"]", true, NULL},
    {"uuid[]", "[\"123e4567-e89b-42d3-a456-426614174000\"]",
     "[\"123e4567-e89b-42d3-a456-426614174000\"]", "[\"123e4567-e89b-42d3-a456-426614174000\"]",
     true, NULL},
    {"bytea[]", "[\"AP8=\",\"\"]", "[\"\\\\x00ff\",\"\\\\x\"]", "[\"\\\\x00ff\", \"\\\\x\"]", true,
     NULL},
    {"jsonb[]", "[{\"a\":[1]},\"s\",[1,2],1.10,true,null]",
     "[\"{\\\"a\\\":[1]}\",\"\\\"s\\\"\",\"[1,2]\",\"1.10\",\"true\",null]",
     "[{\"a\": [1]}, \"s\", [1, 2], 1.10, true, null]", true, NULL},
};

static void check_decoded(const struct value_type *type, struct cell cell, const char *expected)
{
    struct error err;
    yyjson_doc *want;
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = value_decode(type, cell, made);
    ck_assert_ptr_nonnull(val);
    yyjson_mut_doc_set_root(made, val);
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
    ck_assert_int_eq(json_parse(bytes_text(expected), JSON_UNICODE_REJECT, NULL, &want, &err),
                     OUT_OK);
    struct buf out;
    buf_init(&out, 65536);
    json_append(&out, yyjson_doc_get_root(doc));
    ck_assert_msg(canonical_equal(yyjson_doc_get_root(doc), yyjson_doc_get_root(want)),
                  "%s, not %s", buf_text(&out), expected);
    buf_free(&out);
    yyjson_doc_free(want);
    yyjson_doc_free(doc);
    yyjson_mut_doc_free(made);
}

static enum outcome encode(const char *type_name, const char *json, struct value_type *type,
                           struct arena *arena, struct cell *cell, bool *exact, struct error *err)
{
    yyjson_doc *doc;
    ck_assert(value_type_parse(bytes_text(type_name), type));
    ck_assert_int_eq(json_parse(bytes_text(json), JSON_UNICODE_REJECT, NULL, &doc, err), OUT_OK);
    enum outcome outcome = value_encode(type, yyjson_doc_get_root(doc), arena, cell, exact, err);
    yyjson_doc_free(doc);
    return outcome;
}

START_TEST(there_and_back)
{
    struct arena arena;
    struct value_type type;
    struct cell cell;
    struct error err;
    bool exact;
    arena_init(&arena, 1024 * 1024);
    ck_assert_int_eq(encode(ROWS[_i].type, ROWS[_i].json, &type, &arena, &cell, &exact, &err),
                     OUT_OK);
    ck_assert_int_eq(exact, ROWS[_i].exact);
    ck_assert_int_eq(cell.data[0], 1);
    ck_assert_int_eq(cell.data[1], ' ');
    ck_assert_uint_eq((size_t)cell.size, strlen(ROWS[_i].cell) + 2);
    ck_assert_int_eq(memcmp(cell.data + 2, ROWS[_i].cell, (size_t)cell.size - 2), 0);

    const char *expected = ROWS[_i].decoded ? ROWS[_i].decoded : ROWS[_i].json;
    check_decoded(&type, cell, expected);
    struct buf stored;
    buf_init(&stored, 4096);
    buf_append_char(&stored, 1);
    buf_append_text(&stored, ROWS[_i].stored);
    check_decoded(&type, (struct cell){stored.data, (int32_t)stored.size}, expected);
    buf_free(&stored);
    arena_free(&arena);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *type, *json;
        enum error_code code;
    } BAD[] = {
        {"text[]", "[[\"a\"]]", ERR_VALUE_TYPE}, /* nested */
        {"int4[]", "[1,[2]]", ERR_VALUE_TYPE},
        {"int4[]", "[\"1\"]", ERR_VALUE_TYPE},
        {"int4[]", "[2147483648]", ERR_VALUE_RANGE},
        {"int4[]", "{\"a\":1}", ERR_VALUE_TYPE},
        {"text[]", "\"a\"", ERR_VALUE_TYPE},
        {"varchar(2)[]", "[\"abc\"]", ERR_VALUE_LENGTH},
        {"uuid[]", "[\"x\"]", ERR_VALUE_FORM},
        {"bytea[]", "[\"A\"]", ERR_VALUE_FORM},
    };
    for (int i = 0; i < COUNT(BAD); i++) {
        struct arena arena;
        struct value_type type;
        struct cell cell;
        struct error err;
        bool exact;
        arena_init(&arena, 1024 * 1024);
        ck_assert_int_eq(encode(BAD[i].type, BAD[i].json, &type, &arena, &cell, &exact, &err),
                         OUT_REJECT);
        ck_assert_msg(err.code == BAD[i].code, "%s %s", BAD[i].type, BAD[i].json);
        arena_free(&arena);
    }
}
END_TEST

static Suite *value_array_suite(void)
{
    Suite *suite = suite_create("value_array");
    TCase *tcase = tcase_create("value_array");
    tcase_add_loop_test(tcase, there_and_back, 0, COUNT(ROWS));
    tcase_add_test(tcase, refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(value_array_suite)
