/* What a produce run counts and says, and tenants taken from paths. */
#include <string.h>

#include "common/policy/produce_counters.h"
#include "common/policy/collect/tenant_path.h"
#include "tests/support/suite.h"

START_TEST(every_record_is_in_one_place)
{
    struct produce_counters counters = {0};
    for (int i = 0; i < 5; i++)
        produce_counters_queue(&counters, 100);
    produce_counters_reject(&counters, ERR_JSON_SYNTAX);
    ck_assert(produce_counters_adds_up(&counters, false));
    ck_assert(!produce_counters_adds_up(&counters, true));
    for (int i = 0; i < 4; i++)
        produce_counters_store(&counters);
    produce_counters_refuse(&counters, ERR_KAFKA_SIZE);
    produce_counters_fail_source(&counters, ERR_SOURCE_OPEN);
    ck_assert(produce_counters_adds_up(&counters, true));
    ck_assert_uint_eq(counters.read, 6);
    ck_assert_uint_eq(counters.produced, 4);
    ck_assert_uint_eq(counters.rejected, 2);
    ck_assert_uint_eq(counters.failed_sources, 1);
    ck_assert_uint_eq(counters.payload_bytes, 500);
    ck_assert_uint_eq(counters.by_code[ERR_KAFKA_SIZE], 1);
    counters.rejected--;
    ck_assert(!produce_counters_adds_up(&counters, true));
}
END_TEST

static const struct produce_counters SAMPLE = {
    .read = 12345,
    .produced = 12300,
    .rejected = 45,
    .sources = 2,
    .payload_bytes = 999,
    .by_code = {[ERR_JSON_SYNTAX] = 40, [ERR_TENANT_MISSING] = 5},
};

START_TEST(tells_a_parent_how_far_it_is)
{
    struct buf out;
    buf_init(&out, 1024);
    struct produce_state state = {.source_bytes = 5, .total_bytes = 10};
    produce_counters_append_progress(&out, &SAMPLE, &state);
    ck_assert_str_eq(
        buf_text(&out),
        "{\"role\":\"produce\",\"read\":12345,\"produced\":12300,"
        "\"sent_before\":0,\"rejected\":45,\"withheld\":0,\"bytes\":5,\"total_bytes\":10,"
        "\"done\":false}");
    buf_reset(&out);
    state = (struct produce_state){.source_bytes = 5, .done = true};
    produce_counters_append_progress(&out, &SAMPLE, &state);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\"total_bytes\":null,\"done\":true}"));
    buf_free(&out);
}
END_TEST

START_TEST(sums_up_for_programs)
{
    struct buf out;
    buf_init(&out, 4096);
    struct produce_state state = {.run = "r\"1", .source_bytes = 77, .elapsed_ms = 1500};
    struct json_out json;
    json_out_init(&json, &out);
    json_out_object(&json, NULL);
    produce_counters_append_json(&json, &SAMPLE, &state);
    json_out_end(&json);
    ck_assert_str_eq(
        buf_text(&out),
        "{\"run\":\"r\\\"1\",\"source_records\":12345,\"counts\":{"
        "\"produced\":12300,\"rejected\":45,\"withheld\":0,\"sent_before\":0,"
        "\"not_acknowledged\":0},\"withheld_members\":0,\"sealed_members\":0,\"deletes\":0,"
        "\"keys_twice\":0,\"keys_in_several_sources\":0,\"keys_complete\":true,"
        "\"tenant_given\":0,\"tenant_named\":0,\"sources\":2,\"sources_failed\":0,"
        "\"sources_resumed\":0,\"records_acknowledged_before\":0,\"sources_anew\":0,"
        "\"sources_skipped\":0,\"records_skipped\":0,\"rejected_skipped\":0,"
        "\"source_bytes\":77,\"payload_bytes\":999,\"duration_seconds\":1.500,"
        "\"records_per_second\":8200,\"stopped\":false,"
        "\"rejected_by_code\":{\"DRV-J001\":40,\"DRV-T001\":5}}");
    buf_free(&out);
}
END_TEST

START_TEST(sums_up_for_people)
{
    struct buf out;
    buf_init(&out, 4096);
    struct produce_state state = {.run = "r1", .source_bytes = 77, .elapsed_ms = 0};
    produce_counters_append_summary(&out, &SAMPLE, &state, 80);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "produced run r1\n"));
    ck_assert_ptr_nonnull(
        strstr(buf_text(&out),
               "  12 345 source records = 12 300 produced + 45 rejected   (reconciled)\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "40 × DRV-J001"));
    struct produce_counters unfinished = SAMPLE;
    unfinished.queued = 1;
    unfinished.read++;
    state.stopped = true;
    buf_reset(&out);
    produce_counters_append_summary(&out, &unfinished, &state, 80);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "stopped run r1\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "+ 45 rejected + 1 not acknowledged"));
    unfinished.read++;
    produce_counters_append_summary(&out, &unfinished, &state, 80);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "12 347 source records ≠ 12 300 produced"));
    buf_free(&out);
}
END_TEST

