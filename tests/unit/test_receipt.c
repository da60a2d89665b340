#include "common/model/message/receipt.h"

#include <stdio.h>
#include <time.h>

#include <yyjson.h>

#include "tests/support/suite.h"

START_TEST(a_batch_receipt_is_read_again)
{
    struct error err;
    struct buf text;
    struct receipt_summary summary;
    struct receipt_group group = {BYTES_LITERAL("t\"1"), 0, BYTES_LITERAL("city"), 3, {{9}}};
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
    receipt_append_part(&text, &receipt, SIZE_MAX, &(struct receipt_cursor){0});
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

/* A receipt that is cut: every message within the limit, counts in the first one alone, each entry
 * of the lists in exactly one of them. */
START_TEST(a_large_receipt_is_cut_into_parts)
{
    enum { GROUPS = 700, REJECTS = 900, MAX = 4000 };
    static struct receipt_group groups[GROUPS];
    static struct receipt_reject rejects[REJECTS];
    static char names[GROUPS][24];
    struct error err;
    struct buf text;
    struct receipt_summary summary;
    struct receipt_cursor cursor = {0};
    struct receipt receipt = {.worker = BYTES_LITERAL("w"),
                              .topic = BYTES_LITERAL("drover.x.source"),
                              .group = BYTES_LITERAL("g"),
                              .partition = 3,
                              .first = 10,
                              .next = 1610,
                              .counts = {GROUPS, 0, 0, 0, REJECTS},
                              .groups = groups,
                              .group_count = GROUPS,
                              .rejects = rejects,
                              .reject_count = REJECTS};
    for (int i = 0; i < GROUPS; i++) {
        snprintf(names[i], sizeof names[i], "tenant-%d", i);
        groups[i] =
            (struct receipt_group){bytes_text(names[i]), 0, BYTES_LITERAL("city"), 1, {{1}}};
    }
    for (int i = 0; i < REJECTS; i++)
        rejects[i] = (struct receipt_reject){10 + i, "DRV-V001", CLASS_DEAD};
    buf_init(&text, 1u << 20);
    for (int i = 0; i < 100; i++)
        rejects[i * 9].the_class = CLASS_CONFLICT;
    uint64_t told = 0, seen_groups = 0, seen_rejects = 0, seen_dead = 0, seen_told = 0;
    do {
        buf_reset(&text);
        receipt_append_part(&text, &receipt, MAX, &cursor);
        ck_assert_uint_le(text.size, MAX);
        yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        ck_assert(yyjson_is_obj(root));
        ck_assert_int_eq(yyjson_get_int(yyjson_obj_get(root, "next")), 1610);
        ck_assert_uint_eq(yyjson_get_uint(yyjson_obj_get(root, "part")), cursor.part - 1);
        ck_assert_int_eq(yyjson_get_bool(yyjson_obj_get(root, "more")), cursor.more);
        seen_groups += yyjson_arr_size(yyjson_obj_get(root, "groups"));
        seen_rejects += yyjson_arr_size(yyjson_obj_get(root, "rejected"));
        struct receipt_dead dead;
        ck_assert(!receipt_parse_dead(buf_view(&text), BYTES_LITERAL("another"), &dead));
        if (receipt_parse_dead(buf_view(&text), BYTES_LITERAL("g"), &dead)) {
            for (size_t i = 0; i < dead.count; i++)
                ck_assert_int_ne((dead.offsets[i] - 10) % 9, 0);
            ck_assert_int_eq(dead.partition, 3);
            seen_dead += dead.count;
            free(dead.offsets);
        }
        struct receipt_told all;
        ck_assert(!receipt_parse_told(buf_view(&text), BYTES_LITERAL("another"), &all));
        ck_assert(receipt_parse_told(buf_view(&text), BYTES_LITERAL("g"), &all));
        ck_assert(!all.tells_waiting);
        for (size_t i = 0; i < all.count; i++)
            ck_assert_int_eq(all.items[i].the_class,
                             (all.items[i].offset - 10) % 9 ? CLASS_DEAD : CLASS_CONFLICT);
        seen_told += all.count;
        free(all.items);
        if (receipt_parse(buf_view(&text), &summary, &err) == OUT_OK)
            told += summary.counts[CLASS_APPLIED] + summary.counts[CLASS_DEAD];
        yyjson_doc_free(doc);
    } while (cursor.more);
    ck_assert_uint_gt(cursor.part, 10);
    ck_assert_uint_eq(told, GROUPS + REJECTS);
    ck_assert_uint_eq(seen_groups, GROUPS);
    ck_assert_uint_eq(seen_rejects, REJECTS);
    ck_assert_uint_eq(seen_dead, REJECTS - 100);
    ck_assert_uint_eq(seen_told, REJECTS);
    buf_free(&text);
}
END_TEST

/* Those that wait are told of by runs. */
START_TEST(who_waits_is_told_by_runs)
{
    struct buf text;
    struct receipt_told told;
    struct receipt_cursor cursor = {0};
    struct receipt_run runs[] = {{5, 2, CLASS_APPLIED}, {7, 3, CLASS_WAITING}, {10, 1, CLASS_DEAD}};
    struct receipt_reject reject = {10, "DRV-V001", CLASS_DEAD};
    const struct receipt receipt = {.group = BYTES_LITERAL("g"),
                                    .first = 5,
                                    .next = 11,
                                    .rejects = &reject,
                                    .reject_count = 1,
                                    .runs = runs,
                                    .run_count = 3};
    buf_init(&text, 1u << 16);
    receipt_append_part(&text, &receipt, 1u << 16, &cursor);
    ck_assert(receipt_parse_told(buf_view(&text), BYTES_LITERAL("g"), &told));
    ck_assert(told.tells_waiting);
    ck_assert_uint_eq(told.count, 4);
    ck_assert_int_eq(told.items[0].the_class, CLASS_DEAD);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_eq(told.items[i].the_class, CLASS_WAITING);
        ck_assert_int_eq(told.items[i].offset, 6 + i);
    }
    free(told.items);
    buf_free(&text);
}
END_TEST

