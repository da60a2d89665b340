/*
 * Secrets inside texts: random records under random mappings, with secrets at random places of
 * random members, among texts that hold the letters of a reference themselves. What the mapping
 * accepted it accepts afterwards; nothing is in the clear; the inverse gives the record again.
 */
#include "common/policy/secrets/secret_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/policy/export/export_secrets.h"
#include "common/policy/secrets/secret_guard.h"
#include "common/policy/verify/verify_secrets.h"
#include "tests/support/random_json.h"
#include "tests/support/suite.h"

#define SEEDS 10
#define TEXT_MAX (1u << 20)
#define PLANTS_MAX 64
#define REFERENCE "sec_abcdefghijklmnopqrstuvwxyz234567"

static int rounds(void)
{
    const char *preloaded = getenv("LD_PRELOAD"); /* valgrind's: some fifty times slower */
    if (getenv("DROVER_TEST_FULL"))
        return 4000;
    return preloaded && strstr(preloaded, "vgpreload") ? 10 : 400;
}

/* ---- the notation ---------------------------------------------------------------------------- */

static const char *const PIECES[] = {
    "$",
    "$$",
    "$$$",
    "{sealed:",
    "{withheld:",
    "{",
    "}",
    "token}",
    REFERENCE,
    REFERENCE "}",
    "${sealed:" REFERENCE "}",
    "$${sealed:" REFERENCE "}",
    "${withheld:token}",
    "${sealed:",
    "${seal",
    "a",
    " ",
    "\xe2\x82\xac",
    "~#1",
    "",
};

static void append_pieces(struct random *random, struct buf *out)
{
    for (unsigned i = random_below(random, 6); i > 0; i--)
        buf_append_text(out, PIECES[random_below(random, RANDOM_COUNT(PIECES))]);
}

/* own text, reference, own text, reference … and back */
START_TEST(every_text_has_one_spelling)
{
    struct random random = {(uint64_t)_i};
    struct buf own, spelled, part, back;
    buf_init(&own, TEXT_MAX);
    buf_init(&spelled, TEXT_MAX);
    buf_init(&part, TEXT_MAX);
    buf_init(&back, TEXT_MAX);
    for (int round = 0; round < 20 * rounds(); round++) {
        unsigned marks = random_below(&random, 4);
        buf_reset(&own);
        buf_reset(&spelled);
        buf_reset(&back);
        for (unsigned i = 0; i <= marks; i++) {
            buf_reset(&part);
            append_pieces(&random, &part);
            buf_append_bytes(&own, buf_view(&part));
            secret_text_append_spelled(&spelled, buf_view(&part), i < marks);
            if (i == marks && marks == 0)
                ck_assert_msg(secret_text_needs_spelling(buf_view(&part)) ==
                                  !bytes_equal(buf_view(&part), buf_view(&spelled)),
                              "seed %d: %s", _i, buf_text(&part));
            buf_append_text(&own, i < marks ? "\x01" : "");
            if (i < marks && random_below(&random, 2))
                secret_text_append_sealed(&spelled, REFERENCE);
            else if (i < marks)
                secret_text_append_withheld(&spelled);
        }
        struct secret_text_mark mark;
        size_t at = 0, read = 0, count = 0;
        struct bytes text = buf_view(&spelled);
        while (secret_text_next(text, &at, &mark)) {
            secret_text_append_own(&back, bytes_of(text.data + read, mark.start - read), true);
            buf_append_char(&back, '\x01');
            read = mark.start + mark.size;
            count++;
        }
        secret_text_append_own(&back, bytes_of(text.data + read, text.size - read), false);
        ck_assert_msg(count == marks && bytes_equal(buf_view(&own), buf_view(&back)),
                      "seed %d round %d: %s, spelled %s, read %s", _i, round, buf_text(&own),
                      buf_text(&spelled), buf_text(&back));
    }
    buf_free(&own);
    buf_free(&spelled);
    buf_free(&part);
    buf_free(&back);
}
END_TEST

/* ---- random mappings and records ------------------------------------------------------------- */

