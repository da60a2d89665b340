#include "common/policy/export/export_record_text.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "tests/support/export_files.h"
#include "tests/support/suite.h"

#define COLUMNS_OF_LOCALSTORAGE                                                                    \
    "  - { name: user_id, from: $user, type: text }\n"                                             \
    "  - { name: origin, from: $origin, type: text }\n"

static const char AGENT[] =
    "entity: agent\ntable: agent\nkey: [user_id, origin, id]\n"
    "collect: { local_storage: \"ai_agents_{tenant}\" }\n"
    "columns:\n" COLUMNS_OF_LOCALSTORAGE "  - { name: id, from: /id, type: text }\n"
    "  - { name: sequence, from: $index, type: int4 }\n"
    "rest: extra\n";
static const char SESSION[] =
    "entity: chat_session\ntable: chat_session\nkey: [user_id, origin, session_id]\n"
    "collect: { local_storage: \"chat_session_*\", expand: container }\n"
    "columns:\n" COLUMNS_OF_LOCALSTORAGE "  - { name: session_id, from: $key_suffix, type: text }\n"
    "rest: extra\n";
static const char MESSAGE[] =
    "entity: chat_message\ntable: chat_message\nkey: [user_id, origin, session_id, number]\n"
    "collect: { local_storage: \"chat_session_*\", expand: elements }\n"
    "columns:\n" COLUMNS_OF_LOCALSTORAGE "  - { name: session_id, from: $key_suffix, type: text }\n"
    "  - { name: number, from: $index1, type: int4 }\n"
    "rest: extra\n";
static const char ITEM[] =
    "entity: item\ntable: item\nkey: [user_id, origin, key]\n"
    "collect: { local_storage: \"*\", expand: text }\n"
    "columns:\n" COLUMNS_OF_LOCALSTORAGE "  - { name: key, from: $key, type: text }\n"
    "rest: extra\n";
static const char PREFERENCES[] =
    "entity: preferences\ntable: preferences\nkey: [user_id, origin]\n"
    "collect:\n  local_storage: [theme, \"*_preferences_*\", \"*_settings_*\"]\n"
    "  expand: merge\n"
    "  merge: { ui: \"*ui_preferences*\", advanced: \"*\" }\n  take: { theme: theme }\n"
    "columns:\n" COLUMNS_OF_LOCALSTORAGE "rest: extra\n";
static const char PROJECT[] = "entity: project\ntable: project\nkey: [id]\n"
                              "collect:\n  map_dump: projects\n"
                              "  join: { map_dump: marketplace, on: /projectId, as: market }\n"
                              "columns:\n  - { name: id, from: /id, type: text }\n"
                              "  - { name: map_key, from: $key, type: text }\n"
                              "rest: extra\n";
static const char BOTH[] = "entity: server\ntable: server\nkey: [id]\n"
                           "collect: { local_storage: \"servers_{tenant}\", map_dump: servers }\n"
                           "columns:\n  - { name: id, from: /id, type: text }\n"
                           "  - { name: map_key, from: $key, type: text }\n"
                           "rest: extra\n";
static const char KEYED[] = "entity: kv\ntable: kv\nkey: [key]\n"
                            "collect: { files: \"*.kv.json.gz\" }\n"
                            "columns:\n  - { name: key, from: $key, type: text }\n"
                            "  - { name: value, from: $value, type: jsonb }\n";
static const char LINES[] = "entity: event\ntable: event\nkey: [id]\n"
                            "collect: { files: \"event*.ndjson\" }\n"
                            "columns:\n  - { name: id, from: /id, type: text }\nrest: extra\n";

static struct export_files files;
static struct export_maker maker;

static void begin(enum export_form form)
{
    export_files_init(&files);
    export_maker_init(&maker, form, BYTES_LITERAL("acme"), export_files_take, &files);
}

static void end(void)
{
    export_maker_free(&maker);
    export_files_free(&files);
}

