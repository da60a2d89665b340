/* The threads that compare reads: an old store of files, and a PostgreSQL that nobody can reach.
 * Stores that answer: e2e.compare_reads. */
#include "verifier/reads/reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/suite.h"

#define PATIENCE_MS 50000

static const char MAPPING[] = "entity: order\ntable: o\nkey: [no]\n"
                              "columns: [ { name: no, from: /no, type: int8 } ]\nrest: extra\n";
static char path[32];
static struct mapping *mapping;
static struct settings settings;
static struct reads *reads;

static void setup(void)
{
    static const char TEXT[] = "[{\"no\":1},{\"no\":2},{\"no\":3}]\n";
    snprintf(path, sizeof path, "/tmp/drover_reads_XXXXXX");
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && write(fd, TEXT, sizeof TEXT - 1) == (ssize_t)sizeof TEXT - 1);
    close(fd);
    mapping = compile(MAPPING);
    settings = (struct settings){.storage = STORE_DATABASE,
                                 .database_url = "postgresql://x:y@127.0.0.1:1/x",
                                 .verifier_role = "",
                                 .compare_old = COMPARE_FILE,
                                 .compare_template = "{file}",
                                 .compare_per_second = 1000,
                                 .compare_connections = 3,
                                 .compare_timeout_ms = 60000,
                                 .compare_limit = 1.1};
    reads = reads_open(&settings);
}

static void teardown(void)
{
    reads_close(reads);
    mapping_free(mapping);
    unlink(path);
}

static void offer(const char *id)
{
    const struct reads_key key = {.mapping = mapping,
                                  .tenant = BYTES_LITERAL("t"),
                                  .id = bytes_text(id),
                                  .uri = bytes_text(path)};
    reads_offer(reads, &key);
}

static uint64_t asked(const struct verify_reads_store *store)
{
    return store->reads + store->not_found + store->refused + store->errors;
}

/* Until both stores were asked so often; what `recent` gave on the way sums up to the total. */
static void wait_for(uint64_t count, struct verify_reads *total)
{
    struct verify_reads recent;
    uint64_t sums[2] = {0}, until_ms = clock_monotonic_ms() + PATIENCE_MS;
    do {
        usleep(1000);
        reads_result(reads, total, &recent);
        ck_assert_uint_eq(total->count, 2);
        for (int i = 0; i < 2; i++) {
            sums[i] += asked(&recent.stores[i]);
            ck_assert_uint_eq(asked(&total->stores[i]), sums[i]);
        }
        ck_assert(clock_monotonic_ms() < until_ms);
    } while (sums[0] < count || sums[1] < count);
}

START_TEST(each_store_is_read_whatever_the_other_does)
{
    struct verify_reads total;
    offer("1");
    offer("2");
    offer("7");
    reads_start(reads, 0);
    wait_for(90, &total);
    const struct verify_reads_store *old = &total.stores[0], *rows = &total.stores[1];
    ck_assert_str_eq(old->name, "file");
    ck_assert(old->reads > 0 && old->not_found > 0 && old->errors == 0);
    ck_assert_uint_le(old->ns[READS_P50], old->ns[READS_P99]);
    ck_assert_uint_le(old->ns[READS_P99], old->max_ns);
    ck_assert_str_eq(rows->name, "PostgreSQL");
    ck_assert(rows->errors > 0 && rows->reads == 0 && rows->error[0]);
    ck_assert_uint_eq(total.keys, 3);
}
END_TEST

START_TEST(it_ends_when_all_was_read)
{
    struct verify_reads total;
    offer("1");
    reads_start(reads, 200);
    reads_wait(reads);
    reads_result(reads, &total, NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(asked(&total.stores[i]), 200);
    ck_assert_uint_eq(total.stores[0].reads, 200);
}
END_TEST

START_TEST(reads_before_the_first_key_are_not_due)
{
    struct verify_reads total;
    reads_start(reads, 0);
    usleep(300000); /* 300 reads, if they were */
    reads_result(reads, &total, NULL);
    ck_assert_uint_eq(asked(&total.stores[0]) + asked(&total.stores[1]), 0);
    uint64_t from_ms = clock_monotonic_ms();
    offer("3");
    wait_for(20, &total);
    ck_assert_uint_le(asked(&total.stores[0]), clock_monotonic_ms() - from_ms + 2);
}
END_TEST

/* An entity without redis: in storage hybrid. */
START_TEST(a_store_that_has_none_of_the_keys_holds_nobody_up)
{
    struct verify_reads total;
    uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    reads_close(reads);
    settings.storage = STORE_HYBRID;
    settings.redis_url = "redis://127.0.0.1:1";
    reads = reads_open(&settings);
    offer("1");
    reads_start(reads, 0);
    do {
        usleep(1000);
        reads_result(reads, &total, NULL);
        ck_assert_uint_eq(total.count, 3);
        ck_assert(clock_monotonic_ms() < until_ms);
    } while (asked(&total.stores[0]) < 20);
    ck_assert_uint_eq(asked(&total.stores[2]), 0);
}
END_TEST

START_TEST(it_may_be_closed_at_any_time)
{
    for (int i = 0; i < 20; i++) {
        if (i % 2)
            offer("1");
        if (i % 3)
            reads_start(reads, 0);
        if (i % 5 == 0)
            usleep(2000);
        reads_close(reads);
        reads = reads_open(&settings);
    }
}
END_TEST

static Suite *reads_suite(void)
{
    Suite *suite = suite_create("reads");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_store_is_read_whatever_the_other_does);
    tcase_add_test(tcase, it_ends_when_all_was_read);
    tcase_add_test(tcase, reads_before_the_first_key_are_not_due);
    tcase_add_test(tcase, a_store_that_has_none_of_the_keys_holds_nobody_up);
    tcase_add_test(tcase, it_may_be_closed_at_any_time);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(reads_suite)
