/* localStorage → rows → localStorage, 10,000 generated payloads. */
#include "tests/support/export_trip.h"
#include "tests/support/suite.h"

/* Two storage values: the same text, or the same JSON. */
static void compare_values(struct bytes key, yyjson_val *source, yyjson_val *exported)
{
    ck_assert_msg(yyjson_is_str(exported), "%.*s is not in the export", BYTES_ARGS(key));
    struct bytes a = text_of(source), b = text_of(exported);
    if (bytes_equal(a, b))
        return;
    yyjson_doc *left = parse(a), *right = parse(b);
    ck_assert_msg(canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right)),
                  "%.*s\n source %.*s\n export %.*s", BYTES_ARGS(key), BYTES_ARGS(a),
                  BYTES_ARGS(b));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
}

static void compare_storages(struct bytes source, const char *exported)
{
    ck_assert_msg(exported != NULL, "nothing was exported of %.*s", BYTES_ARGS(source));
    yyjson_doc *left = parse(source), *right = parse(bytes_text(exported));
    yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(left));
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&iter)))
        compare_values(
            text_of(key), yyjson_obj_iter_get_val(key),
            yyjson_obj_getn(yyjson_doc_get_root(right), yyjson_get_str(key), yyjson_get_len(key)));
    ck_assert_uint_eq(yyjson_obj_size(yyjson_doc_get_root(left)),
                      yyjson_obj_size(yyjson_doc_get_root(right)));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
}

/* ---- localStorage */

static void begin_value(struct buf *out, const char *key)
{
    buf_append_text(out, out->size ? "," : "{");
    buf_append_format(out, "\"%s\":", key);
}

/* `json` becomes the string under the key. */
static void put_value(struct buf *out, const char *key, struct buf *json)
{
    begin_value(out, key);
    json_append_string(out, buf_view(json));
    buf_reset(json);
}

static void put_list(struct random *random, struct buf *out, struct buf *json, const char *key,
                     const char *const *texts)
{
    unsigned count = 1 + random_below(random, 4);
    buf_append_char(json, '[');
    for (unsigned i = 0; i < count; i++) {
        buf_append_format(json, "%s{\"id\":\"%u\\u00e4\"", i ? ", " : "", (i * 7) % 5);
        for (size_t t = 0; texts[t]; t++)
            maybe_text(random, texts[t], json);
        random_members(random, 2, ',', json);
        buf_append_char(json, '}');
    }
    buf_append_char(json, ']');
    put_value(out, key, json);
}

static void put_chat(struct random *random, struct buf *out, struct buf *json, const char *key)
{
    static const char *const ROLES[] = {"user", "assistant", "system", "tool"};
    static const char *const TIMES[] = {"", ",\"timestamp\":\"2024-01-02T03:04:05.678Z\"",
                                        ",\"timestamp\":null",
                                        ",\"timestamp\":\"2024-01-02T03:04:05+02:00\""};
    unsigned count = random_below(random, 5);
    if (random_below(random, 8) == 0) { /* no list: kept as it is */
        random_members(random, 2, '{', json);
        buf_append_char(json, '}');
        put_value(out, key, json);
        return;
    }
    buf_append_char(json, '[');
    for (unsigned i = 0; i < count; i++) {
        buf_append_format(json, "%s{\"role\":\"%s\",\"%s\":", i ? "," : "",
                          ROLES[random_below(random, 4)],
                          random_below(random, 2) ? "content" : "message");
        random_string(random, json);
        buf_append_text(json, TIMES[random_below(random, 4)]);
        random_members(random, 1, ',', json);
        buf_append_char(json, '}');
    }
    buf_append_char(json, ']');
    put_value(out, key, json);
}

static void put_object(struct random *random, struct buf *out, struct buf *json, const char *key)
{
    random_members(random, 2, '{', json);
    buf_append_char(json, '}');
    put_value(out, key, json);
}

static void generate_localstorage(struct random *random, struct buf *out)
{
    static const char *const AGENT[] = {"name", "description", "systemPrompt", "status", NULL};
    static const char *const SERVER[] = {"name", "url", "createdBy", NULL};
    static const char *const CONFIG[] = {"name", "provider", "model", "apiKey", "endpoint", NULL};
    struct buf json;
    buf_init(&json, 1u << 20);
    buf_reset(out);
    begin_value(out, "note");
    random_string(random, out);
    if (random_below(random, 3) == 0)
        put_list(random, out, &json, "ai_agents_acme", AGENT);
    if (random_below(random, 3) == 0)
        put_list(random, out, &json, "user_llm_configs_acme", CONFIG);
    if (random_below(random, 3) == 0) {
        buf_append_text(&json, "[{\"id\":\"s\",\"status\":\"active\"");
        for (size_t i = 0; SERVER[i]; i++)
            maybe_text(random, SERVER[i], &json);
        buf_append_text(&json, "}]");
        put_value(out, "tenant_mcp_servers_acme", &json);
    }
    if (random_below(random, 3) == 0)
        put_chat(random, out, &json, "chat_session_acme_global");
    if (random_below(random, 3) == 0)
        put_chat(random, out, &json, "chat_session_\xc3\xa4:1/%");
    if (random_below(random, 2)) {
        begin_value(out, "theme");
        random_string(random, out);
    }
    if (random_below(random, 3) == 0)
        put_object(random, out, &json, "ui_preferences_acme");
    if (random_below(random, 3) == 0)
        put_object(random, out, &json, "old_ui_preferences_acme");
    if (random_below(random, 3) == 0)
        put_object(random, out, &json, "editor_settings_acme");
    buf_append_char(out, '}');
    buf_free(&json);
}

START_TEST(localstorage_comes_back)
{
    static const char *const NAMES[] = {
        "agent",        "llm_config",       "mcp_server",        "chat_session",
        "chat_message", "user_preferences", "local_storage_item"};
    struct trip *trip = trip_new(EXPORT_LOCALSTORAGE);
    struct random random = {_i};
    const int rounds = trip_rounds();
    struct buf payload;
    buf_init(&payload, 1u << 20);
    for (size_t i = 0; i < RANDOM_COUNT(NAMES); i++)
        load(trip, NAMES[i]);
    trip->maker.user = "u1";
    for (int i = 0; i < rounds; i++) {
        generate_localstorage(&random, &payload);
        read_payload(trip, COLLECT_LOCALSTORAGE, buf_view(&payload));
        compare_storages(buf_view(&payload),
                         export_files_write(&trip->files, "local_storage-user-u1.json"));
        ck_assert_uint_eq(trip->files.writer.dropped, 0);
    }
    ck_assert_uint_gt(trip->records, rounds);
    ck_assert_uint_gt(trip->opened, 0);
    buf_free(&payload);
    trip_free(trip);
}
END_TEST

static Suite *export_localstorage_suite(void)
{
    Suite *suite = suite_create("export_storage");
    TCase *tcase = tcase_create("export_storage");
    tcase_add_loop_test(tcase, localstorage_comes_back, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(export_localstorage_suite)
