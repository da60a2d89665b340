/* The mapping's reader and the column program, both ways. */

#include "common/model/mapping/mapping.h"

#include <stdio.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/suite.h"

#define MODELS                                                                                     \
    "entity: model\ntable: model\nkey: [name]\nrest: extra\ncolumns:\n"                            \
    "  - { name: name, from: /name, type: varchar(8) }\n"                                          \
    "  - { name: mse, from: /mse, type: float8, required: true, tolerance: 0.001 }\n"              \
    "  - { name: samples, from: /samples, type: int4, min: 0, max: 100 }\n"                        \
    "  - { name: role, from: [/role, /meta/role], type: text, default: user, allow: [user, bot] "  \
    "}\n"                                                                                          \
    "  - { name: lat, from: /lat, type: numeric, as: string }\n"                                   \
    "  - { name: tags, from: /tags, type: \"text[]\" }\n"                                          \
    "  - { name: at, from: /at, type: timestamptz }\n"                                             \
    "  - { name: doc, from: /doc, type: jsonb, decode: json }\n"

static struct record record_of(const char *json)
{
    return (struct record){.tenant = BYTES_LITERAL("t1"),
                           .entity = BYTES_LITERAL("model"),
                           .version = 7,
                           .has_version = true,
                           .index = -1,
                           .payload = bytes_text(json)};
}

/* Forward, back, and against what is expected; the id goes to `id`. */
static enum outcome round_trip(const struct mapping *mapping, const char *json, char *id,
                               struct error *err)
{
    struct arena arena;
    struct mapping_work work;
    struct row row;
    struct record record = record_of(json);
    yyjson_doc *back = NULL, *expected = NULL;
    arena_init(&arena, 1u << 22);
    mapping_work_init(&work);
    enum outcome outcome = mapping_forward(mapping, &record, &work, &arena, &row, err);
    if (outcome == OUT_OK) {
        snprintf(id, 128, "%.*s", BYTES_ARGS(row.id));
        outcome = mapping_inverse(mapping, &row, &work, &back, err);
        ck_assert_msg(outcome == OUT_OK, "inverse of %s: %s", json, err->text);
        outcome = mapping_expected(mapping, &record, &work, &expected, err);
        ck_assert_int_eq(outcome, OUT_OK);
        struct buf text;
        buf_init(&text, 1u << 20);
        json_append(&text, yyjson_doc_get_root(back));
        ck_assert_msg(canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(expected)),
                      "%s came back as %s", json, buf_text(&text));
        buf_free(&text);
    }
    yyjson_doc_free(back);
    yyjson_doc_free(expected);
    mapping_work_free(&work);
    arena_free(&arena);
    return outcome;
}

static const struct {
    const char *json;
    enum error_code code; /* ERR_NONE: comes back */
} RECORDS[] = {
    {"{\"name\":\"a\",\"mse\":0.1}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":0.1,\"role\":\"bot\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":0.1,\"meta\":{\"role\":\"bot\",\"x\":1}}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":0.1,\"role\":\"bot\",\"meta\":{\"role\":\"user\"}}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":0.1,\"samples\":null,\"tags\":null}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":0.10000000000000000555,\"samples\":1e1}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"lat\":\"42.50000\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"lat\":\"4.25e1\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"tags\":[\"x\",null,\"\",\"NULL\",\"{\\\"\"]}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"tags\":[]}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"at\":\"2024-01-15T10:30:00.000Z\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"at\":\"2024-01-15T12:30:00+02:00\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"doc\":\"{\\\"b\\\": 1, \\\"a\\\":[1.0]}\"}", ERR_NONE},
    {"{\"name\":\"a\",\"mse\":1,\"more\":{},\"deep\":{\"a\":[1,{\"b\":null}]}}", ERR_NONE},
    {"{\"mse\":1}", ERR_VALUE_REQUIRED},
    {"{\"name\":null,\"mse\":1}", ERR_VALUE_REQUIRED},
    {"{\"name\":\"a\"}", ERR_VALUE_REQUIRED},
    {"{\"name\":\"123456789\",\"mse\":1}", ERR_VALUE_LENGTH},
    {"{\"name\":\"a\",\"mse\":\"1\"}", ERR_VALUE_TYPE},
    {"{\"name\":\"a\",\"mse\":1,\"samples\":101}", ERR_VALUE_LIMIT},
    {"{\"name\":\"a\",\"mse\":1,\"samples\":-1}", ERR_VALUE_LIMIT},
    {"{\"name\":\"a\",\"mse\":1,\"samples\":2147483648}", ERR_VALUE_RANGE},
    {"{\"name\":\"a\",\"mse\":1,\"role\":\"root\"}", ERR_VALUE_ALLOW},
    {"{\"name\":\"a\",\"mse\":1,\"lat\":\"042\"}", ERR_VALUE_FORM},
    {"{\"name\":\"a\",\"mse\":1,\"at\":\"2024-02-30T00:00:00Z\"}", ERR_VALUE_FORM},
    {"{\"name\":\"a\",\"mse\":1,\"doc\":\"{\"}", ERR_JSON_TRUNCATED},
    {"[1]", ERR_JSON_KIND},
    {"{\"name\":\"a\",\"name\":\"b\",\"mse\":1}", ERR_JSON_DUPLICATE},
};

