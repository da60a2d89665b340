/* The checkpoint port over the file store's database. One request at a time, in order. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/filestore/file_generation.h"
#include "common/io/filestore/file_store_internal.h"
#include "common/port/checkpoint_queue.h"

#define RETRY_MS 500

struct file_checkpoint {
    struct checkpoint_queue queue;
    struct file_store *store;
    struct checkpoint_config config;

    /* the request that runs: the queue's first */
    struct file_job job;
    struct checkpoint_request request;
    enum outcome outcome;
    struct error err;
    struct checkpoint_row row; /* of a claim; of a look the epoch */
    struct checkpoint_seen seen;
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
static const char SEE_GROUP[] = "SELECT 1 FROM pinned_group WHERE \"group\" = ?1";
static const char CLAIM[] =
    "INSERT INTO progress (\"group\", topic, partition, owner) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (\"group\", topic, partition) DO UPDATE SET epoch = epoch + 1, "
    "owner = excluded.owner RETURNING next_offset, redis_next, results_next, epoch, sequences";
static const char STAGES[] =
    "UPDATE progress SET redis_next = max(redis_next, ?5), results_next = max(results_next, ?6) "
    "WHERE " FILE_PARTITION_KEY " AND epoch = ?4";
static const char RELEASE[] =
    "UPDATE progress SET owner = NULL WHERE " FILE_PARTITION_KEY " AND epoch = ?4";

static const char LOOK[] =
    "SELECT epoch, owner IS NOT NULL, next_offset FROM progress WHERE " FILE_PARTITION_KEY;

/* ---- in the pool ------------------------------------------------------------------------- */

static enum outcome check_topic(struct file_checkpoint *checkpoint, struct error *err)
{
    sqlite3_stmt *row;
    struct sqlite_db *db = &checkpoint->store->db;
    const struct checkpoint_config *config = &checkpoint->config;
    enum outcome outcome = sqlite_get(
        db, PIN_TOPIC, VALUES(NAME(config->topic), NUMBER(config->partitions)), &row, err);
    if (!row)
        return outcome;
    int pinned = sqlite3_column_int(row, 0);
    if (sqlite_end(db, row, err) != OUT_OK)
        return err->outcome;
    if (pinned == config->partitions)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                     "topic %s has %d partitions, %d are pinned for this migration", config->topic,
                     config->partitions, pinned);
}

static enum outcome check_mappings(struct file_checkpoint *checkpoint, struct error *err)
{
    char hex[33];
    sqlite3_stmt *row;
    struct sqlite_db *db = &checkpoint->store->db;
    struct digest digest = mapping_set_fingerprint(checkpoint->store->mappings);
    digest_format(&digest, hex);
    bool is_replay = checkpoint->config.is_replay;
    enum outcome outcome =
        is_replay ? file_generation_take(db, checkpoint->store->mappings, false, err) : OUT_OK;
    if (outcome != OUT_OK) /* before its group is pinned to them */
        return outcome;
    outcome = sqlite_get(db, SEE_GROUP, VALUES(NAME(checkpoint->config.group)), &row, err);
    bool pinned = !row;
    if (outcome == OUT_OK && row)
        outcome = sqlite_end(db, row, err);
    if (outcome == OUT_OK)
        outcome =
            sqlite_get(db, PIN_GROUP, VALUES(NAME(checkpoint->config.group), NAME(hex)), &row, err);
    if (outcome != OUT_OK || !row)
        return outcome;
    bool same = bytes_equal(sqlite_bytes(row, 0), bytes_text(hex));
    if (sqlite_end(db, row, err) != OUT_OK)
        return err->outcome;
    if (same)
        return file_generation_take(db, checkpoint->store->mappings, pinned && !is_replay, err);
    error_set(err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
              checkpoint->config.group);
    error_hint(err, "take another store.dir, or another --group, for other mappings");
    return OUT_FATAL;
}

#define PARTITION_VALUES                                                                           \
    NAME(checkpoint->config.group), NAME(checkpoint->config.topic),                                \
        NUMBER(checkpoint->request.partition)

static enum outcome claim(struct file_checkpoint *checkpoint, struct error *err)
{
    sqlite3_stmt *row;
    struct sqlite_db *db = &checkpoint->store->db;
    enum outcome outcome =
        sqlite_get(db, CLAIM, VALUES(PARTITION_VALUES, NAME(checkpoint->config.worker)), &row, err);
    if (!row)
        return outcome;
    buf_reset(&checkpoint->sequences);
    buf_append_bytes(&checkpoint->sequences, sqlite_bytes(row, 4));
    checkpoint->row = (struct checkpoint_row){
        .next_offset = sqlite3_column_int64(row, 0),
        .redis_next = sqlite3_column_int64(row, 1),
        .results_next = sqlite3_column_int64(row, 2),
        .epoch = sqlite3_column_int64(row, 3),
        .sequences = buf_view(&checkpoint->sequences),
    };
    return sqlite_end(db, row, err);
}

static enum outcome look(struct file_checkpoint *checkpoint, struct error *err)
{
    sqlite3_stmt *row;
    struct sqlite_db *db = &checkpoint->store->db;
    enum outcome outcome = sqlite_get(db, LOOK, VALUES(PARTITION_VALUES), &row, err);
    checkpoint->seen = (struct checkpoint_seen){0};
    if (row)
        checkpoint->seen = (struct checkpoint_seen){.epoch = sqlite3_column_int64(row, 0),
                                                    .next_offset = sqlite3_column_int64(row, 2),
                                                    .is_owned = sqlite3_column_int(row, 1)};
    return row ? sqlite_end(db, row, err) : outcome;
}

