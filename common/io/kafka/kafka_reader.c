/*
 * One queue for all partitions of a topic, filled by librdkafka's own assignment-free consumer
 * (rd_kafka_consume_start_queue): no group, nothing committed, each partition from a fixed offset.
 *
 * A partition is read to its end when a message at `to` - 1 or above came, or when the broker says
 * that the log ends there: offsets without a message (compaction, transaction markers) are passed
 * over by both.
 */

#include "common/io/kafka/kafka_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_destroy.h"
#include "common/io/kafka/kafka_message.h"
#include "common/io/kafka/kafka_wake.h"

struct partition_reading {
    int32_t partition;
    int64_t to;
    bool started;
    bool done;
};

struct kafka_reader {
    struct bus_reader base;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    struct partition_reading *readings;
    size_t count;
    size_t open; /* readings not done */
    struct kafka_wake wake;
    rd_kafka_message_t *held;
    struct bus_message message;
};

/* What librdkafka may hold beyond what was taken, where the user did not choose otherwise. A
 * message costs it about 2 KiB (measured with 2.0.2) that queued.max.messages.kbytes does not
 * count, so the library's own 100,000 would be 200 MB; and the answer to a fetch becomes messages
 * all at once, of every partition its part, of which librdkafka's own is a MiB. */
static const struct {
    const char *name, *otherwise, *bound;
} BOUNDS[] = {
    {"queued.min.messages", "100000", "8000"},
    {"fetch.message.max.bytes", "1048576", "262144"},
};

static void bound_queue(rd_kafka_conf_t *conf)
{
    for (size_t i = 0; i < sizeof BOUNDS / sizeof BOUNDS[0]; i++) {
        char text[32] = "";
        size_t size = sizeof text;
        if (rd_kafka_conf_get(conf, BOUNDS[i].name, text, &size) == RD_KAFKA_CONF_OK &&
            strcmp(text, BOUNDS[i].otherwise) == 0)
            rd_kafka_conf_set(conf, BOUNDS[i].name, BOUNDS[i].bound, NULL, 0);
    }
}

static enum outcome client_open(struct kafka_reader *reader, const struct settings *settings,
                                int timeout_ms, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_READ, err);
    if (conf) {
        bound_queue(conf);
        kafka_conf_answer_within(conf, timeout_ms);
        kafka_wake_init(&reader->wake, conf);
    }
    reader->client = conf ? kafka_client_new(KAFKA_READ, conf, err) : NULL;
    return reader->client ? OUT_OK : OUT_FATAL;
}

static enum outcome offset_gone(const char *topic, int32_t partition, int64_t from, int64_t low,
                                struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                  "messages that were to be read are gone from the topic (it now begins at %lld)",
                  (long long)low);
    error_where(err, "%s-%d@%lld", topic, partition, (long long)from);
    return outcome;
}

/* The topic is there, has the partitions asked for, and still holds their first messages. */
static enum outcome check_ranges(rd_kafka_t *client, const char *topic,
                                 const struct bus_range *ranges, size_t count, uint64_t deadline_ms,
                                 struct error *err)
{
    int32_t partitions;
    enum outcome outcome =
        kafka_partition_count(client, topic, clock_left_ms(deadline_ms), &partitions, err);
    if (outcome != OUT_OK)
        return outcome;
    if (partitions == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic does not exist");
        error_where(err, "%s", topic);
        return outcome;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t low, high;
        if (ranges[i].from >= ranges[i].to)
            continue;
        if (ranges[i].partition < 0 || ranges[i].partition >= partitions)
            return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                             "%s has %d partitions, partition %d is asked for", topic, partitions,
                             ranges[i].partition);
        outcome = kafka_watermarks(client, topic, ranges[i].partition, clock_left_ms(deadline_ms),
                                   &low, &high, err);
        if (outcome != OUT_OK)
            return outcome;
        if (ranges[i].from < low)
            return offset_gone(topic, ranges[i].partition, ranges[i].from, low, err);
    }
    return OUT_OK;
}

static enum outcome start(struct kafka_reader *reader, const char *topic,
                          const struct bus_range *ranges, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].from >= ranges[i].to)
            continue;
        struct partition_reading *reading = &reader->readings[reader->count++];
        *reading = (struct partition_reading){ranges[i].partition, ranges[i].to, false, false};
        if (rd_kafka_consume_start_queue(reader->topic, ranges[i].partition, ranges[i].from,
                                         reader->queue) < 0)
            return kafka_classify(rd_kafka_last_error(), "reading could not be started", topic,
                                  err);
        reading->started = true;
        reader->open++;
    }
    return OUT_OK;
}

static void release(struct kafka_reader *reader)
{
    if (reader->held)
        rd_kafka_message_destroy(reader->held);
    reader->held = NULL;
}

static void free_reader(void *held)
{
    struct kafka_reader *reader = held;
    for (size_t i = 0; i < reader->count; i++)
        if (reader->readings[i].started)
            rd_kafka_consume_stop(reader->topic, reader->readings[i].partition);
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    free(reader->readings);
    free(reader);
}

static void close_reader(struct bus_reader *base)
{
    struct kafka_reader *reader = (struct kafka_reader *)base;
    release(reader);
    if (reader->client)
        kafka_destroy_held(reader->client, 0, free_reader, reader);
    else
        free_reader(reader);
}

