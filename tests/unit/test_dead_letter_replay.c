/* What a dead letter says of itself, in the headers of each family, and what is sent again. */

#include "common/model/message/dead_letter_replay.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define H(name, value)                                                                             \
    {                                                                                              \
        {name, sizeof(name) - 1},                                                                  \
        {                                                                                          \
            value, sizeof(value) - 1                                                               \
        }                                                                                          \
    }

static const struct header CONNECT[] = {
    H("keep", "1"),
    H("__connect.errors.topic", "orders"),
    H("__connect.errors.partition", "3"),
    H("__connect.errors.offset", "77"),
    H("__connect.errors.stage", "VALUE_CONVERTER"),
    H("__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"),
    H("__connect.errors.exception.message", "no"),
    H("__connect.errors.exception.stacktrace", "at x"),
};
static const struct header SPRING[] = {
    H("kafka_dlt-original-topic", "orders"),
    H("kafka_dlt-original-partition", "\0\0\0\3"),
    H("kafka_dlt-original-offset", "\0\0\0\1\0\0\0\x4d"),
    H("kafka_dlt-original-timestamp", "\0\0\1\x90\0\0\0\0"),
    H("kafka_dlt-exception-fqcn", "org.springframework.kafka.ListenerException"),
    H("kafka_dlt-exception-cause-fqcn", "java.lang.IllegalStateException"),
    H("kafka_dlt-exception-message", "no"),
    H("keep", "1"),
    H("kafka_dlt-exception-stacktrace", "at x"),
};
static const struct header DROVER[] = {
    H("drover", "5 run-1 7"),
    H("drover-origin", "a.json:1:1@0"),
    H("keep", "1"),
    H("keep", "2"),
    H("__connect.errors.topic", "drover.m.source"),
    H("__connect.errors.partition", "2"),
    H("__connect.errors.offset", "9"),
    H("drover-error-code", "DRV-V004"),
    H("drover-error-path", "/kind"),
    H("drover-attempts", "3"),
    H("drover-dlq-id", "drover.m.source-2-9"),
    H("drover-replayed-from", "drover.m.source-2-1"),
    H("drover-log-version", "1234"),
};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool says(struct bytes text, const char *expected)
{
    return bytes_equal(text, bytes_text(expected));
}

START_TEST(connect_is_read)
{
    struct dead_letter_reading said = dead_letter_read_all(CONNECT, COUNT(CONNECT));
    ck_assert_int_eq(said.family, DEAD_LETTER_BY_CONNECT);
    ck_assert(said.has_place && says(said.topic, "orders"));
    ck_assert_int_eq(said.partition, 3);
    ck_assert_int_eq(said.offset, 77);
    ck_assert(says(said.code_text, "org.apache.kafka.connect.errors.DataException"));
    ck_assert(says(said.reason, "no") && says(said.details, "at x"));
    ck_assert_int_eq(said.code, ERR_NONE);
    ck_assert_int_eq(said.attempts, 1);
    ck_assert(!said.reason_is_ours);
}
END_TEST

START_TEST(spring_is_read)
{
    struct dead_letter_reading said = dead_letter_read_all(SPRING, COUNT(SPRING));
    ck_assert_int_eq(said.family, DEAD_LETTER_BY_SPRING);
    ck_assert(said.has_place && says(said.topic, "orders"));
    ck_assert_int_eq(said.partition, 3);
    ck_assert_int_eq(said.offset, (INT64_C(1) << 32) + 77);
    ck_assert(says(said.code_text, "java.lang.IllegalStateException"));
}
END_TEST

START_TEST(drover_is_read)
{
    struct dead_letter_reading said = dead_letter_read_all(DROVER, COUNT(DROVER));
    ck_assert_int_eq(said.family, DEAD_LETTER_BY_DROVER);
    ck_assert(said.has_place && says(said.id, "drover.m.source-2-9"));
    ck_assert_int_eq(said.code, ERR_VALUE_LENGTH);
    ck_assert(says(said.path, "/kind") && says(said.replayed_from, "drover.m.source-2-1"));
    ck_assert_int_eq(said.attempts, 3);
    ck_assert_int_eq(said.log_version, 1234);
}
END_TEST

/* A number that is none, of another size, or negative: there is no place. */
START_TEST(what_cannot_be_a_place_is_none)
{
    static const struct header LISTS[][3] = {
        {H("__connect.errors.topic", "t"), H("__connect.errors.partition", "x"),
         H("__connect.errors.offset", "1")},
        {H("__connect.errors.topic", "t"), H("__connect.errors.partition", "1"),
         H("__connect.errors.offset", "-1")},
        {H("kafka_dlt-original-topic", "t"), H("kafka_dlt-original-partition", "\xff\xff\xff\xff"),
         H("kafka_dlt-original-offset", "\0\0\0\0\0\0\0\1")},
        {H("kafka_dlt-original-topic", "t"), H("kafka_dlt-original-partition", "\0\0\0\1"),
         H("kafka_dlt-original-offset", "\0\0\0")},
    };
    for (size_t i = 0; i < COUNT(LISTS); i++) {
        struct dead_letter_reading said = dead_letter_read_all(LISTS[i], 3);
        ck_assert_msg(!said.has_place, "%zu", i);
        ck_assert_int_eq(said.partition, -1);
    }
}
END_TEST

