/* Parts of a mapping besides its columns: collect, secrets, references, on_delete, redis; and the
 * mappings that are shipped. */

#include "common/model/mapping/mapping.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/suite.h"

#define HEAD "entity: a\ntable: a\nkey: [id]\n"
#define COLUMNS                                                                                    \
    "rest: extra\ncolumns:\n  - { name: id, from: /id, type: text }\n"                             \
    "  - { name: n, from: /n, type: int4 }\n  - { name: doc, from: /doc, type: jsonb }\n"

/* `text` after HEAD COLUMNS; errors are in its lines, which begin at 9. */
static const struct {
    const char *yaml, *where, *text, *hint;
} BROKEN[] = {
    {"collect: { local_storage: \"a_*\", expand: element }\n", "m.yaml:9:42", "expand",
     "did you mean \"elements\"?"},
    {"collect: { map_dump: a, expand: value }\n", "m.yaml:9:33", "local_storage", ""},
    {"collect: { local_storage: \"a{user}\" }\n", "m.yaml:9:27", "braces", ""},
    {"collect: { local_storage: [] }\n", "m.yaml:9:27", "storage key", ""},
    {"collect: { local_storage: \"a_*\", expand: merge }\n", "m.yaml:9:42", "together", ""},
    {"collect: { local_storage: \"a_*\", merge: { x: \"a_*\" } }\n", "m.yaml:9:41", "together", ""},
    {"collect: { local_storage: a, expand: merge, merge: { x: a }, take: { x: a } }\n",
     "m.yaml:9:70", "twice", ""},
    {"collect: { join: { map_dump: b, on: /c, as: d } }\n", "m.yaml:9:18", "map_dump", ""},
    {"collect: { map_dump: a, join: { map_dump: b, as: d } }\n", "m.yaml:9:31", "pointer", ""},
    {"collect: { map_dump: a, joins: 1 }\n", "m.yaml:9:25", "unknown key",
     "did you mean \"join\"?"},
    {"on_delete: hrad\n", "m.yaml:9:12", "on_delete", "did you mean \"hard\"?"},
    {"on_delete: { column: m, value: 1 }\n", "m.yaml:9:22", "not there", ""},
    {"on_delete: { column: n, value: x }\n", "m.yaml:9:32", "fit", ""},
    {"on_delete: { column: id, value: x }\n", "m.yaml:3:7", "soft", ""},
    {"on_delete: { column: doc, value: x }\n", "m.yaml:9:22", "soft", ""},
    {"on_delete: { column: n }\n", "m.yaml:9:12", "no value", ""},
    {"references: [ { columns: [m], entity: b } ]\n", "m.yaml:9:27", "not there", ""},
    {"references: [ { columns: [n] } ]\n", "m.yaml:9:15", "entity", ""},
    {"references: [ { columns: [extra], entity: b } ]\n", "m.yaml:9:27", "not there", ""},
    {"seal: [/n]\n", "m.yaml:9:8", "column takes", ""},
    {"withhold: /n\n", "m.yaml:9:11", "lists", ""},
    {"redis: { key: \"a:{isolation_key}\" }\n", "m.yaml:9:15", "every key column", ""},
    {"redis: { key: \"a:{id}\" }\n", "m.yaml:9:15", "isolation_key", ""},
    {"redis: { key: \"a:{isolation_key}:{n}\" }\n", "m.yaml:9:15", "key columns", ""},
    {"redis: { key: \"a:{isolation_key}:{id\" }\n", "m.yaml:9:15", "key columns", ""},
    {"redis: { key: \"a:{isolation_key}:{id}}\" }\n", "m.yaml:9:15", "}", ""},
    {"redis: { key: \"a:{isolation_key}:{id}\", ttl: 1ms }\n", "m.yaml:9:46", "seconds", ""},
    {"redis: { key: \"a:{isolation_key}:{id}\", value: hsh }\n", "m.yaml:9:48", "value",
     "did you mean \"hash\"?"},
    {"redis: { ttl: 1s }\n", "m.yaml:9:8", "no key", ""},
};

