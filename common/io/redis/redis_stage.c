#include "common/io/redis/redis_stage.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/redis/redis_driver.h"
#include "common/io/redis/redis_rebuild.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_wire.h"

#define CONNECT_MS 5000
#define ANSWER_MS 15000
#define SENTINEL_MS 3000 /* fault row R03: seen within 10 s */
#define RETRY_MS 500     /* it asks to try again: R05, R07: back within 5 s */

enum chunk_state {
    CHUNK_WAITING,
    CHUNK_SENT,
    CHUNK_DONE,
};

/* One call: a batch's applied records. */
struct chunk {
    enum chunk_state state;
    int32_t partition; /* -1: of none */
    int64_t epoch, next;
    size_t records, words, size;
    struct chunk *after;
    char call[];
};

struct redis_stage {
    const struct settings *settings;
    struct redis_stage_events events;
    void *owner;
    struct redis_driver *driver;
    struct redis_rows rows;
    struct buf call;
    struct chunk *first, *last;
    uint64_t pushed, settled; /* chunks, ever */
    uint64_t records;
    size_t bytes;
    uint64_t retry_at_ms, ask_at_ms;
    bool asking, sentinel_exists;
    struct redis_rebuild *rebuild;
    int open_parts;
    void (*on_closed)(void *owner);
};

/* ---- the queue --------------------------------------------------------------------------- */

/* Takes what is done off the front, in order. */
static void settle(struct redis_stage *stage)
{
    while (stage->first && stage->first->state == CHUNK_DONE) {
        struct chunk *chunk = stage->first;
        stage->first = chunk->after;
        if (!stage->first)
            stage->last = NULL;
        stage->records -= chunk->records;
        stage->bytes -= chunk->size;
        stage->settled++;
        if (chunk->partition >= 0)
            stage->events.on_advanced(stage->owner, chunk->partition, chunk->epoch, chunk->next);
        free(chunk);
    }
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err);

static void send_chunk(struct redis_stage *stage, struct chunk *chunk)
{
    chunk->state = CHUNK_SENT;
    redis_driver_call(stage->driver, SCRIPT_APPLY, bytes_of(chunk->call, chunk->size), chunk->words,
                      on_answer, chunk);
}

static void pump(struct redis_stage *stage)
{
    settle(stage);
    if (clock_monotonic_ms() < stage->retry_at_ms)
        return;
    for (struct chunk *chunk = stage->first; chunk && redis_driver_has_room(stage->driver);
         chunk = chunk->after)
        if (chunk->state == CHUNK_WAITING)
            send_chunk(stage, chunk);
}

/* `batch` NULL: of no partition. */
static void push(struct redis_stage *stage, const struct batch *batch)
{
    size_t words = 0;
    bool fits = true;
    buf_reset(&stage->call);
    if (stage->rows.key_count)
        fits = redis_rows_append_call(&stage->rows, REDIS_MODE_SKIP, NULL, &stage->call, &words);
    if (!fits)
        abort(); /* a batch is far below; the redelivery after the restart brings it again */
    struct chunk *chunk = mem_alloc(sizeof *chunk + stage->call.size);
    *chunk = (struct chunk){.state = stage->rows.key_count ? CHUNK_WAITING : CHUNK_DONE,
                            .partition = batch ? batch->fence.partition : -1,
                            .epoch = batch ? batch->fence.epoch : 0,
                            .next = batch ? batch->fence.end : 0,
                            .records = stage->rows.key_count,
                            .words = words,
                            .size = stage->call.size};
    if (chunk->size)
        memcpy(chunk->call, stage->call.data, chunk->size);
    if (stage->last)
        stage->last->after = chunk;
    else
        stage->first = chunk;
    stage->last = chunk;
    stage->pushed++;
    stage->records += chunk->records;
    stage->bytes += chunk->size;
    pump(stage);
}

