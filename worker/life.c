/*
 * A worker's life: start (topics, senders, the store's gates), join the group, run, and stop.
 *
 *   STARTING ─► RUNNING ─► DRAINING ─► FLUSHING ─► RELEASING ─► CLOSING ─► LEAVING ─► ENDED
 *
 * DRAINING waits for transactions in flight; what was only read is dropped, the next claim reads it
 * again. FLUSHING waits for receipts, RELEASING for watermarks and releases. CLOSING closes the
 * stores: until they are closed they may read the messages of their batches, so only then the
 * messages go, and only then the consumer, which they belong to. Each phase has an end of its own,
 * and nothing in them blocks; what does not end is left behind.
 */

#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/model/message/dead_letter.h"
#include "worker/outbox.h"
#include "worker/pending_children.h"
#include "worker/stall.h"

#define START_MS 30000  /* longest wait for a dependency at the start */
#define COMMIT_MS 5000  /* UX 2.3: the advisory commit */
#define FLUSH_MS 1000   /* receipts when stopping */
#define RELEASE_MS 1000 /* watermarks and releases */
#define CLOSE_MS 800    /* the stores, */
#define LEAVE_MS 1200   /* and leaving the group: together, from the beginning of the stores' */
#define LEFT_MS 500     /* what the consumer may need beyond that */
#define LIMIT_MS 1500   /* asking for a topic's limit */

/* ---- stopping ---------------------------------------------------------------------------- */

/* What is not over yet may still be using the worker: nothing of it is freed. */
static void leave_behind(struct worker *worker, const char *what)
{
    log_line(LOG_WARN, "worker.left_behind", "what=%s parts=%d", what, worker->open_parts);
    worker->phase = WORKER_ENDED;
    worker->world.on_ended(worker->world.owner, what);
}

static void end(struct worker *worker)
{
    worker->phase = WORKER_ENDED;
    worker->world.on_ended(worker->world.owner, NULL);
}

static void on_consumer_closed(void *owner)
{
    struct worker *worker = owner;
    worker->consumer = NULL;
    if (worker->phase == WORKER_LEAVING)
        end(worker);
}

static void begin_leave(struct worker *worker)
{
    uint64_t now_ms = clock_now_ms(worker->clock);
    worker->sink = NULL;
    worker->checkpoint = NULL;
    worker->stage = NULL;
    worker->pending = NULL;
    worker->stalls = NULL;
    uint64_t wait_ms = worker->leave_by_ms > now_ms ? worker->leave_by_ms - now_ms : 0;
    worker_enter(worker, WORKER_LEAVING,
                 wait_ms + LEFT_MS); /* the consumer keeps the time itself */
    partitions_let_go(worker);
    if (worker->consumer)
        bus_consumer_close(worker->consumer, (uint32_t)wait_ms, on_consumer_closed);
    else
        end(worker);
}

static void on_store_closed(void *owner)
{
    struct worker *worker = owner;
    if (--worker->open_parts == 0 && worker->phase == WORKER_CLOSING)
        begin_leave(worker);
}

static void on_stage_closed(void *owner)
{
    struct worker *worker = owner;
    worker->stage = NULL; /* the last report asks for it */
    on_store_closed(worker);
}

static void close_stores(struct worker *worker)
{
    void (*on_closed)(void *) = on_store_closed;
    if (worker->sink) {
        worker->open_parts++;
        sink_close(worker->sink, on_closed);
    }
    if (worker->checkpoint) {
        worker->open_parts++;
        checkpoint_close(worker->checkpoint, on_closed);
    }
    if (worker->stage) {
        worker->open_parts++;
        redis_stage_close(worker->stage, on_stage_closed);
    }
    if (worker->pending) {
        worker->open_parts++;
        pending_children_close(worker->pending, on_closed);
    }
    if (worker->stalls) {
        worker->open_parts++;
        stalls_close(worker->stalls, on_closed);
    }
}

static void begin_close(struct worker *worker)
{
    worker_enter(worker, WORKER_CLOSING, CLOSE_MS);
    worker->leave_by_ms = clock_now_ms(worker->clock) + LEAVE_MS;
    worker->open_parts = 1; /* until all are told */
    close_stores(worker);
    on_store_closed(worker);
}

static void begin_release(struct worker *worker)
{
    worker_enter(worker, WORKER_RELEASING, RELEASE_MS);
    if (worker->consumer)
        membership_commit(worker);
    if (worker->checkpoint)
        membership_release(worker);
    if (worker->revoking)
        bus_consumer_give_up(worker->consumer);
    worker->revoking = false;
}

