/*
 * Values between JSON and PostgreSQL's binary form: cells against known vectors, what is refused,
 * and that a value whose encoding was called exact comes back canonically equal (J12, J13, J21).
 */

#include <stdio.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/value/value.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 16 * 1024 * 1024);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static struct value_type type_of(const char *name, enum value_form form)
{
    struct value_type type;
    ck_assert_msg(value_type_parse(bytes_text(name), &type), "%s", name);
    type.form = form;
    ck_assert_msg(value_form_fits(&type), "%s", name);
    return type;
}

static yyjson_doc *parsed(const char *text)
{
    struct error err = {0};
    yyjson_doc *doc;
    enum outcome outcome = json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", text, err.text);
    return doc;
}

static enum error_code encode(const struct value_type *type, const char *json, struct cell *cell,
                              bool *exact)
{
    struct error err = {0};
    yyjson_doc *doc = parsed(json);
    enum outcome outcome = value_encode(type, yyjson_doc_get_root(doc), &arena, cell, exact, &err);
    yyjson_doc_free(doc);
    ck_assert(outcome == OUT_OK || outcome == OUT_REJECT);
    return outcome == OUT_OK ? ERR_NONE : err.code;
}

/* Decodes and writes as JSON text into `out`; false for a malformed cell. */
static bool decode(const struct value_type *type, struct cell cell, struct buf *out)
{
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = value_decode(type, cell, made);
    buf_reset(out);
    if (val) {
        yyjson_mut_doc_set_root(made, val);
        yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
        json_append(out, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    yyjson_mut_doc_free(made);
    return val != NULL;
}

static const char *hex_of(struct cell cell)
{
    static char text[512];
    ck_assert_int_lt(cell.size, 250);
    text[0] = '\0';
    for (int i = 0; i < cell.size; i++)
        snprintf(text + i * 2, 3, "%02x", (unsigned char)cell.data[i]);
    return text;
}

#define NAT FORM_NATURAL
#define STR FORM_STRING
#define NUM FORM_NUMBER

/* `hex` NULL: not looked at. `decoded` NULL: as the source. */
static const struct {
    const char *type;
    enum value_form form;
    const char *json, *hex;
    bool exact;
    const char *decoded;
} TAKEN[] = {
    {"text", NAT, "\"\"", "", true, NULL},
    {"text", NAT, "\"h\xC3\xA9\"", "68c3a9", true, NULL},
    {"text", NUM, "1.10", "312e3130", true, NULL},
    {"text", NUM, "-0", "2d30", true, NULL},
    {"text", NUM, "1E+2", "31452b32", true, NULL},
    {"varchar(3)", NAT, "\"\xC3\xA9\xF0\x9F\x98\x80z\"", NULL, true, NULL},
    {"varchar(3)", NUM, "1.5", NULL, true, NULL},
    {"varchar", NAT, "\"any\"", NULL, true, NULL},
    {"bool", NAT, "true", "01", true, NULL},
    {"bool", NAT, "false", "00", true, NULL},
    {"bool", STR, "\"true\"", "01", true, NULL},
    {"bool", STR, "\"false\"", "00", true, NULL},
    {"int2", NAT, "-32768", "8000", true, NULL},
    {"int2", NAT, "32767", "7fff", true, NULL},
    {"int4", NAT, "-1", "ffffffff", true, NULL},
    {"int4", NAT, "1.0", "00000001", true, "1"},
    {"int4", NAT, "1e2", "00000064", true, "100"},
    {"int4", NAT, "-0", "00000000", true, "0"},
    {"int4", STR, "\"42\"", "0000002a", true, NULL},
    {"int4", STR, "\"42.0\"", "0000002a", false, "\"42\""},
    {"int4", STR, "\"-0\"", "00000000", false, "\"0\""},
    {"int8", NAT, "9007199254740993", "0020000000000001", true, NULL},
    {"int8", NAT, "9223372036854775807", "7fffffffffffffff", true, NULL},
    {"int8", NAT, "-9223372036854775808", "8000000000000000", true, NULL},
    {"float8", NAT, "1", "3ff0000000000000", true, NULL},
    {"float8", NAT, "0.1", "3fb999999999999a", true, NULL},
    {"float8", NAT, "-0", "0000000000000000", true, "0"},
    {"float8", NAT, "1e300", NULL, true, NULL},
    {"float8", NAT, "1e-308", "000730d67819e8d2", true, NULL}, /* subnormal */
    {"float8", NAT, "1.7976931348623157e308", "7fefffffffffffff", true, NULL},
    {"float8", NAT, "0.30000000000000004", "3fd3333333333334", true, NULL},
    {"float8", NAT, "123456789012345678", NULL, false, "123456789012345680"},
    {"float8", NAT, "9007199254740993", "4340000000000000", false, "9007199254740992"},
    {"float8", NAT, "0.1000000000000000055", "3fb999999999999a", false, "0.1"},
    {"float8", STR, "\"42.5\"", NULL, true, NULL},
    {"float8", STR, "\"42.50\"", NULL, false, "\"42.5\""},
    {"float4", NAT, "0.1", "3dcccccd", true, NULL},
    {"float4", NAT, "16777217", "4b800000", false, "16777216"},
    {"float4", NAT, "0.123456789", NULL, false, "0.12345679"},
    {"float4", NAT, "3.4028235e38", "7f7fffff", true, "340282350000000000000000000000000000000"},
    {"float4", NAT, "1e-45", "00000001", true, NULL},
    {"numeric", NAT, "0", "0000000000000000", true, NULL},
    {"numeric", NAT, "1.10", "0002000000000002000103e8", true, NULL},
    {"numeric", NAT, "42.53176", "0003000000000005002a14c51770", true, NULL},
    {"numeric", NAT, "12345678901234567890123456789012345678.9", NULL, true, NULL},
    {"numeric", NAT, "-1e-300", NULL, true, NULL},
    {"numeric", STR, "\"42.50000\"", NULL, true, NULL},
    {"numeric", STR, "\"4.25e1\"", NULL, false, "\"42.5\""},
    {"numeric", STR, "\"-0\"", NULL, false, "\"0\""},
    {"numeric", STR, "\"0.00\"", NULL, true, NULL},
    {"numeric(10,2)", NAT, "1.5",
     "00020000000000020001"
     "1388",
     true, "1.50"},
    {"numeric(10,2)", NAT, "1.500", NULL, true, "1.50"},
    {"numeric(10,2)", NAT, "-12345678.99", NULL, true, NULL},
    {"numeric(10,2)", STR, "\"1.50\"", NULL, true, NULL},
    {"numeric(10,2)", STR, "\"1.5\"", NULL, false, "\"1.50\""},
    {"numeric(5)", NAT, "99999", NULL, true, NULL},
    {"date", NAT, "\"2024-01-15\"", "0000224c", true, NULL},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00.123Z\"", "0002b1f843c09a78", true, NULL},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00Z\"", NULL, false, "\"2024-01-15T10:30:00.000Z\""},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00.123z\"", NULL, false,
     "\"2024-01-15T10:30:00.123Z\""},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00.1+00\"", NULL, false,
     "\"2024-01-15T10:30:00.100Z\""},
    {"timestamptz", NAT, "\"2024-01-15T11:30:00.000+01:00\"", NULL, false,
     "\"2024-01-15T10:30:00.000Z\""},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00.1234567Z\"", NULL, false,
     "\"2024-01-15T10:30:00.123456Z\""},
    {"timestamp", NAT, "\"2024-01-15T10:30:00.123\"", NULL, true, NULL},
    {"timestamp", NAT, "\"2024-01-15T10:30:00.123Z\"", NULL, false, "\"2024-01-15T10:30:00.123\""},
    {"timestamp", NAT, "\"2024-01-15\"", NULL, false, "\"2024-01-15T00:00:00.000\""},
    {"timestamptz", FORM_EPOCH_S, "1705314600", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_S, "1705314600.123456", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_S, "1705314600.1234567", NULL, false, "1705314600.123456"},
    {"timestamptz", FORM_EPOCH_MS, "1705314600123", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_MS, "1705314600123.5", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_MS, "1.7e12", NULL, true, "1700000000000"},
    {"timestamptz", FORM_EPOCH_MS, "0", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_MS, "-1", NULL, true, NULL},
    {"timestamptz", FORM_EPOCH_MS, "1e-300", NULL, false, "0"},
    {"timestamp", FORM_EPOCH_US, "1705314600123456", NULL, true, NULL},
    {"uuid", NAT, "\"123e4567-e89b-42d3-a456-426614174000\"", "123e4567e89b42d3a456426614174000",
     true, NULL},
    {"uuid", NAT, "\"123E4567-e89b-42d3-a456-426614174000\"", "123e4567e89b42d3a456426614174000",
     false, "\"123e4567-e89b-42d3-a456-426614174000\""},
    {"jsonb", NAT, "{\"b\":[1.10,\"x\"],\"a\":null}", NULL, true, NULL},
    {"jsonb", NAT, "\"s\"", "01227322", true, NULL},
    {"jsonb", NAT, "1e2", NULL, true, NULL},
    {"bytea", NAT, "\"\"", "", true, NULL},
    {"bytea", NAT, "\"AP8=\"", "00ff", true, NULL},
    {"bytea", NAT, "\"+/+/\"", "fbffbf", true, NULL},
};

