/*
 * A partition is a ring of its messages by offset, without holes, so every place in it is a
 * number: readers and consumers keep the offset they want next, and a drop moves the beginning.
 */
#include "common/port/bus_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

/* One message: its bytes follow the headers in the same block. */
struct memory_message {
    size_t uses; /* its partition, and whoever holds it */
    int64_t offset;
    int64_t timestamp_ms;
    size_t size; /* as bytes_max counts it */
    struct bytes key, value;
    bool null_value;
    size_t header_count;
    struct header headers[];
};

struct memory_partition {
    struct memory_message **ring; /* by offset; room is a power of two */
    size_t room;
    int64_t low, end;
    int64_t last_ms; /* the newest timestamp */
};

struct memory_topic {
    char *name;
    int32_t partition_count;
    struct memory_partition *partitions;
    struct memory_topic *next;
    bool always_takes;
};

/* bus_ask_ends, not yet answered. */
struct question {
    const char *topic;
    int32_t count;
    bus_ends_told told;
    void *owner;
    struct question *next;
};

struct bus_memory {
    struct bus base;
    size_t bytes, bytes_max;
    size_t unstored_bytes;         /* of what senders have by hand */
    struct memory_sender *senders; /* in the order they were opened */
    size_t opened;                 /* readers and consumers not yet closed */
    struct memory_topic *topics;
    const struct clock *clock;
    struct question *questions;
    void (*on_poll)(void *owner);
    void *owner;
    bool polling, by_hand;
};

/* A message that was sent, until its report is told. */
struct sent {
    void *item;
    int32_t partition;
    int64_t offset;
    struct memory_message *message; /* not yet stored; else NULL */
    struct error *err;              /* refused; else NULL */
};

struct memory_sender {
    struct bus_sender base;
    struct bus_memory *bus;
    struct memory_topic *topic;
    bus_delivered on_delivered;
    void *owner;
    struct sent *ring;            /* room is a power of two */
    size_t room;                  /* told <= settled <= sent, */
    uint64_t told, settled, sent; /* counted since it was opened */
    struct memory_sender *next;
};

static struct bus_memory *of(struct bus *base)
{
    return (struct bus_memory *)base;
}

