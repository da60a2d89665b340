#include "common/io/kafka/kafka_topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_destroy.h"

enum {
    DEFAULT_PARTITIONS = 12, /* the most workers a migration is usually scaled to */
    POLL_MS = 50,
    MIGRATIONS_NAMED = 6,
    LIMIT_MS = 1500, /* asking for a topic's settings */
    COMPACT_SEGMENT_MS = 600000,
    COMPACT_SEGMENT_BYTES = 16 * 1024 * 1024,
};

#define DAY_MS INT64_C(86400000)

static const struct {
    enum topic_kind kind;
    int64_t retention_ms;
    bool has_one_partition;
    bool is_compacted;
} KINDS[TOPIC_KINDS] = {
    /* until the switch: it is what everything else is made from again */
    {TOPIC_SOURCE, -1, false, false},
    {TOPIC_RESULTS, 14 * DAY_MS, false, false},
    {TOPIC_DEAD_LETTERS, 30 * DAY_MS, false, false},
    {TOPIC_CONTROL, -1, true, false},
    {TOPIC_STATE, -1, true, true},
};

static void judge(struct topic_plan *plan)
{
    if (plan->partitions_now == 0)
        plan->state = TOPIC_MISSING;
    else if (plan->partitions_now == plan->partitions)
        plan->state = TOPIC_AS_PLANNED;
    else
        plan->state = TOPIC_DIFFERENT;
}

/* Receipts and dead letters are paired with their source partition by number, so the two follow the
 * source topic, which keeps the count it has unless another one is asked for. Decisions have one
 * order. */
static void plan_partitions(const struct settings *settings, struct topic_plan plan[TOPIC_KINDS])
{
    int32_t wanted = (int32_t)settings->partitions;
    if (wanted == 0)
        wanted = plan[0].partitions_now ? plan[0].partitions_now : DEFAULT_PARTITIONS;
    for (int i = 0; i < TOPIC_KINDS; i++) {
        plan[i].partitions = KINDS[i].has_one_partition ? 1 : wanted;
        judge(&plan[i]);
    }
}

static enum outcome ask(rd_kafka_t *client, const struct settings *settings, int timeout_ms,
                        struct topic_plan plan[TOPIC_KINDS], struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        plan[i] = (struct topic_plan){
            .kind = KINDS[i].kind,
            .retention_ms = KINDS[i].retention_ms,
            .is_compacted = KINDS[i].is_compacted,
            .replication = settings->replication ? (int32_t)settings->replication : -1,
        };
        outcome =
            topic_format(settings->prefix, settings->migration, KINDS[i].kind, plan[i].name, err);
        if (outcome == OUT_OK)
            outcome = kafka_partition_count(client, plan[i].name, timeout_ms,
                                            &plan[i].partitions_now, err);
        plan[i].message_limit = outcome == OUT_OK && plan[i].partitions_now
                                    ? kafka_topic_message_limit(client, plan[i].name, LIMIT_MS)
                                    : -1;
    }
    if (outcome == OUT_OK)
        plan_partitions(settings, plan);
    return outcome;
}

enum outcome kafka_topics_plan(const struct settings *settings, int timeout_ms,
                               struct topic_plan plan[TOPIC_KINDS], struct error *err)
{
    rd_kafka_t *client;
    enum outcome outcome = kafka_client_open(settings, 0, &client, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = ask(client, settings, timeout_ms, plan, err);
    kafka_destroy(client, 0);
    return outcome;
}

static void set_number(rd_kafka_NewTopic_t *topic, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, value);
    rd_kafka_NewTopic_set_config(topic, name, text);
}

/* Entries are written every few seconds under few keys. The segment written to is never compacted,
 * so it is a small one. */
static void compact(rd_kafka_NewTopic_t *topic)
{
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    rd_kafka_NewTopic_set_config(topic, "min.cleanable.dirty.ratio", "0.1");
    set_number(topic, "segment.ms", COMPACT_SEGMENT_MS);
    set_number(topic, "segment.bytes", COMPACT_SEGMENT_BYTES);
}

