/* The verifier over a topic in which sources were read again and again: readings that were complete
 * or not, followers, messages sent twice, dead letters that were replayed, made attempt, discarded.
 * Beside the real worker; what it counts must be what a model counts that keeps everything. */
#include "verifier/verify_session.h"

#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "common/model/message/dead_letter.h"
#include "common/model/message/decision.h"
#include "common/model/message/reading.h"
#include "tests/sim/world.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define CONTROL "sim.m.control"
enum { KEYS = 6, MESSAGES_MAX = 400, SOURCES = 3, RUNS_MAX = 60 };

static struct world W;
static struct settings settings;
static struct verify_store store;
static struct verify_session *session;

/* ---- what was sent, all of it ------------------------------------------------------------- */

struct sent {
    int key, n, source, run; /* source -1: names none; run -1: none */
    int64_t version, offset, sequence;
    bool dead, repeat, follows;
    bool failed; /* a batch with it was not committed, after its dead letter was sent */
    int first;   /* of a replay: the message of the first attempt; else -1 */
};

static struct sent sent[MESSAGES_MAX];
static int sent_count;
static int applied_count; /* of them the worker has come to; the others lag */
static int64_t sequences[RUNS_MAX][2];
static int run_count;
static int latest[SOURCES]; /* the run of the latest complete reading; -1: none */
static bool incomplete[SOURCES], is_stream[SOURCES];
static bool discarded[MESSAGES_MAX];

static void on_sent(void *owner, void *item, enum outcome outcome, int32_t partition,
                    int64_t offset, const struct error *err)
{
    (void)item;
    (void)partition;
    (void)err;
    ck_assert_int_eq(outcome, OUT_OK);
    if (owner)
        *(int64_t *)owner = offset;
}

static void send_message(const char *topic, const struct message_view *message)
{
    struct error err;
    struct bus_sender *sender;
    ck_assert_int_eq(
        bus_open_sender(bus_memory_bus(W.bus), topic, 0, 0, on_sent, NULL, &sender, &err), OUT_OK);
    ck_assert_int_eq(bus_sender_send_message(sender, 0, message, NULL, &err), OUT_OK);
    bus_sender_poll(sender, 0);
    bus_sender_close(sender);
}

static void send_text(const char *topic, const struct buf *text)
{
    send_message(topic, &(struct message_view){.key = BYTES_LITERAL("k"), .value = buf_view(text)});
}

static void send_dead_letter(const struct envelope *envelope, int32_t partition, int64_t offset)
{
    struct error why, err;
    struct dead_letter_message dead_letter;
    const struct message_view message = message_of(envelope);
    const struct dead_letter_place place = {WORLD_SOURCE, partition, offset, 0};
    error_set(&why, OUT_REJECT, ERR_VALUE_TYPE, "under another mapping");
    ck_assert_int_eq(
        dead_letter_make(&message, &place, &why, 1, 1u << 20, false, &dead_letter, &err), OUT_OK);
    send_message(WORLD_DEAD_LETTERS, &dead_letter.view);
    dead_letter_free(&dead_letter);
}

static void add_header(struct envelope *envelope, const char *name, const char *value)
{
    if (value[0])
        envelope->headers[envelope->header_count++] =
            (struct header){bytes_text(name), bytes_text(value)};
}

static void name_run(const struct sent *message, char name[32])
{
    name[0] = '\0';
    if (message->run >= 0)
        snprintf(name, 32, "run%d%s", message->run, message->follows ? RECORD_RUN_FOLLOWS : "");
}

