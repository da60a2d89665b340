/*
 * Reading one record's JSON: the grammar, Unicode, numbers, duplicates, depth (fault rows J01 to
 * J18). Rows hold their size, as texts may hold NULs.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/model/json/json.h"
#include "tests/support/suite.h"

/* The versions of clang-format differ here. */
/* clang-format off */
#define T(text) {text, sizeof(text) - 1}
/* clang-format on */
#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

/* What json_parse gives: compact text of the document, or the code. */
static enum error_code parse_to(struct bytes text, enum json_unicode unicode, struct buf *out,
                                struct error *err)
{
    yyjson_doc *doc;
    if (json_parse(text, unicode, NULL, &doc, err) != OUT_OK) {
        ck_assert_ptr_null(doc);
        return err->code;
    }
    buf_reset(out);
    json_append(out, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return ERR_NONE;
}

/* Grammar that must be taken; `written` NULL = as it is. */
static const struct {
    struct bytes text;
    const char *written;
} ACCEPTED[] = {
    {T("{}"), NULL},
    {T("[]"), NULL},
    {T("null"), NULL},
    {T("true"), NULL},
    {T("\"\""), NULL},
    {T(" [ 1 , 2 ] \n"), "[1,2]"},
    {T("\t\r\n{\"a\" : [ ] , \"b\":{ } }"), "{\"a\":[],\"b\":{}}"},
    {T("[0,-0,-0.0,1e5,1E5,1e+5,1e-5,1.5E-3,123.456]"), NULL},
    {T("[9007199254740993,9223372036854775808,18446744073709551616]"), NULL},
    {T("1234567890123456789012345678901234567890"), NULL},
    {T("12345678901234567890123456789012345678901234567890123456789012345678901234567891"), NULL},
    {T("1e308"), NULL},
    {T("1e-308"), NULL},
    {T("1.100"), NULL},
    {T("{\"\":0}"), NULL},
    {T("{\" \":0,\"  \":1}"), NULL},
    {T("{\"a\":1,\"A\":2}"), NULL},
    {T("{\"\xC3\xA9\":1,\"e\xCC\x81\":2}"), NULL}, /* J16: NFC and NFD are two keys */
    {T("[{\"a\":1},{\"a\":1}]"), NULL},
    {T("{\"a\":{\"a\":{\"a\":1}}}"), NULL},
    {T("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), "[\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\"]"},
    {T("[\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"]"), "[\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]"},
    {T("[\"\xF0\x9F\x98\x80\x7F\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"]"),
     NULL},                           /* noncharacters are fine */
    {T("[\"\xEF\xBB\xBFx\"]"), NULL}, /* a BOM inside a string is a character */
    {T("[\"\xE2\x80\xA8\xE2\x80\xA9\"]"), NULL},
    {T("[\"</script>\"]"), NULL},
    {T("\"\\\\u0000\""), NULL}, /* a backslash and u0000, not a NUL */
};

START_TEST(accepted)
{
    struct error err = {0};
    struct buf out;
    buf_init(&out, 4096);
    struct bytes text = ACCEPTED[_i].text;
    enum error_code code = parse_to(text, JSON_UNICODE_REJECT, &out, &err);
    ck_assert_msg(code == ERR_NONE, "%.*s: %s", BYTES_ARGS(text), err.text);
    const char *written = ACCEPTED[_i].written;
    ck_assert_str_eq(buf_text(&out), written ? written : text.data);
    buf_free(&out);
}
END_TEST

#define FIFTY "12345678901234567890123456789012345678901234567890"

static const struct {
    struct bytes text;
    enum error_code code;
    const char *place; /* where or path; NULL = not looked at */
} REFUSED[] = {
    {T(""), ERR_JSON_SYNTAX, "byte 0"},
    {T("  "), ERR_JSON_SYNTAX, NULL},
    {T("[1,]"), ERR_JSON_SYNTAX, "byte 2"},
    {T("[,1]"), ERR_JSON_SYNTAX, "byte 1"},
    {T("[1,,2]"), ERR_JSON_SYNTAX, "byte 3"},
    {T("[1 2]"), ERR_JSON_SYNTAX, NULL},
    {T("[1]]"), ERR_JSON_SYNTAX, "byte 3"},
    {T("[1}"), ERR_JSON_SYNTAX, NULL},
    {T("{\"a\":1,}"), ERR_JSON_SYNTAX, NULL},
    {T("{\"a\" 1}"), ERR_JSON_SYNTAX, NULL},
    {T("{\"a\"}"), ERR_JSON_SYNTAX, NULL},
    {T("{a:1}"), ERR_JSON_SYNTAX, "byte 1"},
    {T("{'a':1}"), ERR_JSON_SYNTAX, "byte 1"},
    {T("{1:1}"), ERR_JSON_SYNTAX, "byte 1"},
    {T("{\"a\":1 \"b\":2}"), ERR_JSON_SYNTAX, NULL},
    {T("{\"a\"::1}"), ERR_JSON_SYNTAX, NULL},
    {T("[1] x"), ERR_JSON_SYNTAX, "byte 4"},
    {T("{} {}"), ERR_JSON_SYNTAX, "byte 3"},
    {T("[1]//x"), ERR_JSON_SYNTAX, NULL},
    {T("[1/**/]"), ERR_JSON_SYNTAX, NULL},
    {T("\xEF\xBB\xBF{}"), ERR_JSON_SYNTAX, "byte 0"}, /* the file reader takes a BOM off */
    {T("\xFF\xFE{\0}\0"), ERR_JSON_SYNTAX, NULL},
    {T("[True]"), ERR_JSON_SYNTAX, NULL},
    {T("[nul]"), ERR_JSON_SYNTAX, NULL},
    {T("[NaN]"), ERR_JSON_SYNTAX, NULL},
    {T("[Infinity]"), ERR_JSON_SYNTAX, NULL},
    {T("[-Infinity]"), ERR_JSON_SYNTAX, NULL},
    {T("[01]"), ERR_JSON_SYNTAX, NULL},
    {T("[-01]"), ERR_JSON_SYNTAX, NULL},
    {T("[1.]"), ERR_JSON_SYNTAX, NULL},
    {T("[.5]"), ERR_JSON_SYNTAX, NULL},
    {T("[+1]"), ERR_JSON_SYNTAX, NULL},
    {T("[-]"), ERR_JSON_SYNTAX, NULL},
    {T("[--1]"), ERR_JSON_SYNTAX, NULL},
    {T("[1e]"), ERR_JSON_SYNTAX, NULL},
    {T("[1e+]"), ERR_JSON_SYNTAX, NULL},
    {T("[1.e1]"), ERR_JSON_SYNTAX, NULL},
    {T("[1.5.5]"), ERR_JSON_SYNTAX, NULL},
    {T("[0x10]"), ERR_JSON_SYNTAX, NULL},
    {T("[1_000]"), ERR_JSON_SYNTAX, NULL},
    {T("[1\xC2\xA0]"), ERR_JSON_SYNTAX, NULL},
    {T("[\v1]"), ERR_JSON_SYNTAX, NULL},
    {T("[1\0]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"a\nb\"]"), ERR_JSON_SYNTAX, "byte 3"},
    {T("[\"a\tb\"]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"a\0b\"]"), ERR_JSON_SYNTAX, NULL}, /* a raw NUL is no string character */
    {T("[\"\\x41\"]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"\\U0041\"]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"\\u00g0\"]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"\\u004\"]"), ERR_JSON_SYNTAX, NULL},
    {T("[\"\\'\"]"), ERR_JSON_SYNTAX, NULL},
    {T("'a'"), ERR_JSON_SYNTAX, NULL},
    {T("["), ERR_JSON_TRUNCATED, "byte 1"},
    {T("{\"a\":"), ERR_JSON_TRUNCATED, NULL},
    {T("{\"a\":1,"), ERR_JSON_TRUNCATED, NULL},
    {T("[\"abc"), ERR_JSON_TRUNCATED, NULL},
    {T("[\"ab\\"), ERR_JSON_TRUNCATED, NULL},
    {T("[\"ab\\u00"), ERR_JSON_TRUNCATED, NULL},
    {T("[\"\xE2\x82"), ERR_JSON_TRUNCATED, NULL},
    {T("[1,2"), ERR_JSON_TRUNCATED, NULL},
    {T("[tru"), ERR_JSON_TRUNCATED, NULL},
    {T("[\"\\ud800\"]"), ERR_JSON_UNICODE, "byte 2"}, /* J04 */
    {T("[\"\\udc00\"]"), ERR_JSON_UNICODE, "byte 2"},
    {T("[\"\\ude00\\ud83d\"]"), ERR_JSON_UNICODE, "byte 2"},
    {T("[\"\\ud83d\\u0041\"]"), ERR_JSON_UNICODE, "byte 2"},
    {T("[\"abc\\ud83dxyz\"]"), ERR_JSON_UNICODE, "byte 5"},
    {T("{\"\\ud800\":1}"), ERR_JSON_UNICODE, "byte 2"},
    {T("[\"\xFF\"]"), ERR_JSON_UNICODE, "byte 2"}, /* J05 */
    {T("[\"\x80\"]"), ERR_JSON_UNICODE, "byte 2"},
    {T("[\"\xC0\xAF\"]"), ERR_JSON_UNICODE, "byte 2"},         /* overlong */
    {T("[\"\xE0\x80\xAF\"]"), ERR_JSON_UNICODE, "byte 2"},     /* overlong */
    {T("[\"\xED\xA0\x80\"]"), ERR_JSON_UNICODE, "byte 2"},     /* a surrogate in UTF-8 */
    {T("[\"\xF4\x90\x80\x80\"]"), ERR_JSON_UNICODE, "byte 2"}, /* beyond U+10FFFF */
    {T("[\"ok\",\"\xE2\x82\"]"), ERR_JSON_UNICODE, "byte 7"},
    {T("{\"a\":[1,\"x\\u0000y\"]}"), ERR_JSON_NUL, "/a/1"}, /* J03 */
    {T("{\"a\":{\"\\u0000\":1}}"), ERR_JSON_NUL, NULL},
    {T("\"\\u0000\""), ERR_JSON_NUL, ""},
    {T("{\"a\":1e400}"), ERR_JSON_NUMBER, "/a"}, /* J10, J11 */
    {T("[1e131071]"), ERR_JSON_NUMBER, "/0"},
    {T("[0,[1e999999999]]"), ERR_JSON_NUMBER, "/1/0"},
    {T("[1e-400]"), ERR_JSON_NUMBER, "/0"},
    {T("[" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "1234567891]"), ERR_JSON_NUMBER, "/0"},
    {T("{\"a/b\":{\"c~d\":1e400}}"), ERR_JSON_NUMBER, "/a~1b/c~0d"},
    {T("{\"a\":1,\"a\":2}"), ERR_JSON_DUPLICATE, "/a"}, /* J14 */
    {T("{\"a\":1,\"\\u0061\":2}"), ERR_JSON_DUPLICATE, "/a"},
    {T("{\"tenantId\":\"A\",\"b\":1,\"\\u0074enantId\":\"B\"}"), ERR_JSON_DUPLICATE, "/tenantId"},
    {T("[{\"x\":{\"abcdefghij\":1,\"k\":2,\"abcdefghij\":3}}]"), ERR_JSON_DUPLICATE,
     "/0/x/abcdefghij"},
    {T("{\"\":1,\"\":2}"), ERR_JSON_DUPLICATE, "/"},
};

START_TEST(refused)
{
    struct error err = {0};
    struct buf out;
    buf_init(&out, 4096);
    enum error_code code = parse_to(REFUSED[_i].text, JSON_UNICODE_REJECT, &out, &err);
    ck_assert_msg(code == REFUSED[_i].code, "row %d: %s, %s", _i, error_code_id(code), err.text);
    const char *place = REFUSED[_i].place;
    if (place && err.where[0])
        ck_assert_str_eq(err.where, place);
    else if (place)
        ck_assert_str_eq(err.path, place);
    ck_assert(json_parse(REFUSED[_i].text, JSON_UNICODE_REJECT, NULL, &(yyjson_doc *){0}, NULL) ==
              OUT_REJECT);
    buf_free(&out);
}
END_TEST

#define FFFD "\xEF\xBF\xBD"

static const struct {
    struct bytes text;
    const char *written; /* NULL: still refused, with `code` */
    enum error_code code;
} REPLACED[] = {
    {T("[\"a\\u0000b\"]"), "[\"a" FFFD "b\"]", 0},
    {T("{\"a\\u0000b\":1}"), "{\"a" FFFD "b\":1}", 0},
    {T("[\"\\ud800\"]"), "[\"" FFFD "\"]", 0},
    {T("[\"\\ud800\\u0041\"]"), "[\"" FFFD "A\"]", 0},
    {T("[\"\\udc00\\ud800\"]"), "[\"" FFFD FFFD "\"]", 0},
    {T("[\"\\ud800\\ud83d\\ude00\"]"), "[\"" FFFD "\xF0\x9F\x98\x80\"]", 0},
    {T("[\"x\xFFy\"]"), "[\"x" FFFD "y\"]", 0},
    {T("[\"\xED\xA0\x80\"]"), "[\"" FFFD FFFD FFFD "\"]", 0},
    {T("[\"\xE2\x82\"]"), "[\"" FFFD FFFD "\"]", 0},
    {T("[\"\\u0000\\ud800\xFF\",1.10]"), "[\"" FFFD FFFD FFFD "\",1.10]", 0},
    {T("[\"\\\\u0000\\u0000\"]"), "[\"\\\\u0000" FFFD "\"]", 0},
    {T("[\"fine\"]"), "[\"fine\"]", 0},
    {T("{\"\\ud800\":1,\"\\udc00\":2}"), NULL, ERR_JSON_DUPLICATE}, /* the repair made them equal */
    {T("[\"\\ud800\",1e400]"), NULL, ERR_JSON_NUMBER},
    {T("[\"\\ud800\",]"), NULL, ERR_JSON_SYNTAX},
    {T("[\"a\0b\"]"), NULL, ERR_JSON_SYNTAX},
    {T("[\xFF]"), NULL, ERR_JSON_SYNTAX}, /* outside of a string nothing is replaced */
    {T("[\"\\ud8"), NULL, ERR_JSON_TRUNCATED},
};

START_TEST(replaced)
{
    struct error err = {0};
    struct buf out;
    buf_init(&out, 4096);
    enum error_code code = parse_to(REPLACED[_i].text, JSON_UNICODE_REPLACE, &out, &err);
    ck_assert_msg(code == REPLACED[_i].code, "row %d: %s", _i, error_code_id(code));
    if (REPLACED[_i].written)
        ck_assert_str_eq(buf_text(&out), REPLACED[_i].written);
    buf_free(&out);
}
END_TEST

static void nest(struct buf *out, const char *open, const char *close, int levels)
{
    buf_reset(out);
    for (int i = 0; i < levels; i++)
        buf_append_text(out, open);
    buf_append_text(out, "0");
    for (int i = 0; i < levels && close; i++)
        buf_append_text(out, close);
}

/* J17. Depth counts containers, whatever they are. */
START_TEST(depth)
{
    static const struct {
        const char *open, *close;
        int max; /* how often it may be nested */
    } ROWS[] = {
        {"[", "]", 256},
        {"{\"a\":", "}", 256},
        {"[{\"\":", "}]", 128},
        {"[0,[],", "]", 255},
    };
    struct buf text, out;
    struct error err = {0};
    buf_init(&text, 1024 * 1024);
    buf_init(&out, 1024 * 1024);
    for (int i = 0; i < COUNT(ROWS); i++) {
        nest(&text, ROWS[i].open, ROWS[i].close, ROWS[i].max);
        ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err), ERR_NONE);
        ck_assert_uint_eq(out.size, text.size);
        nest(&text, ROWS[i].open, ROWS[i].close, ROWS[i].max + 1);
        ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err),
                         ERR_JSON_DEPTH);
    }
    buf_free(&text);
    buf_free(&out);
}
END_TEST

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* J17: 250 kB of open brackets within 10 ms; a sanitized build is given ten times that. */
START_TEST(bracket_bombs_are_refused_quickly)
{
    static const struct {
        const char *open, *close;
        int levels;
    } ROWS[] = {{"[{\"\":", NULL, 50000}, {"[", "]", 100000}, {"[", NULL, 250000}};
    struct buf text, out;
    struct error err = {0};
    buf_init(&text, 1024 * 1024);
    buf_init(&out, 1024);
    for (int i = 0; i < COUNT(ROWS); i++) {
        nest(&text, ROWS[i].open, ROWS[i].close, ROWS[i].levels);
        double from = milliseconds();
        ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err),
                         ERR_JSON_DEPTH);
        ck_assert_msg(milliseconds() - from < 100, "row %d", i);
    }
    buf_free(&text);
    buf_free(&out);
}
END_TEST

