/*
 * Foreign keys and delete policies in PostgreSQL: the sink, the pending children and their sweeps,
 * with no Kafka. Needs DATABASE_URL (./dev test starts a server).
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/io/postgres/pg_sweep.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/model/schema/schema_sql.h"
#include "tests/support/database.h"
#include "tests/support/suite.h"

static const char *const YAML[] = {
    /* sorted by entity, as mapping_set_load does; the child comes before its parent by name */
    "entity: child\ntable: child\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: parent, from: /parent, type: text }\n"
    "references: [ { columns: [parent], entity: parent } ]\n",
    "entity: grand\ntable: grand\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: parent, from: /parent, type: text }\n"
    "references: [ { columns: [parent], entity: child } ]\n",
    "entity: hard\ntable: hard\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: note, from: /note, type: text, required: true }\n"
    "on_delete: hard\n",
    "entity: parent\ntable: parent\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: note, from: /note, type: text }\n",
    "entity: soft\ntable: soft\nkey: [id]\nrest: extra\ncolumns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: note, from: /note, type: text, required: true }\n"
    "  - { name: status, from: /status, type: text, default: active }\n"
    "on_delete: { column: status, value: \"it's gone\" }\n",
};
#define MAPPINGS (sizeof YAML / sizeof *YAML)
static const size_t RANKS[MAPPINGS] = {1, 2, 0, 0, 0};

/* A message as the worker would hold it. */
struct sent {
    char key[128], json[160], version[24];
    bool deleted;
    struct sent *next;
};

static struct {
    struct mapping *mappings[MAPPINGS];
    struct mapping_set set;
    struct mapping_work work;
    uv_loop_t loop;
    struct sink *sink;
    PGconn *admin, *reader;
    char database[64], url[512];
    int64_t epoch, next;
    int64_t end; /* of the topic; where the batches ended unless has_end */
    bool has_end, is_last, no_key;
    int done, rejected;
    bool closed, keeps_messages;
    enum outcome outcome;
    struct sent *sent;
} H;

/* ---- harness ----------------------------------------------------------------------------- */

static void must_run(PGconn *connection, const char *sql)
{
    struct error err;
    ck_assert_msg(pg_session_run(connection, sql, &err) == OUT_OK, "%s: %s (%s)", err.text,
                  err.cause, sql);
}

