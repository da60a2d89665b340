/* Reduction per key, order, groups, classification; against a naive model. */

#include "common/policy/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/suite.h"

static struct mapping MAPPINGS[2] = {{.entity = "a"}, {.entity = "b"}};

static void add(struct batch *batch, int64_t offset, int mapping, const char *tenant,
                const char *id, int64_t version, int content)
{
    struct batch_item *item = batch_add(batch, offset);
    item->mapping = &MAPPINGS[mapping];
    item->row.tenant = bytes_text(tenant);
    item->row.id = bytes_text(id);
    item->row.version = version;
    item->row.digest.bytes[0] = (uint8_t)content;
}

START_TEST(one_row_a_key_the_greatest_version)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    add(batch, 2, 0, "t", "k", 7, 2); /* the same again */
    add(batch, 3, 0, "t", "k", 7, 3); /* another of the same version */
    add(batch, 4, 0, "t", "k", 6, 4);
    batch_close(batch);
    ck_assert_uint_eq(batch->order_count, 1);
    ck_assert_int_eq(batch->items[batch->order[0]].offset, 1);
    ck_assert(batch->items[0].decided && batch->items[0].verdict == CLASS_SUPERSEDED);
    ck_assert(!batch->items[1].decided);
    ck_assert(batch->items[2].verdict == CLASS_UNCHANGED);
    ck_assert(batch->items[3].verdict == CLASS_CONFLICT);
    ck_assert(batch->items[4].verdict == CLASS_SUPERSEDED);
    batch_free(batch);
}
END_TEST

START_TEST(groups_are_runs_of_one_table_and_tenant)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 1, "t2", "x", 1, 1);
    add(batch, 1, 0, "t2", "y", 1, 1);
    add(batch, 2, 0, "t1", "z", 1, 1);
    add(batch, 3, 0, "t2", "a", 1, 1);
    struct error err;
    add(batch, 4, 0, "t1", "dead", 1, 1);
    error_set(&err, OUT_REJECT, ERR_VALUE_TYPE, "no");
    batch_reject(batch, &batch->items[4], &err);
    batch_close(batch);
    ck_assert_uint_eq(batch->group_count, 3);
    ck_assert(bytes_equal(batch->groups[0].tenant, BYTES_LITERAL("t1")));
    ck_assert_uint_eq(batch->groups[1].count, 2);
    ck_assert_int_eq(batch->items[batch->order[1]].offset, 3); /* a before y */
    ck_assert_ptr_eq(batch->groups[2].mapping, &MAPPINGS[1]);
    ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 1);
    ck_assert(!batch_is_decided(batch));
    batch_free(batch);
}
END_TEST

/* Random batches: the survivor of each key is what a naive walk finds, and order is strictly
 * rising. */
START_TEST(random_batches_agree_with_a_walk)
{
    char ids[12][16];
    srand((unsigned)_i + 1);
    for (int i = 0; i < 12; i++)
        snprintf(ids[i], sizeof ids[i], "k%d", i);
    struct batch *batch = batch_new(200, 1u << 20);
    int64_t best[12], at[12];
    for (int i = 0; i < 12; i++)
        best[i] = -1;
    for (int64_t offset = 0; offset < 200; offset++) {
        int key = rand() % 12, version = rand() % 20;
        add(batch, offset, 0, "t", ids[key], version, rand() % 2);
        if (version > best[key]) {
            best[key] = version;
            at[key] = offset;
        }
    }
    batch_close(batch);
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        int key = atoi(item->row.id.data + 1);
        ck_assert_int_eq(item->offset, at[key]);
        if (i)
            ck_assert_int_lt(bytes_compare(batch->items[batch->order[i - 1]].row.id, item->row.id),
                             0);
    }
    for (size_t i = 0; i < batch->count; i++) /* the others are all decided */
        if (batch->items[i].offset != at[atoi(batch->items[i].row.id.data + 1)])
            ck_assert(batch->items[i].decided);
    batch_free(batch);
}
END_TEST

START_TEST(a_retry_keeps_what_closing_decided)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 0, "t", "k", 1, 1);
    add(batch, 1, 0, "t", "k", 2, 1);
    batch_close(batch);
    batch->items[1].decided = true;
    batch->items[1].verdict = CLASS_APPLIED;
    batch->groups[0].incomplete = true;
    batch_retry(batch);
    ck_assert(batch->items[0].decided);
    ck_assert(!batch->items[1].decided);
    ck_assert(!batch->groups[0].incomplete);
    ck_assert_int_eq(batch->attempts, 1);
    batch_free(batch);
}
END_TEST

START_TEST(rows_not_written_are_classified)
{
    struct row row = {.version = 5};
    struct digest other = {.bytes = {1}};
    struct bytes same = bytes_of(row.digest.bytes, 16);
    ck_assert_int_eq(batch_classify(&row, 6, same), CLASS_SUPERSEDED);
    ck_assert_int_eq(batch_classify(&row, 5, same), CLASS_UNCHANGED);
    ck_assert_int_eq(batch_classify(&row, 5, bytes_of(other.bytes, 16)), CLASS_CONFLICT);
    ck_assert_int_eq(batch_classify(&row, 5, bytes_of("", 0)), CLASS_CONFLICT);
}
END_TEST

static Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, one_row_a_key_the_greatest_version);
    tcase_add_test(tcase, groups_are_runs_of_one_table_and_tenant);
    tcase_add_loop_test(tcase, random_batches_agree_with_a_walk, 0, 50);
    tcase_add_test(tcase, a_retry_keeps_what_closing_decided);
    tcase_add_test(tcase, rows_not_written_are_classified);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(batch_suite)
