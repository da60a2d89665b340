/* What a full pass found, from the document it ends with; when the next one begins. */
#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"
#include "verifier/follow/full_result.h"
#include "verifier/follow/full_samples.h"

static char why[FULL_RESULT_WHY_MAX];

static enum outcome take(const char *json, struct follow_full_pass *pass, struct error *err)
{
    return full_result_read(bytes_text(json), pass, why, err);
}

START_TEST(discrepancies_are_problems_and_what_is_known_is_none)
{
    struct error err;
    struct follow_full_pass pass = {.problems = 99};
    ck_assert(take("{\"kind\":\"verify\",\"whole\":true,\"counts\":{\"match\":10,\"missing\":2,"
                   "\"different\":1,"
                   "\"dead_lettered\":5,\"lagging\":7,\"rejected\":3},\"beside\":{\"extra\":1},"
                   "\"redis\":{\"match\":4,\"stale\":2,\"expired\":9,\"emptied\":false},"
                   "\"orphans\":[{\"entity\":\"a\",\"rows\":3}],\"exit_code\":5}",
                   &pass, &err) == OUT_OK);
    ck_assert_uint_eq(pass.counts[VERDICT_MATCH], 10);
    ck_assert_uint_eq(pass.counts[VERDICT_DEAD], 5);
    ck_assert_uint_eq(pass.counts[VERDICT_EXTRA], 1);
    ck_assert_uint_eq(pass.problems, 2 + 1 + 1 + 2 + 3);
    ck_assert_uint_eq(pass.not_whole.size, 0);
}
END_TEST

START_TEST(what_was_not_whole_is_no_clean_one)
{
    static const char KNOWN[] = "{\"kind\":\"verify\",\"whole\":false,\"not_whole\":\"a.json is "
                                "half written\",\"counts\":{\"match\":1,\"missing\":%d}}";
    char json[2 * FULL_RESULT_WHY_MAX], text[64];
    struct error err;
    for (int missing = 0; missing < 2; missing++) {
        struct follow_full_pass pass = {0};
        snprintf(json, sizeof json, KNOWN, missing);
        ck_assert(take(json, &pass, &err) == OUT_OK);
        ck_assert_uint_eq(pass.problems, missing); /* what it found is found */
        ck_assert(bytes_equal(pass.not_whole, BYTES_LITERAL("a.json is half written")));
    }
    struct follow_full_pass pass = {0};
    ck_assert(take("{\"kind\":\"verify\",\"counts\":{\"match\":1}}", &pass, &err) == OUT_OK);
    ck_assert_uint_gt(pass.not_whole.size, 0);
    /* of sources alone that are not complete: who follows knows how they stand */
    ck_assert(take("{\"kind\":\"verify\",\"whole\":false,\"whole_beside_readings\":true,"
                   "\"not_whole\":\"the reading of a.json is not complete\",\"counts\":{}}",
                   &pass, &err) == OUT_OK);
    ck_assert_uint_eq(pass.not_whole.size, 0);
    /* a text that is too long is cut at a whole character */
    int size = snprintf(json, sizeof json,
                        "{\"kind\":\"verify\",\"whole\":false,\"counts\":{},\"not_whole\":\"");
    for (size_t i = 0; i < FULL_RESULT_WHY_MAX; i += 3)
        size += snprintf(json + size, sizeof json - (size_t)size, "€");
    snprintf(json + size, sizeof json - (size_t)size, "\"}");
    ck_assert(take(json, &pass, &err) == OUT_OK);
    ck_assert_uint_eq(pass.not_whole.size, (FULL_RESULT_WHY_MAX - 1) / 3 * 3);
    snprintf(text, sizeof text, "%s", pass.not_whole.data + pass.not_whole.size - 3);
    ck_assert_str_eq(text, "€");
}
END_TEST

START_TEST(what_is_no_result_is_refused)
{
    static const char *const NONE[] = {
        "",
        "{",
        "[]",
        "{\"kind\":\"work\",\"counts\":{}}",
        "{\"kind\":\"verify\"}",
        "{\"kind\":\"verify\",\"errors\":[{\"code\":\"DRV-P001\"}],\"exit_code\":4}"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        struct error err = {0};
        struct follow_full_pass pass = {0};
        ck_assert(take(NONE[i], &pass, &err) == OUT_REJECT);
    }
    struct error err = {0};
    struct follow_full_pass pass = {0};
    ck_assert(take(NONE[5], &pass, &err) == OUT_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "DRV-P001"));
}
END_TEST

