#ifndef DROVER_IO_REDIS_STAGE_H
#define DROVER_IO_REDIS_STAGE_H

/*
 * Storage hybrid: what PostgreSQL has committed goes to Redis, in the order of the commits, while
 * PostgreSQL goes on. What is on its way is kept as the very words of the calls, up to
 * redis.lag_records and redis.lag_bytes; then partitions wait. A partition's redis_next follows the
 * acknowledgements, so a crash costs a redelivery at the offsets between, never a record.
 *
 * A sentinel key says that this Redis has been filled for this migration. It is asked for every
 * three seconds and after each connect; when it is missing (a new Redis, FLUSHALL) or of another
 * run of the server (a restart may have cost the last writes, a failover too) `drover rebuild
 * redis` is started, which sets it at its end.
 */

#include <uv.h>

#include "common/io/settings.h"
#include "common/policy/apply/batch.h"

struct redis_stage;

struct redis_stage_events {
    /* All that was taken of the partition below `next`, as it was claimed with `epoch`, is in
     * Redis. */
    void (*on_advanced)(void *owner, int32_t partition, int64_t epoch, int64_t next);
    /* So many keys hold somebody else's: they were left alone. */
    void (*on_unowned)(void *owner, uint64_t keys);
    /* OUT_FATAL: nothing more will come of it. */
    void (*on_failed)(void *owner, const struct error *err);
};

/* `program` is what `rebuild redis` is started of. Settings and texts must outlive it. OUT_FATAL
 * when the url cannot be used. */
MUST_USE enum outcome redis_stage_new(uv_loop_t *loop, const struct settings *settings,
                                      const char *program, const struct redis_stage_events *events,
                                      void *owner, struct redis_stage **stage, struct error *err);
/* What has not been sent is forgotten; on_closed on a later turn, nothing after it. */
void redis_stage_close(struct redis_stage *stage, void (*on_closed)(void *owner));

/* Takes what was applied by a batch just committed (or seen again by a redelivery); nothing when
 * the batch ends at or below `from`, up to where its partition is in Redis. */
void redis_stage_take(struct redis_stage *stage, const struct batch *batch, int64_t from);
/* The same for a record that has no batch (any more); `json` is its canonical form. Gives a mark
 * for redis_stage_has_sent. */
uint64_t redis_stage_take_row(struct redis_stage *stage, const struct mapping *mapping,
                              const struct row *row, struct bytes json);
bool redis_stage_has_sent(const struct redis_stage *stage, uint64_t mark);
/* Sends, asks for the sentinel, tries again: called some times a second. */
void redis_stage_tick(struct redis_stage *stage, uint64_t now_ms);
bool redis_stage_is_full(const struct redis_stage *stage);
/* Half of the limits: go on. */
bool redis_stage_has_room(const struct redis_stage *stage);
/* Something is on its way and Redis is there to take it. */
bool redis_stage_is_busy(const struct redis_stage *stage);
/* Everything is in Redis, and the sentinel was there when last looked for. */
bool redis_stage_is_settled(const struct redis_stage *stage);
/* Why Redis is away; NULL: it is not. */
const struct error *redis_stage_trouble(const struct redis_stage *stage);
uint64_t redis_stage_records(const struct redis_stage *stage);

#endif
