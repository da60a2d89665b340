/*
 * The comparison core against a naive model: random histories of a few keys, the rows an exact
 * worker would have made of them, then one thing done to a row. What the core says must be what
 * the model says, whatever the order, the number of passes and the memory.
 */

#include "common/policy/verify/diff.h"

#include <stdio.h>

#include "tests/support/suite.h"

#define KEYS 40
#define HISTORY 300

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static struct diff_key key_number(uint32_t number)
{
    char text[32];
    snprintf(text, sizeof text, "tenant/entity/%u", number);
    return diff_key_of(bytes_text(text));
}

static struct digest content_digest(uint32_t content)
{
    return digest_of(bytes_of(&content, sizeof content));
}

/* ---- the naive model: everything in arrays, every key scanned for */

struct event {
    uint32_t key, content;
    int64_t version;
    bool deleted;
};

struct stored_record {
    bool exists, deleted;
    int64_t version;
    uint32_t content;
};

struct model {
    struct event history[HISTORY];
    struct stored_record rows[KEYS];
};

/* What an exact worker makes of the history. */
static void model_apply(struct model *model)
{
    for (int i = 0; i < HISTORY; i++) {
        const struct event *event = &model->history[i];
        struct stored_record *row = &model->rows[event->key];
        if (!row->exists || event->version > row->version)
            *row = (struct stored_record){true, event->deleted, event->version, event->content};
    }
}

static void model_init(struct model *model)
{
    *model = (struct model){0};
    for (int i = 0; i < HISTORY; i++) {
        struct event *event = &model->history[i];
        event->key = random_below(KEYS);
        event->version = random_below(6);
        event->deleted = random_below(8) == 0;
        /* few contents, so that repeats are common; a delete has none */
        event->content = event->deleted ? 0 : 1 + random_below(3);
    }
    model_apply(model);
}

/* The record that leads its key: the first of the greatest version. */
static int model_leader(const struct model *model, uint32_t key)
{
    int leader = -1;
    for (int i = 0; i < HISTORY; i++)
        if (model->history[i].key == key &&
            (leader < 0 || model->history[i].version > model->history[leader].version))
            leader = i;
    return leader;
}

/* What record `at`, which does not lead its key, is: seen from who led the key before it came. */
static enum verdict model_loser(const struct model *model, int leader, int at)
{
    const struct event *event = &model->history[at];
    int before = -1;
    for (int i = 0; i < at; i++)
        if (model->history[i].key == event->key &&
            (before < 0 || model->history[i].version > model->history[before].version))
            before = i;
    if (before < 0 || event->version != model->history[before].version)
        return VERDICT_SUPERSEDED;
    if (event->deleted == model->history[before].deleted &&
        event->content == model->history[before].content)
        return VERDICT_UNCHANGED;
    /* a conflict with a version that no longer counts is none */
    return before == leader ? VERDICT_CONFLICT : VERDICT_SUPERSEDED;
}

static enum verdict model_judge(const struct event *leader, const struct stored_record *row)
{
    if (!row->exists)
        return VERDICT_MISSING;
    if (row->version != leader->version)
        return row->version < leader->version ? VERDICT_STALE : VERDICT_TARGET_NEWER;
    if (row->deleted != leader->deleted)
        return VERDICT_DIFFERENT;
    return row->deleted || row->content == leader->content ? VERDICT_MATCH : VERDICT_DIFFERENT;
}

static void model_count(const struct model *model, uint64_t counts[VERDICT_COUNT])
{
    for (uint32_t key = 0; key < KEYS; key++) {
        int leader = model_leader(model, key);
        if (leader < 0) {
            counts[VERDICT_EXTRA] += model->rows[key].exists;
            continue;
        }
        counts[model_judge(&model->history[leader], &model->rows[key])]++;
        for (int i = 0; i < HISTORY; i++)
            if (model->history[i].key == key && i != leader)
                counts[model_loser(model, leader, i)]++;
    }
}

/* ---- the core */

