/* Walking through documents: what is entered, captured, read and skipped, wherever chunks end. */
#include "common/model/json/json_walk.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "tests/support/suite.h"

#define LIMIT 40 /* bytes captured in these tests */

/* What a test does with values: containers are entered down to `depth`; below, and with what is no
 * container, 'c' captures, 's' skips, 'r' reads strings and captures the rest. */
struct manner {
    size_t depth;
    char leaf;
    bool many;
};

struct telling {
    struct buf out;
    size_t depth;
    bool in_string;
};

static void choose(struct json_walk *walk, struct telling *telling, const struct manner *manner,
                   char kind)
{
    bool container = kind == '{' || kind == '[';
    if (container && telling->depth < manner->depth) {
        telling->depth++;
        json_walk_enter(walk);
    } else if (manner->leaf == 's') {
        json_walk_skip(walk);
    } else if (manner->leaf == 'r' && kind == '"') {
        json_walk_read(walk);
    } else {
        json_walk_capture(walk);
    }
}

static void tell_place(struct buf *out, const char *what, const struct json_walk_step *step)
{
    buf_append_format(out, "%s%s%zu:%zu@%zu", out->size ? "\n" : "", what, (size_t)step->line,
                      (size_t)step->column, (size_t)step->byte);
}

/* Parts are told as one text: where they end is free. */
static void tell_part(struct telling *telling, const struct json_walk_step *step)
{
    if (!telling->in_string)
        buf_append_text(&telling->out, " <");
    telling->in_string = !step->last;
    buf_append_bytes(&telling->out, step->text);
    if (step->last)
        buf_append_char(&telling->out, '>');
}

static void tell(struct telling *telling, enum json_walk_result result,
                 const struct json_walk_step *step, const struct error *err)
{
    struct buf *out = &telling->out;
    switch (result) {
    case JSON_WALK_VALUE:
        tell_place(out, "", step);
        buf_append_format(out, "#%zu ", (size_t)step->index);
        buf_append_bytes(out, step->name);
        buf_append_char(out, step->kind);
        break;
    case JSON_WALK_CAPTURED:
        buf_append_text(out, " = ");
        buf_append_bytes(out, step->text);
        break;
    case JSON_WALK_PART:
        tell_part(telling, step);
        break;
    case JSON_WALK_LEFT:
        buf_append_text(out, " LEFT");
        telling->depth--;
        break;
    case JSON_WALK_REJECTED:
        buf_append_format(out, " %s", error_code_id(err->code) + 4);
        telling->in_string = false;
        break;
    case JSON_WALK_BROKEN:
        tell_place(out, "BROKEN ", step);
        buf_append_format(out, " %s", error_code_id(err->code) + 4);
        break;
    default:
        break;
    }
}

/* All that a walk says, fed in chunks of the given sizes in turn (0: the rest), each in memory of
 * its own. The caller frees. */
static char *said(struct json_walk *walk, const struct manner *manner, struct bytes text,
                  size_t first, size_t others)
{
    struct telling telling = {0};
    buf_init(&telling.out, 1 << 24);
    char *chunk = NULL;
    size_t at = 0;
    size_t size = first;
    for (;;) {
        struct json_walk_step step;
        struct error err;
        enum json_walk_result result = json_walk_next(walk, &step, &err);
        if (result == JSON_WALK_END)
            break;
        tell(&telling, result, &step, &err);
        if (result == JSON_WALK_BROKEN) {
            ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_END);
            break;
        }
        if (result == JSON_WALK_VALUE)
            choose(walk, &telling, manner, step.kind);
        if (result != JSON_WALK_MORE)
            continue;
        free(chunk);
        chunk = NULL;
        if (at == text.size) {
            json_walk_finish(walk);
            continue;
        }
        if (size == 0 || size > text.size - at)
            size = text.size - at;
        chunk = malloc(size);
        ck_assert_ptr_nonnull(chunk);
        memcpy(chunk, text.data + at, size);
        json_walk_feed(walk, bytes_of(chunk, size));
        at += size;
        size = others;
    }
    free(chunk);
    char *copy = calloc(1, telling.out.size + 1);
    ck_assert_ptr_nonnull(copy);
    if (telling.out.size)
        memcpy(copy, telling.out.data, telling.out.size);
    buf_free(&telling.out);
    return copy;
}

/* The text of 64 bytes and more, so that the scan's blocks are used too. */
#define LONG "0123456789 123456789 223456789 323456789 423456789 523456789 623456789 7"

