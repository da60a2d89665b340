#ifndef DROVER_IO_KAFKA_CONSUMER_H
#define DROVER_IO_KAFKA_CONSUMER_H

/*
 * The bus's consumer over Kafka, on the loop: librdkafka's queue wakes an eventfd, messages are
 * taken with rd_kafka_consumer_poll (the batch call may skip messages in 2.0.2), a budget a turn.
 * The owner decides where reading starts (offsets live in the store) and when a revoked partition
 * is really given up; until then the group waits.
 */

#include <uv.h>

#include "common/io/settings.h"
#include "common/port/bus.h"

/* As bus_open_consumer, or with `count` partitions as bus_open_assigned. Events come from the loop
 * only; `held` of an arrival is an rd_kafka_message_t. */
MUST_USE enum outcome kafka_consumer_open(uv_loop_t *loop, const struct settings *settings,
                                          const char *topic, const char *group,
                                          const int32_t *partitions, size_t count,
                                          const struct bus_consumer_events *events, void *owner,
                                          struct bus_consumer **consumer, struct error *err);

#endif
