/*
 * One suite for every sink: port/sink.h's contract. A struct store hides what differs: how time
 * passes, how a partition is claimed, how a row is looked at. Stores on servers need their URLs
 * (./dev test starts them) and fail without.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "common/base/text.h"
#include "common/io/filestore/file_store.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/redis/redis_progress.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_sink.h"
#include "common/model/schema/schema_sql.h"
#include "common/port/sink_memory.h"
#include "tests/support/database.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define MAPPING                                                                                    \
    "entity: thing\ntable: thing\nkey: [name]\nrest: extra\ncolumns:\n"                            \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: size, from: /size, type: int4 }\n"

#define POISON (-666) /* a size that makes a record one that every store refuses */

/* ---- harness ----------------------------------------------------------------------------- */

struct store {
    const char *name;
    void (*open)(void); /* an empty store */
    void (*open_sink)(int lanes);
    void (*turn)(void); /* lets time pass once */
    int64_t (*claim)(int32_t partition, int64_t *next);
    int64_t (*version_of)(const char *tenant, const char *name); /* -1: no row */
    void (*close)(void);                                         /* the sink is closed by then */
    /* One step of the only connection, by hand; NULL: time alone takes them. */
    void (*step)(enum memory_fate fate);
    bool breaks_cells; /* has no constraint: "bad" is a cell that gives no record back */
};

static struct {
    const struct store *store;
    struct sink *sink;
    struct mapping *mapping;
    struct mapping_set set;
    struct mapping_work work;
    struct memory_store *memory;
    struct file_store *file;
    struct settings settings;
    struct redis_server redis;
    uv_loop_t loop;
    PGconn *admin;
    char database[64], url[512];
    int done, rejected, ready;
    bool closed, commit_at_once, inside;
    enum outcome outcome;
    enum error_code code;
    struct batch *last;
} H;