static bool is_over(const struct worker *worker)
{
    struct error unsettled;
    switch (worker->phase) {
    case WORKER_DRAINING:
        return !partitions_are_busy(worker) &&
               !(worker->stage && redis_stage_is_busy(worker->stage)) &&
               !(worker->sink && sink_settle(worker->sink, &unsettled) == OUT_RETRY);
    case WORKER_FLUSHING:
        return !worker->results || outbox_is_empty(worker->results);
    case WORKER_RELEASING:
        return !worker->checkpoint || checkpoint_is_idle(worker->checkpoint);
    default: /* it ends by itself */
        return false;
    }
}

/* Moves a stopping worker on when its phase is over, or its time is. */
static void check_stop(struct worker *worker, uint64_t now_ms)
{
    bool late = now_ms >= worker->phase_by_ms;
    if (worker->phase < WORKER_DRAINING || worker->phase == WORKER_ENDED ||
        !(late || is_over(worker)))
        return;
    switch (worker->phase) {
    case WORKER_DRAINING:
        worker_enter(worker, WORKER_FLUSHING, FLUSH_MS);
        break;
    case WORKER_FLUSHING: /* the acknowledgements are in: the watermarks stored are the last ones */
        begin_release(worker);
        break;
    case WORKER_RELEASING:
        begin_close(worker);
        break;
    case WORKER_CLOSING:
        leave_behind(worker, "stores");
        break;
    default:
        leave_behind(worker, "group");
    }
}

/* ---- running ----------------------------------------------------------------------------- */

static void on_kafka_error(void *owner, int32_t number, const struct error *err)
{
    struct worker *worker = owner;
    if (err->outcome != OUT_FATAL) {
        log_away("kafka.away", err);
    } else if (number >= 0 && number < worker->partition_total && worker->held[number]) {
        if (err->code != ERR_KAFKA_OFFSET || !intake_skip_to_wanted(&worker->partitions[number]))
            partition_halt(&worker->partitions[number], err);
    } else {
        worker_fail(worker, err);
    }
}

static void join_group(struct worker *worker)
{
    static const struct bus_consumer_events EVENTS = {membership_on_assigned, membership_on_revoked,
                                                      intake_message, intake_end, on_kafka_error};
    struct error err;
    worker_enter(worker, WORKER_RUNNING, 0);
    if (bus_open_consumer(worker->bus, worker->source, worker->group, &EVENTS, worker,
                          &worker->consumer, &err) != OUT_OK)
        worker_fail(worker, &err);
}

static void on_checked(void *owner)
{
    struct worker *worker = owner;
    worker->checked = true;
    if (worker->phase == WORKER_STARTING)
        join_group(worker);
}

static void lose_store(struct worker *worker, const struct error *err)
{
    worker->store_lost = true;
    worker->store_trouble = *err;
    log_away(worker->store->away, err);
}

static void on_checkpoint_error(void *owner, const struct error *err)
{
    struct worker *worker = owner;
    if (err->outcome == OUT_FATAL)
        worker_fail(worker, err);
    else if (!worker->checked && clock_now_ms(worker->clock) - worker->started_ms > START_MS)
        worker_fail(worker, err);
    else if (!worker->store_lost)
        lose_store(worker, err);
}

static void on_store_state(void *owner, const struct error *err)
{
    struct worker *worker = owner;
    if (err && err->outcome == OUT_FATAL) {
        worker_fail(worker, err);
    } else if (err && !worker->store_lost) {
        lose_store(worker, err);
    } else if (!err && worker->store_lost) {
        worker->store_lost = false;
        log_back(worker->store->back, "waited=yes");
        if (worker->store->may_forget)
            membership_claim_again(worker);
    }
}

static void on_sink_ready(void *owner)
{
    flow_pump(owner);
}

static void view_message(void *owner, const struct batch_item *item, struct envelope *message)
{
    const struct worker *worker = owner;
    bus_view(worker->bus, item->message, message);
}