static PGconn *must_open(const char *url, const char *role)
{
    struct error err;
    PGconn *connection = NULL;
    enum outcome outcome = pg_session_open(url, role, "parents", 10000, &connection, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", err.text, err.cause);
    return connection;
}

static const char *ask(const char *sql)
{
    static char answer[256];
    struct error err;
    PGresult *result;
    ck_assert_msg(pg_session_query(H.reader, sql, NULL, 0, false, &result, &err) == OUT_OK,
                  "%s: %s (%s)", err.text, err.cause, sql);
    snprintf(answer, sizeof answer, "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "none");
    PQclear(result);
    return answer;
}

static void on_rejected(void *owner, struct batch *batch)
{
    (void)owner;
    H.rejected++;
    sink_commit(H.sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    H.done++;
    H.outcome = outcome;
    if (err)
        fprintf(stderr, "# %s: %s %s\n", err->text, err->cause, err->where);
    if (outcome == OUT_OK)
        ck_assert(batch_is_decided(batch));
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

static void on_closed(void *owner)
{
    (void)owner;
    H.closed = true;
}

static void view_message(void *owner, const struct batch_item *item, struct envelope *message)
{
    const struct sent *sent = item->message;
    (void)owner;
    *message = (struct envelope){.key = H.no_key ? (struct bytes){0} : bytes_text(sent->key),
                                 .value = bytes_text(sent->json),
                                 .null_value = sent->deleted,
                                 .header_count = 3};
    const char *entity = strchr(sent->key, '/') + 1;
    message->headers[0] = (struct header){bytes_text(HEADER_TENANT), BYTES_LITERAL("t1")};
    message->headers[1] = (struct header){bytes_text(HEADER_ENTITY),
                                          bytes_of(entity, (size_t)(strchr(entity, '/') - entity))};
    message->headers[2] = (struct header){BYTES_LITERAL("x-own"), BYTES_LITERAL("")};
}

static void claim(void)
{
    struct error err;
    PGresult *result;
    PGconn *connection = must_open(H.url, "drover_worker");
    ck_assert_int_eq(pg_session_query(connection,
                                      "SELECT epoch, next_offset FROM drover.claim('g', 't', 0, "
                                      "'me')",
                                      NULL, 0, false, &result, &err),
                     OUT_OK);
    H.epoch = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    H.next = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    PQfinish(connection);
}

static void open_sink(bool with_messages)
{
    struct sink_events events = {.on_rejected = on_rejected,
                                 .on_done = on_done,
                                 .on_ready = on_ready,
                                 .on_state = on_state,
                                 .view_message = with_messages ? view_message : NULL};
    struct pg_connection_config config = {H.url, "drover_worker", "parents", 10000};
    H.sink = pg_sink_new(&H.loop, &config, 1, &H.set, &events, NULL);
    while (!sink_can_submit(H.sink))
        uv_run(&H.loop, UV_RUN_ONCE);
}

static void close_sink(void)
{
    H.closed = false;
    sink_close(H.sink, on_closed);
    while (!H.closed)
        uv_run(&H.loop, UV_RUN_ONCE);
}

static void setup(void)
{
    struct error err;
    char sql[200];
    struct buf text;
    struct schema_roles roles = {"drover_worker", "drover_verifier"};
    const char *url = getenv("DATABASE_URL");
    ck_assert_msg(url != NULL, "DATABASE_URL is not set: run ./dev test");
    memset(&H, 0, sizeof H);
    for (size_t i = 0; i < MAPPINGS; i++) {
        ck_assert_msg(mapping_parse("m.yaml", bytes_text(YAML[i]), &H.mappings[i], &err) == OUT_OK,
                      "%s at %s", err.text, err.where);
        H.mappings[i]->rank = RANKS[i];
    }
    H.set = (struct mapping_set){H.mappings, MAPPINGS};
    mapping_work_init(&H.work);
    uv_loop_init(&H.loop);
    snprintf(H.database, sizeof H.database, "parents_%d", (int)getpid());
    H.admin = must_open(url, "");
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", H.database);
    must_run(H.admin, sql);
    snprintf(H.url, sizeof H.url, "%.*s/%s", (int)(strrchr(url, '/') - url), url, H.database);
    PGconn *connection = must_open(H.url, "");
    buf_init(&text, 1u << 20);
    schema_sql_all(&text, H.set.items, MAPPINGS, &roles);
    must_run(connection, buf_text(&text));
    buf_free(&text);
    PQfinish(connection);
    H.reader = must_open(H.url, "drover_worker");
    must_run(H.reader, "SET app.current_tenant_key = 't1'");
    claim();
    open_sink(true);
}

static void teardown(void)
{
    close_sink();
    uv_run(&H.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&H.loop), 0);
    PQfinish(H.reader);
    PQfinish(H.admin);
    database_drop_named(H.database);
    mapping_work_free(&H.work);
    for (size_t i = 0; i < MAPPINGS; i++)
        mapping_free(H.mappings[i]);
    while (H.sent) {
        struct sent *next = H.sent->next;
        free(H.sent);
        H.sent = next;
    }
}

static struct batch *batch_new_at(void)
{
    struct batch *batch = batch_new(3000, 64u << 20);
    batch->fence = (struct batch_fence){
        .group = "g", .topic = "t", .epoch = H.epoch, .start = H.next, .end = H.next};
    return batch;
}

/* `json` NULL: a delete. */
static struct batch_item *put(struct batch *batch, const char *entity, const char *id,
                              int64_t version, const char *json)
{
    struct error err;
    struct sent *sent = calloc(1, sizeof *sent);
    sent->next = H.sent;
    H.sent = sent;
    snprintf(sent->key, sizeof sent->key, "t1/%s/%s", entity, id);
    snprintf(sent->json, sizeof sent->json, "%s", json ? json : "");
    sent->deleted = !json;
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    item->message = sent;
    item->mapping = mapping_set_find(&H.set, bytes_text(entity));
    struct record record = {.tenant = BYTES_LITERAL("t1"),
                            .id = bytes_text(strrchr(sent->key, '/') + 1),
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .operation = json ? OP_UPSERT : OP_DELETE,
                            .payload = bytes_text(sent->json)};
    enum outcome outcome =
        mapping_forward(item->mapping, &record, &H.work, &batch->arena, &item->row, &err);
    ck_assert_msg(outcome == OUT_OK, "%s", err.text);
    return item;
}

/* Writes and frees; verdicts of the first items go to `verdicts`. */
static void write_all(struct batch *batch, enum record_class *verdicts)
{
    H.done = H.rejected = 0;
    batch_close(batch);
    sink_submit(H.sink, batch);
    while (!H.done)
        uv_run(&H.loop, UV_RUN_ONCE);
    ck_assert_int_eq(H.outcome, OUT_OK);
    for (size_t i = 0; verdicts && i < batch->count; i++)
        verdicts[i] = batch->items[i].verdict;
    H.next = batch->fence.end;
    batch_free(batch);
}

static enum record_class write_one(const char *entity, const char *id, int64_t version,
                                   const char *json)
{
    enum record_class verdict;
    struct batch *batch = batch_new_at();
    put(batch, entity, id, version, json);
    write_all(batch, &verdict);
    return verdict;
}

/* The topic ends where the test has written to. */
static bool ends(void *owner, int64_t *list, int32_t count)
{
    (void)owner;
    for (int32_t i = 0; i < count; i++)
        list[i] = H.end;
    return H.end >= 0;
}

static void sweep(uint64_t wait_ms, struct pending_result *result)
{
    struct error err;
    if (!H.has_end)
        H.end = H.next;
    struct pg_sweep_config config = {.url = H.url,
                                     .role = "drover_worker",
                                     .group = "g",
                                     .topic = "t",
                                     .mappings = &H.set,
                                     .wait_ms = wait_ms,
                                     .partitions = 1,
                                     .ends = ends,
                                     .is_last = H.is_last,
                                     .tombstone_life_ms = 1};
    enum outcome outcome = pg_sweep_run(&config, result, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", err.text, err.cause);
    ck_assert(!result->busy);
}

static void forget(const struct pending_result *result)
{
    struct error err;
    struct pg_sweep_config config = {
        .url = H.url, .role = "drover_worker", .group = "g", .topic = "t", .mappings = &H.set};
    uint64_t removed;
    ck_assert_int_eq(pg_sweep_forget(&config, result, &removed, &err), OUT_OK);
    ck_assert_uint_eq(removed, result->applied_count + result->orphan_count);
}

#define LONG_MS 3600000

/* ---- parents ----------------------------------------------------------------------------- */

START_TEST(a_parent_of_the_same_batch_is_written_first)
{
    enum record_class verdicts[3];
    struct batch *batch = batch_new_at();
    put(batch, "grand", "g", 1, "{\"id\":\"g\",\"parent\":\"c\"}");
    put(batch, "child", "c", 1, "{\"id\":\"c\",\"parent\":\"p\"}");
    put(batch, "parent", "p", 1, "{\"id\":\"p\"}");
    write_all(batch, verdicts);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(verdicts[i], CLASS_APPLIED);
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.waiting"), "0");
}
END_TEST

START_TEST(children_wait_and_get_in_once_their_parents_are_there)
{
    enum record_class verdicts[4];
    struct pending_result result;
    struct batch *batch = batch_new_at();
    put(batch, "grand", "g", 1, "{\"id\":\"g\",\"parent\":\"c\"}");
    put(batch, "child", "c", 1, "{\"id\":\"c\",\"parent\":\"p\"}");
    put(batch, "child", "free", 1, "{\"id\":\"free\"}");
    put(batch, "parent", "other", 1, "{\"id\":\"other\"}");
    write_all(batch, verdicts);
    ck_assert_int_eq(verdicts[0], CLASS_WAITING);
    ck_assert_int_eq(verdicts[1], CLASS_WAITING);
    ck_assert_int_eq(verdicts[2], CLASS_APPLIED);
    ck_assert_int_eq(verdicts[3], CLASS_APPLIED);
    ck_assert_int_eq(H.rejected, 0);

    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.applied_count + result.orphan_count, 0);
    ck_assert_uint_eq(result.waiting, 2);
    pg_sweep_result_free(&result);

    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.applied_count, 2);
    ck_assert_uint_eq(result.waiting, 0);
    for (size_t i = 0; i < 2; i++)
        ck_assert(bytes_equal(result.applied[i].id, result.applied[i].mapping == H.mappings[0]
                                                        ? BYTES_LITERAL("c")
                                                        : BYTES_LITERAL("g")));
    ck_assert_str_eq(ask("SELECT count(*) FROM public.grand WHERE parent = 'c'"), "1");
    pg_sweep_result_free(&result);

    sweep(0, &result); /* told again until they are forgotten, and no orphans by then */
    ck_assert_uint_eq(result.applied_count, 2);
    ck_assert_uint_eq(result.orphan_count, 0);
    forget(&result);
    pg_sweep_result_free(&result);
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.waiting"), "0");
}
END_TEST

START_TEST(an_orphan_is_told_with_its_message_and_never_tried_again)
{
    struct pending_result result;
    const char *json = "{\"id\":\"c\",\"parent\":\"p\"}";
    ck_assert_int_eq(write_one("child", "c", 7, json), CLASS_WAITING);
    sweep(0, &result);
    ck_assert_uint_eq(result.orphan_count, 1);
    struct pending_orphan *orphan = &result.orphans[0];
    ck_assert_int_eq(orphan->err.code, ERR_PG_PARENT);
    ck_assert(bytes_equal(orphan->message.value, bytes_text(json)));
    ck_assert(bytes_equal(orphan->message.key, BYTES_LITERAL("t1/child/c")));
    ck_assert_uint_eq(orphan->message.header_count, 3);
    ck_assert(bytes_equal(orphan->message.headers[2].name, BYTES_LITERAL("x-own")));
    pg_sweep_result_free(&result);

    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
    sweep(0, &result);
    ck_assert_uint_eq(result.orphan_count, 1);
    ck_assert_str_eq(ask("SELECT count(*) FROM public.child"), "0");
    forget(&result);
    pg_sweep_result_free(&result);
    sweep(0, &result);
    ck_assert_uint_eq(result.orphan_count + result.waiting, 0);
    pg_sweep_result_free(&result);
}
END_TEST

/* ---- time is no fault of a record ------------------------------------------------------- */

static uint64_t orphans_of(uint64_t wait_ms)
{
    struct pending_result result;
    sweep(wait_ms, &result);
    uint64_t orphans = result.orphan_count;
    pg_sweep_result_free(&result);
    return orphans;
}

#define CHILD "{\"id\":\"c\",\"parent\":\"p\"}"

START_TEST(a_backlog_makes_no_orphans)
{
    struct pending_result result;
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    H.has_end = true;
    H.end = H.next + 1; /* one more message is in the topic: it may be the parent */
    for (int i = 0; i < 5; i++) {
        sweep(0, &result);
        ck_assert_uint_eq(result.orphan_count, 0);
        ck_assert_uint_eq(result.waiting, 1);
        ck_assert_uint_eq(result.behind, 1);
        pg_sweep_result_free(&result);
    }
    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
    sweep(0, &result);
    ck_assert_uint_eq(result.applied_count, 1);
    ck_assert_uint_eq(result.orphan_count, 0);
    pg_sweep_result_free(&result);
}
END_TEST

/* What is produced after the wait was over is not waited for. */
START_TEST(a_wait_ends_although_more_is_produced)
{
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    H.has_end = true;
    H.end = H.next + 1;
    ck_assert_uint_eq(orphans_of(0), 0);
    H.end = H.next + 1000;
    ck_assert_int_eq(write_one("parent", "other", 1, "{\"id\":\"other\"}"), CLASS_APPLIED);
    ck_assert_uint_eq(orphans_of(0), 1);
}
END_TEST

START_TEST(where_the_topic_ends_must_be_known)
{
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    H.has_end = true;
    H.end = -1; /* Kafka is away */
    ck_assert_uint_eq(orphans_of(0), 0);
    H.end = H.next;
    ck_assert_uint_eq(orphans_of(0), 1);
}
END_TEST

/* Nobody swept for a day: that is an outage, of which seconds count. */
START_TEST(an_outage_makes_no_orphans)
{
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    ck_assert_uint_eq(orphans_of(60000), 0);
    must_run(H.reader, "UPDATE drover.sweep SET swept_at = swept_at - interval '1 day';"
                       " UPDATE drover.waiting SET since = since - interval '1 day'");
    ck_assert_uint_eq(orphans_of(60000), 0);
    must_run(H.reader, "UPDATE drover.sweep SET ran_ms = ran_ms + 60000");
    ck_assert_uint_eq(orphans_of(60000), 1);
}
END_TEST

START_TEST(at_the_end_nobody_waits)
{
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    H.is_last = H.has_end = true;
    H.end = H.next + 1;
    ck_assert_uint_eq(orphans_of(LONG_MS), 0);
    H.end = H.next;
    ck_assert_uint_eq(orphans_of(LONG_MS), 1);
}
END_TEST

/* The parent waits itself, and its wait is not over: its own parent may still come. */
START_TEST(a_waiting_parent_spares_its_children)
{
    ck_assert_int_eq(write_one("grand", "g", 1, "{\"id\":\"g\",\"parent\":\"c\"}"), CLASS_WAITING);
    ck_assert_uint_eq(orphans_of(10000), 0);
    must_run(H.reader, "UPDATE drover.sweep SET ran_ms = ran_ms + 6000");
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    ck_assert_uint_eq(orphans_of(10000), 0);
    must_run(H.reader, "UPDATE drover.sweep SET ran_ms = ran_ms + 4000");
    ck_assert_uint_eq(orphans_of(10000), 0);
    must_run(H.reader, "UPDATE drover.sweep SET ran_ms = ran_ms + 6000");
    ck_assert_uint_eq(orphans_of(10000), 2);
}
END_TEST

/* ---- what became of them ---------------------------------------------------------------- */

START_TEST(a_round_is_told_as_it_was)
{
    struct pending_result first, again;
    int64_t round;
    ck_assert_int_eq(write_one("child", "a", 1, "{\"id\":\"a\",\"parent\":\"p\"}"), CLASS_WAITING);
    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
    sweep(LONG_MS, &first);
    ck_assert_uint_eq(first.applied_count, 1);
    round = first.round;
    ck_assert_int_eq(write_one("child", "b", 1, "{\"id\":\"b\",\"parent\":\"q\"}"), CLASS_WAITING);
    ck_assert_int_eq(write_one("parent", "q", 1, "{\"id\":\"q\"}"), CLASS_APPLIED);
    pg_sweep_result_free(&first);
    sweep(LONG_MS, &again); /* the first was not forgotten */
    ck_assert_int_eq(again.round, round);
    ck_assert_uint_eq(again.applied_count, 1);
    ck_assert(again.more);
    forget(&again);
    pg_sweep_result_free(&again);
    sweep(LONG_MS, &again);
    ck_assert_int_gt(again.round, round);
    ck_assert_uint_eq(again.applied_count, 1);
    ck_assert(bytes_equal(again.applied[0].id, BYTES_LITERAL("b")));
    pg_sweep_result_free(&again);
}
END_TEST

START_TEST(an_older_version_is_superseded)
{
    struct pending_result result;
    enum record_class classes[5] = {0};
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "e", 1, "{\"id\":\"e\",\"parent\":\"p\"}"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "d", 1, "{\"id\":\"d\",\"parent\":\"p\"}"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 2, "{\"id\":\"c\"}"), CLASS_APPLIED);
    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.applied_count, 3);
    for (size_t i = 0; i < 3; i++)
        classes[result.applied[i].offset] = result.applied[i].the_class;
    ck_assert_uint_eq(classes[0], CLASS_SUPERSEDED);
    ck_assert_uint_eq(classes[1], CLASS_APPLIED);
    ck_assert_uint_eq(classes[2], CLASS_APPLIED);
    pg_sweep_result_free(&result);
}
END_TEST

