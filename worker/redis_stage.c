#include "worker/redis_stage.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/redis/redis_client.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_wire.h"
#include "worker/rebuild_child.h"

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
    bool as_text;
    int32_t partition; /* -1: of none */
    int64_t epoch, next;
    size_t records, words, size;
    struct chunk *after;
    char tail[];
};

struct redis_stage {
    struct worker *worker;
    struct redis_client *client;
    struct redis_rows rows;
    struct buf tail, command;
    struct chunk *first, *last;
    uint64_t pushed, settled; /* chunks, ever */
    uint64_t records;
    size_t bytes;
    uint64_t retry_at_ms, ask_at_ms;
    bool lost, asking, sentinel_there;
    struct error trouble; /* while it is lost */
    struct rebuild_child *child;
    int open_parts;
    void (*on_closed)(void *owner);
};

/* ---- the queue --------------------------------------------------------------------------- */

static void move_watermark(struct redis_stage *stage, const struct chunk *chunk)
{
    struct worker *worker = stage->worker;
    if (chunk->partition < 0 || !worker->held[chunk->partition])
        return;
    struct partition *partition = &worker->partitions[chunk->partition];
    if (partition->epoch == chunk->epoch && chunk->next > partition->redis_next)
        partition->redis_next = chunk->next;
}

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
        move_watermark(stage, chunk);
        free(chunk);
    }
}

static void on_answer(void *owner, void *item, const redisReply *reply);

static void send_chunk(struct redis_stage *stage, struct chunk *chunk)
{
    buf_reset(&stage->command);
    redis_rows_append_head(&stage->command, chunk->words,
                           chunk->as_text ? NULL : redis_client_sha(stage->client, SCRIPT_APPLY));
    buf_append(&stage->command, chunk->tail, chunk->size);
    chunk->state = CHUNK_SENT;
    redis_client_send(stage->client, buf_view(&stage->command), on_answer, chunk);
}

static void pump(struct redis_stage *stage)
{
    settle(stage);
    if (clock_monotonic_ms() < stage->retry_at_ms)
        return;
    for (struct chunk *chunk = stage->first; chunk && redis_client_has_room(stage->client);
         chunk = chunk->after)
        if (chunk->state == CHUNK_WAITING)
            send_chunk(stage, chunk);
}

static void push(struct redis_stage *stage, const struct partition *partition, int64_t next)
{
    size_t words = 0;
    buf_reset(&stage->tail);
    if (stage->rows.key_count)
        redis_rows_append_tail(&stage->rows, REDIS_MODE_SKIP, NULL, &stage->tail, &words);
    struct chunk *chunk = malloc(sizeof *chunk + stage->tail.size);
    if (!chunk || stage->tail.failed)
        abort(); /* a batch is far below; the second look after the restart brings it again */
    *chunk = (struct chunk){.state = stage->rows.key_count ? CHUNK_WAITING : CHUNK_DONE,
                            .partition = partition ? partition->number : -1,
                            .epoch = partition ? partition->epoch : 0,
                            .next = next,
                            .records = stage->rows.key_count,
                            .words = words,
                            .size = stage->tail.size};
    if (chunk->size)
        memcpy(chunk->tail, stage->tail.data, chunk->size);
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

void redis_stage_take(struct redis_stage *stage, const struct partition *partition,
                      const struct batch *batch)
{
    if (batch->fence.end <= partition->redis_next)
        return; /* a second look for the receipts' sake */
    redis_rows_reset(&stage->rows);
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        if (item->verdict == CLASS_APPLIED ||
            (batch->second_look && item->verdict == CLASS_UNCHANGED))
            add(stage, item->mapping, &item->row, (struct bytes){0});
    }
    push(stage, partition, batch->fence.end);
}

uint64_t redis_stage_take_row(struct redis_stage *stage, const struct mapping *mapping,
                              const struct row *row, struct bytes json)
{
    redis_rows_reset(&stage->rows);
    add(stage, mapping, row, json);
    if (stage->rows.key_count)
        push(stage, NULL, 0);
    return stage->pushed;
}

