#ifndef DROVER_CONTROL_TOPIC_MESSAGES_H
#define DROVER_CONTROL_TOPIC_MESSAGES_H

/* The messages of a topic, one after the other, for commands that read one from here to there and
 * are done: as it is now, nothing that comes meanwhile. */

#include "common/port/bus.h"

/* What it answers other than OUT_OK ends the reading, and is given. The message is there until it
 * returns. */
typedef enum outcome (*topic_on_message)(void *owner, const struct bus_message *message,
                                         struct error *err);

/* Those of the ranges; none is no failure. Failures as of bus_open_reader and bus_reader_next. */
MUST_USE enum outcome topic_messages_each(struct bus *bus, const char *topic,
                                          const struct bus_range *ranges, size_t count,
                                          int timeout_ms, topic_on_message on_message, void *owner,
                                          struct error *err);
/* All that are there now. */
MUST_USE enum outcome topic_messages_all(struct bus *bus, const char *topic, int timeout_ms,
                                         topic_on_message on_message, void *owner,
                                         struct error *err);

#endif
