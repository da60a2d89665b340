/* Dead letters keep everything, or are cut by one rule: headers of others, the largest first. */

#include "common/model/message/dead_letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define HEADERS_MAX 200

static const struct {
    const char *id;
    bool ok;
    int32_t partition;
    int64_t offset;
} IDS[] = {
    {"drover.m.source-3-88121", true, 3, 88121},
    {"drover.m.source-0-0", true, 0, 0},
    {"drover.m.source-2147483647-9223372036854775807", true, INT32_MAX, INT64_MAX},
    {"drover.m.source-2147483648-1", false, 0, 0},
    {"drover.m.source-3", false, 0, 0},
    {"drover.m.source-3-", false, 0, 0},
    {"drover.m.source--3", false, 0, 0},
    {"drover.m.source-3-x", false, 0, 0},
    {"drover.m.source-3--5", false, 0, 0},
    {"drover.m.source", false, 0, 0},
    {"", false, 0, 0},
};

START_TEST(reads_where_it_comes_from)
{
    struct envelope dead_letter = {.header_count = 3};
    const struct header headers[] = {{BYTES_LITERAL(DEAD_LETTER_ID), BYTES_LITERAL("older-1-1")},
                                     {BYTES_LITERAL(DEAD_LETTER_CODE), BYTES_LITERAL("DRV-V002")},
                                     {BYTES_LITERAL(DEAD_LETTER_ID), bytes_text(IDS[_i].id)}};
    memcpy(dead_letter.headers, headers, sizeof(headers));
    const struct dead_letter_origin origin = dead_letter_read(&dead_letter);
    ck_assert_msg(origin.has_place == IDS[_i].ok, "%s", IDS[_i].id);
    ck_assert(bytes_equal(origin.id, bytes_text(IDS[_i].id)));
    ck_assert_int_eq(origin.code, ERR_VALUE_TYPE);
    if (!origin.has_place)
        return;
    ck_assert(bytes_equal(origin.topic, BYTES_LITERAL("drover.m.source")));
    ck_assert_msg(origin.partition == IDS[_i].partition && origin.offset == IDS[_i].offset, "%s",
                  IDS[_i].id);
}
END_TEST

static const struct dead_letter_place PLACE = {"drover.x.source", 3, 77, 0};
static char big[20000];

static const struct header *find(const struct message_view *view, const char *name)
{
    for (size_t i = 0; i < view->header_count; i++)
        if (bytes_equal(view->headers[i].name, bytes_text(name)))
            return &view->headers[i];
    return NULL;
}

START_TEST(all_headers_are_kept)
{
    struct error reason, err;
    char names[HEADERS_MAX][16];
    struct header headers[HEADERS_MAX];
    struct dead_letter_message dead_letter;
    struct message_view message = {BYTES_LITERAL("k"), BYTES_LITERAL("v"), false, headers,
                                   HEADERS_MAX};
    error_set(&reason, OUT_REJECT, ERR_VALUE_TYPE, "no number");
    for (int i = 0; i < HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "h%d", i);
        headers[i] = (struct header){bytes_text(names[i]), bytes_text(names[i])};
    }
    ck_assert_int_eq(
        dead_letter_make(&message, &PLACE, &reason, 1, 1u << 20, false, &dead_letter, &err),
        OUT_OK);
    for (size_t i = 0; i < HEADERS_MAX; i++) /* in their order */
        ck_assert(bytes_equal(dead_letter.view.headers[i].value, headers[i].value));
    ck_assert(find(&dead_letter.view, DEAD_LETTER_CODE));
    ck_assert(bytes_equal(find(&dead_letter.view, DEAD_LETTER_ID)->value,
                          BYTES_LITERAL("drover.x.source-3-77")));
    ck_assert(!find(&dead_letter.view, DEAD_LETTER_TRUNCATED));
    dead_letter_free(&dead_letter);
}
END_TEST

