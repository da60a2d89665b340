/*
 * librdkafka's logs and errors are put on its main queue (log.queue) and so reach us on the thread
 * that polls, never on one of its own. What it says last is remembered, to be the cause of "Kafka
 * cannot be reached"; the same line is logged once in 30 seconds, as reconnecting repeats it.
 */
#include "common/io/kafka/kafka_client.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_properties.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/log.h"

#define SAID_MAX 8
#define SAY_AGAIN_MS 30000
#define HEALS_MS 10000 /* what librdkafka fixes itself is told when it has lasted so long */
/* Around the largest record: key and headers, and what a dead letter adds. A topic's own limit is
 * the lower one, where it is known (kafka_sender.c). */
#define HEADROOM_BYTES (KAFKA_HEADERS_BYTES + DEAD_LETTER_ROOM_BYTES)
#define CHOOSING_MS 50 /* until a partition's new leader is asked for again */
#define SLICE_MS 250   /* how often waiting for a broker looks for a refusal */

/* ---- what librdkafka says ---- */

/* Of the thread that polls; a process has one such thread. */
static struct {
    uint64_t hashes[SAID_MAX];
    uint64_t said_ms[SAID_MAX];
    size_t next;
    struct error last;           /* the last trouble, as its cause; "" none */
    rd_kafka_resp_err_t refusal; /* login or TLS refused: waiting does not help */
    bool asking;                 /* its trouble becomes the answer's cause, not a log line */
    uint64_t ails_since_ms;      /* what it fixes itself is said again and again since then */
    uint64_t ailed_ms;           /* and was last said then */
} told;

static bool said_lately(struct bytes text)
{
    uint64_t hash = hash64(text);
    uint64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < SAID_MAX; i++)
        if (told.hashes[i] == hash && told.said_ms[i] && now - told.said_ms[i] < SAY_AGAIN_MS)
            return true;
    told.hashes[told.next] = hash;
    told.said_ms[told.next] = now;
    told.next = (told.next + 1) % SAID_MAX;
    return false;
}

/* Without "[thrd:…]: " and the "(after 3ms in state …)" that make the same line differ. */
static struct bytes essence(const char *text)
{
    const char *start = text;
    if (strncmp(start, "[thrd:", 6) == 0) {
        const char *end = strstr(start, "]: ");
        start = end ? end + 3 : start;
    }
    const char *after = strstr(start, " (after ");
    return bytes_of(start, after ? (size_t)(after - start) : strlen(start));
}

static void say(bool is_away, const char *what, const char *text)
{
    struct bytes core = essence(text);
    error_cause(&told.last, "%.*s", BYTES_ARGS(core)); /* masked before it is cut */
    if (told.asking || said_lately(core))
        return;
    struct error err;
    error_set(&err, OUT_RETRY, ERR_KAFKA_CLIENT, "%s", what);
    error_cause(&err, "%s", told.last.cause);
    if (is_away)
        log_away("kafka.client", &err);
    else
        log_error(LOG_WARN, "kafka.client", &err);
}

/* A cluster that has just started, or a topic that is just made, has no coordinator of producers
 * for a moment: asking again is all there is to do, and librdkafka does. News only when it lasts.
 */
static bool heals(const char *facility)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (strcmp(facility, "GETPID") != 0)
        return false;
    if (told.ails_since_ms == 0 || now_ms - told.ailed_ms > HEALS_MS)
        told.ails_since_ms = now_ms;
    told.ailed_ms = now_ms;
    return now_ms - told.ails_since_ms < HEALS_MS;
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    bool is_away = strcmp(facility, "FAIL") == 0;
    /* syslog's "warning"; what is below it is of interest to librdkafka's authors */
    if (level <= 4 && !heals(facility))
        say(is_away, is_away ? "a connection to Kafka failed" : facility, text);
    else
        log_line(LOG_DEBUG, "kafka.client", "facility=%s", facility);
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    (void)opaque;
    char text[KAFKA_TEXT_SIZE] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = (int)rd_kafka_fatal_error(client, text, sizeof(text));
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
        code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
        told.refusal = (rd_kafka_resp_err_t)code;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && told.last.cause[0])
        return; /* the line before it says why */
    bool is_away = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
                   code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    say(is_away, rd_kafka_err2name((rd_kafka_resp_err_t)code), text[0] ? text : reason);
}

