/* The writer of documents: whatever is written is JSON, and says what was meant. */
#include "common/base/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <yyjson.h>

#include "common/base/error_json.h"
#include "common/base/json_document.h"
#include "tests/support/suite.h"

static struct buf text;
static struct json_out out;

static void setup(void)
{
    buf_init(&text, 1u << 20);
    json_out_init(&out, &text);
}

static void teardown(void)
{
    buf_free(&text);
}

START_TEST(values_have_one_form)
{
    json_out_object(&out, NULL);
    json_out_null(&out, "none");
    json_out_bool(&out, "yes", true);
    json_out_count(&out, "exact", 9007199254740991u);
    json_out_count(&out, "beyond", UINT64_MAX);
    json_out_int(&out, "less", -9007199254740991);
    json_out_int(&out, "least", INT64_MIN);
    json_out_exact(&out, "version", 7);
    json_out_real(&out, "share", 0.256, 2);
    json_out_real(&out, "no_number", 0.0 / 0.0, 2);
    json_out_seconds(&out, "took_seconds", 61005);
    json_out_time(&out, "at", 1700000000042);
    json_out_time(&out, "never", -1);
    json_out_text(&out, "text", "a\"\n\xFF");
    json_out_text(&out, "nothing", NULL);
    json_out_list(&out, "list");
    json_out_end(&out);
    json_out_raw(&out, "raw", BYTES_LITERAL("[1]"));
    json_out_end(&out);
    ck_assert_str_eq(buf_text(&text),
                     "{\"none\":null,\"yes\":true,\"exact\":9007199254740991,"
                     "\"beyond\":\"18446744073709551615\",\"less\":-9007199254740991,"
                     "\"least\":\"-9223372036854775808\",\"version\":\"7\","
                     "\"share\":0.26,\"no_number\":null,"
                     "\"took_seconds\":61.005,\"at\":\"2023-11-14T22:13:20.042Z\",\"never\":null,"
                     "\"text\":\"a\\\"\\n\xEF\xBF\xBD\",\"nothing\":null,\"list\":[],"
                     "\"raw\":[1]}");
}
END_TEST

/* Any calls in any order, ended at any point, give a document; its values are counted on the way.
 */
static uint64_t state;

static unsigned below(unsigned max)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(state >> 33) % max;
}

static void write_one(unsigned number, bool in_list)
{
    char name[16];
    snprintf(name, sizeof name, "m%u", number);
    const char *given = in_list ? NULL : name;
    switch (below(6)) {
    case 0:
        json_out_count(&out, given, (uint64_t)below(1000) << below(50));
        break;
    case 1:
        json_out_bytes(&out, given, bytes_of((const char *)&state, below(8)));
        break;
    case 2:
        json_out_seconds(&out, given, below(100000));
        break;
    case 3:
        json_out_bool(&out, given, below(2));
        break;
    case 4:
        json_out_real(&out, given, (double)below(1000) / 7, (int)below(9));
        break;
    default:
        json_out_null(&out, given);
    }
}

static size_t count_values(yyjson_val *value)
{
    size_t sum = 1, at, max;
    yyjson_val *key, *item;
    if (yyjson_is_obj(value))
        yyjson_obj_foreach(value, at, max, key, item) sum += count_values(item);
    if (yyjson_is_arr(value))
        yyjson_arr_foreach(value, at, max, item) sum += count_values(item);
    return sum;
}

START_TEST(whatever_is_written_is_json)
{
    const char *given = getenv("DROVER_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    for (int round = 0; round < 2000; round++) {
        size_t values = 1;
        state = seed + (uint64_t)round;
        buf_reset(&text);
        json_out_init(&out, &text);
        json_out_object(&out, NULL);
        for (unsigned i = 0, steps = below(60); i < steps; i++) {
            bool in_list = out.closers[out.depth - 1] == ']';
            char name[16];
            snprintf(name, sizeof name, "c%u", i);
            unsigned what = below(8);
            if (what == 0 && out.depth < JSON_OUT_DEPTH_MAX) {
                json_out_object(&out, in_list ? NULL : name);
                values++;
            } else if (what == 1 && out.depth < JSON_OUT_DEPTH_MAX) {
                json_out_list(&out, in_list ? NULL : name);
                values++;
            } else if (what == 2 && out.depth > 1) {
                json_out_end(&out);
            } else {
                write_one(i, in_list);
                values++;
            }
        }
        json_out_end_to(&out, 0);
        yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
        ck_assert_msg(doc != NULL, "seed %" PRIu64 ": %s", seed + (uint64_t)round, buf_text(&text));
        ck_assert_msg(count_values(yyjson_doc_get_root(doc)) == values, "seed %" PRIu64 ": %s",
                      seed + (uint64_t)round, buf_text(&text));
        yyjson_doc_free(doc);
    }
}
END_TEST