static struct memory_topic *find_topic(const struct bus_memory *bus, const char *name)
{
    struct memory_topic *topic = bus->topics;
    while (topic && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

static enum outcome topic_missing(const char *name, struct error *err)
{
    return error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic %s is missing", name);
}

/* ---- messages ---------------------------------------------------------------------------- */

static size_t block_of(const struct message_view *message)
{
    return sizeof(struct memory_message) + message_size(message) +
           message->header_count * sizeof(struct header);
}

/* Its place in the ring included, of which half may be empty. */
static size_t weight_of(const struct message_view *message)
{
    return block_of(message) + 2 * sizeof(struct memory_message *);
}

/* What is NULL stays so. */
static struct memory_message *copy_of(const struct message_view *view)
{
    struct memory_message *message = mem_alloc(block_of(view));
    *message = (struct memory_message){.uses = 1,
                                       .size = weight_of(view),
                                       .null_value = view->null_value,
                                       .header_count = view->header_count};
    char *at = (char *)&message->headers[view->header_count];
    message->key = bytes_put(&at, view->key);
    if (!view->null_value)
        message->value = bytes_put(&at, bytes_or_empty(view->value));
    for (size_t i = 0; i < view->header_count; i++) {
        message->headers[i].name = bytes_put(&at, view->headers[i].name);
        message->headers[i].value = bytes_put(&at, view->headers[i].value);
    }
    return message;
}

static struct memory_message *hold(struct memory_message *message)
{
    message->uses++;
    return message;
}

static void release(void *held)
{
    struct memory_message *message = held;
    assert(message->uses > 0);
    if (--message->uses == 0)
        free(message);
}

/* Appends the headers whose name is (or is not) one of ours while there is room. */
static void take_headers(const struct memory_message *message, bool ours, struct envelope *envelope)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (envelope->header_count < ENVELOPE_HEADERS_MAX &&
            envelope_is_ours(message->headers[i].name) == ours)
            envelope->headers[envelope->header_count++] = message->headers[i];
}

static void view(const void *held, struct envelope *envelope)
{
    const struct memory_message *message = held;
    envelope->key = message->key;
    envelope->value = message->value;
    envelope->null_value = message->null_value;
    envelope->header_count = 0;
    take_headers(message, true, envelope);
    take_headers(message, false, envelope);
}

static void view_whole(const void *held, struct header **headers, struct message_view *whole)
{
    const struct memory_message *message = held;
    size_t size = message->header_count * sizeof **headers;
    *headers = mem_alloc(size + 1);
    if (size)
        memcpy(*headers, message->headers, size);
    *whole = (struct message_view){message->key, message->value, message->null_value, *headers,
                                   message->header_count};
}

static void view_at(const struct memory_message *message, int32_t partition,
                    struct bus_message *out)
{
    out->partition = partition;
    out->offset = message->offset;
    out->timestamp_ms = message->timestamp_ms;
    view(message, &out->envelope);
}

/* ---- partitions -------------------------------------------------------------------------- */

static struct memory_message **slot(const struct memory_partition *partition, int64_t offset)
{
    return &partition->ring[(size_t)offset & (partition->room - 1)];
}

static void grow(struct memory_partition *partition)
{
    struct memory_partition larger = *partition;
    larger.room = partition->room ? partition->room * 2 : 16;
    larger.ring = mem_zeroed(larger.room, sizeof(struct memory_message *));
    for (int64_t i = partition->low; i < partition->end; i++)
        *slot(&larger, i) = *slot(partition, i);
    free(partition->ring);
    *partition = larger;
}

static int64_t stamp(const struct bus_memory *bus, struct memory_partition *partition)
{
    if (!bus->clock)
        return -1;
    int64_t now_ms = clock_wall_ms(bus->clock);
    if (now_ms > partition->last_ms)
        partition->last_ms = now_ms;
    return partition->last_ms;
}

static void append(struct bus_memory *bus, struct memory_partition *partition,
                   struct memory_message *message)
{
    if ((uint64_t)(partition->end - partition->low) == partition->room)
        grow(partition);
    message->offset = partition->end++;
    message->timestamp_ms = stamp(bus, partition);
    *slot(partition, message->offset) = message;
    bus->bytes += message->size;
}

static void drop_below(struct bus_memory *bus, struct memory_partition *partition, int64_t offset)
{
    for (; partition->low < offset && partition->low < partition->end; partition->low++) {
        struct memory_message *message = *slot(partition, partition->low);
        bus->bytes -= message->size;
        release(message);
    }
}

static struct memory_partition *partition_of(const struct memory_topic *topic, int32_t number)
{
    assert(number >= 0 && number < topic->partition_count);
    return &topic->partitions[number];
}

/* ---- sending ----------------------------------------------------------------------------- */

static struct memory_sender *sender_of(struct bus_sender *sender)
{
    return (struct memory_sender *)sender;
}

static int32_t partitions(const struct bus_sender *sender)
{
    return ((const struct memory_sender *)sender)->topic->partition_count;
}

static struct sent *sent_at(struct memory_sender *sender, uint64_t number)
{
    return &sender->ring[number & (sender->room - 1)];
}

static struct sent *note(struct memory_sender *sender)
{
    if (sender->sent - sender->told == sender->room) {
        struct memory_sender larger = *sender;
        larger.room = sender->room ? sender->room * 2 : 16;
        larger.ring = mem_zeroed(larger.room, sizeof *larger.ring);
        for (uint64_t i = sender->told; i < sender->sent; i++)
            *sent_at(&larger, i) = *sent_at(sender, i);
        free(sender->ring);
        *sender = larger;
    }
    return sent_at(sender, sender->sent++);
}

/* The oldest that waits for it; it has left its sender's share of the bytes. */
static struct sent *settle_oldest(struct memory_sender *sender)
{
    assert(sender->settled < sender->sent);
    struct sent *sent = sent_at(sender, sender->settled++);
    sender->bus->unstored_bytes -= sent->message->size;
    return sent;
}

static void store_oldest(struct memory_sender *sender)
{
    struct sent *sent = settle_oldest(sender);
    append(sender->bus, partition_of(sender->topic, sent->partition), sent->message);
    sent->offset = sent->message->offset;
    sent->message = NULL;
}

static enum outcome send(struct bus_sender *base, int32_t number, const struct message_view *view,
                         void *item, struct error *err)
{
    struct memory_sender *sender = sender_of(base);
    struct bus_memory *bus = sender->bus;
    size_t taken = bus->bytes + bus->unstored_bytes;
    bool full =
        !sender->topic->always_takes && taken > 0 && taken + weight_of(view) > bus->bytes_max;
    if (full && bus->on_poll)
        return error_set(err, OUT_RETRY, ERR_STORE_MEMORY, "the messages on their way are many");
    if (full)
        return error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                         "the messages do not fit the memory storage");
    if (number < 0)
        number = hash_partition(view->key, sender->topic->partition_count);
    assert(number < sender->topic->partition_count);
    struct memory_message *message = copy_of(view);
    *note(sender) = (struct sent){item, number, -1, message, NULL};
    bus->unstored_bytes += message->size;
    if (!bus->by_hand)
        store_oldest(sender);
    return OUT_OK;
}

