#ifndef DROVER_IO_REDIS_CLIENT_H
#define DROVER_IO_REDIS_CLIENT_H

/*
 * One Redis connection on the loop. It connects and greets by itself, and again after a loss, with
 * backoff. Commands are pipelined; each gets its answer exactly once: a reply, or NULL when the
 * connection went before one came. After a timeout the connection is closed, so that a late reply
 * can never be taken for another command's.
 *
 * The socket is libuv's, the protocol's replies hiredis's reader's; hiredis 0.14 has no timeouts
 * for its own asynchronous connections.
 */

#include <hiredis/hiredis.h>
#include <uv.h>

#include "common/io/redis/redis_greeting.h"
#include "common/io/redis/redis_url.h"

/* Bytes of commands without an answer; who sends more waits (fault row R15). */
#define REDIS_IN_FLIGHT_MOST ((size_t)4 << 20)

struct redis_client;

struct redis_client_events {
    /* Greeted: commands may be sent. */
    void (*on_ready)(void *owner);
    /* Away, said by each try. OUT_FATAL: it does not try again. Every answer has come before. */
    void (*on_lost)(void *owner, const struct error *err);
};

struct redis_client_config {
    const char *url;
    uint32_t connect_ms; /* from the first packet to the end of the greeting */
    uint32_t answer_ms;  /* longest silence while answers are due */
};

typedef void (*redis_answered)(void *owner, void *item, const redisReply *reply);

/* The url is parsed here: OUT_FATAL as redis_url_parse. Connects on the next turn of the loop. */
MUST_USE enum outcome redis_client_new(uv_loop_t *loop, const struct redis_client_config *config,
                                       const struct redis_client_events *events, void *owner,
                                       struct redis_client **client, struct error *err);
/* Answers due come as NULL now; on_closed on a later turn, nothing after it. */
void redis_client_close(struct redis_client *client, void (*on_closed)(void *owner));

bool redis_client_is_ready(const struct redis_client *client);
bool redis_client_has_room(const struct redis_client *client);
size_t redis_client_in_flight(const struct redis_client *client);
/* Of the connection that is ready. */
const char *redis_client_sha(const struct redis_client *client, enum redis_script script);
const char *redis_client_run_id(const struct redis_client *client);
/* One command, copied. Only while it is ready. The answer never comes from inside this call. */
void redis_client_send(struct redis_client *client, struct bytes command, redis_answered on_answer,
                       void *item);
/* Closes the connection and makes a new one: this is not the server to write to. */
void redis_client_drop(struct redis_client *client, const struct error *why);

#endif
