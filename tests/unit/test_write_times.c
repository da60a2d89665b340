/* How long writes take: what is counted where, what falls out of the window, and its forms. */

#include "common/policy/rate/write_times.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "tests/support/suite.h"

#define MINUTE_MS 60000u
#define NOON 1700000000000

static struct write_times times;
static struct write_latency latency;
static struct buf text;

static void setup(void)
{
    write_times_init(&times, true);
    buf_init(&text, 1 << 16);
}

static void teardown(void)
{
    write_times_free(&times);
    buf_free(&text);
}

static void add(int64_t committed_ms, int64_t in_redis_ms, int64_t verified_ms, uint64_t now_ms)
{
    const struct write_moments moments = {NOON,
                                          {committed_ms < 0 ? -1 : NOON + committed_ms,
                                           in_redis_ms < 0 ? -1 : NOON + in_redis_ms,
                                           verified_ms < 0 ? -1 : NOON + verified_ms}};
    write_times_add(&times, &moments, now_ms);
}

static const char *line(uint64_t now_ms)
{
    write_times_tell(&times, now_ms, &latency);
    buf_reset(&text);
    write_latency_append_line(&latency, &text);
    return buf_text(&text);
}

START_TEST(each_stage_by_itself)
{
    for (int i = 1; i <= 200; i++)
        add(i / 2, i <= 100 ? i : -1, i, MINUTE_MS);
    add(7, -1, -1, MINUTE_MS); /* compared, and wrong */
    ck_assert_str_eq(line(MINUTE_MS), "p99 of 5 min: committed 99 ms, seen in Redis 99 ms, "
                                      "verified 198 ms");
    const struct write_latency_stage *stage = latency.total;
    ck_assert_uint_eq(stage[WRITE_COMMITTED].count, 201);
    ck_assert_uint_eq(stage[WRITE_IN_REDIS].count, 100);
    ck_assert_uint_eq(stage[WRITE_VERIFIED].count, 200);
    ck_assert_uint_eq(stage[WRITE_VERIFIED].p50_ms, 100);
    ck_assert_uint_eq(stage[WRITE_VERIFIED].p95_ms, 190);
    ck_assert_uint_eq(stage[WRITE_VERIFIED].max_ms, 200);
    ck_assert_mem_eq(latency.recent, latency.total, sizeof latency.total);
}
END_TEST

/* The running minute and five whole ones; all stays in the total, at any place in the ring. */
START_TEST(the_window_moves)
{
    add(1000, -1, -1, 10 * MINUTE_MS);
    add(10, -1, -1, 16 * MINUTE_MS - 1);
    ck_assert_str_eq(line(16 * MINUTE_MS - 1), "p99 of 5 min: committed 1 s");
    ck_assert_str_eq(line(16 * MINUTE_MS), "p99 of 5 min: committed 10 ms");
    ck_assert_uint_eq(latency.total[WRITE_COMMITTED].max_ms, 1000);
    add(20, -1, -1, 16 * MINUTE_MS); /* into the place of minute 10 */
    ck_assert_str_eq(line(16 * MINUTE_MS), "p99 of 5 min: committed 20 ms");
    ck_assert_uint_eq(latency.recent[WRITE_COMMITTED].count, 2);
    ck_assert_uint_eq(latency.total[WRITE_COMMITTED].count, 3);
    ck_assert_str_eq(line(60 * MINUTE_MS), "");
    ck_assert_uint_eq(latency.recent[WRITE_COMMITTED].count, 0);
    ck_assert_uint_eq(latency.total[WRITE_COMMITTED].count, 3);
}
END_TEST

/* A committing host whose clock is behind the producing one's; and what took days. */
START_TEST(clocks_differ_and_days_pass)
{
    const struct write_moments moments = {NOON, {NOON - 5, NOON - 5, NOON - 5}};
    write_times_add(&times, &moments, MINUTE_MS);
    add(-1, -1, 90 * 24 * 3600 * (int64_t)1000, MINUTE_MS);
    write_times_tell(&times, MINUTE_MS, &latency);
    ck_assert_uint_eq(latency.ahead, 1);
    ck_assert_uint_eq(latency.total[WRITE_COMMITTED].max_ms, 0);
    ck_assert_uint_eq(latency.total[WRITE_VERIFIED].count, 2);
    ck_assert_uint_eq(latency.total[WRITE_VERIFIED].max_ms, 90 * 24 * 3600 * (uint64_t)1000);
    ck_assert_uint_ge(latency.total[WRITE_VERIFIED].p99_ms, 24 * 3600 * (uint64_t)1000);
}
END_TEST

static yyjson_val *window(yyjson_doc *doc, const char *name)
{
    return yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "write_latency"), name);
}

static yyjson_doc *document(void)
{
    struct json_out out;
    buf_reset(&text);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    write_latency_append_json(&latency, &out);
    json_out_end(&out);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    ck_assert_ptr_nonnull(doc);
    return doc;
}

START_TEST(as_json)
{
    add(1500, -1, -1, MINUTE_MS);
    write_times_tell(&times, MINUTE_MS, &latency);
    yyjson_doc *doc = document();
    yyjson_val *committed = yyjson_obj_get(window(doc, "five_minutes"), "committed");
    ck_assert_double_eq(yyjson_get_num(yyjson_obj_get(committed, "p95_seconds")), 1.5);
    yyjson_val *verified = yyjson_obj_get(window(doc, "since_start"), "verified");
    ck_assert_uint_eq(yyjson_get_uint(yyjson_obj_get(verified, "count")), 0);
    ck_assert(yyjson_is_null(yyjson_obj_get(verified, "max_seconds")));
    ck_assert(yyjson_is_obj(yyjson_obj_get(window(doc, "since_start"), "seen_in_redis")));
    yyjson_doc_free(doc);
    latency.follows_redis = false;
    doc = document();
    ck_assert(yyjson_is_null(yyjson_obj_get(window(doc, "since_start"), "seen_in_redis")));
    yyjson_doc_free(doc);
}
END_TEST

START_TEST(as_a_section)
{
    write_times_tell(&times, MINUTE_MS, &latency);
    write_latency_append_html(&latency, &text);
    ck_assert_uint_eq(text.size, 0);
    add(1500, -1, 2000, MINUTE_MS);
    write_times_tell(&times, 60 * MINUTE_MS, &latency);
    write_latency_append_html(&latency, &text);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "<td>committed</td><td>all</td><td class=\"n\">1"
                                                  "</td><td class=\"n\">1.5&#160;s</td>"));
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "seen in Redis"));
    ck_assert_ptr_null(strstr(buf_text(&text), "clocks"));
}
END_TEST

static Suite *write_times_suite(void)
{
    Suite *suite = suite_create("write_times");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_stage_by_itself);
    tcase_add_test(tcase, the_window_moves);
    tcase_add_test(tcase, clocks_differ_and_days_pass);
    tcase_add_test(tcase, as_json);
    tcase_add_test(tcase, as_a_section);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(write_times_suite)