/* What a callback sends meanwhile is for the next poll; one may poll itself. */
static int tell_reports(struct memory_sender *sender)
{
    int told = 0;
    for (const uint64_t until = sender->settled; sender->told < until; told++) {
        const struct sent sent = *sent_at(sender, sender->told++);
        sender->on_delivered(sender->owner, sent.item, sent.err ? sent.err->outcome : OUT_OK,
                             sent.partition, sent.offset, sent.err);
        free(sent.err);
    }
    return told;
}

static int poll(struct bus_sender *base, int wait_ms)
{
    struct bus_memory *bus = sender_of(base)->bus;
    int told = tell_reports(sender_of(base));
    (void)wait_ms;
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

static uint64_t pending(const struct bus_sender *base)
{
    const struct memory_sender *sender = (const struct memory_sender *)base;
    return sender->sent - sender->told;
}

static bool flush(struct bus_sender *base, int timeout_ms)
{
    while (poll(base, timeout_ms) > 0 && timeout_ms > 0 && pending(base) > 0)
        ;
    return pending(base) == 0;
}

static void close_sender(struct bus_sender *base)
{
    struct memory_sender *sender = sender_of(base);
    struct memory_sender **at = &sender->bus->senders;
    while (sender->settled < sender->sent)
        release(settle_oldest(sender)->message);
    for (; sender->told < sender->sent; sender->told++)
        free(sent_at(sender, sender->told)->err);
    while (*at != sender)
        at = &(*at)->next;
    *at = sender->next;
    free(sender->ring);
    free(sender);
}

static enum outcome open_sender(struct bus *base, const char *name, int32_t pinned, int timeout_ms,
                                bus_delivered on_delivered, void *owner, struct bus_sender **out,
                                struct error *err)
{
    static const struct bus_sender_ops OPS = {partitions, message_max, send,         poll, fd,
                                              flush,      pending,     close_sender, NULL};
    struct memory_topic *topic = find_topic(of(base), name);
    (void)timeout_ms;
    *out = NULL;
    if (!topic)
        return topic_missing(name, err);
    if (pinned > 0 && pinned != topic->partition_count)
        return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                         "topic %s has %d partitions, the settings say %d", name,
                         topic->partition_count, pinned);
    struct memory_sender *sender = mem_new(sizeof *sender);
    *sender = (struct memory_sender){.base = {&OPS},
                                     .bus = of(base),
                                     .topic = topic,
                                     .on_delivered = on_delivered,
                                     .owner = owner};
    struct memory_sender **last = &of(base)->senders;
    while (*last)
        last = &(*last)->next;
    *last = sender;
    *out = &sender->base;
    return OUT_OK;
}

/* ---- by hand ----------------------------------------------------------------------------- */

void bus_memory_by_hand(struct bus_memory *bus)
{
    bus->by_hand = true;
}

size_t bus_memory_unstored_senders(const struct bus_memory *bus)
{
    size_t count = 0;
    for (const struct memory_sender *sender = bus->senders; sender; sender = sender->next)
        count += sender->settled < sender->sent;
    return count;
}

static struct memory_sender *unstored_sender(const struct bus_memory *bus, size_t which)
{
    struct memory_sender *sender = bus->senders;
    while (sender && (sender->settled == sender->sent || which-- > 0))
        sender = sender->next;
    assert(sender);
    return sender;
}

void bus_memory_store_one(struct bus_memory *bus, size_t which)
{
    store_oldest(unstored_sender(bus, which));
}

void bus_memory_refuse_one(struct bus_memory *bus, size_t which, const struct error *err)
{
    struct sent *sent = settle_oldest(unstored_sender(bus, which));
    sent->err = mem_alloc(sizeof *sent->err);
    if (err)
        *sent->err = *err;
    else
        error_set(sent->err, OUT_REJECT, ERR_KAFKA_SIZE,
                  "the message is larger than the topic takes");
    assert(sent->err->outcome == OUT_REJECT || sent->err->outcome == OUT_FATAL);
    release(sent->message);
    sent->message = NULL;
}

