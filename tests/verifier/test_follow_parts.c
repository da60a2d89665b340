/* The follower's small decisions: which keys, where to begin, when a suspect counts, what is
 * counted for whom. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "verifier/follow/share.h"
#include "verifier/follow/start.h"
#include "verifier/follow/suspects.h"
#include "verifier/follow/tally.h"

START_TEST(a_share_shrinks_while_it_is_behind_and_grows_again)
{
    struct share share = {0};
    ck_assert(!share_step(&share, 1000, 1000));
    ck_assert(share_has(&share, UINT64_MAX));
    for (int i = 0; i < 20; i++)
        share_step(&share, 1001, 1000);
    ck_assert_double_eq(share_of(&share), 1.0 / 256);
    ck_assert(!share_step(&share, 500, 1000)); /* between the bounds nothing changes */
    ck_assert(share_step(&share, 200, 1000));
    ck_assert_double_eq(share_of(&share), 1.0 / 128);
}
END_TEST

/* Who is chosen by a smaller share is chosen by a greater one. */
START_TEST(shares_are_of_keys_and_lie_in_each_other)
{
    size_t chosen = 0;
    const struct share small = {.steps = 3}, great = {.steps = 2};
    for (int i = 0; i < 40000; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "tenant/entity/%d", i);
        uint64_t hash = share_hash(bytes_of(key, (size_t)size));
        chosen += share_has(&small, hash);
        ck_assert(!share_has(&small, hash) || share_has(&great, hash));
    }
    ck_assert_uint_gt(chosen, 4600);
    ck_assert_uint_lt(chosen, 5400);
}
END_TEST

static struct start_place choose(int64_t book, int64_t position, int64_t committed,
                                 int64_t checkpoint)
{
    const struct start_known known = {.book_results = book,
                                      .book_position = position,
                                      .committed = committed,
                                      .results_low = 10,
                                      .results_end = 90,
                                      .source_low = 1000,
                                      .checkpoint = checkpoint};
    return start_choose(&known);
}

START_TEST(where_a_partition_is_gone_on_with)
{
    struct start_place place = choose(-1, -1, -1, 5000); /* the first start of all */
    ck_assert_int_eq(place.results, 90);
    ck_assert_int_eq(place.position, 5000);
    place = choose(-1, -1, -1, 1000); /* before the first worker */
    ck_assert_int_eq(place.results, 10);
    ck_assert_int_eq(place.position, 1000);
    place = choose(40, 3000, 40, 5000); /* a restart */
    ck_assert_int_eq(place.results, 40);
    ck_assert_int_eq(place.position, 3000);
    place = choose(40, 3000, 50, 5000); /* another one went on */
    ck_assert_int_eq(place.results, 50);
    ck_assert_int_eq(place.position, -1);
    place = choose(5, 900, -1, 5000); /* receipts and messages are gone */
    ck_assert_int_eq(place.results, 10);
    ck_assert_int_eq(place.position, 1000);
    ck_assert_uint_eq(place.lost, 100);
    place = choose(95, 3000, -1, 5000); /* another topic of the name */
    ck_assert_int_eq(place.results, 10);
}
END_TEST

static struct suspect suspect_of(int64_t offset, size_t bytes)
{
    const char *value = "value";
    struct bus_message message = {.offset = offset};
    message.envelope.value = bytes_text(value);
    struct suspect suspect = {
        .kept = kept_message_make(&message), .version = 1, .verdict = VERDICT_MISSING};
    suspect.kept->bytes += bytes;
    return suspect;
}

START_TEST(a_suspect_counts_at_two_later_cuts_and_after_a_while)
{
    struct suspects suspects;
    suspects_init(&suspects, 3000);
    ck_assert_uint_eq(suspects_next_ms(&suspects), UINT64_MAX);
    struct suspect suspect = suspect_of(1, 0);
    ck_assert(suspects_add(&suspects, &suspect, 10000));
    struct suspect *kept = &suspects.items[0];
    ck_assert_uint_eq(suspects_next_ms(&suspects), 11000);
    ck_assert(!suspects_is_due(kept, 10999));
    ck_assert(suspects_is_due(kept, 11000));
    ck_assert(!suspects_recheck(&suspects, kept, VERDICT_STALE, 11000));
    ck_assert(!suspects_recheck(&suspects, kept, VERDICT_STALE, 12000)); /* two, but too early */
    ck_assert(suspects_recheck(&suspects, kept, VERDICT_STALE, 13000));
    ck_assert_int_eq(kept->verdict, VERDICT_STALE);
    free(suspects_take(&suspects, 0));
    suspect = suspect_of(2, 0);
    ck_assert(suspects_add(&suspects, &suspect, 10000));
    ck_assert(
        !suspects_recheck(&suspects, &suspects.items[0], VERDICT_STALE, 60000)); /* one only */
    suspects_free(&suspects);
}
END_TEST