START_TEST(taken)
{
    struct buf out;
    struct cell cell;
    bool exact;
    buf_init(&out, 65536);
    struct value_type type = type_of(TAKEN[_i].type, TAKEN[_i].form);
    enum error_code code = encode(&type, TAKEN[_i].json, &cell, &exact);
    ck_assert_msg(code == ERR_NONE, "%s %s: %s", TAKEN[_i].type, TAKEN[_i].json,
                  error_code_id(code));
    if (TAKEN[_i].hex)
        ck_assert_str_eq(hex_of(cell), TAKEN[_i].hex);
    ck_assert_msg(exact == TAKEN[_i].exact, "%s %s", TAKEN[_i].type, TAKEN[_i].json);
    ck_assert_msg(decode(&type, cell, &out), "%s %s", TAKEN[_i].type, TAKEN[_i].json);
    const char *decoded = TAKEN[_i].decoded ? TAKEN[_i].decoded : TAKEN[_i].json;
    yyjson_doc *expected = parsed(decoded), *found = parsed(buf_text(&out));
    /* numbers in strings and scales by their characters, the others by what they mean */
    if (TAKEN[_i].form == STR || type.base == VALUE_NUMERIC) {
        if (strchr(decoded, 'e') == NULL || TAKEN[_i].form == STR)
            ck_assert_str_eq(buf_text(&out), decoded);
    }
    ck_assert_msg(canonical_equal(yyjson_doc_get_root(expected), yyjson_doc_get_root(found)),
                  "%s %s gave %s", TAKEN[_i].type, TAKEN[_i].json, buf_text(&out));
    yyjson_doc_free(expected);
    yyjson_doc_free(found);
    buf_free(&out);
}
END_TEST

