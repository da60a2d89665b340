#include "common/policy/secrets/secret_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/json.h"
#include "tests/support/suite.h"

static const char MAPPING[] =
    "entity: config\n"
    "table: config\n"
    "key: [id]\n"
    "columns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: api_key, from: /apiKey, type: text, seal: true }\n"
    "  - { name: secret_part, from: /deep/part, type: text, seal: true }\n"
    "  - { name: gone, from: /gone, type: text, withhold: true }\n"
    "rest: extra\n";
static const char PLAIN_MAPPING[] = "entity: note\n"
                                    "table: note\n"
                                    "key: [id]\n"
                                    "columns:\n"
                                    "  - { name: id, from: /id, type: text }\n"
                                    "rest: extra\n";
static const char STORE_MAPPING[] = "entity: entry\n"
                                    "table: entry\n"
                                    "key: [name]\n"
                                    "columns:\n"
                                    "  - { name: name, from: $key, type: text }\n"
                                    "  - { name: value, from: $value, type: jsonb }\n";

static struct mapping *sealing, *ordinary, *store;
static struct secret_ring ring;
static struct secret_guard guard;
static struct guarded out;
static struct error err;

static struct mapping *parse(const char *text)
{
    struct mapping *mapping = NULL;
    enum outcome outcome = mapping_parse("test.yaml", bytes_text(text), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s", err.text);
    return mapping;
}

static void set_up(void)
{
    sealing = parse(MAPPING);
    ordinary = parse(PLAIN_MAPPING);
    store = parse(STORE_MAPPING);
    secret_ring_generate(&ring);
    secret_guard_init(&guard, &ring, true);
}

static void tear_down(void)
{
    mapping_free(sealing);
    mapping_free(ordinary);
    mapping_free(store);
    secret_guard_free(&guard);
}

static struct record record_of(const char *payload)
{
    return (struct record){.tenant = BYTES_LITERAL("acme"),
                           .entity = BYTES_LITERAL("config"),
                           .id = BYTES_LITERAL("c1"),
                           .payload = bytes_text(payload)};
}

static enum outcome apply_keyed(const struct mapping *mapping, const char *key, const char *payload)
{
    struct record record = record_of(payload);
    record.source_key = bytes_text(key);
    memset(&err, 0, sizeof err);
    return secret_guard_apply(&guard, mapping, &record, &out, &err);
}

static enum outcome apply(const struct mapping *mapping, const char *payload)
{
    return apply_keyed(mapping, "", payload);
}

static bool holds(struct bytes text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part));
}

/* Opens box number `at` of the header; field and plaintext must be these. */
static void check_box(int at, const char *field, const char *text)
{
    struct sealed_box box;
    struct buf plain;
    size_t from = 0;
    bool bad;
    buf_init(&plain, 1u << 20);
    for (int i = 0; i <= at; i++)
        ck_assert_msg(secret_sealed_next(out.sealed, &from, &box, &bad), "box %d of %d", i, at);
    ck_assert_msg(bytes_equal(box.field, bytes_text(field)), "%.*s", BYTES_ARGS(box.field));
    struct secret_place place = {BYTES_LITERAL("acme"), BYTES_LITERAL("config"),
                                 BYTES_LITERAL("c1"), box.field};
    ck_assert_int_eq(secret_box_open(&ring, &place, box.box, &plain, NULL), OUT_OK);
    ck_assert_msg(bytes_equal(buf_view(&plain), bytes_text(text)), "%s", buf_text(&plain));
    ck_assert(holds(out.payload, "sec_"));
    buf_free(&plain);
}

