/*
 * Which stores a storage has:
 *
 *   database  PostgreSQL      hybrid  PostgreSQL, and Redis behind it      redis  Redis      file
 *
 * Everything else of the worker knows the ports only.
 */

#include "worker/worker_stores.h"

#include "common/io/filestore/file_store.h"
#include "common/io/log.h"
#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_pending.h"
#include "common/io/postgres/pg_checkpoint.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/redis/redis_checkpoint.h"
#include "common/io/redis/redis_sink.h"
#include "common/io/redis/redis_stage.h"
#include "common/io/redis/redis_url.h"
#include "worker/pending_children.h"

#define START_MS 30000   /* longest wait for PostgreSQL at the start */
#define CONNECT_MS 10000 /* one connection attempt */

/* The process's only one; a worker of storage file is the only one of its folder. */
static struct file_store *file_store;

/* A password in the clear beyond this machine is said once, and left to who runs it. */
static enum outcome check_redis(const struct worker *worker, struct error *err)
{
    struct redis_url url;
    char place[300];
    enum outcome outcome = redis_url_parse(worker->settings->redis_url, &url, err);
    if (outcome == OUT_OK && !redis_url_is_local(&url)) {
        redis_url_format(&url, place, sizeof place);
        log_line(LOG_WARN, "redis.plaintext", "where=%s", place);
    }
    redis_url_wipe(&url);
    return outcome;
}

/* All that a start waits for together has START_MS. */
static uint64_t start_left_ms(const struct worker *worker)
{
    uint64_t gone_ms = clock_now_ms(worker->clock) - worker->started_ms;
    return gone_ms < START_MS ? START_MS - gone_ms : 0;
}

static enum outcome check_stores(struct worker *worker, struct error *err)
{
    enum outcome outcome = OUT_OK;
    const struct store *store = worker->store;
    if (store->in_process)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "storage memory lives in one process: it serves drover run");
    if (store->has_redis)
        outcome = check_redis(worker, err);
    if (outcome == OUT_OK && store->has_tables)
        outcome = pg_gate_pass(worker->settings, start_left_ms(worker), err);
    if (outcome == OUT_OK && store->has_files)
        outcome = file_store_open(worker->settings, &worker->mappings, &file_store, err);
    return outcome;
}

/* ---- opening ----------------------------------------------------------------------------- */

static void on_advanced(void *owner, int32_t number, int64_t epoch, int64_t next)
{
    struct worker *worker = owner;
    struct partition *partition = &worker->partitions[number];
    if (worker->held[number] && partition->epoch == epoch && next > partition->redis_next)
        partition->redis_next = next;
}

static void on_unowned(void *owner, uint64_t keys)
{
    struct worker *worker = owner;
    worker->counts.metrics[METRIC_REDIS_UNOWNED] += keys;
}

static void on_stage_failed(void *owner, const struct error *err)
{
    worker_fail(owner, err);
}

static enum outcome open_stage(struct worker *worker, struct error *err)
{
    static const struct redis_stage_events EVENTS = {on_advanced, on_unowned, on_stage_failed};
    return redis_stage_new(worker->world.loop, worker->settings, "/proc/self/exe", &EVENTS, worker,
                           &worker->stage, err);
}

static void open_pending(struct worker *worker)
{
    struct pg_pending_config config = {.settings = worker->settings,
                                       .mappings = &worker->mappings,
                                       .group = worker->group,
                                       .topic = worker->source,
                                       .partitions = worker->partition_total,
                                       .bus = worker->bus,
                                       .wants_rows = worker->store->has_stage};
    if (!pending_children_are_needed(worker))
        return;
    worker->pending = pending_children_new(worker);
    pending_children_use(
        worker->pending,
        pg_pending_new(worker->world.loop, &config, &PENDING_CHILDREN_EVENTS, worker->pending));
}

static enum outcome open_postgres(struct worker *worker, struct error *err)
{
    struct pg_checkpoint_config config = {
        .connection = {.url = worker->settings->database_url,
                       .role = worker->settings->worker_role,
                       .application = "drover-worker",
                       .connect_ms = CONNECT_MS},
        .group = worker->group,
        .topic = worker->source,
        .worker = worker->name,
        .partitions = worker->partition_total,
        .mappings = &worker->mappings,
        .hybrid = worker->store->has_stage,
    };
    worker->checkpoint =
        pg_checkpoint_new(worker->world.loop, &config, &worker->events->checkpoint, worker);
    worker->sink =
        pg_sink_new(worker->world.loop, &config.connection, (int)worker->settings->connections,
                    &worker->mappings, &worker->events->sink, worker);
    open_pending(worker);
    return worker->store->has_stage ? open_stage(worker, err) : OUT_OK;
}

static enum outcome open_redis(struct worker *worker, struct error *err)
{
    struct redis_checkpoint_config config = {worker->group, worker->source, worker->name,
                                             worker->partition_total, &worker->mappings};
    enum outcome outcome =
        redis_checkpoint_new(worker->world.loop, worker->settings, &config,
                             &worker->events->checkpoint, worker, &worker->checkpoint, err);
    if (outcome == OUT_OK)
        outcome = redis_sink_new(worker->world.loop, worker->settings, &worker->events->sink,
                                 worker, &worker->sink, err);
    return outcome;
}

static enum outcome open_file(struct worker *worker, struct error *err)
{
    (void)err;
    struct file_checkpoint_config config = {worker->group, worker->source, worker->name,
                                            worker->partition_total};
    worker->checkpoint = file_checkpoint_new(worker->world.loop, file_store, &config,
                                             &worker->events->checkpoint, worker);
    worker->sink = file_sink_new(worker->world.loop, file_store, &worker->events->sink, worker);
    return OUT_OK;
}

static enum outcome open_stores(struct worker *worker, struct error *err)
{
    static enum outcome (*const OPEN[])(struct worker *, struct error *) = {
        [STORE_DATABASE] = open_postgres, /* storage memory did not pass the check */
        [STORE_REDIS] = open_redis,
        [STORE_HYBRID] = open_postgres,
        [STORE_FILE] = open_file,
    };
    return OPEN[worker->settings->storage](worker, err);
}

static void free_stores(struct worker *worker)
{
    (void)worker;
    file_store_close(file_store);
    file_store = NULL;
}

const struct worker_stores WORKER_STORES_SERVERS = {check_stores, open_stores, free_stores};
