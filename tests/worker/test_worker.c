/* The worker over memory: what it does with batches, dead letters, retries, fences, pending
 * children, stops, its budget and several partitions. No server, no waiting: time is moved. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "common/model/message/halted.h"
#include "common/policy/apply/sequence.h"
#include "tests/support/suite.h"

static struct world W;

static void open_world(int32_t partitions, bool by_hand)
{
    log_setup_names("worker", "error", "logfmt");
    world_open(&W, partitions, by_hand);
}

static void tear_down(void)
{
    world_close(&W);
}

static struct worker *worker_at(int place)
{
    return W.workers[place].over->worker;
}

/* It has all partitions, and what there is has been taken: a batch of each partition is with the
 * sink, as far as there are connections. */
static void start_and_submit(int place)
{
    world_worker_start_with_all(&W, place);
    memory_worker_consume(W.workers[place].over, 100);
    worker_turn(worker_at(place));
}

static int64_t put(const char *entity, int32_t partition, int key, int64_t version, int n)
{
    return world_produce(&W, &(struct world_message){.entity = entity,
                                                     .partition = partition,
                                                     .key = key,
                                                     .version = version,
                                                     .n = n,
                                                     .parent = key});
}

static int64_t put_broken(int32_t partition, int key)
{
    return world_produce(
        &W,
        &(struct world_message){
            .entity = "item", .partition = partition, .key = key, .version = 1, .broken = true});
}

static void pass(uint64_t ms, int place)
{
    for (uint64_t gone = 0; gone < ms && !W.workers[place].over->ended; gone += WORKER_TICK_MS) {
        W.now_ms += WORKER_TICK_MS;
        memory_worker_tick(W.workers[place].over);
        world_worker_settle(&W, place);
    }
}

static int64_t written(int32_t partition)
{
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(W.store, partition);
    return checkpoint ? checkpoint->next_offset : -1;
}

static int64_t count_messages(const char *topic)
{
    int64_t ends[WORLD_PARTITIONS_MAX], sum = 0;
    ck_assert(bus_ends(bus_memory_bus(W.bus), topic, ends, W.partitions, 0));
    for (int32_t p = 0; p < W.partitions; p++)
        sum += ends[p];
    return sum;
}

static int64_t version_of(const char *entity, int key)
{
    char id[16];
    snprintf(id, sizeof id, "k%d", key);
    const struct memory_row *row =
        memory_store_find(W.store, entity, BYTES_LITERAL("t"), bytes_text(id));
    return row ? row->version : -1;
}

static uint64_t told(enum record_class the_class)
{
    return worker_at(0)->state.counts.classes[the_class];
}

/* ---- batches ----------------------------------------------------------------------------- */

START_TEST(writes_in_batches_and_says_so)
{
    open_world(1, false);
    for (int i = 0; i < 10; i++)
        put("item", 0, i, 5, i);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 10);
    ck_assert_uint_eq(memory_store_count(W.store), 10);
    ck_assert_uint_eq(worker_at(0)->state.counts.metrics[METRIC_BATCHES], 3); /* of 4, 4 and 2 */
    ck_assert_int_eq(count_messages(WORLD_RESULTS), 0); /* a tick sends them together */
    pass(WORKER_TICK_MS, 0);
    ck_assert_int_eq(count_messages(WORLD_RESULTS), 3);
    ck_assert_uint_eq(told(CLASS_APPLIED), 10);
    ck_assert_uint_eq(worker_at(0)->state.in_flight_bytes, 0);
}
END_TEST

START_TEST(keeps_the_greatest_version)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    put("item", 0, 1, 9, 2);
    put("item", 0, 1, 7, 3);
    put("item", 0, 1, 9, 2);
    put("item", 0, 1, 9, 4);
    put("item", 0, 1, 3, 5);
    W.settings.batch_records = 1;
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(version_of("item", 1), 9);
    ck_assert_uint_eq(told(CLASS_APPLIED), 2);
    ck_assert_uint_eq(told(CLASS_SUPERSEDED), 2);
    ck_assert_uint_eq(told(CLASS_UNCHANGED), 1);
    ck_assert_uint_eq(told(CLASS_CONFLICT), 1);
}
END_TEST

START_TEST(stores_its_watermarks)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(memory_store_checkpoint(W.store, 0)->results_next, 0);
    pass(6000, 0); /* every five seconds, when nothing else comes */
    ck_assert_int_eq(memory_store_checkpoint(W.store, 0)->results_next, 1);
}
END_TEST

START_TEST(goes_on_where_the_last_one_was)
{
    open_world(1, false);
    for (int i = 0; i < 5; i++)
        put("item", 0, i, 5, i);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    world_worker_end(&W, 0);
    put("item", 0, 7, 5, 7);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 6);
    /* the receipts' watermark was not stored: those records are only looked at */
    ck_assert_uint_eq(told(CLASS_APPLIED), 1);
    ck_assert_uint_eq(memory_store_count(W.store), 6);
}
END_TEST

