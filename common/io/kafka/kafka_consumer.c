/*
 * Wake-ups: the eventfd fires when the queue goes from empty to non-empty, so a turn that spends
 * its budget re-arms itself with an idle handle; a timer polls four times a second in any case,
 * because an empty answer does not prove an empty queue and a silent topic must not let the member
 * expire.
 */

#include "common/io/kafka/kafka_consumer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_destroy.h"
#include "common/io/kafka/kafka_wake.h"

#define TURN_BUDGET                                                                                \
    1000 /* messages a turn: about 1 ms, so that timers and PostgreSQL get theirs                  \
          */
#define POLL_MS 250
#define BEGIN_MS 2000 /* where a partition begins */
#define COMMITTED_MS 5000

struct kafka_consumer {
    struct bus_consumer base;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_queue_t *closing_queue; /* the consumer's queue is forwarded to it; never to itself */
    char *topic;
    struct kafka_wake wake;
    struct bus_consumer_events events;
    void *owner;
    int fd;
    uv_poll_t poll;
    uv_idle_t idle;
    uv_timer_t timer;
    int32_t *assigned; /* those that no group hands out; NULL: the group does */
    size_t assigned_count;
    bool assign_due;
    bool idling;
    bool held;
    bool closing;
    uint64_t close_by_ms;
    int open_handles;
    void (*on_closed)(void *owner);
};

static void on_handle_closed(uv_handle_t *handle);

static void shut(struct kafka_consumer *consumer)
{
    if (uv_is_closing((uv_handle_t *)&consumer->poll))
        return;
    uv_close((uv_handle_t *)&consumer->poll, on_handle_closed);
    uv_close((uv_handle_t *)&consumer->idle, on_handle_closed);
    uv_close((uv_handle_t *)&consumer->timer, on_handle_closed);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct kafka_consumer *consumer = handle->data;
    if (--consumer->open_handles)
        return;
    bool left = rd_kafka_consumer_closed(consumer->client);
    rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(consumer->queue);
    if (consumer->closing_queue)
        rd_kafka_queue_destroy(consumer->closing_queue);
    /* a broker that does not answer must not hold the process: the group notices by itself */
    kafka_destroy(consumer->client, left ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    close(consumer->fd);
    void (*on_closed)(void *) = consumer->on_closed;
    void *owner = consumer->owner;
    free(consumer->topic);
    free(consumer->assigned);
    free(consumer);
    on_closed(owner);
}

/* ---- rebalance: called from inside rd_kafka_consumer_poll, on the loop's thread ------------ */

static void tell_assigned(struct kafka_consumer *consumer,
                          const rd_kafka_topic_partition_list_t *list)
{
    int32_t *partitions = mem_zeroed((size_t)list->cnt + 1, sizeof *partitions);
    for (int i = 0; i < list->cnt; i++)
        partitions[i] = list->elems[i].partition;
    consumer->events.on_assigned(consumer->owner, partitions, (size_t)list->cnt);
    free(partitions);
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = opaque;
    (void)client;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !consumer->closing)
        tell_assigned(consumer, list);
    else if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        rd_kafka_assign(consumer->client, NULL);
    else
        consumer->events.on_revoked(consumer->owner);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void take_error(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    struct error err;
    int32_t partition = message->rkt ? message->partition : -1;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        consumer->events.on_end(consumer->owner, partition);
    } else if (!kafka_is_partition_there(consumer->client, consumer->topic, message)) {
        kafka_classify(message->err, rd_kafka_message_errstr(message), consumer->topic, &err);
        if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
            message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
            error_set(&err, OUT_FATAL, ERR_KAFKA_OFFSET,
                      "messages the worker still needs are gone from %s-%d", consumer->topic,
                      partition);
        consumer->events.on_error(consumer->owner, partition, &err);
    }
    rd_kafka_message_destroy(message);
}

static void hand_over(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    struct bus_arrival arrival = {message->partition, message->offset,
                                  rd_kafka_message_timestamp(message, NULL),
                                  message->len + message->key_len, message};
    kafka_wake_took(&consumer->wake, consumer->client, consumer->topic, message);
    consumer->events.on_message(consumer->owner, &arrival);
}

static void set_idling(struct kafka_consumer *consumer, bool idling);

