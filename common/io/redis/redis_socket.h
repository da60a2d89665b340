#ifndef DROVER_IO_REDIS_SOCKET_H
#define DROVER_IO_REDIS_SOCKET_H

/* One connection's socket: name looked up, connected, replies taken apart. Lives from open to the
 * close of its handles; a client makes a new one for each try. Internal to redis_client. */

#include <hiredis/hiredis.h>
#include <uv.h>

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/io/redis/redis_url.h"

struct redis_socket;

struct redis_socket_events {
    void (*on_connected)(void *owner);
    void (*on_reply)(void *owner, const redisReply *reply);
    /* It is dead; said once. Close it. */
    void (*on_dead)(void *owner, const char *why);
};

struct redis_socket *redis_socket_open(uv_loop_t *loop, const struct redis_url *url,
                                       const struct redis_socket_events *events, void *owner);
/* Copies. */
void redis_socket_write(struct redis_socket *socket, struct bytes bytes);
/* No event after this; on_closed (may be NULL) when the handle is gone. */
void redis_socket_close(struct redis_socket *socket, void (*on_closed)(void *owner));

#endif
