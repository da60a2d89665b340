/* Entries of the state topic. */
#include "common/model/message/state_entry.h"

#include <string.h>

#include "tests/support/suite.h"

START_TEST(keys_are_what_they_were_made_of)
{
    struct buf key;
    enum state_kind kind;
    struct bytes id;
    buf_init(&key, 1024);
    state_entry_append_key(&key, STATE_VERIFY, BYTES_LITERAL("host/1"));
    ck_assert_str_eq(buf_text(&key), "verify/host/1");
    ck_assert(state_entry_split_key(buf_view(&key), &kind, &id));
    ck_assert_int_eq(kind, STATE_VERIFY);
    ck_assert(bytes_equal(id, BYTES_LITERAL("host/1")));
    buf_free(&key);
}
END_TEST

START_TEST(refuses_keys_of_others)
{
    static const char *const BAD[] = {"",          "follow", "follow/", "verify",
                                      "followx/1", "/1",     "dlq/1"};
    enum state_kind kind;
    struct bytes id;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        ck_assert_msg(!state_entry_split_key(bytes_text(BAD[i]), &kind, &id), "%s", BAD[i]);
    char large[STATE_ENTRY_ID_MAX + 16] = "follow/";
    memset(large + 7, 'a', STATE_ENTRY_ID_MAX);
    ck_assert(state_entry_split_key(bytes_text(large), &kind, &id));
    large[7 + STATE_ENTRY_ID_MAX] = 'a';
    ck_assert(!state_entry_split_key(bytes_text(large), &kind, &id));
}
END_TEST

START_TEST(a_value_is_of_its_kind)
{
    struct buf value;
    struct json_out out;
    buf_init(&value, 1024);
    json_out_init(&out, &value);
    state_entry_begin(&out, STATE_FOLLOW, BYTES_LITERAL("h-1"), "h", 0);
    json_out_count(&out, "files", 3);
    json_out_end(&out);
    ck_assert_str_eq(buf_text(&value), "{\"kind\":\"follow\",\"id\":\"h-1\",\"host\":\"h\",\"at\":"
                                       "\"1970-01-01T00:00:00.000Z\",\"files\":3}");
    yyjson_doc *doc = state_entry_read(buf_view(&value), STATE_FOLLOW);
    ck_assert_ptr_nonnull(doc);
    yyjson_doc_free(doc);
    ck_assert_ptr_null(state_entry_read(buf_view(&value), STATE_VERIFY));
    ck_assert_ptr_null(state_entry_read(BYTES_LITERAL("{"), STATE_FOLLOW));
    ck_assert_ptr_null(state_entry_read(BYTES_LITERAL("[]"), STATE_FOLLOW));
    ck_assert_ptr_null(state_entry_read((struct bytes){0}, STATE_FOLLOW));
    buf_free(&value);
}
END_TEST

static Suite *state_entry_suite(void)
{
    Suite *suite = suite_create("state_entry");
    TCase *entries = tcase_create("entries");
    tcase_add_test(entries, keys_are_what_they_were_made_of);
    tcase_add_test(entries, refuses_keys_of_others);
    tcase_add_test(entries, a_value_is_of_its_kind);
    suite_add_tcase(suite, entries);
    return suite;
}

SUITE_MAIN(state_entry_suite)
