/*
 * The worker's life: start (topics, senders, PostgreSQL's gates), join the group, run, and stop.
 *
 *   STARTING ─► RUNNING ─► DRAINING ─► FLUSHING ─► RELEASING ─► CLOSING ─► LEAVING ─► ENDING
 *
 * DRAINING waits for transactions in flight; what was only read is dropped, the next claim reads it
 * again. FLUSHING waits for receipts, RELEASING for watermarks and releases. CLOSING closes the
 * stores: until they are closed they may read the messages of their batches, so only then the
 * messages go, and only then the consumer, which they belong to. Each phase has an end of its own,
 * and nothing in them blocks the loop; what does not end is left behind (common/io/stop.h).
 */

#include "worker/work.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_destroy.h"
#include "common/io/kafka/kafka_message.h"
#include "common/io/log.h"
#include "common/io/stop.h"
#include "common/model/message/dead_letter.h"
#include "worker/outbox.h"
#include "worker/parents.h"
#include "worker/redis_stage.h"
#include "worker/report.h"
#include "worker/stall.h"
#include "worker/worker.h"
#include "worker/worker_stores.h"

#define TICK_MS 50
#define START_MS 30000  /* longest wait for a dependency at the start */
#define COMMIT_MS 5000  /* UX 2.3: the advisory commit */
#define FLUSH_MS 1000   /* receipts when stopping */
#define RELEASE_MS 1000 /* watermarks and releases */
#define CLOSE_MS 800    /* the stores, */
#define LEAVE_MS 1200   /* and leaving the group: together, from the beginning of the stores' */
#define END_MS 500      /* handles */
#define ASK_MS 2000     /* an answer of the client that asks */
#define LIMIT_MS 1500   /* asking for a topic's limit */

/* ---- stopping ---------------------------------------------------------------------------- */

/* What is not over yet may still be using the worker: nothing of it is freed. */
static void leave_behind(struct worker *worker, const char *what)
{
    log_line(LOG_WARN, "worker.left_behind", "what=%s parts=%d", what, worker->open_parts);
    worker->left_behind = true;
    stop_leave_behind();
    uv_stop(&worker->loop);
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;
    if (--worker->open_parts == 0)
        uv_close((uv_handle_t *)&worker->timer, on_timer_closed); /* it kept the time */
}

static void close_handle(struct worker *worker, void *handle)
{
    if (((uv_handle_t *)handle)->type == UV_UNKNOWN_HANDLE)
        return;
    worker->open_parts++;
    ((uv_handle_t *)handle)->data = worker;
    uv_close(handle, on_handle_closed);
}

static void begin_end(struct worker *worker)
{
    worker_enter(worker, WORKER_ENDING, END_MS);
    close_handle(worker, &worker->check);
    close_handle(worker, &worker->results_poll);
    close_handle(worker, &worker->letters_poll);
}

static void on_consumer_closed(void *owner)
{
    struct worker *worker = owner;
    worker->consumer = NULL;
    begin_end(worker);
}

static void begin_leave(struct worker *worker)
{
    uint64_t now_ms = clock_monotonic_ms();
    worker->sink = NULL;
    worker->progress = NULL;
    worker->parents = NULL;
    worker->stalls = NULL;
    uint64_t wait_ms = worker->leave_by_ms > now_ms ? worker->leave_by_ms - now_ms : 0;
    worker_enter(worker, WORKER_LEAVING, wait_ms + END_MS); /* the consumer keeps the time itself */
    partitions_let_go(worker);
    if (worker->consumer)
        kafka_consumer_close(worker->consumer, (uint32_t)wait_ms, on_consumer_closed);
    else
        begin_end(worker);
}

static void on_store_closed(void *owner)
{
    struct worker *worker = owner;
    if (--worker->open_parts == 0 && !worker->left_behind)
        begin_leave(worker);
}

static void begin_close(struct worker *worker)
{
    worker_enter(worker, WORKER_CLOSING, CLOSE_MS);
    worker->leave_by_ms = clock_monotonic_ms() + LEAVE_MS;
    worker->open_parts = 1; /* until all are told */
    worker_stores_close(worker);
    on_store_closed(worker);
}

static void begin_release(struct worker *worker)
{
    worker_enter(worker, WORKER_RELEASING, RELEASE_MS);
    if (worker->consumer)
        membership_commit(worker);
    if (worker->progress)
        membership_release(worker);
    if (worker->revoking)
        kafka_consumer_give_up(worker->consumer);
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
        return !worker->progress || progress_is_idle(worker->progress);
    default: /* it ends by itself */
        return false;
    }
}