static void turn(struct kafka_consumer *consumer)
{
    int budget = TURN_BUDGET;
    rd_kafka_message_t *message;
    if (consumer->held && !consumer->closing) {
        set_idling(consumer, false);
        return;
    }
    if (consumer->assign_due && !consumer->closing) {
        consumer->assign_due = false;
        consumer->events.on_assigned(consumer->owner, consumer->assigned, consumer->assigned_count);
    }
    while (budget-- && (message = rd_kafka_consumer_poll(consumer->client, 0))) {
        if (message->err)
            take_error(consumer, message);
        else
            hand_over(consumer, message);
    }
    set_idling(consumer, !consumer->closing && rd_kafka_queue_length(consumer->queue) > 0);
    bool late = consumer->closing && clock_monotonic_ms() >= consumer->close_by_ms;
    if (consumer->closing && (late || rd_kafka_consumer_closed(consumer->client)))
        shut(consumer);
}

static void on_idle(uv_idle_t *idle)
{
    turn(idle->data);
}

static void set_idling(struct kafka_consumer *consumer, bool idling)
{
    if (idling == consumer->idling)
        return;
    consumer->idling = idling;
    if (idling)
        uv_idle_start(&consumer->idle, on_idle);
    else
        uv_idle_stop(&consumer->idle);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct kafka_consumer *consumer = poll->data;
    uint64_t wakes;
    (void)status;
    (void)events;
    while (read(consumer->fd, &wakes, sizeof wakes) > 0)
        ;
    turn(consumer);
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

/* ---- opening ----------------------------------------------------------------------------- */

static void start_handles(struct kafka_consumer *consumer, uv_loop_t *loop)
{
    static const uint64_t ONE = 1;
    consumer->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (consumer->fd < 0 || uv_poll_init(loop, &consumer->poll, consumer->fd) != 0)
        abort();
    uv_idle_init(loop, &consumer->idle);
    uv_timer_init(loop, &consumer->timer);
    consumer->poll.data = consumer->idle.data = consumer->timer.data = consumer;
    consumer->open_handles = 3;
    consumer->queue = rd_kafka_queue_get_consumer(consumer->client);
    rd_kafka_queue_io_event_enable(consumer->queue, consumer->fd, &ONE, sizeof ONE);
    uv_poll_start(&consumer->poll, UV_READABLE, on_poll);
    uv_timer_start(&consumer->timer, on_timer, POLL_MS, POLL_MS);
}

static rd_kafka_conf_t *make_conf(const struct settings *settings, const char *group,
                                  bool is_member, struct kafka_consumer *consumer,
                                  struct error *err)
{
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_CONSUME, err);
    if (!conf)
        return NULL;
    bool ok = rd_kafka_conf_set(conf, "group.id", group, text, sizeof text) == RD_KAFKA_CONF_OK;
    if (ok && settings->instance_id && is_member)
        ok = rd_kafka_conf_set(conf, "group.instance.id", settings->instance_id, text,
                               sizeof text) == RD_KAFKA_CONF_OK;
    if (!ok) {
        error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "%s", text);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    kafka_wake_init(&consumer->wake, conf);
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    return conf;
}

static enum outcome join(struct kafka_consumer *consumer, struct error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return kafka_classify(code, rd_kafka_err2str(code), consumer->topic, err);
}

/* ---- the owner's calls ------------------------------------------------------------------- */

static rd_kafka_topic_partition_list_t *list_of(const struct kafka_consumer *consumer,
                                                const int32_t *partitions, const int64_t *offsets,
                                                size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *one =
            rd_kafka_topic_partition_list_add(list, consumer->topic, partitions[i]);
        if (offsets)
            one->offset = offsets[i];
    }
    return list;
}

static enum outcome start_reading(struct bus_consumer *base, const int32_t *partitions,
                                  const int64_t *offsets, size_t count, struct error *err)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    rd_kafka_topic_partition_list_t *list = list_of(consumer, partitions, offsets, count);
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    return kafka_classify(code, rd_kafka_err2str(code), consumer->topic, err);
}

static void give_up(struct bus_consumer *base)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    rd_kafka_assign(consumer->client, NULL);
}