START_TEST(mistakes_are_named_with_their_place)
{
    char yaml[2000];
    struct error err = {0};
    struct mapping *mapping = NULL;
    snprintf(yaml, sizeof yaml, HEAD COLUMNS "%s", BROKEN[_i].yaml);
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err);
    ck_assert_msg(outcome == OUT_FATAL, "%s", BROKEN[_i].yaml);
    ck_assert_msg(strcmp(err.where, BROKEN[_i].where) == 0, "%s%s: at %s", BROKEN[_i].yaml,
                  err.text, err.where);
    ck_assert_msg(strstr(err.text, BROKEN[_i].text), "%s%s", BROKEN[_i].yaml, err.text);
    ck_assert_msg(strstr(err.hint, BROKEN[_i].hint), "%s%s", BROKEN[_i].yaml, err.hint);
}
END_TEST

START_TEST(a_hash_has_fields_of_its_own)
{
    static const char *const NAMES[] = {"_v", "_j", "_w"};
    static const char *const FORMS[] = {"hash", "json"};
    for (size_t name = 0; name < 3; name++) {
        for (size_t form = 0; form < 2; form++) {
            char yaml[512];
            struct error err = {0};
            struct mapping *mapping = NULL;
            snprintf(yaml, sizeof yaml,
                     "entity: e\ntable: t\nkey: [id]\ncolumns:\n"
                     "  - { name: id, from: /id, type: text }\n"
                     "  - { name: %s, from: /x, type: text }\nrest: extra\n"
                     "redis: { key: \"{isolation_key}:{id}\", value: %s }\n",
                     NAMES[name], FORMS[form]);
            bool refused = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err) != OUT_OK;
            ck_assert_int_eq(refused, name < 2 && form == 0);
            mapping_free(mapping);
        }
    }
}
END_TEST

static const struct {
    const char *column, *rest, *text;
} BROKEN_COLUMNS[] = {
    {"from: /s, type: int4, seal: true", "rest: r\n", "type: text"},
    {"from: /s, type: text, seal: true, withhold: true", "rest: r\n", "not both"},
    {"from: /s, type: text, seal: true, default: x", "rest: r\n", "does not go"},
    {"from: /s, type: text, withhold: true, required: true", "rest: r\n", "NULL"},
    {"from: /s, type: text, withhold: true", "", "need rest"},
    {"from: $key, type: text, seal: true", "rest: r\n", "only members"},
    {"from: $user, type: int4", "rest: r\n", "type: text"},
    {"from: $usr, type: text", "rest: r\n", "one of"},
    {"from: $key, type: jsonb", "rest: r\n", "json"},
    {"from: /s, type: bool, as: loose", "rest: r\n", "form"},
};

START_TEST(mistakes_of_columns_are_named)
{
    char yaml[2000];
    struct error err = {0};
    struct mapping *mapping = NULL;
    snprintf(yaml, sizeof yaml,
             HEAD "%scolumns:\n  - { name: id, from: /id, type: text }\n  - { name: s, %s }\n",
             BROKEN_COLUMNS[_i].rest, BROKEN_COLUMNS[_i].column);
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err);
    ck_assert_msg(outcome == OUT_FATAL, "%s", BROKEN_COLUMNS[_i].column);
    ck_assert_msg(strstr(err.text, BROKEN_COLUMNS[_i].text), "%s: %s", BROKEN_COLUMNS[_i].column,
                  err.text);
}
END_TEST

