/* The gate asks every item: the three ways a dead letter can be missing, and a batch that does not
 * add up; against a naive model. */

#include "common/policy/apply/batch_gate.h"

#include <stdlib.h>

#include "tests/support/suite.h"

static struct batch *make_batch(size_t count)
{
    struct batch *batch = batch_new(64, 1u << 20);
    batch->fence = (struct batch_fence){.topic = "t", .start = 10, .end = 10 + (int64_t)count};
    for (size_t i = 0; i < count; i++) {
        struct batch_item *item = batch_add(batch, 10 + (int64_t)i);
        item->decided = true;
        item->verdict = CLASS_APPLIED;
    }
    return batch;
}

static void kill_item(struct batch *batch, size_t at, bool safe)
{
    batch->items[at].verdict = CLASS_DEAD;
    batch->items[at].dead_lettered = safe;
}

START_TEST(a_dead_letter_that_was_never_sent_shuts_the_gate)
{
    struct error err;
    struct batch *batch = make_batch(3);
    kill_item(batch, 1, false);
    ck_assert_int_eq(batch_gate_submit(batch, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_BATCH);
    ck_assert_str_eq(err.where, "t-0@11");
    ck_assert_int_eq(batch_gate_commit(batch, &err), OUT_FATAL);
    ck_assert_int_eq(batch_gate_written(batch, &err), OUT_FATAL);
    batch_free(batch);
}
END_TEST

/* Of two dead letters in flight the first fails, the last succeeds. */
START_TEST(the_last_dead_letters_success_is_not_everybodys)
{
    struct error err;
    struct batch *batch = make_batch(4);
    kill_item(batch, 0, false);
    kill_item(batch, 3, false);
    batch->dead_letters_pending = 2;
    ck_assert_int_eq(batch_gate_submit(batch, &err), OUT_RETRY);
    batch->dead_letters_pending = 1; /* the first one failed */
    ck_assert_int_eq(batch_gate_commit(batch, &err), OUT_RETRY);
    batch->items[3].dead_lettered = true;
    batch->dead_letters_pending = 0;
    ck_assert_int_eq(batch_gate_commit(batch, &err), OUT_FATAL);
    ck_assert_str_eq(err.where, "t-0@10");
    batch->items[0].dead_lettered = true;
    ck_assert_int_eq(batch_gate_commit(batch, &err), OUT_OK);
    ck_assert_int_eq(batch_gate_written(batch, &err), OUT_OK);
    batch_free(batch);
}
END_TEST

START_TEST(what_is_read_again_had_its_dead_letters)
{
    struct error err;
    struct batch *batch = make_batch(2);
    kill_item(batch, 1, false);
    batch->redelivered = true;
    ck_assert_int_eq(batch_gate_submit(batch, &err), OUT_OK);
    ck_assert_int_eq(batch_gate_written(batch, &err), OUT_OK);
    batch->items[0].decided = false;
    ck_assert_int_eq(batch_gate_submit(batch, &err), OUT_OK); /* the sink decides it */
    ck_assert_int_eq(batch_gate_written(batch, &err), OUT_FATAL);
    batch_free(batch);
}
END_TEST

/* Random batches, one fault or none: written says OK exactly when there is none. */
START_TEST(random_batches_agree_with_a_model)
{
    struct error err;
    srand((unsigned)_i + 1);
    size_t count = 1 + (size_t)(rand() % 40);
    struct batch *batch = make_batch(count);
    int64_t offset = 10;
    for (size_t i = 0; i < count; i++) {
        offset += rand() % 3; /* holes of transactions and compaction are no fault */
        batch->items[i].offset = offset++;
        static const enum record_class CLASSES[] = {CLASS_APPLIED,  CLASS_SUPERSEDED,
                                                    CLASS_CONFLICT, CLASS_UNCHANGED,
                                                    CLASS_DEAD,     CLASS_WAITING};
        batch->items[i].verdict = CLASSES[rand() % 6];
        batch->items[i].dead_lettered = batch->items[i].verdict == CLASS_DEAD;
    }
    batch->fence.end = offset;
    ck_assert_int_eq(batch_gate_written(batch, &err), OUT_OK);
    struct batch_item *item = &batch->items[(size_t)rand() % count];
    switch (rand() % 6) {
    case 0:
        item->decided = false;
        break;
    case 1:
        item->verdict = CLASS_DEAD;
        item->dead_lettered = false;
        break;
    case 2:
        item->verdict = rand() % 2 ? CLASS_WITHHELD : CLASS_REJECTED;
        break;
    case 3:
        batch->fence.end += 1;
        break;
    case 4:
        item->offset = batch->fence.start - 1;
        break;
    default:
        batch->fence.end = batch->items[count - 1].offset;
        break;
    }
    ck_assert_msg(batch_gate_written(batch, &err) == OUT_FATAL, "seed %d", _i + 1);
    ck_assert_int_eq(err.code, ERR_BATCH);
    batch_free(batch);
}
END_TEST

static Suite *batch_gate_suite(void)
{
    Suite *suite = suite_create("batch_gate");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_dead_letter_that_was_never_sent_shuts_the_gate);
    tcase_add_test(tcase, the_last_dead_letters_success_is_not_everybodys);
    tcase_add_test(tcase, what_is_read_again_had_its_dead_letters);
    tcase_add_loop_test(tcase, random_batches_agree_with_a_model, 0, 200);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(batch_gate_suite)
