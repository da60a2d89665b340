/*
 * The sink over the file store: one batch at a time, and the writing of files between batches.
 *
 *   submit ─► [prepare: rows back to records] ─► refused? on_rejected, wait for commit
 *                                             └► [transaction] ─► on_done
 *   every second, when something is dirty:     [file] [file] … in turn with batches
 *   close ─► what runs ends ─► [file] … ─► on_closed               [ ] = a job in the pool
 */
#include <assert.h>
#include <stdlib.h>

#include "common/io/file_store_parts.h"
#include "common/model/canonical.h"

#define TEXTS_MOST ((size_t)1 << 30) /* a batch's records as JSON: its own limits hold before */
#define ROUND_MS 1000                /* between writings of one file */
#define RETRY_MS 2000                /* after a writing that failed */

struct file_sink {
    struct sink base;
    struct file_store *store;

    /* the batch */
    struct file_job job;
    struct batch *batch;
    bool prepared, tried; /* rows are JSON; the transaction was begun */
    bool refused;         /* some items cannot be written */
    bool waiting;         /* for sink_commit */
    bool given_up;        /* while it waited */
    bool wanted;          /* somebody asked for a place in vain */
    struct arena texts_arena;
    struct bytes *texts;
    struct buf scratch;
    enum outcome outcome;
    struct error err;
    bool away; /* on_state was told so */

    /* the files */
    struct file_job files_job;
    struct file_cursor cursor;
    bool writing_files, any_file;
    enum outcome files_outcome;
    struct error files_err;
    uint64_t round_began_ms;
    uv_timer_t timer;

    bool closing, timer_closed;
    void (*on_closed)(void *owner);
};

static struct file_sink *of(struct sink *base)
{
    return (struct file_sink *)base;
}

static struct file_sink *of_job(struct file_job *job)
{
    return (struct file_sink *)((char *)job - offsetof(struct file_sink, job));
}

static struct file_sink *of_files_job(struct file_job *job)
{
    return (struct file_sink *)((char *)job - offsetof(struct file_sink, files_job));
}

static void go_on_closing(struct file_sink *sink);

static void say_state(struct file_sink *sink, enum outcome outcome, const struct error *err)
{
    bool away = outcome != OUT_OK;
    if (away || sink->away)
        sink->base.events.on_state(sink->base.owner, away ? err : NULL);
    sink->away = away;
}

/* ---- the batch --------------------------------------------------------------------------- */

/* Pool. What a source would hold, from the row: the inverse of the mapping. */
static enum outcome make_text(struct file_sink *sink, const struct batch_item *item,
                              struct bytes *text, struct error *err)
{
    yyjson_doc *doc = NULL;
    enum outcome outcome =
        mapping_inverse(item->mapping, &item->row, &sink->store->work, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(&sink->scratch);
    canonical_append(&sink->scratch, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    *text = arena_copy(&sink->texts_arena, buf_view(&sink->scratch));
    if (sink->scratch.failed || !text->data)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to be written");
    return OUT_OK;
}

/* Pool. */
static void prepare(struct file_sink *sink)
{
    struct batch *batch = sink->batch;
    arena_reset(&sink->texts_arena);
    sink->texts = arena_array(&sink->texts_arena, batch->count + 1, sizeof *sink->texts);
    if (!sink->texts)
        abort();
    size_t i = 0;
    do {
        for (; i < batch->order_count && !batch->second_look; i++) {
            struct error err;
            struct batch_item *item = &batch->items[batch->order[i]];
            if (item->decided || item->row.deleted)
                continue;
            if (make_text(sink, item, &sink->texts[i], &err) != OUT_OK) {
                batch_reject(batch, item, &err);
                sink->refused = true;
            }
        }
    } while (!batch->second_look && batch_promote(batch));
    sink->prepared = true;
}

/* Pool. */
static void work_on_batch(struct file_job *job)
{
    struct file_sink *sink = of_job(job);
    bool first = !sink->prepared;
    if (first)
        prepare(sink);
    if (first && sink->refused)
        return;
    sink->tried = true;
    if (sink->given_up)
        sink->outcome = error_set(&sink->err, OUT_RETRY, ERR_STORE_FILE, "the batch was given up");
    else
        sink->outcome = file_store_write_batch(sink->store, sink->batch, sink->texts, &sink->err);
}

static void end(struct file_sink *sink, enum outcome outcome, const struct error *err)
{
    struct batch *batch = sink->batch;
    sink->batch = NULL;
    sink->waiting = false;
    sink->base.events.on_done(sink->base.owner, batch, outcome, outcome == OUT_OK ? NULL : err);
    if (sink->wanted && !sink->closing) {
        sink->wanted = false;
        sink->base.events.on_ready(sink->base.owner);
    }
}

static void end_closed(struct file_sink *sink)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_STORE_FILE, "the sink was closed");
    end(sink, OUT_RETRY, &err);
}