static const struct {
    const char *type;
    int kind; /* of value */
} TYPES[] = {
    {"type: text", 0},
    {"type: text", 0},
    {"type: text", 0},
    {"type: varchar(40)", 0},
    {"type: varchar(70)", 0},
    {"type: varchar(300)", 0},
    {"type: \"text[]\"", 1},
    {"type: \"varchar(60)[]\"", 1},
    {"type: jsonb", 2},
    {"type: \"jsonb[]\"", 1},
    {"type: jsonb, decode: json", 3},
    {"type: \"text[]\", decode: json", 4},
    {"type: bigint", 5},
    {"type: text, as: loose", 6},
    {"type: uuid", 7},
    {"type: \"bigint[]\"", 8},
};

enum { MEMBERS = 8 };
static const char *const NAMES[MEMBERS] = {"content", "note",   "apiKey", "url",
                                           "args",    "secret", "deep",   "password"};

struct plan {
    int kind[MEMBERS]; /* -1: no column */
    bool required[MEMBERS];
    unsigned plants;
    char planted[PLANTS_MAX][160];
    bool tokens;
};

static void make_mapping(struct random *random, struct plan *plan, struct buf *yaml)
{
    buf_reset(yaml);
    buf_append_text(yaml, "entity: thing\ntable: thing\nkey: [id]\ncolumns:\n"
                          "  - { name: id, from: /id, type: text }\n");
    int unique = -1;
    for (int i = 0; i < MEMBERS; i++) {
        plan->kind[i] = -1;
        if (random_below(random, 3) == 0)
            continue;
        unsigned type = random_below(random, RANDOM_COUNT(TYPES));
        plan->kind[i] = TYPES[type].kind;
        plan->required[i] = random_below(random, 4) == 0;
        buf_append_format(yaml, "  - { name: c%d, from: /%s, %s%s }\n", i, NAMES[i],
                          TYPES[type].type, plan->required[i] ? ", required: true" : "");
        if (TYPES[type].kind == 0 && random_below(random, 10) == 0)
            unique = i;
    }
    if (unique >= 0)
        buf_append_format(yaml, "indexes:\n  - { name: only, columns: [c%d], unique: true }\n",
                          unique);
    if (random_below(random, 8))
        buf_append_text(yaml, "rest: extra\n");
}

/* Letters and digits, drawn at random: the text can be nowhere by chance. */
static void append_random(struct random *random, const char *letters, int count, char **at)
{
    while (count-- > 0)
        *(*at)++ = letters[random_below(random, (unsigned)strlen(letters))];
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Appends a secret with what makes it one around it, and notes what must not be seen. */
static void append_secret(struct random *random, struct plan *plan, struct buf *out)
{
    static const char *const FORMS[][2] = {
        {"ghp_", ""},
        {"use sk-proj-", " here"},
        {"https://u:", "@db.example/x"},
        {"https://x.example/?api_key=", "&page=2"},
        {"DB_PASSWORD=", ""},
    };
    ck_assert_uint_lt(plan->plants, PLANTS_MAX);
    char *text = plan->planted[plan->plants++], *at = text;
    unsigned form = random_below(random, RANDOM_COUNT(FORMS));
    append_random(random, ALNUM, 16, &at);
    *at++ = '7';
    append_random(random, ALNUM, 15, &at);
    *at++ = 'q';
    *at++ = '3';
    append_random(random, ALNUM, 2, &at); /* ghp_: 36 */
    *at = '\0';
    if (plan->tokens && random_below(random, 2))
        buf_append_format(out, "Bearer %s", text);
    else
        buf_append_format(out, "%s%s%s", FORMS[form][0], text, FORMS[form][1]);
}

/* The text of a string, without JSON's quotes and escapes. */
static void append_plain(struct random *random, struct plan *plan, struct buf *out)
{
    static const char *const BETWEEN[] = {" ", "(", "$ ", "\" ", "\xe2\x82\xac "};
    switch (random_below(random, 4)) {
    case 0:
        append_pieces(random, out);
        break;
    case 1:
        append_secret(random, plan, out);
        break;
    default:
        for (unsigned i = 1 + random_below(random, 3); i > 0; i--) {
            append_pieces(random, out);
            buf_append_text(out, BETWEEN[random_below(random, RANDOM_COUNT(BETWEEN))]);
            if (random_below(random, 2)) {
                append_secret(random, plan, out);
                buf_append_text(out, " ");
            }
        }
    }
}

static void append_json(struct random *random, struct plan *plan, unsigned depth, struct buf *out);

/* A string value; now and then its text is JSON, or JSON that is cut. */
static void append_string(struct random *random, struct plan *plan, unsigned depth, struct buf *out)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    unsigned kind = depth ? random_below(random, 6) : 5;
    if (kind <= 1)
        append_json(random, plan, depth - 1, &text);
    else
        append_plain(random, plan, &text);
    if (kind == 1 && text.size && random_below(random, 3) == 0 && text.data[text.size - 1] == '}')
        text.size--;
    json_append_string(out, buf_view(&text));
    buf_free(&text);
}

