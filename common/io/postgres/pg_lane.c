/*
 *   CLOSED_DOWN ── timer ──► CONNECTING ──► IDLE ◄──► BUSY
 *        ▲                       │            │         │
 *        └───────── lost ────────┴────────────┴─────────┘
 *
 * The socket's descriptor changes while connecting (several addresses) and on each new connection,
 * so the uv_poll handle is made anew each time: it lives in a watch of its own, which is freed in
 * its close callback. A lane never frees itself before all its handles are closed.
 *
 * Reading in pipeline mode: each query's result is followed by a NULL; a failed query is followed
 * by PIPELINE_ABORTED results up to the PIPELINE_SYNC (fault row P15).
 */

#include "common/io/postgres/pg_lane.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_session.h"
#include "common/policy/backoff.h"

/* Queries of one exchange at most: callers send what may be more in several (PG_WRITER_GROUPS). */
#define RESULTS_MOST 16384

enum lane_state {
    LANE_DOWN, /* waiting for the timer */
    LANE_CONNECTING,
    LANE_IDLE,
    LANE_BUSY,
    LANE_ENDED, /* login refused, or closing */
};

struct watch {
    uv_poll_t poll;
    struct pg_lane *lane; /* NULL once the lane gave it up */
    int events;
};

struct pg_lane {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct pg_lane_events events;
    void *owner;
    struct pg_params params;
    char *url, *role, *application;
    uint32_t connect_ms;
    PGconn *connection;
    struct watch *watch;
    int watched_fd;
    enum lane_state state;
    struct backoff backoff;
    const char **names; /* prepared statements of this connection: a few a mapping */
    int name_count, name_capacity;
    const char **prepares; /* per queued query: the name an implicit prepare makes, or NULL */
    PGresult **results;
    int queued, capacity;
    int read; /* queries whose NULL was seen */
    PGresult *current;
    void (*on_closed)(void *owner);
};