static void pause_those(struct bus_consumer *base, const int32_t *partitions, size_t count)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    rd_kafka_topic_partition_list_t *list = list_of(consumer, partitions, NULL, count);
    rd_kafka_pause_partitions(consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void resume_those(struct bus_consumer *base, const int32_t *partitions, size_t count)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    rd_kafka_topic_partition_list_t *list = list_of(consumer, partitions, NULL, count);
    rd_kafka_resume_partitions(consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    kafka_wake_now(&consumer->wake, consumer->client, consumer->topic);
}

/* What came meanwhile has woken nobody, so the next turn comes of itself. */
static void hold_back(struct bus_consumer *base, bool held)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    consumer->held = held;
    set_idling(consumer, !held && !consumer->closing);
}

static void commit_offsets(struct bus_consumer *base, const int32_t *partitions,
                           const int64_t *offsets, size_t count)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    if (count == 0 || consumer->assigned)
        return;
    rd_kafka_topic_partition_list_t *list = list_of(consumer, partitions, offsets, count);
    rd_kafka_commit(consumer->client, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

static enum outcome ask_committed(struct bus_consumer *base, const int32_t *partitions,
                                  int64_t *offsets, size_t count, struct error *err)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    rd_kafka_topic_partition_list_t *list = list_of(consumer, partitions, NULL, count);
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer->client, list, COMMITTED_MS);
    for (size_t i = 0; i < count; i++) {
        bool told = !list->elems[i].err && list->elems[i].offset >= 0;
        code = code ? code : list->elems[i].err;
        offsets[i] = told ? list->elems[i].offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return kafka_classify(code, rd_kafka_err2str(code), consumer->topic, err);
}

static int64_t end_of(struct bus_consumer *base, int32_t partition)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    int64_t low, high;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(consumer->client, consumer->topic, partition, &low, &high);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : -1;
}

static int64_t begin_of(struct bus_consumer *base, int32_t partition)
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    int64_t begin;
    bool told = kafka_ask_offset(consumer->client, consumer->topic, partition,
                                 RD_KAFKA_OFFSET_BEGINNING, BEGIN_MS, &begin);
    return told && begin >= 0 ? begin : -1;
}

static void close_consumer(struct bus_consumer *base, uint32_t wait_ms,
                           void (*on_closed)(void *owner))
{
    struct kafka_consumer *consumer = (struct kafka_consumer *)base;
    consumer->closing = true;
    consumer->on_closed = on_closed;
    consumer->close_by_ms = clock_monotonic_ms() + wait_ms;
    if (consumer->assigned)
        rd_kafka_assign(consumer->client, NULL);
    consumer->closing_queue = rd_kafka_queue_new(consumer->client);
    rd_kafka_error_t *failed =
        rd_kafka_consumer_close_queue(consumer->client, consumer->closing_queue);
    if (failed) {
        rd_kafka_error_destroy(failed);
        consumer->close_by_ms = 0;
    }
    uv_timer_start(&consumer->timer, on_timer, 10, 10);
}

enum outcome kafka_consumer_open(uv_loop_t *loop, const struct settings *settings,
                                 const char *topic, const char *group, const int32_t *partitions,
                                 size_t count, const struct bus_consumer_events *events,
                                 void *owner, struct bus_consumer **out, struct error *err)
{
    static const struct bus_consumer_ops OPS = {
        start_reading,  give_up,       pause_those, resume_those, hold_back,
        commit_offsets, ask_committed, end_of,      begin_of,     close_consumer};
    struct kafka_consumer *consumer = mem_new(sizeof *consumer);
    consumer->base.ops = &OPS;
    consumer->events = *events;
    consumer->owner = owner;
    consumer->topic = mem_text(topic);
    rd_kafka_conf_t *conf = make_conf(settings, group, !count, consumer, err);
    consumer->client = conf ? kafka_client_new(KAFKA_CONSUME, conf, err) : NULL;
    if (!consumer->client) {
        free(consumer->topic);
        free(consumer);
        return OUT_FATAL;
    }
    rd_kafka_poll_set_consumer(consumer->client);
    start_handles(consumer, loop);
    *out = &consumer->base;
    if (!count)
        return join(consumer, err);
    consumer->assigned = mem_zeroed(count, sizeof *consumer->assigned);
    memcpy(consumer->assigned, partitions, count * sizeof *partitions);
    consumer->assigned_count = count;
    consumer->assign_due = true;
    set_idling(consumer, true); /* the loop's next turn tells them */
    return OUT_OK;
}
