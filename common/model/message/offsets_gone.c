#include "common/model/message/offsets_gone.h"

#include <inttypes.h>

enum outcome offsets_gone(struct error *err, int64_t from, int64_t to, const char *were)
{
    if (to - from == 1)
        return error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                         "offset %" PRId64 " is gone from the topic, and was %s", from, were);
    return error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                     "offsets %" PRId64 " to %" PRId64 " are gone from the topic, and were %s",
                     from, to - 1, were);
}