static void batch_worked(struct file_job *job)
{
    struct file_sink *sink = of_job(job);
    if (!sink->tried && sink->closing) {
        end_closed(sink);
    } else if (!sink->tried) {
        sink->waiting = true;
        sink->base.events.on_rejected(sink->base.owner, sink->batch);
    } else {
        sink->store->dirty = sink->store->dirty || sink->outcome == OUT_OK;
        if (!sink->given_up && (sink->outcome == OUT_OK || sink->outcome == OUT_RETRY))
            say_state(sink, sink->outcome, &sink->err);
        end(sink, sink->outcome, &sink->err);
    }
    if (sink->closing)
        go_on_closing(sink);
}

static bool can_submit(struct sink *base)
{
    struct file_sink *sink = of(base);
    bool can = !sink->batch && !sink->closing;
    sink->wanted = sink->wanted || !can;
    return can;
}

static void submit(struct sink *base, struct batch *batch)
{
    struct file_sink *sink = of(base);
    assert(!sink->batch && "submit without can_submit");
    sink->batch = batch;
    sink->prepared = sink->tried = sink->refused = sink->waiting = sink->given_up = false;
    file_store_post(sink->store, &sink->job);
}

static void commit(struct sink *base, struct batch *batch)
{
    struct file_sink *sink = of(base);
    if (sink->batch != batch || !sink->waiting)
        return;
    sink->waiting = false;
    file_store_post(sink->store, &sink->job);
}

static void give_up(struct sink *base, struct batch *batch)
{
    struct file_sink *sink = of(base);
    sink->given_up = sink->batch == batch && sink->waiting;
    commit(base, batch); /* which sees it there */
}

/* ---- the files --------------------------------------------------------------------------- */

/* Pool. */
static void work_on_file(struct file_job *job)
{
    struct file_sink *sink = of_files_job(job);
    sink->files_outcome =
        file_store_write_file(sink->store, &sink->cursor, &sink->any_file, &sink->files_err);
}

static void on_timer(uv_timer_t *timer)
{
    struct file_sink *sink = timer->data;
    if (sink->closing || sink->writing_files || !sink->store->dirty)
        return;
    sink->store->dirty = false;
    sink->writing_files = true;
    sink->round_began_ms = uv_now(timer->loop);
    buf_reset(&sink->cursor.entity);
    buf_reset(&sink->cursor.tenant);
    file_store_post(sink->store, &sink->files_job);
}

/* Large files take long: they may have a fifth of the time, batches have the rest. */
static void next_round(struct file_sink *sink, bool failed)
{
    uint64_t took_ms = uv_now(sink->timer.loop) - sink->round_began_ms;
    uint64_t wait_ms = failed ? RETRY_MS : took_ms * 4 > ROUND_MS ? took_ms * 4 : ROUND_MS;
    uv_timer_start(&sink->timer, on_timer, wait_ms, ROUND_MS);
}

static void file_worked(struct file_job *job)
{
    struct file_sink *sink = of_files_job(job);
    bool failed = sink->files_outcome != OUT_OK;
    if (!failed && sink->any_file) {
        file_store_post(sink->store, &sink->files_job);
        return;
    }
    sink->writing_files = false;
    if (failed) {
        sink->store->dirty = true;
        say_state(sink, sink->files_outcome, &sink->files_err);
    }
    if (sink->closing) {
        if (failed)
            sink->store->dirty = false; /* the next start writes them */
        go_on_closing(sink);
    } else {
        next_round(sink, failed);
    }
}

/* ---- the end ----------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct file_sink *sink = handle->data;
    void (*on_closed)(void *) = sink->on_closed;
    void *owner = sink->base.owner;
    arena_free(&sink->texts_arena);
    buf_free(&sink->scratch);
    file_cursor_free(&sink->cursor);
    free(sink);
    on_closed(owner);
}

/* Once nothing runs: the files, then the handle. */
static void go_on_closing(struct file_sink *sink)
{
    if (sink->batch || sink->writing_files || sink->timer_closed)
        return;
    if (sink->store->dirty) {
        sink->store->dirty = false;
        sink->writing_files = true;
        buf_reset(&sink->cursor.entity);
        buf_reset(&sink->cursor.tenant);
        file_store_post(sink->store, &sink->files_job);
        return;
    }
    sink->timer_closed = true;
    uv_close((uv_handle_t *)&sink->timer, on_timer_closed);
}

static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct file_sink *sink = of(base);
    sink->closing = true;
    sink->on_closed = on_closed;
    uv_timer_stop(&sink->timer);
    if (sink->batch && sink->waiting)
        end_closed(sink);
    go_on_closing(sink);
}

struct sink *file_sink_new(uv_loop_t *loop, struct file_store *store,
                           const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink};
    struct file_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        abort();
    store->loop = loop;
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->store = store;
    sink->job = (struct file_job){.work = work_on_batch, .done = batch_worked};
    sink->files_job = (struct file_job){.work = work_on_file, .done = file_worked};
    arena_init(&sink->texts_arena, TEXTS_MOST);
    buf_init(&sink->scratch, TEXTS_MOST);
    file_cursor_init(&sink->cursor);
    uv_timer_init(loop, &sink->timer);
    sink->timer.data = sink;
    uv_timer_start(&sink->timer, on_timer, 0, ROUND_MS);
    return &sink->base;
}
