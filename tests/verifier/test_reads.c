/* What decides in the comparing of reads: when they are due, which keys, where the old store has
 * them, and what is said of the latencies. The stores themselves: e2e.compare_reads. */
#include "verifier/reads/reads_pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy/verify/verify_reads.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "verifier/reads/reads_pick.h"
#include "verifier/reads/reads_pool.h"
#include "verifier/reads/reads_template.h"

#define SECOND_NS ((uint64_t)1000000000)

/* ---- pace -------------------------------------------------------------------------------- */

/* One ck_assert for all: each writes a mark. */
static bool is_due_right(uint64_t per_second)
{
    struct reads_pace pace;
    bool right = true;
    uint64_t number, begin_ns, before_ns = 0, count = 0;
    reads_pace_init(&pace, 5 * SECOND_NS, per_second, 3000, 0);
    while (reads_pace_take(&pace, &number, &begin_ns)) {
        right = right && number == count++ && begin_ns >= before_ns && begin_ns < 8 * SECOND_NS;
        if (number % per_second == 0) /* no drift, whatever the rate divides */
            right = right && begin_ns == (5 + number / per_second) * SECOND_NS;
        before_ns = begin_ns;
    }
    return right && count == 3 * per_second;
}

START_TEST(reads_are_due_by_the_clock_alone)
{
    static const uint64_t RATES[] = {1, 3, 7, 200, 999, 100000};
    for (size_t i = 0; i < sizeof RATES / sizeof *RATES; i++)
        ck_assert_msg(is_due_right(RATES[i]), "%llu/s", (unsigned long long)RATES[i]);
}
END_TEST

START_TEST(a_pace_has_one_read_or_no_end)
{
    struct reads_pace pace;
    uint64_t number, begin_ns;
    reads_pace_init(&pace, 0, 1, 100, 0.5);
    ck_assert(reads_pace_take(&pace, &number, &begin_ns));
    ck_assert_uint_eq(begin_ns, SECOND_NS / 2);
    ck_assert(!reads_pace_take(&pace, &number, &begin_ns));
    reads_pace_init(&pace, 0, 1000, 0, 0);
    bool goes_on = true;
    for (int i = 0; i < 100000; i++)
        goes_on = goes_on && reads_pace_take(&pace, &number, &begin_ns);
    ck_assert(goes_on);
    ck_assert_uint_eq(begin_ns, 99999 * (uint64_t)1000000);
}
END_TEST

/* ---- keys -------------------------------------------------------------------------------- */

static struct reads_key key_of(const char *tenant, const char *id)
{
    return (struct reads_key){
        .tenant = bytes_text(tenant), .id = bytes_text(id), .uri = bytes_text("a.json")};
}

static void offer(struct reads_pool *pool, int from, int to)
{
    char id[16];
    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "%d", i);
        struct reads_key key = key_of("t", id);
        reads_pool_offer(pool, &key);
    }
}

static int number_of(const struct reads_key *key)
{
    char text[16] = "";
    ck_assert(key->id.size < sizeof text && bytes_equal(key->tenant, BYTES_LITERAL("t")) &&
              bytes_equal(key->uri, BYTES_LITERAL("a.json")));
    memcpy(text, key->id.data, key->id.size);
    return (int)strtol(text, NULL, 10);
}

/* Of 20 equal parts of what was offered each has about a twentieth of the sample: six standard
 * deviations off happen once in a billion. */
START_TEST(a_sample_is_even)
{
    enum { OFFERED = 100000, PARTS = 20, MEAN = READS_POOL_MAX / PARTS };
    struct reads_pool pool;
    int parts[PARTS] = {0};
    random_begin(11);
    reads_pool_init(&pool, true, random_any());
    offer(&pool, 0, OFFERED);
    ck_assert_uint_eq(pool.count, READS_POOL_MAX);
    for (size_t i = 0; i < pool.count; i++)
        parts[number_of(&pool.keys[i]) / (OFFERED / PARTS)]++;
    for (int i = 0; i < PARTS; i++)
        ck_assert_msg(abs(parts[i] - MEAN) < 6 * 14, "seed %llu: part %d has %d",
                      (unsigned long long)random_seed, i, parts[i]);
    reads_pool_free(&pool);
}
END_TEST

