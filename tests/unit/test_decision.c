/* What people decided and what a source's reading was: written, read again, and refused when it is
 * neither. */
#include "common/model/message/decision.h"

#include "common/model/message/reading.h"
#include "tests/support/suite.h"

static struct buf text;
static struct error err;

static void begin(void)
{
    buf_init(&text, 1u << 20);
}

static void end(void)
{
    buf_free(&text);
}

START_TEST(a_decision_is_read_again)
{
    struct bytes ids[] = {BYTES_LITERAL("a.source-1-17"), BYTES_LITERAL("a.source-2-4")};
    struct decision decision = {.kind = DECISION_DISCARDED,
                                .who = BYTES_LITERAL("ada@host"),
                                .why = BYTES_LITERAL("a \"test\" of ours"),
                                .at_ms = 1700000000000,
                                .ids = ids,
                                .id_count = 2,
                                .partition = -1};
    struct decision again;
    decision_append(&text, &decision);
    ck_assert_int_eq(decision_parse(buf_view(&text), &again, &err), OUT_OK);
    ck_assert_int_eq(again.kind, DECISION_DISCARDED);
    ck_assert(bytes_equal(again.who, decision.who));
    ck_assert(bytes_equal(again.why, decision.why));
    ck_assert_int_eq(again.at_ms, decision.at_ms);
    ck_assert_uint_eq(again.id_count, 2);
    ck_assert(bytes_equal(again.ids[1], ids[1]));
    ck_assert_int_eq(again.partition, -1);
    decision_free(&again);
}
END_TEST

START_TEST(a_resumption_says_what_was_given_up)
{
    struct decision decision = {.kind = DECISION_RESUMED,
                                .run = BYTES_LITERAL("r1"),
                                .group = BYTES_LITERAL("g"),
                                .partition = 3,
                                .from = 10,
                                .to = 20,
                                .sequence_first = 7,
                                .sequence_last = 9};
    struct decision again;
    decision_append(&text, &decision);
    ck_assert_int_eq(decision_parse(buf_view(&text), &again, &err), OUT_OK);
    ck_assert_int_eq(again.partition, 3);
    ck_assert_int_eq(again.from, 10);
    ck_assert_int_eq(again.to, 20);
    ck_assert_int_eq(again.sequence_first, 7);
    ck_assert_int_eq(again.sequence_last, 9);
    ck_assert(bytes_equal(again.group, decision.group));
    ck_assert(bytes_equal(again.run, decision.run));
    decision_free(&again);
}
END_TEST

START_TEST(a_source_that_never_comes_again_is_named_with_its_readings)
{
    struct decision decision = {.kind = DECISION_SOURCE,
                                .why = BYTES_LITERAL("gone"),
                                .run = BYTES_LITERAL("r1"),
                                .partition = -1,
                                .about = {.uri = BYTES_LITERAL("exports/%0Aorders.ndjson"),
                                          .has_source = true,
                                          .source = {{4, 5, 6}},
                                          .unfinished = BYTES_LITERAL("r2"),
                                          .until_ms = 1700000000000}};
    struct decision again;
    decision_append(&text, &decision);
    ck_assert_int_eq(decision_parse(buf_view(&text), &again, &err), OUT_OK);
    ck_assert_int_eq(again.kind, DECISION_SOURCE);
    ck_assert(bytes_equal(again.run, decision.run));
    ck_assert(bytes_equal(again.about.uri, decision.about.uri));
    ck_assert(again.about.has_source && !again.about.stream);
    ck_assert(digest_equal(&again.about.source, &decision.about.source));
    ck_assert(bytes_equal(again.about.unfinished, decision.about.unfinished));
    ck_assert_int_eq(again.about.until_ms, decision.about.until_ms);
    decision_free(&again);

    buf_reset(&text);
    decision.run = (struct bytes){0};
    decision.about = (struct decision_source){
        .uri = BYTES_LITERAL("-"), .stream = true, .unfinished = BYTES_LITERAL("r3")};
    decision_append(&text, &decision);
    ck_assert_int_eq(decision_parse(buf_view(&text), &again, &err), OUT_OK);
    ck_assert(again.about.stream && !again.about.has_source);
    ck_assert_uint_eq(again.run.size, 0);
    decision_free(&again);
}
END_TEST