/* ---- reading ranges ---------------------------------------------------------------------- */

struct memory_reader {
    struct bus_reader base;
    struct bus_memory *bus;
    struct memory_topic *topic;
    struct bus_range *ranges; /* `from` moves */
    size_t count;
    size_t first; /* those before it are read to their end */
    struct memory_message *held;
    struct bus_message message;
};

static enum outcome offset_gone(const struct memory_topic *topic, const struct bus_range *range,
                                struct error *err)
{
    error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
              "messages that were to be read are gone from the topic");
    error_where(err, "%s-%d@%lld", topic->name, range->partition, (long long)range->from);
    return OUT_FATAL;
}

static enum outcome next(struct bus_reader *base, int timeout_ms,
                         const struct bus_message **message, struct error *err)
{
    struct memory_reader *reader = (struct memory_reader *)base;
    *message = NULL;
    if (reader->held)
        release(reader->held);
    reader->held = NULL;
    while (reader->first < reader->count &&
           reader->ranges[reader->first].from >= reader->ranges[reader->first].to)
        reader->first++;
    for (size_t i = reader->first; i < reader->count; i++) {
        struct bus_range *range = &reader->ranges[i];
        const struct memory_partition *partition = partition_of(reader->topic, range->partition);
        if (range->from >= range->to)
            continue;
        if (range->from < partition->low || range->from > partition->end)
            return offset_gone(reader->topic, range, err);
        if (range->from == partition->end)
            continue;
        reader->held = hold(*slot(partition, range->from++));
        view_at(reader->held, range->partition, &reader->message);
        reader->message.held = reader->held;
        *message = &reader->message;
        return OUT_OK;
    }
    if (reader->first == reader->count)
        return OUT_OK;
    error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE, "the topic has no more for %d ms", timeout_ms);
    error_where(err, "%s", reader->topic->name);
    return OUT_RETRY;
}

static void close_reader(struct bus_reader *base)
{
    struct memory_reader *reader = (struct memory_reader *)base;
    if (reader->held)
        release(reader->held);
    reader->bus->opened--;
    free(reader->ranges);
    free(reader);
}

static enum outcome check_range(const struct memory_topic *topic, const struct bus_range *range,
                                struct error *err)
{
    if (range->partition < 0 || range->partition >= topic->partition_count)
        return error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                         "%s has %d partitions, partition %d is asked for", topic->name,
                         topic->partition_count, range->partition);
    return range->from < topic->partitions[range->partition].low ? offset_gone(topic, range, err)
                                                                 : OUT_OK;
}

static enum outcome open_reader(struct bus *base, const char *name, const struct bus_range *ranges,
                                size_t count, int timeout_ms, struct bus_reader **out,
                                struct error *err)
{
    static const struct bus_reader_ops OPS = {next, close_reader};
    struct memory_topic *topic = find_topic(of(base), name);
    enum outcome outcome = topic ? OUT_OK : topic_missing(name, err);
    (void)timeout_ms;
    *out = NULL;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        if (ranges[i].from < ranges[i].to)
            outcome = check_range(topic, &ranges[i], err);
    if (outcome != OUT_OK)
        return outcome;
    struct memory_reader *reader = mem_new(sizeof *reader);
    reader->base.ops = &OPS;
    reader->bus = of(base);
    reader->topic = topic;
    reader->ranges = mem_zeroed(count + 1, sizeof *ranges);
    for (size_t i = 0; i < count; i++)
        if (ranges[i].from < ranges[i].to)
            reader->ranges[reader->count++] = ranges[i];
    reader->bus->opened++;
    *out = &reader->base;
    return OUT_OK;
}

/* ---- questions --------------------------------------------------------------------------- */

static enum outcome ranges_of(struct bus *base, const char *name, size_t known, int timeout_ms,
                              struct bus_range **ranges, size_t *count, struct error *err)
{
    const struct memory_topic *topic = find_topic(of(base), name);
    (void)known;
    (void)timeout_ms;
    (void)err;
    *count = topic ? (size_t)topic->partition_count : 0;
    *ranges = topic ? mem_zeroed(*count, sizeof **ranges) : NULL;
    for (size_t i = 0; i < *count; i++)
        (*ranges)[i] =
            (struct bus_range){(int32_t)i, topic->partitions[i].low, topic->partitions[i].end};
    return OUT_OK;
}

