/* The verifier over memory, beside the real worker: fed in pieces while messages go, or at once
 * with all that it may read again. What is damaged is named, and nothing else. No server. */
#include "verifier/verify_session.h"

#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "common/port/store_memory_children.h"
#include "tests/sim/world.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static struct world W;
static struct settings settings;

/* How the store is read and what may be read again. */
static const struct way {
    const char *name;
    enum memory_keeps keeps;
    bool read_once;
} WAYS[] = {{"checks, read once", MEMORY_KEEPS_CHECKS, true},
            {"rows, read once", MEMORY_KEEPS_ROWS, true},
            {"rows, with recheck", MEMORY_KEEPS_ROWS, false}};
enum { WAY_COUNT = 3 };
static const struct way *way;

/* ---- a store that somebody was at --------------------------------------------------------- */

enum damage {
    DAMAGE_NONE,
    DAMAGE_CHANGED,
    DAMAGE_MISSING,
    DAMAGE_EXTRA,
    DAMAGE_STALE,
    DAMAGE_NEWER
};

struct damaged {
    struct store_reader base;
    struct store_reader *whole;
    struct diff_key key;
    struct digest given_back;
    char json[120];
    bool extra_given;
};

static enum damage damage;
static struct diff_key damaged_key;

static struct diff_key key_of(const char *entity, int key)
{
    char text[64];
    snprintf(text, sizeof text, "t/%s/k%d", entity, key);
    return diff_key_of(bytes_text(text));
}

/* False: the row is not there. */
static bool alter(struct damaged *reader, struct stored_record *stored)
{
    if (!stored->mapping || !stored->key || !diff_key_equal(stored->key, &damaged_key))
        return true;
    switch (damage) {
    case DAMAGE_MISSING:
        return false;
    case DAMAGE_STALE:
        stored->version--;
        break;
    case DAMAGE_NEWER:
        stored->version++;
        break;
    case DAMAGE_CHANGED:
        if (stored->given_back) {
            reader->given_back = *stored->given_back;
            reader->given_back.bytes[0] ^= 1;
            stored->given_back = &reader->given_back;
        } else {
            snprintf(reader->json, sizeof reader->json, "{\"id\":\"%.*s\",\"n\":4711}",
                     BYTES_ARGS(stored->id));
            stored->json = bytes_text(reader->json);
        }
        break;
    case DAMAGE_NONE:
    case DAMAGE_EXTRA:
        break;
    }
    return true;
}

static enum outcome damaged_checkpoint(struct store_reader *base, const char *group,
                                       const char *topic, int32_t partition, int64_t *next,
                                       struct error *err)
{
    struct store_reader *whole = ((struct damaged *)base)->whole;
    return whole->ops->checkpoint(whole, group, topic, partition, next, err);
}

static void make_extra(struct damaged *reader, struct stored_record *stored)
{
    bool named = way->keeps == MEMORY_KEEPS_ROWS;
    reader->key = damaged_key;
    *stored = (struct stored_record){.mapping = mapping_set_find(W.set, BYTES_LITERAL("item")),
                                     .key = &reader->key,
                                     .version = 1};
    if (named) {
        stored->tenant = BYTES_LITERAL("t");
        stored->id = BYTES_LITERAL("k999");
        stored->json = BYTES_LITERAL("{\"id\":\"k999\",\"n\":1}");
    } else {
        stored->given_back = &reader->given_back;
    }
}

static enum outcome damaged_next(struct store_reader *base, struct stored_record *stored,
                                 struct error *err)
{
    struct damaged *reader = (struct damaged *)base;
    enum outcome outcome;
    do {
        outcome = reader->whole->ops->next(reader->whole, stored, err);
    } while (!alter(reader, stored));
    if (outcome == OUT_OK && !stored->mapping && damage == DAMAGE_EXTRA && !reader->extra_given) {
        reader->extra_given = true;
        make_extra(reader, stored);
    }
    return outcome;
}

static enum outcome damaged_find(struct store_reader *base, const struct mapping *mapping,
                                 struct bytes tenant, struct bytes id, struct stored_record *stored,
                                 bool *found, struct error *err)
{
    struct damaged *reader = (struct damaged *)base;
    enum outcome outcome =
        reader->whole->ops->find(reader->whole, mapping, tenant, id, stored, found, err);
    if (*found)
        *found = alter(reader, stored);
    else if (damage == DAMAGE_EXTRA && bytes_equal(id, BYTES_LITERAL("k999"))) {
        make_extra(reader, stored);
        *found = true;
    }
    return outcome;
}

