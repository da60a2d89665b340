/* The progress contract over a store in memory: claims, fences, watermarks, crashes. */
#include "common/port/checkpoint_memory.h"

#include <stdio.h>
#include <time.h>

#include "common/port/sink_memory.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define PORTS 3
#define PARTITIONS 3

static struct memory_store *store;

/* What a port was told last. */
static struct seen {
    int checked, claimed, released, closed, errors, looks;
    int32_t partition;
    int64_t epoch, next_offset; /* of a look */
    bool is_owned;
    struct checkpoint_row row;
    char sequences[64];
} SEEN[PORTS];

static void on_checked(void *owner)
{
    ((struct seen *)owner)->checked++;
}

static void on_claimed(void *owner, int32_t partition, const struct checkpoint_row *row)
{
    struct seen *seen = owner;
    seen->claimed++;
    seen->partition = partition;
    seen->row = *row;
    snprintf(seen->sequences, sizeof seen->sequences, "%.*s", (int)row->sequences.size,
             row->sequences.data);
}

static void on_released(void *owner, int32_t partition)
{
    struct seen *seen = owner;
    seen->released++;
    seen->partition = partition;
}

static void on_error(void *owner, const struct error *err)
{
    ((struct seen *)owner)->errors++;
    (void)err;
}

static void on_seen(void *owner, int32_t partition, const struct checkpoint_seen *now)
{
    struct seen *seen = owner;
    seen->looks++;
    seen->partition = partition;
    seen->epoch = now->epoch;
    seen->next_offset = now->next_offset;
    seen->is_owned = now->is_owned;
}

static void on_closed(void *owner)
{
    ((struct seen *)owner)->closed++;
}

static const struct checkpoint_events EVENTS = {on_checked, on_claimed, on_released, on_error,
                                                on_seen};

static void setup(void)
{
    memset(SEEN, 0, sizeof SEEN);
    store = memory_store_new(MEMORY_KEEPS_VERSIONS, 1u << 20);
}

static void teardown(void)
{
    memory_store_free(store);
}

static struct checkpoint *open_port(int port)
{
    return memory_checkpoint_new(store, &EVENTS, &SEEN[port]);
}

static void settle(struct checkpoint *checkpoint)
{
    while (memory_checkpoint_turn(checkpoint))
        ;
    ck_assert(checkpoint_is_idle(checkpoint));
}

/* A batch without records moves the checkpoint. */
static enum outcome move(int32_t partition, int64_t epoch, int64_t start, int64_t end,
                         const char *sequences, struct error *err)
{
    struct batch *batch = batch_new(1, 1u << 16);
    batch->fence = (struct batch_fence){.partition = partition,
                                        .epoch = epoch,
                                        .start = start,
                                        .end = end,
                                        .redis_next = start,
                                        .results_next = start,
                                        .sequences = bytes_text(sequences)};
    batch_close(batch);
    enum outcome outcome = memory_store_write(store, batch, NULL, err);
    batch_free(batch);
    return outcome;
}

START_TEST(it_answers_in_order_and_never_from_inside)
{
    struct error err;
    struct checkpoint *checkpoint = open_port(0);
    checkpoint_claim(checkpoint, 1);
    checkpoint_advance(checkpoint, 1, 1, 5, 7);
    ck_assert(memory_checkpoint_turn(checkpoint)); /* done in the store */
    ck_assert_int_eq(SEEN[0].checked + SEEN[0].claimed, 0);
    ck_assert(memory_checkpoint_turn(checkpoint)); /* and answered */
    ck_assert_int_eq(SEEN[0].checked, 1);
    ck_assert(memory_checkpoint_turn(checkpoint));
    ck_assert_int_eq(SEEN[0].claimed, 0);
    ck_assert(memory_checkpoint_turn(checkpoint));
    ck_assert_int_eq(SEEN[0].claimed, 1);
    ck_assert_int_eq(SEEN[0].partition, 1);
    ck_assert_int_eq(SEEN[0].row.epoch, 1);
    ck_assert_int_eq(SEEN[0].row.next_offset, 0);
    ck_assert_str_eq(SEEN[0].sequences, "{}");
    ck_assert(!checkpoint_is_idle(checkpoint));
    settle(checkpoint);
    ck_assert_int_eq(move(1, 1, 0, 9, "{\"a\":3}", &err), OUT_OK);
    checkpoint_release(checkpoint, 1, 1, 8, 6); /* watermarks never go back */
    checkpoint_claim(checkpoint, 1);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].released, 1);
    ck_assert_int_eq(SEEN[0].row.epoch, 2);
    ck_assert_int_eq(SEEN[0].row.next_offset, 9);
    ck_assert_int_eq(SEEN[0].row.redis_next, 8);
    ck_assert_int_eq(SEEN[0].row.results_next, 7);
    ck_assert_str_eq(SEEN[0].sequences, "{\"a\":3}");
    checkpoint_close(checkpoint, on_closed);
    ck_assert_int_eq(SEEN[0].closed, 0);
    ck_assert(memory_checkpoint_turn(checkpoint));
    ck_assert_int_eq(SEEN[0].closed, 1);
    ck_assert_int_eq(SEEN[0].errors, 0);
}
END_TEST

