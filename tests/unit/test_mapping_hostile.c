/*
 * Records, ids and headers that somebody made up: empty and very long texts, NUL, numbers at every
 * end. Each ends in a row or in a refusal with its reason, never in an abort; an id has one
 * spelling whatever a delete says; a version is the header's, else the mapping's.
 *
 * HOSTILE_SEED and HOSTILE_ROUNDS run others, or more.
 */

#include "common/model/mapping/mapping.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/random_json.h"
#include "tests/support/suite.h"

struct way {
    struct mapping_work work;
    struct arena arena;
    struct buf id, tenant, text;
    struct error err;
    struct row row;
};

static void way_init(struct way *way)
{
    memset(way, 0, sizeof *way);
    mapping_work_init(&way->work);
    arena_init(&way->arena, 1u << 24);
    buf_init(&way->id, 1u << 20);
    buf_init(&way->tenant, 1u << 20);
    buf_init(&way->text, 1u << 20);
}

static void way_free(struct way *way)
{
    buf_free(&way->text);
    buf_free(&way->tenant);
    buf_free(&way->id);
    arena_free(&way->arena);
    mapping_work_free(&way->work);
}

/* The whole way of a record: identified, as a message, and out of it a row and the record again. */
static enum outcome travel(struct way *way, const struct mapping *mapping, struct record record)
{
    int64_t version = record.version;
    bool has_version = false;
    struct envelope envelope;
    struct record back;
    yyjson_doc *doc = NULL;
    arena_reset(&way->arena);
    buf_reset(&way->id);
    enum outcome outcome = mapping_identify(mapping, &record, &way->work, NULL, &way->id, &version,
                                            &has_version, &way->err);
    if (outcome != OUT_OK)
        return outcome;
    record.id = buf_view(&way->id);
    record.version = version;
    record.has_version = true;
    outcome = envelope_encode(&record, &way->text, &envelope, &way->err);
    if (outcome == OUT_OK)
        outcome = envelope_decode(&envelope, &back, &way->err);
    if (outcome == OUT_OK)
        outcome = mapping_forward(mapping, &back, &way->work, &way->arena, &way->row, &way->err);
    if (outcome != OUT_OK)
        return outcome;
    ck_assert_msg(bytes_equal(way->row.id, record.id), "the id is another in the row");
    ck_assert_int_eq(way->row.version, version);
    ck_assert_msg(mapping_inverse(mapping, &way->row, &way->work, &doc, &way->err) == OUT_OK,
                  "inverse: %s", way->err.text);
    ck_assert_msg(mapping_check_row(mapping, &way->row, yyjson_doc_get_root(doc), &way->work,
                                    &way->err) == OUT_OK,
                  "odd: %s %s", way->err.path, way->err.text);
    yyjson_doc_free(doc);
    return OUT_OK;
}

/* ---- generated ------------------------------------------------------------------------------ */

static const char *const KEY_TYPES[] = {
    "text", "varchar(3)",  "int2",  "int8",      "numeric",       "bool",   "uuid",
    "date", "timestamptz", "bytea", "timestamp", "numeric(78,0)", "float8", "text, as: loose"};

