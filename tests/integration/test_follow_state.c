/*
 * The follower's state against a model that knows what was written: records are written and removed
 * at random, also between the two passes of a reading; readings are killed, and the state is opened
 * anew.
 *
 * What is promised: a content is sent once at most, and never after a newer one; no delete of a
 * record that is there, and no more of them than removals; in the end what was sent is what the
 * source holds. A reading that was killed may send again, as nobody knows what it sent.
 */
#include "producer/follow/follow_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { KEYS = 8, READINGS = 150 };

struct key {
    int source;  /* its content; 0: it is not there */
    int target;  /* what was sent last; 0: nothing, or a delete */
    int newest;  /* of all that was sent */
    int removed; /* how often, less the deletes that were sent */
    int64_t version;
    bool sent, deleted; /* by the reading at hand */
    bool unsure;        /* a reading that was killed sent it */
};

static char folder[64];
static struct follow_state *state;
static struct key keys[KEYS];
static int written; /* contents: each write is a new one */
static int64_t versions;
static struct error err;

#define OK(call)                                                                                   \
    ck_assert_msg((call) == OUT_OK, "seed %lu: %s: %s", (unsigned long)random_seed, err.text,      \
                  err.cause)
#define HOLDS(condition, key)                                                                      \
    ck_assert_msg(condition, "seed %lu: key %d: not %s", (unsigned long)random_seed, key,          \
                  #condition)

static struct bytes name_of(int key)
{
    static char name[16];
    snprintf(name, sizeof(name), "t/p/k%d", key);
    return bytes_text(name);
}

static struct digest digest_content(int content)
{
    return digest_of(bytes_of((const char *)&content, sizeof(content)));
}

static void change_some(void)
{
    for (uint64_t i = random_below(KEYS); i > 0; i--) {
        struct key *key = &keys[random_below(KEYS)];
        if (random_below(3)) {
            key->source = ++written;
        } else if (key->source) {
            key->source = 0;
            key->removed++;
        }
    }
}

/* What one pass sees; a record's place moves when one before it comes or goes. */
static struct follow_seen see(int key, uint64_t *ordinal)
{
    return (struct follow_seen){.key = name_of(key),
                                .digest = digest_content(keys[key].source),
                                .version = 1,
                                .ordinal = (*ordinal)++};
}

static void compare(bool deletes, struct follow_known *known, struct follow_counts *counts)
{
    uint64_t ordinal = 0;
    OK(follow_state_find(state, "f", known, &err));
    OK(follow_state_begin(state, "f", known, &err));
    for (int i = 0; i < KEYS; i++) {
        if (!keys[i].source)
            continue;
        struct follow_seen seen = see(i, &ordinal);
        OK(follow_state_see(state, &seen, &err));
    }
    OK(follow_state_compare(state, deletes, false, counts, &err));
    OK(follow_state_intend(state, &err));
}

static void send(int i, int64_t floor, int content)
{
    struct key *key = &keys[i];
    HOLDS(content > key->newest || (key->unsure && content == key->newest), i);
    int64_t version = ++versions > floor ? versions : floor + 1;
    versions = version;
    OK(follow_state_sent(state, name_of(i), version, &err));
    HOLDS(version > key->version, i);
    key->version = version;
    key->target = key->newest = content;
    key->sent = true;
}

/* How many it sent; no more than `max`. */
static uint64_t send_changes(uint64_t max)
{
    uint64_t ordinal = 0, sent = 0;
    for (int i = 0; i < KEYS && sent < max; i++) {
        struct follow_wanted wanted;
        if (!keys[i].source)
            continue;
        struct follow_seen seen = see(i, &ordinal);
        OK(follow_state_wants(state, &seen, &wanted, &err));
        if (!wanted.send)
            continue;
        send(i, wanted.floor, keys[i].source);
        sent++;
    }
    return sent;
}

static void send_deletes(const bool was_there[KEYS])
{
    for (;;) {
        struct bytes name;
        int64_t last;
        bool own;
        OK(follow_state_next_delete(state, &name, &last, &own, &err));
        if (!name.size)
            return;
        int i = name.data[name.size - 1] - '0';
        struct key *key = &keys[i];
        HOLDS(!was_there[i], i);
        HOLDS(key->removed > 0, i);
        key->removed--;
        int64_t version = follow_delete_version(own, last, ++versions);
        OK(follow_state_sent(state, name_of(i), version, &err));
        HOLDS(version > key->version, i);
        key->version = versions = version;
        key->target = 0;
        key->deleted = true;
    }
}

/* What it sent is sent again, what it deleted is deleted again. */
static void kill_reading(void)
{
    follow_state_abandon(state);
    follow_state_close(state);
    OK(follow_state_open(folder, "m", &state, &err));
    for (int i = 0; i < KEYS; i++) {
        keys[i].unsure |= keys[i].sent;
        keys[i].removed += keys[i].deleted;
    }
}

static void commit(uint64_t left, struct follow_known *known)
{
    struct follow_known after;
    for (int i = 0; i < KEYS; i++)
        keys[i].unsure &= !keys[i].sent;
    known->done = true;
    if (left > 0)
        OK(follow_state_commit_sent(state, &err));
    else
        OK(follow_state_commit(state, known, false, &err));
    OK(follow_state_find(state, "f", &after, &err));
    ck_assert_msg(after.done == (left == 0), "seed %lu: done with %lu left",
                  (unsigned long)random_seed, (unsigned long)left);
}

/* Returns how many were left as they changed meanwhile. */
static uint64_t read_source(bool deletes, bool changes, bool dies)
{
    struct follow_known known;
    struct follow_counts counts;
    bool was_there[KEYS];
    uint64_t left;
    for (int i = 0; i < KEYS; i++) {
        was_there[i] = keys[i].source != 0;
        keys[i].sent = keys[i].deleted = false;
    }
    compare(deletes, &known, &counts);
    if (changes)
        change_some();
    uint64_t sent = send_changes(dies ? random_below(KEYS) : KEYS);
    if (!dies || random_below(2))
        send_deletes(was_there);
    if (dies) {
        kill_reading();
        return 0;
    }
    OK(follow_state_unsent(state, &left, &err));
    ck_assert_uint_eq(left + sent, counts.upserts);
    commit(left, &known);
    return left;
}

static void run(uint64_t seed, bool kills)
{
    uint64_t left = 0;
    random_begin(seed);
    memset(keys, 0, sizeof(keys));
    written = 0;
    versions = 0;
    strcpy(folder, "/tmp/drover_follow_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    OK(follow_state_open(folder, "m", &state, &err));
    for (int i = 0; i < READINGS; i++) {
        change_some();
        left += read_source(random_below(2), random_below(2), kills && random_below(5) == 0);
    }
    ck_assert_msg(left > 0, "seed %lu: no reading left anything", (unsigned long)random_seed);
    read_source(true, false, false);
    for (int i = 0; i < KEYS; i++)
        HOLDS(keys[i].target == keys[i].source, i);
    struct follow_known known;
    struct follow_counts counts;
    compare(true, &known, &counts);
    ck_assert_uint_eq(counts.upserts + counts.deletes, 0);
    follow_state_close(state);
    char command[80];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(what_is_written_is_sent_once)
{
    run((uint64_t)_i + 1, false);
}
END_TEST

START_TEST(a_kill_may_send_again)
{
    run((uint64_t)_i + 100, true);
}
END_TEST

static Suite *follow_state_suite(void)
{
    Suite *suite = suite_create("follow_state");
    TCase *readings = tcase_create("readings");
    tcase_add_loop_test(readings, what_is_written_is_sent_once, 0, 4);
    tcase_add_loop_test(readings, a_kill_may_send_again, 0, 4);
    suite_add_tcase(suite, readings);
    return suite;
}

SUITE_MAIN(follow_state_suite)
