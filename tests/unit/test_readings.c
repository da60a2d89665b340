/* Which reading of a source counts: random ones in any order, against a model that keeps them all.
 */
#include "common/policy/verify/readings.h"

#include <stdio.h>
#include <string.h>

#include "common/model/message/record.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { SOURCES = 8, PATHS = 3, READINGS = 40 };

static struct {
    char run[16], uri[16];
    int source;
    bool complete;
    int64_t at_ms;
} told[READINGS];

/* The first one is standard input; of each path the first one was told without `source`. */
static char path_of(int source)
{
    return (char)('0' + (source ? 1 + source % PATHS : 0));
}

static bool is_named(int source)
{
    return source > PATHS;
}

static struct reading reading_of(int at)
{
    int source = told[at].source;
    bool has_source = is_named(source);
    return (struct reading){.has_source = has_source,
                            .source = {.bytes = {has_source ? (uint8_t)source : 0}},
                            .run = bytes_text(told[at].run),
                            .uri = bytes_text(told[at].uri),
                            .stream = told[at].source == 0,
                            .complete = told[at].complete,
                            .records = (uint64_t)at + 3,
                            .produced = (uint64_t)at,
                            .rejected = 3,
                            .finished_ms = told[at].at_ms,
                            .read_ms = at % 2 ? told[at].at_ms - 7 : 0};
}

/* The latest complete one of a path that tells its source; -1: there is none. */
static int latest_named(char path)
{
    int found = -1;
    for (int i = 0; i < READINGS; i++)
        if (is_named(told[i].source) && told[i].complete && told[i].uri[1] == path)
            found = i;
    return found;
}

/* The latest one of its kind of the source that was not replaced; -1: there is none. */
static int latest(int source, bool complete)
{
    int found = -1;
    for (int i = 0; i < READINGS; i++)
        if (told[i].source == source && told[i].complete == complete)
            found = i;
    bool may_be_replaced = source && !is_named(source);
    return may_be_replaced && found < latest_named(path_of(source)) ? -1 : found;
}

/* Whether any source of that path was read to its end. */
static bool is_known(char path)
{
    for (int i = 0; i < READINGS; i++)
        if (told[i].complete && told[i].uri[1] == path)
            return true;
    return false;
}

