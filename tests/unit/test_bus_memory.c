#include "common/port/bus_memory.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "tests/support/suite.h"

#define MOST 4096

/* ---- harness ----------------------------------------------------------------------------- */

static struct {
    struct bus_memory *bus;
    struct bus_sender *sender;
    int reports, polls;
    int32_t partition;
    int64_t offset;
    void *item;
    struct bus_memory_reader *reader; /* drained by each poll when it is set */
    int drained;
} H;

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    ck_assert_ptr_eq(owner, &H);
    ck_assert_int_eq(outcome, OUT_OK);
    ck_assert_ptr_null(err);
    H.reports++;
    H.item = item;
    H.partition = partition;
    H.offset = offset;
}

static void on_poll(void *owner)
{
    struct bus_message message;
    (void)owner;
    H.polls++;
    while (H.reader && bus_memory_next(H.reader, &message))
        H.drained++;
    if (H.reader)
        bus_memory_release(H.reader);
}

static void setup(void)
{
    struct error err;
    memset(&H, 0, sizeof H);
    H.bus = bus_memory_new(MOST);
    bus_memory_make_topic(H.bus, "t", 3);
    struct bus *bus = bus_memory_bus(H.bus);
    ck_assert_int_eq(bus_open_sender(bus, "t", 3, 0, on_delivered, &H, &H.sender, &err), OUT_OK);
}

static void teardown(void)
{
    bus_sender_close(H.sender);
    bus_memory_reader_free(H.reader);
    bus_memory_free(H.bus);
}

static enum outcome put(int32_t partition, const char *key, struct bytes value, struct error *err)
{
    struct envelope envelope = {.key = bytes_text(key),
                                .value = value,
                                .headers = {{BYTES_LITERAL("drover-tenant"), bytes_text("acme")}},
                                .header_count = 1};
    return bus_sender_send(H.sender, partition, &envelope, (void *)key, err);
}

static struct bus_memory_reader *read_all(void)
{
    static const struct bus_range RANGES[] = {
        {0, 0, INT64_MAX}, {1, 0, INT64_MAX}, {2, 0, INT64_MAX}};
    return bus_memory_reader_new(H.bus, "t", RANGES, 3);
}

/* ---- tests ------------------------------------------------------------------------------- */

START_TEST(reports_come_with_the_next_poll)
{
    struct error err;
    ck_assert_int_eq(put(1, "a", BYTES_LITERAL("1"), &err), OUT_OK);
    ck_assert_int_eq(put(1, "b", BYTES_LITERAL("2"), &err), OUT_OK);
    ck_assert_int_eq(H.reports, 0);
    ck_assert_uint_eq(bus_sender_pending(H.sender), 2);
    ck_assert_int_eq(bus_sender_poll(H.sender, 0), 2);
    ck_assert_int_eq(H.reports, 2);
    ck_assert_str_eq(H.item, "b");
    ck_assert_int_eq(H.partition, 1);
    ck_assert_int_eq(H.offset, 1);
    ck_assert(bus_sender_flush(H.sender, 0));
    ck_assert_int_eq(H.reports, 2);
}
END_TEST

START_TEST(a_message_is_what_was_sent)
{
    struct error err;
    char value[] = "{\"a\":1}";
    struct bus_message message;
    ck_assert_int_eq(put(2, "k", bytes_text(value), &err), OUT_OK);
    memset(value, 'x', sizeof value - 1); /* the sender's memory is its own again */
    H.reader = read_all();
    ck_assert(bus_memory_next(H.reader, &message));
    ck_assert_int_eq(message.partition, 2);
    ck_assert_int_eq(message.offset, 0);
    ck_assert(bytes_equal(message.envelope.key, BYTES_LITERAL("k")));
    ck_assert(bytes_equal(message.envelope.value, BYTES_LITERAL("{\"a\":1}")));
    ck_assert(!message.envelope.null_value);
    ck_assert_uint_eq(message.envelope.header_count, 1);
    ck_assert(bytes_equal(message.envelope.headers[0].value, BYTES_LITERAL("acme")));
    ck_assert(!bus_memory_next(H.reader, &message));
}
END_TEST

