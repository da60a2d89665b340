/* Splitting a stream into records, sound and broken, wherever its chunks end. */
#include "common/model/json/json_stream.h"

#include <stdio.h>

#include "tests/support/suite.h"

#define LIMIT 64 /* bytes of a record in these tests */

static void describe(struct buf *out, enum json_stream_result result,
                     const struct json_record_text *record_text, const struct error *err)
{
    buf_append_format(out, "%s%zu:%zu@%zu#%zu ", out->size ? "\n" : "", (size_t)record_text->line,
                      (size_t)record_text->column, (size_t)record_text->byte,
                      (size_t)record_text->ordinal);
    if (result == JSON_STREAM_REJECTED) {
        buf_append_text(out, error_code_id(err->code) + 4);
        return;
    }
    if (record_text->key.size)
        buf_append_format(out, "%.*s=", BYTES_ARGS(record_text->key));
    buf_append_bytes(out, record_text->text);
}

/* All that a stream says, fed in chunks of the given sizes in turn (0: the rest). Each chunk is
 * memory of its own. */
static char *said(enum json_shape shape, size_t limit, struct bytes text, size_t first,
                  size_t others)
{
    struct json_stream *stream = json_stream_new(shape, limit);
    struct buf out;
    buf_init(&out, 1 << 20);
    char *chunk = NULL;
    size_t at = 0;
    size_t size = first;
    for (;;) {
        struct json_record_text record_text;
        struct error err;
        enum json_stream_result result = json_stream_next(stream, &record_text, &err);
        if (result == JSON_STREAM_END)
            break;
        if (result != JSON_STREAM_MORE) {
            describe(&out, result, &record_text, &err);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == text.size) {
            json_stream_finish(stream);
            continue;
        }
        if (size == 0 || size > text.size - at)
            size = text.size - at;
        chunk = malloc(size);
        ck_assert_ptr_nonnull(chunk);
        memcpy(chunk, text.data + at, size);
        json_stream_feed(stream, bytes_of(chunk, size));
        at += size;
        size = others;
    }
    free(chunk);
    json_stream_free(stream);
    char *copy = strdup(buf_text(&out));
    buf_free(&out);
    return copy;
}