START_TEST(records_come_back_or_are_refused)
{
    struct error err = {0};
    char id[128] = "";
    struct mapping *mapping = compile(MODELS);
    enum outcome outcome = round_trip(mapping, RECORDS[_i].json, id, &err);
    enum error_code code = outcome == OUT_OK ? ERR_NONE : err.code;
    ck_assert_msg(code == RECORDS[_i].code, "%s: %s %s", RECORDS[_i].json, error_code_id(code),
                  outcome == OUT_OK ? "" : err.text);
    if (outcome == OUT_OK)
        ck_assert_str_eq(id, "a");
    mapping_free(mapping);
}
END_TEST

/* A change of any stored cell must come out as a difference (P7). */
START_TEST(a_changed_cell_is_seen)
{
    static const char *const SOURCES[] = {
        "{\"name\":\"a\",\"mse\":0.5,\"samples\":7,\"at\":\"2024-01-15T12:30:00+02:00\"}",
        "{\"name\":\"a\",\"mse\":0.5,\"samples\":null,\"meta\":{\"role\":\"bot\"},\"lat\":\"4."
        "25e1\"}"};
    struct error err;
    struct arena arena;
    struct mapping_work work;
    struct mapping *mapping = compile(MODELS);
    mapping_work_init(&work);
    for (size_t s = 0; s < 2; s++) {
        for (size_t c = 0; c < mapping->column_count; c++) {
            struct row row;
            struct record record = record_of(SOURCES[s]);
            yyjson_doc *before = NULL, *after = NULL;
            arena_init(&arena, 1u << 22);
            ck_assert_int_eq(mapping_forward(mapping, &record, &work, &arena, &row, &err), OUT_OK);
            struct bytes copy =
                row.cells[c].size > 0
                    ? arena_copy(&arena, bytes_of(row.cells[c].data, (size_t)row.cells[c].size))
                    : (struct bytes){0};
            if (copy.size == 0 || mapping->columns[c].source == FROM_REST) {
                arena_free(&arena);
                continue;
            }
            ((char *)(uintptr_t)copy.data)[copy.size - 1] ^= 1;
            ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &before, &err), OUT_OK);
            row.cells[c].data = copy.data;
            enum outcome outcome = mapping_inverse(mapping, &row, &work, &after, &err);
            bool same = outcome == OUT_OK &&
                        canonical_equal(yyjson_doc_get_root(before), yyjson_doc_get_root(after));
            ck_assert_msg(!same, "source %zu, column %s", s, mapping->columns[c].name);
            yyjson_doc_free(before);
            yyjson_doc_free(after);
            arena_free(&arena);
        }
    }
    mapping_work_free(&work);
    mapping_free(mapping);
}
END_TEST