/* One record through the mapping, as it was read: from localStorage key `key` at `index`. */
static enum outcome put_with(const char *yaml, const char *payload, const char *key, int64_t index,
                             const char *user, bool cells)
{
    struct mapping *mapping = NULL;
    struct mapping_work work;
    struct arena arena;
    struct error err = {0};
    struct row row;
    yyjson_doc *doc = NULL;
    ck_assert_msg(mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err) == OUT_OK, "%s",
                  err.text);
    mapping_work_init(&work);
    arena_init(&arena, 1u << 20);
    struct record record = {.tenant = BYTES_LITERAL("acme"),
                            .entity = bytes_text(mapping->entity),
                            .version = 1,
                            .has_version = true,
                            .payload = bytes_text(payload),
                            .source_key = key ? bytes_text(key) : (struct bytes){0},
                            .index = index,
                            .user = bytes_text(user),
                            .localstorage_origin = BYTES_LITERAL("")};
    ck_assert_msg(mapping_forward(mapping, &record, &work, &arena, &row, &err) == OUT_OK, "%s",
                  err.text);
    ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &doc, &err), OUT_OK);
    /* as stores give it back */
    struct buf canonical;
    buf_init(&canonical, 1u << 20);
    canonical_append(&canonical, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    ck_assert_int_eq(json_parse(buf_view(&canonical), JSON_UNICODE_REJECT, NULL, &doc, &err),
                     OUT_OK);
    buf_free(&canonical);
    struct export_record stored = {mapping, row.id, cells ? row.cells : NULL,
                                   yyjson_doc_get_root(doc)};
    enum outcome outcome = export_make(&maker, &stored, &err);
    yyjson_doc_free(doc);
    arena_free(&arena);
    mapping_work_free(&work);
    mapping_free(mapping);
    return outcome;
}

static void put(const char *yaml, const char *payload, const char *key, int64_t index)
{
    ck_assert_int_eq(put_with(yaml, payload, key, index, "", true), OUT_OK);
}

START_TEST(localstorage_values_come_back_under_their_keys)
{
    begin(EXPORT_LOCALSTORAGE);
    put(AGENT, "{\"id\":\"a\",\"n\":1}", "ai_agents_acme", 1);
    put(AGENT, "{\"id\":\"z\",\"s\":\"say \\\"hi\\\"\"}", "ai_agents_acme", 0);
    put(SESSION, "{\"form\":\"array\"}", "chat_session_s1", -1);
    for (int64_t i = 10; i >= 0; i--)
        put(MESSAGE, i ? "{\"c\":2}" : "{\"c\":1}", "chat_session_s1", i);
    put(SESSION, "{\"form\":\"array\"}", "chat_session_empty", -1);
    put(SESSION, "{\"form\":\"value\",\"value\":{\"o\":[]}}", "chat_session_o", -1);
    put(ITEM, "{\"value\":\"not { json\"}", "odd", -1);
    ck_assert_str_eq(export_files_write(&files, "local_storage.json"),
                     "{\n"
                     "\"ai_agents_acme\":\"[{\\\"id\\\":\\\"z\\\",\\\"s\\\":\\\"say "
                     "\\\\\\\"hi\\\\\\\"\\\"},{\\\"id\\\":\\\"a\\\",\\\"n\\\":1}]\",\n"
                     "\"chat_session_empty\":\"[]\",\n"
                     "\"chat_session_o\":\"{\\\"o\\\":[]}\",\n"
                     "\"chat_session_s1\":\"[{\\\"c\\\":1},{\\\"c\\\":2},{\\\"c\\\":2},"
                     "{\\\"c\\\":2},{\\\"c\\\":2},{\\\"c\\\":2},{\\\"c\\\":2},{\\\"c\\\":2},"
                     "{\\\"c\\\":2},{\\\"c\\\":2},{\\\"c\\\":2}]\",\n"
                     "\"odd\":\"not { json\"\n}\n");
    ck_assert_uint_eq(files.writer.dropped, 0);
    end();
}
END_TEST

START_TEST(what_was_merged_is_split_again)
{
    begin(EXPORT_LOCALSTORAGE);
    put(PREFERENCES,
        "{\"theme\":\"dark\",\"ui\":{\"a\":1,\"b\":2},\"advanced\":{\"c\":3},"
        "\"keys\":{\"theme\":true,\"ui_preferences_1\":{\"a\":1},\"ui_preferences_2\":{\"b\":2},"
        "\"x_settings_y\":true}}",
        NULL, -1);
    ck_assert_str_eq(export_files_write(&files, "local_storage.json"),
                     "{\n\"theme\":\"dark\",\n"
                     "\"ui_preferences_1\":\"{\\\"a\\\":1}\",\n"
                     "\"ui_preferences_2\":\"{\\\"b\\\":2}\",\n"
                     "\"x_settings_y\":\"{\\\"c\\\":3}\"\n}\n");
    ck_assert_int_eq(put_with(PREFERENCES, "{\"theme\":\"dark\"}", NULL, -1, "u", true),
                     OUT_REJECT);
    end();
}
END_TEST

