#include "common/io/redis/redis_version.h"

#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/buf.h"
#include "common/io/redis/redis_wire.h"

void redis_version_ask(struct redis_session *session, char *out, size_t size)
{
    static const char *const INFO[] = {"INFO", "server"};
    static const char NAME[] = "redis_version:";
    struct error err;
    struct buf command;
    redisReply *reply = NULL;
    out[0] = '\0';
    buf_init(&command, 4096);
    redis_wire_command(&command, 2, INFO);
    redis_session_send(session, buf_view(&command));
    buf_free(&command);
    if (redis_session_take(session, &reply, &err) != OUT_OK)
        return;
    bool is_text = reply->type == REDIS_REPLY_STRING;
    const char *at = is_text ? memmem(reply->str, reply->len, NAME, strlen(NAME)) : NULL;
    if (at) {
        at += strlen(NAME);
        snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    freeReplyObject(reply);
}

void redis_version_read(const char *url, int timeout_ms, char *out, size_t size)
{
    struct error err;
    struct redis_session session;
    out[0] = '\0';
    if (redis_session_open(url, timeout_ms, false, &session, &err) != OUT_OK)
        return;
    redis_version_ask(&session, out, size);
    redis_session_close(&session);
}
