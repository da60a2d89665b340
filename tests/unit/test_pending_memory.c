/* Records that wait for their parents, over a store in memory: the sink that keeps them as pending,
 * the sweeps that try them again, crashes in between. */
#include "common/port/pending_memory.h"

#include <stdio.h>
#include <time.h>

#include "common/port/sink_memory.h"
#include "common/port/store_memory_children.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static const char *const YAML[] = {
    /* sorted by entity; the child comes before its parent by name */
    "entity: child\ntable: child\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: parent, from: /parent, type: text }\n"
    "references: [ { columns: [parent], entity: parent } ]\n"
    "redis: { key: \"c:{isolation_key}:{id}\", value: json }\n",
    "entity: grand\ntable: grand\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: parent, from: /parent, type: text }\n"
    "references: [ { columns: [parent], entity: child } ]\n",
    "entity: parent\ntable: parent\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: note, from: /note, type: text }\n"
    "indexes: [ { name: one_note, columns: [note], unique: true } ]\n",
    "entity: tree\ntable: tree\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: parent, from: /parent, type: text }\n"
    "references: [ { columns: [parent], entity: tree } ]\n",
};
#define MAPPINGS (sizeof YAML / sizeof *YAML)
static const size_t RANKS[MAPPINGS] = {1, 2, 0, 0};

/* A message as the worker would hold it. */
struct sent {
    char key[64], json[96];
    struct sent *next;
};

#define PORTS 2
#define PARTITIONS 2

static struct {
    struct mapping *mappings[MAPPINGS];
    struct mapping_set set;
    struct mapping_work work;
    struct memory_store *store;
    struct sink *sink;
    int64_t epochs[PARTITIONS], nexts[PARTITIONS], ends[PARTITIONS];
    bool knows_ends, lost;
    uint64_t now_ms;
    int done, rejected;
    enum outcome outcome;
    struct sent *sent;
    struct pending *ports[PORTS];
    int swept[PORTS], forgotten[PORTS], closed;
    uint64_t removed;
} H;

/* ---- harness ----------------------------------------------------------------------------- */

static uint64_t now_ms(const struct clock *clock)
{
    (void)clock;
    return H.now_ms;
}

static const struct clock CLOCK = {.monotonic_ms = now_ms};

static bool tell_ends(struct bus *bus, const char *topic, int64_t *ends, int32_t count, int wait)
{
    (void)bus;
    (void)topic;
    (void)wait;
    memcpy(ends, H.ends, (size_t)count * sizeof *ends);
    return H.knows_ends;
}

static const struct bus_ops BUS_OPS = {.ends = tell_ends};
static struct bus BUS = {&BUS_OPS};

