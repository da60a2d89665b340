/* What a follower shows on a terminal: any state fits any of them, and what matters most stays. */
#include <string.h>

#include "common/base/text_width.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "tests/support/view_fits.h"
#include "verifier/follow/follow_screen.h"

static struct rolling rolling;
static struct outages outages;
static struct follow_full_pass full;

static struct follow_screen screen_of(struct follow_numbers *numbers)
{
    numbers->rolling = &rolling;
    numbers->outages = &outages;
    numbers->full = &full;
    return (struct follow_screen){.numbers = numbers, .next_ms = INT64_MAX};
}

static void begin(void)
{
    rolling_init(&rolling);
    rolling_step(&rolling, 1800000000000);
    memset(&outages, 0, sizeof outages);
    full = (struct follow_full_pass){.began_ms = -1};
}

static void count(unsigned class, uint64_t number)
{
    rolling_add(&rolling, rolling_step(&rolling, 1800000000000), class, number);
}

START_TEST(always_fits)
{
    random_begin((uint64_t)_i + 1);
    begin();
    for (int i = 0; i < 6; i++)
        count((unsigned)random_below(ROLLING_CLASSES), random_below(1u << 30));
    struct follow_numbers numbers = {.backlog = random_any(),
                                     .suspects = random_below(3),
                                     .lag = random_any(),
                                     .behind_ms = random_any(),
                                     .share = 1.0 / (double)(random_below(9) + 1),
                                     .partitions = random_below(1000)};
    struct follow_screen screen = screen_of(&numbers);
    screen.now_ms = random_any();
    screen.up_ms = random_any();
    screen.is_full_running = random_below(2);
    full.began_ms = random_below(2) ? -1 : (int64_t)random_below(1u << 30);
    full.problems = random_any();
    full.failure = random_below(2) ? BYTES_LITERAL("it ended") : (struct bytes){0};
    for (int i = 0; i < OUTAGE_SERVICES; i++)
        outage_see(&outages, (enum outage_service)i, random_below(2), "DRV-P001",
                   "connection refused 127.0.0.1:5432", screen.now_ms - random_below(10000000));
    int width = (int)random_below(160) + 1, height = (int)random_below(24) + 1;
    struct buf out;
    buf_init(&out, 65536);
    follow_screen_append(&out, &screen, width, height);
    int lines = view_fits(&out, width);
    ck_assert_int_lt(lines, height);
    ck_assert(lines > 0 || height == 1);
    buf_free(&out);
}
END_TEST

static void shows(const struct follow_screen *screen, int width, int height, const char *text)
{
    struct buf out;
    buf_init(&out, 65536);
    follow_screen_append(&out, screen, width, height);
    ck_assert_msg(strcmp(buf_text(&out), text) == 0, "%s", buf_text(&out));
    buf_free(&out);
}

START_TEST(a_calm_moment)
{
    begin();
    count(VERDICT_MATCH, 12000);
    count(VERDICT_SUPERSEDED, 5);
    struct follow_numbers numbers = {.share = 1, .partitions = 6};
    struct follow_screen screen = screen_of(&numbers);
    screen.up_ms = 65000;
    shows(&screen, 100, 24,
          "  verify    MATCH: no discrepancy in 12 000 comparisons\n"
          "                  compared     wrong        rate  95 % bound\n"
          "  1 min             12 000         0         0 %     0.025 %\n"
          "  5 min             12 000         0         0 %     0.025 %\n"
          "  1 h               12 000         0         0 %     0.025 %\n"
          "  24 h              12 000         0         0 %     0.025 %\n"
          "  total             12 000         0         0 %     0.025 %\n"
          "  lag       none\n"
          "  beside    5 superseded\n"
          "  full pass none\n"
          "            up 1:05 · 6 partitions · Ctrl-C stops\n");
}
END_TEST

/* What is not known yet of a limit that is enforced is no verdict before the end. */
START_TEST(how_long_writes_and_reads_take)
{
    begin();
    count(VERDICT_MATCH, 12000);
    struct verify_reads reads = {
        .limit = 1.1,
        .enforced = true,
        .count = 2,
        .stores = {{.name = "file", .reads = 500, .ns = {1000000, 2000000, 4000000}},
                   {.name = "PostgreSQL", .reads = 50, .ns = {1000000, 2000000, 9000000}}}};
    struct follow_numbers numbers = {
        .share = 1,
        .partitions = 6,
        .reads = &reads,
        .writes = {.recent[WRITE_COMMITTED] = {7, 31, 40, 50, 60},
                   .recent[WRITE_VERIFIED] = {7, 310, 400, 1500, 1600}}};
    struct follow_screen screen = screen_of(&numbers);
    shows(&screen, 80, 3,
          "  verify    MATCH: no discrepancy in 12 000 comparisons\n"
          "  total             12 000         0         0 %     0.025 %\n");
    reads.stores[1].reads = 500;
    shows(
        &screen, 130, 24,
        "  verify    TOO SLOW: no discrepancy in 12 000 comparisons; reads: slower than 1.1 times "
        "the old: PostgreSQL at p99 (2.25)\n"
        "                  compared     wrong        rate  95 % bound\n"
        "  1 min             12 000         0         0 %     0.025 %\n"
        "  5 min             12 000         0         0 %     0.025 %\n"
        "  1 h               12 000         0         0 %     0.025 %\n"
        "  24 h              12 000         0         0 %     0.025 %\n"
        "  total             12 000         0         0 %     0.025 %\n"
        "  lag       none\n"
        "  full pass none\n"
        "  writes    p99 of 5 min: committed 50 ms, verified 1.5 s\n"
        "            reads p99: file 4.00 ms, PostgreSQL 9.00 ms (slower than 1.1 times)\n"
        "            up 0:00 · 6 partitions · Ctrl-C stops\n");
}
END_TEST