static enum outcome partition_count(struct bus *base, const char *name, int timeout_ms,
                                    int32_t *count, struct error *err)
{
    const struct memory_topic *topic = find_topic(of(base), name);
    (void)timeout_ms;
    (void)err;
    *count = topic ? topic->partition_count : 0;
    return OUT_OK;
}

/* There is none to be said. */
static int64_t message_limit(struct bus *base, const char *name, int timeout_ms)
{
    (void)base;
    (void)name;
    (void)timeout_ms;
    return -1;
}

static bool ends_of(struct bus *base, const char *name, int64_t *ends, int32_t count,
                    int timeout_ms)
{
    const struct memory_topic *topic = find_topic(of(base), name);
    (void)timeout_ms;
    if (!topic || count > topic->partition_count)
        return false;
    for (int32_t i = 0; i < count; i++)
        ends[i] = topic->partitions[i].end;
    return true;
}

static bool offsets_at(struct bus *base, const char *name, int64_t at_ms, int64_t *offsets,
                       int32_t count, int timeout_ms)
{
    const struct memory_topic *topic = find_topic(of(base), name);
    (void)timeout_ms;
    if (!topic || count > topic->partition_count)
        return false;
    for (int32_t i = 0; i < count; i++) {
        const struct memory_partition *partition = &topic->partitions[i];
        offsets[i] = partition->low;
        while (offsets[i] < partition->end && (*slot(partition, offsets[i]))->timestamp_ms < at_ms)
            offsets[i]++;
    }
    return true;
}

static void ask_ends(struct bus *base, const char *topic, int32_t count, int timeout_ms,
                     bus_ends_told told, void *owner)
{
    struct question **last = &of(base)->questions;
    (void)timeout_ms;
    while (*last)
        last = &(*last)->next;
    *last = mem_alloc(sizeof **last);
    **last = (struct question){topic, count, told, owner, NULL};
}

/* Those asked before it; who is told may ask again. False: there were none. */
static bool answer(struct bus_memory *bus)
{
    size_t left = 0;
    for (const struct question *question = bus->questions; question; question = question->next)
        left++;
    bool any = left > 0;
    for (; left > 0 && bus->questions; left--) {
        struct question *question = bus->questions;
        bus->questions = question->next;
        int64_t *ends = mem_zeroed((size_t)question->count + 1, sizeof *ends);
        bool told = ends_of(&bus->base, question->topic, ends, question->count, 0);
        question->told(question->owner, told ? ends : NULL);
        free(ends);
        free(question);
    }
    return any;
}

static void poll_bus(struct bus *base)
{
    answer(of(base));
}

void bus_memory_forget_questions(struct bus_memory *bus, const void *owner)
{
    for (struct question **at = &bus->questions; *at;) {
        struct question *question = *at;
        if (question->owner == owner) {
            *at = question->next;
            free(question);
        } else {
            at = &question->next;
        }
    }
}

/* ---- a member of a group ----------------------------------------------------------------- */

/* One partition, as a consumer sees it. */
struct reading {
    bool coming; /* assigned, not yet told */
    bool ours;   /* told, not yet given up */
    bool started;
    bool paused; /* whoever has it: kept until it is resumed */
    bool gone;   /* told DRV-K005 */
    bool end_due;
    int64_t at;  /* the next offset to hand over */
    int64_t end; /* as last heard, -1 */
};

struct memory_consumer {
    struct bus_consumer base;
    struct bus_memory *bus;
    struct memory_topic *topic;
    struct bus_consumer_events events;
    void *owner;
    struct reading *readings; /* by partition */
    int32_t *numbers;         /* room to tell some */
    int32_t next;             /* whose turn it is */
    bool owning;              /* from on_assigned to give_up, perhaps no partition */
    bool assign_due, revoke_due, revoke_after; /* after: the assignment that is due */
    bool revoking, closing, turning;
    bool held;
    bool late; /* held, it was not told what was due */
    void (*on_closed)(void *owner);
};

static struct memory_consumer *consumer_of(struct bus_consumer *base)
{
    return (struct memory_consumer *)base;
}

static struct reading *reading_of(const struct memory_consumer *consumer, int32_t number)
{
    assert(number >= 0 && number < consumer->topic->partition_count);
    return &consumer->readings[number];
}