static void on_rejected(void *owner, struct batch *batch)
{
    (void)owner;
    ck_assert_msg(!H.inside, "called from inside submit");
    H.rejected++;
    if (H.commit_at_once)
        sink_commit(H.sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    ck_assert_msg(!H.inside, "called from inside submit");
    H.done++;
    H.outcome = outcome;
    H.code = err ? err->code : ERR_NONE;
    if (err)
        fprintf(stderr, "# %s: %s %s\n", err->text, err->cause, err->where);
    H.last = batch;
    if (outcome == OUT_OK)
        ck_assert(batch_is_decided(batch));
}

static void on_ready(void *owner)
{
    (void)owner;
    H.ready++;
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

static const struct sink_events EVENTS = {on_rejected, on_done, on_ready, on_state};

static void must_run(PGconn *connection, const char *sql)
{
    struct error err;
    ck_assert_msg(pg_session_run(connection, sql, &err) == OUT_OK, "%s: %s", err.text, err.cause);
}

static PGconn *must_open(const char *url, const char *role)
{
    struct error err;
    PGconn *connection = NULL;
    enum outcome outcome = pg_session_open(url, role, "contract", 10000, &connection, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", err.text, err.cause);
    return connection;
}

/* A database of its own on the server of DATABASE_URL. */
static void make_database(void)
{
    const char *url = getenv("DATABASE_URL");
    ck_assert_msg(url != NULL, "DATABASE_URL is not set: run ./dev test");
    char sql[128];
    struct schema_roles roles = {"drover_worker", "drover_verifier"};
    struct buf text;
    snprintf(H.database, sizeof H.database, "contract_%d", (int)getpid());
    H.admin = must_open(url, "");
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", H.database);
    must_run(H.admin, sql);
    const char *slash = strrchr(url, '/');
    snprintf(H.url, sizeof H.url, "%.*s/%s", (int)(slash - url), url, H.database);
    PGconn *connection = must_open(H.url, "");
    buf_init(&text, 1u << 20);
    schema_sql_all(&text, H.set.items, 1, &roles);
    must_run(connection, buf_text(&text));
    must_run(connection, "ALTER TABLE public.thing ADD CHECK (name <> 'bad')");
    PQfinish(connection);
    buf_free(&text);
}

static void turn_loop(void)
{
    uv_run(&H.loop, UV_RUN_ONCE);
}

/* ---- memory */

/* "bad" plays a record the table's constraint refuses; in PostgreSQL a CHECK does. */
static bool refuses(const struct batch_item *item)
{
    return bytes_equal(item->row.id, BYTES_LITERAL("bad")) || item->row.cells[1].size == 3;
}

static void open_memory(void)
{
    H.memory = memory_store_new(MEMORY_KEEPS_ROWS, SIZE_MAX);
}

static void open_memory_sink(int lanes)
{
    H.sink = memory_sink_new(H.memory, lanes, refuses, &EVENTS, NULL);
}

static void turn_memory(void)
{
    memory_sink_turn(H.sink);
}

static int64_t claim_memory(int32_t partition, int64_t *next)
{
    return memory_store_claim(H.memory, partition, next);
}

static int64_t version_of_memory(const char *tenant, const char *name)
{
    const struct memory_row *row =
        memory_store_find(H.memory, "thing", bytes_text(tenant), bytes_text(name));
    return row ? row->version : -1;
}

static void close_memory(void)
{
    memory_store_free(H.memory);
}

static void step_memory(enum memory_fate fate)
{
    ck_assert_uint_eq(memory_sink_steps(H.sink), 1);
    memory_sink_step(H.sink, 0, fate);
}

static const struct store MEMORY = {"memory",     open_memory,       open_memory_sink, turn_memory,
                                    claim_memory, version_of_memory, close_memory,     step_memory};

/* ---- PostgreSQL */

static void open_postgres_sink(int lanes)
{
    struct pg_lane_config config = {H.url, "drover_worker", "contract", 10000};
    H.sink = pg_sink_new(&H.loop, &config, lanes, &H.set, &EVENTS, NULL);
    while (!sink_can_submit(H.sink))
        turn_loop();
}

static int64_t claim_postgres(int32_t partition, int64_t *next)
{
    struct error err;
    PGresult *result;
    char sql[128];
    PGconn *connection = must_open(H.url, "drover_worker");
    snprintf(sql, sizeof sql, "SELECT epoch, next_offset FROM drover.claim('g', 't', %d, 'me')",
             partition);
    ck_assert_int_eq(pg_session_query(connection, sql, NULL, 0, false, &result, &err), OUT_OK);
    int64_t epoch = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    *next = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return epoch;
}

/* Seen with the tenant's own key. */
static int64_t version_of_postgres(const char *tenant, const char *name)
{
    struct error err;
    PGresult *result;
    PGconn *connection = must_open(H.url, "drover_worker");
    struct bytes params[] = {bytes_text(tenant)};
    ck_assert_int_eq(pg_session_query(connection,
                                      "SELECT set_config('app.current_tenant_key', $1, false)",
                                      params, 1, false, &result, &err),
                     OUT_OK);
    PQclear(result);
    params[0] = bytes_text(name);
    ck_assert_int_eq(pg_session_query(connection,
                                      "SELECT drover_version FROM public.thing WHERE name = $1",
                                      params, 1, false, &result, &err),
                     OUT_OK);
    int64_t version = PQntuples(result) ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    PQfinish(connection);
    return version;
}

static void close_postgres(void)
{
    PQfinish(H.admin);
    database_drop_named(H.database);
}

static const struct store POSTGRES = {"postgres",    make_database,  open_postgres_sink,
                                      turn_loop,     claim_postgres, version_of_postgres,
                                      close_postgres};

/* ---- file */

static void open_file(void)
{
    struct error err;
    snprintf(H.url, sizeof H.url, "/tmp/drover-contract-%d", (int)getpid());
    H.settings.store_dir = H.url;
    ck_assert_msg(file_store_open(&H.settings, &H.set, &H.file, &err) == OUT_OK, "%s: %s (%s)",
                  err.text, err.cause, err.where);
}

static void open_file_sink(int lanes)
{
    (void)lanes;
    H.sink = file_sink_new(&H.loop, H.file, &EVENTS, NULL);
}

/* Where the claim's answer goes. */
static struct {
    bool come, closed;
    int64_t epoch, next;
} CLAIMED;

static void on_checked(void *owner)
{
    (void)owner;
}

static void on_claimed(void *owner, int32_t partition, const struct progress_row *row)
{
    (void)owner;
    (void)partition;
    CLAIMED.come = true;
    CLAIMED.epoch = row->epoch;
    CLAIMED.next = row->next_offset;
}

static void on_released(void *owner, int32_t partition)
{
    (void)owner;
    (void)partition;
}

static void on_progress_error(void *owner, const struct error *err)
{
    (void)owner;
    ck_abort_msg("%s: %s", err->text, err->cause);
}

static void on_progress_closed(void *owner)
{
    (void)owner;
    CLAIMED.closed = true;
}

static const struct progress_events PROGRESS = {on_checked, on_claimed, on_released,
                                                on_progress_error};

static int64_t claim_once(struct progress *progress, int64_t *next)
{
    memset(&CLAIMED, 0, sizeof CLAIMED);
    progress_claim(progress, 0);
    while (!CLAIMED.come)
        turn_loop();
    progress_close(progress, on_progress_closed);
    while (!CLAIMED.closed)
        turn_loop();
    *next = CLAIMED.next;
    return CLAIMED.epoch;
}

static int64_t claim_file(int32_t partition, int64_t *next)
{
    struct file_progress_config config = {"g", "t", "me", 1};
    (void)partition;
    return claim_once(file_progress_new(&H.loop, H.file, &config, &PROGRESS, NULL), next);
}

static int64_t version_of_file(const char *tenant, const char *name)
{
    struct error err;
    struct stored stored;
    struct stored_reader *reader;
    bool found;
    ck_assert_int_eq(file_stored_open(&H.settings, &H.set, FILE_STORED_RECORDS, &reader, &err),
                     OUT_OK);
    ck_assert_int_eq(reader->ops->find(reader, H.mapping, bytes_text(tenant), bytes_text(name),
                                       &stored, &found, &err),
                     OUT_OK);
    int64_t version = found ? stored.version : -1;
    reader->ops->close(reader);
    return version;
}

static void close_file(void)
{
    char command[600];
    file_store_close(H.file);
    snprintf(command, sizeof command, "rm -rf '%s'", H.url);
    ck_assert_int_eq(system(command), 0);
}

static const struct store FILES = {"file",     open_file,  open_file_sink,
                                   turn_loop,  claim_file, version_of_file,
                                   close_file, NULL,       true};

/* ---- Redis: a server of its own, where strangers hold the keys that "bad" would have */

static void open_redis(void)
{
    redis_server_start(&H.redis, NULL);
    H.settings.redis_url = H.redis.url;
    H.settings.redis_tombstone_ms = 3600000;
    REDIS_ASK(&H.redis, "SET", "a/thing/bad", "a stranger's");
    REDIS_ASK(&H.redis, "LPUSH", "b/thing/bad", "a stranger's");
}

static void open_redis_sink(int lanes)
{
    struct error err;
    (void)lanes;
    ck_assert_int_eq(redis_sink_new(&H.loop, &H.settings, &EVENTS, NULL, &H.sink, &err), OUT_OK);
    while (!sink_can_submit(H.sink))
        turn_loop();
}

static int64_t claim_redis(int32_t partition, int64_t *next)
{
    struct redis_progress_config config = {"g", "t", "me", 1, &H.set};
    struct progress *progress;
    struct error err;
    (void)partition;
    ck_assert_int_eq(
        redis_progress_new(&H.loop, &H.settings, &config, &PROGRESS, NULL, &progress, &err),
        OUT_OK);
    return claim_once(progress, next);
}

static int64_t version_of_redis(const char *tenant, const char *name)
{
    char key[64];
    struct redis_meta meta;
    snprintf(key, sizeof key, "%s/thing/%s:v", tenant, name);
    return redis_meta_parse(bytes_text(REDIS_ASK(&H.redis, "GET", key)), &meta) ? meta.version : -1;
}

static void close_redis(void)
{
    ck_assert_str_eq(REDIS_ASK(&H.redis, "TYPE", "b/thing/bad"), "list");
    redis_server_stop(&H.redis);
}

static const struct store REDIS = {"redis",     open_redis,       open_redis_sink, turn_loop,
                                   claim_redis, version_of_redis, close_redis};

/* ---- what all have in common */

static void setup(const struct store *store)
{
    struct error err;
    memset(&H, 0, sizeof H);
    H.store = store;
    H.commit_at_once = true;
    ck_assert_int_eq(mapping_parse("thing.yaml", bytes_text(MAPPING), &H.mapping, &err), OUT_OK);
    H.set = (struct mapping_set){&H.mapping, 1};
    mapping_work_init(&H.work);
    uv_loop_init(&H.loop);
    store->open();
    store->open_sink(1);
}

static void close_and_wait(void)
{
    sink_close(H.sink, on_closed);
    while (!H.closed)
        H.store->turn();
}

static void teardown(void)
{
    close_and_wait();
    uv_run(&H.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&H.loop), 0);
    H.store->close();
    mapping_work_free(&H.work);
    mapping_free(H.mapping);
}

static struct batch *batch_for(int64_t epoch, int64_t start)
{
    struct batch *batch = batch_new(3000, 64u << 20);
    batch->fence = (struct batch_fence){
        .group = "g", .topic = "t", .epoch = epoch, .start = start, .end = start};
    return batch;
}

static void put(struct batch *batch, const char *tenant, const char *name, int64_t version,
                int size)
{
    char json[128];
    struct error err;
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%d}", name, size);
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = arena_copy(&batch->arena, bytes_text(tenant)),
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .payload = bytes_text(json)};
    item->mapping = H.mapping;
    ck_assert_int_eq(mapping_forward(H.mapping, &record, &H.work, &batch->arena, &item->row, &err),
                     OUT_OK);
    if (strcmp(name, "bad") == 0)
        item->row.cells[1].size = 4 - H.store->breaks_cells; /* an int4 of three bytes */
    if (size == POISON)
        item->row.cells[1].size = 3; /* what no store takes */
}