static struct sent *put(const struct sent *wanted)
{
    char key[64], id[16], run[32], version[24], number[24] = "", origin[48] = "", from[48] = "";
    char value[64];
    struct envelope envelope = {.header_count = 0};
    struct error err;
    ck_assert_int_lt(sent_count, MESSAGES_MAX);
    struct sent *message = &sent[sent_count++];
    int32_t partition = wanted->key % 2;
    *message = *wanted;
    if (message->run >= 0 && !message->repeat)
        message->sequence = sequences[message->run][partition]++;
    snprintf(id, sizeof id, "k%d", message->key);
    snprintf(key, sizeof key, "t/item/%s", id);
    snprintf(version, sizeof version, "%lld", (long long)message->version);
    if (message->dead)
        snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":\"none %d\"}", id, message->n);
    else
        snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":%d}", id, message->n);
    name_run(message, run);
    if (message->run >= 0)
        snprintf(number, sizeof number, "%lld", (long long)message->sequence);
    if (message->source >= 0)
        snprintf(origin, sizeof origin, "s%d.json:%d:1@9", message->source, message->key + 1);
    if (message->first >= 0)
        snprintf(from, sizeof from, WORLD_SOURCE "-%d-%lld", sent[message->first].key % 2,
                 (long long)sent[message->first].offset);
    envelope.key = bytes_text(key);
    envelope.value = bytes_text(value);
    add_header(&envelope, HEADER_TENANT, "t");
    add_header(&envelope, HEADER_ENTITY, "item");
    add_header(&envelope, HEADER_ID, id);
    add_header(&envelope, HEADER_VERSION, version);
    add_header(&envelope, HEADER_RUN, run);
    add_header(&envelope, HEADER_SEQUENCE, number);
    add_header(&envelope, HEADER_ORIGIN, origin);
    add_header(&envelope, DEAD_LETTER_REPLAYED_FROM, from);
    message->offset = -1;
    ck_assert_int_eq(bus_sender_send(W.producer, partition, &envelope, &message->offset, &err),
                     OUT_OK);
    bus_sender_poll(W.producer, 0);
    ck_assert_int_ge(message->offset, 0);
    if (message->failed)
        send_dead_letter(&envelope, partition, message->offset);
    return message;
}

/* ---- what happens ------------------------------------------------------------------------- */

static struct sent any_record(int source, int run)
{
    return (struct sent){.key = (int)random_below(KEYS),
                         .n = (int)random_below(3),
                         .source = source,
                         .run = run,
                         .version = (int64_t)random_below(4),
                         .dead = random_below(4) == 0,
                         .failed = random_below(5) == 0,
                         .first = -1};
}

static void read_source(void)
{
    struct buf text;
    int source = (int)random_below(SOURCES), run = run_count++, count = 0;
    bool complete = random_below(4) > 0, silent = random_below(6) == 0;
    char uri[16], name[16];
    is_stream[source] = source == SOURCES - 1;
    for (int key = 0; key < KEYS; key++) {
        struct sent record = any_record(source, run);
        record.key = key; /* once: else two of one reading are ambiguous */
        if (random_below(3) == 0)
            continue;
        struct sent again = *put(&record);
        count++;
        again.repeat = true;
        if (random_below(8) == 0)
            put(&again);
    }
    if (silent) /* it was killed */
        return;
    snprintf(uri, sizeof uri, "s%d.json", source);
    snprintf(name, sizeof name, "run%d", run);
    const struct reading reading = {.run = bytes_text(name),
                                    .uri = bytes_text(uri),
                                    .stream = is_stream[source],
                                    .complete = complete,
                                    .records = (uint64_t)count,
                                    .produced = (uint64_t)count,
                                    .finished_ms = 1000 + run};
    buf_init(&text, 1u << 16);
    reading_append(&text, &reading);
    send_text(WORLD_RESULTS, &text);
    if (random_below(4) == 0)
        send_text(WORLD_RESULTS, &text); /* twice is once */
    buf_free(&text);
    if (complete)
        latest[source] = run;
    incomplete[source] = is_stream[source] ? incomplete[source] || !complete : !complete;
}

static void follow(void)
{
    int run = run_count++;
    for (int i = 0; i < 4; i++) {
        struct sent record = any_record((int)random_below(SOURCES), run);
        record.follows = true;
        put(&record);
    }
}

