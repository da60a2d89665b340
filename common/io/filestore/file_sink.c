/*
 * The sink over the file store: one batch at a time, as one transaction (fence, records, sealed
 * boxes, and which files are to be written), and the writing of files between batches.
 *
 *   submit ─► [prepare: rows back to records] ─► refused? on_rejected, wait for commit
 *                                             └► [transaction] ─► on_done
 *   every second, when something is dirty:     [file] [file] … in turn with batches
 *   close ─► what runs ends ─► [file] … ─► on_closed               [ ] = a job in the pool
 *
 * One pass over the dirty files is a round: a second after the last one at the earliest, and a
 * second after a batch at the latest, but that large files leave batches four fifths of the time. A
 * file whose place is bad is told of, left, and tried again later; the others go on. Files that do
 * not fit end the round; the next one goes on behind them, and comes to them again at its end.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/filestore/file_store_internal.h"
#include "common/io/log.h"
#include "common/model/json/canonical.h"
#include "common/policy/secrets/secret_guard.h"

#define TEXTS_MAX ((size_t)1 << 30) /* a batch's records as JSON: its own limits hold before */
#define ROUND_MS 1000               /* between writings of one file */
#define RETRY_MS 2000               /* after a round that failed */
#define LEFT_MS 10000               /* until files that were left are tried again */
#define FAILURES_MAX 3              /* of a round: the next file may fit where one did not */
#define ROUNDS_MAX 5                /* that fail, until sink_settle says so */
#define CLOSE_MS 500                /* for files when it closes: the worker gives the stores 800 */

/* Of a batch. */
enum phase {
    PHASE_PREPARE, /* rows become JSON, and when none is refused, */
    PHASE_WRITE,   /* the transaction */
    PHASE_WAITING, /* for sink_commit */
    PHASE_GIVE_UP, /* while it waited */
};

struct file_sink {
    struct sink base;
    struct file_store *store;

    /* the batch */
    struct file_job job;
    struct batch *batch;
    enum phase phase; /* the loop's; the pool reads it */
    bool refused;     /* some items cannot be written */
    bool wanted;      /* somebody asked for a place in vain */
    struct arena texts_arena;
    struct bytes *texts;
    struct buf scratch;
    enum outcome outcome;
    struct error err;
    bool away, files_away; /* batches; files. on_state was told so */