START_TEST(what_is_no_decision_is_refused)
{
    static const char *const BAD[] = {"",
                                      "no",
                                      "{}",
                                      "[1]",
                                      "{\"kind\":\"decision\"}",
                                      "{\"kind\":\"decision\",\"decision\":\"forgotten\"}",
                                      "{\"kind\":\"reading\",\"decision\":\"discarded\"}"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct decision decision;
        ck_assert_int_eq(decision_parse(bytes_text(BAD[i]), &decision, &err), OUT_REJECT);
        decision_free(&decision);
    }
}
END_TEST

START_TEST(a_reading_is_read_again)
{
    struct reading_code codes[] = {{"DRV-J001", BYTES_LITERAL("order"), 2},
                                   {"DRV-T001", BYTES_LITERAL(""), 1}};
    struct reading_place places[] = {{"DRV-J001", BYTES_LITERAL("order"), 7, 1, 773, 7}};
    struct reading reading = {.run = BYTES_LITERAL("r1"),
                              .uri = BYTES_LITERAL("exports/%0Aorders.ndjson"),
                              .has_source = true,
                              .source = {{4, 5, 6}},
                              .complete = true,
                              .size = UINT64_C(9007199254740991),
                              .has_digest = true,
                              .digest = {{1, 2, 3}},
                              .records = 10,
                              .produced = 6,
                              .rejected = 3,
                              .withheld = 1,
                              .finished_ms = 1700000000000,
                              .read_ms = 1600000000000,
                              .codes = codes,
                              .code_count = 2,
                              .places = places,
                              .place_count = 1};
    struct reading again;
    reading_append(&text, &reading);
    ck_assert(reading_is_one(buf_view(&text)));
    ck_assert_int_eq(reading_parse(buf_view(&text), &again, &err), OUT_OK);
    ck_assert(bytes_equal(again.run, reading.run));
    ck_assert(bytes_equal(again.uri, reading.uri));
    ck_assert(again.complete && !again.stream && again.has_digest);
    ck_assert_uint_eq(again.size, reading.size);
    ck_assert(digest_equal(&again.digest, &reading.digest));
    ck_assert(again.has_source && digest_equal(&again.source, &reading.source));
    ck_assert_uint_eq(again.records, 10);
    ck_assert_uint_eq(again.produced, 6);
    ck_assert_uint_eq(again.rejected, 3);
    ck_assert_uint_eq(again.withheld, 1);
    ck_assert_int_eq(again.finished_ms, 1700000000000);
    ck_assert_int_eq(again.read_ms, 1600000000000);
    ck_assert_uint_eq(again.code_count, 2);
    ck_assert_str_eq(again.codes[1].code, "DRV-T001");
    ck_assert_uint_eq(again.codes[0].count, 2);
    ck_assert(bytes_equal(again.codes[0].entity, codes[0].entity));
    ck_assert_uint_eq(again.place_count, 1);
    ck_assert_uint_eq(again.places[0].byte, 773);
    reading_free(&again);
}
END_TEST

START_TEST(a_reading_that_contradicts_itself_is_refused)
{
    static const char *const BAD[] = {
        "no",
        "{\"kind\":\"batch\"}",
        "{\"kind\":\"reading\",\"uri\":\"a\",\"records\":3,\"produced\":2}",
        "{\"kind\":\"reading\",\"uri\":\"a\",\"records\":1,\"produced\":18446744073709551615,"
        "\"rejected\":2}",
        "{\"kind\":\"reading\",\"records\":0}",
        "{\"kind\":\"reading\",\"uri\":\"a\",\"records\":1,\"rejected\":1,"
        "\"codes\":[[\"DRV-J001\",\"\",2]]}"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct reading reading;
        ck_assert_int_eq(reading_parse(bytes_text(BAD[i]), &reading, &err), OUT_REJECT);
        reading_free(&reading);
    }
}
END_TEST

static Suite *decision_suite(void)
{
    Suite *suite = suite_create("decision");
    TCase *tcase = tcase_create("messages");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_decision_is_read_again);
    tcase_add_test(tcase, a_resumption_says_what_was_given_up);
    tcase_add_test(tcase, a_source_that_never_comes_again_is_named_with_its_readings);
    tcase_add_test(tcase, what_is_no_decision_is_refused);
    tcase_add_test(tcase, a_reading_is_read_again);
    tcase_add_test(tcase, a_reading_that_contradicts_itself_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(decision_suite)