static void core_expect(const struct model *model, struct diff_table *table, uint32_t pass,
                        uint32_t passes, uint64_t counts[VERDICT_COUNT])
{
    for (int i = 0; i < HISTORY; i++) {
        const struct event *event = &model->history[i];
        enum verdict verdict;
        struct diff_source source = {
            .key = key_number(event->key),
            .version = event->version,
            .digest = content_digest(event->content),
            .deleted = event->deleted,
            .partition = (int32_t)(event->key % 4),
            .offset = i,
        };
        source.source_tag = diff_tag_of(&source.digest);
        if (diff_in_pass(&source.key, pass, passes))
            ck_assert(diff_expect(table, &source, counts, &verdict));
    }
}

static void core_actual(const struct model *model, struct diff_table *table, uint32_t pass,
                        uint32_t passes, uint64_t counts[VERDICT_COUNT])
{
    struct diff_entry *entry;
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct stored_record *stored = &model->rows[key];
        struct diff_row row = {
            .key = key_number(key),
            .version = stored->version,
            .digest = content_digest(stored->content),
            .deleted = stored->deleted,
        };
        if (stored->exists && diff_in_pass(&row.key, pass, passes) &&
            diff_actual(table, &row, &entry) == VERDICT_EXTRA)
            counts[VERDICT_EXTRA]++;
    }
    size_t at = 0;
    while ((entry = diff_next(table, &at)))
        counts[entry->verdict == VERDICT_UNDECIDED ? VERDICT_MISSING : entry->verdict]++;
}

static void core_count(const struct model *model, uint32_t passes, uint64_t counts[VERDICT_COUNT])
{
    struct diff_table table;
    ck_assert(diff_table_init(&table, HISTORY, 1u << 20));
    for (uint32_t pass = 0; pass < passes; pass++) {
        core_expect(model, &table, pass, passes, counts);
        core_actual(model, &table, pass, passes, counts);
        diff_table_clear(&table);
    }
    diff_table_free(&table);
}

static void compare_counts(const struct model *model, uint32_t passes, const char *name)
{
    uint64_t naive[VERDICT_COUNT] = {0}, core[VERDICT_COUNT] = {0};
    model_count(model, naive);
    core_count(model, passes, core);
    for (int i = 0; i < VERDICT_COUNT; i++)
        ck_assert_msg(naive[i] == core[i], "%s, %u passes: %s is %llu, not %llu", name, passes,
                      verdict_name((enum verdict)i), (unsigned long long)core[i],
                      (unsigned long long)naive[i]);
}

/* ---- what can happen to a row */

struct mutation {
    const char *name;
    void (*apply)(struct model *model, uint32_t a, uint32_t b);
};

static void lose(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    model->rows[a].exists = false;
}

static void add_row(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    for (int i = 0; i < HISTORY; i++) /* the key was never in the source */
        if (model->history[i].key == a)
            model->history[i].key = (a + 1) % KEYS;
    for (int i = 0; i < KEYS; i++)
        model->rows[i] = (struct stored_record){0};
    model_apply(model);
    model->rows[a] = (struct stored_record){true, false, 1, 1};
}

static void change(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    model->rows[a].content += 100;
}

static void swap_content(struct model *model, uint32_t a, uint32_t b)
{
    uint32_t content = model->rows[a].content;
    model->rows[a].content = model->rows[b].content;
    model->rows[b].content = content;
}

static void swap_rows(struct model *model, uint32_t a, uint32_t b)
{
    struct stored_record row = model->rows[a];
    model->rows[a] = model->rows[b];
    model->rows[b] = row;
}

static void make_stale(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    model->rows[a].version--;
}

static void make_newer(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    model->rows[a].version++;
}

static void undelete(struct model *model, uint32_t a, uint32_t b)
{
    (void)b;
    model->rows[a].deleted = !model->rows[a].deleted;
}

static void nothing(struct model *model, uint32_t a, uint32_t b)
{
    (void)model;
    (void)a;
    (void)b;
}

static const struct mutation MUTATIONS[] = {
    {"nothing", nothing},
    {"lost", lose},
    {"extra", add_row},
    {"changed", change},
    {"contents swapped", swap_content},
    {"rows swapped", swap_rows},
    {"stale", make_stale},
    {"newer", make_newer},
    {"deleted turned", undelete},
};
#define MUTATION_COUNT (int)(sizeof MUTATIONS / sizeof *MUTATIONS)