START_TEST(suspects_have_a_bound)
{
    struct suspects suspects;
    suspects_init(&suspects, 3000);
    struct suspect large = suspect_of(0, SUSPECTS_BYTES_MAX);
    ck_assert(!suspects_add(&suspects, &large, 0));
    free(large.kept);
    for (int64_t i = 0; i < SUSPECTS_MAX; i++) {
        struct suspect suspect = suspect_of(i, 0);
        ck_assert(suspects_add(&suspects, &suspect, 0));
    }
    struct suspect more = suspect_of(-1, 0);
    ck_assert(!suspects_add(&suspects, &more, 0));
    free(suspects_take(&suspects, 7));
    ck_assert_int_eq(suspects.items[7].kept->offset, SUSPECTS_MAX - 1);
    ck_assert(suspects_add(&suspects, &more, 0));
    suspects_free(&suspects);
}
END_TEST

START_TEST(a_kept_message_is_what_it_was_made_of)
{
    struct bus_message message = {.partition = 3, .offset = 7, .timestamp_ms = 9}, again;
    struct envelope *envelope = &message.envelope;
    char value[] = "{\"a\":1}", key[] = "t/e/1";
    envelope->key = bytes_text(key);
    envelope->value = bytes_text(value);
    envelope->headers[0] = (struct header){BYTES_LITERAL("drover"), BYTES_LITERAL("1 run 2")};
    envelope->headers[1] = (struct header){BYTES_LITERAL("empty"), {0}};
    envelope->header_count = 2;
    struct kept_message *kept = kept_message_make(&message);
    memset(value, 'x', sizeof value - 1);
    memset(key, 'x', sizeof key - 1);
    kept_message_view(kept, &again);
    ck_assert_int_eq(again.partition, 3);
    ck_assert_int_eq(again.offset, 7);
    ck_assert_int_eq(again.timestamp_ms, 9);
    ck_assert(bytes_equal(again.envelope.key, BYTES_LITERAL("t/e/1")));
    ck_assert(bytes_equal(again.envelope.value, BYTES_LITERAL("{\"a\":1}")));
    ck_assert_uint_eq(again.envelope.header_count, 2);
    ck_assert_str_eq(again.envelope.headers[0].name.data, "drover");
    ck_assert(bytes_equal(again.envelope.headers[0].value, BYTES_LITERAL("1 run 2")));
    free(kept);
}
END_TEST

START_TEST(counts_are_summed_by_group_operation_and_class)
{
    size_t count;
    struct tally tally;
    struct record a = {.tenant = BYTES_LITERAL("a"), .entity = BYTES_LITERAL("cart")};
    struct record b = {.tenant = BYTES_LITERAL("b"), .entity = BYTES_LITERAL("cart")};
    struct record gone = a;
    gone.operation = OP_DELETE;
    tally_init(&tally);
    tally_add(&tally, &a, VERDICT_MATCH, 1);
    tally_add(&tally, &b, VERDICT_MATCH, 2);
    tally_add(&tally, &a, VERDICT_MATCH, 4);
    tally_add(&tally, &gone, VERDICT_MATCH, 8);
    tally_add(&tally, &a, ROLLING_NOT_COMPARED, 16);
    const struct book_count *counts = tally_counts(&tally, &count);
    ck_assert_uint_eq(count, 4);
    ck_assert(bytes_equal(counts[0].tenant, a.tenant));
    ck_assert_uint_eq(counts[0].count, 5);
    ck_assert_uint_eq(counts[1].class, ROLLING_NOT_COMPARED);
    ck_assert_uint_eq(counts[1].count, 16);
    ck_assert_int_eq(counts[2].operation, OP_DELETE);
    ck_assert_uint_eq(counts[2].count, 8);
    ck_assert_uint_eq(counts[3].count, 2);
    tally_reset(&tally);
    tally_counts(&tally, &count);
    ck_assert_uint_eq(count, 0);
    tally_free(&tally);
}
END_TEST

static Suite *parts_suite(void)
{
    Suite *suite = suite_create("follow_parts");
    TCase *tcase = tcase_create("parts");
    tcase_add_test(tcase, a_share_shrinks_while_it_is_behind_and_grows_again);
    tcase_add_test(tcase, shares_are_of_keys_and_lie_in_each_other);
    tcase_add_test(tcase, where_a_partition_is_gone_on_with);
    tcase_add_test(tcase, a_suspect_counts_at_two_later_cuts_and_after_a_while);
    tcase_add_test(tcase, suspects_have_a_bound);
    tcase_add_test(tcase, a_kept_message_is_what_it_was_made_of);
    tcase_add_test(tcase, counts_are_summed_by_group_operation_and_class);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(parts_suite)
