/*
 * One batch in a place:
 *
 *   submit ─► SENT ──────────────────────► done OK
 *              │ unowned keys: nothing was written
 *              ▼
 *           WAITING (for sink_commit) ─► SENT, without them
 *
 * An answer that never came makes the batch one whose outcome is unknown: submitted again, the
 * script sees by next_offset whether it had been done.
 */

#include "common/io/redis/redis_sink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/redis/redis_driver.h"
#include "common/io/redis/redis_rows.h"
#include "common/policy/secrets/secret_guard.h"

#define PLACES 4
#define CONNECT_MS 5000
#define ANSWER_MS 15000

enum phase {
    PHASE_FREE,
    PHASE_SENT,
    PHASE_WAITING,
    PHASE_REFUSED, /* some items have no form in Redis: said on the next turn */
    PHASE_BROKEN,  /* it cannot be sent: said on the next turn */
};

struct redis_sink;

struct place {
    struct redis_sink *sink;
    enum phase phase;
    struct batch *batch;
    struct error failure;
};

struct redis_sink {
    struct sink base;
    struct redis_driver *driver;
    struct redis_rows rows;
    struct buf call;
    struct place places[PLACES];
    uv_timer_t turn;
    bool closing;
    int open_parts;
    void (*on_closed)(void *owner);
};

static struct redis_sink *of(struct sink *sink)
{
    return (struct redis_sink *)sink;
}

static struct place *free_place(struct redis_sink *sink)
{
    for (int i = 0; i < PLACES; i++)
        if (sink->places[i].phase == PHASE_FREE)
            return &sink->places[i];
    return NULL;
}

static bool can_submit(struct sink *base)
{
    struct redis_sink *sink = of(base);
    return !sink->closing && redis_driver_has_room(sink->driver) && free_place(sink) != NULL;
}

static void finish(struct place *place, enum outcome outcome, const struct error *err)
{
    struct batch *batch = place->batch;
    struct sink *base = &place->sink->base;
    place->batch = NULL;
    place->phase = PHASE_FREE;
    assert(outcome != OUT_OK || batch_is_decided(batch));
    base->events.on_done(base->owner, batch, outcome, err);
    if (can_submit(base))
        base->events.on_ready(base->owner);
}

/* ---- the call ---------------------------------------------------------------------------- */

static void add_sealed(struct redis_sink *sink, const struct batch_item *item)
{
    size_t at = 0;
    bool bad = false;
    struct sealed_box box;
    while (secret_sealed_next(item->sealed, &at, &box, &bad))
        redis_rows_add_sealed(&sink->rows, item->row.tenant, box.reference, box.box);
}

/* How many sealed values go with an item: keys of the call behind its own. */
static size_t sealed_count(const struct batch *batch, const struct batch_item *item)
{
    size_t at = 0, count = 0;
    bool bad = false;
    struct sealed_box box;
    while (!batch->redelivered && secret_sealed_next(item->sealed, &at, &box, &bad))
        count++;
    return count;
}

/* The records of a call: what is to be written, in order; of a redelivery every candidate, as only
 * the answers tell which of a key was written. */
static size_t called_count(const struct batch *batch)
{
    return batch->redelivered ? batch->sorted_count : batch->order_count;
}

static struct batch_item *called(const struct batch *batch, size_t at)
{
    return &batch->items[(batch->redelivered ? batch->sorted : batch->order)[at]];
}

/* Words of all undecided items of the call, in its order. False when some have none: they are dead.
 */
static bool put_rows(struct redis_sink *sink, struct batch *batch)
{
    bool all = true;
    size_t i = 0;
    struct error err;
    redis_rows_reset(&sink->rows);
    do {
        for (; i < called_count(batch); i++) {
            struct batch_item *item = called(batch, i);
            if (item->decided)
                continue;
            if (redis_rows_add(&sink->rows, item->mapping, &item->row, (struct bytes){0}, &err) !=
                OUT_OK) {
                batch_reject(batch, item, &err);
                all = false;
            } else if (!batch->redelivered) {
                add_sealed(sink, item);
            }
        }
    } while (!batch->redelivered && batch_promote(batch));
    return all;
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err);
static void on_turn(uv_timer_t *timer);

static void say_later(struct place *place, enum phase phase)
{
    place->phase = phase;
    uv_timer_start(&place->sink->turn, on_turn, 0, 0);
}

