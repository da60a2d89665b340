#include "common/port/bus_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "tests/support/suite.h"

#define MAX 4096

/* ---- harness ----------------------------------------------------------------------------- */

static struct {
    struct bus_memory *bus;
    struct bus_sender *sender;
    int reports, polls;
    int32_t partition;
    int64_t offset;
    void *item;
    struct bus_reader *reader; /* drained by each poll when it is set */
    int drained;
} H;

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    ck_assert_ptr_eq(owner, &H);
    ck_assert_int_eq(outcome, OUT_OK);
    ck_assert_ptr_null(err);
    H.reports++;
    H.item = item;
    H.partition = partition;
    H.offset = offset;
}

/* The next message that is there; NULL: there is none. */
static const struct bus_message *next_message(struct bus_reader *reader)
{
    struct error err;
    const struct bus_message *message;
    enum outcome outcome = bus_reader_next(reader, 0, &message, &err);
    ck_assert(outcome == OUT_OK || outcome == OUT_RETRY);
    return message;
}

static void on_poll(void *owner)
{
    const struct bus_message *message;
    (void)owner;
    H.polls++;
    while (H.reader && (message = next_message(H.reader))) {
        bus_memory_drop(H.bus, "t", message->partition, message->offset + 1);
        H.drained++;
    }
}

static void setup(void)
{
    struct error err;
    memset(&H, 0, sizeof H);
    H.bus = bus_memory_new(MAX);
    bus_memory_make_topic(H.bus, "t", 3);
    struct bus *bus = bus_memory_bus(H.bus);
    ck_assert_int_eq(bus_open_sender(bus, "t", 3, 0, on_delivered, &H, &H.sender, &err), OUT_OK);
}

static void teardown(void)
{
    bus_sender_close(H.sender);
    if (H.reader)
        bus_reader_close(H.reader);
    bus_memory_free(H.bus);
}

static enum outcome put(int32_t partition, const char *key, struct bytes value, struct error *err)
{
    struct envelope envelope = {.key = bytes_text(key),
                                .value = value,
                                .headers = {{BYTES_LITERAL("drover-tenant"), bytes_text("acme")}},
                                .header_count = 1};
    return bus_sender_send(H.sender, partition, &envelope, (void *)key, err);
}

static struct bus_reader *read_ranges(const struct bus_range *ranges, size_t count)
{
    struct error err;
    struct bus_reader *reader;
    ck_assert_int_eq(bus_open_reader(bus_memory_bus(H.bus), "t", ranges, count, 0, &reader, &err),
                     OUT_OK);
    return reader;
}

static struct bus_reader *read_all(void)
{
    static const struct bus_range RANGES[] = {
        {0, 0, INT64_MAX}, {1, 0, INT64_MAX}, {2, 0, INT64_MAX}};
    return read_ranges(RANGES, 3);
}

/* ---- tests ------------------------------------------------------------------------------- */

START_TEST(reports_come_with_the_next_poll)
{
    struct error err;
    ck_assert_int_eq(put(1, "a", BYTES_LITERAL("1"), &err), OUT_OK);
    ck_assert_int_eq(put(1, "b", BYTES_LITERAL("2"), &err), OUT_OK);
    ck_assert_int_eq(H.reports, 0);
    ck_assert_uint_eq(bus_sender_pending(H.sender), 2);
    ck_assert_int_eq(bus_sender_poll(H.sender, 0), 2);
    ck_assert_int_eq(H.reports, 2);
    ck_assert_str_eq(H.item, "b");
    ck_assert_int_eq(H.partition, 1);
    ck_assert_int_eq(H.offset, 1);
    ck_assert(bus_sender_flush(H.sender, 0));
    ck_assert_int_eq(H.reports, 2);
}
END_TEST

START_TEST(a_message_is_what_was_sent)
{
    struct error err;
    char value[] = "{\"a\":1}";
    const struct bus_message *message;
    ck_assert_int_eq(put(2, "k", bytes_text(value), &err), OUT_OK);
    memset(value, 'x', sizeof value - 1); /* the sender's memory is its own again */
    H.reader = read_all();
    ck_assert_ptr_nonnull(message = next_message(H.reader));
    ck_assert_int_eq(message->partition, 2);
    ck_assert_int_eq(message->offset, 0);
    ck_assert(bytes_equal(message->envelope.key, BYTES_LITERAL("k")));
    ck_assert(bytes_equal(message->envelope.value, BYTES_LITERAL("{\"a\":1}")));
    ck_assert(!message->envelope.null_value);
    ck_assert_uint_eq(message->envelope.header_count, 1);
    ck_assert(bytes_equal(message->envelope.headers[0].value, BYTES_LITERAL("acme")));
    ck_assert_ptr_null(next_message(H.reader));
}
END_TEST

START_TEST(a_reader_gets_its_ranges_in_order)
{
    struct error err;
    const struct bus_message *message;
    static const struct bus_range RANGES[] = {{2, 1, 3}, {0, 0, 1}};
    for (int i = 0; i < 4; i++)
        for (int32_t p = 0; p < 3; p++)
            ck_assert_int_eq(put(p, "k", BYTES_LITERAL("v"), &err), OUT_OK);
    H.reader = read_ranges(RANGES, 2);
    static const int64_t WANTED[][2] = {{2, 1}, {2, 2}, {0, 0}};
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(message = next_message(H.reader));
        ck_assert_int_eq(message->partition, WANTED[i][0]);
        ck_assert_int_eq(message->offset, WANTED[i][1]);
    }
    ck_assert_ptr_null(next_message(H.reader));
}
END_TEST

START_TEST(full_without_a_reader_is_the_end)
{
    struct error err;
    char large[3000] = {0};
    ck_assert_int_eq(put(0, "a", bytes_of(large, sizeof large), &err), OUT_OK);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_MEMORY);
}
END_TEST

START_TEST(full_with_a_reader_waits_for_it)
{
    struct error err;
    char large[3000] = {0};
    bus_memory_on_poll(H.bus, on_poll, NULL);
    ck_assert_int_eq(put(0, "a", bytes_of(large, sizeof large), &err), OUT_OK);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_RETRY);
    H.reader = read_all();
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.drained, 1);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_OK);
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.drained, 2);
    ck_assert_int_eq(H.reports, 2);
}
END_TEST

