/*
 * Checkpoint as hashes in Redis: drover:progress:<group>:<topic>:<partition> and, pinned,
 * drover:pins:<group>; and which mapping is the newest, drover:generations. Requests wait in a
 * queue; one is in flight at a time and is sent again until it is answered.
 */

#include "common/io/redis/redis_checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/redis/redis_generation.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"
#include "common/io/redis/redis_wire.h"
#include "common/model/mapping/mapping_set.h"
#include "common/port/checkpoint_queue.h"

#define CONNECT_MS 5000
#define ANSWER_MS 10000
#define RETRY_MS 500

struct redis_checkpoint {
    struct checkpoint_queue queue;
    struct redis_driver *driver;
    struct checkpoint_config config;
    uv_timer_t timer;
    bool over;
    char fingerprint[33];
    struct buf command;
    int open_parts;
    void (*on_closed)(void *owner);
};

static struct redis_checkpoint *of(struct checkpoint *checkpoint)
{
    return (struct redis_checkpoint *)checkpoint;
}

/* One script, so that two workers that begin at once see the same. Whoever pins new mappings takes
 * them over: forms that are not the newest become it (redis_generation.h). A replay does not, and
 * pins nothing when they are not the newest. */
static const char PIN[] =
    "local replay = ARGV[4] == '1'\n"
    "local found = {ARGV[1], ARGV[3]}\n"
    "local outdated = false\n"
    "for i = 5, #ARGV, 2 do\n"
    "  local has = redis.call('HGET', KEYS[2], ARGV[i])\n"
    "  outdated = outdated or (has and string.sub(has, -32) ~= ARGV[i + 1])\n"
    "  found[#found + 1] = has\n"
    "end\n"
    "if replay and outdated then return found end\n"
    "local made = redis.call('HSETNX', KEYS[1], 'fingerprint', ARGV[1]) == 1\n"
    "redis.call('HSETNX', KEYS[1], 'partitions:' .. ARGV[2], ARGV[3])\n"
    "local answer = redis.call('HMGET', KEYS[1], 'fingerprint', 'partitions:' .. ARGV[2])\n"
    "if answer[1] ~= ARGV[1] then return answer end\n"
    "for i = 5, #ARGV, 2 do\n"
    "  local has = redis.call('HGET', KEYS[2], ARGV[i])\n"
    "  local newest = has and tonumber(string.match(has, '^%d+')) or -1\n"
    "  if not has or (made and string.sub(has, -32) ~= ARGV[i + 1]) then\n"
    "    has = string.format('%d %s', newest + 1, ARGV[i + 1])\n"
    "    redis.call('HSET', KEYS[2], ARGV[i], has)\n"
    "  end\n"
    "  answer[#answer + 1] = has\n"
    "end\n"
    "return answer\n";

static void put_pins(struct redis_checkpoint *checkpoint)
{
    struct buf key;
    const struct mapping_set *mappings = checkpoint->config.mappings;
    struct digest digest = mapping_set_fingerprint(mappings);
    digest_format(&digest, checkpoint->fingerprint);
    buf_init(&key, 4096);
    redis_rows_append_name(&key, "pins", checkpoint->config.group);
    redis_wire_begin(&checkpoint->command, 9 + 2 * mappings->count);
    redis_wire_text(&checkpoint->command, "EVAL");
    redis_wire_text(&checkpoint->command, PIN);
    redis_wire_text(&checkpoint->command, "2");
    redis_wire_word(&checkpoint->command, buf_view(&key));
    redis_wire_text(&checkpoint->command, REDIS_GENERATIONS);
    redis_wire_text(&checkpoint->command, checkpoint->fingerprint);
    redis_wire_text(&checkpoint->command, checkpoint->config.topic);
    redis_wire_number(&checkpoint->command, checkpoint->config.partitions);
    redis_wire_text(&checkpoint->command, checkpoint->config.is_replay ? "1" : "0");
    for (size_t i = 0; i < mappings->count; i++) {
        char form[33];
        digest_format(&mappings->items[i]->form, form);
        redis_wire_text(&checkpoint->command, mappings->items[i]->entity);
        redis_wire_text(&checkpoint->command, form);
    }
    buf_free(&key);
}

