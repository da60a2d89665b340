/*
 *   WAITING ─► CONNECTING ─► GREETING ─► READY        a loss, a timeout: WAITING again
 *                                          └─► OVER   closed, or refused for good
 *
 * Two objects: the driver, which lives as long as its owner wants, and a socket for each try, which
 * lives until libuv has let go of its handle. A call is on two lists, so to say: it waits for its
 * answer, and its bytes for being written; it is freed when both are over.
 */

#include "common/io/redis/redis_driver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_url.h"
#include "common/io/redis/redis_wire.h"
#include "common/policy/backoff.h"

#define TICK_MS 50
#define HELD_UP_MS 1000 /* without a tick: the loop's owner did something else */
#define READ_SIZE (64u << 10)
#define REPLY_MAX ((size_t)64 << 20) /* fault row R18 */
#define KEEPALIVE_S 30

enum state {
    WAITING,
    CONNECTING,
    GREETING,
    READY,
    LEAVING, /* this is not the server to write to: as soon as that is said */
    OVER,
};

enum step {
    STEP_LOGIN,
    STEP_SELECT,
    STEP_MEMORY,
    STEP_CLUSTER,
    STEP_SERVER,
    STEP_SCRIPT, /* + number of the script */
};

struct call {
    uv_write_t write;
    redis_answered on_answer; /* NULL: of the greeting, whose answers nobody waits for here */
    void *item;
    enum redis_script script; /* SCRIPT_COUNT: a command as it stands */
    bool as_text;             /* the script had to be sent whole */
    bool writing, waiting;    /* for its bytes to be gone; for its answer */
    size_t due;               /* answers */
    size_t words, size;
    struct buf head; /* of a script's call: the command's words before the tail */
    struct call *next;
    char bytes[];
};

struct socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_getaddrinfo_t lookup;
    uv_connect_t connecting;
    struct addrinfo *found, *address; /* of the host; the one that is tried */
    struct redis_driver *driver;
    redisReader *reader;
    size_t fed; /* bytes since the last whole reply */
    bool closing, in_lookup, handle_open;
    char memory[READ_SIZE];
};

struct greeting {
    int steps[8];
    int count, at; /* replies expected and seen */
    char shas[SCRIPT_COUNT][REDIS_SHA_SIZE];
    char run_id[REDIS_SHA_SIZE]; /* another one after each start of the server; "": not told */
};

struct redis_driver {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct redis_url url;
    struct redis_driver_config config;
    struct redis_driver_events events;
    void *owner;
    enum state state;
    struct socket *socket;
    struct greeting greeting;
    struct call *first, *last; /* in the order of their answers */
    size_t in_flight;
    redisReply *reply; /* the one that is told; NULL: somebody kept it */
    uint64_t by_ms;    /* WAITING: try again; CONNECTING, GREETING: give up; READY: see heard_ms */
    uint64_t heard_ms, ticked_ms;
    struct backoff backoff;
    bool away;
    struct error trouble; /* while it is away */
    int open_handles;
    void (*on_closed)(void *owner);
};

/* ---- the greeting ------------------------------------------------------------------------
 *
 * AUTH, SELECT, a look at how the server is set up, and the scripts. A server that may throw keys
 * away (a maxmemory with another policy than noeviction) or that is a cluster is refused; INFO
 * denied by an ACL is let pass. Each command has one reply; an outcome other than OUT_OK says that
 * the connection is not to be used. */

static void expect(struct greeting *greeting, int step)
{
    greeting->steps[greeting->count++] = step;
}

static void log_in(struct greeting *greeting, const struct redis_url *url, struct buf *out)
{
    const char *both[] = {"AUTH", url->user, url->password};
    const char *alone[] = {"AUTH", url->password};
    if (url->password[0] == '\0')
        return;
    redis_wire_command(out, url->user[0] ? 3 : 2, url->user[0] ? both : alone);
    expect(greeting, STEP_LOGIN);
}