START_TEST(shows_progress_in_one_line)
{
    struct buf out;
    buf_init(&out, 4096);
    struct produce_state state = {
        .source_bytes = 1 << 20, .total_bytes = 4 << 20, .elapsed_ms = 1000};
    produce_counters_append_line(&out, &SAMPLE, &state);
    ck_assert_str_eq(buf_text(&out), "produce  12 345 records read  12 300 produced  45 rejected  "
                                     "1.0 MiB of 4.0 MiB (25 %)  12 300 records/s");
    struct produce_counters one = {.read = 1};
    buf_reset(&out);
    produce_counters_append_line(&out, &one, &state);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "produce  1 record read  0 produced"));
    buf_free(&out);
}
END_TEST

static const struct {
    const char *pattern;
    const char *path;
    const char *tenant; /* NULL: no match */
} PATHS[] = {
    {"exports/{tenant}/*.json", "exports/acme/cart.json", "acme"},
    {"exports/{tenant}/*.json", "exports/acme inc/cart.json", "acme inc"},
    {"exports/{tenant}/*.json", "/data/exports/acme/cart.json", "acme"},
    {"exports/{tenant}/*.json", "./exports/acme/cart.json", "acme"},
    {"/exports/{tenant}/*.json", "/data/exports/acme/cart.json", NULL},
    {"/exports/{tenant}/*.json", "/exports/acme/cart.json", "acme"},
    {"exports/{tenant}/*.json", "exports/acme/deep/cart.json", NULL},
    {"exports/{tenant}/*/*.json", "exports/acme/deep/cart.json", "acme"},
    {"exports/{tenant}/*.json", "exports//cart.json", NULL},
    {"exports/{tenant}/*.json", "exports/cart.json", NULL},
    {"exports/{tenant}/*.json", "exports/acme/cart.json.gz", NULL},
    {"exports/{tenant}/*.json*", "exports/acme/cart.json.gz", "acme"},
    {"{tenant}.json", "exports/acme.json", "acme"},
    {"{tenant}.json", "acme.json.json", "acme.json"},
    {"cart-{tenant}-2024.json", "cart-a-b-2024.json", "a-b"},
    {"cart-{tenant}-*.json", "cart-a-b-2024.json", "a"},
    {"cart-e?-{tenant}.json", "cart-eu-acme.json", "acme"},
    {"cart-e?-{tenant}.json", "cart-e/-acme.json", NULL},
    {"{tenant}", "-", "-"},
    {"{tenant}/x", "", NULL},
};

START_TEST(takes_the_tenant_from_the_path)
{
    struct bytes tenant = {0};
    bool found = tenant_path_match(PATHS[_i].pattern, PATHS[_i].path, &tenant);
    ck_assert_msg(found == (PATHS[_i].tenant != NULL), "%s in %s", PATHS[_i].pattern,
                  PATHS[_i].path);
    if (found)
        ck_assert_msg(bytes_equal(tenant, bytes_text(PATHS[_i].tenant)), "%.*s instead of %s",
                      BYTES_ARGS(tenant), PATHS[_i].tenant);
}
END_TEST

START_TEST(a_pattern_names_one_tenant)
{
    ck_assert(tenant_path_is_valid("exports/{tenant}/*.json"));
    ck_assert(!tenant_path_is_valid("exports/*.json"));
    ck_assert(!tenant_path_is_valid("{tenant}/{tenant}.json"));
    ck_assert(!tenant_path_is_valid("{Tenant}.json"));
}
END_TEST

static Suite *produce_core_suite(void)
{
    Suite *suite = suite_create("produce_core");
    TCase *counters = tcase_create("counters");
    tcase_add_test(counters, every_record_is_in_one_place);
    tcase_add_test(counters, tells_a_parent_how_far_it_is);
    tcase_add_test(counters, sums_up_for_programs);
    tcase_add_test(counters, sums_up_for_people);
    tcase_add_test(counters, shows_progress_in_one_line);
    suite_add_tcase(suite, counters);
    TCase *paths = tcase_create("paths");
    tcase_add_loop_test(paths, takes_the_tenant_from_the_path, 0,
                        (int)(sizeof(PATHS) / sizeof(PATHS[0])));
    tcase_add_test(paths, a_pattern_names_one_tenant);
    suite_add_tcase(suite, paths);
    return suite;
}

SUITE_MAIN(produce_core_suite)
