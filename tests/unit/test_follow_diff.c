/* What changed between two readings, against a model of sets; and the version of a delete. */

#include "common/policy/follow_diff.h"

#include <stdlib.h>

#include "tests/support/suite.h"

#define IDS 40 /* keys of the model: "00" to "39" */

struct side {
    struct follow_entry entries[IDS];
    int at[IDS]; /* position of a key, or -1 */
    int count;
};

static char names[IDS][3];

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void fill(struct side *side, bool old, unsigned *seed)
{
    side->count = 0;
    unsigned density = next_random(seed) % 5;
    for (int key = 0; key < IDS; key++) {
        side->at[key] = -1;
        if (next_random(seed) % 4 >= density)
            continue;
        side->at[key] = side->count;
        side->entries[side->count++] =
            (struct follow_entry){.key = bytes_of(names[key], 2),
                                  .digest = {{(uint8_t)(next_random(seed) % 3)}},
                                  .version = (int64_t)(next_random(seed) % 4),
                                  .deleted = old && next_random(seed) % 5 == 0};
        struct follow_entry *entry = &side->entries[side->count - 1];
        entry->pending = entry->deleted && next_random(seed) % 2;
    }
}

/* What must be said of a key, from the sets alone. */
static enum follow_change wanted(const struct side *old, const struct side *now, int key, bool own)
{
    const struct follow_entry *before = old->at[key] < 0 ? NULL : &old->entries[old->at[key]];
    const struct follow_entry *after = now->at[key] < 0 ? NULL : &now->entries[now->at[key]];
    bool was = before && !before->deleted;
    bool unsure = before && before->pending; /* whether its delete was sent */
    if (!after)
        return was || unsure ? FOLLOW_DELETED : FOLLOW_SAME;
    if (unsure)
        return FOLLOW_CHANGED;
    if (was)
        return before->digest.bytes[0] == after->digest.bytes[0] ? FOLLOW_SAME : FOLLOW_CHANGED;
    return before && own && after->version <= before->version ? FOLLOW_BEHIND : FOLLOW_ADDED;
}

START_TEST(every_key_is_said_once_and_rightly)
{
    unsigned seed = (unsigned)_i * 7919u + 1;
    for (int key = 0; key < IDS; key++) {
        names[key][0] = (char)('0' + key / 10);
        names[key][1] = (char)('0' + key % 10);
    }
    for (int round = 0; round < 200; round++) {
        struct side old, now;
        bool own = round % 2;
        int old_at = 0, now_at = 0, said[IDS] = {0};
        fill(&old, true, &seed);
        fill(&now, false, &seed);
        while (old_at < old.count || now_at < now.count) {
            const struct follow_entry *before = old_at < old.count ? &old.entries[old_at] : NULL;
            const struct follow_entry *after = now_at < now.count ? &now.entries[now_at] : NULL;
            struct follow_step step = follow_diff_step(before, after, own);
            ck_assert(step.take_old || step.take_now);
            int key = atoi((step.take_now ? after : before)->key.data);
            ck_assert_msg(step.change == wanted(&old, &now, key, own),
                          "seed %d round %d key %d: %d", _i, round, key, (int)step.change);
            said[key]++;
            old_at += step.take_old;
            now_at += step.take_now;
        }
        for (int key = 0; key < IDS; key++)
            ck_assert_int_eq(said[key], old.at[key] >= 0 || now.at[key] >= 0);
    }
}
END_TEST

START_TEST(a_delete_is_above_the_record)
{
    static const struct {
        bool own;
        int64_t last, clock, want;
    } ROWS[] = {
        {false, 5, 100, 100},
        {false, 100, 100, 101},
        {false, 500, 100, 501},
        {true, 5, 100, 6},
        {true, -3, 100, -2},
        {true, 500, 100, 501},
        {true, INT64_MAX - 1, 100, INT64_MAX},
        {true, INT64_MAX, 100, INT64_MAX},
        {false, INT64_MAX, 100, INT64_MAX}, /* there is none above */
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        ck_assert_int_eq(follow_delete_version(ROWS[i].own, ROWS[i].last, ROWS[i].clock),
                         ROWS[i].want);
}
END_TEST

START_TEST(an_intent_is_not_below_what_is_sent)
{
    static const struct {
        bool deleted, own;
        int64_t floor, version, want;
    } ROWS[] = {
        {false, false, 7, 100, 8}, /* stamped: where it is above that, the clock is too */
        {true, false, 7, 7, 8},
        {false, false, INT64_MAX, 7, INT64_MAX},
        {false, true, 7, 8, 8},
        {false, true, 7, 4, 7}, /* it went down: the greatest it ever had counts */
        {false, true, 0, -5, 0},
        {true, true, 7, 4, 8},
        {true, true, INT64_MAX, 4, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        ck_assert_int_eq(
            follow_given_version(ROWS[i].deleted, ROWS[i].own, ROWS[i].floor, ROWS[i].version),
            ROWS[i].want);
    for (int64_t floor = -3; floor < 4; floor++)
        for (int64_t version = -4; version <= floor; version++)
            ck_assert_int_ge(follow_given_version(true, true, floor, version),
                             follow_delete_version(true, floor, 0));
}
END_TEST

/* An empty digest is the same as nothing, not even as another empty one: a file's never is. */
START_TEST(an_intent_is_never_the_same)
{
    const struct follow_entry intent = {.key = bytes_of("k", 1), .version = 5};
    for (int byte = 0; byte < (int)sizeof(intent.digest.bytes); byte++) {
        struct follow_entry now = intent;
        now.digest.bytes[byte] = 1;
        ck_assert_int_eq(follow_diff_step(&intent, &now, byte % 2).change, FOLLOW_CHANGED);
    }
    ck_assert_int_eq(follow_diff_step(&intent, NULL, false).change, FOLLOW_DELETED);
}
END_TEST

static Suite *follow_diff_suite(void)
{
    Suite *suite = suite_create("follow_diff");
    TCase *tcase = tcase_create("follow_diff");
    tcase_add_loop_test(tcase, every_key_is_said_once_and_rightly, 0, 20);
    tcase_add_test(tcase, a_delete_is_above_the_record);
    tcase_add_test(tcase, an_intent_is_not_below_what_is_sent);
    tcase_add_test(tcase, an_intent_is_never_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(follow_diff_suite)