static const struct {
    const char *name;
    enum json_shape shape;
    const char *text;
    size_t size; /* 0: strlen */
    const char *says;
} ROWS[] = {
    /* shapes */
    {"empty", JSON_SHAPE_DETECT, "", 0, ""},
    {"white space only", JSON_SHAPE_DETECT, " \r\n\t ", 0, ""},
    {"array", JSON_SHAPE_DETECT, "[{\"a\":1}, {\"a\":2}]", 0,
     "1:2@1#0 {\"a\":1}\n1:11@10#1 {\"a\":2}"},
    {"empty array", JSON_SHAPE_DETECT, " [ ] ", 0, ""},
    {"array over lines", JSON_SHAPE_DETECT, "[\n  {\n    \"a\": 1\n  },\n  {\"b\": \"]\"}\n]\n", 0,
     "2:3@4#0 {\n    \"a\": 1\n  }\n5:3@24#1 {\"b\": \"]\"}"},
    {"array of anything", JSON_SHAPE_DETECT, "[1, \"a,b\", null, [2,[3]], -4e5 ]", 0,
     "1:2@1#0 1\n1:5@4#1 \"a,b\"\n1:12@11#2 null\n1:18@17#3 [2,[3]]\n1:27@26#4 -4e5"},
    {"two arrays", JSON_SHAPE_DETECT, "[{\"a\":1}]\n[{\"a\":2}]", 0,
     "1:2@1#0 {\"a\":1}\n2:2@11#1 {\"a\":2}"},
    {"escapes and brackets in strings", JSON_SHAPE_DETECT,
     "[{\"a\":\"\\\"}\"},{\"b\\\\\":\"[{\"},{\"c\":\"\\\\\\\"\"}]", 0,
     "1:2@1#0 {\"a\":\"\\\"}\"}\n1:14@13#1 {\"b\\\\\":\"[{\"}\n1:27@26#2 {\"c\":\"\\\\\\\"\"}"},
    {"keyed", JSON_SHAPE_DETECT, "{\"x\": {\"a\":1},\n \"y\" : {\"a\":2} }", 0,
     "1:7@6#0 x={\"a\":1}\n2:8@22#1 y={\"a\":2}"},
    {"keyed, escaped names", JSON_SHAPE_KEYED, "{\"\\u00e9\\n\":{},\"a\\\"b\":{}}", 0,
     "1:13@12#0 \xC3\xA9\n={}\n1:23@22#1 a\"b={}"},
    {"keyed, other values", JSON_SHAPE_KEYED, "{\"a\":1,\"b\":[2],\"c\":\"}\"}", 0,
     "1:6@5#0 a=1\n1:12@11#1 b=[2]\n1:20@19#2 c=\"}\""},
    {"keyed, bad names", JSON_SHAPE_KEYED, "{\"\\ud800\":{},\"\\u0000\":{},\"\xFF\":{},\"k\":{}}",
     0, "1:2@1#0 J002\n1:14@13#1 J003\n1:26@25#2 J002\n1:37@36#3 k={}"},
    {"one member is a record", JSON_SHAPE_DETECT, "{\"x\": {\"a\":1}}", 0,
     "1:1@0#0 {\"x\": {\"a\":1}}"},
    {"single", JSON_SHAPE_DETECT, "{\"a\": {}, \"b\": 1}\n", 0, "1:1@0#0 {\"a\": {}, \"b\": 1}"},
    {"ndjson", JSON_SHAPE_DETECT, "{\"a\":1}\n{\"a\":2}\n", 0,
     "1:1@0#0 {\"a\":1}\n2:1@8#1 {\"a\":2}"},
    {"ndjson without last newline", JSON_SHAPE_DETECT, "{\"a\":1}\n{\"a\":2}", 0,
     "1:1@0#0 {\"a\":1}\n2:1@8#1 {\"a\":2}"},
    {"ndjson, CRLF and blank lines", JSON_SHAPE_DETECT, "{\"a\":1}\r\n\r\n \r\n{\"a\":2}\r\n", 0,
     "1:1@0#0 {\"a\":1}\n4:1@14#1 {\"a\":2}"},
    {"ndjson: only LF ends a record", JSON_SHAPE_NDJSON, "{\"a\":\r1}\n{\"b\":\"\xE2\x80\xA8\"}", 0,
     "1:1@0#0 {\"a\":\r1}\n2:1@9#1 {\"b\":\"\xE2\x80\xA8\"}"},
    {"ndjson of scalars", JSON_SHAPE_NDJSON, "1\n\"x\"\n", 0, "1:1@0#0 1\n2:1@2#1 \"x\""},
    {"values over lines", JSON_SHAPE_DETECT, "{\n\"a\":1\n}\n{\n\"a\":2\n}\n", 0,
     "1:1@0#0 {\n\"a\":1\n}\n4:1@10#1 {\n\"a\":2\n}"},
    {"values on one line", JSON_SHAPE_DETECT, "{\"a\":1}{\"a\":2},{\"a\":3}", 0,
     "1:1@0#0 {\"a\":1}\n1:8@7#1 {\"a\":2}\n1:16@15#2 {\"a\":3}"},
    {"ndjson, first line broken", JSON_SHAPE_DETECT, "{\"a\":\n{\"a\":2}\n{\"a\":3}\n", 0,
     "1:1@0#0 {\"a\":\n2:1@6#1 {\"a\":2}\n3:1@14#2 {\"a\":3}"},
    {"ndjson, first line garbage", JSON_SHAPE_DETECT, "# dump\n{\"a\":2}\n", 0,
     "1:1@0#0 # dump\n2:1@7#1 {\"a\":2}"},
    {"a list inside an object is one record", JSON_SHAPE_DETECT,
     "{\"r\":[\n{\"a\":1},\n{\"a\":2}\n]}", 0, "1:1@0#0 {\"r\":[\n{\"a\":1},\n{\"a\":2}\n]}"},
    /* encodings */
    {"UTF-8 mark", JSON_SHAPE_DETECT, "\xEF\xBB\xBF[{\"a\":1}]", 0, "1:2@4#0 {\"a\":1}"},
    {"UTF-16 little", JSON_SHAPE_DETECT, "\xFF\xFE[\0{\0", 6, "1:1@0#0 S004"},
    {"UTF-16 big", JSON_SHAPE_DETECT, "\xFE\xFF\0[\0{", 6, "1:1@0#0 S004"},
    {"UTF-16 without mark", JSON_SHAPE_NDJSON, "[\0{\0]\0", 6, "1:1@0#0 S004"},
    {"UTF-32", JSON_SHAPE_DETECT, "\xFF\xFE\0\0[\0\0\0", 8, "1:1@0#0 S004"},
    {"not JSON", JSON_SHAPE_DETECT, "id;name\n1;x\n", 0, "1:1@0#0 S004"},
    {"not the shape said", JSON_SHAPE_ARRAY, " {\"a\":1}", 0, "1:2@1#0 S004"},
    /* broken, nothing else lost */
    {"sound brackets, bad content", JSON_SHAPE_DETECT, "[{\"a\":tru},{\"a\":2,,},{\"a\":3}]", 0,
     "1:2@1#0 {\"a\":tru}\n1:12@11#1 {\"a\":2,,}\n1:22@21#2 {\"a\":3}"},
    {"closing quote missing", JSON_SHAPE_DETECT, "[{\"a\":\"x},{\"a\":2},{\"a\":3}]", 0,
     "1:2@1#0 J001\n1:11@10#1 {\"a\":2}\n1:19@18#2 {\"a\":3}"},
    {"closing quote missing, lines", JSON_SHAPE_DETECT, "[\n{\"a\":\"x},\n{\"a\":2}\n]", 0,
     "2:1@2#0 J001\n3:1@12#1 {\"a\":2}"},
    {"opening quote missing", JSON_SHAPE_DETECT, "[{\"a\":x\", \"b\": \"y\"},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:21@20#1 {\"a\":2}"},
    {"quotes inside a string", JSON_SHAPE_DETECT, "[{\"a\":\"say \"hi\" now\"},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:23@22#1 {\"a\":2}"},
    {"backslash before the quote", JSON_SHAPE_DETECT, "[{\"a\":\"C:\\\", \"b\":1},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:21@20#1 {\"a\":2}"},
    {"newline in a string", JSON_SHAPE_DETECT, "[{\"a\":\"x\ny\"},{\"a\":2}]", 0,
     "1:2@1#0 J001\n2:5@13#1 {\"a\":2}"},
    {"closing brace missing", JSON_SHAPE_DETECT, "[{\"a\":1,{\"a\":2},{\"a\":3}]", 0,
     "1:2@1#0 J001\n1:9@8#1 {\"a\":2}\n1:17@16#2 {\"a\":3}"},
    {"two closing braces missing", JSON_SHAPE_DETECT, "[{\"a\":{\"b\":{},{\"a\":2},{\"a\":3}]", 0,
     "1:2@1#0 J001\n1:15@14#1 {\"a\":2}\n1:23@22#2 {\"a\":3}"},
    {"a stray object costs itself", JSON_SHAPE_DETECT, "[{\"a\":1,{\"b\":2}},{\"a\":3}]", 0,
     "1:2@1#0 J001\n1:9@8#1 J001\n1:16@15#2 J001\n1:18@17#3 {\"a\":3}"},
    {"closing bracket missing", JSON_SHAPE_DETECT, "[{\"a\":[1,2},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:13@12#1 {\"a\":2}"},
    {"stray bracket in an element", JSON_SHAPE_DETECT, "[{\"a\":1]},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:11@10#1 {\"a\":2}"},
    {"brace too many", JSON_SHAPE_DETECT, "[{\"a\":1}},{\"a\":2}]", 0,
     "1:2@1#0 {\"a\":1}\n1:9@8#1 J001\n1:11@10#2 {\"a\":2}"},
    {"opening brace missing", JSON_SHAPE_DETECT, "[\"a\":{\"x\":1}},{\"a\":2}]", 0,
     "1:2@1#0 J001\n1:15@14#1 {\"a\":2}"},
    {"garbage between", JSON_SHAPE_DETECT, "[{\"a\":1}, xx {\"a\":2}, ?? ,{\"a\":3}]", 0,
     "1:2@1#0 {\"a\":1}\n1:11@10#1 xx\n1:14@13#2 {\"a\":2}\n1:23@22#3 ??\n1:27@26#4 {\"a\":3}"},
    {"commas missing and too many", JSON_SHAPE_DETECT, "[{\"a\":1} {\"a\":2},,{\"a\":3},]", 0,
     "1:2@1#0 {\"a\":1}\n1:10@9#1 {\"a\":2}\n1:19@18#2 {\"a\":3}"},
    {"list closed too early", JSON_SHAPE_DETECT, "[{\"a\":1}],{\"a\":2},{\"a\":3}]", 0,
     "1:2@1#0 {\"a\":1}\n1:10@9#1 J001\n1:11@10#2 {\"a\":2}\n1:19@18#3 {\"a\":3}"},
    {"trailing garbage", JSON_SHAPE_DETECT, "[{\"a\":1}] end {\"a\":2}", 0,
     "1:2@1#0 {\"a\":1}\n1:11@10#1 J001"},
    {"trailing garbage, single", JSON_SHAPE_SINGLE, "{\"a\":1} x", 0,
     "1:1@0#0 {\"a\":1}\n1:9@8#1 J001"},
    {"comma first, single", JSON_SHAPE_SINGLE, ",{\"a\":1}", 0, "1:1@0#0 J001\n1:2@1#1 J001"},
    {"not closed, same column and name", JSON_SHAPE_DETECT,
     "[\n {\"a\":[1, [\n {\"a\":2},\n {\"a\":3}\n]", 0,
     "2:2@3#0 J001\n3:2@15#1 {\"a\":2}\n4:2@25#2 {\"a\":3}"},
    {"cut in a record", JSON_SHAPE_DETECT, "[{\"a\":1},{\"a\":", 0,
     "1:2@1#0 {\"a\":1}\n1:10@9#1 J009"},
    {"cut in a string", JSON_SHAPE_DETECT, "[{\"a\":1},{\"a\":\"b", 0,
     "1:2@1#0 {\"a\":1}\n1:10@9#1 J009"},
    {"cut between records", JSON_SHAPE_DETECT, "[{\"a\":1},{\"a\":2}", 0,
     "1:2@1#0 {\"a\":1}\n1:10@9#1 {\"a\":2}\n1:17@16#2 J009"},
    {"cut last line", JSON_SHAPE_DETECT, "{\"a\":1}\n{\"a\":", 0,
     "1:1@0#0 {\"a\":1}\n2:1@8#1 J009"},
    {"cut after the opening", JSON_SHAPE_DETECT, "[", 0, "1:2@1#0 J009"},
    {"keyed, value broken", JSON_SHAPE_KEYED, "{\"x\":{\"a\":\"1},\"y\":{\"a\":2}}", 0,
     "1:2@1#0 J001\n1:19@18#1 y={\"a\":2}"},
    {"keyed, comma missing", JSON_SHAPE_KEYED, "{\"x\":{} \"y\":{}, zz, \"z\":{}}", 0,
     "1:6@5#0 x={}\n1:13@12#1 y={}\n1:17@16#2 J001\n1:25@24#3 z={}"},
    {"keyed, brace missing is not silent", JSON_SHAPE_KEYED, "{\"x\":{\"a\":1, \"y\":{}}", 0,
     "1:6@5#0 x={\"a\":1, \"y\":{}}\n1:21@20#1 J009"},
    {"keyed, colon missing", JSON_SHAPE_KEYED, "{\"x\" {\"a\":1}, \"y\":{}}", 0,
     "1:2@1#0 J001\n1:6@5#1 J001\n1:19@18#2 y={}"},
    /* size: the limit is 64 */
    {"just as large as allowed", JSON_SHAPE_DETECT,
     "[\"23456789012345678901234567890123456789012345678901234567890123\",1]", 0,
     "1:2@1#0 \"23456789012345678901234567890123456789012345678901234567890123\"\n1:67@66#1 1"},
    {"one byte too large", JSON_SHAPE_DETECT,
     "[\"234567890123456789012345678901234567890123456789012345678901234\",1]", 0,
     "1:2@1#0 J007\n1:68@67#1 1"},
    {"object as large as allowed", JSON_SHAPE_DETECT,
     "[{\"a\":\"78901234567890123456789012345678901234567890123456789012\"},{\"a\":1}]", 0,
     "1:2@1#0 {\"a\":\"78901234567890123456789012345678901234567890123456789012\"}\n"
     "1:67@66#1 {\"a\":1}"},
    {"object much too large", JSON_SHAPE_DETECT,
     "[{\"a\":\"7890123456789012345678901234567890123456789012345678901234\\\"567890\","
     "\"b\":[{\"]\":\"}\"}]\n},{\"a\":1}]",
     0, "1:2@1#0 J007\n2:3@93#1 {\"a\":1}"},
    {"line as large as allowed", JSON_SHAPE_NDJSON,
     "1\n\"234567890123456789012345678901234567890123456789012345678901234\"\n"
     "\"23456789012345678901234567890123456789012345678901234567890123\"\n2",
     0,
     "1:1@0#0 1\n2:1@2#1 J007\n"
     "3:1@68#2 \"23456789012345678901234567890123456789012345678901234567890123\"\n4:1@133#3 2"},
    {"keyed, one too large", JSON_SHAPE_KEYED,
     "{\"x\":\"789012345678901234567890123456789012345678901234567890123456789012345\","
     "\"y\":{}}",
     0, "1:2@1#0 J007\n1:82@81#1 y={}"},
    {"too large, next alike", JSON_SHAPE_DETECT,
     "[\n{\"id\":1,\"x\":[\n{\"id\":2,\"y\":\"0123456789012345678901234567890123456789\"},\n"
     "{\"id\":3}]",
     0,
     "2:1@2#0 J001\n3:1@16#1 {\"id\":2,\"y\":\"0123456789012345678901234567890123456789\"}\n"
     "4:1@73#2 {\"id\":3}"},
};
#define ROW_COUNT (int)(sizeof(ROWS) / sizeof(ROWS[0]))

