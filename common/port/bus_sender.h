#ifndef DROVER_PORT_BUS_SENDER_H
#define DROVER_PORT_BUS_SENDER_H

/* Sending to a topic; opened by bus_open_sender (bus.h). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/message/message.h"

/* outcome: OUT_OK stored for good (`offset` is its place); OUT_REJECT this message can never be
 * stored (too large); OUT_FATAL the bus is dead. Called from poll and flush only. */
typedef void (*bus_delivered)(void *owner, void *item, enum outcome outcome, int32_t partition,
                              int64_t offset, const struct error *err);

struct bus_sender;

struct bus_sender_ops {
    int32_t (*partitions)(const struct bus_sender *sender);
    size_t (*message_max)(const struct bus_sender *sender);
    enum outcome (*send)(struct bus_sender *sender, int32_t partition,
                         const struct message_view *message, void *item, struct error *err);
    int (*poll)(struct bus_sender *sender, int wait_ms);
    int (*fd)(struct bus_sender *sender);
    bool (*flush)(struct bus_sender *sender, int timeout_ms);
    uint64_t (*pending)(const struct bus_sender *sender);
    void (*close)(struct bus_sender *sender);
    enum outcome (*begin_bulk)(struct bus_sender *sender, int timeout_ms, struct error *err);
};

struct bus_sender {
    const struct bus_sender_ops *ops;
};

static inline int32_t bus_sender_partitions(const struct bus_sender *sender)
{
    return sender->ops->partitions(sender);
}

/* Bytes of the largest message (message_size) that topic and client take, as far as is known. */
static inline size_t bus_sender_message_max(const struct bus_sender *sender)
{
    return sender->ops->message_max(sender);
}

/* Before the first message, by who has many at hand: each may wait for others, as large batches
 * cost the bus less; flush ends the wait. Failures as of bus_open_sender. */
MUST_USE static inline enum outcome bus_sender_begin_bulk(struct bus_sender *sender, int timeout_ms,
                                                          struct error *err)
{
    return sender->ops->begin_bulk ? sender->ops->begin_bulk(sender, timeout_ms, err) : OUT_OK;
}

/* OUT_OK queued; OUT_RETRY full: poll and call again; OUT_REJECT larger than message_max;
 * OUT_FATAL. partition -1 = by murmur2 of the key. The caller may free the message at once. */
static inline enum outcome bus_sender_send_message(struct bus_sender *sender, int32_t partition,
                                                   const struct message_view *message, void *item,
                                                   struct error *err)
{
    return sender->ops->send(sender, partition, message, item, err);
}

static inline enum outcome bus_sender_send(struct bus_sender *sender, int32_t partition,
                                           const struct envelope *envelope, void *item,
                                           struct error *err)
{
    struct message_view message = message_of(envelope);
    return sender->ops->send(sender, partition, &message, item, err);
}

/* Tells reports, waiting up to wait_ms for the first. Returns how many were told. */
static inline int bus_sender_poll(struct bus_sender *sender, int wait_ms)
{
    return sender->ops->poll(sender, wait_ms);
}

/* Becomes readable when poll has something to tell (8-byte counts, which the reader drains); -1:
 * there is none, poll at every turn. */
static inline int bus_sender_fd(struct bus_sender *sender)
{
    return sender->ops->fd(sender);
}

/* Waits for everything queued; false when timeout_ms passed first. */
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

#endif