static void add_hostile(struct random *random, struct buf *json)
{
    static const char *const VALUES[] = {
        "\"\"",
        "\"\\u0000\"",
        "\" \"",
        "null",
        "true",
        "[]",
        "{}",
        "0",
        "-0",
        "1e308",
        "-1e308",
        "1e309",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1e-308",
        "\"9223372036854775807\"",
        "\"0001-01-01T00:00:00Z\"",
        "\"9999-12-31T23:59:59.999999Z\"",
        "\"9999-12-31\"",
        "\"0001-01-01\"",
        "\"\\ud800\"",
        "\"%\"",
        "\":\"",
        "\"::\"",
        "\"/\"",
        "\"00000000-0000-0000-0000-000000000000\"",
        "\"AA==\"",
        "\"A\"",
        "0.1",
        "1e11",
        "-99999999999",
        "253402300799999",
        "\"253402300799999\"",
        "\"+7\"",
        "\"7\"",
        "7",
        "115792089237316195423570985008687907853269984665640564039457584007913129639935"};
    unsigned kind = random_below(random, 12);
    if (kind == 0) { /* about the limit of a key, in characters of one to four bytes */
        static const char *const CHARACTERS[] = {"k", "\xc3\xa4", "\xe5\xb1\xb1",
                                                 "%", ":",        "\xf0\x9f\x98\x80"};
        const char *character = CHARACTERS[random_below(random, RANDOM_COUNT(CHARACTERS))];
        unsigned count = MAPPING_KEY_MAX / (unsigned)strlen(character) + random_below(random, 3);
        buf_append_char(json, '"');
        for (unsigned i = 1; i < count; i++)
            buf_append_text(json, character);
        buf_append_char(json, '"');
    } else if (kind == 1) { /* about the limit of digits */
        for (unsigned i = 0, count = 306 + random_below(random, 6); i < count; i++)
            buf_append_char(json, (char)('1' + i % 9));
    } else if (kind == 2) {
        random_string(random, json);
    } else {
        buf_append_text(json, VALUES[random_below(random, RANDOM_COUNT(VALUES))]);
    }
}

static const char *const WORDS[] = {"$key", "$index", "$user", "$origin"};

static void make_mapping(struct random *random, struct buf *yaml)
{
    unsigned keys = 1 + random_below(random, 3);
    buf_reset(yaml);
    buf_append_text(yaml, "entity: m\ntable: m\nkey: [");
    for (unsigned i = 0; i < keys; i++)
        buf_append_format(yaml, "%sc%u", i ? ", " : "", i);
    buf_append_format(yaml, "]\nrest: extra\n%scolumns:\n",
                      random_below(random, 2) ? "version: { from: /rev, as: number }\n" : "");
    for (unsigned i = 0; i < keys + 1; i++) {
        unsigned word = random_below(random, 8);
        if (word < RANDOM_COUNT(WORDS)) {
            buf_append_format(yaml, "  - { name: c%u, from: %s, type: %s }\n", i, WORDS[word],
                              word == 1 ? "int8" : "text");
            continue;
        }
        const char *type = KEY_TYPES[random_below(random, RANDOM_COUNT(KEY_TYPES))];
        buf_append_format(
            yaml, "  - { name: c%u, from: /c%u, type: \"%.*s\"%s }\n", i, i,
            (int)(strstr(type, ", as") ? strstr(type, ", as") - type : (long)strlen(type)), type,
            strstr(type, ", as") ? ", as: loose" : "");
    }
}

static void make_record(struct random *random, struct buf *json)
{
    buf_reset(json);
    buf_append_char(json, '{');
    for (unsigned i = 0; i < 4; i++) {
        if (random_below(random, 8) == 0)
            continue;
        buf_append_format(json, "%s\"c%u\":", json->size > 1 ? "," : "", i);
        add_hostile(random, json);
    }
    if (random_below(random, 2)) {
        buf_append_format(json, "%s\"rev\":", json->size > 1 ? "," : "");
        add_hostile(random, json);
    }
    buf_append_char(json, '}');
}

static struct bytes some_text(struct random *random)
{
    static const char *const TEXTS[] = {"", "k", "%", "a:b", "\xff", "/", "7", "7.0"};
    if (random_below(random, 4) == 0)
        return (struct bytes){0};
    return bytes_text(TEXTS[random_below(random, RANDOM_COUNT(TEXTS))]);
}

static int64_t some_number(struct random *random)
{
    static const int64_t NUMBERS[] = {INT64_MIN, INT64_MAX, -1, 0, 1, INT64_C(1) << 53};
    return NUMBERS[random_below(random, RANDOM_COUNT(NUMBERS))];
}

