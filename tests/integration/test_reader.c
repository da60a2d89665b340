/*
 * Reading ranges of a topic once, against librdkafka's own mock cluster. It keeps at most 5 MiB a
 * partition and forgets the oldest batches, which serves here to lose the begin of a topic.
 */

#include "common/io/clock.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_reader.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>

#include "tests/support/suite.h"

enum { WAIT_MS = 10000, SHORT_MS = 300, PARTITIONS = 3 };

static rd_kafka_t *producer;
static struct settings settings;

static void setup(void)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "message.max.bytes", "2000000", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ck_assert_msg(producer != NULL, "%s", text);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(producer);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, "t", PARTITIONS, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    /* the mock makes any topic it is asked for */
    rd_kafka_mock_topic_set_error(cluster, "absent", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    settings = (struct settings){
        .brokers = rd_kafka_mock_cluster_bootstraps(cluster),
        .prefix = "drover",
        .migration = "m",
        .group = "drover.m.worker",
        .record_bytes = 16u << 20,
        .queue_bytes = 32u << 20,
        .work_memory = 64u << 20,
        .batch_bytes = 1u << 20,
        .progress_fd = -1,
    };
}

static void teardown(void)
{
    rd_kafka_destroy(producer);
}

static void flush(void)
{
    ck_assert_int_eq(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void put(int32_t partition, const void *value, size_t size)
{
    ck_assert_int_eq(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("t"),
                                       RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_VALUE((void *)value, size),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void put_numbers(int32_t partition, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[32];
        put(partition, text, (size_t)snprintf(text, sizeof text, "%d", i));
    }
    flush();
}

static struct bus_reader *open_reader(const struct bus_range *ranges, size_t count)
{
    struct bus_reader *reader = NULL;
    struct error err = {0};
    ck_assert_msg(kafka_reader_open(&settings, "t", ranges, count, WAIT_MS, &reader, &err) ==
                      OUT_OK,
                  "%s %s", err.text, err.cause);
    return reader;
}

START_TEST(reads_exactly_the_ranges)
{
    static const struct bus_range RANGES[] = {{0, 0, 100}, {1, 20, 70}, {2, 50, 50}};
    int64_t next[PARTITIONS] = {0, 20, 50};
    struct error err = {0};
    const struct bus_message *message;
    int count = 0;
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        put_numbers(partition, 0, 100);
    struct bus_reader *reader = open_reader(RANGES, 3);
    for (;;) {
        ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
        if (!message)
            break;
        char text[32] = "";
        memcpy(text, message->envelope.value.data, message->envelope.value.size);
        ck_assert_int_eq(message->offset, next[message->partition]++);
        ck_assert_int_eq(atoll(text), message->offset);
        ck_assert_int_gt(message->timestamp_ms, 0);
        count++;
    }
    ck_assert_int_eq(count, 150);
    /* the end stays the end */
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    ck_assert_ptr_null(message);
    bus_reader_close(reader);
}
END_TEST

START_TEST(shows_a_message_whole)
{
    static const struct bus_range RANGE = {1, 0, 2};
    struct error err = {0};
    const struct bus_message *message;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(80);
    for (int i = 0; i < ENVELOPE_HEADERS_MAX + 6; i++)
        rd_kafka_header_add(headers, "foreign", -1, "x", 1);
    rd_kafka_header_add(headers, "drover-tenant", -1, "acme\0x", 6);
    rd_kafka_header_add(headers, "drover-entity", -1, NULL, 0);
    ck_assert_int_eq(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(1),
                                       RD_KAFKA_V_KEY("k", 1), RD_KAFKA_V_HEADERS(headers),
                                       RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    put(1, "", 0);
    flush();
    struct bus_reader *reader = open_reader(&RANGE, 1);
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    const struct envelope *envelope = &message->envelope;
    ck_assert(envelope->null_value);
    ck_assert(bytes_equal(envelope->key, BYTES_LITERAL("k")));
    ck_assert_uint_eq(envelope->header_count, ENVELOPE_HEADERS_MAX);
    /* ours are there however many others came before */
    ck_assert(bytes_equal(envelope->headers[0].name, BYTES_LITERAL("drover-tenant")));
    ck_assert(bytes_equal(envelope->headers[0].value, BYTES_LITERAL("acme\0x")));
    ck_assert(bytes_equal(envelope->headers[1].name, BYTES_LITERAL("drover-entity")));
    ck_assert_uint_eq(envelope->headers[1].value.size, 0);
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    ck_assert(!message->envelope.null_value);
    ck_assert_uint_eq(message->envelope.value.size, 0);
    bus_reader_close(reader);
}
END_TEST

START_TEST(waits_for_what_is_not_there_yet)
{
    static const struct bus_range RANGE = {0, 0, 12};
    struct error err = {0};
    const struct bus_message *message;
    put_numbers(0, 0, 10);
    struct bus_reader *reader = open_reader(&RANGE, 1);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
        ck_assert_int_eq(message->offset, i);
    }
    ck_assert_int_eq(bus_reader_next(reader, SHORT_MS, &message, &err), OUT_RETRY);
    ck_assert_int_eq(err.code, ERR_KAFKA_UNREACHABLE);
    put_numbers(0, 10, 15);
    for (int i = 10; i < 12; i++) {
        ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
        ck_assert_int_eq(message->offset, i);
    }
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    ck_assert_ptr_null(message);
    bus_reader_close(reader);
}
END_TEST

START_TEST(nothing_wanted_ends_at_once)
{
    static const struct bus_range RANGES[] = {{0, 0, 0}, {1, 7, 3}};
    struct error err = {0};
    const struct bus_message *message;
    struct bus_reader *reader = open_reader(RANGES, 2);
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    ck_assert_ptr_null(message);
    bus_reader_close(reader);
}
END_TEST

START_TEST(refuses_what_is_not_there)
{
    static const struct bus_range RANGES[] = {{0, 0, 5}, {PARTITIONS, 0, 5}};
    struct bus_reader *reader = NULL;
    struct error err = {0};
    ck_assert_int_eq(kafka_reader_open(&settings, "absent", RANGES, 1, WAIT_MS, &reader, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
    ck_assert_ptr_null(reader);
    ck_assert_int_eq(kafka_reader_open(&settings, "t", &RANGES[1], 1, WAIT_MS, &reader, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_PARTITIONS);
}
END_TEST

/* Seven messages of 900 KB do not fit the mock's 5 MiB: the first are gone. */
START_TEST(says_that_the_begin_is_gone)
{
    static const struct bus_range RANGE = {0, 0, 7};
    enum { SIZE = 900000 };
    struct bus_reader *reader = NULL;
    struct bus *bus = kafka_bus_new(&settings, NULL);
    struct bus_range *ranges = NULL;
    struct error err = {0};
    size_t count;
    uint32_t noise = 1;
    char *value = malloc(SIZE);
    ck_assert_ptr_nonnull(value);
    for (int i = 0; i < SIZE; i++) {
        noise = noise * 1664525u + 1013904223u;
        value[i] = (char)(noise >> 24);
    }
    for (int i = 0; i < 7; i++) {
        put(0, value, SIZE);
        flush();
    }
    free(value);
    ck_assert_int_eq(bus_ranges(bus, "t", WAIT_MS, &ranges, &count, &err), OUT_OK);
    ck_assert_int_gt(ranges[0].from, 0);
    free(ranges);
    ck_assert_int_eq(kafka_reader_open(&settings, "t", &RANGE, 1, WAIT_MS, &reader, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_OFFSET);
    kafka_bus_free(bus);
}
END_TEST

START_TEST(tells_the_ranges)
{
    struct bus *bus = kafka_bus_new(&settings, NULL);
    struct bus_range *ranges = NULL;
    struct error err = {0};
    size_t count = 99;
    put_numbers(1, 0, 42);
    ck_assert_int_eq(bus_ranges(bus, "t", WAIT_MS, &ranges, &count, &err), OUT_OK);
    ck_assert_uint_eq(count, PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        ck_assert_int_eq(ranges[i].partition, i);
        ck_assert_int_eq(ranges[i].from, 0);
        ck_assert_int_eq(ranges[i].to, i == 1 ? 42 : 0);
    }
    free(ranges);
    ck_assert_int_eq(bus_ranges(bus, "absent", WAIT_MS, &ranges, &count, &err), OUT_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(ranges);
    kafka_bus_free(bus);
}
END_TEST

/* A queue that is full must not stop the fetching until librdkafka looks again, which it does once
 * a second: of 240 fetches each of which fills it, that would be minutes. */
START_TEST(a_full_queue_is_filled_again_at_once)
{
    enum { MESSAGES = 480, BYTES = 10000, LIMIT_MS = 30000 };
    static const struct bus_range RANGE = {0, 0, MESSAGES};
    static const char *names[] = {"queued.max.messages.kbytes", "fetch.message.max.bytes"};
    static const char *values[] = {"16", "16000"};
    struct error err = {0};
    const struct bus_message *message;
    static char value[BYTES];
    for (int i = 0; i < MESSAGES; i++) {
        put(0, value, sizeof value);
        if (i % 2)
            flush(); /* a fetch brings whole batches: they must be small */
    }
    settings.kafka = (struct conf_map){names, values, 2};
    uint64_t begin_ms = clock_monotonic_ms();
    struct bus_reader *reader = open_reader(&RANGE, 1);
    for (int i = 0; i < MESSAGES; i++) {
        ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
        ck_assert_int_eq(message->offset, i);
        poll(NULL, 0, 1); /* the queue is full again before it is asked */
    }
    ck_assert_uint_lt(clock_monotonic_ms() - begin_ms, LIMIT_MS);
    bus_reader_close(reader);
}
END_TEST

/* Each message that waits costs librdkafka 2 KiB: what is there without the broker is what it held.
 */
START_TEST(fetches_little_ahead)
{
    enum { BATCH = 1000, BATCHES = 20, LIMIT = 8000 + 2 * PARTITIONS * BATCH };
    static const struct bus_range RANGES[] = {
        {0, 0, BATCH * BATCHES}, {1, 0, BATCH * BATCHES}, {2, 0, BATCH * BATCHES}};
    struct error err = {0};
    const struct bus_message *message;
    int held = 0;
    for (int batch = 0; batch < BATCHES; batch++)
        for (int32_t partition = 0; partition < PARTITIONS; partition++)
            put_numbers(partition, 0, BATCH);
    struct bus_reader *reader = open_reader(RANGES, PARTITIONS);
    ck_assert_int_eq(bus_reader_next(reader, WAIT_MS, &message, &err), OUT_OK);
    poll(NULL, 0, 1000); /* it fetches until its queue is full */
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(rd_kafka_handle_mock_cluster(producer), 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    while (bus_reader_next(reader, SHORT_MS, &message, &err) == OUT_OK && message)
        held++;
    ck_assert_int_gt(held, BATCH);
    ck_assert_int_lt(held, LIMIT);
    bus_reader_close(reader);
}
END_TEST

static Suite *reader_suite(void)
{
    Suite *suite = suite_create("reader");
    TCase *tcase = tcase_create("kafka_reader");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reads_exactly_the_ranges);
    tcase_add_test(tcase, shows_a_message_whole);
    tcase_add_test(tcase, waits_for_what_is_not_there_yet);
    tcase_add_test(tcase, nothing_wanted_ends_at_once);
    tcase_add_test(tcase, refuses_what_is_not_there);
    tcase_add_test(tcase, says_that_the_begin_is_gone);
    tcase_add_test(tcase, tells_the_ranges);
    tcase_add_test(tcase, a_full_queue_is_filled_again_at_once);
    tcase_add_test(tcase, fetches_little_ahead);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(reader_suite)