static const struct {
    const char *yaml, *where, *text;
} BROKEN[] = {
    {"entity: a\ntabel: a\n", "m.yaml:2:1", "unknown key"},
    {"entity: a\ntable: drop table\n", "m.yaml:2:8", "table"},
    {"entity: A\ntable: a\n", "m.yaml:1:9", "entity"},
    {"entity: a\ntable: a\nkey: [b]\ncolumns:\n  - { name: a, from: /a, type: text }\n",
     "m.yaml:3:7", "key"},
    {"entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: /a, type: txt }\n",
     "m.yaml:5:32", "type"},
    {"entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: a, type: text }\n",
     "m.yaml:5:22", "pointer"},
    {"entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: /a, type: int4, default: x }\n",
     "m.yaml:5:47", "fit"},
    {"entity: a\ntable: a\nkey: [a, a]\ncolumns:\n  - { name: a, from: /a, type: text }\n",
     "m.yaml:3:10", "twice"},
    {"entity: a\ntable: a\nkey: [a]\nrest: a\ncolumns:\n  - { name: a, from: /a, type: text }\n",
     "m.yaml:4:7", "rest"},
    {"entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: /a, type: text, as: number2 "
     "}\n",
     "m.yaml:5:42", "as is"},
    {"entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: /a, type: text }\n"
     "  - { name: xmin, from: /xmin, type: float8 }\n",
     "m.yaml:6:13", "PostgreSQL keeps for itself"},
    {"entity: a\ntable: a\nkey: [a]\nrest: ctid\ncolumns:\n  - { name: a, from: /a, type: text }\n",
     "m.yaml:4:7", "PostgreSQL keeps for itself"},
    {"entity: a\n\ttable: a\n", "m.yaml:2:", ""},
};

START_TEST(mistakes_are_named_with_their_place)
{
    struct error err;
    struct mapping *mapping = NULL;
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(BROKEN[_i].yaml), &mapping, &err);
    ck_assert_int_eq(outcome, OUT_FATAL);
    ck_assert_ptr_null(mapping);
    ck_assert_msg(strncmp(err.where, BROKEN[_i].where, strlen(BROKEN[_i].where)) == 0,
                  "%s: at %s, not %s", err.text, err.where, BROKEN[_i].where);
    ck_assert_msg(strstr(err.text, BROKEN[_i].text), "%s", err.text);
}
END_TEST

/* ---- generated mappings and records ------------------------------------------------------ */

static uint64_t seed;

static unsigned pick(unsigned count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 20) % count);
}

static const struct {
    const char *type, *as;
} TYPES[] = {{"text", ""},
             {"varchar(40)", ""},
             {"bool", ""},
             {"int2", ""},
             {"int4", ""},
             {"int8", ""},
             {"float4", ""},
             {"float8", ""},
             {"numeric", ""},
             {"date", ""},
             {"timestamp", ""},
             {"timestamptz", ""},
             {"uuid", ""},
             {"jsonb", ""},
             {"bytea", ""},
             {"text[]", ""},
             {"int4[]", ""},
             {"numeric", ", as: string"},
             {"int8", ", as: string"},
             {"timestamptz", ", as: epoch_ms"},
             {"text", ", as: number"},
             {"text", ", as: loose"},
             {"int8", ", as: loose"},
             {"numeric", ", as: loose"},
             {"timestamptz", ", as: loose"},
             {"float8[]", ""},
             {"timestamptz[]", ""},
             {"numeric(12,3)", ""}};

static const char *const VALUES[] = {"null",
                                     "true",
                                     "false",
                                     "0",
                                     "-0",
                                     "1",
                                     "1.0",
                                     "1.10",
                                     "-7",
                                     "32767",
                                     "32768",
                                     "9007199254740993",
                                     "9223372036854775807",
                                     "9223372036854775808",
                                     "0.1",
                                     "1e2",
                                     "1.5e-7",
                                     "123456.789",
                                     "0.30000000000000004",
                                     "\"\"",
                                     "\"x\"",
                                     "\"1\"",
                                     "\"42.50\"",
                                     "\"-0\"",
                                     "\"\\u00e4\\n\\\"\"",
                                     "\"2024-01-15\"",
                                     "\"2024-01-15T10:30:00Z\"",
                                     "\"2024-01-15T10:30:00.000Z\"",
                                     "\"2024-01-15T10:30:00.123456Z\"",
                                     "\"2024-01-15T10:30:00.1234567Z\"",
                                     "\"2024-01-15 10:30:00\"",
                                     "\"2024-01-15T10:30:00.500\"",
                                     "1705314600000",
                                     "\"d9428888-122b-11e1-b85c-61cd3cbb3210\"",
                                     "\"D9428888-122B-11E1-B85C-61CD3CBB3210\"",
                                     "\"aGVsbG8=\"",
                                     "[]",
                                     "[1,2,3]",
                                     "[\"a\",\"b\",null]",
                                     "[0.5,1e3]",
                                     "[\"2024-01-15T10:30:00Z\"]",
                                     "{}",
                                     "{\"a\":{\"b\":[]}}",
                                     "[null]"};

