#include "common/base/mem.h"
#include "worker/outbox.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a message costs besides its bytes, here and in the client (its struct and headers; measured
 * as in kafka_client.c). */
#define MESSAGE_OVERHEAD 1024

/* One message, in exactly one of the queues. Its bytes are `memory` until the client has taken
 * them; afterwards only what is to be told remains. */
struct entry {
    struct entry *previous, *next;
    struct outbox *outbox;
    void *item;
    size_t cost;
    int32_t partition;
    struct message_view message;
    char *memory;
    enum outcome outcome;
    struct error *err; /* unless OUT_OK */
};

struct queue {
    struct entry *first, *last;
};

struct outbox {
    struct bus_sender *sender;
    outbox_told told;
    void *owner;
    size_t max, bytes;
    struct queue unsent, sent, reported;
    bool turning;
};

static void append(struct queue *queue, struct entry *entry)
{
    entry->previous = queue->last;
    entry->next = NULL;
    if (queue->last)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
}

static void cut_out(struct queue *queue, struct entry *entry)
{
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        queue->first = entry->next;
    if (entry->next)
        entry->next->previous = entry->previous;
    else
        queue->last = entry->previous;
}

static void note(struct entry *entry, enum outcome outcome, const struct error *err)
{
    entry->outcome = outcome;
    if (outcome != OUT_OK) {
        entry->err = mem_alloc(sizeof *entry->err);
        *entry->err = *err;
    }
    append(&entry->outbox->reported, entry);
}

/* The library's report, from inside its poll: noted, told by the turn. */
static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct outbox *outbox = owner;
    struct entry *entry = item;
    (void)partition;
    (void)offset;
    cut_out(&outbox->sent, entry);
    note(entry, outcome, err);
}

enum outcome outbox_open(struct bus *bus, const char *topic, int timeout_ms, size_t max,
                         outbox_told told, void *owner, struct outbox **out, struct error *err)
{
    struct outbox *outbox = mem_new(sizeof *outbox);
    outbox->told = told;
    outbox->owner = owner;
    outbox->max = max;
    enum outcome outcome =
        bus_open_sender(bus, topic, 0, timeout_ms, on_delivered, outbox, &outbox->sender, err);
    if (outcome != OUT_OK) {
        free(outbox);
        return outcome;
    }
    *out = outbox;
    return OUT_OK;
}

static void free_entry(struct entry *entry)
{
    free(entry->memory);
    free(entry->err);
    free(entry);
}

static void drop_all(struct queue *queue, void (*drop)(void *item))
{
    for (struct entry *entry = queue->first; entry;) {
        struct entry *next = entry->next;
        if (drop)
            drop(entry->item);
        free_entry(entry);
        entry = next;
    }
}

void outbox_close(struct outbox *outbox, void (*drop)(void *item))
{
    if (!outbox)
        return;
    bus_sender_close(outbox->sender);
    drop_all(&outbox->unsent, drop);
    drop_all(&outbox->sent, drop);
    drop_all(&outbox->reported, drop);
    free(outbox);
}

int32_t outbox_partitions(const struct outbox *outbox)
{
    return bus_sender_partitions(outbox->sender);
}

size_t outbox_message_max(const struct outbox *outbox)
{
    return bus_sender_message_max(outbox->sender);
}

int outbox_fd(struct outbox *outbox)
{
    return bus_sender_fd(outbox->sender);
}

/* Copies to *at, which moves behind it. NULL stays NULL (a header without a value is not one with
 * an empty one). */
static struct bytes copy_bytes(char **at, struct bytes source)
{
    if (!source.data)
        return source;
    struct bytes copy = {*at, source.size};
    if (source.size)
        memcpy(*at, source.data, source.size);
    *at += source.size;
    return copy;
}

static void copy_message(struct entry *entry, const struct message_view *message)
{
    size_t count = message->header_count;
    size_t list = count * sizeof(struct header);
    entry->memory = mem_alloc(list + message_size(message) + 1);
    struct header *headers = (struct header *)(void *)entry->memory;
    char *at = entry->memory + list;
    entry->message = (struct message_view){.key = copy_bytes(&at, message->key),
                                           .null_value = message->null_value,
                                           .headers = headers,
                                           .header_count = count};
    if (!message->null_value)
        entry->message.value = copy_bytes(&at, message->value);
    for (size_t i = 0; i < count; i++) {
        headers[i].name = copy_bytes(&at, message->headers[i].name);
        headers[i].value = copy_bytes(&at, message->headers[i].value);
    }
}

void outbox_put(struct outbox *outbox, int32_t partition, const struct message_view *message,
                void *item)
{
    struct entry *entry = mem_new(sizeof *entry);
    entry->outbox = outbox;
    entry->item = item;
    entry->partition = partition;
    entry->cost = message_size(message) + MESSAGE_OVERHEAD;
    copy_message(entry, message);
    outbox->bytes += entry->cost;
    append(&outbox->unsent, entry);
}

static void send_unsent(struct outbox *outbox)
{
    struct error err;
    for (struct entry *entry; (entry = outbox->unsent.first);) {
        enum outcome outcome =
            bus_sender_send_message(outbox->sender, entry->partition, &entry->message, entry, &err);
        if (outcome == OUT_RETRY) /* the client is full: the next turn goes on */
            return;
        cut_out(&outbox->unsent, entry);
        free(entry->memory);
        entry->memory = NULL;
        if (outcome == OUT_OK)
            append(&outbox->sent, entry);
        else
            note(entry, outcome, &err);
    }
}

static void tell_reported(struct outbox *outbox)
{
    for (struct entry *entry; (entry = outbox->reported.first);) {
        cut_out(&outbox->reported, entry);
        outbox->bytes -= entry->cost;
        outbox->told(outbox->owner, entry->item, entry->outcome, entry->err);
        free_entry(entry);
    }
}

static void turn(struct outbox *outbox, bool sends)
{
    if (outbox->turning)
        return;
    outbox->turning = true;
    bus_sender_poll(outbox->sender, 0);
    tell_reported(outbox);
    if (sends)
        send_unsent(outbox);
    outbox->turning = false;
}

void outbox_listen(struct outbox *outbox)
{
    turn(outbox, false);
}

void outbox_turn(struct outbox *outbox)
{
    turn(outbox, true);
}

bool outbox_is_full(const struct outbox *outbox)
{
    return outbox->bytes > outbox->max;
}

bool outbox_has_room(const struct outbox *outbox)
{
    return outbox->bytes < outbox->max / 2;
}

bool outbox_is_empty(const struct outbox *outbox)
{
    return !outbox->unsent.first && !outbox->sent.first && !outbox->reported.first;
}