static void add(struct redis_stage *stage, const struct mapping *mapping, const struct row *row,
                struct bytes json)
{
    struct error err;
    if (!redis_rows_takes(&stage->rows, mapping))
        return;
    if (redis_rows_add(&stage->rows, mapping, row, json, &err) != OUT_OK)
        log_error(LOG_ERROR, "redis.record", &err); /* PostgreSQL has it; verify names it */
}

void redis_stage_take(struct redis_stage *stage, const struct batch *batch, int64_t from)
{
    if (batch->fence.end <= from)
        return; /* a redelivery for the receipts' sake */
    redis_rows_reset(&stage->rows);
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        if (item->verdict == CLASS_APPLIED ||
            (batch->redelivered && item->verdict == CLASS_UNCHANGED))
            add(stage, item->mapping, &item->row, (struct bytes){0});
    }
    push(stage, batch);
}

uint64_t redis_stage_take_row(struct redis_stage *stage, const struct mapping *mapping,
                              const struct row *row, struct bytes json)
{
    redis_rows_reset(&stage->rows);
    add(stage, mapping, row, json);
    if (stage->rows.key_count)
        push(stage, NULL);
    return stage->pushed;
}

bool redis_stage_has_sent(const struct redis_stage *stage, uint64_t mark)
{
    return stage->settled >= mark;
}

/* ---- answers ----------------------------------------------------------------------------- */

/* One that says that this is not the server to write to is told by on_away. */
static void on_error_reply(struct redis_stage *stage, const struct error *err)
{
    stage->retry_at_ms = clock_monotonic_ms() + RETRY_MS;
    if (err->outcome != OUT_RETRY)
        stage->events.on_failed(stage->owner, err);
    else if (redis_driver_is_ready(stage->driver))
        log_error(LOG_WARN, "redis.retry", err);
}

static void count_unowned(struct redis_stage *stage, const struct chunk *chunk, struct bytes codes)
{
    struct error err;
    uint64_t unowned = 0;
    for (size_t i = 0; i < codes.size; i++)
        unowned += codes.data[i] == 'f';
    if (!unowned)
        return;
    error_set(&err, OUT_REJECT, ERR_REDIS_UNOWNED, "%zu of %zu Redis keys are somebody else's",
              (size_t)unowned, chunk->records);
    log_error(LOG_ERROR, "redis.unowned", &err);
    stage->events.on_unowned(stage->owner, unowned);
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct redis_stage *stage = owner;
    struct chunk *chunk = item;
    struct error strange;
    struct bytes codes;
    chunk->state = CHUNK_WAITING;
    if (!err && redis_driver_codes(reply, chunk->records, &codes, &strange) != OUT_OK)
        err = &strange;
    if (!err) {
        count_unowned(stage, chunk, codes);
        chunk->state = CHUNK_DONE;
    } else if (reply) {
        on_error_reply(stage, err);
    }
    pump(stage); /* the budget is looked at once a turn of the loop */
}

/* ---- the sentinel ------------------------------------------------------------------------ */

static void on_sentinel(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct redis_stage *stage = owner;
    (void)item;
    stage->asking = false;
    if (err)
        return;
    bool known = reply->type == REDIS_REPLY_STRING;
    bool exists = known && redis_rows_is_whole(bytes_of(reply->str, reply->len),
                                               redis_driver_run_id(stage->driver));
    if (!exists && stage->sentinel_exists)
        log_line(LOG_WARN, known ? "redis.restarted" : "redis.emptied", "rebuild=yes");
    stage->sentinel_exists = exists;
    if (!exists)
        redis_rebuild_start(stage->rebuild);
}

static void ask_sentinel(struct redis_stage *stage, uint64_t now_ms)
{
    struct buf key, command;
    if (stage->asking || !redis_driver_is_ready(stage->driver) || now_ms < stage->ask_at_ms)
        return;
    stage->asking = true;
    stage->ask_at_ms = now_ms + SENTINEL_MS;
    buf_init(&key, 4096);
    buf_init(&command, 8192);
    redis_rows_append_name(&key, "sentinel", stage->settings->migration);
    redis_wire_begin(&command, 2);
    redis_wire_text(&command, "GET");
    redis_wire_word(&command, buf_view(&key));
    redis_driver_send(stage->driver, buf_view(&command), 1, on_sentinel, NULL);
    buf_free(&key);
    buf_free(&command);
}