/* Somebody else's producer. */
static void put_of_others(void)
{
    struct sent record = any_record(-1, -1);
    put(&record);
}

/* A dead letter: of the first attempts one that is dead; -1: there is none. */
static int any_dead(void)
{
    int from = (int)random_below((uint64_t)sent_count + 1);
    for (int i = 0; i < sent_count; i++) {
        int at = (from + i) % sent_count;
        if (sent[at].dead)
            return at;
    }
    return -1;
}

/* Under another mapping it passes, or not: here another value says so. */
static void replay(void)
{
    int dead = any_dead();
    if (dead < 0)
        return;
    struct sent again = sent[dead];
    again.first = again.first >= 0 ? again.first : dead;
    again.run = run_count++;
    again.repeat = again.follows = false;
    again.dead = random_below(3) == 0;
    put(&again);
}

static void discard(void)
{
    struct buf text;
    char id[48];
    int dead = any_dead();
    if (dead < 0)
        return;
    snprintf(id, sizeof id, WORLD_SOURCE "-%d-%lld", sent[dead].key % 2,
             (long long)sent[dead].offset);
    struct bytes ids[] = {bytes_text(id)};
    discarded[dead] = random_below(4) > 0; /* else it was sent again after all */
    buf_init(&text, 4096);
    for (int i = 0; i < 2 - discarded[dead]; i++) {
        buf_reset(&text);
        decision_append(&text,
                        &(struct decision){.kind = i ? DECISION_REPLAYED : DECISION_DISCARDED,
                                           .who = BYTES_LITERAL("ada@host"),
                                           .why = BYTES_LITERAL("no"),
                                           .ids = ids,
                                           .id_count = 1,
                                           .run = BYTES_LITERAL("r"),
                                           .partition = -1});
        send_text(CONTROL, &text);
    }
    buf_free(&text);
}

/* ---- the model ---------------------------------------------------------------------------- */

static bool is_record(const struct sent *message)
{
    if (message->repeat || message->follows || message->first >= 0)
        return false;
    if (message->source < 0 || is_stream[message->source] || latest[message->source] < 0)
        return true;
    return message->run == latest[message->source];
}

static bool is_discarded(const struct sent *message)
{
    return discarded[message - sent] || (message->first >= 0 && discarded[message->first]);
}

/* A message of the key behind `from` that was taken, of this version. */
static bool was_taken(int key, int64_t version, int from)
{
    for (int i = from; i < applied_count; i++)
        if (sent[i].key == key && !sent[i].dead && sent[i].version == version)
            return true;
    return false;
}

struct tally {
    uint64_t counts[VERDICT_COUNT];
    uint64_t records;
};

/* The first of the greatest version, or the last; NULL: there is none. */
static const struct sent *greatest(int key, bool dead, bool last)
{
    const struct sent *found = NULL;
    for (int i = 0; i < applied_count; i++) {
        const struct sent *at = &sent[i];
        if (at->key == key && at->dead == dead &&
            (!found || at->version > found->version || (last && at->version == found->version)))
            found = at;
    }
    return found;
}

/* One of its version had been taken before: then another one says nothing of it, unless that is an
 * attempt at it, or all that is dead of the key until then is history. */
static bool is_contested(const struct sent *dead)
{
    for (const struct sent *at = sent; at < dead; at++)
        if (at->key == dead->key && !at->dead && at->version == dead->version)
            return true;
    return false;
}

static bool is_made_good(const struct sent *dead)
{
    bool history = true;
    for (int i = 0; i < applied_count; i++) {
        const struct sent *at = &sent[i];
        if (at->key != dead->key)
            continue;
        history = history && !(at->dead && is_record(at));
        if (at > dead && !at->dead && at->version == dead->version && (history || at->first >= 0))
            return true;
    }
    return false;
}