static void append_members(struct buf *out, int count, const char *format)
{
    buf_append_char(out, '{');
    for (int i = 0; i < count; i++) {
        buf_append_text(out, i ? "," : "");
        buf_append_format(out, format, i);
    }
}

/* Objects of every size around the limits of the sort: a duplicate is found wherever it is. */
START_TEST(duplicates_in_objects_of_any_size)
{
    struct buf text, out;
    struct error err = {0};
    buf_init(&text, 1024 * 1024);
    buf_init(&out, 1024 * 1024);
    for (int size = 1; size < 100; size++) {
        buf_reset(&text);
        append_members(&text, size, "\"common-prefix-%d\":1");
        buf_append_char(&text, '}');
        ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err), ERR_NONE);
        text.size--;
        buf_append_format(&text, ",\"common-prefix-%d\":2}", size / 2);
        ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err),
                         ERR_JSON_DUPLICATE);
    }
    buf_free(&text);
    buf_free(&out);
}
END_TEST

/* J18: an object of 100,000 members, keys sharing all but their last bytes. */
START_TEST(many_members)
{
    struct buf text, out;
    struct error err = {0};
    buf_init(&text, 16 * 1024 * 1024);
    buf_init(&out, 16 * 1024 * 1024);
    append_members(&text, 100000, "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d\":1");
    buf_append_char(&text, '}');
    double from = milliseconds();
    ck_assert_int_eq(parse_to(buf_view(&text), JSON_UNICODE_REJECT, &out, &err), ERR_NONE);
    ck_assert(milliseconds() - from < 3000); /* quadratic would be minutes */
    buf_free(&text);
    buf_free(&out);
}
END_TEST