/* ---- dead letters ------------------------------------------------------------------------ */

START_TEST(sends_dead_letters_before_it_writes)
{
    open_world(1, true);
    put("item", 0, 1, 5, 1);
    put_broken(0, 2);
    world_worker_start_with_all(&W, 0);
    memory_worker_consume(W.workers[0].over, 100);
    for (int i = 0; i < 5; i++) {
        worker_turn(worker_at(0));
        ck_assert(
            !memory_worker_write(W.workers[0].over, 0, FATE_DONE)); /* nothing is with the sink */
    }
    ck_assert_int_eq(written(0), 0);
    ck_assert_uint_eq(bus_memory_unstored_senders(W.bus), 1);
    bus_memory_store_one(W.bus, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 2);
    ck_assert_int_eq(count_messages(WORLD_DEAD_LETTERS), 1);
    ck_assert_uint_eq(told(CLASS_DEAD), 1);
}
END_TEST

START_TEST(sends_dead_letters_of_what_the_store_refuses)
{
    open_world(1, true);
    put("item", 0, 1, 5, 1);
    put("item", 0, 2, 5, WORLD_POISON);
    start_and_submit(0);
    ck_assert(memory_worker_write(W.workers[0].over, 0,
                                  FATE_DONE)); /* it is refused, and nothing is written */
    worker_turn(worker_at(0));
    ck_assert(!memory_worker_write(W.workers[0].over, 0, FATE_DONE));
    ck_assert_int_eq(written(0), 0);
    ck_assert_int_eq(version_of("item", 1), -1);
    bus_memory_store_one(W.bus, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 2);
    ck_assert_int_eq(version_of("item", 1), 5);
    ck_assert_int_eq(version_of("item", 2), -1);
}
END_TEST

START_TEST(halts_a_partition_whose_dead_letter_cannot_be_had)
{
    static const struct error TOO_LARGE = {.outcome = OUT_REJECT, .code = ERR_KAFKA_SIZE};
    open_world(2, true);
    put_broken(0, 1);
    put("item", 1, 2, 5, 1);
    start_and_submit(0);
    for (int tries = 0; tries < 2; tries++) { /* whole, and cut as far as the rule allows */
        ck_assert_uint_eq(bus_memory_unstored_senders(W.bus), 1);
        ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_READING);
        bus_memory_refuse_one(W.bus, 0, &TOO_LARGE);
        worker_turn(worker_at(0));
        worker_turn(worker_at(0));
    }
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_HALTED);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 0);
    ck_assert_int_eq(written(1), 1); /* the other goes on */
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_DEAD_LETTER_SIZE);
}
END_TEST

START_TEST(breaks_when_everything_is_refused)
{
    open_world(1, false);
    W.settings.breaker = 6;
    for (int i = 0; i < 20; i++)
        put_broken(0, i);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_BREAKER);
    ck_assert_int_eq(worker_at(0)->state.exit_code, error_code_exit(ERR_BREAKER));
    ck_assert_int_eq(written(0), 8); /* two batches */
}
END_TEST

/* ---- retries, lost answers, fences ------------------------------------------------------- */

START_TEST(tries_again_what_failed)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    world_worker_start_with_all(&W, 0);
    memory_worker_consume(W.workers[0].over, 100);
    for (int i = 0; i < 3; i++) {
        worker_turn(worker_at(0));
        ck_assert(memory_worker_write(W.workers[0].over, 0, FATE_FAILED));
        worker_turn(worker_at(0));
        ck_assert(!memory_worker_write(W.workers[0].over, 0, FATE_DONE)); /* it waits */
        W.now_ms += 60000;
    }
    ck_assert_uint_eq(worker_at(0)->state.counts.metrics[METRIC_RETRIES], 3);
    ck_assert_int_eq(written(0), 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 1);
    ck_assert_uint_eq(told(CLASS_APPLIED), 1);
}
END_TEST

START_TEST(asks_after_a_lost_answer)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0);
    ck_assert(memory_worker_write(W.workers[0].over, 0, FATE_ANSWER_LOST));
    ck_assert_int_eq(written(0), 1); /* it is there, and the worker does not know */
    ck_assert_uint_eq(told(CLASS_APPLIED), 0);
    W.now_ms += 60000;
    world_worker_settle(&W, 0);
    ck_assert_uint_eq(told(CLASS_RECOVERED), 1);
    pass(WORKER_TICK_MS, 0);
    ck_assert_int_eq(count_messages(WORLD_RESULTS), 1);
    const struct memory_row *row =
        memory_store_find(W.store, "item", BYTES_LITERAL("t"), BYTES_LITERAL("k1"));
    ck_assert_uint_eq(row->writes, 1);
}
END_TEST

