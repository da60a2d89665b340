#include "control/topic_messages.h"

#include <stdlib.h>

enum outcome topic_messages_each(struct bus *bus, const char *topic, const struct bus_range *ranges,
                                 size_t count, int timeout_ms, topic_on_message on_message,
                                 void *owner, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome = bus_open_reader(bus, topic, ranges, count, timeout_ms, &reader, err);
    while (outcome == OUT_OK &&
           (outcome = bus_reader_next(reader, timeout_ms, &message, err)) == OUT_OK && message)
        outcome = on_message(owner, message, err);
    bus_reader_close(reader);
    return outcome;
}

enum outcome topic_messages_all(struct bus *bus, const char *topic, int timeout_ms,
                                topic_on_message on_message, void *owner, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(bus, topic, timeout_ms, &ranges, &count, err);
    if (outcome == OUT_OK)
        outcome =
            topic_messages_each(bus, topic, ranges, count, timeout_ms, on_message, owner, err);
    free(ranges);
    return outcome;
}