START_TEST(the_latest_are_kept_and_shuffling_loses_none)
{
    static bool seen[READS_POOL_MAX];
    struct reads_pool pool;
    memset(seen, 0, sizeof seen);
    reads_pool_init(&pool, false, 3);
    offer(&pool, 0, 3 * READS_POOL_MAX + 5);
    reads_pool_shuffle(&pool);
    for (size_t i = 0; i < pool.count; i++)
        seen[number_of(&pool.keys[i]) - 2 * READS_POOL_MAX - 5] = true;
    for (size_t i = 0; i < READS_POOL_MAX; i++)
        ck_assert(seen[i]);
    reads_pool_drop(&pool, 7);
    ck_assert_uint_eq(pool.count, READS_POOL_MAX - 1);
    reads_pool_free(&pool);
}
END_TEST

/* A record that is gone is not read any more, however often it was offered; others stay. */
START_TEST(what_is_withdrawn_is_gone)
{
    struct reads_pool pool;
    reads_pool_init(&pool, false, 3);
    offer(&pool, 0, 20);
    offer(&pool, 5, 20);
    const struct reads_key seven = {.tenant = BYTES_LITERAL("t"), .id = BYTES_LITERAL("7")};
    const struct reads_key elsewhere = {.tenant = BYTES_LITERAL("u"), .id = BYTES_LITERAL("8")};
    reads_pool_withdraw(&pool, &seven);
    reads_pool_withdraw(&pool, &elsewhere);
    ck_assert_uint_eq(pool.count, 33);
    for (size_t i = 0; i < pool.count; i++)
        ck_assert_int_ne(number_of(&pool.keys[i]), 7);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        const struct reads_key key = key_of("t", id);
        reads_pool_withdraw(&pool, &key);
    }
    ck_assert_uint_eq(pool.count, 0);
    offer(&pool, 0, READS_POOL_MAX + 3);
    ck_assert_uint_eq(pool.count, READS_POOL_MAX);
    reads_pool_free(&pool);
}
END_TEST

START_TEST(keys_that_cannot_be_read_are_not_kept)
{
    char large[READS_POOL_TEXT_MAX + 1];
    struct reads_pool pool;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    reads_pool_init(&pool, false, 3);
    struct reads_key key = key_of("t", large);
    ck_assert_uint_eq(reads_pool_offer(&pool, &key), SIZE_MAX);
    key = key_of("", "1");
    ck_assert_uint_eq(reads_pool_offer(&pool, &key), SIZE_MAX);
    ck_assert_uint_eq(pool.count, 0);
    reads_pool_free(&pool);
}
END_TEST

/* ---- where the old store has it ---------------------------------------------------------- */

static const struct {
    enum reads_template_kind kind;
    const char *text, *tenant, *id, *uri, *expected; /* NULL: refused */
} TEMPLATES[] = {
    {READS_TEMPLATE_KEY, "app:{tenant}:{entity}:{id}", "acme", "7", "", "app:acme:or der:7"},
    {READS_TEMPLATE_KEY, "{id}", "acme", "a%2Fb:c%20d", "", "a/b:c d"},
    {READS_TEMPLATE_URL, "http://h/{tenant}/{entity}/{id}", "a%2Fb", "x%3Fy:z", "",
     "http://h/a%2Fb/or%20der/x%3Fy%3Az"},
    {READS_TEMPLATE_PATH, "{file}", "t", "1", "in/a%25b.json", "in/a%b.json"},
    {READS_TEMPLATE_PATH, "d/{tenant}/{id}.json", "..", "..%2Fx", "", "d/%2E%2E/..%2Fx.json"},
    {READS_TEMPLATE_PATH, "d/{tenant}.json", ".", "1", "", "d/%2E.json"},
    {READS_TEMPLATE_PATH, "d/{id}", "t", "a%00b", "", "d/a%00b"},
    {READS_TEMPLATE_KEY, "x{", "t", "1", "", NULL},
    {READS_TEMPLATE_KEY, "all", "t", "1", "", NULL},
    {READS_TEMPLATE_KEY, "{tenant}:{entity}", "t", "1", "", NULL},
    {READS_TEMPLATE_KEY, "{id}{", "t", "1", "", "1{"},
    {READS_TEMPLATE_KEY, "{file}:{id}", "t", "1", "", NULL},
    {READS_TEMPLATE_URL, "http://h/{key}/{id}", "t", "1", "", NULL},
    {READS_TEMPLATE_PATH, "", "t", "1", "", NULL},
};