/* What PostgreSQL raises for one of three that waited, and what becomes of that one: a dead letter,
 * or it goes on waiting because the like may pass. The other two get in, whatever it is. */
static const struct {
    const char *state;
    bool waits;
} RAISED[] = {
    {"23514", false}, {"22003", false}, {"45000", false}, {"PT409", false}, {"P0002", false},
    {"0A000", false}, {"42501", false}, {"TS101", false}, {"21000", false}, {"XX000", false},
    {"40001", true},  {"57014", true},  {"55P03", true},  {"53100", true},
};

static void refuse_b(const char *how, const char *when)
{
    PGconn *connection = must_open(H.url, "");
    char sql[600];
    snprintf(sql, sizeof sql,
             "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
             "NEW.id = 'b' THEN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'no'; END IF; "
             "RETURN NEW; END $$; CREATE %s ON public.child %s FOR EACH ROW EXECUTE FUNCTION "
             "public.refuse()",
             how, when, strstr(when, "CONSTRAINT") ? "DEFERRABLE INITIALLY DEFERRED" : "");
    must_run(connection, sql);
    PQfinish(connection);
}

static void make_three_pending(void)
{
    static const char *const IDS[] = {"a", "b", "c"};
    char json[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(json, sizeof json, "{\"id\":\"%s\",\"parent\":\"p\"}", IDS[i]);
        ck_assert_int_eq(write_one("child", IDS[i], 1, json), CLASS_WAITING);
    }
    ck_assert_int_eq(write_one("parent", "p", 1, "{\"id\":\"p\"}"), CLASS_APPLIED);
}

