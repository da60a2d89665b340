#include "common/port/bus_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"

/* One message: its bytes follow the headers in the same block. */
struct memory_message {
    struct memory_message *next;
    int64_t offset;
    size_t size; /* of the block */
    struct bytes key, value;
    bool null_value;
    size_t header_count;
    struct header headers[];
};

struct memory_partition {
    struct memory_message *first, *last;
    int64_t next_offset;
};

struct memory_topic {
    char *name;
    int32_t partition_count;
    struct memory_partition *partitions;
    struct memory_topic *next;
};

struct bus_memory {
    struct bus base;
    size_t used, most;
    uint64_t drops;
    struct memory_topic *topics;
    void (*on_poll)(void *owner);
    void *owner;
    bool polling;
};

/* What the next poll tells. */
struct report {
    void *item;
    int32_t partition;
    int64_t offset;
};

struct memory_sender {
    struct bus_sender base;
    struct bus_memory *bus;
    struct memory_topic *topic;
    bus_delivered on_delivered;
    void *owner;
    struct report *reports;
    size_t report_count, report_room;
};

struct bus_memory_reader {
    struct bus_memory *bus;
    struct memory_topic *topic;
    struct bus_range *ranges;     /* `from` moves */
    struct memory_message **last; /* by range: the one given last; NULL: look for it */
    size_t range_count;
    uint64_t drops_seen; /* of the bus: `last` may be gone when it has dropped more */
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- messages ---------------------------------------------------------------------------- */

static size_t weight_of(const struct message_view *message)
{
    return sizeof(struct memory_message) + message_size(message) +
           message->header_count * sizeof(struct header);
}

static struct bytes put(char **at, struct bytes part)
{
    char *start = *at;
    if (part.size)
        memcpy(start, part.data, part.size);
    *at += part.size;
    return bytes_of(start, part.size);
}

static struct memory_message *copy_of(const struct message_view *view, size_t size)
{
    struct memory_message *message = must(malloc(size));
    *message = (struct memory_message){
        .size = size, .null_value = view->null_value, .header_count = view->header_count};
    char *at = (char *)&message->headers[view->header_count];
    message->key = put(&at, view->key);
    message->value = put(&at, view->value);
    for (size_t i = 0; i < view->header_count; i++) {
        message->headers[i].name = put(&at, view->headers[i].name);
        message->headers[i].value = put(&at, view->headers[i].value);
    }
    return message;
}

static void append(struct bus_memory *bus, struct memory_partition *partition,
                   struct memory_message *message)
{
    message->offset = partition->next_offset++;
    if (partition->last)
        partition->last->next = message;
    else
        partition->first = message;
    partition->last = message;
    bus->used += message->size;
}

static void drop_first(struct bus_memory *bus, struct memory_partition *partition)
{
    struct memory_message *message = partition->first;
    partition->first = message->next;
    if (!partition->first)
        partition->last = NULL;
    bus->used -= message->size;
    bus->drops++;
    free(message);
}

/* ---- sending ----------------------------------------------------------------------------- */

static struct memory_sender *of(struct bus_sender *sender)
{
    return (struct memory_sender *)sender;
}

static int32_t partitions(const struct bus_sender *sender)
{
    return ((const struct memory_sender *)sender)->topic->partition_count;
}

static void note(struct memory_sender *sender, struct report report)
{
    if (sender->report_count == sender->report_room) {
        sender->report_room = sender->report_room ? sender->report_room * 2 : 64;
        sender->reports =
            must(realloc(sender->reports, sender->report_room * sizeof *sender->reports));
    }
    sender->reports[sender->report_count++] = report;
}

static enum outcome send(struct bus_sender *base, int32_t number, const struct message_view *view,
                         void *item, struct error *err)
{
    struct memory_sender *sender = of(base);
    struct bus_memory *bus = sender->bus;
    size_t size = weight_of(view);
    bool full = bus->used > 0 && bus->used + size > bus->most;
    if (full && bus->on_poll)
        return OUT_RETRY;
    if (full)
        return error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                         "the messages do not fit the memory storage");
    if (number < 0)
        number = hash_partition(view->key, sender->topic->partition_count);
    assert(number < sender->topic->partition_count);
    struct memory_partition *partition = &sender->topic->partitions[number];
    struct memory_message *message = copy_of(view, size);
    append(bus, partition, message);
    note(sender, (struct report){item, number, message->offset});
    return OUT_OK;
}

static int poll(struct bus_sender *base, int wait_ms)
{
    struct memory_sender *sender = of(base);
    struct bus_memory *bus = sender->bus;
    int told = 0;
    (void)wait_ms;
    for (size_t i = 0; i < sender->report_count; i++, told++) {
        const struct report report = sender->reports[i]; /* a callback may send */
        sender->on_delivered(sender->owner, report.item, OUT_OK, report.partition, report.offset,
                             NULL);
    }
    sender->report_count = 0;
    if (bus->on_poll && !bus->polling) {
        bus->polling = true;
        bus->on_poll(bus->owner);
        bus->polling = false;
    }
    return told;
}

static size_t message_max(const struct bus_sender *base)
{
    (void)base;
    return SIZE_MAX;
}

static int fd(struct bus_sender *base)
{
    (void)base;
    return -1;
}

static bool flush(struct bus_sender *base, int timeout_ms)
{
    poll(base, timeout_ms);
    return of(base)->report_count == 0;
}

static uint64_t pending(const struct bus_sender *sender)
{
    return ((const struct memory_sender *)sender)->report_count;
}