static void send_batch(struct place *place)
{
    struct redis_sink *sink = place->sink;
    struct batch *batch = place->batch;
    struct redis_fence fence = {&batch->fence, batch->outcome_unknown};
    size_t words;
    bool classify = batch->redelivered;
    if (!put_rows(sink, batch) && !classify) {
        say_later(place, PHASE_REFUSED);
        return;
    }
    buf_reset(&sink->call);
    if (!redis_rows_append_call(&sink->rows, classify ? REDIS_MODE_CLASSIFY : REDIS_MODE_WRITE,
                                classify ? NULL : &fence, &sink->call, &words)) {
        error_set(&place->failure, OUT_FATAL, ERR_JSON_SIZE,
                  "a batch is too large for one call of Redis");
        say_later(place, PHASE_BROKEN);
        return;
    }
    place->phase = PHASE_SENT;
    redis_driver_call(sink->driver, SCRIPT_APPLY, buf_view(&sink->call), words, on_answer, place);
}

/* ---- its answer -------------------------------------------------------------------------- */

static enum record_class class_of(const struct batch *batch, const struct batch_item *item,
                                  char code, bool unsure)
{
    bool fades = item->row.deleted || item->mapping->redis.ttl_s;
    switch (code) {
    case 's':
        return CLASS_SUPERSEDED;
    case 'c':
        return CLASS_CONFLICT;
    case 'u':
        return unsure ? CLASS_APPLIED : CLASS_UNCHANGED;
    case 'n': /* written once and gone since, or refused before the crash */
        return batch->redelivered && !fades ? CLASS_DEAD : CLASS_APPLIED;
    case 'f':
        return CLASS_DEAD;
    default:
        return CLASS_APPLIED;
    }
}

/* `codes`: one a key, in the order of put_rows (nothing was decided in between). */
static void decide(struct batch *batch, const char *codes, bool unsure)
{
    for (size_t i = 0; i < called_count(batch); i++) {
        struct batch_item *item = called(batch, i);
        if (item->decided)
            continue;
        item->verdict = class_of(batch, item, *codes, unsure);
        item->decided = true;
        codes += 1 + sealed_count(batch, item);
    }
    batch_settle(batch);
}

static size_t key_count(const struct batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < called_count(batch); i++) {
        const struct batch_item *item = called(batch, i);
        if (!item->decided)
            count += 1 + sealed_count(batch, item);
    }
    return count;
}

/* Items with an unowned key among theirs are dead; nothing was written. */
static void reject_unowned(struct place *place, const char *codes)
{
    struct sink *base = &place->sink->base;
    struct batch *batch = place->batch;
    struct error err;
    error_set(&err, OUT_REJECT, ERR_REDIS_UNOWNED, "the record's Redis key is somebody else's");
    for (size_t i = 0; i < called_count(batch); i++) {
        struct batch_item *item = called(batch, i);
        if (item->decided)
            continue;
        size_t keys = 1 + sealed_count(batch, item);
        if (memchr(codes, 'f', keys))
            batch_reject(batch, item, &err);
        codes += keys;
    }
    place->phase = PHASE_WAITING;
    base->events.on_rejected(base->owner, batch);
}

static void refuse(struct place *place, char status)
{
    struct error *err = &place->failure;
    if (status == 'e')
        error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
    else if (status == 'o')
        error_set(err, OUT_FATAL, ERR_CHECKPOINT,
                  "the batch does not begin where the last one ended");
    else {
        error_set(err, OUT_FATAL, ERR_CHECKPOINT, "the checkpoint is gone: Redis was emptied");
    }
    finish(place, OUT_FATAL, err);
}

static void on_codes(struct place *place, const redisReply *reply)
{
    struct batch *batch = place->batch;
    char status = reply->len ? reply->str[0] : '?';
    bool whole = reply->len == key_count(batch) + 1;
    if (status == 'e' || status == 'o' || status == 'm') {
        refuse(place, status);
    } else if (status == 'f' && whole) {
        reject_unowned(place, reply->str + 1);
    } else if ((status == 'k' || status == 'd') && whole) {
        decide(batch, reply->str + 1, status == 'd' || batch->redelivered);
        batch->outcome_unknown = status == 'd'; /* 'k': it was written now, not before */
        finish(place, OUT_OK, NULL);
    } else {
        error_set(&place->failure, OUT_FATAL, ERR_REDIS_PROTOCOL,
                  "Redis answered something unexpected");
        finish(place, OUT_FATAL, &place->failure);
    }
}

