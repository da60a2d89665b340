#include "common/base/mem.h"
#include "common/port/sink_memory.h"

#include <assert.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 64

enum step {
    STEP_NONE,
    STEP_WRITE,
    STEP_WAIT, /* for sink_commit */
    STEP_COMMIT,
    STEP_GIVE_UP,
};

struct connection {
    struct batch *batch;
    enum step step;
};

struct memory_sink {
    struct sink base;
    struct memory_store *store;
    struct memory_writing writing;
    struct connection connections[CONNECTIONS_MAX];
    int connection_count;
    bool was_full;
    void (*on_closed)(void *owner);
};

static struct memory_sink *of(struct sink *sink)
{
    return (struct memory_sink *)sink;
}

static void end(struct memory_sink *sink, struct connection *connection, enum outcome outcome,
                const struct error *err)
{
    struct batch *batch = connection->batch;
    *connection = (struct connection){NULL, STEP_NONE};
    sink->base.events.on_done(sink->base.owner, batch, outcome, err);
    if (sink->was_full) {
        sink->was_full = false;
        sink->base.events.on_ready(sink->base.owner);
    }
}

static void end_with(struct memory_sink *sink, struct connection *connection, enum error_code code,
                     const char *text)
{
    struct error err;
    error_set(&err, OUT_RETRY, code, "%s", text);
    end(sink, connection, OUT_RETRY, &err);
}

/* ---- steps ------------------------------------------------------------------------------- */

/* A batch that may be in the store already is only looked at when it is. False: it is to be
 * written. */
static bool classify_written(struct memory_sink *sink, struct batch *batch, enum outcome *outcome,
                             struct error *err)
{
    bool written = batch->redelivered;
    *outcome = OUT_OK;
    if (!written && batch->outcome_unknown)
        *outcome = memory_store_has_written(sink->store, batch, &written, err);
    if (*outcome != OUT_OK)
        return true;
    if (written)
        memory_store_classify(sink->store, batch);
    else if (batch->outcome_unknown)
        batch_rewind(batch);
    batch->outcome_unknown = batch->outcome_unknown && written;
    return written;
}

/* Nobody hears of what was done. What was not written is not decided either. */
static void lose(struct memory_sink *sink, struct connection *connection, enum outcome outcome)
{
    if (outcome != OUT_OK)
        batch_rewind(connection->batch);
    connection->batch->outcome_unknown = connection->batch->commit_lost = true;
    end_with(sink, connection, ERR_PG_UNREACHABLE, "the answer was lost");
}

/* Items that the dead letters must have before anything is committed. */
static bool has_unsafe(const struct batch *batch)
{
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        if (item->decided && item->verdict == CLASS_DEAD)
            return true;
    }
    return false;
}

static void do_write(struct memory_sink *sink, struct connection *connection, enum memory_fate fate)
{
    struct batch *batch = connection->batch;
    struct error err;
    enum outcome outcome;
    if (connection->step == STEP_COMMIT || !classify_written(sink, batch, &outcome, &err))
        outcome = memory_store_write(sink->store, batch, &sink->writing, &err);
    if (fate == FATE_ANSWER_LOST) {
        lose(sink, connection, outcome);
        return;
    }
    if (outcome != OUT_REJECT) {
        end(sink, connection, outcome, outcome == OUT_OK ? NULL : &err);
        return;
    }
    connection->step = has_unsafe(batch) ? STEP_WAIT : STEP_COMMIT;
    if (connection->step == STEP_WAIT)
        sink->base.events.on_rejected(sink->base.owner, batch);
}

static void do_step(struct memory_sink *sink, struct connection *connection, enum memory_fate fate)
{
    if (connection->step == STEP_GIVE_UP)
        end_with(sink, connection, ERR_PG_TRANSIENT, "the batch was given up");
    else if (fate == FATE_FAILED)
        end_with(sink, connection, ERR_PG_UNREACHABLE, "the store is away");
    else
        do_write(sink, connection, fate);
}

static bool has_step(const struct connection *connection)
{
    return connection->step != STEP_NONE && connection->step != STEP_WAIT;
}

size_t memory_sink_steps(const struct sink *base)
{
    const struct memory_sink *sink = (const struct memory_sink *)base;
    size_t count = 0;
    for (int i = 0; i < sink->connection_count; i++)
        count += has_step(&sink->connections[i]);
    return count;
}

void memory_sink_step(struct sink *base, size_t which, enum memory_fate fate)
{
    struct memory_sink *sink = of(base);
    for (int i = 0; i < sink->connection_count; i++) {
        if (!has_step(&sink->connections[i]) || which-- > 0)
            continue;
        do_step(sink, &sink->connections[i], fate);
        return;
    }
    assert(!"a step that no connection has");
}

bool memory_sink_turn(struct sink *base)
{
    struct memory_sink *sink = of(base);
    bool any = false;
    for (int i = 0; i < sink->connection_count; i++) {
        if (!has_step(&sink->connections[i]))
            continue;
        any = true;
        do_step(sink, &sink->connections[i], FATE_DONE);
    }
    if (!any && sink->on_closed) {
        void (*on_closed)(void *) = sink->on_closed;
        void *owner = base->owner;
        free(sink);
        on_closed(owner);
        return false;
    }
    return any;
}

/* ---- the contract ------------------------------------------------------------------------ */

static struct connection *find_connection(struct memory_sink *sink, const struct batch *batch)
{
    for (int i = 0; i < sink->connection_count; i++)
        if (sink->connections[i].batch == batch)
            return &sink->connections[i];
    return NULL;
}

static bool can_submit(struct sink *base)
{
    struct memory_sink *sink = of(base);
    bool can = !sink->on_closed && find_connection(sink, NULL) != NULL;
    sink->was_full = sink->was_full || !can;
    return can;
}

static void submit(struct sink *base, struct batch *batch)
{
    struct connection *connection = find_connection(of(base), NULL);
    assert(connection && "submit without can_submit");
    *connection = (struct connection){batch, STEP_WRITE};
}

static void answer(struct sink *base, const struct batch *batch, enum step step)
{
    struct connection *connection = find_connection(of(base), batch);
    if (connection && connection->step == STEP_WAIT)
        connection->step = step;
}

static void commit(struct sink *base, struct batch *batch)
{
    answer(base, batch, STEP_COMMIT);
}

static void give_up(struct sink *base, struct batch *batch)
{
    answer(base, batch, STEP_GIVE_UP);
}

static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct memory_sink *sink = of(base);
    sink->on_closed = on_closed;
    for (int i = 0; i < sink->connection_count; i++)
        if (sink->connections[i].batch)
            end_with(sink, &sink->connections[i], ERR_PG_TRANSIENT, "the sink was closed");
}

void memory_sink_abandon(struct sink *base)
{
    free(base);
}

struct sink *memory_sink_new(struct memory_store *store, int connections,
                             bool (*refuses)(const struct batch_item *item),
                             const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink, NULL};
    assert(connections >= 1 && connections <= CONNECTIONS_MAX);
    struct memory_sink *sink = mem_new(sizeof *sink);
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->store = store;
    sink->writing = (struct memory_writing){refuses, events->view_message, owner};
    sink->connection_count = connections;
    return &sink->base;
}
