#include "common/io/redis/redis_session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/io/redis/redis_error.h"

static struct timeval time_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static enum outcome lost(const struct redis_session *session, struct error *err)
{
    error_set(err, OUT_RETRY, ERR_REDIS_UNREACHABLE, "Redis cannot be reached");
    error_cause(err, "%s", session->context->errstr);
    return OUT_RETRY;
}

static enum outcome greet(struct redis_session *session, const struct redis_url *url, bool scripts,
                          struct error *err)
{
    struct buf out;
    enum outcome outcome = OUT_OK;
    buf_init(&out, 1u << 20);
    redis_greeting_begin(&session->greeting, url, scripts, &out);
    redis_session_send(session, buf_view(&out));
    explicit_bzero(out.data, out.size);
    buf_free(&out);
    while (outcome == OUT_OK && session->greeting.at < session->greeting.count) {
        redisReply *reply = NULL;
        outcome = redis_session_take_any(session, &reply, err);
        if (outcome == OUT_OK)
            outcome = redis_greeting_take(&session->greeting, reply, err);
        freeReplyObject(reply);
    }
    return outcome;
}

enum outcome redis_session_open(const char *text, int timeout_ms, bool scripts,
                                struct redis_session *session, struct error *err)
{
    struct redis_url url;
    char where[300];
    *session = (struct redis_session){0};
    enum outcome outcome = redis_url_parse(text, &url, err);
    if (outcome != OUT_OK)
        return outcome;
    session->context = url.host[0]
                           ? redisConnectWithTimeout(url.host, url.port, time_of(timeout_ms))
                           : redisConnectUnixWithTimeout(url.path, time_of(timeout_ms));
    if (!session->context)
        abort();
    if (session->context->err)
        outcome = lost(session, err);
    else if (redisSetTimeout(session->context, time_of(timeout_ms)) != REDIS_OK)
        outcome = lost(session, err);
    else
        outcome = greet(session, &url, scripts, err);
    redis_url_format(&url, where, sizeof where);
    redis_url_wipe(&url);
    if (outcome != OUT_OK) {
        error_where(err, "%s", where);
        redis_session_close(session);
    }
    return outcome;
}

void redis_session_close(struct redis_session *session)
{
    if (session->context)
        redisFree(session->context);
    session->context = NULL;
}

void redis_session_send(struct redis_session *session, struct bytes command)
{
    if (redisAppendFormattedCommand(session->context, command.data, command.size) != REDIS_OK)
        abort(); /* no memory */
}

enum outcome redis_session_take_any(struct redis_session *session, redisReply **reply,
                                    struct error *err)
{
    void *taken = NULL;
    *reply = NULL;
    if (redisGetReply(session->context, &taken) != REDIS_OK || !taken)
        return lost(session, err);
    *reply = taken;
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
