/* Who a record is, by the pass that picks, is what the whole document says: the same answers and
 * the same errors, of generated records that are sound, broken, and broken in one byte. The seed is
 * printed; DROVER_SEED repeats it, DROVER_CASES says how many. */
#include "common/model/json/json_pick.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/json/members.h"
#include "common/model/mapping/mapping.h"
#include "tests/support/random_json.h"
#include "tests/support/suite.h"

#define CASES 40000

static const char MAPPING[] = "entity: e\ntable: t\nkey: [id, part]\n"
                              "tenant: { from: /who/tenant }\n"
                              "version: { from: /rev, as: number }\n"
                              "columns:\n"
                              "  - { name: id, from: [/id, /_id], type: text }\n"
                              "  - { name: part, from: /who/at/1, type: int8, default: 7 }\n"
                              "rest: extra\n";

static unsigned long number_of(const char *name, unsigned long otherwise)
{
    const char *given = getenv(name);
    return given ? strtoul(given, NULL, 10) : otherwise;
}

/* ---- records ---- */

struct maker {
    struct random random;
    unsigned shape; /* records of one shape follow each other */
    struct buf text;
};

/* The next one of the shape's own choices, below `limit`. */
static unsigned choice(struct random *shape, unsigned limit)
{
    return random_below(shape, limit);
}

static void add_name(struct maker *maker, const char *name, bool *first)
{
    buf_append_format(&maker->text, "%s%s\"%s\"%s:%s", *first ? "" : ",",
                      random_below(&maker->random, 40) ? "" : " ", name,
                      random_below(&maker->random, 40) ? "" : "\t",
                      random_below(&maker->random, 4) ? "" : " ");
    *first = false;
}

static void add_who(struct maker *maker)
{
    static const char *const TENANTS[] = {"\"acme\"", "\"caf\\u00e9\"",       "\"\"", "17",
                                          "null",     "{\"tenantId\":\"a\"}", "[1]"};
    struct random *random = &maker->random;
    if (random_below(random, 20) == 0) {
        random_value(random, 2, &maker->text);
        return;
    }
    buf_append_format(&maker->text, "{\"tenant\":%s",
                      TENANTS[random_below(random, 4) ? 0 : random_below(random, 7)]);
    if (random_below(random, 3))
        buf_append_format(&maker->text, ",\"at\":[%u,%u]", random_below(random, 9),
                          random_below(random, 99));
    if (random_below(random, 100) == 0)
        buf_append_text(&maker->text, ",\"tenant\":\"other\"");
    buf_append_char(&maker->text, '}');
}

static void add_scalar(struct maker *maker)
{
    static const char *const ODD[] = {"1e-99",
                                      "12.5E+02",
                                      "1e308",
                                      "1e309",
                                      "-0.0",
                                      "01",
                                      "-",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "nul",
                                      "True",
                                      "\"\\u0000\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\\ud800\"",
                                      "\"\\ud83d\\u0041\"",
                                      "\"\\x\"",
                                      "\"\\u12g4\"",
                                      "\"\x01\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xf4\x90\x80\x80\"",
                                      "\"\xff\"",
                                      "\"\xe2\x82\"",
                                      "\"\x7f\"",
                                      "\"\xef\xbf\xbf\"",
                                      "NaN",
                                      "// no",
                                      ""};
    struct random *random = &maker->random;
    unsigned kind = random_below(random, 60);
    if (kind == 0)
        buf_append_text(&maker->text, ODD[random_below(random, RANDOM_COUNT(ODD))]);
    else if (kind == 1) /* around the limit of 309 digits */
        for (unsigned i = 305 + random_below(random, 8); i > 0; i--)
            buf_append_char(&maker->text, '3');
    else if (kind < 20)
        random_number(random, &maker->text);
    else
        random_string(random, &maker->text);
}

static void add_deep(struct maker *maker)
{
    unsigned depth = 1 + random_below(&maker->random, random_below(&maker->random, 8) ? 60 : 260);
    bool object = random_below(&maker->random, 2);
    for (unsigned i = 0; i < depth; i++)
        buf_append_text(&maker->text, object ? "{\"d\":" : "[");
    buf_append_text(&maker->text, "1");
    for (unsigned i = 0; i < depth; i++)
        buf_append_char(&maker->text, object ? '}' : ']');
}

