#ifndef DROVER_PORT_BUS_H
#define DROVER_PORT_BUS_H

/*
 * Topics as the roles see them: sending with a report for each message, and reading ranges once.
 * Kafka is behind it in earnest (common/io/kafka_sender.h, kafka_reader.h), memory in a rehearsal
 * (bus_memory.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/envelope.h"

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