START_TEST(a_claim_that_is_forgotten_on_its_way_is_not_told)
{
    struct checkpoint *checkpoint = open_port(0);
    checkpoint_claim(checkpoint, 0);
    for (int i = 0; i < 3; i++)
        ck_assert(memory_checkpoint_turn(checkpoint));
    ck_assert_int_eq(memory_store_checkpoint(store, 0)->epoch, 1);
    checkpoint_forget_claims(checkpoint);
    checkpoint_claim(checkpoint, 0);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].claimed, 1);
    ck_assert_int_eq(SEEN[0].row.epoch, 2);
    memory_checkpoint_abandon(checkpoint);
}
END_TEST

START_TEST(a_stale_epoch_changes_nothing)
{
    struct error err;
    struct checkpoint *old = open_port(0), *new = open_port(1);
    checkpoint_claim(old, 0);
    settle(old);
    checkpoint_claim(new, 0);
    settle(new);
    checkpoint_advance(old, 0, 1, 50, 50);
    checkpoint_release(old, 0, 1, 60, 60);
    settle(old);
    ck_assert_int_eq(SEEN[0].released, 1); /* nothing is left to release */
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(store, 0);
    ck_assert_int_eq(checkpoint->redis_next, 0);
    ck_assert_int_eq(checkpoint->results_next, 0);
    ck_assert(checkpoint->owned);
    ck_assert_int_eq(move(0, 1, 0, 4, "{}", &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_FENCED);
    ck_assert_int_eq(move(0, 2, 1, 4, "{}", &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_CHECKPOINT);
    ck_assert_int_eq(move(0, 2, 0, 4, "{}", &err), OUT_OK);
    checkpoint_release(new, 0, 2, 0, 0);
    settle(new);
    ck_assert(!memory_store_checkpoint(store, 0)->owned);
    memory_checkpoint_abandon(old);
    memory_checkpoint_abandon(new);
}
END_TEST

START_TEST(forgotten_claims_and_crashes_are_not_answered)
{
    struct checkpoint *checkpoint = open_port(0);
    settle(checkpoint);
    checkpoint_claim(checkpoint, 0);
    checkpoint_release(checkpoint, 2, 1, 0, 0);
    checkpoint_claim(checkpoint, 1);
    checkpoint_forget_claims(checkpoint);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].claimed, 0);
    ck_assert_int_eq(SEEN[0].released, 1);
    ck_assert_ptr_null(memory_store_checkpoint(store, 0));
    checkpoint_claim(checkpoint, 0);
    memory_checkpoint_abandon(checkpoint);
    ck_assert_ptr_null(memory_store_checkpoint(store, 0));
}
END_TEST

