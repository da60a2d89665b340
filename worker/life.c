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

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/model/message/dead_letter.h"
#include "worker/pending_children.h"
#include "worker/stall.h"

#define START_MS 30000  /* longest wait for a dependency at the start */
#define COMMIT_MS 5000  /* the advisory commit to the group */
#define FOLLOWED_MS 500 /* how far Redis is where nothing more comes: verifiers wait for it */
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
    worker->state.phase = WORKER_ENDED;
    worker->world.on_ended(worker->world.owner, what);
}

static void end(struct worker *worker)
{
    worker->state.phase = WORKER_ENDED;
    worker->world.on_ended(worker->world.owner, NULL);
}

static void on_consumer_closed(void *owner)
{
    struct worker *worker = owner;
    worker->partitions.consumer = NULL;
    if (worker->state.phase == WORKER_LEAVING)
        end(worker);
}

static void begin_leave(struct worker *worker)
{
    uint64_t now_ms = clock_now_ms(worker->config.clock);
    worker->ports.sink = NULL;
    worker->ports.checkpoint = NULL;
    worker->ports.stage = NULL;
    uint64_t wait_ms = worker->leave_by_ms > now_ms ? worker->leave_by_ms - now_ms : 0;
    state_enter(&worker->state, WORKER_LEAVING,
                wait_ms + LEFT_MS); /* the consumer keeps the time itself */
    partitions_let_go(&worker->partitions);
    if (worker->partitions.consumer)
        bus_consumer_close(worker->partitions.consumer, (uint32_t)wait_ms, on_consumer_closed);
    else
        end(worker);
}

static void on_store_closed(void *owner)
{
    struct worker *worker = owner;
    if (--worker->open_parts == 0 && worker->state.phase == WORKER_CLOSING)
        begin_leave(worker);
}

static void on_stage_closed(void *owner)
{
    struct worker *worker = owner;
    worker->ports.stage = NULL; /* the last report asks for it */
    on_store_closed(worker);
}

static void close_stores(struct worker *worker)
{
    void (*on_closed)(void *) = on_store_closed;
    if (worker->ports.sink) {
        worker->open_parts++;
        sink_close(worker->ports.sink, on_closed);
    }
    if (worker->ports.checkpoint) {
        worker->open_parts++;
        checkpoint_close(worker->ports.checkpoint, on_closed);
    }
    if (worker->ports.stage) {
        const struct error *trouble = redis_stage_trouble(worker->ports.stage);
        if (trouble) /* closing it brings no server back */
            worker->state.redis_trouble = *trouble;
        worker->open_parts++;
        redis_stage_close(worker->ports.stage, on_stage_closed);
    }
    if (worker->ports.pending) {
        worker->open_parts++;
        pending_children_close(worker->ports.pending, on_closed);
    }
    worker->open_parts++;
    stalls_close(worker->stalls, on_closed, worker);
}

static void begin_close(struct worker *worker)
{
    state_enter(&worker->state, WORKER_CLOSING, CLOSE_MS);
    worker->leave_by_ms = clock_now_ms(worker->config.clock) + LEAVE_MS;
    worker->open_parts = 1; /* until all are told */
    close_stores(worker);
    on_store_closed(worker);
}

static void begin_release(struct worker *worker)
{
    state_enter(&worker->state, WORKER_RELEASING, RELEASE_MS);
    membership_leave(&worker->membership);
}

static bool is_over(const struct worker *worker)
{
    struct error unsettled;
    switch (worker->state.phase) {
    case WORKER_DRAINING:
        return !partitions_are_busy(&worker->partitions) &&
               !(worker->ports.stage && redis_stage_is_busy(worker->ports.stage)) &&
               !(worker->ports.sink && sink_settle(worker->ports.sink, &unsettled) == OUT_RETRY);
    case WORKER_FLUSHING:
        return !worker->receipts.outbox || outbox_is_empty(worker->receipts.outbox);
    case WORKER_RELEASING:
        return !worker->ports.checkpoint || checkpoint_is_idle(worker->ports.checkpoint);
    default: /* it ends by itself */
        return false;
    }
}