static void expect_two_of_three(const char *state, bool waits)
{
    struct pending_result result;
    sweep(LONG_MS, &result);
    ck_assert_msg(result.applied_count == 2, "%s: %zu got in", state, result.applied_count);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(result.applied[i].the_class, CLASS_APPLIED);
    ck_assert_msg(result.orphan_count == (waits ? 0u : 1u), "%s: %zu dead", state,
                  result.orphan_count);
    ck_assert_msg(result.waiting == (waits ? 1u : 0u), "%s: %d wait", state, (int)result.waiting);
    if (!waits)
        ck_assert_int_eq(result.orphans[0].offset, 1);
    pg_sweep_result_free(&result);
    ck_assert_str_eq(ask("SELECT string_agg(id, ',' ORDER BY id) FROM public.child"), "a,c");
}

START_TEST(one_that_waited_and_is_refused_costs_itself)
{
    make_three_pending();
    refuse_b(RAISED[_i].state, "TRIGGER refuse BEFORE INSERT OR UPDATE");
    expect_two_of_three(RAISED[_i].state, RAISED[_i].waits);
}
END_TEST

static void *commit_when_waited_for(void *owner)
{
    PGconn *watcher = must_open(H.url, "");
    PGresult *result;
    struct error err;
    int waiting = 0;
    while (!waiting) {
        ck_assert_int_eq(pg_session_query(watcher,
                                          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = "
                                          "'Lock' AND application_name = 'drover-pending' "
                                          "AND datname = current_database()",
                                          NULL, 0, false, &result, &err),
                         OUT_OK);
        waiting = PQntuples(result);
        PQclear(result);
    }
    must_run(owner, "COMMIT");
    PQfinish(watcher);
    return NULL;
}

