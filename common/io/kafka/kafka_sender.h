#ifndef DROVER_IO_KAFKA_SENDER_H
#define DROVER_IO_KAFKA_SENDER_H

/*
 * The bus's sender over Kafka: sends messages to one topic and tells each one's fate exactly once.
 * It copies what it is given. Order per partition is kept (idempotent producer). OUT_FATAL in a
 * report: the client is dead, make a new process.
 */

#include "common/io/settings.h"
#include "common/port/bus.h"

/* As bus_open_sender; connects lazily. */
MUST_USE enum outcome kafka_sender_open(const struct settings *settings, const char *topic,
                                        int32_t pinned_partitions /* 0: any */, int timeout_ms,
                                        bus_delivered on_delivered, void *owner,
                                        struct bus_sender **sender, struct error *err);

#endif