static void make_mapping(struct buf *yaml, unsigned columns)
{
    buf_append_text(yaml, "entity: m\ntable: m\nkey: [id]\nrest: extra\ncolumns:\n"
                          "  - { name: id, from: /id, type: int8 }\n");
    for (unsigned i = 0; i < columns; i++) {
        unsigned t = pick(sizeof TYPES / sizeof *TYPES);
        const char *from[] = {"/c%u", "/n/c%u", "[/c%u, /n/alt]"};
        char pointer[32];
        snprintf(pointer, sizeof pointer, from[pick(3)], i);
        buf_append_format(yaml, "  - { name: c%u, from: %s, type: \"%s\"%s }\n", i, pointer,
                          TYPES[t].type, TYPES[t].as);
    }
}

static void make_object(struct buf *json, unsigned columns, bool nested)
{
    bool first = true;
    buf_append_char(json, '{');
    if (!nested) {
        buf_append_text(json, "\"id\":42");
        first = false;
    }
    for (unsigned i = 0; i < columns + 2; i++) {
        if (pick(3) == 0)
            continue;
        if (i == columns + 1 && !nested) {
            buf_append_text(json, ",\"n\":");
            make_object(json, columns, true);
            continue;
        }
        buf_append_format(json, "%s\"%s%u\":%s", first ? "" : ",", i < columns ? "c" : "alt",
                          i < columns ? i : 0, VALUES[pick(sizeof VALUES / sizeof *VALUES)]);
        first = false;
    }
    buf_append_char(json, '}');
}

START_TEST(generated_records_come_back)
{
    struct buf yaml, json;
    unsigned back = 0;
    buf_init(&yaml, 1u << 16);
    buf_init(&json, 1u << 16);
    seed = 0x9e3779b97f4a7c15ull + (uint64_t)_i * 7919;
    for (int m = 0; m < 40; m++) {
        unsigned columns = 1 + pick(4);
        buf_reset(&yaml);
        make_mapping(&yaml, columns);
        struct mapping *mapping = compile(buf_text(&yaml));
        for (int r = 0; r < 80; r++) {
            struct error err;
            char id[128];
            buf_reset(&json);
            make_object(&json, columns, false);
            back += round_trip(mapping, buf_text(&json), id, &err) == OUT_OK;
        }
        mapping_free(mapping);
    }
    ck_assert_msg(back > 300, "only %u of 3200 records fitted their mapping", back);
    buf_free(&yaml);
    buf_free(&json);
}
END_TEST

