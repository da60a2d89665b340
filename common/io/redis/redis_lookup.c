#include "common/io/redis/redis_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_session.h"
#include "common/io/redis/redis_url.h"

struct redis_lookup {
    const char *url;
    uint64_t timeout_ms;
    struct redis_session session;
    bool open;
};

enum outcome redis_lookup_check(const char *url, struct error *err)
{
    struct redis_url parsed = {0};
    enum outcome outcome = redis_url_parse(url, &parsed, err);
    redis_url_wipe(&parsed);
    return outcome;
}

struct redis_lookup *redis_lookup_new(const char *url, uint64_t timeout_ms)
{
    struct redis_lookup *lookup = mem_new(sizeof *lookup);
    lookup->url = url;
    lookup->timeout_ms = timeout_ms;
    return lookup;
}

static void close_session(struct redis_lookup *lookup)
{
    if (lookup->open)
        redis_session_close(&lookup->session);
    lookup->open = false;
}

void redis_lookup_close(struct redis_lookup *lookup)
{
    if (!lookup)
        return;
    close_session(lookup);
    free(lookup);
}

enum outcome redis_lookup_prepare(struct redis_lookup *lookup, struct error *err)
{
    if (lookup->open)
        return OUT_OK;
    enum outcome outcome =
        redis_session_open(lookup->url, (int)lookup->timeout_ms, false, &lookup->session, err);
    lookup->open = outcome == OUT_OK;
    return outcome;
}

/* A hash without fields is none. */
static enum outcome judge(const redisReply *reply, enum redis_lookup_answer *answer,
                          struct error *err)
{
    static const char OTHER[] = "WRONGTYPE";
    bool empty = reply->type == REDIS_REPLY_NIL ||
                 (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0);
    *answer = empty ? LOOKUP_NONE : LOOKUP_FOUND;
    if (reply->type != REDIS_REPLY_ERROR)
        return OUT_OK;
    *answer = LOOKUP_OTHER_TYPE;
    if (strncmp(reply->str, OTHER, sizeof OTHER - 1) == 0)
        return OUT_OK;
    redis_error_classify(bytes_of(reply->str, reply->len), err);
    return err->outcome;
}

enum outcome redis_lookup_find(struct redis_lookup *lookup, struct bytes key, bool hash,
                               enum redis_lookup_answer *answer, struct error *err)
{
    redisReply *reply = NULL;
    redis_session_ask(&lookup->session, hash ? BYTES_LITERAL("HGETALL") : BYTES_LITERAL("GET"),
                      key);
    enum outcome outcome = redis_session_take_any(&lookup->session, &reply, err);
    if (outcome != OUT_OK) {
        close_session(lookup);
        return outcome;
    }
    outcome = judge(reply, answer, err);
    freeReplyObject(reply);
    return outcome;
}