START_TEST(changes_nothing_once_another_has_claimed)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0); /* its batch is with the sink */
    world_worker_start_with_all(&W, 1);
    world_worker_settle(&W, 1);
    ck_assert_int_eq(written(0), 1);
    put("item", 0, 1, 9, 2);
    ck_assert(memory_worker_write(W.workers[0].over, 0, FATE_DONE)); /* late */
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_FENCED);
    ck_assert_uint_eq(worker_at(0)->state.counts.fenced, 1);
    ck_assert_int_eq(written(0), 1);
    world_worker_settle(&W, 1);
    ck_assert_int_eq(version_of("item", 1), 9);
}
END_TEST

START_TEST(claims_again_what_the_group_still_gives_it)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0);
    int64_t next;
    memory_store_claim(W.store, 0, &next); /* somebody who is gone by now */
    memory_worker_write(W.workers[0].over, 0, FATE_DONE);
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_FENCED);
    pass(4500, 0);
    ck_assert_int_eq(written(0), 0);
    pass(2000, 0); /* work.stall_after is five seconds */
    ck_assert_int_eq(written(0), 1);
}
END_TEST

/* ---- pending children -------------------------------------------------------------------- */

START_TEST(lets_children_in_behind_their_parents)
{
    open_world(2, false);
    put("child", 0, 1, 5, 1);
    put("item", 0, 9, 5, 1);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 2); /* it holds nobody back */
    ck_assert_uint_eq(told(CLASS_WAITING), 1);
    ck_assert_int_eq(version_of("child", 1), -1);
    put("parent", 1, 1, 5, 1);
    world_worker_settle(&W, 0);
    pass(2500, 0);
    ck_assert_int_eq(version_of("child", 1), 5);
    ck_assert_uint_eq(worker_at(0)->state.counts.settled, 1);
    ck_assert_int_eq(count_messages(WORLD_RESULTS), 3); /* two batches, one that settles */
    ck_assert_int_eq(count_messages(WORLD_DEAD_LETTERS), 0);
}
END_TEST

START_TEST(gives_orphans_up_when_their_wait_is_over)
{
    open_world(1, false);
    put("child", 0, 1, 5, 1);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    pass(2000, 0);
    ck_assert_int_eq(count_messages(WORLD_DEAD_LETTERS), 0);
    pass(6000, 0); /* work.parent_wait is three seconds */
    ck_assert_int_eq(count_messages(WORLD_DEAD_LETTERS), 1);
    ck_assert_uint_eq(told(CLASS_DEAD), 1);
    ck_assert_int_eq(version_of("child", 1), -1);
}
END_TEST

/* ---- stops, budget, partitions ----------------------------------------------------------- */

START_TEST(drains_what_is_with_the_store)
{
    open_world(1, false);
    for (int i = 0; i < 8; i++)
        put("item", 0, i, 5, i);
    start_and_submit(0); /* one batch is with the sink, another waits */
    state_stop(&worker_at(0)->state);
    memory_worker_tick(W.workers[0].over);
    ck_assert_int_eq(worker_at(0)->state.phase, WORKER_DRAINING);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0), 4);
    ck_assert_int_eq(memory_store_checkpoint(W.store, 0)->results_next, 4);
    ck_assert(!memory_store_checkpoint(W.store, 0)->owned);
}
END_TEST

START_TEST(stops_in_time_when_the_store_is_silent)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0);
    state_stop(&worker_at(0)->state);
    uint64_t began_ms = W.now_ms;
    while (!W.workers[0].over->ended && W.now_ms - began_ms < 20000) {
        W.now_ms += WORKER_TICK_MS;
        memory_worker_tick(W.workers[0].over); /* its batch is never answered */
        memory_worker_checkpoint(W.workers[0].over);
        memory_worker_pending(W.workers[0].over, FATE_DONE);
        if (worker_at(0)->state.phase == WORKER_CLOSING)
            memory_worker_write(W.workers[0].over, 0, FATE_FAILED);
        memory_worker_consume(W.workers[0].over, 10);
    }
    ck_assert(W.workers[0].over->ended);
    ck_assert_uint_lt(W.now_ms - began_ms, 2000 + 4000); /* work.drain and four seconds */
    ck_assert_int_eq(written(0), 0);
}
END_TEST

START_TEST(pauses_above_its_budget)
{
    open_world(2, false);
    W.settings.work_memory = 8192;
    for (int i = 0; i < 100; i++)
        put("item", i % 2, i, 5, i);
    world_worker_start_with_all(&W, 0);
    size_t max = 0;
    for (int i = 0; i < 20; i++) { /* nothing is written */
        memory_worker_consume(W.workers[0].over, 3);
        worker_turn(worker_at(0));
        if (worker_at(0)->state.in_flight_bytes > max)
            max = worker_at(0)->state.in_flight_bytes;
    }
    ck_assert(worker_at(0)->partitions.over_budget);
    ck_assert_uint_lt(max, 8192 + 3 * 2048);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 50);
    ck_assert_int_eq(written(1), 50);
    ck_assert(!worker_at(0)->partitions.over_budget);
}
END_TEST