bool redis_stage_has_sent(const struct redis_stage *stage, uint64_t mark)
{
    return stage->settled >= mark;
}

/* ---- answers ----------------------------------------------------------------------------- */

static void try_later(struct redis_stage *stage, struct chunk *chunk)
{
    chunk->state = CHUNK_WAITING;
    stage->retry_at_ms = clock_monotonic_ms() + RETRY_MS;
}

static void on_error_reply(struct redis_stage *stage, struct chunk *chunk, const redisReply *reply)
{
    struct error err;
    enum redis_action action = redis_error_classify(bytes_of(reply->str, reply->len), &err);
    if (action == ANSWER_SCRIPT && !chunk->as_text) {
        chunk->as_text = true;
        send_chunk(stage, chunk);
        return;
    }
    try_later(stage, chunk);
    if (action == ANSWER_RECONNECT)
        redis_client_drop(stage->client, &err);
    else if (err.outcome == OUT_RETRY)
        log_error(LOG_WARN, "redis.retry", &err);
    else
        worker_fail(stage->worker, &err);
}

static void on_codes(struct redis_stage *stage, struct chunk *chunk, const redisReply *reply)
{
    uint64_t foreign = 0;
    if (reply->len != chunk->records + 1 || reply->str[0] != 'k') {
        struct error err;
        error_set(&err, OUT_FATAL, ERR_REDIS_PROTOCOL, "Redis answered something unexpected");
        try_later(stage, chunk);
        worker_fail(stage->worker, &err);
        return;
    }
    for (size_t i = 1; i < reply->len; i++)
        foreign += reply->str[i] == 'f';
    if (foreign) {
        struct error err;
        error_set(&err, OUT_REJECT, ERR_REDIS_FOREIGN, "%zu of %zu Redis keys are somebody else's",
                  (size_t)foreign, chunk->records);
        log_error(LOG_ERROR, "redis.unowned", &err);
        stage->worker->counts.foreign += foreign;
    }
    chunk->state = CHUNK_DONE;
}

static void on_answer(void *owner, void *item, const redisReply *reply)
{
    struct redis_stage *stage = owner;
    struct chunk *chunk = item;
    if (!reply)
        chunk->state = CHUNK_WAITING;
    else if (reply->type == REDIS_REPLY_STRING)
        on_codes(stage, chunk, reply);
    else if (reply->type == REDIS_REPLY_ERROR)
        on_error_reply(stage, chunk, reply);
    else
        try_later(stage, chunk);
    pump(stage); /* the budget is looked at once a turn of the loop */
}

/* ---- the sentinel ------------------------------------------------------------------------ */

static void on_sentinel(void *owner, void *item, const redisReply *reply)
{
    struct redis_stage *stage = owner;
    (void)item;
    stage->asking = false;
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        return;
    bool known = reply->type == REDIS_REPLY_STRING;
    bool there = known && redis_rows_is_whole(bytes_of(reply->str, reply->len),
                                              redis_client_run_id(stage->client));
    if (!there && stage->sentinel_there)
        log_line(LOG_WARN, known ? "redis.restarted" : "redis.emptied", "rebuild=yes");
    stage->sentinel_there = there;
    if (!there)
        rebuild_child_start(stage->child);
}

static void ask_sentinel(struct redis_stage *stage, uint64_t now_ms)
{
    struct buf key, command;
    if (stage->asking || !redis_client_is_ready(stage->client) || now_ms < stage->ask_at_ms)
        return;
    stage->asking = true;
    stage->ask_at_ms = now_ms + SENTINEL_MS;
    buf_init(&key, 4096);
    buf_init(&command, 8192);
    redis_rows_append_name(&key, "sentinel", stage->worker->settings->migration);
    redis_wire_begin(&command, 2);
    redis_wire_text(&command, "GET");
    redis_wire_word(&command, buf_view(&key));
    redis_client_send(stage->client, buf_view(&command), on_sentinel, NULL);
    buf_free(&key);
    buf_free(&command);
}

