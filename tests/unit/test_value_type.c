/* Column types by name, and key texts. */

#include <string.h>

#include "common/model/json/json.h"
#include "common/model/value/value.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name, *sql, *param;
    uint32_t oid;
} TYPES[] = {
    {"text", "text", "text[]", 25},
    {"TEXT", "text", "text[]", 25},
    {"varchar(255)", "varchar(255)", "text[]", 25},
    {"varchar", "varchar", "text[]", 25},
    {"character varying (10)", "varchar(10)", "text[]", 25},
    {"boolean", "bool", "bool[]", 16},
    {"smallint", "int2", "int2[]", 21},
    {"int", "int4", "int4[]", 23},
    {"integer", "int4", "int4[]", 23},
    {"bigint", "int8", "int8[]", 20},
    {"real", "float4", "float4[]", 700},
    {"float", "float8", "float8[]", 701},
    {"double  precision", "float8", "float8[]", 701},
    {"numeric", "numeric", "numeric[]", 1700},
    {"numeric( 10 , 2 )", "numeric(10,2)", "numeric[]", 1700},
    {"decimal(5)", "numeric(5,0)", "numeric[]", 1700},
    {"date", "date", "date[]", 1082},
    {"timestamp", "timestamp", "timestamp[]", 1114},
    {"timestamp with time zone", "timestamptz", "timestamptz[]", 1184},
    {"timestamptz", "timestamptz", "timestamptz[]", 1184},
    {"uuid", "uuid", "uuid[]", 2950},
    {"jsonb", "jsonb", "jsonb[]", 3802},
    {"bytea", "bytea", "bytea[]", 17},
    {"text[]", "text[]", "jsonb[]", 3802},
    {"varchar(9) []", "varchar(9)[]", "jsonb[]", 3802},
    {"numeric(10,2)[]", "numeric(10,2)[]", "jsonb[]", 3802},
};

START_TEST(types)
{
    struct buf sql;
    struct value_type type;
    buf_init(&sql, 100);
    ck_assert_msg(value_type_parse(bytes_text(TYPES[_i].name), &type), "%s", TYPES[_i].name);
    value_type_append_sql(&sql, &type);
    ck_assert_str_eq(buf_text(&sql), TYPES[_i].sql);
    ck_assert_str_eq(value_type_param_array(&type), TYPES[_i].param);
    ck_assert_uint_eq(value_type_param_oid(&type), TYPES[_i].oid);
    buf_free(&sql);
}
END_TEST

START_TEST(unknown_types)
{
    static const char *const NAMES[] = {
        "",
        "json",
        "string",
        "txt",
        "text[][]",
        "[]",
        "varchar()",
        "varchar(0)",
        "varchar(-1)",
        "varchar(10",
        "varchar 10",
        "varchar(10)x",
        "varchar(1,2)",
        "varchar(99999999999)",
        "text(5)",
        "int4(3)",
        "numeric(0)",
        "numeric(2,3)",
        "numeric(10,-2)",
        "numeric(1001)",
        "numeric(1,2,3)",
        "numeric(,2)",
        "in teger",
        "timestamp(3)",
        "text; drop table x",
        "a name far longer than any type of any database could ever be, and then some more"};
    struct value_type type;
    for (int i = 0; i < COUNT(NAMES); i++)
        ck_assert_msg(!value_type_parse(bytes_text(NAMES[i]), &type), "%s", NAMES[i]);
    ck_assert(!value_type_parse(bytes_of("text\0", 5), &type));
    for (const char *const *name = value_type_names(); *name; name++)
        ck_assert_msg(value_type_parse(bytes_text(*name), &type), "%s", *name);
}
END_TEST

START_TEST(forms)
{
    static const struct {
        const char *type, *fits; /* natural, loose, string, number, epoch s, ms, us */
    } ROWS[] = {
        {"text", "yynynnn"},      {"varchar(3)", "yynynnn"}, {"bool", "ynynnnn"},
        {"int8", "yyynnnn"},      {"numeric", "yyynnnn"},    {"float4", "yyynnnn"},
        {"date", "ynnnnnn"},      {"uuid", "ynnnnnn"},       {"jsonb", "ynnnnnn"},
        {"timestamp", "yynnyyy"}, {"bytea", "ynnnnnn"},      {"timestamptz", "yynnyyy"},
        {"int8[]", "ynnnnnn"},    {"text[]", "ynnnnnn"},     {"timestamptz[]", "ynnnnnn"},
    };
    for (int i = 0; i < COUNT(ROWS); i++) {
        struct value_type type;
        ck_assert(value_type_parse(bytes_text(ROWS[i].type), &type));
        for (int form = FORM_NATURAL; form <= FORM_EPOCH_US; form++) {
            type.form = (enum value_form)form;
            ck_assert_msg(value_form_fits(&type) == (ROWS[i].fits[form] == 'y'), "%s %d",
                          ROWS[i].type, form);
        }
    }
}
END_TEST