START_TEST(parts_are_read)
{
    struct mapping *mapping = compile(
        HEAD COLUMNS "  - { name: s, from: [/s, /t], type: text, seal: true }\n"
                     "collect: { local_storage: [k, \"*_x_*\"], expand: merge, merge: { m: \"*y*\" "
                     "}, take: { t: k }, map_dump: [a, b], join: { map_dump: c, on: /aId, as: cc } "
                     "}\nseal: [/deep/secret]\nwithhold: [/token]\n"
                     "references: [ { columns: [n], entity: other } ]\n"
                     "on_delete: { column: n, value: 0 }\n"
                     "redis: { key: \"{entity}:{isolation_key}:{id}\", ttl: 2h, value: hash }\n");
    ck_assert_uint_eq(mapping->collect_key_count, 2);
    ck_assert_int_eq(mapping->expand, EXPAND_MERGE);
    ck_assert_uint_eq(mapping->merge_count, 2);
    ck_assert(!mapping->merges[0].take && mapping->merges[1].take);
    ck_assert_str_eq(mapping->merges[0].member, "m");
    ck_assert_uint_eq(mapping->collect_map_count, 2);
    ck_assert_str_eq(mapping->join->pointer, "/aId");
    ck_assert_uint_eq(mapping->seal_count, 3);
    ck_assert_str_eq(mapping->seal_pointers[0], "/deep/secret");
    ck_assert_str_eq(mapping->seal_pointers[2], "/t");
    ck_assert_uint_eq(mapping->withhold_count, 1);
    ck_assert_uint_eq(mapping->reference_count, 1);
    ck_assert_int_eq(mapping->references[0].line, 13);
    ck_assert_int_eq(mapping->on_delete, DELETE_SOFT);
    ck_assert_int_eq(mapping->soft_column, 1);
    ck_assert_str_eq(yyjson_get_raw(mapping->soft_value), "0");
    ck_assert_int_eq(mapping->redis.form, REDIS_HASH);
    ck_assert_uint_eq(mapping->redis.ttl_s, 7200);
    ck_assert_ptr_null(mapping->columns[mapping->rest_at].fill);
    mapping_free(mapping);
}
END_TEST

/* ---- the program ------------------------------------------------------------------------- */

static enum outcome forward(const struct mapping *mapping, const struct record *record,
                            struct mapping_work *work, struct arena *arena, struct row *row,
                            struct error *err)
{
    struct record whole = *record;
    whole.tenant = BYTES_LITERAL("t1");
    whole.version = 1;
    whole.has_version = true;
    return mapping_forward(mapping, &whole, work, arena, row, err);
}

#define SECRETS                                                                                    \
    HEAD "rest: extra\ncolumns:\n  - { name: id, from: /id, type: text }\n"                        \
         "  - { name: s, from: /s, type: text, seal: true }\n"                                     \
         "  - { name: t, from: /t, type: text, withhold: true }\nseal: [/deep/k]\n"

static const struct {
    const char *json, *cell; /* cell NULL: refused with DRV-X008 at `path` */
    const char *path;
} MARKS[] = {
    {"{\"id\":\"a\",\"s\":{\"$sealed\":\"sec_1\"},\"t\":{\"$withheld\":\"token\"}}", "sec_1", ""},
    {"{\"id\":\"a\"}", "", ""},
    {"{\"id\":\"a\",\"s\":null,\"t\":null}", "", ""},
    {"{\"id\":\"a\",\"deep\":{\"k\":{\"$sealed\":\"sec_2\"},\"x\":1}}", "", ""},
    {"{\"id\":\"a\",\"s\":\"hunter2\"}", NULL, "/s"},
    {"{\"id\":\"a\",\"s\":{\"$sealed\":1}}", NULL, "/s"},
    {"{\"id\":\"a\",\"s\":{\"$sealed\":\"x\",\"more\":1}}", NULL, "/s"},
    {"{\"id\":\"a\",\"s\":{\"$withheld\":\"token\"}}", NULL, "/s"},
    {"{\"id\":\"a\",\"t\":\"eyJhbGciOi\"}", NULL, "/t"},
    {"{\"id\":\"a\",\"t\":{\"$sealed\":\"sec_1\"}}", NULL, "/t"},
    {"{\"id\":\"a\",\"deep\":{\"k\":\"hunter2\"}}", NULL, "/deep/k"},
};

