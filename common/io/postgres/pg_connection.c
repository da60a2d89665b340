/*
 *   CLOSED_DOWN ── timer ──► CONNECTING ──► IDLE ◄──► BUSY
 *        ▲                       │            │         │
 *        └───────── lost ────────┴────────────┴─────────┘
 *
 * The socket's descriptor changes while connecting (several addresses) and on each new connection,
 * so the uv_poll handle is made anew each time: it lives in a watch of its own, which is freed in
 * its close callback. A connection never frees itself before all its handles are closed.
 *
 * Reading in pipeline mode: each query's result is followed by a NULL; a failed query is followed
 * by PIPELINE_ABORTED results up to the PIPELINE_SYNC (fault row P15).
 */

#include "common/io/postgres/pg_connection.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_session.h"
#include "common/policy/backoff.h"

/* Queries of one exchange at most: callers send what may be more in several (PG_WRITER_GROUPS). */
#define RESULTS_MAX 16384

enum connection_state {
    CONNECTION_DOWN, /* waiting for the timer */
    CONNECTION_CONNECTING,
    CONNECTION_IDLE,
    CONNECTION_BUSY,
    CONNECTION_ENDED, /* login refused, or closing */
};

struct watch {
    uv_poll_t poll;
    struct pg_connection *self; /* NULL once the connection gave it up */
    int events;
};

struct pg_connection {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct pg_connection_events events;
    void *owner;
    struct pg_params params;
    char *url, *role, *application;
    uint32_t connect_ms;
    PGconn *connection;
    struct watch *watch;
    int watched_fd;
    enum connection_state state;
    struct backoff backoff;
    const char **names; /* prepared statements of this connection: a few a mapping */
    int name_count, name_capacity;
    const char **prepares; /* per queued query: the name an implicit prepare makes, or NULL */
    PGresult **results;
    int queued, capacity;
    int read; /* queries whose NULL was seen */
    PGresult *current;
    pg_connection_fill *fill; /* of the exchange, which is not in pipeline mode; else NULL */
    int copies;               /* COPY statements that got their rows */
    void (*on_closed)(void *owner);
};