/* Records in random classes with holes between them: from whichever offset on, the runs count what
 * is there. */
/* Recovered, or with records that wait. */
START_TEST(a_receipt_with_runs_counts_from_any_offset)
{
    enum { RECORDS = 300 };
    static struct receipt_run runs[RECORDS];
    static enum record_class classes[RECORDS];
    static int64_t offsets[RECORDS];
    unsigned state = (unsigned)time(NULL);
    printf("seed %u\n", state);
    struct receipt receipt = {.worker = BYTES_LITERAL("w"),
                              .topic = BYTES_LITERAL("drover.x.source"),
                              .group = BYTES_LITERAL("g"),
                              .recovered = _i == 1,
                              .runs = runs};
    int64_t offset = 1000;
    for (int i = 0; i < RECORDS; i++) {
        static const enum record_class SOME[] = {CLASS_RECOVERED, CLASS_RECOVERED, CLASS_DEAD,
                                                 CLASS_CONFLICT, CLASS_WAITING};
        state = state * 1103515245u + 12345u;
        offset += (state >> 16) % 7 == 0 ? 3 : 1;
        offsets[i] = offset;
        classes[i] = i && (state >> 20) % 3 ? classes[i - 1] : SOME[(state >> 16) % 5];
        receipt.counts[classes[i]]++;
        receipt_add_run(&receipt, offset, classes[i]);
    }
    ck_assert_uint_lt(receipt.run_count, RECORDS);
    struct receipt_cursor cursor = {0};
    struct buf text;
    buf_init(&text, 1u << 20);
    receipt_append_part(&text, &receipt, 1u << 20, &cursor);
    for (int from = 0; from <= RECORDS; from++) {
        uint64_t counts[CLASS_COUNT] = {0}, expected[CLASS_COUNT] = {0};
        for (int i = from; i < RECORDS; i++)
            expected[classes[i]]++;
        ck_assert(receipt_count_from(buf_view(&text), from < RECORDS ? offsets[from] : offset + 1,
                                     counts));
        ck_assert_mem_eq(counts, expected, sizeof counts);
    }
    struct receipt_summary summary;
    ck_assert_int_eq(receipt_parse(buf_view(&text), &summary, NULL), OUT_OK);
    ck_assert_str_eq(summary.group, "g");
    ck_assert_uint_eq(summary.counts[CLASS_RECOVERED], receipt.counts[CLASS_RECOVERED]);
    buf_reset(&text); /* no room: left out, and said so */
    cursor = (struct receipt_cursor){0};
    receipt_append_part(&text, &receipt, 600, &cursor);
    uint64_t counts[CLASS_COUNT] = {0};
    ck_assert(!receipt_count_from(buf_view(&text), 0, counts));
    buf_free(&text);
}
END_TEST

START_TEST(a_loads_receipt_is_read_again_by_its_group)
{
    struct error err;
    struct buf text;
    struct receipt_summary summary;
    struct loaded_receipt read;
    struct loaded_item items[] = {{0, CLASS_SUPERSEDED, 17}, {3, CLASS_CONFLICT, UINT32_MAX}};
    struct loaded_receipt receipt = {BYTES_LITERAL("g\""), BYTES_LITERAL("t"), 7, items, 2};
    buf_init(&text, 1u << 16);
    receipt_append_loaded(&text, &receipt);
    ck_assert_int_eq(receipt_parse(buf_view(&text), &summary, &err), OUT_OK);
    ck_assert(summary.is_loaded);
    ck_assert_int_eq(receipt_parse_loaded(buf_view(&text), BYTES_LITERAL("g\""), &read, &err),
                     OUT_OK);
    ck_assert_int_eq(read.number, 7);
    ck_assert_uint_eq(read.count, 2);
    ck_assert_mem_eq(read.items, items, sizeof items);
    free(read.items);
    ck_assert_int_eq(receipt_parse_loaded(buf_view(&text), BYTES_LITERAL("h"), &read, &err),
                     OUT_REJECT);
    ck_assert_ptr_null(read.items);
    buf_free(&text);
}
END_TEST

static Suite *receipt_suite(void)
{
    Suite *suite = suite_create("receipt");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_batch_receipt_is_read_again);
    tcase_add_test(tcase, a_producers_receipt_is_read_again);
    tcase_add_test(tcase, a_loads_receipt_is_read_again_by_its_group);
    tcase_add_loop_test(tcase, a_receipt_with_runs_counts_from_any_offset, 0, 2);
    tcase_add_test(tcase, a_large_receipt_is_cut_into_parts);
    tcase_add_test(tcase, who_waits_is_told_by_runs);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(receipt_suite)