    /* the files */
    struct file_job files_job;
    bool writing_files, any_file;
    enum outcome files_outcome;
    struct error files_err;
    struct file_written written;
    bool between;          /* a batch ended during the round: they share the time */
    int failures;          /* of the round */
    int failed_rounds;     /* one after the other */
    bool from_start;       /* the round has all files before it */
    struct error failure;  /* the first of the round */
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

static void go_on_closing(struct file_sink *sink);

/* Away while anything is: batches, files, or the checkpoint, which has no word of its own for it.
 */
static void say_state(struct file_sink *sink, bool *flag, enum outcome outcome,
                      const struct error *err)
{
    bool was = sink->away || sink->files_away || sink->store->checkpoint_away;
    *flag = outcome != OUT_OK;
    bool is = sink->away || sink->files_away || sink->store->checkpoint_away;
    if (*flag)
        sink->base.events.on_state(sink->base.owner, err);
    else if (was && !is)
        sink->base.events.on_state(sink->base.owner, NULL);
}

/* ---- the transaction, in the pool -------------------------------------------------------- */

static const char PASS_FENCE[] =
    "UPDATE progress SET next_offset = ?6, redis_next = max(redis_next, ?7), "
    "results_next = max(results_next, ?8), sequences = ?9 "
    "WHERE " FILE_PARTITION_KEY " AND epoch = ?4 AND next_offset = ?5 RETURNING 1";
static const char SEE_RECORD[] =
    "SELECT version, digest, json, generation FROM record WHERE " FILE_KEY " AND id = ?3";
static const char PUT_RECORD[] =
    "INSERT INTO record (entity, tenant, id, version, digest, deleted, json, generation, "
    "written_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, unixepoch()) "
    "ON CONFLICT (entity, tenant, id) DO UPDATE SET version = excluded.version, "
    "digest = excluded.digest, deleted = excluded.deleted, json = excluded.json, "
    "generation = excluded.generation, written_at = excluded.written_at WHERE "
    "record.version < excluded.version OR (record.version = excluded.version AND "
    "record.generation < excluded.generation AND record.digest = excluded.digest)";
static const char PUT_BOX[] =
    "INSERT INTO box (tenant, reference, entity, id, field, box, created_at) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, unixepoch()) ON CONFLICT (tenant, reference) DO NOTHING";
static const char MARK_DIRTY[] = "INSERT INTO file (entity, tenant, dirty) VALUES (?1, ?2, 1) "
                                 "ON CONFLICT (entity, tenant) DO UPDATE SET dirty = 1";

struct writing {
    struct sqlite_db *db;
    struct batch *batch;
    const struct bytes *texts; /* by place in its order */
    bool only_classify;        /* it is in the store already: what became of it? */
    struct buf scratch;
};

#define RECORD_VALUES(item)                                                                        \
    NAME((item)->mapping->entity), TEXT((item)->row.tenant), TEXT((item)->row.id)

static enum outcome checkpoint_of(const struct writing *writing, int64_t *epoch, int64_t *next,
                                  struct error *err)
{
    const struct batch_fence *fence = &writing->batch->fence;
    return file_db_checkpoint(writing->db, fence->group, fence->topic, fence->partition, epoch,
                              next, err);
}

static enum outcome pass_fence(struct writing *writing, struct error *err)
{
    sqlite3_stmt *row;
    int64_t epoch, next;
    const struct batch_fence *fence = &writing->batch->fence;
    struct bytes sequences = fence->sequences.size ? fence->sequences : BYTES_LITERAL("{}");
    enum outcome outcome =
        sqlite_get(writing->db, PASS_FENCE,
                   VALUES(NAME(fence->group), NAME(fence->topic), NUMBER(fence->partition),
                          NUMBER(fence->epoch), NUMBER(fence->start), NUMBER(fence->end),
                          NUMBER(fence->redis_next), NUMBER(fence->results_next), TEXT(sequences)),
                   &row, err);
    if (row)
        return sqlite_end(writing->db, row, err);
    if (outcome == OUT_OK)
        outcome = checkpoint_of(writing, &epoch, &next, err);
    if (outcome != OUT_OK)
        return outcome;
    if (epoch != fence->epoch)
        return error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
    return error_set(err, OUT_FATAL, ERR_CHECKPOINT,
                     "the batch begins at %" PRId64 ", the store is at %" PRId64, fence->start,
                     next);
}

/* A soft delete leaves the record, with one member set: what is stored is parsed, changed, and put
 * into canonical form again. Empty when there is nothing to keep. */
static struct bytes soften(struct writing *writing, const struct mapping *mapping,
                           struct bytes stored)
{
    yyjson_doc *old = NULL;
    const struct column *column = &mapping->columns[mapping->soft_column];
    buf_reset(&writing->scratch);
    if (!stored.size || column->source != FROM_POINTERS ||
        json_parse(stored, JSON_UNICODE_REJECT, NULL, &old, NULL) != OUT_OK)
        return (struct bytes){0};
    yyjson_mut_doc *built = yyjson_doc_mut_copy(old, NULL);
    yyjson_mut_doc_ptr_set(built, column->pointers[0],
                           yyjson_val_mut_copy(built, mapping->soft_value));
    yyjson_doc *changed = yyjson_mut_doc_imut_copy(built, NULL);
    if (changed)
        canonical_append(&writing->scratch, yyjson_doc_get_root(changed));
    yyjson_doc_free(changed);
    yyjson_mut_doc_free(built);
    yyjson_doc_free(old);
    return buf_view(&writing->scratch);
}

static enum outcome put_record(struct writing *writing, const struct batch_item *item,
                               struct bytes json, struct error *err)
{
    struct sqlite_value text = TEXT(json);
    if (!json.size)
        text.kind = BIND_NULL;
    return sqlite_run(writing->db, PUT_RECORD,
                      VALUES(RECORD_VALUES(item), NUMBER(item->row.version),
                             DIGEST(&item->row.digest), NUMBER(item->row.deleted), text,
                             NUMBER(item->row.generation)),
                      err);
}

static enum outcome put_boxes(struct writing *writing, const struct batch_item *item,
                              struct error *err)
{
    bool bad = false;
    size_t at = 0;
    struct sealed_box box;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && secret_sealed_next(item->sealed, &at, &box, &bad))
        outcome = sqlite_run(writing->db, PUT_BOX,
                             VALUES(TEXT(item->row.tenant), TEXT(box.reference),
                                    NAME(item->mapping->entity), TEXT(item->row.id),
                                    TEXT(box.field), BLOB(box.box)),
                             err);
    return outcome;
}