static void damaged_close(struct store_reader *base)
{
    struct damaged *reader = (struct damaged *)base;
    reader->whole->ops->close(reader->whole);
    free(reader);
}

static enum outcome open_store(void *owner, struct store_reader **reader, struct error *err)
{
    static const struct store_reader_ops OPS = {damaged_checkpoint, damaged_next, damaged_find,
                                                damaged_close};
    struct damaged *made = calloc(1, sizeof *made);
    (void)err;
    made->base.ops = &OPS;
    made->whole = memory_store_reader_open(owner);
    *reader = &made->base;
    return OUT_OK;
}

static bool is_pending(void *owner, int32_t partition, int64_t offset)
{
    struct memory_children *children = memory_store_children(owner);
    const struct memory_child *pending = memory_children_find(children, partition, offset);
    return pending && (!pending->decided || pending->the_class == CLASS_DEAD);
}

/* ---- the world --------------------------------------------------------------------------- */

static struct verify_session *session;
static struct verify_store store;
static int dead_letters;
static char dead_letter_path[64];

static void on_dead_letter(void *owner, const struct record *record, enum error_code code,
                           const char *path)
{
    (void)owner;
    ck_assert(code != ERR_NONE && record->tenant.size);
    dead_letters++;
    snprintf(dead_letter_path, sizeof dead_letter_path, "%s", path);
}

static void open_session(void)
{
    static const struct verify_listener LISTENER = {on_dead_letter, NULL};
    struct error err;
    store = (struct verify_store){open_store, is_pending, true, W.store};
    const struct verify_options options = {.bus = bus_memory_bus(W.bus),
                                           .mappings = W.set,
                                           .store = &store,
                                           .read_once = way->read_once,
                                           .listener = &LISTENER};
    ck_assert_msg(verify_session_open(&settings, &options, &session, &err) == OUT_OK, "%s",
                  err.text);
}

static void open_world(const struct way *which)
{
    way = which;
    damage = DAMAGE_NONE;
    dead_letters = 0;
    log_setup_names("verify", "error", "logfmt");
    world_open(&W, 2, false);
    memory_store_free(W.store);
    W.store = memory_store_new(way->keeps, 64u << 20);
    memory_store_use_mappings(W.store, W.set, true);
    settings = W.settings;
    settings.samples = 10;
    settings.report_tenants = 10;
    settings.verify_memory = 64u << 20;
    settings.store_memory = 64u << 20;
    settings.plain = true;
    session = NULL;
}

static void close_world(void)
{
    verify_session_close(session);
    world_close(&W);
}

static void start_worker(void)
{
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
}

static int64_t put(const char *entity, int key, int64_t version, int n)
{
    return world_produce(&W, &(struct world_message){.entity = entity,
                                                     .partition = key % 2,
                                                     .key = key,
                                                     .version = version,
                                                     .n = n,
                                                     .parent = key});
}

static void put_other(int key, int64_t version, bool deleted, bool broken)
{
    world_produce(&W, &(struct world_message){.entity = "item",
                                              .partition = key % 2,
                                              .key = key,
                                              .version = version,
                                              .deleted = deleted,
                                              .broken = broken});
}

/* What the worker has committed is fed; where nobody reads it again it goes. */
static enum outcome feed(struct error *err)
{
    int64_t ends[2];
    for (int32_t p = 0; p < 2; p++) {
        const struct memory_checkpoint *checkpoint = memory_store_checkpoint(W.store, p);
        ends[p] = checkpoint ? checkpoint->next_offset : 0;
    }
    enum outcome outcome = verify_session_feed(session, ends, err);
    for (int32_t p = 0; way->read_once && outcome == OUT_OK && p < 2; p++) {
        ck_assert_int_eq(verify_session_fed(session, TOPIC_SOURCE, p), ends[p]);
        bus_memory_drop(W.bus, WORLD_SOURCE, p, ends[p]);
        bus_memory_drop(W.bus, WORLD_RESULTS, p, verify_session_fed(session, TOPIC_RESULTS, p));
        bus_memory_drop(W.bus, WORLD_DEAD_LETTERS, p,
                        verify_session_fed(session, TOPIC_DEAD_LETTERS, p));
    }
    return outcome;
}