static rd_kafka_NewTopic_t *describe(const struct settings *settings, const struct topic_plan *plan,
                                     struct error *err)
{
    char text[KAFKA_TEXT_SIZE] = "";
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(plan->name, plan->partitions, plan->replication, text, sizeof(text));
    if (!topic) {
        error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "the topic cannot be described");
        error_cause(err, "%s", text);
        return NULL;
    }
    if (plan->is_compacted) {
        compact(topic);
    } else {
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
        set_number(topic, "retention.ms", plan->retention_ms);
        set_number(topic, "retention.bytes", -1);
    }
    int64_t largest = (int64_t)settings->record_bytes + KAFKA_HEADERS_BYTES;
    if (plan->kind == TOPIC_DEAD_LETTERS) /* a dead letter is its message and more */
        largest += DEAD_LETTER_ROOM_BYTES;
    if (plan->kind == TOPIC_SOURCE || plan->kind == TOPIC_DEAD_LETTERS)
        set_number(topic, "max.message.bytes", largest);
    if (plan->replication >= 3) /* an acknowledged record survives the loss of one broker */
        rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", "2");
    return topic;
}

/* Another `topics apply` may have been quicker. */
static enum outcome read_answers(const rd_kafka_CreateTopics_result_t *answer, struct error *err)
{
    size_t count;
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(answer, &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            continue;
        const char *detail = rd_kafka_topic_result_error_string(topics[i]);
        const char *name = rd_kafka_topic_result_name(topics[i]);
        if (code != RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
            return kafka_classify(code, detail, name, err);
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the cluster cannot keep that many copies");
        error_where(err, "%s", name);
        error_cause(err, "%s", detail ? detail : rd_kafka_err2str(code));
        error_hint(err, "give --replication, at most the number of brokers");
        return outcome;
    }
    return OUT_OK;
}

static enum outcome send_request(rd_kafka_t *client, rd_kafka_NewTopic_t **topics, size_t count,
                                 int timeout_ms, struct error *err)
{
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, topics, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);

    enum outcome outcome;
    if (!event)
        outcome = error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                            "no broker answered within %d ms", timeout_ms);
    else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        outcome = kafka_classify(rd_kafka_event_error(event), rd_kafka_event_error_string(event),
                                 "topics", err);
    else
        outcome = read_answers(rd_kafka_event_CreateTopics_result(event), err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return outcome;
}

static enum outcome create_missing(rd_kafka_t *client, const struct settings *settings,
                                   int timeout_ms, const struct topic_plan plan[TOPIC_KINDS],
                                   struct error *err)
{
    rd_kafka_NewTopic_t *topics[TOPIC_KINDS];
    size_t count = 0;
    enum outcome outcome = OUT_OK;
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        if (plan[i].state != TOPIC_MISSING)
            continue;
        topics[count] = describe(settings, &plan[i], err);
        if (topics[count])
            count++;
        else
            outcome = OUT_FATAL;
    }
    if (outcome == OUT_OK && count)
        outcome = send_request(client, topics, count, timeout_ms, err);
    rd_kafka_NewTopic_destroy_array(topics, count);
    return outcome;
}

/* Every partition of the topic has a leader, as metadata shows right now. */
static bool has_leaders(rd_kafka_t *client, const struct topic_plan *plan)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, plan->name, NULL);
    if (!topic)
        return false;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &metadata, 1000);
    bool all = code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
               metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
               metadata->topics[0].partition_cnt >= plan->partitions;
    for (int i = 0; all && i < metadata->topics[0].partition_cnt; i++)
        all = metadata->topics[0].partitions[i].leader >= 0;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return all;
}

static enum outcome wait_for_leaders(rd_kafka_t *client, const struct topic_plan *plan,
                                     uint64_t deadline_ms, struct error *err)
{
    while (!has_leaders(client, plan)) {
        if (clock_monotonic_ms() >= deadline_ms) {
            enum outcome outcome =
                error_set(err, OUT_RETRY, ERR_KAFKA_TOPIC, "the new topic has no leaders yet");
            error_where(err, "%s", plan->name);
            error_hint(err, "wait a little and run the command again");
            return outcome;
        }
        rd_kafka_poll(client, POLL_MS);
    }
    return OUT_OK;
}

