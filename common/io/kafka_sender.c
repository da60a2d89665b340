/*
 * librdkafka's producer with its delivery reports. What it has accepted it either stores, in the
 * order of each partition, or reports; the timeouts that would drop a message are off
 * (kafka_client.c), so a broker that is away is waited for, and backpressure is a full queue.
 */
#include "common/io/kafka_sender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/kafka_client.h"

struct kafka_sender {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    char *name;
    int32_t partitions;
    size_t message_most; /* the topic's own limit; SIZE_MAX: not known */
    kafka_delivered on_delivered;
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
    char text[200];
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

static void read_limit(struct kafka_sender *sender, rd_kafka_event_t *event)
{
    size_t count = 0;
    size_t entry_count = 0;
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    const rd_kafka_ConfigResource_t **resources =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (count != 1)
        return;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++) {
        int64_t limit;
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0 && value &&
            text_parse_int64(bytes_text(value), &limit) && limit > BATCH_COST_BYTES)
            sender->message_most = (size_t)limit - BATCH_COST_BYTES;
    }
}

/* What is too large for the topic must be refused before it takes a sequence number: refused by
 * the broker, it would leave a gap. A broker that does not tell its limit refuses by itself. */
static void ask_limit(struct kafka_sender *sender)
{
    char text[100];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(sender->client);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(sender->client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, CONFIG_WAIT_MS, text, sizeof(text));
    rd_kafka_ConfigResource_t *topic =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, sender->name);
    rd_kafka_DescribeConfigs(sender->client, &topic, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CONFIG_WAIT_MS + 500);
    if (event) {
        read_limit(sender, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ConfigResource_destroy(topic);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
}

static bool connect_client(struct kafka_sender *sender, const struct settings *settings,
                           struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_SEND, err);
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

enum outcome kafka_sender_open(const struct settings *settings, const char *topic,
                               int32_t pinned_partitions, int timeout_ms,
                               kafka_delivered on_delivered, void *owner, struct kafka_sender **out,
                               struct error *err)
{
    struct kafka_sender *sender = calloc(1, sizeof(*sender));
    if (!sender)
        abort();
    sender->message_most = SIZE_MAX;
    sender->on_delivered = on_delivered;
    sender->owner = owner;
    sender->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sender->name = strdup(topic);
    if (sender->fd < 0 || !sender->name)
        abort();
    enum outcome outcome = OUT_FATAL;
    if (connect_client(sender, settings, err))
        outcome = check_topic(sender, pinned_partitions, timeout_ms, err);
    if (outcome != OUT_OK) {
        kafka_sender_close(sender);
        return outcome;
    }
    sender->topic = rd_kafka_topic_new(sender->client, topic, NULL);
    if (!sender->topic)
        abort();
    ask_limit(sender);
    wake_by_fd(sender);
    *out = sender;
    return OUT_OK;
}

void kafka_sender_close(struct kafka_sender *sender)
{
    if (!sender)
        return;
    sender->closing = true;
    if (sender->client) {
        rd_kafka_purge(sender->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(sender->client, 0);
    }
    if (sender->topic)
        rd_kafka_topic_destroy(sender->topic);
    if (sender->client)
        rd_kafka_destroy(sender->client);
    close(sender->fd);
    free(sender->name);
    free(sender);
}

int32_t kafka_sender_partitions(const struct kafka_sender *sender)
{
    return sender->partitions;
}

static rd_kafka_headers_t *headers_of(const struct envelope *envelope)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(envelope->header_count);
    for (size_t i = 0; i < envelope->header_count; i++) {
        const struct header *header = &envelope->headers[i];
        rd_kafka_header_add(headers, header->name.data, (ssize_t)header->name.size,
                            header->value.data, (ssize_t)header->value.size);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(struct kafka_sender *sender, int32_t partition,
                                   const struct envelope *envelope, rd_kafka_headers_t *headers,
                                   void *item)
{
    struct bytes value = envelope->null_value ? (struct bytes){0} : envelope->value;
    if (!envelope->null_value && !value.data)
        value.data = ""; /* empty is not null */
    return rd_kafka_producev(sender->client, RD_KAFKA_V_RKT(sender->topic),
                             RD_KAFKA_V_PARTITION(partition),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(envelope->key.data, envelope->key.size),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size),
                             RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(item), RD_KAFKA_V_END);
}

static size_t size_of(const struct envelope *envelope)
{
    size_t size = envelope->key.size + (envelope->null_value ? 0 : envelope->value.size);
    for (size_t i = 0; i < envelope->header_count; i++)
        size += envelope->headers[i].name.size + envelope->headers[i].value.size + 10;
    return size;
}

enum outcome kafka_sender_send(struct kafka_sender *sender, int32_t partition,
                               const struct envelope *envelope, void *item, struct error *err)
{
    if (size_of(envelope) > sender->message_most) {
        error_set(err, OUT_REJECT, ERR_KAFKA_SIZE,
                  "the message is larger than the topic's max.message.bytes allows (%zu bytes)",
                  sender->message_most);
        return OUT_REJECT;
    }
    rd_kafka_headers_t *headers = headers_of(envelope);
    rd_kafka_resp_err_t code =
        produce(sender, partition < 0 ? RD_KAFKA_PARTITION_UA : partition, envelope, headers, item);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sender->pending++;
        return OUT_OK;
    }
    rd_kafka_headers_destroy(headers); /* only an accepted message takes them */
    char text[200] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        rd_kafka_fatal_error(sender->client, text, sizeof(text));
    enum outcome outcome = kafka_classify(code, text[0] ? text : NULL, sender->name, err);
    if (outcome == OUT_RETRY && code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        outcome = OUT_FATAL; /* only room comes back by waiting */
    return outcome;
}

int kafka_sender_poll(struct kafka_sender *sender, int wait_ms)
{
    sender->served = 0;
    rd_kafka_poll(sender->client, wait_ms);
    return sender->served;
}

int kafka_sender_fd(struct kafka_sender *sender)
{
    return sender->fd;
}

bool kafka_sender_flush(struct kafka_sender *sender, int timeout_ms)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    while (sender->pending > 0) {
        uint64_t now = clock_monotonic_ms();
        if (now >= until && timeout_ms > 0)
            return false;
        rd_kafka_flush(sender->client, now < until ? (int)(until - now) : 0);
        if (timeout_ms == 0)
            break;
    }
    return sender->pending == 0;
}

uint64_t kafka_sender_pending(const struct kafka_sender *sender)
{
    return sender->pending;
}
