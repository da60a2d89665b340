#ifndef DROVER_PORT_BUS_H
#define DROVER_PORT_BUS_H

/*
 * Topics as the roles see them. Kafka is behind it in earnest (common/io/kafka/kafka_bus.h), memory
 * in a rehearsal, in a run in memory and in tests (bus_memory.h).
 *
 *   sender    sends, and reports each message once (bus_sender.h)
 *   reader    reads ranges of a topic once, outside any group; blocking
 *   consumer  a member of a group: partitions come and go, messages are handed over and held
 *   questions how many partitions, where they begin and end, how large a message may be
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/message/message.h"
#include "common/port/bus_sender.h"

struct bus;

/* ---- reading ranges ---------------------------------------------------------------------- */

struct bus_range {
    int32_t partition;
    int64_t from; /* first offset wanted */
    int64_t to;   /* first offset not wanted */
};

/* A message; views valid until the next call of next or close. */
struct bus_message {
    const void *held; /* the reader's: for bus_view_whole */
    int32_t partition;
    int64_t offset, timestamp_ms; /* -1 unknown */
    struct envelope envelope;
};

struct bus_reader;

struct bus_reader_ops {
    enum outcome (*next)(struct bus_reader *reader, int timeout_ms,
                         const struct bus_message **message, struct error *err);
    void (*close)(struct bus_reader *reader);
};

struct bus_reader {
    const struct bus_reader_ops *ops;
};

/* OUT_OK with *message set, or with *message NULL at the end of all ranges (offset holes of
 * compaction or transactions count as read). OUT_RETRY when nothing came for timeout_ms (call again
 * or give up); OUT_FATAL DRV-K005 when wanted offsets are gone. */
MUST_USE static inline enum outcome bus_reader_next(struct bus_reader *reader, int timeout_ms,
                                                    const struct bus_message **message,
                                                    struct error *err)
{
    return reader->ops->next(reader, timeout_ms, message, err);
}

/* NULL is allowed. */
static inline void bus_reader_close(struct bus_reader *reader)
{
    if (reader)
        reader->ops->close(reader);
}

/* ---- a member of a group ----------------------------------------------------------------- */

/* A message handed over by a consumer: the callee owns `held` until bus_release. */
struct bus_arrival {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 unknown */
    size_t size;          /* of key and value */
    void *held;
};

struct bus_consumer_events {
    /* Partitions are ours: answer with bus_consumer_start, once, when the offsets are known. */
    void (*on_assigned)(void *owner, const int32_t *partitions, size_t count);
    /* They are to be given up: answer with bus_consumer_give_up when work in flight has ended. */
    void (*on_revoked)(void *owner);
    void (*on_message)(void *owner, const struct bus_arrival *arrival);
    /* Everything the partition holds by now was handed over. Also where the last offsets are no
     * messages (transaction markers, what compaction removed). Said again after each message more.
     */
    void (*on_end)(void *owner, int32_t partition);
    /* OUT_RETRY: brokers are away, the client goes on by itself. OUT_FATAL: it cannot (offsets
     * gone: DRV-K005; not authorised). partition -1: not of one partition. */
    void (*on_error)(void *owner, int32_t partition, const struct error *err);
};

struct bus_consumer;

/* Events never come from inside a call. */
struct bus_consumer_ops {
    enum outcome (*start)(struct bus_consumer *consumer, const int32_t *partitions,
                          const int64_t *offsets, size_t count, struct error *err);
    void (*give_up)(struct bus_consumer *consumer);
    void (*pause)(struct bus_consumer *consumer, const int32_t *partitions, size_t count);
    void (*resume)(struct bus_consumer *consumer, const int32_t *partitions, size_t count);
    void (*hold)(struct bus_consumer *consumer, bool held);
    void (*commit)(struct bus_consumer *consumer, const int32_t *partitions, const int64_t *offsets,
                   size_t count);
    enum outcome (*committed)(struct bus_consumer *consumer, const int32_t *partitions,
                              int64_t *offsets, size_t count, struct error *err);
    int64_t (*end)(struct bus_consumer *consumer, int32_t partition);
    int64_t (*begin)(struct bus_consumer *consumer, int32_t partition);
    void (*close)(struct bus_consumer *consumer, uint32_t wait_ms, void (*on_closed)(void *owner));
};

struct bus_consumer {
    const struct bus_consumer_ops *ops;
};

/* Begins reading: `offsets[i]` of `partitions[i]`. Again with other offsets: reads all of them anew
 * from there (a partition whose messages were gone cannot be moved in another way). A pause is kept
 * over it (FAULTS K23: librdkafka does so): resume what is to be read. */
MUST_USE static inline enum outcome bus_consumer_start(struct bus_consumer *consumer,
                                                       const int32_t *partitions,
                                                       const int64_t *offsets, size_t count,
                                                       struct error *err)
{
    return consumer->ops->start(consumer, partitions, offsets, count, err);
}