static void on_rebuilt(void *owner, bool good)
{
    struct redis_stage *stage = owner;
    if (good)
        stage->ask_at_ms = 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_ready(void *owner)
{
    struct redis_stage *stage = owner;
    if (stage->lost)
        log_back("redis.back", "records=%zu", (size_t)stage->records);
    stage->lost = false;
    stage->ask_at_ms = stage->retry_at_ms = 0;
    ask_sentinel(stage, clock_monotonic_ms());
    pump(stage);
}

static void on_lost(void *owner, const struct error *err)
{
    struct redis_stage *stage = owner;
    stage->asking = false;
    if (err->outcome == OUT_FATAL)
        worker_fail(stage->worker, err);
    else if (!stage->lost)
        log_away("redis.away", err);
    if (!stage->lost)
        stage->trouble = *err;
    stage->lost = true;
}

enum outcome redis_stage_new(struct worker *worker, struct error *err)
{
    static const struct redis_client_events EVENTS = {on_ready, on_lost};
    struct redis_client_config config = {worker->settings->redis_url, CONNECT_MS, ANSWER_MS};
    struct redis_stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        abort();
    stage->worker = worker;
    enum outcome outcome =
        redis_client_new(worker->world.loop, &config, &EVENTS, stage, &stage->client, err);
    if (outcome != OUT_OK) {
        free(stage);
        return outcome;
    }
    redis_rows_init(&stage->rows, false, worker->settings->redis_tombstone_ms);
    buf_init(&stage->tail, SIZE_MAX / 2);
    buf_init(&stage->command, SIZE_MAX / 2);
    stage->child = rebuild_child_new(worker->world.loop, worker->settings, on_rebuilt, stage);
    stage->open_parts = 2;
    worker->stage = stage;
    return OUT_OK;
}

static void part_closed(void *owner)
{
    struct redis_stage *stage = owner;
    if (--stage->open_parts)
        return;
    void (*on_closed)(void *) = stage->on_closed;
    struct worker *worker = stage->worker;
    while (stage->first) {
        struct chunk *chunk = stage->first;
        stage->first = chunk->after;
        free(chunk);
    }
    redis_rows_free(&stage->rows);
    buf_free(&stage->tail);
    buf_free(&stage->command);
    free(stage);
    worker->stage = NULL; /* the last report asks for it */
    on_closed(worker);
}

void redis_stage_close(struct redis_stage *stage, void (*on_closed)(void *owner))
{
    stage->on_closed = on_closed;
    rebuild_child_close(stage->child, part_closed);
    redis_client_close(stage->client, part_closed);
}

void redis_stage_tick(struct redis_stage *stage, uint64_t now_ms)
{
    ask_sentinel(stage, now_ms);
    pump(stage);
}

bool redis_stage_is_full(const struct redis_stage *stage)
{
    const struct settings *settings = stage->worker->settings;
    return stage->records >= settings->redis_lag_records ||
           stage->bytes >= settings->redis_lag_bytes;
}

bool redis_stage_has_room(const struct redis_stage *stage)
{
    const struct settings *settings = stage->worker->settings;
    return stage->records <= settings->redis_lag_records / 2 &&
           stage->bytes <= settings->redis_lag_bytes / 2;
}

bool redis_stage_is_busy(const struct redis_stage *stage)
{
    return stage->first && redis_client_is_ready(stage->client);
}

bool redis_stage_is_settled(const struct redis_stage *stage)
{
    return !stage->first && stage->sentinel_there && !rebuild_child_is_running(stage->child);
}

const struct error *redis_stage_trouble(const struct redis_stage *stage)
{
    return stage->lost ? &stage->trouble : NULL;
}

uint64_t redis_stage_records(const struct redis_stage *stage)
{
    return stage->records;
}
