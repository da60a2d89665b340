/*
 * librdkafka's producer with its delivery reports. What it has accepted it either stores, in the
 * order of each partition, or reports; the timeouts that would drop a message are off
 * (kafka_client.c), so a broker that is away is waited for, and backpressure is a full queue.
 */
#include "common/io/kafka/kafka_sender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_destroy.h"

struct kafka_sender {
    struct bus_sender base;
    const struct settings *settings;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    char *name;
    int32_t partitions;
    size_t message_max; /* the topic's own limit; SIZE_MAX: not known */
    bus_delivered on_delivered;
    void *owner;
    uint64_t pending;
    int served; /* during one poll */
    int fd;
    bool closing;
};

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_sender *sender = opaque;
    assert(sender->pending > 0);
    sender->pending--;
    sender->served++;
    if (sender->closing)
        return;
    struct error err;
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_resp_err_t code = message->err;
    const char *detail = rd_kafka_err2str(code); /* rd_kafka_message_errstr may give the payload */
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(client, text, sizeof(text));
        detail = text;
    }
    enum outcome outcome = kafka_classify(code, detail, sender->name, &err);
    if (outcome == OUT_RETRY) /* a report is final: the client has given up */
        outcome = err.outcome = OUT_FATAL;
    sender->on_delivered(sender->owner, message->_private, outcome, message->partition,
                         message->offset, outcome == OUT_OK ? NULL : &err);
}

static enum outcome check_topic(struct kafka_sender *sender, int32_t pinned, int timeout_ms,
                                struct error *err)
{
    enum outcome outcome =
        kafka_partition_count(sender->client, sender->name, timeout_ms, &sender->partitions, err);
    if (outcome != OUT_OK)
        return outcome;
    if (sender->partitions == 0)
        return error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic %s is missing", sender->name);
    if (pinned > 0 && sender->partitions != pinned)
        return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                         "topic %s has %d partitions, the settings say %d", sender->name,
                         sender->partitions, pinned);
    return OUT_OK;
}

/* What a batch adds to its only message: Kafka's own headers, of a record and of a batch. */
#define BATCH_COST_BYTES 256
#define CONFIG_WAIT_MS 1500

/* What is too large for the topic must be refused before it takes a sequence number: refused by
 * the broker, it would leave a gap. A broker that does not tell its limit refuses by itself. */
static void ask_limit(struct kafka_sender *sender)
{
    char text[24] = "";
    size_t size = sizeof text;
    int64_t client = 0;
    int64_t topic = kafka_topic_message_limit(sender->client, sender->name, CONFIG_WAIT_MS);
    if (rd_kafka_conf_get(rd_kafka_conf(sender->client), "message.max.bytes", text, &size) ==
            RD_KAFKA_CONF_OK &&
        text_parse_int64(bytes_text(text), &client) && client > BATCH_COST_BYTES)
        sender->message_max = (size_t)client - BATCH_COST_BYTES;
    if (topic > BATCH_COST_BYTES && (size_t)topic - BATCH_COST_BYTES < sender->message_max)
        sender->message_max = (size_t)topic - BATCH_COST_BYTES;
}

/* Takes `conf`; NULL: `err` says why. */
static bool connect_client(struct kafka_sender *sender, rd_kafka_conf_t *conf, struct error *err)
{
    if (!conf)
        return false;
    rd_kafka_conf_set_opaque(conf, sender);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    sender->client = kafka_client_new(KAFKA_SEND, conf, err);
    return sender->client != NULL;
}

static void wake_by_fd(struct kafka_sender *sender)
{
    static const uint64_t ONE = 1; /* what an eventfd adds up */
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(sender->client);
    rd_kafka_queue_io_event_enable(queue, sender->fd, &ONE, sizeof(ONE));
    rd_kafka_queue_destroy(queue);
}

static struct kafka_sender *of(struct bus_sender *base)
{
    return (struct kafka_sender *)base;
}

static void close_sender(struct bus_sender *base)
{
    struct kafka_sender *sender = of(base);
    sender->closing = true;
    if (sender->client) {
        rd_kafka_purge(sender->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(sender->client, 0);
    }
    if (sender->topic)
        rd_kafka_topic_destroy(sender->topic);
    if (sender->client)
        kafka_destroy(sender->client, 0);
    close(sender->fd);
    free(sender->name);
    free(sender);
}

static int32_t partitions(const struct bus_sender *base)
{
    return ((const struct kafka_sender *)base)->partitions;
}

static size_t message_max(const struct bus_sender *base)
{
    return ((const struct kafka_sender *)base)->message_max;
}

static rd_kafka_headers_t *headers_of(const struct message_view *message)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct header *header = &message->headers[i];
        rd_kafka_header_add(headers, header->name.data, (ssize_t)header->name.size,
                            header->value.data, (ssize_t)header->value.size);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(struct kafka_sender *sender, int32_t partition,
                                   const struct message_view *message, rd_kafka_headers_t *headers,
                                   void *item)
{
    struct bytes value = message->null_value ? (struct bytes){0} : message->value;
    if (!message->null_value && !value.data)
        value.data = ""; /* empty is not null */
    return rd_kafka_producev(sender->client, RD_KAFKA_V_RKT(sender->topic),
                             RD_KAFKA_V_PARTITION(partition),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(message->key.data, message->key.size),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size),
                             RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(item), RD_KAFKA_V_END);
}