/* Answers on_revoked. */
static inline void bus_consumer_give_up(struct bus_consumer *consumer)
{
    consumer->ops->give_up(consumer);
}

/* Stop and go on fetching some partitions; messages already handed over are not affected. */
static inline void bus_consumer_pause(struct bus_consumer *consumer, const int32_t *partitions,
                                      size_t count)
{
    consumer->ops->pause(consumer, partitions, count);
}

static inline void bus_consumer_resume(struct bus_consumer *consumer, const int32_t *partitions,
                                       size_t count)
{
    consumer->ops->resume(consumer, partitions, count);
}

/* Held, it tells nothing: messages wait where they are, and so do assignments, revocations and
 * errors, so hold for a moment only. Unlike a pause this costs nothing: librdkafka throws away what
 * it has fetched of a paused partition and fetches it again. Closing ends it. */
static inline void bus_consumer_hold(struct bus_consumer *consumer, bool held)
{
    consumer->ops->hold(consumer, held);
}

/* Tells the bus how far we are, for lag tools; failures do not matter (the store decides). */
static inline void bus_consumer_commit(struct bus_consumer *consumer, const int32_t *partitions,
                                       const int64_t *offsets, size_t count)
{
    consumer->ops->commit(consumer, partitions, offsets, count);
}

/* How far the bus was told that the group is, -1: nobody said. For who keeps that nowhere else. It
 * is asked, and that may block for 5 s: OUT_RETRY when nobody answers. */
MUST_USE static inline enum outcome bus_consumer_committed(struct bus_consumer *consumer,
                                                           const int32_t *partitions,
                                                           int64_t *offsets, size_t count,
                                                           struct error *err)
{
    return consumer->ops->committed(consumer, partitions, offsets, count, err);
}

/* End of a partition as last heard, -1 when not known. */
static inline int64_t bus_consumer_end(struct bus_consumer *consumer, int32_t partition)
{
    return consumer->ops->end(consumer, partition);
}

/* Where a partition begins now; it is asked, and that may block for 2 s: for who was told that
 * messages are gone. -1: nobody said. */
static inline int64_t bus_consumer_begin(struct bus_consumer *consumer, int32_t partition)
{
    return consumer->ops->begin(consumer, partition);
}

/* Leaves the group (on_revoked may come once more and is to be answered), then on_closed. Gives up
 * waiting for the broker after wait_ms. What is held must have been released. */
static inline void bus_consumer_close(struct bus_consumer *consumer, uint32_t wait_ms,
                                      void (*on_closed)(void *owner))
{
    consumer->ops->close(consumer, wait_ms, on_closed);
}

/* ---- a bus ------------------------------------------------------------------------------- */

/* `ends` by partition, valid during the call; NULL: nobody told. */
typedef void (*bus_ends_told)(void *owner, const int64_t *ends);

struct bus_ops {
    enum outcome (*open_sender)(struct bus *bus, const char *topic, int32_t pinned_partitions,
                                int timeout_ms, bus_delivered on_delivered, void *owner,
                                struct bus_sender **sender, struct error *err);
    enum outcome (*open_reader)(struct bus *bus, const char *topic, const struct bus_range *ranges,
                                size_t count, int timeout_ms, struct bus_reader **reader,
                                struct error *err);
    enum outcome (*open_consumer)(struct bus *bus, const char *topic, const char *group,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **consumer, struct error *err);
    enum outcome (*open_assigned)(struct bus *bus, const char *topic, const char *group,
                                  const int32_t *partitions, size_t count,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **consumer, struct error *err);
    void (*view)(const void *held, struct envelope *envelope);
    void (*view_whole)(const void *held, struct header **headers, struct message_view *message);
    void (*release)(void *held);
    enum outcome (*ranges)(struct bus *bus, const char *topic, size_t known, int timeout_ms,
                           struct bus_range **ranges, size_t *count, struct error *err);
    enum outcome (*partition_count)(struct bus *bus, const char *topic, int timeout_ms,
                                    int32_t *count, struct error *err);
    int64_t (*message_limit)(struct bus *bus, const char *topic, int timeout_ms);
    bool (*ends)(struct bus *bus, const char *topic, int64_t *ends, int32_t count, int timeout_ms);
    void (*ask_ends)(struct bus *bus, const char *topic, int32_t count, int timeout_ms,
                     bus_ends_told told, void *owner);
    bool (*offsets_at)(struct bus *bus, const char *topic, int64_t at_ms, int64_t *offsets,
                       int32_t count, int timeout_ms);
    void (*poll)(struct bus *bus);
};

struct bus {
    const struct bus_ops *ops;
};

/* Checks that the topic exists (DRV-K003) with the pinned number of partitions (0: any; DRV-K004);
 * waits at most timeout_ms for the bus (DRV-K001). */
