/*
 * Fault rows J05, J15, J16, J18, J20 to J22 and T01 to T05, where the tests of the modules do not
 * cover them: through the reader, the mapping and the envelope, as a record goes.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/text.h"
#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "common/model/mapping/mapping.h"
#include "common/model/message/tenant.h"
#include "common/model/value/timestamp.h"
#include "tests/support/json_cases.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static struct mapping *compile(const char *yaml)
{
    struct error err;
    struct mapping *mapping = NULL;
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s at %s", err.text, err.where);
    return mapping;
}

#define KEYED                                                                                      \
    "entity: k\ntable: k\nkey: [id]\nrest: extra\n"                                                \
    "columns:\n  - { name: id, from: /id, type: text }\n"

/* Forward and back. OUT_OK: the id is in `id`, and what came back is as expected. */
static enum outcome through(const struct mapping *mapping, struct bytes payload, struct buf *id,
                            struct buf *back, struct error *err)
{
    struct arena arena;
    struct mapping_work work;
    struct row row;
    yyjson_doc *doc = NULL, *expected = NULL;
    struct record record = {.tenant = BYTES_LITERAL("t"),
                            .version = 1,
                            .has_version = true,
                            .index = -1,
                            .payload = payload};
    arena_init(&arena, 1u << 26);
    mapping_work_init(&work);
    enum outcome outcome = mapping_forward(mapping, &record, &work, &arena, &row, err);
    if (outcome == OUT_OK) {
        buf_reset(id);
        buf_reset(back);
        buf_append_bytes(id, row.id);
        ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &doc, err), OUT_OK);
        ck_assert_int_eq(mapping_expected(mapping, &record, &work, &expected, err), OUT_OK);
        ck_assert(canonical_equal(yyjson_doc_get_root(doc), yyjson_doc_get_root(expected)));
        canonical_append(back, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        yyjson_doc_free(expected);
    }
    mapping_work_free(&work);
    arena_free(&arena);
    return outcome;
}

static struct buf text, id, back;
static struct error err;

static void set_up(void)
{
    buf_init(&text, 64u << 20);
    buf_init(&id, 1u << 20);
    buf_init(&back, 64u << 20);
    memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
    buf_free(&text);
    buf_free(&id);
    buf_free(&back);
}

/* ---- J05, J20: bytes and escapes ---- */

static void append_utf8(struct buf *out, uint32_t point)
{
    if (point < 0x80) {
        buf_append_char(out, (char)point);
    } else if (point < 0x800) {
        buf_append_char(out, (char)(0xC0 | point >> 6));
        buf_append_char(out, (char)(0x80 | (point & 0x3F)));
    } else if (point < 0x10000) {
        buf_append_char(out, (char)(0xE0 | point >> 12));
        buf_append_char(out, (char)(0x80 | (point >> 6 & 0x3F)));
        buf_append_char(out, (char)(0x80 | (point & 0x3F)));
    } else {
        buf_append_char(out, (char)(0xF0 | point >> 18));
        buf_append_char(out, (char)(0x80 | (point >> 12 & 0x3F)));
        buf_append_char(out, (char)(0x80 | (point >> 6 & 0x3F)));
        buf_append_char(out, (char)(0x80 | (point & 0x3F)));
    }
}

static void append_escape(struct buf *out, uint32_t point)
{
    if (point < 0x10000)
        buf_append_format(out, "\\u%04x", (unsigned)point);
    else
        buf_append_format(out, "\\u%04X\\u%04x", 0xD800 + ((unsigned)(point - 0x10000) >> 10),
                          0xDC00 + ((unsigned)(point - 0x10000) & 0x3FF));
}

/* The string that `text`, one JSON string, holds. */
static void expect_string(struct bytes want, uint32_t point)
{
    yyjson_doc *doc;
    ck_assert_msg(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK,
                  "U+%04X: %s", (unsigned)point, err.text);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ck_assert_msg(bytes_equal(bytes_of(yyjson_get_str(root), yyjson_get_len(root)), want),
                  "block of U+%04X", (unsigned)point);
    yyjson_doc_free(doc);
}

