/*
 * The sink over the file store: one batch at a time, and the writing of files between batches.
 *
 *   submit ─► [prepare: rows back to records] ─► refused? on_rejected, wait for commit
 *                                             └► [transaction] ─► on_done
 *   every second, when something is dirty:     [file] [file] … in turn with batches
 *   close ─► what runs ends ─► [file] … ─► on_closed               [ ] = a job in the pool
 *
 * One pass over the dirty files is a round. A file whose place is bad is told of, left, and tried
 * again later; the others go on. A full disk ends the round, which is tried again.
 */
#include <assert.h>
#include <stdlib.h>

#include "common/io/filestore/file_store_parts.h"
#include "common/io/log.h"
#include "common/model/json/canonical.h"

#define TEXTS_MOST ((size_t)1 << 30) /* a batch's records as JSON: its own limits hold before */
#define ROUND_MS 1000                /* between writings of one file */
#define RETRY_MS 2000                /* after a round that failed */
#define LEFT_MS 10000                /* until files that were left are tried again */
#define FAILURES_MOST 3              /* of a round: the next file may fit where one did not */
#define ROUNDS_MOST 5                /* that fail, until sink_settle says so */
#define CLOSE_MS 500                 /* for files when it closes: the worker gives the stores 800 */

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
    bool away, files_away; /* batches; files. on_state was told so */

    /* the files */
    struct file_job files_job;
    struct file_cursor cursor;
    bool writing_files, any_file;
    enum outcome files_outcome;
    struct error files_err;
    struct file_written written;
    bool between;          /* a batch ended during the round: they share the time */
    int failures;          /* of the round */
    int failed_rounds;     /* one after the other */
    uint64_t left;         /* files that the last round left, */
    struct error left_err; /* the first of them, or what ended the round */
    uint64_t left_at_ms;   /* when they are tried again */
    uint64_t round_began_ms, close_by_ms;
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

/* Away while anything is: batches, files, or the progress, which has no word of its own for it. */
static void say_state(struct file_sink *sink, bool *flag, enum outcome outcome,
                      const struct error *err)
{
    bool was = sink->away || sink->files_away || sink->store->progress_away;
    *flag = outcome != OUT_OK;
    bool is = sink->away || sink->files_away || sink->store->progress_away;
    if (*flag)
        sink->base.events.on_state(sink->base.owner, err);
    else if (was && !is)
        sink->base.events.on_state(sink->base.owner, NULL);
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
        sink->between = true;
        if (!sink->given_up && (sink->outcome == OUT_OK || sink->outcome == OUT_RETRY))
            say_state(sink, &sink->away, sink->outcome, &sink->err);
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
    sink->files_outcome = file_store_write_file(sink->store, &sink->cursor, &sink->any_file,
                                                &sink->written, &sink->files_err);
}

static void begin_round(struct file_sink *sink)
{
    sink->store->dirty = false;
    sink->writing_files = true;
    sink->between = false;
    sink->failures = 0;
    sink->left = 0;
    sink->round_began_ms = uv_now(sink->timer.loop);
    file_cursor_reset(&sink->cursor);
    file_store_post(sink->store, &sink->files_job);
}

static void on_timer(uv_timer_t *timer)
{
    struct file_sink *sink = timer->data;
    if (sink->store->progress_back) {
        sink->store->progress_back = false;
        if (!sink->away && !sink->files_away)
            sink->base.events.on_state(sink->base.owner, NULL);
    }
    bool again = sink->left && uv_now(timer->loop) >= sink->left_at_ms;
    if (!sink->closing && !sink->writing_files && (sink->store->dirty || again))
        begin_round(sink);
}

/* Large files take long: they may have a fifth of the time, batches have the rest. */
static void next_round(struct file_sink *sink, bool failed)
{
    uint64_t took_ms = uv_now(sink->timer.loop) - sink->round_began_ms;
    uint64_t share_ms = sink->between ? took_ms * 4 : 0;
    uint64_t wait_ms = failed ? RETRY_MS : share_ms > ROUND_MS ? share_ms : ROUND_MS;
    uv_timer_start(&sink->timer, on_timer, wait_ms, ROUND_MS);
}

static void leave_file(struct file_sink *sink)
{
    if (sink->left++ == 0)
        sink->left_err = sink->files_err;
    if (sink->written.fresh)
        log_error(LOG_WARN, "file.left", &sink->files_err);
}

static void end_round(struct file_sink *sink, const struct error *failure)
{
    sink->writing_files = false;
    sink->left_at_ms = uv_now(sink->timer.loop) + LEFT_MS;
    sink->failed_rounds = failure ? sink->failed_rounds + 1 : 0;
    if (failure) {
        sink->store->dirty = true;
        sink->left_err = *failure;
    }
    say_state(sink, &sink->files_away, failure ? failure->outcome : OUT_OK, failure);
    if (!sink->closing) {
        next_round(sink, failure != NULL);
        return;
    }
    if (failure || uv_now(sink->timer.loop) >= sink->close_by_ms)
        sink->store->dirty = false; /* the next start writes them */
    go_on_closing(sink);
}

static void file_worked(struct file_job *job)
{
    struct file_sink *sink = of_files_job(job);
    bool bad_place = sink->any_file && sink->files_outcome == OUT_REJECT;
    if (bad_place)
        leave_file(sink);
    bool failed = sink->files_outcome != OUT_OK && !bad_place;
    if (failed && sink->failures++ == 0)
        sink->left_err = sink->files_err;
    bool over = !sink->any_file || sink->failures >= FAILURES_MOST ||
                (failed && sink->files_outcome == OUT_FATAL);
    if (sink->closing && !over && uv_now(sink->timer.loop) >= sink->close_by_ms) {
        log_line(LOG_INFO, "file.unwritten", "written=next_start");
        over = true;
    }
    if (!over) {
        file_store_post(sink->store, &sink->files_job);
        return;
    }
    struct error failure = sink->left_err;
    end_round(sink, sink->failures ? &failure : NULL);
}

static enum outcome settle(struct sink *base, struct error *err)
{
    struct file_sink *sink = of(base);
    bool gives_up = sink->failed_rounds >= ROUNDS_MOST;
    if (sink->batch || sink->writing_files)
        return OUT_RETRY;
    if (!sink->store->dirty && !sink->left)
        return OUT_OK;
    if (sink->store->dirty && !gives_up) {
        if (sink->failed_rounds == 0)
            begin_round(sink);
        return OUT_RETRY;
    }
    *err = sink->left_err;
    err->outcome = OUT_REJECT;
    if (sink->left > 1)
        error_set(err, OUT_REJECT, sink->left_err.code,
                  "%llu files of the store are not written, the first: %s",
                  (unsigned long long)sink->left, sink->left_err.text);
    error_where(err, "%s", sink->left_err.where);
    error_cause(err, "%s", sink->left_err.cause);
    return OUT_REJECT;
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
        begin_round(sink);
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
    sink->close_by_ms = uv_now(sink->timer.loop) + CLOSE_MS;
    uv_timer_stop(&sink->timer);
    if (sink->batch && sink->waiting)
        end_closed(sink);
    go_on_closing(sink);
}

struct sink *file_sink_new(uv_loop_t *loop, struct file_store *store,
                           const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink, settle};
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