START_TEST(one_message_larger_than_the_bus_passes_alone)
{
    struct error err;
    static char huge[3 * MAX];
    bus_memory_on_poll(H.bus, on_poll, NULL);
    H.reader = read_all();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(put(0, "a", bytes_of(huge, sizeof huge), &err), OUT_OK);
        ck_assert_int_eq(put(0, "b", BYTES_LITERAL("1"), &err), OUT_RETRY);
        bus_sender_poll(H.sender, 0);
    }
    ck_assert_int_eq(H.drained, 3);
}
END_TEST

START_TEST(what_was_dropped_is_gone_for_all)
{
    struct error err;
    const struct bus_message *message;
    struct bus_reader *second = read_all();
    H.reader = read_all();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(0, "k", BYTES_LITERAL("v"), &err), OUT_OK);
    ck_assert_ptr_nonnull(next_message(second));
    ck_assert_ptr_nonnull(next_message(H.reader));
    ck_assert_ptr_nonnull(next_message(H.reader));
    bus_memory_drop(H.bus, "t", 0, 2);
    ck_assert_ptr_nonnull(message = next_message(H.reader));
    ck_assert_int_eq(message->offset, 2);
    ck_assert_int_eq(bus_reader_next(second, 0, &message, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_OFFSET);
    bus_reader_close(second);
}
END_TEST