static void on_released(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

static void on_stage_advanced(void *owner, int32_t number, int64_t epoch, int64_t next)
{
    struct worker *worker = owner;
    struct partition *partition = &worker->partitions[number];
    if (worker->held[number] && partition->epoch == epoch && next > partition->redis_next)
        partition->redis_next = next;
}

static void on_unowned(void *owner, uint64_t keys)
{
    struct worker *worker = owner;
    worker->counts.metrics[METRIC_REDIS_UNOWNED] += keys;
}

static void on_stage_failed(void *owner, const struct error *err)
{
    worker_fail(owner, err);
}

void worker_turn(struct worker *worker)
{
    bool sends = worker->results && worker->dead_letters && worker->phase < WORKER_CLOSING;
    if (sends)
        outbox_turn(worker->dead_letters);
    flow_check_budget(worker);
    flow_pump(worker);
    if (sends) {
        outbox_turn(worker->dead_letters);
        outbox_turn(worker->results);
    }
}

static void every_second(struct worker *worker, uint64_t now_ms)
{
    if (now_ms - worker->last_commit_ms < COMMIT_MS || worker->phase != WORKER_RUNNING ||
        worker->revoking || !worker->consumer)
        return;
    worker->last_commit_ms = now_ms;
    membership_commit(worker);
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && worker->partitions[i].state == PARTITION_READING)
            receipts_store(&worker->partitions[i]);
}

/* What was halted is not written, nor are files whose place is bad: the exit code says it. */
static void end_at_end(struct worker *worker)
{
    struct error unsettled;
    enum outcome outcome = sink_settle(worker->sink, &unsettled);
    if (outcome == OUT_RETRY)
        return;
    if (outcome != OUT_OK)
        worker_fail(worker, &unsettled);
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && worker->partitions[i].state == PARTITION_HALTED &&
            worker->failure.code != ERR_NONE) {
            struct error halted = worker->failure;
            worker_fail(worker, &halted);
        }
    worker_stop(worker);
}

void worker_tick(struct worker *worker)
{
    uint64_t now_ms = clock_now_ms(worker->clock);
    if (worker->phase == WORKER_ENDED)
        return;
    membership_check_revoked(worker, now_ms);
    if (worker->stage && worker->phase < WORKER_CLOSING)
        redis_stage_tick(worker->stage, now_ms);
    if (worker->phase == WORKER_RUNNING)
        pending_children_tick(worker->pending, now_ms);
    if (worker->stalls && worker->phase == WORKER_RUNNING) /* behind it, it may be closed */
        stalls_tick(worker->stalls, now_ms);
    worker_turn(worker);
    every_second(worker, now_ms);
    if (worker->settings->until_end && worker->phase == WORKER_RUNNING && worker->held_count &&
        membership_at_end(worker))
        end_at_end(worker);
    check_stop(worker, now_ms);
}

/* ---- starting ---------------------------------------------------------------------------- */

static enum outcome name_things(struct worker *worker, struct error *err)
{
    const struct settings *settings = worker->settings;
    worker->group = settings->group;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, worker->source, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_RESULTS,
                               worker->results_topic, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_DEAD_LETTERS,
                               worker->dead_letters_topic, err);
    return outcome;
}

/* A dead letter is its message and what is said of it. Said once at the start; what does not fit is
 * cut or halts its partition, and nothing is lost. */
static void check_room(struct worker *worker)
{
    struct error err;
    int64_t source = bus_message_limit(worker->bus, worker->source, LIMIT_MS);
    int64_t dead_letters = bus_message_limit(worker->bus, worker->dead_letters_topic, LIMIT_MS);
    if (source < 0 || dead_letters < 0 || dead_letters >= source + DEAD_LETTER_ADDED_BYTES)
        return;
    error_set(&err, OUT_REJECT, ERR_DEAD_LETTER_SIZE,
              "a dead letter may be too large: %s takes %" PRId64
              " bytes, the source topic %" PRId64,
              worker->dead_letters_topic, dead_letters, source);
    error_hint(&err, "raise its max.message.bytes to %" PRId64, source + DEAD_LETTER_ROOM_BYTES);
    log_error(LOG_WARN, "dead_letters.room", &err);
}

static enum outcome count_partitions(struct worker *worker, struct error *err)
{
    enum outcome outcome =
        bus_partition_count(worker->bus, worker->source, START_MS, &worker->partition_total, err);
    if (outcome == OUT_OK && worker->partition_total)
        check_room(worker);
    int32_t pinned = (int32_t)worker->settings->partitions;
    if (outcome == OUT_OK && worker->partition_total == 0) {
        outcome =
            error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic %s is missing", worker->source);
    } else if (outcome == OUT_OK && pinned && pinned != worker->partition_total) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                            "topic %s has %d partitions, the settings say %d", worker->source,
                            worker->partition_total, pinned);
    }
    return outcome;
}