START_TEST(without_rest_nothing_is_lost_silently)
{
    struct error err;
    char id[128];
    struct mapping *mapping =
        compile("entity: a\ntable: a\nkey: [a]\ncolumns:\n  - { name: a, from: /a, type: text }\n");
    ck_assert_int_eq(round_trip(mapping, "{\"a\":\"x\"}", id, &err), OUT_OK);
    ck_assert_int_eq(round_trip(mapping, "{\"a\":\"x\",\"b\":1}", id, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_VALUE_INEXACT);
    mapping_free(mapping);
}
END_TEST

START_TEST(ids_keep_parts_apart_and_can_be_parsed)
{
    struct error err;
    char id[128];
    struct arena arena;
    struct row row;
    struct mapping_work work;
    struct mapping *mapping = compile(
        "entity: a\ntable: a\nkey: [a, n]\ncolumns:\n  - { name: a, from: /a, type: text }\n"
        "  - { name: n, from: /n, type: numeric }\n");
    ck_assert_int_eq(round_trip(mapping, "{\"a\":\"x:y/%\",\"n\":1.50}", id, &err), OUT_OK);
    ck_assert_str_eq(id, "x%3Ay%2F%25:1.5");
    struct record gone = record_of("");
    gone.operation = OP_DELETE;
    gone.id = bytes_text(id);
    arena_init(&arena, 1u << 20);
    mapping_work_init(&work);
    ck_assert_int_eq(mapping_forward(mapping, &gone, &work, &arena, &row, &err), OUT_OK);
    ck_assert(row.deleted);
    ck_assert(bytes_equal(bytes_of(row.cells[0].data, (size_t)row.cells[0].size),
                          BYTES_LITERAL("x:y/%")));
    gone.id = BYTES_LITERAL("only-one-part");
    ck_assert_int_eq(mapping_forward(mapping, &gone, &work, &arena, &row, &err), OUT_REJECT);
    mapping_work_free(&work);
    arena_free(&arena);
    mapping_free(mapping);
}
END_TEST

/* The member that names the tenant, and the isolation key it gives; NULL: refused with DRV-T002. */
static const struct {
    const char *json;
    const char *key;
} TENANTS[] = {
    {"\"acme inc\"", "acme%20inc"},
    {"17", "17"},
    {"{\"tenantId\": \"acme\"}", "acme"},
    {"{\"organizationId\": \"o\", \"serverId\": \"s\", \"projectId\": \"p:1\", \"codebaseHash\": "
     "\"c\", "
     "\"environment\": \"ci\"}",
     "o:s:p%3A1:c:ci"},
    {"{\"serverId\": \"s\", \"projectId\": \"p\"}", ":s:p::"},
    {"{}", NULL},
    {"{\"tenantId\": \"acme\", \"serverId\": \"s\"}", NULL},
    {"{\"serverId\": \"s\", \"region\": \"eu\"}", NULL},
    {"{\"serverId\": 5}", NULL},
    {"\"\"", NULL},
    {"true", NULL},
};

START_TEST(tenants_come_from_the_record)
{
    struct mapping *mapping = compile("entity: e\ntable: t\nkey: [id]\ntenant: { from: /tenant }\n"
                                      "columns:\n  - { name: id, from: /id, type: text }\n"
                                      "rest: extra\n");
    struct mapping_work work;
    struct buf tenant, id;
    struct error err;
    char json[512];
    int64_t version;
    bool has;
    mapping_work_init(&work);
    buf_init(&tenant, 4096);
    buf_init(&id, 4096);
    snprintf(json, sizeof json, "{\"id\":\"1\",\"tenant\":%s}", TENANTS[_i].json);
    struct record record = record_of(json);
    record.tenant = (struct bytes){0};
    enum outcome outcome =
        mapping_identify(mapping, &record, &work, &tenant, &id, &version, &has, &err);
    ck_assert_int_eq(outcome, TENANTS[_i].key ? OUT_OK : OUT_REJECT);
    if (TENANTS[_i].key)
        ck_assert_str_eq(buf_text(&tenant), TENANTS[_i].key);
    else
        ck_assert_int_eq(err.code, ERR_TENANT_FORM);
    buf_free(&tenant);
    buf_free(&id);
    mapping_work_free(&work);
    mapping_free(mapping);
}
END_TEST

/* The tenant given is for records that name none. */
static const struct {
    const char *json, *given;
    enum error_code code;
    const char *named; /* what the record says by itself */
} GIVEN[] = {
    {"{\"id\":\"1\"}", "acme", ERR_NONE, ""},
    {"{\"id\":\"1\",\"tenant\":null}", "acme", ERR_NONE, ""},
    {"{\"id\":\"1\",\"tenant\":\"acme\"}", "acme", ERR_NONE, "acme"},
    {"{\"id\":\"1\",\"tenant\":{\"tenantId\":\"acme\"}}", "acme", ERR_NONE, "acme"},
    {"{\"id\":\"1\",\"tenant\":\"Acme\"}", "acme", ERR_TENANT_OTHER, NULL},
    {"{\"id\":\"1\",\"tenant\":\"globex\"}", "acme", ERR_TENANT_OTHER, NULL},
    {"{\"id\":\"1\",\"tenant\":{\"projectId\":\"acme\"}}", "acme", ERR_TENANT_OTHER, NULL},
    {"{\"id\":\"1\",\"tenant\":\"\"}", "acme", ERR_TENANT_FORM, NULL},
    {"{\"id\":\"1\"}", "", ERR_TENANT_MISSING, NULL},
};

START_TEST(the_tenant_given_is_for_records_that_name_none)
{
    struct mapping *mapping = compile("entity: e\ntable: t\nkey: [id]\ntenant: { from: /tenant }\n"
                                      "columns:\n  - { name: id, from: /id, type: text }\n"
                                      "rest: extra\n");
    struct mapping_work work;
    struct buf tenant, id;
    struct error err = {0};
    int64_t version;
    bool has;
    mapping_work_init(&work);
    buf_init(&tenant, 4096);
    buf_init(&id, 4096);
    struct record record = record_of(GIVEN[_i].json);
    record.tenant = bytes_text(GIVEN[_i].given);
    enum outcome outcome =
        mapping_identify(mapping, &record, &work, &tenant, &id, &version, &has, &err);
    ck_assert_int_eq(outcome, GIVEN[_i].code == ERR_NONE ? OUT_OK : OUT_REJECT);
    ck_assert_int_eq(err.code, GIVEN[_i].code);
    if (GIVEN[_i].named)
        ck_assert_str_eq(buf_text(&tenant), GIVEN[_i].named);
    else
        ck_assert_str_eq(err.path, "/tenant");
    buf_free(&tenant);
    buf_free(&id);
    mapping_work_free(&work);
    mapping_free(mapping);
}
END_TEST

START_TEST(versions_come_from_the_record)
{
    struct error err;
    struct mapping_work work;
    struct buf id;
    int64_t version;
    bool has;
    struct mapping *mapping = compile("entity: a\ntable: a\nkey: [a]\nrest: r\n"
                                      "version: { from: /at, as: timestamp }\ncolumns:\n"
                                      "  - { name: a, from: /a, type: text }\n");
    struct record record = record_of("{\"a\":\"x\",\"at\":\"1970-01-01T00:00:01.5Z\"}");
    record.has_version = false;
    mapping_work_init(&work);
    buf_init(&id, 4096);
    ck_assert_int_eq(mapping_identify(mapping, &record, &work, NULL, &id, &version, &has, &err),
                     OUT_OK);
    ck_assert(has);
    ck_assert_int_eq(version, 1500000);
    record.payload = BYTES_LITERAL("{\"a\":\"x\"}");
    buf_reset(&id);
    ck_assert_int_eq(mapping_identify(mapping, &record, &work, NULL, &id, &version, &has, &err),
                     OUT_REJECT);
    ck_assert_str_eq(err.path, "/at");
    buf_free(&id);
    mapping_work_free(&work);
    mapping_free(mapping);
}
END_TEST

static Suite *mapping_suite(void)
{
    Suite *suite = suite_create("mapping");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, records_come_back_or_are_refused, 0,
                        sizeof RECORDS / sizeof *RECORDS);
    tcase_add_test(tcase, a_changed_cell_is_seen);
    tcase_add_loop_test(tcase, mistakes_are_named_with_their_place, 0,
                        sizeof BROKEN / sizeof *BROKEN);
    tcase_add_loop_test(tcase, generated_records_come_back, 0, 8);
    tcase_add_test(tcase, without_rest_nothing_is_lost_silently);
    tcase_add_test(tcase, ids_keep_parts_apart_and_can_be_parsed);
    tcase_add_loop_test(tcase, tenants_come_from_the_record, 0, sizeof TENANTS / sizeof *TENANTS);
    tcase_add_loop_test(tcase, the_tenant_given_is_for_records_that_name_none, 0,
                        sizeof GIVEN / sizeof GIVEN[0]);
    tcase_add_test(tcase, versions_come_from_the_record);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(mapping_suite)