/* ---- configurations ---- */

struct property {
    const char *name;
    const char *value;
};

static const struct property COMMON[] = {
    {"client.id", "drover"},
    {"log.queue", "true"},
    {"log.connection.close", "false"}, /* brokers close idle connections: no news */
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "2000"}, /* default 10 s: a restarted broker would wait as long */
    {NULL, NULL},
};

static const struct property SENDING[] = {
    {"enable.idempotence", "true"},    {"acks", "all"},
    {"partitioner", "murmur2_random"}, /* random for messages without key: receipts */
    {"message.timeout.ms", "0"},       /* never drops what was accepted */
    {"compression.codec", "lz4"},      {NULL, NULL},
};

static const struct property CONSUMING[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"check.crcs", "true"},
    {"allow.auto.create.topics", "false"},
    {"partition.assignment.strategy", "range"},
    {"queued.max.messages.kbytes", "16384"},
    {"enable.partition.eof", "true"},
    {NULL, NULL},
};

/* A worker has its own queue of what is not written, so it fetches little ahead; kafka_wake.h keeps
 * it from waiting when that queue was full. A partition whose next batch of the log is larger than
 * fetch.message.max.bytes gets nothing, unless it is the first one of a request: with 128 KiB and
 * batches of up to 300 KiB a request brought one partition of eight (measured: 463 requests for 76
 * MB, 24 with 512 KiB). A request brings no more than the queue holds: librdkafka makes
 * fetch.max.bytes the greater of queued.max.messages.kbytes and message.max.bytes. A reader that
 * never pauses keeps the larger queue of CONSUMING, and bounds of its own (kafka_reader.c). */
static const struct property WORKING[] = {
    {"queued.max.messages.kbytes", "2048"},
    {"fetch.message.max.bytes", "524288"},
    {NULL, NULL},
};

static enum outcome set(rd_kafka_conf_t *conf, const char *name, const char *value,
                        struct error *err)
{
    char text[KAFKA_TEXT_SIZE];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "the Kafka client does not accept \"%s\"", name);
    error_cause(err, "%s", text);
    return OUT_FATAL;
}

static enum outcome set_number(rd_kafka_conf_t *conf, const char *name, uint64_t value,
                               struct error *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return set(conf, name, text, err);
}

static enum outcome set_all(rd_kafka_conf_t *conf, const struct property *properties,
                            struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (; properties->name && outcome == OUT_OK; properties++)
        outcome = set(conf, properties->name, properties->value, err);
    return outcome;
}

/* A message costs librdkafka about 1 KiB besides its bytes (its struct, ten headers; measured),
 * which queue.buffering.max.kbytes does not count. So half of the queue's memory is for the bytes,
 * and the number of messages is bounded so that the other half suffices. */
#define MESSAGE_COST_BYTES 1024

/* A batch waits for what follows it: not for records that somebody types or another program writes
 * when they come. (librdkafka sleeps whole milliseconds, so any wait is one of 1 to 2 ms. A file
 * that comes through a pipe fills its batches anyhow, while the requests before are answered.) */
static const char *linger_ms(const struct settings *settings)
{
    for (size_t i = 0; i < settings->sources.count; i++)
        if (strcmp(settings->sources.items[i], "-") == 0)
            return "0";
    return "5";
}

/* What the local queue takes. */
struct queue_room {
    uint64_t bytes, messages;
};

static struct queue_room queue_room(const struct settings *settings)
{
    uint64_t largest = settings->record_bytes + HEADROOM_BYTES;
    uint64_t half = settings->queue_bytes / 2;
    return (struct queue_room){half > largest ? half : largest, half / MESSAGE_COST_BYTES + 1};
}