START_TEST(topics_are_checked)
{
    struct error err;
    struct bus_sender *sender;
    struct bus *bus = bus_memory_bus(H.bus);
    ck_assert_int_eq(bus_open_sender(bus, "none", 0, 0, on_delivered, NULL, &sender, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
    ck_assert_int_eq(bus_open_sender(bus, "t", 4, 0, on_delivered, NULL, &sender, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_PARTITIONS);
}
END_TEST

START_TEST(a_key_has_one_partition)
{
    struct error err;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(put(-1, "acme/city/x", BYTES_LITERAL("v"), &err), OUT_OK);
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(H.offset, 4);
    ck_assert_int_eq(H.partition, hash_partition(BYTES_LITERAL("acme/city/x"), 3));
}
END_TEST

/* ---- members ----------------------------------------------------------------------------- */

/* Writes down what it is told, as text; keeps what it is handed over. */
struct member {
    struct bus_consumer *consumer;
    char told[1024];
    void *held[64];
    size_t held_count;
    void (*on_message)(struct member *member); /* what it does inside the event; or NULL */
    bool gives_up;                             /* inside on_revoked */
};

static void say(struct member *member, const char *format, ...)
{
    va_list args;
    size_t length = strlen(member->told);
    va_start(args, format);
    vsnprintf(member->told + length, sizeof member->told - length, format, args);
    va_end(args);
}

static void on_assigned(void *owner, const int32_t *partitions, size_t count)
{
    say(owner, "assigned");
    for (size_t i = 0; i < count; i++)
        say(owner, " %d", partitions[i]);
    say(owner, "; ");
}

static void on_revoked(void *owner)
{
    struct member *member = owner;
    say(member, "revoked; ");
    if (member->gives_up)
        bus_consumer_give_up(member->consumer);
}

static void on_message(void *owner, const struct bus_arrival *arrival)
{
    struct member *member = owner;
    say(member, "%d@%lld ", arrival->partition, (long long)arrival->offset);
    member->held[member->held_count++] = arrival->held;
    if (member->on_message)
        member->on_message(member);
}

static void on_end(void *owner, int32_t partition)
{
    say(owner, "end %d; ", partition);
}

static void on_error(void *owner, int32_t partition, const struct error *err)
{
    ck_assert_int_eq(err->outcome, OUT_FATAL);
    say(owner, "%s %d; ", error_code_id(err->code), partition);
}

static void on_closed(void *owner)
{
    struct member *member = owner;
    say(member, "closed; ");
    member->consumer = NULL;
}

static void join(struct member *member)
{
    static const struct bus_consumer_events EVENTS = {on_assigned, on_revoked, on_message, on_end,
                                                      on_error};
    struct error err;
    memset(member, 0, sizeof *member);
    ck_assert_int_eq(bus_open_consumer(bus_memory_bus(H.bus), "t", "group", &EVENTS, member,
                                       &member->consumer, &err),
                     OUT_OK);
}

static void let_go(struct member *member)
{
    while (member->held_count)
        bus_release(bus_memory_bus(H.bus), member->held[--member->held_count]);
}

static void leave(struct member *member)
{
    let_go(member);
    if (member->consumer)
        bus_memory_abandon(member->consumer);
}

/* What one turn tells. */
static const char *turn(struct member *member, size_t messages_max)
{
    member->told[0] = '\0';
    bool any = bus_memory_turn(member->consumer, messages_max);
    ck_assert_msg(any == (member->told[0] != '\0'), "%d: %s", any, member->told);
    return member->told;
}

static void start(struct member *member, int count, const int32_t *partitions,
                  const int64_t *offsets)
{
    struct error err;
    ck_assert_int_eq(bus_consumer_start(member->consumer, partitions, offsets, (size_t)count, &err),
                     OUT_OK);
}

static const int32_t ALL[] = {0, 1, 2};
static const int64_t ZERO[] = {0, 0, 0};

static void join_and_start(struct member *member)
{
    join(member);
    bus_memory_assign(member->consumer, ALL, 3);
    ck_assert_str_eq(turn(member, 0), "assigned 0 1 2; ");
    start(member, 3, ALL, ZERO);
}

static void put_some(int32_t partition, int count)
{
    struct error err;
    while (count--)
        ck_assert_int_eq(put(partition, "k", BYTES_LITERAL("v"), &err), OUT_OK);
}

/* ---- tests of members -------------------------------------------------------------------- */

START_TEST(a_consumer_is_told_by_its_turns_alone)
{
    struct member a;
    join(&a);
    ck_assert_str_eq(turn(&a, 9), "");
    bus_memory_assign(a.consumer, ALL + 1, 2);
    ck_assert_str_eq(a.told, "");
    ck_assert_str_eq(turn(&a, 9), "assigned 1 2; ");
    put_some(1, 1);
    ck_assert_str_eq(turn(&a, 9), ""); /* not started */
    start(&a, 2, ALL + 1, ZERO);
    ck_assert_str_eq(a.told, "");
    ck_assert_str_eq(turn(&a, 9), "1@0 end 1; end 2; ");
    ck_assert_str_eq(turn(&a, 9), "");
    bus_memory_revoke(a.consumer);
    ck_assert_str_eq(a.told, "");
    ck_assert_str_eq(turn(&a, 9), "revoked; ");
    bus_consumer_give_up(a.consumer);
    bus_memory_assign(a.consumer, NULL, 0);
    ck_assert_str_eq(turn(&a, 9), "assigned; ");
    start(&a, 0, NULL, NULL);
    ck_assert_str_eq(turn(&a, 9), "");
    leave(&a);
}
END_TEST

START_TEST(partitions_give_messages_in_turn)
{
    struct member a;
    join_and_start(&a);
    put_some(0, 3);
    put_some(2, 2);
    ck_assert_str_eq(turn(&a, 0), "end 1; ");
    ck_assert_str_eq(turn(&a, 2), "0@0 2@0 ");
    ck_assert_str_eq(turn(&a, 1), "0@1 ");
    ck_assert_str_eq(turn(&a, 1), "2@1 end 2; ");
    ck_assert_str_eq(turn(&a, 9), "0@2 end 0; ");
    leave(&a);
}
END_TEST

START_TEST(an_end_is_said_after_each_message_more)
{
    struct member a;
    join_and_start(&a);
    ck_assert_str_eq(turn(&a, 9), "end 0; end 1; end 2; ");
    ck_assert_str_eq(turn(&a, 9), "");
    put_some(1, 2);
    ck_assert_str_eq(turn(&a, 1), "1@0 ");
    ck_assert_str_eq(turn(&a, 1), "1@1 end 1; ");
    put_some(1, 1);
    ck_assert_str_eq(turn(&a, 9), "1@2 end 1; ");
    leave(&a);
}
END_TEST

START_TEST(a_pause_is_kept_over_start_and_give_up)
{
    struct member a;
    join_and_start(&a);
    put_some(0, 1);
    put_some(1, 2);
    bus_consumer_pause(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&a, 9), "1@0 1@1 end 1; end 2; ");
    start(&a, 3, ALL, ZERO);
    ck_assert_str_eq(turn(&a, 9), "1@0 1@1 end 1; end 2; ");
    bus_memory_revoke(a.consumer);
    turn(&a, 0);
    bus_consumer_give_up(a.consumer);
    bus_memory_assign(a.consumer, ALL, 2);
    turn(&a, 0);
    bus_consumer_pause(a.consumer, ALL + 1, 1);
    start(&a, 2, ALL, ZERO);
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_resume(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&a, 9), "0@0 end 0; ");
    bus_consumer_resume(a.consumer, ALL, 2);
    ck_assert_str_eq(turn(&a, 9), "1@0 1@1 end 1; ");
    leave(&a);
}
END_TEST

START_TEST(held_it_tells_nothing_and_loses_nothing)
{
    struct member a;
    join_and_start(&a);
    put_some(0, 3);
    ck_assert_str_eq(turn(&a, 1), "0@0 end 1; end 2; ");
    bus_consumer_hold(a.consumer, true);
    put_some(1, 1);
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_hold(a.consumer, false);
    ck_assert_str_eq(turn(&a, 9), "1@0 0@1 0@2 end 0; end 1; ");
    bus_consumer_hold(a.consumer, true);
    bus_memory_revoke(a.consumer);
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_hold(a.consumer, false);
    ck_assert_str_ne(turn(&a, 9), "");
    leave(&a);
}
END_TEST

START_TEST(what_was_handed_over_is_not_affected)
{
    struct member a;
    struct envelope envelope;
    struct bus *bus = bus_memory_bus(H.bus);
    join_and_start(&a);
    put_some(0, 3);
    ck_assert_str_eq(turn(&a, 2), "0@0 0@1 end 1; end 2; ");
    bus_consumer_pause(a.consumer, ALL, 3);
    bus_memory_drop(H.bus, "t", 0, 2);
    bus_view(bus, a.held[1], &envelope);
    ck_assert(bytes_equal(envelope.value, BYTES_LITERAL("v")));
    bus_memory_abandon(a.consumer);
    a.consumer = NULL;
    bus_view(bus, a.held[0], &envelope);
    ck_assert(bytes_equal(envelope.value, BYTES_LITERAL("v")));
    leave(&a);
}
END_TEST

START_TEST(start_replaces_what_was_read)
{
    struct member a;
    static const int64_t OFFSETS[] = {1, 2};
    join_and_start(&a);
    put_some(0, 3);
    put_some(1, 3);
    ck_assert_str_eq(turn(&a, 4), "0@0 1@0 0@1 1@1 end 2; ");
    start(&a, 2, ALL, OFFSETS);
    ck_assert_str_eq(turn(&a, 9), "0@1 1@2 0@2 end 0; end 1; ");
    put_some(2, 1);
    ck_assert_str_eq(turn(&a, 9), ""); /* 2 is not read any more */
    leave(&a);
}
END_TEST

START_TEST(offsets_that_are_gone_are_told_once)
{
    struct member a;
    static const int64_t BACK[] = {1, 0, 9};
    join_and_start(&a);
    put_some(0, 3);
    put_some(1, 1);
    turn(&a, 1);
    bus_consumer_pause(a.consumer, ALL, 1);
    bus_memory_drop(H.bus, "t", 0, 2);
    ck_assert_str_eq(turn(&a, 9), "1@0 end 1; ");
    bus_consumer_resume(a.consumer, ALL, 1);
    put_some(1, 1);
    ck_assert_str_eq(turn(&a, 9), "DRV-K005 0; 1@1 end 1; ");
    bus_consumer_pause(a.consumer, ALL, 1);
    bus_consumer_resume(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&a, 9), "");
    start(&a, 3, ALL, BACK); /* again before the beginning, and one behind the end */
    ck_assert_str_eq(turn(&a, 0), "DRV-K005 0; DRV-K005 2; ");
    start(&a, 1, ALL, (const int64_t[]){2});
    ck_assert_str_eq(turn(&a, 9), "0@2 end 0; ");
    bus_memory_drop(H.bus, "t", 0, 3); /* what was read may go */
    ck_assert_str_eq(turn(&a, 9), "");
    leave(&a);
}
END_TEST