static void close_sender(struct bus_sender *base)
{
    free(of(base)->reports);
    free(of(base));
}

static struct memory_topic *find_topic(const struct bus_memory *bus, const char *name)
{
    struct memory_topic *topic = bus->topics;
    while (topic && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

static enum outcome open_sender(struct bus *base, const char *name, int32_t pinned, int timeout_ms,
                                bus_delivered on_delivered, void *owner, struct bus_sender **out,
                                struct error *err)
{
    static const struct bus_sender_ops OPS = {partitions, message_max, send,    poll,
                                              fd,         flush,       pending, close_sender};
    struct memory_topic *topic = find_topic((struct bus_memory *)base, name);
    (void)timeout_ms;
    *out = NULL;
    if (!topic)
        return error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic %s is missing", name);
    if (pinned && pinned != topic->partition_count)
        return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                         "topic %s has %d partitions, the settings say %d", name,
                         topic->partition_count, pinned);
    struct memory_sender *sender = must(calloc(1, sizeof *sender));
    *sender = (struct memory_sender){.base = {&OPS},
                                     .bus = (struct bus_memory *)base,
                                     .topic = topic,
                                     .on_delivered = on_delivered,
                                     .owner = owner};
    *out = &sender->base;
    return OUT_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct bus_memory_reader *bus_memory_reader_new(struct bus_memory *bus, const char *topic,
                                                const struct bus_range *ranges, size_t count)
{
    struct bus_memory_reader *reader = must(calloc(1, sizeof *reader));
    reader->bus = bus;
    reader->topic = find_topic(bus, topic);
    assert(reader->topic);
    reader->ranges = must(calloc(count + 1, sizeof *ranges));
    reader->last = must(calloc(count + 1, sizeof(struct memory_message *)));
    if (count)
        memcpy(reader->ranges, ranges, count * sizeof *ranges);
    reader->range_count = count;
    return reader;
}

/* The first one of a range that is there. */
static struct memory_message *find_message(struct bus_memory_reader *reader, size_t range)
{
    const struct bus_range *wanted = &reader->ranges[range];
    struct memory_message *message = reader->last[range];
    if (!message)
        message = reader->topic->partitions[wanted->partition].first;
    while (message && message->offset < wanted->from)
        message = message->next;
    return message;
}

static void forget_places(struct bus_memory_reader *reader)
{
    if (reader->drops_seen != reader->bus->drops)
        memset(reader->last, 0, reader->range_count * sizeof *reader->last);
    reader->drops_seen = reader->bus->drops;
}

static void view(const struct memory_message *message, int32_t partition, struct bus_message *out)
{
    out->partition = partition;
    out->offset = message->offset;
    out->timestamp_ms = -1;
    out->envelope.key = message->key;
    out->envelope.value = message->value;
    out->envelope.null_value = message->null_value;
    out->envelope.header_count = message->header_count;
    memcpy(out->envelope.headers, message->headers,
           message->header_count * sizeof *message->headers);
}

bool bus_memory_next(struct bus_memory_reader *reader, struct bus_message *message)
{
    forget_places(reader);
    for (size_t i = 0; i < reader->range_count; i++) {
        struct bus_range *range = &reader->ranges[i];
        assert(range->partition >= 0 && range->partition < reader->topic->partition_count);
        struct memory_message *found = find_message(reader, i);
        if (!found || found->offset >= range->to)
            continue;
        view(found, range->partition, message);
        range->from = found->offset + 1;
        reader->last[i] = found;
        return true;
    }
    return false;
}

void bus_memory_release(struct bus_memory_reader *reader)
{
    for (size_t i = 0; i < reader->range_count; i++) {
        struct memory_partition *partition =
            &reader->topic->partitions[reader->ranges[i].partition];
        while (partition->first && partition->first->offset < reader->ranges[i].from)
            drop_first(reader->bus, partition);
    }
}

void bus_memory_reader_free(struct bus_memory_reader *reader)
{
    if (!reader)
        return;
    free(reader->ranges);
    free(reader->last);
    free(reader);
}

/* ---- the bus ----------------------------------------------------------------------------- */

struct bus_memory *bus_memory_new(size_t bytes_most)
{
    struct bus_memory *bus = must(calloc(1, sizeof *bus));
    static const struct bus_ops OPS = {.open_sender = open_sender};
    bus->base.ops = &OPS;
    bus->most = bytes_most;
    return bus;
}

void bus_memory_free(struct bus_memory *bus)
{
    if (!bus)
        return;
    while (bus->topics) {
        struct memory_topic *topic = bus->topics;
        bus->topics = topic->next;
        for (int32_t i = 0; i < topic->partition_count; i++)
            while (topic->partitions[i].first)
                drop_first(bus, &topic->partitions[i]);
        free(topic->partitions);
        free(topic->name);
        free(topic);
    }
    free(bus);
}

void bus_memory_make_topic(struct bus_memory *bus, const char *name, int32_t partition_count)
{
    assert(partition_count >= 1 && !find_topic(bus, name));
    struct memory_topic *topic = must(calloc(1, sizeof *topic));
    topic->name = must(strdup(name));
    topic->partition_count = partition_count;
    topic->partitions = must(calloc((size_t)partition_count, sizeof *topic->partitions));
    topic->next = bus->topics;
    bus->topics = topic;
}

void bus_memory_on_poll(struct bus_memory *bus, void (*on_poll)(void *owner), void *owner)
{
    bus->on_poll = on_poll;
    bus->owner = owner;
}

struct bus *bus_memory_bus(struct bus_memory *bus)
{
    return &bus->base;
}
