/*
 *   WAITING ─► CONNECTING ─► GREETING ─► READY        a loss, a timeout: WAITING again
 *                                          └─► OVER   closed, or refused for good
 */

#include "common/io/redis/redis_client.h"

#include <assert.h>
#include <stdlib.h>

#include "common/io/clock.h"
#include "common/io/redis/redis_socket.h"
#include "common/policy/backoff.h"

#define TICK_MS 50

enum state {
    WAITING,
    CONNECTING,
    GREETING,
    READY,
    OVER,
};

struct call {
    redis_answered on_answer;
    void *item;
    size_t size;
    struct call *next;
};

struct redis_client {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct redis_url url;
    struct redis_client_config config;
    struct redis_client_events events;
    void *owner;
    enum state state;
    struct redis_socket *socket;
    struct redis_greeting greeting;
    struct call *first, *last;
    size_t in_flight;
    uint64_t by_ms; /* WAITING: try again; CONNECTING, GREETING: give up; READY: see heard_ms */
    uint64_t heard_ms;
    struct backoff backoff;
    int open_handles;
    void (*on_closed)(void *owner);
};

static void enter(struct redis_client *client, enum state state, uint32_t most_ms)
{
    client->state = state;
    client->by_ms = clock_monotonic_ms() + most_ms;
}

/* ---- losing it --------------------------------------------------------------------------- */

static struct call pop(struct redis_client *client)
{
    struct call *call = client->first;
    struct call value = *call;
    client->first = call->next;
    if (!client->first)
        client->last = NULL;
    client->in_flight -= value.size;
    free(call);
    return value;
}

static void on_socket_closed(void *owner)
{
    struct redis_client *client = owner;
    if (--client->open_handles || !client->on_closed)
        return;
    void (*on_closed)(void *) = client->on_closed;
    void *its_owner = client->owner;
    redis_url_wipe(&client->url);
    free(client);
    on_closed(its_owner);
}

static void drop_socket(struct redis_client *client)
{
    if (client->socket)
        redis_socket_close(client->socket, on_socket_closed);
    client->socket = NULL;
}

/* Answers first, so that nobody waits when on_lost is called; `over` comes last in both. */
static void lose(struct redis_client *client, const struct error *err)
{
    uint32_t random = 0;
    drop_socket(client);
    uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    if (err->outcome == OUT_FATAL)
        enter(client, OVER, 0);
    else
        enter(client, WAITING, backoff_next_ms(&client->backoff, random));
    while (client->first) {
        struct call call = pop(client);
        call.on_answer(client->owner, call.item, NULL);
    }
    if (!client->on_closed)
        client->events.on_lost(client->owner, err);
}

static void lose_for(struct redis_client *client, const char *why)
{
    struct error err;
    char where[300];
    redis_url_format(&client->url, where, sizeof where);
    error_set(&err, OUT_RETRY, ERR_REDIS_UNREACHABLE, "Redis cannot be reached");
    error_where(&err, "%s", where);
    error_cause(&err, "%s", why);
    lose(client, &err);
}

void redis_client_drop(struct redis_client *client, const struct error *why)
{
    struct error err = *why;
    err.outcome = err.outcome == OUT_FATAL ? OUT_FATAL : OUT_RETRY;
    if (client->state != OVER)
        lose(client, &err);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void on_connected(void *owner)
{
    struct redis_client *client = owner;
    struct buf out;
    buf_init(&out, 1u << 20);
    client->state = GREETING; /* within the time of connecting */
    redis_greeting_begin(&client->greeting, &client->url, true, &out);
    redis_socket_write(client->socket, buf_view(&out));
    explicit_bzero(out.data, out.size);
    buf_free(&out);
}

static void on_greeted(struct redis_client *client, const redisReply *reply)
{
    struct error err;
    if (redis_greeting_take(&client->greeting, reply, &err) != OUT_OK) {
        lose(client, &err);
    } else if (client->greeting.at == client->greeting.count) {
        enter(client, READY, 0);
        backoff_reset(&client->backoff);
        client->events.on_ready(client->owner);
    }
}

static void on_reply(void *owner, const redisReply *reply)
{
    struct redis_client *client = owner;
    client->heard_ms = clock_monotonic_ms();
    if (client->state == GREETING) {
        on_greeted(client, reply);
    } else if (!client->first) {
        lose_for(client, "it answered what was not asked");
    } else {
        struct call call = pop(client);
        call.on_answer(client->owner, call.item, reply);
    }
}

static void on_dead(void *owner, const char *why)
{
    lose_for(owner, why);
}

static void connect_now(struct redis_client *client)
{
    static const struct redis_socket_events EVENTS = {on_connected, on_reply, on_dead};
    enter(client, CONNECTING, client->config.connect_ms);
    client->open_handles++;
    client->socket = redis_socket_open(client->loop, &client->url, &EVENTS, client);
}

static void on_tick(uv_timer_t *timer)
{
    struct redis_client *client = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    if (client->state == WAITING && now_ms >= client->by_ms)
        connect_now(client);
    else if ((client->state == CONNECTING || client->state == GREETING) && now_ms >= client->by_ms)
        lose_for(client, "it does not answer");
    else if (client->state == READY && client->first &&
             now_ms - client->heard_ms > client->config.answer_ms)
        lose_for(client, "it answers no more");
}

/* ---- the owner's calls ------------------------------------------------------------------- */

enum outcome redis_client_new(uv_loop_t *loop, const struct redis_client_config *config,
                              const struct redis_client_events *events, void *owner,
                              struct redis_client **out, struct error *err)
{
    struct redis_url url;
    enum outcome outcome = redis_url_parse(config->url, &url, err);
    *out = NULL;
    if (outcome != OUT_OK)
        return outcome;
    struct redis_client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->loop = loop;
    client->url = url;
    redis_url_wipe(&url);
    client->config = *config;
    client->events = *events;
    client->owner = owner;
    client->backoff = BACKOFF_CONNECTION;
    client->backoff.most_ms = 2000; /* fault rows R04 to R07: back within seconds */
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    client->open_handles = 1;
    uv_timer_start(&client->timer, on_tick, 0, TICK_MS);
    enter(client, WAITING, 0);
    *out = client;
    return OUT_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_socket_closed(handle->data);
}

void redis_client_close(struct redis_client *client, void (*on_closed)(void *owner))
{
    struct error err;
    client->on_closed = on_closed;
    error_set(&err, OUT_FATAL, ERR_REDIS_UNREACHABLE, "the connection was closed");
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
    lose(client, &err);
}

bool redis_client_is_ready(const struct redis_client *client)
{
    return client->state == READY;
}

bool redis_client_has_room(const struct redis_client *client)
{
    return client->state == READY && client->in_flight < REDIS_IN_FLIGHT_MOST;
}

size_t redis_client_in_flight(const struct redis_client *client)
{
    return client->in_flight;
}

const char *redis_client_sha(const struct redis_client *client, enum redis_script script)
{
    return client->greeting.shas[script];
}

const char *redis_client_run_id(const struct redis_client *client)
{
    return client->greeting.run_id;
}

void redis_client_send(struct redis_client *client, struct bytes command, redis_answered on_answer,
                       void *item)
{
    assert(client->state == READY);
    struct call *call = malloc(sizeof *call);
    if (!call)
        abort();
    *call = (struct call){on_answer, item, command.size, NULL};
    if (!client->first)
        client->heard_ms = clock_monotonic_ms();
    if (client->last)
        client->last->next = call;
    else
        client->first = call;
    client->last = call;
    client->in_flight += command.size;
    redis_socket_write(client->socket, command);
}