static struct bytes row_text(int row)
{
    return bytes_of(ROWS[row].text, ROWS[row].size ? ROWS[row].size : strlen(ROWS[row].text));
}

START_TEST(says_what_it_should)
{
    char *says = said(ROWS[_i].shape, LIMIT, row_text(_i), 0, 0);
    ck_assert_msg(strcmp(says, ROWS[_i].says) == 0, "%s:\n%s\ninstead of\n%s", ROWS[_i].name, says,
                  ROWS[_i].says);
    free(says);
}
END_TEST

/* Fault row J19. */
START_TEST(says_the_same_wherever_chunks_end)
{
    struct bytes text = row_text(_i);
    for (size_t split = 0; split <= text.size; split++) {
        char *parts = said(ROWS[_i].shape, LIMIT, text, split, 0);
        char *bytes = said(ROWS[_i].shape, LIMIT, text, split, 1);
        ck_assert_msg(strcmp(parts, ROWS[_i].says) == 0, "%s split at %zu:\n%s", ROWS[_i].name,
                      split, parts);
        ck_assert_msg(strcmp(bytes, ROWS[_i].says) == 0, "%s in bytes from %zu:\n%s", ROWS[_i].name,
                      split, bytes);
        free(parts);
        free(bytes);
    }
}
END_TEST

