/* Versions of messages that bring none: however often a reader is stopped and begins again at its
 * watermarks, every message has the version it had in one reading from the head, and log order is
 * version order. */

#include "common/policy/apply/log_clock.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/policy/apply/sequence.h"
#include "tests/support/suite.h"

#define MESSAGES 4000

/* What a worker stores, and reads when it begins again. */
struct store {
    int64_t next, watermark; /* written up to; told up to (results, Redis) */
    char sequences[4096];
};

static int64_t timestamps[MESSAGES], expected[MESSAGES];
static bool silent[MESSAGES]; /* brings a version of its own, or cannot be decoded */

static void make_messages(int64_t first)
{
    struct version_clock clock = {0};
    int64_t now = 1700000000000;
    for (int i = 0; i < MESSAGES; i++) {
        switch (rand() % 8) {
        case 0:
            now += rand() % 3;
            break;
        case 1:
            now -= rand() % 2000; /* the producer's clock goes back */
            break;
        default:
            break; /* equal timestamps */
        }
        timestamps[i] = rand() % 50 ? now : -1;
        silent[i] = rand() % 7 == 0;
        if (!silent[i])
            expected[i] = version_in_log(&clock, timestamps[i], first + i);
    }
}

static void claim(const struct store *store, struct log_clock *log, int64_t *position)
{
    struct sequences sequences;
    struct log_place mark;
    ck_assert(sequence_parse(bytes_text(store->sequences), &sequences, &mark));
    int64_t wanted = store->next < store->watermark ? store->next : store->watermark;
    *position = log_clock_start(log, wanted, &mark);
    ck_assert_int_le(*position, wanted);
}

/* Closes a batch ending before `end` and writes it; the watermark follows at some distance. */
static void write_batch(struct store *store, struct log_clock *log, int64_t end, bool written)
{
    struct buf text;
    struct sequences none = {0};
    struct log_place mark = log_clock_mark(log, end, store->watermark);
    buf_init(&text, sizeof store->sequences - 1);
    sequence_append(&none, &mark, &text);
    if (written && end > store->next) {
        snprintf(store->sequences, sizeof store->sequences, "%s", buf_text(&text));
        store->next = end;
    }
    buf_free(&text);
}

START_TEST(restarts_do_not_change_versions)
{
    srand((unsigned)_i + 1);
    int64_t first = rand() % 2 ? 65536 * 3 - rand() % MESSAGES : rand() % 100000;
    struct store store = {first, first, "{}"};
    make_messages(first);
    int restarts = 0;
    while (store.next < first + MESSAGES) {
        struct log_clock log;
        int64_t position;
        claim(&store, &log, &position);
        int64_t in_flight = 0; /* a batch closed, not yet written */
        int stop = rand() % 1500;
        for (; position < first + MESSAGES && stop-- > 0; position++) {
            int64_t at = position - first;
            if (!silent[at]) {
                int64_t version = log_clock_take(&log, timestamps[at], position);
                ck_assert_msg(version == expected[at], "seed %d: offset %lld restart %d", _i + 1,
                              (long long)position, restarts);
            }
            if (rand() % 5 == 0) {
                in_flight = position + 1;
                write_batch(&store, &log, in_flight, rand() % 10 != 0);
                if (rand() % 3 == 0 && store.watermark < store.next)
                    store.watermark += rand() % (store.next - store.watermark + 1);
            }
        }
        restarts++;
        ck_assert_int_lt(restarts, 100000);
        if (position == first + MESSAGES)
            write_batch(&store, &log, position, true);
    }
    for (int i = 1, last = -1; i < MESSAGES; i++) {
        if (silent[i - 1])
            continue;
        if (last >= 0)
            ck_assert_int_gt(expected[i - 1], expected[last]);
        last = i - 1;
    }
}
END_TEST

START_TEST(nothing_is_stored_while_nobody_uses_it)
{
    struct log_clock log;
    ck_assert_int_eq(log_clock_start(&log, 50, &LOG_PLACE_NONE), 50);
    ck_assert_int_eq(log_clock_mark(&log, 60, 50).from.end, -1);
    log_clock_take(&log, 5, 61);
    struct log_place place = log_clock_mark(&log, 70, 65);
    ck_assert_int_eq(place.from.end,
                     60); /* before its first use: from there it comes out the same */
    ck_assert_int_eq(place.from.clock, 0);
    ck_assert_int_eq(place.next.end, 70);
    ck_assert_int_eq(place.next.clock, log.clock.last);
}
END_TEST

/* Watermarks that were set back, or messages that are gone: never a version below one given. */
START_TEST(the_clock_never_goes_back)
{
    struct log_clock log;
    struct log_place stored = {{100, 500 << VERSION_COUNTER_BITS},
                               {120, 600 << VERSION_COUNTER_BITS}};
    ck_assert_int_eq(log_clock_start(&log, 40, &stored), 40);
    ck_assert_int_lt(log_clock_take(&log, 1, 41), stored.from.clock);
    ck_assert_int_gt(log_clock_take(&log, 1, 120), stored.next.clock);
    ck_assert_int_eq(log_clock_start(&log, 120, &stored), 100);
    ck_assert_int_gt(log_clock_take(&log, 1, 121), stored.next.clock); /* 100 to 119 are gone */
}
END_TEST

static Suite *log_clock_suite(void)
{
    Suite *suite = suite_create("log_clock");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, restarts_do_not_change_versions, 0, 40);
    tcase_add_test(tcase, nothing_is_stored_while_nobody_uses_it);
    tcase_add_test(tcase, the_clock_never_goes_back);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(log_clock_suite)
