/* The memory store beyond the sink contract: what it keeps of a row, its bound, reading back. */
#include "common/port/store_memory.h"

#include <stdio.h>
#include <time.h>

#include "common/policy/verify/diff_content.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define MAPPING                                                                                    \
    "entity: thing\ntable: thing\nkey: [name]\nrest: extra\ncolumns:\n"                            \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: size, from: /size, type: int4 }\n"

static struct mapping *mapping;
static struct mapping_work work;
static int64_t epoch, next;

static void setup(void)
{
    struct error err;
    ck_assert_int_eq(mapping_parse("m.yaml", bytes_text(MAPPING), &mapping, &err), OUT_OK);
    mapping_work_init(&work);
}

static void teardown(void)
{
    mapping_work_free(&work);
    mapping_free(mapping);
}

static struct batch *begin(void)
{
    struct batch *batch = batch_new(1000, 16u << 20);
    batch->fence = (struct batch_fence){.epoch = epoch, .start = next, .end = next};
    return batch;
}

static void put(struct batch *batch, const char *name, int64_t version, const char *json)
{
    struct error err;
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = BYTES_LITERAL("acme"),
                            .id = arena_copy(&batch->arena, bytes_text(name)),
                            .version = version,
                            .has_version = true,
                            .operation = json ? OP_UPSERT : OP_DELETE,
                            .index = -1,
                            .payload = bytes_text(json)};
    item->mapping = mapping;
    ck_assert_msg(mapping_forward(mapping, &record, &work, &batch->arena, &item->row, &err) ==
                      OUT_OK,
                  "%s", err.text);
}

static enum outcome write_out(struct memory_store *store, struct batch *batch, struct error *err)
{
    batch_close(batch);
    enum outcome outcome = memory_store_write(store, batch, NULL, err);
    if (outcome == OUT_OK) {
        ck_assert(batch_is_decided(batch));
        next = batch->fence.end;
    }
    batch_free(batch);
    return outcome;
}

static const struct memory_row *find(const struct memory_store *store, const char *name)
{
    return memory_store_find(store, "thing", BYTES_LITERAL("acme"), bytes_text(name));
}

START_TEST(rows_come_back_as_records)
{
    struct error err;
    struct stored_record stored;
    bool found;
    int count = 0;
    struct memory_store *store = memory_store_new(MEMORY_KEEPS_ROWS, SIZE_MAX);
    epoch = memory_store_claim(store, 0, &next);
    struct batch *batch = begin();
    put(batch, "a", 1, "{\"name\":\"a\",\"size\":1,\"z\":[1.0]}");
    put(batch, "b", 1, "{\"name\":\"b\"}");
    ck_assert_int_eq(write_out(store, batch, &err), OUT_OK);
    batch = begin();
    put(batch, "a", 2, "{\"name\":\"a\",\"size\":2,\"z\":[1.0]}");
    put(batch, "b", 2, NULL);
    ck_assert_int_eq(write_out(store, batch, &err), OUT_OK);
    struct store_reader *reader = memory_store_reader_open(store);
    while (reader->ops->next(reader, &stored, &err) == OUT_OK && stored.mapping)
        count++;
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(reader->ops->find(reader, mapping, BYTES_LITERAL("acme"), BYTES_LITERAL("a"),
                                       &stored, &found, &err),
                     OUT_OK);
    ck_assert(found &&
              bytes_equal(stored.json, BYTES_LITERAL("{\"name\":\"a\",\"size\":2,\"z\":[1]}")));
    ck_assert_int_eq(stored.version, 2);
    ck_assert_int_eq(reader->ops->find(reader, mapping, BYTES_LITERAL("acme"), BYTES_LITERAL("b"),
                                       &stored, &found, &err),
                     OUT_OK);
    ck_assert(found && stored.deleted && stored.json.size == 0);
    ck_assert_int_eq(reader->ops->find(reader, mapping, BYTES_LITERAL("other"), BYTES_LITERAL("a"),
                                       &stored, &found, &err),
                     OUT_OK);
    ck_assert(!found);
    ck_assert_uint_eq(find(store, "a")->writes, 2);
    reader->ops->close(reader);
    memory_store_free(store);
}
END_TEST