START_TEST(a_template_says_where)
{
    struct error err;
    struct buf out;
    const char *text = TEMPLATES[_i].text;
    const struct reads_place place = {.tenant = bytes_text(TEMPLATES[_i].tenant),
                                      .entity = BYTES_LITERAL("or der"),
                                      .id = bytes_text(TEMPLATES[_i].id),
                                      .uri = bytes_text(TEMPLATES[_i].uri)};
    enum outcome outcome = reads_template_check(text, TEMPLATES[_i].kind, &err);
    ck_assert_msg((outcome == OUT_OK) == (TEMPLATES[_i].expected != NULL), "%s", text);
    if (outcome != OUT_OK)
        return;
    buf_init(&out, 4096);
    reads_template_append(&out, text, TEMPLATES[_i].kind, &place);
    ck_assert_str_eq(buf_text(&out), TEMPLATES[_i].expected);
    buf_free(&out);
}
END_TEST

static const char BY_MEMBER[] = "entity: order\ntable: o\nkey: [no]\ntenant: { from: /shop }\n"
                                "columns: [ { name: no, from: /no, type: int8 } ]\nrest: extra\n";
static const char BY_NAME[] = "entity: order\ntable: o\nkey: [id]\n"
                              "columns: [ { name: id, from: $key, type: text } ]\nrest: extra\n";
static const char BY_TWO[] = "entity: order\ntable: o\nkey: [a, b]\n"
                             "columns: [ { name: a, from: /a, type: text }, "
                             "{ name: b, from: /in/b, type: text } ]\nrest: extra\n";

static const struct {
    const char *mapping, *document, *id, *found; /* NULL: it is not there */
} PICKS[] = {
    {BY_MEMBER, "[{\"no\":1,\"n\":1},{\"no\":2,\"n\":2}]", "2", "{\"no\":2,\"n\":2}"},
    {BY_MEMBER, "[{\"no\":1,\"shop\":\"other\"},{\"no\":1,\"shop\":\"t\"}]", "1",
     "{\"no\":1,\"shop\":\"t\"}"},
    {BY_MEMBER, "{\"no\":\"3\"}", "3", "{\"no\":\"3\"}"},
    {BY_MEMBER, "{\"orders\":{\"t\":[{\"no\":4}]}}", "4", "{\"no\":4}"},
    {BY_MEMBER, "[{\"no\":14},{\"no\":44},{\"No\":4}]", "4", NULL},
    {BY_MEMBER, "7", "7", NULL},
    {BY_NAME, "{\"a b\":{\"n\":1},\"c\":{\"n\":2}}", "a%20b", "{\"n\":1}"},
    {BY_NAME, "{\"t\":{\"c\":{\"n\":2}}}", "c", "{\"n\":2}"},
    {BY_NAME, "[\"c\"]", "c", NULL},
    {BY_TWO, "[{\"a\":\"x\",\"in\":{\"b\":\"y:z\"}}]", "x:y%3Az",
     "{\"a\":\"x\",\"in\":{\"b\":\"y:z\"}}"},
    {BY_TWO, "[{\"a\":\"x\",\"in\":{\"b\":\"y\"}}]", "x:z", NULL},
};

