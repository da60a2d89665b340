/* Sending to Kafka, on librdkafka's mock cluster, for the errors a real broker does not give when
 * asked. What brokers do to data is tested on a real one (tests/e2e). */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_sender.h"
#include "tests/support/suite.h"

#define TOPIC "drover.t.source"
#define WAIT_MS 10000

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static struct settings settings;

/* What the reports said. */
static struct {
    int stored, refused, failed;
    int64_t last_offset[4];
    enum error_code code;
    bool in_order;
} told;

static void start_cluster(void)
{
    char text[200];
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    ck_assert_msg(host != NULL, "%s", text);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    ck_assert_ptr_nonnull(cluster);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, TOPIC, 4, 1), 0);
    settings = (struct settings){.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
                                 .record_bytes = 1 << 20,
                                 .queue_bytes = 1 << 20};
    memset(&told, 0, sizeof(told));
    told.in_order = true;
    for (int i = 0; i < 4; i++)
        told.last_offset[i] = -1;
}

static void stop_cluster(void)
{
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    ck_assert_ptr_eq(owner, &told);
    ck_assert_ptr_eq(item, &settings);
    if (outcome == OUT_OK) {
        told.stored++;
        told.in_order = told.in_order && offset == told.last_offset[partition] + 1;
        told.last_offset[partition] = offset;
        ck_assert_ptr_null(err);
        return;
    }
    told.code = err->code;
    told.refused += outcome == OUT_REJECT;
    told.failed += outcome == OUT_FATAL;
}

static struct bus_sender *open_sender(void)
{
    struct bus_sender *sender = NULL;
    struct error err = {0};
    enum outcome outcome =
        kafka_sender_open(&settings, TOPIC, 4, WAIT_MS, on_delivered, &told, &sender, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", err.text, err.cause);
    return sender;
}

static enum outcome send_value(struct bus_sender *sender, int32_t partition, const char *value,
                               struct error *err)
{
    struct envelope envelope = {.key = BYTES_LITERAL("t/e/1"),
                                .value = bytes_text(value),
                                .headers = {{BYTES_LITERAL("drover-tenant"), BYTES_LITERAL("t")}},
                                .header_count = 1};
    return bus_sender_send(sender, partition, &envelope, &settings, err);
}

static void send_many(struct bus_sender *sender, int count)
{
    struct error err;
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(send_value(sender, i % 4, "{}", &err), OUT_OK);
}

START_TEST(tells_each_fate_once)
{
    struct bus_sender *sender = open_sender();
    ck_assert_int_eq(bus_sender_partitions(sender), 4);
    send_many(sender, 100);
    ck_assert_uint_eq(bus_sender_pending(sender), 100);
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    ck_assert_int_eq(told.stored, 100);
    ck_assert(told.in_order);
    ck_assert_uint_eq(bus_sender_pending(sender), 0);
    bus_sender_close(sender);
}
END_TEST

START_TEST(wakes_by_its_descriptor)
{
    struct bus_sender *sender = open_sender();
    send_many(sender, 1);
    struct pollfd wake = {.fd = bus_sender_fd(sender), .events = POLLIN};
    uint64_t count;
    while (told.stored == 0) {
        ck_assert_int_eq(poll(&wake, 1, WAIT_MS), 1);
        ck_assert_int_eq(read(wake.fd, &count, sizeof(count)), sizeof(count));
        bus_sender_poll(sender, 0);
    }
    bus_sender_close(sender);
}
END_TEST

START_TEST(survives_what_is_transient)
{
    struct bus_sender *sender = open_sender();
    rd_kafka_mock_push_request_errors(
        cluster, 0 /* Produce */, 3, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    send_many(sender, 40);
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    ck_assert_int_eq(told.stored, 40);
    ck_assert_int_eq(told.failed, 0);
    ck_assert(told.in_order);
    bus_sender_close(sender);
}
END_TEST

START_TEST(a_full_queue_waits_for_the_broker)
{
    struct bus_sender *sender = open_sender();
    struct error err = {0};
    rd_kafka_mock_broker_set_down(cluster, 1);
    int sent = 0;
    enum outcome outcome;
    while ((outcome = send_value(sender, sent % 4, "{}", &err)) == OUT_OK && sent < 100000)
        sent++;
    ck_assert_int_eq(outcome, OUT_RETRY);
    ck_assert_int_gt(sent, 100);
    ck_assert(!bus_sender_flush(sender, 50));
    rd_kafka_mock_broker_set_up(cluster, 1);
    while (send_value(sender, 0, "{}", &err) == OUT_RETRY)
        bus_sender_poll(sender, 100);
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    ck_assert_int_eq(told.stored, sent + 1);
    ck_assert(told.in_order);
    bus_sender_close(sender);
}
END_TEST

/* In a bulk all wait for others, here for much longer than the test: but a full queue holds a full
 * batch, whatever partitions its messages are of, and flush ends the wait of the last. */
START_TEST(a_bulk_never_waits_with_a_full_queue)
{
    const char *name = "linger.ms", *value = "60000";
    struct error err = {0};
    settings.queue_bytes = 4 << 20; /* 2,049 messages, a full batch every 256 of a partition */
    settings.kafka = (struct conf_map){.keys = &name, .values = &value, .count = 1};
    struct bus_sender *sender = open_sender();
    ck_assert_int_eq(bus_sender_begin_bulk(sender, WAIT_MS, &err), OUT_OK);
    ck_assert_int_eq(bus_sender_partitions(sender), 4);
    uint64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    for (int sent = 0; sent < 10000;) {
        enum outcome outcome = send_value(sender, sent % (_i + 1), "{}", &err);
        sent += outcome == OUT_OK;
        if (outcome == OUT_RETRY)
            bus_sender_poll(sender, 100);
        ck_assert_msg(clock_monotonic_ms() < until_ms, "%d sent", sent);
    }
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    ck_assert_int_eq(told.stored, 10000);
    ck_assert(told.in_order);
    bus_sender_close(sender);
}
END_TEST

START_TEST(too_large_is_refused_at_once)
{
    struct bus_sender *sender = open_sender();
    struct error err;
    char *value = malloc(2 << 20);
    ck_assert_ptr_nonnull(value);
    memset(value, 'x', (2 << 20) - 1);
    value[(2 << 20) - 1] = '\0';
    ck_assert_int_eq(send_value(sender, 0, value, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_KAFKA_SIZE);
    value[1 << 20] = '\0'; /* the limit itself fits, with key and headers */
    ck_assert_int_eq(send_value(sender, 0, value, &err), OUT_OK);
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    free(value);
    bus_sender_close(sender);
}
END_TEST

/* Errors of the broker, and what becomes of the message. */
static const struct {
    rd_kafka_resp_err_t error;
    bool refused; /* else: the client is of no use any longer */
    enum error_code code;
} REFUSALS[] = {
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, true, ERR_KAFKA_SIZE},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, true, ERR_KAFKA_SIZE},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false, ERR_KAFKA_AUTH},
};