static void on_rejected(void *owner, struct batch *batch)
{
    (void)owner;
    H.rejected++;
    sink_commit(H.sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    (void)err;
    H.done++;
    H.outcome = outcome;
    ck_assert(outcome != OUT_OK || batch_is_decided(batch));
}

static void on_ready(void *owner)
{
    (void)owner;
}

static void on_state(void *owner, const struct error *err)
{
    (void)owner;
    (void)err;
}

static void view_message(void *owner, const struct batch_item *item, struct envelope *message)
{
    const struct sent *sent = item->message;
    const char *entity = strchr(sent->key, '/') + 1;
    (void)owner;
    *message = (struct envelope){
        .key = bytes_text(sent->key), .value = bytes_text(sent->json), .header_count = 3};
    message->headers[0] = (struct header){bytes_text(HEADER_TENANT), BYTES_LITERAL("t1")};
    message->headers[1] = (struct header){bytes_text(HEADER_ENTITY),
                                          bytes_of(entity, (size_t)(strchr(entity, '/') - entity))};
    message->headers[2] = (struct header){BYTES_LITERAL("x-own"), BYTES_LITERAL("")};
}

static void on_swept(void *owner, enum outcome outcome, const struct error *err)
{
    ck_assert_msg(outcome == (H.lost ? OUT_RETRY : OUT_OK), "%s", err ? err->text : "");
    ++*(int *)owner;
}

static void on_forgotten(void *owner, uint64_t removed, enum outcome outcome,
                         const struct error *err)
{
    (void)err;
    ck_assert_int_eq(outcome, H.lost ? OUT_RETRY : OUT_OK);
    H.forgotten[(int *)owner - H.swept]++;
    H.removed = removed;
}

static void on_closed(void *owner)
{
    (void)owner;
    H.closed++;
}

static void open_port(int port, uint64_t wait_ms)
{
    static const struct pending_events EVENTS = {on_swept, on_forgotten};
    const struct memory_pending_config config = {.store = H.store,
                                                 .bus = &BUS,
                                                 .topic = "t",
                                                 .partitions = PARTITIONS,
                                                 .wait_ms = wait_ms,
                                                 .clock = &CLOCK,
                                                 .wants_rows = true};
    H.ports[port] = memory_pending_new(&config, &EVENTS, &H.swept[port]);
}

static void open_store(size_t bytes_max, bool with_messages)
{
    static const struct sink_events WITH = {on_rejected, on_done, on_ready, on_state, view_message};
    static const struct sink_events WITHOUT = {on_rejected, on_done, on_ready, on_state, NULL};
    H.store = memory_store_new(MEMORY_KEEPS_ROWS, bytes_max);
    memory_store_use_mappings(H.store, &H.set, true);
    H.sink = memory_sink_new(H.store, 2, NULL, with_messages ? &WITH : &WITHOUT, NULL);
    for (int32_t i = 0; i < PARTITIONS; i++)
        H.epochs[i] = memory_store_claim(H.store, i, &H.nexts[i]);
}

static void close_store(void)
{
    for (int i = 0; i < PORTS; i++)
        if (H.ports[i])
            memory_pending_abandon(H.ports[i]);
    memory_sink_abandon(H.sink);
    memory_store_free(H.store);
}

static void setup(void)
{
    struct error err;
    memset(&H, 0, sizeof H);
    H.knows_ends = true;
    H.now_ms = 1000;
    for (size_t i = 0; i < MAPPINGS; i++) {
        ck_assert_msg(mapping_parse("m.yaml", bytes_text(YAML[i]), &H.mappings[i], &err) == OUT_OK,
                      "%s at %s", err.text, err.where);
        H.mappings[i]->rank = RANKS[i];
    }
    H.set = (struct mapping_set){H.mappings, MAPPINGS};
    mapping_work_init(&H.work);
    open_store(SIZE_MAX, true);
    open_port(0, 10000);
    open_port(1, 10000);
}

static void teardown(void)
{
    close_store();
    mapping_work_free(&H.work);
    for (size_t i = 0; i < MAPPINGS; i++)
        mapping_free(H.mappings[i]);
    while (H.sent) {
        struct sent *next = H.sent->next;
        free(H.sent);
        H.sent = next;
    }
}

static struct batch *begin(int32_t partition)
{
    struct batch *batch = batch_new(3000, 64u << 20);
    batch->fence = (struct batch_fence){.group = "g",
                                        .topic = "t",
                                        .partition = partition,
                                        .epoch = H.epochs[partition],
                                        .start = H.nexts[partition],
                                        .end = H.nexts[partition]};
    return batch;
}

/* `parent` is the note of an entity without one; NULL: none. */
static struct batch_item *put(struct batch *batch, const char *entity, const char *id,
                              int64_t version, const char *parent)
{
    struct error err;
    struct sent *sent = calloc(1, sizeof *sent);
    const char *member = strcmp(entity, "parent") == 0 ? "note" : "parent";
    sent->next = H.sent;
    H.sent = sent;
    snprintf(sent->key, sizeof sent->key, "t1/%s/%s", entity, id);
    if (parent)
        snprintf(sent->json, sizeof sent->json, "{\"id\":\"%s\",\"%s\":\"%s\"}", id, member,
                 parent);
    else
        snprintf(sent->json, sizeof sent->json, "{\"id\":\"%s\"}", id);
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .payload = bytes_text(sent->json)};
    item->message = sent;
    item->mapping = mapping_set_find(&H.set, bytes_text(entity));
    ck_assert_msg(
        mapping_forward(item->mapping, &record, &H.work, &batch->arena, &item->row, &err) == OUT_OK,
        "%s", err.text);
    return item;
}

