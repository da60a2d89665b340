#include "common/io/kafka/kafka_wake.h"

#include <stdlib.h>

#define STEPS 4        /* of a queue: it is refilled while the other parts are read */
#define BACKOFF_MS "2" /* fetch.queue.backoff.ms: as long as a request takes */
#define BACKOFF_DEFAULT_MS 1000

static uint64_t number_of(rd_kafka_conf_t *conf, const char *name, uint64_t otherwise)
{
    char text[32] = "";
    size_t size = sizeof text;
    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        return otherwise;
    return strtoull(text, NULL, 10);
}

void kafka_wake_init(struct kafka_wake *wake, rd_kafka_conf_t *conf)
{
    *wake = (struct kafka_wake){0};
    uint64_t backoff_ms = number_of(conf, "fetch.queue.backoff.ms", 0);
    if (backoff_ms == BACKOFF_DEFAULT_MS) /* else the user's own choice */
        rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", BACKOFF_MS, NULL, 0);
    if (backoff_ms) {
        wake->bytes_step = wake->messages_step = UINT64_MAX;
        return;
    }
    /* librdkafka's own defaults, should a name ever go */
    wake->bytes_step = number_of(conf, "queued.max.messages.kbytes", 65536) * 1024 / STEPS;
    wake->messages_step = number_of(conf, "queued.min.messages", 100000) / STEPS;
}

static void remember(struct kafka_wake *wake, int32_t broker, int32_t partition)
{
    size_t i = 0;
    while (i < wake->leader_count && wake->leaders[i].broker != broker)
        i++;
    if (i == wake->leader_count && i < KAFKA_WAKE_LEADERS)
        wake->leader_count++;
    else if (i == wake->leader_count)
        i = (size_t)broker % KAFKA_WAKE_LEADERS;
    wake->leaders[i] = (struct kafka_wake_leader){broker, partition};
    wake->last = i;
}

void kafka_wake_took(struct kafka_wake *wake, rd_kafka_t *client, const char *topic,
                     const rd_kafka_message_t *message)
{
    int32_t broker = rd_kafka_message_broker_id(message);
    if (wake->leader_count == 0 || wake->leaders[wake->last].broker != broker)
        remember(wake, broker, message->partition);
    wake->bytes += message->len + message->key_len;
    wake->messages++;
    if (wake->bytes >= wake->bytes_step || wake->messages >= wake->messages_step)
        kafka_wake_now(wake, client, topic);
}

void kafka_wake_now(struct kafka_wake *wake, rd_kafka_t *client, const char *topic)
{
    wake->bytes = wake->messages = 0;
    if (wake->leader_count == 0)
        return;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)wake->leader_count);
    for (size_t i = 0; i < wake->leader_count; i++)
        rd_kafka_topic_partition_list_add(list, topic, wake->leaders[i].partition)->offset =
            RD_KAFKA_OFFSET_END;
    /* 0 ms: the request is sent, its answer is dropped */
    rd_kafka_offsets_for_times(client, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
}
