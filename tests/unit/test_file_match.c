/* Records of an edited file and the rows they are of: a random list, edited at random, must be
 * matched as it was edited. */
#include <stdlib.h>
#include <string.h>

#include "common/policy/file_match.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define ROWS_MAX 40
#define ROUNDS 3000

static struct digest digest_for(uint64_t value)
{
    return digest_of(bytes_of((const char *)&value, sizeof value));
}

static struct {
    struct digest rows[ROWS_MAX], elements[2 * ROWS_MAX];
    uint32_t element_of[ROWS_MAX], row_of[2 * ROWS_MAX], hints[2 * ROWS_MAX];
    uint32_t want[2 * ROWS_MAX]; /* by element */
    size_t row_count, element_count;
} H;

static struct file_match run(void)
{
    struct file_match match = {H.rows,          H.elements,   H.row_count,
                               H.element_count, H.element_of, H.row_of};
    file_match_same(&match);
    for (size_t i = 0; i < H.element_count; i++)
        if (H.row_of[i] != FILE_MATCH_NONE)
            H.hints[i] = FILE_MATCH_NONE;
    file_match_rest(&match, H.hints);
    return match;
}

static void add(struct digest digest, uint32_t want, uint32_t hint)
{
    H.elements[H.element_count] = digest;
    H.want[H.element_count] = want;
    H.hints[H.element_count++] = hint;
}

/* Each row is kept, edited, deleted, or gets a stranger in front of it. `named`: records name their
 * ids; else an edit must not stand beside a deletion or a stranger, which nobody could tell apart.
 */
static void edit(bool named)
{
    bool calm = true; /* the row before was kept */
    H.row_count = random_below(ROWS_MAX + 1);
    H.element_count = 0;
    for (uint32_t i = 0; i < H.row_count; i++) {
        uint64_t what = named || calm ? random_below(8) : 7;
        H.rows[i] = digest_for(i);
        calm = what > 2;
        if (what == 0)
            continue;
        if (what == 1)
            add(digest_for(1000 + i), FILE_MATCH_NONE, named ? FILE_MATCH_OTHER : FILE_MATCH_NONE);
        add(digest_for(what == 2 ? 2000 + i : i), i, named ? i : FILE_MATCH_NONE);
    }
}

static void check(const char *what)
{
    struct file_match match = run();
    for (size_t i = 0; i < H.element_count; i++)
        ck_assert_msg(match.row_of[i] == H.want[i], "%s, seed %llu: element %zu of row %u, not %u",
                      what, (unsigned long long)random_seed, i, match.row_of[i], H.want[i]);
    for (size_t i = 0; i < H.row_count; i++)
        ck_assert(match.element_of[i] == FILE_MATCH_NONE || match.row_of[match.element_of[i]] == i);
}

START_TEST(edits_of_records_that_name_their_ids)
{
    random_begin(1);
    for (int i = 0; i < ROUNDS; i++) {
        edit(true);
        check("named");
    }
}
END_TEST

START_TEST(edits_of_records_that_do_not)
{
    random_begin(2);
    for (int i = 0; i < ROUNDS; i++) {
        edit(false);
        check("unnamed");
    }
}
END_TEST

/* In any order; what lies there twice has one row. */
START_TEST(order_and_copies)
{
    random_begin(3);
    for (int round = 0; round < ROUNDS; round++) {
        H.row_count = 1 + random_below(ROWS_MAX);
        H.element_count = 0;
        for (uint32_t i = 0; i < H.row_count; i++) {
            H.rows[i] = digest_for(i / 2); /* some rows are alike */
            add(H.rows[i], i, FILE_MATCH_NONE);
        }
        for (size_t i = H.row_count; i > 1; i--) {
            size_t other = random_below(i);
            struct digest kept = H.elements[i - 1];
            H.elements[i - 1] = H.elements[other];
            H.elements[other] = kept;
        }
        add(H.elements[0], FILE_MATCH_NONE, FILE_MATCH_OTHER);
        struct file_match match = run();
        size_t none = 0;
        for (size_t i = 0; i < H.element_count; i++)
            none += match.row_of[i] == FILE_MATCH_NONE;
        ck_assert_msg(none == 1, "seed %llu: %zu copies", (unsigned long long)random_seed, none);
        for (size_t i = 0; i < H.row_count; i++)
            ck_assert(digest_equal(&H.elements[match.element_of[i]], &H.rows[i]));
    }
}
END_TEST

START_TEST(nothing_at_all)
{
    H.row_count = H.element_count = 0;
    struct file_match match = run();
    ck_assert_uint_eq(match.row_count, 0);
}
END_TEST

static Suite *file_match_suite(void)
{
    Suite *suite = suite_create("file_match");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, edits_of_records_that_name_their_ids);
    tcase_add_test(tcase, edits_of_records_that_do_not);
    tcase_add_test(tcase, order_and_copies);
    tcase_add_test(tcase, nothing_at_all);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(file_match_suite)