/* Any single byte of a good list changed costs at most that element and its two neighbours, and
 * never the rest; what is said never depends on the chunks. */
START_TEST(one_bad_byte_costs_few_neighbours)
{
    static const char BAD[] = "\"{}[],:\\x \n";
    char list[] = "[{\"id\":1,\"s\":\"a b\",\"n\":[1,{\"m\":2}]},{\"id\":2,\"s\":\"c, d\"},"
                  "{\"id\":3,\"o\":{\"p\":\"\\\"\"}},{\"id\":4,\"e\":[]},{\"id\":5,\"s\":\"\"}]";
    static const char *const ELEMENTS[] = {
        "{\"id\":1,\"s\":\"a b\",\"n\":[1,{\"m\":2}]}", "{\"id\":2,\"s\":\"c, d\"}",
        "{\"id\":3,\"o\":{\"p\":\"\\\"\"}}", "{\"id\":4,\"e\":[]}", "{\"id\":5,\"s\":\"\"}"};
    char bad = BAD[_i];
    for (size_t at = 1; at + 1 < sizeof(list) - 1; at++) {
        char ok = list[at];
        list[at] = bad;
        struct bytes text = bytes_of(list, sizeof(list) - 1);
        char *says = said(JSON_SHAPE_ARRAY, 4096, text, 0, 0);
        char *bytes = said(JSON_SHAPE_ARRAY, 4096, text, 1, 1);
        ck_assert_str_eq(says, bytes);
        int lost = 0;
        for (int i = 0; i < 5; i++)
            lost += strstr(says, ELEMENTS[i]) == NULL;
        ck_assert_msg(lost <= 2, "%zu='%c' costs %d:\n%s\n%s", at, bad, lost, list, says);
        free(says);
        free(bytes);
        list[at] = ok;
    }
}
END_TEST

