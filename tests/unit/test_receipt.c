#include "common/model/receipt.h"

#include "tests/support/suite.h"

START_TEST(a_batch_receipt_is_read_again)
{
    struct error err;
    struct buf text;
    struct receipt_summary summary;
    struct receipt_group group = {BYTES_LITERAL("t\"1"), BYTES_LITERAL("city"), 3, {{9}}};
    struct receipt_reject reject = {17, "DRV-V001", CLASS_DEAD};
    struct receipt receipt = {.worker = BYTES_LITERAL("w"),
                              .topic = BYTES_LITERAL("drover.x.source"),
                              .partition = 4,
                              .first = 10,
                              .next = 20,
                              .epoch = 2,
                              .counts = {3, 1, 2, 0, 4},
                              .groups = &group,
                              .group_count = 1,
                              .rejects = &reject,
                              .reject_count = 1,
                              .committed_ms = 1700000000000,
                              .lag = 5};
    buf_init(&text, 1u << 16);
    receipt_append(&text, &receipt);
    ck_assert_int_eq(receipt_parse(buf_view(&text), &summary, &err), OUT_OK);
    ck_assert(!summary.is_produce);
    ck_assert_int_eq(summary.partition, 4);
    ck_assert_int_eq(summary.next, 20);
    ck_assert_uint_eq(summary.counts[CLASS_APPLIED], 3);
    ck_assert_uint_eq(summary.counts[CLASS_DEAD], 4);
    ck_assert_int_eq(summary.lag, 5);
    buf_free(&text);
}
END_TEST

START_TEST(a_producers_receipt_is_read_again)
{
    struct error err;
    struct buf text;
    struct receipt_summary summary;
    struct produce_receipt receipt = {BYTES_LITERAL("r1"), 10, 8, 2, 0, 5};
    buf_init(&text, 1u << 16);
    receipt_append_produce(&text, &receipt);
    ck_assert_int_eq(receipt_parse(buf_view(&text), &summary, &err), OUT_OK);
    ck_assert(summary.is_produce);
    ck_assert_str_eq(summary.run, "r1");
    ck_assert_uint_eq(summary.read, 10);
    ck_assert_uint_eq(summary.counts[CLASS_REJECTED], 2);
    ck_assert_int_eq(receipt_parse(BYTES_LITERAL("{\"kind\":\"?\"}"), &summary, &err), OUT_REJECT);
    ck_assert_int_eq(receipt_parse(BYTES_LITERAL("no"), &summary, &err), OUT_REJECT);
    buf_free(&text);
}
END_TEST

static Suite *receipt_suite(void)
{
    Suite *suite = suite_create("receipt");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_batch_receipt_is_read_again);
    tcase_add_test(tcase, a_producers_receipt_is_read_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(receipt_suite)