static void greeting_begin(struct greeting *greeting, const struct redis_url *url, bool scripts,
                           struct buf *out)
{
    static const char *const MEMORY[] = {"INFO", "memory"};
    static const char *const CLUSTER[] = {"INFO", "cluster"};
    static const char *const SERVER[] = {"INFO", "server"};
    *greeting = (struct greeting){0};
    log_in(greeting, url, out);
    if (url->database) {
        redis_wire_begin(out, 2);
        redis_wire_text(out, "SELECT");
        redis_wire_number(out, url->database);
        expect(greeting, STEP_SELECT);
    }
    redis_wire_command(out, 2, MEMORY);
    expect(greeting, STEP_MEMORY);
    redis_wire_command(out, 2, CLUSTER);
    expect(greeting, STEP_CLUSTER);
    redis_wire_command(out, 2, SERVER);
    expect(greeting, STEP_SERVER);
    for (int i = 0; scripts && i < SCRIPT_COUNT; i++) {
        const char *load[] = {"SCRIPT", "LOAD", redis_script_text((enum redis_script)i)};
        redis_wire_command(out, 3, load);
        expect(greeting, STEP_SCRIPT + i);
    }
}

/* The value of "name:value" in INFO's answer; empty when it is not there. */
static struct bytes field_of(const redisReply *reply, const char *name)
{
    size_t size = strlen(name);
    const char *at = reply->str, *end = reply->str + reply->len;
    while (at && at < end) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        if ((size_t)(line_end - at) > size && memcmp(at, name, size) == 0 && at[size] == ':')
            return bytes_of(at + size + 1, (size_t)(line_end - at) - size - 1);
        at = line_end + 2;
    }
    return (struct bytes){0};
}

static enum outcome check_memory(const redisReply *reply, struct error *err)
{
    int64_t max = 0;
    struct bytes policy = field_of(reply, "maxmemory_policy");
    if (!text_parse_int64(field_of(reply, "maxmemory"), &max) || max == 0 || policy.size == 0 ||
        bytes_equal(policy, BYTES_LITERAL("noeviction")))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_REDIS_CONFIG,
              "Redis would throw keys away: its maxmemory-policy is not noeviction");
    error_hint(err, "CONFIG SET maxmemory-policy noeviction");
    return OUT_FATAL;
}

static enum outcome check_cluster(const redisReply *reply, struct error *err)
{
    if (!bytes_equal(field_of(reply, "cluster_enabled"), BYTES_LITERAL("1")))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_REDIS_CONFIG,
                     "this Redis is a cluster, which is not supported");
}

static void note_run(struct greeting *greeting, const redisReply *reply)
{
    struct bytes id = field_of(reply, "run_id");
    if (id.size < sizeof greeting->run_id)
        memcpy(greeting->run_id, id.size ? id.data : "", id.size);
}

static enum outcome take_error(int step, const redisReply *reply, struct error *err)
{
    enum redis_action action = redis_error_classify(bytes_of(reply->str, reply->len), err);
    bool denied = err->code == ERR_REDIS_AUTH && strncmp(reply->str, "NOPERM ", 7) == 0;
    if (step >= STEP_MEMORY && step <= STEP_SERVER && denied)
        return OUT_OK; /* who may not look may still write */
    if (action == ANSWER_RECORD || action == ANSWER_SCRIPT)
        err->outcome = OUT_FATAL;
    return err->outcome;
}

static enum outcome greeting_take(struct greeting *greeting, const redisReply *reply,
                                  struct error *err)
{
    int step = greeting->steps[greeting->at++];
    if (reply->type == REDIS_REPLY_ERROR)
        return take_error(step, reply, err);
    if (step == STEP_MEMORY && reply->type == REDIS_REPLY_STRING)
        return check_memory(reply, err);
    if (step == STEP_CLUSTER && reply->type == REDIS_REPLY_STRING)
        return check_cluster(reply, err);
    if (step == STEP_SERVER && reply->type == REDIS_REPLY_STRING)
        note_run(greeting, reply);
    if (step >= STEP_SCRIPT) {
        if (reply->type != REDIS_REPLY_STRING || reply->len != REDIS_SHA_SIZE - 1)
            return error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                             "Redis answered SCRIPT LOAD with something else");
        memcpy(greeting->shas[step - STEP_SCRIPT], reply->str, REDIS_SHA_SIZE);
    }
    return OUT_OK;
}