static const struct {
    const char *type, *json, *key;
} KEYS[] = {
    {"text", "\"a:b\"", "a:b"},
    {"text", "\"\"", ""},
    {"varchar(3)", "\"abc\"", "abc"},
    {"bool", "true", "true"},
    {"bool", "false", "false"},
    {"int2", "-5", "-5"},
    {"int4", "1e2", "100"},
    {"int8", "-9223372036854775808", "-9223372036854775808"},
    {"float8", "0.10", "0.1"},
    {"float4", "1.5", "1.5"},
    {"numeric", "1.10", "1.1"},
    {"numeric", "-0.0", "0"},
    {"numeric(10,2)", "1.5", "1.5"},
    {"date", "\"2024-01-15\"", "2024-01-15"},
    {"timestamptz", "\"2024-01-15T11:30:00.5+01:00\"", "1705314600500000"},
    {"timestamp", "\"1969-12-31T23:59:59.999999\"", "-1"},
    {"uuid", "\"123E4567-E89B-42D3-A456-426614174000\"", "123e4567-e89b-42d3-a456-426614174000"},
    {"bytea", "\"AP8=\"", "00ff"},
};

START_TEST(keys)
{
    struct arena arena;
    struct buf key, again;
    struct value_type type;
    struct cell cell, back;
    struct error err = {0};
    yyjson_doc *doc;
    bool exact;
    arena_init(&arena, 65536);
    buf_init(&key, 1000);
    buf_init(&again, 1000);
    ck_assert(value_type_parse(bytes_text(KEYS[_i].type), &type));
    ck_assert_int_eq(json_parse(bytes_text(KEYS[_i].json), JSON_UNICODE_REJECT, NULL, &doc, &err),
                     OUT_OK);
    ck_assert_int_eq(value_encode(&type, yyjson_doc_get_root(doc), &arena, &cell, &exact, &err),
                     OUT_OK);
    ck_assert(value_append_key(&type, cell, &key));
    ck_assert_str_eq(buf_text(&key), KEYS[_i].key);
    ck_assert_int_eq(value_parse_key(&type, buf_view(&key), &arena, &back, &err), OUT_OK);
    if (type.base != VALUE_NUMERIC || type.precision > 0) { /* whose scale is not part of a key */
        ck_assert_int_eq(back.size, cell.size);
        ck_assert_int_eq(memcmp(back.data, cell.data, (size_t)cell.size), 0);
    }
    ck_assert(value_append_key(&type, back, &again));
    ck_assert_str_eq(buf_text(&again), KEYS[_i].key);
    yyjson_doc_free(doc);
    buf_free(&key);
    buf_free(&again);
    arena_free(&arena);
}
END_TEST

START_TEST(bad_keys)
{
    static const struct {
        const char *type, *key;
        enum error_code code;
    } ROWS[] = {
        {"bool", "yes", ERR_VALUE_FORM},
        {"int4", "", ERR_VALUE_FORM},
        {"int4", "x", ERR_VALUE_FORM},
        {"int4", "2147483648", ERR_VALUE_RANGE},
        {"int4", "1.5", ERR_VALUE_RANGE},
        {"date", "2024-02-30", ERR_VALUE_FORM},
        {"timestamptz", "2024", ERR_NONE},
        {"timestamptz", "x", ERR_VALUE_FORM},
        {"timestamptz", "9223372036854775807", ERR_VALUE_FORM},
        {"uuid", "1", ERR_VALUE_FORM},
        {"bytea", "0", ERR_VALUE_FORM},
        {"bytea", "0g", ERR_VALUE_FORM},
        {"jsonb", "{}", ERR_VALUE_FORM},
        {"text[]", "[]", ERR_VALUE_FORM},
        {"numeric(3,1)", "1.25", ERR_VALUE_RANGE},
    };
    struct arena arena;
    arena_init(&arena, 65536);
    for (int i = 0; i < COUNT(ROWS); i++) {
        struct value_type type;
        struct cell cell;
        struct error err = {0};
        ck_assert(value_type_parse(bytes_text(ROWS[i].type), &type));
        (void)!value_parse_key(&type, bytes_text(ROWS[i].key), &arena, &cell, &err);
        ck_assert_msg(err.code == ROWS[i].code, "%s %s", ROWS[i].type, ROWS[i].key);
    }
    struct value_type jsonb;
    struct buf key;
    buf_init(&key, 100);
    ck_assert(value_type_parse(BYTES_LITERAL("jsonb"), &jsonb));
    ck_assert(!value_append_key(&jsonb, (struct cell){"\x01{}", 3}, &key));
    buf_free(&key);
    arena_free(&arena);
}
END_TEST