static void append_json(struct random *random, struct plan *plan, unsigned depth, struct buf *out)
{
    static const char *const INNER[] = {"a", "content", "apiKey", "x y", "args", "key"};
    unsigned kind = random_below(random, depth ? 4 : 2);
    if (kind <= 1) {
        append_string(random, plan, depth, out);
        return;
    }
    char before = kind == 2 ? '{' : '[';
    unsigned first = random_below(random, RANDOM_COUNT(INNER)), count = 1 + random_below(random, 3);
    for (unsigned i = 0; i < count; i++, before = ',') {
        buf_append_char(out, before);
        if (kind == 2)
            buf_append_format(out, "\"%s\":", INNER[(first + i) % RANDOM_COUNT(INNER)]);
        append_json(random, plan, depth - 1, out);
    }
    buf_append_char(out, kind == 2 ? '}' : ']');
}

static void append_list(struct random *random, struct plan *plan, struct buf *out)
{
    buf_append_char(out, '[');
    for (unsigned i = 1 + random_below(random, 3); i > 0; i--) {
        append_string(random, plan, 1, out);
        buf_append_text(out, i > 1 ? "," : "");
    }
    buf_append_char(out, ']');
}

static void append_value(struct random *random, struct plan *plan, int kind, struct buf *out)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    switch (kind) {
    case 0:
        append_string(random, plan, 2, out);
        break;
    case 1:
        append_list(random, plan, out);
        break;
    case 3:
        append_json(random, plan, 2, &text);
        json_append_string(out, buf_view(&text));
        break;
    case 4:
        append_list(random, plan, &text);
        json_append_string(out, buf_view(&text));
        break;
    case 5:
        buf_append_format(out, "%u", 1000 + random_below(random, 100000));
        break;
    case 6:
        if (random_below(random, 2))
            buf_append_format(out, "%u", 1000 + random_below(random, 100000));
        else
            append_string(random, plan, 1, out);
        break;
    case 7:
        buf_append_format(out, "\"%08x-0000-4000-8000-%012x\"", random_below(random, 1u << 31),
                          random_below(random, 1u << 31));
        break;
    case 8:
        buf_append_format(out, "[%u,%u]", random_below(random, 100000),
                          random_below(random, 100000));
        break;
    default:
        append_json(random, plan, 3, out);
    }
    buf_free(&text);
}

static void make_record(struct random *random, struct plan *plan, struct buf *json)
{
    buf_reset(json);
    plan->plants = 0;
    buf_append_text(json, "{\"id\":\"r1\"");
    for (int i = 0; i < MEMBERS; i++) {
        if (!plan->required[i] && random_below(random, 3) == 0)
            continue;
        buf_append_format(json, ",\"%s\":", NAMES[i]);
        append_value(random, plan, plan->kind[i], json);
    }
    buf_append_char(json, '}');
}

/* ---- the trip -------------------------------------------------------------------------------- */

struct trip {
    struct mapping *mapping;
    struct secret_ring ring;
    struct secret_guard guard, keyless, named;
    struct export_secrets secrets;
    struct mapping_work work;
    struct arena arena;
    struct bytes sealed;
    struct buf spare, one, other;
    size_t absent, closed;
    size_t carried, compared, refused, plants;
    int seed, round;
    const char *json;
};