static bool is_resolved(const struct sent *dead)
{
    bool resolved = is_contested(dead) ? is_made_good(dead)
                                       : was_taken(dead->key, dead->version, (int)(dead - sent));
    for (int64_t version = dead->version + 1; version < 8; version++)
        resolved = resolved || was_taken(dead->key, version, 0);
    return resolved;
}

/* The attempt that resolved a contested record: then that is the record, by itself. */
static const struct sent *attempt_for(const struct sent *dead)
{
    bool history = true;
    if (!dead || !is_contested(dead))
        return NULL;
    for (const struct sent *at = sent; at < sent + applied_count; at++) {
        if (at->key != dead->key)
            continue;
        history = history && !(at->dead && is_record(at));
        if (!at->dead && at->version > dead->version)
            return NULL;
        if (at > dead && !at->dead && at->version == dead->version && (history || at->first >= 0))
            return history ? NULL : at;
    }
    return NULL;
}

static uint64_t count_lagging(int key, bool records)
{
    uint64_t count = 0;
    for (int i = applied_count; i < sent_count; i++)
        count += sent[i].key == key && is_record(&sent[i]) == records;
    return count;
}

/* As many verdicts as there are records, and one where all is history. */
static void count_key(int key, struct tally *tally)
{
    const struct sent *leader = greatest(key, false, false), *dead = greatest(key, true, true);
    uint64_t taken_records = 0, dead_records = 0, conflicts = 0;
    for (int i = 0; i < applied_count; i++) {
        const struct sent *at = &sent[i];
        if (at->key != key || !is_record(at))
            continue;
        dead_records += at->dead;
        taken_records += !at->dead;
        conflicts +=
            !at->dead && at != leader && at->version == leader->version && at->n != leader->n;
    }
    const struct sent *attempt = attempt_for(dead);
    if (attempt) {
        dead_records--;
        taken_records++;
        conflicts += attempt->version == leader->version && attempt->n != leader->n;
    }
    bool open = dead && !is_resolved(dead);
    bool stands = taken_records > conflicts || (dead && !open && !attempt && dead_records > 0);
    uint64_t lagging = count_lagging(key, true);
    bool lags = !lagging && count_lagging(key, false); /* history does, and no record */
    bool counts = leader && (stands || (!open && !conflicts && !lagging));
    bool tells_dead = open && (dead_records || !lagging);
    bool alone = lags && !leader && !open;
    tally->counts[VERDICT_CONFLICT] += conflicts;
    tally->counts[VERDICT_RESOLVED] += dead && !open;
    tally->counts[VERDICT_LAGGING] += lagging + alone;
    if (counts)
        tally->counts[lags && !open ? VERDICT_LAGGING : VERDICT_MATCH]++;
    if (tells_dead)
        tally->counts[lags                 ? VERDICT_LAGGING
                      : is_discarded(dead) ? VERDICT_DISCARDED
                                           : VERDICT_DEAD]++;
    tally->records += taken_records + dead_records + lagging + alone + (counts && !stands) +
                      (tells_dead && dead_records == 0);
}

/* ---- both --------------------------------------------------------------------------------- */

static enum outcome open_store(void *owner, struct store_reader **reader, struct error *err)
{
    (void)err;
    *reader = memory_store_reader_open(owner);
    return OUT_OK;
}

static void begin(uint64_t seed)
{
    random_begin(seed);
    log_setup_names("verify", "error", "logfmt");
    world_open(&W, 2, false);
    bus_memory_make_topic(W.bus, CONTROL, 1);
    memory_store_free(W.store);
    W.store = memory_store_new(MEMORY_KEEPS_ROWS, 64u << 20);
    memory_store_use_mappings(W.store, W.set, true);
    settings = W.settings;
    settings.samples = 4;
    settings.report_tenants = 10;
    settings.verify_memory = 64u << 20;
    settings.plain = true;
    sent_count = applied_count = run_count = 0;
    memset(sequences, 0, sizeof sequences);
    memset(discarded, 0, sizeof discarded);
    for (int i = 0; i < SOURCES; i++) {
        latest[i] = -1;
        incomplete[i] = is_stream[i] = false;
    }
}

