#ifndef DROVER_IO_KAFKA_CLIENT_H
#define DROVER_IO_KAFKA_CLIENT_H

/*
 * Clients of librdkafka from the settings: the values the design fixes (FAULTS 3.3), then the
 * user's kafka.conf / -X, where an unknown property is DRV-K008 with the nearest known name and
 * the few that would break exactness (enable.auto.commit, enable.auto.offset.store,
 * auto.offset.reset, partitioner, enable.idempotence, acks below all) are refused. librdkafka's own
 * log goes to log.h, with repeated connection errors said once.
 */

#include <librdkafka/rdkafka.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/port/bus.h"

/* What a message may have besides a record of max_record_bytes: key and headers. */
#define KAFKA_HEADERS_BYTES (64u * 1024)
/* For what librdkafka says into a buffer of ours: its own are of 512 bytes, and a text must be
 * whole until it is masked. */
#define KAFKA_TEXT_SIZE 1024

enum kafka_use {
    KAFKA_SEND, /* idempotent, acks=all, murmur2, message.timeout.ms=0, queue.buffering.max.kbytes
                   from settings->queue_bytes, lz4, linger 5 ms; delivery reports on */
    KAFKA_CONSUME, /* group member: range assignor, no auto commit/store, auto.offset.reset=error,
                      check.crcs, enable.partition.eof */
    KAFKA_READ,    /* no group: assigned partitions, fixed offsets; the same otherwise */
};

/* A configuration to add callbacks to; the caller destroys it unless rd_kafka_new took it. NULL
 * after filling err. */
rd_kafka_conf_t *kafka_conf_new(const struct settings *settings, enum kafka_use use,
                                struct error *err);
/* KAFKA_SEND whose messages wait for full batches: of a topic with that many partitions, which
 * takes batches of at most `batch_bytes`. */
rd_kafka_conf_t *kafka_conf_new_bulk(const struct settings *settings, int32_t partitions,
                                     size_t batch_bytes, struct error *err);
/* A question is answered within timeout_ms (2 s at least) or fails: librdkafka waits for a broker
 * that took it and is silent as long as socket.timeout.ms, whatever the call's own limit is. For
 * clients that only ask and read; before kafka_client_new. */
void kafka_conf_answer_within(rd_kafka_conf_t *conf, int timeout_ms);
/* Takes `conf`, also on failure. NULL after filling err. */
rd_kafka_t *kafka_client_new(enum kafka_use use, rd_kafka_conf_t *conf, struct error *err);
/* All three, for who only asks; `answer_ms` 0: as socket.timeout.ms. OUT_FATAL. */
MUST_USE enum outcome kafka_client_open(const struct settings *settings, int answer_ms,
                                        rd_kafka_t **client, struct error *err);

/* What a code means for us (table in FAULTS 3.3); sets err with the topic named in where. OUT_OK
 * for NO_ERROR. */
enum outcome kafka_classify(rd_kafka_resp_err_t code, const char *detail, const char *topic,
                            struct error *err);

/* Partitions of a topic, 0 when it does not exist (never creates it). OUT_RETRY DRV-K001 when no
 * broker answers in time. */
MUST_USE enum outcome kafka_partition_count(rd_kafka_t *client, const char *topic, int timeout_ms,
                                            int32_t *count, struct error *err);
/* Whether the event says that a partition is unknown which the broker has (asked; also when it does
 * not answer): librdkafka says so of any answer with fewer partitions than the one before, also of
 * a broker that is just starting. The partition stays wanted, and is taken up again with the next
 * answer. False for any other event. Blocks for 5 s at most. */
bool kafka_is_partition_there(rd_kafka_t *client, const char *topic,
                              const rd_kafka_message_t *event);
/* The topic's max.message.bytes; -1 when nobody says it within timeout_ms (a right is missing). */
int64_t kafka_topic_message_limit(rd_kafka_t *client, const char *topic, int timeout_ms);
/* Numbers among the topic's settings, by their names; -2: nobody says it within timeout_ms, or it
 * is none. */
void kafka_topic_numbers(rd_kafka_t *client, const char *topic, const char *const *names,
                         int64_t *values, size_t count, int timeout_ms);
MUST_USE enum outcome kafka_watermarks(rd_kafka_t *client, const char *topic, int32_t partition,
                                       int timeout_ms, int64_t *low, int64_t *high,
                                       struct error *err);
/* As bus_ranges and bus_ranges_known; all of it within about timeout_ms. */
MUST_USE enum outcome kafka_ranges(rd_kafka_t *client, const char *topic,
                                   size_t known /* 0: it is asked how many */, int timeout_ms,
                                   struct bus_range **ranges, size_t *count, struct error *err);
/* One partition's offset: `which` is RD_KAFKA_OFFSET_BEGINNING, _END, or a Unix time in ms (then -1
 * when no message is as new). False: nobody said it within timeout_ms. Blocks; says nothing. */
bool kafka_ask_offset(rd_kafka_t *client, const char *topic, int32_t partition, int64_t which,
                      int timeout_ms, int64_t *offset);
/* As bus_offsets_at. */
bool kafka_ask_offsets_at(rd_kafka_t *client, const char *topic, int64_t at_ms, int64_t *offsets,
                          int32_t count, int timeout_ms);
/* Where the partitions 0 to count - 1 end, all in one question; false when not all were told.
 * Blocks; any thread, as long as the client lives; says nothing. */
bool kafka_ask_ends(rd_kafka_t *client, const char *topic, int64_t *ends, int32_t count,
                    int timeout_ms);

#endif