static const struct {
    const char *type;
    enum value_form form;
    const char *json;
    enum error_code code;
} REFUSED[] = {
    {"text", NUM, "\"1\"", ERR_VALUE_TYPE},
    {"varchar(3)", NAT, "\"abcd\"", ERR_VALUE_LENGTH},
    {"varchar(3)", NAT, "\"abc \"", ERR_VALUE_LENGTH},
    {"varchar(2)", NUM, "123", ERR_VALUE_LENGTH},
    {"bool", STR, "\"TRUE\"", ERR_VALUE_FORM},
    {"bool", STR, "\"1\"", ERR_VALUE_FORM},
    {"bool", STR, "true", ERR_VALUE_TYPE},
    {"int2", NAT, "32768", ERR_VALUE_RANGE},
    {"int2", NAT, "-32769", ERR_VALUE_RANGE},
    {"int4", NAT, "2147483648", ERR_VALUE_RANGE},
    {"int4", NAT, "1.5", ERR_VALUE_RANGE},
    {"int4", STR, "42", ERR_VALUE_TYPE},
    {"int4", STR, "\"042\"", ERR_VALUE_FORM},
    {"int4", STR, "\"\"", ERR_VALUE_FORM},
    {"int4", STR, "\" 42\"", ERR_VALUE_FORM},
    {"int8", NAT, "9223372036854775808", ERR_VALUE_RANGE},
    {"int8", NAT, "18446744073709551616", ERR_VALUE_RANGE},
    {"int8", NAT, "1e30", ERR_VALUE_RANGE},
    {"float8", NAT, "1.8e308", ERR_VALUE_RANGE},
    {"float8", STR, "\"NaN\"", ERR_VALUE_FORM},
    {"float4", NAT, "1e39", ERR_VALUE_RANGE},
    {"float4", NAT, "1e-46", ERR_VALUE_RANGE},
    {"numeric", STR, "\"042.5\"", ERR_VALUE_FORM},
    {"numeric", STR, "\"+1\"", ERR_VALUE_FORM},
    {"numeric", STR, "\"1e400\"", ERR_VALUE_FORM},
    {"numeric(4,1)", NAT, "1.25", ERR_VALUE_RANGE},
    {"numeric(4,1)", NAT, "1000", ERR_VALUE_RANGE},
    {"numeric(4,1)", NAT, "1e-300", ERR_VALUE_RANGE},
    {"numeric(2,2)", NAT, "1", ERR_VALUE_RANGE},
    {"date", NAT, "\"2024-02-30\"", ERR_VALUE_FORM},
    {"date", NAT, "\"2024-01-15T00:00:00Z\"", ERR_VALUE_FORM},
    {"timestamptz", NAT, "\"2024-01-15T10:30:00\"", ERR_VALUE_FORM},
    {"timestamptz", NAT, "\"infinity\"", ERR_VALUE_FORM},
    {"timestamptz", NAT, "1705314600", ERR_VALUE_TYPE},
    {"timestamptz", FORM_EPOCH_S, "1705314600123", ERR_VALUE_RANGE},
    {"timestamptz", FORM_EPOCH_S, "1e300", ERR_VALUE_RANGE},
    {"timestamptz", FORM_EPOCH_S, "\"1705314600\"", ERR_VALUE_TYPE},
    {"uuid", NAT, "\"123e4567e89b42d3a456426614174000\"", ERR_VALUE_FORM},
    {"uuid", NAT, "\"123e4567-e89b-42d3-a456-42661417400g\"", ERR_VALUE_FORM},
    {"uuid", NAT, "\"123e4567_e89b-42d3-a456-426614174000\"", ERR_VALUE_FORM},
    {"uuid", NAT, "\"{123e4567-e89b-42d3-a456-426614174000\"", ERR_VALUE_FORM},
    {"bytea", NAT, "\"AP8\"", ERR_VALUE_FORM},  /* no padding */
    {"bytea", NAT, "\"AP9=\"", ERR_VALUE_FORM}, /* bits left over */
    {"bytea", NAT, "\"AP8=\\n\"", ERR_VALUE_FORM},
    {"bytea", NAT, "\"-_-_\"", ERR_VALUE_FORM}, /* the URL alphabet */
    {"bytea", NAT, "\"AP8=AP8=\"", ERR_VALUE_FORM},
    {"bytea", NAT, "\"====\"", ERR_VALUE_FORM},
};