/* Every character there is, escaped and as it is, in blocks of 256. */
START_TEST(all_of_unicode)
{
    struct buf want;
    buf_init(&want, 4096);
    for (uint32_t block = 0; block < 0x110000; block += 256) {
        if (block >= 0xD800 && block < 0xE000)
            continue;
        for (int escaped = 0; escaped < 2; escaped++) {
            buf_reset(&want);
            buf_reset(&text);
            buf_append_char(&text, '"');
            for (uint32_t point = block ? block : 1; point < block + 256; point++) {
                bool must = point < 0x20 || point == '"' || point == '\\';
                append_utf8(&want, point);
                if (escaped || must)
                    append_escape(&text, point);
                else
                    append_utf8(&text, point);
            }
            buf_append_char(&text, '"');
            expect_string(buf_view(&want), block);
        }
    }
    buf_free(&want);
}
END_TEST

/* Whether two bytes are one or two characters of UTF-8, said independently. */
static bool is_pair_valid(unsigned first, unsigned second)
{
    if (first < 0x80 && second < 0x80)
        return true;
    return first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
}

START_TEST(every_pair_of_bytes)
{
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        unsigned first = pair >> 8, second = pair & 0xFF;
        if (first < 0x20 || first == '"' || first == '\\' || second < 0x20 || second == '"' ||
            second == '\\')
            continue;
        char json[] = {'"', (char)first, (char)second, '"'};
        yyjson_doc *doc;
        bool taken = json_parse(bytes_of(json, 4), JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK;
        ck_assert_msg(taken == is_pair_valid(first, second), "%02x %02x", first, second);
        ck_assert_msg(taken || err.code == ERR_JSON_UNICODE, "%02x %02x", first, second);
        yyjson_doc_free(doc);
    }
}
END_TEST

/* Rows of the decoder capability test of Kuhn, by its section. */
static const struct {
    const char *section, *json;
    bool ok;
} UTF8[] = {
    {"2.1.3 first of three", "\"\xE0\xA0\x80\"", true},
    {"2.1.4 first of four", "\"\xF0\x90\x80\x80\"", true},
    {"2.1.5 five bytes", "\"\xF8\x88\x80\x80\x80\"", false},
    {"2.1.6 six bytes", "\"\xFC\x84\x80\x80\x80\x80\"", false},
    {"2.2.3 U+FFFF", "\"\xEF\xBF\xBF\"", true},
    {"2.2.4 beyond", "\"\xF7\xBF\xBF\xBF\"", false},
    {"2.3.1 U+D7FF", "\"\xED\x9F\xBF\"", true},
    {"2.3.2 U+E000", "\"\xEE\x80\x80\"", true},
    {"2.3.3 U+FFFD", "\"\xEF\xBF\xBD\"", true},
    {"2.3.4 U+10FFFF", "\"\xF4\x8F\xBF\xBF\"", true},
    {"2.3.5 U+110000", "\"\xF4\x90\x80\x80\"", false},
    {"3.1.9 all continuation bytes", "\"\x80\x81\x82\xBE\xBF\"", false},
    {"3.2.1 lonely first of two", "\"\xC0 \xDF \"", false},
    {"3.2.2 lonely first of three", "\"\xE0 \xEF \"", false},
    {"3.2.3 lonely first of four", "\"\xF0 \xF7 \"", false},
    {"3.3.2 last byte missing", "\"\xE0\x80\"", false},
    {"3.3.3 last byte missing", "\"\xF0\x80\x80\"", false},
    {"3.5 impossible bytes", "\"\xFE\xFE\xFF\xFF\"", false},
    {"4.1.1 overlong slash, two", "\"\xC0\xAF\"", false},
    {"4.1.2 overlong slash, three", "\"\xE0\x80\xAF\"", false},
    {"4.1.3 overlong slash, four", "\"\xF0\x80\x80\xAF\"", false},
    {"4.2.2 longest overlong", "\"\xE0\x9F\xBF\"", false},
    {"4.2.3 longest overlong", "\"\xF0\x8F\xBF\xBF\"", false},
    {"4.3.1 NUL, overlong", "\"\xC0\x80\"", false},
    {"5.1.1 single surrogate", "\"\xED\xA0\x80\"", false},
    {"5.1.7 single surrogate", "\"\xED\xBF\xBF\"", false},
    {"5.2.1 CESU-8", "\"\xED\xA0\x80\xED\xB0\x80\"", false},
    {"5.3.1 U+FFFE", "\"\xEF\xBF\xBE\"", true},
    {"5.3.3 U+FDD0", "\"\xEF\xB7\x90\"", true},
    {"5.3.4 U+1FFFE", "\"\xF0\x9F\xBF\xBE\"", true},
    {"a mark inside", "\"a\xEF\xBB\xBF\"", true},
};