MUST_USE static inline enum outcome bus_open_sender(struct bus *bus, const char *topic,
                                                    int32_t pinned_partitions, int timeout_ms,
                                                    bus_delivered on_delivered, void *owner,
                                                    struct bus_sender **sender, struct error *err)
{
    return bus->ops->open_sender(bus, topic, pinned_partitions, timeout_ms, on_delivered, owner,
                                 sender, err);
}

/* Ranges with from >= to are skipped. Fails with DRV-K003 when the topic is missing. */
MUST_USE static inline enum outcome bus_open_reader(struct bus *bus, const char *topic,
                                                    const struct bus_range *ranges, size_t count,
                                                    int timeout_ms, struct bus_reader **reader,
                                                    struct error *err)
{
    return bus->ops->open_reader(bus, topic, ranges, count, timeout_ms, reader, err);
}

/* Joins the group with one topic. */
MUST_USE static inline enum outcome bus_open_consumer(struct bus *bus, const char *topic,
                                                      const char *group,
                                                      const struct bus_consumer_events *events,
                                                      void *owner, struct bus_consumer **consumer,
                                                      struct error *err)
{
    return bus->ops->open_consumer(bus, topic, group, events, owner, consumer, err);
}

/* Those partitions (on_assigned comes once, with all of them), in no group: none is taken away, and
 * the bus is not told how far they are. `group` is what the client is called. */
MUST_USE static inline enum outcome
bus_open_assigned(struct bus *bus, const char *topic, const char *group, const int32_t *partitions,
                  size_t count, const struct bus_consumer_events *events, void *owner,
                  struct bus_consumer **consumer, struct error *err)
{
    return bus->ops->open_assigned(bus, topic, group, partitions, count, events, owner, consumer,
                                   err);
}

/* What a held message says: views into it, of at most ENVELOPE_HEADERS_MAX headers, ours first. */
static inline void bus_view(const struct bus *bus, const void *held, struct envelope *envelope)
{
    bus->ops->view(held, envelope);
}

/* The same with all its headers, whose list (malloc'ed) is *headers. */
static inline void bus_view_whole(const struct bus *bus, const void *held, struct header **headers,
                                  struct message_view *message)
{
    bus->ops->view_whole(held, headers, message);
}

static inline void bus_release(const struct bus *bus, void *held)
{
    bus->ops->release(held);
}

/* [low, high) of every partition of the topic; *ranges malloc'ed, *count 0 when the topic does not
 * exist. OUT_RETRY DRV-K001 when nobody answers in time. */
MUST_USE static inline enum outcome bus_ranges(struct bus *bus, const char *topic, int timeout_ms,
                                               struct bus_range **ranges, size_t *count,
                                               struct error *err)
{
    return bus->ops->ranges(bus, topic, 0, timeout_ms, ranges, count, err);
}

/* The same of the partitions 0 to count - 1, which are known: they alone are asked for. */
MUST_USE static inline enum outcome bus_ranges_known(struct bus *bus, const char *topic,
                                                     size_t count, int timeout_ms,
                                                     struct bus_range **ranges, struct error *err)
{
    return bus->ops->ranges(bus, topic, count, timeout_ms, ranges, &count, err);
}

/* 0 when the topic does not exist (it is never created). */
MUST_USE static inline enum outcome bus_partition_count(struct bus *bus, const char *topic,
                                                        int timeout_ms, int32_t *count,
                                                        struct error *err)
{
    return bus->ops->partition_count(bus, topic, timeout_ms, count, err);
}

/* Bytes a message of the topic may have; -1 when nobody says it within timeout_ms. */
static inline int64_t bus_message_limit(struct bus *bus, const char *topic, int timeout_ms)
{
    return bus->ops->message_limit(bus, topic, timeout_ms);
}

/* Where the partitions 0 to count - 1 end; false when not all were told. Blocks; any thread, once
 * bus_partition_count was asked. */
static inline bool bus_ends(struct bus *bus, const char *topic, int64_t *ends, int32_t count,
                            int timeout_ms)
{
    return bus->ops->ends(bus, topic, ends, count, timeout_ms);
}

/* The same without blocking: `told` comes once, later, from the loop. Texts must live so long. */
static inline void bus_ask_ends(struct bus *bus, const char *topic, int32_t count, int timeout_ms,
                                bus_ends_told told, void *owner)
{
    bus->ops->ask_ends(bus, topic, count, timeout_ms, told, owner);
}

/* The first message of each of the partitions 0 to count - 1 that is not older than at_ms (Unix
 * time); where there is none, the end. False when not all were told. Blocks. */
static inline bool bus_offsets_at(struct bus *bus, const char *topic, int64_t at_ms,
                                  int64_t *offsets, int32_t count, int timeout_ms)
{
    return bus->ops->offsets_at(bus, topic, at_ms, offsets, count, timeout_ms);
}

/* Lets the bus say what it has to say (its log); now and then. */
static inline void bus_poll(struct bus *bus)
{
    bus->ops->poll(bus);
}

#endif
