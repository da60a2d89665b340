/*
 * What has become of dead letters, against a model that knows the whole history: a source topic of
 * random messages, some of them dead, of which the index is told piece by piece, in any order the
 * topics may be read.
 */

#include "common/policy/dlq/dead_letter_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { PARTITIONS = 3, RECORDS = 24, MESSAGES = 160, ROUNDS = 4, WORLDS = 400 };

struct message {
    int record;
    int32_t partition;
    int64_t offset, version;
    bool has_version, dead, known; /* known: its dead letter was added */
    int chain;                     /* the first of its attempts, by place in messages; itself */
    int attempts;
    int decision; /* of its dead letter: -1 none, 0 discarded; then 1 sent again, 2 landed */
};

static struct message messages[MESSAGES];
static int64_t checkpoints[PARTITIONS];

static struct digest name(const char *kind, int64_t a, int64_t b)
{
    char text[64];
    snprintf(text, sizeof text, "%s-%lld-%lld", kind, (long long)a, (long long)b);
    return digest_of(bytes_text(text));
}

/* A quarter of the records cannot be read: who they are is told by their chain alone. */
static bool has_name(int record)
{
    return record % 4 != 0;
}

static struct digest place(const struct message *message)
{
    return name("m", message->partition, message->offset);
}

static struct dead_letter_fact fact_of(int at)
{
    const struct message *message = &messages[at];
    struct digest chain = place(&messages[message->chain]);
    return (struct dead_letter_fact){
        .id = place(message),
        .chain = chain,
        .identity = has_name(message->record) ? name("r", message->record, 0) : chain,
        .partition = message->partition,
        .offset = message->offset,
        .attempts = message->attempts,
        .version = message->version,
        .has_version = message->has_version,
        .taken = -1};
}

static void make_world(void)
{
    int64_t ends[PARTITIONS] = {0};
    for (int i = 0; i < MESSAGES; i++) {
        struct message *message = &messages[i];
        int record = (int)random_below(RECORDS);
        int32_t partition = record % PARTITIONS;
        *message = (struct message){.record = record,
                                    .partition = partition,
                                    .offset = ends[partition]++,
                                    .version = (int64_t)random_below(4),
                                    .has_version = has_name(record),
                                    .dead = random_below(2) == 0,
                                    .chain = i,
                                    .attempts = 1,
                                    .decision = (int)random_below(4) - 1};
        for (int j = i - 1; j >= 0 && random_below(3); j--) /* sent again? */
            if (messages[j].record == record && messages[j].dead) {
                message->chain = messages[j].chain;
                message->attempts = messages[j].attempts + 1;
                message->version = messages[j].version;
                break;
            }
    }
    memcpy(checkpoints, ends, sizeof ends);
}

/* ---- the model ---- */

static bool is_one(const struct message *a, const struct message *b)
{
    return has_name(a->record) ? a->record == b->record : a->chain == b->chain;
}

static bool counts_before(const struct message *a, const struct message *b)
{
    if (a->has_version && b->has_version && a->version != b->version)
        return a->version > b->version;
    return a->offset > b->offset;
}

static enum dead_letter_state model(int at)
{
    const struct message *message = &messages[at];
    for (int i = 0; i < MESSAGES; i++)
        if (messages[i].known && is_one(&messages[i], message) &&
            counts_before(&messages[i], message))
            return DEAD_LETTER_SUPERSEDED;
    for (int i = 0; i < MESSAGES; i++) {
        const struct message *other = &messages[i];
        bool is_taken = !other->known && other->offset < checkpoints[other->partition];
        if (is_taken && is_one(other, message) && other->offset > message->offset &&
            other->version >= message->version)
            return DEAD_LETTER_RESOLVED;
    }
    if (message->decision == 2)
        return DEAD_LETTER_RESOLVED;
    return message->decision == 0 ? DEAD_LETTER_DISCARDED : DEAD_LETTER_OPEN;
}

/* ---- feeding ---- */

static void add(struct dead_letter_index *index, int at)
{
    uint32_t number;
    bool known;
    struct dead_letter_fact fact = fact_of(at);
    ck_assert(dead_letter_index_add(index, &fact, &number, &known));
    ck_assert_int_eq(known, messages[at].known);
    messages[at].known = true;
    ck_assert_uint_eq(dead_letter_index_find(index, &fact.id), number);
}