/* Moves a stopping worker on when its phase is over, or its time is. */
static void check_stop(struct worker *worker, uint64_t now_ms)
{
    bool late = now_ms >= worker->phase_by_ms;
    if (worker->phase < WORKER_DRAINING || !(late || is_over(worker)))
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
        leave_behind(worker, worker->phase == WORKER_LEAVING ? "group" : "handles");
    }
}

/* ---- running ----------------------------------------------------------------------------- */

static void on_message(void *owner, rd_kafka_message_t *message)
{
    intake_message(owner, message);
}

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
    static const struct kafka_consumer_events EVENTS = {
        membership_on_assigned, membership_on_revoked, on_message, intake_end, on_kafka_error};
    struct error err;
    worker_enter(worker, WORKER_RUNNING, 0);
    if (kafka_consumer_open(&worker->loop, worker->settings, worker->source, worker->group, &EVENTS,
                            worker, &worker->consumer, &err) != OUT_OK)
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

static void on_progress_error(void *owner, const struct error *err)
{
    struct worker *worker = owner;
    if (err->outcome == OUT_FATAL)
        worker_fail(worker, err);
    else if (!worker->checked && clock_monotonic_ms() - worker->started_ms > START_MS)
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
    (void)owner;
    kafka_message_view(item->message, message);
}

static void on_released(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

static const struct worker_events EVENTS = {
    .sink = {letters_on_rejected, flow_on_done, on_sink_ready, on_store_state, view_message},
    .progress = {on_checked, membership_on_claimed, on_released, on_progress_error},
    .on_closed = on_store_closed,
};

/* Once a loop turn: what Kafka has acknowledged, what follows from it, and what is to be sent. */
static void turn(struct worker *worker)
{
    bool sends = worker->results && worker->letters && worker->phase < WORKER_CLOSING;
    if (sends)
        outbox_turn(worker->letters);
    flow_check_budget(worker);
    flow_pump(worker);
    if (sends) {
        outbox_turn(worker->letters);
        outbox_turn(worker->results);
    }
}

static void on_check(uv_check_t *check)
{
    turn(check->data);
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

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    if (stop_signal())
        worker_stop(worker);
    rd_kafka_poll(worker->asker, 0); /* its log */
    membership_check_revoked(worker, now_ms);
    if (worker->stage && worker->phase < WORKER_CLOSING)
        redis_stage_tick(worker->stage, now_ms);
    if (worker->phase == WORKER_RUNNING)
        parents_tick(worker->parents, now_ms);
    if (worker->stalls && worker->phase == WORKER_RUNNING) /* behind it, it may be closed */
        stalls_tick(worker->stalls, now_ms);
    turn(worker);
    every_second(worker, now_ms);
    report_progress(worker, now_ms, false);
    if (worker->settings->until_end && worker->phase == WORKER_RUNNING && worker->held_count &&
        membership_at_end(worker))
        end_at_end(worker);
    check_stop(worker, now_ms);
    log_flush();
}

/* ---- starting ---------------------------------------------------------------------------- */

static void on_outbox_readable(uv_poll_t *poll, int status, int events)
{
    uint64_t wakes;
    struct outbox *outbox = poll->data;
    (void)status;
    (void)events;
    while (read(outbox_fd(outbox), &wakes, sizeof wakes) > 0)
        ; /* the check that follows in this turn of the loop takes what there is */
}

static void watch_outbox(struct worker *worker, struct outbox *outbox, uv_poll_t *poll)
{
    if (uv_poll_init(&worker->loop, poll, outbox_fd(outbox)) != 0)
        abort();
    poll->data = outbox;
    uv_poll_start(poll, UV_READABLE, on_outbox_readable);
}

static enum outcome name_things(struct worker *worker, struct error *err)
{
    const struct settings *settings = worker->settings;
    char host[64] = "host";
    gethostname(host, sizeof host - 1);
    snprintf(worker->name, sizeof worker->name, "%s-%d", host, (int)getpid());
    worker->group = settings->group;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, worker->source, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_RESULTS,
                               worker->results_topic, err);
    if (outcome == OUT_OK)
        outcome = topic_format(settings->prefix, settings->migration, TOPIC_DLQ,
                               worker->letters_topic, err);
    return outcome;
}

/* A dead letter is its message and what is said of it. Said once at the start; what does not fit is
 * cut or halts its partition, and nothing is lost. */
static void check_room(struct worker *worker, rd_kafka_t *client)
{
    struct error err;
    int64_t source = kafka_topic_message_limit(client, worker->source, LIMIT_MS);
    int64_t letters = kafka_topic_message_limit(client, worker->letters_topic, LIMIT_MS);
    if (source < 0 || letters < 0 || letters >= source + DEAD_LETTER_ADDED_BYTES)
        return;
    error_set(&err, OUT_REJECT, ERR_LETTER_SIZE,
              "a dead letter may be too large: %s takes %" PRId64
              " bytes, the source topic %" PRId64,
              worker->letters_topic, letters, source);
    error_hint(&err, "raise its max.message.bytes to %" PRId64, source + KAFKA_DEAD_LETTER_BYTES);
    log_error(LOG_WARN, "dead_letters.room", &err);
}