/* Nothing grows with nesting, and no input takes more than linear time (a quadratic one would run
 * for hours here). */
START_TEST(hostile_input_is_cheap)
{
    static const char *const UNITS[] = {"[", "{\"\":", "\"",     "\\\"", "\"a",
                                        "}", "[{",     "]}\"\\", "\n{"};
    size_t unit = strlen(UNITS[_i]);
    size_t size = (size_t)2 << 20;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    for (size_t at = 0; at < size; at++)
        text[at] = UNITS[_i][at % unit];
    text[0] = '[';
    text[1] = '{';
    char *says = said(JSON_SHAPE_ARRAY, 1 << 20, bytes_of(text, size), 0, 0);
    ck_assert_ptr_nonnull(says);
    free(says);
    free(text);
}
END_TEST

START_TEST(deep_nesting_is_one_record)
{
    enum { DEPTH = 10000 };
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "[{\"a\":1},");
    for (int i = 0; i < DEPTH; i++)
        buf_append_text(&text, i % 2 ? "{\"a\":" : "[");
    for (int i = DEPTH; i-- > 0;)
        buf_append_text(&text, i % 2 ? "}" : "]");
    buf_append_text(&text, ",{\"a\":2}]");
    char *says = said(JSON_SHAPE_DETECT, 1 << 20, buf_view(&text), 100, 1000);
    int lines = 1;
    for (const char *at = says; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, 3);
    ck_assert_ptr_nonnull(strstr(says, "#2 {\"a\":2}"));
    free(says);
    buf_free(&text);
}
END_TEST

