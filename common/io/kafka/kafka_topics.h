#ifndef DROVER_IO_KAFKA_TOPICS_H
#define DROVER_IO_KAFKA_TOPICS_H

/* What a migration's topics should be, are, and the making of the missing ones. Never alters,
 * never deletes. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/message/dead_letter.h"
#include "common/model/message/topic.h"

enum topic_state {
    TOPIC_MISSING,
    TOPIC_AS_PLANNED,
    TOPIC_DIFFERENT, /* another partition count */
};

struct topic_plan {
    char name[TOPIC_NAME_SIZE];
    enum topic_kind kind;
    int32_t partitions;  /* planned, the same for all but control and state, which have 1:
                            settings->partitions, else what the source topic has, else 12 */
    int32_t replication; /* -1 = the cluster's default */
    int64_t
        retention_ms;  /* -1 = unlimited (source until cutover, control), results 14 d, dlq 30 d */
    bool is_compacted; /* keeps the last message of a key instead: state */
    enum topic_state state;
    int32_t partitions_now;
    int64_t message_limit; /* the topic's max.message.bytes; -1 not known, or missing */
};

/* Asks the broker. OUT_RETRY DRV-K001 when it cannot be reached within timeout_ms. */
MUST_USE enum outcome kafka_topics_plan(const struct settings *settings, int timeout_ms,
                                        struct topic_plan plan[TOPIC_KINDS], struct error *err);
/* Creates those missing (max.message.bytes of source = settings->record_bytes + 64 KiB, of dlq
 * 16 KiB more: a dead letter is its message and what is said of it), waits until each has leaders,
 * updates the states. */
MUST_USE enum outcome kafka_topics_apply(const struct settings *settings, int timeout_ms,
                                         struct topic_plan plan[TOPIC_KINDS], struct error *err);

/* How long the broker keeps a topic's messages, and how many bytes a partition: -1 for ever, -2 not
 * known. */
struct topic_retention {
    int64_t ms, bytes;
};

/* By kind; blocks for at most timeout_ms a topic. */
void kafka_topics_retention(const struct settings *settings, int timeout_ms,
                            char topics[TOPIC_KINDS][TOPIC_NAME_SIZE],
                            struct topic_retention retention[TOPIC_KINDS]);

/* For who reads a migration whose source topic is not there: names those that are. Gives OUT_FATAL
 * DRV-K003. */
enum outcome kafka_topics_no_migration(const struct settings *settings, struct error *err);

/* Asks for the cluster's brokers: how many there are. OUT_FATAL DRV-K008 for settings the client
 * does not take, else what their silence or refusal means. */
MUST_USE enum outcome kafka_topics_count_brokers(const struct settings *settings, int timeout_ms,
                                                 int *count, struct error *err);
/* Of librdkafka. */
const char *kafka_topics_library(void);

#endif
