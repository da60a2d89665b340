/*
 * The bus in memory against a model that is a few arrays: senders, members and whoever drops
 * messages do anything in any order, also from inside events. DROVER_SEED is where the schedules
 * begin, DROVER_CASES how many there are; one that fails names its seed and step.
 */
#include "common/port/bus_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/suite.h"

#define PARTITIONS 3
#define SENDERS 3
#define MEMBERS 2
#define STEPS 400
#define ITEMS (STEPS + 1)
#define HELD_MAX 100
#define ROOM 40 /* messages the bus has room for */

struct line {
    int first, count; /* of the items below */
    int items[ITEMS];
};

struct sender {
    struct bus_sender *sender;
    struct line unstored, untold; /* untold: items, in the order they were settled */
};

struct member {
    struct bus_consumer *consumer;
    bool coming[PARTITIONS], ours[PARTITIONS], started[PARTITIONS], paused[PARTITIONS];
    bool gone[PARTITIONS], end_due[PARTITIONS];
    int64_t at[PARTITIONS];
    bool assign_due, owning, revoke_due, revoking, closing, closed;
    int told, messages, got[PARTITIONS]; /* in this turn */
    bool disturbed;                      /* something was changed inside it */
};

static struct {
    unsigned seed;
    int step;
    bool by_hand;
    struct bus_memory *memory;
    struct bus *bus;
    struct sender senders[SENDERS];
    struct member members[MEMBERS];
    int log[PARTITIONS][ITEMS]; /* items by offset */
    int64_t low[PARTITIONS], end[PARTITIONS];
    int sent; /* items 1 to sent were */
    int32_t to[ITEMS];
    int64_t offsets[ITEMS]; /* -1 refused */
    size_t one;             /* bytes of any message */
    void *messages[HELD_MAX];
    int held_items[HELD_MAX], held_count;
    int asked, answered;
} W;

/* What holds costs nothing: Check would note each place it passed. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("seed %u, step %d: %s", W.seed, W.step, #condition);                      \
    } while (0)

/* Our own, so that a seed means the same everywhere. */
static uint64_t random_state;

static int chance(int count)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (unsigned)count);
}

/* ---- what senders are told --------------------------------------------------------------- */

static void push(struct line *line, int item)
{
    line->items[line->first + line->count++] = item;
}

static int shift(struct line *line)
{
    CHECK(line->count > 0);
    line->count--;
    return line->items[line->first++];
}

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct sender *sender = owner;
    int wanted = shift(&sender->untold);
    CHECK((int)(intptr_t)item == wanted);
    CHECK(partition == W.to[wanted]);
    CHECK(offset == W.offsets[wanted]);
    CHECK(outcome == (offset < 0 ? OUT_REJECT : OUT_OK));
    CHECK(!err == (outcome == OUT_OK));
}

static void open_sender(struct sender *sender)
{
    struct error err;
    memset(sender, 0, sizeof *sender);
    CHECK(bus_open_sender(W.bus, "t", PARTITIONS, 0, on_delivered, sender, &sender->sender, &err) ==
          OUT_OK);
}

/* ---- what members are told --------------------------------------------------------------- */

static bool is_read(const struct member *member, int p)
{
    return member->started[p] && !member->paused[p] && !member->gone[p] && !member->revoking &&
           !member->closing;
}

static void give_up(struct member *member)
{
    bus_consumer_give_up(member->consumer);
    memset(member->ours, 0, sizeof member->ours);
    memset(member->started, 0, sizeof member->started);
    member->owning = member->revoking = member->revoke_due = false;
}

static void start(struct member *member)
{
    int32_t numbers[PARTITIONS];
    int64_t offsets[PARTITIONS];
    size_t count = 0;
    struct error err;
    memset(member->started, 0, sizeof member->started);
    for (int p = 0; p < PARTITIONS; p++) {
        if (!member->ours[p] || chance(8) == 0)
            continue;
        int64_t back = chance(6);
        member->started[p] = member->end_due[p] = true;
        member->gone[p] = false;
        member->at[p] = chance(10) == 0 ? W.end[p] + 1 : W.end[p] > back ? W.end[p] - back : 0;
        numbers[count] = p;
        offsets[count++] = member->at[p];
    }
    member->disturbed = true;
    CHECK(bus_consumer_start(member->consumer, numbers, offsets, count, &err) == OUT_OK);
}

static void pause_or_resume(struct member *member)
{
    int32_t numbers[PARTITIONS];
    size_t count = 0;
    bool pause = chance(2);
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (chance(2))
            numbers[count++] = p;
    for (size_t i = 0; i < count; i++)
        member->paused[numbers[i]] = pause;
    member->disturbed = true;
    if (pause)
        bus_consumer_pause(member->consumer, numbers, count);
    else
        bus_consumer_resume(member->consumer, numbers, count);
}

