/* What a verifier's book keeps of readings: of random ones, written in pages and read by the next
 * process, the sources stand as all of them say; what the topic has forgotten is forgotten. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/model/message/record.h"
#include "common/policy/verify/readings_sum.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "verifier/follow/book_reading.h"

enum { TOLD = 80, SOURCES = 5, PARTITIONS = 3, NOW = 1800000000 };

static char folder[64];
static struct book *book;
static struct error err;

#define OK(call) ck_assert_msg((call) == OUT_OK, "%s: %s %s", err.text, err.where, err.cause)

static void open_book(void)
{
    const struct book_conf conf = {.folder = folder,
                                   .migration = "m",
                                   .id = "one",
                                   .tenants_max = 5,
                                   .cells_max = 1000,
                                   .samples_max = 5,
                                   .suspects_max = 5};
    book_close(book);
    OK(book_open(&conf, NOW, &book, &err));
}

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/drover_reading_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    open_book();
}

static void tear_down(void)
{
    char command[128];
    book_close(book);
    book = NULL;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void take(void *owner, struct bytes json)
{
    struct reading reading;
    ck_assert(reading_is_one(json));
    ck_assert(reading_parse(json, &reading, &err) == OUT_OK);
    ck_assert(readings_add(owner, &reading, (struct bytes){0}));
    reading_free(&reading);
}

static void is_same(const struct readings *all)
{
    struct readings kept;
    struct readings_sum sum = {0}, wanted = {0};
    readings_init(&kept, 1u << 20);
    OK(book_visit_readings(book, take, &kept, &err));
    readings_sum_of(&kept, &sum);
    readings_sum_of(all, &wanted);
    ck_assert_msg(sum.rejected == wanted.rejected && sum.incomplete == wanted.incomplete &&
                      sum.rejected_sources == wanted.rejected_sources,
                  "seed %llu: %llu of %llu rejected, %llu of %llu not complete",
                  (unsigned long long)random_seed, (unsigned long long)sum.rejected,
                  (unsigned long long)wanted.rejected, (unsigned long long)sum.incomplete,
                  (unsigned long long)wanted.incomplete);
    readings_free(&kept);
}

START_TEST(the_next_process_knows_the_same)
{
    struct readings all;
    int64_t next[PARTITIONS] = {-1, 7, 0}, known;
    static char runs[TOLD][32];
    bool any;
    random_begin((uint64_t)_i);
    readings_init(&all, 1u << 20);
    for (int at = 0; at < TOLD;) {
        struct reading page[8];
        struct book_reading items[8];
        size_t count = 0;
        for (uint64_t more = random_below(9); more > 0 && at < TOLD; more--, at++) {
            int source = (int)random_below(SOURCES);
            bool follows = source && random_below(2);
            uint64_t rejected = random_below(3);
            struct reading_code code = {"DRV-J001", BYTES_LITERAL("event"), rejected};
            snprintf(runs[at], sizeof runs[at], "run%d%s", at, follows ? RECORD_RUN_FOLLOWS : "");
            page[count] = (struct reading){.run = bytes_text(runs[at]),
                                           .uri = BYTES_LITERAL("a"),
                                           .has_source = source > 0,
                                           .source = {.bytes = {(uint8_t)source}},
                                           .stream = source == 0,
                                           .complete = random_below(3) > 0,
                                           .records = rejected,
                                           .rejected = rejected,
                                           .finished_ms = 1000 + at,
                                           .codes = &code,
                                           .code_count = 1};
            ck_assert(readings_add(&all, &page[count], (struct bytes){0}));
            page[count].codes = NULL;
            page[count].code_count = 0;
            next[source % PARTITIONS] = 100 + at;
            items[count] = (struct book_reading){&page[count], source % PARTITIONS, 99 + at};
            count++;
        }
        OK(book_keep_readings(book, items, count, next, PARTITIONS, &err));
        if (random_below(4) == 0)
            open_book();
    }
    open_book();
    is_same(&all);
    for (int i = 0; i <= PARTITIONS; i++) {
        OK(book_readings_next(book, i, &known, &err));
        ck_assert_int_eq(known, i < PARTITIONS ? next[i] : -1);
    }
    for (int i = 0; i < PARTITIONS; i++)
        OK(book_drop_readings(book, i, 99, &any, &err));
    ck_assert(!any);
    is_same(&all);
    readings_free(&all);
    readings_init(&all, 1u << 20);
    for (int i = 0; i < PARTITIONS; i++)
        OK(book_drop_readings(book, i, INT64_MAX, &any, &err));
    open_book();
    is_same(&all);
    readings_free(&all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("book_reading");
    TCase *tests = tcase_create("book_reading");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, the_next_process_knows_the_same, 0, 6);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