START_TEST(utf8_as_the_table_says)
{
    yyjson_doc *doc;
    enum outcome outcome =
        json_parse(bytes_text(UTF8[_i].json), JSON_UNICODE_REJECT, NULL, &doc, &err);
    ck_assert_msg((outcome == OUT_OK) == UTF8[_i].ok, "%s", UTF8[_i].section);
    ck_assert_msg(outcome == OUT_OK || err.code == ERR_JSON_UNICODE, "%s", UTF8[_i].section);
    yyjson_doc_free(doc);
}
END_TEST

/* ---- J15, J16: names and ids ---- */

static const char *const NAMES[] = {"",
                                    " ",
                                    "  ",
                                    "\t",
                                    "a",
                                    "A",
                                    "a ",
                                    " a",
                                    "\xC3\xA9",
                                    "e\xCC\x81",
                                    "\xC3\x89",
                                    "\xEF\xBD\x81",
                                    "a\xE2\x80\x8B",
                                    "__proto__",
                                    "constructor",
                                    "/",
                                    "~",
                                    "a/b",
                                    "a~1b"};

/* Member names are bytes: none is normalised, trimmed, folded or merged. */
START_TEST(names_are_bytes)
{
    struct mapping *mapping = compile(KEYED);
    struct buf want;
    buf_init(&want, 1 << 20);
    buf_append_text(&text, "{\"id\":\"x\"");
    for (int i = 0; i < COUNT(NAMES); i++) {
        buf_append_char(&text, ',');
        buf_append_json(&text, bytes_text(NAMES[i]));
        buf_append_format(&text, ":%d", i);
    }
    buf_append_text(&text, ",\"");
    for (int i = 0; i < 5000; i++)
        buf_append_char(&text, 'n');
    buf_append_text(&text, "\":[]}");
    ck_assert_int_eq(through(mapping, buf_view(&text), &id, &back, &err), OUT_OK);
    yyjson_doc *doc;
    ck_assert_int_eq(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err), OUT_OK);
    canonical_append(&want, yyjson_doc_get_root(doc));
    ck_assert_str_eq(buf_text(&want), buf_text(&back));
    yyjson_doc_free(doc);
    buf_free(&want);
    mapping_free(mapping);
}
END_TEST