START_TEST(checks_are_what_the_inverse_gives)
{
    struct error err;
    struct digest digest;
    struct buf scratch;
    yyjson_doc *doc;
    static const char JSON[] = "{\"name\":\"a\",\"size\":1,\"z\":null}";
    struct memory_store *store = memory_store_new(MEMORY_KEEPS_CHECKS, SIZE_MAX);
    epoch = memory_store_claim(store, 0, &next);
    struct batch *batch = begin();
    put(batch, "a", 1, JSON);
    const struct row row = batch->items[0].row;
    put(batch, "b", 1, "{\"name\":\"b\",\"size\":1}");
    batch->items[1].row.cells[1].size = 3; /* no int4 has three bytes */
    buf_init(&scratch, 4096);
    ck_assert_int_eq(json_parse(bytes_text(JSON), JSON_UNICODE_REJECT, NULL, &doc, &err), OUT_OK);
    ck_assert(diff_content_digest(mapping, yyjson_doc_get_root(doc), row.cells, &scratch, &digest));
    ck_assert_int_eq(write_out(store, batch, &err), OUT_OK);
    ck_assert(digest_equal(&find(store, "a")->given_back, &digest));
    ck_assert(!find(store, "a")->unreadable);
    ck_assert(find(store, "b")->unreadable);
    yyjson_doc_free(doc);
    buf_free(&scratch);
    memory_store_free(store);
}
END_TEST

/* A reader of checks: no texts, what came out of the inverse as a digest. */
START_TEST(checks_are_read_back)
{
    struct error err;
    struct stored_record stored;
    bool found;
    int count = 0, unreadable = 0;
    struct memory_store *store = memory_store_new(MEMORY_KEEPS_CHECKS, SIZE_MAX);
    epoch = memory_store_claim(store, 0, &next);
    struct batch *batch = begin();
    put(batch, "a", 1, "{\"name\":\"a\",\"size\":1}");
    put(batch, "b", 1, "{\"name\":\"b\",\"size\":1}");
    batch->items[1].row.cells[1].size = 3; /* no int4 has three bytes */
    put(batch, "c", 7, NULL);
    ck_assert_int_eq(write_out(store, batch, &err), OUT_OK);
    struct store_reader *reader = memory_store_reader_open(store);
    for (;; count++) {
        enum outcome outcome = reader->ops->next(reader, &stored, &err);
        if (!stored.mapping)
            break;
        ck_assert_ptr_eq(stored.mapping, mapping);
        ck_assert(stored.key && memory_store_has(store, stored.key));
        ck_assert_uint_eq(stored.tenant.size + stored.id.size + stored.json.size, 0);
        unreadable += outcome == OUT_REJECT;
    }
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(unreadable, 1);
    ck_assert_int_eq(reader->ops->find(reader, mapping, BYTES_LITERAL("acme"), BYTES_LITERAL("a"),
                                       &stored, &found, &err),
                     OUT_OK);
    ck_assert(found && digest_equal(stored.given_back, &find(store, "a")->given_back));
    ck_assert_int_eq(reader->ops->find(reader, mapping, BYTES_LITERAL("acme"), BYTES_LITERAL("c"),
                                       &stored, &found, &err),
                     OUT_OK);
    ck_assert(found && stored.deleted && !stored.given_back && stored.version == 7);
    reader->ops->close(reader);
    memory_store_free(store);
}
END_TEST

/* Writes until it is full: bound kept, nothing of the refused batch is there. */
START_TEST(it_never_holds_more_than_it_may)
{
    static const struct {
        enum memory_keeps keeps;
        size_t max;
    } ROWS[] = {{MEMORY_KEEPS_VERSIONS, 256u << 10}, {MEMORY_KEEPS_ROWS, 512u << 10}};
    struct error err;
    char name[32], json[64];
    enum outcome outcome = OUT_OK;
    struct memory_store *store = memory_store_new(ROWS[_i].keeps, ROWS[_i].max);
    epoch = memory_store_claim(store, 0, &next);
    size_t before = 0;
    for (int b = 0; outcome == OUT_OK; b++) {
        ck_assert_int_lt(b, 100);
        before = memory_store_count(store);
        struct batch *batch = begin();
        for (int i = 0; i < 500; i++) {
            snprintf(name, sizeof name, "n%d_%d", b, i);
            snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%d}", name, i);
            put(batch, name, 1, json);
        }
        outcome = write_out(store, batch, &err);
        ck_assert_uint_le(memory_store_bytes(store), ROWS[_i].max);
    }
    ck_assert_int_eq(outcome, OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_MEMORY);
    ck_assert_uint_ge(before, 500);
    ck_assert_uint_eq(memory_store_count(store), before);
    ck_assert_uint_eq((size_t)next, before);
    memory_store_free(store);
}
END_TEST