static void on_closed(void *owner)
{
    struct member *member = owner;
    CHECK(member->closing && !member->owning && !member->closed);
    member->told++;
    member->closed = true;
}

static void close_member(struct member *member)
{
    bus_consumer_close(member->consumer, 0, on_closed);
    member->closing = member->disturbed = true;
    member->assign_due = false;
    member->revoke_due = member->owning && !member->revoking;
}

static void drop(void)
{
    int32_t p = chance(PARTITIONS);
    int64_t offset = W.low[p] + chance(8);
    bus_memory_drop(W.memory, "t", p, offset);
    W.low[p] = offset < W.end[p] ? offset : W.end[p];
    for (int i = 0; i < MEMBERS; i++)
        W.members[i].disturbed = true;
}

static void inside(struct member *member)
{
    switch (chance(40)) {
    case 0:
        if (member->owning)
            start(member);
        break;
    case 1:
        pause_or_resume(member);
        break;
    case 2:
        drop();
        break;
    case 3:
        if (!member->closing)
            close_member(member);
        break;
    default:
        CHECK(!bus_memory_turn(member->consumer, 1));
        break;
    }
}

static void on_assigned(void *owner, const int32_t *partitions, size_t count)
{
    struct member *member = owner;
    size_t i = 0;
    CHECK(member->assign_due && !member->owning && member->messages == 0);
    member->told++;
    for (int p = 0; p < PARTITIONS; p++) {
        member->ours[p] = member->coming[p];
        if (member->ours[p])
            CHECK(i < count && partitions[i++] == p);
    }
    CHECK(i == count);
    member->assign_due = false;
    member->owning = true;
    if (chance(2))
        start(member);
    inside(member);
}

static void on_revoked(void *owner)
{
    struct member *member = owner;
    CHECK(member->revoke_due && member->owning && member->messages == 0);
    member->told++;
    member->revoke_due = false;
    member->revoking = true;
    CHECK(bus_memory_is_revoking(member->consumer));
    if (chance(3) == 0)
        give_up(member);
}

static int item_of(const void *held)
{
    struct envelope envelope;
    bus_view(W.bus, held, &envelope);
    CHECK(envelope.value.size == 8 && envelope.header_count == 1);
    CHECK(bytes_equal(envelope.value, envelope.headers[0].value));
    return atoi(envelope.value.data);
}

static void release_one(void)
{
    if (W.held_count == 0)
        return;
    int which = chance(W.held_count--);
    CHECK(item_of(W.messages[which]) == W.held_items[which]);
    bus_release(W.bus, W.messages[which]);
    W.messages[which] = W.messages[W.held_count];
    W.held_items[which] = W.held_items[W.held_count];
}

static void on_message(void *owner, const struct bus_arrival *arrival)
{
    struct member *member = owner;
    int p = arrival->partition;
    CHECK(is_read(member, p));
    CHECK(arrival->offset == member->at[p] && arrival->offset < W.end[p]);
    CHECK(arrival->offset >= W.low[p]);
    CHECK(item_of(arrival->held) == W.log[p][arrival->offset]);
    member->at[p]++;
    member->end_due[p] = true;
    member->told++;
    member->messages++;
    member->got[p]++;
    CHECK(bus_consumer_end(member->consumer, p) == W.end[p]);
    if (W.held_count == HELD_MAX)
        release_one();
    W.messages[W.held_count] = arrival->held;
    W.held_items[W.held_count++] = W.log[p][arrival->offset];
    inside(member);
}

static void on_end(void *owner, int32_t partition)
{
    struct member *member = owner;
    CHECK(is_read(member, partition) && member->end_due[partition]);
    CHECK(member->at[partition] == W.end[partition]);
    member->end_due[partition] = false;
    member->told++;
    inside(member);
}

static void on_error(void *owner, int32_t partition, const struct error *err)
{
    struct member *member = owner;
    CHECK(err->outcome == OUT_FATAL && err->code == ERR_KAFKA_OFFSET);
    CHECK(is_read(member, partition));
    CHECK(member->at[partition] < W.low[partition] || member->at[partition] > W.end[partition]);
    member->gone[partition] = true;
    member->told++;
    inside(member);
}

static void join(struct member *member)
{
    static const struct bus_consumer_events EVENTS = {on_assigned, on_revoked, on_message, on_end,
                                                      on_error};
    struct error err;
    memset(member, 0, sizeof *member);
    CHECK(bus_open_consumer(W.bus, "t", "g", &EVENTS, member, &member->consumer, &err) == OUT_OK);
}

/* ---- what happens ------------------------------------------------------------------------ */

