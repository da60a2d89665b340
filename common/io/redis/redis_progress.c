/*
 * Progress as hashes in Redis: drover:progress:<group>:<topic>:<partition> and, pinned,
 * drover:pins:<group>. Requests wait in a queue; one is in flight at a time and is sent again until
 * it is answered.
 */

#include "common/io/redis/redis_progress.h"

#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/redis/redis_driver.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_wire.h"
#include "common/port/progress_queue.h"

#define CONNECT_MS 5000
#define ANSWER_MS 10000
#define RETRY_MS 500

struct redis_progress {
    struct progress_queue queue;
    struct redis_driver *driver;
    struct redis_progress_config config;
    uv_timer_t timer;
    bool over;
    char fingerprint[33];
    struct buf command;
    int open_parts;
    void (*on_closed)(void *owner);
};

static struct redis_progress *of(struct progress *progress)
{
    return (struct redis_progress *)progress;
}

/* One script, so that two workers that begin at once see the same. */
static const char PIN[] = "redis.call('HSETNX', KEYS[1], 'fingerprint', ARGV[1])\n"
                          "redis.call('HSETNX', KEYS[1], 'partitions:' .. ARGV[2], ARGV[3])\n"
                          "return redis.call('HMGET', KEYS[1], 'fingerprint', 'partitions:' .. "
                          "ARGV[2])\n";

static void put_pins(struct redis_progress *progress)
{
    struct buf key;
    struct digest digest = mapping_set_fingerprint(progress->config.mappings);
    digest_format(&digest, progress->fingerprint);
    buf_init(&key, 4096);
    redis_rows_append_name(&key, "pins", progress->config.group);
    redis_wire_begin(&progress->command, 7);
    redis_wire_text(&progress->command, "EVAL");
    redis_wire_text(&progress->command, PIN);
    redis_wire_text(&progress->command, "1");
    redis_wire_word(&progress->command, buf_view(&key));
    redis_wire_text(&progress->command, progress->fingerprint);
    redis_wire_text(&progress->command, progress->config.topic);
    redis_wire_number(&progress->command, progress->config.partitions);
    buf_free(&key);
}

/* What stands behind the script. */
static void put_request(struct redis_progress *progress, const struct progress_request *request)
{
    static const char *const NAMES[] = {"", "claim", "stages", "release"};
    struct buf *out = &progress->command, key;
    bool claim = request->kind == REQUEST_CLAIM;
    buf_init(&key, 4096);
    redis_rows_append_progress_key(&key, progress->config.group, progress->config.topic,
                                   request->partition);
    redis_wire_text(out, "1");
    redis_wire_word(out, buf_view(&key));
    redis_wire_text(out, NAMES[request->kind]);
    if (claim) {
        redis_wire_text(out, progress->config.worker);
    } else {
        redis_wire_number(out, request->epoch);
        redis_wire_number(out, request->redis_next);
        redis_wire_number(out, request->results_next);
    }
    buf_free(&key);
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err);

static void pump(struct progress_queue *queue)
{
    struct redis_progress *progress = (struct redis_progress *)queue;
    struct progress_request *request = progress->queue.first;
    if (!request || progress->queue.in_flight || progress->over ||
        !redis_driver_is_ready(progress->driver))
        return;
    progress->queue.in_flight = true;
    buf_reset(&progress->command);
    if (request->kind == REQUEST_CHECK) {
        put_pins(progress);
        redis_driver_send(progress->driver, buf_view(&progress->command), 1, on_answer, NULL);
        return;
    }
    put_request(progress, request);
    redis_driver_call(progress->driver, SCRIPT_PROGRESS, buf_view(&progress->command),
                      request->kind == REQUEST_CLAIM ? 6 : 8, on_answer, NULL);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void fail(struct redis_progress *progress, const struct error *err)
{
    progress->over = progress->over || err->outcome == OUT_FATAL;
    progress->queue.base.events.on_error(progress->queue.base.owner, err);
}

static struct bytes element(const redisReply *reply, size_t at)
{
    bool there = reply->type == REDIS_REPLY_ARRAY && at < reply->elements &&
                 reply->element[at]->type == REDIS_REPLY_STRING;
    return there ? bytes_of(reply->element[at]->str, reply->element[at]->len) : (struct bytes){0};
}

static void on_pinned(struct redis_progress *progress, const redisReply *reply)
{
    struct error err;
    int64_t pinned = 0;
    if (!text_parse_int64(element(reply, 1), &pinned) || pinned != progress->config.partitions) {
        error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                  "topic %s has %d partitions, %d are pinned for this migration",
                  progress->config.topic, progress->config.partitions, (int)pinned);
    } else if (!bytes_equal(element(reply, 0), bytes_text(progress->fingerprint))) {
        error_set(&err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
                  progress->config.group);
        error_hint(&err, "stop its workers, then DEL drover:pins:%s takes the new mappings over",
                   progress->config.group);
    } else {
        progress->queue.base.events.on_checked(progress->queue.base.owner);
        return;
    }
    fail(progress, &err);
}

