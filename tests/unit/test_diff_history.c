/*
 * Records and history of a key: random messages, some of them records, some dead; what counts must
 * be what a model that keeps everything counts, in any number of passes. And the second reading of
 * an unchanged source counts what the first one counted.
 */
#include "common/policy/verify/diff_untaken.h"

#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { KEYS = 12, MESSAGES = 80 };

struct message {
    int key, content;
    int64_t version;
    bool history, dead, discarded, attempt;
};

static struct message messages[MESSAGES];

struct tally {
    uint64_t counts[VERDICT_COUNT], records;
};

static struct diff_key key_of(int key)
{
    char text[16] = {(char)('a' + key)};
    return diff_key_of(bytes_of(text, 1));
}

/* ---- the model ---------------------------------------------------------------------------- */

/* The first of the greatest version, of dead ones the last; -1: none. */
static int leader_of(int key, bool dead)
{
    int found = -1;
    for (int i = 0; i < MESSAGES; i++) {
        const struct message *at = &messages[i];
        if (at->key == key && at->dead == dead &&
            (found < 0 || at->version > messages[found].version ||
             (dead && at->version == messages[found].version)))
            found = i;
    }
    return found;
}

/* Dead ones of the key, up to there, that are records. */
static int lost_before(int key, int end)
{
    int count = 0;
    for (int i = 0; i < end; i++)
        count += messages[i].key == key && messages[i].dead && !messages[i].history;
    return count;
}

/* One of its version had been taken before: another one says nothing of it then, unless it is an
 * attempt at it. */
static bool is_contested(int dead)
{
    for (int i = 0; i < dead; i++)
        if (messages[i].key == messages[dead].key && !messages[i].dead &&
            messages[i].version == messages[dead].version)
            return true;
    return false;
}

static bool is_resolved(int dead)
{
    for (int i = 0; i < MESSAGES; i++) {
        const struct message *at = &messages[i];
        if (at->key == messages[dead].key && !at->dead &&
            (at->version > messages[dead].version ||
             (at->version == messages[dead].version && i > dead &&
              (at->attempt || !is_contested(dead) || !lost_before(at->key, i)))))
            return true;
    }
    return false;
}

static void model_key(int key, struct tally *tally)
{
    int leader = leader_of(key, false), dead = leader_of(key, true);
    uint64_t taken = 0, lost = 0, conflicts = 0;
    for (int i = 0; i < MESSAGES; i++) {
        const struct message *at = &messages[i];
        if (at->key != key || at->history)
            continue;
        taken += !at->dead;
        lost += at->dead;
        conflicts += !at->dead && i != leader && at->version == messages[leader].version &&
                     at->content != messages[leader].content;
    }
    bool open = dead >= 0 && !is_resolved(dead);
    bool stands = taken > conflicts || (dead >= 0 && !open && lost > 0);
    bool counts = leader >= 0 && (stands || (!open && !conflicts));
    tally->counts[VERDICT_MATCH] += counts;
    tally->counts[VERDICT_CONFLICT] += conflicts;
    tally->counts[VERDICT_RESOLVED] += dead >= 0 && !open;
    if (open)
        tally->counts[messages[dead].discarded ? VERDICT_DISCARDED : VERDICT_DEAD]++;
    tally->records += taken + lost + (counts && !stands) + (open && !lost);
}

/* ---- the core, as the verifier uses it ---------------------------------------------------- */

static void take(const struct message *message, int64_t offset, struct diff_table *table,
                 struct diff_untaken *untaken, struct tally *tally)
{
    struct untaken_change change;
    enum verdict verdict;
    struct diff_source source = {.key = key_of(message->key),
                                 .version = message->version,
                                 .digest = {{(uint8_t)message->content}},
                                 .source_tag = (uint32_t)message->content,
                                 .history = message->history,
                                 .offset = offset};
    if (!message->dead) {
        diff_untaken_resolve(untaken, &source.key, source.version, 0, offset, message->attempt);
        ck_assert(diff_expect(table, &source, tally->counts, &verdict));
        return;
    }
    const struct untaken item = {.key = source.key,
                                 .version = source.version,
                                 .has_version = true,
                                 .offset = offset,
                                 .verdict = VERDICT_DEAD,
                                 .history = message->history,
                                 .discarded = message->discarded};
    ck_assert(diff_untaken_add(untaken, &item, diff_find(table, &item.key), &change));
    tally->counts[VERDICT_SUPERSEDED] += change.superseded;
}

static void count_pass(struct diff_table *table, struct diff_untaken *untaken, struct tally *tally)
{
    size_t at = 0;
    for (struct untaken *item; (item = diff_untaken_next(untaken, &at));) {
        struct diff_entry *leader = diff_find(table, &item->key);
        if (!item->resolved) {
            tally->counts[item->discarded ? VERDICT_DISCARDED : VERDICT_DEAD]++;
            tally->records += item->history;
            continue;
        }
        tally->counts[VERDICT_RESOLVED]++;
        if (!item->history && !diff_stand_in(leader))
            tally->counts[VERDICT_SUPERSEDED]++;
    }
    at = 0;
    for (struct diff_entry *entry; (entry = diff_next(table, &at));) {
        const struct untaken *item = diff_untaken_find(untaken, &entry->key);
        bool more;
        entry->verdict = VERDICT_MATCH;
        tally->counts[VERDICT_MATCH] += diff_counts_leader(entry, item && !item->resolved, &more);
        tally->records += more;
    }
}