static const struct {
    const char *name;
    struct manner manner;
    const char *text;
    const char *says;
} ROWS[] = {
    {"empty", {0, 'c', false}, " \n", ""},
    {"one scalar", {0, 'c', false}, " -1.5e3\n", "1:2@1#0 n = -1.5e3"},
    {"one scalar, to the end", {0, 'c', false}, "true", "1:1@0#0 n = true"},
    {"one string", {0, 'c', false}, "\"a\\\"b\"", "1:1@0#0 \" = \"a\\\"b\""},
    {"one object", {0, 'c', false}, "{\"a\":[1,\"]\"]} ", "1:1@0#0 { = {\"a\":[1,\"]\"]}"},
    {"mark", {1, 'c', false}, "\xEF\xBB\xBF[1]", "1:1@3#0 [\n1:2@4#0 n = 1 LEFT"},
    {"members",
     {1, 'c', false},
     "{\"a\": 1,\n \"b\" : [2, {}], \"\":\"x\"}",
     "1:1@0#0 {\n1:7@6#0 an = 1\n2:8@16#1 b[ = [2, {}]\n2:20@28#2 \" = \"x\" LEFT"},
    {"elements",
     {1, 'c', false},
     "[ [], {} ,null ]",
     "1:1@0#0 [\n1:3@2#0 [ = []\n1:7@6#1 { = {}\n1:11@10#2 n = null LEFT"},
    {"empty containers",
     {2, 'c', false},
     "[{}, [ ], { }]",
     "1:1@0#0 [\n1:2@1#0 { LEFT\n1:6@5#1 [ LEFT\n1:11@10#2 { LEFT LEFT"},
    {"names and places survive what is entered",
     {2, 'c', false},
     "{\"a\":{\"x\":1},\"b\":{\"y\":2,\"z\":3}}",
     "1:1@0#0 {\n1:6@5#0 a{\n1:11@10#0 xn = 1 LEFT\n1:18@17#1 b{\n1:23@22#0 yn = 2\n"
     "1:29@28#1 zn = 3 LEFT LEFT"},
    {"skipped",
     {1, 's', false},
     "{\"a\":{\"b\":\"}\\\"\"},\"c\":\"\\\\\",\"d\":12,\"e\":[" LONG "]}",
     "1:1@0#0 {\n1:6@5#0 a{\n1:22@21#1 c\"\n1:31@30#2 dn\n1:38@37#3 e[ LEFT"},
    {"skipped, long strings",
     {1, 's', false},
     "[\"" LONG LONG "\",{\"" LONG "\":\"" LONG "\\\"\"}]",
     "1:1@0#0 [\n1:2@1#0 \"\n1:149@148#1 { LEFT"},
    {"names with escapes",
     {1, 'c', false},
     "{\"\\u00e9\\n\\\"\":1,\"\\ud83d\\ude00\":2,\"\\ud83d\":3,\"a\\ude00b\":4,\"\xC3\xA9\":5}",
     "1:1@0#0 {\n1:15@14#0 \xC3\xA9\n\"n = 1\n1:32@31#1 \xF0\x9F\x98\x80n = 2\n"
     "1:43@42#2 \xED\xA0\xBDn = 3\n1:56@55#3 a\xED\xB8\x80"
     "bn = 4\n1:63@62#4 \xC3\xA9n = 5 LEFT"},
    /* strings read */
    {"read", {0, 'r', false}, "\"a\\tb\\/\\\\\\\"\\b\\f\\r\\n\"", "1:1@0#0 \" <a\tb/\\\"\b\f\r\n>"},
    {"read nothing",
     {1, 'r', false},
     "[\"\",\"\"]",
     "1:1@0#0 [\n1:2@1#0 \" <>\n1:5@4#1 \" <> LEFT"},
    {"read characters",
     {0, 'r', false},
     "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\\u20ac\\uD83D\\uDE00\\u0041\\u007f\\u0080\\uffff\"",
     "1:1@0#0 \" <\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x82\xAC\xF0\x9F\x98\x80"
     "A\x7F\xC2\x80\xEF\xBF\xBF>"},
    {"read lone surrogates",
     {0, 'r', false},
     "\"\\ud83d\\u0041\\ude00\\ud83d\\ud83d\\ude00\\ud800\\n\\ud800x\\ud800\"",
     "1:1@0#0 \" <\xED\xA0\xBD"
     "A\xED\xB8\x80\xED\xA0\xBD\xF0\x9F\x98\x80\xED\xA0\x80\n\xED\xA0\x80x\xED\xA0\x80>"},
    {"read bytes that are no characters",
     {0, 'r', false},
     "\"\x80\xC3|\xE2\x82|\xF0\x9F\x98\xFF\xF0\x9F\xE2\x82\"",
     "1:1@0#0 \" <\x80\xC3|\xE2\x82|\xF0\x9F\x98\xFF\xF0\x9F\xE2\x82>"},
    {"read a bad escape, and go on",
     {1, 'r', false},
     "[\"ab\\x\\\"c\",\"d\\u00g1\",\"\\ud83d\\u12\",1]",
     "1:1@0#0 [\n1:2@1#0 \" <ab J001\n1:12@11#1 \" <d J001\n"
     "1:22@21#2 \" <\xED\xA0\xBD J001\n1:35@34#3 n = 1 LEFT"},
    {"read a control character escaped, and go on",
     {1, 'r', false},
     "[\"a\\\nb\",1]",
     "1:1@0#0 [\n1:2@1#0 \" <a J001\n2:4@8#1 n = 1 LEFT"},
    /* limits */
    {"too large, and go on",
     {1, 'c', false},
     "[\"" LONG "\",{\"a\":\"" LONG "\"},[1,2,3]," LONG "]",
     "1:1@0#0 [\n1:2@1#0 \" J007\n1:77@76#1 { J007\n1:158@157#2 [ = [1,2,3]\n"
     "1:166@165#3 n = 0123456789\nBROKEN 1:177@176 J001"},
    {"as large as allowed",
     {1, 'c', false},
     "[\"34567890123456789012345678901234567890\",\"345678901234567890123456789012345678901\","
     "1234567890123456789012345678901234567890,12345678901234567890123456789012345678901]",
     "1:1@0#0 [\n1:2@1#0 \" = \"34567890123456789012345678901234567890\"\n1:43@42#1 \" J007\n"
     "1:85@84#2 n = 1234567890123456789012345678901234567890\n1:126@125#3 n J007 LEFT"},
    /* several documents */
    {"many",
     {1, 'c', true},
     "{\"a\":1}\n{\"a\":2}\n[3] 4",
     "1:1@0#0 {\n1:6@5#0 an = 1 LEFT\n2:1@8#1 {\n2:6@13#0 an = 2 LEFT\n3:1@16#2 [\n"
     "3:2@17#0 n = 3 LEFT\n3:5@20#3 n = 4"},
    {"many, none", {1, 'c', true}, "\n", ""},
    {"many, the last one cut",
     {0, 'c', true},
     "{\"a\":1}\n{\"a\"",
     "1:1@0#0 { = {\"a\":1}\n2:1@8#1 {\nBROKEN 2:5@12 J009"},
    /* broken */
    {"two documents", {0, 'c', false}, "1 2", "1:1@0#0 n = 1\nBROKEN 1:3@2 J001"},
    {"not JSON", {0, 'c', false}, "# dump", "BROKEN 1:1@0 J001"},
    {"a comma too many", {1, 'c', false}, "[1,]", "1:1@0#0 [\n1:2@1#0 n = 1\nBROKEN 1:4@3 J001"},
    {"a comma first", {1, 'c', false}, "[,1]", "1:1@0#0 [\nBROKEN 1:2@1 J001"},
    {"a comma missing", {1, 'c', false}, "[1 2]", "1:1@0#0 [\n1:2@1#0 n = 1\nBROKEN 1:4@3 J001"},
    {"the wrong bracket", {1, 'c', false}, "[1}", "1:1@0#0 [\n1:2@1#0 n = 1\nBROKEN 1:3@2 J001"},
    {"a comma before the end",
     {1, 'c', false},
     "{\"a\":1,}",
     "1:1@0#0 {\n1:6@5#0 an = 1\nBROKEN 1:8@7 J001"},
    {"no name", {1, 'c', false}, "{a:1}", "1:1@0#0 {\nBROKEN 1:2@1 J001"},
    {"no colon", {1, 'c', false}, "{\"a\" 1}", "1:1@0#0 {\nBROKEN 1:6@5 J001"},
    {"no value", {1, 'c', false}, "{\"a\":}", "1:1@0#0 {\nBROKEN 1:6@5 J001"},
    {"a bad escape in a name", {1, 'c', false}, "{\"a\\x\":1}", "1:1@0#0 {\nBROKEN 1:4@3 J001"},
    {"a control character in a name",
     {1, 'c', false},
     "{\"a\n\":1}",
     "1:1@0#0 {\nBROKEN 1:4@3 J001"},
    {"a control character, captured", {0, 'c', false}, "\"a\n\"", "1:1@0#0 \"\nBROKEN 1:3@2 J001"},
    {"a control character, read", {0, 'r', false}, "\"a\x01\"", "1:1@0#0 \" <a\nBROKEN 1:3@2 J001"},
    {"a quote missing inside",
     {1, 'c', false},
     "[{\"a\":\"x},{\"b\":1}]",
     "1:1@0#0 [\n1:2@1#0 {\nBROKEN 1:13@12 J001"},
    {"brackets crossed inside", {0, 'c', false}, "{\"a\":[}]}", "1:1@0#0 {\nBROKEN 1:7@6 J001"},
    /* cut */
    {"cut in the list", {1, 'c', false}, "[1,", "1:1@0#0 [\n1:2@1#0 n = 1\nBROKEN 1:4@3 J009"},
    {"cut in the list's beginning", {1, 'c', false}, "[ ", "1:1@0#0 [\nBROKEN 1:3@2 J009"},
    {"cut in a name", {1, 'c', false}, "{\"a", "1:1@0#0 {\nBROKEN 1:4@3 J009"},
    {"cut behind a name", {1, 'c', false}, "{\"a\"", "1:1@0#0 {\nBROKEN 1:5@4 J009"},
    {"cut behind a colon", {1, 'c', false}, "{\"a\":\n", "1:1@0#0 {\nBROKEN 2:1@6 J009"},
    {"cut in brackets", {0, 'c', false}, "{\"a\":[\"x", "1:1@0#0 {\nBROKEN 1:9@8 J009"},
    {"cut in a string", {0, 'c', false}, "\"ab\\", "1:1@0#0 \"\nBROKEN 1:5@4 J009"},
    {"cut in a string, skipped", {0, 's', false}, "\"ab", "1:1@0#0 \"\nBROKEN 1:4@3 J009"},
    {"cut in an escape, read", {0, 'r', false}, "\"ab\\u00", "1:1@0#0 \" <ab\nBROKEN 1:8@7 J009"},
};