static enum outcome send_message(struct bus_sender *base, int32_t partition,
                                 const struct message_view *message, void *item, struct error *err)
{
    struct kafka_sender *sender = of(base);
    if (message_check_size(message, sender->message_max, err) != OUT_OK)
        return OUT_REJECT;
    rd_kafka_headers_t *headers = headers_of(message);
    rd_kafka_resp_err_t code =
        produce(sender, partition < 0 ? RD_KAFKA_PARTITION_UA : partition, message, headers, item);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sender->pending++;
        return OUT_OK;
    }
    rd_kafka_headers_destroy(headers); /* only an accepted message takes them */
    char text[KAFKA_TEXT_SIZE] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        rd_kafka_fatal_error(sender->client, text, sizeof(text));
    enum outcome outcome = kafka_classify(code, text[0] ? text : NULL, sender->name, err);
    if (outcome == OUT_RETRY && code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        outcome = OUT_FATAL; /* only room comes back by waiting */
    return outcome;
}

static int poll_reports(struct bus_sender *base, int wait_ms)
{
    struct kafka_sender *sender = of(base);
    sender->served = 0;
    rd_kafka_poll(sender->client, wait_ms);
    return sender->served;
}

static int fd(struct bus_sender *base)
{
    return of(base)->fd;
}

static bool flush(struct bus_sender *base, int timeout_ms)
{
    struct kafka_sender *sender = of(base);
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    while (sender->pending > 0) {
        int left_ms = clock_left_ms(until);
        if (left_ms == 0 && timeout_ms > 0)
            return false;
        rd_kafka_flush(sender->client, left_ms);
        if (timeout_ms == 0)
            break;
    }
    return sender->pending == 0;
}

static uint64_t pending(const struct bus_sender *base)
{
    return ((const struct kafka_sender *)base)->pending;
}

static void ready(struct kafka_sender *sender)
{
    sender->topic = rd_kafka_topic_new(sender->client, sender->name, NULL);
    if (!sender->topic)
        abort();
    wake_by_fd(sender);
}

/* How large batches should be depends on the number of partitions, which the client had to be asked
 * for, and librdkafka takes such properties only before it starts: so it is started again. */
static enum outcome begin_bulk(struct bus_sender *base, int timeout_ms, struct error *err)
{
    struct kafka_sender *sender = of(base);
    assert(sender->pending == 0);
    int32_t before = sender->partitions;
    rd_kafka_topic_destroy(sender->topic);
    kafka_destroy(sender->client, 0);
    sender->topic = NULL;
    sender->client = NULL;
    rd_kafka_conf_t *conf = kafka_conf_new_bulk(sender->settings, before, sender->message_max, err);
    if (!connect_client(sender, conf, err))
        return OUT_FATAL;
    enum outcome outcome = check_topic(sender, before, timeout_ms, err);
    if (outcome == OUT_OK)
        ready(sender);
    return outcome;
}

enum outcome kafka_sender_open(const struct settings *settings, const char *topic,
                               int32_t pinned_partitions, int timeout_ms,
                               bus_delivered on_delivered, void *owner, struct bus_sender **out,
                               struct error *err)
{
    static const struct bus_sender_ops OPS = {partitions,   message_max,  send_message,
                                              poll_reports, fd,           flush,
                                              pending,      close_sender, begin_bulk};
    struct kafka_sender *sender = mem_new(sizeof(*sender));
    sender->base.ops = &OPS;
    sender->settings = settings;
    sender->message_max = SIZE_MAX;
    sender->on_delivered = on_delivered;
    sender->owner = owner;
    sender->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sender->name = mem_text(topic);
    if (sender->fd < 0)
        abort();
    enum outcome outcome = OUT_FATAL;
    if (connect_client(sender, kafka_conf_new(settings, KAFKA_SEND, err), err))
        outcome = check_topic(sender, pinned_partitions, timeout_ms, err);
    if (outcome != OUT_OK) {
        close_sender(&sender->base);
        return outcome;
    }
    ask_limit(sender);
    ready(sender);
    *out = &sender->base;
    return OUT_OK;
}