static void core(uint32_t passes, struct tally *tally)
{
    struct diff_table table;
    struct diff_untaken untaken;
    *tally = (struct tally){0};
    ck_assert(diff_table_init(&table, KEYS, 1u << 20));
    diff_untaken_init(&untaken, 1u << 20);
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (int i = 0; i < MESSAGES; i++) {
            const struct diff_key key = key_of(messages[i].key);
            tally->records += pass == 0 && !messages[i].history;
            if (diff_in_pass(&key, pass, passes))
                take(&messages[i], i, &table, &untaken, tally);
        }
        count_pass(&table, &untaken, tally);
        diff_table_clear(&table);
        diff_untaken_clear(&untaken);
    }
    diff_table_free(&table);
}

START_TEST(counts_what_the_model_counts)
{
    static const uint32_t PASSES[] = {1, 2, 7};
    static const enum verdict EXACT[] = {VERDICT_MATCH, VERDICT_CONFLICT, VERDICT_DEAD,
                                         VERDICT_DISCARDED, VERDICT_RESOLVED};
    struct tally model = {0}, made, first;
    random_begin((uint64_t)_i);
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = (struct message){.key = (int)random_below(KEYS),
                                       .content = 1 + (int)random_below(3),
                                       .version = (int64_t)random_below(4),
                                       .history = random_below(3) > 0,
                                       .dead = random_below(4) == 0,
                                       .attempt = random_below(4) == 0,
                                       .discarded = random_below(3) == 0};
    for (int key = 0; key < KEYS; key++)
        model_key(key, &model);
    core(1, &first);
    for (size_t p = 0; p < sizeof PASSES / sizeof *PASSES; p++) {
        core(PASSES[p], &made);
        ck_assert_msg(memcmp(&made, &first, sizeof made) == 0, "seed %d: %u passes", _i, PASSES[p]);
        for (size_t v = 0; v < sizeof EXACT / sizeof *EXACT; v++)
            ck_assert_msg(made.counts[EXACT[v]] == model.counts[EXACT[v]],
                          "seed %d, %u passes: %llu %s, the model has %llu", _i, PASSES[p],
                          (unsigned long long)made.counts[EXACT[v]], verdict_name(EXACT[v]),
                          (unsigned long long)model.counts[EXACT[v]]);
        uint64_t sum = 0;
        for (int v = 0; v < VERDICT_OUTSIDE; v++)
            sum += made.counts[v];
        ck_assert_msg(sum == made.records && sum == model.records,
                      "seed %d: %llu in classes, %llu read, the model has %llu", _i,
                      (unsigned long long)sum, (unsigned long long)made.records,
                      (unsigned long long)model.records);
    }
}
END_TEST

/* A source in which each key has versions that grow, read twice: the first reading is history. */
START_TEST(a_second_reading_counts_the_same)
{
    struct tally once, twice;
    random_begin((uint64_t)_i);
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = (struct message){.key = KEYS, .history = true}; /* nobody's */
    for (int i = 0; i < MESSAGES / 2; i++)
        messages[MESSAGES / 2 + i] = (struct message){.key = (int)random_below(KEYS),
                                                      .content = 1 + i,
                                                      .version = i,
                                                      .dead = random_below(5) == 0};
    core(1, &once);
    for (int i = 0; i < MESSAGES / 2; i++) {
        messages[i] = messages[MESSAGES / 2 + i];
        messages[i].history = true;
    }
    core(1, &twice);
    once.counts[VERDICT_MATCH]--; /* nobody's */
    once.records--;
    for (int v = 0; v < VERDICT_COUNT; v++)
        ck_assert_msg(once.counts[v] == twice.counts[v], "seed %d: %llu %s, then %llu", _i,
                      (unsigned long long)once.counts[v], verdict_name((enum verdict)v),
                      (unsigned long long)twice.counts[v]);
    ck_assert_uint_eq(once.records, twice.records);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    struct diff_untaken untaken;
    struct untaken_change change;
    int added = 0;
    diff_untaken_init(&untaken, 3 * 64 * sizeof(struct untaken));
    for (; added < 1000; added++) {
        struct untaken item = {.key = {1, (uint64_t)added}, .verdict = VERDICT_DEAD};
        if (!diff_untaken_add(&untaken, &item, NULL, &change))
            break;
    }
    ck_assert_int_eq(added, 96);
    for (int i = 0; i < added; i++) {
        struct diff_key key = {1, (uint64_t)i};
        ck_assert_ptr_nonnull(diff_untaken_find(&untaken, &key));
    }
    diff_untaken_clear(&untaken);
}
END_TEST

/* Of one whose version nobody knows any later message is newer, and no earlier one. */
START_TEST(without_a_version_what_comes_later_is_newer)
{
    struct diff_untaken untaken;
    struct untaken_change change;
    struct untaken item = {.key = {1, 1}, .verdict = VERDICT_DEAD, .offset = 5};
    const struct diff_entry leader = {.version = 9};
    diff_untaken_init(&untaken, 1u << 16);
    ck_assert(diff_untaken_add(&untaken, &item, &leader, &change));
    ck_assert(!change.kept->resolved);
    ck_assert_ptr_null(diff_untaken_resolve(&untaken, &item.key, 99, 0, 4, false));
    ck_assert_ptr_nonnull(diff_untaken_resolve(&untaken, &item.key, -1, 0, 6, false));
    diff_untaken_clear(&untaken);
}
END_TEST

static Suite *diff_history_suite(void)
{
    Suite *suite = suite_create("diff_history");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, counts_what_the_model_counts, 0, 200);
    tcase_add_loop_test(tcase, a_second_reading_counts_the_same, 0, 50);
    tcase_add_test(tcase, what_does_not_fit_is_refused);
    tcase_add_test(tcase, without_a_version_what_comes_later_is_newer);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(diff_history_suite)
