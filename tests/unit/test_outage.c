/* Servers that are away. */

#include <stdio.h>
#include <string.h>

#include "common/policy/outage.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

START_TEST(whose_code_it_is)
{
    ck_assert_int_eq(outage_service_of(ERR_KAFKA_UNREACHABLE), OUTAGE_KAFKA);
    ck_assert_int_eq(outage_service_of(ERR_PG_UNREACHABLE), OUTAGE_POSTGRES);
    ck_assert_int_eq(outage_service_of(ERR_REDIS_UNREACHABLE), OUTAGE_REDIS);
    ck_assert_int_eq(outage_service_of(ERR_USAGE), OUTAGE_SERVICES);
    ck_assert_int_eq(outage_service_of(ERR_NONE), OUTAGE_SERVICES);
    for (int i = 0; i < OUTAGE_SERVICES; i++)
        ck_assert_int_eq(outage_find(outage_word((enum outage_service)i)), i);
    ck_assert_int_eq(outage_find("disk"), OUTAGE_SERVICES);
    for (int i = 0; i < OUTAGE_SERVICES; i++) {
        char want[32];
        snprintf(want, sizeof want, "%s.away", outage_word((enum outage_service)i));
        ck_assert_str_eq(outage_event((enum outage_service)i, OUTAGE_BEGAN), want);
        snprintf(want, sizeof want, "%s.back", outage_word((enum outage_service)i));
        ck_assert_str_eq(outage_event((enum outage_service)i, OUTAGE_ENDED), want);
    }
}
END_TEST

/* Against the plain rule: it began when the first of an unbroken row of reports came. */
START_TEST(begins_and_ends_once)
{
    struct outages outages = {0};
    uint64_t now_ms = 5, began_ms = 0;
    bool away = false;
    random_begin((uint64_t)_i + 1);
    for (int step = 0; step < 200; step++) {
        bool next = random_below(3) > 0;
        now_ms += random_below(1000);
        enum outage_change change = outage_see(&outages, OUTAGE_REDIS, next, next ? "DRV-R001" : "",
                                               random_below(2) ? "reason" : "", now_ms);
        enum outage_change want = next == away ? OUTAGE_SAME : next ? OUTAGE_BEGAN : OUTAGE_ENDED;
        ck_assert_msg(change == want, "seed %lu, step %d", (unsigned long)random_seed, step);
        began_ms = want == OUTAGE_BEGAN ? now_ms : began_ms;
        ck_assert_uint_eq(outages.of[OUTAGE_REDIS].since_ms, began_ms);
        ck_assert(outages.of[OUTAGE_REDIS].is_on == next && !outages.of[OUTAGE_KAFKA].is_on);
        away = next;
    }
}
END_TEST

static const struct {
    const char *text, *cause, *want;
} CAUSES[] = {
    {"PostgreSQL cannot be reached",
     "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n\tIs the server "
     "running on that host",
     "connection refused 127.0.0.1:5432"},
    {"PostgreSQL cannot be reached",
     "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  the database system is "
     "starting up",
     "FATAL:  the database system is starting up 127.0.0.1:5432"},
    {"Kafka cannot be reached at b:9092",
     "b:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state "
     "CONNECT)",
     "connection refused 127.0.0.1:9092"},
    {"Redis cannot be reached", "Connection refused", "connection refused"},
    {"Redis cannot be reached", "", "redis cannot be reached"},
    {"x", "", "x"},
    {"", "", ""},
    {"a", "bell\a failed: \033[31m", " [31m"},
};

START_TEST(cause_in_a_few_words)
{
    struct error err;
    struct buf out;
    buf_init(&out, 1024);
    error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "%s", CAUSES[_i].text);
    error_cause(&err, "%s", CAUSES[_i].cause);
    outage_append_cause(&out, &err);
    ck_assert_str_eq(buf_text(&out), CAUSES[_i].want);
    ck_assert(out.size < OUTAGE_CAUSE_SIZE);
    buf_free(&out);
}
END_TEST

START_TEST(spans_of_time)
{
    struct buf out;
    buf_init(&out, 64);
    outage_append_time(&out, 23999);
    buf_append_char(&out, ' ');
    outage_append_time(&out, 3599000);
    buf_append_char(&out, ' ');
    outage_append_time(&out, 3723000);
    ck_assert_str_eq(buf_text(&out), "0:23 59:59 1:02:03");
    buf_free(&out);
}
END_TEST

static Suite *outage_suite(void)
{
    Suite *suite = suite_create("outage");
    TCase *tcase = tcase_create("outage");
    tcase_add_test(tcase, whose_code_it_is);
    tcase_add_loop_test(tcase, begins_and_ends_once, 0, 20);
    tcase_add_loop_test(tcase, cause_in_a_few_words, 0, (int)(sizeof CAUSES / sizeof CAUSES[0]));
    tcase_add_test(tcase, spans_of_time);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(outage_suite)