/* A row that another session writes while it is tried alone: the statement that waited for it sees
 * neither that row nor its own. */
START_TEST(what_another_session_wrote_meanwhile_is_no_fault_of_the_record)
{
    struct pending_result result;
    pthread_t thread;
    ck_assert_int_eq(write_one("child", "c", 0, "{\"id\":\"c\"}"), CLASS_APPLIED);
    make_three_pending();
    refuse_b("22003", "TRIGGER refuse BEFORE INSERT OR UPDATE"); /* so c is tried alone */
    PGconn *other = must_open(H.url, "");
    must_run(other, "SET app.current_tenant_key = 't1'");
    must_run(other, "BEGIN");
    must_run(other, "UPDATE public.child SET drover_version = 1 WHERE id = 'c'");
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_when_waited_for, other), 0);
    sweep(LONG_MS, &result);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(result.applied_count, 2);
    ck_assert_int_eq(result.applied[1].the_class, CLASS_CONFLICT);
    ck_assert_uint_eq(result.orphan_count, 1);
    pg_sweep_result_free(&result);
    PQfinish(other);
}
END_TEST

START_TEST(what_is_checked_at_commit_costs_one_that_waited)
{
    make_three_pending();
    refuse_b("23503", "CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE");
    expect_two_of_three("deferred", false);
}
END_TEST

