/* See the header. */
#include "common/io/kafka/kafka_bus.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/kafka/kafka_consumer.h"
#include "common/io/kafka/kafka_destroy.h"
#include "common/io/kafka/kafka_message.h"
#include "common/io/kafka/kafka_reader.h"
#include "common/io/kafka/kafka_sender.h"

#define ASK_MS 2000 /* an answer of the client that asks */

struct kafka_bus {
    struct bus base;
    const struct settings *settings;
    uv_loop_t *loop;
    rd_kafka_t *asker;
    int answer_ms;
};

static struct kafka_bus *of(struct bus *base)
{
    return (struct kafka_bus *)base;
}

static enum outcome open_sender(struct bus *base, const char *topic, int32_t pinned_partitions,
                                int timeout_ms, bus_delivered on_delivered, void *owner,
                                struct bus_sender **sender, struct error *err)
{
    return kafka_sender_open(of(base)->settings, topic, pinned_partitions, timeout_ms, on_delivered,
                             owner, sender, err);
}

static enum outcome open_reader(struct bus *base, const char *topic, const struct bus_range *ranges,
                                size_t count, int timeout_ms, struct bus_reader **reader,
                                struct error *err)
{
    return kafka_reader_open(of(base)->settings, topic, ranges, count, timeout_ms, reader, err);
}

static enum outcome open_consumer(struct bus *base, const char *topic, const char *group,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **consumer, struct error *err)
{
    struct kafka_bus *bus = of(base);
    return kafka_consumer_open(bus->loop, bus->settings, topic, group, NULL, 0, events, owner,
                               consumer, err);
}

static enum outcome open_assigned(struct bus *base, const char *topic, const char *group,
                                  const int32_t *partitions, size_t count,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **consumer, struct error *err)
{
    struct kafka_bus *bus = of(base);
    return kafka_consumer_open(bus->loop, bus->settings, topic, group, partitions, count, events,
                               owner, consumer, err);
}

static void release(void *held)
{
    rd_kafka_message_destroy(held);
}

/* ---- questions --------------------------------------------------------------------------- */

static enum outcome open_asker(struct kafka_bus *bus, struct error *err)
{
    return bus->asker ? OUT_OK : kafka_client_open(bus->settings, bus->answer_ms, &bus->asker, err);
}

static enum outcome ranges_of(struct bus *base, const char *topic, size_t known, int timeout_ms,
                              struct bus_range **ranges, size_t *count, struct error *err)
{
    enum outcome outcome = open_asker(of(base), err);
    *ranges = NULL;
    *count = 0;
    return outcome == OUT_OK
               ? kafka_ranges(of(base)->asker, topic, known, timeout_ms, ranges, count, err)
               : outcome;
}

static enum outcome partition_count(struct bus *base, const char *topic, int timeout_ms,
                                    int32_t *count, struct error *err)
{
    enum outcome outcome = open_asker(of(base), err);
    *count = 0;
    return outcome == OUT_OK ? kafka_partition_count(of(base)->asker, topic, timeout_ms, count, err)
                             : outcome;
}

static int64_t message_limit(struct bus *base, const char *topic, int timeout_ms)
{
    struct error err;
    return open_asker(of(base), &err) == OUT_OK
               ? kafka_topic_message_limit(of(base)->asker, topic, timeout_ms)
               : -1;
}

static bool ends_of(struct bus *base, const char *topic, int64_t *ends, int32_t count,
                    int timeout_ms)
{
    return of(base)->asker && kafka_ask_ends(of(base)->asker, topic, ends, count, timeout_ms);
}

static bool offsets_at(struct bus *base, const char *topic, int64_t at_ms, int64_t *offsets,
                       int32_t count, int timeout_ms)
{
    struct error ignored;
    return open_asker(of(base), &ignored) == OUT_OK &&
           kafka_ask_offsets_at(of(base)->asker, topic, at_ms, offsets, count, timeout_ms);
}

/* A question on its way through the pool. */
struct question {
    uv_work_t work;
    struct bus *bus;
    const char *topic;
    int timeout_ms;
    bus_ends_told told;
    void *owner;
    bool answered;
    int32_t count;
    int64_t ends[];
};

static void in_pool(uv_work_t *work)
{
    struct question *question = work->data;
    question->answered = ends_of(question->bus, question->topic, question->ends, question->count,
                                 question->timeout_ms);
}

static void after_pool(uv_work_t *work, int status)
{
    struct question *question = work->data;
    (void)status;
    question->told(question->owner, question->answered ? question->ends : NULL);
    free(question);
}

static void ask_ends(struct bus *base, const char *topic, int32_t count, int timeout_ms,
                     bus_ends_told told, void *owner)
{
    struct question *question = mem_new(sizeof *question + (size_t)count * sizeof *question->ends);
    *question =
        (struct question){{.data = question}, base, topic, timeout_ms, told, owner, .count = count};
    if (uv_queue_work(of(base)->loop, &question->work, in_pool, after_pool) != 0)
        abort();
}

static void poll_log(struct bus *base)
{
    if (of(base)->asker)
        rd_kafka_poll(of(base)->asker, 0);
}

struct bus *kafka_bus_new(const struct settings *settings, uv_loop_t *loop)
{
    static const struct bus_ops OPS = {
        .open_sender = open_sender,
        .open_reader = open_reader,
        .open_consumer = open_consumer,
        .open_assigned = open_assigned,
        .view = kafka_message_view,
        .view_whole = kafka_message_whole,
        .release = release,
        .ranges = ranges_of,
        .partition_count = partition_count,
        .message_limit = message_limit,
        .ends = ends_of,
        .ask_ends = ask_ends,
        .offsets_at = offsets_at,
        .poll = poll_log,
    };
    struct kafka_bus *bus = mem_new(sizeof *bus);
    *bus =
        (struct kafka_bus){.base = {&OPS}, .settings = settings, .loop = loop, .answer_ms = ASK_MS};
    return &bus->base;
}

void kafka_bus_answer_within(struct bus *base, int timeout_ms)
{
    of(base)->answer_ms = timeout_ms;
}

void kafka_bus_free(struct bus *base)
{
    if (!base)
        return;
    kafka_destroy(of(base)->asker, 0);
    free(base);
}