static void read_all(struct json_stream *stream, const char *text)
{
    struct json_record_text record_text;
    enum json_stream_result result = JSON_STREAM_RECORD;
    json_stream_feed(stream, bytes_text(text));
    while (result != JSON_STREAM_END) {
        result = json_stream_next(stream, &record_text, NULL);
        if (result == JSON_STREAM_MORE)
            json_stream_finish(stream);
    }
}

/* With one member or none it is what a record has to have that tells. */
START_TEST(tells_the_shape_by_what_a_record_has)
{
    static const struct json_expected NONE = {0};
    static const struct json_expected ID = {{{"id", 2}}, {0}, 1};
    static const struct json_expected TWO = {{{"id", 2}, {"uuid", 4}, {"area", 4}}, {0, 0, 1}, 3};
    static const struct {
        const char *text;
        const struct json_expected *expected;
        enum json_shape shape;
    } SHAPES[] = {
        {"{}", &NONE, JSON_SHAPE_SINGLE},
        {"{}", &ID, JSON_SHAPE_KEYED},
        {" { } \n", &ID, JSON_SHAPE_KEYED},
        {"{\"u1\":{\"id\":\"u1\"}}", &ID, JSON_SHAPE_KEYED},
        {"{\"u1\":{}}", &ID, JSON_SHAPE_KEYED},
        {"{\"u1\":1}", &ID, JSON_SHAPE_SINGLE},
        {"{\"id\":{}}", &ID, JSON_SHAPE_SINGLE},
        {"{\"id\":\"u1\"}", &ID, JSON_SHAPE_SINGLE},
        {"{\"uuid\":{},\"area\":{}}", &TWO, JSON_SHAPE_KEYED},
        {"{\"uuid\":{}}", &TWO, JSON_SHAPE_KEYED},
        {"{\"area\":1}", &TWO, JSON_SHAPE_SINGLE},
        {"{\"u1\":{}}\n{\"id\":1}\n", &ID, JSON_SHAPE_NDJSON},
        {"{}\n{\"id\":1}\n", &ID, JSON_SHAPE_NDJSON},
    };
    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(SHAPES[0]); i++) {
        struct json_stream *stream = json_stream_new(JSON_SHAPE_DETECT, LIMIT);
        json_stream_expect(stream, SHAPES[i].expected);
        read_all(stream, SHAPES[i].text);
        ck_assert_msg(json_stream_shape(stream) == SHAPES[i].shape, "%s", SHAPES[i].text);
        json_stream_free(stream);
    }
}
END_TEST