/* Rows of small objects: the same names again and again, each in an object of its own, or not. */
static void add_rows(struct maker *maker)
{
    bool split = random_below(&maker->random, 30);
    buf_append_text(&maker->text, "[{\"k\":1");
    for (unsigned i = random_below(&maker->random, 6); i > 0; i--)
        buf_append_text(&maker->text, split ? "},{\"k\":2" : ",\"k\":2");
    buf_append_text(&maker->text, "}]");
}

static void add_member(struct maker *maker, struct random *shape, bool *first)
{
    static const char *const NAMES[] = {
        "a",  "bb", "title",    "created_at", "role", "x\\u0061", "metadata_of_the_record",
        "n1", "n2", "\xc3\xa4", "",           "open"};
    unsigned kind = choice(shape, 12);
    add_name(maker, NAMES[choice(shape, RANDOM_COUNT(NAMES))], first);
    if (kind == 0)
        random_value(&maker->random, 3, &maker->text);
    else if (kind == 1)
        add_rows(maker);
    else if (kind == 2 && choice(shape, 3) == 0)
        add_deep(maker);
    else
        add_scalar(maker);
}

static void add_identity(struct maker *maker, struct random *shape, bool *first)
{
    if (choice(shape, 30)) {
        add_name(maker, choice(shape, 6) ? "id" : "_id", first);
        buf_append_format(&maker->text, "\"%s%u\"",
                          random_below(&maker->random, 9) ? "" : "\\u0041/",
                          random_below(&maker->random, 100000));
    }
    if (choice(shape, 30)) {
        add_name(maker, "who", first);
        add_who(maker);
    }
    if (choice(shape, 30)) {
        add_name(maker, "rev", first);
        buf_append_format(&maker->text, random_below(&maker->random, 20) ? "%u" : "\"%u\"",
                          random_below(&maker->random, 1000));
    }
}

/* One byte is another, is gone, or the text ends there. */
static void break_one(struct maker *maker)
{
    static const char BYTES[] = "\"\\{}[],: 0e.\x01\x80\xff/tn";
    struct random *random = &maker->random;
    size_t at = random_below(random, (unsigned)maker->text.size);
    switch (random_below(random, 3)) {
    case 0:
        maker->text.data[at] = BYTES[random_below(random, sizeof BYTES - 1)];
        break;
    case 1:
        memmove(maker->text.data + at, maker->text.data + at + 1, maker->text.size - at - 1);
        maker->text.size--;
        break;
    default:
        maker->text.size = at;
    }
}

/* In memory of its own: a byte read behind it is found. */
static struct bytes make_record(struct maker *maker)
{
    struct random *random = &maker->random;
    bool first = true;
    if (random_below(random, 5) == 0)
        maker->shape = random_below(random, 1000);
    struct random shape = {maker->shape};
    buf_reset(&maker->text);
    buf_append_char(&maker->text, '{');
    for (unsigned i = choice(&shape, 4); i > 0; i--)
        add_member(maker, &shape, &first);
    add_identity(maker, &shape, &first);
    for (unsigned i = choice(&shape, 8); i > 0; i--)
        add_member(maker, &shape, &first);
    if (random_below(random, 12) == 0) /* a shape may have a member more */
        add_member(maker, random, &first);
    buf_append_text(&maker->text, random_below(random, 30) ? "}" : " } ");
    if (random_below(random, 4) == 0)
        break_one(maker);
    char *copy = mem_alloc(maker->text.size ? maker->text.size : 1);
    memcpy(copy, maker->text.data, maker->text.size);
    return bytes_of(copy, maker->text.size);
}

/* ---- both ways ---- */

struct answer {
    enum outcome outcome;
    struct buf tenant, id;
    int64_t version;
    bool has;
    struct error err;
};