START_TEST(an_end_is_known_once_something_was_heard)
{
    struct member a;
    join(&a);
    put_some(0, 2);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), -1);
    bus_memory_assign(a.consumer, ALL, 1);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), -1);
    turn(&a, 9);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), 2);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 1), -1);
    start(&a, 1, ALL, ZERO);
    put_some(0, 1);
    turn(&a, 1);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), 3);
    bus_consumer_pause(a.consumer, ALL, 1);
    put_some(0, 1);
    turn(&a, 9);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), 3); /* as last heard */
    bus_consumer_resume(a.consumer, ALL, 1);
    turn(&a, 0);
    ck_assert_int_eq(bus_consumer_end(a.consumer, 0), 4);
    leave(&a);
}
END_TEST

START_TEST(revoked_partitions_stay_until_they_are_given_up)
{
    struct member a;
    join_and_start(&a);
    put_some(0, 2);
    ck_assert_str_eq(turn(&a, 1), "0@0 end 1; end 2; ");
    bus_memory_revoke(a.consumer);
    ck_assert(!bus_memory_is_revoking(a.consumer));
    ck_assert_str_eq(turn(&a, 9), "revoked; ");
    ck_assert(bus_memory_is_revoking(a.consumer));
    bus_memory_revoke(a.consumer);
    bus_memory_assign(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_give_up(a.consumer);
    ck_assert(!bus_memory_is_revoking(a.consumer));
    ck_assert_str_eq(turn(&a, 9), "assigned 0; ");
    start(&a, 1, ALL, ZERO);
    a.gives_up = true;
    bus_memory_revoke(a.consumer);
    bus_memory_assign(a.consumer, ALL + 2, 1);
    bus_memory_revoke(a.consumer);
    ck_assert_str_eq(turn(&a, 9), "revoked; assigned 2; revoked; ");
    ck_assert(!bus_memory_is_revoking(a.consumer));
    leave(&a);
}
END_TEST

START_TEST(closing_gives_up_first)
{
    struct member a;
    join(&a);
    bus_memory_assign(a.consumer, ALL, 3);
    bus_consumer_close(a.consumer, 0, on_closed);
    ck_assert(!bus_memory_is_revoking(a.consumer)); /* it has none */
    ck_assert_str_eq(turn(&a, 9), "closed; ");
    ck_assert_ptr_null(a.consumer);

    join_and_start(&a);
    put_some(0, 1);
    bus_consumer_close(a.consumer, 0, on_closed);
    ck_assert(bus_memory_is_revoking(a.consumer));
    ck_assert_str_eq(turn(&a, 9), "revoked; ");
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_give_up(a.consumer);
    ck_assert_str_eq(turn(&a, 9), "closed; ");

    join_and_start(&a);
    a.gives_up = true;
    bus_consumer_close(a.consumer, 0, on_closed);
    ck_assert_str_eq(turn(&a, 9), "revoked; closed; ");

    join_and_start(&a);
    bus_memory_revoke(a.consumer);
    turn(&a, 0);
    bus_consumer_close(a.consumer, 0, on_closed); /* it was told already */
    ck_assert_str_eq(turn(&a, 9), "");
    bus_consumer_give_up(a.consumer);
    ck_assert_str_eq(turn(&a, 9), "closed; ");
}
END_TEST

static void close_inside(struct member *member)
{
    bus_consumer_close(member->consumer, 0, on_closed);
}

static void turn_inside(struct member *member)
{
    ck_assert(!bus_memory_turn(member->consumer, 9));
}

static void pause_inside(struct member *member)
{
    bus_consumer_pause(member->consumer, ALL, 1);
}

static void start_inside(struct member *member)
{
    member->on_message = NULL;
    start(member, 1, ALL, ZERO);
}

START_TEST(events_may_call_back)
{
    struct member a;
    join_and_start(&a);
    put_some(0, 3);
    a.on_message = turn_inside;
    ck_assert_str_eq(turn(&a, 1), "0@0 end 1; end 2; ");
    a.on_message = pause_inside;
    ck_assert_str_eq(turn(&a, 9), "0@1 ");
    a.on_message = start_inside;
    bus_consumer_resume(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&a, 9), "0@2 0@0 0@1 0@2 end 0; ");
    a.on_message = close_inside;
    a.gives_up = true;
    start(&a, 1, ALL, ZERO);
    ck_assert_str_eq(turn(&a, 9), "0@0 ");
    ck_assert_str_eq(turn(&a, 9), "revoked; closed; ");
    leave(&a);
}
END_TEST

START_TEST(members_do_not_disturb_each_other)
{
    struct member a, b;
    join_and_start(&a);
    join_and_start(&b);
    put_some(0, 2);
    ck_assert_str_eq(turn(&a, 1), "0@0 end 1; end 2; ");
    bus_consumer_pause(a.consumer, ALL, 1);
    ck_assert_str_eq(turn(&b, 9), "0@0 0@1 end 0; end 1; end 2; ");
    ck_assert_ptr_eq(a.held[0], b.held[0]); /* not copied */
    let_go(&b);
    bus_memory_drop(H.bus, "t", 0, 2);
    struct envelope envelope;
    bus_view(bus_memory_bus(H.bus), a.held[0], &envelope);
    ck_assert(bytes_equal(envelope.key, BYTES_LITERAL("k")));
    leave(&a);
    leave(&b);
}
END_TEST