/* Moves a stopping worker on when its phase is over, or its time is. */
static void check_stop(struct worker *worker, uint64_t now_ms)
{
    bool late = now_ms >= worker->state.phase_by_ms;
    if (worker->state.phase < WORKER_DRAINING || worker->state.phase == WORKER_ENDED ||
        !(late || is_over(worker)))
        return;
    switch (worker->state.phase) {
    case WORKER_DRAINING:
        state_enter(&worker->state, WORKER_FLUSHING, FLUSH_MS);
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

static void on_assigned(void *owner, const int32_t *partitions, size_t count)
{
    struct worker *worker = owner;
    stalls_begin(worker->stalls, partitions, count);
    membership_on_assigned(&worker->membership, partitions, count);
}

static void on_revoked(void *owner)
{
    membership_on_revoked(&((struct worker *)owner)->membership);
}

static void on_message(void *owner, const struct bus_arrival *arrival)
{
    intake_message(&((struct worker *)owner)->intake, arrival);
}

static void on_end(void *owner, int32_t partition)
{
    intake_end(&((struct worker *)owner)->intake, partition);
}

static void on_kafka_error(void *owner, int32_t partition, const struct error *err)
{
    intake_on_error(&((struct worker *)owner)->intake, partition, err);
}

static enum outcome open_assigned(struct worker *worker, const struct bus_consumer_events *events,
                                  struct error *err)
{
    const struct worker_config *config = &worker->config;
    const struct worker_replay *replay = config->replay;
    int32_t *numbers = mem_zeroed(replay->count + 1, sizeof *numbers);
    for (size_t i = 0; i < replay->count; i++)
        numbers[i] = replay->ranges[i].partition;
    enum outcome outcome =
        bus_open_assigned(config->bus, config->source, config->group, numbers, replay->count,
                          events, worker, &worker->partitions.consumer, err);
    free(numbers);
    return outcome;
}

static void join_group(struct worker *worker)
{
    static const struct bus_consumer_events EVENTS = {on_assigned, on_revoked, on_message, on_end,
                                                      on_kafka_error};
    struct error err;
    state_enter(&worker->state, WORKER_RUNNING, 0);
    const struct worker_config *config = &worker->config;
    enum outcome outcome =
        config->replay ? open_assigned(worker, &EVENTS, &err)
                       : bus_open_consumer(config->bus, config->source, config->group, &EVENTS,
                                           worker, &worker->partitions.consumer, &err);
    if (outcome != OUT_OK)
        state_fail(&worker->state, &err);
}

static void on_checked(void *owner)
{
    struct worker *worker = owner;
    worker->checked = true;
    if (worker->state.phase == WORKER_STARTING)
        join_group(worker);
}

static void lose_store(struct worker *worker, const struct error *err)
{
    worker->state.store_lost = true;
    worker->state.store_trouble = *err;
    log_away(worker->config.store->away, err);
}

static void on_checkpoint_error(void *owner, const struct error *err)
{
    struct worker *worker = owner;
    if (err->outcome == OUT_FATAL)
        state_fail(&worker->state, err);
    else if (!worker->checked && clock_now_ms(worker->config.clock) - worker->started_ms > START_MS)
        state_fail(&worker->state, err);
    else if (!worker->state.store_lost)
        lose_store(worker, err);
}

static void on_store_state(void *owner, const struct error *err)
{
    struct worker *worker = owner;
    if (err && err->outcome == OUT_FATAL) {
        state_fail(&worker->state, err);
    } else if (err && !worker->state.store_lost) {
        lose_store(worker, err);
    } else if (!err && worker->state.store_lost) {
        worker->state.store_lost = false;
        log_back(worker->config.store->back, "waited=yes");
        if (worker->config.store->may_forget)
            membership_claim_again(&worker->membership);
    }
}

static void on_rejected(void *owner, struct batch *batch)
{
    dead_letters_on_rejected(&((struct worker *)owner)->dead_letters, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    flow_on_done(&((struct worker *)owner)->flow, batch, outcome, err);
}

static void on_sink_ready(void *owner)
{
    flow_pump(&((struct worker *)owner)->flow);
}

static void on_claimed(void *owner, int32_t partition, const struct checkpoint_row *row)
{
    membership_on_claimed(&((struct worker *)owner)->membership, partition, row);
}

static void on_seen(void *owner, int32_t partition, const struct checkpoint_seen *seen)
{
    struct worker *worker = owner;
    halts_on_seen(&worker->halts, partition, seen);
    ending_on_seen(&worker->ending, partition, seen);
}

static void view_message(void *owner, const struct batch_item *item, struct envelope *message)
{
    const struct worker *worker = owner;
    bus_view(worker->config.bus, item->message, message);
}

/* Logged once a table, so that a fast way which is refused each time is not only seen in the time
 * it takes. */
static void on_detour(void *owner, const struct sink_detour *detour)
{
    struct worker *worker = owner;
    uint64_t *metrics = worker->state.counts.metrics;
    metrics[METRIC_COPIES_SEARCHED] += detour->way == SINK_SEARCHED_COPY;
    metrics[METRIC_STATEMENTS_SEARCHED] += detour->way == SINK_SEARCHED_STATEMENT;
    metrics[METRIC_SEARCHED_IN_VAIN] += detour->in_vain;
    if (detour->why)
        log_error(detour->in_vain ? LOG_WARN : LOG_INFO, "table.slow", detour->why);
}

static void on_released(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

static void on_stage_advanced(void *owner, int32_t number, int64_t epoch, int64_t next)
{
    const struct worker *worker = owner;
    struct partition *partition = partitions_find(&worker->partitions, number);
    if (partition && partition->epoch == epoch && next > partition->redis_next)
        partition->redis_next = next;
}

static void on_unowned(void *owner, uint64_t keys)
{
    struct worker *worker = owner;
    worker->state.counts.metrics[METRIC_REDIS_UNOWNED] += keys;
}

static void on_stage_failed(void *owner, const struct error *err)
{
    state_fail(&((struct worker *)owner)->state, err);
}

static void on_swept(void *owner, enum outcome outcome, const struct error *err)
{
    pending_children_on_swept(((struct worker *)owner)->ports.pending, outcome, err);
}

static void on_forgotten(void *owner, uint64_t removed, enum outcome outcome,
                         const struct error *err)
{
    pending_children_on_forgotten(((struct worker *)owner)->ports.pending, removed, outcome, err);
}

/* Nobody waits for a receipt while the worker runs, so they go out together, a tick's at once: of
 * small batches each would cost Kafka as much as the records it is about. */
static void send_receipts(struct worker *worker, bool tick)
{
    struct outbox *outbox = worker->receipts.outbox;
    if (tick || worker->state.phase != WORKER_RUNNING || !outbox_has_room(outbox))
        outbox_turn(outbox);
    else
        outbox_listen(outbox);
}

static void take_turn(struct worker *worker, bool tick)
{
    bool sends = worker->receipts.outbox && worker->dead_letters.outbox &&
                 worker->state.phase < WORKER_CLOSING;
    if (sends)
        outbox_turn(worker->dead_letters.outbox);
    flow_check_budget(&worker->flow);
    flow_pump(&worker->flow);
    if (sends) {
        outbox_turn(worker->dead_letters.outbox);
        send_receipts(worker, tick);
    }
}

void worker_turn(struct worker *worker)
{
    take_turn(worker, false);
}

static void every_commit(struct worker *worker, uint64_t now_ms)
{
    if (now_ms - worker->last_commit_ms < COMMIT_MS || !state_is_working(&worker->state) ||
        !worker->partitions.consumer)
        return;
    worker->last_commit_ms = now_ms;
    membership_commit(&worker->membership);
    for (struct partition *next = NULL; (next = partitions_next(&worker->partitions, next));)
        if (next->state == PARTITION_READING || next->state == PARTITION_HALTED)
            receipts_store(&worker->receipts, next);
}

/* With each batch it is stored anyway. */
static void every_followed(struct worker *worker, uint64_t now_ms)
{
    if (!worker->ports.stage || now_ms - worker->last_followed_ms < FOLLOWED_MS ||
        !state_is_working(&worker->state))
        return;
    worker->last_followed_ms = now_ms;
    for (struct partition *next = NULL; (next = partitions_next(&worker->partitions, next));)
        if (next->state == PARTITION_READING && next->redis_next > next->redis_saved)
            receipts_store(&worker->receipts, next);
}

/* What was halted is not written, nor are files whose place is bad: the exit code says it. */
static void end_at_end(struct worker *worker)
{
    struct error unsettled;
    enum outcome outcome = sink_settle(worker->ports.sink, &unsettled);
    if (outcome == OUT_RETRY)
        return;
    if (outcome != OUT_OK)
        state_fail(&worker->state, &unsettled);
    for (struct partition *next = NULL; (next = partitions_next(&worker->partitions, next));)
        if (next->state == PARTITION_HALTED && worker->state.failure.code != ERR_NONE) {
            struct error halted = worker->state.failure;
            state_fail(&worker->state, &halted);
        }
    state_stop(&worker->state);
}

void worker_tick(struct worker *worker)
{
    uint64_t now_ms = clock_now_ms(worker->config.clock);
    if (worker->state.phase == WORKER_ENDED)
        return;
    membership_check_revoked(&worker->membership, now_ms);
    if (worker->ports.stage && worker->state.phase < WORKER_CLOSING)
        redis_stage_tick(worker->ports.stage, now_ms);
    if (worker->state.phase == WORKER_RUNNING)
        pending_children_tick(worker->ports.pending, now_ms);
    if (worker->state.phase == WORKER_RUNNING) /* no child has made it fail */
        stalls_tick(worker->stalls, now_ms);
    if (worker->receipts.outbox && worker->state.phase < WORKER_RELEASING)
        halts_tick(&worker->halts, now_ms);
    take_turn(worker, true);
    every_commit(worker, now_ms);
    every_followed(worker, now_ms);
    if (worker->config.settings->until_end && worker->state.phase == WORKER_RUNNING &&
        worker->partitions.held_count && membership_at_end(&worker->membership) &&
        ending_is_reached(&worker->ending, now_ms))
        end_at_end(worker);
    check_stop(worker, now_ms);
}

/* ---- starting ---------------------------------------------------------------------------- */

/* A dead letter is its message and what is said of it. Said once at the start; what does not fit is
 * cut or halts its partition, and nothing is lost. */
static void check_room(const struct worker_config *config, const char *topic)
{
    struct error err;
    int64_t source = bus_message_limit(config->bus, config->source, LIMIT_MS);
    int64_t dead_letters = bus_message_limit(config->bus, topic, LIMIT_MS);
    if (source < 0 || dead_letters < 0 || dead_letters >= source + DEAD_LETTER_ADDED_BYTES)
        return;
    error_set(&err, OUT_REJECT, ERR_DEAD_LETTER_SIZE,
              "a dead letter may be too large: %s takes %" PRId64
              " bytes, the source topic %" PRId64,
              topic, dead_letters, source);
    error_hint(&err, "raise its max.message.bytes to %" PRId64, source + DEAD_LETTER_ROOM_BYTES);
    log_error(LOG_WARN, "dead_letters.room", &err);
}

static enum outcome count_partitions(struct worker_config *config, struct error *err)
{
    int32_t pinned = (int32_t)config->settings->partitions, *total = &config->partition_total;
    enum outcome outcome = bus_partition_count(config->bus, config->source, START_MS, total, err);
    if (outcome == OUT_OK && *total == 0)
        outcome =
            error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic %s is missing", config->source);
    else if (outcome == OUT_OK && pinned && pinned != *total)
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                            "topic %s has %d partitions, the settings say %d", config->source,
                            *total, pinned);
    return outcome;
}

static enum outcome open_topics(struct worker *worker, struct error *err)
{
    struct worker_config *config = &worker->config;
    const struct settings *settings = config->settings;
    const char *prefix = settings->prefix, *migration = settings->migration;
    char results[TOPIC_NAME_SIZE], dead_letters[TOPIC_NAME_SIZE];
    enum outcome outcome = topic_format(prefix, migration, TOPIC_SOURCE, config->source, err);
    if (outcome == OUT_OK)
        outcome = topic_format(prefix, migration, TOPIC_RESULTS, results, err);
    if (outcome == OUT_OK)
        outcome = topic_format(prefix, migration, TOPIC_DEAD_LETTERS, dead_letters, err);
    if (outcome == OUT_OK)
        outcome = count_partitions(config, err);
    if (outcome == OUT_OK)
        check_room(config, dead_letters);
    if (outcome == OUT_OK)
        outcome = outbox_open(config->bus, results, START_MS, settings->outbox_bytes,
                              receipts_on_told, &worker->receipts, &worker->receipts.outbox, err);
    if (outcome == OUT_OK)
        outcome = outbox_open(config->bus, dead_letters, START_MS, settings->outbox_bytes,
                              dead_letters_on_told, &worker->dead_letters,
                              &worker->dead_letters.outbox, err);
    if (outcome != OUT_OK)
        return outcome;
    worker->membership.results = worker->receipts.outbox;
    worker->partitions.items =
        mem_zeroed((size_t)config->partition_total, sizeof *worker->partitions.items);
    return settings->until_end && !config->replay ? ending_open(&worker->ending, err) : OUT_OK;
}

/* What each part has of the others. */
static void put_together(struct worker *worker)
{
    struct partitions *partitions = &worker->partitions;
    const struct worker_ports *ports = &worker->ports;
    worker->state.config = &worker->config;
    *partitions = (struct partitions){.config = &worker->config, .state = &worker->state};
    worker->dead_letters = (struct dead_letters){.partitions = partitions, .ports = ports};
    worker->receipts = (struct receipts){.partitions = partitions, .ports = ports};
    worker->membership = (struct membership){.partitions = partitions, .ports = ports};
    intake_init(&worker->intake, partitions);
    worker->flow = (struct flow){.partitions = partitions,
                                 .ports = ports,
                                 .intake = &worker->intake,
                                 .dead_letters = &worker->dead_letters,
                                 .receipts = &worker->receipts,
                                 .membership = &worker->membership};
    worker->halts = (struct halts){.partitions = partitions,
                                   .ports = ports,
                                   .receipts = &worker->receipts,
                                   .membership = &worker->membership};
    worker->ending = (struct ending){.partitions = partitions, .ports = ports};
}

struct worker *worker_new(const struct settings *settings, const struct worker_world *world)
{
    struct worker *worker = mem_new(sizeof *worker);
    worker->world = *world;
    worker->config =
        (struct worker_config){.settings = settings,
                               .bus = world->bus,
                               .clock = world->clock,
                               .store = store_of(settings),
                               .replay = world->replay,
                               .group = world->replay ? world->replay->group : settings->group};
    put_together(worker);
    worker->started_ms = clock_now_ms(world->clock);
    return worker;
}

/* All that a start waits for together has START_MS. */
static struct store_opening opening_of(struct worker *worker)
{
    static const struct sink_events SINK = {on_rejected,    on_done,      on_sink_ready,
                                            on_store_state, view_message, on_detour};
    static const struct checkpoint_events CHECKPOINT = {on_checked, on_claimed, on_released,
                                                        on_checkpoint_error, on_seen};
    static const struct redis_stage_events STAGE = {on_stage_advanced, on_unowned, on_stage_failed};
    static const struct pending_events PENDING = {on_swept, on_forgotten};
    const struct worker_config *config = &worker->config;
    uint64_t gone_ms = clock_now_ms(config->clock) - worker->started_ms;
    return (struct store_opening){
        .settings = config->settings,
        .checkpoint = {config->group, config->source, config->name, config->partition_total,
                       &config->mappings, config->replay ? config->replay->read_to : NULL,
                       config->replay != NULL},
        .wait_ms = gone_ms < START_MS ? START_MS - gone_ms : 0,
        .bus = config->bus,
        .loop = worker->world.loop,
        .sink_events = &SINK,
        .checkpoint_events = &CHECKPOINT,
        .stage_events = &STAGE,
        .pending_events = pending_children_are_needed(&config->mappings) ? &PENDING : NULL,
        .owner = worker,
    };
}

static enum outcome check_store(struct worker *worker, struct error *err)
{
    const struct store *store = worker->config.store;
    const struct store_opening opening = opening_of(worker);
    if (worker->world.open)
        return OUT_OK;
    if (store->in_process)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "storage memory lives in one process: it serves drover run");
    return store->check(&opening, err);
}

static enum outcome open_store(struct worker *worker, struct error *err)
{
    const struct store_opening opening = opening_of(worker);
    struct store_parts parts = {0};
    store_open *open = worker->world.open ? worker->world.open : worker->config.store->open;
    enum outcome outcome = open(&opening, &parts, err);
    worker->ports = (struct worker_ports){
        .sink = parts.sink, .checkpoint = parts.checkpoint, .stage = parts.stage};
    if (parts.pending)
        worker->ports.pending =
            pending_children_new(&worker->dead_letters, &worker->receipts, parts.pending);
    return outcome;
}

enum outcome worker_open(struct worker *worker, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (worker->world.mappings)
        worker->config.mappings = *worker->world.mappings;
    else
        outcome = mapping_set_load(worker->config.settings, &worker->config.mappings, err);
    if (outcome == OUT_OK)
        outcome = open_topics(worker, err);
    if (outcome == OUT_OK)
        outcome = check_store(worker, err);
    return outcome;
}

void worker_start(struct worker *worker)
{
    struct error err;
    worker->stalls = stalls_new(&worker->membership);
    if (open_store(worker, &err) != OUT_OK)
        state_fail(&worker->state, &err);
    log_line(LOG_INFO, "worker.started", "group=%s topic=%s partitions=%d storage=%s",
             worker->config.group, worker->config.source, worker->config.partition_total,
             worker->config.settings->storage_name);
}

void worker_free(struct worker *worker)
{
    outbox_close(worker->receipts.outbox, free);
    outbox_close(worker->dead_letters.outbox, free);
    partitions_free(&worker->partitions);
    intake_reset(&worker->intake);
    ending_free(&worker->ending);
    if (!worker->world.mappings)
        mapping_set_free(&worker->config.mappings);
    stalls_free(worker->stalls);
    pending_children_free(worker->ports.pending);
    if (worker->config.store->free)
        worker->config.store->free();
    free(worker);
}