static void ask(const struct mapping *mapping, struct mapping_work *work, struct bytes payload,
                struct bytes given, struct answer *answer)
{
    struct record record = {.tenant = given, .payload = payload, .index = -1};
    memset(&answer->err, 0, sizeof answer->err);
    buf_reset(&answer->tenant);
    buf_reset(&answer->id);
    answer->version = 0;
    answer->outcome = mapping_identify(mapping, &record, work, &answer->tenant, &answer->id,
                                       &answer->version, &answer->has, &answer->err);
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
    if (a->outcome != b->outcome)
        return false;
    if (a->outcome != OUT_OK)
        return a->err.code == b->err.code && strcmp(a->err.text, b->err.text) == 0 &&
               strcmp(a->err.where, b->err.where) == 0 && strcmp(a->err.path, b->err.path) == 0 &&
               strcmp(a->err.cause, b->err.cause) == 0 && strcmp(a->err.hint, b->err.hint) == 0;
    return bytes_equal(buf_view(&a->tenant), buf_view(&b->tenant)) &&
           bytes_equal(buf_view(&a->id), buf_view(&b->id)) && a->version == b->version &&
           a->has == b->has;
}

static struct mapping *compile(bool whole)
{
    struct mapping *mapping = NULL;
    struct error err;
    ck_assert_msg(mapping_parse("m.yaml", bytes_text(MAPPING), &mapping, &err) == OUT_OK, "%s",
                  err.text);
    ck_assert(!mapping->identity_is_whole);
    mapping->identity_is_whole = whole;
    return mapping;
}

START_TEST(who_a_record_is_does_not_depend_on_the_way)
{
    unsigned long seed = number_of("DROVER_SEED", 20261129),
                  cases = number_of("DROVER_CASES", CASES);
    struct maker maker = {.random = {seed}};
    struct mapping *picks = compile(false), *parses = compile(true);
    struct mapping_work work, other;
    struct answer a = {0}, b = {0};
    unsigned long accepted = 0;
    mapping_work_init(&work);
    mapping_work_init(&other);
    buf_init(&maker.text, 1 << 20);
    struct buf *const bufs[] = {&a.tenant, &a.id, &b.tenant, &b.id};
    for (size_t i = 0; i < 4; i++)
        buf_init(bufs[i], 1 << 20);
    printf("seed %lu, %lu records\n", seed, cases);
    for (unsigned long i = 0; i < cases; i++) {
        struct bytes text = make_record(&maker);
        struct bytes given =
            random_below(&maker.random, 9) ? (struct bytes){0} : bytes_text("acme");
        ask(picks, &work, text, given, &a);
        ask(parses, &other, text, given, &b);
        ck_assert_msg(same_answer(&a, &b), "seed %lu, record %lu: %d %s, wanted %d %s, of %.*s",
                      seed, i, a.outcome, a.err.text, b.outcome, b.err.text, BYTES_ARGS(text));
        accepted += a.outcome == OUT_OK;
        free((void *)(uintptr_t)text.data);
    }
    ck_assert_msg(accepted > cases / 4, "%lu of %lu records are sound", accepted, cases);
    for (size_t i = 0; i < 4; i++)
        buf_free(bufs[i]);
    buf_free(&maker.text);
    mapping_work_free(&work);
    mapping_work_free(&other);
    mapping_free(picks);
    mapping_free(parses);
}
END_TEST

/* ---- the pass itself: what it picks is what the document has, and it does not give up often ----
 */

static void append_members(yyjson_val *root, const struct bytes *names, size_t count,
                           struct buf *out)
{
    yyjson_obj_iter each = yyjson_obj_iter_with(root);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));)
        for (size_t i = 0; i < count; i++)
            if (bytes_equal(json_text_of(key), names[i])) {
                json_append(out, key);
                json_append(out, yyjson_obj_iter_get_val(key));
            }
}