static const struct {
    const char *type;
    enum value_form form;
    const char *text;
    bool plain;
    const char *json; /* NULL: cannot be one */
} YAML[] = {
    {"text", FORM_NATURAL, "user", true, "\"user\""},
    {"text", FORM_NATURAL, "5", true, "\"5\""},
    {"text", FORM_NATURAL, "", false, "\"\""},
    {"text", FORM_NATURAL, "a\"b\n", false, "\"a\\\"b\\u000a\""},
    {"text", FORM_NUMBER, "1.10", true, "1.10"},
    {"text", FORM_NUMBER, "1.10", false, NULL},
    {"varchar(2)", FORM_NATURAL, "abc", true, NULL},
    {"int4", FORM_NATURAL, "5", true, "5"},
    {"int4", FORM_NATURAL, "5", false, NULL},
    {"int4", FORM_NATURAL, "5.5", true, NULL},
    {"int4", FORM_NATURAL, "0x10", true, NULL},
    {"int4", FORM_NATURAL, "five", true, NULL},
    {"int4", FORM_STRING, "5", true, "\"5\""},
    {"int4", FORM_STRING, "5", false, "\"5\""},
    {"numeric(10,2)", FORM_NATURAL, "0.00", true, "0.00"},
    {"bool", FORM_NATURAL, "true", true, "true"},
    {"bool", FORM_NATURAL, "true", false, NULL},
    {"bool", FORM_NATURAL, "yes", true, NULL},
    {"bool", FORM_STRING, "true", true, "\"true\""},
    {"date", FORM_NATURAL, "2024-01-15", true, "\"2024-01-15\""},
    {"date", FORM_NATURAL, "2024-02-30", true, NULL},
    {"timestamptz", FORM_EPOCH_MS, "0", true, "0"},
    {"timestamptz", FORM_NATURAL, "2024-01-15T10:30:00Z", true, "\"2024-01-15T10:30:00Z\""},
    {"jsonb", FORM_NATURAL, "{}", false, "{}"},
    {"jsonb", FORM_NATURAL, "[1, 2]", false, "[1,2]"},
    {"jsonb", FORM_NATURAL, "word", true, "\"word\""},
    {"text[]", FORM_NATURAL, "[]", false, "[]"},
    {"text[]", FORM_NATURAL, "[\"a\"]", false, "[\"a\"]"},
    {"text[]", FORM_NATURAL, "a", true, NULL},
};

START_TEST(yaml_scalars)
{
    struct value_type type;
    ck_assert(value_type_parse(bytes_text(YAML[_i].type), &type));
    type.form = YAML[_i].form;
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = value_from_yaml(&type, bytes_text(YAML[_i].text), YAML[_i].plain, made);
    ck_assert_msg((val != NULL) == (YAML[_i].json != NULL), "%s %s", YAML[_i].type, YAML[_i].text);
    if (val) {
        struct buf out;
        buf_init(&out, 1000);
        yyjson_mut_doc_set_root(made, val);
        yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
        json_append(&out, yyjson_doc_get_root(doc));
        ck_assert_str_eq(buf_text(&out), YAML[_i].json);
        yyjson_doc_free(doc);
        buf_free(&out);
    }
    yyjson_mut_doc_free(made);
}
END_TEST

static Suite *value_type_suite(void)
{
    Suite *suite = suite_create("value_type");
    TCase *tcase = tcase_create("value_type");
    tcase_add_loop_test(tcase, types, 0, COUNT(TYPES));
    tcase_add_test(tcase, unknown_types);
    tcase_add_test(tcase, forms);
    tcase_add_loop_test(tcase, keys, 0, COUNT(KEYS));
    tcase_add_test(tcase, bad_keys);
    tcase_add_loop_test(tcase, yaml_scalars, 0, COUNT(YAML));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(value_type_suite)