/* Decides by what is stored; OUT_OK with the item undecided when it is to be written. */
static enum outcome classify(struct writing *writing, struct batch_item *item, struct bytes *soft,
                             struct error *err)
{
    sqlite3_stmt *row;
    *soft = (struct bytes){0};
    enum outcome outcome =
        sqlite_get(writing->db, SEE_RECORD, VALUES(RECORD_VALUES(item)), &row, err);
    if (outcome != OUT_OK)
        return outcome;
    int64_t version = row ? sqlite3_column_int64(row, 0) : INT64_MIN;
    int32_t generation = row ? sqlite3_column_int(row, 3) : 0;
    struct bytes digest = row ? sqlite_bytes(row, 1) : (struct bytes){0};
    bool held = writing->only_classify ? version >= item->row.version
                                       : batch_is_held(&item->row, version, generation, digest);
    if (row && held) {
        batch_decide_stored(item, version, generation, digest);
        if (writing->only_classify && item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
    } else if (writing->only_classify) { /* refused before the crash; or ours, and gone since */
        item->decided = true;
        item->verdict = writing->batch->redelivered ? CLASS_DEAD : CLASS_APPLIED;
    } else if (item->row.deleted && item->mapping->on_delete == DELETE_SOFT && row) {
        *soft = soften(writing, item->mapping, sqlite_bytes(row, 2));
    }
    sqlite3_reset(row);
    return OUT_OK;
}

static enum outcome write_item(struct writing *writing, size_t at, struct error *err)
{
    struct bytes soft;
    struct batch_item *item = &writing->batch->items[writing->batch->order[at]];
    enum outcome outcome = classify(writing, item, &soft, err);
    if (outcome != OUT_OK || item->decided)
        return outcome;
    outcome = put_record(writing, item, item->row.deleted ? soft : writing->texts[at], err);
    if (outcome == OUT_OK && item->sealed.size)
        outcome = put_boxes(writing, item, err);
    item->decided = true;
    item->verdict = CLASS_APPLIED;
    return outcome;
}

static enum outcome write_group(struct writing *writing, const struct batch_group *group,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    bool any = false;
    for (size_t i = group->first; i < group->first + group->count && outcome == OUT_OK; i++) {
        struct batch_item *item = &writing->batch->items[writing->batch->order[i]];
        if (item->decided)
            continue; /* refused before */
        outcome = write_item(writing, i, err);
        any = any || item->verdict == CLASS_APPLIED;
    }
    if (outcome == OUT_OK && any && !writing->only_classify)
        outcome = sqlite_run(writing->db, MARK_DIRTY,
                             VALUES(NAME(group->mapping->entity), TEXT(group->tenant)), err);
    return outcome;
}

static enum outcome write_all(struct writing *writing, struct error *err)
{
    enum outcome outcome = writing->only_classify ? OUT_OK : pass_fence(writing, err);
    size_t i = 0;
    do {
        for (; i < writing->batch->group_count && outcome == OUT_OK; i++)
            outcome = write_group(writing, &writing->batch->groups[i], err);
    } while (outcome == OUT_OK && batch_promote(writing->batch));
    if (outcome == OUT_OK)
        batch_settle(writing->batch);
    return outcome;
}

/* A COMMIT whose answer was an error may have reached the disk. */
static enum outcome settle_unknown(struct writing *writing, struct error *err)
{
    int64_t epoch, next;
    const struct batch_fence *fence = &writing->batch->fence;
    if (!writing->batch->outcome_unknown)
        return OUT_OK;
    enum outcome outcome = checkpoint_of(writing, &epoch, &next, err);
    if (outcome == OUT_OK && epoch == fence->epoch && next == fence->end)
        writing->only_classify = true;
    return outcome;
}

static enum outcome write_batch(struct file_store *store, struct batch *batch,
                                const struct bytes *texts, struct error *err)
{
    struct writing writing = {&store->db, batch, texts, batch->redelivered, {0}};
    struct error ignored; /* what went wrong before is what is told */
    buf_init(&writing.scratch, 256u << 20);
    enum outcome outcome = file_store_check_place(store, err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&store->db, "BEGIN IMMEDIATE", err);
    if (outcome == OUT_OK)
        outcome = settle_unknown(&writing, err);
    if (outcome == OUT_OK)
        outcome = write_all(&writing, err);
    if (outcome == OUT_OK) {
        outcome = sqlite_exec(&store->db, "COMMIT", err);
        batch->outcome_unknown = outcome != OUT_OK || writing.only_classify;
    }
    if (outcome != OUT_OK && !sqlite3_get_autocommit(store->db.connection))
        (void)!sqlite_exec(&store->db, "ROLLBACK", &ignored);
    buf_free(&writing.scratch);
    return outcome;
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
        for (; i < batch->order_count && !batch->redelivered; i++) {
            struct error err;
            struct batch_item *item = &batch->items[batch->order[i]];
            if (item->decided || item->row.deleted)
                continue;
            if (make_text(sink, item, &sink->texts[i], &err) != OUT_OK) {
                batch_reject(batch, item, &err);
                sink->refused = true;
            }
        }
    } while (!batch->redelivered && batch_promote(batch));
}

/* Pool. */
static void work_on_batch(struct file_job *job)
{
    struct file_sink *sink = job->owner;
    if (sink->phase == PHASE_PREPARE) {
        prepare(sink);
        if (sink->refused)
            return;
    }
    if (sink->phase == PHASE_GIVE_UP)
        sink->outcome = error_set(&sink->err, OUT_RETRY, ERR_STORE_FILE, "the batch was given up");
    else
        sink->outcome = write_batch(sink->store, sink->batch, sink->texts, &sink->err);
}