START_TEST(what_is_picked_is_in_the_document)
{
    static const struct bytes NAMES[] = {{"who", 3}, {"a", 1}, {"metadata_of_the_record", 22}};
    unsigned long seed = number_of("DROVER_SEED", 7), cases = number_of("DROVER_CASES", CASES);
    unsigned long sound = 0, picked = 0;
    struct maker maker = {.random = {seed}};
    struct json_picker *picker = json_picker_new();
    struct buf mine, whole;
    buf_init(&maker.text, 1 << 20);
    buf_init(&mine, 1 << 20);
    buf_init(&whole, 1 << 20);
    for (unsigned long i = 0; i < cases; i++) {
        struct bytes text = make_record(&maker);
        size_t count = 1 + i / 1000 % 3; /* asked for other names, a shape is no longer known */
        yyjson_doc *doc = NULL;
        yyjson_val *root = json_pick(picker, text, NAMES, count);
        bool parses = json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK;
        ck_assert_msg(!root || parses, "seed %lu, record %lu: %.*s", seed, i, BYTES_ARGS(text));
        sound += parses;
        picked += root != NULL;
        buf_reset(&mine);
        buf_reset(&whole);
        if (root) {
            append_members(root, NAMES, count, &mine);
            append_members(yyjson_doc_get_root(doc), NAMES, count, &whole);
            ck_assert_msg(bytes_equal(buf_view(&mine), buf_view(&whole)),
                          "seed %lu, record %lu: %s, wanted %s, of %.*s", seed, i, buf_text(&mine),
                          buf_text(&whole), BYTES_ARGS(text));
        }
        yyjson_doc_free(doc);
        free((void *)(uintptr_t)text.data);
    }
    ck_assert_msg(picked > sound / 2, "%lu picked, %lu sound", picked, sound);
    buf_free(&maker.text);
    buf_free(&mine);
    buf_free(&whole);
    json_picker_free(picker);
}
END_TEST

/* Each is read behind the one before, which may have left its shape. */
static const struct {
    const char *text;
    bool picks;
} TEXTS[] = {
    {"{\"a\":[{\"k\":1},{\"k\":2}],\"who\":1}", true},
    {"{\"a\":[{\"k\":1,\"k\":2}],\"who\":1}", false}, /* the same names in the same order */
    {"{\"a\":[{\"k\":1},{\"k\":2}],\"who\":1}", true},
    {"{\"a\":[{\"k\":1},{\"k\":2}],\"who\":1,\"who\":2}", false},
    {"{\"a\":[{\"k\":1},{\"k\":2}],\"who\":1,\"a\":2}", false},
    {"{\"a\":{\"who\":1},\"who\":1}", true},
    {"{\"a\":{\"who\":1,\"a\":2},\"b\":1}", true},
    {"{\"a\":{\"who\":1,\"a\":2},\"a\":1}", false},
    {"{\"a\\u0062\":1,\"ab\":2}", false}, /* json_parse knows that it is the same name */
    {"{}", true},
    {" {}", false},
    {"{} ", true},
    {"{},", false},
    {"{}{}", false},
    {"{\"a\":1 \"b\":2}", false},
    {"{\"a\":1,}", false},
    {"{,}", false},
    {"{\"a\"}", false},
    {"{\"a\":}", false},
    {"{\"a\":[1 2]}", false},
    {"{\"a\":[1,]}", false},
    {"{\"a\":[,1]}", false},
    {"{\"a\":[[],{},[[]]],\"b\":{}}", true},
    {"{\"a\":[}", false},
    {"{\"a\":{]}", false},
    {"{\"a\":\"\\ud83d\\ude00\"}", true},
    {"{\"a\":1e400}", false},
    {"[]", false},
    {"", false},
};

START_TEST(only_what_is_sound_and_usual_is_picked)
{
    static const struct bytes NAMES[] = {{"who", 3}};
    struct json_picker *picker = json_picker_new();
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < RANDOM_COUNT(TEXTS); i++) {
            size_t size = strlen(TEXTS[i].text);
            char *copy = mem_alloc(size ? size : 1);
            memcpy(copy, TEXTS[i].text, size);
            yyjson_val *root = json_pick(picker, bytes_of(copy, size), NAMES, 1);
            ck_assert_msg((root != NULL) == TEXTS[i].picks, "%s", TEXTS[i].text);
            free(copy);
        }
    json_picker_free(picker);
}
END_TEST

/* More names than a shape remembers, more than the table takes. */
START_TEST(a_record_of_many_members_is_picked_or_left)
{
    static const struct bytes NAMES[] = {{"m1", 2}};
    struct json_picker *picker = json_picker_new();
    for (unsigned count = 250; count < 1100; count += 7)
        for (int round = 0; round < 3; round++) {
            struct buf text;
            buf_init(&text, 1 << 20);
            for (unsigned i = 0; i < count; i++)
                buf_append_format(&text, "%c\"m%u\":%u", i ? ',' : '{', i, i);
            buf_append_text(&text, round == 2 ? ",\"m7\":1}" : "}");
            yyjson_val *root = json_pick(picker, buf_view(&text), NAMES, 1);
            ck_assert_msg((root != NULL) == (round < 2 && count <= 1024), "%u members", count);
            ck_assert(!root || unsafe_yyjson_get_len(root) == 1);
            buf_free(&text);
        }
    json_picker_free(picker);
}
END_TEST