static enum outcome write_with(struct batch *batch, enum memory_fate fate)
{
    int before = H.done;
    if (!batch->attempts)
        batch_close(batch);
    sink_submit(H.sink, batch);
    while (H.done == before)
        memory_sink_step(H.sink, 0, fate);
    if (H.outcome == OUT_OK)
        H.nexts[batch->fence.partition] = batch->fence.end;
    if (H.ends[batch->fence.partition] < batch->fence.end)
        H.ends[batch->fence.partition] = batch->fence.end;
    return H.outcome;
}

static void write_out(struct batch *batch)
{
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    batch_free(batch);
}

/* One record alone; its verdict. */
static enum record_class write_one(const char *entity, const char *id, int64_t version,
                                   const char *parent)
{
    struct batch *batch = begin(0);
    put(batch, entity, id, version, parent);
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    enum record_class verdict = batch->items[0].verdict;
    batch_free(batch);
    return verdict;
}

static const struct pending_result *sweep(int port, bool is_last)
{
    int before = H.swept[port];
    pending_sweep(H.ports[port], is_last);
    ck_assert_int_eq(H.swept[port], before);
    ck_assert(memory_pending_turn(H.ports[port], FATE_DONE));
    ck_assert_int_eq(H.swept[port], before + 1);
    return &H.ports[port]->result;
}

static uint64_t forget(int port)
{
    pending_forget(H.ports[port]);
    ck_assert(memory_pending_turn(H.ports[port], FATE_DONE));
    pending_end_round(H.ports[port]);
    return H.removed;
}

static int64_t version_of(const char *entity, const char *id)
{
    const struct memory_row *row =
        memory_store_find(H.store, entity, BYTES_LITERAL("t1"), bytes_text(id));
    return row ? row->version : -1;
}

/* ---- the sink ---------------------------------------------------------------------------- */

START_TEST(a_parent_of_the_same_batch_is_enough)
{
    struct batch *batch = begin(0);
    put(batch, "grand", "g", 1, "c");
    put(batch, "child", "c", 1, "p");
    put(batch, "parent", "p", 1, "n");
    put(batch, "tree", "a", 1, "b"); /* its parent comes behind it */
    put(batch, "tree", "b", 1, "b"); /* its own */
    put(batch, "child", "free", 1, NULL);
    write_out(batch);
    ck_assert_int_eq(H.rejected, 0);
    ck_assert_int_eq(version_of("grand", "g"), 1);
    ck_assert_int_eq(version_of("tree", "a"), 1);
    ck_assert_uint_eq(sweep(0, true)->waiting, 0);
    pending_end_round(H.ports[0]);
}
END_TEST

START_TEST(who_has_no_parent_waits_and_gets_in)
{
    struct batch *batch = begin(0);
    size_t before = memory_store_bytes(H.store);
    put(batch, "grand", "g", 1, "c");
    put(batch, "child", "c", 3, "p");
    put(batch, "child", "c", 2, NULL); /* the next candidate is written meanwhile */
    put(batch, "parent", "q", 1, NULL);
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_WAITING); /* its parent came behind it */
    ck_assert_int_eq(batch->items[1].verdict, CLASS_WAITING);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[3].verdict, CLASS_APPLIED);
    batch_free(batch);
    ck_assert_uint_gt(memory_store_bytes(H.store), before);
    const struct pending_result *result = sweep(0, false);
    ck_assert_uint_eq(result->applied_count, 1);
    ck_assert_uint_eq(result->waiting, 1);
    ck_assert_int_eq(version_of("grand", "g"), 1);
    ck_assert_uint_eq(forget(0), 1);
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    result = sweep(0, false);
    ck_assert_int_eq(result->round, 2);
    ck_assert_uint_eq(result->applied_count, 1);
    const struct pending_applied *applied = &result->applied[0];
    ck_assert_int_eq(applied->the_class, CLASS_APPLIED);
    ck_assert_int_eq(applied->offset, 1);
    ck_assert(bytes_equal(applied->id, BYTES_LITERAL("c")));
    ck_assert_ptr_nonnull(applied->row); /* Redis wants it */
    ck_assert(bytes_equal(applied->json, BYTES_LITERAL("{\"id\":\"c\",\"parent\":\"p\"}")));
    ck_assert_uint_eq(forget(0), 1);
    ck_assert_int_eq(version_of("child", "c"), 3);
}
END_TEST

