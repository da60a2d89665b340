/* The live view: any state fits any terminal, and what matters most is never what is left out. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text_width.h"
#include "common/policy/live_view.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "tests/support/view_fits.h"

static struct live_state random_state_of_run(void)
{
    static const char *const CAUSES[] = {
        "", "connection refused 127.0.0.1:5432",
        "数据库正在启动 😀 datenbank-für-größere-mengen.example:5432"};
    struct live_state state = {
        .now_ms = random_any(),
        .bytes = random_any(),
        .total_bytes = random_any(),
        .is_produced = random_below(2),
        .produce_ms = random_any(),
        .committed = random_any(),
        .total = random_any(),
        .lag = random_any(),
        .age_ms = random_any(),
        .waiting = random_any(),
        .is_worked = random_below(2),
        .work_ms = random_any(),
        .per_second = (double)random_any() / 7,
        .is_verifying = random_below(2),
        .compared = random_any(),
        .to_compare = random_any(),
        .workers = random_below(65),
        .in_flight_bytes = random_any(),
        .in_flight_max_bytes = random_any(),
        .is_stopping = random_below(2),
    };
    /* sums of them are less than 2^64 */
    for (int i = 0; i < PRODUCE_COUNT; i++)
        state.produce[i] = random_below(2) ? random_any() >> 5 : 0;
    for (int i = 0; i < WORK_COUNT; i++)
        state.work[i] = random_below(2) ? random_any() >> (5 + random_below(50)) : 0;
    for (int i = 0; i < OUTAGE_SERVICES; i++)
        outage_see(&state.outages, (enum outage_service)i, random_below(2), "DRV-P001",
                   CAUSES[random_below(3)], state.now_ms - random_below(10000000));
    return state;
}

START_TEST(always_fits)
{
    random_begin((uint64_t)_i + 1);
    struct live_state state = random_state_of_run();
    int width = (int)random_below(160) + 1, height = (int)random_below(12) + 1;
    struct buf out;
    buf_init(&out, 65536);
    live_view_append(&out, &state, width, height);
    int lines = view_fits(&out, width);
    ck_assert_msg(lines <= height - 1, "seed %lu: %d lines of %d", (unsigned long)random_seed,
                  lines, height);
    ck_assert_msg(height < 2 || strstr(buf_text(&out), width >= 6 ? "work" : ""), "seed %lu",
                  (unsigned long)random_seed);
    for (int i = 0; i < OUTAGE_SERVICES && width >= 20 && height >= 6; i++)
        ck_assert_msg(!state.outages.of[i].is_on ||
                          strstr(buf_text(&out), outage_title((enum outage_service)i)),
                      "seed %lu: an outage is left out", (unsigned long)random_seed);
    buf_free(&out);
}
END_TEST

/* The next number of a line: digits, in threes with a space between. False: there is none. */
static bool next_number(const char **at, const char *end, uint64_t *number)
{
    while (*at < end && !isdigit((unsigned char)**at))
        (*at)++;
    *number = 0;
    for (const char *start = *at; *at < end; (*at)++) {
        if (isdigit((unsigned char)**at))
            *number = *number * 10 + (uint64_t)(**at - '0');
        else if (**at != ' ' || *at == start || end - *at < 4 || !isdigit((unsigned char)(*at)[1]))
            return *at > start;
    }
    return true;
}

/* "  work     ███  41%  11 800 applied + 197 unchanged  done 1.2s": the terms of the sum. */
static void check_sum(const char *screen, const char *name, uint64_t want, int width)
{
    const char *at = strstr(screen, name);
    uint64_t sum = 0, number;
    if (!at)
        return;
    const char *end = strchr(at, '\n');
    at = memmem(at, (size_t)(end - at), "%  ", 3);
    if (!at)
        return;
    at += 3;
    const char *next = memmem(at, (size_t)(end - at), "  ", 2);
    end = next ? next : end;
    bool is_sum = isdigit((unsigned char)*at) && !memmem(at, (size_t)(end - at), "iB", 2) &&
                  !memmem(at, (size_t)(end - at), " B", 2);
    if (!is_sum)
        return; /* there is no room for one */
    const char *begin = at;
    while (at < end && next_number(&at, end, &number))
        sum += number;
    ck_assert_msg(sum == want, "seed %lu, width %d: %.*s is not %lu", (unsigned long)random_seed,
                  width, (int)(end - begin), begin, (unsigned long)want);
}

START_TEST(what_is_shown_adds_up)
{
    random_begin((uint64_t)_i + 1);
    struct live_state state = random_state_of_run();
    struct buf out;
    buf_init(&out, 65536);
    for (int width = 20; width <= 240; width++) {
        buf_reset(&out);
        live_view_append(&out, &state, width, 24);
        check_sum(buf_text(&out), "produce", totals_records(&TOTALS_PRODUCE, state.produce), width);
        check_sum(buf_text(&out), "work ", totals_records(&TOTALS_WORK, state.work), width);
    }
    /* what asks for something is the last that is summed up with others */
    ck_assert(!state.work[WORK_DEAD] || strstr(buf_text(&out), " dead"));
    buf_free(&out);
}
END_TEST