/* An id that nobody asked for is taken in any form or refused, and what is taken has one form. */
static void delete_some(struct way *way, struct random *random, const struct mapping *mapping)
{
    static const char *const IDS[] = {"",     ":",    "::",   "%",   "%4",    "%zz",    "%00",
                                      "7",    "%37",  "+7",   "+-7", "+",     "7.0",    "%ff",
                                      "true", "a%3a", "\xff", "7:7", "7:7:7", "1e308:x"};
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .operation = OP_DELETE,
                            .version = some_number(random),
                            .has_version = true,
                            .index = -1,
                            .id = bytes_text(IDS[random_below(random, RANDOM_COUNT(IDS))])};
    arena_reset(&way->arena);
    if (mapping_forward(mapping, &record, &way->work, &way->arena, &way->row, &way->err) != OUT_OK)
        return;
    struct row again;
    ck_assert_uint_gt(way->row.id.size, 0);
    record.id = way->row.id;
    ck_assert_int_eq(mapping_forward(mapping, &record, &way->work, &way->arena, &again, &way->err),
                     OUT_OK);
    ck_assert(bytes_equal(again.id, way->row.id));
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(nothing_made_up_ends_the_process)
{
    struct way way;
    struct buf yaml, json;
    struct random random = {number_from("HOSTILE_SEED", 20261128) + (uint64_t)_i};
    uint64_t rounds = number_from("HOSTILE_ROUNDS", 300), taken = 0;
    way_init(&way);
    buf_init(&yaml, 1u << 16);
    buf_init(&json, 1u << 20);
    printf("seed %" PRIu64 "\n", random.state);
    for (uint64_t m = 0; m < rounds; m++) {
        make_mapping(&random, &yaml);
        struct mapping *mapping = compile(buf_text(&yaml));
        for (int r = 0; r < 20; r++) {
            make_record(&random, &json);
            struct record record = {.tenant = BYTES_LITERAL("t1"),
                                    .entity = BYTES_LITERAL("m"),
                                    .version = some_number(&random),
                                    .source_key = some_text(&random),
                                    .user = some_text(&random),
                                    .localstorage_origin = some_text(&random),
                                    .index = random_below(&random, 3) ? 0 : INT64_MAX - 1,
                                    .sequence = -1,
                                    .payload = buf_view(&json)};
            taken += travel(&way, mapping, record) == OUT_OK;
            delete_some(&way, &random, mapping);
        }
        mapping_free(mapping);
    }
    printf("%" PRIu64 " of %" PRIu64 " records taken\n", taken, rounds * 20);
    ck_assert_uint_gt(taken, rounds / 10);
    buf_free(&json);
    buf_free(&yaml);
    way_free(&way);
}
END_TEST

/* ---- one at a time --------------------------------------------------------------------------- */

#define KEYED(type)                                                                                \
    "entity: m\ntable: m\nkey: [id]\nrest: extra\ncolumns:\n"                                      \
    "  - { name: id, from: /id, type: \"" type "\" }\n"

START_TEST(an_empty_key_is_refused_with_its_place)
{
    static const char *const YAMLS[] = {KEYED("text"), KEYED("varchar(9)"), KEYED("bytea"),
                                        "entity: m\ntable: m\nkey: [id]\nrest: extra\ncolumns:\n"
                                        "  - { name: id, from: $key, type: text }\n"};
    struct way way;
    way_init(&way);
    for (size_t i = 0; i < sizeof YAMLS / sizeof *YAMLS; i++) {
        struct mapping *mapping = compile(YAMLS[i]);
        struct record record = {.tenant = BYTES_LITERAL("t1"),
                                .entity = BYTES_LITERAL("m"),
                                .index = -1,
                                .sequence = -1,
                                .source_key = BYTES_LITERAL(""),
                                .payload = BYTES_LITERAL("{\"id\":\"\"}")};
        ck_assert_int_eq(travel(&way, mapping, record), OUT_REJECT);
        ck_assert_int_eq(way.err.code, ERR_VALUE_REQUIRED);
        ck_assert_msg(strncmp(way.err.where, "m.id (m.yaml:", 13) == 0, "%s", way.err.where);
        mapping_free(mapping);
    }
    way_free(&way);
}
END_TEST