#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static void check_row(size_t row, size_t first, size_t others)
{
    struct json_walk *walk = json_walk_new(LIMIT);
    if (ROWS[row].manner.many)
        json_walk_allow_many(walk);
    struct bytes text = bytes_text(ROWS[row].text);
    for (int again = 0; again < 2; again++) { /* a walk begins again as if it were new */
        char *says = said(walk, &ROWS[row].manner, text, first, others);
        ck_assert_msg(strcmp(says, ROWS[row].says) == 0,
                      "%s (chunks of %zu, then %zu):\n%s\nnot:\n%s", ROWS[row].name, first, others,
                      says, ROWS[row].says);
        free(says);
        json_walk_reset(walk);
    }
    json_walk_free(walk);
}

START_TEST(says_what_is_there)
{
    check_row((size_t)_i, 0, 0);
}
END_TEST

START_TEST(says_the_same_however_it_is_cut)
{
    size_t size = strlen(ROWS[_i].text);
    for (size_t chunk = 1; chunk <= 9; chunk++)
        check_row((size_t)_i, chunk, chunk);
    for (size_t first = 1; first < size; first++) {
        check_row((size_t)_i, first, 0);
        check_row((size_t)_i, first, 1);
    }
}
END_TEST

/* Everything in one, large enough for blocks, carried records and pieces that fill up. */
static void make_large(struct buf *text)
{
    buf_append_text(text, "{\"records\": [\n");
    for (int i = 0; i < 60; i++)
        buf_append_format(text,
                          "%s{\"id\": %d, \"text\": \"%s \\u20ac \\\"%s\\\\\", \"list\": [{}]}",
                          i ? ",\n" : "", i, LONG, LONG);
    buf_append_text(text, "],\n\"text\": \"");
    for (int i = 0; i < 2000; i++)
        buf_append_text(text, "\xE2\x82\xAC\\ud83d\\ude00\\\"{}x");
    buf_append_text(text, "\"}");
}