static void on_claimed(struct redis_progress *progress, int32_t partition, const redisReply *reply)
{
    struct progress_row row = {.sequences = element(reply, 4)};
    int64_t *numbers[] = {&row.next_offset, &row.redis_next, &row.results_next, &row.epoch};
    for (size_t i = 0; i < 4; i++) {
        struct error err;
        if (text_parse_int64(element(reply, i), numbers[i]))
            continue;
        error_set(&err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                  "the progress of partition %d in Redis is not a number", partition);
        fail(progress, &err);
        return;
    }
    if (!row.sequences.size)
        row.sequences = BYTES_LITERAL("{}");
    progress->queue.base.events.on_claimed(progress->queue.base.owner, partition, &row);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct redis_progress *progress = owner;
    (void)item;
    if (err) {
        progress->queue.in_flight =
            false; /* again later, or when it is back, which says so itself */
        if (redis_driver_is_ready(progress->driver))
            fail(progress, err);
        if (reply && err->outcome == OUT_RETRY)
            uv_timer_start(&progress->timer, on_retry, RETRY_MS, 0);
        return;
    }
    struct progress_request done = progress_queue_pop(&progress->queue);
    bool forgotten = progress->queue.forgotten;
    progress->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        on_pinned(progress, reply);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        on_claimed(progress, done.partition, reply);
    else if (done.kind == REQUEST_RELEASE)
        progress->queue.base.events.on_released(progress->queue.base.owner, done.partition);
    pump(&progress->queue);
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

static void part_closed(struct redis_progress *progress)
{
    if (--progress->open_parts)
        return;
    progress_queue_clear(&progress->queue);
    void (*on_closed)(void *) = progress->on_closed;
    void *owner = progress->queue.base.owner;
    buf_free(&progress->command);
    free(progress);
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

static void close_progress(struct progress *base, void (*on_closed)(void *owner))
{
    of(base)->on_closed = on_closed;
    of(base)->over = true;
    uv_close((uv_handle_t *)&of(base)->timer, on_timer_closed);
    redis_driver_close(of(base)->driver, on_driver_closed);
}

enum outcome redis_progress_new(uv_loop_t *loop, const struct settings *settings,
                                const struct redis_progress_config *config,
                                const struct progress_events *events, void *owner,
                                struct progress **out, struct error *err)
{
    static const struct progress_ops OPS = {progress_queue_claim,   progress_queue_stages,
                                            progress_queue_release, progress_queue_forget_claims,
                                            progress_queue_is_idle, close_progress};
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config driver = {settings->redis_url, CONNECT_MS, ANSWER_MS};
    struct redis_progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        abort();
    enum outcome outcome =
        redis_driver_new(loop, &driver, &EVENTS, progress, &progress->driver, err);
    if (outcome != OUT_OK) {
        free(progress);
        return outcome;
    }
    progress->queue.base = (struct progress){.ops = &OPS, .events = *events, .owner = owner};
    progress->queue.pump = pump;
    progress->config = *config;
    buf_init(&progress->command, 1u << 20);
    uv_timer_init(loop, &progress->timer);
    progress->timer.data = progress;
    progress->open_parts = 2;
    progress_queue_push(&progress->queue, (struct progress_request){.kind = REQUEST_CHECK});
    *out = &progress->queue.base;
    return OUT_OK;
}
