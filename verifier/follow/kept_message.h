#ifndef DROVER_VERIFIER_FOLLOW_KEPT_MESSAGE_H
#define DROVER_VERIFIER_FOLLOW_KEPT_MESSAGE_H

/* A message of the source that outlives its reader: one block of memory. */

#include "common/port/bus.h"

struct kept_message {
    size_t bytes; /* of all of it */
    int32_t partition;
    int64_t offset, timestamp_ms;
    int64_t log_version;               /* the caller's: what it is given when it brings none */
    int64_t committed_ms, in_redis_ms; /* the caller's, Unix times; -1: not known */
    struct bytes key, value;
    bool null_value;
    size_t header_count;
    struct header headers[];
};

/* Freed with free. */
struct kept_message *kept_message_make(const struct bus_message *message);
/* What it was made of; views into it. */
void kept_message_view(const struct kept_message *kept, struct bus_message *message);

#endif