/* Of two partitions of 50 records more was read than the memory is for, and nothing is written. */
static const struct partitions *go_over_budget(void)
{
    open_world(2, false);
    W.settings.work_memory = 8192;
    for (int i = 0; i < 100; i++)
        put("item", i % 2, i, 5, i);
    world_worker_start_with_all(&W, 0);
    for (int i = 0; i < 20; i++) {
        memory_worker_consume(W.workers[0].over, 3);
        worker_turn(worker_at(0));
    }
    return &worker_at(0)->partitions;
}

/* A pause makes the client throw away what it fetched, so it is for a store that does not write. */
START_TEST(pauses_only_when_it_is_above_its_budget_for_long)
{
    const struct partitions *all = go_over_budget();
    ck_assert(all->over_budget && all->held && !all->items[0].paused);
    W.now_ms += 1000; /* nothing was written meanwhile: the group may want its word */
    worker_turn(worker_at(0));
    ck_assert(all->over_budget && !all->held && all->items[0].paused && all->items[1].paused);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 50);
    ck_assert_int_eq(written(1), 50);
    ck_assert(!all->over_budget && !all->items[0].paused && !all->items[1].paused);
}
END_TEST

START_TEST(holds_no_longer_than_the_store_needs)
{
    const struct partitions *all = go_over_budget();
    ck_assert(all->held);
    for (int i = 0; i < 10 && all->held; i++) {
        memory_worker_write(W.workers[0].over, 0, FATE_DONE);
        worker_turn(worker_at(0));
    }
    ck_assert(!all->held && !all->over_budget && !all->items[0].paused);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0) + written(1), 100);
}
END_TEST

START_TEST(gives_connections_to_partitions_in_turn)
{
    open_world(4, false);
    for (int i = 0; i < 40; i++)
        put("item", i % 4, i, 5, i);
    start_and_submit(0); /* two connections: partitions 0 and 1 */
    for (int i = 0; i < 60; i++) {
        if (memory_sink_steps(W.workers[0].over->sink) > 1) /* the first one is never answered */
            memory_worker_write(W.workers[0].over, 1, FATE_DONE);
        worker_turn(worker_at(0));
    }
    int stuck = 0;
    for (int32_t p = 0; p < 4; p++)
        stuck += written(p) == 0;
    ck_assert_int_eq(stuck, 1); /* one partition waits, the others are written to their ends */
    world_worker_settle(&W, 0);
    for (int32_t p = 0; p < 4; p++)
        ck_assert_int_eq(written(p), 10);
}
END_TEST

START_TEST(halts_at_a_gap)
{
    open_world(2, false);
    put("item", 0, 1, 5, 1);
    W.sequences[0]++; /* a message that never came */
    put("item", 0, 2, 5, 1);
    put("item", 1, 3, 5, 1);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_HALTED);
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_SEQUENCE_GAP);
    ck_assert_int_eq(written(0), 1); /* what lies before the gap, and nothing behind it */
    ck_assert_int_eq(version_of("item", 2), -1);
    ck_assert_int_eq(written(1), 1);
}
END_TEST

/* The last message of kind "halted" about the partition. */
static struct halted told_halted(int32_t partition, int *count)
{
    struct error err;
    struct bus_reader *reader;
    const struct bus_message *message;
    struct halted last = {.partition = -1}, halted;
    struct bus *bus = bus_memory_bus(W.bus);
    const struct bus_range range = {partition, 0, count_messages(WORLD_RESULTS)};
    *count = 0;
    ck_assert_int_eq(bus_open_reader(bus, WORLD_RESULTS, &range, 1, 0, &reader, &err), OUT_OK);
    while (bus_reader_next(reader, 0, &message, &err) == OUT_OK && message)
        if (halted_parse(message->envelope.value, &halted, &err) == OUT_OK) {
            last = halted;
            ++*count;
        }
    bus_reader_close(reader);
    return last;
}