/* Every lead byte with every second one, and the borders of the third: as yyjson takes them. */
START_TEST(what_is_text_is_what_json_parse_takes)
{
    static const unsigned char THIRD[] = {0x22, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    struct json_picker *picker = json_picker_new();
    for (unsigned lead = 0; lead < 256; lead++)
        for (unsigned second = 0; second < 256; second++)
            for (size_t third = 0; third < sizeof THIRD; third++) {
                char text[] = "{\"a\":\"....\"}";
                text[6] = (char)lead;
                text[7] = (char)second;
                text[8] = (char)THIRD[third];
                text[9] = (char)(lead < 0xF0 ? 'x' : 0x80);
                struct bytes view = bytes_of(text, sizeof text - 1);
                yyjson_doc *doc = NULL;
                bool parses = json_parse(view, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK;
                bool picks = json_pick(picker, view, NULL, 0) != NULL;
                ck_assert_msg(picks == parses, "%02X %02X %02X", lead, second, THIRD[third]);
                yyjson_doc_free(doc);
            }
    json_picker_free(picker);
}
END_TEST

/* ---- the whole record: its members, its forms, its row ---- */

static void append_sorted(const struct members *members, struct buf *out)
{
    for (size_t i = 0; i < members->count; i++)
        json_append_key(out, ',', members->list[i].key);
}

START_TEST(all_that_is_picked_is_the_document)
{
    unsigned long seed = number_of("DROVER_SEED", 11), cases = number_of("DROVER_CASES", CASES);
    unsigned long sound = 0, picked = 0;
    struct maker maker = {.random = {seed}};
    struct json_picker *picker = json_picker_new();
    struct members members = {.list = members.few}, wanted = {.list = wanted.few};
    struct buf forms[2];
    buf_init(&maker.text, 1 << 20);
    buf_init(&forms[0], 1 << 20);
    buf_init(&forms[1], 1 << 20);
    for (unsigned long i = 0; i < cases; i++) {
        struct bytes text = make_record(&maker);
        yyjson_doc *doc = NULL;
        yyjson_val *root = json_pick_all(picker, text);
        bool parses = json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK;
        ck_assert_msg(!root || parses, "seed %lu, record %lu: %.*s", seed, i, BYTES_ARGS(text));
        sound += parses;
        picked += root != NULL;
        buf_reset(&forms[0]);
        buf_reset(&forms[1]);
        yyjson_val *const roots[] = {root, yyjson_doc_get_root(doc)};
        for (size_t k = 0; root && k < 2; k++) {
            json_append(&forms[k], roots[k]);
            canonical_append(&forms[k], roots[k]);
        }
        if (root) {
            members_sort_again(&members, root);
            append_sorted(&members, &forms[0]);
            members_sort(&wanted, yyjson_doc_get_root(doc));
            append_sorted(&wanted, &forms[1]);
            members_reset(&wanted);
        }
        ck_assert_msg(bytes_equal(buf_view(&forms[0]), buf_view(&forms[1])),
                      "seed %lu, record %lu: %s, wanted %s, of %.*s", seed, i, buf_text(&forms[0]),
                      buf_text(&forms[1]), BYTES_ARGS(text));
        yyjson_doc_free(doc);
        free((void *)(uintptr_t)text.data);
    }
    ck_assert_msg(picked > sound / 2, "%lu picked, %lu sound", picked, sound);
    members_reset(&members);
    buf_free(&maker.text);
    buf_free(&forms[0]);
    buf_free(&forms[1]);
    json_picker_free(picker);
}
END_TEST

static const char ROWS[] = "entity: e\ntable: t\nkey: [id]\n"
                           "version: { from: /rev, as: number }\n"
                           "columns:\n"
                           "  - { name: id, from: [/id, /_id], type: text }\n"
                           "  - { name: tenant, from: /who/tenant, type: text }\n"
                           "  - { name: part, from: /who/at/1, type: int8 }\n"
                           "  - { name: title, from: /title, type: text, as: loose }\n"
                           "  - { name: deep, from: /metadata_of_the_record/a/b, type: jsonb }\n"
                           "  - { name: n, from: /n1, type: numeric, as: loose }\n"
                           "  - { name: open, from: /open, type: jsonb }\n"
                           "rest: extra\n";

static void append_row(const struct mapping *mapping, const struct row *row, struct buf *out)
{
    for (size_t i = 0; i < mapping->column_count; i++) {
        buf_append_format(out, "%d:", row->cells[i].size);
        if (row->cells[i].size > 0)
            buf_append(out, row->cells[i].data, (size_t)row->cells[i].size);
    }
    buf_append(out, row->digest.bytes, sizeof row->digest.bytes);
    buf_append_bytes(out, row->id);
    buf_append_bytes(out, row->json);
    buf_append_format(out, "%lld", (long long)row->version);
}

/* Text that begins with white space is parsed. Of the one that is picked the cells may be where the
 * text is. */
START_TEST(a_row_does_not_depend_on_the_way)
{
    unsigned long seed = number_of("DROVER_SEED", 12), cases = number_of("DROVER_CASES", CASES);
    unsigned long made = 0, kept = 0;
    struct maker maker = {.random = {seed}};
    struct mapping *mapping = NULL;
    struct mapping_work work, other;
    struct arena arena, parsed;
    struct error err, why;
    struct buf mine, wanted, spaced;
    ck_assert(mapping_parse("m.yaml", bytes_text(ROWS), &mapping, &err) == OUT_OK);
    mapping_work_init(&work);
    mapping_work_init(&other);
    work.keep_json = other.keep_json = true;
    arena_init(&arena, 1 << 20);
    arena_init(&parsed, 1 << 20);
    struct buf *const bufs[] = {&mine, &wanted, &spaced, &maker.text};
    for (size_t i = 0; i < 4; i++)
        buf_init(bufs[i], 1 << 20);
    for (unsigned long i = 0; i < cases; i++) {
        struct bytes text = make_record(&maker);
        struct row row, same;
        for (size_t k = 0; k < 3; k++)
            buf_reset(bufs[k]);
        buf_append_char(&spaced, ' ');
        buf_append_bytes(&spaced, text);
        arena_reset(&arena);
        arena_reset(&parsed);
        arena.lasting = text;
        struct record record = {.payload = text, .index = -1};
        enum outcome outcome = mapping_forward(mapping, &record, &work, &arena, &row, &err);
        record.payload = buf_view(&spaced);
        ck_assert_int_eq(outcome, mapping_forward(mapping, &record, &other, &parsed, &same, &why));
        if (outcome == OUT_OK) {
            append_row(mapping, &row, &mine);
            append_row(mapping, &same, &wanted);
            kept += row.cells[0].data >= text.data && row.cells[0].data < text.data + text.size;
        } else {
            buf_append_text(&mine, error_code_id(err.code));
            buf_append_text(&wanted, error_code_id(why.code));
        }
        made += outcome == OUT_OK;
        ck_assert_msg(bytes_equal(buf_view(&mine), buf_view(&wanted)), "seed %lu, record %lu: %.*s",
                      seed, i, BYTES_ARGS(text));
        free((void *)(uintptr_t)text.data);
    }
    ck_assert_msg(made > cases / 8 && kept > made / 2, "%lu rows, %lu of them in their text", made,
                  kept);
    for (size_t i = 0; i < 4; i++)
        buf_free(bufs[i]);
    arena_free(&arena);
    arena_free(&parsed);
    mapping_work_free(&work);
    mapping_work_free(&other);
    mapping_free(mapping);
}
END_TEST

static Suite *pick_suite(void)
{
    Suite *suite = suite_create("json_pick");
    TCase *tcase = tcase_create("pick");
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, who_a_record_is_does_not_depend_on_the_way);
    tcase_add_test(tcase, all_that_is_picked_is_the_document);
    tcase_add_test(tcase, a_row_does_not_depend_on_the_way);
    tcase_add_test(tcase, what_is_picked_is_in_the_document);
    tcase_add_test(tcase, only_what_is_sound_and_usual_is_picked);
    tcase_add_test(tcase, a_record_of_many_members_is_picked_or_left);
    tcase_add_test(tcase, what_is_text_is_what_json_parse_takes);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pick_suite)