static void work(void)
{
    applied_count = sent_count;
    world_worker_start_with_all(&W, 0);
    world_worker_settle(&W, 0);
    for (int i = 0; i < 4; i++) { /* receipts wait for others, and are acknowledged */
        W.now_ms += 100;
        memory_worker_tick(W.workers[0].over);
        world_worker_settle(&W, 0);
    }
}

static const struct verify_report *verify(void)
{
    struct error err;
    int64_t ends[2];
    store = (struct verify_store){.open = open_store, .has_cells = true, .owner = W.store};
    const struct verify_options options = {
        .bus = bus_memory_bus(W.bus), .mappings = W.set, .store = &store};
    for (int32_t p = 0; p < 2; p++) {
        const struct memory_checkpoint *checkpoint = memory_store_checkpoint(W.store, p);
        ends[p] = checkpoint ? checkpoint->next_offset : 0;
    }
    ck_assert_int_eq(verify_session_open(&settings, &options, &session, &err), OUT_OK);
    ck_assert_msg(verify_session_feed(session, ends, &err) == OUT_OK, "%s", err.text);
    ck_assert_msg(verify_session_conclude(session, &err) == OUT_OK, "%s", err.text);
    return verify_session_report(session);
}

static void end(void)
{
    verify_session_close(session);
    world_close(&W);
}

static void compare(const struct verify_report *report)
{
    static const enum verdict EXACT[] = {VERDICT_MATCH,     VERDICT_DEAD,     VERDICT_DISCARDED,
                                         VERDICT_RESOLVED,  VERDICT_CONFLICT, VERDICT_AMBIGUOUS,
                                         VERDICT_DIFFERENT, VERDICT_STALE,    VERDICT_MISSING,
                                         VERDICT_LAGGING,   VERDICT_UNUSABLE, VERDICT_EXTRA};
    struct tally model = {0};
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    for (int key = 0; key < KEYS; key++)
        count_key(key, &model);
    for (size_t i = 0; i < sizeof EXACT / sizeof *EXACT; i++)
        ck_assert_msg(counts[EXACT[i]] == model.counts[EXACT[i]],
                      "seed %llu: %llu %s, the model has %llu", (unsigned long long)random_seed,
                      (unsigned long long)counts[EXACT[i]], verdict_name(EXACT[i]),
                      (unsigned long long)model.counts[EXACT[i]]);
    ck_assert_msg(report->source_count == model.records,
                  "seed %llu: %llu records, the model has %llu", (unsigned long long)random_seed,
                  (unsigned long long)report->source_count, (unsigned long long)model.records);
    ck_assert_msg(verify_report_adds_up(report), "seed %llu", (unsigned long long)random_seed);
    ck_assert_uint_eq(report->messages, (uint64_t)sent_count);
    uint64_t open = counts[VERDICT_DEAD];
    ck_assert_uint_eq(report->sample_counts[VERDICT_DEAD], open < 4 ? open : 4);
    size_t warnings = 0;
    for (int i = 0; i < SOURCES; i++)
        warnings += incomplete[i];
    ck_assert_msg(report->warning_count == warnings, "seed %llu: %s",
                  (unsigned long long)random_seed,
                  report->warning_count ? report->warnings[0] : "a warning lacks");
}

START_TEST(counts_what_the_model_counts)
{
    begin((uint64_t)_i);
    int worked = random_below(2) ? 12 : (int)random_below(12); /* all is applied, or not */
    for (int step = 0; step < 12; step++) {
        if (step == worked)
            work();
        uint64_t what = random_below(10);
        if (what < 4)
            read_source();
        else if (what == 4)
            follow();
        else if (what == 5)
            put_of_others();
        else if (what < 8)
            replay();
        else
            discard();
    }
    if (worked == 12)
        work();
    compare(verify());
    end();
}
END_TEST