START_TEST(secrets_are_references_and_marks)
{
    struct error err = {0};
    struct arena arena;
    struct row row;
    struct mapping_work work;
    struct mapping *mapping = compile(SECRETS);
    struct record record = {.payload = bytes_text(MARKS[_i].json), .index = -1};
    arena_init(&arena, 1u << 20);
    mapping_work_init(&work);
    enum outcome outcome = forward(mapping, &record, &work, &arena, &row, &err);
    if (!MARKS[_i].cell) {
        ck_assert_int_eq(outcome, OUT_REJECT);
        ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
        ck_assert_str_eq(err.path, MARKS[_i].path);
        ck_assert_ptr_null(strstr(err.text, "hunter2"));
    } else {
        ck_assert_msg(outcome == OUT_OK, "%s: %s", MARKS[_i].json, err.text);
        struct bytes cell =
            bytes_of(row.cells[1].data, row.cells[1].size < 0 ? 0 : (size_t)row.cells[1].size);
        ck_assert(bytes_equal(cell, bytes_text(MARKS[_i].cell)));
        ck_assert_int_eq(row.cells[2].size, -1);
        yyjson_doc *back = NULL, *expected = NULL;
        ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &back, &err), OUT_OK);
        ck_assert_int_eq(mapping_expected(mapping, &record, &work, &expected, &err), OUT_OK);
        ck_assert(canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(expected)));
        yyjson_doc_free(back);
        yyjson_doc_free(expected);
    }
    mapping_work_free(&work);
    arena_free(&arena);
    mapping_free(mapping);
}
END_TEST

#define WORDS                                                                                      \
    "entity: a\ntable: a\nkey: [user_id, origin, session_id]\nrest: extra\n"                       \
    "collect: { local_storage: [\"chat_session_{tenant}_global\", \"chat_session_*_x\"] }\n"       \
    "columns:\n  - { name: user_id, from: $user, type: text }\n"                                   \
    "  - { name: origin, from: $origin, type: text }\n"                                            \
    "  - { name: session_id, from: $key_suffix, type: text }\n"                                    \
    "  - { name: map_key, from: $key, type: text }\n"                                              \
    "  - { name: place, from: $index1, type: int4 }\n"

static const struct {
    const char *user, *origin, *key, *id; /* id NULL: refused */
} PLACES[] = {
    {"u1", "https://a.test", "chat_session_7_x", "u1:https%3A%2F%2Fa.test:7"},
    {"", "", "chat_session_7_x", "::7"},
    {"u1", "", "chat_session__x", "u1::"},
    {"u1", "", "chat_session_x", NULL},
    {"u1", "", "chat_sessions_7_x", NULL},
    {"u1", "", "", NULL},
};

START_TEST(words_say_where_a_record_was)
{
    struct error err = {0};
    struct arena arena;
    struct row row;
    struct mapping_work work;
    struct mapping *mapping = compile(WORDS);
    struct record record = {.payload = BYTES_LITERAL("{}"),
                            .index = -1,
                            .user = bytes_text(PLACES[_i].user),
                            .localstorage_origin = bytes_text(PLACES[_i].origin),
                            .source_key = bytes_text(PLACES[_i].key)};
    arena_init(&arena, 1u << 20);
    mapping_work_init(&work);
    enum outcome outcome = forward(mapping, &record, &work, &arena, &row, &err);
    ck_assert_int_eq(outcome, PLACES[_i].id ? OUT_OK : OUT_REJECT);
    if (PLACES[_i].id) {
        ck_assert_msg(bytes_equal(row.id, bytes_text(PLACES[_i].id)), "%.*s", BYTES_ARGS(row.id));
        ck_assert_int_eq(row.cells[4].size, -1); /* no list: NULL */
        record.operation = OP_DELETE;
        record.id = bytes_text(PLACES[_i].id);
        ck_assert_int_eq(forward(mapping, &record, &work, &arena, &row, &err), OUT_OK);
    }
    mapping_work_free(&work);
    arena_free(&arena);
    mapping_free(mapping);
}
END_TEST

