#ifndef DROVER_PORT_SINK_H
#define DROVER_PORT_SINK_H

/*
 * A store that batches are written to. The contract, checked by one suite for every sink
 * (tests/contract):
 *
 * 1. Each submitted batch gets on_done exactly once, never from inside submit, commit or
 *    give_up.
 * 2. on_done(OUT_OK) means durable, and every item is decided.
 * 3. Items the store refuses are decided CLASS_DEAD first, with nothing committed; on_rejected is
 *    called, and the sink waits for sink_commit, so that dead letters are safe before the offsets
 *    move. It may be called again, when the next candidates of those keys are refused too.
 * 4. The same record twice equals once; a lower version never overwrites; the fence holds: a batch
 *    of another epoch, or one that does not start at the stored offset, is OUT_FATAL and changes
 *    nothing. What is written does not depend on how records are cut into batches: of the
 *    records of one key the newest that the store does not refuse is written, and nobody's
 *    refusal costs another record (policy/apply/batch.h).
 * 5. on_done(OUT_RETRY): nothing of it may be assumed; the same batch may be submitted again
 *    (batch_retry first), also after a lost answer to COMMIT.
 * 6. sink_give_up ends a batch that waits for sink_commit with on_done(OUT_RETRY): nothing of it is
 *    written, and its place is free again.
 * 7. settle tells whether everything committed is where it shall be seen, for a store that shows it
 *    elsewhere a little later (files): OUT_RETRY, not yet; OUT_REJECT, never by itself (err).
 * 8. close ends batches in flight with on_done (OUT_RETRY, unless they were committed just then),
 *    then calls on_closed; nothing is called after that.
 */

#include <stdbool.h>

#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"

struct sink;

/* A way that costs more than the usual one: what comes of it is the same. */
enum sink_way {
    SINK_SEARCHED_COPY,      /* a COPY was refused, and its batch searched for refused records */
    SINK_SEARCHED_STATEMENT, /* a statement was */
    SINK_TENANT_BY_TENANT,   /* the table's rows cannot share a statement */
    SINK_NO_COPY,            /* nor go by COPY */
};

struct sink_detour {
    enum sink_way way;
    bool in_vain;            /* SEARCHED: no record was refused: it was the way */
    const struct error *why; /* to be logged; NULL: said before of this table, or nothing to say */
};

struct sink_events {
    void (*on_rejected)(void *owner, struct batch *batch);
    void (*on_done)(void *owner, struct batch *batch, enum outcome outcome,
                    const struct error *err);
    /* A place became free after sink_can_submit said no. */
    void (*on_ready)(void *owner);
    /* The store cannot be reached (err) or is back (NULL): for saying so once. */
    void (*on_state)(void *owner, const struct error *err);
    /* The item's message as it came, for a store that keeps records as pending whose parents are
     * missing (CLASS_WAITING). NULL: such records are refused like any other. */
    void (*view_message)(void *owner, const struct batch_item *item, struct envelope *message);
    /* A batch takes, or took, a way that costs more. NULL: nobody asks. Never fails a batch. */
    void (*on_detour)(void *owner, const struct sink_detour *detour);
};

struct sink_ops {
    bool (*can_submit)(struct sink *sink);
    void (*submit)(struct sink *sink, struct batch *batch);
    void (*commit)(struct sink *sink, struct batch *batch);
    void (*give_up)(struct sink *sink, struct batch *batch);
    void (*close)(struct sink *sink, void (*on_closed)(void *owner));
    enum outcome (*settle)(struct sink *sink,
                           struct error *err); /* NULL: it is there with on_done */
};

struct sink {
    const struct sink_ops *ops;
    struct sink_events events;
    void *owner;
};

static inline bool sink_can_submit(struct sink *sink)
{
    return sink->ops->can_submit(sink);
}

static inline void sink_submit(struct sink *sink, struct batch *batch)
{
    sink->ops->submit(sink, batch);
}

static inline void sink_commit(struct sink *sink, struct batch *batch)
{
    sink->ops->commit(sink, batch);
}

static inline void sink_give_up(struct sink *sink, struct batch *batch)
{
    sink->ops->give_up(sink, batch);
}

static inline enum outcome sink_settle(struct sink *sink, struct error *err)
{
    return sink->ops->settle ? sink->ops->settle(sink, err) : OUT_OK;
}

static inline void sink_close(struct sink *sink, void (*on_closed)(void *owner))
{
    sink->ops->close(sink, on_closed);
}

#endif
