/* The digest of the settings: the same for the same rules, whatever the secrets, the folders and
 * the logging are; another one for other rules. */
#include "common/io/settings_digest.h"

#include <string.h>

#include "tests/support/suite.h"

static struct settings settings;
static struct mapping mapping;
static struct mapping_set mappings;
static struct conf conf;

static void setup(void)
{
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    conf_init(&conf, fields, count, &settings);
    settings.migration = "shop";
    settings.database_url = "postgresql://drover:one@db/shop";
    static struct mapping *items[] = {&mapping};
    mapping = (struct mapping){.entity = "order"};
    mappings = (struct mapping_set){.items = items, .count = 1};
}

static void teardown(void)
{
    settings.database_url = NULL; /* a literal: not to be wiped */
    conf_free(&conf);
}

static const char *digest(void)
{
    static char out[2][SETTINGS_DIGEST_SIZE];
    static unsigned turn;
    char *next = out[turn++ % 2];
    settings_digest(&settings, &mappings, next);
    ck_assert_uint_eq(strlen(next), SETTINGS_DIGEST_SIZE - 1);
    return next;
}

START_TEST(test_what_does_not_count)
{
    const char *before = digest();
    ck_assert_str_eq(digest(), before);
    before = digest();
    settings.database_url = "postgresql://drover:two@db/shop";
    ck_assert_str_eq(digest(), before);
    before = digest();
    settings.log_level = "debug";
    settings.state_dir = "/elsewhere";
    settings.report_dir = "/elsewhere";
    settings.report_keep = 3;
    settings.key_file = "/elsewhere";
    settings.json = true;
    ck_assert_str_eq(digest(), before);
}
END_TEST

START_TEST(test_what_counts)
{
    const char *before = digest();
    settings.database_url = "postgresql://drover:one@other/shop";
    ck_assert_str_ne(digest(), before);
    before = digest();
    settings.only_tenant = "south";
    ck_assert_str_ne(digest(), before);
    before = digest();
    settings.batch_records++;
    ck_assert_str_ne(digest(), before);
    before = digest();
    mapping.fingerprint.bytes[3]++;
    ck_assert_str_ne(digest(), before);
    before = digest();
    settings.kafka = (struct conf_map){(const char *[]){"acks"}, (const char *[]){"all"}, 1};
    ck_assert_str_ne(digest(), before);
}
END_TEST

static Suite *settings_digest_suite(void)
{
    Suite *suite = suite_create("settings_digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_what_does_not_count);
    tcase_add_test(tcase, test_what_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(settings_digest_suite)