/* The rights are gone: nothing of it is any record's fault. */
START_TEST(a_missing_right_is_no_record_s)
{
    struct pending_result result;
    struct error err;
    make_three_pending();
    PGconn *connection = must_open(H.url, "");
    must_run(connection, "REVOKE INSERT ON public.child FROM drover_worker");
    PQfinish(connection);
    struct pg_sweep_config config = {.url = H.url,
                                     .role = "drover_worker",
                                     .group = "g",
                                     .topic = "t",
                                     .mappings = &H.set,
                                     .wait_ms = LONG_MS,
                                     .partitions = 1,
                                     .ends = ends,
                                     .tombstone_life_ms = 1};
    ck_assert_int_eq(pg_sweep_run(&config, &result, &err), OUT_FATAL);
    pg_sweep_result_free(&result);
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.waiting WHERE state IS NULL"), "3");
}
END_TEST

START_TEST(a_message_without_a_key_has_none_when_it_comes_back)
{
    struct pending_result result;
    for (int no_key = 0; no_key < 2; no_key++) {
        H.no_key = no_key;
        const char *json = no_key ? "{\"id\":\"d\",\"parent\":\"p\"}" : CHILD;
        ck_assert_int_eq(write_one("child", no_key ? "d" : "c", 1, json), CLASS_WAITING);
    }
    H.is_last = true;
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.orphan_count, 2);
    ck_assert_ptr_nonnull(result.orphans[0].message.key.data);
    ck_assert_ptr_null(result.orphans[1].message.key.data);
    pg_sweep_result_free(&result);
}
END_TEST

/* Headers that are no headers: the reason is said, not what stood in memory. */
START_TEST(a_damaged_message_says_so)
{
    struct pending_result result;
    ck_assert_int_eq(write_one("child", "c", 1, CHILD), CLASS_WAITING);
    must_run(H.reader, "UPDATE drover.waiting SET headers = '\\x00'");
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.orphan_count, 1);
    ck_assert_int_eq(result.orphans[0].err.code, ERR_ENVELOPE);
    pg_sweep_result_free(&result);
}
END_TEST

START_TEST(a_sink_that_cannot_keep_pending_ones_refuses)
{
    close_sink();
    open_sink(false);
    ck_assert_int_eq(write_one("child", "c", 1, "{\"id\":\"c\",\"parent\":\"p\"}"), CLASS_DEAD);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.waiting"), "0");
}
END_TEST

/* 2,000 children, every second one with its parent: as many questions as groups, not as records. */
START_TEST(many_wait_at_once)
{
    enum { MANY = 2000 };
    static enum record_class verdicts[MANY];
    struct pending_result result;
    char id[16], json[64];
    for (int round = 0; round < 2; round++) {
        struct batch *batch = batch_new_at();
        for (int i = round; i < MANY; i += 2) {
            snprintf(id, sizeof id, "p%d", i);
            snprintf(json, sizeof json, "{\"id\":\"p%d\"}", i);
            put(batch, "parent", id, 1, json);
        }
        write_all(batch, NULL);
        if (round == 1)
            break;
        batch = batch_new_at();
        for (int i = 0; i < MANY; i++) {
            snprintf(id, sizeof id, "c%d", i);
            snprintf(json, sizeof json, "{\"id\":\"c%d\",\"parent\":\"p%d\"}", i, i);
            put(batch, "child", id, 1, json);
        }
        write_all(batch, verdicts);
        for (int i = 0; i < MANY; i++)
            ck_assert_int_eq(verdicts[i], i % 2 ? CLASS_WAITING : CLASS_APPLIED);
    }
    uint64_t told = 0;
    do {
        sweep(LONG_MS, &result);
        told += result.applied_count;
        forget(&result);
        bool more = result.more;
        pg_sweep_result_free(&result);
        if (!more)
            break;
    } while (told < MANY);
    ck_assert_uint_eq(told, MANY / 2);
    ck_assert_str_eq(ask("SELECT count(*) FROM public.child"), "2000");
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.waiting"), "0");
}
END_TEST