static enum outcome start(struct bus_consumer *base, const int32_t *numbers, const int64_t *offsets,
                          size_t count, struct error *err)
{
    struct memory_consumer *consumer = consumer_of(base);
    (void)err;
    for (int32_t i = 0; i < consumer->topic->partition_count; i++)
        consumer->readings[i].started = false;
    for (size_t i = 0; i < count; i++) {
        struct reading *reading = reading_of(consumer, numbers[i]);
        assert(reading->ours && offsets[i] >= 0);
        reading->started = reading->end_due = true;
        reading->gone = false;
        reading->at = offsets[i];
    }
    return OUT_OK;
}

static void give_up(struct bus_consumer *base)
{
    struct memory_consumer *consumer = consumer_of(base);
    for (int32_t i = 0; i < consumer->topic->partition_count; i++)
        consumer->readings[i].ours = consumer->readings[i].started = false;
    consumer->owning = consumer->revoking = consumer->revoke_due = false;
}

static void set_paused(struct bus_consumer *base, const int32_t *numbers, size_t count, bool paused)
{
    for (size_t i = 0; i < count; i++)
        reading_of(consumer_of(base), numbers[i])->paused = paused;
}

static void pause_those(struct bus_consumer *base, const int32_t *numbers, size_t count)
{
    set_paused(base, numbers, count, true);
}

static void resume_those(struct bus_consumer *base, const int32_t *numbers, size_t count)
{
    set_paused(base, numbers, count, false);
}

static void hold_back(struct bus_consumer *base, bool held)
{
    consumer_of(base)->held = held;
}

/* Nobody looks at the lag here. */
static void commit(struct bus_consumer *base, const int32_t *numbers, const int64_t *offsets,
                   size_t count)
{
    (void)base;
    (void)numbers;
    (void)offsets;
    (void)count;
}

static enum outcome committed(struct bus_consumer *base, const int32_t *numbers, int64_t *offsets,
                              size_t count, struct error *err)
{
    (void)base;
    (void)numbers;
    (void)err;
    for (size_t i = 0; i < count; i++)
        offsets[i] = -1;
    return OUT_OK;
}

static int64_t end_of(struct bus_consumer *base, int32_t number)
{
    return reading_of(consumer_of(base), number)->end;
}

static int64_t begin_of(struct bus_consumer *base, int32_t number)
{
    return consumer_of(base)->topic->partitions[number].low;
}

static void close_consumer(struct bus_consumer *base, uint32_t wait_ms,
                           void (*on_closed)(void *owner))
{
    struct memory_consumer *consumer = consumer_of(base);
    (void)wait_ms;
    assert(!consumer->closing);
    consumer->closing = true;
    consumer->on_closed = on_closed;
    consumer->assign_due = consumer->revoke_after = false;
    consumer->revoke_due = consumer->owning && !consumer->revoking;
}

static enum outcome open_consumer(struct bus *base, const char *name, const char *group,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **out, struct error *err)
{
    static const struct bus_consumer_ops OPS = {start,     give_up,       pause_those, resume_those,
                                                hold_back, commit,        committed,   end_of,
                                                begin_of,  close_consumer};
    struct memory_topic *topic = find_topic(of(base), name);
    (void)group;
    *out = NULL;
    if (!topic)
        return topic_missing(name, err);
    struct memory_consumer *consumer = mem_new(sizeof *consumer);
    *consumer = (struct memory_consumer){
        .base = {&OPS}, .bus = of(base), .topic = topic, .events = *events, .owner = owner};
    size_t count = (size_t)topic->partition_count;
    consumer->readings = mem_zeroed(count, sizeof *consumer->readings);
    consumer->numbers = mem_zeroed(count, sizeof *consumer->numbers);
    for (size_t i = 0; i < count; i++)
        consumer->readings[i].end = -1;
    of(base)->opened++;
    *out = &consumer->base;
    return OUT_OK;
}

static void free_consumer(struct memory_consumer *consumer)
{
    consumer->bus->opened--;
    free(consumer->readings);
    free(consumer->numbers);
    free(consumer);
}

/* ---- its turns --------------------------------------------------------------------------- */