static void must_feed(void)
{
    struct error err;
    ck_assert_msg(feed(&err) == OUT_OK, "%s: %s", way->name, err.text);
}

static void pass(uint64_t ms)
{
    for (uint64_t gone = 0; gone < ms; gone += WORKER_TICK_MS) {
        W.now_ms += WORKER_TICK_MS;
        memory_worker_tick(W.workers[0].over);
        world_worker_settle(&W, 0);
    }
}

static const struct verify_report *conclude(void)
{
    struct error err;
    ck_assert_msg(verify_session_conclude(session, &err) == OUT_OK, "%s: %s", way->name, err.text);
    const struct verify_report *report = verify_session_report(session);
    ck_assert_msg(report->warning_count == 0, "%s: %s", way->name, report->warnings[0]);
    ck_assert(verify_report_adds_up(report));
    return report;
}

static uint64_t count_of(const struct verify_report *report, enum verdict verdict)
{
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    return counts[verdict];
}

static void expect(const struct verify_report *report, enum verdict verdict, uint64_t count)
{
    ck_assert_msg(count_of(report, verdict) == count, "%s: %llu of verdict %d instead of %llu",
                  way->name, (unsigned long long)count_of(report, verdict), (int)verdict,
                  (unsigned long long)count);
}

/* ---- tests ------------------------------------------------------------------------------- */

START_TEST(classes_add_up_over_many_feeds)
{
    open_world(&WAYS[_i]);
    open_session();
    start_worker();
    for (int round = 0; round < 5; round++) {
        for (int key = 0; key < 20; key++)
            put("item", key, round, key + round);
        put("item", 3, round, 3 + round); /* again */
        put_other(100 + round, 1, false, true);
        put_other(7, round + 1, true,
                  false); /* overtaken by the next round's: version for version */
        world_worker_settle(&W, 0);
        if (way->read_once)
            must_feed();
    }
    if (!way->read_once)
        must_feed();
    const struct verify_report *report = conclude();
    expect(report, VERDICT_DEAD, 5);
    expect(report, VERDICT_MATCH, 20);
    expect(report, VERDICT_UNCHANGED, 5);
    ck_assert_uint_eq(report->source_count, 5 * 23);
    ck_assert_int_eq(dead_letters, 5);
    ck_assert_uint_ge(report->sample_counts[VERDICT_DEAD], 1);
    ck_assert_int_eq(report->samples[VERDICT_DEAD][0].code, ERR_VALUE_TYPE);
    if (way->read_once)
        ck_assert_str_eq(dead_letter_path, "/n");
    close_world();
}
END_TEST

static void says(struct bytes text, const char *words)
{
    ck_assert_msg(bytes_equal(text, bytes_text(words)), "%s: \"%.*s\" instead of \"%s\"", way->name,
                  BYTES_ARGS(text), words);
}

static const struct {
    enum damage damage;
    enum verdict verdict;
    const char *words; /* where nothing is read again */
} DAMAGES[] = {
    {DAMAGE_CHANGED, VERDICT_DIFFERENT, "the row does not give back as it was the record"},
    {DAMAGE_MISSING, VERDICT_MISSING, "no row is there for the record"},
    {DAMAGE_EXTRA, VERDICT_EXTRA, ""},
    {DAMAGE_STALE, VERDICT_STALE, "the row is older than the record"},
    {DAMAGE_NEWER, VERDICT_TARGET_NEWER, "the row has a version above that of the record"}};
enum { DAMAGE_COUNT = 5, KEYS_DAMAGED = 2 };

