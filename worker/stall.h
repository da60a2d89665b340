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

#include <stdbool.h>
#include <stdint.h>

struct stalls;
struct worker;

/* After the worker knows how many partitions there are. */
/* `claim` claims a partition anew; false when it is not the time for it. */
struct stalls *stalls_new(struct worker *worker,
                          bool (*claim)(struct worker *worker, int32_t partition));
/* A partition was assigned. */
void stalls_begin(struct stalls *stalls, int32_t partition);
void stalls_tick(struct stalls *stalls, uint64_t now_ms);
/* A question on its way is waited for. */
void stalls_close(struct stalls *stalls, void (*on_closed)(void *owner));

/* Without closing: of a worker that is given up. A question on its way is never answered then. NULL
 * is allowed. */
void stalls_free(struct stalls *stalls);

#endif
