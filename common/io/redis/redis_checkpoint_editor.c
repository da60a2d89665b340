#include "common/io/redis/redis_checkpoint_editor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"

struct redis_checkpoint_editor {
    struct checkpoint_editor base;
    struct redis_session session;
    struct buf key;
};

static struct redis_checkpoint_editor *of(struct checkpoint_editor *base)
{
    return (struct redis_checkpoint_editor *)base;
}

/* epoch and next_offset as they were (both empty: there was none), then as they are to be. */
static const char MOVE[] =
    "local was = redis.call('HMGET', KEYS[1], 'epoch', 'next_offset')\n"
    "if ARGV[1] == '' then\n"
    "  if was[1] then return 0 end\n"
    "  redis.call('HSET', KEYS[1], 'epoch', '0')\n"
    "else\n"
    "  if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] then return 0 end\n"
    "  redis.call('HINCRBY', KEYS[1], 'epoch', 1)\n"
    "end\n"
    "redis.call('HSET', KEYS[1], 'next_offset', ARGV[3], 'redis_next', ARGV[4],\n"
    "  'results_next', ARGV[5], 'sequences', ARGV[6], 'owner', '')\n"
    "return 1\n";

static struct bytes key_of(struct redis_checkpoint_editor *editor,
                           const struct checkpoint_place *place)
{
    buf_reset(&editor->key);
    redis_rows_append_checkpoint_key(&editor->key, place->group, place->topic, place->partition);
    return buf_view(&editor->key);
}

static enum outcome take_number(const redisReply *hash, const char *name, int64_t *value,
                                struct error *err)
{
    struct bytes text = redis_reply_field(hash, bytes_text(name));
    if (text.data && text_parse_int64(text, value))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                     "%s of a checkpoint in Redis is not a number", name);
}

static enum outcome read_one(struct checkpoint_editor *base, const struct checkpoint_place *place,
                             struct checkpoint_image *image, struct error *err)
{
    struct redis_checkpoint_editor *editor = of(base);
    redisReply *reply = NULL;
    redis_session_ask(&editor->session, BYTES_LITERAL("HGETALL"), key_of(editor, place));
    enum outcome outcome = redis_session_take(&editor->session, &reply, err);
    if (outcome != OUT_OK)
        return outcome;
    image->exists = redis_reply_field(reply, BYTES_LITERAL("epoch")).data != NULL;
    image->next_offset = image->redis_next = image->results_next = image->epoch = 0;
    image->owner[0] = '\0';
    buf_reset(&image->sequences);
    if (image->exists) {
        struct bytes owner = redis_reply_field(reply, BYTES_LITERAL("owner"));
        struct bytes sequences = redis_reply_field(reply, BYTES_LITERAL("sequences"));
        snprintf(image->owner, sizeof image->owner, "%.*s", BYTES_ARGS(bytes_or_empty(owner)));
        buf_append_bytes(&image->sequences, sequences.size ? sequences : BYTES_LITERAL("{}"));
        outcome = take_number(reply, "next_offset", &image->next_offset, err);
        if (outcome == OUT_OK)
            outcome = take_number(reply, "redis_next", &image->redis_next, err);
        if (outcome == OUT_OK)
            outcome = take_number(reply, "results_next", &image->results_next, err);
        if (outcome == OUT_OK)
            outcome = take_number(reply, "epoch", &image->epoch, err);
    }
    freeReplyObject(reply);
    return outcome;
}

static enum outcome move(struct checkpoint_editor *base, const struct checkpoint_place *place,
                         const struct checkpoint_image *was, const struct checkpoint_image *now,
                         bool *moved, struct error *err)
{
    struct redis_checkpoint_editor *editor = of(base);
    const int64_t numbers[] = {was->epoch, was->next_offset, now->next_offset, now->redis_next,
                               now->results_next};
    char texts[5][24];
    redisReply *reply = NULL;
    for (int i = 0; i < 5; i++)
        snprintf(texts[i], sizeof texts[i], "%" PRId64, numbers[i]);
    if (!was->exists)
        texts[0][0] = texts[1][0] = '\0';
    redis_session_ask(&editor->session, BYTES_LITERAL("EVAL"), bytes_text(MOVE), BYTES_LITERAL("1"),
                      key_of(editor, place), bytes_text(texts[0]), bytes_text(texts[1]),
                      bytes_text(texts[2]), bytes_text(texts[3]), bytes_text(texts[4]),
                      buf_view(&now->sequences));
    enum outcome outcome = redis_session_take(&editor->session, &reply, err);
    *moved = outcome == OUT_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    if (outcome == OUT_OK)
        freeReplyObject(reply);
    return outcome;
}

static enum outcome delete_key(struct redis_checkpoint_editor *editor, struct bytes key,
                               struct error *err)
{
    redisReply *reply = NULL;
    redis_session_ask(&editor->session, BYTES_LITERAL("DEL"), key);
    enum outcome outcome = redis_session_take(&editor->session, &reply, err);
    if (outcome == OUT_OK)
        freeReplyObject(reply);
    return outcome;
}

static enum outcome forget(struct checkpoint_editor *base, const char *group, const char *topic,
                           int32_t partitions, struct error *err)
{
    struct redis_checkpoint_editor *editor = of(base);
    buf_reset(&editor->key);
    redis_rows_append_name(&editor->key, "pins", group);
    enum outcome outcome = delete_key(editor, buf_view(&editor->key), err);
    for (int32_t i = 0; i < partitions && outcome == OUT_OK; i++)
        outcome =
            delete_key(editor, key_of(editor, &(struct checkpoint_place){group, topic, i}), err);
    return outcome;
}

static void close_editor(struct checkpoint_editor *base)
{
    struct redis_checkpoint_editor *editor = of(base);
    redis_session_close(&editor->session);
    buf_free(&editor->key);
    free(editor);
}

enum outcome redis_checkpoint_editor_open(const struct settings *settings, int timeout_ms,
                                          struct checkpoint_editor **out, struct error *err)
{
    static const struct checkpoint_editor_ops OPS = {read_one, move, forget, close_editor};
    struct redis_checkpoint_editor *editor = mem_new(sizeof *editor);
    editor->base.ops = &OPS;
    buf_init(&editor->key, 4096);
    enum outcome outcome =
        redis_session_open(settings->redis_url, timeout_ms, false, &editor->session, err);
    if (outcome != OUT_OK) {
        close_editor(&editor->base);
        return outcome;
    }
    *out = &editor->base;
    return OUT_OK;
}