void bus_memory_assign(struct bus_consumer *base, const int32_t *numbers, size_t count)
{
    struct memory_consumer *consumer = consumer_of(base);
    assert(!consumer->closing && !consumer->assign_due);
    assert(!consumer->owning || consumer->revoking || consumer->revoke_due);
    for (int32_t i = 0; i < consumer->topic->partition_count; i++)
        consumer->readings[i].coming = false;
    for (size_t i = 0; i < count; i++)
        reading_of(consumer, numbers[i])->coming = true;
    consumer->assign_due = true;
}

void bus_memory_revoke(struct bus_consumer *base)
{
    struct memory_consumer *consumer = consumer_of(base);
    assert(consumer->owning || consumer->assign_due);
    if (consumer->assign_due)
        consumer->revoke_after = true;
    else if (!consumer->revoking)
        consumer->revoke_due = true;
}

static enum outcome open_assigned(struct bus *base, const char *name, const char *group,
                                  const int32_t *numbers, size_t count,
                                  const struct bus_consumer_events *events, void *owner,
                                  struct bus_consumer **out, struct error *err)
{
    enum outcome outcome = open_consumer(base, name, group, events, owner, out, err);
    if (outcome == OUT_OK)
        bus_memory_assign(*out, numbers, count);
    return outcome;
}

bool bus_memory_is_revoking(const struct bus_consumer *base)
{
    const struct memory_consumer *consumer = (const struct memory_consumer *)base;
    bool told_later =
        consumer->late || (consumer->held && (consumer->assign_due || consumer->revoke_due));
    return consumer->revoking || told_later || (consumer->closing && consumer->owning);
}

static bool tell_revoked(struct memory_consumer *consumer)
{
    if (!consumer->revoke_due)
        return false;
    consumer->revoke_due = false;
    consumer->revoking = true;
    consumer->events.on_revoked(consumer->owner);
    return true;
}

static bool tell_assigned(struct memory_consumer *consumer)
{
    size_t count = 0;
    if (!consumer->assign_due || consumer->owning)
        return false;
    for (int32_t i = 0; i < consumer->topic->partition_count; i++) {
        struct reading *reading = &consumer->readings[i];
        reading->ours = reading->coming;
        if (!reading->ours)
            continue;
        reading->end = consumer->topic->partitions[i].end;
        consumer->numbers[count++] = i;
    }
    consumer->assign_due = false;
    consumer->owning = true;
    consumer->revoke_due = consumer->revoke_after;
    consumer->revoke_after = false;
    consumer->events.on_assigned(consumer->owner, consumer->numbers, count);
    return true;
}

/* Its partition is fetched now: so its end is heard. */
static bool is_fetched(const struct memory_consumer *consumer, int32_t number)
{
    struct reading *reading = &consumer->readings[number];
    bool fetched = reading->started && !reading->paused && !reading->gone && !consumer->revoking &&
                   !consumer->closing;
    if (fetched)
        reading->end = consumer->topic->partitions[number].end;
    return fetched;
}

static bool tell_gone(struct memory_consumer *consumer)
{
    bool any = false;
    for (int32_t i = 0; i < consumer->topic->partition_count; i++) {
        const struct memory_partition *partition = &consumer->topic->partitions[i];
        struct reading *reading = &consumer->readings[i];
        struct error err;
        if (!is_fetched(consumer, i) ||
            (reading->at >= partition->low && reading->at <= partition->end))
            continue;
        any = reading->gone = true;
        error_set(&err, OUT_FATAL, ERR_KAFKA_OFFSET,
                  "messages the worker still needs are gone from %s-%d", consumer->topic->name, i);
        consumer->events.on_error(consumer->owner, i, &err);
    }
    return any;
}

static bool tell_message(struct memory_consumer *consumer, int32_t number)
{
    const struct memory_partition *partition = &consumer->topic->partitions[number];
    struct reading *reading = &consumer->readings[number];
    if (!is_fetched(consumer, number) || reading->at < partition->low ||
        reading->at >= partition->end)
        return false;
    struct memory_message *message = hold(*slot(partition, reading->at++));
    const struct bus_arrival arrival = {number, message->offset, message->timestamp_ms,
                                        message->key.size + message->value.size, message};
    reading->end_due = true;
    consumer->events.on_message(consumer->owner, &arrival);
    return true;
}

static bool tell_messages(struct memory_consumer *consumer, size_t messages_max)
{
    size_t told = 0;
    int32_t count = consumer->topic->partition_count;
    for (int32_t idle = 0; told < messages_max && idle < count; idle++) {
        int32_t number = consumer->next;
        consumer->next = number + 1 < count ? number + 1 : 0;
        if (!tell_message(consumer, number))
            continue;
        told++;
        idle = -1;
    }
    return told > 0;
}