/* How many partitions the source topic has, asked by a client of its own, which is kept for
 * questions. */
static enum outcome count_partitions(struct worker *worker, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(worker->settings, KAFKA_READ, err);
    if (conf)
        kafka_conf_answer_within(conf, ASK_MS);
    rd_kafka_t *client = conf ? kafka_client_new(KAFKA_READ, conf, err) : NULL;
    worker->asker = client;
    if (!client)
        return OUT_FATAL;
    enum outcome outcome =
        kafka_partition_count(client, worker->source, START_MS, &worker->partition_total, err);
    if (outcome == OUT_OK && worker->partition_total)
        check_room(worker, client);
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

static enum outcome open_kafka(struct worker *worker, struct error *err)
{
    const struct settings *settings = worker->settings;
    enum outcome outcome = count_partitions(worker, err);
    if (outcome == OUT_OK)
        outcome = outbox_open(settings, worker->results_topic, START_MS, settings->outbox_bytes,
                              receipts_on_told, worker, &worker->results, err);
    if (outcome == OUT_OK)
        outcome = outbox_open(settings, worker->letters_topic, START_MS, settings->outbox_bytes,
                              letters_on_told, worker, &worker->letters, err);
    if (outcome != OUT_OK)
        return outcome;
    worker->partitions = calloc((size_t)worker->partition_total, sizeof *worker->partitions);
    worker->held = calloc((size_t)worker->partition_total, sizeof *worker->held);
    if (!worker->partitions || !worker->held)
        abort();
    return OUT_OK;
}

static void start_loop(struct worker *worker)
{
    uv_check_init(&worker->loop, &worker->check);
    uv_timer_init(&worker->loop, &worker->timer);
    worker->check.data = worker->timer.data = worker;
    stop_install(); /* the timer sees the first one, the handler ends with the second */
    uv_check_start(&worker->check, on_check);
    uv_timer_start(&worker->timer, on_timer, TICK_MS, TICK_MS);
    watch_outbox(worker, worker->results, &worker->results_poll);
    watch_outbox(worker, worker->letters, &worker->letters_poll);
}

static void free_worker(struct worker *worker)
{
    outbox_close(worker->results, free);
    outbox_close(worker->letters, free);
    kafka_destroy(worker->asker, 0);
    while (worker->made) {
        struct batch *batch = worker->made;
        worker->made = batch->next_made;
        batch_free(batch);
    }
    mapping_work_free(&worker->work);
    mapping_set_free(&worker->mappings);
    worker_stores_free(worker);
    buf_free(&worker->text);
    free(worker->partitions);
    free(worker->held);
    free(worker);
}

static enum outcome open_worker(struct worker *worker, struct error *err)
{
    enum outcome outcome = mapping_set_load(worker->settings, &worker->mappings, err);
    if (outcome == OUT_OK)
        outcome = name_things(worker, err);
    if (outcome == OUT_OK)
        outcome = open_kafka(worker, err);
    if (outcome == OUT_OK)
        outcome = worker_stores_check(worker, err);
    return outcome;
}

/* Runs until the loop has nothing left, or until something must be left behind. */
static enum exit_code run(struct worker *worker, struct error *err)
{
    uv_loop_init(&worker->loop);
    start_loop(worker);
    if (worker_stores_open(worker, err) != OUT_OK)
        worker_fail(worker, err);
    log_line(LOG_INFO, "worker.started", "group=%s topic=%s partitions=%d storage=%s",
             worker->group, worker->source, worker->partition_total,
             worker->settings->storage_name);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    report_progress(worker, clock_monotonic_ms(), true);
    report_answer(worker);
    *err = worker->failure;
    int open = worker->left_behind ? 0 : uv_loop_close(&worker->loop);
    if (open != 0)
        log_line(LOG_ERROR, "worker.handles_left", "code=%d", open);
    log_finish();
    return worker->exit_code;
}

enum exit_code work_main(const struct settings *settings, struct error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        abort();
    worker->settings = settings;
    worker->store = store_of(settings);
    worker->events = &EVENTS;
    log_setup_names("worker", settings->log_level, settings->log_format);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, worker_on_nothing_comes);
    mapping_work_init(&worker->work);
    worker->work.keep_json = worker->store->has_redis;
    buf_init(&worker->text, 1u << 20);
    worker->started_ms = clock_monotonic_ms();
    enum exit_code code =
        open_worker(worker, err) == OUT_OK ? run(worker, err) : error_code_exit(err->code);
    if (!worker->left_behind)
        free_worker(worker);
    return code;
}
