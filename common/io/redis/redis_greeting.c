#include "common/io/redis/redis_greeting.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_wire.h"

enum step {
    STEP_LOGIN,
    STEP_SELECT,
    STEP_MEMORY,
    STEP_CLUSTER,
    STEP_SERVER,
    STEP_SCRIPT, /* + number of the script */
};

static void expect(struct redis_greeting *greeting, int step)
{
    greeting->steps[greeting->count++] = step;
}

static void log_in(struct redis_greeting *greeting, const struct redis_url *url, struct buf *out)
{
    const char *both[] = {"AUTH", url->user, url->password};
    const char *alone[] = {"AUTH", url->password};
    if (url->password[0] == '\0')
        return;
    redis_wire_command(out, url->user[0] ? 3 : 2, url->user[0] ? both : alone);
    expect(greeting, STEP_LOGIN);
}

void redis_greeting_begin(struct redis_greeting *greeting, const struct redis_url *url,
                          bool scripts, struct buf *out)
{
    static const char *const MEMORY[] = {"INFO", "memory"};
    static const char *const CLUSTER[] = {"INFO", "cluster"};
    static const char *const SERVER[] = {"INFO", "server"};
    *greeting = (struct redis_greeting){0};
    log_in(greeting, url, out);
    if (url->database) {
        redis_wire_begin(out, 2);
        redis_wire_text(out, "SELECT");
        redis_wire_number(out, url->database);
        expect(greeting, STEP_SELECT);
    }
    redis_wire_command(out, 2, MEMORY);
    expect(greeting, STEP_MEMORY);
    redis_wire_command(out, 2, CLUSTER);
    expect(greeting, STEP_CLUSTER);
    redis_wire_command(out, 2, SERVER);
    expect(greeting, STEP_SERVER);
    for (int i = 0; scripts && i < SCRIPT_COUNT; i++) {
        const char *load[] = {"SCRIPT", "LOAD", redis_script_text((enum redis_script)i)};
        redis_wire_command(out, 3, load);
        expect(greeting, STEP_SCRIPT + i);
    }
}

/* The value of "name:value" in INFO's answer; empty when it is not there. */
static struct bytes field_of(const redisReply *reply, const char *name)
{
    size_t size = strlen(name);
    const char *at = reply->str, *end = reply->str + reply->len;
    while (at && at < end) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        if ((size_t)(line_end - at) > size && memcmp(at, name, size) == 0 && at[size] == ':')
            return bytes_of(at + size + 1, (size_t)(line_end - at) - size - 1);
        at = line_end + 2;
    }
    return (struct bytes){0};
}

static enum outcome check_memory(const redisReply *reply, struct error *err)
{
    int64_t most = 0;
    struct bytes policy = field_of(reply, "maxmemory_policy");
    if (!text_parse_int64(field_of(reply, "maxmemory"), &most) || most == 0 || policy.size == 0 ||
        bytes_equal(policy, BYTES_LITERAL("noeviction")))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_REDIS_CONFIG,
              "Redis would throw keys away: its maxmemory-policy is not noeviction");
    error_hint(err, "CONFIG SET maxmemory-policy noeviction");
    return OUT_FATAL;
}

static enum outcome check_cluster(const redisReply *reply, struct error *err)
{
    if (!bytes_equal(field_of(reply, "cluster_enabled"), BYTES_LITERAL("1")))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_REDIS_CONFIG,
                     "this Redis is a cluster, which is not supported");
}

static void note_run(struct redis_greeting *greeting, const redisReply *reply)
{
    struct bytes id = field_of(reply, "run_id");
    if (id.size < sizeof greeting->run_id)
        memcpy(greeting->run_id, id.size ? id.data : "", id.size);
}

static enum outcome take_error(int step, const redisReply *reply, struct error *err)
{
    enum redis_action action = redis_error_classify(bytes_of(reply->str, reply->len), err);
    bool denied = err->code == ERR_REDIS_AUTH && strncmp(reply->str, "NOPERM ", 7) == 0;
    if (step >= STEP_MEMORY && step <= STEP_SERVER && denied)
        return OUT_OK; /* who may not look may still write */
    if (action == ANSWER_RECORD || action == ANSWER_SCRIPT)
        err->outcome = OUT_FATAL;
    return err->outcome;
}

enum outcome redis_greeting_take(struct redis_greeting *greeting, const redisReply *reply,
                                 struct error *err)
{
    int step = greeting->steps[greeting->at++];
    if (reply->type == REDIS_REPLY_ERROR)
        return take_error(step, reply, err);
    if (step == STEP_MEMORY && reply->type == REDIS_REPLY_STRING)
        return check_memory(reply, err);
    if (step == STEP_CLUSTER && reply->type == REDIS_REPLY_STRING)
        return check_cluster(reply, err);
    if (step == STEP_SERVER && reply->type == REDIS_REPLY_STRING)
        note_run(greeting, reply);
    if (step >= STEP_SCRIPT) {
        if (reply->type != REDIS_REPLY_STRING || reply->len != REDIS_SHA_SIZE - 1)
            return error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                             "Redis answered SCRIPT LOAD with something else");
        memcpy(greeting->shas[step - STEP_SCRIPT], reply->str, REDIS_SHA_SIZE);
    }
    return OUT_OK;
}
