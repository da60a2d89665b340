#ifndef DROVER_IO_KAFKA_READER_H
#define DROVER_IO_KAFKA_READER_H

/*
 * The bus's reader over Kafka: reads ranges of a topic's partitions once, outside any group,
 * committing nothing. Blocking; own thread or a command's main thread.
 */

#include "common/io/settings.h"
#include "common/port/bus.h"

/* As bus_open_reader. */
MUST_USE enum outcome kafka_reader_open(const struct settings *settings, const char *topic,
                                        const struct bus_range *ranges, size_t count,
                                        int timeout_ms, struct bus_reader **reader,
                                        struct error *err);

#endif