START_TEST(the_largest_other_headers_go_first)
{
    struct error reason, err;
    struct dead_letter_message dead_letter;
    struct header headers[] = {
        {BYTES_LITERAL("small"), BYTES_LITERAL("s")},
        {BYTES_LITERAL("large"), {big, 9000}},
        {BYTES_LITERAL("drover-sealed"), {big, 5000}},
        {BYTES_LITERAL("larger"), {big, 12000}},
    };
    struct message_view message = {BYTES_LITERAL("k"), {big, 3000}, false, headers, 4};
    error_set(&reason, OUT_REJECT, ERR_VALUE_TYPE, "no number");
    ck_assert_int_eq(
        dead_letter_make(&message, &PLACE, &reason, 1, 19000, false, &dead_letter, &err), OUT_OK);
    ck_assert_uint_le(message_size(&dead_letter.view), 19000);
    ck_assert(bytes_equal(find(&dead_letter.view, DEAD_LETTER_TRUNCATED)->value,
                          BYTES_LITERAL("larger:12000")));
    ck_assert(find(&dead_letter.view, "large") && find(&dead_letter.view, "small"));
    ck_assert_uint_eq(dead_letter.view.value.size, 3000);
    dead_letter_free(&dead_letter);

    ck_assert_int_eq(
        dead_letter_make(&message, &PLACE, &reason, 1, 10000, false, &dead_letter, &err), OUT_OK);
    ck_assert(bytes_equal(find(&dead_letter.view, DEAD_LETTER_TRUNCATED)->value,
                          BYTES_LITERAL("larger:12000,large:9000")));
    ck_assert_uint_eq(find(&dead_letter.view, "drover-sealed")->value.size, 5000);
    dead_letter_free(&dead_letter);

    ck_assert_int_eq(
        dead_letter_make(&message, &PLACE, &reason, 1, 1u << 20, true, &dead_letter, &err), OUT_OK);
    ck_assert(!find(&dead_letter.view, "small") && find(&dead_letter.view, "drover-sealed"));
    dead_letter_free(&dead_letter);

    ck_assert_int_eq(
        dead_letter_make(&message, &PLACE, &reason, 1, 8000, false, &dead_letter, &err),
        OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_DEAD_LETTER_SIZE);
    ck_assert_str_eq(err.where, "drover.x.source-3@77");
    dead_letter_free(&dead_letter);
}
END_TEST

/* Whatever the message and the limit: the dead letter fits and what is missing is said, or there is
 * none because what must stay does not fit. */
START_TEST(random_dead_letters_fit_or_are_refused)
{
    struct error reason, err;
    char names[HEADERS_MAX][40];
    struct header headers[HEADERS_MAX];
    struct dead_letter_message dead_letter;
    srand((unsigned)_i + 1);
    size_t count = (size_t)(rand() % HEADERS_MAX), must = 0;
    struct message_view message = {{big, (size_t)(rand() % 100)},
                                   {big, (size_t)(rand() % 9000)},
                                   rand() % 5 == 0,
                                   headers,
                                   count};
    for (size_t i = 0; i < count; i++) {
        bool ours = rand() % 10 == 0;
        snprintf(names[i], sizeof names[i], "%s%zu", ours ? "drover-" : "x", i);
        headers[i] = (struct header){bytes_text(names[i]), {big, (size_t)(rand() % 400)}};
        must += ours ? message_header_size(&headers[i]) : 0;
    }
    must += message.key.size + (message.null_value ? 0 : message.value.size);
    error_set(&reason, OUT_REJECT, ERR_VALUE_TYPE, "no number");
    error_path(&reason, "/a/b");
    size_t max = (size_t)(rand() % 40000);
    enum outcome outcome =
        dead_letter_make(&message, &PLACE, &reason, 2, max, false, &dead_letter, &err);
    if (outcome == OUT_OK) {
        ck_assert_uint_le(message_size(&dead_letter.view), max);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            const struct header *found = find(&dead_letter.view, names[i]);
            kept += found != NULL;
            ck_assert(found || strncmp(names[i], "drover-", 7) != 0);
        }
        ck_assert((kept == count) == (find(&dead_letter.view, DEAD_LETTER_TRUNCATED) == NULL));
        ck_assert(bytes_equal(dead_letter.view.value, message.value));
    } else {
        ck_assert_uint_gt(must + DEAD_LETTER_ADDED_BYTES, max);
    }
    ck_assert_uint_le(message_size(&dead_letter.view),
                      message_size(&message) + DEAD_LETTER_ADDED_BYTES);
    dead_letter_free(&dead_letter);
}
END_TEST

static Suite *dead_letter_suite(void)
{
    Suite *suite = suite_create("dead_letter");
    TCase *tcase = tcase_create("all");
    memset(big, 'x', sizeof big);
    tcase_add_loop_test(tcase, reads_where_it_comes_from, 0, (int)(sizeof(IDS) / sizeof(IDS[0])));
    tcase_add_test(tcase, all_headers_are_kept);
    tcase_add_test(tcase, the_largest_other_headers_go_first);
    tcase_add_loop_test(tcase, random_dead_letters_fit_or_are_refused, 0, 300);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(dead_letter_suite)