/* A worker whose epoch is over moves nothing, and need not know. */
static enum outcome move(struct file_checkpoint *checkpoint, struct error *err)
{
    const struct checkpoint_request *request = &checkpoint->request;
    struct sqlite_db *db = &checkpoint->store->db;
    enum outcome outcome =
        sqlite_run(db, STAGES,
                   VALUES(PARTITION_VALUES, NUMBER(request->epoch), NUMBER(request->redis_next),
                          NUMBER(request->results_next)),
                   err);
    if (outcome == OUT_OK && request->kind == REQUEST_RELEASE)
        outcome = sqlite_run(db, RELEASE, VALUES(PARTITION_VALUES, NUMBER(request->epoch)), err);
    return outcome;
}

static void work(struct file_job *job)
{
    struct file_checkpoint *checkpoint = job->owner;
    struct error *err = &checkpoint->err;
    switch (checkpoint->request.kind) {
    case REQUEST_CHECK:
        checkpoint->outcome = check_topic(checkpoint, err);
        if (checkpoint->outcome == OUT_OK)
            checkpoint->outcome = check_mappings(checkpoint, err);
        break;
    case REQUEST_CLAIM:
        checkpoint->outcome = claim(checkpoint, err);
        break;
    case REQUEST_LOOK:
        checkpoint->outcome = look(checkpoint, err);
        break;
    case REQUEST_ADVANCE:
    case REQUEST_RELEASE:
        checkpoint->outcome = move(checkpoint, err);
        break;
    }
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void pump(struct checkpoint_queue *queue)
{
    struct file_checkpoint *checkpoint = (struct file_checkpoint *)queue;
    if (!queue->first || queue->in_flight)
        return;
    queue->in_flight = true;
    checkpoint->request = *queue->first;
    file_store_post(checkpoint->store, &checkpoint->job);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct file_checkpoint *checkpoint = handle->data;
    void (*on_closed)(void *) = checkpoint->on_closed;
    void *owner = checkpoint->queue.base.owner;
    checkpoint_queue_clear(&checkpoint->queue);
    buf_free(&checkpoint->sequences);
    free(checkpoint);
    on_closed(owner);
}

static void close_handle(struct file_checkpoint *checkpoint)
{
    if (checkpoint->queue.in_flight || checkpoint->timer_closed)
        return;
    checkpoint->timer_closed = true;
    uv_close((uv_handle_t *)&checkpoint->timer, on_timer_closed);
}

static void answer(struct file_checkpoint *checkpoint)
{
    struct checkpoint *base = &checkpoint->queue.base;
    struct checkpoint_request done = checkpoint_queue_pop(&checkpoint->queue);
    bool forgotten = checkpoint->queue.forgotten;
    checkpoint->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        base->events.on_checked(base->owner);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        base->events.on_claimed(base->owner, done.partition, &checkpoint->row);
    else if (done.kind == REQUEST_RELEASE)
        base->events.on_released(base->owner, done.partition);
    else if (done.kind == REQUEST_LOOK)
        base->events.on_seen(base->owner, done.partition, &checkpoint->seen);
    pump(&checkpoint->queue);
}

static void worked(struct file_job *job)
{
    struct file_checkpoint *checkpoint = job->owner;
    struct file_store *store = checkpoint->store;
    struct checkpoint *base = &checkpoint->queue.base;
    if (checkpoint->closing) {
        checkpoint->queue.in_flight = false;
        close_handle(checkpoint);
        return;
    }
    store->checkpoint_back |= store->checkpoint_away && checkpoint->outcome == OUT_OK;
    store->checkpoint_away = checkpoint->outcome == OUT_RETRY;
    if (checkpoint->outcome == OUT_OK) {
        answer(checkpoint);
        return;
    }
    checkpoint->queue.in_flight = false;
    if (checkpoint->outcome == OUT_RETRY)
        uv_timer_start(&checkpoint->timer, on_retry, RETRY_MS, 0);
    base->events.on_error(base->owner, &checkpoint->err);
}

static void close_checkpoint(struct checkpoint *base, void (*on_closed)(void *owner))
{
    struct file_checkpoint *checkpoint = (struct file_checkpoint *)base;
    checkpoint->closing = true;
    checkpoint->on_closed = on_closed;
    close_handle(checkpoint);
}

struct checkpoint *file_checkpoint_new(uv_loop_t *loop, struct file_store *store,
                                       const struct checkpoint_config *config,
                                       const struct checkpoint_events *events, void *owner)
{
    static const struct checkpoint_ops OPS = {
        checkpoint_queue_claim, checkpoint_queue_advance,       checkpoint_queue_release,
        checkpoint_queue_look,  checkpoint_queue_forget_claims, checkpoint_queue_is_idle,
        close_checkpoint};
    struct file_checkpoint *checkpoint = mem_new(sizeof *checkpoint);
    store->loop = loop;
    checkpoint->queue.base = (struct checkpoint){.ops = &OPS, .events = *events, .owner = owner};
    checkpoint->queue.pump = pump;
    checkpoint->store = store;
    checkpoint->config = *config;
    checkpoint->job = (struct file_job){work, worked, checkpoint, NULL};
    buf_init(&checkpoint->sequences, 1u << 20);
    uv_timer_init(loop, &checkpoint->timer);
    checkpoint->timer.data = checkpoint;
    checkpoint_queue_push(&checkpoint->queue, (struct checkpoint_request){.kind = REQUEST_CHECK});
    return &checkpoint->queue.base;
}
