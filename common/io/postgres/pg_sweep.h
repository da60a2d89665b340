#ifndef DROVER_IO_PG_SWEEP_H
#define DROVER_IO_PG_SWEEP_H

/*
 * Pending children: children that came before their parents. A record that a foreign key refuses is
 * kept in drover.waiting, in the transaction of its batch (verdict CLASS_WAITING). A sweep tries
 * the pending ones again, as long as one gets in (parents wait too). Time that passes is no fault
 * of a record: it is an orphan only when everything produced before it became pending and `wait_ms`
 * after it has been written, by all workers of the group, and that time counts only while sweeps
 * succeed. Orphans are never tried again. Both stay pending, marked, until the caller has done its
 * part (Redis for those that got in, dead letters DRV-P111 for the orphans, a receipt for both) and
 * forgets them; after a crash in between the next sweep tells the same ones again, in the same
 * round.
 *
 * The functions block, on a connection of their own: for uv_queue_work, one at a time a worker. Of
 * all the group's workers one sweeps at a time (an advisory lock), until it has forgotten or freed
 * what it told; the others get an empty result.
 * The sweep is also the housekeeper of hard deletes: it removes tombstones past their life.
 *
 *   thread: pg_sweep_run ─► loop: dead letters of orphans acknowledged, Redis told of applied ones
 *   ─► thread: pg_sweep_forget ─► at once again when `more`
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_cancel.h"
#include "common/port/pending.h"

/* Texts and mappings must outlive the call. */
struct pg_sweep_config {
    const char *url, *role; /* as pg_session_open's */
    const char *group, *topic;
    const struct mapping_set *mappings;
    uint64_t wait_ms;   /* work.parent_wait */
    bool is_last;       /* nothing more is produced: no wait beyond what is in the topic */
    int32_t partitions; /* of the topic */
    /* Where the topic's partitions end now, asked when a wait is over; blocks. False: not known, so
     * nobody is an orphan yet. */
    bool (*ends)(void *owner, int64_t *ends, int32_t count);
    void *owner;
    uint64_t tombstone_life_ms; /* work.tombstone_life */
    const atomic_bool *stop;    /* true: end the sweep soon; may be NULL */
    struct pg_cancel *cancel;   /* ends it in the middle of a query; may be NULL */
};

/* *result is filled in every case; free it with pg_sweep_result_free. OUT_RETRY: PostgreSQL is
 * away or busy; OUT_FATAL: schema or rights. */
MUST_USE enum outcome pg_sweep_run(const struct pg_sweep_config *config,
                                   struct pending_result *result, struct error *err);
/* Removes what `result` told from the pending children. *removed: how many were still there. */
MUST_USE enum outcome pg_sweep_forget(const struct pg_sweep_config *config,
                                      const struct pending_result *result, uint64_t *removed,
                                      struct error *err);
void pg_sweep_result_free(struct pending_result *result);

#endif