/* One part of several may be empty; "" is a key of localStorage, and a member's name. */
START_TEST(an_empty_part_of_a_key_is_kept)
{
    struct way way;
    struct mapping *mapping = compile("entity: m\ntable: m\nkey: [u, k]\nrest: extra\ncolumns:\n"
                                      "  - { name: u, from: $user, type: text }\n"
                                      "  - { name: k, from: $key, type: text }\n");
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .index = -1,
                            .sequence = -1,
                            .source_key = BYTES_LITERAL(""),
                            .payload = BYTES_LITERAL("{\"value\":\"x\"}")};
    way_init(&way);
    ck_assert_msg(travel(&way, mapping, record) == OUT_OK, "%s", way.err.text);
    ck_assert_int_eq(way.row.cells[1].size, 0);
    ck_assert(bytes_equal(way.row.id, BYTES_LITERAL(":")));
    record.source_key = (struct bytes){0}; /* none at all is another thing */
    ck_assert_int_eq(travel(&way, mapping, record), OUT_REJECT);
    ck_assert_int_eq(way.err.code, ERR_VALUE_REQUIRED);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

static enum outcome forward_delete(struct way *way, const struct mapping *mapping, const char *id,
                                   const char *key_id)
{
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .operation = OP_DELETE,
                            .version = 3,
                            .has_version = true,
                            .id = bytes_text(id),
                            .key_id = key_id ? bytes_text(key_id) : (struct bytes){0}};
    return mapping_forward(mapping, &record, &way->work, &way->arena, &way->row, &way->err);
}

static const struct {
    const char *type, *spelled, *id; /* NULL: refused */
} IDS[] = {
    {"int8", "7", "7"},
    {"int8", "%37", "7"},
    {"int8", "+7", "7"},
    {"int8", "%2b7", "7"},
    {"int8", "7.0", "7"},
    {"int8", "7e0", "7"},
    {"int8", "-7", "-7"},
    {"int8", "+-7", NULL},
    {"int8", "7.5", NULL},
    {"int8", "x", NULL},
    {"int8", "", NULL},
    {"int2", "40000", NULL},
    {"numeric", "1.50", "1.5"},
    {"numeric(4,2)", "123.4", NULL},
    {"text", "a%2fb", "a%2Fb"},
    {"text", "!'()*", "%21%27%28%29%2A"}, /* encodeURIComponent leaves these */
    {"text", "\xc3\xa4", "%C3%A4"},
    {"text", "%c3%a4", "%C3%A4"},
    {"text", "%00", NULL},
    {"text", "%ff", NULL},
    {"text", "a:b", NULL},
    {"varchar(2)", "abc", NULL},
    {"bool", "true", "true"},
    {"bool", "t", NULL},
    {"uuid", "D9428888-122B-11E1-B85C-61CD3CBB3210", "d9428888-122b-11e1-b85c-61cd3cbb3210"},
    {"bytea", "AAff", "aaff"},
    {"timestamptz", "+1000000", "1000000"},
    {"float8", "0.1", "0.1"},
    {"float8", "9007199254740993", NULL}, /* 2^53 + 1 */
    {"float4", "16777217", NULL},
    {"date", "2024-01-15", "2024-01-15"},
    {"date", "2024-02-30", NULL},
};