START_TEST(tells_of_a_halted_partition_and_goes_on_when_it_is_resumed)
{
    int count;
    open_world(2, false);
    put("item", 0, 1, 5, 1);
    W.sequences[0] += 2; /* messages that never came */
    put("item", 0, 2, 5, 1);
    put("item", 1, 3, 5, 1);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    pass(100, 0);
    struct halted halted = told_halted(0, &count);
    ck_assert_int_eq(count, 1);
    ck_assert_str_eq(halted.code, "DRV-E002");
    ck_assert_int_eq(halted.offset, 1);
    ck_assert_int_eq(halted.epoch, 1);
    ck_assert_int_eq(halted.expected, 1);
    ck_assert_int_eq(halted.found, 3);
    ck_assert_str_ne(halted.run, "");
    ck_assert(halted_is_current(&halted, written(0), memory_store_checkpoint(W.store, 0)->epoch));

    pass(5000, 0); /* looked at, and not resumed: said once */
    told_halted(0, &count);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_HALTED);

    struct buf sequences;
    struct log_place place;
    struct sequences known;
    buf_init(&sequences, 4096);
    ck_assert(sequence_parse(memory_store_checkpoint(W.store, 0)->sequences, &known, &place));
    ck_assert(sequence_expect(&known, halted.run, halted.found));
    sequence_append(&known, &place, &sequences);
    memory_store_resume(W.store, 0, 1, buf_view(&sequences));
    buf_free(&sequences);
    pass(5000, 0);
    ck_assert_int_eq(written(0), 2);
    ck_assert_int_eq(version_of("item", 2), 5);
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_NONE);
    ck_assert_int_eq(written(1), 1);
}
END_TEST

START_TEST(names_the_offsets_that_are_gone)
{
    int count;
    open_world(2, false);
    for (int i = 0; i < 6; i++)
        put("item", 0, i, 5, 1);
    put("item", 1, 9, 5, 1);
    bus_memory_drop(W.bus, WORLD_SOURCE, 0, 4);
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    pass(100, 0);
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_HALTED);
    struct halted halted = told_halted(0, &count);
    ck_assert_str_eq(halted.code, "DRV-K005");
    ck_assert_str_eq(halted.run, "");
    ck_assert_int_eq(halted.expected, 0);
    ck_assert_int_eq(halted.found, 4);
    ck_assert_ptr_nonnull(strstr(halted.text, "offsets 0 to 3 are gone"));
    /* what is lost is given up, and so are the numbers of its messages */
    memory_store_resume(W.store, 0, 4, BYTES_LITERAL("{\"~open\":6}"));
    pass(5000, 0);
    ck_assert_int_eq(written(0), 6);
    ck_assert_int_eq(version_of("item", 5), 5);
    put("item", 0, 6, 5, 1);
    W.sequences[0]++;
    put("item", 0, 7, 5, 1); /* from there on a gap is one again */
    world_worker_settle(&W, 0);
    ck_assert_int_eq(written(0), 7);
    ck_assert_int_eq(worker_at(0)->partitions.items[0].state, PARTITION_HALTED);
}
END_TEST

/* ---- a range, once more --------------------------------------------------------------------- */

static const int64_t READ_TO[] = {8, 0};
static const struct replay_range RANGE = {0, 2, 8, 8};
static struct worker_replay REPLAY = {.group = "sim.m.worker.replay.1",
                                      .ranges = &RANGE,
                                      .count = 1,
                                      .read_to = READ_TO,
                                      .go_on = "drover replay --resume 1"};

static void open_replay(void)
{
    int64_t next;
    REPLAY.plan = (struct replay_plan){0};
    REPLAY.ranges = &RANGE;
    W.replay = &REPLAY;
    W.settings.until_end = true;
    memory_store_claim(W.store, 0, &next);
    memory_store_resume(W.store, 0, RANGE.from, BYTES_LITERAL("{}"));
}

START_TEST(reads_a_range_once_more_and_nothing_else)
{
    struct buf texts;
    struct replay_range kept;
    struct replay_plan plan;
    open_world(2, false);
    for (int i = 0; i < 10; i++) {
        W.sequences[0] += (uint64_t)(i == 5); /* a gap is no concern of a replay */
        put("item", 0, i, 5, i);
    }
    put("item", 1, 20, 5, 1);
    open_replay();
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0), 8);
    ck_assert_int_eq(written(1), -1);
    ck_assert_uint_eq(memory_store_count(W.store), 6);
    ck_assert_int_eq(version_of("item", 1), -1);
    ck_assert_int_eq(version_of("item", 2), 5);
    ck_assert_int_eq(version_of("item", 7), 5);
    ck_assert_int_eq(version_of("item", 8), -1);
    ck_assert_uint_eq(told(CLASS_APPLIED), 6);
    buf_init(&texts, 256);
    ck_assert(
        replay_plan_parse(memory_store_checkpoint(W.store, 0)->sequences, &kept, &plan, &texts));
    ck_assert_int_eq(kept.from, 2);
    ck_assert_int_eq(kept.to, 8);
    buf_free(&texts);
}
END_TEST