START_TEST(what_is_wrong_comes_first_and_stays_longest)
{
    begin();
    count(VERDICT_MATCH, 997);
    count(VERDICT_DIFFERENT, 2);
    count(VERDICT_MISSING, 1);
    count(ROLLING_NOT_COMPARED, 4000);
    struct follow_numbers numbers = {.share = 0.25,
                                     .backlog = 7000,
                                     .behind_ms = 63000,
                                     .lag = 12,
                                     .suspects = 3,
                                     .partitions = 1};
    struct follow_screen screen = screen_of(&numbers);
    screen.now_ms = 90000;
    screen.unix_ms = 1000000;
    full = (struct follow_full_pass){.began_ms = 760000, .problems = 4};
    screen.next_ms = 1060000;
    screen.is_stopping = true;
    outage_see(&outages, OUTAGE_POSTGRES, true, "DRV-P001", "connection refused", 67000);
    shows(&screen, 80, 24,
          "  verify    NOT EQUAL: 2 different, 1 missing in 1 000 comparisons, a sample: 4…\n"
          "                  compared     wrong        rate  95 % bound\n"
          "  1 min              1 000         3       0.3 %     0.774 %\n"
          "  5 min              1 000         3       0.3 %     0.774 %\n"
          "  1 h                1 000         3       0.3 %     0.774 %\n"
          "  24 h               1 000         3       0.3 %     0.774 %\n"
          "  total              1 000         3       0.3 %     0.774 %\n"
          "  lag       7 000 to compare, since 1:03 · 25 % of the keys · 3 looked at again…\n"
          "  beside    4 000 not compared\n"
          "  full pass 4 problems · 4:00 ago · next in 1:00\n"
          "  PostgreSQL away 0:23, connection refused; nothing is lost\n"
          "            up 0:00 · 1 partition · stopping\n");
    shows(&screen, 40, 5,
          "  verify    NOT EQUAL: 2 different, 1 m…\n"
          "  total              1 000         3\n"
          "  lag       7 000 to compare, since 1:0…\n"
          "  PostgreSQL away 0:23; nothing is lost\n");
}
END_TEST

static void ends(const struct follow_numbers *numbers, const char *text)
{
    struct buf out;
    buf_init(&out, 65536);
    follow_screen_append_summary(&out, numbers, NULL);
    ck_assert_msg(strcmp(buf_text(&out), text) == 0, "%s", buf_text(&out));
    buf_free(&out);
}

START_TEST(why_it_is_not_equal_is_said_at_the_end)
{
    begin();
    struct follow_numbers numbers = {.share = 1};
    (void)screen_of(&numbers);
    full = (struct follow_full_pass){.began_ms = -1};
    ends(&numbers, "NOT VERIFIED: nothing was compared\n"
                   "Next:  drover verify compares what is there; this one compares what is written "
                   "while it runs\n");
    full.began_ms = 1000;
    ends(&numbers, "NOT VERIFIED: nothing was compared, though the last full pass found nothing "
                   "wrong\n"
                   "Next:  drover verify compares what is there; this one compares what is written "
                   "while it runs\n");
    count(VERDICT_MATCH, 100);
    full.problems = 3;
    full.counts[VERDICT_MISSING] = 1;
    ends(&numbers,
         "NOT EQUAL: the last full pass found 3 problems (full pass of 1970-01-01 00:00:01 UTC: 1 "
         "missing · 2 beside the records)\n"
         "Next:  drover verify --show-values\n"
         "       what the last full pass found counts until one finds nothing: "
         "verify.full_every\n");
    full = (struct follow_full_pass){.began_ms = 1000, .not_whole = BYTES_LITERAL("a was cut")};
    ends(
        &numbers,
        "INCONCLUSIVE: no discrepancy, but the last full pass was not whole: 100 comparisons; with "
        "95 % confidence the rate is at most 2.95 % (full pass of 1970-01-01 00:00:01 UTC: not "
        "whole, a was cut)\n"
        "Next:  drover verify, once what kept the full pass from being whole is over\n");
    full = (struct follow_full_pass){.began_ms = 1000};
    ends(&numbers, "MATCH: no discrepancy in 100 comparisons; with 95 % confidence the rate is at "
                   "most 2.95 %\n");
}
END_TEST

static Suite *screen_suite(void)
{
    Suite *suite = suite_create("follow_screen");
    TCase *tcase = tcase_create("screen");
    tcase_add_loop_test(tcase, always_fits, 0, 200);
    tcase_add_test(tcase, a_calm_moment);
    tcase_add_test(tcase, how_long_writes_and_reads_take);
    tcase_add_test(tcase, what_is_wrong_comes_first_and_stays_longest);
    tcase_add_test(tcase, why_it_is_not_equal_is_said_at_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(screen_suite)
