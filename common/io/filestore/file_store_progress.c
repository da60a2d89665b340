/* The progress port over the file store's database. One request at a time, in order. */
#include <stdlib.h>

#include "common/io/filestore/file_store_parts.h"

#define RETRY_MS 500

enum request_kind {
    REQUEST_CHECK,
    REQUEST_CLAIM,
    REQUEST_STAGES,
    REQUEST_RELEASE,
};

struct request {
    enum request_kind kind;
    int32_t partition;
    int64_t epoch, redis_next, results_next;
    bool forgotten; /* a claim nobody waits for */
    struct request *next;
};

struct file_progress {
    struct progress base;
    struct file_store *store;
    struct file_progress_config config;
    struct request *first, *last;
    bool running; /* the first one is in the pool */

    /* of the one that runs */
    struct file_job job;
    enum outcome outcome;
    struct error err;
    struct progress_row row;
    struct buf sequences;

    uv_timer_t timer;
    bool closing, timer_closed;
    void (*on_closed)(void *owner);
};

static struct file_progress *of(struct progress *base)
{
    return (struct file_progress *)base;
}

static struct file_progress *of_job(struct file_job *job)
{
    return (struct file_progress *)((char *)job - offsetof(struct file_progress, job));
}

/* ---- in the pool ------------------------------------------------------------------------- */

static enum outcome failed(const struct error *err)
{
    return err->outcome;
}

static enum outcome check_topic(struct file_progress *progress, struct error *err)
{
    bool row;
    struct file_db *db = &progress->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_PIN_TOPIC, err);
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, bytes_text(progress->config.topic));
    sqlite3_bind_int(statement, 2, progress->config.partitions);
    if (file_db_step(db, statement, &row, err) != OUT_OK)
        return failed(err);
    int pinned = sqlite3_column_int(statement, 0);
    sqlite3_reset(statement);
    if (pinned == progress->config.partitions)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                     "topic %s has %d partitions, %d are pinned for this migration",
                     progress->config.topic, progress->config.partitions, pinned);
}

static enum outcome check_mappings(struct file_progress *progress, struct error *err)
{
    bool row;
    char hex[33];
    struct file_db *db = &progress->store->db;
    struct digest digest = mapping_set_fingerprint(progress->store->mappings);
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_PIN_GROUP, err);
    if (!statement)
        return failed(err);
    digest_format(&digest, hex);
    file_db_bind(statement, 1, bytes_text(progress->config.group));
    file_db_bind(statement, 2, bytes_text(hex));
    if (file_db_step(db, statement, &row, err) != OUT_OK)
        return failed(err);
    bool same = bytes_equal(file_db_column(statement, 0), bytes_text(hex));
    sqlite3_reset(statement);
    if (same)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
              progress->config.group);
    error_hint(err, "take another store.dir, or another --group, for other mappings");
    return OUT_FATAL;
}

static void bind_partition(struct file_progress *progress, sqlite3_stmt *statement,
                           const struct request *request)
{
    file_db_bind(statement, 1, bytes_text(progress->config.group));
    file_db_bind(statement, 2, bytes_text(progress->config.topic));
    sqlite3_bind_int(statement, 3, request->partition);
}

static enum outcome claim(struct file_progress *progress, const struct request *request,
                          struct error *err)
{
    bool row;
    struct file_db *db = &progress->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_CLAIM, err);
    if (!statement)
        return failed(err);
    bind_partition(progress, statement, request);
    file_db_bind(statement, 4, bytes_text(progress->config.worker));
    if (file_db_step(db, statement, &row, err) != OUT_OK)
        return failed(err);
    buf_reset(&progress->sequences);
    buf_append_bytes(&progress->sequences, file_db_column(statement, 4));
    progress->row = (struct progress_row){
        .next_offset = sqlite3_column_int64(statement, 0),
        .redis_next = sqlite3_column_int64(statement, 1),
        .results_next = sqlite3_column_int64(statement, 2),
        .epoch = sqlite3_column_int64(statement, 3),
        .sequences = buf_view(&progress->sequences),
    };
    /* a step to the end is what ends, and so commits, a statement that returns rows */
    while (row)
        if (file_db_step(db, statement, &row, err) != OUT_OK)
            return failed(err);
    return OUT_OK;
}

/* A worker whose epoch is over moves nothing, and need not know. */
static enum outcome move(struct file_progress *progress, enum file_statement name,
                         const struct request *request, struct error *err)
{
    bool row;
    struct file_db *db = &progress->store->db;
    sqlite3_stmt *statement = file_db_statement(db, name, err);
    if (!statement)
        return failed(err);
    bind_partition(progress, statement, request);
    sqlite3_bind_int64(statement, 4, request->epoch);
    if (name == STATEMENT_STAGES) {
        sqlite3_bind_int64(statement, 5, request->redis_next);
        sqlite3_bind_int64(statement, 6, request->results_next);
    }
    return file_db_step(db, statement, &row, err);
}