START_TEST(a_record_is_picked_by_its_key)
{
    struct reads_pick pick;
    const char *text = PICKS[_i].document;
    struct mapping *mapping = compile(PICKS[_i].mapping);
    yyjson_doc *doc = yyjson_read(text, strlen(text), YYJSON_READ_NUMBER_AS_RAW);
    reads_pick_init(&pick);
    ck_assert(reads_pick_begin(&pick, mapping, BYTES_LITERAL("t"), bytes_text(PICKS[_i].id)));
    yyjson_val *found = reads_pick_find(&pick, yyjson_doc_get_root(doc));
    char *shown = found ? yyjson_val_write(found, 0, NULL) : NULL;
    ck_assert_msg((found != NULL) == (PICKS[_i].found != NULL), "%s in %s", PICKS[_i].id, text);
    if (found)
        ck_assert_str_eq(shown, PICKS[_i].found);
    free(shown);
    ck_assert(!reads_pick_begin(&pick, mapping, BYTES_LITERAL("t"), BYTES_LITERAL("1:2:3")));
    reads_pick_free(&pick);
    yyjson_doc_free(doc);
    mapping_free(mapping);
}
END_TEST

START_TEST(depth_of_a_document_is_bounded)
{
    struct reads_pick pick;
    char text[2 * 60 + 16];
    struct mapping *mapping = compile(BY_MEMBER);
    memset(text, '[', 60);
    memcpy(text + 60, "{\"no\":1}", 8);
    memset(text + 68, ']', 60);
    yyjson_doc *doc = yyjson_read(text, 128, YYJSON_READ_NUMBER_AS_RAW);
    reads_pick_init(&pick);
    ck_assert(doc && reads_pick_begin(&pick, mapping, BYTES_LITERAL("t"), BYTES_LITERAL("1")));
    ck_assert_ptr_null(reads_pick_find(&pick, yyjson_doc_get_root(doc)));
    reads_pick_free(&pick);
    yyjson_doc_free(doc);
    mapping_free(mapping);
}
END_TEST

/* ---- what is said of it ------------------------------------------------------------------ */

#define MS 1000000u

/* Old: 1, 2, 4 ms. */
static struct verify_reads reads_of(uint64_t p50, uint64_t p95, uint64_t p99)
{
    return (struct verify_reads){
        .per_second = 200,
        .for_ms = 10000,
        .connections = 4,
        .keys = 30,
        .limit = 1.1,
        .count = 2,
        .stores = {{.name = "file", .reads = 2000, .ns = {MS, 2 * MS, 4 * MS}, .max_ns = 9 * MS},
                   {.name = "PostgreSQL", .reads = 2000, .ns = {p50, p95, p99}, .max_ns = p99}}};
}

START_TEST(the_limit_holds_at_each_percentile_or_not)
{
    struct verify_reads reads = reads_of(MS, 2 * MS, 4 * MS + 400000);
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_HOLD);
    reads = reads_of(MS, 2 * MS, 4 * MS + 400001);
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_SLOWER);
    reads = reads_of(MS + 200000, MS, MS);
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_SLOWER);
    reads.limit = 1.3;
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_HOLD);
}
END_TEST

START_TEST(few_or_unanswered_reads_say_nothing)
{
    for (int store = 0; store < 2; store++) {
        for (int what = 0; what < 6; what++) {
            struct verify_reads reads = reads_of(MS, MS, MS);
            struct verify_reads_store *at = &reads.stores[store];
            uint64_t *const places[] = {&at->not_found, &at->refused, &at->errors, &at->late};
            if (what < 4)
                *places[what] = 30;
            else
                at->reads = what == 4 ? 99 : 0;
            ck_assert_int_eq(verify_reads_verdict(&reads), READS_UNKNOWN);
            if (what < 4)
                *places[what] = 10;
            else
                at->reads = 100;
            ck_assert_int_eq(verify_reads_verdict(&reads), READS_HOLD);
        }
    }
    struct verify_reads alone = reads_of(MS, MS, MS);
    alone.count = 1;
    ck_assert_int_eq(verify_reads_verdict(&alone), READS_UNKNOWN);
}
END_TEST