START_TEST(chains_get_in_at_once_and_the_overtaken_are_told_so)
{
    ck_assert_int_eq(write_one("grand", "g", 1, "c"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 4, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 5, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 5, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 2, NULL), CLASS_APPLIED);
    ck_assert_int_eq(write_one("child", "d", 1, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "d", 1, NULL), CLASS_APPLIED);
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    const struct pending_result *result = sweep(0, false);
    static const enum record_class WANT[] = {CLASS_APPLIED, CLASS_SUPERSEDED, CLASS_APPLIED,
                                             CLASS_UNCHANGED, CLASS_CONFLICT};
    ck_assert_uint_eq(result->applied_count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(result->applied[i].the_class, WANT[i]);
    ck_assert_uint_eq(forget(0), 5);
}
END_TEST

/* What it decided is told by the next sweep, and what it forgot is gone. */
START_TEST(lost_answers_are_made_up_for)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    for (enum memory_fate fate = FATE_ANSWER_LOST; fate <= FATE_FAILED; fate++) {
        H.lost = true;
        pending_sweep(H.ports[0], false);
        ck_assert(memory_pending_turn(H.ports[0], fate));
        ck_assert_uint_eq(H.ports[0]->result.applied_count, 0);
        ck_assert_int_eq(version_of("child", "c"), 1);
    }
    H.lost = false;
    ck_assert_uint_eq(sweep(1, false)->applied_count, 1);
    H.lost = true;
    pending_forget(H.ports[1]);
    ck_assert(memory_pending_turn(H.ports[1], FATE_ANSWER_LOST));
    ck_assert_uint_eq(H.removed, 0);
    pending_end_round(H.ports[1]);
    H.lost = false;
    ck_assert_uint_eq(sweep(0, false)->applied_count + H.ports[0]->result.waiting, 0);
    pending_end_round(H.ports[0]);
}
END_TEST

START_TEST(an_overtaken_one_waits_for_no_parent)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 2, NULL), CLASS_APPLIED);
    const struct pending_result *result = sweep(0, false);
    ck_assert_uint_eq(result->applied_count, 1);
    ck_assert_int_eq(result->applied[0].the_class, CLASS_SUPERSEDED);
    ck_assert_uint_eq(forget(0), 1);
}
END_TEST

START_TEST(without_messages_they_are_refused)
{
    close_store();
    memset(H.ports, 0, sizeof H.ports);
    open_store(SIZE_MAX, false);
    struct batch *batch = begin(0);
    put(batch, "child", "c", 1, "p");
    put(batch, "child", "d", 1, NULL);
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_int_eq(batch->items[0].err->code, ERR_PG_PARENT);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_APPLIED);
    batch_free(batch);
}
END_TEST

START_TEST(what_cannot_be_kept_pending_is_not_half_written)
{
    close_store();
    memset(H.ports, 0, sizeof H.ports);
    open_store((1024 + 8192) * 64 + 4096, true);
    struct batch *batch = begin(0);
    for (int i = 0; i < 2900; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        put(batch, "child", id, 1, i % 2 ? "p" : NULL);
    }
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_FATAL);
    ck_assert_uint_eq(memory_store_count(H.store), 0);
    ck_assert_int_eq(memory_store_checkpoint(H.store, 0)->next_offset, 0);
    batch_free(batch);
}
END_TEST

/* Whatever is lost: pending once, told once. */
START_TEST(a_lost_answer_keeps_nothing_pending_twice)
{
    struct batch *batch = begin(0);
    put(batch, "child", "c", 1, "p");
    put(batch, "child", "d", 1, NULL);
    ck_assert_int_eq(write_with(batch, FATE_FAILED), OUT_RETRY);
    batch_retry(batch);
    sink_submit(H.sink, batch);
    memory_sink_step(H.sink, 0, FATE_DONE); /* finds who waits */
    memory_sink_step(H.sink, 0, FATE_ANSWER_LOST);
    ck_assert_int_eq(H.outcome, OUT_RETRY);
    ck_assert(batch->outcome_unknown && batch->commit_lost);
    batch_retry(batch);
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_WAITING);
    ck_assert_int_eq(batch_told_class(batch, &batch->items[1]), CLASS_RECOVERED);
    batch_free(batch);
    ck_assert_uint_eq(sweep(0, false)->waiting, 1);
    pending_end_round(H.ports[0]);
    batch = begin(0); /* another process finds it in the store */
    batch->fence.start = batch->fence.end = 0;
    put(batch, "child", "c", 1, "p");
    put(batch, "child", "d", 1, NULL);
    batch->redelivered = true;
    write_out(batch);
    ck_assert_uint_eq(sweep(0, false)->waiting, 1);
    pending_end_round(H.ports[0]);
}
END_TEST