static int in_topics(void)
{
    int count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        count += (int)(W.end[p] - W.low[p]);
    return count;
}

static void store(struct sender *sender)
{
    int item = shift(&sender->unstored);
    int32_t p = W.to[item];
    W.offsets[item] = W.end[p];
    W.log[p][W.end[p]++] = item;
    push(&sender->untold, item);
}

static void send(struct sender *sender)
{
    char text[16];
    struct error err;
    int count = in_topics();
    int item = W.sent + 1;
    snprintf(text, sizeof text, "%08d", item);
    struct header header = {BYTES_LITERAL("drover-n"), bytes_of(text, 8)};
    struct message_view message = {BYTES_LITERAL("k"), bytes_of(text, 8), false, &header, 1};
    for (int i = 0; i < SENDERS; i++)
        count += W.senders[i].unstored.count;
    W.to[item] = chance(PARTITIONS);
    enum outcome outcome =
        bus_sender_send_message(sender->sender, W.to[item], &message, (void *)(intptr_t)item, &err);
    CHECK(outcome == (count < ROOM ? OUT_OK : OUT_RETRY));
    if (outcome != OUT_OK)
        return;
    W.sent = item;
    push(&sender->unstored, item);
    if (!W.by_hand)
        store(sender);
}

static struct sender *unstored(size_t which)
{
    for (int i = 0; i < SENDERS; i++)
        if (W.senders[i].unstored.count && which-- == 0)
            return &W.senders[i];
    return NULL;
}

static void settle_one(void)
{
    size_t count = bus_memory_unstored_senders(W.memory);
    CHECK(unstored(count) == NULL && (count == 0 || unstored(count - 1)));
    if (count == 0)
        return;
    size_t which = (size_t)chance((int)count);
    struct sender *sender = unstored(which);
    if (chance(5)) {
        bus_memory_store_one(W.memory, which);
        store(sender);
    } else {
        int item = shift(&sender->unstored);
        bus_memory_refuse_one(W.memory, which, NULL);
        W.offsets[item] = -1;
        push(&sender->untold, item);
    }
}

static void poll(struct sender *sender)
{
    int settled = sender->untold.count;
    CHECK(bus_sender_pending(sender->sender) == (uint64_t)(settled + sender->unstored.count));
    CHECK(bus_sender_poll(sender->sender, 0) == settled);
    CHECK(sender->untold.count == 0);
}

/* The last one, so that the order they were opened in stays. */
static void replace_sender(void)
{
    bus_sender_close(W.senders[SENDERS - 1].sender);
    open_sender(&W.senders[SENDERS - 1]);
}

static void assign(struct member *member)
{
    int32_t numbers[PARTITIONS];
    size_t count = 0;
    if (member->closing || member->assign_due)
        return;
    if (member->owning && !member->revoking && !member->revoke_due) {
        bus_memory_revoke(member->consumer);
        member->revoke_due = true;
        return;
    }
    for (int32_t p = 0; p < PARTITIONS; p++)
        if ((member->coming[p] = chance(3) > 0))
            numbers[count++] = p;
    bus_memory_assign(member->consumer, numbers, count);
    member->assign_due = true;
}

static void check_turn(const struct member *member, int max)
{
    CHECK(!member->revoke_due || member->disturbed);
    CHECK(!member->assign_due || member->owning);
    for (int p = 0; p < PARTITIONS && !member->disturbed; p++) {
        if (!is_read(member, p))
            continue;
        CHECK(member->at[p] >= W.low[p] && member->at[p] <= W.end[p]);
        CHECK(member->at[p] == W.end[p] || member->messages == max);
        CHECK(member->at[p] < W.end[p] || !member->end_due[p]);
        for (int q = 0; q < PARTITIONS; q++) /* in turn */
            CHECK(member->at[p] == W.end[p] || member->got[q] <= member->got[p] + 1);
    }
}

static void turn(struct member *member)
{
    int max = chance(7);
    int asked = W.asked - W.answered;
    member->told = member->messages = 0;
    member->disturbed = false;
    memset(member->got, 0, sizeof member->got);
    bool any = bus_memory_turn(member->consumer, (size_t)max);
    CHECK(any == (member->told > 0 || asked > 0));
    CHECK(W.asked == W.answered);
    CHECK(member->messages <= max);
    CHECK(member->closed == (member->closing && !member->owning));
    if (member->closed)
        join(member);
    else
        check_turn(member, max);
}