/* ---- calls ------------------------------------------------------------------------------- */

static void enter(struct redis_driver *driver, enum state state, uint32_t max_ms)
{
    driver->state = state;
    driver->by_ms = clock_monotonic_ms() + max_ms;
}

static struct call *new_call(struct bytes bytes, redis_answered on_answer, void *item)
{
    struct call *call = mem_alloc(sizeof *call + bytes.size);
    *call = (struct call){
        .on_answer = on_answer, .item = item, .script = SCRIPT_COUNT, .due = 1, .size = bytes.size};
    buf_init(&call->head, (size_t)1 << 20);
    if (bytes.size)
        memcpy(call->bytes, bytes.data, bytes.size);
    return call;
}

static void free_when_over(struct call *call)
{
    if (call->writing || call->waiting)
        return;
    if (!call->on_answer)
        explicit_bzero(call->bytes, call->size); /* it may hold a password */
    buf_free(&call->head);
    free(call);
}

static void lose_for(struct redis_driver *driver, const char *why);

static void on_written(uv_write_t *request, int status)
{
    struct socket *socket = request->handle->data;
    struct call *call = (struct call *)request;
    call->writing = false;
    free_when_over(call);
    if (status != 0 && !socket->closing)
        lose_for(socket->driver, uv_strerror(status));
}

static void write_call(struct redis_driver *driver, struct call *call)
{
    uv_buf_t bufs[] = {uv_buf_init(call->head.data, (unsigned)call->head.size),
                       uv_buf_init(call->bytes, (unsigned)call->size)};
    bool headed = call->head.size > 0;
    call->writing = true;
    /* a failure here is seen by the reader too, which says so from the loop */
    if (uv_write(&call->write, &driver->socket->uv.stream, bufs + !headed, 1u + headed,
                 on_written) != 0) {
        call->writing = false;
        free_when_over(call);
    }
}

/* Behind those that wait for their answers already. */
static void send_call(struct redis_driver *driver, struct call *call)
{
    assert(driver->state == READY);
    if (!driver->first)
        driver->heard_ms = clock_monotonic_ms();
    call->next = NULL;
    if (driver->last)
        driver->last->next = call;
    else
        driver->first = call;
    driver->last = call;
    driver->in_flight += call->size;
    call->waiting = true;
    write_call(driver, call);
}

static void send_script(struct redis_driver *driver, struct call *call)
{
    redis_script_append_head(&call->head, call->script, call->words,
                             call->as_text ? NULL : driver->greeting.shas[call->script]);
    send_call(driver, call);
}

/* The call whose answer is next; it stays until it has all of them. */
static struct call *next_call(struct redis_driver *driver)
{
    struct call *call = driver->first;
    if (--call->due)
        return call;
    driver->first = call->next;
    if (!driver->first)
        driver->last = NULL;
    driver->in_flight -= call->size;
    return call;
}

static void answer(struct redis_driver *driver, struct call *call, const redisReply *reply,
                   const struct error *err)
{
    bool over = call->due == 0;
    call->on_answer(driver->owner, call->item, reply, err);
    if (!over) /* else it may be gone by now */
        return;
    call->waiting = false;
    free_when_over(call);
}

/* ---- losing it --------------------------------------------------------------------------- */

static void handle_closed(struct redis_driver *driver)
{
    if (--driver->open_handles || !driver->on_closed)
        return;
    void (*on_closed)(void *) = driver->on_closed;
    void *owner = driver->owner;
    redis_url_wipe(&driver->url);
    free(driver);
    on_closed(owner);
}

static void free_socket_when_over(struct socket *socket)
{
    struct redis_driver *driver = socket->driver;
    if (!socket->closing || socket->in_lookup || socket->handle_open)
        return;
    redisReaderFree(socket->reader);
    uv_freeaddrinfo(socket->found);
    free(socket);
    handle_closed(driver);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct socket *socket = handle->data;
    socket->handle_open = false;
    free_socket_when_over(socket);
}