/* Whose parent is not there is left to the workers. */
START_TEST(a_replay_gives_no_child_up)
{
    open_world(2, false);
    for (int i = 0; i < 10; i++)
        put(i == 4 || i == 5 ? "child" : "item", 0, i, 5, i);
    put("parent", 0, 4, 5, 4); /* behind the range */
    open_replay();
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0), 8);
    ck_assert_uint_eq(told(CLASS_APPLIED), 4);
    ck_assert_uint_eq(told(CLASS_WAITING), 2);
    ck_assert_uint_eq(told(CLASS_DEAD), 0);
    ck_assert_int_eq(count_messages(WORLD_DEAD_LETTERS), 0);
}
END_TEST

static int classes[16]; /* by offset of partition 0; -1: nothing was told */

static void note_class(void *owner, int32_t partition, int64_t offset, enum record_class the_class)
{
    ck_assert_ptr_eq(owner, &REPLAY);
    ck_assert_int_eq(partition, 0);
    ck_assert_int_lt(offset, 16);
    classes[offset] = (int)the_class;
}

/* When it is in the store: a child that waited is told again when its parent came. */
START_TEST(a_replay_tells_what_became_of_each)
{
    open_world(2, false);
    for (int i = 0; i < 4; i++)
        put(i == 3 ? "child" : "item", 0, i, 5, i);
    put_broken(0, 90); /* at 4 */
    put("parent", 0, 3, 5, 3);
    put("item", 0, 2, 5, 2);
    put("item", 0, 2, 4, 2); /* and one behind the range's end */
    put("item", 0, 2, 6, 2);
    open_replay();
    memset(classes, -1, sizeof classes);
    REPLAY.on_record = note_class;
    REPLAY.owner = &REPLAY;
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    REPLAY.on_record = NULL;
    ck_assert(W.workers[0].over->ended);
    static const int EXPECTED[] = {-1,
                                   -1,
                                   CLASS_APPLIED,
                                   CLASS_APPLIED,
                                   CLASS_DEAD,
                                   CLASS_APPLIED,
                                   CLASS_UNCHANGED,
                                   CLASS_SUPERSEDED,
                                   -1};
    for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++)
        ck_assert_msg(classes[i] == EXPECTED[i], "offset %zu: %d", i, classes[i]);
}
END_TEST

/* What is not wanted moves the checkpoint, also behind the last one that is. */
START_TEST(passes_over_what_is_not_wanted)
{
    open_world(2, false);
    for (int i = 0; i < 10; i++)
        put(i % 3 == 0 ? "parent" : "item", 0, i, 5, i);
    put_broken(0, 90);
    open_replay();
    REPLAY.plan.filter.entity = BYTES_LITERAL("parent");
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(written(0), 8);
    ck_assert_uint_eq(memory_store_count(W.store), 2); /* 3 and 6 */
    ck_assert_uint_eq(told(CLASS_APPLIED), 2);
    ck_assert_uint_eq(worker_at(0)->state.counts.passed_over, 4);

    REPLAY.plan.filter.entity = BYTES_LITERAL("child"); /* none of them */
    memory_store_resume(W.store, 0, RANGE.from, BYTES_LITERAL("{}"));
    world_worker_end(&W, 0);
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(written(0), 8);
    ck_assert_uint_eq(worker_at(0)->state.counts.passed_over, 6);
    ck_assert_uint_eq(memory_store_count(W.store), 2);
}
END_TEST

/* Killed wherever it is, the next one goes on, and the range is whole. */
START_TEST(a_range_is_whole_after_a_crash)
{
    open_world(2, false);
    W.settings.batch_records = 1;
    for (int i = 0; i < 10; i++)
        put("item", 0, i, 5, i);
    open_replay();
    bool ended = false;
    for (int steps = 1; !ended; steps++) {
        world_worker_start(&W, 0);
        for (int i = 0; i < steps % 12 + 1 && !W.workers[0].over->ended; i++) {
            memory_worker_checkpoint(W.workers[0].over);
            memory_worker_checkpoint(W.workers[0].over);
            memory_worker_consume(W.workers[0].over, 2);
            worker_turn(worker_at(0));
            memory_worker_write(W.workers[0].over, 0, FATE_DONE);
        }
        if (written(0) == 8) {
            world_worker_settle(&W, 0);
            pass(3000, 0);
            ended = W.workers[0].over->ended;
        }
        ck_assert_int_lt(steps, 200);
        world_worker_end(&W, 0);
    }
    ck_assert_int_eq(written(0), 8);
    ck_assert_uint_eq(memory_store_count(W.store), 6);
}
END_TEST

/* Somebody else goes on with it: this one ends, and says so. */
START_TEST(a_range_that_another_reads_is_left_to_him)
{
    int64_t next;
    open_world(2, false);
    for (int i = 0; i < 10; i++)
        put("item", 0, i, 5, i);
    open_replay();
    world_worker_start(&W, 0);
    while (memory_worker_checkpoint(W.workers[0].over))
        ;
    memory_worker_consume(W.workers[0].over, 0);
    while (memory_worker_checkpoint(W.workers[0].over))
        ;
    memory_store_claim(W.store, 0, &next);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_FENCED);
    ck_assert_int_eq(written(0), 2);
}
END_TEST