static enum outcome open_topics(struct worker *worker, struct error *err)
{
    const struct settings *settings = worker->settings;
    enum outcome outcome = count_partitions(worker, err);
    if (outcome == OUT_OK)
        outcome = outbox_open(worker->bus, worker->results_topic, START_MS, settings->outbox_bytes,
                              receipts_on_told, worker, &worker->results, err);
    if (outcome == OUT_OK)
        outcome =
            outbox_open(worker->bus, worker->dead_letters_topic, START_MS, settings->outbox_bytes,
                        dead_letters_on_told, worker, &worker->dead_letters, err);
    if (outcome != OUT_OK)
        return outcome;
    worker->partitions = calloc((size_t)worker->partition_total, sizeof *worker->partitions);
    worker->held = calloc((size_t)worker->partition_total, sizeof *worker->held);
    if (!worker->partitions || !worker->held)
        abort();
    return OUT_OK;
}

struct worker *worker_new(const struct settings *settings, const struct worker_world *world)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        abort();
    worker->settings = settings;
    worker->world = *world;
    worker->bus = world->bus;
    worker->clock = world->clock;
    worker->store = store_of(settings);
    mapping_work_init(&worker->work);
    worker->work.keep_json = worker->store->has_redis;
    buf_init(&worker->text, 1u << 20);
    worker->started_ms = clock_now_ms(worker->clock);
    return worker;
}

/* All that a start waits for together has START_MS. */
static struct store_opening opening_of(struct worker *worker)
{
    static const struct sink_events SINK = {dead_letters_on_rejected, flow_on_done, on_sink_ready,
                                            on_store_state, view_message};
    static const struct checkpoint_events CHECKPOINT = {on_checked, membership_on_claimed,
                                                        on_released, on_checkpoint_error};
    static const struct redis_stage_events STAGE = {on_stage_advanced, on_unowned, on_stage_failed};
    uint64_t gone_ms = clock_now_ms(worker->clock) - worker->started_ms;
    return (struct store_opening){
        .settings = worker->settings,
        .checkpoint = {worker->group, worker->source, worker->name, worker->partition_total,
                       &worker->mappings},
        .wait_ms = gone_ms < START_MS ? START_MS - gone_ms : 0,
        .bus = worker->bus,
        .loop = worker->world.loop,
        .sink_events = &SINK,
        .checkpoint_events = &CHECKPOINT,
        .stage_events = &STAGE,
        .pending_events = pending_children_are_needed(worker) ? &PENDING_CHILDREN_EVENTS : NULL,
        .owner = worker,
    };
}

static enum outcome check_store(struct worker *worker, struct error *err)
{
    const struct store_opening opening = opening_of(worker);
    if (worker->world.open)
        return OUT_OK;
    if (worker->store->in_process)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "storage memory lives in one process: it serves drover run");
    return worker->store->check(&opening, err);
}

static enum outcome open_store(struct worker *worker, struct error *err)
{
    const struct store_opening opening = opening_of(worker);
    struct store_parts parts = {0};
    store_open *open = worker->world.open ? worker->world.open : worker->store->open;
    enum outcome outcome = open(&opening, &parts, err);
    worker->sink = parts.sink;
    worker->checkpoint = parts.checkpoint;
    worker->stage = parts.stage;
    worker->pending = parts.pending ? pending_children_new(worker, parts.pending) : NULL;
    return outcome;
}

enum outcome worker_open(struct worker *worker, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (worker->world.mappings)
        worker->mappings = *worker->world.mappings;
    else
        outcome = mapping_set_load(worker->settings, &worker->mappings, err);
    if (outcome == OUT_OK)
        outcome = name_things(worker, err);
    if (outcome == OUT_OK)
        outcome = open_topics(worker, err);
    if (outcome == OUT_OK)
        outcome = check_store(worker, err);
    return outcome;
}

void worker_start(struct worker *worker)
{
    struct error err;
    worker->stalls = stalls_new(worker, membership_claim_one);
    if (open_store(worker, &err) != OUT_OK)
        worker_fail(worker, &err);
    log_line(LOG_INFO, "worker.started", "group=%s topic=%s partitions=%d storage=%s",
             worker->group, worker->source, worker->partition_total,
             worker->settings->storage_name);
}

void worker_free(struct worker *worker)
{
    outbox_close(worker->results, free);
    outbox_close(worker->dead_letters, free);
    partitions_let_go(worker);
    while (worker->made) {
        struct batch *batch = worker->made;
        worker->made = batch->next_made;
        batch_free(batch);
    }
    mapping_work_free(&worker->work);
    if (!worker->world.mappings)
        mapping_set_free(&worker->mappings);
    stalls_free(worker->stalls);
    pending_children_free(worker->pending);
    if (worker->store->free)
        worker->store->free();
    buf_free(&worker->text);
    free(worker->partitions);
    free(worker->held);
    free(worker);
}