/* Nothing comes of it any more. */
static void drop_socket(struct redis_driver *driver)
{
    struct socket *socket = driver->socket;
    driver->socket = NULL;
    if (!socket)
        return;
    socket->closing = true;
    if (socket->in_lookup)
        uv_cancel((uv_req_t *)&socket->lookup);
    if (!uv_is_closing(&socket->uv.handle)) /* for the next address */
        uv_close(&socket->uv.handle, on_socket_closed);
}

/* Answers first, so that nobody waits when on_away is called. */
static void lose(struct redis_driver *driver, const struct error *err)
{
    struct error lost;
    uint32_t random = 0;
    bool first = !driver->away;
    drop_socket(driver);
    uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    if (err->outcome == OUT_FATAL)
        enter(driver, OVER, 0);
    else
        enter(driver, WAITING, backoff_next_ms(&driver->backoff, random));
    driver->away = true;
    if (first)
        driver->trouble = *err;
    error_set(&lost, OUT_RETRY, ERR_REDIS_TRANSIENT, "the connection to Redis was lost");
    while (driver->first)
        answer(driver, next_call(driver), NULL, &lost);
    if (!driver->on_closed)
        driver->events.on_away(driver->owner, err, first);
}

static void lose_for(struct redis_driver *driver, const char *why)
{
    struct error err;
    char where[300];
    redis_url_format(&driver->url, where, sizeof where);
    error_set(&err, OUT_RETRY, ERR_REDIS_UNREACHABLE, "Redis cannot be reached");
    error_where(&err, "%s", where);
    error_cause(&err, "%s", why);
    lose(driver, &err);
}

/* ---- replies ----------------------------------------------------------------------------- */

static void on_greeted(struct redis_driver *driver, const redisReply *reply)
{
    struct error err;
    char where[300];
    bool back = driver->away;
    if (greeting_take(&driver->greeting, reply, &err) != OUT_OK) {
        redis_url_format(&driver->url, where, sizeof where);
        error_where(&err, "%s", where);
        lose(driver, &err);
    } else if (driver->greeting.at == driver->greeting.count) {
        enter(driver, READY, 0);
        backoff_reset(&driver->backoff);
        driver->away = false;
        driver->events.on_ready(driver->owner, back);
    }
}

/* The same once more, with its script. (Another object: the bytes of this one may still be on their
 * way through libuv.) */
static void send_whole(struct redis_driver *driver, struct call *call)
{
    struct call *again = new_call(bytes_of(call->bytes, call->size), call->on_answer, call->item);
    again->script = call->script;
    again->words = call->words;
    again->as_text = true;
    call->waiting = false;
    free_when_over(call);
    send_script(driver, again);
}

static void on_error_reply(struct redis_driver *driver, struct call *call, const redisReply *reply)
{
    struct error err;
    enum redis_action action = redis_error_classify(bytes_of(reply->str, reply->len), &err);
    if (action == ANSWER_SCRIPT && call->script != SCRIPT_COUNT && !call->as_text) {
        send_whole(driver, call);
        return;
    }
    if (action == ANSWER_RECORD) /* who looks before writing meets it in what is Drover's own */
        err.outcome = OUT_FATAL;
    if (action == ANSWER_RECONNECT)
        driver->state = LEAVING;
    answer(driver, call, reply, &err);
    if (driver->state == LEAVING)
        lose(driver, &err);
}

static void take_answer(struct redis_driver *driver, const redisReply *reply)
{
    struct error err;
    struct call *call = next_call(driver);
    if (reply->type == REDIS_REPLY_ERROR) {
        on_error_reply(driver, call, reply);
    } else if (call->script == SCRIPT_APPLY && reply->type != REDIS_REPLY_STRING) {
        error_set(&err, OUT_FATAL, ERR_REDIS_PROTOCOL, "Redis answered something unexpected");
        answer(driver, call, reply, &err);
    } else {
        answer(driver, call, reply, NULL);
    }
}

static void on_reply(struct redis_driver *driver, const redisReply *reply)
{
    if (driver->state == GREETING)
        on_greeted(driver, reply);
    else if (!driver->first)
        lose_for(driver, "it answered what was not asked");
    else
        take_answer(driver, reply);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct socket *socket = handle->data;
    (void)suggested;
    *buf = uv_buf_init(socket->memory, READ_SIZE);
}