/* A pool that is too small is not a failure; one that fits is used. */
START_TEST(pools)
{
    static char pool[64 * 1024], large[100 * 1024];
    yyjson_alc alc;
    yyjson_doc *doc;
    large[0] = '"';
    memset(large + 1, 'x', sizeof(large) - 2);
    large[sizeof(large) - 1] = '"';
    ck_assert(yyjson_alc_pool_init(&alc, pool, sizeof(pool)));
    for (int i = 0; i < 1000; i++) {
        struct bytes text =
            i % 2 ? bytes_of(large, sizeof(large)) : BYTES_LITERAL("{\"a\":[1,2,3]}");
        ck_assert_int_eq(json_parse(text, JSON_UNICODE_REJECT, &alc, &doc, NULL), OUT_OK);
        char *at = (char *)yyjson_doc_get_root(doc);
        ck_assert_int_eq(at >= pool && at < pool + sizeof(pool), i % 2 == 0);
        yyjson_doc_free(doc);
    }
}
END_TEST

START_TEST(the_document_outlives_the_text)
{
    char text[] = "{\"a\":[\"x\",1.50]}";
    struct buf out;
    yyjson_doc *doc;
    buf_init(&out, 100);
    ck_assert_int_eq(json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, NULL), OUT_OK);
    memset(text, '!', sizeof(text));
    json_append(&out, yyjson_doc_get_root(doc));
    ck_assert_str_eq(buf_text(&out), "{\"a\":[\"x\",1.50]}");
    yyjson_doc_free(doc);
    buf_free(&out);
}
END_TEST

