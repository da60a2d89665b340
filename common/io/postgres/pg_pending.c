/* See the header. One piece of work in the pool at a time; closing waits for it. */

#include "common/io/postgres/pg_pending.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_sweep.h"
#include "common/io/postgres/pg_store_reader.h"

#define ASK_MS 1000                  /* for the ends of all partitions */
#define TEXT_MAX ((size_t)512 << 20) /* far above what one sweep tells (TELL_MAX, its bytes) */

struct pg_pending {
    struct pending base;
    struct pg_pending_config config;
    uv_loop_t *loop;
    uv_work_t work;
    bool working, forgets;
    struct pg_sweep_config sweep;
    atomic_bool stop;
    struct pg_cancel cancel;
    enum outcome outcome;
    struct error err;
    uint64_t removed;
    struct arena arena; /* rows read back */
    void (*on_closed)(void *owner);
};

/* ---- in the pool ------------------------------------------------------------------------- */

static bool ask_ends(void *owner, int64_t *ends, int32_t count)
{
    const struct pg_pending *pending = owner;
    const int64_t *read_to = pending->config.checkpoint.read_to;
    if (read_to)
        memcpy(ends, read_to, (size_t)count * sizeof *ends);
    return read_to ||
           bus_ends(pending->config.bus, pending->config.checkpoint.topic, ends, count, ASK_MS);
}

static bool wants_row(const struct pg_pending *pending, const struct pending_applied *applied)
{
    return pending->config.wants_rows && applied->mapping &&
           applied->mapping->redis.form != REDIS_NONE;
}

static enum outcome read_one(struct pg_pending *pending, struct store_reader *reader,
                             struct pending_applied *applied, struct error *err)
{
    struct stored_record stored;
    bool found = false;
    enum outcome outcome = reader->ops->find(reader, applied->mapping, applied->tenant, applied->id,
                                             &stored, &found, err);
    if (outcome == OUT_OK && found && stored.cells)
        pending_keep_row(applied, &stored, &pending->arena);
    return outcome == OUT_REJECT ? OUT_OK : outcome; /* no record comes of it: verify names it */
}

/* Rows as PostgreSQL has them now: what became pending may be older than what is there. Unless all
 * were read, nothing of the sweep may be forgotten: Redis would never hear of them. */
static enum outcome read_rows(struct pg_pending *pending, struct error *err)
{
    struct store_reader *reader = NULL;
    struct pending_result *result = &pending->base.result;
    size_t wanted = 0;
    for (size_t i = 0; i < result->applied_count; i++)
        wanted += wants_row(pending, &result->applied[i]);
    if (!wanted || atomic_load(&pending->stop))
        return OUT_OK;
    enum outcome outcome =
        pg_store_reader_open(pending->config.settings, pending->config.checkpoint.mappings->items,
                             pending->config.checkpoint.mappings->count, NULL, &reader, err);
    for (size_t i = 0; i < result->applied_count && outcome == OUT_OK; i++)
        if (wants_row(pending, &result->applied[i]))
            outcome = read_one(pending, reader, &result->applied[i], err);
    if (reader)
        reader->ops->close(reader);
    return outcome;
}

static void in_pool(uv_work_t *work)
{
    struct pg_pending *pending = work->data;
    struct pending_result *result = &pending->base.result;
    if (pending->forgets) {
        pending->outcome =
            pg_sweep_forget(&pending->sweep, result, &pending->removed, &pending->err);
        return;
    }
    pending->outcome = pg_sweep_run(&pending->sweep, result, &pending->err);
    struct error err;
    enum outcome read = read_rows(pending, &err);
    result->unread = read != OUT_OK;
    if (result->unread && pending->outcome == OUT_OK) {
        pending->outcome = read;
        pending->err = err;
    }
}

/* ---- on the loop ------------------------------------------------------------------------- */

static struct pg_pending *of(struct pending *base)
{
    return (struct pg_pending *)base;
}

static void end_round(struct pending *base)
{
    pg_sweep_result_free(&base->result);
    base->result = (struct pending_result){0};
    arena_reset(&of(base)->arena);
}

static void free_pending(struct pg_pending *pending)
{
    void (*on_closed)(void *) = pending->on_closed;
    void *owner = pending->base.owner;
    end_round(&pending->base);
    arena_free(&pending->arena);
    free(pending);
    on_closed(owner);
}

static void after_pool(uv_work_t *work, int status)
{
    struct pg_pending *pending = work->data;
    struct pending_events *events = &pending->base.events;
    (void)status;
    pending->working = false;
    if (pending->on_closed)
        free_pending(pending);
    else if (pending->forgets)
        events->on_forgotten(pending->base.owner, pending->removed, pending->outcome,
                             &pending->err);
    else
        events->on_swept(pending->base.owner, pending->outcome, &pending->err);
}

static void begin(struct pg_pending *pending, bool forgets)
{
    pending->forgets = forgets;
    pending->working = true;
    pending->removed = 0;
    if (uv_queue_work(pending->loop, &pending->work, in_pool, after_pool) != 0)
        abort();
}

static void sweep(struct pending *base, bool is_last)
{
    of(base)->sweep.is_last = is_last;
    begin(of(base), false);
}

static void forget(struct pending *base)
{
    begin(of(base), true);
}

static void close_pending(struct pending *base, void (*on_closed)(void *owner))
{
    struct pg_pending *pending = of(base);
    pending->on_closed = on_closed;
    atomic_store(&pending->stop, true);
    pg_cancel_now(&pending->cancel);
    if (!pending->working)
        free_pending(pending);
}

struct pending *pg_pending_new(uv_loop_t *loop, const struct pg_pending_config *config,
                               const struct pending_events *events, void *owner)
{
    static const struct pending_ops OPS = {sweep, forget, end_round, close_pending};
    struct pg_pending *pending = mem_new(sizeof *pending);
    const struct settings *settings = config->settings;
    pending->base = (struct pending){.ops = &OPS, .events = *events, .owner = owner};
    pending->config = *config;
    pending->loop = loop;
    pending->work.data = pending;
    pending->cancel = PG_CANCEL_INIT;
    pending->sweep = (struct pg_sweep_config){.url = settings->database_url,
                                              .role = settings->worker_role,
                                              .group = config->checkpoint.group,
                                              .topic = config->checkpoint.topic,
                                              .mappings = config->checkpoint.mappings,
                                              .wait_ms = settings->parent_wait_ms,
                                              .partitions = config->checkpoint.partitions,
                                              .ends = ask_ends,
                                              .owner = pending,
                                              .tombstone_life_ms = settings->tombstone_life_ms,
                                              .stop = &pending->stop,
                                              .cancel = &pending->cancel};
    arena_init(&pending->arena, TEXT_MAX);
    return &pending->base;
}
