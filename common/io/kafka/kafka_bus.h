#ifndef DROVER_IO_KAFKA_BUS_H
#define DROVER_IO_KAFKA_BUS_H

/*
 * Kafka behind port/bus.h. Questions are asked by a client of their own, a member of no group,
 * which is made at the first one.
 */

#include <uv.h>

#include "common/io/settings.h"
#include "common/port/bus.h"

/* `settings` must outlive the bus and what was opened of it. `loop` serves consumers and
 * bus_ask_ends; NULL: neither is used. Free it when all else is closed. */
struct bus *kafka_bus_new(const struct settings *settings, uv_loop_t *loop);
/* How long a broker may be silent at a question (2 s otherwise), whatever the question's own limit.
 * Before the first one. */
void kafka_bus_answer_within(struct bus *bus, int timeout_ms);
/* NULL is allowed. */
void kafka_bus_free(struct bus *bus);

#endif