static bool tell_ends(struct memory_consumer *consumer)
{
    bool any = false;
    for (int32_t i = 0; i < consumer->topic->partition_count; i++) {
        struct reading *reading = &consumer->readings[i];
        if (!is_fetched(consumer, i) || !reading->end_due ||
            reading->at != consumer->topic->partitions[i].end)
            continue;
        reading->end_due = false;
        any = true;
        consumer->events.on_end(consumer->owner, i);
    }
    return any;
}

bool bus_memory_turn(struct bus_consumer *base, size_t messages_max)
{
    struct memory_consumer *consumer = consumer_of(base);
    if (consumer->turning)
        return false;
    consumer->turning = true;
    bool any = answer(consumer->bus);
    consumer->late = consumer->held && (consumer->assign_due || consumer->revoke_due);
    if (consumer->held && !consumer->closing) {
        consumer->turning = false;
        return any;
    }
    any |= tell_revoked(consumer);
    any |= tell_assigned(consumer);
    any |= tell_revoked(consumer);
    any |= tell_gone(consumer);
    any |= tell_messages(consumer, messages_max);
    any |= tell_ends(consumer);
    consumer->turning = false;
    if (!consumer->closing || consumer->owning)
        return any;
    void (*on_closed)(void *) = consumer->on_closed;
    void *owner = consumer->owner;
    free_consumer(consumer);
    on_closed(owner);
    return true;
}

void bus_memory_abandon(struct bus_consumer *base)
{
    assert(!consumer_of(base)->turning);
    free_consumer(consumer_of(base));
}

/* ---- the bus ----------------------------------------------------------------------------- */

struct bus_memory *bus_memory_new(size_t bytes_max)
{
    static const struct bus_ops OPS = {
        .open_sender = open_sender,
        .open_reader = open_reader,
        .open_consumer = open_consumer,
        .open_assigned = open_assigned,
        .view = view,
        .view_whole = view_whole,
        .release = release,
        .ranges = ranges_of,
        .partition_count = partition_count,
        .message_limit = message_limit,
        .ends = ends_of,
        .ask_ends = ask_ends,
        .offsets_at = offsets_at,
        .poll = poll_bus,
    };
    struct bus_memory *bus = mem_new(sizeof *bus);
    bus->base.ops = &OPS;
    bus->bytes_max = bytes_max;
    return bus;
}

void bus_memory_free(struct bus_memory *bus)
{
    if (!bus)
        return;
    assert(!bus->senders && bus->opened == 0);
    while (bus->topics) {
        struct memory_topic *topic = bus->topics;
        bus->topics = topic->next;
        for (int32_t i = 0; i < topic->partition_count; i++) {
            drop_below(bus, &topic->partitions[i], INT64_MAX);
            free(topic->partitions[i].ring);
        }
        free(topic->partitions);
        free(topic->name);
        free(topic);
    }
    while (bus->questions)
        bus_memory_forget_questions(bus, bus->questions->owner);
    free(bus);
}

void bus_memory_make_topic(struct bus_memory *bus, const char *name, int32_t count)
{
    assert(count >= 1 && !find_topic(bus, name));
    struct memory_topic *topic = mem_new(sizeof *topic);
    topic->name = mem_text(name);
    topic->partition_count = count;
    topic->partitions = mem_zeroed((size_t)count, sizeof *topic->partitions);
    topic->next = bus->topics;
    bus->topics = topic;
}

void bus_memory_on_poll(struct bus_memory *bus, void (*on_poll)(void *owner), void *owner)
{
    bus->on_poll = on_poll;
    bus->owner = owner;
}

void bus_memory_use_clock(struct bus_memory *bus, const struct clock *clock)
{
    bus->clock = clock;
}

struct bus *bus_memory_bus(struct bus_memory *bus)
{
    return &bus->base;
}

void bus_memory_drop(struct bus_memory *bus, const char *name, int32_t partition, int64_t offset)
{
    const struct memory_topic *topic = find_topic(bus, name);
    assert(topic);
    drop_below(bus, partition_of(topic, partition), offset);
}

size_t bus_memory_bytes(const struct bus_memory *bus)
{
    return bus->bytes;
}

void bus_memory_always_takes(struct bus_memory *bus, const char *name)
{
    find_topic(bus, name)->always_takes = true;
}