/* One row of fifty is damaged: that one is named, and nothing else. */
START_TEST(each_damage_is_named)
{
    char id[16];
    int row = _i / WAY_COUNT % DAMAGE_COUNT;
    open_world(&WAYS[_i % WAY_COUNT]);
    random_begin((uint64_t)_i);
    int key = (int)random_below(50);
    damage = DAMAGES[row].damage;
    if (damage == DAMAGE_EXTRA)
        key = 999;
    damaged_key = key_of("item", key);
    snprintf(id, sizeof id, "k%d", key);
    start_worker();
    open_session();
    for (int i = 0; i < 50; i++)
        put("item", i, 5, i);
    world_worker_settle(&W, 0);
    must_feed();
    const struct verify_report *report = conclude();
    for (int v = 0; v < VERDICT_COUNT; v++) {
        bool extra = damage == DAMAGE_EXTRA;
        uint64_t wanted = (enum verdict)v == VERDICT_MATCH ? (extra ? 50 : 49) : 0;
        if ((enum verdict)v == DAMAGES[row].verdict)
            wanted = 1;
        expect(report, (enum verdict)v, wanted);
    }
    ck_assert_int_eq(verify_report_result(report), VERIFY_DISCREPANCY);
    ck_assert_uint_eq(report->sample_counts[DAMAGES[row].verdict], 1);
    const struct verify_sample *sample = &report->samples[DAMAGES[row].verdict][0];
    ck_assert(diff_key_equal(&sample->key, &damaged_key));
    if (!way->read_once)
        ck_assert_msg(bytes_equal(sample->id, bytes_text(id)), "%s: %.*s", way->name,
                      BYTES_ARGS(sample->id));
    if (way->read_once) {
        struct bytes start = bytes_of(sample->reason.data, strlen(DAMAGES[row].words));
        ck_assert_uint_ge(sample->reason.size, start.size);
        says(start, DAMAGES[row].words);
    }
    if (!way->read_once && damage == DAMAGE_CHANGED) {
        ck_assert_uint_eq(sample->field_total, 1);
        ck_assert(bytes_equal(sample->fields[0].path, BYTES_LITERAL("/n")));
    }
    close_world();
}
END_TEST

/* A child that waits: its parent comes, or its dead letter, or neither. */
START_TEST(what_waits_is_what_becomes_of_it)
{
    open_world(&WAYS[_i]);
    open_session();
    start_worker();
    put("child", 1, 5, 1);
    put("child", 2, 5, 2);
    world_worker_settle(&W, 0);
    if (way->read_once)
        must_feed();
    put("parent", 1, 5, 1);
    world_worker_settle(&W, 0);
    pass(8000); /* work.parent_wait is three seconds */
    put("child", 3, 5, 3);
    world_worker_settle(&W, 0);
    must_feed();
    const struct verify_report *report = conclude();
    expect(report, VERDICT_MATCH, 2);
    expect(report, VERDICT_DEAD, 1);
    expect(report, VERDICT_WAITING, 1);
    ck_assert_int_eq(report->samples[VERDICT_DEAD][0].code, ERR_PG_PARENT);
    ck_assert_int_eq(dead_letters, 1);
    close_world();
}
END_TEST

START_TEST(what_was_not_fed_lags)
{
    open_world(&WAYS[_i]);
    open_session();
    start_worker();
    for (int i = 0; i < 10; i++)
        put("item", i, 5, i);
    world_worker_settle(&W, 0);
    must_feed();
    for (int i = 0; i < 3; i++)
        put("item", i, 6, i);
    const struct verify_report *report = conclude();
    /* where everything may be read again the topic's ends are those of the begin */
    if (way->read_once)
        expect(report, VERDICT_LAGGING, 3);
    expect(report, VERDICT_MATCH, 10);
    close_world();
}
END_TEST

static void add_header(struct envelope *envelope, const char *name, const char *value)
{
    envelope->headers[envelope->header_count++] =
        (struct header){bytes_text(name), bytes_text(value)};
}

/* A record of a file: where it stands there, and with what. */
static void put_from(int key, int64_t version, const char *origin, const char *json)
{
    char place[64], id[16], text[24], sequence[24];
    struct error err;
    struct envelope envelope = {.value = bytes_text(json)};
    int64_t offset = -1;
    snprintf(id, sizeof id, "k%d", key);
    snprintf(place, sizeof place, "t/item/%s", id);
    snprintf(text, sizeof text, "%lld", (long long)version);
    snprintf(sequence, sizeof sequence, "%llu", (unsigned long long)W.sequences[key % 2]++);
    envelope.key = bytes_text(place);
    add_header(&envelope, HEADER_TENANT, "t");
    add_header(&envelope, HEADER_ENTITY, "item");
    add_header(&envelope, HEADER_ID, id);
    add_header(&envelope, HEADER_RUN, "run");
    add_header(&envelope, HEADER_SEQUENCE, sequence);
    add_header(&envelope, HEADER_VERSION, text);
    add_header(&envelope, HEADER_ORIGIN, origin);
    ck_assert_int_eq(bus_sender_send(W.producer, key % 2, &envelope, &offset, &err), OUT_OK);
    bus_sender_poll(W.producer, 0);
}