static void take_replies(struct socket *socket)
{
    void *reply = NULL;
    while (!socket->closing) {
        if (redisReaderGetReply(socket->reader, &reply) != REDIS_OK) {
            lose_for(socket->driver, "its answer does not follow the protocol");
            return;
        }
        if (!reply)
            return;
        socket->fed = 0;
        socket->driver->reply = reply;
        on_reply(socket->driver, reply);
        freeReplyObject(socket->driver->reply);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct socket *socket = stream->data;
    if (size == 0)
        return;
    if (size < 0) {
        lose_for(socket->driver,
                 size == UV_EOF ? "it closed the connection" : uv_strerror((int)size));
        return;
    }
    socket->driver->heard_ms = clock_monotonic_ms();
    socket->fed += (size_t)size;
    if (redisReaderFeed(socket->reader, buf->base, (size_t)size) != REDIS_OK ||
        socket->fed > socket->driver->config.reply_max)
        lose_for(socket->driver, "its answer is too large");
    else
        take_replies(socket);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void greet(struct redis_driver *driver)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    driver->state = GREETING; /* within the time of connecting */
    greeting_begin(&driver->greeting, &driver->url, !driver->config.no_scripts, &out);
    write_call(driver, new_call(buf_view(&out), NULL, NULL));
    explicit_bzero(out.data, out.size);
    buf_free(&out);
}

static void connect_to(struct socket *socket);

static void on_address_closed(uv_handle_t *handle)
{
    struct socket *socket = handle->data;
    if (socket->closing) {
        on_socket_closed(handle);
        return;
    }
    uv_tcp_init(socket->driver->loop, &socket->uv.tcp);
    connect_to(socket);
}

static void connect_failed(struct socket *socket, int status)
{
    if (socket->address && socket->address->ai_next) {
        socket->address = socket->address->ai_next;
        uv_close(&socket->uv.handle, on_address_closed);
    } else {
        lose_for(socket->driver, uv_strerror(status));
    }
}

static void on_connect(uv_connect_t *request, int status)
{
    struct socket *socket = request->data;
    if (socket->closing)
        return;
    if (status != 0) {
        connect_failed(socket, status);
        return;
    }
    status = uv_read_start(&socket->uv.stream, on_allocate, on_read);
    if (status != 0)
        lose_for(socket->driver, uv_strerror(status));
    else
        greet(socket->driver);
}

static void connect_to(struct socket *socket)
{
    uv_tcp_nodelay(&socket->uv.tcp, 1);
    uv_tcp_keepalive(&socket->uv.tcp, 1, KEEPALIVE_S);
    int status =
        uv_tcp_connect(&socket->connecting, &socket->uv.tcp, socket->address->ai_addr, on_connect);
    if (status != 0)
        connect_failed(socket, status);
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct socket *socket = lookup->data;
    socket->in_lookup = false;
    socket->found = socket->address = found;
    if (socket->closing)
        free_socket_when_over(socket);
    else if (status != 0)
        lose_for(socket->driver, uv_strerror(status));
    else
        connect_to(socket);
}

static void lookup_name(struct socket *socket)
{
    char port[8];
    struct redis_driver *driver = socket->driver;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", driver->url.port);
    socket->lookup.data = socket;
    int status =
        uv_getaddrinfo(driver->loop, &socket->lookup, on_lookup, driver->url.host, port, &hints);
    socket->in_lookup = status == 0;
    if (status != 0)
        lose_for(driver, uv_strerror(status));
}

static void connect_now(struct redis_driver *driver)
{
    struct socket *socket = mem_new(sizeof *socket);
    socket->driver = driver;
    socket->connecting.data = socket;
    socket->reader = redisReaderCreate();
    if (!socket->reader)
        abort();
    socket->handle_open = true;
    driver->socket = socket;
    driver->open_handles++;
    enter(driver, CONNECTING, driver->config.connect_ms);
    if (driver->url.host[0]) {
        uv_tcp_init(driver->loop, &socket->uv.tcp);
        socket->uv.handle.data = socket;
        lookup_name(socket);
    } else {
        uv_pipe_init(driver->loop, &socket->uv.pipe, 0);
        socket->uv.handle.data = socket;
        uv_pipe_connect(&socket->connecting, &socket->uv.pipe, driver->url.path, on_connect);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct redis_driver *driver = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - driver->ticked_ms > HELD_UP_MS) /* what has come meanwhile is yet to be read */
        driver->heard_ms = now_ms;
    driver->ticked_ms = now_ms;
    if (driver->state == WAITING && now_ms >= driver->by_ms)
        connect_now(driver);
    else if ((driver->state == CONNECTING || driver->state == GREETING) && now_ms >= driver->by_ms)
        lose_for(driver, "it does not answer");
    else if (driver->state == READY && driver->first &&
             now_ms - driver->heard_ms > driver->config.answer_ms)
        lose_for(driver, "it answers no more");
}

/* ---- the owner's calls ------------------------------------------------------------------- */

enum outcome redis_driver_new(uv_loop_t *loop, const struct redis_driver_config *config,
                              const struct redis_driver_events *events, void *owner,
                              struct redis_driver **out, struct error *err)
{
    struct redis_url url;
    enum outcome outcome = redis_url_parse(config->url, &url, err);
    *out = NULL;
    if (outcome != OUT_OK)
        return outcome;
    struct redis_driver *driver = mem_new(sizeof *driver);
    driver->loop = loop;
    driver->url = url;
    redis_url_wipe(&url);
    driver->config = *config;
    if (!config->reply_max)
        driver->config.reply_max = REPLY_MAX;
    driver->events = *events;
    driver->owner = owner;
    driver->backoff = BACKOFF_CONNECTION;
    driver->backoff.max_ms = 2000; /* fault rows R04 to R07: back within seconds */
    uv_timer_init(loop, &driver->timer);
    driver->timer.data = driver;
    driver->open_handles = 1;
    uv_timer_start(&driver->timer, on_tick, 0, TICK_MS);
    enter(driver, WAITING, 0);
    *out = driver;
    return OUT_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void redis_driver_close(struct redis_driver *driver, void (*on_closed)(void *owner))
{
    struct error err;
    driver->on_closed = on_closed;
    error_set(&err, OUT_FATAL, ERR_REDIS_UNREACHABLE, "the connection was closed");
    uv_close((uv_handle_t *)&driver->timer, on_timer_closed);
    lose(driver, &err);
}

bool redis_driver_is_ready(const struct redis_driver *driver)
{
    return driver->state == READY;
}

bool redis_driver_has_room(const struct redis_driver *driver)
{
    return driver->state == READY && driver->in_flight < REDIS_IN_FLIGHT_MAX;
}

size_t redis_driver_in_flight(const struct redis_driver *driver)
{
    return driver->in_flight;
}

const struct error *redis_driver_trouble(const struct redis_driver *driver)
{
    return driver->away ? &driver->trouble : NULL;
}

const char *redis_driver_run_id(const struct redis_driver *driver)
{
    return driver->greeting.run_id;
}

void redis_driver_send(struct redis_driver *driver, struct bytes commands, size_t count,
                       redis_answered on_answer, void *item)
{
    struct call *call = new_call(commands, on_answer, item);
    call->due = count;
    send_call(driver, call);
}

void redis_driver_call(struct redis_driver *driver, enum redis_script script, struct bytes tail,
                       size_t words, redis_answered on_answer, void *item)
{
    struct call *call = new_call(tail, on_answer, item);
    call->script = script;
    call->words = words;
    send_script(driver, call);
}

redisReply *redis_driver_keep(struct redis_driver *driver)
{
    redisReply *reply = driver->reply;
    driver->reply = NULL;
    return reply;
}

enum outcome redis_driver_codes(const redisReply *reply, size_t keys, struct bytes *codes,
                                struct error *err)
{
    if (reply->len != keys + 1 || reply->str[0] != 'k')
        return error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL, "Redis answered something unexpected");
    *codes = bytes_of(reply->str + 1, keys);
    return OUT_OK;
}
