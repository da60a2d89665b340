#include "common/model/message/halted.h"

#include "tests/support/suite.h"

static const struct halted GAP = {.topic = "drover.x.source",
                                  .group = "drover.x.worker",
                                  .partition = 3,
                                  .offset = 120,
                                  .epoch = 4,
                                  .code = "DRV-E002",
                                  .text = "2 messages of a \"producer\" are missing",
                                  .run = "01J-run",
                                  .expected = 17,
                                  .found = 19,
                                  .worker = "host-1",
                                  .at_ms = 1700000000000};

START_TEST(what_is_said_of_a_halted_partition_is_read_again)
{
    struct error err;
    struct buf text;
    struct halted read;
    buf_init(&text, 4096);
    halted_append(&text, &GAP);
    ck_assert_int_eq(halted_parse(buf_view(&text), &read, &err), OUT_OK);
    ck_assert_str_eq(read.topic, GAP.topic);
    ck_assert_str_eq(read.group, GAP.group);
    ck_assert_int_eq(read.partition, 3);
    ck_assert_int_eq(read.offset, 120);
    ck_assert_int_eq(read.epoch, 4);
    ck_assert_str_eq(read.code, GAP.code);
    ck_assert_str_eq(read.text, GAP.text);
    ck_assert_str_eq(read.run, GAP.run);
    ck_assert_int_eq(read.expected, 17);
    ck_assert_int_eq(read.found, 19);
    ck_assert_str_eq(read.worker, GAP.worker);
    ck_assert_int_eq(read.at_ms, GAP.at_ms);
    buf_free(&text);
}
END_TEST

START_TEST(what_is_not_said_is_not_known)
{
    struct error err;
    struct halted read;
    ck_assert_int_eq(halted_parse(BYTES_LITERAL("{\"kind\":\"halted\",\"later\":1}"), &read, &err),
                     OUT_OK);
    ck_assert_int_eq(read.partition, -1);
    ck_assert_int_eq(read.expected, -1);
    ck_assert_int_eq(read.found, -1);
    ck_assert_str_eq(read.run, "");
    ck_assert_int_eq(halted_parse(BYTES_LITERAL("{\"kind\":\"batch\"}"), &read, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_ENVELOPE);
    ck_assert_int_eq(halted_parse(BYTES_LITERAL("no"), &read, NULL), OUT_REJECT);
}
END_TEST

START_TEST(it_is_current_until_the_partition_is_moved_or_claimed)
{
    ck_assert(halted_is_current(&GAP, 120, 4));
    ck_assert(!halted_is_current(&GAP, 121, 4));
    ck_assert(!halted_is_current(&GAP, 120, 5));
}
END_TEST

static Suite *halted_suite(void)
{
    Suite *suite = suite_create("halted");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, what_is_said_of_a_halted_partition_is_read_again);
    tcase_add_test(tcase, what_is_not_said_is_not_known);
    tcase_add_test(tcase, it_is_current_until_the_partition_is_moved_or_claimed);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(halted_suite)
