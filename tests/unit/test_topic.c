/* Topic names. */
#include "common/model/message/topic.h"

#include <string.h>

#include "tests/support/suite.h"

START_TEST(names_the_topics)
{
    static const char *const NAMES[] = {"drover.shop-1.source", "drover.shop-1.results",
                                        "drover.shop-1.dlq", "drover.shop-1.control",
                                        "drover.shop-1.state"};
    char names[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct error err;
    ck_assert_int_eq(topic_format_all("drover", "shop-1", names, &err), OUT_OK);
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        ck_assert_str_eq(names[kind], NAMES[kind]);
    ck_assert_int_eq(topic_format_all("drover", "shop/1", names, &err), OUT_FATAL);
}
END_TEST

START_TEST(refuses_what_kafka_would)
{
    static const char *const BAD[] = {"", "a b", "a/b", "ä", "a\nb", "a:b", "*"};
    char name[TOPIC_NAME_SIZE];
    struct error err;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        ck_assert_int_eq(topic_format(BAD[i], "m", TOPIC_DEAD_LETTERS, name, &err), OUT_FATAL);
        ck_assert_int_eq(err.code, ERR_CONF_VALUE);
        ck_assert_ptr_nonnull(strstr(err.text, "prefix"));
        ck_assert_int_eq(topic_format("p", BAD[i], TOPIC_DEAD_LETTERS, name, &err), OUT_FATAL);
        ck_assert_ptr_nonnull(strstr(err.text, "migration"));
    }
}
END_TEST

START_TEST(is_as_long_as_allowed_and_no_longer)
{
    char migration[TOPIC_NAME_SIZE + 1];
    memset(migration, 'm', sizeof(migration));
    migration[249 - strlen("p..source")] = '\0';
    char name[TOPIC_NAME_SIZE];
    struct error err;
    ck_assert_int_eq(topic_format("p", migration, TOPIC_SOURCE, name, &err), OUT_OK);
    ck_assert_uint_eq(strlen(name), 249);
    ck_assert_int_eq(topic_format("pp", migration, TOPIC_SOURCE, name, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_CONF_VALUE);
}
END_TEST

static Suite *topic_suite(void)
{
    Suite *suite = suite_create("topic");
    TCase *names = tcase_create("names");
    tcase_add_test(names, names_the_topics);
    tcase_add_test(names, refuses_what_kafka_would);
    tcase_add_test(names, is_as_long_as_allowed_and_no_longer);
    suite_add_tcase(suite, names);
    return suite;
}

SUITE_MAIN(topic_suite)