static void tell(const char *uri, const char *run, bool complete, uint64_t produced,
                 uint64_t rejected, int64_t at_ms)
{
    struct buf text;
    struct reading_code code = {"DRV-J001", BYTES_LITERAL("item"), rejected};
    struct reading_place place = {"DRV-J001", BYTES_LITERAL("item"), 7, 1, 773, 7};
    const struct reading reading = {.run = bytes_text(run),
                                    .uri = bytes_text(uri),
                                    .complete = complete,
                                    .records = produced + rejected,
                                    .produced = produced,
                                    .rejected = rejected,
                                    .finished_ms = at_ms,
                                    .codes = &code,
                                    .code_count = rejected > 0,
                                    .places = &place,
                                    .place_count = rejected > 0};
    buf_init(&text, 1u << 16);
    reading_append(&text, &reading);
    send_text(WORLD_RESULTS, &text);
    buf_free(&text);
}

/* One dead, one rejected; fixed and read again: all match, the dead letter is resolved. */
START_TEST(a_fixed_source_is_a_match)
{
    begin(1);
    put(&(struct sent){.key = 1, .n = 1, .version = 1, .source = 0, .run = 0, .first = -1});
    put(&(struct sent){.key = 2, .version = 1, .source = 0, .run = 0, .dead = true, .first = -1});
    tell("s0.json", "run0", true, 2, 1, 1000);
    if (_i == 1) {
        put(&(struct sent){.key = 1, .n = 1, .version = 1, .source = 0, .run = 1, .first = -1});
        put(&(struct sent){.key = 2, .n = 2, .version = 1, .source = 0, .run = 1, .first = -1});
        put(&(struct sent){.key = 3, .n = 3, .version = 1, .source = 0, .run = 1, .first = -1});
        tell("s0.json", "run1", true, 3, 0, 2000);
    }
    work();
    const struct verify_report *report = verify();
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    ck_assert_uint_eq(report->source_count, 3);
    ck_assert_uint_eq(report->warning_count, 0);
    ck_assert_uint_eq(counts[VERDICT_MATCH], _i == 1 ? 3 : 1);
    ck_assert_uint_eq(counts[VERDICT_RESOLVED], (uint64_t)_i);
    ck_assert_uint_eq(counts[VERDICT_REJECTED], 1 - (uint64_t)_i);
    ck_assert_int_eq(verify_report_result(report), _i ? VERIFY_MATCH : VERIFY_DISCREPANCY);
    ck_assert_uint_eq(report->messages, _i ? 5 : 2);
    if (!_i) {
        const struct verify_sample *sample = report->samples[VERDICT_REJECTED];
        ck_assert_uint_eq(report->sample_counts[VERDICT_REJECTED], 1);
        ck_assert_int_eq(sample->code, ERR_JSON_SYNTAX);
        ck_assert(bytes_equal(sample->origin, BYTES_LITERAL("s0.json:7:1")));
    }
    end();
}
END_TEST

/* The topic holds fewer records than the producer sent: somebody took some away. */
START_TEST(what_is_gone_of_the_topic_is_no_match)
{
    begin(1);
    put(&(struct sent){.key = 1, .n = 1, .version = 1, .source = 0, .run = 0, .first = -1});
    tell("s0.json", "run0", true, (uint64_t)(1 + _i), 0, 1000);
    work();
    const struct verify_report *report = verify();
    ck_assert_uint_eq(report->warning_count, (size_t)_i);
    ck_assert_int_eq(verify_report_result(report), _i ? VERIFY_DISCREPANCY : VERIFY_MATCH);
    end();
}
END_TEST

static Suite *verify_history_suite(void)
{
    Suite *suite = suite_create("verify_history");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, counts_what_the_model_counts, 0, 300);
    tcase_add_loop_test(tcase, a_fixed_source_is_a_match, 0, 2);
    tcase_add_loop_test(tcase, what_is_gone_of_the_topic_is_no_match, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_history_suite)