/* What stands behind the script. */
static void put_request(struct redis_checkpoint *checkpoint,
                        const struct checkpoint_request *request)
{
    static const char *const NAMES[] = {"", "claim", "stages", "release", "look"};
    struct buf *out = &checkpoint->command, key;
    bool claim = request->kind == REQUEST_CLAIM;
    buf_init(&key, 4096);
    redis_rows_append_checkpoint_key(&key, checkpoint->config.group, checkpoint->config.topic,
                                     request->partition);
    redis_wire_text(out, "1");
    redis_wire_word(out, buf_view(&key));
    redis_wire_text(out, NAMES[request->kind]);
    if (claim) {
        redis_wire_text(out, checkpoint->config.worker);
    } else if (request->kind != REQUEST_LOOK) {
        redis_wire_number(out, request->epoch);
        redis_wire_number(out, request->redis_next);
        redis_wire_number(out, request->results_next);
    }
    buf_free(&key);
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err);

static void pump(struct checkpoint_queue *queue)
{
    static const size_t WORDS[] = {0, 6, 8, 8, 5}; /* of the whole call */
    struct redis_checkpoint *checkpoint = (struct redis_checkpoint *)queue;
    struct checkpoint_request *request = checkpoint->queue.first;
    if (!request || checkpoint->queue.in_flight || checkpoint->over ||
        !redis_driver_is_ready(checkpoint->driver))
        return;
    checkpoint->queue.in_flight = true;
    buf_reset(&checkpoint->command);
    if (request->kind == REQUEST_CHECK) {
        put_pins(checkpoint);
        redis_driver_send(checkpoint->driver, buf_view(&checkpoint->command), 1, on_answer, NULL);
        return;
    }
    put_request(checkpoint, request);
    redis_driver_call(checkpoint->driver, SCRIPT_CHECKPOINT, buf_view(&checkpoint->command),
                      WORDS[request->kind], on_answer, NULL);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void fail(struct redis_checkpoint *checkpoint, const struct error *err)
{
    checkpoint->over = checkpoint->over || err->outcome == OUT_FATAL;
    checkpoint->queue.base.events.on_error(checkpoint->queue.base.owner, err);
}

static struct bytes element(const redisReply *reply, size_t at)
{
    bool exists = reply->type == REDIS_REPLY_ARRAY && at < reply->elements;
    return redis_reply_text(exists ? reply->element[at] : NULL);
}

static enum outcome take_generations(struct redis_checkpoint *checkpoint, const redisReply *reply,
                                     struct error *err)
{
    const struct mapping_set *mappings = checkpoint->config.mappings;
    char hint[200];
    snprintf(hint, sizeof hint,
             checkpoint->config.is_replay
                 ? "replay with the newest one; a worker takes another one over"
                 : "start with the newest one; or stop all workers, then DEL drover:pins:%s takes "
                   "this one over",
             checkpoint->config.group);
    for (size_t i = 0; i < mappings->count; i++) {
        struct mapping_generation generation;
        mapping_generation_begin(&generation, mappings->items[i]);
        redis_generation_see(&generation, element(reply, 2 + i));
        if (mapping_generation_check(&generation, mappings->items[i], hint, err) != OUT_OK)
            return OUT_FATAL;
        mappings->items[i]->generation = mapping_generation_number(&generation);
    }
    return OUT_OK;
}

static void on_pinned(struct redis_checkpoint *checkpoint, const redisReply *reply)
{
    struct error err;
    int64_t pinned = 0;
    if (!text_parse_int64(element(reply, 1), &pinned) || pinned != checkpoint->config.partitions) {
        error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                  "topic %s has %d partitions, %d are pinned for this migration",
                  checkpoint->config.topic, checkpoint->config.partitions, (int)pinned);
    } else if (!bytes_equal(element(reply, 0), bytes_text(checkpoint->fingerprint))) {
        error_set(&err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
                  checkpoint->config.group);
        error_hint(&err, "stop its workers, then DEL drover:pins:%s takes the new mappings over",
                   checkpoint->config.group);
    } else if (take_generations(checkpoint, reply, &err) == OUT_OK) {
        checkpoint->queue.base.events.on_checked(checkpoint->queue.base.owner);
        return;
    }
    fail(checkpoint, &err);
}

static void on_claimed(struct redis_checkpoint *checkpoint, int32_t partition,
                       const redisReply *reply)
{
    struct checkpoint_row row = {.sequences = element(reply, 4)};
    int64_t *numbers[] = {&row.next_offset, &row.redis_next, &row.results_next, &row.epoch};
    for (size_t i = 0; i < 4; i++) {
        struct error err;
        if (text_parse_int64(element(reply, i), numbers[i]))
            continue;
        error_set(&err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                  "the checkpoint of partition %d in Redis is not a number", partition);
        fail(checkpoint, &err);
        return;
    }
    if (!row.sequences.size)
        row.sequences = BYTES_LITERAL("{}");
    checkpoint->queue.base.events.on_claimed(checkpoint->queue.base.owner, partition, &row);
}

