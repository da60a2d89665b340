/* Since when the oldest message waits that is not committed: one message a partition that lags. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "control/status/status.h"
#include "control/topic_messages.h"

#define ASKED_MAX 1024 /* partitions */

/* The next one of each, as far as it is a message. */
static size_t next_of_each(const struct status *status, struct bus_range *ranges)
{
    size_t count = 0;
    for (int32_t i = 0; i < status->partition_count && count < ASKED_MAX; i++) {
        const struct status_partition *at = &status->partitions[i];
        if (at->lag > 0)
            ranges[count++] = (struct bus_range){i, at->high - at->lag, at->high - at->lag + 1};
    }
    return count;
}

static enum outcome take_time(void *owner, const struct bus_message *message, struct error *err)
{
    struct status *status = owner;
    int64_t at_ms = message->timestamp_ms;
    (void)err;
    if (at_ms >= 0 && (status->oldest_ms < 0 || at_ms < status->oldest_ms))
        status->oldest_ms = at_ms;
    return OUT_OK;
}

enum outcome status_read_oldest(struct status *status, struct error *err)
{
    struct bus_range *ranges = mem_zeroed((size_t)status->partition_count, sizeof *ranges);
    size_t count = next_of_each(status, ranges);
    enum outcome outcome = OUT_OK;
    status->oldest_ms = -1;
    if (count)
        outcome = topic_messages_each(status->bus, status->topics[TOPIC_SOURCE], ranges, count,
                                      status->timeout_ms, take_time, status, err);
    free(ranges);
    return outcome;
}
