/* See the header. */
#include "common/io/kafka/kafka_bus.h"

#include <stdlib.h>

#include "common/io/kafka/kafka_sender.h"

struct kafka_bus_sender {
    struct bus_sender base;
    struct kafka_sender *sender;
};

static struct kafka_sender *sender_of(const struct bus_sender *base)
{
    return ((const struct kafka_bus_sender *)base)->sender;
}

static int32_t partitions_of(const struct bus_sender *base)
{
    return kafka_sender_partitions(sender_of(base));
}

static enum outcome send_message(struct bus_sender *base, int32_t partition,
                                 const struct envelope *envelope, void *item, struct error *err)
{
    return kafka_sender_send(sender_of(base), partition, envelope, item, err);
}

static int poll_reports(struct bus_sender *base, int wait_ms)
{
    return kafka_sender_poll(sender_of(base), wait_ms);
}

static bool flush_messages(struct bus_sender *base, int timeout_ms)
{
    return kafka_sender_flush(sender_of(base), timeout_ms);
}

static uint64_t pending_messages(const struct bus_sender *base)
{
    return kafka_sender_pending(sender_of(base));
}

static void close_sender(struct bus_sender *base)
{
    kafka_sender_close(sender_of(base));
    free(base);
}

static enum outcome open_sender(struct bus *base, const char *topic, int32_t pinned_partitions,
                                int timeout_ms, bus_delivered on_delivered, void *owner,
                                struct bus_sender **sender, struct error *err)
{
    static const struct bus_sender_ops OPS = {partitions_of,  send_message,     poll_reports,
                                              flush_messages, pending_messages, close_sender};
    struct kafka_bus *bus = (struct kafka_bus *)base;
    struct kafka_bus_sender *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->base.ops = &OPS;
    enum outcome outcome = kafka_sender_open(bus->settings, topic, pinned_partitions, timeout_ms,
                                             on_delivered, owner, &made->sender, err);
    if (outcome != OUT_OK) {
        free(made);
        return outcome;
    }
    *sender = &made->base;
    return OUT_OK;
}

void kafka_bus_init(struct kafka_bus *bus, const struct settings *settings)
{
    *bus = (struct kafka_bus){.base = {open_sender}, .settings = settings};
}
