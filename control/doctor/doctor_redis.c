/* `drover doctor`: can Redis be used as it is set up? */

#include <stdlib.h>
#include <string.h>

#include "common/io/redis/redis_session.h"
#include "common/io/redis/redis_url.h"
#include "common/io/redis/redis_wire.h"
#include "common/io/stores.h"
#include "control/doctor/doctor.h"

enum { ANSWER_MS = 3000 };

static bool is_needed(const struct settings *settings)
{
    return store_of(settings)->has_redis;
}

/* The answer's text; empty when Redis will not say. */
static struct bytes ask(struct redis_session *session, const char *const *words, size_t count,
                        redisReply **reply)
{
    struct error err;
    struct buf command;
    buf_init(&command, 4096);
    redis_wire_command(&command, count, words);
    redis_session_send(session, buf_view(&command));
    buf_free(&command);
    if (redis_session_take(session, reply, &err) != OUT_OK)
        return (struct bytes){0};
    const redisReply *text = *reply;
    if (text->type == REDIS_REPLY_ARRAY && text->elements == 2)
        text = text->element[1];
    return text->type == REDIS_REPLY_STRING ? bytes_of(text->str, text->len) : (struct bytes){0};
}

static void say_version(struct doctor *doctor, struct redis_session *session, const char *where)
{
    static const char *const INFO[] = {"INFO", "server"};
    static const char NAME[] = "redis_version:";
    redisReply *reply = NULL;
    struct bytes text = ask(session, INFO, 2, &reply);
    const char *at = text.size ? memmem(text.data, text.size, NAME, strlen(NAME)) : NULL;
    at = at ? at + strlen(NAME) : "(version hidden)";
    doctor_say(doctor, FINDING_OK, "redis", NULL, "%s · %.*s", where, (int)strcspn(at, "\r\n"), at);
    freeReplyObject(reply);
}

/* Without a memory limit nothing is thrown away yet, but it would be once there is one. */
static void check_policy(struct doctor *doctor, struct redis_session *session)
{
    static const char *const POLICY[] = {"CONFIG", "GET", "maxmemory-policy"};
    redisReply *reply = NULL;
    struct bytes policy = ask(session, POLICY, 3, &reply);
    if (policy.size && !bytes_equal(policy, BYTES_LITERAL("noeviction")))
        doctor_say(doctor, FINDING_WARNING, "redis", "CONFIG SET maxmemory-policy noeviction",
                   "maxmemory-policy is %.*s: keys may vanish and would be reported missing",
                   BYTES_ARGS(policy));
    freeReplyObject(reply);
}

static void check_reach(struct doctor *doctor, const struct redis_url *url)
{
    if (!redis_url_is_local(url))
        doctor_say(doctor, FINDING_WARNING, "redis", "a local tunnel, or a unix socket",
                   "what is sent to Redis leaves this machine in the clear");
}

void doctor_check_redis(struct doctor *doctor)
{
    struct error err;
    struct redis_url url;
    struct redis_session session;
    char where[300];
    const char *text = doctor->settings->redis_url;
    if ((!text || !text[0]) && !is_needed(doctor->settings))
        return;
    enum outcome outcome = redis_url_parse(text, &url, &err);
    redis_url_format(&url, where, sizeof where);
    /* with the scripts: a user who may not load them cannot work */
    if (outcome == OUT_OK)
        outcome = redis_session_open(text, ANSWER_MS, is_needed(doctor->settings), &session, &err);
    if (outcome != OUT_OK) {
        doctor_say_error(doctor, FINDING_PROBLEM, "redis", &err);
        redis_url_wipe(&url);
        return;
    }
    say_version(doctor, &session, where);
    check_policy(doctor, &session);
    check_reach(doctor, &url);
    redis_session_close(&session);
    redis_url_wipe(&url);
}