/* ---- unique indexes ---------------------------------------------------------------------- */

START_TEST(a_unique_index_refuses_before_anything_is_written)
{
    struct batch *batch = begin(0);
    put(batch, "parent", "p", 1, "note");
    put(batch, "parent", "q", 1, "note");
    put(batch, "parent", "q", 0, "older"); /* what is refused gives way */
    ck_assert_int_eq(write_with(batch, FATE_DONE), OUT_OK);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_DEAD);
    ck_assert_int_eq(batch->items[1].err->code, ERR_PG_DATA);
    ck_assert_str_eq(batch->items[1].err->path, "index one_note");
    ck_assert_int_eq(batch->items[2].verdict, CLASS_APPLIED);
    batch_free(batch);
    ck_assert_int_eq(write_one("parent", "p", 2, "another"), CLASS_APPLIED);
    ck_assert_int_eq(write_one("parent", "r", 1, "note"), CLASS_APPLIED); /* it is free */
    ck_assert_int_eq(write_one("parent", "p", 3, "note"), CLASS_DEAD);
    ck_assert_int_eq(write_one("parent", "p", 1, "note"), CLASS_SUPERSEDED); /* not written */
    ck_assert_int_eq(write_one("parent", "s", 1, "older"), CLASS_DEAD);
}
END_TEST

/* What a call took back it never had. */
START_TEST(a_batch_given_back_frees_its_values)
{
    struct error err;
    struct batch *batch = begin(0);
    put(batch, "parent", "p", 1, "note");
    put(batch, "parent", "q", 1, "note");
    batch_close(batch);
    ck_assert_int_eq(memory_store_write(H.store, batch, NULL, &err), OUT_REJECT);
    ck_assert_uint_eq(memory_store_count(H.store), 0);
    batch_free(batch);
    ck_assert_int_eq(write_one("parent", "r", 1, "note"), CLASS_APPLIED);
}
END_TEST

/* ---- orphans ----------------------------------------------------------------------------- */

START_TEST(an_orphan_is_one_when_its_wait_is_over_and_all_before_is_written)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    for (int i = 0; i < 2; i++) { /* its wait begins with the first sweep; 5 s of a gap count */
        ck_assert_uint_eq(sweep(0, false)->orphan_count, 0);
        pending_end_round(H.ports[0]);
        H.now_ms += 60000;
    }
    ck_assert_uint_eq(sweep(0, false)->orphan_count, 1);
    ck_assert_uint_eq(forget(0), 1);
}
END_TEST

START_TEST(a_mark_waits_for_every_partition)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    H.ends[1] = 7; /* somebody has more to write */
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(sweep(0, false)->orphan_count, 0);
        pending_end_round(H.ports[0]);
        H.now_ms += 5000;
    }
    ck_assert_uint_eq(sweep(0, false)->behind, 7);
    pending_end_round(H.ports[0]);
    H.ends[1] = 100; /* behind the mark */
    struct batch *batch = begin(1);
    for (int i = 0; i < 7; i++)
        put(batch, "child", "x", i, NULL);
    write_out(batch);
    const struct pending_result *result = sweep(0, false);
    ck_assert_uint_eq(result->orphan_count, 1);
    ck_assert_int_eq(result->orphans[0].err.code, ERR_PG_PARENT);
    ck_assert_str_eq(result->orphans[0].err.text, error_code_meaning(ERR_PG_PARENT));
    ck_assert_str_eq(result->orphans[0].err.where, "entity child");
    ck_assert_uint_eq(result->orphans[0].message.header_count, 3);
    ck_assert(bytes_equal(result->orphans[0].message.value,
                          BYTES_LITERAL("{\"id\":\"c\",\"parent\":\"p\"}")));
    ck_assert_uint_eq(forget(0), 1);
}
END_TEST

START_TEST(nobody_is_an_orphan_while_the_ends_are_unknown)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    H.knows_ends = false;
    ck_assert_uint_eq(sweep(0, true)->orphan_count, 0);
    pending_end_round(H.ports[0]);
    H.knows_ends = true;
    ck_assert_uint_eq(sweep(0, true)->orphan_count, 1);
    ck_assert_uint_eq(forget(0), 1);
}
END_TEST

