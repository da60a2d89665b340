/* How the sources stand: random histories of what producers and followers told, in any order and
 * twice, against a model that keeps them all; and of them only the last of each, as a verifier
 * that was started again knows. */
#include "common/policy/verify/readings_sum.h"

#include <stdio.h>
#include <string.h>

#include "common/model/message/record.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { SOURCES = 4, TOLD = 60, NOBODY = -1 };

/* Source 0 is standard input; of two others the path is the same. */
static struct told {
    int source;
    bool follows, complete;
    uint64_t rejected;
    char run[32], uri[16];
} told[TOLD];
static int discarded; /* the reading whose rejections a person gave up; NOBODY */

static void tell(int at)
{
    struct told *one = &told[at];
    one->source = (int)random_below(SOURCES);
    one->follows = one->source && random_below(2);
    one->complete = random_below(3) > 0;
    one->rejected = one->complete ? random_below(3) : 0;
    snprintf(one->run, sizeof one->run, "run%d%s", at, one->follows ? RECORD_RUN_FOLLOWS : "");
    snprintf(one->uri, sizeof one->uri, "s%d", one->source / 2);
}

static struct reading reading_of(int at)
{
    const struct told *one = &told[at];
    return (struct reading){.run = bytes_text(one->run),
                            .uri = bytes_text(one->uri),
                            .has_source = one->source > 0,
                            .source = {.bytes = {(uint8_t)one->source}},
                            .stream = one->source == 0,
                            .complete = one->complete,
                            .records = one->rejected,
                            .rejected = one->rejected,
                            .finished_ms = 1000 + at};
}

static int last(int source, int follows, int complete)
{
    int found = NOBODY;
    for (int i = 0; i < TOLD; i++)
        if (told[i].source == source && told[i].follows == follows && told[i].complete == complete)
            found = i;
    return found;
}

struct model {
    uint64_t rejected, rejected_sources, incomplete;
};

static void count(struct model *model, int reading)
{
    uint64_t rejected = reading == NOBODY || reading == discarded ? 0 : told[reading].rejected;
    model->rejected += rejected;
    model->rejected_sources += rejected > 0;
}

/* Of a file the last complete one of anybody says what is rejected; each of standard input does. */
static struct model expected(void)
{
    struct model model = {0};
    for (int i = 0; i < TOLD; i++)
        if (told[i].source == 0 && told[i].complete)
            count(&model, i);
        else if (told[i].source == 0)
            model.incomplete++;
    for (int source = 1; source < SOURCES; source++) {
        int newest = NOBODY;
        for (int follows = 0; follows < 2; follows++) {
            int whole = last(source, follows, true);
            newest = whole > newest ? whole : newest;
            model.incomplete += last(source, follows, false) > whole;
        }
        count(&model, newest);
    }
    return model;
}

/* What the book of a verifier keeps of it. */
static bool is_kept(int at)
{
    return told[at].source == 0 || last(told[at].source, told[at].follows, told[at].complete) == at;
}

static void decide(struct readings *readings)
{
    if (discarded == NOBODY)
        return;
    const struct reading about = reading_of(discarded);
    const struct decision decision = {.kind = DECISION_SOURCE,
                                      .run = about.run,
                                      .about = {.uri = about.uri,
                                                .has_source = about.has_source,
                                                .source = about.source,
                                                .stream = about.stream,
                                                .until_ms = about.finished_ms}};
    ck_assert(readings_decide(readings, &decision));
}

static void add_all(struct readings *readings, bool kept_alone)
{
    int order[TOLD];
    for (int i = 0; i < TOLD; i++)
        order[i] = i;
    for (int i = TOLD - 1; i > 0; i--) {
        int other = (int)random_below((uint64_t)i + 1), first = order[i];
        order[i] = order[other];
        order[other] = first;
    }
    for (int i = 0; i < TOLD; i++) {
        const struct reading reading = reading_of(order[i]);
        if (kept_alone && !is_kept(order[i]))
            continue;
        for (uint64_t again = random_below(4) ? 1 : 2; again > 0; again--)
            ck_assert(readings_add(readings, &reading, (struct bytes){0}));
    }
}

static void is_as_expected(bool kept_alone)
{
    struct readings readings;
    struct readings_sum sum = {.is_known = true};
    const struct model model = expected();
    readings_init(&readings, 1u << 20);
    add_all(&readings, kept_alone);
    decide(&readings);
    readings_sum_of(&readings, &sum);
    ck_assert_msg(sum.rejected == model.rejected && sum.incomplete == model.incomplete &&
                      sum.rejected_sources == model.rejected_sources,
                  "seed %llu, kept alone %d: %llu of %llu rejected, %llu of %llu not complete",
                  (unsigned long long)random_seed, kept_alone, (unsigned long long)sum.rejected,
                  (unsigned long long)model.rejected, (unsigned long long)sum.incomplete,
                  (unsigned long long)model.incomplete);
    ck_assert(readings_sum_is_clean(&sum) == (!model.rejected && !model.incomplete));
    ck_assert_uint_le(sum.named_count, READINGS_SUM_NAMED);
    ck_assert((sum.named_count > 0) == (model.rejected || model.incomplete));
    readings_free(&readings);
}

START_TEST(is_what_a_model_says)
{
    random_begin((uint64_t)_i);
    for (int i = 0; i < TOLD; i++)
        tell(i);
    int one = (int)random_below(TOLD);
    discarded = random_below(2) && told[one].complete ? one : NOBODY;
    is_as_expected(false);
    is_as_expected(true);
}
END_TEST

static void says(struct readings_sum *sum, const struct readings *readings, const char *words)
{
    struct buf text;
    buf_init(&text, 4096);
    readings_sum_of(readings, sum);
    readings_sum_append_words(sum, "", &text);
    ck_assert_str_eq(buf_text(&text), words);
    buf_free(&text);
}

START_TEST(in_words)
{
    struct readings readings;
    struct readings_sum sum = {.is_known = true};
    struct reading reading = {.run = BYTES_LITERAL("r" RECORD_RUN_FOLLOWS),
                              .uri = BYTES_LITERAL("a\033.json"),
                              .has_source = true,
                              .source = {.bytes = {1}},
                              .complete = true,
                              .records = 1,
                              .rejected = 1,
                              .finished_ms = 1};
    readings_init(&readings, 1u << 20);
    says(&sum, &readings, "");
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    says(&sum, &readings, "1 record of a\\x1B.json is rejected");
    reading.records = reading.rejected = 1200;
    reading.source.bytes[0] = 2;
    reading.uri = BYTES_LITERAL("b.json");
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    says(&sum, &readings, "1 201 records of 2 sources are rejected: a\\x1B.json, …");
    reading.complete = false;
    reading.records = reading.rejected = 0;
    reading.finished_ms = 2;
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    says(&sum, &readings,
         "1 201 records of 2 sources are rejected: b.json, …; the reading of b.json is not "
         "complete");
    reading.complete = true;
    reading.finished_ms = 3;
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    says(&sum, &readings, "1 record of a\\x1B.json is rejected");
    sum.beyond = 7;
    says(&sum, &readings,
         "1 record of a\\x1B.json is rejected; 7 readings of sources had no room, what they say is "
         "not known");
    readings_free(&readings);
}
END_TEST

static Suite *readings_sum_suite(void)
{
    Suite *suite = suite_create("readings_sum");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, is_what_a_model_says, 0, 400);
    tcase_add_test(tcase, in_words);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(readings_sum_suite)