START_TEST(agrees_with_the_naive_model)
{
    const struct mutation *mutation = &MUTATIONS[_i];
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct model model;
        char name[80];
        random_state = seed * 977 + (uint64_t)_i;
        model_init(&model);
        mutation->apply(&model, random_below(KEYS), random_below(KEYS));
        snprintf(name, sizeof name, "%s, seed %llu", mutation->name, (unsigned long long)seed);
        compare_counts(&model, 1, name);
        compare_counts(&model, 7, name);
    }
}
END_TEST

START_TEST(every_record_has_one_verdict)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct model model;
        uint64_t counts[VERDICT_COUNT] = {0}, sum = 0;
        random_state = seed;
        model_init(&model);
        core_count(&model, 3, counts);
        for (int i = 0; i < VERDICT_COUNT; i++)
            sum += i == VERDICT_EXTRA ? 0 : counts[i];
        ck_assert_uint_eq(sum, HISTORY);
        ck_assert_uint_eq(counts[VERDICT_EXTRA], 0);
    }
}
END_TEST

START_TEST(passes_share_the_keys)
{
    for (uint32_t passes = 1; passes <= 20; passes++) {
        for (uint32_t number = 0; number < 500; number++) {
            struct diff_key key = key_number(number);
            uint32_t in = 0;
            for (uint32_t pass = 0; pass < passes; pass++)
                in += diff_in_pass(&key, pass, passes);
            ck_assert_uint_eq(in, 1);
        }
    }
    ck_assert_uint_eq(diff_passes(0, 1u << 20), 1);
}
END_TEST

/* The planned passes must hold what they were planned for: many keys in little memory. */
START_TEST(planned_passes_never_overflow)
{
    enum { RECORDS = 60000 };
    const size_t bytes = 1u << 20;
    uint32_t passes = diff_passes(RECORDS, bytes);
    ck_assert_uint_gt(passes, 4);
    struct diff_key *keys = malloc(RECORDS * sizeof *keys);
    struct diff_table table;
    uint64_t counts[VERDICT_COUNT] = {0};
    size_t seen = 0;
    ck_assert_ptr_nonnull(keys);
    for (uint32_t number = 0; number < RECORDS; number++)
        keys[number] = key_number(number);
    ck_assert(diff_table_init(&table, RECORDS, bytes));
    ck_assert_uint_le(table.capacity * sizeof(struct diff_entry), bytes);
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (uint32_t number = 0; number < RECORDS; number++) {
            enum verdict verdict;
            struct diff_source source = {.key = keys[number], .version = 1};
            if (diff_in_pass(&source.key, pass, passes))
                ck_assert(diff_expect(&table, &source, counts, &verdict));
        }
        seen += table.used;
        diff_table_clear(&table);
    }
    ck_assert_uint_eq(seen, RECORDS);
    diff_table_free(&table);
    free(keys);
}
END_TEST

START_TEST(a_full_table_says_so)
{
    struct diff_table table;
    uint64_t counts[VERDICT_COUNT] = {0};
    enum verdict verdict;
    uint32_t number = 0;
    ck_assert(diff_table_init(&table, 1000000, 64 * sizeof(struct diff_entry)));
    for (; number < 64; number++) {
        struct diff_source source = {.key = key_number(number), .version = 1};
        if (!diff_expect(&table, &source, counts, &verdict))
            break;
    }
    ck_assert_uint_lt(number, 64);
    diff_table_free(&table);
}
END_TEST

START_TEST(a_second_row_of_a_key_is_extra)
{
    struct diff_table table;
    uint64_t counts[VERDICT_COUNT] = {0};
    enum verdict verdict;
    struct diff_entry *entry;
    struct diff_source source = {.key = key_number(1), .version = 4};
    struct diff_row row = {.key = key_number(1), .version = 4};
    ck_assert(diff_table_init(&table, 10, 1u << 16));
    ck_assert(diff_expect(&table, &source, counts, &verdict));
    ck_assert_int_eq(verdict, VERDICT_UNDECIDED);
    ck_assert_int_eq(diff_actual(&table, &row, &entry), VERDICT_MATCH);
    ck_assert_int_eq(diff_actual(&table, &row, &entry), VERDICT_EXTRA);
    ck_assert_ptr_null(entry);
    diff_table_free(&table);
}
END_TEST

