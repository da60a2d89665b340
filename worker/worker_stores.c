/*
 * Which stores a storage has:
 *
 *   database  PostgreSQL      hybrid  PostgreSQL, and Redis behind it      redis  Redis      file
 *
 * Everything else of the worker knows the ports only.
 */

#include "worker/worker_stores.h"

#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/filestore/file_store.h"
#include "common/io/kafka/kafka_message.h"
#include "common/io/log.h"
#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_progress.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/redis/redis_sink.h"
#include "common/io/redis/redis_url.h"
#include "worker/parents.h"
#include "worker/redis_stage.h"
#include "worker/stall.h"

#define START_MS 30000   /* longest wait for PostgreSQL at the start */
#define CONNECT_MS 10000 /* one connection attempt */

/* Row level security must really hold before anything is written. Waits for a server that is away.
 */
static enum outcome pass_gate(const struct worker *worker, struct error *err)
{
    PGconn *session = NULL;
    enum outcome outcome;
    struct backoff backoff = BACKOFF_CONNECTION;
    if (!worker->settings->database_url)
        return error_set(err, OUT_FATAL, ERR_CONF_MISSING, "database.url is not set");
    while ((outcome = pg_session_open(worker->settings->database_url, worker->settings->worker_role,
                                      "drover-worker", CONNECT_MS, &session, err)) == OUT_RETRY) {
        if (clock_monotonic_ms() - worker->started_ms > START_MS)
            return OUT_FATAL;
        usleep(1000 * backoff_next_ms(&backoff, UINT32_MAX / 2));
    }
    if (outcome == OUT_OK)
        outcome = pg_gate_check(session, err);
    PQfinish(session);
    return outcome;
}

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

enum outcome worker_stores_check(struct worker *worker, struct error *err)
{
    enum outcome outcome = OUT_OK;
    const struct store *store = worker->store;
    if (store->in_process)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "storage memory lives in one process: it serves drover run");
    if (store->has_redis)
        outcome = check_redis(worker, err);
    if (outcome == OUT_OK && store->has_tables)
        outcome = pass_gate(worker, err);
    if (outcome == OUT_OK && store->has_files)
        outcome = file_store_open(worker->settings, &worker->mappings, &worker->file_store, err);
    return outcome;
}

/* ---- opening ----------------------------------------------------------------------------- */

static enum outcome open_postgres(struct worker *worker, struct error *err)
{
    struct pg_progress_config config = {
        .lane = {.url = worker->settings->database_url,
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
    worker->progress = pg_progress_new(&worker->loop, &config, &worker->events->progress, worker);
    worker->sink = pg_sink_new(&worker->loop, &config.lane, (int)worker->settings->lanes,
                               &worker->mappings, &worker->events->sink, worker);
    worker->parents = parents_new(worker);
    return worker->store->has_stage ? redis_stage_new(worker, err) : OUT_OK;
}

static enum outcome open_redis(struct worker *worker, struct error *err)
{
    struct redis_progress_config config = {worker->group, worker->source, worker->name,
                                           worker->partition_total, &worker->mappings};
    enum outcome outcome =
        redis_progress_new(&worker->loop, worker->settings, &config, &worker->events->progress,
                           worker, &worker->progress, err);
    if (outcome == OUT_OK)
        outcome = redis_sink_new(&worker->loop, worker->settings, &worker->events->sink, worker,
                                 &worker->sink, err);
    return outcome;
}

static enum outcome open_file(struct worker *worker, struct error *err)
{
    (void)err;
    struct file_progress_config config = {worker->group, worker->source, worker->name,
                                          worker->partition_total};
    worker->progress = file_progress_new(&worker->loop, worker->file_store, &config,
                                         &worker->events->progress, worker);
    worker->sink = file_sink_new(&worker->loop, worker->file_store, &worker->events->sink, worker);
    return OUT_OK;
}

enum outcome worker_stores_open(struct worker *worker, struct error *err)
{
    static enum outcome (*const OPEN[])(struct worker *, struct error *) = {
        [STORAGE_DATABASE] = open_postgres, /* storage memory did not pass the check */
        [STORAGE_REDIS] = open_redis,
        [STORAGE_HYBRID] = open_postgres,
        [STORAGE_FILE] = open_file,
    };
    worker->stalls = stalls_new(worker, membership_claim_one);
    return OPEN[worker->settings->storage](worker, err);
}

void worker_stores_close(struct worker *worker)
{
    if (worker->sink) {
        worker->open_parts++;
        sink_close(worker->sink, worker->events->on_closed);
    }
    if (worker->progress) {
        worker->open_parts++;
        progress_close(worker->progress, worker->events->on_closed);
    }
    if (worker->stage) {
        worker->open_parts++;
        redis_stage_close(worker->stage, worker->events->on_closed);
    }
    if (worker->parents) {
        worker->open_parts++;
        parents_close(worker->parents, worker->events->on_closed);
    }
    if (worker->stalls) {
        worker->open_parts++;
        stalls_close(worker->stalls, worker->events->on_closed);
    }
}

void worker_stores_free(struct worker *worker)
{
    file_store_close(worker->file_store);
}