static void make(const struct header *headers, size_t count, const struct dead_letter_again *again,
                 struct dead_letter_replay *replay)
{
    const struct message_view view = {BYTES_LITERAL("k"), BYTES_LITERAL("v"), false, headers,
                                      count};
    dead_letter_replay_make(&view, again, replay);
}

static const struct header *find(const struct dead_letter_replay *replay, const char *name)
{
    const struct header *found = NULL;
    for (size_t i = 0; i < replay->view.header_count; i++)
        if (says(replay->headers[i].name, name)) {
            ck_assert_msg(!found || strcmp(name, "keep") == 0, "%s is there twice", name);
            found = found ? found : &replay->headers[i];
        }
    return found;
}

static const struct dead_letter_again AGAIN = {.first_id = {"drover.m.source-2-1", 19},
                                               .attempts = 3,
                                               .run = {"again", 5},
                                               .sequence = 11,
                                               .version = 99,
                                               .has_version = true};

START_TEST(what_says_why_goes_and_the_rest_stays)
{
    struct dead_letter_replay replay;
    make(DROVER, COUNT(DROVER), &AGAIN, &replay);
    ck_assert_uint_eq(replay.view.header_count, 6);
    ck_assert(says(find(&replay, "drover")->value, "5 again 11")); /* its own version */
    ck_assert(says(find(&replay, "drover-replayed-from")->value, "drover.m.source-2-1"));
    ck_assert(says(find(&replay, "drover-attempts")->value, "3"));
    ck_assert(says(find(&replay, "drover-origin")->value, "a.json:1:1@0"));
    ck_assert(says(replay.headers[1].value, "1") && says(replay.headers[2].value, "2"));
    ck_assert(says(replay.view.key, "k") && says(replay.view.value, "v"));
    dead_letter_replay_free(&replay);
    make(CONNECT, COUNT(CONNECT), &AGAIN, &replay);
    ck_assert_uint_eq(replay.view.header_count, 4);
    ck_assert(says(find(&replay, "drover")->value, "99 again 11")); /* it has none */
    dead_letter_replay_free(&replay);
    make(SPRING, COUNT(SPRING), &AGAIN, &replay);
    ck_assert_uint_eq(replay.view.header_count, 4);
    ck_assert(find(&replay, "keep") != NULL);
    dead_letter_replay_free(&replay);
}
END_TEST

START_TEST(a_version_of_its_own_header_stays)
{
    static const struct header HEADERS[] = {H("drover-version", "8"), H("drover-run", "old"),
                                            H("drover-seq", "4")};
    struct dead_letter_replay replay;
    make(HEADERS, COUNT(HEADERS), &AGAIN, &replay);
    ck_assert(says(find(&replay, "drover")->value, "- again 11"));
    ck_assert(says(find(&replay, "drover-version")->value, "8"));
    ck_assert(!find(&replay, "drover-run") && !find(&replay, "drover-seq"));
    dead_letter_replay_free(&replay);
}
END_TEST

/* Sent again and refused again: the attempts are counted on, its chain is kept. */
START_TEST(a_chain_goes_on)
{
    struct error reason, err;
    struct dead_letter_replay replay;
    struct dead_letter_message dead_letter;
    const struct dead_letter_place place = {"drover.m.source", 2, 30, 0};
    error_set(&reason, OUT_REJECT, ERR_VALUE_LENGTH, "too long");
    make(DROVER, COUNT(DROVER), &AGAIN, &replay);
    ck_assert_int_eq(
        dead_letter_make(&replay.view, &place, &reason, 1, 1u << 20, false, &dead_letter, &err),
        OUT_OK);
    struct dead_letter_reading said =
        dead_letter_read_all(dead_letter.headers, dead_letter.view.header_count);
    ck_assert_int_eq(said.attempts, 4);
    ck_assert(says(said.replayed_from, "drover.m.source-2-1"));
    ck_assert(says(said.id, "drover.m.source-2-30"));
    size_t attempts = 0;
    for (size_t i = 0; i < dead_letter.view.header_count; i++)
        attempts += says(dead_letter.headers[i].name, "drover-attempts");
    ck_assert_uint_eq(attempts, 1);
    dead_letter_free(&dead_letter);
    dead_letter_replay_free(&replay);
}
END_TEST

static Suite *dead_letter_replay_suite(void)
{
    Suite *suite = suite_create("dead_letter_replay");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, connect_is_read);
    tcase_add_test(tcase, spring_is_read);
    tcase_add_test(tcase, drover_is_read);
    tcase_add_test(tcase, what_cannot_be_a_place_is_none);
    tcase_add_test(tcase, what_says_why_goes_and_the_rest_stays);
    tcase_add_test(tcase, a_version_of_its_own_header_stays);
    tcase_add_test(tcase, a_chain_goes_on);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(dead_letter_replay_suite)