/* Behind the place where the workers were, the numbers are seen as they see them. */
static void open_replay_behind(struct replay_range *range)
{
    open_replay();
    REPLAY.ranges = range;
    memory_store_resume(W.store, 0, range->from, BYTES_LITERAL("{}"));
}

static void run_replay(void)
{
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    pass(3000, 0);
    ck_assert(W.workers[0].over->ended);
}

/* What is stored with the checkpoint is the numbers behind it: the next call halts there again. */
START_TEST(a_replay_beyond_the_workers_halts_at_a_gap)
{
    struct replay_range range = {0, 0, 8, 2};
    open_world(2, false);
    for (int i = 0; i < 8; i++) {
        if (i == 2)
            W.sequences[0] = 0;                         /* what the workers took is theirs */
        W.sequences[0] += (uint64_t)(i == 1 || i == 5); /* their gap, and one of the replay */
        put("item", 0, i, 5, i);
    }
    open_replay_behind(&range);
    for (int call = 0; call < 2; call++) {
        run_replay();
        ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_SEQUENCE_GAP);
        ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_RUNTIME);
        ck_assert_ptr_nonnull(strstr(worker_at(0)->state.failure.hint,
                                     "drover replay --resume 1 --accept-gap goes on without"));
        ck_assert_int_eq(written(0), 5);
        world_worker_end(&W, 0);
    }
    W.settings.accept_gap = true;
    run_replay();
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0), 8);
    ck_assert_uint_eq(memory_store_count(W.store), 8);
}
END_TEST

/* Also of what lies between them and the range, which is not written. */
START_TEST(a_replay_sees_the_numbers_before_its_range)
{
    struct replay_range range = {0, 6, 8, 2};
    open_world(2, false);
    for (int i = 0; i < 8; i++) {
        if (i == 2)
            W.sequences[0] = 0;
        W.sequences[0] += (uint64_t)(i == 4);
        put("item", 0, i, 5, i);
    }
    open_replay_behind(&range);
    run_replay();
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_SEQUENCE_GAP);
    ck_assert_int_eq(written(0), 6);
    ck_assert_uint_eq(memory_store_count(W.store), 0);
    world_worker_end(&W, 0);
    W.settings.accept_gap = true;
    run_replay();
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_uint_eq(memory_store_count(W.store), 2);
}
END_TEST

START_TEST(a_replay_names_the_offsets_that_are_gone)
{
    open_world(2, false);
    for (int i = 0; i < 10; i++)
        put("item", 0, i, 5, i);
    open_replay();
    bus_memory_drop(W.bus, WORLD_SOURCE, 0, 9); /* since it was made */
    run_replay();
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_REFUSED);
    ck_assert_str_eq(worker_at(0)->state.failure.text,
                     "offsets 2 to 7 are gone from the topic, and were not read yet");
    ck_assert_ptr_nonnull(strstr(worker_at(0)->state.failure.hint,
                                 "drover replay --resume 1 --accept-gap goes on behind them"));
    ck_assert_int_eq(written(0), 2);
}
END_TEST

START_TEST(waits_with_a_revocation_for_the_store)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0);
    bus_memory_revoke(worker_at(0)->partitions.consumer);
    memory_worker_consume(W.workers[0].over, 0);
    ck_assert(bus_memory_is_revoking(worker_at(0)->partitions.consumer));
    W.now_ms += 1000;
    memory_worker_tick(W.workers[0].over);
    ck_assert(bus_memory_is_revoking(worker_at(0)->partitions.consumer));
    memory_worker_write(W.workers[0].over, 0, FATE_DONE);
    memory_worker_tick(W.workers[0].over);
    ck_assert(!bus_memory_is_revoking(worker_at(0)->partitions.consumer));
    memory_worker_checkpoint(W.workers[0].over);
    ck_assert_int_eq(written(0), 1);
    ck_assert(!memory_store_checkpoint(W.store, 0)->owned);
}
END_TEST

START_TEST(gives_up_at_last)
{
    open_world(1, false);
    put("item", 0, 1, 5, 1);
    start_and_submit(0);
    bus_memory_revoke(worker_at(0)->partitions.consumer);
    memory_worker_consume(W.workers[0].over, 0);
    W.now_ms += 5100; /* fault row K01 */
    memory_worker_tick(W.workers[0].over);
    ck_assert(!bus_memory_is_revoking(worker_at(0)->partitions.consumer));
    memory_worker_checkpoint(W.workers[0].over); /* released */
    ck_assert_int_eq(written(0), 0);
    world_worker_start_with_all(&W, 1);
    memory_worker_write(W.workers[0].over, 0, FATE_DONE); /* too late: the fence keeps it out */
    ck_assert_int_eq(version_of("item", 1), -1);
    world_worker_settle(&W, 1);
    ck_assert_int_eq(version_of("item", 1), 5);
}
END_TEST