START_TEST(a_consumer_wants_its_topic)
{
    struct error err;
    struct bus_consumer *consumer;
    static const struct bus_consumer_events NONE = {0};
    ck_assert_int_eq(
        bus_open_consumer(bus_memory_bus(H.bus), "none", "g", &NONE, NULL, &consumer, &err),
        OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
    ck_assert_ptr_null(consumer);
}
END_TEST

/* ---- tests of messages ------------------------------------------------------------------- */

static struct {
    struct header headers[ENVELOPE_HEADERS_MAX + 3];
    int64_t now_ms;
} M;

static int64_t now(const struct clock *clock)
{
    (void)clock;
    return M.now_ms;
}

START_TEST(ours_come_first_and_all_are_there)
{
    struct member a;
    struct error err;
    struct envelope seen;
    struct message_view whole;
    struct header *headers;
    struct bus *bus = bus_memory_bus(H.bus);
    size_t count = ENVELOPE_HEADERS_MAX + 3;
    for (size_t i = 0; i < count; i++)
        M.headers[i] = (struct header){bytes_text(i % 2 ? "drover-x" : "theirs"),
                                       bytes_of(&"0123456789"[i % 10], 1)};
    struct message_view message = {BYTES_LITERAL("key"), BYTES_LITERAL("value"), false, M.headers,
                                   count};
    ck_assert_int_eq(bus_sender_send_message(H.sender, 0, &message, NULL, &err), OUT_OK);
    join_and_start(&a);
    turn(&a, 1);
    bus_view(bus, a.held[0], &seen);
    ck_assert_uint_eq(seen.header_count, ENVELOPE_HEADERS_MAX);
    for (size_t i = 0; i < seen.header_count; i++) {
        size_t from = i < count / 2 ? 2 * i + 1 : 2 * (i - count / 2);
        ck_assert(bytes_equal(seen.headers[i].name, M.headers[from].name));
        ck_assert(bytes_equal(seen.headers[i].value, M.headers[from].value));
    }
    bus_view_whole(bus, a.held[0], &headers, &whole);
    ck_assert_uint_eq(whole.header_count, count);
    ck_assert_ptr_eq(whole.headers, headers);
    ck_assert(bytes_equal(whole.key, message.key) && bytes_equal(whole.value, message.value));
    for (size_t i = 0; i < count; i++)
        ck_assert(bytes_equal(headers[i].name, M.headers[i].name) &&
                  bytes_equal(headers[i].value, M.headers[i].value));
    free(headers);
    leave(&a);
}
END_TEST

START_TEST(no_value_is_not_an_empty_one)
{
    struct member a;
    struct error err;
    struct envelope seen;
    struct message_view message = {BYTES_LITERAL("key"), BYTES_LITERAL("ignored"), true, NULL, 0};
    ck_assert_int_eq(bus_sender_send_message(H.sender, 0, &message, NULL, &err), OUT_OK);
    ck_assert_int_eq(put(0, "key", (struct bytes){0}, &err), OUT_OK);
    join_and_start(&a);
    turn(&a, 2);
    bus_view(bus_memory_bus(H.bus), a.held[0], &seen);
    ck_assert(seen.null_value);
    ck_assert_uint_eq(seen.value.size, 0);
    bus_view(bus_memory_bus(H.bus), a.held[1], &seen);
    ck_assert(!seen.null_value);
    ck_assert_uint_eq(seen.value.size, 0);
    ck_assert_ptr_nonnull(seen.value.data);
    leave(&a);
}
END_TEST

START_TEST(times_never_go_back_in_a_partition)
{
    static const struct clock CLOCK = {.unix_ms = now};
    static const int64_t TIMES[] = {100, 90, 110}, WANTED[] = {-1, 100, 100, 110};
    static const struct bus_range RANGE = {0, 0, 4};
    struct error err;
    struct bus_reader *reader;
    const struct bus_message *message;
    put_some(0, 1);
    bus_memory_use_clock(H.bus, &CLOCK);
    for (int i = 0; i < 3; i++) {
        M.now_ms = TIMES[i];
        put_some(0, 1);
    }
    ck_assert_int_eq(bus_open_reader(bus_memory_bus(H.bus), "t", &RANGE, 1, 0, &reader, &err),
                     OUT_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
        ck_assert_int_eq(message->timestamp_ms, WANTED[i]);
    }
    bus_reader_close(reader);
}
END_TEST

static void check_arrival(void *owner, const struct bus_arrival *arrival)
{
    int *seen = owner;
    ck_assert_int_eq(arrival->timestamp_ms, 70);
    ck_assert_uint_eq(arrival->size, 4); /* of key and value */
    bus_release(bus_memory_bus(H.bus), arrival->held);
    ++*seen;
}

static void ignore_some(void *owner, const int32_t *partitions, size_t count)
{
    (void)owner;
    (void)partitions;
    (void)count;
}

static void ignore_end(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

START_TEST(an_arrival_says_its_size_and_time)
{
    static const struct clock CLOCK = {.unix_ms = now};
    static const struct bus_consumer_events EVENTS = {
        .on_assigned = ignore_some, .on_message = check_arrival, .on_end = ignore_end};
    struct error err;
    struct bus_consumer *consumer;
    int seen = 0;
    M.now_ms = 70;
    bus_memory_use_clock(H.bus, &CLOCK);
    ck_assert_int_eq(put(0, "k", BYTES_LITERAL("vvv"), &err), OUT_OK);
    ck_assert_int_eq(
        bus_open_consumer(bus_memory_bus(H.bus), "t", "g", &EVENTS, &seen, &consumer, &err),
        OUT_OK);
    bus_memory_assign(consumer, ALL, 1);
    bus_memory_turn(consumer, 9);
    ck_assert_int_eq(bus_consumer_start(consumer, ALL, ZERO, 1, &err), OUT_OK);
    ck_assert_int_eq(seen, 0);
    bus_memory_turn(consumer, 9);
    ck_assert_int_eq(seen, 1);
    bus_memory_abandon(consumer);
}
END_TEST

START_TEST(bytes_are_of_what_is_in_topics)
{
    struct member a;
    ck_assert_uint_eq(bus_memory_bytes(H.bus), 0);
    put_some(0, 1);
    size_t one = bus_memory_bytes(H.bus);
    ck_assert_uint_gt(one, strlen("k") + strlen("v"));
    put_some(0, 2);
    ck_assert_uint_eq(bus_memory_bytes(H.bus), 3 * one);
    join_and_start(&a);
    turn(&a, 9);
    bus_memory_drop(H.bus, "t", 0, 2);
    ck_assert_uint_eq(bus_memory_bytes(H.bus), one); /* held ones are not in it */
    bus_memory_drop(H.bus, "t", 0, 1);
    ck_assert_uint_eq(bus_memory_bytes(H.bus), one);
    bus_memory_drop(H.bus, "t", 0, 99);
    ck_assert_uint_eq(bus_memory_bytes(H.bus), 0);
    put_some(0, 1); /* not at 99 */
    ck_assert_str_eq(turn(&a, 9), "0@3 end 0; ");
    leave(&a);
}
END_TEST

/* ---- tests of readers -------------------------------------------------------------------- */

static enum outcome open_reader(const struct bus_range *ranges, size_t count,
                                struct bus_reader **reader, struct error *err)
{
    return bus_open_reader(bus_memory_bus(H.bus), "t", ranges, count, 0, reader, err);
}

START_TEST(a_reader_reads_its_ranges_once)
{
    static const struct bus_range RANGES[] = {{1, 2, 2}, {2, 1, 3}, {0, 0, 3}, {1, 3, 1}};
    static const int64_t WANTED[][2] = {{2, 1}, {2, 2}, {0, 0}, {0, 1}};
    struct bus_reader *reader;
    const struct bus_message *message;
    struct error err;
    put_some(2, 4);
    put_some(0, 2);
    ck_assert_int_eq(open_reader(RANGES, 4, &reader, &err), OUT_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
        ck_assert_int_eq(message->partition, WANTED[i][0]);
        ck_assert_int_eq(message->offset, WANTED[i][1]);
        bus_memory_drop(H.bus, "t", message->partition, message->offset + 1);
        ck_assert(bytes_equal(message->envelope.value, BYTES_LITERAL("v")));
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_RETRY);
        ck_assert_int_eq(err.code, ERR_KAFKA_UNREACHABLE);
        ck_assert_ptr_null(message);
    }
    put_some(0, 2);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
    ck_assert_int_eq(message->offset, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
        ck_assert_ptr_null(message);
    }
    bus_reader_close(reader);
}
END_TEST

START_TEST(a_reader_goes_on_with_what_is_there)
{
    static const struct bus_range RANGES[] = {{0, 0, 1}, {1, 0, 1}};
    struct bus_reader *reader;
    const struct bus_message *message;
    struct error err;
    put_some(1, 1);
    ck_assert_int_eq(open_reader(RANGES, 2, &reader, &err), OUT_OK);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
    ck_assert_int_eq(message->partition, 1);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_RETRY);
    put_some(0, 1);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
    ck_assert_int_eq(message->partition, 0);
    bus_reader_close(reader); /* while the message is seen */
}
END_TEST