static void put_delete(struct batch *batch, const char *tenant, const char *name, int64_t version)
{
    struct error err;
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = arena_copy(&batch->arena, bytes_text(tenant)),
                            .id = arena_copy(&batch->arena, bytes_text(name)),
                            .version = version,
                            .has_version = true,
                            .operation = OP_DELETE,
                            .index = -1};
    item->mapping = H.mapping;
    ck_assert_int_eq(mapping_forward(H.mapping, &record, &H.work, &batch->arena, &item->row, &err),
                     OUT_OK);
}

static void begin(struct batch *batch)
{
    H.inside = true;
    sink_submit(H.sink, batch);
    H.inside = false;
}

static enum outcome write_out(struct batch *batch)
{
    int before = H.done;
    if (!batch->attempts)
        batch_close(batch);
    while (!sink_can_submit(H.sink))
        H.store->turn();
    begin(batch);
    while (H.done == before)
        H.store->turn();
    ck_assert_int_eq(H.done, before + 1);
    ck_assert_ptr_eq(H.last, batch);
    return H.outcome;
}

/* ---- the contract ------------------------------------------------------------------------ */

static void applies_and_counts(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    ck_assert_int_eq(next, 0);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    put(batch, "b", "x", 3, 1);
    put(batch, "a", "y", 1, 1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 3);
    ck_assert_int_eq(H.store->version_of("a", "x"), 5);
    ck_assert_int_eq(H.store->version_of("b", "x"), 3);
    ck_assert_int_eq(H.store->version_of("b", "y"), -1);
    batch_free(batch);
    H.store->claim(0, &next);
    ck_assert_int_eq(next, 3);
}

