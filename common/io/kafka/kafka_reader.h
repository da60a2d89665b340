#ifndef DROVER_IO_KAFKA_READER_H
#define DROVER_IO_KAFKA_READER_H

/*
 * Reads ranges of a topic's partitions once, outside any group, committing nothing: for the
 * verifier, status, and looking at single messages. Blocking; own thread or a command's main
 * thread.
 */

#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/message/envelope.h"

struct kafka_reader;

struct kafka_range {
    int32_t partition;
    int64_t from; /* first offset wanted */
    int64_t to;   /* first offset not wanted */
};

/* A message; views valid until the next call of next or close. */
struct kafka_read_message {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 unknown */
    struct envelope envelope;
};

/* Ranges with from >= to are skipped. Fails with DRV-K003 when the topic is missing. */
MUST_USE enum outcome kafka_reader_open(const struct settings *settings, const char *topic,
                                        const struct kafka_range *ranges, size_t count,
                                        int timeout_ms, struct kafka_reader **reader,
                                        struct error *err);
void kafka_reader_close(struct kafka_reader *reader);

/* OUT_OK with *message set, or with *message NULL at the end of all ranges (offset holes of
 * compaction or transactions count as read). OUT_RETRY when nothing came for timeout_ms (call again
 * or give up); OUT_FATAL DRV-K005 when wanted offsets are gone. */
MUST_USE enum outcome kafka_reader_next(struct kafka_reader *reader, int timeout_ms,
                                        const struct kafka_read_message **message,
                                        struct error *err);

/* [low, high) of every partition of the topic; *ranges malloc'ed, *count 0 when the topic does not
 * exist. */
MUST_USE enum outcome kafka_topic_ranges(const struct settings *settings, const char *topic,
                                         int timeout_ms, struct kafka_range **ranges, size_t *count,
                                         struct error *err);

#endif