START_TEST(a_newer_version_overtakes_a_waiting_one)
{
    struct pending_result result;
    ck_assert_int_eq(write_one("child", "c", 1, "{\"id\":\"c\",\"parent\":\"p\"}"), CLASS_WAITING);
    ck_assert_int_eq(write_one("child", "c", 2, "{\"id\":\"c\",\"n\":2}"), CLASS_APPLIED);
    sweep(LONG_MS, &result); /* whether or not its parent comes */
    ck_assert_uint_eq(result.applied_count, 1);
    ck_assert_uint_eq(result.applied[0].the_class, CLASS_SUPERSEDED);
    ck_assert_str_eq(ask("SELECT drover_version FROM public.child"), "2");
    pg_sweep_result_free(&result);
}
END_TEST

/* ---- deletes ----------------------------------------------------------------------------- */

/* What a place holds: "deleted at 4" or "note at 3". */
static const char *state_of(const char *entity)
{
    static char text[256];
    char sql[300];
    const struct mapping *mapping = mapping_set_find(&H.set, bytes_text(entity));
    struct error err;
    PGresult *result;
    snprintf(sql, sizeof sql,
             "SELECT drover_deleted, drover_digest, note, drover_version FROM public.%s WHERE id = "
             "'x'",
             entity);
    ck_assert_int_eq(pg_session_query(H.reader, sql, NULL, 0, true, &result, &err), OUT_OK);
    if (PQntuples(result) == 0) {
        PQclear(result);
        return "absent";
    }
    struct bytes digest = bytes_of(PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1));
    bool deleted = mapping_row_is_deleted(mapping, PQgetvalue(result, 0, 0)[0] != 0, digest);
    snprintf(text, sizeof text, "%s at %d", deleted ? "deleted" : PQgetvalue(result, 0, 2),
             (int)(unsigned char)PQgetvalue(result, 0, 3)[7]);
    PQclear(result);
    return text;
}

static void apply_version(const char *entity, int version, bool is_delete)
{
    char json[64];
    snprintf(json, sizeof json, "{\"id\":\"x\",\"note\":\"n%d\"}", version);
    write_one(entity, "x", version, is_delete ? NULL : json);
}

static const char *const POLICIES[] = {"parent", "soft", "hard"}; /* parent: tombstones */

/* FAULTS D01: versions 1 to 4, even ones deletes (or odd ones), in every order. */
START_TEST(every_order_of_upserts_and_deletes_ends_the_same)
{
    const char *entity = POLICIES[_i / 2];
    bool last_is_delete = _i % 2;
    int orders = 0;
    for (int code = 0; code < 256; code++) {
        int places[4], seen = 0;
        for (int i = 0; i < 4; i++) {
            places[i] = code >> (2 * i) & 3;
            seen |= 1 << places[i];
        }
        if (seen != 15)
            continue;
        orders++;
        for (int i = 0; i < 4; i++) {
            int version = places[i] + 1;
            apply_version(entity, version, (version % 2 == 0) == last_is_delete);
        }
        ck_assert_msg(strcmp(state_of(entity), last_is_delete ? "deleted at 4" : "n4 at 4") == 0,
                      "%s %d%d%d%d: %s", entity, places[0] + 1, places[1] + 1, places[2] + 1,
                      places[3] + 1, state_of(entity));
        char sql[64];
        snprintf(sql, sizeof sql, "TRUNCATE public.%s CASCADE", entity);
        PGconn *owner = must_open(H.url, "");
        must_run(owner, sql);
        PQfinish(owner);
    }
    ck_assert_int_eq(orders, 24);
}
END_TEST

/* FAULTS D02 */
START_TEST(a_delete_of_nothing_is_remembered)
{
    const char *entity = POLICIES[_i];
    apply_version(entity, 5, true);
    ck_assert_str_eq(state_of(entity), "deleted at 5");
    apply_version(entity, 3, false);
    ck_assert_str_eq(state_of(entity), "deleted at 5");
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM public.%s WHERE drover_deleted", entity);
    ck_assert_str_eq(ask(sql), "1");
    apply_version(entity, 6, false);
    ck_assert_str_eq(state_of(entity), "n6 at 6");
}
END_TEST