static void the_same_twice_equals_once_and_lower_never_wins(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    put(batch, "a", "y", 5, 1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    batch = batch_for(epoch, 2);
    put(batch, "a", "x", 5, 1); /* the same */
    put(batch, "a", "y", 4, 9); /* older */
    put(batch, "a", "z", 1, 1); /* new */
    put(batch, "b", "x", 1, 1); /* another tenant's */
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_UNCHANGED);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_SUPERSEDED);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[3].verdict, CLASS_APPLIED);
    ck_assert_int_eq(H.store->version_of("a", "y"), 5);
    batch_free(batch);
    batch = batch_for(epoch, 6);
    put(batch, "a", "x", 5, 2); /* same version, other content */
    put(batch, "a", "y", 6, 2);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_CONFLICT);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_APPLIED);
    ck_assert_int_eq(H.store->version_of("a", "y"), 6);
    batch_free(batch);
}

static void the_fence_holds(void)
{
    int64_t next;
    int64_t old = H.store->claim(0, &next), epoch = H.store->claim(0, &next);
    struct batch *zombie = batch_for(old, 0);
    put(zombie, "a", "x", 5, 1);
    ck_assert_int_eq(write_out(zombie), OUT_FATAL);
    ck_assert_int_eq(H.code, ERR_FENCED);
    batch_free(zombie);
    struct batch *ahead = batch_for(epoch, 7);
    put(ahead, "a", "x", 5, 1);
    ck_assert_int_eq(write_out(ahead), OUT_FATAL);
    ck_assert_int_eq(H.code, ERR_PROGRESS);
    batch_free(ahead);
    ck_assert_int_eq(H.store->version_of("a", "x"), -1);
}