static const char WITH_SAMPLES[] =
    "{\"kind\":\"verify\",\"counts\":{},\"samples\":["
    "{\"verdict\":\"rejected\",\"tenant\":\"n\",\"entity\":\"e\",\"key\":\"h:00000000000000ff\"},"
    "{\"verdict\":\"different\",\"code\":\"DRV-V004\",\"tenant\":\"north\",\"entity\":\"event\","
    "\"key\":\"h:f0a1b2c3d4e5f607\",\"partition\":3,\"offset\":7,"
    "\"where\":{\"text\":\"a.json:2:1\"},\"source_version\":\"9007199254740993\",\"stored_"
    "version\":2,"
    "\"reason\":\"why\",\"fields_total\":5,\"fields\":["
    "{\"path\":\"/total\",\"source\":\"number\",\"stored\":null},{\"column\":\"c\",\"source\":null,"
    "\"stored\":\"text\"}]},"
    "{\"verdict\":\"none of ours\"},7],"
    "\"redis_samples\":[{\"verdict\":\"missing\",\"tenant\":\"n\",\"entity\":\"e\",\"key\":\"h:1\","
    "\"reason\":\"gone\"}],\"sealed_samples\":[{\"verdict\":\"different\",\"key\":\"h:2\"}]}";

static bool is_text(struct bytes text, const char *expected)
{
    return bytes_equal(text, bytes_text(expected));
}

START_TEST(samples_are_those_of_discrepancies)
{
    struct arena arena;
    struct follow_sample *samples;
    arena_init(&arena, 1 << 20);
    ck_assert_uint_eq(full_samples_read(bytes_text(WITH_SAMPLES), 5000, 10, &arena, &samples), 3);
    const struct follow_sample *first = &samples[0];
    ck_assert_int_eq(first->verdict, VERDICT_DIFFERENT);
    ck_assert_str_eq(error_code_id(first->code), "DRV-V004");
    ck_assert(is_text(first->tenant, "north") && is_text(first->entity, "event"));
    ck_assert(is_text(first->origin, "a.json:2:1") && is_text(first->reason, "why"));
    ck_assert_uint_eq(first->key_hash, 0xf0a1b2c3d4e5f607);
    ck_assert_int_eq(first->partition, 3);
    ck_assert_int_eq(first->offset, 7);
    ck_assert(first->has_versions && first->source_version == 9007199254740993);
    ck_assert_int_eq(first->stored_version, 2);
    ck_assert_int_eq(first->first_ms, 5000);
    ck_assert_uint_eq(first->field_total, 5);
    ck_assert_uint_eq(first->field_count, 2);
    ck_assert(is_text(first->fields[0].path, "/total") && is_text(first->fields[1].path, "c"));
    ck_assert_uint_eq(first->fields[0].stored.size, 0);
    ck_assert(is_text(samples[1].reason, "in Redis: gone") && samples[1].partition == -1);
    ck_assert(is_text(samples[2].reason, "in the vault") && !samples[2].has_versions);
    ck_assert_uint_eq(full_samples_read(bytes_text(WITH_SAMPLES), 5000, 2, &arena, &samples), 2);
    ck_assert_uint_eq(full_samples_read(bytes_text("{"), 5000, 2, &arena, &samples), 0);
    arena_free(&arena);
}
END_TEST

START_TEST(when_the_next_one_begins)
{
    ck_assert_int_eq(full_result_next_ms(-1, 1000, 5000), 5000);   /* none yet */
    ck_assert_int_eq(full_result_next_ms(4500, 1000, 5000), 5500); /* after the last one */
    ck_assert_int_eq(full_result_next_ms(9000, 1000, 5000), 5000); /* the clock was set back */
    ck_assert_int_eq(full_result_next_ms(-1, 0, 5000), INT64_MAX); /* never */
}
END_TEST

static Suite *full_suite(void)
{
    Suite *suite = suite_create("follow_full");
    TCase *tcase = tcase_create("full");
    tcase_add_test(tcase, discrepancies_are_problems_and_what_is_known_is_none);
    tcase_add_test(tcase, what_was_not_whole_is_no_clean_one);
    tcase_add_test(tcase, what_is_no_result_is_refused);
    tcase_add_test(tcase, samples_are_those_of_discrepancies);
    tcase_add_test(tcase, when_the_next_one_begins);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(full_suite)
