#ifndef DROVER_IO_KAFKA_WAKE_H
#define DROVER_IO_KAFKA_WAKE_H

/*
 * A full fetch queue must not stop the fetching for a second. librdkafka 2.0.2 looks whether its
 * queue has room again only when something wakes its broker thread, else once a second
 * (confluentinc/librdkafka#2879; rd_kafka_broker_consumer_serve, rd_kafka_max_block_ms): a reader
 * that is faster than the queue is long then gets one queue a second. Any request wakes the thread,
 * so one is sent, and its answer not waited for, whenever a quarter of the queue was taken.
 * Later versions have a property of their own (fetch.queue.backoff.ms), set where it is known.
 *
 * One thread. Never blocks, never fails: a request that cannot be sent leaves the second.
 */

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

/* Brokers that lead a part of a topic, of which a partition is remembered; of more, some are woken
 * in turn. */
#define KAFKA_WAKE_LEADERS 32

struct kafka_wake {
    uint64_t bytes_step, messages_step; /* a quarter of what the queue holds */
    uint64_t bytes, messages;           /* taken since the last request */
    struct kafka_wake_leader {
        int32_t broker, partition;
    } leaders[KAFKA_WAKE_LEADERS];
    size_t leader_count;
    size_t last; /* the leader of the message before, mostly the next one's too */
};

/* Where the configuration has the property, it makes the waking unnecessary. Before
 * rd_kafka_new. */
void kafka_wake_init(struct kafka_wake *wake, rd_kafka_conf_t *conf);
/* A message was taken from the queue; `topic` is its own. */
void kafka_wake_took(struct kafka_wake *wake, rd_kafka_t *client, const char *topic,
                     const rd_kafka_message_t *message);
/* Reading goes on now, whatever was taken: after a pause, or when the queue is empty. */
void kafka_wake_now(struct kafka_wake *wake, rd_kafka_t *client, const char *topic);

#endif