static void refused_items_wait_for_their_letters(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    char name[16];
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "n%03d", i);
        put(batch, i % 3 ? "a" : "b", name, 1, i);
        if (i == 300)
            put(batch, "a", "bad", 1, i);
        if (i == 500)
            put(batch, "b", "bad", 1, i);
    }
    H.commit_at_once = false;
    batch_close(batch);
    begin(batch);
    while (!H.rejected)
        H.store->turn();
    ck_assert_int_eq(H.done, 0);
    ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 2);
    ck_assert_int_eq(H.store->version_of("a", "n001"), -1); /* nothing is committed yet */
    sink_commit(H.sink, batch);
    while (!H.done)
        H.store->turn();
    ck_assert_int_eq(H.outcome, OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 2);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 700);
    ck_assert_ptr_nonnull(batch->items[301].err);
    ck_assert_int_eq(H.store->version_of("a", "n001"), 1);
    ck_assert_int_eq(H.store->version_of("a", "bad"), -1);
    batch_free(batch);
    H.store->claim(0, &next);
    ck_assert_int_eq(next, 702);
}

static void a_batch_given_up_writes_nothing_and_frees_its_place(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    H.commit_at_once = false;
    for (int i = 0; i < 6; i++) { /* more than any store has places */
        struct batch *batch = batch_for(epoch, 0);
        put(batch, "a", "bad", 1, i);
        put(batch, "a", "good", 1, i);
        batch_close(batch);
        while (!sink_can_submit(H.sink))
            H.store->turn();
        H.rejected = H.done = 0;
        begin(batch);
        while (!H.rejected)
            H.store->turn();
        H.inside = true;
        sink_give_up(H.sink, batch);
        H.inside = false;
        while (!H.done)
            H.store->turn();
        ck_assert_int_eq(H.outcome, OUT_RETRY);
        batch_free(batch);
    }
    H.store->claim(0, &next);
    ck_assert_int_eq(next, 0);
    ck_assert_int_eq(H.store->version_of("a", "good"), -1);
}

static void a_second_look_writes_nothing(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    epoch = H.store->claim(0, &next);
    batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    batch->second_look = true;
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_APPLIED);
    batch_free(batch);
    H.store->claim(0, &next);
    ck_assert_int_eq(next, 1);
}