START_TEST(what_the_mapping_names_is_taken)
{
    guard.detect = false;
    ck_assert_int_eq(apply(sealing, "{\"id\":\"c1\", \"apiKey\":\"canary1\",\"deep\":{\"part\":{"
                                    "\"b\":1.50,\"a\":[null]}},\"gone\":\"canary2\",\"n\":1e2}"),
                     OUT_OK);
    ck_assert(out.changed);
    ck_assert_uint_eq(out.sealed_count, 2);
    ck_assert_uint_eq(out.withheld_count, 1);
    check_box(0, "/apiKey", "\"canary1\"");
    check_box(1, "/deep/part", "{\"a\":[null],\"b\":1.5}");
    ck_assert(holds(out.payload, "\"gone\":{\"$withheld\":\"token\"}"));
    ck_assert(holds(out.payload, "\"n\":1e2"));
    ck_assert(!holds(out.payload, "canary"));
    ck_assert(!holds(out.sealed, "canary"));
}
END_TEST

START_TEST(an_untouched_payload_stays_byte_for_byte)
{
    static const char PAYLOAD[] = "{ \"id\" : \"c1\",\"apiKey\":null, \"n\":1.0 }";
    ck_assert_int_eq(apply(sealing, PAYLOAD), OUT_OK);
    ck_assert(!out.changed);
    ck_assert_ptr_eq(out.payload.data, PAYLOAD);
    ck_assert_uint_eq(out.sealed.size, 0);
    struct record record = record_of("");
    record.operation = OP_DELETE;
    ck_assert_int_eq(secret_guard_apply(&guard, sealing, &record, &out, &err), OUT_OK);
    ck_assert(!out.changed);
}
END_TEST

START_TEST(the_same_record_gives_the_same_message)
{
    struct buf first;
    buf_init(&first, 1u << 20);
    ck_assert_int_eq(apply(sealing, "{\"id\":\"c1\",\"apiKey\":{\"a\":1,\"b\":2}}"), OUT_OK);
    buf_append_bytes(&first, out.payload);
    buf_append_bytes(&first, out.sealed);
    ck_assert_int_eq(apply(sealing, "{\"id\":\"c1\", \"apiKey\":{\"b\":2.0,\"a\":1}}"), OUT_OK);
    ck_assert_uint_eq(first.size, out.payload.size + out.sealed.size);
    ck_assert_mem_eq(first.data, out.payload.data, out.payload.size);
    ck_assert_mem_eq(first.data + out.payload.size, out.sealed.data, out.sealed.size);
    buf_free(&first);
}
END_TEST

