#ifndef DROVER_IO_KAFKA_CONSUMER_H
#define DROVER_IO_KAFKA_CONSUMER_H

/*
 * A member of a consumer group on the loop: librdkafka's queue wakes an eventfd, messages are taken
 * with rd_kafka_consumer_poll (the batch call may skip messages in 2.0.2), a budget a turn. The
 * owner decides where reading starts (offsets live in PostgreSQL) and when a revoked partition is
 * really given up; until then the group waits.
 */

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"

struct kafka_consumer;

struct kafka_consumer_events {
    /* Partitions are ours: answer with kafka_consumer_start, once, when the offsets are known. */
    void (*on_assigned)(void *owner, const int32_t *partitions, size_t count);
    /* They are to be given up: answer with kafka_consumer_give_up when work in flight has ended. */
    void (*on_revoked)(void *owner);
    /* The callee owns the message: rd_kafka_message_destroy. */
    void (*on_message)(void *owner, rd_kafka_message_t *message);
    /* Everything the partition holds by now was handed over. Also where the last offsets are no
     * messages (transaction markers, what compaction removed). Said again after each message more.
     */
    void (*on_end)(void *owner, int32_t partition);
    /* OUT_RETRY: brokers are away, the client goes on by itself. OUT_FATAL: it cannot (offsets
     * gone, not authorised). partition -1: not of one partition. */
    void (*on_error)(void *owner, int32_t partition, const struct error *err);
};

/* Joins the group with one topic. Events come from the loop only. */
MUST_USE enum outcome kafka_consumer_open(uv_loop_t *loop, const struct settings *settings,
                                          const char *topic, const char *group,
                                          const struct kafka_consumer_events *events, void *owner,
                                          struct kafka_consumer **consumer, struct error *err);

/* Begins reading: `offsets[i]` of `partitions[i]`. Again with other offsets: reads all of them anew
 * from there (a partition whose messages were gone cannot be moved in another way). */
MUST_USE enum outcome kafka_consumer_start(struct kafka_consumer *consumer,
                                           const int32_t *partitions, const int64_t *offsets,
                                           size_t count, struct error *err);
/* Answers on_revoked. */
void kafka_consumer_give_up(struct kafka_consumer *consumer);
/* Stop and go on fetching some partitions; messages already handed over are not affected. */
void kafka_consumer_pause(struct kafka_consumer *consumer, const int32_t *partitions, size_t count);
void kafka_consumer_resume(struct kafka_consumer *consumer, const int32_t *partitions,
                           size_t count);
/* Tells Kafka how far we are, for lag tools; failures do not matter (PostgreSQL decides). */
void kafka_consumer_commit(struct kafka_consumer *consumer, const int32_t *partitions,
                           const int64_t *offsets, size_t count);
/* End of a partition as last heard from the broker, -1 when not known. */
int64_t kafka_consumer_end(struct kafka_consumer *consumer, int32_t partition);

/* Leaves the group (on_revoked may come once more and is to be answered), then on_closed. Gives up
 * waiting for the broker after wait_ms. */
void kafka_consumer_close(struct kafka_consumer *consumer, uint32_t wait_ms,
                          void (*on_closed)(void *owner));

#endif