START_TEST(a_soft_delete_keeps_the_row_for_its_tenant)
{
    apply_version("soft", 1, false);
    apply_version("soft", 2, true);
    ck_assert_str_eq(ask("SELECT note || ', ' || status FROM public.soft WHERE NOT drover_deleted"),
                     "n1, it's gone");
    apply_version("soft", 3, false);
    ck_assert_str_eq(ask("SELECT note || ', ' || status FROM public.soft"), "n3, active");
}
END_TEST

START_TEST(a_soft_delete_in_the_record_s_own_batch_keeps_the_row)
{
    struct batch *batch = batch_new_at();
    put(batch, "soft", "x", 1, "{\"id\":\"x\",\"note\":\"n1\"}");
    put(batch, "soft", "x", 3, "{\"id\":\"x\",\"note\":\"n3\",\"more\":1}");
    put(batch, "soft", "x", 4, NULL);
    put(batch, "soft", "x", 2, "{\"id\":\"x\",\"note\":\"n2\"}");
    put(batch, "soft", "late", 5, NULL);
    put(batch, "soft", "late", 4, "{\"id\":\"late\",\"note\":\"n4\"}");
    write_all(batch, NULL);
    ck_assert_str_eq(ask("SELECT drover_deleted FROM public.soft WHERE id = 'late'"), "t");
    ck_assert_str_eq(state_of("soft"), "deleted at 4");
    ck_assert_str_eq(ask("SELECT note || ', ' || status || extra::text FROM public.soft WHERE NOT "
                         "drover_deleted"),
                     "n3, it's gone{\"more\": 1}");
}
END_TEST

START_TEST(a_hard_delete_goes_after_its_life)
{
    struct pending_result result;
    apply_version("hard", 1, false);
    apply_version("hard", 2, true);
    write_one("hard", "living", 1, "{\"id\":\"living\",\"note\":\"n\"}");
    ck_assert_str_eq(ask("SELECT count(*) FROM public.hard"), "2");
    ck_assert_str_eq(ask("SELECT pg_sleep(0.02)"), "");
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.purged, 1);
    pg_sweep_result_free(&result);
    ck_assert_str_eq(ask("SELECT string_agg(id, ' ') FROM public.hard"), "living");
    ck_assert_str_eq(ask("SELECT count(*) FROM drover.purge"), "0");
    apply_version("hard", 3, false); /* living rows are never touched */
    sweep(LONG_MS, &result);
    ck_assert_uint_eq(result.purged, 0);
    pg_sweep_result_free(&result);
    ck_assert_str_eq(state_of("hard"), "n3 at 3");
}
END_TEST

static Suite *pending_suite(void)
{
    Suite *suite = suite_create("parents");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_parent_of_the_same_batch_is_written_first);
    tcase_add_test(tcase, children_wait_and_get_in_once_their_parents_are_there);
    tcase_add_test(tcase, an_orphan_is_told_with_its_message_and_never_tried_again);
    tcase_add_test(tcase, a_backlog_makes_no_orphans);
    tcase_add_test(tcase, a_wait_ends_although_more_is_produced);
    tcase_add_test(tcase, where_the_topic_ends_must_be_known);
    tcase_add_test(tcase, an_outage_makes_no_orphans);
    tcase_add_test(tcase, at_the_end_nobody_waits);
    tcase_add_test(tcase, a_waiting_parent_spares_its_children);
    tcase_add_test(tcase, a_round_is_told_as_it_was);
    tcase_add_test(tcase, an_older_version_is_superseded);
    tcase_add_loop_test(tcase, one_that_waited_and_is_refused_costs_itself, 0,
                        (int)(sizeof RAISED / sizeof *RAISED));
    tcase_add_test(tcase, what_another_session_wrote_meanwhile_is_no_fault_of_the_record);
    tcase_add_test(tcase, what_is_checked_at_commit_costs_one_that_waited);
    tcase_add_test(tcase, a_missing_right_is_no_record_s);
    tcase_add_test(tcase, a_message_without_a_key_has_none_when_it_comes_back);
    tcase_add_test(tcase, a_damaged_message_says_so);
    tcase_add_test(tcase, a_sink_that_cannot_keep_pending_ones_refuses);
    tcase_add_test(tcase, many_wait_at_once);
    tcase_add_test(tcase, a_newer_version_overtakes_a_waiting_one);
    tcase_add_loop_test(tcase, every_order_of_upserts_and_deletes_ends_the_same, 0, 6);
    tcase_add_loop_test(tcase, a_delete_of_nothing_is_remembered, 0, 3);
    tcase_add_test(tcase, a_soft_delete_keeps_the_row_for_its_tenant);
    tcase_add_test(tcase, a_soft_delete_in_the_record_s_own_batch_keeps_the_row);
    tcase_add_test(tcase, a_hard_delete_goes_after_its_life);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pending_suite)
