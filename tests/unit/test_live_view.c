/* The live view: any state fits any terminal, and what matters most is never what is left out. */

#include <stdio.h>
#include <string.h>

#include "common/base/text_width.h"
#include "common/policy/live_view.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static struct live_state random_state_of_run(void)
{
    static const char *const CAUSES[] = {
        "", "connection refused 127.0.0.1:5432",
        "数据库正在启动 😀 datenbank-für-größere-mengen.example:5432"};
    struct live_state state = {
        .now_ms = random_any(),
        .read = random_any(),
        .produced = random_any(),
        .rejected = random_any(),
        .bytes = random_any(),
        .total_bytes = random_any(),
        .is_produced = random_below(2),
        .produce_ms = random_any(),
        .committed = random_any(),
        .total = random_any(),
        .lag = random_any(),
        .pending = random_any(),
        .applied = random_any(),
        .unchanged = random_any(),
        .superseded = random_any(),
        .dead = random_any(),
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
    int lines = 0;
    for (const char *at = buf_text(&out); *at; lines++) {
        const char *end = strchr(at, '\n');
        ck_assert_ptr_nonnull(end);
        int columns = text_width(bytes_of(at, (size_t)(end - at)));
        ck_assert_msg(columns <= width, "seed %lu: %d columns of %d: %.*s",
                      (unsigned long)random_seed, columns, width, (int)(end - at), at);
        at = end + 1;
    }
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

static struct live_state example(void)
{
    struct live_state state = {.now_ms = 100000,
                               .read = 30000,
                               .produced = 29000,
                               .rejected = 12,
                               .bytes = 8 << 20,
                               .total_bytes = 10 << 20,
                               .committed = 12000,
                               .total = 29000,
                               .lag = 17000,
                               .applied = 11800,
                               .dead = 3,
                               .unchanged = 197,
                               .per_second = 4210,
                               .workers = 2,
                               .in_flight_bytes = 3 << 20,
                               .in_flight_max_bytes = 128 << 20};
    outage_see(&state.outages, OUTAGE_POSTGRES, true, "DRV-P001",
               "connection refused 127.0.0.1:5432", 77000);
    return state;
}

static const struct {
    int width, height;
    const char *want;
} EXAMPLES[] = {
    {80, 24,
     "  produce  ███████████▎··  80%  29 000 · 12 rejected  8.0 MiB of 10.0 MiB\n"
     "  work     █████▊········  41%  11 800 applied · 3 dead · lag 17 000 · ETA 0:05\n"
     "  PostgreSQL away 0:23, connection refused 127.0.0.1:5432; nothing is lost\n"
     "           4 210/s · Ctrl-C stops · 2 workers · 3.0 MiB of 128.0 MiB in flight\n"},
    {30, 3,
     "work      41%  11 800 applied\n"
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
                     "run produced=29000 rejected=12 committed=12000/29000 applied=11800 dead=3 "
                     "lag=17000 pending=0 per_s=4210 postgres_away_s=23");
    buf_free(&out);
}
END_TEST

static Suite *live_view_suite(void)
{
    Suite *suite = suite_create("live_view");
    TCase *tcase = tcase_create("view");
    tcase_add_loop_test(tcase, always_fits, 0, 400);
    tcase_add_loop_test(tcase, examples, 0, (int)(sizeof EXAMPLES / sizeof EXAMPLES[0]));
    tcase_add_test(tcase, plain_line);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(live_view_suite)