START_TEST(tells_the_shape)
{
    static const struct {
        const char *text;
        enum json_shape shape;
    } SHAPES[] = {
        {"[]", JSON_SHAPE_ARRAY},
        {"{\"a\":{},\"b\":{}}", JSON_SHAPE_KEYED},
        {"{\"a\":{},\"b\":1}", JSON_SHAPE_SINGLE},
        {"{}\n{}\n", JSON_SHAPE_NDJSON},
        {"{\"a\":{},\"b\":{}}\n{\"a\":{},\"b\":{}}\n", JSON_SHAPE_NDJSON},
        {"", JSON_SHAPE_DETECT},
        {"hello", JSON_SHAPE_DETECT},
    };
    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(SHAPES[0]); i++) {
        struct json_stream *stream = json_stream_new(JSON_SHAPE_DETECT, LIMIT);
        read_all(stream, SHAPES[i].text);
        ck_assert_msg(json_stream_shape(stream) == SHAPES[i].shape, "%s", SHAPES[i].text);
        json_stream_free(stream);
    }
}
END_TEST

static Suite *json_stream_suite(void)
{
    Suite *suite = suite_create("json_stream");
    TCase *rows = tcase_create("rows");
    tcase_add_loop_test(rows, says_what_it_should, 0, ROW_COUNT);
    tcase_add_loop_test(rows, says_the_same_wherever_chunks_end, 0, ROW_COUNT);
    suite_add_tcase(suite, rows);
    TCase *hostile = tcase_create("hostile");
    tcase_add_loop_test(hostile, one_bad_byte_costs_few_neighbours, 0, 11);
    tcase_add_loop_test(hostile, hostile_input_is_cheap, 0, 9);
    tcase_add_test(hostile, deep_nesting_is_one_record);
    tcase_add_test(hostile, tells_the_shape);
    tcase_add_test(hostile, tells_the_shape_by_what_a_record_has);
    suite_add_tcase(suite, hostile);
    return suite;
}

SUITE_MAIN(json_stream_suite)
