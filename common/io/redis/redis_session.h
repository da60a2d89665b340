#ifndef DROVER_IO_REDIS_SESSION_H
#define DROVER_IO_REDIS_SESSION_H

/*
 * A blocking Redis connection for commands (doctor, rebuild, verify, export). The worker's own
 * asynchronous one is redis_driver.h.
 */

#include <hiredis/hiredis.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/io/redis/redis_greeting.h"

struct redis_session {
    redisContext *context;
    struct redis_greeting greeting; /* shas of the scripts */
};

/* Connects and greets; `timeout_ms` for each answer. OUT_RETRY: it is away or loading. */
MUST_USE enum outcome redis_session_open(const char *url, int timeout_ms, bool scripts,
                                         struct redis_session *session, struct error *err);
void redis_session_close(struct redis_session *session);

/* Queues a command as redis_wire makes it; its reply is taken in order. */
void redis_session_send(struct redis_session *session, struct bytes command);
/* The next reply, the caller's (freeReplyObject). An error reply is a failure by redis_error. */
MUST_USE enum outcome redis_session_take(struct redis_session *session, redisReply **reply,
                                         struct error *err);
/* The same, but an error reply is handed out: the caller looks at it. */
MUST_USE enum outcome redis_session_take_any(struct redis_session *session, redisReply **reply,
                                             struct error *err);

#endif
