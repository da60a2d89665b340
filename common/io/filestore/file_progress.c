/* The progress port over the file store's database. One request at a time, in order. */
#include <stdlib.h>

#include "common/io/filestore/file_store_internal.h"
#include "common/port/progress_queue.h"

#define RETRY_MS 500

struct file_progress {
    struct progress_queue queue;
    struct file_store *store;
    struct file_progress_config config;

    /* the request that runs: the queue's first */
    struct file_job job;
    struct progress_request request;
    enum outcome outcome;
    struct error err;
    struct progress_row row;
    struct buf sequences;

    uv_timer_t timer;
    bool closing, timer_closed;
    void (*on_closed)(void *owner);
};

static const char PIN_TOPIC[] =
    "INSERT INTO pinned_topic (topic, partitions) VALUES (?1, ?2) "
    "ON CONFLICT (topic) DO UPDATE SET partitions = partitions RETURNING partitions";
static const char PIN_GROUP[] =
    "INSERT INTO pinned_group (\"group\", fingerprint) VALUES (?1, ?2) "
    "ON CONFLICT (\"group\") DO UPDATE SET fingerprint = fingerprint RETURNING fingerprint";
static const char CLAIM[] =
    "INSERT INTO progress (\"group\", topic, partition, owner) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (\"group\", topic, partition) DO UPDATE SET epoch = epoch + 1, "
    "owner = excluded.owner RETURNING next_offset, redis_next, results_next, epoch, sequences";
static const char STAGES[] =
    "UPDATE progress SET redis_next = max(redis_next, ?5), results_next = max(results_next, ?6) "
    "WHERE " FILE_PARTITION_KEY " AND epoch = ?4";
static const char RELEASE[] =
    "UPDATE progress SET owner = NULL WHERE " FILE_PARTITION_KEY " AND epoch = ?4";

/* ---- in the pool ------------------------------------------------------------------------- */

static enum outcome check_topic(struct file_progress *progress, struct error *err)
{
    sqlite3_stmt *row;
    struct file_db *db = &progress->store->db;
    const struct file_progress_config *config = &progress->config;
    enum outcome outcome = file_db_get(
        db, PIN_TOPIC, VALUES(NAME(config->topic), NUMBER(config->partitions)), &row, err);
    if (!row)
        return outcome;
    int pinned = sqlite3_column_int(row, 0);
    if (file_db_end(db, row, err) != OUT_OK)
        return err->outcome;
    if (pinned == config->partitions)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                     "topic %s has %d partitions, %d are pinned for this migration", config->topic,
                     config->partitions, pinned);
}

static enum outcome check_mappings(struct file_progress *progress, struct error *err)
{
    char hex[33];
    sqlite3_stmt *row;
    struct file_db *db = &progress->store->db;
    struct digest digest = mapping_set_fingerprint(progress->store->mappings);
    digest_format(&digest, hex);
    enum outcome outcome =
        file_db_get(db, PIN_GROUP, VALUES(NAME(progress->config.group), NAME(hex)), &row, err);
    if (!row)
        return outcome;
    bool same = bytes_equal(file_db_column(row, 0), bytes_text(hex));
    if (file_db_end(db, row, err) != OUT_OK)
        return err->outcome;
    if (same)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
              progress->config.group);
    error_hint(err, "take another store.dir, or another --group, for other mappings");
    return OUT_FATAL;
}

#define PARTITION_VALUES                                                                           \
    NAME(progress->config.group), NAME(progress->config.topic), NUMBER(progress->request.partition)

static enum outcome claim(struct file_progress *progress, struct error *err)
{
    sqlite3_stmt *row;
    struct file_db *db = &progress->store->db;
    enum outcome outcome =
        file_db_get(db, CLAIM, VALUES(PARTITION_VALUES, NAME(progress->config.worker)), &row, err);
    if (!row)
        return outcome;
    buf_reset(&progress->sequences);
    buf_append_bytes(&progress->sequences, file_db_column(row, 4));
    progress->row = (struct progress_row){
        .next_offset = sqlite3_column_int64(row, 0),
        .redis_next = sqlite3_column_int64(row, 1),
        .results_next = sqlite3_column_int64(row, 2),
        .epoch = sqlite3_column_int64(row, 3),
        .sequences = buf_view(&progress->sequences),
    };
    return file_db_end(db, row, err);
}