/* J16: ids that look alike are different rows. */
START_TEST(ids_that_look_alike_differ)
{
    struct mapping *mapping = compile(KEYED);
    char *ids[COUNT(NAMES)];
    for (int i = 0; i < COUNT(NAMES); i++) {
        buf_reset(&text);
        buf_append_text(&text, "{\"id\":");
        buf_append_json(&text, bytes_text(NAMES[i]));
        buf_append_char(&text, '}');
        enum outcome outcome = through(mapping, buf_view(&text), &id, &back, &err);
        bool empty = NAMES[i][0] == '\0'; /* no key at all: refused */
        ck_assert_msg((outcome == OUT_OK) != empty, "\"%s\": %s", NAMES[i], err.text);
        if (empty)
            buf_reset(&id);
        ids[i] = strdup(buf_text(&id));
        for (int k = 0; k < i; k++)
            ck_assert_msg(strcmp(ids[i], ids[k]) != 0, "\"%s\" and \"%s\"", NAMES[i], NAMES[k]);
    }
    for (int i = 0; i < COUNT(NAMES); i++)
        free(ids[i]);
    mapping_free(mapping);
}
END_TEST

START_TEST(ids_are_bounded)
{
    struct mapping *mapping = compile(KEYED);
    for (int size = MAPPING_KEY_MAX; size <= MAPPING_KEY_MAX + 1; size++) {
        buf_reset(&text);
        buf_append_text(&text, "{\"id\":\"");
        for (int i = 0; i < size; i++)
            buf_append_char(&text, 'k');
        buf_append_text(&text, "\"}");
        enum outcome outcome = through(mapping, buf_view(&text), &id, &back, &err);
        ck_assert_int_eq(outcome, size <= MAPPING_KEY_MAX ? OUT_OK : OUT_REJECT);
        ck_assert(outcome == OUT_OK || err.code == ERR_VALUE_KEY);
    }
    mapping_free(mapping);
}
END_TEST

/* ---- J18: size ---- */

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void append_times(const char *unit, int times)
{
    for (int i = 0; i < times; i++)
        buf_append_text(&text, unit);
}

/* One string, one list, one object and white space of 8 MiB each: seconds would be quadratic. */
START_TEST(large_values_take_linear_time)
{
    static const struct {
        const char *open, *unit, *close;
        int times;
    } ROWS[] = {
        {"\"", "xxxxxxxxxxxxxxxx", "\"", 1 << 19},
        {"\"", "\\u00e9\\n\\\"", "\"", 1 << 19},
        {"[", "1,", "1]", 1 << 20},
        {"[", "                ", "1]", 1 << 19},
        {"[", "{},", "{}]", 1 << 19},
    };
    yyjson_doc *doc;
    for (int i = 0; i < COUNT(ROWS); i++) {
        buf_reset(&text);
        buf_append_text(&text, ROWS[i].open);
        append_times(ROWS[i].unit, ROWS[i].times);
        buf_append_text(&text, ROWS[i].close);
        double from = milliseconds();
        ck_assert_int_eq(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err),
                         OUT_OK);
        yyjson_doc_free(doc);
        ck_assert_msg(milliseconds() - from < 5000, "row %d", i);
    }
}
END_TEST

/* No hash to flood: names that share any number of bytes cost about what others do. */
START_TEST(hostile_names_cost_no_more)
{
    static const char *const FORMS[] = {"\"%08x\":1", "\"same%08d\":1",
                                        "\"%dzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\":1"};
    double took[3];
    yyjson_doc *doc;
    for (int form = 0; form < 3; form++) {
        buf_reset(&text);
        buf_append_char(&text, '{');
        for (unsigned i = 0; i < 100000; i++) {
            buf_append_text(&text, i ? "," : "");
            buf_append_format(&text, FORMS[form], form ? i : i * 2654435761u);
        }
        buf_append_char(&text, '}');
        double from = milliseconds();
        ck_assert_int_eq(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err),
                         OUT_OK);
        took[form] = milliseconds() - from;
        yyjson_doc_free(doc);
    }
    ck_assert_msg(took[1] < took[0] * 10 + 500 && took[2] < took[0] * 10 + 500, "%f %f %f ms",
                  took[0], took[1], took[2]);
}
END_TEST

/* ---- J21: what a member is, against what its column wants ---- */

static const char *const KINDS[] = {"\"1\"", "1", "true", "null", NULL}; /* NULL: absent */