/* Records are deleted while it goes on; what is not answered counts as ever. */
START_TEST(without_an_end_some_are_gone)
{
    struct verify_reads reads = reads_of(MS, MS, MS);
    reads.for_ms = 0;
    reads.stores[1].not_found = 222;
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_HOLD);
    reads.stores[1].not_found = 223;
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_UNKNOWN);
    reads.stores[1].not_found = 0;
    reads.stores[0].errors = 30;
    ck_assert_int_eq(verify_reads_verdict(&reads), READS_UNKNOWN);
}
END_TEST

static void shows_line(const struct verify_reads *reads, const char *expected)
{
    struct buf out;
    buf_init(&out, 1024);
    verify_reads_append_line(reads, &out);
    ck_assert_str_eq(buf_text(&out), expected);
    buf_free(&out);
}

START_TEST(a_part_of_a_line)
{
    struct verify_reads reads = reads_of(MS, MS, MS);
    shows_line(&reads, "reads p99: file 4.00 ms, PostgreSQL 1.00 ms (within 1.1 times)");
    reads.stores[1].ns[READS_P95] = 9 * MS;
    shows_line(&reads, "reads p99: file 4.00 ms, PostgreSQL 1.00 ms (slower than 1.1 times)");
    reads.stores[1].errors = 300;
    shows_line(&reads, "reads p99: file 4.00 ms, PostgreSQL 1.00 ms");
    reads.stores[0].reads = reads.stores[1].reads = 0;
    shows_line(&reads, "");
}
END_TEST

START_TEST(lines_for_people)
{
    struct buf out;
    struct verify_reads reads = reads_of(500000, 2500000, 4 * MS);
    reads.stores[1].not_found = 3;
    snprintf(reads.stores[1].error, sizeof reads.stores[1].error, "it went away");
    buf_init(&out, 65536);
    verify_reads_append_text(&reads, 50, &out);
    ck_assert_str_eq(buf_text(&out),
                     "reads compared: 30 keys at 200/s for 10 s, 4 connections to each store\n"
                     "                    reads        p50        p95        p99        max\n"
                     "  old file          2 000    1.00 ms    2.00 ms    4.00 ms    9.00 ms\n"
                     "  PostgreSQL        2 000    0.50 ms    2.50 ms    4.00 ms    4.00 ms\n"
                     "    ratio                       0.50       1.25       1.00\n"
                     "  PostgreSQL: 3 not found; it went away\n"
                     "  slower than 1.1 times the old: PostgreSQL at p95\n"
                     "    (1.25)\n");
    buf_free(&out);
}
END_TEST

static Suite *reads_suite(void)
{
    Suite *suite = suite_create("reads");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, reads_are_due_by_the_clock_alone);
    tcase_add_test(tcase, a_pace_has_one_read_or_no_end);
    tcase_add_test(tcase, a_sample_is_even);
    tcase_add_test(tcase, the_latest_are_kept_and_shuffling_loses_none);
    tcase_add_test(tcase, what_is_withdrawn_is_gone);
    tcase_add_test(tcase, keys_that_cannot_be_read_are_not_kept);
    tcase_add_loop_test(tcase, a_template_says_where, 0,
                        (int)(sizeof TEMPLATES / sizeof *TEMPLATES));
    tcase_add_loop_test(tcase, a_record_is_picked_by_its_key, 0,
                        (int)(sizeof PICKS / sizeof *PICKS));
    tcase_add_test(tcase, depth_of_a_document_is_bounded);
    tcase_add_test(tcase, the_limit_holds_at_each_percentile_or_not);
    tcase_add_test(tcase, few_or_unanswered_reads_say_nothing);
    tcase_add_test(tcase, without_an_end_some_are_gone);
    tcase_add_test(tcase, a_part_of_a_line);
    tcase_add_test(tcase, lines_for_people);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(reads_suite)