START_TEST(one_sweeps_at_a_time_and_a_crash_tells_the_same_again)
{
    ck_assert_int_eq(write_one("child", "c", 1, "p"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "d", 1, "q"), CLASS_WAITING);
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    const struct pending_result *result = sweep(0, false);
    ck_assert_uint_eq(result->applied_count, 1);
    ck_assert_int_eq(result->round, 1);
    result = sweep(1, true);
    ck_assert(result->busy);
    ck_assert_uint_eq(result->applied_count + result->orphan_count, 0);
    pending_end_round(H.ports[1]);
    memory_pending_abandon(H.ports[0]);
    open_port(0, 10000);
    result = sweep(1, true); /* another is an orphan by now, of the next round */
    ck_assert_int_eq(result->round, 1);
    ck_assert_uint_eq(result->applied_count, 1);
    ck_assert_uint_eq(result->orphan_count, 0);
    ck_assert(result->more);
    ck_assert_uint_eq(forget(1), 1);
    result = sweep(0, true);
    ck_assert_int_eq(result->round, 2);
    ck_assert_uint_eq(result->orphan_count, 1);
    ck_assert(!result->more);
    pending_close(H.ports[0], on_closed);
    ck_assert(memory_pending_turn(H.ports[0], FATE_DONE));
    ck_assert_int_eq(H.closed, 1);
    H.ports[0] = NULL;
    ck_assert_int_eq(sweep(1, true)->round, 2);
    ck_assert_uint_eq(forget(1), 1);
}
END_TEST

START_TEST(a_thousand_are_told_at_once)
{
    struct batch *batch = begin(0);
    char id[16];
    for (int i = 0; i < 2500; i++) {
        snprintf(id, sizeof id, "c%d", i);
        put(batch, "child", id, 1, "p");
    }
    write_out(batch);
    size_t full = memory_store_bytes(H.store);
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    for (int round = 1; round <= 3; round++) {
        const struct pending_result *result = sweep(0, false);
        ck_assert_uint_eq(result->applied_count, round < 3 ? 1000 : 500);
        ck_assert_int_eq(result->more, round < 3);
        forget(0);
    }
    ck_assert_uint_eq(sweep(0, false)->waiting, 0);
    pending_end_round(H.ports[0]);
    ck_assert_uint_ne(memory_store_bytes(H.store), full);
}
END_TEST

/* What is told a thousand at a time is not looked through for each thousand. */
START_TEST(what_is_to_be_told_is_not_visited_again)
{
    enum { MANY = 6000, EACH_MAX = 10 };
    const uint64_t *visits = &memory_store_children(H.store)->visits;
    uint64_t told = 0;
    char id[16];
    for (int i = 0; i < MANY;) {
        struct batch *batch = begin(0);
        for (int end = i + 2000; i < end; i++) {
            snprintf(id, sizeof id, "c%d", i);
            put(batch, "child", id, 1, i % 2 ? "p" : "never");
        }
        write_out(batch);
    }
    ck_assert_int_eq(write_one("parent", "p", 1, NULL), CLASS_APPLIED);
    for (bool more = true; more;) {
        more = sweep(0, true)->more;
        told += forget(0);
    }
    ck_assert_uint_eq(told, MANY);
    ck_assert_uint_ge(*visits, MANY);
    ck_assert_uint_le(*visits, MANY * EACH_MAX);
}
END_TEST

/* ---- generated --------------------------------------------------------------------------- */

#define IDS 12
#define LONG_MS 3600000

static bool sent_parents[IDS], sent_children[IDS];
static int child_parent[IDS];

/* Each child and parent once, at a time of its own; sweeps of two ports that crash between. In the
 * end those with a parent are in, the others were told as orphans, each once. */