static const struct {
    const char *column;
    const char *says; /* by kind: y as it is, t DRV-V002, r DRV-V001 */
} DRIFT[] = {
    {"type: text", "yttyy"},
    {"type: int4", "tytyy"},
    {"type: bool", "ttyyy"},
    {"type: int4, as: string", "yttyy"},
    {"type: text, as: number", "tytyy"},
    {"type: jsonb", "yyyyy"},
    {"type: int4, required: true", "tytrr"},
};

START_TEST(type_drift)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "%s  - { name: v, from: /v, %s }\n", KEYED, DRIFT[_i].column);
    struct mapping *mapping = compile(yaml);
    for (int kind = 0; kind < COUNT(KINDS); kind++) {
        char json[64], want[64];
        if (KINDS[kind])
            snprintf(json, sizeof(json), "{\"id\":\"x\",\"v\":%s}", KINDS[kind]);
        else
            snprintf(json, sizeof(json), "{\"id\":\"x\"}");
        memcpy(want, json, sizeof(want));
        enum outcome outcome = through(mapping, bytes_text(json), &id, &back, &err);
        char says = outcome == OUT_OK                ? 'y'
                    : err.code == ERR_VALUE_TYPE     ? 't'
                    : err.code == ERR_VALUE_REQUIRED ? 'r'
                                                     : '?';
        ck_assert_msg(says == DRIFT[_i].says[kind], "%s of %s: %c", json, DRIFT[_i].column, says);
        if (outcome == OUT_OK) /* absent is not null, and neither is a value */
            ck_assert_str_eq(buf_text(&back), want);
    }
    mapping_free(mapping);
}
END_TEST

/* ---- J22: naughty strings, in every place a string can stand ---- */

static struct buf naughty[NAUGHTY_MAX];
static size_t naughty_count;

static void load_naughty(void)
{
    set_up();
    naughty_count = naughty_load(naughty);
    ck_assert_uint_gt(naughty_count, 480);
}

static void free_naughty(void)
{
    for (size_t i = 0; i < naughty_count; i++)
        buf_free(&naughty[i]);
    tear_down();
}

/* As a value and as an id. */
START_TEST(naughty_values_and_ids)
{
    struct mapping *mapping = compile(KEYED "  - { name: v, from: /v, type: text }\n");
    struct buf want, plain;
    buf_init(&want, 1 << 20);
    buf_init(&plain, 1 << 20);
    for (size_t i = 0; i < naughty_count; i++) {
        struct bytes string = buf_view(&naughty[i]);
        buf_reset(&text);
        buf_append_text(&text, "{\"id\":");
        buf_append_json(&text, string);
        buf_append_text(&text, ",\"in\":{");
        buf_append_json(&text, string);
        buf_append_text(&text, ":null},\"v\":");
        buf_append_json(&text, string);
        buf_append_char(&text, '}');
        enum outcome outcome = through(mapping, buf_view(&text), &id, &back, &err);
        if (outcome != OUT_OK) {
            bool empty = err.code == ERR_VALUE_REQUIRED && string.size == 0;
            ck_assert_msg(empty || (err.code == ERR_VALUE_KEY && string.size > MAPPING_KEY_MAX),
                          "%zu: %s", i, err.text);
            continue;
        }
        buf_reset(&want);
        yyjson_doc *doc;
        ck_assert_int_eq(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err),
                         OUT_OK);
        canonical_append(&want, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        ck_assert_msg(bytes_equal(buf_view(&want), buf_view(&back)), "string %zu", i);
        buf_reset(&plain);
        ck_assert(text_percent_decode(&plain, buf_view(&id)));
        ck_assert_msg(bytes_equal(buf_view(&plain), string), "id of string %zu", i);
    }
    buf_free(&want);
    buf_free(&plain);
    mapping_free(mapping);
}
END_TEST

/* As a tenant, a member name that is the key, a user, a web origin, and a file's name: through the
 * message's key and headers. */