START_TEST(a_soft_deleted_row_is_told_by_its_digest)
{
    static const char ZERO[16], OTHER[16] = {1};
    struct mapping *soft = compile(HEAD COLUMNS "on_delete: { column: n, value: 0 }\n");
    struct mapping *tombstone = compile(HEAD COLUMNS);
    ck_assert(mapping_row_is_deleted(soft, false, bytes_of(ZERO, 16)));
    ck_assert(!mapping_row_is_deleted(soft, false, bytes_of(OTHER, 16)));
    ck_assert(mapping_row_is_deleted(soft, true, bytes_of(OTHER, 16)));
    ck_assert(!mapping_row_is_deleted(soft, false, bytes_of(ZERO, 15)));
    ck_assert(!mapping_row_is_deleted(tombstone, false, bytes_of(ZERO, 16)));
    mapping_free(soft);
    mapping_free(tombstone);
}
END_TEST

/* ---- the mappings shipped ---------------------------------------------------------------- */

/* One record of each: it must come back. */
static const struct {
    const char *entity, *key, *json;
    int64_t index;
} SAMPLES[] = {
    {"agent", "ai_agents_acme", "{\"id\":1,\"name\":\"A\",\"tools\":[\"x\"],\"status\":\"on\"}", 0},
    {"mcp_server", "s1",
     "{\"id\":\"s1\",\"name\":\"S\",\"url\":\"http://x\",\"createdAt\":1705314600000}", -1},
    {"llm_config", "user_llm_configs_acme",
     "{\"id\":\"l\",\"apiKey\":{\"$sealed\":\"sec_1\"},\"endpoint\":{\"$sealed\":\"sec_2\"}}", 0},
    {"chat_session", "chat_session_7", "{\"form\":\"array\"}", -1},
    {"chat_session", "chat_session_8", "{\"form\":\"value\",\"value\":{\"a\":1}}", -1},
    {"chat_message", "chat_session_7", "{\"message\":\"hi\",\"timestamp\":1705314600000}", 0},
    {"chat_message", "chat_session_acme_global",
     "{\"role\":\"tool\",\"content\":\"hi\",\"timestamp\":\"2024-01-15T10:30:00.000Z\"}", 1},
    {"user_preferences", "", "{\"ui_preferences\":{\"a\":1},\"theme\":\"dark\"}", -1},
    {"user_preferences", "", "{}", -1},
    {"local_storage_item", "odd", "{\"value\":\"text\"}", -1},
    {"project", "p1",
     "{\"id\":\"p1\",\"userId\":7,\"marketplace\":{\"id\":\"m1\",\"projectId\":\"p1\",\"price\":"
     "\"9.99\",\"tags\":[\"a\"],\"rating\":4.5,\"downloads\":3,\"published\":true}}",
     -1},
    {"project", "p2",
     "{\"id\":\"p2\",\"published\":false,\"createdAt\":\"2024-01-15T10:30:00.000Z\"}", -1},
    {"user", "u1", "{\"id\":\"u1\",\"username\":\"x\",\"password\":{\"$sealed\":\"sec_1\"}}", -1},
    {"user_chat_message", "m1", "{\"id\":\"m1\",\"userId\":\"u1\",\"content\":\"hi\"}", 3},
    {"marketplace_purchase", "x",
     "{\"id\":\"x\",\"userId\":\"u1\",\"projectId\":\"p1\",\"amount\":9.99}", -1},
    {"marketplace_review", "x",
     "{\"id\":\"x\",\"userId\":\"u1\",\"projectId\":\"p1\",\"rating\":5}", -1},
    {"marketplace_download", "x",
     "{\"id\":\"x\",\"projectId\":\"p1\",\"downloadToken\":{\"$withheld\":\"token\"}}", -1},
    {"revenue_event", "x",
     "{\"id\":\"x\",\"projectId\":\"p1\",\"amount\":\"1.50\",\"createdAt\":\"2024-01-15T10:30:"
     "00Z\"}",
     -1},
    {"key_value", "k", "[1,{\"a\":null}]", -1},
    {"key_value", "k", "\"text\"", -1},
    {"ai_progress", "", "{\"model_name\":\"m\",\"mse\":0.5,\"accuracy\":0.9}", -1},
    {"city", "", "{\"name\":\"Bern\",\"lat\":\"46.9\",\"lng\":\"7.4\",\"country\":\"CH\"}", -1},
};

