#ifndef DROVER_CONTROL_DEAD_LETTER_REGISTER_H
#define DROVER_CONTROL_DEAD_LETTER_REGISTER_H

/*
 * The dead letters of a migration and what has become of each, read from its topics: what is new
 * since the cache was written, then judged by the index. The same for everybody who asks, whatever
 * they have in their cache.
 *
 *   checkpoint ─► dlq topic ─► (another topic) ─► control topic ─► source topic, where one is open
 *
 * In this order: what lies below a checkpoint has its dead letters in the topic by then.
 */

#include "common/io/stores.h"
#include "common/port/bus.h"
#include "control/dlq/dead_letter_cache.h"

struct register_partition {
    int64_t low, high;   /* of the source topic */
    int64_t next_offset; /* committed in the store up to here */
    char owner[96];      /* empty: nobody's now */
};

struct dead_letter_register {
    const struct settings *settings;
    int timeout_ms;
    struct bus *bus;
    bool is_beside; /* the bus is somebody else's, who reads the checkpoint as well */
    struct store_status store;
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    const char *other; /* a topic of somebody else's dead letters; NULL: none is asked for */
    int32_t partition_count;
    struct register_partition *partitions;
    struct dead_letter_cache cache;
    struct dead_letter_index index;
    uint8_t *kept_states; /* by number, as the cache has them */
    size_t kept_count, kept_room;
    bool read_anew; /* the cache did not fit the topics */
    bool to_end;    /* the source topic is read behind the checkpoint as well */
    struct buf text;
};

/* Connects to Kafka; the store follows at the first reading. `other` may be NULL. */
MUST_USE enum outcome dead_letter_register_open(const struct settings *settings, int timeout_ms,
                                                const char *other,
                                                struct dead_letter_register *dead_letters,
                                                struct error *err);
/* Of somebody who has connected: `bus` stays his, and must outlive the register. Before each
 * reading he has read checkpoint and ends, in this order, into `partitions` of the register. */
MUST_USE enum outcome dead_letter_register_open_beside(const struct settings *settings,
                                                       int timeout_ms, struct bus *bus,
                                                       int32_t partition_count,
                                                       struct dead_letter_register *dead_letters,
                                                       struct error *err);
void dead_letter_register_close(struct dead_letter_register *dead_letters);
/* Reads what is new, and judges. `to_end`: also what is on its way behind the checkpoint (`sent` of
 * the index's items). OUT_RETRY: a server is away. */
MUST_USE enum outcome dead_letter_register_read(struct dead_letter_register *dead_letters,
                                                bool to_end, struct error *err);
/* Only the checkpoint and the ends of the source topic. */
MUST_USE enum outcome
dead_letter_register_read_checkpoint(struct dead_letter_register *dead_letters, struct error *err);
/* The topic that a row's dead letter lies in. */
const char *dead_letter_register_topic(const struct dead_letter_register *dead_letters,
                                       int at_topic);

#endif