START_TEST(large_documents_are_said_the_same)
{
    static const size_t CHUNKS[] = {1, 3, 63, 64, 65, 1000, 4096, 16385};
    static const struct manner MANNERS[] = {{2, 'r', false}, {1, 'c', false}, {3, 's', false}};
    struct buf text;
    buf_init(&text, 1 << 22);
    make_large(&text);
    for (size_t m = 0; m < sizeof(MANNERS) / sizeof(MANNERS[0]); m++) {
        struct json_walk *walk = json_walk_new(1 << 20);
        char *whole = said(walk, &MANNERS[m], buf_view(&text), 0, 0);
        ck_assert_ptr_null(strstr(whole, "BROKEN"));
        for (size_t i = 0; i < sizeof(CHUNKS) / sizeof(CHUNKS[0]); i++) {
            json_walk_reset(walk);
            char *says = said(walk, &MANNERS[m], buf_view(&text), CHUNKS[i], CHUNKS[i]);
            ck_assert_msg(strcmp(says, whole) == 0, "manner %zu, chunks of %zu", m, CHUNKS[i]);
            free(says);
        }
        free(whole);
        json_walk_free(walk);
    }
    buf_free(&text);
}
END_TEST

/* U+0000 in a name and in a string read is a zero byte. */
START_TEST(zero_bytes_are_kept)
{
    static const char TEXT[] = "{\"a\\u0000b\":\"c\\u0000d\"}";
    struct json_walk *walk = json_walk_new(LIMIT);
    struct json_walk_step step;
    struct error err;
    json_walk_feed(walk, bytes_text(TEXT));
    json_walk_finish(walk);
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_VALUE);
    json_walk_enter(walk);
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_VALUE);
    ck_assert(bytes_equal(step.name, BYTES_LITERAL("a\0b")));
    json_walk_read(walk);
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_PART);
    ck_assert(step.last && bytes_equal(step.text, BYTES_LITERAL("c\0d")));
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_LEFT);
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_END);
    json_walk_free(walk);
}
END_TEST