/* FAULTS L08, X09: thirty places, the canary in each, found and gone. */
static const struct {
    const char *payload, *field;
} PLACEMENTS[] = {
    {"{\"id\":1,\"apiKey\":\"canary\"}", "/apiKey"},
    {"{\"id\":1,\"a\":{\"b\":{\"api_key\":\"canary\"}}}", "/a/b/api_key"},
    {"{\"id\":1,\"list\":[1,{\"password\":\"canary\"}]}", "/list/1/password"},
    {"{\"id\":1,\"list\":[[{\"secret\":\"canary\"}]]}", "/list/0/0/secret"},
    {"{\"id\":1,\"password\":4711}", "/password"},
    {"{\"id\":1,\"credentials\":{\"user\":\"u\",\"word\":\"canary\"}}", "/credentials"},
    {"{\"id\":1,\"apiKeys\":[\"canary\",\"b\"]}", "/apiKeys"},
    {"{\"id\":1,\"a/b~c\":{\"api-key\":\"canary\"}}", "/a~1b~0c/api-key"},
    {"{\"id\":1,\"s\":\"{\\\"apiKey\\\":\\\"canary\\\"}\"}", "/s#/apiKey"},
    {"{\"id\":1,\"s\":\"[{\\\"apiKey\\\":\\\"canary\\\"}]\"}", "/s#/0/apiKey"},
    {"{\"id\":1,\"s\":\" {\\\"x\\\":{\\\"apiKey\\\":\\\"canary\\\"}}\"}", "/s#/x/apiKey"},
    {"{\"id\":1,\"s\":\"\\\"{\\\\\\\"apiKey\\\\\\\":\\\\\\\"canary\\\\\\\"}\\\"\"}", "/s##/apiKey"},
    {"{\"id\":1,\"s\":\"{\\\"t\\\":\\\"{\\\\\\\"apiKey\\\\\\\":\\\\\\\"canary\\\\\\\"}\\\"}\"}",
     "/s#/t#/apiKey"},
    {"{\"id\":1,\"s\":\"{\\\"apiKey\\\":\\\"canary\"}", "/s~#1"}, /* cut */
    {"{\"id\":1,\"s\":\"{'apiKey': 'canary'}\"}", "/s~#1"},       /* not JSON */
    {"{\"id\":1,\"apiKey\":\"{\\\"x\\\":\\\"canary\\\"}\"}", "/apiKey"},
    {"{\"id\":1,\"u\":\"https://x.example/?api_key=canary1234\"}", "/u~#1"},
    {"{\"id\":1,\"u\":\"https://x.example/?a=1&password=canary\"}", "/u~#1"},
    {"{\"id\":1,\"u\":\"redis://default:canary@cache.example:6379/0\"}", "/u~#1"},
    {"{\"id\":1,\"env\":{\"OPENAI_API_KEY\":\"canary\"}}", "/env/OPENAI_API_KEY"},
    {"{\"id\":1,\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"canary\"}]}", "/env/0/value"},
    {"{\"id\":1,\"env\":[{\"key\":\"API_KEY\",\"value\":{\"v\":\"canary\"}}]}", "/env/0/value"},
    {"{\"id\":1,\"args\":[\"--api-key\",\"canary\",\"--verbose\"]}", "/args/1"},
    {"{\"id\":1,\"args\":[\"--api-key=canary\"]}", "/args/0~#1"},
    {"{\"id\":1,\"headers\":[[\"x-api-key\",\"canary1234\"]]}", "/headers/0/1"},
    {"{\"id\":1,\"t\":\"my key is sk-canary0123456789abcdef0123 keep it\"}", "/t~#1"},
    {"{\"id\":1,\"keys\":{\"sk-canary0123456789abcdef0123\":{\"uses\":3}}}", "/keys"},
    {"{\"id\":1,\"t\":\"-----BEGIN PRIVATE KEY-----\\ncanary\"}", "/t"},
    {"{\"id\":1,\"auth\":\"Basic dXNlcjpjYW5hcnk=\"}", "/auth~#1"},
    {"{\"id\":1,\"pin\":4711}", "/pin"},
    {"{\"id\":1,\"api\":{\"key\":\"canary1234\"}}", "/api/key"},
    {"{\"id\":1,\"nested\":{\"connectionString\":\"Server=x;Pwd=canary\"}}",
     "/nested/connectionString"},
};

START_TEST(a_secret_is_found_wherever_it_stands)
{
    const char *payload = PLACEMENTS[_i].payload, *field = PLACEMENTS[_i].field;
    ck_assert_msg(apply(ordinary, payload) == OUT_OK, "%s: %s", payload, err.text);
    ck_assert_msg(out.sealed_count == 1, "%u in %s", out.sealed_count, payload);
    ck_assert_msg(!holds(out.payload, "canary") && !holds(out.payload, "4711") &&
                      !holds(out.payload, "dXNlcj"),
                  "%s", payload);
    struct sealed_box box;
    size_t at = 0;
    bool bad;
    ck_assert(secret_sealed_next(out.sealed, &at, &box, &bad));
    ck_assert_msg(bytes_equal(box.field, bytes_text(field)), "%.*s in %s", BYTES_ARGS(box.field),
                  payload);
    yyjson_doc *doc = NULL; /* still JSON */
    ck_assert_int_eq(json_parse(out.payload, JSON_UNICODE_REJECT, NULL, &doc, NULL), OUT_OK);
    yyjson_doc_free(doc);
}
END_TEST