START_TEST(naughty_headers)
{
    struct buf tenant;
    struct envelope envelope;
    buf_init(&tenant, 1 << 16);
    for (size_t i = 0; i < naughty_count; i++) {
        struct bytes string = buf_view(&naughty[i]);
        struct tenant plain = {.tenant_id = string};
        struct record record, got;
        buf_reset(&tenant);
        if (string.size == 0)
            continue;
        ck_assert_msg(tenant_append_key(&plain, &tenant, &err) == OUT_OK, "%zu: %s", i, err.text);
        ck_assert(tenant_key_is_valid(buf_view(&tenant)));
        record = (struct record){.tenant = buf_view(&tenant),
                                 .entity = BYTES_LITERAL("e"),
                                 .id = BYTES_LITERAL("1"),
                                 .version = 5,
                                 .has_version = true,
                                 .payload = BYTES_LITERAL("{}"),
                                 .source_key = string,
                                 .index = -1,
                                 .user = string,
                                 .localstorage_origin = string,
                                 .run = BYTES_LITERAL("r"),
                                 .sequence = 0,
                                 .origin = {string, 3, 4, 5, 6}};
        buf_reset(&text);
        ck_assert_int_eq(envelope_encode(&record, &text, &envelope, &err), OUT_OK);
        ck_assert_msg(envelope_decode(&envelope, &got, &err) == OUT_OK, "%zu: %s", i, err.text);
        ck_assert_msg(bytes_equal(got.tenant, record.tenant), "tenant of %zu", i);
        ck_assert_msg(bytes_equal(got.source_key, string), "source key of %zu", i);
        ck_assert_msg(bytes_equal(got.user, string), "user of %zu", i);
        ck_assert_msg(bytes_equal(got.localstorage_origin, string), "web origin of %zu", i);
        buf_reset(&back); /* a file's name is percent-encoded where it is not printable */
        ck_assert(text_percent_decode(&back, got.origin.uri));
        ck_assert_msg(bytes_equal(buf_view(&back), string), "file of %zu", i);
        ck_assert_uint_eq(got.origin.line, 3);
        ck_assert_uint_eq(got.origin.byte, 5);
    }
    buf_free(&tenant);
}
END_TEST

/* What a terminal or a log gets of them holds no control character. */
START_TEST(naughty_output)
{
    for (size_t i = 0; i < naughty_count; i++) {
        buf_reset(&text);
        text_append_safe(&text, buf_view(&naughty[i]), 4096);
        ck_assert(text_is_utf8(buf_view(&text), NULL));
        for (size_t at = 0; at < text.size; at++)
            ck_assert_msg((unsigned char)text.data[at] >= 0x20 && text.data[at] != 0x7F,
                          "string %zu", i);
    }
}
END_TEST

/* ---- times ---- */

/* T01, T04: the zone of the host does not count, only the offset written. */
START_TEST(the_hosts_zone_does_not_count)
{
    static const char *const ZONES[] = {"Asia/Kolkata", "America/New_York", "UTC"};
    static const struct {
        const char *text;
        bool ok;
        int64_t unix_s;
    } ROWS[] = {
        {"2024-01-15T10:30:00", false, 0}, /* no zone */
        {"2024-01-15T10:30:00Z", true, 1705314600},
        {"2024-03-31T02:30:00+01:00", true, 1711848600}, /* a gap of Berlin's clocks */
        {"2024-10-27T02:30:00+02:00", true, 1729989000}, /* a fold: the first time */
        {"2024-10-27T02:30:00+01:00", true, 1729992600}, /* and the second */
        {"2024-10-27T02:30:00 Europe/Berlin", false, 0},
        {"2024-10-27T02:30:00 CET", false, 0},
        {"2024-10-27T02:30:00[Europe/Berlin]", false, 0},
    };
    setenv("TZ", ZONES[_i], 1);
    tzset();
    for (int i = 0; i < COUNT(ROWS); i++) {
        int64_t micros;
        bool truncated, exact;
        bool ok =
            timestamp_parse(bytes_text(ROWS[i].text), TIMESTAMP_ZONE_REQUIRED, &micros, &truncated);
        ck_assert_msg(ok == ROWS[i].ok, "%s", ROWS[i].text);
        if (ok)
            ck_assert_int_eq(timestamp_to_epoch(micros, 1, &exact), ROWS[i].unix_s);
    }
}
END_TEST