START_TEST(refused)
{
    struct cell cell;
    bool exact;
    struct value_type type = type_of(REFUSED[_i].type, REFUSED[_i].form);
    enum error_code code = encode(&type, REFUSED[_i].json, &cell, &exact);
    ck_assert_msg(code == REFUSED[_i].code, "%s %s: %s", REFUSED[_i].type, REFUSED[_i].json,
                  error_code_id(code));
    ck_assert_int_eq(cell.size, -1);
}
END_TEST

/* J21: kinds against types, 'y' where the natural form takes the kind. */
START_TEST(kinds)
{
    static const char *const KINDS[] = {"true", "1", "\"1\"", "[1]", "{\"a\":1}", "null"};
    static const struct {
        const char *type, *takes;
    } ROWS[] = {
        {"text", "nnynnn"},   {"varchar(9)", "nnynnn"}, {"bool", "ynnnnn"},
        {"int2", "nynnnn"},   {"int4", "nynnnn"},       {"int8", "nynnnn"},
        {"float4", "nynnnn"}, {"float8", "nynnnn"},     {"numeric", "nynnnn"},
        {"date", "nn-nnn"},   {"timestamp", "nn-nnn"},  {"timestamptz", "nn-nnn"},
        {"uuid", "nn-nnn"},   {"jsonb", "yyyyy-"},      {"bytea", "nn-nnn"},
        {"text[]", "nnn-nn"}, {"jsonb[]", "nnnynn"},
    };
    for (int i = 0; i < COUNT(ROWS); i++) {
        for (int k = 0; k < COUNT(KINDS); k++) {
            struct cell cell;
            bool exact;
            struct value_type type = type_of(ROWS[i].type, NAT);
            enum error_code code = encode(&type, KINDS[k], &cell, &exact);
            if (ROWS[i].takes[k] != '-')
                ck_assert_msg(code == (ROWS[i].takes[k] == 'y' ? ERR_NONE : ERR_VALUE_TYPE),
                              "%s %s: %s", ROWS[i].type, KINDS[k], error_code_id(code));
        }
    }
}
END_TEST

/* ---- the edges ---- */