/* Where they stand in the file: of two that are ambiguous both, of a dead letter why, too. */
START_TEST(samples_say_where_the_record_stands)
{
    open_world(&WAYS[_i]);
    open_session();
    start_worker();
    put_from(1, 1, "a.json:3:1@40", "{\"id\":\"k1\",\"n\":1}");
    world_worker_settle(&W, 0);
    if (way->read_once)
        must_feed();
    put_from(1, 2, "a.json:7:5@90", "{\"id\":\"k1\",\"n\":2}");
    put_from(2, 1, "a.json:9:1@130", "{\"id\":\"k2\",\"n\":\"none\"}");
    world_worker_settle(&W, 0);
    must_feed();
    const struct verify_report *report = conclude();
    expect(report, VERDICT_AMBIGUOUS, 1);
    expect(report, VERDICT_DEAD, 1);
    const struct verify_sample *sample = report->samples[VERDICT_AMBIGUOUS];
    says(sample->origin, "a.json:7:5");
    says(sample->id, "k1");
    if (way->read_once)
        says(sample->reason, "the key came before at 3:1 of this source with other content, and no "
                             "version tells which is meant");
    sample = report->samples[VERDICT_DEAD];
    says(sample->origin, "a.json:9:1");
    if (way->read_once)
        says(sample->reason, "DRV-V002: a value has another type than the mapping says at /n");
    close_world();
}
END_TEST

static size_t others_bytes(void *owner)
{
    return *(size_t *)owner;
}

START_TEST(keys_fit_the_memory_or_it_says_so)
{
    size_t others = 0;
    struct error err = {0};
    enum outcome outcome = OUT_OK;
    open_world(&WAYS[0]);
    settings.store_memory = 1u << 20;
    const struct verify_options options = {.bus = bus_memory_bus(W.bus),
                                           .mappings = W.set,
                                           .store = &store,
                                           .read_once = true,
                                           .others_bytes = others_bytes,
                                           .others = &others};
    store = (struct verify_store){open_store, NULL, true, W.store};
    ck_assert_int_eq(verify_session_open(&settings, &options, &session, &err), OUT_OK);
    start_worker();
    int key = 0;
    for (; outcome == OUT_OK && key < 40000; key += 1000) {
        for (int i = 0; i < 1000; i++)
            put("item", key + i, 5, i);
        world_worker_settle(&W, 0);
        others = key > 3000 ? 512u << 10 : 0;
        outcome = feed(&err);
        if (outcome == OUT_OK)
            ck_assert_uint_le(verify_session_bytes(session) + others, settings.store_memory);
    }
    ck_assert_int_eq(outcome, OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_STORE_MEMORY);
    ck_assert_int_gt(key, 4000);
    close_world();
}
END_TEST

static void on_sent(void *owner, void *item, enum outcome outcome, int32_t partition,
                    int64_t offset, const struct error *err)
{
    (void)owner;
    (void)item;
    (void)partition;
    (void)offset;
    (void)err;
    ck_assert_int_eq(outcome, OUT_OK);
}

/* As a producer says it at its end. */
static void send_run_report(const struct produce_receipt *receipt)
{
    struct buf text;
    struct error err;
    struct bus_sender *sender;
    ck_assert_int_eq(
        bus_open_sender(bus_memory_bus(W.bus), WORLD_RESULTS, 0, 0, on_sent, NULL, &sender, &err),
        OUT_OK);
    buf_init(&text, 4096);
    receipt_append_produce(&text, receipt);
    struct message_view message = {.key = BYTES_LITERAL("run"), .value = buf_view(&text)};
    ck_assert_int_eq(bus_sender_send_message(sender, 0, &message, NULL, &err), OUT_OK);
    bus_sender_poll(sender, 0);
    bus_sender_close(sender);
    buf_free(&text);
}

/* A producer's run report, and its books; without a tenant named, all of them. */
START_TEST(counts_what_never_came_into_the_topic)
{
    struct produce_counters counters = {.rejected = 3, .withheld = 2};
    counters.by_code[ERR_VALUE_FORM] = 3;
    open_world(&WAYS[_i]);
    settings.only_tenant = "";
    open_session();
    start_worker();
    put("item", 1, 5, 1);
    world_worker_settle(&W, 0);
    send_run_report(&(struct produce_receipt){
        .run = BYTES_LITERAL("run"), .read = 6, .produced = 1, .rejected = 3, .withheld = 2});
    must_feed();
    verify_session_note_produced(session, &counters);
    const struct verify_report *report = conclude();
    expect(report, VERDICT_REJECTED, 3);
    expect(report, VERDICT_WITHHELD, 2);
    expect(report, VERDICT_MATCH, 1);
    ck_assert_uint_eq(report->source_count, 6);
    close_world();
}
END_TEST