static void end(struct file_sink *sink, enum outcome outcome, const struct error *err)
{
    struct batch *batch = sink->batch;
    sink->batch = NULL;
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
    struct file_sink *sink = job->owner;
    bool refused = sink->phase == PHASE_PREPARE && sink->refused;
    if (refused && sink->closing) {
        end_closed(sink);
    } else if (refused) {
        sink->phase = PHASE_WAITING;
        sink->base.events.on_rejected(sink->base.owner, sink->batch);
    } else {
        sink->store->dirty = sink->store->dirty || sink->outcome == OUT_OK;
        sink->between = true;
        if (sink->phase != PHASE_GIVE_UP && sink->outcome != OUT_FATAL)
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
    sink->phase = PHASE_PREPARE;
    sink->refused = false;
    file_store_post(sink->store, &sink->job);
}

static void go_on(struct sink *base, const struct batch *batch, enum phase phase)
{
    struct file_sink *sink = of(base);
    if (sink->batch != batch || sink->phase != PHASE_WAITING)
        return;
    sink->phase = phase;
    file_store_post(sink->store, &sink->job);
}

static void commit(struct sink *base, struct batch *batch)
{
    go_on(base, batch, PHASE_WRITE);
}

static void give_up(struct sink *base, struct batch *batch)
{
    go_on(base, batch, PHASE_GIVE_UP); /* which ends it, not from in here */
}

/* ---- the files --------------------------------------------------------------------------- */

/* Pool. */
static void work_on_file(struct file_job *job)
{
    struct file_sink *sink = job->owner;
    sink->files_outcome =
        file_export_next(sink->store, &sink->any_file, &sink->written, &sink->files_err);
}

static void begin_round(struct file_sink *sink)
{
    sink->store->dirty = false;
    sink->writing_files = true;
    sink->between = false;
    sink->failures = 0;
    sink->left = 0;
    sink->round_began_ms = uv_now(sink->timer.loop);
    sink->from_start = sink->failed_rounds == 0; /* else on behind what failed */
    if (sink->from_start)
        file_export_rewind(sink->store);
    file_store_post(sink->store, &sink->files_job);
}

static void on_timer(uv_timer_t *timer)
{
    struct file_sink *sink = timer->data;
    if (sink->store->checkpoint_back) {
        sink->store->checkpoint_back = false;
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
    uint64_t rest_ms = took_ms < ROUND_MS ? ROUND_MS - took_ms : 0;
    uint64_t wait_ms = failed ? RETRY_MS : share_ms > rest_ms ? share_ms : rest_ms;
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
    struct file_sink *sink = job->owner;
    bool bad_place = sink->any_file && sink->files_outcome == OUT_REJECT;
    if (bad_place)
        leave_file(sink);
    bool failed = sink->files_outcome != OUT_OK && !bad_place;
    if (failed && sink->failures++ == 0)
        sink->failure = sink->files_err;
    bool wraps = !sink->any_file && !failed && !sink->from_start;
    bool over = (!sink->any_file && !wraps) || sink->failures >= FAILURES_MAX ||
                (failed && sink->files_outcome == OUT_FATAL);
    if (sink->closing && !over && uv_now(sink->timer.loop) >= sink->close_by_ms) {
        log_line(LOG_INFO, "file.unwritten", "written=next_start");
        over = true;
    }
    if (over) {
        end_round(sink, sink->failures ? &sink->failure : NULL);
        return;
    }
    if (wraps) {
        sink->from_start = true;
        sink->left = 0; /* they come again */
        file_export_rewind(sink->store);
    }
    file_store_post(sink->store, &sink->files_job);
}

static enum outcome settle(struct sink *base, struct error *err)
{
    struct file_sink *sink = of(base);
    bool gives_up = sink->failed_rounds >= ROUNDS_MAX;
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
    if (sink->batch && sink->phase == PHASE_WAITING)
        end_closed(sink);
    go_on_closing(sink);
}

struct sink *file_sink_new(uv_loop_t *loop, struct file_store *store,
                           const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink, settle};
    struct file_sink *sink = mem_new(sizeof *sink);
    store->loop = loop;
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->store = store;
    sink->job = (struct file_job){work_on_batch, batch_worked, sink, NULL};
    sink->files_job = (struct file_job){work_on_file, file_worked, sink, NULL};
    arena_init(&sink->texts_arena, TEXTS_MAX);
    buf_init(&sink->scratch, TEXTS_MAX);
    uv_timer_init(loop, &sink->timer);
    sink->timer.data = sink;
    uv_timer_start(&sink->timer, on_timer, 0, ROUND_MS);
    return &sink->base;
}