START_TEST(tells_what_the_broker_refused)
{
    struct bus_sender *sender = open_sender();
    struct error err;
    rd_kafka_mock_push_request_errors(cluster, 0, 1, REFUSALS[_i].error);
    ck_assert_int_eq(send_value(sender, 0, "{}", &err), OUT_OK);
    ck_assert(bus_sender_flush(sender, WAIT_MS));
    ck_assert_int_eq(told.refused, REFUSALS[_i].refused);
    ck_assert_int_eq(told.failed, !REFUSALS[_i].refused);
    ck_assert_msg(told.code == REFUSALS[_i].code, "%s", error_code_id(told.code));
    bus_sender_close(sender);
}
END_TEST

START_TEST(closing_drops_what_is_not_sent)
{
    struct bus_sender *sender = open_sender();
    rd_kafka_mock_broker_set_down(cluster, 1);
    send_many(sender, 10);
    bus_sender_close(sender);
    ck_assert_int_eq(told.stored + told.refused + told.failed, 0);
}
END_TEST

/* ---- opening ---- */

static enum outcome try_open(const char *topic, int32_t pinned, struct error *err)
{
    struct bus_sender *sender = NULL;
    enum outcome outcome =
        kafka_sender_open(&settings, topic, pinned, 1000, on_delivered, &told, &sender, err);
    if (outcome == OUT_OK)
        bus_sender_close(sender);
    return outcome;
}