static enum outcome set_sending(rd_kafka_conf_t *conf, const struct settings *settings,
                                struct error *err)
{
    uint64_t largest = settings->record_bytes + HEADROOM_BYTES;
    struct queue_room room = queue_room(settings);
    if (set_all(conf, SENDING, err) != OUT_OK ||
        set(conf, "linger.ms", linger_ms(settings), err) != OUT_OK ||
        set_number(conf, "message.max.bytes", largest, err) != OUT_OK ||
        set_number(conf, "queue.buffering.max.kbytes", (room.bytes + 1023) / 1024, err) != OUT_OK)
        return OUT_FATAL;
    return set_number(conf, "queue.buffering.max.messages", room.messages, err);
}

/*
 * A batch of a bulk is full at its share of half the queue, one share a partition. So with nothing
 * on its way to the broker a full queue holds a full batch, whatever partitions the messages are
 * of: it never waits for linger.ms, which may be long. Batches smaller than the least would not be
 * worth that; where shares are smaller (many partitions), the wait is one that a full queue can
 * afford.
 */
#define BATCH_MAX_BYTES 250000 /* fits the fetch of a partition: WORKING here, kafka_reader.c */
#define BATCH_MIN_BYTES 65536
#define BATCH_MIN_MESSAGES 128
#define BULK_LINGER_MS 100
#define BULK_LINGER_SHORT_MS 20

static uint64_t between(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : value > max ? max : value;
}

static enum outcome set_bulk(rd_kafka_conf_t *conf, const struct settings *settings,
                             int32_t partitions, size_t batch_bytes, struct error *err)
{
    struct queue_room room = queue_room(settings);
    uint64_t shares = 2 * (uint64_t)partitions;
    uint64_t bytes = room.bytes / shares, messages = room.messages / shares;
    bool fits = bytes >= BATCH_MIN_BYTES && messages >= BATCH_MIN_MESSAGES;
    uint64_t max = between(batch_bytes, 1, BATCH_MAX_BYTES);
    uint64_t min = max < BATCH_MIN_BYTES ? max : BATCH_MIN_BYTES;
    if (set_number(conf, "linger.ms", fits ? BULK_LINGER_MS : BULK_LINGER_SHORT_MS, err) !=
            OUT_OK ||
        set_number(conf, "batch.size", between(bytes, min, max), err) != OUT_OK)
        return OUT_FATAL;
    return set_number(conf, "batch.num.messages", between(messages, BATCH_MIN_MESSAGES, 100000),
                      err);
}

/* Nobody waits for a reader's memory: the largest message fits a fetch beside others. For a worker
 * it comes alone, as a broker's answer holds at least one batch, whatever its size. */
static enum outcome set_consuming(rd_kafka_conf_t *conf, const struct settings *settings,
                                  bool works, struct error *err)
{
    uint64_t largest = settings->record_bytes + HEADROOM_BYTES;
    if (set_all(conf, CONSUMING, err) != OUT_OK || (works && set_all(conf, WORKING, err) != OUT_OK))
        return OUT_FATAL;
    return works ? OUT_OK : set_number(conf, "message.max.bytes", largest, err);
}