START_TEST(a_deletes_id_is_made_of_its_cells)
{
    struct way way;
    char yaml[256];
    snprintf(
        yaml, sizeof yaml,
        "entity: m\ntable: m\nkey: [id]\ncolumns:\n  - { name: id, from: /id, type: \"%s\" }\n",
        IDS[_i].type);
    struct mapping *mapping = compile(yaml);
    way_init(&way);
    enum outcome outcome = forward_delete(&way, mapping, IDS[_i].spelled, NULL);
    if (!IDS[_i].id)
        ck_assert_msg(outcome == OUT_REJECT, "%s of %s is taken", IDS[_i].spelled, IDS[_i].type);
    else
        ck_assert_msg(outcome == OUT_OK && bytes_equal(way.row.id, bytes_text(IDS[_i].id)),
                      "%s of %s is %.*s", IDS[_i].spelled, IDS[_i].type,
                      outcome == OUT_OK ? (int)way.row.id.size : 0, way.row.id.data);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

START_TEST(a_delete_whose_key_says_another_id_is_refused)
{
    struct way way;
    struct mapping *mapping = compile(KEYED("int8"));
    way_init(&way);
    ck_assert_int_eq(forward_delete(&way, mapping, "7", "%37"), OUT_OK);
    ck_assert(bytes_equal(way.row.id, BYTES_LITERAL("7")));
    ck_assert_int_eq(forward_delete(&way, mapping, "7", "8"), OUT_REJECT);
    ck_assert_int_eq(way.err.code, ERR_ENVELOPE);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

static const struct {
    const char *version, *json;
    bool header;
    int64_t expected; /* of OUT_OK */
    enum error_code code;
} VERSIONS[] = {
    {"version: { from: /rev, as: number }\n", "{\"id\":1,\"rev\":5}", true, 9, ERR_NONE},
    {"version: { from: /rev, as: number }\n", "{\"id\":1}", true, 9, ERR_NONE},
    {"version: { from: /rev, as: number }\n", "{\"id\":1,\"rev\":\"x\"}", true, 9, ERR_NONE},
    {"version: { from: /rev, as: number }\n", "{\"id\":1,\"rev\":5}", false, 5, ERR_NONE},
    {"version: { from: /rev, as: number }\n", "{\"id\":1}", false, 0, ERR_VALUE_REQUIRED},
    {"version: { from: /rev, as: number }\n", "{\"id\":1,\"rev\":\"x\"}", false, 0, ERR_VALUE_FORM},
    {"version: { from: /rev, as: number }\n", NULL, false, 0, ERR_ENVELOPE},
    {"version: { from: /rev, as: number }\n", NULL, true, 9, ERR_NONE},
    {"", "{\"id\":1,\"rev\":5}", true, 9, ERR_NONE},
    {"", "{\"id\":1}", false, 0, ERR_ENVELOPE}, /* its reader puts the place in the log in */
};

START_TEST(the_headers_version_goes_before_the_mappings)
{
    struct way way;
    char yaml[256];
    snprintf(yaml, sizeof yaml, "%s%s", VERSIONS[_i].version, KEYED("int8"));
    struct mapping *mapping = compile(yaml);
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .operation = VERSIONS[_i].json ? OP_UPSERT : OP_DELETE,
                            .version = 9,
                            .has_version = VERSIONS[_i].header,
                            .id = BYTES_LITERAL("1"),
                            .index = -1,
                            .payload = bytes_text(VERSIONS[_i].json)};
    way_init(&way);
    enum outcome outcome =
        mapping_forward(mapping, &record, &way.work, &way.arena, &way.row, &way.err);
    ck_assert_int_eq(outcome == OUT_OK ? ERR_NONE : way.err.code, VERSIONS[_i].code);
    if (outcome == OUT_OK)
        ck_assert_int_eq(way.row.version, VERSIONS[_i].expected);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

/* The limit is that of the text, not of its percent-encoding. */
START_TEST(keys_are_bounded_by_their_text)
{
    static const struct {
        const char *character;
        int max;
    } ROWS[] = {{"k", 512}, {"\xc3\xa4", 256}, {"\xe5\xb1\xb1", 170}, {"%", 512}, {":", 512}};
    struct way way;
    struct mapping *mapping = compile(KEYED("text"));
    struct buf json;
    way_init(&way);
    buf_init(&json, 1u << 16);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        for (int count = ROWS[i].max; count <= ROWS[i].max + 1; count++) {
            buf_reset(&json);
            buf_append_text(&json, "{\"id\":\"");
            for (int k = 0; k < count; k++)
                buf_append_text(&json, ROWS[i].character);
            buf_append_text(&json, "\"}");
            struct record record = {.tenant = BYTES_LITERAL("t1"),
                                    .entity = BYTES_LITERAL("m"),
                                    .index = -1,
                                    .sequence = -1,
                                    .payload = buf_view(&json)};
            enum outcome outcome = travel(&way, mapping, record);
            ck_assert_msg((outcome == OUT_OK) == (count <= ROWS[i].max), "%d of %s", count,
                          ROWS[i].character);
        }
    }
    buf_free(&json);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

static const struct {
    const char *column, *value;
    enum error_code code;
} TAKEN[] = {
    {"type: \"numeric(78,0)\", as: string",
     "\"115792089237316195423570985008687907853269984665640564039457584007913129639935\"",
     ERR_NONE},
    {"type: \"numeric(78,0)\"",
     "115792089237316195423570985008687907853269984665640564039457584007913129639935", ERR_NONE},
    {"type: \"numeric(77,0)\"",
     "115792089237316195423570985008687907853269984665640564039457584007913129639935",
     ERR_VALUE_RANGE},
    {"type: \"numeric(96,18)\", as: string",
     "\"115792089237316195423570985008687907853269984665640564039457584007913129639935.5\"",
     ERR_NONE},
    {"type: float8",
     "115792089237316195423570985008687907853269984665640564039457584007913129639935", ERR_NONE},
    {"type: timestamptz, as: loose", "1705309200", ERR_VALUE_RANGE},
    {"type: timestamptz, as: loose", "1705309201.5", ERR_VALUE_RANGE},
    {"type: timestamptz, as: loose", "45306.375", ERR_VALUE_RANGE},
    {"type: timestamptz, as: loose", "-1705309200", ERR_VALUE_RANGE},
    {"type: timestamptz, as: loose", "0", ERR_NONE},
    {"type: timestamptz, as: loose", "1705309200000", ERR_NONE},
    {"type: timestamptz, as: loose", "100000000000", ERR_NONE},
    {"type: timestamptz, as: epoch_ms", "1705309200", ERR_NONE},
    {"type: timestamptz, as: epoch_s", "1705309200", ERR_NONE},
};

START_TEST(numbers_are_taken_or_refused_aloud)
{
    struct way way;
    char yaml[300], json[300];
    snprintf(yaml, sizeof yaml, "%s  - { name: v, from: /v, %s }\n", KEYED("int8"),
             TAKEN[_i].column);
    snprintf(json, sizeof json, "{\"id\":1,\"v\":%s}", TAKEN[_i].value);
    struct mapping *mapping = compile(yaml);
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .index = -1,
                            .sequence = -1,
                            .payload = bytes_text(json)};
    way_init(&way);
    enum outcome outcome = travel(&way, mapping, record);
    ck_assert_msg((outcome == OUT_OK ? ERR_NONE : way.err.code) == TAKEN[_i].code, "%s: %s", json,
                  outcome == OUT_OK ? "taken" : way.err.text);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

/* $key is given back as its cell prints it, so it must be written so. */
START_TEST(a_key_of_another_spelling_is_refused)
{
    struct way way;
    struct mapping *mapping = compile("entity: m\ntable: m\nkey: [id]\nrest: extra\ncolumns:\n"
                                      "  - { name: id, from: $key, type: numeric }\n");
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .index = -1,
                            .sequence = -1,
                            .source_key = BYTES_LITERAL("7"),
                            .payload = BYTES_LITERAL("{}")};
    way_init(&way);
    ck_assert_int_eq(travel(&way, mapping, record), OUT_OK);
    record.source_key = BYTES_LITERAL("7.0");
    ck_assert_int_eq(travel(&way, mapping, record), OUT_REJECT);
    ck_assert_int_eq(way.err.code, ERR_VALUE_FORM);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

/* What names a record is held whole or refused: no two become one. `id` NULL: refused. */
static const struct {
    const char *column, *value, *id;
} HELD[] = {
    {"type: float4", "16777216", "16777216"},
    {"type: float4", "16777217", NULL},
    {"type: float4", "0.1", "0.1"},
    {"type: float4", "0.100000001", NULL},
    {"type: \"float4\", as: string", "\"16777217\"", NULL},
    {"type: float4, as: loose", "\"16777217\"", NULL},
    {"type: float4, decode: json", "\"16777217\"", NULL},
    {"type: float8", "9007199254740992", "9007199254740992"},
    {"type: float8", "9007199254740993", NULL},
    {"type: float8", "0.1", "0.1"},
    {"type: float8", "0.10", "0.1"},
    {"type: float8", "0.30000000000000004", "0.30000000000000004"}, /* as 0.1 + 0.2 prints */
    {"type: float8", "0.1000000000000000055", NULL}, /* is 0.1 as a double, but not that text's */
    {"type: float8", "-0.0", "0"},
    {"type: timestamptz", "\"2024-01-01T00:00:00Z\"", "1704067200000000"},
    {"type: timestamptz", "\"2024-01-01T01:00:00.000001+01:00\"", "1704067200000001"},
    {"type: timestamptz", "\"2024-01-01T00:00:00.0000010Z\"", "1704067200000001"},
    {"type: timestamptz", "\"2024-01-01T00:00:00.0000004Z\"", NULL},
    {"type: timestamptz", "\"2024-01-01T01:00:00.123456789+01:00\"", NULL},
    {"type: timestamp", "\"2024-01-01 00:00:00\"", "1704067200000000"},
    {"type: timestamp", "\"2024-01-01T00:00:00.0000001\"", NULL},
    {"type: timestamptz, as: epoch_s", "1704067200.000001", "1704067200000001"},
    {"type: timestamptz, as: epoch_s", "1704067200.0000001", NULL},
    {"type: timestamptz, as: epoch_us", "1704067200000000.5", NULL},
    {"type: timestamptz, as: loose", "1704067200000.0001", NULL},
    {"type: timestamptz, as: loose", "1704067200000.50", "1704067200000500"},
    {"type: timestamptz, as: loose", "\"2024-01-01T00:00:00.0000001Z\"", NULL},
    {"type: uuid", "\"D9428888-122B-11E1-B85C-61CD3CBB3210\"",
     "d9428888-122b-11e1-b85c-61cd3cbb3210"},
    {"type: numeric", "1.50", "1.5"},
    {"type: \"numeric(5,2)\"", "1.005", NULL},
    {"type: int8, as: loose", "\"1.0\"", "1"},
    {"type: text", "\"a\xEF\xBF\xBD\"", NULL}, /* U+FFFD, or what it stands for */
    {"type: text", "\"a\\ud800\"", NULL},
    {"type: \"varchar(9)\"", "\"a\\u0000\"", NULL},
    {"type: text", "\"a\"", "a"},
};

#define REPLACING "entity: m\ntable: m\nkey: [id]\nrest: extra\non_invalid_unicode: replace\n"

START_TEST(what_names_a_record_is_held_whole)
{
    struct way way;
    char yaml[400], json[300];
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .entity = BYTES_LITERAL("m"),
                            .version = 1,
                            .has_version = true,
                            .index = -1,
                            .sequence = -1};
    way_init(&way);
    snprintf(yaml, sizeof yaml, REPLACING "columns:\n  - { name: id, from: /id, %s }\n",
             HELD[_i].column);
    snprintf(json, sizeof json, "{\"id\":%s}", HELD[_i].value);
    record.payload = bytes_text(json);
    struct mapping *mapping = compile(yaml);
    enum outcome outcome = travel(&way, mapping, record);
    ck_assert_msg((outcome == OUT_OK) == (HELD[_i].id != NULL), "%s of %s: %s", json,
                  HELD[_i].column, outcome == OUT_OK ? "taken" : way.err.text);
    if (HELD[_i].id)
        ck_assert_msg(bytes_equal(way.row.id, bytes_text(HELD[_i].id)), "%s is %.*s", json,
                      BYTES_ARGS(way.row.id));
    else
        ck_assert_msg(way.err.code == ERR_VALUE_ROUNDED || way.err.code == ERR_VALUE_RANGE,
                      "%s: %s", json, way.err.text);
    mapping_free(mapping);
    bool never = outcome != OUT_OK && way.err.code == ERR_VALUE_RANGE;

    /* as the name of a parent; other columns may be rounded, and the rest has what was */
    for (int refers = 0; refers <= 1; refers++) {
        snprintf(yaml, sizeof yaml,
                 REPLACING "%scolumns:\n  - { name: id, from: /key, type: int8 }\n"
                           "  - { name: p, from: /id, %s }\n",
                 refers ? "references:\n  - { columns: [p], entity: parent }\n" : "",
                 HELD[_i].column);
        snprintf(json, sizeof json, "{\"key\":1,\"id\":%s}", HELD[_i].value);
        record.payload = bytes_text(json);
        mapping = compile(yaml);
        outcome = travel(&way, mapping, record);
        bool taken = HELD[_i].id || (!refers && !never);
        ck_assert_msg((outcome == OUT_OK) == taken, "%s of %s, refers %d", json, HELD[_i].column,
                      refers);
        mapping_free(mapping);
    }
    way_free(&way);
}
END_TEST

static const struct {
    const char *tenant;
    bool ok;
} REPLACED_TENANTS[] = {
    {"\"a\"", true},
    {"\"a\\ud800\"", false},
    {"\"a\xEF\xBF\xBD\"", false},
    {"{\"serverId\":\"a\"}", true},
    {"{\"serverId\":\"a\\ud801\"}", false},
};

START_TEST(no_two_tenants_become_one)
{
    struct way way;
    char json[200];
    int64_t version;
    bool has;
    struct mapping *mapping =
        compile(REPLACING "tenant: { from: /tenant }\n"
                          "columns:\n  - { name: id, from: /id, type: text }\n");
    snprintf(json, sizeof json, "{\"id\":\"1\",\"tenant\":%s}", REPLACED_TENANTS[_i].tenant);
    struct record record = {.entity = BYTES_LITERAL("m"), .index = -1, .payload = bytes_text(json)};
    way_init(&way);
    enum outcome outcome = mapping_identify(mapping, &record, &way.work, &way.tenant, &way.id,
                                            &version, &has, &way.err);
    ck_assert_msg((outcome == OUT_OK) == REPLACED_TENANTS[_i].ok, "%s", json);
    if (outcome != OUT_OK)
        ck_assert_int_eq(way.err.code, ERR_TENANT_FORM);
    mapping_free(mapping);
    way_free(&way);
}
END_TEST

static const struct {
    const char *redis;
    bool ok;
} REDIS[] = {
    {"redis: { key: \"m:{isolation_key}:{id}\" }\n", true},
    {"redis: { key: \"m:{isolation_key}:{u}:{id}\" }\n", false}, /* u twice */
    {"redis: { key: \"m:{isolation_key}:{u}\" }\n", false},
};

START_TEST(the_whole_id_stands_alone)
{
    struct error err;
    struct mapping *mapping = NULL;
    char yaml[300];
    snprintf(yaml, sizeof yaml,
             "entity: m\ntable: m\nkey: [u, id]\n%scolumns:\n"
             "  - { name: u, from: $user, type: text }\n  - { name: id, from: /id, type: text }\n",
             REDIS[_i].redis);
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err);
    ck_assert_int_eq(outcome, REDIS[_i].ok ? OUT_OK : OUT_FATAL);
    mapping_free(mapping);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("mapping_hostile");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, nothing_made_up_ends_the_process, 0, 4);
    tcase_add_test(all, an_empty_key_is_refused_with_its_place);
    tcase_add_test(all, an_empty_part_of_a_key_is_kept);
    tcase_add_loop_test(all, a_deletes_id_is_made_of_its_cells, 0, sizeof IDS / sizeof *IDS);
    tcase_add_test(all, a_delete_whose_key_says_another_id_is_refused);
    tcase_add_loop_test(all, the_headers_version_goes_before_the_mappings, 0,
                        sizeof VERSIONS / sizeof *VERSIONS);
    tcase_add_test(all, keys_are_bounded_by_their_text);
    tcase_add_loop_test(all, numbers_are_taken_or_refused_aloud, 0, sizeof TAKEN / sizeof *TAKEN);
    tcase_add_test(all, a_key_of_another_spelling_is_refused);
    tcase_add_loop_test(all, what_names_a_record_is_held_whole, 0, sizeof HELD / sizeof *HELD);
    tcase_add_loop_test(all, no_two_tenants_become_one, 0,
                        sizeof REPLACED_TENANTS / sizeof *REPLACED_TENANTS);
    tcase_add_loop_test(all, the_whole_id_stands_alone, 0, sizeof REDIS / sizeof *REDIS);
    suite_add_tcase(suite, all);
    return suite;
}

SUITE_MAIN(suite)
