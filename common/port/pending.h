#ifndef DROVER_PORT_PENDING_H
#define DROVER_PORT_PENDING_H

/*
 * Pending children: records that came before those they refer to. The sink keeps them as pending in
 * the transaction of their batch (CLASS_WAITING); here they are tried again and, when their parents
 * never come, given up. A round:
 *
 *   sweep ─► on_swept: result tells what got in and who is an orphan ─► the owner tells Redis, the
 *   dead letters and the results topic; all acknowledged ─► forget ─► on_forgotten ─► end_round
 *
 * What was told stays pending, marked, until it is forgotten: after a crash in between the next
 * sweep tells the same again, in the same round. A round that is not forgotten ends by end_round
 * alone. Of all workers of a group one sweeps at a time; the others get an empty, `busy` result.
 *
 * Time that passes is no fault of a record: it is an orphan only when everything produced before
 * it became pending and the wait after it has been written, by all workers of the group, and that
 * time counts only while sweeps succeed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/model/message/envelope.h"
#include "common/model/message/receipt.h"
#include "common/port/store_reader.h"

/* A pending record that is in its table now, or that another version has overtaken there. */
struct pending_applied {
    enum record_class the_class;
    const struct mapping *mapping; /* NULL when it was taken out of the set meanwhile */
    struct bytes tenant, id;
    int64_t version;
    int32_t partition;
    int64_t offset;
    const struct row *row; /* as the store has it now, when rows were asked for and it has one */
    struct bytes json;     /* the record of `row` */
};

/* One whose parent never came, or that is refused for another reason by now. */
struct pending_orphan {
    int32_t partition;
    int64_t offset;
    int64_t version; /* of its row: its place in the log where neither message nor record has one */
    struct bytes tenant, entity;
    struct envelope message; /* as it was in the source topic */
    struct error err;
};

/* Views live as long as the round. */
struct pending_result {
    struct pending_applied *applied;
    size_t applied_count;
    struct pending_orphan *orphans;
    size_t orphan_count;
    bool more;        /* at most 1,000 or 8 MiB are told at once: there are others */
    int64_t round;    /* of all that is told: grows, the same when it is told again */
    uint64_t waiting; /* still pending, neither applied nor orphans */
    uint64_t behind;  /* messages to be written before waits that are over end */
    uint64_t purged;  /* tombstones removed */
    bool busy;        /* another worker was sweeping: nothing was looked at */
    bool unread;      /* not all rows could be read: nothing of the round may be told */
    void *memory;     /* the implementation's */
    void *session;    /* the implementation's */
};

/* Never from inside a call. OUT_RETRY: the store is away or busy; OUT_FATAL: schema or rights. */
struct pending_events {
    void (*on_swept)(void *owner, enum outcome outcome, const struct error *err);
    void (*on_forgotten)(void *owner, uint64_t removed, enum outcome outcome,
                         const struct error *err);
};

struct pending;

struct pending_ops {
    void (*sweep)(struct pending *pending, bool is_last);
    void (*forget)(struct pending *pending);
    void (*end_round)(struct pending *pending);
    void (*close)(struct pending *pending, void (*on_closed)(void *owner));
};

struct pending {
    const struct pending_ops *ops;
    struct pending_events events;
    void *owner;
    struct pending_result result; /* of the round */
};

/* is_last: nothing more is produced, so no wait beyond what is in the topic. */
static inline void pending_sweep(struct pending *pending, bool is_last)
{
    pending->ops->sweep(pending, is_last);
}

/* Removes what the round told; `removed`: how many were still there. */
static inline void pending_forget(struct pending *pending)
{
    pending->ops->forget(pending);
}

/* Frees the round's result, and lets others sweep. */
static inline void pending_end_round(struct pending *pending)
{
    pending->ops->end_round(pending);
}

/* Ends what is on its way, without its event, then on_closed. */
static inline void pending_close(struct pending *pending, void (*on_closed)(void *owner))
{
    pending->ops->close(pending, on_closed);
}

/* For implementations: `applied` has a copy of what is stored, in the arena. What does not fit is
 * left out: a rebuild brings it. */
void pending_keep_row(struct pending_applied *applied, const struct stored_record *stored,
                      struct arena *arena);

#endif