static void on_rebuilt(void *owner, bool ok)
{
    struct redis_stage *stage = owner;
    if (ok)
        stage->ask_at_ms = 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_ready(void *owner, bool back)
{
    struct redis_stage *stage = owner;
    if (back)
        log_back("redis.back", "records=%zu", (size_t)stage->records);
    stage->ask_at_ms = stage->retry_at_ms = 0;
    ask_sentinel(stage, clock_monotonic_ms());
    pump(stage);
}

static void on_away(void *owner, const struct error *err, bool first)
{
    struct redis_stage *stage = owner;
    if (err->outcome == OUT_FATAL)
        stage->events.on_failed(stage->owner, err);
    else if (first)
        log_away("redis.away", err);
}

enum outcome redis_stage_new(uv_loop_t *loop, const struct settings *settings, const char *program,
                             const struct redis_stage_events *events, void *owner,
                             struct redis_stage **out, struct error *err)
{
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config config = {settings->redis_url, CONNECT_MS, ANSWER_MS};
    struct redis_stage *stage = mem_new(sizeof *stage);
    stage->settings = settings;
    stage->events = *events;
    stage->owner = owner;
    enum outcome outcome = redis_driver_new(loop, &config, &EVENTS, stage, &stage->driver, err);
    if (outcome != OUT_OK) {
        free(stage);
        return outcome;
    }
    redis_rows_init(&stage->rows, false, settings->redis_tombstone_ms);
    buf_init(&stage->call, SIZE_MAX / 2);
    stage->rebuild = redis_rebuild_new(loop, settings, program, on_rebuilt, stage);
    stage->open_parts = 2;
    *out = stage;
    return OUT_OK;
}

static void part_closed(void *owner)
{
    struct redis_stage *stage = owner;
    if (--stage->open_parts)
        return;
    void (*on_closed)(void *) = stage->on_closed;
    void *its_owner = stage->owner;
    while (stage->first) {
        struct chunk *chunk = stage->first;
        stage->first = chunk->after;
        free(chunk);
    }
    redis_rows_free(&stage->rows);
    buf_free(&stage->call);
    free(stage);
    on_closed(its_owner);
}

void redis_stage_close(struct redis_stage *stage, void (*on_closed)(void *owner))
{
    stage->on_closed = on_closed;
    redis_rebuild_close(stage->rebuild, part_closed);
    redis_driver_close(stage->driver, part_closed);
}

void redis_stage_tick(struct redis_stage *stage, uint64_t now_ms)
{
    ask_sentinel(stage, now_ms);
    pump(stage);
}

bool redis_stage_is_full(const struct redis_stage *stage)
{
    const struct settings *settings = stage->settings;
    return stage->records >= settings->redis_lag_records ||
           stage->bytes >= settings->redis_lag_bytes;
}

bool redis_stage_has_room(const struct redis_stage *stage)
{
    const struct settings *settings = stage->settings;
    return stage->records <= settings->redis_lag_records / 2 &&
           stage->bytes <= settings->redis_lag_bytes / 2;
}

bool redis_stage_is_busy(const struct redis_stage *stage)
{
    return stage->first && redis_driver_is_ready(stage->driver);
}

bool redis_stage_is_settled(const struct redis_stage *stage)
{
    return !stage->first && stage->sentinel_exists && !redis_rebuild_is_running(stage->rebuild);
}

const struct error *redis_stage_trouble(const struct redis_stage *stage)
{
    return redis_driver_trouble(stage->driver);
}

uint64_t redis_stage_records(const struct redis_stage *stage)
{
    return stage->records;
}
