#ifndef DROVER_IO_KAFKA_SENDER_H
#define DROVER_IO_KAFKA_SENDER_H

/*
 * Sends messages to one topic and tells each one's fate exactly once. The sender copies what it is
 * given. Order per partition is kept (idempotent producer).
 */

#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/message/message.h"

struct kafka_sender;

/* outcome: OUT_OK stored by all in-sync replicas (`offset` is its place); OUT_REJECT this message
 * can never be stored (too large); OUT_FATAL the client is dead: make a new process. Called from
 * kafka_sender_poll only. */
typedef void (*kafka_delivered)(void *owner, void *item, enum outcome outcome, int32_t partition,
                                int64_t offset, const struct error *err);

/* Connects lazily; checks that the topic exists (DRV-K003) and, when settings->partitions is set
 * and the topic is the source topic, that the count is the pinned one (DRV-K004). Waits at most
 * timeout_ms for a broker (DRV-K001). */
MUST_USE enum outcome kafka_sender_open(const struct settings *settings, const char *topic,
                                        int32_t pinned_partitions /* 0: any */, int timeout_ms,
                                        kafka_delivered on_delivered, void *owner,
                                        struct kafka_sender **sender, struct error *err);
/* Drops what is not sent: call flush first. Undelivered items get no callback after this. */
void kafka_sender_close(struct kafka_sender *sender);

int32_t kafka_sender_partitions(const struct kafka_sender *sender);
/* Bytes of the largest message (message_size) that the topic (max.message.bytes, when the broker
 * tells it) and the client (message.max.bytes) take. */
size_t kafka_sender_message_most(const struct kafka_sender *sender);
/* OUT_OK queued; OUT_RETRY the local queue is full: poll and call again; OUT_REJECT larger than
 * kafka_sender_message_most; OUT_FATAL. partition -1 = by murmur2 of the key. The caller may free
 * the envelope at once. */
MUST_USE enum outcome kafka_sender_send(struct kafka_sender *sender, int32_t partition,
                                        const struct envelope *envelope, void *item,
                                        struct error *err);
/* The same with any number of headers. */
MUST_USE enum outcome kafka_sender_send_message(struct kafka_sender *sender, int32_t partition,
                                                const struct message_view *message, void *item,
                                                struct error *err);
/* Serves delivery reports, waiting up to wait_ms for the first. Returns how many were served. */
int kafka_sender_poll(struct kafka_sender *sender, int wait_ms);
/* A file descriptor that becomes readable when poll has something to do (eventfd of 8-byte counts;
 * the reader drains it). */
int kafka_sender_fd(struct kafka_sender *sender);
/* Waits for everything queued; false when timeout_ms passed first. */
bool kafka_sender_flush(struct kafka_sender *sender, int timeout_ms);
uint64_t kafka_sender_pending(const struct kafka_sender *sender);

#endif