static int source_of(const struct readings_entry *entry)
{
    for (int i = 0; i < READINGS; i++)
        if ((entry->complete && hash64(bytes_text(told[i].run)) == entry->run) ||
            (!entry->complete && told[i].at_ms == entry->incomplete_ms))
            return told[i].source;
    return -1;
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
    bool had[SOURCES] = {false};
    random_begin((uint64_t)_i);
    readings_init(&readings, 1u << 20);
    for (int i = 0; i < READINGS; i++) {
        told[i].source = (int)random_below(SOURCES);
        told[i].complete = random_below(3) > 0;
        told[i].at_ms = 1000 + i;
        snprintf(told[i].run, sizeof told[i].run, "run%d", i);
        snprintf(told[i].uri, sizeof told[i].uri, "s%c", path_of(told[i].source));
    }
    add_all(&readings);
    for (int i = 0; i < READINGS; i++) {
        bool is_latest = latest(told[i].source, true) == i;
        bool history = readings_is_history(&readings, bytes_text(told[i].uri),
                                           bytes_text(told[i].run), &entry);
        bool stream = told[i].source == 0;
        ck_assert_int_eq(history, !stream && is_known(told[i].uri[1]) && !is_latest);
        ck_assert_int_eq(entry != NULL, stream ? told[i].complete : is_latest);
        if (entry)
            ck_assert_uint_eq(entry->produced, (uint64_t)i);
    }
    while ((entry = readings_next(&readings, &at))) {
        int source = source_of(entry), last = latest(source, true);
        ck_assert_int_eq(entry->uri.data[1], path_of(source));
        ck_assert_int_eq(entry->stream, source == 0);
        streams += entry->stream;
        if (entry->stream)
            continue;
        ck_assert(!had[source]);
        had[source] = true;
        ck_assert_int_eq(entry->complete, last >= 0);
        ck_assert_int_eq(readings_is_incomplete(entry), latest(source, false) > last);
        if (last < 0)
            continue;
        ck_assert(bytes_equal(entry->rejections, bytes_text(told[last].run)));
        ck_assert_int_eq(entry->finished_ms - entry->read_ms, last % 2 ? 7 : 0);
    }
    size_t wanted = 0;
    for (int i = 0; i < READINGS; i++) {
        int source = told[i].source;
        wanted += source == 0;
        ck_assert(source == 0 ||
                  had[source] == (latest(source, true) >= 0 || latest(source, false) >= 0));
    }
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

/* A skipped source's reading is told again, in its old run: of an older Drover first without its
 * source, then with it. */
START_TEST(a_reading_that_gets_its_source_is_one)
{
    struct readings readings;
    struct readings_entry *entry;
    const struct bytes none = {0}, uri = BYTES_LITERAL("s1"), run = BYTES_LITERAL("run1");
    struct reading without = {
        .uri = uri, .run = run, .complete = true, .records = 5, .produced = 5, .finished_ms = 1000};
    struct reading with = without;
    with.has_source = true;
    with.source.bytes[0] = 1;
    with.finished_ms = 2000;
    size_t at = 0;
    readings_init(&readings, 1u << 20);
    ck_assert(readings_add(&readings, _i ? &with : &without, none));
    ck_assert(readings_add(&readings, _i ? &without : &with, none));
    ck_assert(!readings_is_history(&readings, uri, run, &entry));
    ck_assert_ptr_nonnull(entry);
    ck_assert_int_eq(entry->finished_ms, 2000);
    ck_assert_ptr_eq(readings_next(&readings, &at), entry);
    ck_assert_ptr_null(readings_next(&readings, &at));
    readings_free(&readings);
}
END_TEST

/* ---- sources that were given up ---------------------------------------------------------- */

enum { GIVEN_UP_READINGS = 5 };

/* What is told, and what the decision names; then what is so of the source. A decision is taken
 * before or behind any of it. */
static const struct {
    const char *name;
    struct {
        const char *run;
        bool complete;
        int64_t at_ms;
    } told[GIVEN_UP_READINGS];
    const char *run, *unfinished;
    int64_t until_ms;
    bool discarded, incomplete, given_up;
} GIVEN_UP[] = {
    {"rejections", {{"a", true, 10}}, "a", "", 0, true, false, false},
    {"nothing", {{"a", true, 10}}, "", "", 0, false, false, false},
    {"told again when skipped", {{"a", true, 10}, {"a", true, 30}}, "a", "", 0, true, false, false},
    {"read anew", {{"a", true, 10}, {"b", true, 30}}, "a", "", 0, false, false, false},
    {"an end", {{"a", false, 10}}, "", "a", 10, false, false, true},
    {"an end that was told again",
     {{"a", false, 10}, {"a", false, 11}},
     "",
     "a",
     10,
     false,
     true,
     false},
    {"an end of another run",
     {{"a", false, 10}, {"b", false, 11}},
     "",
     "a",
     11,
     false,
     true,
     false},
    {"an end that came", {{"a", false, 10}, {"a", true, 12}}, "", "a", 10, false, false, false},
    {"both", {{"a", true, 10}, {"b", false, 20}}, "a", "b", 20, true, false, true},
    {"one of both", {{"a", true, 10}, {"b", false, 20}}, "a", "", 0, true, true, false},
};

START_TEST(what_was_given_up_is_that_reading_alone)
{
    for (int stream = 0; stream < 2; stream++)
        for (int place = 0; place <= 2; place++) {
            const bool is_one_run = !GIVEN_UP[_i].told[1].run ||
                                    GIVEN_UP[_i].told[0].run[0] == GIVEN_UP[_i].told[1].run[0];
            if (stream && (!is_one_run || !(GIVEN_UP[_i].run[0] || GIVEN_UP[_i].unfinished[0])))
                continue; /* each run is a source of its own */
            struct readings readings;
            struct readings_entry *entry;
            size_t at = 0;
            struct reading other = {.uri = BYTES_LITERAL("s1"),
                                    .run = BYTES_LITERAL("o"),
                                    .stream = stream,
                                    .has_source = !stream,
                                    .source = {.bytes = {9}},
                                    .complete = true,
                                    .records = 1,
                                    .rejected = 1,
                                    .finished_ms = 5};
            const struct decision decision = {
                .kind = DECISION_SOURCE,
                .run = bytes_text(GIVEN_UP[_i].run),
                .about = {.uri = other.uri,
                          .has_source = !stream,
                          .source = {.bytes = {stream ? 0 : 1}},
                          .stream = stream,
                          .unfinished = bytes_text(GIVEN_UP[_i].unfinished),
                          .until_ms = GIVEN_UP[_i].until_ms}};
            readings_init(&readings, 1u << 20);
            ck_assert(readings_add(&readings, &other, (struct bytes){0}));
            for (int i = 0; i < GIVEN_UP_READINGS; i++) {
                if (i == place)
                    ck_assert(readings_decide(&readings, &decision));
                if (!GIVEN_UP[_i].told[i].run)
                    continue;
                struct reading reading = other;
                reading.source = decision.about.source;
                reading.run = bytes_text(GIVEN_UP[_i].told[i].run);
                reading.complete = GIVEN_UP[_i].told[i].complete;
                reading.finished_ms = GIVEN_UP[_i].told[i].at_ms;
                ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
            }
            entry = readings_next(&readings, &at);
            ck_assert(!readings_is_discarded(entry));
            entry = readings_next(&readings, &at);
            ck_assert_ptr_nonnull(entry);
            ck_assert_msg(readings_is_discarded(entry) == GIVEN_UP[_i].discarded &&
                              readings_is_incomplete(entry) == GIVEN_UP[_i].incomplete &&
                              readings_is_given_up(entry) == GIVEN_UP[_i].given_up,
                          "%s, decided at %d, stream %d", GIVEN_UP[_i].name, place, stream);
            ck_assert_ptr_null(readings_next(&readings, &at));
            readings_free(&readings);
        }
}
END_TEST

/* What producers and followers told of two sources of one path, in any order: the last complete one
 * of either says what is rejected, and a follower's makes no message a record, nor history. */
START_TEST(what_is_told_last_says_what_is_rejected)
{
    enum { TOLD = 12 };
    struct readings readings;
    struct readings_entry *entry;
    struct reading all[TOLD];
    char runs[TOLD][24];
    uint64_t wanted[2] = {0}, found[2] = {0};
    int broken[2] = {-1, -1}, whole[2] = {-1, -1}, read[2] = {-1, -1}, last[2] = {-1, -1};
    size_t at = 0;
    random_begin((uint64_t)_i);
    readings_init(&readings, 1u << 20);
    for (int i = 0; i < TOLD; i++) {
        int source = (int)random_below(2);
        bool follows = random_below(2), complete = random_below(4) > 0;
        uint64_t rejected = random_below(3);
        snprintf(runs[i], sizeof runs[i], "run%d%s", i, follows ? RECORD_RUN_FOLLOWS : "");
        all[i] = (struct reading){.has_source = true,
                                  .source = {.bytes = {(uint8_t)(source + 1)}},
                                  .run = bytes_text(runs[i]),
                                  .uri = BYTES_LITERAL("a"),
                                  .complete = complete,
                                  .records = rejected,
                                  .rejected = rejected,
                                  .finished_ms = 1000 + i};
        *(follows ? complete ? &whole[source] : &broken[source] : &read[source]) =
            follows || complete ? i : read[source];
        if (complete) {
            last[source] = i;
            wanted[source] = rejected;
        }
    }
    for (int i = TOLD - 1; i > 0; i--) {
        int other = (int)random_below((uint64_t)i + 1);
        struct reading kept = all[i];
        all[i] = all[other];
        all[other] = kept;
    }
    for (int i = 0; i < TOLD; i++)
        ck_assert(readings_add(&readings, &all[i], bytes_text("{}")));
    while ((entry = readings_next(&readings, &at))) {
        int source = entry->source.bytes[0] - 1;
        found[source] += entry->rejected;
        if (entry->follows)
            ck_assert_msg(readings_is_incomplete(entry) == (broken[source] > whole[source]),
                          "seed %llu", (unsigned long long)random_seed);
        ck_assert(!entry->follows || entry->rejected || readings_is_incomplete(entry));
    }
    for (int source = 0; source < 2; source++)
        ck_assert_msg(found[source] == wanted[source], "seed %llu: %llu of %llu, told last by %d",
                      (unsigned long long)random_seed, (unsigned long long)found[source],
                      (unsigned long long)wanted[source], last[source]);
    /* messages are of what producers read, whoever followed later */
    bool any = read[0] >= 0 || read[1] >= 0;
    ck_assert(readings_is_history(&readings, BYTES_LITERAL("a"), BYTES_LITERAL("none"), &entry) ==
              any);
    for (int source = 0; source < 2; source++)
        if (read[source] >= 0)
            ck_assert(!readings_is_history(&readings, BYTES_LITERAL("a"),
                                           bytes_text(runs[read[source]]), &entry));
    readings_free(&readings);
}
END_TEST

/* A follower tells of a source again and again in one run. */
START_TEST(what_a_follower_tells_later_is_not_given_up)
{
    struct readings readings;
    size_t at = 0;
    struct reading reading = {.has_source = true,
                              .run = BYTES_LITERAL("a" RECORD_RUN_FOLLOWS),
                              .uri = BYTES_LITERAL("s1"),
                              .complete = true,
                              .records = 2,
                              .rejected = 2,
                              .finished_ms = 10};
    const struct decision decision = {
        .kind = DECISION_SOURCE,
        .run = reading.run,
        .about = {.uri = reading.uri, .has_source = true, .until_ms = 10}};
    readings_init(&readings, 1u << 20);
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    ck_assert(readings_decide(&readings, &decision));
    const struct readings_entry *entry = readings_next(&readings, &at);
    ck_assert(readings_is_discarded(entry));
    reading.finished_ms = 11;
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    ck_assert(!readings_is_discarded(entry));
    readings_free(&readings);
}
END_TEST

START_TEST(a_decision_about_nothing_is_no_source)
{
    struct readings readings;
    size_t at = 0;
    const struct decision decision = {
        .kind = DECISION_SOURCE, .run = BYTES_LITERAL("a"), .about = {.uri = BYTES_LITERAL("s1")}};
    readings_init(&readings, 1u << 20);
    ck_assert(readings_decide(&readings, &decision));
    ck_assert_ptr_null(readings_next(&readings, &at));
    readings_free(&readings);
}
END_TEST

START_TEST(names_are_kept_where_they_are_wanted)
{
    struct readings readings;
    size_t at = 0;
    struct reading reading = {.uri = BYTES_LITERAL("s1"), .complete = true};
    readings_init(&readings, 1u << 20);
    readings.keeps_names = true;
    for (int i = 0; i < 4; i++) {
        char run[16];
        snprintf(run, sizeof run, "run%d", i);
        reading.run = bytes_text(run);
        reading.complete = i % 2;
        reading.finished_ms = i;
        ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    }
    const struct readings_entry *entry = readings_next(&readings, &at);
    ck_assert(bytes_equal(entry->run_name, BYTES_LITERAL("run3")));
    ck_assert(bytes_equal(entry->incomplete_name, BYTES_LITERAL("run2")));
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
    tcase_add_loop_test(tcase, a_reading_that_gets_its_source_is_one, 0, 2);
    tcase_add_test(tcase, who_has_no_reading_has_no_history);
    tcase_add_loop_test(tcase, what_was_given_up_is_that_reading_alone, 0,
                        sizeof GIVEN_UP / sizeof GIVEN_UP[0]);
    tcase_add_loop_test(tcase, what_is_told_last_says_what_is_rejected, 0, 100);
    tcase_add_test(tcase, what_a_follower_tells_later_is_not_given_up);
    tcase_add_test(tcase, a_decision_about_nothing_is_no_source);
    tcase_add_test(tcase, names_are_kept_where_they_are_wanted);
    tcase_add_test(tcase, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(readings_suite)