/* Each byte at each place of a text longer than the words that are looked at as a whole. */
START_TEST(every_byte_is_escaped_or_not)
{
    struct buf out;
    buf_init(&out, 100);
    for (int byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 20; place++) {
            char text[20], expected[64], escape[8];
            memset(text, 'x', sizeof(text));
            text[place] = (char)byte;
            snprintf(escape, sizeof(escape), byte < 0x20 ? "\\u%04x" : "\\%c", (unsigned)byte);
            bool escaped = byte < 0x20 || byte == '"' || byte == '\\';
            int size = snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)place, text,
                                escaped ? escape : (char[]){(char)byte, '\0'},
                                (int)(sizeof(text) - place - 1), text + place + 1);
            buf_reset(&out);
            json_append_string(&out, bytes_of(text, sizeof(text)));
            ck_assert_msg(bytes_equal(buf_view(&out), bytes_of(expected, (size_t)size)),
                          "byte %d at %zu", byte, place);
        }
    }
    buf_free(&out);
}
END_TEST

START_TEST(pointers)
{
    static const struct {
        const char *pointer, *found;
    } ROWS[] = {
        {"", "{\"a\":{\"b/c\":[1,{\"~\":2}]},\"\":3}"},
        {"/a/b~1c/1/~0", "2"},
        {"/a/b~1c/0", "1"},
        {"/", "3"},
        {"/a/b~1c/2", NULL},
        {"/a/b~1c/-", NULL},
        {"/a/b~1c/00", NULL},
        {"/x", NULL},
        {"/a/b/c", NULL},
        {"a", NULL},
    };
    struct buf out;
    yyjson_doc *doc;
    buf_init(&out, 100);
    ck_assert_int_eq(json_parse(bytes_text(ROWS[0].found), JSON_UNICODE_REJECT, NULL, &doc, NULL),
                     OUT_OK);
    for (int i = 0; i < COUNT(ROWS); i++) {
        yyjson_val *val = json_at(yyjson_doc_get_root(doc), bytes_text(ROWS[i].pointer));
        ck_assert_msg((val != NULL) == (ROWS[i].found != NULL), "%s", ROWS[i].pointer);
        if (!val)
            continue;
        buf_reset(&out);
        json_append(&out, val);
        ck_assert_str_eq(buf_text(&out), ROWS[i].found);
    }
    yyjson_doc_free(doc);
    buf_free(&out);
}
END_TEST