static void work(struct file_job *job)
{
    struct file_progress *progress = of_job(job);
    const struct request *request = progress->first;
    struct error *err = &progress->err;
    enum outcome outcome = OUT_OK;
    if (request->kind == REQUEST_CHECK) {
        outcome = check_topic(progress, err);
        if (outcome == OUT_OK)
            outcome = check_mappings(progress, err);
    } else if (request->kind == REQUEST_CLAIM) {
        outcome = claim(progress, request, err);
    } else {
        outcome = move(progress, STATEMENT_STAGES, request, err);
        if (outcome == OUT_OK && request->kind == REQUEST_RELEASE)
            outcome = move(progress, STATEMENT_RELEASE, request, err);
    }
    progress->outcome = outcome;
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void pump(struct file_progress *progress)
{
    if (!progress->first || progress->running)
        return;
    progress->running = true;
    file_store_post(progress->store, &progress->job);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct file_progress *progress = handle->data;
    while (progress->first) {
        struct request *next = progress->first->next;
        free(progress->first);
        progress->first = next;
    }
    void (*on_closed)(void *) = progress->on_closed;
    void *owner = progress->base.owner;
    buf_free(&progress->sequences);
    free(progress);
    on_closed(owner);
}

static void close_handle(struct file_progress *progress)
{
    if (progress->running || progress->timer_closed)
        return;
    progress->timer_closed = true;
    uv_close((uv_handle_t *)&progress->timer, on_timer_closed);
}

static void tell(struct file_progress *progress, const struct request *request)
{
    const struct progress_events *events = &progress->base.events;
    if (request->kind == REQUEST_CHECK)
        events->on_checked(progress->base.owner);
    else if (request->kind == REQUEST_CLAIM && !request->forgotten)
        events->on_claimed(progress->base.owner, request->partition, &progress->row);
    else if (request->kind == REQUEST_RELEASE)
        events->on_released(progress->base.owner, request->partition);
}

static void worked(struct file_job *job)
{
    struct file_progress *progress = of_job(job);
    struct request *request = progress->first;
    progress->running = false;
    if (progress->closing) {
        close_handle(progress);
        return;
    }
    progress->store->progress_back |= progress->store->progress_away && progress->outcome == OUT_OK;
    progress->store->progress_away = progress->outcome == OUT_RETRY;
    if (progress->outcome == OUT_OK) {
        progress->first = request->next;
        if (!progress->first)
            progress->last = NULL;
        tell(progress, request);
        free(request);
        pump(progress);
    } else {
        if (progress->outcome == OUT_RETRY)
            uv_timer_start(&progress->timer, on_retry, RETRY_MS, 0);
        progress->base.events.on_error(progress->base.owner, &progress->err);
    }
}

static void push(struct progress *base, struct request value)
{
    struct file_progress *progress = of(base);
    struct request *request = malloc(sizeof *request);
    if (!request)
        abort();
    *request = value;
    if (progress->last)
        progress->last->next = request;
    else
        progress->first = request;
    progress->last = request;
    pump(progress);
}

static void push_claim(struct progress *base, int32_t partition)
{
    push(base, (struct request){.kind = REQUEST_CLAIM, .partition = partition});
}

static void push_stages(struct progress *base, int32_t partition, int64_t epoch, int64_t redis_next,
                        int64_t results_next)
{
    push(base,
         (struct request){REQUEST_STAGES, partition, epoch, redis_next, results_next, false, NULL});
}

static void push_release(struct progress *base, int32_t partition, int64_t epoch,
                         int64_t redis_next, int64_t results_next)
{
    push(base, (struct request){REQUEST_RELEASE, partition, epoch, redis_next, results_next, false,
                                NULL});
}

static void forget_claims(struct progress *base)
{
    for (struct request *request = of(base)->first; request; request = request->next)
        request->forgotten = request->kind == REQUEST_CLAIM;
}

static bool is_idle(const struct progress *base)
{
    return !((const struct file_progress *)base)->first;
}

static void close_progress(struct progress *base, void (*on_closed)(void *owner))
{
    of(base)->closing = true;
    of(base)->on_closed = on_closed;
    close_handle(of(base));
}

struct progress *file_progress_new(uv_loop_t *loop, struct file_store *store,
                                   const struct file_progress_config *config,
                                   const struct progress_events *events, void *owner)
{
    static const struct progress_ops OPS = {push_claim,    push_stages, push_release,
                                            forget_claims, is_idle,     close_progress};
    struct file_progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        abort();
    store->loop = loop;
    progress->base = (struct progress){.ops = &OPS, .events = *events, .owner = owner};
    progress->store = store;
    progress->config = *config;
    progress->job = (struct file_job){.work = work, .done = worked};
    buf_init(&progress->sequences, 1u << 20);
    uv_timer_init(loop, &progress->timer);
    progress->timer.data = progress;
    push(&progress->base, (struct request){.kind = REQUEST_CHECK});
    return &progress->base;
}