START_TEST(a_reader_is_told_what_is_gone)
{
    static const struct bus_range FIRST = {0, 0, 3}, THIRD = {0, 2, 3}, AFTER = {0, 4, 9},
                                  NONE = {3, 0, 1}, EMPTY = {3, 1, 1};
    struct bus_reader *reader;
    const struct bus_message *message;
    struct error err;
    put_some(0, 3);
    ck_assert_int_eq(open_reader(&FIRST, 1, &reader, &err), OUT_OK);
    bus_memory_drop(H.bus, "t", 0, 2);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_OFFSET);
    ck_assert_ptr_null(message);
    bus_reader_close(reader);
    ck_assert_int_eq(open_reader(&FIRST, 1, &reader, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_OFFSET);
    ck_assert_ptr_null(reader);
    ck_assert_int_eq(open_reader(&AFTER, 1, &reader, &err), OUT_OK);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_OFFSET);
    bus_reader_close(reader);
    ck_assert_int_eq(open_reader(&THIRD, 1, &reader, &err), OUT_OK);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
    ck_assert_int_eq(message->offset, 2);
    bus_reader_close(reader);
    ck_assert_int_eq(open_reader(&NONE, 1, &reader, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_PARTITIONS);
    ck_assert_int_eq(open_reader(&EMPTY, 1, &reader, &err), OUT_OK);
    ck_assert_int_eq(bus_reader_next(reader, 0, &message, &err), OUT_OK);
    ck_assert_ptr_null(message);
    bus_reader_close(reader);
    ck_assert_int_eq(bus_open_reader(bus_memory_bus(H.bus), "none", &FIRST, 1, 0, &reader, &err),
                     OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_KAFKA_TOPIC);
}
END_TEST

/* ---- tests of questions ------------------------------------------------------------------ */

