/* Redis as a store: storage `redis`. */

#include "common/io/redis/redis_generation.h"
#include "common/io/redis/redis_store_row.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis/redis_checkpoint.h"
#include "common/io/redis/redis_checkpoint_editor.h"
#include "common/io/redis/redis_session.h"
#include "common/io/redis/redis_sink.h"
#include "common/io/redis/redis_store_reader.h"
#include "common/io/redis/redis_url.h"
#include "common/io/redis/redis_version.h"
#include "common/io/redis/redis_wire.h"

#define EXAMINE_MS 3000 /* an answer to the doctor */

static uint64_t tombstone_life_ms(const struct settings *settings, bool hard)
{
    (void)hard;
    return settings->redis_tombstone_ms;
}

/* A password in the clear beyond this machine is said once, and left to who runs it. */
enum outcome redis_store_row_check(const struct store_opening *opening, struct error *err)
{
    struct redis_url url;
    char place[300];
    enum outcome outcome = redis_url_parse(opening->settings->redis_url, &url, err);
    if (outcome == OUT_OK && !redis_url_is_local(&url)) {
        redis_url_format(&url, place, sizeof place);
        log_line(LOG_WARN, "redis.plaintext", "where=%s", place);
    }
    redis_url_wipe(&url);
    return outcome;
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    enum outcome outcome =
        redis_checkpoint_new(opening->loop, opening->settings, &opening->checkpoint,
                             opening->checkpoint_events, opening->owner, &parts->checkpoint, err);
    if (outcome == OUT_OK)
        outcome = redis_sink_new(opening->loop, opening->settings, opening->sink_events,
                                 opening->owner, &parts->sink, err);
    return outcome;
}

/* Keys of no tenant are strays only where all tenants are read. */
static enum outcome open_reader(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    bool all = !reading->only_tenant || !reading->only_tenant[0];
    return redis_store_reader_open(settings, mappings, reading->as_it_lies && all, reader, err);
}

static enum outcome read_status(struct store_status *status, struct error *err)
{
    struct checkpoint_editor *editor = NULL;
    enum outcome outcome =
        redis_checkpoint_editor_open(status->settings, status->timeout_ms, &editor, err);
    if (outcome != OUT_OK)
        return error_code_exit(err->code) == EXIT_UNREACHABLE ? OUT_RETRY : outcome;
    return store_read_checkpoints(status, editor, err);
}

/* ---- the doctor -------------------------------------------------------------------------- */

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

static void say_version(struct findings *findings, struct redis_session *session, const char *where)
{
    char version[64];
    redis_version_ask(session, version, sizeof version);
    findings->say(findings, FINDING_OK, "redis", NULL, "%s · %s", where,
                  version[0] ? version : "(version hidden)");
}

/* Without a memory limit nothing is thrown away yet, but it would be once there is one. */
static void check_policy(struct findings *findings, struct redis_session *session)
{
    static const char *const POLICY[] = {"CONFIG", "GET", "maxmemory-policy"};
    redisReply *reply = NULL;
    struct bytes policy = ask(session, POLICY, 3, &reply);
    if (policy.size && !bytes_equal(policy, BYTES_LITERAL("noeviction")))
        findings->say(findings, FINDING_WARNING, "redis", "CONFIG SET maxmemory-policy noeviction",
                      "maxmemory-policy is %.*s: keys may vanish and would be reported missing",
                      BYTES_ARGS(policy));
    freeReplyObject(reply);
}

static void check_reach(struct findings *findings, const struct redis_url *url)
{
    if (!redis_url_is_local(url))
        findings->say(findings, FINDING_WARNING, "redis", "a local tunnel, or a unix socket",
                      "what is sent to Redis leaves this machine in the clear");
}

void redis_store_row_examine(struct findings *findings, bool needed)
{
    struct error err;
    struct redis_url url;
    struct redis_session session;
    char where[300];
    const char *text = findings->settings->redis_url;
    enum outcome outcome = redis_url_parse(text, &url, &err);
    redis_url_format(&url, where, sizeof where);
    /* with the scripts: a user who may not load them cannot work */
    if (outcome == OUT_OK)
        outcome = redis_session_open(text, EXAMINE_MS, needed, &session, &err);
    if (outcome != OUT_OK) {
        findings->say_error(findings, FINDING_PROBLEM, "redis", &err);
        redis_url_wipe(&url);
        return;
    }
    say_version(findings, &session, where);
    check_policy(findings, &session);
    check_reach(findings, &url);
    redis_session_close(&session);
    redis_url_wipe(&url);
}

void redis_store_row_version(const struct settings *settings, char *out, size_t size)
{
    redis_version_read(settings->redis_url, EXAMINE_MS, out, size);
}

static void examine(struct findings *findings)
{
    redis_store_row_examine(findings, true);
}

const struct store REDIS_STORE_ROW = {.away = "redis.away",
                                      .back = "redis.back",
                                      .has_redis = true,
                                      .may_forget = true,
                                      .tombstone_life_ms = tombstone_life_ms,
                                      .check = redis_store_row_check,
                                      .open = open_store,
                                      .open_reader = open_reader,
                                      .read_generations = redis_generation_read,
                                      .read_status = read_status,
                                      .open_editor = redis_checkpoint_editor_open,
                                      .examine = examine,
                                      .read_redis_version = redis_store_row_version};