static void connect_soon(struct pg_lane *lane, uint32_t wait_ms);
static void on_poll(uv_poll_t *poll, int status, int events);

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop_watch(struct pg_lane *lane)
{
    struct watch *watch = lane->watch;
    if (!watch)
        return;
    lane->watch = NULL;
    lane->watched_fd = -1;
    watch->lane = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void watch_for(struct pg_lane *lane, int events)
{
    int fd = PQsocket(lane->connection);
    if (lane->watch && lane->watched_fd != fd)
        drop_watch(lane);
    if (fd < 0)
        return;
    if (!lane->watch) {
        struct watch *watch = calloc(1, sizeof *watch);
        if (!watch || uv_poll_init(lane->loop, &watch->poll, fd) != 0)
            abort();
        watch->poll.data = watch;
        watch->lane = lane;
        lane->watch = watch;
        lane->watched_fd = fd;
    }
    if (lane->watch->events == events)
        return;
    lane->watch->events = events;
    uv_poll_start(&lane->watch->poll, events, on_poll);
}

static void clear_exchange(struct pg_lane *lane)
{
    for (int i = 0; i < lane->queued; i++)
        PQclear(lane->results[i]);
    PQclear(lane->current);
    lane->current = NULL;
    lane->queued = 0;
    lane->read = 0;
}

static void disconnect(struct pg_lane *lane)
{
    drop_watch(lane);
    clear_exchange(lane);
    PQfinish(lane->connection);
    lane->connection = NULL;
    lane->name_count = 0;
}

static void lose(struct pg_lane *lane, const struct error *err)
{
    disconnect(lane);
    if (err->outcome == OUT_FATAL) {
        lane->state = LANE_ENDED;
        uv_timer_stop(&lane->timer);
    } else {
        lane->state = LANE_DOWN;
        uint32_t random;
        uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
        connect_soon(lane, backoff_next_ms(&lane->backoff, random));
    }
    lane->events.on_lost(lane->owner, lane, err);
}

static void lose_connection(struct pg_lane *lane)
{
    struct error err;
    pg_error_from_connection(lane->connection, &err);
    lose(lane, &err);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void become_ready(struct pg_lane *lane)
{
    if (PQsetnonblocking(lane->connection, 1) != 0 || PQenterPipelineMode(lane->connection) != 1) {
        lose_connection(lane);
        return;
    }
    uv_timer_stop(&lane->timer);
    backoff_reset(&lane->backoff);
    lane->state = LANE_IDLE;
    watch_for(lane, UV_READABLE);
    lane->events.on_ready(lane->owner, lane);
}

static void advance_connecting(struct pg_lane *lane)
{
    switch (PQconnectPoll(lane->connection)) {
    case PGRES_POLLING_OK:
        become_ready(lane);
        break;
    case PGRES_POLLING_READING:
        watch_for(lane, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        watch_for(lane, UV_WRITABLE);
        break;
    default:
        lose_connection(lane);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct pg_lane *lane = timer->data;
    if (lane->state == LANE_BUSY) { /* it broke while the exchange was being queued */
        lose_connection(lane);
        return;
    }
    if (lane->state == LANE_CONNECTING) {
        struct error err;
        error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "PostgreSQL did not answer in %u ms",
                  lane->connect_ms);
        lose(lane, &err);
        return;
    }
    lane->connection = PQconnectStartParams(lane->params.keywords, lane->params.values, 1);
    if (!lane->connection || PQstatus(lane->connection) == CONNECTION_BAD) {
        lose_connection(lane);
        return;
    }
    lane->state = LANE_CONNECTING;
    uv_timer_start(&lane->timer, on_timer, lane->connect_ms, 0);
    watch_for(lane, UV_WRITABLE);
}

static void connect_soon(struct pg_lane *lane, uint32_t wait_ms)
{
    uv_timer_start(&lane->timer, on_timer, wait_ms, 0);
}

/* ---- results ----------------------------------------------------------------------------- */

static bool has_failed(const PGresult *result)
{
    ExecStatusType status = result ? PQresultStatus(result) : PGRES_FATAL_ERROR;
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

static void forget_name(struct pg_lane *lane, const char *name)
{
    for (int i = 0; i < lane->name_count; i++)
        if (lane->names[i] == name)
            lane->names[i] = lane->names[--lane->name_count];
}

/* Takes the implicit prepares out of the results; one that failed stands for its query. */
static void gather_reply(struct pg_lane *lane, struct pg_reply *reply)
{
    for (int i = 0; i < lane->queued; i++) {
        PGresult *result = lane->results[i];
        bool failed = has_failed(result);
        if (lane->prepares[i] && failed)
            forget_name(lane, lane->prepares[i]);
        bool first_failure = failed && reply->failed < 0;
        if (first_failure)
            reply->failed = reply->count;
        if (lane->prepares[i] && !first_failure)
            PQclear(result);
        else
            lane->results[reply->count++] = result;
    }
}

static void finish_exchange(struct pg_lane *lane)
{
    struct pg_reply reply = {.results = lane->results, .failed = -1};
    gather_reply(lane, &reply);
    int kept = reply.count;
    PGresult **mine = lane->results;
    lane->results = NULL;
    free(lane->prepares);
    lane->prepares = NULL;
    lane->capacity = lane->queued = lane->read = 0;
    lane->state = LANE_IDLE;
    lane->events.on_reply(lane->owner, lane, &reply); /* may start the next exchange, or close */
    for (int i = 0; i < kept; i++)
        PQclear(mine[i]);
    free(mine);
}

/* Takes what has arrived; true when the exchange ended and the lane may be gone. */
static bool take_results(struct pg_lane *lane)
{
    while (!PQisBusy(lane->connection)) {
        PGresult *result = PQgetResult(lane->connection);
        if (!result) {
            if (lane->read >= lane->queued || !lane->current)
                return false; /* nothing more has arrived */
            lane->results[lane->read++] = lane->current;
            lane->current = NULL;
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            finish_exchange(lane);
            return true;
        }
        PQclear(lane->current);
        lane->current = result;
        if (PQstatus(lane->connection) == CONNECTION_BAD) {
            lose_connection(lane);
            return true;
        }
    }
    return false;
}

static void advance_io(struct pg_lane *lane, int events)
{
    if ((events & UV_READABLE) && PQconsumeInput(lane->connection) != 1) {
        lose_connection(lane);
        return;
    }
    int flushed = PQflush(lane->connection);
    if (flushed < 0) {
        lose_connection(lane);
        return;
    }
    watch_for(lane, flushed ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    bool ended = lane->state == LANE_BUSY && take_results(lane);
    if (!ended && PQstatus(lane->connection) == CONNECTION_BAD)
        lose_connection(lane);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct pg_lane *lane = watch->lane;
    if (!lane)
        return;
    if (status < 0)
        watch->events = 0; /* libuv stops a handle on POLLERR: watch_for must start it again */
    if (lane->state == LANE_CONNECTING)
        advance_connecting(lane);
    else
        advance_io(lane, status < 0 ? UV_READABLE : events);
}

/* ---- the owner's calls ------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    char *copy = strdup(text ? text : "");
    if (!copy)
        abort();
    return copy;
}

struct pg_lane *pg_lane_new(uv_loop_t *loop, const struct pg_lane_config *config,
                            const struct pg_lane_events *events, void *owner)
{
    struct pg_lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        abort();
    lane->loop = loop;
    lane->events = *events;
    lane->owner = owner;
    lane->url = copy_text(config->url);
    lane->role = copy_text(config->role);
    lane->application = copy_text(config->application);
    lane->connect_ms = config->connect_ms;
    lane->watched_fd = -1;
    lane->backoff = BACKOFF_CONNECTION;
    pg_params_init(&lane->params, lane->url, lane->role, lane->application);
    uv_timer_init(loop, &lane->timer);
    lane->timer.data = lane;
    connect_soon(lane, 0);
    return lane;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pg_lane *lane = handle->data;
    void (*on_closed)(void *) = lane->on_closed;
    void *owner = lane->owner;
    pg_params_free(&lane->params);
    free(lane->url);
    free(lane->role);
    free(lane->application);
    free(lane->results);
    free(lane->prepares);
    free(lane->names);
    free(lane);
    if (on_closed)
        on_closed(owner);
}

void pg_lane_close(struct pg_lane *lane, void (*on_closed)(void *owner))
{
    assert(!uv_is_closing((uv_handle_t *)&lane->timer));
    lane->on_closed = on_closed;
    disconnect(lane);
    lane->state = LANE_ENDED;
    uv_timer_stop(&lane->timer);
    uv_close((uv_handle_t *)&lane->timer, on_timer_closed);
}

bool pg_lane_is_ready(const struct pg_lane *lane)
{
    return lane->state == LANE_IDLE && lane->queued == 0;
}

void pg_lane_reconnect(struct pg_lane *lane)
{
    disconnect(lane);
    lane->state = LANE_DOWN;
    connect_soon(lane, 0);
}

static void note_query(struct pg_lane *lane, const char *prepares)
{
    assert(lane->queued < RESULTS_MOST);
    if (lane->queued == lane->capacity) {
        lane->capacity = lane->capacity ? lane->capacity * 2 : 64;
        lane->results = realloc(lane->results, (size_t)lane->capacity * sizeof *lane->results);
        lane->prepares = realloc(lane->prepares, (size_t)lane->capacity * sizeof *lane->prepares);
        if (!lane->results || !lane->prepares)
            abort();
    }
    lane->results[lane->queued] = NULL;
    lane->prepares[lane->queued++] = prepares;
}

static void prepare_once(struct pg_lane *lane, const char *name, const char *sql)
{
    for (int i = 0; i < lane->name_count; i++)
        if (strcmp(lane->names[i], name) == 0)
            return;
    if (lane->name_count == lane->name_capacity) {
        lane->name_capacity = lane->name_capacity * 2 + 64;
        lane->names = realloc(lane->names, (size_t)lane->name_capacity * sizeof *lane->names);
        if (!lane->names)
            abort();
    }
    lane->names[lane->name_count++] = name;
    note_query(lane, name);
    PQsendPrepare(lane->connection, name, sql, 0, NULL);
}

void pg_lane_query(struct pg_lane *lane, const char *name, const char *sql,
                   const struct pg_param *params, int count)
{
    if (lane->state != LANE_IDLE)
        return;
    const char *values[PG_LANE_PARAMS_MOST];
    int sizes[PG_LANE_PARAMS_MOST], formats[PG_LANE_PARAMS_MOST];
    assert(count <= PG_LANE_PARAMS_MOST);
    for (int i = 0; i < count; i++) {
        values[i] = params[i].size < 0 ? NULL : params[i].data ? params[i].data : "";
        sizes[i] = params[i].size < 0 ? 0 : params[i].size;
        formats[i] = 1;
    }
    if (name)
        prepare_once(lane, name, sql);
    note_query(lane, NULL);
    if (name)
        PQsendQueryPrepared(lane->connection, name, count, values, sizes, formats, 1);
    else
        PQsendQueryParams(lane->connection, sql, count, NULL, values, sizes, formats, 1);
}

void pg_lane_sync(struct pg_lane *lane)
{
    if (lane->state != LANE_IDLE)
        return;
    lane->state = LANE_BUSY;
    PQpipelineSync(lane->connection);
    /* Sent, and a failure reported, on the next turn: nobody is called from inside their own call.
     * libpq writes while a long exchange is queued, and may have found the connection broken: then
     * there is no socket left to wake us. */
    if (PQsocket(lane->connection) < 0 || PQstatus(lane->connection) == CONNECTION_BAD)
        uv_timer_start(&lane->timer, on_timer, 0, 0);
    else
        watch_for(lane, UV_READABLE | UV_WRITABLE);
}