static const struct {
    const char *type;
    struct cell cell;
} MALFORMED[] = {
    {"bool", {"\x02", 1}},
    {"bool", {"", 0}},
    {"int4", {"\0\0\0", 3}},
    {"int8", {"\0\0\0\0", 4}},
    {"float8", {"\x7F\xF8\0\0\0\0\0\0", 8}}, /* NaN */
    {"float8", {"\x7F\xF0\0\0\0\0\0\0", 8}}, /* infinity */
    {"float4", {"\x7F\x80\0\0", 4}},
    {"numeric", {"\0\0\0\0\xC0\0\0\0", 8}}, /* NaN */
    {"date", {"\x7F\xFF\xFF\xFF", 4}},      /* infinity */
    {"timestamptz", {"\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8}},
    {"timestamp", {"\x80\0\0\0\0\0\0\0", 8}},
    {"uuid", {"0123456789abcde", 15}},
    {"jsonb", {"\x02{}", 3}},
    {"jsonb", {"\x01", 1}},
    {"jsonb", {"\x01{", 2}},
    {"text[]", {"\x01{}", 3}},
    {"text[]", {"\x01[1]", 4}},
    {"int4[]", {"\x01[\"x\"]", 6}},
    {"bool[]", {"\x01[1]", 4}},
    {"float8[]", {"\x01[\"NaN\"]", 8}},
    {"timestamptz[]", {"\x01[\"infinity\"]", 13}},
    {"bytea[]", {"\x01[\"\\\\x0\"]", 8}},
};

START_TEST(malformed_cells)
{
    struct buf out;
    buf_init(&out, 4096);
    struct value_type type = type_of(MALFORMED[_i].type, NAT);
    ck_assert_msg(!decode(&type, MALFORMED[_i].cell, &out), "row %d: %s", _i, buf_text(&out));
    buf_free(&out);
}
END_TEST

/* Every byte in every place of four: only the alphabet of RFC 4648, section 4, is taken. */
START_TEST(base64_takes_its_alphabet_only)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct value_type type = type_of("bytea", NAT);
    for (int byte = 1; byte < 256; byte++) {
        for (int place = 0; place < 4; place++) {
            char text[] = "AAAA";
            text[place] = (char)byte;
            yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
            yyjson_mut_doc_set_root(made, yyjson_mut_strn(made, text, 4));
            yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
            struct cell cell;
            bool exact;
            enum outcome outcome =
                value_encode(&type, yyjson_doc_get_root(doc), &arena, &cell, &exact, NULL);
            bool ok = strchr(ALPHABET, byte) || (byte == '=' && place == 3);
            ck_assert_msg((outcome == OUT_OK) == ok, "byte %d at %d", byte, place);
            yyjson_doc_free(doc);
            yyjson_mut_doc_free(made);
        }
    }
}
END_TEST

START_TEST(a_text_that_should_be_a_number)
{
    struct buf out;
    buf_init(&out, 100);
    struct value_type type = type_of("text", NUM);
    ck_assert(decode(&type, (struct cell){"1.5", 3}, &out));
    ck_assert(!decode(&type, (struct cell){"x", 1}, &out));
    ck_assert(!decode(&type, (struct cell){"", 0}, &out));
    buf_free(&out);
}
END_TEST

/* A full arena and values larger than small buffers. */
START_TEST(large_values)
{
    static const char *const TYPES[] = {"text", "jsonb", "text[]", "bytea"};
    struct buf json, out;
    buf_init(&json, 1024 * 1024);
    buf_init(&out, 1024 * 1024);
    for (int i = 0; i < COUNT(TYPES); i++) {
        struct cell cell;
        bool exact;
        struct value_type type = type_of(TYPES[i], NAT);
        buf_reset(&json);
        buf_append_text(&json, type.array ? "[\"" : "\"");
        for (int k = 0; k < 25000; k++)
            buf_append_text(&json, "AbCd");
        buf_append_text(&json, type.array ? "\"]" : "\"");
        ck_assert_int_eq(encode(&type, buf_text(&json), &cell, &exact), ERR_NONE);
        ck_assert(decode(&type, cell, &out));
        ck_assert_str_eq(buf_text(&out), buf_text(&json));
        arena_free(&arena);
        arena_init(&arena, 1000);
        ck_assert_int_eq(encode(&type, buf_text(&json), &cell, &exact), ERR_JSON_SIZE);
        arena_free(&arena);
        arena_init(&arena, 16 * 1024 * 1024);
    }
    buf_free(&json);
    buf_free(&out);
}
END_TEST

static Suite *value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *tcase = tcase_create("value");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, taken, 0, COUNT(TAKEN));
    tcase_add_loop_test(tcase, refused, 0, COUNT(REFUSED));
    tcase_add_test(tcase, kinds);
    tcase_add_loop_test(tcase, malformed_cells, 0, COUNT(MALFORMED));
    tcase_add_test(tcase, base64_takes_its_alphabet_only);
    tcase_add_test(tcase, a_text_that_should_be_a_number);
    tcase_add_test(tcase, large_values);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(value_suite)