/* A worker whose epoch is over moves nothing, and need not know. */
static enum outcome move(struct file_progress *progress, struct error *err)
{
    const struct progress_request *request = &progress->request;
    struct file_db *db = &progress->store->db;
    enum outcome outcome =
        file_db_run(db, STAGES,
                    VALUES(PARTITION_VALUES, NUMBER(request->epoch), NUMBER(request->redis_next),
                           NUMBER(request->results_next)),
                    err);
    if (outcome == OUT_OK && request->kind == REQUEST_RELEASE)
        outcome = file_db_run(db, RELEASE, VALUES(PARTITION_VALUES, NUMBER(request->epoch)), err);
    return outcome;
}

static void work(struct file_job *job)
{
    struct file_progress *progress = job->owner;
    struct error *err = &progress->err;
    switch (progress->request.kind) {
    case REQUEST_CHECK:
        progress->outcome = check_topic(progress, err);
        if (progress->outcome == OUT_OK)
            progress->outcome = check_mappings(progress, err);
        break;
    case REQUEST_CLAIM:
        progress->outcome = claim(progress, err);
        break;
    case REQUEST_STAGES:
    case REQUEST_RELEASE:
        progress->outcome = move(progress, err);
        break;
    }
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void pump(struct progress_queue *queue)
{
    struct file_progress *progress = (struct file_progress *)queue;
    if (!queue->first || queue->in_flight)
        return;
    queue->in_flight = true;
    progress->request = *queue->first;
    file_store_post(progress->store, &progress->job);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct file_progress *progress = handle->data;
    void (*on_closed)(void *) = progress->on_closed;
    void *owner = progress->queue.base.owner;
    progress_queue_clear(&progress->queue);
    buf_free(&progress->sequences);
    free(progress);
    on_closed(owner);
}

static void close_handle(struct file_progress *progress)
{
    if (progress->queue.in_flight || progress->timer_closed)
        return;
    progress->timer_closed = true;
    uv_close((uv_handle_t *)&progress->timer, on_timer_closed);
}

static void answer(struct file_progress *progress)
{
    struct progress *base = &progress->queue.base;
    struct progress_request done = progress_queue_pop(&progress->queue);
    bool forgotten = progress->queue.forgotten;
    progress->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        base->events.on_checked(base->owner);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        base->events.on_claimed(base->owner, done.partition, &progress->row);
    else if (done.kind == REQUEST_RELEASE)
        base->events.on_released(base->owner, done.partition);
    pump(&progress->queue);
}

static void worked(struct file_job *job)
{
    struct file_progress *progress = job->owner;
    struct file_store *store = progress->store;
    struct progress *base = &progress->queue.base;
    if (progress->closing) {
        progress->queue.in_flight = false;
        close_handle(progress);
        return;
    }
    store->progress_back |= store->progress_away && progress->outcome == OUT_OK;
    store->progress_away = progress->outcome == OUT_RETRY;
    if (progress->outcome == OUT_OK) {
        answer(progress);
        return;
    }
    progress->queue.in_flight = false;
    if (progress->outcome == OUT_RETRY)
        uv_timer_start(&progress->timer, on_retry, RETRY_MS, 0);
    base->events.on_error(base->owner, &progress->err);
}

static void close_progress(struct progress *base, void (*on_closed)(void *owner))
{
    struct file_progress *progress = (struct file_progress *)base;
    progress->closing = true;
    progress->on_closed = on_closed;
    close_handle(progress);
}

struct progress *file_progress_new(uv_loop_t *loop, struct file_store *store,
                                   const struct file_progress_config *config,
                                   const struct progress_events *events, void *owner)
{
    static const struct progress_ops OPS = {progress_queue_claim,   progress_queue_stages,
                                            progress_queue_release, progress_queue_forget_claims,
                                            progress_queue_is_idle, close_progress};
    struct file_progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        abort();
    store->loop = loop;
    progress->queue.base = (struct progress){.ops = &OPS, .events = *events, .owner = owner};
    progress->queue.pump = pump;
    progress->store = store;
    progress->config = *config;
    progress->job = (struct file_job){work, worked, progress, NULL};
    buf_init(&progress->sequences, 1u << 20);
    uv_timer_init(loop, &progress->timer);
    progress->timer.data = progress;
    progress_queue_push(&progress->queue, (struct progress_request){.kind = REQUEST_CHECK});
    return &progress->queue.base;
}