static const struct {
    enum error_code code;
    const char *where, *path, *json;
} PLACES[] = {
    {ERR_CONF_UNKNOWN, "", "", "null"},
    {ERR_CONF_UNKNOWN, "drover.yaml:14:5", "",
     "{\"text\":\"drover.yaml:14:5\",\"file\":\"drover.yaml\",\"line\":14,\"column\":5}"},
    {ERR_MAPPING, "m.yaml:7", "", "{\"text\":\"m.yaml:7\",\"file\":\"m.yaml\",\"line\":7}"},
    {ERR_JSON_SYNTAX, "a:1.json:3:1 (byte 773, record 7)", "/name",
     "{\"text\":\"a:1.json:3:1 (byte 773, record 7)\",\"byte\":773,\"record\":7,"
     "\"file\":\"a:1.json\",\"line\":3,\"column\":1,\"path\":\"/name\"}"},
    {ERR_PG_DATA, "drover.m-1.source-3@88121", "",
     "{\"text\":\"drover.m-1.source-3@88121\",\"topic\":\"drover.m-1.source\",\"partition\":3,"
     "\"offset\":88121}"},
    {ERR_VALUE_RANGE, "cart.total (m.yaml:9)", "/total",
     "{\"text\":\"cart.total (m.yaml:9)\",\"name\":\"cart.total\",\"file\":\"m.yaml\",\"line\":9,"
     "\"path\":\"/total\"}"},
    {ERR_PG_UNREACHABLE, "127.0.0.1:5432", "",
     "{\"text\":\"127.0.0.1:5432\",\"address\":\"127.0.0.1:5432\"}"},
    {ERR_SOURCE_OPEN, "exports/a b.json", "",
     "{\"text\":\"exports/a b.json\",\"file\":\"exports/a b.json\"}"},
    {ERR_CONF_VALUE, "DROVER_LANES", "", "{\"text\":\"DROVER_LANES\"}"},
    {ERR_JSON_SYNTAX, "byte 12", "", "{\"text\":\"byte 12\",\"byte\":12}"},
    {ERR_JSON_SYNTAX, "", "/a", "{\"path\":\"/a\"}"},
    {ERR_CONF_VALUE, ":1:2", "", "{\"text\":\":1:2\",\"file\":\":1\",\"line\":2}"},
    {ERR_CONF_VALUE, "(:1)", "", "{\"text\":\"(:1)\"}"},
    {ERR_CONF_VALUE, "9", "", "{\"text\":\"9\"}"},
};

START_TEST(a_place_is_taken_apart)
{
    error_append_json_where(PLACES[_i].code, bytes_text(PLACES[_i].where),
                            bytes_text(PLACES[_i].path), &out, NULL);
    ck_assert_str_eq(buf_text(&text), PLACES[_i].json);
}
END_TEST

/* What a failure left open is closed, and the error stands behind it. */
START_TEST(half_a_document_is_one)
{
    struct error err;
    struct error_list errors;
    int code = 4;
    error_list_init(&errors);
    error_set(&err, OUT_RETRY, ERR_KAFKA_UNREACHABLE, "away");
    error_list_add(&errors, &err);
    json_document_begin(&out, "topics_print", 0);
    json_out_list(&out, "topics");
    json_out_object(&out, NULL);
    json_out_text(&out, "name", "n");
    json_document_end(&out, &errors, &code);
    ck_assert_str_eq(buf_text(&text),
                     "{\"schema\":\"drover/topics_print/1\",\"kind\":\"topics_print\","
                     "\"version\":\"" DROVER_VERSION "\",\"time\":\"1970-01-01T00:00:00.000Z\","
                     "\"topics\":[{\"name\":\"n\"}],\"errors\":[{\"code\":\"DRV-K001\","
                     "\"message\":\"away\",\"cause\":null,\"where\":null,"
                     "\"try\":\"check kafka.brokers and that the broker runs: drover doctor\","
                     "\"exit_code\":4}],\"exit_code\":4}");
    error_list_free(&errors);
}
END_TEST

static Suite *json_out_suite(void)
{
    Suite *suite = suite_create("json_out");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, values_have_one_form);
    tcase_add_test(tcase, whatever_is_written_is_json);
    tcase_add_loop_test(tcase, a_place_is_taken_apart, 0, sizeof PLACES / sizeof PLACES[0]);
    tcase_add_test(tcase, half_a_document_is_one);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(json_out_suite)