static void on_answer(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct place *place = item;
    (void)owner;
    if (!reply)
        place->batch->outcome_unknown = true;
    if (err)
        finish(place, err->outcome, err);
    else
        on_codes(place, reply);
}

/* ---- the port ---------------------------------------------------------------------------- */

static void submit(struct sink *base, struct batch *batch)
{
    struct place *place = free_place(of(base));
    assert(place && "submit without can_submit");
    batch->sink_state = place;
    place->batch = batch;
    send_batch(place);
}

static bool is_waiting(const struct place *place, const struct batch *batch)
{
    return place && place->batch == batch && place->phase == PHASE_WAITING;
}

static void commit(struct sink *base, struct batch *batch)
{
    struct place *place = batch->sink_state;
    if (!is_waiting(place, batch))
        return;
    if (redis_driver_is_ready(of(base)->driver)) {
        send_batch(place);
        return;
    }
    error_set(&place->failure, OUT_RETRY, ERR_REDIS_TRANSIENT, "the connection to Redis was lost");
    say_later(place, PHASE_BROKEN);
}

static void give_up(struct sink *base, struct batch *batch)
{
    struct place *place = batch->sink_state;
    (void)base;
    if (!is_waiting(place, batch))
        return;
    error_set(&place->failure, OUT_RETRY, ERR_REDIS_TRANSIENT, "the batch was given up");
    say_later(place, PHASE_BROKEN);
}

/* What must not be said from inside submit, commit and give_up. */
static void on_turn(uv_timer_t *timer)
{
    struct redis_sink *sink = timer->data;
    for (int i = 0; i < PLACES; i++) {
        struct place *place = &sink->places[i];
        if (place->phase == PHASE_BROKEN) {
            finish(place, place->failure.outcome, &place->failure);
        } else if (place->phase == PHASE_REFUSED) {
            place->phase = PHASE_WAITING;
            sink->base.events.on_rejected(sink->base.owner, place->batch);
        }
    }
}

static void on_ready(void *owner, bool back)
{
    struct redis_sink *sink = owner;
    (void)back;
    sink->base.events.on_state(sink->base.owner, NULL);
    sink->base.events.on_ready(sink->base.owner);
}

static void on_away(void *owner, const struct error *err, bool first)
{
    struct redis_sink *sink = owner;
    (void)first;
    sink->base.events.on_state(sink->base.owner, err);
}

static void part_closed(struct redis_sink *sink)
{
    if (--sink->open_parts)
        return;
    void (*on_closed)(void *) = sink->on_closed;
    void *owner = sink->base.owner;
    redis_rows_free(&sink->rows);
    buf_free(&sink->call);
    free(sink);
    on_closed(owner);
}

static void on_driver_closed(void *owner)
{
    part_closed(owner);
}

static void on_turn_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct redis_sink *sink = of(base);
    struct error err;
    sink->closing = true;
    sink->on_closed = on_closed;
    error_set(&err, OUT_RETRY, ERR_REDIS_TRANSIENT, "the sink was closed");
    for (int i = 0; i < PLACES; i++)
        if (sink->places[i].phase >= PHASE_WAITING)
            finish(&sink->places[i], OUT_RETRY, &err);
    uv_close((uv_handle_t *)&sink->turn, on_turn_closed);
    redis_driver_close(sink->driver, on_driver_closed); /* those sent are answered by this */
}

enum outcome redis_sink_new(uv_loop_t *loop, const struct settings *settings,
                            const struct sink_events *events, void *owner, struct sink **out,
                            struct error *err)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink};
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config config = {settings->redis_url, CONNECT_MS, ANSWER_MS};
    struct redis_sink *sink = mem_new(sizeof *sink);
    enum outcome outcome = redis_driver_new(loop, &config, &EVENTS, sink, &sink->driver, err);
    if (outcome != OUT_OK) {
        free(sink);
        return outcome;
    }
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    redis_rows_init(&sink->rows, true, settings->redis_tombstone_ms);
    buf_init(&sink->call, SIZE_MAX / 2);
    for (int i = 0; i < PLACES; i++)
        sink->places[i].sink = sink;
    uv_timer_init(loop, &sink->turn);
    sink->turn.data = sink;
    sink->open_parts = 2;
    *out = &sink->base;
    return OUT_OK;
}