START_TEST(each_user_and_origin_has_a_file)
{
    static const char *const NAMES[][2] = {
        {"", "local_storage.json"},
        {"u1", "local_storage-user-u1.json"},
        {"../x", "local_storage-user-%2E%2E%2Fx.json"},
        {"a-origin-b", "local_storage-user-a%2Dorigin%2Db.json"},
    };
    begin(EXPORT_LOCALSTORAGE);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(put_with(ITEM, "{\"value\":\"v\"}", "k", -1, NAMES[i][0], false), OUT_OK);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(export_files_write(&files, NAMES[i][1]), "{\n\"k\":\"v\"\n}\n");
    export_files_clear(&files);
    maker.user = "u1";
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(put_with(ITEM, "{\"value\":\"v\"}", "k", -1, NAMES[i][0], true), OUT_OK);
    put(BOTH, "{\"id\":\"1\"}", "servers_acme", 0); /* has no $user: everybody's */
    ck_assert_uint_eq(files.count, 2);
    ck_assert_ptr_nonnull(export_files_write(&files, "local_storage-user-u1.json"));
    end();
}
END_TEST

START_TEST(maps_come_back_with_what_was_joined)
{
    begin(EXPORT_MAP_DUMP);
    put(PROJECT, "{\"id\":\"p1\",\"market\":{\"id\":\"m1\",\"projectId\":\"p1\"}}", "key 1", -1);
    put(PROJECT, "{\"id\":\"p:2\",\"n\":1.50}", NULL, -1);
    put(PROJECT, "{\"id\":\"p3\"}", "", -1); /* an empty name is a name */
    put(BOTH, "{\"id\":\"s\"}", "s", -1);
    put(BOTH, "{\"id\":\"t\"}", "servers_acme", 3); /* came from a browser */
    ck_assert_uint_eq(maker.elsewhere, 1);
    ck_assert_str_eq(export_files_write(&files, "maps.json"),
                     "{\n\"marketplace\":{\n\"m1\":{\"id\":\"m1\",\"projectId\":\"p1\"}\n},\n"
                     "\"projects\":{\n\"\":{\"id\":\"p3\"},\n\"key 1\":{\"id\":\"p1\"},\n"
                     "\"p:2\":{\"id\":\"p:2\",\"n\":1.5}\n},\n"
                     "\"servers\":{\n\"s\":{\"id\":\"s\"}\n}\n}\n");
    end();
}
END_TEST

START_TEST(files_are_lists_lines_or_keyed)
{
    begin(EXPORT_FILE);
    put(KEYED, "[1,{\"a\":null}]", "one", -1);
    put(KEYED, "\"text\"", "two \"2\"", -1);
    put(LINES, "{\"id\":\"b\"}", NULL, 0);
    put(LINES, "{\"id\":\"a\"}", NULL, 1);
    ck_assert_str_eq(export_files_write(&files, "kv.kv.json"),
                     "{\n\"one\":[1,{\"a\":null}],\n\"two \\\"2\\\"\":\"text\"\n}\n");
    ck_assert_str_eq(export_files_write(&files, "event.ndjson"),
                     "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
    end();
}
END_TEST

START_TEST(stale_elements_do_not_break_a_value)
{
    begin(EXPORT_LOCALSTORAGE);
    put(SESSION, "{\"form\":\"value\",\"value\":1}", "chat_session_x", -1);
    put(MESSAGE, "{\"c\":1}", "chat_session_x", 0);
    ck_assert_str_eq(export_files_write(&files, "local_storage.json"),
                     "{\n\"chat_session_x\":\"1\"\n}\n");
    ck_assert_uint_eq(files.writer.dropped, 1);
    end();
}
END_TEST

START_TEST(a_key_that_needs_the_tenant_is_refused_without_one)
{
    begin(EXPORT_LOCALSTORAGE);
    maker.tenant = BYTES_LITERAL("");
    ck_assert_int_eq(put_with(AGENT, "{\"id\":\"a\"}", "ai_agents_acme", 0, "", true), OUT_REJECT);
    ck_assert_uint_eq(files.count, 0);
    end();
}
END_TEST

static Suite *export_suite(void)
{
    Suite *suite = suite_create("export");
    TCase *tcase = tcase_create("export");
    tcase_add_test(tcase, localstorage_values_come_back_under_their_keys);
    tcase_add_test(tcase, what_was_merged_is_split_again);
    tcase_add_test(tcase, each_user_and_origin_has_a_file);
    tcase_add_test(tcase, maps_come_back_with_what_was_joined);
    tcase_add_test(tcase, files_are_lists_lines_or_keyed);
    tcase_add_test(tcase, stale_elements_do_not_break_a_value);
    tcase_add_test(tcase, a_key_that_needs_the_tenant_is_refused_without_one);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(export_suite)