START_TEST(ends_at_the_end)
{
    open_world(2, false);
    W.settings.until_end = true;
    for (int i = 0; i < 10; i++)
        put("item", i % 2, i, 5, i);
    world_worker_start_with_all(&W, 0);
    pass(8000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0) + written(1), 10);
    ck_assert_int_eq(memory_store_checkpoint(W.store, 0)->results_next, 5);
}
END_TEST

/* The other worker of the group has partition 1: dead, or so slow. */
static void start_beside_another(void)
{
    static const int32_t FIRST[] = {0};
    open_world(2, false);
    W.settings.until_end = true;
    for (int i = 0; i < 10; i++)
        put("item", i % 2, i, 5, i);
    world_worker_start(&W, 0);
    world_worker_settle(&W, 0);
    bus_memory_assign(worker_at(0)->partitions.consumer, FIRST, 1);
    pass(30000, 0);
    ck_assert(!W.workers[0].over->ended);
    ck_assert_int_eq(written(0), 5);
}

START_TEST(waits_for_what_another_has_and_takes_it_over)
{
    static const int32_t ALL[] = {0, 1};
    start_beside_another();
    bus_memory_revoke(worker_at(0)->partitions.consumer);
    pass(1000, 0);
    bus_memory_assign(worker_at(0)->partitions.consumer, ALL, 2);
    pass(8000, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_eq(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(written(0) + written(1), 10);
}
END_TEST

START_TEST(says_when_nobody_moves_what_another_has)
{
    start_beside_another();
    pass(ENDING_WAIT_MS, 0);
    ck_assert(W.workers[0].over->ended);
    ck_assert_int_ne(worker_at(0)->state.exit_code, EXIT_OK);
    ck_assert_int_eq(worker_at(0)->state.failure.code, ERR_NOT_AT_END);
}
END_TEST

static Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *tcase = tcase_create("worker");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, writes_in_batches_and_says_so);
    tcase_add_test(tcase, keeps_the_greatest_version);
    tcase_add_test(tcase, stores_its_watermarks);
    tcase_add_test(tcase, goes_on_where_the_last_one_was);
    tcase_add_test(tcase, sends_dead_letters_before_it_writes);
    tcase_add_test(tcase, sends_dead_letters_of_what_the_store_refuses);
    tcase_add_test(tcase, halts_a_partition_whose_dead_letter_cannot_be_had);
    tcase_add_test(tcase, breaks_when_everything_is_refused);
    tcase_add_test(tcase, tries_again_what_failed);
    tcase_add_test(tcase, asks_after_a_lost_answer);
    tcase_add_test(tcase, changes_nothing_once_another_has_claimed);
    tcase_add_test(tcase, claims_again_what_the_group_still_gives_it);
    tcase_add_test(tcase, lets_children_in_behind_their_parents);
    tcase_add_test(tcase, gives_orphans_up_when_their_wait_is_over);
    tcase_add_test(tcase, drains_what_is_with_the_store);
    tcase_add_test(tcase, stops_in_time_when_the_store_is_silent);
    tcase_add_test(tcase, pauses_above_its_budget);
    tcase_add_test(tcase, pauses_only_when_it_is_above_its_budget_for_long);
    tcase_add_test(tcase, holds_no_longer_than_the_store_needs);
    tcase_add_test(tcase, gives_connections_to_partitions_in_turn);
    tcase_add_test(tcase, halts_at_a_gap);
    tcase_add_test(tcase, reads_a_range_once_more_and_nothing_else);
    tcase_add_test(tcase, a_replay_gives_no_child_up);
    tcase_add_test(tcase, a_replay_tells_what_became_of_each);
    tcase_add_test(tcase, a_replay_beyond_the_workers_halts_at_a_gap);
    tcase_add_test(tcase, a_replay_sees_the_numbers_before_its_range);
    tcase_add_test(tcase, a_replay_names_the_offsets_that_are_gone);
    tcase_add_test(tcase, passes_over_what_is_not_wanted);
    tcase_add_test(tcase, a_range_is_whole_after_a_crash);
    tcase_add_test(tcase, a_range_that_another_reads_is_left_to_him);
    tcase_add_test(tcase, tells_of_a_halted_partition_and_goes_on_when_it_is_resumed);
    tcase_add_test(tcase, names_the_offsets_that_are_gone);
    tcase_add_test(tcase, waits_with_a_revocation_for_the_store);
    tcase_add_test(tcase, gives_up_at_last);
    tcase_add_test(tcase, ends_at_the_end);
    tcase_add_test(tcase, waits_for_what_another_has_and_takes_it_over);
    tcase_add_test(tcase, says_when_nobody_moves_what_another_has);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(worker_suite)
