#include "common/io/redis/redis_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_wire.h"

#define OUT_SIZE ((size_t)64 << 10) /* then they are sent */

static void on_ready(void *owner, bool back)
{
    struct redis_session *session = owner;
    (void)back;
    session->ready = true;
}

static void on_away(void *owner, const struct error *err, bool first)
{
    struct redis_session *session = owner;
    if (first)
        session->failure = *err;
}

static void on_closed(void *owner)
{
    struct redis_session *session = owner;
    session->closed = true;
}

static bool is_lost(const struct redis_session *session)
{
    return session->failure.outcome != OUT_OK;
}

enum outcome redis_session_open(const char *url, int timeout_ms, bool scripts,
                                struct redis_session *session, struct error *err)
{
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config config = {.url = url,
                                         .connect_ms = (uint32_t)timeout_ms,
                                         .answer_ms = (uint32_t)timeout_ms,
                                         .no_scripts = !scripts,
                                         .reply_max = SIZE_MAX};
    *session = (struct redis_session){0};
    uv_loop_init(&session->loop);
    enum outcome outcome =
        redis_driver_new(&session->loop, &config, &EVENTS, session, &session->driver, err);
    if (outcome != OUT_OK) {
        uv_loop_close(&session->loop);
        return outcome;
    }
    buf_init(&session->out, SIZE_MAX / 2);
    while (!session->ready && !is_lost(session))
        uv_run(&session->loop, UV_RUN_ONCE);
    if (session->ready)
        return OUT_OK;
    *err = session->failure;
    redis_session_close(session);
    return err->outcome;
}

void redis_session_close(struct redis_session *session)
{
    if (!session->driver)
        return;
    redis_driver_close(session->driver, on_closed);
    while (!session->closed)
        uv_run(&session->loop, UV_RUN_ONCE);
    uv_loop_close(&session->loop);
    session->driver = NULL;
    while (session->taken < session->count)
        freeReplyObject(session->replies[session->taken++]);
    free(session->replies);
    buf_free(&session->out);
}

/* ---- commands and replies ---------------------------------------------------------------- */

/* Kept until it is taken; one that never came is the loss's, which on_away tells. `item` is the
 * number of the first command it was sent with: a script that was not known is answered later. */
static void on_reply(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct redis_session *session = owner;
    size_t at = (size_t)(uintptr_t)item;
    (void)err;
    if (!reply)
        return;
    at = at > session->first + session->filled ? at - session->first : session->filled;
    while (session->replies[at])
        at++;
    session->replies[at] = redis_driver_keep(session->driver);
    while (session->filled < session->count && session->replies[session->filled])
        session->filled++;
}

/* Room for the replies of `count` commands; the number of the first. */
static void *expect(struct redis_session *session, size_t count)
{
    size_t left = session->count - session->taken;
    if (session->taken >= left) { /* else it is not yet worth the move */
        if (left)
            memmove(session->replies, session->replies + session->taken,
                    left * sizeof *session->replies);
        session->first += session->taken;
        session->filled -= session->taken;
        session->count = left;
        session->taken = 0;
    }
    size_t number = session->first + session->count;
    session->replies = mem_grown(session->replies, &session->capacity, session->count + count,
                                 sizeof *session->replies);
    for (size_t i = 0; i < count; i++)
        session->replies[session->count++] = NULL;
    return (void *)(uintptr_t)number;
}

static void send_out(struct redis_session *session)
{
    if (session->out_count && redis_driver_is_ready(session->driver))
        redis_driver_send(session->driver, buf_view(&session->out), session->out_count, on_reply,
                          expect(session, session->out_count));
    buf_reset(&session->out);
    session->out_count = 0;
}

static void queued(struct redis_session *session)
{
    session->out_count++;
    if (session->out.size >= OUT_SIZE)
        send_out(session);
}

void redis_session_send(struct redis_session *session, struct bytes command)
{
    buf_append_bytes(&session->out, command);
    queued(session);
}

void redis_session_ask_words(struct redis_session *session, const struct bytes *words, size_t count)
{
    redis_wire_begin(&session->out, count);
    for (size_t i = 0; i < count; i++)
        redis_wire_word(&session->out, words[i]);
    queued(session);
}

void redis_session_call(struct redis_session *session, enum redis_script script, struct bytes tail,
                        size_t words)
{
    send_out(session);
    if (redis_driver_is_ready(session->driver))
        redis_driver_call(session->driver, script, tail, words, on_reply, expect(session, 1));
}

enum outcome redis_session_take_any(struct redis_session *session, redisReply **reply,
                                    struct error *err)
{
    *reply = NULL;
    send_out(session);
    while (session->taken == session->filled && !is_lost(session))
        uv_run(&session->loop, UV_RUN_ONCE);
    if (session->taken == session->filled) {
        *err = session->failure;
        return err->outcome;
    }
    *reply = session->replies[session->taken++];
    return OUT_OK;
}

enum outcome redis_session_take(struct redis_session *session, redisReply **reply,
                                struct error *err)
{
    enum outcome outcome = redis_session_take_any(session, reply, err);
    if (outcome != OUT_OK || (*reply)->type != REDIS_REPLY_ERROR)
        return outcome;
    redis_error_classify(bytes_of((*reply)->str, (*reply)->len), err);
    freeReplyObject(*reply);
    *reply = NULL;
    return err->outcome;
}

enum outcome redis_session_scan(struct redis_session *session, struct bytes glob, int count,
                                char cursor[REDIS_CURSOR_SIZE], redisReply **page,
                                struct error *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    redis_session_ask(session, BYTES_LITERAL("SCAN"), bytes_text(cursor), BYTES_LITERAL("MATCH"),
                      glob, BYTES_LITERAL("COUNT"), bytes_text(number));
    enum outcome outcome = redis_session_take(session, page, err);
    if (outcome != OUT_OK)
        return outcome;
    const redisReply *reply = *page;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[0]->len < REDIS_CURSOR_SIZE &&
        reply->element[1]->type == REDIS_REPLY_ARRAY) {
        memcpy(cursor, reply->element[0]->str, reply->element[0]->len + 1);
        return OUT_OK;
    }
    freeReplyObject(*page);
    *page = NULL;
    return error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL, "Redis answered SCAN with something else");
}

struct bytes redis_reply_text(const redisReply *reply)
{
    bool text = reply && reply->type == REDIS_REPLY_STRING;
    return text ? bytes_of(reply->str, reply->len) : (struct bytes){0};
}

struct bytes redis_reply_field(const redisReply *hash, struct bytes name)
{
    for (size_t i = 0; hash->type == REDIS_REPLY_ARRAY && i + 1 < hash->elements; i += 2)
        if (bytes_equal(redis_reply_text(hash->element[i]), name))
            return redis_reply_text(hash->element[i + 1]);
    return (struct bytes){0};
}