START_TEST(a_reader_gets_its_ranges_in_order)
{
    struct error err;
    struct bus_message message;
    static const struct bus_range RANGES[] = {{2, 1, 3}, {0, 0, 1}};
    for (int i = 0; i < 4; i++)
        for (int32_t p = 0; p < 3; p++)
            ck_assert_int_eq(put(p, "k", BYTES_LITERAL("v"), &err), OUT_OK);
    H.reader = bus_memory_reader_new(H.bus, "t", RANGES, 2);
    static const int64_t WANTED[][2] = {{2, 1}, {2, 2}, {0, 0}};
    for (int i = 0; i < 3; i++) {
        ck_assert(bus_memory_next(H.reader, &message));
        ck_assert_int_eq(message.partition, WANTED[i][0]);
        ck_assert_int_eq(message.offset, WANTED[i][1]);
    }
    ck_assert(!bus_memory_next(H.reader, &message));
}
END_TEST

START_TEST(full_without_a_reader_is_the_end)
{
    struct error err;
    char large[3000] = {0};
    ck_assert_int_eq(put(0, "a", bytes_of(large, sizeof large), &err), OUT_OK);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_MEMORY);
}
END_TEST

START_TEST(full_with_a_reader_waits_for_it)
{
    struct error err;
    char large[3000] = {0};
    bus_memory_on_poll(H.bus, on_poll, NULL);
    ck_assert_int_eq(put(0, "a", bytes_of(large, sizeof large), &err), OUT_OK);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_RETRY);
    H.reader = read_all();
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.drained, 1);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_OK);
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.drained, 2);
    ck_assert_int_eq(H.reports, 2);
}
END_TEST

START_TEST(one_message_larger_than_the_bus_passes_alone)
{
    struct error err;
    static char huge[3 * MOST];
    bus_memory_on_poll(H.bus, on_poll, NULL);
    H.reader = read_all();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(put(0, "a", bytes_of(huge, sizeof huge), &err), OUT_OK);
        ck_assert_int_eq(put(0, "b", BYTES_LITERAL("1"), &err), OUT_RETRY);
        bus_sender_poll(H.sender, 0);
    }
    ck_assert_int_eq(H.drained, 3);
}
END_TEST

START_TEST(what_was_released_is_gone_for_all)
{
    struct error err;
    struct bus_message message;
    struct bus_memory_reader *second = read_all();
    H.reader = read_all();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(0, "k", BYTES_LITERAL("v"), &err), OUT_OK);
    ck_assert(bus_memory_next(second, &message));
    ck_assert(bus_memory_next(H.reader, &message));
    ck_assert(bus_memory_next(H.reader, &message));
    bus_memory_release(H.reader);
    ck_assert(bus_memory_next(second, &message));
    ck_assert_int_eq(message.offset, 2);
    bus_memory_reader_free(second);
}
END_TEST

START_TEST(topics_are_checked)
{
    struct error err;
    struct bus_sender *sender;
    struct bus *bus = bus_memory_bus(H.bus);
    ck_assert_int_eq(bus_open_sender(bus, "none", 0, 0, on_delivered, NULL, &sender, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
    ck_assert_int_eq(bus_open_sender(bus, "t", 4, 0, on_delivered, NULL, &sender, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_PARTITIONS);
}
END_TEST

START_TEST(a_key_has_one_partition)
{
    struct error err;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(put(-1, "acme/city/x", BYTES_LITERAL("v"), &err), OUT_OK);
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.offset, 4);
    ck_assert_int_eq(H.partition, hash_partition(BYTES_LITERAL("acme/city/x"), 3));
}
END_TEST

static Suite *bus_memory_suite(void)
{
    Suite *suite = suite_create("bus_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reports_come_with_the_next_poll);
    tcase_add_test(tcase, a_message_is_what_was_sent);
    tcase_add_test(tcase, a_reader_gets_its_ranges_in_order);
    tcase_add_test(tcase, full_without_a_reader_is_the_end);
    tcase_add_test(tcase, full_with_a_reader_waits_for_it);
    tcase_add_test(tcase, one_message_larger_than_the_bus_passes_alone);
    tcase_add_test(tcase, what_was_released_is_gone_for_all);
    tcase_add_test(tcase, topics_are_checked);
    tcase_add_test(tcase, a_key_has_one_partition);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(bus_memory_suite)
