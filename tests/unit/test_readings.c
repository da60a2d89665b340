/* Which reading of a source counts: random ones in any order, against a model that keeps them all.
 */
#include "common/policy/verify/readings.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { SOURCES = 5, READINGS = 40 };

static struct {
    char run[16], uri[16];
    int source;
    bool complete;
    int64_t at_ms;
} told[READINGS];

static struct reading reading_of(int at)
{
    return (struct reading){.run = bytes_text(told[at].run),
                            .uri = bytes_text(told[at].uri),
                            .stream = told[at].source == 0,
                            .complete = told[at].complete,
                            .records = (uint64_t)at + 3,
                            .produced = (uint64_t)at,
                            .rejected = 3,
                            .finished_ms = told[at].at_ms};
}

/* The latest one of its kind of the source; -1: there is none. */
static int latest(int source, bool complete)
{
    int found = -1;
    for (int i = 0; i < READINGS; i++)
        if (told[i].source == source && told[i].complete == complete &&
            (found < 0 || told[i].at_ms > told[found].at_ms))
            found = i;
    return found;
}

static void add_all(struct readings *readings)
{
    int order[READINGS];
    for (int i = 0; i < READINGS; i++)
        order[i] = i;
    for (int i = READINGS - 1; i > 0; i--) {
        int other = (int)random_below((uint64_t)i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < READINGS; i++) {
        const struct reading reading = reading_of(order[i]);
        for (int again = random_below(5) ? 1 : 2; again > 0; again--)
            ck_assert(readings_add(readings, &reading, bytes_text(told[order[i]].run)));
    }
}

START_TEST(the_latest_complete_one_counts)
{
    struct readings readings;
    struct readings_entry *entry;
    size_t at = 0, streams = 0;
    random_begin((uint64_t)_i);
    readings_init(&readings, 1u << 20);
    for (int i = 0; i < READINGS; i++) {
        told[i].source = (int)random_below(SOURCES);
        told[i].complete = random_below(3) > 0;
        told[i].at_ms = 1000 + i;
        snprintf(told[i].run, sizeof told[i].run, "run%d", i);
        snprintf(told[i].uri, sizeof told[i].uri, "s%d", told[i].source);
    }
    add_all(&readings);
    for (int i = 0; i < READINGS; i++) {
        int last = latest(told[i].source, true);
        bool history = readings_is_history(&readings, bytes_text(told[i].uri),
                                           bytes_text(told[i].run), &entry);
        bool stream = told[i].source == 0;
        ck_assert_int_eq(history, !stream && last >= 0 && last != i);
        ck_assert_int_eq(entry != NULL, stream ? told[i].complete : last == i);
        if (entry)
            ck_assert_uint_eq(entry->produced, (uint64_t)i);
    }
    while ((entry = readings_next(&readings, &at))) {
        int source = entry->uri.data[1] - '0', last = latest(source, true);
        streams += entry->stream;
        if (entry->stream)
            continue;
        ck_assert_int_eq(entry->complete, last >= 0);
        ck_assert_int_eq(readings_is_incomplete(entry), latest(source, false) > last);
        if (last >= 0)
            ck_assert(bytes_equal(entry->rejections, bytes_text(told[last].run)));
    }
    size_t wanted = 0;
    for (int i = 0; i < READINGS; i++)
        wanted += told[i].source == 0;
    ck_assert_uint_eq(streams, wanted);
    readings_free(&readings);
}
END_TEST

START_TEST(who_has_no_reading_has_no_history)
{
    struct readings readings;
    struct readings_entry *entry;
    const struct bytes none = {0}, uri = BYTES_LITERAL("s1"), run = BYTES_LITERAL("run1");
    readings_init(&readings, 1u << 20);
    ck_assert(!readings_is_history(&readings, uri, run, &entry));
    const struct reading reading = {.uri = uri, .run = BYTES_LITERAL("run2"), .complete = true};
    ck_assert(readings_add(&readings, &reading, none));
    ck_assert(readings_is_history(&readings, uri, run, &entry));
    ck_assert(!readings_is_history(&readings, uri, none, &entry));
    ck_assert(!readings_is_history(&readings, none, run, &entry));
    ck_assert(!readings_is_history(&readings, BYTES_LITERAL("s2"), run, &entry));
    ck_assert(
        readings_is_history(&readings, BYTES_LITERAL("s2"), BYTES_LITERAL("run9-follow"), &entry));
    readings_free(&readings);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    struct readings readings;
    struct readings_entry *entry;
    char uri[32];
    int count = 0;
    readings_init(&readings, 64u << 10);
    struct reading reading = {.run = BYTES_LITERAL("run"), .complete = true, .rejected = 1};
    for (; count < 10000; count++) {
        snprintf(uri, sizeof uri, "source%d", count);
        reading.uri = bytes_text(uri);
        if (!readings_add(&readings, &reading, BYTES_LITERAL("{}")))
            break;
    }
    ck_assert_int_gt(count, 100);
    ck_assert_int_lt(count, 10000);
    ck_assert_uint_le(readings.bytes, readings.bytes_max);
    for (int i = 0; i < count; i++) {
        snprintf(uri, sizeof uri, "source%d", i);
        readings_is_history(&readings, bytes_text(uri), BYTES_LITERAL("run"), &entry);
        ck_assert_ptr_nonnull(entry);
    }
    readings_free(&readings);
}
END_TEST

static Suite *readings_suite(void)
{
    Suite *suite = suite_create("readings");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, the_latest_complete_one_counts, 0, 100);
    tcase_add_test(tcase, who_has_no_reading_has_no_history);
    tcase_add_test(tcase, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(readings_suite)