static void read_partition(struct dead_letter_index *index, int32_t partition, int64_t to)
{
    int64_t wanted = dead_letter_index_wanted(index, partition);
    for (int i = 0; i < MESSAGES; i++) {
        const struct message *message = &messages[i];
        if (message->partition != partition || message->offset < wanted)
            continue;
        const struct dead_letter_message_seen seen = {.place = place(message),
                                                      .identity = name("r", message->record, 0),
                                                      .chain = place(&messages[message->chain]),
                                                      .has_identity = has_name(message->record),
                                                      .has_chain = message->chain != i,
                                                      .partition = partition,
                                                      .offset = message->offset,
                                                      .version = message->version,
                                                      .has_version = message->has_version};
        dead_letter_index_see(index, &seen, to);
    }
    if (wanted < to)
        dead_letter_index_seen(index, partition, to);
}

static void decide(struct dead_letter_index *index, int at)
{
    struct digest id = place(&messages[at]);
    if (messages[at].decision < 0)
        return;
    dead_letter_index_decide(index, &id, DECISION_DISCARDED);
    if (messages[at].decision == 1)
        dead_letter_index_decide(index, &id, DECISION_REPLAYED);
    if (messages[at].decision == 2)
        dead_letter_index_decide(index, &id, DECISION_LANDED);
}

/* Dead letters below a checkpoint are added before messages below it are seen, but for some, whose
 * records waited for others: those come late. */
static void feed(struct dead_letter_index *index)
{
    int64_t ends[PARTITIONS];
    memcpy(ends, checkpoints, sizeof ends);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int p = 0; p < PARTITIONS; p++)
            checkpoints[p] = ends[p] * round / ROUNDS;
        int first = (int)random_below(MESSAGES);
        for (int i = 0; i < MESSAGES; i++) {
            int at = (first + i) % MESSAGES;
            bool is_late = round < ROUNDS && at % 7 == 0;
            if (messages[at].dead && !is_late &&
                messages[at].offset < checkpoints[messages[at].partition])
                add(index, at);
        }
        for (int i = 0; i < MESSAGES; i++)
            decide(index, i);
        dead_letter_index_begin(index);
        for (int p = 0; p < PARTITIONS; p++)
            read_partition(index, p, checkpoints[p]);
    }
}

START_TEST(is_what_the_history_says)
{
    struct dead_letter_index index;
    random_begin((uint64_t)_i + 1);
    make_world();
    dead_letter_index_init(&index, 1u << 20);
    feed(&index);
    for (int i = 0; i < MESSAGES; i++) {
        struct digest id = place(&messages[i]);
        uint32_t number = dead_letter_index_find(&index, &id);
        ck_assert_int_eq(number != DEAD_LETTER_NONE, messages[i].dead);
        if (!messages[i].dead)
            continue;
        enum dead_letter_state state = dead_letter_index_state(&index, number);
        ck_assert_msg(state == model(i), "world %d, message %d (%d@%lld): %s, the model says %s",
                      _i, i, messages[i].partition, (long long)messages[i].offset,
                      dead_letter_state_word(state), dead_letter_state_word(model(i)));
        uint32_t last = dead_letter_index_last(&index, number);
        ck_assert_int_eq(last != number, state == DEAD_LETTER_SUPERSEDED);
        ck_assert_int_ne(dead_letter_index_state(&index, last), DEAD_LETTER_SUPERSEDED);
    }
    dead_letter_index_free(&index);
}
END_TEST

START_TEST(what_is_on_its_way_is_told)
{
    struct dead_letter_index index;
    uint32_t number;
    bool known;
    struct dead_letter_fact fact = {.id = name("m", 0, 4),
                                    .chain = name("m", 0, 4),
                                    .identity = name("r", 1, 0),
                                    .offset = 4,
                                    .attempts = 1,
                                    .taken = -1};
    struct dead_letter_message_seen seen = {
        .place = name("m", 0, 9), .chain = fact.chain, .has_chain = true, .offset = 9};
    dead_letter_index_init(&index, 1u << 20);
    ck_assert(dead_letter_index_add(&index, &fact, &number, &known));
    ck_assert_int_eq(dead_letter_index_wanted(&index, 0), 5);
    ck_assert_int_eq(dead_letter_index_wanted(&index, 1), INT64_MAX);
    dead_letter_index_see(&index, &seen, 9);
    ck_assert_int_eq(index.items[number].sent, 9);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_OPEN);
    dead_letter_index_begin(&index);
    ck_assert_int_eq(index.items[number].sent, -1);
    dead_letter_index_see(&index, &seen, 10);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_RESOLVED);
    dead_letter_index_free(&index);
}
END_TEST

