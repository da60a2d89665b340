/* What a shadow shows: any state fits any terminal, and says what is not as it should be. */

#include <string.h>

#include "common/base/text_width.h"
#include "common/policy/shadow_view.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "tests/support/view_fits.h"

static struct shadow_part random_part(void)
{
    size_t wanted = random_below(65);
    return (struct shadow_part){.is_elsewhere = random_below(2),
                                .wanted = wanted,
                                .running = random_below(wanted + 1),
                                .restarts = random_below(2) ? random_any() : 0};
}

static struct shadow_state random_moment(void)
{
    struct shadow_state state = {
        .now_ms = random_any(),
        .up_ms = random_any(),
        .produce = random_part(),
        .work = random_part(),
        .verify = random_part(),
        .produced = random_any(),
        .has_rejected = random_below(2),
        .rejected = random_any(),
        .committed = random_any(),
        .total = random_any(),
        .lag = random_any(),
        .dead = random_any(),
        .per_second = (double)random_any() / 7,
        .has_compared = random_below(2),
        .compared = random_any(),
        .discrepancies = random_any(),
        .upper = (double)random_below(1000) / 1000,
        .has_full_pass = random_below(2),
        .full_pass_problems = random_any(),
        .full_pass_not_whole = random_below(2),
        .is_stopping = random_below(2),
    };
    for (int i = 0; i < OUTAGE_SERVICES; i++)
        outage_see(&state.outages, (enum outage_service)i, random_below(2), "DRV-P001",
                   "connection refused 127.0.0.1:5432", state.now_ms - random_below(10000000));
    return state;
}

START_TEST(always_fits)
{
    random_begin((uint64_t)_i + 1);
    struct shadow_state state = random_moment();
    int width = (int)random_below(160) + 1, height = (int)random_below(12) + 1;
    struct buf out;
    buf_init(&out, 65536);
    shadow_view_append(&out, &state, width, height);
    int lines = view_fits(&out, width);
    ck_assert_int_lt(lines, height);
    buf_free(&out);
}
END_TEST

static const struct shadow_state CALM = {
    .now_ms = 90000,
    .up_ms = 65000,
    .produce = {.wanted = 1, .running = 1},
    .work = {.wanted = 2, .running = 2},
    .verify = {.wanted = 1, .running = 1},
    .produced = 12345,
    .committed = 12340,
    .total = 12345,
    .lag = 5,
    .per_second = 480.4,
    .has_compared = true,
    .compared = 12000,
    .upper = 0.00025,
};

static void shows(const struct shadow_state *state, const char *text)
{
    struct buf out;
    buf_init(&out, 65536);
    shadow_view_append(&out, state, 110, 24);
    ck_assert_msg(strcmp(buf_text(&out), text) == 0, "%s", buf_text(&out));
    buf_free(&out);
}

START_TEST(a_calm_moment_has_numbers_alone)
{
    shows(&CALM, "  produce  12 345 sent\n"
                 "  work     12 340 of 12 345 committed · lag 5 · 480/s\n"
                 "  verify   12 000 compared · 0 discrepancies · rate at most 0.025 %\n"
                 "           up 1:05 · Ctrl-C stops\n");
}
END_TEST

START_TEST(one_is_no_plural)
{
    struct shadow_state state = CALM;
    state.work.restarts = 1;
    state.discrepancies = 1;
    state.has_full_pass = true;
    state.full_pass_problems = 1;
    shows(&state, "  produce  12 345 sent\n"
                  "  work     restarted 1 time · 12 340 of 12 345 committed · lag 5 · 480/s\n"
                  "  verify   12 000 compared · 1 discrepancy · rate at most 0.025 % · full pass: "
                  "1 problem\n"
                  "           up 1:05 · Ctrl-C stops\n");
}
END_TEST

START_TEST(what_is_wrong_is_said_first)
{
    struct shadow_state state = CALM;
    state.produce = (struct shadow_part){.is_elsewhere = true};
    state.work = (struct shadow_part){.wanted = 2, .running = 1, .restarts = 3};
    state.dead = 7;
    state.has_compared = false;
    state.is_stopping = true;
    outage_see(&state.outages, OUTAGE_POSTGRES, true, "DRV-P001", "connection refused", 67000);
    shows(&state,
          "  produce  elsewhere · drover produce --follow\n"
          "  work     1 of 2 running · restarted 3 times · 12 340 of 12 345 committed · lag 5 "
          "· 480/s · 7 dead-lettered\n"
          "  verify   nothing told yet\n"
          "  PostgreSQL away 0:23, connection refused; nothing is lost\n"
          "           up 1:05 · stopping\n");
}
END_TEST

START_TEST(a_plain_line_has_the_same_numbers)
{
    struct buf out;
    struct shadow_state state = CALM;
    state.work.restarts = 1;
    state.has_rejected = true;
    state.rejected = 3;
    state.verify = (struct shadow_part){.is_elsewhere = true};
    outage_see(&state.outages, OUTAGE_KAFKA, true, "DRV-K001", "", 60000);
    buf_init(&out, 65536);
    shadow_view_append_plain(&out, &state);
    ck_assert_str_eq(buf_text(&out),
                     "shadow produce=1/1 work=2/2 work_restarts=1 produced=12345 "
                     "committed=12340/12345 lag=5 dead_lettered=0 per_s=480 compared=12000 "
                     "discrepancies=0 rejected=3 kafka_away_s=30");
    buf_free(&out);
}
END_TEST

START_TEST(the_last_full_pass_is_said)
{
    struct buf out;
    struct shadow_state state = CALM;
    state.has_full_pass = true;
    state.full_pass_problems = 2;
    state.full_pass_not_whole = true;
    shows(&state,
          "  produce  12 345 sent\n"
          "  work     12 340 of 12 345 committed · lag 5 · 480/s\n"
          "  verify   12 000 compared · 0 discrepancies · rate at most 0.025 % · full pass: "
          "2 problems, not whole\n"
          "           up 1:05 · Ctrl-C stops\n");
    buf_init(&out, 65536);
    shadow_view_append_plain(&out, &state);
    ck_assert_ptr_nonnull(
        strstr(buf_text(&out), " discrepancies=0 full_pass_problems=2 full_pass_not_whole=1"));
    buf_free(&out);
}
END_TEST

static Suite *shadow_view_suite(void)
{
    Suite *suite = suite_create("shadow_view");
    TCase *tcase = tcase_create("view");
    tcase_add_loop_test(tcase, always_fits, 0, 400);
    tcase_add_test(tcase, a_calm_moment_has_numbers_alone);
    tcase_add_test(tcase, one_is_no_plural);
    tcase_add_test(tcase, what_is_wrong_is_said_first);
    tcase_add_test(tcase, a_plain_line_has_the_same_numbers);
    tcase_add_test(tcase, the_last_full_pass_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(shadow_view_suite)