#define NAMES 2000 /* so many that some are placed behind others */

static bool refuses_poison(const struct batch_item *item)
{
    return item->row.cells[1].size == 3;
}

static void expect(const struct memory_store *store, const int64_t *versions)
{
    char name[32];
    size_t count = 0;
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        const struct memory_row *row = find(store, name);
        count += versions[i] > 0;
        ck_assert_int_eq(row ? row->version : 0, versions[i]);
    }
    ck_assert_uint_eq(memory_store_count(store), count);
}

/* Batches with a refused record: nothing of them is there until they are written again. */
START_TEST(what_is_taken_back_was_never_there)
{
    static const struct memory_writing WRITING = {refuses_poison, NULL, NULL};
    static int64_t versions[NAMES], written[NAMES];
    struct error err;
    char name[32], json[64];
    struct memory_store *store =
        memory_store_new(_i ? MEMORY_KEEPS_ROWS : MEMORY_KEEPS_CHECKS, SIZE_MAX);
    random_begin((uint64_t)time(NULL) + (uint64_t)_i);
    fprintf(stderr, "# seed %llu\n", (unsigned long long)random_seed);
    memset(versions, 0, sizeof versions);
    epoch = memory_store_claim(store, 0, &next);
    for (int round = 0; round < 25; round++) {
        struct batch *batch = begin();
        memcpy(written, versions, sizeof written);
        put(batch, "poison", 1, "{\"name\":\"poison\",\"size\":1}");
        batch->items[0].row.cells[1].size = 3;
        for (int i = 0; i < 200; i++) {
            int at = (int)random_below(NAMES);
            int64_t version = 1 + (int64_t)random_below(9);
            snprintf(name, sizeof name, "n%d", at);
            snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%d}", name, i);
            put(batch, name, version, random_below(5) ? json : NULL);
            written[at] = version > written[at] ? version : written[at];
        }
        batch_close(batch);
        size_t bytes = memory_store_bytes(store);
        ck_assert_int_eq(memory_store_write(store, batch, &WRITING, &err), OUT_REJECT);
        ck_assert(batch_is_decided(batch));
        expect(store, versions);
        size_t grown = memory_store_bytes(store) - bytes; /* the table's; no row's */
        ck_assert_uint_eq(grown % 1024, 0);
        if (round % 3) {
            ck_assert_int_eq(memory_store_write(store, batch, &WRITING, &err), OUT_OK);
            memcpy(versions, written, sizeof versions);
            next = batch->fence.end;
            expect(store, versions);
        }
        batch_free(batch);
    }
    memory_store_free(store);
}
END_TEST

START_TEST(a_table_that_grows_forgets_nothing)
{
    struct diff_table table;
    uint64_t counts[VERDICT_COUNT] = {0};
    enum verdict verdict;
    char key[16];
    ck_assert(diff_table_init(&table, 8, 128 * sizeof(struct diff_entry)));
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        struct diff_source source = {.key = diff_key_of(bytes_text(key)), .version = i};
        if (table.used == table.max)
            ck_assert(diff_table_grow(&table));
        ck_assert(diff_expect(&table, &source, counts, &verdict));
        ck_assert_int_eq(verdict, VERDICT_UNDECIDED);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        struct diff_key hash = diff_key_of(bytes_text(key));
        struct diff_entry *entry = diff_find(&table, &hash);
        ck_assert(entry && entry->version == i);
    }
    diff_table_free(&table);
}
END_TEST

static Suite *store_memory_suite(void)
{
    Suite *suite = suite_create("store_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rows_come_back_as_records);
    tcase_add_test(tcase, checks_are_what_the_inverse_gives);
    tcase_add_test(tcase, checks_are_read_back);
    tcase_add_loop_test(tcase, what_is_taken_back_was_never_there, 0, 2);
    tcase_add_loop_test(tcase, it_never_holds_more_than_it_may, 0, 2);
    tcase_add_test(tcase, a_table_that_grows_forgets_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(store_memory_suite)