/* No byte of a payload's values may be in an error; names of members may, made safe. */
START_TEST(errors_hold_no_payload)
{
    static const char *const ROWS[] = {
        "{\"a\":\"SECRET\",\"a\":\"SECRET\"}",
        "[\"SECRET\\ud800\"]",
        "[\"SECRET\xFF\"]",
        "[\"SECRET\\u0000\"]",
        "[\"SECRET",
        "[SECRET]",
    };
    for (int i = 0; i < COUNT(ROWS); i++) {
        char shown[2048];
        struct error err;
        yyjson_doc *doc;
        ck_assert_int_eq(json_parse(bytes_text(ROWS[i]), JSON_UNICODE_REJECT, NULL, &doc, &err),
                         OUT_REJECT);
        error_format(&err, shown, sizeof(shown));
        ck_assert_ptr_null(strstr(shown, "SECRET"));
    }
    struct error err;
    yyjson_doc *doc;
    struct bytes text = BYTES_LITERAL("{\"\\u001b[31m\":1e400}");
    ck_assert_int_eq(json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, &err), OUT_REJECT);
    ck_assert_ptr_null(strchr(err.path, 27));
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_add_loop_test(tcase, accepted, 0, COUNT(ACCEPTED));
    tcase_add_loop_test(tcase, refused, 0, COUNT(REFUSED));
    tcase_add_loop_test(tcase, replaced, 0, COUNT(REPLACED));
    tcase_add_test(tcase, depth);
    tcase_add_test(tcase, bracket_bombs_are_refused_quickly);
    tcase_add_test(tcase, duplicates_in_objects_of_any_size);
    tcase_add_test(tcase, many_members);
    tcase_add_test(tcase, pools);
    tcase_add_test(tcase, the_document_outlives_the_text);
    tcase_add_test(tcase, every_byte_is_escaped_or_not);
    tcase_add_test(tcase, pointers);
    tcase_add_test(tcase, errors_hold_no_payload);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(json_suite)
