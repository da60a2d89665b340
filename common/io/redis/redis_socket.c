#include "common/io/redis/redis_socket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE (64u << 10)
#define REPLY_MOST ((size_t)64 << 20) /* fault row R18 */
#define KEEPALIVE_S 30

struct redis_socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_getaddrinfo_t lookup;
    uv_connect_t connecting;
    uv_loop_t *loop;
    struct redis_url url;
    redisReader *reader;
    size_t fed; /* bytes since the last whole reply */
    bool closing, dead, looking_up, handle_open;
    struct redis_socket_events events;
    void *owner;
    void (*on_closed)(void *owner);
    char memory[READ_SIZE];
};

struct write {
    uv_write_t request;
    char bytes[];
};

static void say_dead(struct redis_socket *socket, const char *why)
{
    if (socket->closing || socket->dead)
        return;
    socket->dead = true;
    socket->events.on_dead(socket->owner, why);
}

static void free_when_over(struct redis_socket *socket)
{
    if (!socket->closing || socket->looking_up || socket->handle_open)
        return;
    void (*on_closed)(void *) = socket->on_closed;
    void *owner = socket->owner;
    redisReaderFree(socket->reader);
    redis_url_wipe(&socket->url);
    free(socket);
    if (on_closed)
        on_closed(owner);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct redis_socket *socket = handle->data;
    socket->handle_open = false;
    free_when_over(socket);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct redis_socket *socket = handle->data;
    (void)suggested;
    *buf = uv_buf_init(socket->memory, READ_SIZE);
}

static void take_replies(struct redis_socket *socket)
{
    void *reply = NULL;
    while (!socket->closing && !socket->dead) {
        if (redisReaderGetReply(socket->reader, &reply) != REDIS_OK) {
            say_dead(socket, "its answer does not follow the protocol");
            return;
        }
        if (!reply)
            return;
        socket->fed = 0;
        socket->events.on_reply(socket->owner, reply);
        freeReplyObject(reply);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct redis_socket *socket = stream->data;
    if (size == 0)
        return;
    if (size < 0) {
        say_dead(socket, size == UV_EOF ? "it closed the connection" : uv_strerror((int)size));
        return;
    }
    socket->fed += (size_t)size;
    if (redisReaderFeed(socket->reader, buf->base, (size_t)size) != REDIS_OK ||
        socket->fed > REPLY_MOST) {
        say_dead(socket, "its answer is too large");
        return;
    }
    take_replies(socket);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void on_connect(uv_connect_t *request, int status)
{
    struct redis_socket *socket = request->data;
    if (socket->closing)
        return;
    if (status == 0)
        status = uv_read_start(&socket->uv.stream, on_allocate, on_read);
    if (status != 0)
        say_dead(socket, uv_strerror(status));
    else
        socket->events.on_connected(socket->owner);
}

static void connect_to(struct redis_socket *socket, const struct sockaddr *address)
{
    uv_tcp_nodelay(&socket->uv.tcp, 1);
    uv_tcp_keepalive(&socket->uv.tcp, 1, KEEPALIVE_S);
    int status = uv_tcp_connect(&socket->connecting, &socket->uv.tcp, address, on_connect);
    if (status != 0)
        say_dead(socket, uv_strerror(status));
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct redis_socket *socket = lookup->data;
    socket->looking_up = false;
    if (socket->closing)
        free_when_over(socket);
    else if (status != 0)
        say_dead(socket, uv_strerror(status));
    else
        connect_to(socket, found->ai_addr);
    uv_freeaddrinfo(found);
}

static void look_up(struct redis_socket *socket)
{
    char port[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", socket->url.port);
    socket->lookup.data = socket;
    int status =
        uv_getaddrinfo(socket->loop, &socket->lookup, on_looked_up, socket->url.host, port, &hints);
    socket->looking_up = status == 0;
    if (status != 0)
        say_dead(socket, uv_strerror(status));
}

struct redis_socket *redis_socket_open(uv_loop_t *loop, const struct redis_url *url,
                                       const struct redis_socket_events *events, void *owner)
{
    struct redis_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        abort();
    socket->loop = loop;
    socket->url = *url;
    socket->events = *events;
    socket->owner = owner;
    socket->connecting.data = socket;
    socket->reader = redisReaderCreate();
    if (!socket->reader)
        abort();
    socket->handle_open = true;
    if (url->host[0]) {
        uv_tcp_init(loop, &socket->uv.tcp);
        socket->uv.handle.data = socket;
        look_up(socket);
    } else {
        uv_pipe_init(loop, &socket->uv.pipe, 0);
        socket->uv.handle.data = socket;
        uv_pipe_connect(&socket->connecting, &socket->uv.pipe, url->path, on_connect);
    }
    return socket;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct redis_socket *socket = request->handle->data;
    struct write *write = (struct write *)request;
    free(write);
    if (status != 0)
        say_dead(socket, uv_strerror(status));
}

void redis_socket_write(struct redis_socket *socket, struct bytes bytes)
{
    struct write *write = malloc(sizeof *write + bytes.size);
    if (!write)
        abort();
    memcpy(write->bytes, bytes.data, bytes.size);
    uv_buf_t buf = uv_buf_init(write->bytes, (unsigned)bytes.size);
    /* a failure here is seen by the reader too, which says so from the loop */
    if (uv_write(&write->request, &socket->uv.stream, &buf, 1, on_written) != 0)
        free(write);
}

void redis_socket_close(struct redis_socket *socket, void (*on_closed)(void *owner))
{
    assert(!socket->closing);
    socket->closing = true;
    socket->on_closed = on_closed;
    if (socket->looking_up)
        uv_cancel((uv_req_t *)&socket->lookup);
    uv_close(&socket->uv.handle, on_handle_closed);
}