static struct partition_reading *find_reading(struct kafka_reader *reader, int32_t partition)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->readings[i].partition == partition)
            return &reader->readings[i];
    return NULL;
}

/* Stops the fetching too: what lies behind the range may be much. A pause, because stopping would
 * wait for the broker. */
static void finish_reading(struct kafka_reader *reader, struct partition_reading *reading)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(reader->topic), reading->partition);
    rd_kafka_pause_partitions(reader->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    reading->done = true;
    reader->open--;
}

/* What an error event means. OUT_OK: nothing to tell the caller. */
static enum outcome take_event(struct kafka_reader *reader, const rd_kafka_message_t *event,
                               struct error *err)
{
    const char *topic = rd_kafka_topic_name(reader->topic);
    struct partition_reading *reading = find_reading(reader, event->partition);
    if (event->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (reading && !reading->done && event->offset >= reading->to)
            finish_reading(reader, reading);
        return OUT_OK;
    }
    if (event->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        event->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        enum outcome outcome = error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                                         "messages that were to be read are gone from the topic");
        error_where(err, "%s-%d@%lld", topic, event->partition, (long long)event->offset);
        return outcome;
    }
    if (kafka_is_partition_there(reader->client, topic, event))
        return OUT_OK;
    enum outcome outcome = kafka_classify(event->err, rd_kafka_message_errstr(event), topic, err);
    return outcome == OUT_RETRY ? OUT_OK : outcome; /* librdkafka itself tries again */
}

/* True when the message is one of those wanted. */
static bool take_message(struct kafka_reader *reader, rd_kafka_message_t *message)
{
    struct partition_reading *reading = find_reading(reader, message->partition);
    if (!reading || reading->done)
        return false;
    if (message->offset + 1 >= reading->to)
        finish_reading(reader, reading);
    if (message->offset >= reading->to)
        return false;
    rd_kafka_timestamp_type_t kind;
    reader->held = message;
    reader->message.held = message;
    reader->message.partition = message->partition;
    reader->message.offset = message->offset;
    reader->message.timestamp_ms = rd_kafka_message_timestamp(message, &kind);
    kafka_message_view(message, &reader->message.envelope);
    return true;
}

/* One step: *taken tells whether reader->message is set. OUT_RETRY when nothing was there. */
static enum outcome step(struct kafka_reader *reader, int wait_ms, bool *taken, struct error *err)
{
    rd_kafka_message_t *message = rd_kafka_consume_queue(reader->queue, wait_ms);
    if (!message) {
        rd_kafka_poll(reader->client, 0);
        return OUT_RETRY;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_wake_took(&reader->wake, reader->client, rd_kafka_topic_name(reader->topic), message);
        *taken = take_message(reader, message);
        if (!*taken)
            rd_kafka_message_destroy(message);
        return OUT_OK;
    }
    enum outcome outcome = take_event(reader, message, err);
    rd_kafka_message_destroy(message);
    return outcome;
}

static enum outcome next(struct bus_reader *base, int timeout_ms,
                         const struct bus_message **message, struct error *err)
{
    struct kafka_reader *reader = (struct kafka_reader *)base;
    bool taken = false;
    uint64_t deadline_ms = 0; /* the clock is read only when there is something to wait for */
    *message = NULL;
    release(reader);
    while (reader->open > 0 && !taken) {
        enum outcome outcome = step(reader, 0, &taken, err);
        if (outcome == OUT_RETRY) {
            if (deadline_ms == 0) {
                deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
                kafka_wake_now(&reader->wake, reader->client, rd_kafka_topic_name(reader->topic));
            }
            int wait_ms = clock_left_ms(deadline_ms);
            outcome = step(reader, wait_ms, &taken, err);
            if (outcome == OUT_RETRY && clock_left_ms(deadline_ms) == 0) {
                outcome = error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                                    "Kafka sent nothing for %d ms", timeout_ms);
                error_where(err, "%s", rd_kafka_topic_name(reader->topic));
                return outcome;
            }
        }
        if (outcome != OUT_OK && outcome != OUT_RETRY)
            return outcome;
    }
    if (taken)
        *message = &reader->message;
    return OUT_OK;
}

enum outcome kafka_reader_open(const struct settings *settings, const char *topic,
                               const struct bus_range *ranges, size_t count, int timeout_ms,
                               struct bus_reader **reader, struct error *err)
{
    static const struct bus_reader_ops OPS = {next, close_reader};
    struct kafka_reader *made = mem_new(sizeof *made);
    *reader = NULL;
    made->readings = mem_zeroed(count, sizeof *made->readings);
    made->base.ops = &OPS;
    enum outcome outcome = client_open(made, settings, timeout_ms, err);
    if (outcome == OUT_OK)
        outcome = check_ranges(made->client, topic, ranges, count,
                               clock_monotonic_ms() + (uint64_t)timeout_ms, err);
    if (outcome == OUT_OK) {
        made->topic = rd_kafka_topic_new(made->client, topic, NULL);
        made->queue = rd_kafka_queue_new(made->client);
        outcome = made->topic
                      ? start(made, topic, ranges, count, err)
                      : kafka_classify(rd_kafka_last_error(), "the topic's name", topic, err);
    }
    if (outcome != OUT_OK) {
        close_reader(&made->base);
        return outcome;
    }
    *reader = &made->base;
    return OUT_OK;
}