/* Says where it went wrong; `why` is an error's text, or "". */
#define CHECK(trip, condition, why)                                                                \
    ck_assert_msg(condition, "seed %d round %d: %s %.3000s", (trip)->seed, (trip)->round, why,     \
                  (trip)->json)

static bool find_box(void *owner, struct bytes tenant, struct bytes reference, struct buf *out)
{
    struct trip *trip = owner;
    struct sealed_box box;
    bool bad;
    (void)tenant;
    for (size_t at = 0; secret_sealed_next(trip->sealed, &at, &box, &bad);)
        if (bytes_equal(box.reference, reference)) {
            buf_append_bytes(out, box.box);
            return true;
        }
    return false;
}

static void count(void *owner, enum export_secret what, struct bytes pointer)
{
    struct trip *trip = owner;
    (void)pointer;
    trip->absent += what == EXPORT_ABSENT;
    trip->closed += what == EXPORT_LEFT_SEALED;
}

static struct record record_of(struct bytes payload)
{
    return (struct record){.tenant = BYTES_LITERAL("acme"),
                           .entity = BYTES_LITERAL("thing"),
                           .id = BYTES_LITERAL("r1"),
                           .version = 1,
                           .has_version = true,
                           .index = -1,
                           .payload = payload};
}

static yyjson_doc *parse(struct bytes text)
{
    yyjson_doc *doc = NULL;
    struct error err;
    ck_assert_msg(json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK, "%s in %.*s",
                  err.text, BYTES_ARGS(text));
    return doc;
}

/* Canonical, JSON in strings too: that is how the guard writes it anew. */
static void append_normal(struct buf *out, yyjson_val *val, unsigned strings);

static yyjson_mut_val *normal(yyjson_val *val, unsigned strings, yyjson_mut_doc *into)
{
    yyjson_doc *inner = NULL;
    size_t at, max;
    yyjson_val *key, *child;
    if (yyjson_is_obj(val)) {
        yyjson_mut_val *made = yyjson_mut_obj(into);
        yyjson_obj_foreach(val, at, max, key, child)
            yyjson_mut_obj_add(made, yyjson_val_mut_copy(into, key), normal(child, strings, into));
        return made;
    }
    if (yyjson_is_arr(val)) {
        yyjson_mut_val *made = yyjson_mut_arr(into);
        yyjson_arr_foreach(val, at, max, child)
            yyjson_mut_arr_append(made, normal(child, strings, into));
        return made;
    }
    if (!yyjson_is_str(val) || strings == 3 ||
        json_parse(bytes_of(yyjson_get_str(val), yyjson_get_len(val)), JSON_UNICODE_REJECT, NULL,
                   &inner, NULL) != OUT_OK)
        return yyjson_val_mut_copy(into, val);
    struct buf text;
    buf_init(&text, TEXT_MAX);
    append_normal(&text, yyjson_doc_get_root(inner), strings + 1);
    yyjson_mut_val *made = yyjson_mut_strncpy(into, buf_text(&text), text.size);
    buf_free(&text);
    yyjson_doc_free(inner);
    return made;
}

static void append_normal(struct buf *out, yyjson_val *val, unsigned strings)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(doc, normal(val, strings, doc));
    yyjson_doc *made = yyjson_mut_doc_imut_copy(doc, NULL);
    canonical_append(out, yyjson_doc_get_root(made));
    yyjson_doc_free(made);
    yyjson_mut_doc_free(doc);
}

static bool holds(struct bytes text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part));
}