static struct live_state example(void)
{
    struct live_state state = {
        .now_ms = 100000,
        .produce = {[PRODUCE_PRODUCED] = 29000, [PRODUCE_REJECTED] = 12, [PRODUCE_ON_WAY] = 988},
        .bytes = 8 << 20,
        .total_bytes = 10 << 20,
        .committed = 12000,
        .total = 29000,
        .lag = 17000,
        .work = {[WORK_APPLIED] = 11800,
                 [WORK_DEAD] = 3,
                 [WORK_UNCHANGED] = 190,
                 [WORK_SUPERSEDED] = 7},
        .per_second = 4210,
        .workers = 2,
        .in_flight_bytes = 3 << 20,
        .in_flight_max_bytes = 128 << 20};
    outage_see(&state.outages, OUTAGE_POSTGRES, true, "DRV-P001",
               "connection refused 127.0.0.1:5432", 77000);
    return state;
}

/* What was seen long ago is not told as if it were so now. */
START_TEST(no_answer_is_said)
{
    struct live_state state = example();
    struct buf out;
    buf_init(&out, 1u << 16);
    state.outages = (struct outages){0};
    state.age_ms = LIVE_OLD_MS - 1;
    live_view_append(&out, &state, 100, 24);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), " · lag 17 000"));
    buf_reset(&out);
    state.age_ms = 8000;
    live_view_append(&out, &state, 100, 24);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), " · no answer for 0:08"));
    ck_assert_ptr_null(strstr(buf_text(&out), "lag"));
    ck_assert_ptr_null(strstr(buf_text(&out), "ETA"));
    buf_free(&out);
}
END_TEST

static const struct {
    int width, height;
    const char *want;
} EXAMPLES[] = {
    {100, 24,
     "  produce  █████████████████▋····  80%  29 000 produced + 12 rejected + 988 on the way\n"
     "  work     █████████▏············  41%  11 800 applied + 190 unchanged + 7 superseded + 3 "
     "dead\n"
     "  PostgreSQL away 0:23, connection refused 127.0.0.1:5432; nothing is lost\n"
     "           4 210/s · lag 17 000 · Ctrl-C stops · ETA 0:05 · 2 workers\n"},
    {80, 24,
     "  produce  ███████████▎··  80%  29 000 produced + 12 rejected + 988 on the way\n"
     "  work     █████▊········  41%  11 800 applied + 3 dead + 197 other\n"
     "  PostgreSQL away 0:23, connection refused 127.0.0.1:5432; nothing is lost\n"
     "           4 210/s · lag 17 000 · Ctrl-C stops · ETA 0:05 · 2 workers\n"},
    {30, 3,
     "work      41%  12 000 taken\n"
     "PostgreSQL away 0:23\n"},
};

START_TEST(examples)
{
    struct live_state state = example();
    struct buf out;
    buf_init(&out, 65536);
    live_view_append(&out, &state, EXAMPLES[_i].width, EXAMPLES[_i].height);
    ck_assert_str_eq(buf_text(&out), EXAMPLES[_i].want);
    buf_free(&out);
}
END_TEST

START_TEST(plain_line)
{
    struct live_state state = example();
    struct buf out;
    buf_init(&out, 65536);
    live_view_append_plain(&out, &state);
    ck_assert_str_eq(buf_text(&out),
                     "run source_records=30000 produced=29000 rejected=12 not_acknowledged=988 "
                     "committed=12000/29000 lag=17000 taken=12000 applied=11800 unchanged=190 "
                     "superseded=7 dead_lettered=3 per_s=4210 postgres_away_s=23");
    buf_reset(&out);
    state = (struct live_state){.is_verifying = true};
    live_view_append_plain(&out, &state);
    ck_assert_str_eq(buf_text(&out), "verify begins");
    state.compared = 7;
    state.to_compare = 9;
    buf_reset(&out);
    live_view_append_plain(&out, &state);
    ck_assert_str_eq(buf_text(&out), "verify compared=7 total=9");
    buf_free(&out);
}
END_TEST

static Suite *live_view_suite(void)
{
    Suite *suite = suite_create("live_view");
    TCase *tcase = tcase_create("view");
    tcase_add_loop_test(tcase, always_fits, 0, 400);
    tcase_add_loop_test(tcase, what_is_shown_adds_up, 0, 100);
    tcase_add_loop_test(tcase, examples, 0, (int)(sizeof EXAMPLES / sizeof EXAMPLES[0]));
    tcase_add_test(tcase, plain_line);
    tcase_add_test(tcase, no_answer_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(live_view_suite)