/* ---- in pieces or at once ----------------------------------------------------------------- */

static void put_any(void)
{
    static const char *const ENTITIES[] = {"item", "item", "parent", "child"};
    int key = (int)random_below(30);
    const char *entity = ENTITIES[random_below(4)];
    bool child = strcmp(entity, "child") == 0;
    world_produce(
        &W, &(struct world_message){.entity = entity,
                                    .partition = key % 2,
                                    .key = key,
                                    .version = (int64_t)random_below(4),
                                    .n = random_below(20) ? (int)random_below(3) : WORLD_POISON,
                                    .parent = child ? (int)random_below(40) : 0,
                                    .deleted = random_below(8) == 0,
                                    .broken = random_below(15) == 0});
}

/* The same world, from the same seed: in one the verifier is fed at random moments and messages go,
 * in the other it is fed once, and reads again what it likes. */
static void play(uint64_t seed, const struct way *which, uint64_t counts[VERDICT_COUNT],
                 uint64_t *different_children)
{
    const struct diff_groups *groups;
    open_world(which);
    random_begin(seed);
    open_session();
    start_worker();
    for (int step = 0; step < 40; step++) {
        for (int i = (int)random_below(8); i > 0; i--)
            put_any();
        world_worker_settle(&W, 0);
        if (random_below(6) == 0)
            pass(1000 * random_below(4));
        if (random_below(3) == 0 && way->read_once)
            must_feed();
    }
    pass(2000);
    must_feed();
    groups = &conclude()->groups;
    diff_groups_total(groups, counts);
    *different_children = 0;
    for (size_t i = 0; i < groups->count; i++)
        if (bytes_equal(groups->items[i].entity, BYTES_LITERAL("child")))
            *different_children += groups->items[i].counts[VERDICT_DIFFERENT];
    close_world();
}

/* One thing only the pieces know: which records waited. Of two with one version the whole takes the
 * first for the one that was written, and calls the row different when that one came later: a
 * child's row, as no other record waits. */
START_TEST(pieces_say_what_the_whole_says)
{
    uint64_t whole[VERDICT_COUNT], pieces[VERDICT_COUNT], of_children;
    play((uint64_t)_i, &WAYS[2], whole, &of_children);
    ck_assert_uint_eq(whole[VERDICT_DIFFERENT], of_children);
    ck_assert_uint_le(of_children, whole[VERDICT_CONFLICT]); /* the other one of two */
    whole[VERDICT_MATCH] += whole[VERDICT_DIFFERENT];
    whole[VERDICT_DIFFERENT] = 0;
    for (int i = 0; i < 2; i++) {
        play((uint64_t)_i, &WAYS[i], pieces, &of_children);
        for (int v = 0; v < VERDICT_COUNT; v++)
            ck_assert_msg(pieces[v] == whole[v], "seed %d, %s: verdict %d: %llu, at once %llu", _i,
                          WAYS[i].name, v, (unsigned long long)pieces[v],
                          (unsigned long long)whole[v]);
    }
    for (int v = VERDICT_DIFFERENT; v <= VERDICT_UNUSABLE; v++)
        ck_assert_uint_eq(pieces[v], 0);
}
END_TEST

static Suite *verify_session_suite(void)
{
    Suite *suite = suite_create("verify_session");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, classes_add_up_over_many_feeds, 0, WAY_COUNT);
    tcase_add_loop_test(tcase, each_damage_is_named, 0, WAY_COUNT * DAMAGE_COUNT * KEYS_DAMAGED);
    tcase_add_loop_test(tcase, what_waits_is_what_becomes_of_it, 0, WAY_COUNT);
    tcase_add_loop_test(tcase, what_was_not_fed_lags, 0, WAY_COUNT);
    tcase_add_loop_test(tcase, samples_say_where_the_record_stands, 0, WAY_COUNT);
    tcase_add_test(tcase, keys_fit_the_memory_or_it_says_so);
    tcase_add_loop_test(tcase, counts_what_never_came_into_the_topic, 0, WAY_COUNT);
    tcase_add_loop_test(tcase, pieces_say_what_the_whole_says, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_session_suite)