static void read_a_range(void)
{
    struct bus_reader *reader;
    const struct bus_message *message;
    struct error err;
    int32_t p = chance(PARTITIONS);
    int64_t from = W.low[p] + chance(8) - 2, to = W.end[p] + chance(3) - 1;
    struct bus_range range = {p, from < 0 ? 0 : from, to};
    enum outcome outcome = bus_open_reader(W.bus, "t", &range, 1, 0, &reader, &err);
    bool read = range.from < to;
    CHECK(outcome == (read && range.from < W.low[p] ? OUT_FATAL : OUT_OK));
    if (outcome != OUT_OK)
        return;
    for (int64_t offset = range.from; read && offset < to && offset < W.end[p]; offset++) {
        CHECK(bus_reader_next(reader, 0, &message, &err) == OUT_OK && message);
        CHECK(message->partition == p && message->offset == offset);
        CHECK(atoi(message->envelope.value.data) == W.log[p][offset]);
    }
    outcome = bus_reader_next(reader, 0, &message, &err);
    CHECK(!message);
    CHECK(outcome == (!read || to <= W.end[p] ? OUT_OK
                      : range.from > W.end[p] ? OUT_FATAL
                                              : OUT_RETRY));
    bus_reader_close(reader);
}

static void on_ends(void *owner, const int64_t *ends)
{
    (void)owner;
    W.answered++;
    for (int p = 0; p < PARTITIONS; p++)
        CHECK(ends[p] == W.end[p]);
}

static void step(void)
{
    struct sender *sender = &W.senders[chance(SENDERS)];
    struct member *member = &W.members[chance(MEMBERS)];
    int what = chance(100);
    if (what < 30)
        send(sender);
    else if (what < 45)
        settle_one();
    else if (what < 55)
        poll(sender);
    else if (what < 75)
        turn(member);
    else if (what < 79)
        assign(member);
    else if (what < 82 && member->owning)
        start(member);
    else if (what < 85 && member->revoking)
        give_up(member);
    else if (what < 88)
        pause_or_resume(member);
    else if (what < 91)
        drop();
    else if (what < 95)
        release_one();
    else if (what < 96)
        read_a_range();
    else if (what < 97)
        replace_sender();
    else if (what < 98) {
        bus_memory_abandon(member->consumer);
        join(member);
    } else if (what < 99 && !member->closing)
        close_member(member);
    else if (++W.asked)
        bus_ask_ends(W.bus, "t", PARTITIONS, 0, on_ends, NULL);
}

static void on_poll(void *owner)
{
    (void)owner;
}

static size_t weigh(void)
{
    W.memory = bus_memory_new(1);
    W.bus = bus_memory_bus(W.memory);
    bus_memory_make_topic(W.memory, "t", PARTITIONS);
    open_sender(&W.senders[0]);
    W.sent = 0;
    send(&W.senders[0]);
    size_t one = bus_memory_bytes(W.memory);
    bus_sender_close(W.senders[0].sender);
    bus_memory_free(W.memory);
    return one;
}

static void run(unsigned seed)
{
    memset(&W, 0, sizeof W);
    W.seed = seed;
    random_state = seed;
    size_t one = weigh();
    memset(&W, 0, sizeof W);
    W.seed = seed;
    W.memory = bus_memory_new(ROOM * one);
    W.bus = bus_memory_bus(W.memory);
    W.by_hand = chance(3) > 0;
    bus_memory_on_poll(W.memory, on_poll, NULL);
    bus_memory_make_topic(W.memory, "t", PARTITIONS);
    if (W.by_hand)
        bus_memory_by_hand(W.memory);
    for (int i = 0; i < SENDERS; i++)
        open_sender(&W.senders[i]);
    for (int i = 0; i < MEMBERS; i++)
        join(&W.members[i]);
    for (W.step = 0; W.step < STEPS; W.step++) {
        step();
        CHECK(bus_memory_bytes(W.memory) == (size_t)in_topics() * one);
        for (int i = 0; i < MEMBERS; i++)
            CHECK(bus_memory_is_revoking(W.members[i].consumer) ==
                  (W.members[i].revoking || (W.members[i].closing && W.members[i].owning)));
    }
    for (int i = 0; i < MEMBERS; i++)
        bus_memory_abandon(W.members[i].consumer);
    for (int i = 0; i < SENDERS; i++)
        bus_sender_close(W.senders[i].sender);
    while (W.held_count)
        release_one();
    bus_memory_free(W.memory);
}

static unsigned number_of(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text && *text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

START_TEST(the_bus_does_what_the_model_does)
{
    unsigned seed = number_of("DROVER_SEED", 20261128), cases = number_of("DROVER_CASES", 500);
    printf("seed %u, %u cases\n", seed, cases);
    for (unsigned i = 0; i < cases; i++)
        run(seed + i);
}
END_TEST

static Suite *bus_memory_model_suite(void)
{
    Suite *suite = suite_create("bus_memory_model");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_bus_does_what_the_model_does);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(bus_memory_model_suite)