/* Several ports over one store, in any order, against a model of the SQL functions. */
START_TEST(any_order_is_as_the_functions_say)
{
    struct memory_checkpoint model[PARTITIONS] = {{0}};
    struct checkpoint *ports[PORTS];
    struct error err;
    random_begin((uint64_t)time(NULL) + (uint64_t)_i * 1000003);
    fprintf(stderr, "# seed %llu\n", (unsigned long long)random_seed);
    for (int i = 0; i < PORTS; i++)
        settle(ports[i] = open_port(i));
    for (int round = 0; round < 2000; round++) {
        int port = (int)random_below(PORTS);
        int32_t partition = (int32_t)random_below(PARTITIONS);
        struct memory_checkpoint *expected = &model[partition];
        int64_t epoch = expected->epoch - (int64_t)(random_below(3) == 0);
        int64_t redis = (int64_t)random_below(100), results = redis / 2;
        bool ok = epoch == expected->epoch && epoch > 0;
        switch (random_below(5)) {
        case 0:
            checkpoint_claim(ports[port], partition);
            settle(ports[port]);
            expected->epoch++;
            redis = results = 0;
            ck_assert_int_eq(SEEN[port].row.epoch, expected->epoch);
            ck_assert_int_eq(SEEN[port].row.next_offset, expected->next_offset);
            ck_assert_int_eq(SEEN[port].row.redis_next, expected->redis_next);
            ck_assert_int_eq(SEEN[port].row.results_next, expected->results_next);
            break;
        case 1:
            checkpoint_advance(ports[port], partition, epoch, redis, results);
            settle(ports[port]);
            break;
        case 2:
            checkpoint_release(ports[port], partition, epoch, redis, results);
            settle(ports[port]);
            break;
        case 3: {
            int64_t start = expected->next_offset - (int64_t)(random_below(4) == 0);
            redis = results = start;
            ok = ok && start == expected->next_offset;
            ck_assert_int_eq(move(partition, epoch, start, start + 3, "{}", &err) == OUT_OK, ok);
            expected->next_offset += ok ? 3 : 0;
            break;
        }
        default:
            memory_checkpoint_abandon(ports[port]);
            settle(ports[port] = open_port(port));
            redis = results = 0;
        }
        if (ok && redis > expected->redis_next)
            expected->redis_next = redis;
        if (ok && results > expected->results_next)
            expected->results_next = results;
        const struct memory_checkpoint *is = memory_store_checkpoint(store, partition);
        const struct memory_checkpoint none = {0};
        is = is ? is : &none;
        ck_assert_int_eq(is->epoch, expected->epoch);
        ck_assert_int_eq(is->next_offset, expected->next_offset);
        ck_assert_int_eq(is->redis_next, expected->redis_next);
        ck_assert_int_eq(is->results_next, expected->results_next);
    }
    for (int i = 0; i < PORTS; i++)
        memory_checkpoint_abandon(ports[i]);
}
END_TEST

START_TEST(a_look_says_whose_it_is_and_changes_nothing)
{
    struct checkpoint *checkpoint = open_port(0);
    checkpoint_look(checkpoint, 1);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].looks, 1);
    ck_assert_int_eq(SEEN[0].epoch, 0);
    ck_assert(!SEEN[0].is_owned);
    checkpoint_claim(checkpoint, 1);
    checkpoint_look(checkpoint, 1);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].epoch, 1);
    ck_assert(SEEN[0].is_owned);
    checkpoint_release(checkpoint, 1, 1, 0, 0);
    checkpoint_look(checkpoint, 1);
    settle(checkpoint);
    ck_assert_int_eq(SEEN[0].looks, 3);
    ck_assert_int_eq(SEEN[0].epoch, 1);
    ck_assert(!SEEN[0].is_owned);
    memory_checkpoint_abandon(checkpoint);
}
END_TEST

static Suite *checkpoint_memory_suite(void)
{
    Suite *suite = suite_create("checkpoint_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_answers_in_order_and_never_from_inside);
    tcase_add_test(tcase, a_claim_that_is_forgotten_on_its_way_is_not_told);
    tcase_add_test(tcase, a_look_says_whose_it_is_and_changes_nothing);
    tcase_add_test(tcase, a_stale_epoch_changes_nothing);
    tcase_add_test(tcase, forgotten_claims_and_crashes_are_not_answered);
    tcase_add_loop_test(tcase, any_order_is_as_the_functions_say, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(checkpoint_memory_suite)
