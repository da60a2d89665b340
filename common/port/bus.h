#ifndef DROVER_PORT_BUS_H
#define DROVER_PORT_BUS_H

/*
 * Topics as the roles see them: sending with a report for each message, and reading ranges once.
 * Kafka is behind it in earnest (common/io/kafka/kafka_sender.h, kafka_reader.h), memory in a
 * rehearsal (bus_memory.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/message/envelope.h"

/* outcome: OUT_OK stored for good (`offset` is its place); OUT_REJECT this message can never be
 * stored (too large); OUT_FATAL the bus is dead. Called from poll and flush only. */
typedef void (*bus_delivered)(void *owner, void *item, enum outcome outcome, int32_t partition,
                              int64_t offset, const struct error *err);

struct bus_sender;

struct bus_sender_ops {
    int32_t (*partitions)(const struct bus_sender *sender);
    /* OUT_OK queued; OUT_RETRY full: poll and call again; OUT_REJECT too large; OUT_FATAL.
     * partition -1 = by murmur2 of the key. The caller may free the envelope at once. */
    enum outcome (*send)(struct bus_sender *sender, int32_t partition,
                         const struct envelope *envelope, void *item, struct error *err);
    int (*poll)(struct bus_sender *sender, int wait_ms);
    bool (*flush)(struct bus_sender *sender, int timeout_ms);
    uint64_t (*pending)(const struct bus_sender *sender);
    void (*close)(struct bus_sender *sender);
};

struct bus_sender {
    const struct bus_sender_ops *ops;
};

/* Where topics are. */
struct bus {
    /* Checks that the topic exists (DRV-K003) with the pinned number of partitions (0: any;
     * DRV-K004); waits at most timeout_ms for the bus (DRV-K001). */
    enum outcome (*open_sender)(struct bus *bus, const char *topic, int32_t pinned_partitions,
                                int timeout_ms, bus_delivered on_delivered, void *owner,
                                struct bus_sender **sender, struct error *err);
};

static inline int32_t bus_sender_partitions(const struct bus_sender *sender)
{
    return sender->ops->partitions(sender);
}

static inline enum outcome bus_sender_send(struct bus_sender *sender, int32_t partition,
                                           const struct envelope *envelope, void *item,
                                           struct error *err)
{
    return sender->ops->send(sender, partition, envelope, item, err);
}

static inline int bus_sender_poll(struct bus_sender *sender, int wait_ms)
{
    return sender->ops->poll(sender, wait_ms);
}

static inline bool bus_sender_flush(struct bus_sender *sender, int timeout_ms)
{
    return sender->ops->flush(sender, timeout_ms);
}

static inline uint64_t bus_sender_pending(const struct bus_sender *sender)
{
    return sender->ops->pending(sender);
}

/* NULL is allowed. Undelivered items get no callback after this. */
static inline void bus_sender_close(struct bus_sender *sender)
{
    if (sender)
        sender->ops->close(sender);
}

struct bus_range {
    int32_t partition;
    int64_t from; /* first offset wanted */
    int64_t to;   /* first offset not wanted */
};

/* A message; views valid until the next call of next or close. */
struct bus_message {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 unknown */
    struct envelope envelope;
};

#endif