START_TEST(questions_about_a_topic)
{
    struct bus *bus = bus_memory_bus(H.bus);
    struct bus_range *ranges;
    struct error err;
    size_t count;
    int32_t partitions;
    int64_t ends[3] = {0};
    put_some(1, 3);
    bus_memory_drop(H.bus, "t", 1, 2);
    ck_assert_int_eq(bus_ranges(bus, "t", 0, &ranges, &count, &err), OUT_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(ranges[1].partition, 1);
    ck_assert_int_eq(ranges[1].from, 2);
    ck_assert_int_eq(ranges[1].to, 3);
    ck_assert_int_eq(ranges[2].to, 0);
    free(ranges);
    ck_assert_int_eq(bus_ranges(bus, "none", 0, &ranges, &count, &err), OUT_OK);
    ck_assert_uint_eq(count, 0);
    free(ranges);
    ck_assert_int_eq(bus_partition_count(bus, "t", 0, &partitions, &err), OUT_OK);
    ck_assert_int_eq(partitions, 3);
    ck_assert_int_eq(bus_partition_count(bus, "none", 0, &partitions, &err), OUT_OK);
    ck_assert_int_eq(partitions, 0);
    ck_assert_int_eq(bus_message_limit(bus, "t", 0), -1);
    ck_assert(bus_ends(bus, "t", ends, 2, 0));
    ck_assert_int_eq(ends[1], 3);
    ck_assert(!bus_ends(bus, "t", ends, 4, 0));
    ck_assert(!bus_ends(bus, "none", ends, 1, 0));
}
END_TEST

struct asker {
    int told;
    int64_t end; /* of partition 1; -1 nobody told */
    bool again;  /* asks again when it is told */
};

static void on_ends(void *owner, const int64_t *ends)
{
    struct asker *asker = owner;
    asker->told++;
    asker->end = ends ? ends[1] : -1;
    if (asker->again)
        bus_ask_ends(bus_memory_bus(H.bus), "t", 3, 0, on_ends, asker);
}

START_TEST(ends_are_told_later_and_once)
{
    struct bus *bus = bus_memory_bus(H.bus);
    struct asker one = {0}, two = {0}, again = {.again = true}, dead = {0};
    struct member a;
    join(&a);
    put_some(1, 1);
    bus_ask_ends(bus, "t", 2, 0, on_ends, &one);
    bus_ask_ends(bus, "none", 2, 0, on_ends, &two);
    ck_assert_int_eq(one.told + two.told, 0);
    put_some(1, 1);
    ck_assert(bus_memory_turn(a.consumer, 0));
    ck_assert_int_eq(one.told, 1);
    ck_assert_int_eq(one.end, 2);
    ck_assert_int_eq(two.told, 1);
    ck_assert_int_eq(two.end, -1);
    ck_assert(!bus_memory_turn(a.consumer, 0));
    bus_ask_ends(bus, "t", 2, 0, on_ends, &dead);
    bus_ask_ends(bus, "t", 3, 0, on_ends, &again);
    bus_ask_ends(bus, "t", 2, 0, on_ends, &dead);
    bus_memory_forget_questions(H.bus, &dead);
    bus_poll(bus);
    ck_assert_int_eq(again.told, 1);
    bus_poll(bus);
    ck_assert_int_eq(again.told, 2);
    ck_assert_int_eq(one.told, 1);
    ck_assert_int_eq(dead.told, 0);
    leave(&a); /* the one still asked is let go with the bus */
}
END_TEST

/* ---- tests of sending -------------------------------------------------------------------- */

static void send_in_report(void *owner, void *item, enum outcome outcome, int32_t partition,
                           int64_t offset, const struct error *err)
{
    struct bus_sender **sender = owner;
    struct error failed;
    struct envelope envelope = {.key = BYTES_LITERAL("k")};
    (void)item;
    (void)outcome;
    (void)partition;
    (void)err;
    ck_assert_uint_eq(bus_sender_pending(*sender), 0);
    if (offset < 3)
        ck_assert_int_eq(bus_sender_send(*sender, 0, &envelope, NULL, &failed), OUT_OK);
}

START_TEST(what_a_report_sends_is_told_by_the_next_poll)
{
    struct bus_sender *sender;
    struct error err;
    struct envelope envelope = {.key = BYTES_LITERAL("k")};
    ck_assert_int_eq(
        bus_open_sender(bus_memory_bus(H.bus), "t", 0, 0, send_in_report, &sender, &sender, &err),
        OUT_OK);
    ck_assert_int_eq(bus_sender_send(sender, 0, &envelope, NULL, &err), OUT_OK);
    ck_assert_int_eq(bus_sender_poll(sender, 0), 1);
    ck_assert_uint_eq(bus_sender_pending(sender), 1);
    ck_assert(!bus_sender_flush(sender, 0));
    ck_assert_uint_eq(bus_sender_pending(sender), 1);
    ck_assert(bus_sender_flush(sender, 1));
    bus_sender_close(sender);
}
END_TEST

static void poll_inside(void *owner)
{
    int *polls = owner;
    ++*polls;
    bus_sender_poll(H.sender, 0);
}

START_TEST(others_take_their_turn_at_polls)
{
    int polls = 0;
    bus_memory_on_poll(H.bus, poll_inside, &polls);
    put_some(0, 1);
    ck_assert_int_eq(polls, 0);
    bus_sender_poll(H.sender, 0);
    ck_assert_int_eq(polls, 1);
    ck_assert(bus_sender_flush(H.sender, 0));
    ck_assert_int_eq(polls, 2);
    ck_assert_int_eq(bus_sender_fd(H.sender), -1);
}
END_TEST

/* ---- tests by hand ----------------------------------------------------------------------- */

struct reports {
    struct bus_sender *sender;
    char told[512];
};

static void write_report(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct reports *reports = owner;
    size_t length = strlen(reports->told);
    ck_assert(!err == (outcome == OUT_OK));
    ck_assert(!err || err->outcome == outcome);
    snprintf(reports->told + length, sizeof reports->told - length, "%s:%d:%d@%lld%s ",
             (char *)item, outcome, partition, (long long)offset,
             err ? error_code_id(err->code) : "");
}

static void open_reports(struct reports *reports)
{
    struct error err;
    reports->told[0] = '\0';
    ck_assert_int_eq(bus_open_sender(bus_memory_bus(H.bus), "t", 0, 0, write_report, reports,
                                     &reports->sender, &err),
                     OUT_OK);
}

static void send_item(struct reports *reports, int32_t partition, const char *item)
{
    struct error err;
    struct envelope envelope = {.key = bytes_text(item)};
    ck_assert_int_eq(bus_sender_send(reports->sender, partition, &envelope, (void *)item, &err),
                     OUT_OK);
}

static const char *poll_reports(struct reports *reports)
{
    reports->told[0] = '\0';
    bus_sender_poll(reports->sender, 0);
    return reports->told;
}

START_TEST(by_hand_nothing_is_stored_by_itself)
{
    struct reports a, b;
    int64_t ends[3];
    open_reports(&a);
    open_reports(&b);
    send_item(&b, 0, "early");
    bus_memory_by_hand(H.bus);
    size_t bytes = bus_memory_bytes(H.bus);
    send_item(&b, 0, "b1");
    send_item(&a, 0, "a1");
    send_item(&a, 1, "a2");
    send_item(&a, 0, "a3");
    ck_assert_uint_eq(bus_memory_bytes(H.bus), bytes);
    ck_assert_uint_eq(bus_memory_unstored_senders(H.bus), 2);
    ck_assert_uint_eq(bus_sender_pending(a.sender), 3);
    ck_assert(!bus_sender_flush(a.sender, 0));
    ck_assert_str_eq(poll_reports(&b), "early:0:0@0 ");
    bus_memory_store_one(H.bus, 0);
    bus_memory_store_one(H.bus, 0);
    bus_memory_store_one(H.bus, 1);
    ck_assert_uint_gt(bus_memory_bytes(H.bus), bytes);
    ck_assert_str_eq(a.told, "");
    ck_assert_str_eq(poll_reports(&a), "a1:0:0@1 a2:0:1@0 ");
    ck_assert_uint_eq(bus_sender_pending(a.sender), 1);
    ck_assert_uint_eq(bus_memory_unstored_senders(H.bus), 1);
    ck_assert_str_eq(poll_reports(&b), "b1:0:0@2 ");
    bus_memory_store_one(H.bus, 0);
    ck_assert(bus_sender_flush(a.sender, 0));
    ck_assert(bus_ends(bus_memory_bus(H.bus), "t", ends, 3, 0));
    ck_assert_int_eq(ends[0], 4);
    ck_assert_uint_eq(bus_memory_unstored_senders(H.bus), 0);
    bus_sender_close(a.sender);
    bus_sender_close(b.sender);
}
END_TEST

START_TEST(by_hand_a_message_may_be_refused)
{
    struct reports a;
    struct error err;
    open_reports(&a);
    bus_memory_by_hand(H.bus);
    send_item(&a, 0, "a1");
    send_item(&a, 0, "a2");
    send_item(&a, 0, "a3");
    bus_memory_refuse_one(H.bus, 0, NULL);
    bus_memory_store_one(H.bus, 0);
    error_set(&err, OUT_FATAL, ERR_KAFKA_CLIENT, "dead");
    bus_memory_refuse_one(H.bus, 0, &err);
    err.code = ERR_NONE;
    ck_assert_str_eq(poll_reports(&a), "a1:2:0@-1DRV-K006 a2:0:0@0 a3:3:0@-1DRV-K007 ");
    send_item(&a, 0, "a4");
    bus_memory_refuse_one(H.bus, 0, NULL); /* its report is never told */
    bus_sender_close(a.sender);
}
END_TEST

START_TEST(by_hand_what_a_closed_sender_has_is_lost)
{
    struct reports a, b;
    int64_t ends[3];
    open_reports(&a);
    open_reports(&b);
    bus_memory_by_hand(H.bus);
    send_item(&a, 0, "a1");
    send_item(&a, 0, "a2");
    send_item(&b, 0, "b1");
    bus_memory_store_one(H.bus, 0);
    bus_sender_close(a.sender);
    ck_assert_str_eq(a.told, "");
    ck_assert_uint_eq(bus_memory_unstored_senders(H.bus), 1);
    bus_memory_store_one(H.bus, 0);
    ck_assert_str_eq(poll_reports(&b), "b1:0:0@1 ");
    ck_assert(bus_ends(bus_memory_bus(H.bus), "t", ends, 3, 0));
    ck_assert_int_eq(ends[0], 2);
    bus_sender_close(b.sender);
}
END_TEST

START_TEST(by_hand_the_bytes_are_bounded_too)
{
    struct error err;
    char large[3000] = {0};
    bus_memory_on_poll(H.bus, on_poll, NULL);
    bus_memory_by_hand(H.bus);
    ck_assert_int_eq(put(0, "a", bytes_of(large, sizeof large), &err), OUT_OK);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_RETRY);
    bus_memory_store_one(H.bus, 0);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_RETRY);
    bus_memory_drop(H.bus, "t", 0, 1);
    ck_assert_int_eq(put(0, "b", bytes_of(large, sizeof large), &err), OUT_OK);
    bus_memory_refuse_one(H.bus, 0, NULL);
    ck_assert_int_eq(put(0, "c", bytes_of(large, sizeof large), &err), OUT_OK);
}
END_TEST