static void a_refused_record_gives_way_to_the_next_of_its_key(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 1, 1);
    put(batch, "a", "x", 2, 2);
    put(batch, "a", "x", 4, POISON);
    put(batch, "a", "x", 4, POISON); /* the same again: nothing of it is stored either */
    put(batch, "a", "x", 3, POISON);
    put(batch, "a", "y", 1, 1);
    put(batch, "a", "z", 9, POISON);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    static const enum record_class WANT[] = {CLASS_SUPERSEDED, CLASS_APPLIED, CLASS_DEAD,
                                             CLASS_DEAD,       CLASS_DEAD,    CLASS_APPLIED,
                                             CLASS_DEAD};
    for (size_t i = 0; i < batch->count; i++)
        ck_assert_msg(batch->items[i].verdict == WANT[i], "item %zu: %s", i,
                      record_class_name(batch->items[i].verdict));
    ck_assert_ptr_nonnull(batch->items[3].err);
    ck_assert_int_eq(H.store->version_of("a", "x"), 2);
    ck_assert_int_eq(H.store->version_of("a", "z"), -1);
    batch_free(batch);
    epoch = H.store->claim(0, &next);
    ck_assert_int_eq(next, 7);
    batch = batch_for(epoch, 0); /* after a crash: what was written is found again */
    put(batch, "a", "x", 1, 1);
    put(batch, "a", "x", 2, 2);
    put(batch, "a", "x", 4, POISON);
    batch->second_look = true;
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_SUPERSEDED);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_DEAD);
    batch_free(batch);
}

#define MODEL_KEYS 5
#define MODEL_RECORDS 90

/* However it is cut into batches: of each key the greatest version that is not refused, and the
 * dead ones are among the refused. */
static void what_is_written_does_not_depend_on_the_batch_size(void)
{
    static const size_t SIZES[] = {1, 7, MODEL_RECORDS};
    int64_t next, offset = 0;
    int64_t epoch = H.store->claim(0, &next);
    unsigned seed = (unsigned)getpid();
    fprintf(stderr, "# seed %u\n", seed);
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        struct batch *batch = NULL;
        int64_t best[MODEL_KEYS];
        srand(seed);
        for (int k = 0; k < MODEL_KEYS; k++)
            best[k] = -1;
        for (int i = 0; i < MODEL_RECORDS; i++) {
            char name[32];
            int key = rand() % MODEL_KEYS, kind = rand() % 5, version = 1 + rand() % 20;
            snprintf(name, sizeof name, "s%zu-k%d", s, key);
            batch = batch ? batch : batch_for(epoch, offset);
            if (kind == 0)
                put_delete(batch, "a", name, version);
            else
                put(batch, "a", name, version, kind < 3 ? POISON : version);
            if ((kind == 0 || kind >= 3) && version > best[key])
                best[key] = version;
            if (batch->count < SIZES[s] && i + 1 < MODEL_RECORDS)
                continue;
            ck_assert_int_eq(write_out(batch), OUT_OK);
            for (size_t j = 0; j < batch->count; j++)
                ck_assert(batch->items[j].verdict != CLASS_DEAD ||
                          batch->items[j].row.cells[1].size == 3);
            offset = batch->fence.end;
            batch_free(batch);
            batch = NULL;
        }
        for (int k = 0; k < MODEL_KEYS; k++) {
            char name[32];
            snprintf(name, sizeof name, "s%zu-k%d", s, k);
            ck_assert_msg(H.store->version_of("a", name) == best[k],
                          "batches of %zu: %s is at %d, not %d", SIZES[s], name,
                          (int)H.store->version_of("a", name), (int)best[k]);
        }
    }
}

static void retried_with(struct batch *batch, enum memory_fate fate)
{
    int before = H.done;
    if (!batch->attempts)
        batch_close(batch);
    begin(batch);
    while (H.done == before) {
        bool commits = H.rejected > 0; /* before that nothing is lost */
        H.store->step(commits || batch->items[0].row.cells[1].size != 3 ? fate : FATE_DONE);
    }
    ck_assert_int_eq(H.outcome, OUT_RETRY);
    ck_assert_int_eq(batch->outcome_unknown, fate == FATE_ANSWER_LOST);
    batch_retry(batch);
}