/* `partitions` 0: no bulk. */
static rd_kafka_conf_t *make_conf(const struct settings *settings, enum kafka_use use,
                                  int32_t partitions, size_t batch_bytes, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool sends = use == KAFKA_SEND;
    enum outcome outcome = set_all(conf, COMMON, err);
    if (outcome == OUT_OK)
        outcome = set(conf, "bootstrap.servers", settings->brokers, err);
    if (outcome == OUT_OK)
        outcome = sends ? set_sending(conf, settings, err)
                        : set_consuming(conf, settings, use == KAFKA_CONSUME, err);
    if (outcome == OUT_OK && partitions > 0)
        outcome = set_bulk(conf, settings, partitions, batch_bytes, err);
    if (outcome == OUT_OK)
        outcome = kafka_properties_apply(&settings->kafka, sends, conf, err);
    if (outcome != OUT_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return conf;
}

rd_kafka_conf_t *kafka_conf_new(const struct settings *settings, enum kafka_use use,
                                struct error *err)
{
    return make_conf(settings, use, 0, 0, err);
}

rd_kafka_conf_t *kafka_conf_new_bulk(const struct settings *settings, int32_t partitions,
                                     size_t batch_bytes, struct error *err)
{
    return make_conf(settings, KAFKA_SEND, partitions, batch_bytes, err);
}

/* librdkafka wants a second more than fetch.wait.max.ms, which is half of one. */
#define ANSWER_MIN_MS 2000

void kafka_conf_answer_within(rd_kafka_conf_t *conf, int timeout_ms)
{
    char text[16];
    snprintf(text, sizeof text, "%d", timeout_ms > ANSWER_MIN_MS ? timeout_ms : ANSWER_MIN_MS);
    rd_kafka_conf_set(conf, "socket.timeout.ms", text, NULL, 0);
}

rd_kafka_t *kafka_client_new(enum kafka_use use, rd_kafka_conf_t *conf, struct error *err)
{
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_type_t type = use == KAFKA_SEND ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    if (!client) {
        rd_kafka_conf_destroy(conf);
        error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "the Kafka client does not start");
        error_cause(err, "%s", text);
        return NULL;
    }
    rd_kafka_set_log_queue(client, NULL); /* to the main queue */
    return client;
}

enum outcome kafka_client_open(const struct settings *settings, int answer_ms, rd_kafka_t **client,
                               struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_READ, err);
    if (conf && answer_ms)
        kafka_conf_answer_within(conf, answer_ms);
    *client = conf ? kafka_client_new(KAFKA_READ, conf, err) : NULL;
    return *client ? OUT_OK : OUT_FATAL;
}

/* ---- codes ---- */

static enum outcome meaning(rd_kafka_resp_err_t code, enum error_code *as)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
        *as = ERR_KAFKA_SIZE;
        return OUT_REJECT;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        *as = ERR_KAFKA_AUTH;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        *as = ERR_KAFKA_TOPIC;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        *as = ERR_KAFKA_PARTITIONS;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        *as = ERR_KAFKA_OFFSET;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        *as = ERR_KAFKA_FENCED;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        *as = ERR_KAFKA_CLIENT;
        return OUT_FATAL;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        *as = ERR_KAFKA_CLIENT;
        return OUT_RETRY;
    default: /* the client retries by itself whatever is transient */
        *as = ERR_KAFKA_UNREACHABLE;
        return OUT_RETRY;
    }
}

/* Brokers are choosing a partition's leader, or have not all heard of it: a moment after a topic is
 * made, or a broker has gone. */
static bool is_choosing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE;
}

enum outcome kafka_classify(rd_kafka_resp_err_t code, const char *detail, const char *topic,
                            struct error *err)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OUT_OK;
    enum error_code as;
    enum outcome outcome = meaning(code, &as);
    error_set(err, outcome, as, "%s",
              is_choosing(code) ? "a partition has no leader at this moment"
                                : error_code_meaning(as));
    error_cause(err, "%s: %s", rd_kafka_err2name(code), detail ? detail : rd_kafka_err2str(code));
    if (topic)
        error_where(err, "%s", topic);
    return outcome;
}

/* ---- questions ---- */

/* Serves logs and errors. Not for a group member: its main queue holds messages (K rows: polling
 * it here would take them). */
static void serve_log(rd_kafka_t *client)
{
    char group[8] = "";
    size_t size = sizeof(group);
    bool member =
        rd_kafka_conf_get(rd_kafka_conf(client), "group.id", group, &size) == RD_KAFKA_CONF_OK &&
        group[0];
    if (!member)
        rd_kafka_poll(client, 0);
}

/* What it says of a question that got no answer is the cause of that. */
static void hear_why(rd_kafka_t *client)
{
    told.asking = true;
    serve_log(client);
    told.asking = false;
}

