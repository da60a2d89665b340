#ifndef DROVER_IO_KAFKA_BUS_H
#define DROVER_IO_KAFKA_BUS_H

/* Kafka behind port/bus.h: a thin cover over kafka_sender.h. */

#include "common/io/settings.h"
#include "common/port/bus.h"

struct kafka_bus {
    struct bus base;
    const struct settings *settings; /* must outlive the bus and its senders */
};

void kafka_bus_init(struct kafka_bus *bus, const struct settings *settings);

#endif