START_TEST(each_is_told_once_whatever_crashes)
{
    int settled = 0, orphans = 0, waited = 0, busy = -1;
    random_begin((uint64_t)time(NULL) + (uint64_t)_i * 1000003);
    fprintf(stderr, "# seed %llu\n", (unsigned long long)random_seed);
    for (int i = 0; i < PORTS; i++) { /* whose waits end when nothing more comes */
        memory_pending_abandon(H.ports[i]);
        open_port(i, LONG_MS);
    }
    memset(sent_parents, 0, sizeof sent_parents);
    memset(sent_children, 0, sizeof sent_children);
    for (int step = 0; step < 400; step++) {
        bool last = step > 300;
        int port = (int)random_below(PORTS), id = (int)random_below(IDS);
        uint64_t what = last ? 3 + random_below(3) : random_below(6);
        char name[16], parent[16];
        snprintf(name, sizeof name, "n%d", id);
        H.now_ms += random_below(300);
        if (what < 2) {
            enum memory_fate fate = (enum memory_fate)random_below(3);
            bool is_child = what == 0;
            if (is_child ? sent_children[id] : sent_parents[id] || random_below(2))
                continue;
            *(is_child ? &sent_children[id] : &sent_parents[id]) = true;
            child_parent[id] = is_child ? (int)random_below(IDS) : child_parent[id];
            snprintf(parent, sizeof parent, "n%d", child_parent[id]);
            struct batch *batch = begin((int32_t)random_below(PARTITIONS));
            put(batch, is_child ? "child" : "parent", name, 1, is_child ? parent : NULL);
            while (write_with(batch, fate) == OUT_RETRY) {
                batch_retry(batch);
                fate = (enum memory_fate)random_below(3);
            }
            ck_assert_int_eq(H.outcome, OUT_OK);
            waited += batch->items[0].verdict == CLASS_WAITING;
            batch_free(batch);
        } else if (what == 2 && busy < 0) {
            memory_pending_abandon(H.ports[port]);
            open_port(port, LONG_MS);
        } else if (what == 3 && busy == port) {
            settled += (int)H.ports[port]->result.applied_count;
            orphans += (int)H.ports[port]->result.orphan_count;
            size_t told = H.ports[port]->result.applied_count + H.ports[port]->result.orphan_count;
            ck_assert_uint_eq(forget(port), told);
            busy = -1;
        } else if (what == 4 && busy == port) {
            memory_pending_abandon(H.ports[port]);
            open_port(port, LONG_MS);
            busy = -1;
        } else if (busy != port) {
            const struct pending_result *result = sweep(port, last);
            ck_assert_int_eq(result->busy, busy >= 0);
            if (result->round)
                busy = port;
            else
                pending_end_round(H.ports[port]);
        }
    }
    ck_assert_int_eq(settled + orphans, waited);
    int expected = 0;
    for (int i = 0; i < IDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        bool is_in = sent_children[i] && sent_parents[child_parent[i]];
        expected += sent_children[i] && !is_in;
        ck_assert_int_eq(version_of("child", name), is_in ? 1 : -1);
    }
    ck_assert_int_eq(orphans, expected);
}
END_TEST

static Suite *pending_memory_suite(void)
{
    Suite *suite = suite_create("pending_memory");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_parent_of_the_same_batch_is_enough);
    tcase_add_test(tcase, who_has_no_parent_waits_and_gets_in);
    tcase_add_test(tcase, chains_get_in_at_once_and_the_overtaken_are_told_so);
    tcase_add_test(tcase, lost_answers_are_made_up_for);
    tcase_add_test(tcase, an_overtaken_one_waits_for_no_parent);
    tcase_add_test(tcase, without_messages_they_are_refused);
    tcase_add_test(tcase, what_cannot_be_kept_pending_is_not_half_written);
    tcase_add_test(tcase, a_lost_answer_keeps_nothing_pending_twice);
    tcase_add_test(tcase, a_unique_index_refuses_before_anything_is_written);
    tcase_add_test(tcase, a_batch_given_back_frees_its_values);
    tcase_add_test(tcase, an_orphan_is_one_when_its_wait_is_over_and_all_before_is_written);
    tcase_add_test(tcase, a_mark_waits_for_every_partition);
    tcase_add_test(tcase, nobody_is_an_orphan_while_the_ends_are_unknown);
    tcase_add_test(tcase, one_sweeps_at_a_time_and_a_crash_tells_the_same_again);
    tcase_add_test(tcase, a_thousand_are_told_at_once);
    tcase_add_test(tcase, what_is_to_be_told_is_not_visited_again);
    tcase_add_loop_test(tcase, each_is_told_once_whatever_crashes, 0, 40);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pending_memory_suite)