START_TEST(checks_the_topic)
{
    struct error err;
    ck_assert_int_eq(try_open("drover.other.source", 0, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
    ck_assert_int_eq(try_open(TOPIC, 6, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_PARTITIONS);
    ck_assert_int_eq(try_open(TOPIC, 4, &err), OUT_OK);
    ck_assert_int_eq(try_open(TOPIC, 0, &err), OUT_OK);
}
END_TEST

START_TEST(says_that_nobody_is_there)
{
    struct error err;
    settings.brokers = "127.0.0.1:1";
    ck_assert_int_eq(try_open(TOPIC, 0, &err), OUT_RETRY);
    ck_assert_int_eq(err.code, ERR_KAFKA_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1:1"));
    ck_assert_ptr_nonnull(strstr(err.cause, "refused"));
}
END_TEST

/* The user's own properties: name, value, and a word of the error (NULL: taken). */
static const struct {
    const char *name;
    const char *value;
    const char *says;
} PROPERTIES[] = {
    {"linger.ms", "1", NULL},
    {"fetch.wait.max.ms", "10", NULL}, /* a consumer's: left out */
    {"acks", "all", NULL},
    {"acks", "-1", NULL},
    {"linger.m", "1", "linger.ms"},
    {"no.such.thing", "1", "no such property"},
    {"linger.ms", "abc", "does not accept"},
    {"acks", "1", "cannot be changed"},
    {"request.required.acks", "0", "cannot be changed"},
    {"enable.idempotence", "false", "cannot be changed"},
    {"partitioner", "consistent", "cannot be changed"},
    {"enable.auto.commit", "true", "cannot be changed"},
    {"auto.offset.reset", "earliest", "cannot be changed"},
};

START_TEST(checks_properties)
{
    const char *name = PROPERTIES[_i].name;
    const char *value = PROPERTIES[_i].value;
    struct error err = {0};
    settings.kafka = (struct conf_map){.keys = &name, .values = &value, .count = 1};
    rd_kafka_conf_t *conf = kafka_conf_new(&settings, KAFKA_SEND, &err);
    ck_assert_msg((conf != NULL) == (PROPERTIES[_i].says == NULL), "%s: %s", name, err.text);
    if (conf) {
        rd_kafka_conf_destroy(conf);
        return;
    }
    ck_assert_int_eq(err.code, ERR_KAFKA_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.where, name));
    ck_assert_msg(strstr(err.text, PROPERTIES[_i].says) || strstr(err.hint, PROPERTIES[_i].says),
                  "%s / %s", err.text, err.hint);
}
END_TEST

/* What comes through standard input waits for nothing. */
START_TEST(lingers_for_files_only)
{
    const char *sources[] = {"a.json", "-"};
    const char *expected[] = {"5", "0"};
    for (size_t count = 1; count <= 2; count++) {
        char value[16] = "";
        size_t size = sizeof value;
        struct error err;
        settings.sources.items = sources;
        settings.sources.count = count;
        rd_kafka_conf_t *conf = kafka_conf_new(&settings, KAFKA_SEND, &err);
        ck_assert_ptr_nonnull(conf);
        ck_assert_int_eq(rd_kafka_conf_get(conf, "linger.ms", value, &size), RD_KAFKA_CONF_OK);
        ck_assert_str_eq(value, expected[count - 1]);
        rd_kafka_conf_destroy(conf);
    }
}
END_TEST

/* queue, partitions and the topic's limit; what batches wait for. */
static const struct {
    uint64_t queue_bytes;
    int32_t partitions;
    size_t limit;
    const char *linger_ms, *bytes, *messages;
} BULKS[] = {
    {32u << 20, 8, SIZE_MAX, "100", "250000", "1024"},
    {32u << 20, 12, SIZE_MAX, "100", "250000", "682"},
    {32u << 20, 12, 100000, "100", "100000", "682"},
    {32u << 20, 12, 50000, "100", "50000", "682"},
    {32u << 20, 64, SIZE_MAX, "100", "131072", "128"},
    {32u << 20, 65, SIZE_MAX, "20", "129055", "128"}, /* shares are too small from here on */
    {32u << 20, 1000, SIZE_MAX, "20", "65536", "128"},
    {1u << 30, 1, SIZE_MAX, "100", "250000", "100000"},
};

static void check_property(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[16] = "";
    size_t size = sizeof value;
    ck_assert_int_eq(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    ck_assert_msg(strcmp(value, expected) == 0, "%s is %s, not %s", name, value, expected);
}

START_TEST(a_bulk_has_batches_of_its_share_of_the_queue)
{
    struct error err;
    settings.queue_bytes = BULKS[_i].queue_bytes;
    rd_kafka_conf_t *conf =
        kafka_conf_new_bulk(&settings, BULKS[_i].partitions, BULKS[_i].limit, &err);
    ck_assert_ptr_nonnull(conf);
    check_property(conf, "linger.ms", BULKS[_i].linger_ms);
    check_property(conf, "batch.size", BULKS[_i].bytes);
    check_property(conf, "batch.num.messages", BULKS[_i].messages);
    rd_kafka_conf_destroy(conf);
}
END_TEST

START_TEST(secrets_are_not_repeated)
{
    const char *names[] = {"security.protocol", "ssl.key.pem"};
    const char *values[] = {"ssl", "hunter2"};
    struct error err = {0};
    char text[2048];
    settings.kafka = (struct conf_map){.keys = names, .values = values, .count = 2};
    rd_kafka_conf_t *conf = kafka_conf_new(&settings, KAFKA_SEND, &err);
    rd_kafka_t *client = conf ? kafka_client_new(KAFKA_SEND, conf, &err) : NULL;
    ck_assert_ptr_null(client);
    error_format(&err, text, sizeof(text));
    ck_assert_ptr_null(strstr(text, values[1]));
}
END_TEST

/* What librdkafka says is longer than a cause: wherever a secret stands in it, none is left. */
START_TEST(what_librdkafka_says_is_masked_before_it_is_cut)
{
    static const char TOKEN[] = "ghp_x7Kq2mVb9Rt4Lw8Zc3Nf6Hd1Js5Pg0Ya2Ue";
    char brokers[400];
    int32_t count;
    struct error err = {0};
    /* a label of over 63 bytes: no server is asked for such a name */
    snprintf(brokers, sizeof brokers, "%0*d.%s:1", 160 + 8 * _i, 0, TOKEN);
    settings = (struct settings){.brokers = brokers, .queue_bytes = 1 << 20};
    rd_kafka_t *client =
        kafka_client_new(KAFKA_READ, kafka_conf_new(&settings, KAFKA_READ, &err), &err);
    ck_assert_ptr_nonnull(client);
    ck_assert_int_eq(kafka_partition_count(client, TOPIC, 500, &count, &err), OUT_RETRY);
    ck_assert_msg(strstr(err.cause, "000"), "no cause");
    ck_assert_msg(!strstr(err.cause, "ghp_x") && !strstr(err.text, "ghp_x"), "%s / %s", err.text,
                  err.cause);
    rd_kafka_destroy(client);
}
END_TEST

static Suite *sender_suite(void)
{
    Suite *suite = suite_create("sender");
    TCase *sending = tcase_create("sending");
    tcase_add_checked_fixture(sending, start_cluster, stop_cluster);
    tcase_add_test(sending, tells_each_fate_once);
    tcase_add_test(sending, wakes_by_its_descriptor);
    tcase_add_test(sending, survives_what_is_transient);
    tcase_add_test(sending, a_full_queue_waits_for_the_broker);
    tcase_add_loop_test(sending, a_bulk_never_waits_with_a_full_queue, 0, 4);
    tcase_add_test(sending, too_large_is_refused_at_once);
    tcase_add_loop_test(sending, tells_what_the_broker_refused, 0,
                        (int)(sizeof(REFUSALS) / sizeof(REFUSALS[0])));
    tcase_add_test(sending, closing_drops_what_is_not_sent);
    suite_add_tcase(suite, sending);
    TCase *opening = tcase_create("opening");
    tcase_add_checked_fixture(opening, start_cluster, stop_cluster);
    tcase_add_test(opening, checks_the_topic);
    tcase_add_test(opening, says_that_nobody_is_there);
    tcase_add_loop_test(opening, checks_properties, 0,
                        (int)(sizeof(PROPERTIES) / sizeof(PROPERTIES[0])));
    tcase_add_test(opening, lingers_for_files_only);
    tcase_add_loop_test(opening, a_bulk_has_batches_of_its_share_of_the_queue, 0,
                        (int)(sizeof(BULKS) / sizeof(BULKS[0])));
    tcase_add_test(opening, secrets_are_not_repeated);
    tcase_add_loop_test(opening, what_librdkafka_says_is_masked_before_it_is_cut, 0, 5);
    suite_add_tcase(suite, opening);
    return suite;
}

SUITE_MAIN(sender_suite)