/* Of another topic: only a message that says so is an attempt at it, wherever it is. */
START_TEST(dead_letters_of_others_are_resolved_by_their_chain)
{
    struct dead_letter_index index;
    uint32_t number;
    bool known;
    struct dead_letter_fact fact = {.id = name("x", 0, 4),
                                    .chain = name("x", 0, 4),
                                    .identity = name("x", 0, 4),
                                    .partition = DEAD_LETTER_NOWHERE,
                                    .offset = 4,
                                    .attempts = 1,
                                    .taken = -1};
    struct dead_letter_message_seen seen = {
        .place = name("m", 2, 0), .has_chain = true, .partition = 2};
    dead_letter_index_init(&index, 1u << 20);
    ck_assert(dead_letter_index_add(&index, &fact, &number, &known));
    ck_assert_int_eq(dead_letter_index_wanted(&index, 2), INT64_MAX);
    dead_letter_index_decide(&index, &fact.id, DECISION_REPLAYED);
    ck_assert_int_eq(dead_letter_index_wanted(&index, 2), 0);
    seen.chain = name("y", 0, 4);
    dead_letter_index_see(&index, &seen, 10);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_OPEN);
    seen.chain = fact.chain;
    dead_letter_index_see(&index, &seen, 10);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_RESOLVED);
    dead_letter_index_free(&index);
}
END_TEST

/* Its own message, when it was read again: until it is read once more, or somebody says otherwise.
 */
START_TEST(one_that_landed_is_resolved_by_a_decision_alone)
{
    struct dead_letter_index index;
    uint32_t number;
    bool known;
    struct dead_letter_fact fact = {.id = name("m", 0, 4),
                                    .chain = name("m", 0, 4),
                                    .identity = name("r", 1, 0),
                                    .offset = 4,
                                    .attempts = 1,
                                    .taken = -1};
    dead_letter_index_init(&index, 1u << 20);
    ck_assert(dead_letter_index_add(&index, &fact, &number, &known));
    dead_letter_index_decide(&index, &fact.id, DECISION_LANDED);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_RESOLVED);
    ck_assert_int_eq(dead_letter_index_wanted(&index, 0), INT64_MAX);
    dead_letter_index_decide(&index, &fact.id, DECISION_REPLAYED);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_OPEN);
    ck_assert_int_eq(dead_letter_index_wanted(&index, 0), 5);
    dead_letter_index_decide(&index, &fact.id, DECISION_LANDED);
    dead_letter_index_decide(&index, &fact.id, DECISION_DISCARDED);
    ck_assert_int_eq(dead_letter_index_state(&index, number), DEAD_LETTER_DISCARDED);
    dead_letter_index_free(&index);
}
END_TEST

START_TEST(memory_is_bounded)
{
    struct dead_letter_index index;
    uint32_t number;
    bool known, added = true;
    int64_t count = 0;
    dead_letter_index_init(&index, 1u << 20);
    for (; added; count++) {
        struct dead_letter_fact fact = {
            .id = name("m", 0, count), .chain = name("m", 0, count), .offset = count, .taken = -1};
        fact.identity = fact.id;
        added = dead_letter_index_add(&index, &fact, &number, &known);
    }
    ck_assert_int_gt(count, 1000);
    ck_assert_int_lt(count, 20000);
    struct digest first = name("m", 0, 0);
    ck_assert_uint_eq(dead_letter_index_find(&index, &first), 0);
    dead_letter_index_free(&index);
}
END_TEST

static Suite *dead_letter_index_suite(void)
{
    Suite *suite = suite_create("dead_letter_index");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, is_what_the_history_says, 0, WORLDS);
    tcase_add_test(tcase, what_is_on_its_way_is_told);
    tcase_add_test(tcase, dead_letters_of_others_are_resolved_by_their_chain);
    tcase_add_test(tcase, one_that_landed_is_resolved_by_a_decision_alone);
    tcase_add_test(tcase, memory_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(dead_letter_index_suite)