/* T02: the unit is declared, never guessed; what cannot be of this unit is refused. The year 1970
 * of a second taken for a millisecond can be seen by nobody: its unit was declared wrongly. */
static const struct {
    const char *form, *json;
    bool ok;
} EPOCHS[] = {
    {"epoch_s", "1705314600", true},         {"epoch_ms", "1705314600123", true},
    {"epoch_us", "1705314600123456", true},  {"epoch_s", "1705314600123", false},
    {"epoch_ms", "1705314600123456", false}, {"epoch_us", "1705314600123456789", false},
    {"epoch_s", "1705314600123456", false},  {"epoch_ms", "1705314600123456789", false},
    {"epoch_s", "-2208988800", true},        {"epoch_s", "-2208988801", false}, /* 1900 */
    {"epoch_s", "7258118399.999999", true},  {"epoch_s", "7258118400", false},  /* 2200 */
    {"epoch_ms", "7258118399999", true},     {"epoch_ms", "7258118400000", false},
    {"epoch_us", "-2208988800000000", true}, {"epoch_us", "-2208988800000001", false},
};

START_TEST(units_are_declared)
{
    char yaml[512], json[128];
    snprintf(yaml, sizeof(yaml), "%s  - { name: at, from: /at, type: timestamptz, as: %s }\n",
             KEYED, EPOCHS[_i].form);
    snprintf(json, sizeof(json), "{\"id\":\"x\",\"at\":%s}", EPOCHS[_i].json);
    struct mapping *mapping = compile(yaml);
    enum outcome outcome = through(mapping, bytes_text(json), &id, &back, &err);
    ck_assert_msg((outcome == OUT_OK) == EPOCHS[_i].ok, "%s %s", EPOCHS[_i].form, json);
    ck_assert_msg(outcome == OUT_OK || err.code == ERR_VALUE_RANGE, "%s: %s", json, err.text);
    mapping_free(mapping);
}
END_TEST

/* T03: the cases of JSON Schema's date-time format. Leap seconds have no place in a timestamptz
 * and are refused. */
static const struct {
    const char *text;
    bool ok;
} DATE_TIMES[] = {
    {"1963-06-19T08:30:06.283185Z", true},
    {"1963-06-19T08:30:06Z", true},
    {"1937-01-01T12:00:27.87+00:20", true},
    {"1990-12-31T15:59:50.123-08:00", true},
    {"1963-06-19t08:30:06.283185z", true},
    {"1998-12-31T23:59:60Z", false},
    {"1998-12-31T15:59:60.123-08:00", false},
    {"1998-12-31T23:59:61Z", false},
    {"1998-12-31T23:58:60Z", false},
    {"1998-12-31T22:59:60Z", false},
    {"1990-02-31T15:59:59.123-08:00", false},
    {"1990-12-31T15:59:59-24:00", false},
    {"1963-06-19T08:30:06.28123+01:00Z", false},
    {"06/19/1963 08:30:06 PST", false},
    {"2013-350T01:01:01", false},
    {"1963-6-19T08:30:06.283185Z", false},
    {"1963-06-1T08:30:06.283185Z", false},
    {"1963-06-1\xE0\xA7\xAA"
     "T00:00:00Z",
     false}, /* a digit that is not ASCII */
    {"1963-06-11T0\xE0\xA7\xAA:00:00Z", false},
    {"+11963-06-19T08:30:06.283185Z", false},
    {"2024-02-30T00:00:00Z", false},
    {"2024-01-15T24:00:00Z", false},
    {"0000-01-01T00:00:00Z", false},
    {"0044-03-15 BC", false},
    {"294277-01-01T00:00:00Z", false},
    {"-infinity", false},
    {"epoch", false},
    {"now", false},
    {"allballs", false},
};