static struct mapping *load(const char *entity)
{
    char path[600];
    static char text[1u << 16];
    struct error err;
    struct mapping *mapping = NULL;
    snprintf(path, sizeof path, "%s/schemas/mappings/%s.yaml", getenv("DROVER_SOURCE_DIR"), entity);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    enum outcome outcome = mapping_parse(path, bytes_of(text, size), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s at %s", err.text, err.where);
    ck_assert_str_eq(mapping->entity, entity);
    return mapping;
}

START_TEST(shipped_mappings_give_records_back)
{
    struct error err = {0};
    struct arena arena;
    struct row row;
    struct mapping_work work;
    yyjson_doc *back = NULL, *expected = NULL;
    struct mapping *mapping = load(SAMPLES[_i].entity);
    struct record record = {.payload = bytes_text(SAMPLES[_i].json),
                            .source_key = bytes_text(SAMPLES[_i].key),
                            .index = SAMPLES[_i].index};
    arena_init(&arena, 1u << 20);
    mapping_work_init(&work);
    enum outcome outcome = forward(mapping, &record, &work, &arena, &row, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s %s", SAMPLES[_i].json, err.text, err.path);
    ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &back, &err), OUT_OK);
    ck_assert_int_eq(mapping_expected(mapping, &record, &work, &expected, &err), OUT_OK);
    ck_assert_msg(canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(expected)), "%s",
                  SAMPLES[_i].json);
    yyjson_doc_free(back);
    yyjson_doc_free(expected);
    mapping_work_free(&work);
    arena_free(&arena);
    mapping_free(mapping);
}
END_TEST

START_TEST(every_shipped_mapping_has_a_sample)
{
    char path[600];
    int files = 0;
    snprintf(path, sizeof path, "%s/schemas/mappings", getenv("DROVER_SOURCE_DIR"));
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        *dot = '\0';
        bool found = false;
        for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++)
            found = found || strcmp(SAMPLES[i].entity, entry->d_name) == 0;
        ck_assert_msg(found, "%s has no sample here", entry->d_name);
        files++;
    }
    closedir(folder);
    ck_assert_int_ge(files, 17);
}
END_TEST

static Suite *mapping_parts_suite(void)
{
    Suite *suite = suite_create("mapping_parts");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, mistakes_are_named_with_their_place, 0,
                        sizeof BROKEN / sizeof *BROKEN);
    tcase_add_test(tcase, a_hash_has_fields_of_its_own);
    tcase_add_loop_test(tcase, mistakes_of_columns_are_named, 0,
                        sizeof BROKEN_COLUMNS / sizeof *BROKEN_COLUMNS);
    tcase_add_test(tcase, parts_are_read);
    tcase_add_loop_test(tcase, secrets_are_references_and_marks, 0, sizeof MARKS / sizeof *MARKS);
    tcase_add_loop_test(tcase, words_say_where_a_record_was, 0, sizeof PLACES / sizeof *PLACES);
    tcase_add_test(tcase, a_soft_deleted_row_is_told_by_its_digest);
    tcase_add_loop_test(tcase, shipped_mappings_give_records_back, 0,
                        sizeof SAMPLES / sizeof *SAMPLES);
    tcase_add_test(tcase, every_shipped_mapping_has_a_sample);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(mapping_parts_suite)