static enum outcome unreachable(rd_kafka_t *client, struct error *err)
{
    char brokers[KAFKA_TEXT_SIZE] = "";
    size_t size = sizeof(brokers);
    if (rd_kafka_conf_get(rd_kafka_conf(client), "bootstrap.servers", brokers, &size) !=
        RD_KAFKA_CONF_OK)
        brokers[0] = '\0';
    if (told.refusal)
        error_set(err, OUT_FATAL, ERR_KAFKA_AUTH, "Kafka refused the connection");
    else
        error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE, "Kafka cannot be reached at %s", brokers);
    if (told.last.cause[0])
        error_cause(err, "%s", told.last.cause);
    error_where(err, "kafka.brokers");
    return told.refusal ? OUT_FATAL : OUT_RETRY;
}

/* All topics: asking for one by name would create it where brokers do that. */
static enum outcome ask_metadata(rd_kafka_t *client, int timeout_ms,
                                 const struct rd_kafka_metadata **metadata, struct error *err)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    told.refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
    told.last = (struct error){0};
    for (;;) {
        int left = clock_left_ms(until);
        int slice = left < SLICE_MS ? left : SLICE_MS;
        rd_kafka_resp_err_t code = rd_kafka_metadata(client, 1, NULL, metadata, slice);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return OUT_OK;
        hear_why(client);
        if (left <= slice || told.refusal)
            return unreachable(client, err);
    }
}

enum outcome kafka_partition_count(rd_kafka_t *client, const char *topic, int timeout_ms,
                                   int32_t *count, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    enum outcome outcome = ask_metadata(client, timeout_ms, &metadata, err);
    if (outcome != OUT_OK)
        return outcome;
    *count = 0;
    for (int i = 0; i < metadata->topic_cnt && outcome == OUT_OK; i++) {
        const struct rd_kafka_metadata_topic *one = &metadata->topics[i];
        if (strcmp(one->topic, topic) != 0)
            continue;
        *count = one->partition_cnt;
        if (one->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            outcome = kafka_classify(one->err, NULL, topic, err);
    }
    rd_kafka_metadata_destroy(metadata);
    return outcome;
}

#define ASK_AGAIN_MS 5000

/* Whether the code says that a partition is unknown which the broker has. */
static bool is_there(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *topic,
                     int32_t partition, int timeout_ms)
{
    int32_t partitions;
    struct error ignored;
    if (code != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        return false;
    enum outcome outcome = kafka_partition_count(client, topic, timeout_ms, &partitions, &ignored);
    return outcome == OUT_RETRY || (outcome == OUT_OK && partition < partitions);
}

bool kafka_is_partition_there(rd_kafka_t *client, const char *topic,
                              const rd_kafka_message_t *event)
{
    return is_there(client, event->err, topic, event->partition, ASK_AGAIN_MS);
}

/* rd_kafka_query_watermark_offsets waits for a silent broker far beyond its timeout (2.0.2: its
 * request is repeated); this call keeps its own. `which`: RD_KAFKA_OFFSET_BEGINNING or _END. */
static rd_kafka_resp_err_t ask_offset(rd_kafka_t *client, const char *topic, int32_t partition,
                                      int64_t which, int timeout_ms, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, topic, partition);
    one->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = one->err;
    *offset = one->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

enum outcome kafka_watermarks(rd_kafka_t *client, const char *topic, int32_t partition,
                              int timeout_ms, int64_t *low, int64_t *high, struct error *err)
{
    uint64_t until_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    rd_kafka_resp_err_t code;
    for (;;) {
        code = ask_offset(client, topic, partition, RD_KAFKA_OFFSET_BEGINNING,
                          clock_left_ms(until_ms), low);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = ask_offset(client, topic, partition, RD_KAFKA_OFFSET_END,
                              clock_left_ms(until_ms), high);
        if (is_there(client, code, topic, partition, clock_left_ms(until_ms)))
            code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        if (!is_choosing(code) || clock_left_ms(until_ms) <= CHOOSING_MS)
            break;
        poll(NULL, 0, CHOOSING_MS);
    }
    if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
        code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        hear_why(client);
        return unreachable(client, err);
    }
    return kafka_classify(code, NULL, topic, err);
}

enum outcome kafka_ranges(rd_kafka_t *client, const char *topic, size_t known, int timeout_ms,
                          struct bus_range **ranges, size_t *count, struct error *err)
{
    int32_t partitions = (int32_t)known;
    uint64_t until_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    enum outcome outcome = OUT_OK;
    *ranges = NULL;
    *count = 0;
    if (partitions == 0)
        outcome = kafka_partition_count(client, topic, timeout_ms, &partitions, err);
    if (outcome != OUT_OK || partitions == 0)
        return outcome;
    struct bus_range *made = mem_zeroed((size_t)partitions, sizeof *made);
    for (int32_t i = 0; i < partitions && outcome == OUT_OK; i++) {
        made[i].partition = i;
        outcome = kafka_watermarks(client, topic, i, clock_left_ms(until_ms), &made[i].from,
                                   &made[i].to, err);
    }
    if (outcome != OUT_OK) {
        free(made);
        return outcome;
    }
    *ranges = made;
    *count = (size_t)partitions;
    return OUT_OK;
}

static void read_numbers(const rd_kafka_event_t *event, const char *const *names, int64_t *values,
                         size_t wanted)
{
    size_t count = 0;
    size_t entry_count = 0;
    const rd_kafka_DescribeConfigs_result_t *result =
        rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)event);
    const rd_kafka_ConfigResource_t **resources =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (count != 1)
        return;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        for (size_t j = 0; j < wanted; j++)
            if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), names[j]) == 0 && value &&
                !text_parse_int64(bytes_text(value), &values[j]))
                values[j] = -2;
    }
}