/* The stored row's record, opened, is the one that was read. */
static void check_way_back(struct trip *trip, const struct row *row)
{
    yyjson_doc *doc = NULL, *opened = NULL;
    struct error err;
    CHECK(trip, mapping_inverse(trip->mapping, row, &trip->work, &doc, &err) == OUT_OK, "");
    buf_reset(&trip->one);
    canonical_append(&trip->one, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    doc = parse(buf_view(&trip->one));
    const struct secret_place place = {BYTES_LITERAL("acme"), BYTES_LITERAL("thing"),
                                       BYTES_LITERAL("r1"), BYTES_LITERAL("")};
    trip->absent = trip->closed = 0;
    CHECK(trip,
          export_secrets_open(&trip->secrets, &place, yyjson_doc_get_root(doc), &opened, &err) ==
              OUT_OK,
          "");
    CHECK(trip, trip->closed == 0, "");
    yyjson_doc *source = parse(bytes_text(trip->json));
    buf_reset(&trip->one);
    buf_reset(&trip->other);
    append_normal(&trip->one, yyjson_doc_get_root(source), 0);
    append_normal(&trip->other, yyjson_doc_get_root(opened), 0);
    trip->compared += trip->absent == 0;
    if (trip->absent == 0) /* tokens do not come back; nor what stands behind the word "token" */
        ck_assert_msg(bytes_equal(buf_view(&trip->one), buf_view(&trip->other)),
                      "seed %d round %d: %.1500s\nback %.1500s", trip->seed, trip->round,
                      buf_text(&trip->one), buf_text(&trip->other));
    yyjson_doc_free(source);
    yyjson_doc_free(doc);
    yyjson_doc_free(opened);
}

/* What the verifier compares when it has no key. */
static void check_without_key(struct trip *trip, struct bytes payload)
{
    struct record record = record_of(bytes_text(trip->json));
    struct guarded out;
    struct error err;
    CHECK(trip, secret_guard_apply(&trip->keyless, trip->mapping, &record, &out, &err) == OUT_OK,
          "");
    ck_assert(out.sealed.size == 0);
    struct bytes both[] = {payload, out.payload};
    struct buf *masked[] = {&trip->one, &trip->other};
    for (int i = 0; i < 2; i++) {
        yyjson_doc *doc = parse(both[i]);
        buf_reset(&trip->spare);
        buf_reset(masked[i]);
        canonical_append(&trip->spare, yyjson_doc_get_root(doc));
        verify_secrets_append(masked[i], buf_view(&trip->spare));
        yyjson_doc_free(doc);
    }
    ck_assert_msg(bytes_equal(buf_view(&trip->one), buf_view(&trip->other)),
                  "seed %d round %d: %.1000s\nwith a key %.1000s\nwithout %.1000s", trip->seed,
                  trip->round, trip->json, buf_text(&trip->one), buf_text(&trip->other));
}

static enum outcome forward(struct trip *trip, struct bytes payload, struct row *row,
                            struct error *err)
{
    struct record record = record_of(payload);
    return mapping_forward(trip->mapping, &record, &trip->work, &trip->arena, row, err);
}

static void check_plain(const struct trip *trip, const struct plan *plan, struct bytes payload)
{
    for (unsigned i = 0; i < plan->plants; i++)
        ck_assert_msg(!holds(payload, plan->planted[i]) && !holds(trip->sealed, plan->planted[i]),
                      "seed %d round %d: %s of %.3000s", trip->seed, trip->round, plan->planted[i],
                      trip->json);
}

static void carry(struct trip *trip, const struct plan *plan)
{
    struct row row;
    struct guarded out;
    struct error err;
    struct record record = record_of(bytes_text(trip->json));
    arena_reset(&trip->arena);
    if (forward(trip, record.payload, &row, &err) != OUT_OK)
        return; /* the mapping never took it */
    if (secret_guard_apply(&trip->guard, trip->mapping, &record, &out, &err) != OUT_OK) {
        CHECK(trip, err.code == ERR_SECRET_PLAIN, err.text);
        trip->refused++;
        return;
    }
    trip->sealed = out.sealed.size ? arena_copy(&trip->arena, out.sealed) : (struct bytes){0};
    struct bytes payload = arena_copy(&trip->arena, out.payload);
    check_plain(trip, plan, payload);
    ck_assert_msg(forward(trip, payload, &row, &err) == OUT_OK,
                  "%s (%s) seed %d round %d: %.1500s\nguarded %.1500s", err.text, err.path,
                  trip->seed, trip->round, trip->json, payload.data);
    CHECK(trip, secret_sealed_check(trip->sealed, trip->mapping, &row, &err) == OUT_OK, "");
    check_way_back(trip, &row);
    ck_assert(secret_guard_apply(&trip->guard, trip->mapping, &record, &out, &err) == OUT_OK);
    CHECK(trip, bytes_equal(payload, out.payload) && bytes_equal(trip->sealed, out.sealed),
          ""); /* again: the same bytes */
    check_without_key(trip, payload);
    trip->carried++;
    trip->plants += plan->plants;
}

/* Without detection only the spelling of the text's own letters is at work. */
static void carry_unsearched(struct trip *trip)
{
    struct row row;
    struct guarded out;
    struct error err;
    struct record record = record_of(bytes_text(trip->json));
    arena_reset(&trip->arena);
    if (forward(trip, record.payload, &row, &err) != OUT_OK)
        return;
    enum outcome outcome = secret_guard_apply(&trip->named, trip->mapping, &record, &out, &err);
    CHECK(trip, outcome == OUT_OK || err.code == ERR_SECRET_PLAIN, err.text);
    if (outcome != OUT_OK)
        return;
    trip->sealed = out.sealed.size ? arena_copy(&trip->arena, out.sealed) : (struct bytes){0};
    CHECK(trip, forward(trip, out.payload, &row, &err) == OUT_OK, err.text);
    CHECK(trip, secret_sealed_check(trip->sealed, trip->mapping, &row, &err) == OUT_OK, err.text);
    check_way_back(trip, &row);
}

static void trip_init(struct trip *trip)
{
    secret_ring_generate(&trip->ring);
    secret_guard_init(&trip->guard, &trip->ring, true);
    secret_guard_init(&trip->keyless, NULL, true);
    secret_guard_init(&trip->named, &trip->ring, false);
    export_secrets_init(&trip->secrets, &trip->ring);
    trip->secrets.find_box = find_box;
    trip->secrets.tell = count;
    trip->secrets.owner = trip;
    mapping_work_init(&trip->work);
    arena_init(&trip->arena, 64u << 20);
    buf_init(&trip->spare, TEXT_MAX);
    buf_init(&trip->one, TEXT_MAX);
    buf_init(&trip->other, TEXT_MAX);
}

static void trip_free(struct trip *trip)
{
    secret_guard_free(&trip->guard);
    secret_guard_free(&trip->keyless);
    secret_guard_free(&trip->named);
    export_secrets_free(&trip->secrets);
    mapping_work_free(&trip->work);
    arena_free(&trip->arena);
    buf_free(&trip->spare);
    buf_free(&trip->one);
    buf_free(&trip->other);
}

START_TEST(a_record_with_secrets_arrives_and_comes_back)
{
    struct random random = {1000 + (uint64_t)_i};
    struct trip trip = {.seed = _i};
    struct buf yaml, json;
    struct error err;
    trip_init(&trip);
    buf_init(&yaml, TEXT_MAX);
    buf_init(&json, TEXT_MAX);
    for (trip.round = 0; trip.round < rounds(); trip.round++) {
        struct plan plan = {.tokens = random_below(&random, 5) == 0};
        make_mapping(&random, &plan, &yaml);
        ck_assert_msg(mapping_parse("thing.yaml", buf_view(&yaml), &trip.mapping, &err) == OUT_OK,
                      "%s in %s", err.text, buf_text(&yaml));
        for (int i = 0; i < 3; i++) {
            make_record(&random, &plan, &json);
            trip.json = buf_text(&json);
            carry(&trip, &plan);
            carry_unsearched(&trip);
        }
        mapping_free(trip.mapping);
    }
    ck_assert_msg(trip.carried > trip.refused && trip.compared > trip.carried &&
                      trip.plants > trip.carried,
                  "seed %d: %zu carried with %zu secrets, %zu refused", _i, trip.carried,
                  trip.plants, trip.refused);
    buf_free(&yaml);
    buf_free(&json);
    trip_free(&trip);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("secret_text");
    TCase *tests = tcase_create("texts");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, every_text_has_one_spelling, 0, SEEDS);
    tcase_add_loop_test(tests, a_record_with_secrets_arrives_and_comes_back, 0, SEEDS);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
