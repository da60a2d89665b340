#ifndef DROVER_WORKER_STALL_H
#define DROVER_WORKER_STALL_H

/*
 * A worker that owns a partition reads it, or says why not. Each held partition has a watchdog
 * (common/policy/watchdog.h): when it has messages to read, waits for nothing that was said, and
 * has not moved for work.stall_after, one log line tells where it stands (partition.stalled) and it
 * is claimed again, which assigns and resumes it anew. A partition that was fenced although the
 * group still gives it to us is claimed again by the same way.
 *
 * Where a log ends is known from what was fetched; of a partition from which nothing comes it is
 * asked.
 */

#include "worker/membership.h"

struct stalls;

/* After the worker knows how many partitions there are. `membership` claims one anew. */
struct stalls *stalls_new(struct membership *membership);
/* NULL is allowed. A question on its way must have been answered, or never will be. */
void stalls_free(struct stalls *stalls);
/* These were assigned. */
void stalls_begin(struct stalls *stalls, const int32_t *partitions, size_t count);
void stalls_tick(struct stalls *stalls, uint64_t now_ms);
/* A question on its way is waited for. */
void stalls_close(struct stalls *stalls, void (*on_closed)(void *owner), void *owner);

#endif