void kafka_topic_numbers(rd_kafka_t *client, const char *topic, const char *const *names,
                         int64_t *values, size_t count, int timeout_ms)
{
    for (size_t i = 0; i < count; i++)
        values[i] = -2;
    char text[100];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(client, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 500);
    if (event)
        read_numbers(event, names, values, count);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
}

int64_t kafka_topic_message_limit(rd_kafka_t *client, const char *topic, int timeout_ms)
{
    static const char *const NAME[] = {"max.message.bytes"};
    int64_t limit;
    kafka_topic_numbers(client, topic, NAME, &limit, 1, timeout_ms);
    return limit >= 0 ? limit : -1;
}

bool kafka_ask_offset(rd_kafka_t *client, const char *topic, int32_t partition, int64_t which,
                      int timeout_ms, int64_t *offset)
{
    return ask_offset(client, topic, partition, which, timeout_ms, offset) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* `which` as kafka_ask_offset's. */
static bool ask_offsets(rd_kafka_t *client, const char *topic, int64_t which, int64_t *offsets,
                        int32_t count, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, timeout_ms);
    bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < list->cnt && ok; i++) {
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        ok = one->err == RD_KAFKA_RESP_ERR_NO_ERROR && (one->offset >= 0 || which >= 0);
        offsets[one->partition] = one->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

bool kafka_ask_ends(rd_kafka_t *client, const char *topic, int64_t *ends, int32_t count,
                    int timeout_ms)
{
    return ask_offsets(client, topic, RD_KAFKA_OFFSET_END, ends, count, timeout_ms);
}

bool kafka_ask_offsets_at(rd_kafka_t *client, const char *topic, int64_t at_ms, int64_t *offsets,
                          int32_t count, int timeout_ms)
{
    int64_t *ends = mem_zeroed((size_t)count + 1, sizeof *ends);
    bool ok = ask_offsets(client, topic, at_ms > 0 ? at_ms : 0, offsets, count, timeout_ms) &&
              kafka_ask_ends(client, topic, ends, count, timeout_ms);
    for (int32_t i = 0; i < count && ok; i++)
        if (offsets[i] < 0) /* all of it is older */
            offsets[i] = ends[i];
    free(ends);
    return ok;
}