START_TEST(date_times)
{
    int64_t micros;
    bool truncated;
    ck_assert_msg(timestamp_parse(bytes_text(DATE_TIMES[_i].text), TIMESTAMP_ZONE_REQUIRED, &micros,
                                  &truncated) == DATE_TIMES[_i].ok,
                  "%s", DATE_TIMES[_i].text);
}
END_TEST

/* T05: cut to microseconds, never rounded into the next second, and the original kept. */
START_TEST(fractions_are_cut_and_kept)
{
    static const struct {
        const char *fraction, *stored;
    } ROWS[] = {{".1234567", ".123456"},
                {".9999999", ".999999"},
                {".000000999", ".000"},
                {".123456", ".123456"}};
    struct mapping *mapping = compile(KEYED "  - { name: at, from: /at, type: timestamptz }\n");
    for (int i = 0; i < COUNT(ROWS); i++) {
        char json[128], stamp[64], want[64], memory[64];
        struct buf printed = {.data = memory, .capacity = 63, .limit = 63};
        int64_t micros;
        bool truncated;
        snprintf(stamp, sizeof(stamp), "2024-01-15T10:30:59%sZ", ROWS[i].fraction);
        snprintf(want, sizeof(want), "2024-01-15T10:30:59%sZ", ROWS[i].stored);
        ck_assert(timestamp_parse(bytes_text(stamp), TIMESTAMP_ZONE_REQUIRED, &micros, &truncated));
        ck_assert_int_eq(truncated, strcmp(ROWS[i].fraction, ROWS[i].stored) != 0);
        timestamp_append(&printed, micros, true);
        ck_assert_str_eq(buf_text(&printed), want);
        snprintf(json, sizeof(json), "{\"at\":\"%s\",\"id\":\"x\"}", stamp);
        ck_assert_int_eq(through(mapping, bytes_text(json), &id, &back, &err), OUT_OK);
        ck_assert_str_eq(buf_text(&back), json);
    }
    mapping_free(mapping);
}
END_TEST

static Suite *values_faults_suite(void)
{
    Suite *suite = suite_create("values_faults");
    TCase *tcase = tcase_create("values_faults");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, all_of_unicode);
    tcase_add_test(tcase, every_pair_of_bytes);
    tcase_add_loop_test(tcase, utf8_as_the_table_says, 0, COUNT(UTF8));
    tcase_add_test(tcase, names_are_bytes);
    tcase_add_test(tcase, ids_that_look_alike_differ);
    tcase_add_test(tcase, ids_are_bounded);
    tcase_add_test(tcase, large_values_take_linear_time);
    tcase_add_test(tcase, hostile_names_cost_no_more);
    tcase_add_loop_test(tcase, type_drift, 0, COUNT(DRIFT));
    tcase_add_loop_test(tcase, the_hosts_zone_does_not_count, 0, 3);
    tcase_add_loop_test(tcase, units_are_declared, 0, COUNT(EPOCHS));
    tcase_add_loop_test(tcase, date_times, 0, COUNT(DATE_TIMES));
    tcase_add_test(tcase, fractions_are_cut_and_kept);
    suite_add_tcase(suite, tcase);
    TCase *strings = tcase_create("naughty");
    tcase_add_checked_fixture(strings, load_naughty, free_naughty);
    tcase_add_test(strings, naughty_values_and_ids);
    tcase_add_test(strings, naughty_headers);
    tcase_add_test(strings, naughty_output);
    suite_add_tcase(suite, strings);
    return suite;
}

SUITE_MAIN(values_faults_suite)