/* Whether or not it was done, it is done once. */
static void a_lost_answer_is_asked_for(void)
{
    int64_t next;
    if (!H.store->step)
        return;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    put(batch, "a", "x", 4, 1);
    retried_with(batch, FATE_FAILED);
    ck_assert_int_eq(H.store->version_of("a", "x"), -1);
    retried_with(batch, FATE_ANSWER_LOST);
    ck_assert_int_eq(H.store->version_of("a", "x"), 5);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch_told_class(batch, &batch->items[0]), CLASS_RECOVERED);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_SUPERSEDED);
    batch_free(batch);
    batch = batch_for(epoch, 2); /* refused ones are told once, and stay so */
    put(batch, "a", "z", 2, POISON);
    put(batch, "a", "z", 1, 1);
    retried_with(batch, FATE_ANSWER_LOST);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_DEAD);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_APPLIED);
    ck_assert_int_eq(H.store->version_of("a", "z"), 1);
    batch_free(batch);
    H.rejected = 0;
    batch = batch_for(epoch, 4); /* somebody else has the partition before it is asked for */
    put(batch, "a", "y", 1, 1);
    retried_with(batch, FATE_ANSWER_LOST);
    H.store->claim(0, &next);
    ck_assert_int_eq(next, 5);
    ck_assert_int_eq(write_out(batch), OUT_FATAL);
    ck_assert_int_eq(H.code, ERR_FENCED);
    batch_free(batch);
}

/* Lost on its way to the store: the checkpoint says that it is to be written. */
static void what_was_not_done_is_written_after_a_lost_answer(void)
{
    int64_t next;
    if (!H.store->step)
        return;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, POISON);
    put(batch, "a", "y", 5, 1);
    batch_close(batch);
    begin(batch);
    H.store->step(FATE_ANSWER_LOST); /* it found the refused one, and nobody heard */
    ck_assert_int_eq(H.done, 1);
    ck_assert_int_eq(H.rejected, 0);
    ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 0);
    batch_retry(batch);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(H.rejected, 1);
    ck_assert_int_eq(batch_told_class(batch, &batch->items[1]), CLASS_APPLIED);
    ck_assert_int_eq(H.store->version_of("a", "y"), 5);
    batch_free(batch);
}

static void closing_answers_what_is_in_flight(void)
{
    int64_t next;
    int64_t epoch = H.store->claim(0, &next);
    struct batch *batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    batch_close(batch);
    begin(batch);
    close_and_wait();
    ck_assert_int_eq(H.done, 1);
    batch_free(batch);
    H.closed = false;
    H.store->open_sink(1);
}

static void (*const TESTS[])(void) = {
    applies_and_counts,
    the_same_twice_equals_once_and_lower_never_wins,
    the_fence_holds,
    refused_items_wait_for_their_letters,
    a_batch_given_up_writes_nothing_and_frees_its_place,
    a_second_look_writes_nothing,
    a_refused_record_gives_way_to_the_next_of_its_key,
    what_is_written_does_not_depend_on_the_batch_size,
    a_lost_answer_is_asked_for,
    what_was_not_done_is_written_after_a_lost_answer,
    closing_answers_what_is_in_flight,
};
#define TEST_COUNT (int)(sizeof TESTS / sizeof *TESTS)

static const struct store *const STORES[] = {&MEMORY, &POSTGRES, &FILES, &REDIS};
#define STORE_COUNT (int)(sizeof STORES / sizeof *STORES)

START_TEST(holds)
{
    const struct store *store = STORES[_i / TEST_COUNT];
    fprintf(stderr, "# %s %d\n", store->name, _i % TEST_COUNT);
    setup(store);
    TESTS[_i % TEST_COUNT]();
    teardown();
}
END_TEST

static Suite *sink_suite(void)
{
    Suite *suite = suite_create("sink contract");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, holds, 0, STORE_COUNT * TEST_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(sink_suite)
