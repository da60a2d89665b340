#ifndef DROVER_IO_REDIS_DRIVER_H
#define DROVER_IO_REDIS_DRIVER_H

/*
 * All that writing into Redis needs of a connection, once: the sink of storage redis and its
 * checkpoint, the stage of storage hybrid and `drover rebuild redis` are what they send.
 *
 * It connects and greets by itself, and again after a loss, with backoff. Calls
 * are pipelined; each is answered exactly once: by a reply, or by nothing when the connection went
 * before one came. A script goes by its name; where the server does not know it (any more) its text
 * follows, and the caller sees one answer, behind those of calls that were on their way by then;
 * all others come in order. What an error reply means is said with it (redis_error.h); one that
 * says that this is not the server to write to costs the connection. After a timeout the connection
 * is closed, so that a late reply can never be taken for another call's.
 *
 * The socket is libuv's, the protocol's replies hiredis's reader's; hiredis 0.14 has no timeouts
 * for its own asynchronous connections. For who has no loop and wants to wait: redis_session.h.
 */

#include <hiredis/hiredis.h>
#include <uv.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/io/redis/redis_script.h"

/* Bytes of calls without an answer; who sends more waits (fault row R15). */
#define REDIS_IN_FLIGHT_MAX ((size_t)4 << 20)

#define REDIS_SHA_SIZE 41 /* with its NUL; a run_id has the same */

struct redis_driver;

struct redis_driver_events {
    /* Greeted: calls may be sent. `back`: it had been away. */
    void (*on_ready)(void *owner, bool back);
    /* Away, said by each try; `first` of them. OUT_FATAL: it does not try again. Every answer has
     * come before. */
    void (*on_away)(void *owner, const struct error *err, bool first);
};

struct redis_driver_config {
    const char *url;
    uint32_t connect_ms; /* from the first packet to the end of the greeting */
    uint32_t answer_ms;  /* longest silence while answers are due */
    bool no_scripts;     /* they are not loaded: apply is not called, or is sent whole */
    size_t reply_max;    /* bytes of one reply; 0: what a worker may be told (fault row R18) */
};

/* `reply` is a view; NULL: none came, so that nobody knows whether the call was done. `err` is NULL
 * when it is no error; OUT_RETRY: the same call may succeed later, OUT_FATAL: it will not. What
 * apply answers is a string of codes. */
typedef void (*redis_answered)(void *owner, void *item, const redisReply *reply,
                               const struct error *err);

/* The url is parsed here: OUT_FATAL as redis_url_parse. Connects on the next turn of the loop. */
MUST_USE enum outcome redis_driver_new(uv_loop_t *loop, const struct redis_driver_config *config,
                                       const struct redis_driver_events *events, void *owner,
                                       struct redis_driver **driver, struct error *err);
/* Answers due come as nothing now; on_closed on a later turn, nothing after it. */
void redis_driver_close(struct redis_driver *driver, void (*on_closed)(void *owner));

bool redis_driver_is_ready(const struct redis_driver *driver);
/* It is ready, and what waits for an answer is below the limit. */
bool redis_driver_has_room(const struct redis_driver *driver);
size_t redis_driver_in_flight(const struct redis_driver *driver);
/* Why it is away, as first told; NULL: it is not, or has just begun. */
const struct error *redis_driver_trouble(const struct redis_driver *driver);
/* Of the connection that is ready. */
const char *redis_driver_run_id(const struct redis_driver *driver);

/* Both copy, are for while it is ready, and never answer from inside. Commands as redis_wire makes
 * them, `count` of them with an answer each; a call of a script: `tail` is what stands behind the
 * script, `words` what the whole command has (redis_rows_append_call). */
void redis_driver_send(struct redis_driver *driver, struct bytes commands, size_t count,
                       redis_answered on_answer, void *item);
void redis_driver_call(struct redis_driver *driver, enum redis_script script, struct bytes tail,
                       size_t words, redis_answered on_answer, void *item);

/* Within an answer: the reply that came is the caller's from here on (freeReplyObject). */
redisReply *redis_driver_keep(struct redis_driver *driver);

/* The codes of a call of apply that has no fence: one for each of its `keys`, behind the status.
 * OUT_FATAL: it is something else. */
MUST_USE enum outcome redis_driver_codes(const redisReply *reply, size_t keys, struct bytes *codes,
                                         struct error *err);

#endif
