#ifndef DROVER_PORT_BUS_MEMORY_H
#define DROVER_PORT_BUS_MEMORY_H

/*
 * Topics in memory: the bus of a rehearsal and of tests, one thread, no server. What is sent is
 * copied and reported by the next poll, as Kafka's client does it. Bounded by bytes: when it is
 * full, senders wait (OUT_RETRY) for a reader to release what it has read, or are told DRV-F003
 * when nobody reads.
 *
 *   sender ─ send ─► [topic: partitions of messages] ─ reader ─ next ─► release
 *               poll ─► reports, then on_poll: where a reader in the same thread takes its turn
 */

#include <stddef.h>

#include "common/port/bus.h"

struct bus_memory;
struct bus_memory_reader;

/* A message larger than `bytes_most` is still taken when nothing else is there. */
struct bus_memory *bus_memory_new(size_t bytes_most);
/* Senders and readers are closed before. */
void bus_memory_free(struct bus_memory *bus);
void bus_memory_make_topic(struct bus_memory *bus, const char *topic, int32_t partitions);
/* Called at the end of each poll and flush of a sender; not from inside itself. */
void bus_memory_on_poll(struct bus_memory *bus, void (*on_poll)(void *owner), void *owner);
struct bus *bus_memory_bus(struct bus_memory *bus);

/* The topic must be there. A range's `to` may be INT64_MAX: all that is there when next is called.
 */
struct bus_memory_reader *bus_memory_reader_new(struct bus_memory *bus, const char *topic,
                                                const struct bus_range *ranges, size_t count);
/* Partition after partition, in the order of offsets; false when there is no more by now. */
bool bus_memory_next(struct bus_memory_reader *reader, struct bus_message *message);
/* Frees what this reader has been given, the last message too. Nobody can read it again. */
void bus_memory_release(struct bus_memory_reader *reader);
void bus_memory_reader_free(struct bus_memory_reader *reader);

#endif