/* In a Redis that was emptied it is nobody's. */
static void on_seen(struct redis_checkpoint *checkpoint, int32_t partition, const redisReply *reply)
{
    struct checkpoint_seen seen = {.is_owned = element(reply, 1).size > 0};
    (void)!text_parse_int64(element(reply, 0), &seen.epoch);
    (void)!text_parse_int64(element(reply, 2), &seen.next_offset);
    checkpoint->queue.base.events.on_seen(checkpoint->queue.base.owner, partition, &seen);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct redis_checkpoint *checkpoint = owner;
    (void)item;
    if (err) {
        checkpoint->queue.in_flight =
            false; /* again later, or when it is back, which says so itself */
        if (redis_driver_is_ready(checkpoint->driver))
            fail(checkpoint, err);
        if (reply && err->outcome == OUT_RETRY)
            uv_timer_start(&checkpoint->timer, on_retry, RETRY_MS, 0);
        return;
    }
    struct checkpoint_request done = checkpoint_queue_pop(&checkpoint->queue);
    bool forgotten = checkpoint->queue.forgotten;
    checkpoint->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        on_pinned(checkpoint, reply);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        on_claimed(checkpoint, done.partition, reply);
    else if (done.kind == REQUEST_RELEASE)
        checkpoint->queue.base.events.on_released(checkpoint->queue.base.owner, done.partition);
    else if (done.kind == REQUEST_LOOK)
        on_seen(checkpoint, done.partition, reply);
    pump(&checkpoint->queue);
}

static void on_ready(void *owner, bool back)
{
    (void)back;
    pump(owner);
}

static void on_away(void *owner, const struct error *err, bool first)
{
    (void)first;
    fail(owner, err);
}

/* ---- the port ---------------------------------------------------------------------------- */

static void part_closed(struct redis_checkpoint *checkpoint)
{
    if (--checkpoint->open_parts)
        return;
    checkpoint_queue_clear(&checkpoint->queue);
    void (*on_closed)(void *) = checkpoint->on_closed;
    void *owner = checkpoint->queue.base.owner;
    buf_free(&checkpoint->command);
    free(checkpoint);
    on_closed(owner);
}

static void on_driver_closed(void *owner)
{
    part_closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void close_checkpoint(struct checkpoint *base, void (*on_closed)(void *owner))
{
    of(base)->on_closed = on_closed;
    of(base)->over = true;
    uv_close((uv_handle_t *)&of(base)->timer, on_timer_closed);
    redis_driver_close(of(base)->driver, on_driver_closed);
}

enum outcome redis_checkpoint_new(uv_loop_t *loop, const struct settings *settings,
                                  const struct checkpoint_config *config,
                                  const struct checkpoint_events *events, void *owner,
                                  struct checkpoint **out, struct error *err)
{
    static const struct checkpoint_ops OPS = {
        checkpoint_queue_claim, checkpoint_queue_advance,       checkpoint_queue_release,
        checkpoint_queue_look,  checkpoint_queue_forget_claims, checkpoint_queue_is_idle,
        close_checkpoint};
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config driver = {settings->redis_url, CONNECT_MS, ANSWER_MS};
    struct redis_checkpoint *checkpoint = mem_new(sizeof *checkpoint);
    enum outcome outcome =
        redis_driver_new(loop, &driver, &EVENTS, checkpoint, &checkpoint->driver, err);
    if (outcome != OUT_OK) {
        free(checkpoint);
        return outcome;
    }
    checkpoint->queue.base = (struct checkpoint){.ops = &OPS, .events = *events, .owner = owner};
    checkpoint->queue.pump = pump;
    checkpoint->config = *config;
    buf_init(&checkpoint->command, 1u << 20);
    uv_timer_init(loop, &checkpoint->timer);
    checkpoint->timer.data = checkpoint;
    checkpoint->open_parts = 2;
    checkpoint_queue_push(&checkpoint->queue, (struct checkpoint_request){.kind = REQUEST_CHECK});
    *out = &checkpoint->queue.base;
    return OUT_OK;
}