START_TEST(json_in_a_string_keeps_its_form)
{
    ck_assert_int_eq(apply(ordinary,
                           "{\"id\":\"c1\",\"s\":\"{\\\"apiKey\\\":\\\"canary\\\", "
                           "\\\"n\\\":[1.0,\\\"\\u00e4\\\"]}\",\"t\":\"{ \\\"x\\\":1}\"}"),
                     OUT_OK);
    check_box(0, "/s#/apiKey", "\"canary\"");
    ck_assert(holds(out.payload, "\"s\":\"{\\\"apiKey\\\":{\\\"$sealed\\\":\\\"sec_"));
    ck_assert(holds(out.payload, ",\\\"n\\\":[1.0,\\\"\xc3\xa4\\\"]}\""));
    ck_assert(holds(out.payload, "\"t\":\"{ \\\"x\\\":1}\"")); /* nothing taken: as it was */
}
END_TEST

#define JWT "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"

START_TEST(tokens_are_withheld_never_sealed)
{
    ck_assert_int_eq(apply(ordinary,
                           "{\"id\":1,\"auth_token\":\"canary\",\"x\":[\"" JWT "\"],"
                           "\"s\":\"{\\\"session\\\":{\\\"access_token\\\":\\\"canary\\\"}}\","
                           "\"token\":{\"value\":\"canary\"},\"apiKey\":\"" JWT
                           "\",\"max_tokens\":42}"),
                     OUT_OK);
    ck_assert_uint_eq(out.withheld_count, 5);
    ck_assert_uint_eq(out.sealed_count, 0);
    ck_assert(!holds(out.payload, "canary") && !holds(out.payload, "eyJ"));
    ck_assert(holds(out.payload, "\"max_tokens\":42"));
}
END_TEST

START_TEST(without_a_key_what_is_found_is_withheld)
{
    guard.ring = NULL;
    ck_assert_int_eq(apply(ordinary, "{\"id\":1,\"password\":\"canary\"}"), OUT_OK);
    ck_assert_uint_eq(out.withheld_count, 1);
    ck_assert(!holds(out.payload, "canary"));
    ck_assert_int_eq(apply(sealing, "{\"id\":1}"), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_SECRET_KEY);
}
END_TEST

START_TEST(marks_in_the_source_are_refused)
{
    static const char *const SPOOFS[] = {
        "{\"id\":1,\"apiKey\":{\"$sealed\":\"sec_x\"}}",
        "{\"id\":1,\"a\":[{\"$sealed\":1}]}",
        "{\"id\":1,\"a\":{\"b\":{\"$withheld\":\"token\"}}}",
        "{\"id\":1,\"a\":\"{\\\"$sealed\\\":1}\"}",
    };
    for (size_t i = 1; i < sizeof SPOOFS / sizeof SPOOFS[0]; i++) {
        ck_assert_msg(apply(ordinary, SPOOFS[i]) == OUT_REJECT, "%s", SPOOFS[i]);
        ck_assert_int_eq(err.code, ERR_SECRET_SPOOF);
    }
    /* under a member that is sealed it is a value like any other, and sealed */
    ck_assert_int_eq(apply(sealing, SPOOFS[0]), OUT_OK);
    check_box(0, "/apiKey", "{\"$sealed\":\"sec_x\"}");
}
END_TEST