/* Defaults make two source records equal in what must come back, yet the worker keeps the first. */
START_TEST(equal_results_of_other_sources_are_a_conflict)
{
    struct diff_table table;
    uint64_t counts[VERDICT_COUNT] = {0};
    enum verdict verdict;
    struct diff_source source = {.key = key_number(1), .version = 4, .source_tag = 1};
    ck_assert(diff_table_init(&table, 10, 1u << 16));
    ck_assert(diff_expect(&table, &source, counts, &verdict));
    ck_assert(diff_expect(&table, &source, counts, &verdict));
    ck_assert_int_eq(verdict, VERDICT_UNCHANGED);
    source.source_tag = 2;
    ck_assert(diff_expect(&table, &source, counts, &verdict));
    ck_assert_int_eq(verdict, VERDICT_CONFLICT);
    source.version = 5;
    ck_assert(diff_expect(&table, &source, counts, &verdict));
    ck_assert_uint_eq(counts[VERDICT_CONFLICT], 0);
    ck_assert_uint_eq(counts[VERDICT_SUPERSEDED], 2);
    diff_table_free(&table);
}
END_TEST

/* Only what the older mapping explains: a row that is as it must be matches, whoever wrote it, and
 * one of another version or of another record is what it is. */
START_TEST(a_row_of_an_older_mapping_is_told_as_such)
{
    static const struct {
        int64_t version;
        unsigned char digest;
        uint32_t claim;
        bool deleted, unreadable;
        enum verdict older, newest;
    } ROWS[] = {
        {5, 1, 7, false, false, VERDICT_MATCH, VERDICT_MATCH},
        {5, 2, 7, false, false, VERDICT_BY_MAPPING, VERDICT_DIFFERENT},
        {5, 1, 7, false, true, VERDICT_BY_MAPPING, VERDICT_DIFFERENT},
        {5, 1, 7, true, false, VERDICT_BY_MAPPING, VERDICT_DIFFERENT},
        {5, 2, 8, false, false, VERDICT_DIFFERENT, VERDICT_DIFFERENT},
        {4, 2, 7, false, false, VERDICT_STALE, VERDICT_STALE},
        {6, 2, 7, false, false, VERDICT_TARGET_NEWER, VERDICT_TARGET_NEWER},
    };
    struct diff_entry entry = {.version = 5, .digest = {.bytes = {1}}, .source_tag = 7};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct diff_row row = {.version = ROWS[i].version,
                               .digest = {.bytes = {ROWS[i].digest}},
                               .has_claim = true,
                               .claimed_tag = ROWS[i].claim,
                               .deleted = ROWS[i].deleted,
                               .unreadable = ROWS[i].unreadable};
        ck_assert_int_eq(diff_judge(&entry, &row), ROWS[i].newest);
        row.older_mapping = true;
        ck_assert_int_eq(diff_judge(&entry, &row), ROWS[i].older);
    }
}
END_TEST

START_TEST(an_unreadable_row_never_matches)
{
    struct diff_entry entry = {.version = 1};
    struct diff_row row = {.version = 1, .unreadable = true};
    ck_assert_int_eq(diff_judge(&entry, &row), VERDICT_DIFFERENT);
    row.unreadable = false;
    ck_assert_int_eq(diff_judge(&entry, &row), VERDICT_MATCH);
}
END_TEST

static Suite *diff_suite(void)
{
    Suite *suite = suite_create("diff");
    TCase *tcase = tcase_create("core");
    tcase_add_loop_test(tcase, agrees_with_the_naive_model, 0, MUTATION_COUNT);
    tcase_add_test(tcase, every_record_has_one_verdict);
    tcase_add_test(tcase, passes_share_the_keys);
    tcase_add_test(tcase, planned_passes_never_overflow);
    tcase_add_test(tcase, a_full_table_says_so);
    tcase_add_test(tcase, a_second_row_of_a_key_is_extra);
    tcase_add_test(tcase, equal_results_of_other_sources_are_a_conflict);
    tcase_add_test(tcase, an_unreadable_row_never_matches);
    tcase_add_test(tcase, a_row_of_an_older_mapping_is_told_as_such);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_suite)
