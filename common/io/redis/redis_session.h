#ifndef DROVER_IO_REDIS_SESSION_H
#define DROVER_IO_REDIS_SESSION_H

/*
 * The driver (redis_driver.h) for who has no loop: commands that ask and wait (doctor, rebuild,
 * verify, export). It has a loop of its own, which runs while an answer is waited for. Commands go
 * out together; answers are taken in the order of the commands. A connection that was lost stays
 * lost.
 */

#include "common/io/redis/redis_driver.h"

#define REDIS_CURSOR_SIZE 24

struct redis_session {
    uv_loop_t loop;
    struct redis_driver *driver; /* NULL: closed */
    struct buf out;              /* commands that wait for being sent */
    size_t out_count;
    redisReply **replies; /* of what was sent, from `taken` on; NULL: it has not come */
    size_t count, taken, filled, capacity;
    size_t first; /* the number of replies[0] among all */
    bool ready, closed;
    struct error failure; /* once it is lost */
};

/* Connects and greets; `timeout_ms` for each answer. OUT_RETRY: it is away or loading. It stays
 * where it is until it is closed. */
MUST_USE enum outcome redis_session_open(const char *url, int timeout_ms, bool scripts,
                                         struct redis_session *session, struct error *err);
/* Nothing when it is not open. */
void redis_session_close(struct redis_session *session);

/* Queues a command: of the words given (struct bytes), or as redis_wire makes it, or a call of a
 * script (redis_driver_call). Each has one reply. */
#define redis_session_ask(session, ...)                                                            \
    redis_session_ask_words((session), (const struct bytes[]){__VA_ARGS__},                        \
                            sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes))
void redis_session_ask_words(struct redis_session *session, const struct bytes *words,
                             size_t count);
void redis_session_send(struct redis_session *session, struct bytes command);
void redis_session_call(struct redis_session *session, enum redis_script script, struct bytes tail,
                        size_t words);
/* The next reply, the caller's (freeReplyObject). An error reply is a failure by redis_error. */
MUST_USE enum outcome redis_session_take(struct redis_session *session, redisReply **reply,
                                         struct error *err);
/* The same, but an error reply is handed out: the caller looks at it. */
MUST_USE enum outcome redis_session_take_any(struct redis_session *session, redisReply **reply,
                                             struct error *err);

/* Some more names of keys that fit `glob`, about `count` of them: page->element[1], the caller's as
 * any reply. `cursor` is "0" before the first page, and again with the last one. */
MUST_USE enum outcome redis_session_scan(struct redis_session *session, struct bytes glob,
                                         int count, char cursor[REDIS_CURSOR_SIZE],
                                         redisReply **page, struct error *err);

/* Views of a reply, NULL data when it is no text, or no hash (HGETALL) with such a field. */
struct bytes redis_reply_text(const redisReply *reply);
struct bytes redis_reply_field(const redisReply *hash, struct bytes name);

#endif