START_TEST(a_key_that_is_a_secret_is_refused)
{
    struct record record = record_of("{\"id\":\"c1\"}");
    record.id = BYTES_LITERAL("sk-canary0123456789abcdef0123");
    ck_assert_int_eq(secret_guard_apply(&guard, ordinary, &record, &out, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    ck_assert_int_eq(apply(ordinary, "{\"sk-canary0123456789abcdef0123\":1,\"id\":\"c1\"}"),
                     OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    ck_assert(!strstr(err.text, "canary") && !strstr(err.path, "canary"));
    ck_assert_int_eq(apply(ordinary, "{\"id\":\"" JWT "\"}"), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
}
END_TEST

START_TEST(an_entry_of_a_store_is_named_by_its_key)
{
    ck_assert_int_eq(apply_keyed(store, "apiKey", "\"canary\""), OUT_OK);
    check_box(0, "", "\"canary\"");
    ck_assert_int_eq(apply_keyed(store, "credentials", "{\"x\":\"canary\"}"), OUT_OK);
    check_box(0, "", "{\"x\":\"canary\"}");
    ck_assert_int_eq(apply_keyed(store, "auth_token", "\"canary\""), OUT_OK);
    ck_assert_uint_eq(out.withheld_count, 1);
    ck_assert_int_eq(apply_keyed(store, "theme", "\"dark\""), OUT_OK);
    ck_assert(!out.changed);
    ck_assert_int_eq(apply_keyed(ordinary, "my_password", "{\"id\":1,\"value\":\"canary\"}"),
                     OUT_OK);
    check_box(0, "/value", "\"canary\"");
}
END_TEST

START_TEST(plain_records_pass)
{
    static const char *const PLAIN[] = {
        "{\"id\":1,\"inputSchema\":{\"properties\":{\"apiKey\":{\"type\":\"string\"}}}}",
        "{\"id\":1,\"token\":512,\"password\":null,\"apiKey\":\"\",\"secret\":true}",
        "{\"id\":1,\"usage\":{\"tokens\":{\"input\":5,\"output\":\"7\"}},\"token\":{\"in\":1}}",
        "{\"id\":1,\"tags\":[\"password\",\"reset\"],\"s\":\"{not json, just braces}\"}",
        "{\"id\":1,\"codebaseHash\":\"3f786850e387550fdab836ed7e6dc881de23001b\"}",
        "{\"id\":1,\"required\":[\"apiKey\"],\"s\":\"[1,2]\",\"name\":\"x\",\"value\":\"y\"}",
    };
    ck_assert_msg(apply(ordinary, PLAIN[_i]) == OUT_OK && !out.changed, "%s", PLAIN[_i]);
}
END_TEST

START_TEST(too_many_secrets_are_refused)
{
    struct buf payload;
    buf_init(&payload, 1u << 20);
    buf_append_text(&payload, "{\"id\":1,\"password\":\"");
    for (int i = 0; i < (int)SECRET_SEALED_MAX; i++)
        buf_append_char(&payload, 'x');
    buf_append_text(&payload, "\"}");
    ck_assert_int_eq(apply(ordinary, buf_text(&payload)), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_SIZE);
    ck_assert_str_eq(err.path, "/password");
    buf_free(&payload);
    ck_assert_int_eq(apply(ordinary, "{\"id\":1,\"password\":\"canary\"}"), OUT_OK);
    check_box(0, "/password", "\"canary\"");
}
END_TEST

START_TEST(a_damaged_header_is_noticed)
{
    ck_assert_int_eq(apply(ordinary, "{\"id\":1,\"password\":\"canary\",\"secret\":\"b\"}"),
                     OUT_OK);
    struct sealed_box box;
    bool bad;
    size_t first = 0;
    ck_assert(secret_sealed_next(out.sealed, &first, &box, &bad));
    for (size_t cut = 1; cut < out.sealed.size; cut++) {
        size_t at = 0;
        while (secret_sealed_next(bytes_of(out.sealed.data, cut), &at, &box, &bad))
            ;
        ck_assert_msg(bad == (cut != first), "cut at %zu", cut);
    }
    size_t at = 0;
    ck_assert(!secret_sealed_next(BYTES_LITERAL("\xff\xff\xff\xff..........."), &at, &box, &bad));
    ck_assert(bad);
}
END_TEST

/* Rows of what other producers send: the reference must have come with its box. */
START_TEST(a_sealed_column_needs_its_box)
{
    struct mapping_work work;
    struct arena arena;
    struct row row;
    mapping_work_init(&work);
    arena_init(&arena, 1u << 20);
    ck_assert_int_eq(apply(sealing, "{\"id\":\"c1\",\"apiKey\":\"canary\"}"), OUT_OK);
    struct record record = record_of("");
    record.payload = out.payload;
    record.has_version = true;
    ck_assert_int_eq(mapping_forward(sealing, &record, &work, &arena, &row, &err), OUT_OK);
    ck_assert_int_eq(secret_sealed_check(out.sealed, sealing, &row, &err), OUT_OK);
    ck_assert_int_eq(secret_sealed_check((struct bytes){0}, sealing, &row, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    ck_assert_int_eq(
        secret_sealed_check(bytes_of(out.sealed.data, out.sealed.size - 1), sealing, &row, &err),
        OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    record.payload = BYTES_LITERAL("{\"id\":\"c1\",\"apiKey\":\"plain\"}");
    ck_assert_int_eq(mapping_forward(sealing, &record, &work, &arena, &row, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    arena_free(&arena);
    mapping_work_free(&work);
}
END_TEST

/* What stands in a value's place depends on the column that reads it. */
START_TEST(a_place_decides_the_form)
{
    static const char COLUMNS[] =
        "entity: user\ntable: user\nkey: [id]\ncolumns:\n"
        "  - { name: id, from: /id, type: text }\n"
        "  - { name: word, from: /password, type: text }\n"
        "  - { name: secret, from: /secret, type: text, allow: [none-of-yours, other] }\n"
        "  - { name: once, from: /apiKey, type: text }\n"
        "  - { name: number, from: /pin, type: int8 }\n"
        "  - { name: must, from: /passcode, type: int8, required: true }\n"
        "indexes:\n  - { name: only, columns: [once], unique: true }\n"
        "rest: extra\n";
    struct mapping *mapping = parse(COLUMNS);
    ck_assert_int_eq(apply(mapping, "{\"id\":1,\"password\":\"canary12\",\"apiKey\":\"canary34\","
                                    "\"secret\":\"none-of-yours\",\"pin\":4711,\"passcode\":0}"),
                     OUT_OK);
    ck_assert(holds(out.payload, "\"password\":\"${sealed:sec_"));
    ck_assert(holds(out.payload, "\"apiKey\":{\"$sealed\":\"sec_"));
    ck_assert(holds(out.payload, "\"secret\":\"none-of-yours\""));
    ck_assert(holds(out.payload, "\"pin\":{\"$sealed\":\"sec_"));
    ck_assert_int_eq(apply(mapping, "{\"id\":1,\"passcode\":471147}"), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    ck_assert_msg(strstr(err.text, "column must") && strcmp(err.path, "/passcode") == 0, "%s (%s)",
                  err.text, err.path);
    mapping_free(mapping);
}
END_TEST

/* With its secret gone the text would be JSON: the inverse would look for another field. */
START_TEST(text_that_would_become_json_goes_whole)
{
    ck_assert_int_eq(apply(ordinary, "{\"id\":1,\"s\":\"{\\\"apiKey\\\":\\\"can\\\\qary12\\\"}\"}"),
                     OUT_OK);
    check_box(0, "/s", "\"{\\\"apiKey\\\":\\\"can\\\\qary12\\\"}\"");
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("secret_guard");
    TCase *tests = tcase_create("guard");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_the_mapping_names_is_taken);
    tcase_add_test(tests, an_untouched_payload_stays_byte_for_byte);
    tcase_add_test(tests, the_same_record_gives_the_same_message);
    tcase_add_loop_test(tests, a_secret_is_found_wherever_it_stands, 0,
                        (int)(sizeof PLACEMENTS / sizeof PLACEMENTS[0]));
    tcase_add_test(tests, json_in_a_string_keeps_its_form);
    tcase_add_test(tests, tokens_are_withheld_never_sealed);
    tcase_add_test(tests, without_a_key_what_is_found_is_withheld);
    tcase_add_test(tests, marks_in_the_source_are_refused);
    tcase_add_test(tests, a_key_that_is_a_secret_is_refused);
    tcase_add_test(tests, an_entry_of_a_store_is_named_by_its_key);
    tcase_add_loop_test(tests, plain_records_pass, 0, 6);
    tcase_add_test(tests, too_many_secrets_are_refused);
    tcase_add_test(tests, a_damaged_header_is_noticed);
    tcase_add_test(tests, a_sealed_column_needs_its_box);
    tcase_add_test(tests, a_place_decides_the_form);
    tcase_add_test(tests, text_that_would_become_json_goes_whole);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