static void connect_soon(struct pg_connection *self, uint32_t wait_ms);
static void on_poll(uv_poll_t *poll, int status, int events);

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop_watch(struct pg_connection *self)
{
    struct watch *watch = self->watch;
    if (!watch)
        return;
    self->watch = NULL;
    self->watched_fd = -1;
    watch->self = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* libpq closes its socket as soon as it finds the connection broken, whatever it was asked for;
 * from then on the number is another's. */
static void drop_closed(struct pg_connection *self)
{
    if (self->watch && PQsocket(self->connection) != self->watched_fd)
        drop_watch(self);
}

static void watch_for(struct pg_connection *self, int events)
{
    int fd = PQsocket(self->connection);
    drop_closed(self);
    if (fd < 0)
        return;
    if (!self->watch) {
        struct watch *watch = mem_new(sizeof *watch);
        if (uv_poll_init(self->loop, &watch->poll, fd) != 0)
            abort(); /* somebody else watches it: drop_closed was forgotten */
        watch->poll.data = watch;
        watch->self = self;
        self->watch = watch;
        self->watched_fd = fd;
    }
    if (self->watch->events == events)
        return;
    self->watch->events = events;
    uv_poll_start(&self->watch->poll, events, on_poll);
}

static void clear_exchange(struct pg_connection *self)
{
    for (int i = 0; i < self->queued; i++)
        PQclear(self->results[i]);
    PQclear(self->current);
    self->current = NULL;
    self->queued = 0;
    self->read = 0;
    self->fill = NULL;
}

static void disconnect(struct pg_connection *self)
{
    drop_watch(self);
    clear_exchange(self);
    PQfinish(self->connection);
    self->connection = NULL;
    self->name_count = 0;
}

static void lose(struct pg_connection *self, const struct error *err)
{
    disconnect(self);
    if (err->outcome == OUT_FATAL) {
        self->state = CONNECTION_ENDED;
        uv_timer_stop(&self->timer);
    } else {
        self->state = CONNECTION_DOWN;
        uint32_t random;
        uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
        connect_soon(self, backoff_next_ms(&self->backoff, random));
    }
    self->events.on_lost(self->owner, self, err);
}

static void lose_connection(struct pg_connection *self)
{
    struct error err;
    pg_error_from_connection(self->connection, &err);
    lose(self, &err);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void become_ready(struct pg_connection *self)
{
    if (PQsetnonblocking(self->connection, 1) != 0 || PQenterPipelineMode(self->connection) != 1) {
        lose_connection(self);
        return;
    }
    uv_timer_stop(&self->timer);
    backoff_reset(&self->backoff);
    self->state = CONNECTION_IDLE;
    watch_for(self, UV_READABLE);
    self->events.on_ready(self->owner, self);
}

static void advance_connecting(struct pg_connection *self)
{
    drop_watch(self); /* the next address's socket has the same number as a rule */
    switch (PQconnectPoll(self->connection)) {
    case PGRES_POLLING_OK:
        become_ready(self);
        break;
    case PGRES_POLLING_READING:
        watch_for(self, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        watch_for(self, UV_WRITABLE);
        break;
    default:
        lose_connection(self);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct pg_connection *self = timer->data;
    if (self->state == CONNECTION_BUSY) { /* it broke while the exchange was being queued */
        lose_connection(self);
        return;
    }
    if (self->state == CONNECTION_CONNECTING) {
        struct error err;
        error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "PostgreSQL did not answer in %u ms",
                  self->connect_ms);
        lose(self, &err);
        return;
    }
    self->connection = PQconnectStartParams(self->params.keywords, self->params.values, 1);
    if (!self->connection || PQstatus(self->connection) == CONNECTION_BAD) {
        lose_connection(self);
        return;
    }
    self->state = CONNECTION_CONNECTING;
    uv_timer_start(&self->timer, on_timer, self->connect_ms, 0);
    watch_for(self, UV_WRITABLE);
}

static void connect_soon(struct pg_connection *self, uint32_t wait_ms)
{
    uv_timer_start(&self->timer, on_timer, wait_ms, 0);
}

/* ---- results ----------------------------------------------------------------------------- */

static bool has_failed(const PGresult *result)
{
    ExecStatusType status = result ? PQresultStatus(result) : PGRES_FATAL_ERROR;
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

static void forget_name(struct pg_connection *self, const char *name)
{
    for (int i = 0; i < self->name_count; i++)
        if (self->names[i] == name)
            self->names[i] = self->names[--self->name_count];
}

/* Takes the implicit prepares out of the results; one that failed stands for its query. */
static void gather_reply(struct pg_connection *self, struct pg_reply *reply)
{
    for (int i = 0; i < self->queued; i++) {
        PGresult *result = self->results[i];
        bool failed = has_failed(result);
        if (self->prepares[i] && failed)
            forget_name(self, self->prepares[i]);
        bool first_failure = failed && reply->failed < 0;
        if (first_failure)
            reply->failed = reply->count;
        if (self->prepares[i] && !first_failure)
            PQclear(result);
        else
            self->results[reply->count++] = result;
    }
}

static void note_query(struct pg_connection *self, const char *prepares);

static void finish_exchange(struct pg_connection *self)
{
    struct pg_reply reply = {.results = self->results, .failed = -1};
    gather_reply(self, &reply);
    int kept = reply.count;
    PGresult **mine = self->results;
    self->results = NULL;
    free(self->prepares);
    self->prepares = NULL;
    self->capacity = self->queued = self->read = 0;
    self->state = CONNECTION_IDLE;
    self->events.on_reply(self->owner, self, &reply); /* may start the next exchange, or close */
    for (int i = 0; i < kept; i++)
        PQclear(mine[i]);
    free(mine);
}

/* False: it broke. */
static bool put_rows(struct pg_connection *self)
{
    struct bytes rows = self->fill(self->owner, self->copies++);
    assert(rows.size <= INT_MAX); /* a batch ends far below (work.batch_bytes has a limit) */
    bool ok = PQputCopyData(self->connection, rows.data, (int)rows.size) == 1 &&
              PQputCopyEnd(self->connection, NULL) == 1;
    int flushed = ok ? PQflush(self->connection) : -1;
    if (flushed >= 0)
        watch_for(self, flushed ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return flushed >= 0;
}

/* The same for an exchange with COPY: a result a statement, then NULL; after a failure no more. */
static bool take_copy_results(struct pg_connection *self)
{
    while (!PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        bool wants_rows = PQresultStatus(result) == PGRES_COPY_IN;
        if (PQstatus(self->connection) == CONNECTION_BAD || (wants_rows && !put_rows(self)) ||
            (!result && PQenterPipelineMode(self->connection) != 1)) {
            PQclear(result);
            lose_connection(self);
            return true;
        }
        if (!result) {
            self->fill = NULL;
            finish_exchange(self);
            return true;
        }
        if (wants_rows) {
            PQclear(result);
            continue;
        }
        note_query(self, NULL);
        self->results[self->queued - 1] = result;
    }
    return false;
}

/* Takes what has arrived; true when the exchange ended and the connection may be gone. */
static bool take_results(struct pg_connection *self)
{
    while (!PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        if (!result) {
            if (self->read >= self->queued || !self->current)
                return false; /* nothing more has arrived */
            self->results[self->read++] = self->current;
            self->current = NULL;
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            finish_exchange(self);
            return true;
        }
        PQclear(self->current);
        self->current = result;
        if (PQstatus(self->connection) == CONNECTION_BAD) {
            lose_connection(self);
            return true;
        }
    }
    return false;
}

static void advance_io(struct pg_connection *self, int events)
{
    if ((events & UV_READABLE) && PQconsumeInput(self->connection) != 1) {
        lose_connection(self);
        return;
    }
    int flushed = PQflush(self->connection);
    if (flushed < 0) {
        lose_connection(self);
        return;
    }
    watch_for(self, flushed ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    bool ended = self->state == CONNECTION_BUSY &&
                 (self->fill ? take_copy_results(self) : take_results(self));
    if (!ended && PQstatus(self->connection) == CONNECTION_BAD)
        lose_connection(self);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct pg_connection *self = watch->self;
    if (!self)
        return;
    if (status < 0)
        watch->events = 0; /* libuv stops a handle on POLLERR: watch_for must start it again */
    if (self->state == CONNECTION_CONNECTING)
        advance_connecting(self);
    else
        advance_io(self, status < 0 ? UV_READABLE : events);
}

/* ---- the owner's calls ------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    char *copy = mem_text(text ? text : "");
    return copy;
}

struct pg_connection *pg_connection_new(uv_loop_t *loop, const struct pg_connection_config *config,
                                        const struct pg_connection_events *events, void *owner)
{
    struct pg_connection *self = mem_new(sizeof *self);
    self->loop = loop;
    self->events = *events;
    self->owner = owner;
    self->url = copy_text(config->url);
    self->role = copy_text(config->role);
    self->application = copy_text(config->application);
    self->connect_ms = config->connect_ms;
    self->watched_fd = -1;
    self->backoff = BACKOFF_CONNECTION;
    pg_params_init(&self->params, self->url, self->role, self->application, config->defaults);
    uv_timer_init(loop, &self->timer);
    self->timer.data = self;
    connect_soon(self, 0);
    return self;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pg_connection *self = handle->data;
    void (*on_closed)(void *) = self->on_closed;
    void *owner = self->owner;
    pg_params_free(&self->params);
    free(self->url);
    free(self->role);
    free(self->application);
    free(self->results);
    free(self->prepares);
    free(self->names);
    free(self);
    if (on_closed)
        on_closed(owner);
}

void pg_connection_close(struct pg_connection *self, void (*on_closed)(void *owner))
{
    assert(!uv_is_closing((uv_handle_t *)&self->timer));
    self->on_closed = on_closed;
    disconnect(self);
    self->state = CONNECTION_ENDED;
    uv_timer_stop(&self->timer);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

bool pg_connection_is_ready(const struct pg_connection *self)
{
    return self->state == CONNECTION_IDLE && self->queued == 0;
}

void pg_connection_reconnect(struct pg_connection *self)
{
    disconnect(self);
    self->state = CONNECTION_DOWN;
    connect_soon(self, 0);
}

static void note_query(struct pg_connection *self, const char *prepares)
{
    assert(self->queued < RESULTS_MAX);
    if (self->queued == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->results = mem_resize(self->results, (size_t)self->capacity, sizeof *self->results);
        self->prepares = mem_resize(self->prepares, (size_t)self->capacity, sizeof *self->prepares);
    }
    self->results[self->queued] = NULL;
    self->prepares[self->queued++] = prepares;
}

static void prepare_once(struct pg_connection *self, const char *name, const char *sql)
{
    for (int i = 0; i < self->name_count; i++)
        if (strcmp(self->names[i], name) == 0)
            return;
    if (self->name_count == self->name_capacity) {
        self->name_capacity = self->name_capacity * 2 + 64;
        self->names = mem_resize(self->names, (size_t)self->name_capacity, sizeof *self->names);
    }
    self->names[self->name_count++] = name;
    note_query(self, name);
    PQsendPrepare(self->connection, name, sql, 0, NULL);
}

void pg_connection_query(struct pg_connection *self, const char *name, const char *sql,
                         const struct pg_param *params, int count)
{
    if (self->state != CONNECTION_IDLE)
        return;
    const char *values[PG_CONNECTION_PARAMS_MAX];
    int sizes[PG_CONNECTION_PARAMS_MAX], formats[PG_CONNECTION_PARAMS_MAX];
    assert(count <= PG_CONNECTION_PARAMS_MAX);
    for (int i = 0; i < count; i++) {
        values[i] = params[i].size < 0 ? NULL : params[i].data ? params[i].data : "";
        sizes[i] = params[i].size < 0 ? 0 : params[i].size;
        formats[i] = 1;
    }
    if (name)
        prepare_once(self, name, sql);
    note_query(self, NULL);
    if (name)
        PQsendQueryPrepared(self->connection, name, count, values, sizes, formats, 1);
    else
        PQsendQueryParams(self->connection, sql, count, NULL, values, sizes, formats, 1);
    drop_closed(self);
}

void pg_connection_sync(struct pg_connection *self)
{
    if (self->state != CONNECTION_IDLE)
        return;
    self->state = CONNECTION_BUSY;
    PQpipelineSync(self->connection);
    drop_closed(self);
    /* Sent, and a failure reported, on the next turn: nobody is called from inside their own call.
     * libpq writes while a long exchange is queued, and may have found the connection broken: then
     * there is no socket left to wake us. */
    if (PQsocket(self->connection) < 0 || PQstatus(self->connection) == CONNECTION_BAD)
        uv_timer_start(&self->timer, on_timer, 0, 0);
    else
        watch_for(self, UV_READABLE | UV_WRITABLE);
}

void pg_connection_copy(struct pg_connection *self, const char *sql, pg_connection_fill *fill)
{
    assert(self->queued == 0);
    if (self->state != CONNECTION_IDLE)
        return;
    self->state = CONNECTION_BUSY;
    self->fill = fill;
    self->copies = 0;
    bool sent =
        PQexitPipelineMode(self->connection) == 1 && PQsendQuery(self->connection, sql) == 1;
    drop_closed(self);
    if (!sent || PQsocket(self->connection) < 0 || PQstatus(self->connection) == CONNECTION_BAD)
        uv_timer_start(&self->timer, on_timer, 0, 0);
    else
        watch_for(self, UV_READABLE | UV_WRITABLE);
}