enum outcome kafka_topics_apply(const struct settings *settings, int timeout_ms,
                                struct topic_plan plan[TOPIC_KINDS], struct error *err)
{
    rd_kafka_t *client;
    enum outcome outcome = kafka_client_open(settings, 0, &client, err);
    if (outcome != OUT_OK)
        return outcome;
    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    outcome = ask(client, settings, timeout_ms, plan, err);
    if (outcome == OUT_OK)
        outcome = create_missing(client, settings, timeout_ms, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        if (plan[i].state != TOPIC_MISSING)
            continue;
        outcome = wait_for_leaders(client, &plan[i], deadline_ms, err);
        plan[i].partitions_now = plan[i].partitions;
        judge(&plan[i]);
    }
    kafka_destroy(client, 0);
    return outcome;
}

void kafka_topics_retention(const struct settings *settings, int timeout_ms,
                            char topics[TOPIC_KINDS][TOPIC_NAME_SIZE],
                            struct topic_retention retention[TOPIC_KINDS])
{
    static const char *const NAMES[] = {"retention.ms", "retention.bytes"};
    struct error ignored;
    rd_kafka_t *client = NULL;
    bool open = kafka_client_open(settings, timeout_ms, &client, &ignored) == OUT_OK;
    for (int i = 0; i < TOPIC_KINDS; i++) {
        int64_t values[2] = {-2, -2};
        if (open)
            kafka_topic_numbers(client, topics[i], NAMES, values, 2, timeout_ms);
        retention[i] = (struct topic_retention){values[0], values[1]};
    }
    if (open)
        kafka_destroy(client, 0);
}

/* "shop" of "drover.shop.source" for the prefix "drover"; empty: the topic is another thing. */
static struct bytes migration_of(const char *topic, const char *prefix)
{
    static const char END[] = ".source";
    size_t size = strlen(topic), before = strlen(prefix) + 1, after = sizeof(END) - 1;
    if (size <= before + after || strncmp(topic, prefix, before - 1) != 0 ||
        topic[before - 1] != '.' || strcmp(topic + size - after, END) != 0)
        return (struct bytes){0};
    return bytes_of(topic + before, size - before - after);
}

static void append_migrations(struct buf *out, const struct settings *settings)
{
    struct error ignored;
    rd_kafka_t *client = NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    int named = 0;
    if (kafka_client_open(settings, 0, &client, &ignored) != OUT_OK)
        return;
    if (rd_kafka_metadata(client, 1, NULL, &metadata, LIMIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < metadata->topic_cnt; i++) {
            struct bytes name = migration_of(metadata->topics[i].topic, settings->prefix);
            if (name.size && ++named <= MIGRATIONS_NAMED)
                buf_append_format(out, "%s%.*s", named > 1 ? ", " : "", BYTES_ARGS(name));
        }
        rd_kafka_metadata_destroy(metadata);
    }
    if (named > MIGRATIONS_NAMED)
        buf_append_format(out, " and %d more", named - MIGRATIONS_NAMED);
    kafka_destroy(client, 0);
}

enum outcome kafka_topics_no_migration(const struct settings *settings, struct error *err)
{
    struct buf names;
    char topic[TOPIC_NAME_SIZE] = "";
    struct error ignored;
    buf_init(&names, 4096);
    append_migrations(&names, settings);
    (void)!topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, topic, &ignored);
    error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "there is no migration %s: it has no topic",
              settings->migration);
    error_where(err, "%s", topic);
    if (names.size)
        error_hint(err, "give --migration one of these: %s", buf_text(&names));
    else
        error_hint(err, "no migration has begun on these brokers: drover run SOURCE begins one");
    buf_free(&names);
    return OUT_FATAL;
}

enum outcome kafka_topics_count_brokers(const struct settings *settings, int timeout_ms, int *count,
                                        struct error *err)
{
    rd_kafka_t *client;
    const struct rd_kafka_metadata *metadata = NULL;
    enum outcome outcome = kafka_client_open(settings, 0, &client, err);
    if (outcome != OUT_OK)
        return outcome;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = kafka_classify(code, rd_kafka_err2str(code), "", err);
    } else {
        *count = metadata->broker_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    kafka_destroy(client, 0);
    return outcome;
}

const char *kafka_topics_library(void)
{
    return rd_kafka_version_str();
}