START_TEST(other_encodings_are_named)
{
    static const char TEXT[] = "\xFF\xFE{\0\"\0";
    struct json_walk *walk = json_walk_new(LIMIT);
    struct json_walk_step step;
    struct error err;
    json_walk_feed(walk, bytes_of(TEXT, 6));
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_BROKEN);
    ck_assert_int_eq(err.code, ERR_SOURCE_FORMAT);
    json_walk_feed(walk, bytes_of(TEXT, 6)); /* nothing more is looked at */
    ck_assert_int_eq(json_walk_next(walk, &step, &err), JSON_WALK_END);
    json_walk_free(walk);
}
END_TEST

static void fill(char *text, size_t size, const char *pattern)
{
    for (size_t at = 0; at < size; at++)
        text[at] = pattern[at % strlen(pattern)];
}

/* Names have a limit; what stands behind it does not matter. */
START_TEST(long_names_are_refused)
{
    static char name[JSON_WALK_NAME_MAX + 100];
    fill(name, sizeof(name), "name");
    for (int longer = 0; longer <= 1; longer++) {
        struct buf text;
        buf_init(&text, 1 << 20);
        buf_append_text(&text, "{\"");
        buf_append(&text, name, JSON_WALK_NAME_MAX - 1 + (size_t)longer);
        buf_append_text(&text, "\":1}");
        struct json_walk *walk = json_walk_new(LIMIT);
        for (size_t chunk = 0; chunk <= 1000; chunk += 1000) {
            json_walk_reset(walk);
            char *says = said(walk, &(struct manner){1, 'c', false}, buf_view(&text), chunk, chunk);
            ck_assert_int_eq(strstr(says, "BROKEN 1:2@1 J001") != NULL, longer);
            free(says);
        }
        json_walk_free(walk);
        buf_free(&text);
    }
}
END_TEST

static Suite *json_walk_suite(void)
{
    Suite *suite = suite_create("json_walk");
    TCase *rows = tcase_create("rows");
    tcase_add_loop_test(rows, says_what_is_there, 0, (int)ROW_COUNT);
    tcase_add_loop_test(rows, says_the_same_however_it_is_cut, 0, (int)ROW_COUNT);
    suite_add_tcase(suite, rows);
    TCase *other = tcase_create("other");
    tcase_add_test(other, large_documents_are_said_the_same);
    tcase_add_test(other, zero_bytes_are_kept);
    tcase_add_test(other, other_encodings_are_named);
    tcase_add_test(other, long_names_are_refused);
    suite_add_tcase(suite, other);
    return suite;
}

SUITE_MAIN(json_walk_suite)