static Suite *bus_memory_suite(void)
{
    Suite *suite = suite_create("bus_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reports_come_with_the_next_poll);
    tcase_add_test(tcase, a_message_is_what_was_sent);
    tcase_add_test(tcase, a_reader_gets_its_ranges_in_order);
    tcase_add_test(tcase, full_without_a_reader_is_the_end);
    tcase_add_test(tcase, full_with_a_reader_waits_for_it);
    tcase_add_test(tcase, one_message_larger_than_the_bus_passes_alone);
    tcase_add_test(tcase, what_was_dropped_is_gone_for_all);
    tcase_add_test(tcase, topics_are_checked);
    tcase_add_test(tcase, a_key_has_one_partition);
    tcase_add_test(tcase, a_consumer_is_told_by_its_turns_alone);
    tcase_add_test(tcase, partitions_give_messages_in_turn);
    tcase_add_test(tcase, an_end_is_said_after_each_message_more);
    tcase_add_test(tcase, a_pause_is_kept_over_start_and_give_up);
    tcase_add_test(tcase, held_it_tells_nothing_and_loses_nothing);
    tcase_add_test(tcase, what_was_handed_over_is_not_affected);
    tcase_add_test(tcase, start_replaces_what_was_read);
    tcase_add_test(tcase, offsets_that_are_gone_are_told_once);
    tcase_add_test(tcase, an_end_is_known_once_something_was_heard);
    tcase_add_test(tcase, revoked_partitions_stay_until_they_are_given_up);
    tcase_add_test(tcase, closing_gives_up_first);
    tcase_add_test(tcase, events_may_call_back);
    tcase_add_test(tcase, members_do_not_disturb_each_other);
    tcase_add_test(tcase, a_consumer_wants_its_topic);
    tcase_add_test(tcase, ours_come_first_and_all_are_there);
    tcase_add_test(tcase, no_value_is_not_an_empty_one);
    tcase_add_test(tcase, times_never_go_back_in_a_partition);
    tcase_add_test(tcase, an_arrival_says_its_size_and_time);
    tcase_add_test(tcase, bytes_are_of_what_is_in_topics);
    tcase_add_test(tcase, a_reader_reads_its_ranges_once);
    tcase_add_test(tcase, a_reader_goes_on_with_what_is_there);
    tcase_add_test(tcase, a_reader_is_told_what_is_gone);
    tcase_add_test(tcase, questions_about_a_topic);
    tcase_add_test(tcase, ends_are_told_later_and_once);
    tcase_add_test(tcase, what_a_report_sends_is_told_by_the_next_poll);
    tcase_add_test(tcase, others_take_their_turn_at_polls);
    tcase_add_test(tcase, by_hand_nothing_is_stored_by_itself);
    tcase_add_test(tcase, by_hand_a_message_may_be_refused);
    tcase_add_test(tcase, by_hand_what_a_closed_sender_has_is_lost);
    tcase_add_test(tcase, by_hand_the_bytes_are_bounded_too);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(bus_memory_suite)
