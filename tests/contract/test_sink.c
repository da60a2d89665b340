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
#include "common/io/clock.h"
#include "common/io/filestore/file_store.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/redis/redis_checkpoint.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_sink.h"
#include "common/io/redis/redis_stage.h"
#include "common/model/schema/schema_load.h"
#include "common/port/sink_memory.h"
#include "tests/support/database.h"
#include "tests/support/random.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define MAPPING                                                                                    \
    "entity: thing\ntable: thing\nkey: [name]\nrest: extra\n"                                      \
    "redis: { key: \"{isolation_key}/thing/{name}\", value: json }\ncolumns:\n"                    \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: size, from: /size, type: int4 }\n"

/* Of stores that know references: its parents are a thing and a part. */
#define PART                                                                                       \
    "entity: part\ntable: part\nkey: [name]\nrest: extra\ncolumns:\n"                              \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: thing, from: /thing, type: text }\n"                                              \
    "  - { name: whole, from: /whole, type: text }\n"                                              \
    "references: [ { columns: [thing], entity: thing }, { columns: [whole], entity: part } ]\n"

#define POISON (-666) /* a size that makes a record one that every store refuses */

/* ---- harness ----------------------------------------------------------------------------- */

struct store {
    const char *name;
    void (*open)(void); /* an empty store */
    void (*open_sink)(int connections);
    void (*turn)(void); /* lets time pass once */
    int64_t (*claim)(int32_t partition, int64_t *next);
    int64_t (*version_of)(const char *tenant, const char *name); /* -1: no row */
    void (*close)(void);                                         /* the sink is closed by then */
    /* One step of the only connection, by hand; NULL: time alone takes them. */
    void (*step)(enum memory_fate fate);
    void (*settle)(void); /* may be NULL; the sink is closed: all of it must be where it belongs */
    bool breaks_cells;    /* has no constraint: "bad" is a cell that gives no record back */
    bool tells_later;     /* keeps all it is given, and only later says which lost (pg_load.h) */
};

static struct {
    const struct store *store;
    struct sink *sink;
    struct mapping *mapping, *mappings[2];
    struct mapping_set set; /* of both: children are kept as pending */
    struct mapping_work work;
    struct memory_store *memory;
    struct file_store *file;
    struct settings settings;
    struct redis_server redis;
    struct redis_stage *stage;        /* hybrid; else NULL */
    int64_t epoch, redis_next, taken; /* of the last claim; acknowledged by Redis; given to it */
    uint64_t unowned;
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
    if (outcome == OUT_OK && H.stage) {
        H.taken = batch->fence.end;
        redis_stage_take(H.stage, batch, H.redis_next);
    }
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

static void view_message(void *owner, const struct batch_item *item, struct envelope *message)
{
    (void)owner;
    *message = (struct envelope){.key = item->row.id, .value = BYTES_LITERAL("{}")};
}

static const struct sink_events EVENTS = {on_rejected, on_done, on_ready, on_state};
static const struct sink_events PENDING_EVENTS = {on_rejected, on_done, on_ready, on_state,
                                                  view_message};

static const struct sink_events *events(void)
{
    return H.set.count > 1 ? &PENDING_EVENTS : &EVENTS;
}

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
    schema_sql_all(&text, H.set.items, H.set.count, &roles);
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
    if (H.set.count > 1)
        memory_store_use_mappings(H.memory, &H.set, true);
}

static void open_memory_sink(int connections)
{
    H.sink = memory_sink_new(H.memory, connections, refuses, events(), NULL);
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

static void open_postgres_sink(int connections)
{
    struct pg_connection_config config = {H.url, "drover_worker", "contract", 10000};
    H.sink = pg_sink_new(&H.loop, &config, connections, &H.set, events(), NULL);
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

/* ---- PostgreSQL, while its table is loaded in bulk */

static void open_bulk(void)
{
    static const struct schema_roles ROLES = {"drover_worker", "drover_verifier"};
    struct buf sql;
    make_database();
    buf_init(&sql, 1u << 20);
    buf_append_text(&sql, "INSERT INTO drover.load (\"group\", table_schema, table_name) VALUES "
                          "('g', 'public', 'thing');");
    schema_load_sql(&sql, H.mapping, 1, &ROLES);
    database_run(H.url, buf_text(&sql));
    buf_free(&sql);
}

/* The one that will be left, as the owner sees it. */
static int64_t version_of_bulk(const char *tenant, const char *name)
{
    struct error err;
    PGresult *result;
    PGconn *connection = must_open(H.url, "");
    struct bytes params[] = {bytes_text(tenant), bytes_text(name)};
    ck_assert_int_eq(
        pg_session_query(connection,
                         "SELECT coalesce(max(drover_version), -1) FROM drover_load.load_1"
                         " WHERE isolation_key = $1 AND name = $2",
                         params, 2, false, &result, &err),
        OUT_OK);
    int64_t version = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return version;
}

static const struct store BULK = {"bulk",         open_bulk,          open_postgres_sink,
                                  turn_loop,      claim_postgres,     version_of_bulk,
                                  close_postgres, .tells_later = true};

/* ---- file */

static void open_file(void)
{
    struct error err;
    snprintf(H.url, sizeof H.url, "/tmp/drover-contract-%d", (int)getpid());
    H.settings.store_dir = H.url;
    ck_assert_msg(file_store_open(&H.settings, &H.set, &H.file, &err) == OUT_OK, "%s: %s (%s)",
                  err.text, err.cause, err.where);
}

static void open_file_sink(int connections)
{
    (void)connections;
    H.sink = file_sink_new(&H.loop, H.file, &EVENTS, NULL);
}

/* Where the claim's answer goes. */
static struct {
    bool come, closed;
    int64_t epoch, next;
    bool seen, is_owned; /* and the look's behind it */
    int64_t seen_epoch, seen_next;
} CLAIMED;

static void on_checked(void *owner)
{
    (void)owner;
}

static void on_claimed(void *owner, int32_t partition, const struct checkpoint_row *row)
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

static void on_seen(void *owner, int32_t partition, const struct checkpoint_seen *seen)
{
    (void)owner;
    (void)partition;
    CLAIMED.seen = true;
    CLAIMED.seen_epoch = seen->epoch;
    CLAIMED.seen_next = seen->next_offset;
    CLAIMED.is_owned = seen->is_owned;
}

static void on_checkpoint_error(void *owner, const struct error *err)
{
    (void)owner;
    ck_abort_msg("%s: %s", err->text, err->cause);
}

static void on_checkpoint_closed(void *owner)
{
    (void)owner;
    CLAIMED.closed = true;
}

static const struct checkpoint_events CHECKPOINT = {on_checked, on_claimed, on_released,
                                                    on_checkpoint_error, on_seen};

static int64_t claim_once(struct checkpoint *checkpoint, int64_t *next)
{
    memset(&CLAIMED, 0, sizeof CLAIMED);
    checkpoint_claim(checkpoint, 0);
    while (!CLAIMED.come)
        turn_loop();
    checkpoint_look(checkpoint, 0);
    while (!CLAIMED.seen)
        turn_loop();
    ck_assert_int_eq(CLAIMED.seen_epoch, CLAIMED.epoch);
    ck_assert_int_eq(CLAIMED.seen_next, CLAIMED.next);
    ck_assert(CLAIMED.is_owned);
    checkpoint_close(checkpoint, on_checkpoint_closed);
    while (!CLAIMED.closed)
        turn_loop();
    *next = CLAIMED.next;
    return CLAIMED.epoch;
}

static int64_t claim_file(int32_t partition, int64_t *next)
{
    struct checkpoint_config config = {"g", "t", "me", 1};
    (void)partition;
    return claim_once(file_checkpoint_new(&H.loop, H.file, &config, &CHECKPOINT, NULL), next);
}

static int64_t version_of_file(const char *tenant, const char *name)
{
    struct error err;
    struct stored_record stored;
    struct store_reader *reader;
    bool found;
    ck_assert_int_eq(
        file_store_reader_open(&H.settings, &H.set, FILE_STORE_READER_RECORDS, &reader, &err),
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

static const struct store FILES = {
    "file",          open_file,  open_file_sink, turn_loop, claim_file,
    version_of_file, close_file, NULL,           NULL,      true};

/* ---- Redis: a server of its own, where strangers hold the keys that "bad" would have */

static void open_redis(void)
{
    redis_server_start(&H.redis, NULL);
    H.settings.redis_url = H.redis.url;
    H.settings.redis_tombstone_ms = 3600000;
    REDIS_ASK(&H.redis, "SET", "a/thing/bad", "a stranger's");
    REDIS_ASK(&H.redis, "LPUSH", "b/thing/bad", "a stranger's");
}

static void open_redis_sink(int connections)
{
    struct error err;
    (void)connections;
    ck_assert_int_eq(redis_sink_new(&H.loop, &H.settings, &EVENTS, NULL, &H.sink, &err), OUT_OK);
    while (!sink_can_submit(H.sink))
        turn_loop();
}

static int64_t claim_redis(int32_t partition, int64_t *next)
{
    struct checkpoint_config config = {"g", "t", "me", 1, &H.set};
    struct checkpoint *checkpoint;
    struct error err;
    (void)partition;
    ck_assert_int_eq(
        redis_checkpoint_new(&H.loop, &H.settings, &config, &CHECKPOINT, NULL, &checkpoint, &err),
        OUT_OK);
    return claim_once(checkpoint, next);
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

/* ---- hybrid: PostgreSQL, and what it has committed goes to a Redis of the test's own */

static void on_advanced(void *owner, int32_t partition, int64_t epoch, int64_t next)
{
    (void)owner;
    ck_assert_int_eq(partition, 0);
    if (epoch != H.epoch)
        return;
    ck_assert_int_le(next, H.taken);
    ck_assert_int_ge(next, H.redis_next);
    H.redis_next = next;
}

static void on_unowned(void *owner, uint64_t keys)
{
    (void)owner;
    H.unowned += keys;
}

static void on_stage_failed(void *owner, const struct error *err)
{
    (void)owner;
    ck_abort_msg("%s: %s", err->text, err->cause);
}

/* A Redis that has been filled: no rebuild is asked for, and none could be started here. */
static void open_hybrid(void)
{
    static const struct redis_stage_events STAGE = {on_advanced, on_unowned, on_stage_failed};
    struct error err;
    make_database();
    open_redis();
    REDIS_ASK(&H.redis, "SET", "drover:sentinel:contract", "filled");
    H.settings.migration = "contract";
    H.settings.redis_lag_records = 100000;
    H.settings.redis_lag_bytes = 64u << 20;
    ck_assert_int_eq(
        redis_stage_new(&H.loop, &H.settings, "/bin/false", &STAGE, NULL, &H.stage, &err), OUT_OK);
}

static void turn_hybrid(void)
{
    redis_stage_tick(H.stage, clock_monotonic_ms());
    turn_loop();
}

static void wait_for_redis(void)
{
    while (!redis_stage_is_settled(H.stage))
        turn_hybrid();
    ck_assert_int_eq(H.redis_next, H.taken);
    ck_assert_uint_eq(redis_stage_records(H.stage), 0);
}

static int64_t claim_hybrid(int32_t partition, int64_t *next)
{
    wait_for_redis();
    H.epoch = claim_postgres(partition, next);
    H.redis_next = H.taken = 0; /* as after a crash: nobody knows how far Redis was */
    return H.epoch;
}

static int64_t version_of_hybrid(const char *tenant, const char *name)
{
    int64_t version = version_of_postgres(tenant, name);
    wait_for_redis();
    ck_assert_int_eq(version_of_redis(tenant, name), version);
    return version;
}

/* One row: the value is its record, the meta its version; of a deleted one the meta alone is left.
 */
static void compare_row(const PGresult *rows, int row)
{
    char key[64], want[128];
    const char *name = PQgetvalue(rows, row, 1);
    bool deleted = *PQgetvalue(rows, row, 4) == 't';
    snprintf(key, sizeof key, "%s/thing/%s", PQgetvalue(rows, row, 0), name);
    snprintf(want, sizeof want, "{\"name\":\"%s\",\"size\":%s}", name, PQgetvalue(rows, row, 2));
    ck_assert_str_eq(REDIS_ASK(&H.redis, "GET", key), deleted ? "(nil)" : want);
    ck_assert_int_eq(version_of_redis(PQgetvalue(rows, row, 0), name),
                     strtoll(PQgetvalue(rows, row, 3), NULL, 10));
}

/* Redis holds what the rows say, and nothing else but the strangers' two keys and the sentinel. */
static void settle_hybrid(void)
{
    struct error err;
    PGresult *rows;
    PGconn *connection = must_open(H.url, "drover_verifier");
    wait_for_redis();
    ck_assert_int_eq(pg_session_query(connection,
                                      "SELECT isolation_key, name, size, drover_version,"
                                      " drover_deleted FROM public.thing",
                                      NULL, 0, false, &rows, &err),
                     OUT_OK);
    int keys = 3;
    for (int row = 0; row < PQntuples(rows); row++) {
        compare_row(rows, row);
        keys += *PQgetvalue(rows, row, 4) == 't' ? 1 : 2;
    }
    ck_assert_int_eq(strtol(REDIS_ASK(&H.redis, "DBSIZE"), NULL, 10), keys);
    PQclear(rows);
    PQfinish(connection);
    H.closed = false;
    redis_stage_close(H.stage, on_closed);
    while (!H.closed)
        turn_loop();
}

static void close_hybrid(void)
{
    close_redis();
    close_postgres();
}

static const struct store HYBRID = {"hybrid",     open_hybrid,  open_postgres_sink,
                                    turn_hybrid,  claim_hybrid, version_of_hybrid,
                                    close_hybrid, NULL,         settle_hybrid};

/* ---- what all have in common */

static void setup_mappings(const struct store *store, size_t mappings)
{
    struct error err;
    memset(&H, 0, sizeof H);
    H.store = store;
    H.commit_at_once = true;
    ck_assert_int_eq(mapping_parse("thing.yaml", bytes_text(MAPPING), &H.mapping, &err), OUT_OK);
    ck_assert_int_eq(mapping_parse("part.yaml", bytes_text(PART), &H.mappings[0], &err), OUT_OK);
    H.mappings[0]->rank = 1;
    H.mappings[1] = H.mapping;
    H.set = (struct mapping_set){mappings > 1 ? H.mappings : &H.mapping, mappings};
    mapping_work_init(&H.work);
    uv_loop_init(&H.loop);
    store->open();
    store->open_sink(1);
}

static void setup(const struct store *store)
{
    setup_mappings(store, 1);
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
    if (H.store->settle)
        H.store->settle();
    uv_run(&H.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&H.loop), 0);
    H.store->close();
    mapping_work_free(&H.work);
    mapping_free(H.mapping);
    mapping_free(H.mappings[0]);
}

static struct batch *batch_for(int64_t epoch, int64_t start)
{
    struct batch *batch = batch_new(3000, 64u << 20);
    batch->fence = (struct batch_fence){
        .group = "g", .topic = "t", .epoch = epoch, .start = start, .end = start};
    batch->fence.redis_next = H.redis_next;
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

static void put_part_of(struct batch *batch, const char *name, int64_t version, const char *member,
                        const char *parent)
{
    char json[128];
    struct error err;
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"%s\":\"%s\"}", name, member, parent);
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = BYTES_LITERAL("a"),
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .payload = bytes_text(json)};
    item->mapping = H.mappings[0];
    ck_assert_int_eq(
        mapping_forward(item->mapping, &record, &H.work, &batch->arena, &item->row, &err), OUT_OK);
}

static void put_part(struct batch *batch, const char *name, int64_t version, const char *thing)
{
    put_part_of(batch, name, version, "thing", thing);
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
    bool later = H.store->tells_later;
    ck_assert_int_eq(batch->items[0].verdict, later ? CLASS_APPLIED : CLASS_UNCHANGED);
    ck_assert_int_eq(batch->items[1].verdict, later ? CLASS_APPLIED : CLASS_SUPERSEDED);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_APPLIED);
    ck_assert_int_eq(batch->items[3].verdict, CLASS_APPLIED);
    ck_assert_int_eq(H.store->version_of("a", "y"), 5);
    batch_free(batch);
    batch = batch_for(epoch, 6);
    put(batch, "a", "x", 5, 2); /* same version, other content */
    put(batch, "a", "y", 6, 2);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, later ? CLASS_APPLIED : CLASS_CONFLICT);
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
    ck_assert_int_eq(H.code, ERR_CHECKPOINT);
    batch_free(ahead);
    ck_assert_int_eq(H.store->version_of("a", "x"), -1);
}

static void refused_items_wait_for_their_dead_letters(void)
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

static void what_is_redelivered_writes_nothing(void)
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
    batch->redelivered = true;
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
    batch->redelivered = true;
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
    epoch =
        H.store->claim(0, &next); /* it was written or not: who comes next takes it from there */
    batch = batch_for(epoch, 0);
    put(batch, "a", "x", 5, 1);
    batch->redelivered = next == 1;
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(H.store->version_of("a", "x"), 5);
    batch_free(batch);
}

static void (*const TESTS[])(void) = {
    applies_and_counts,
    the_same_twice_equals_once_and_lower_never_wins,
    the_fence_holds,
    refused_items_wait_for_their_dead_letters,
    a_batch_given_up_writes_nothing_and_frees_its_place,
    what_is_redelivered_writes_nothing,
    a_refused_record_gives_way_to_the_next_of_its_key,
    what_is_written_does_not_depend_on_the_batch_size,
    closing_answers_what_is_in_flight,
};
#define TEST_COUNT (int)(sizeof TESTS / sizeof *TESTS)

static const struct store *const STORES[] = {&MEMORY, &POSTGRES, &BULK, &FILES, &REDIS, &HYBRID};
#define STORE_COUNT (int)(sizeof STORES / sizeof *STORES)

/* Of a store whose answers a test can lose. */
static void (*const TESTS_BY_HAND[])(void) = {
    a_lost_answer_is_asked_for,
    what_was_not_done_is_written_after_a_lost_answer,
};
#define BY_HAND_COUNT (int)(sizeof TESTS_BY_HAND / sizeof *TESTS_BY_HAND)

START_TEST(holds_by_hand)
{
    setup(&MEMORY);
    TESTS_BY_HAND[_i]();
    teardown();
}
END_TEST

START_TEST(holds)
{
    const struct store *store = STORES[_i / TEST_COUNT];
    fprintf(stderr, "# %s %d\n", store->name, _i % TEST_COUNT);
    setup(store);
    TESTS[_i % TEST_COUNT]();
    teardown();
}
END_TEST

/* ---- a mapping that changes -------------------------------------------------------------- */

static const struct store *const STORES_OF_GENERATIONS[] = {&MEMORY, &POSTGRES, &FILES, &REDIS,
                                                            &HYBRID};
#define GENERATIONS_COUNT (int)(sizeof STORES_OF_GENERATIONS / sizeof *STORES_OF_GENERATIONS)

/* What the store must hold of a key. `size` 0: it is deleted. */
struct held {
    int64_t version; /* -1: nothing */
    int32_t generation;
    int size;
};

static enum record_class class_of(struct held *held, const struct held *comes)
{
    if (held->version > comes->version)
        return CLASS_SUPERSEDED;
    if (held->version == comes->version && held->size != comes->size)
        return CLASS_CONFLICT;
    if (held->version == comes->version && held->generation >= comes->generation)
        return held->generation > comes->generation ? CLASS_SUPERSEDED : CLASS_UNCHANGED;
    *held = *comes;
    return CLASS_APPLIED;
}

/* As a worker that is started with that generation of the mapping. */
static int64_t start_again(int32_t generation, int64_t *next)
{
    close_and_wait();
    H.closed = false;
    H.mapping->generation = generation;
    H.store->open_sink(1);
    int64_t epoch = H.store->claim(0, next);
    H.mapping->generation = generation; /* stores that register say which it is, when claimed */
    return epoch;
}

/* Workers of older and newer mappings by turns, over the same versions, some of them several times
 * in a batch: greater version wins, or same version, same content and greater generation. */
START_TEST(a_newer_mapping_writes_the_same_version_again)
{
    enum { KEYS = 6, TIMES = 4, STEPS = 60 };
    static const char *const NAMES[KEYS] = {"k", "l", "m", "n", "o", "p"};
    enum record_class wanted[KEYS * TIMES];
    struct held all[KEYS];
    int64_t next = 0;
    setup(STORES_OF_GENERATIONS[_i]);
    random_begin((uint64_t)(4200 + _i));
    for (int k = 0; k < KEYS; k++)
        all[k] = (struct held){.version = -1};
    for (int step = 0; step < STEPS; step++) {
        struct held comes = {.generation = (int32_t)random_below(4)};
        int64_t epoch = start_again(comes.generation, &next);
        struct batch *batch = batch_for(epoch, next);
        for (int k = 0; k < KEYS; k++) {
            /* behind a conflict of the first generation not every store knows what became of it */
            int times = k == 0 ? 1 : (int)random_below(comes.generation ? TIMES + 1 : 2);
            comes.version = 1 + (int64_t)random_below(3);
            for (int i = 0; i < times; i++) {
                comes.size = (int)random_below(3);
                wanted[batch->count] = class_of(&all[k], &comes);
                if (comes.size)
                    put(batch, "a", NAMES[k], comes.version, comes.size);
                else
                    put_delete(batch, "a", NAMES[k], comes.version);
            }
        }
        batch_close(batch);
        ck_assert_int_eq(write_out(batch), OUT_OK);
        for (size_t i = 0; i < batch->count; i++)
            ck_assert_msg(batch->items[i].verdict == wanted[i],
                          "%s, seed %llu, step %d, record %zu: %s instead of %s", H.store->name,
                          (unsigned long long)random_seed, step, i,
                          record_class_name(batch->items[i].verdict), record_class_name(wanted[i]));
        batch_free(batch);
    }
    for (int k = 0; k < KEYS; k++)
        ck_assert_int_eq(H.store->version_of("a", NAMES[k]), all[k].version);
    teardown();
}
END_TEST

/* ---- stores that know references --------------------------------------------------------- */

static const struct store *const STORES_OF_REFERENCES[] = {&MEMORY, &POSTGRES};
#define REFERENCES_COUNT (int)(sizeof STORES_OF_REFERENCES / sizeof *STORES_OF_REFERENCES)

/* What it lacks does not matter of a record that would not be written: its class is the same
 * whether or not another one of its batch lacks a parent. So it is when the mapping changes between
 * the two batches. */
START_TEST(an_overtaken_child_does_not_wait)
{
    static const enum record_class WANT[][4] = {
        {CLASS_SUPERSEDED, CLASS_UNCHANGED, CLASS_CONFLICT, CLASS_APPLIED},
        {CLASS_SUPERSEDED, CLASS_APPLIED, CLASS_CONFLICT, CLASS_APPLIED},
    };
    for (int way = 0; way < 4; way++) {
        int waits = way % 2, generation = way / 2;
        int64_t next;
        setup_mappings(STORES_OF_REFERENCES[_i], 2);
        int64_t epoch = H.store->claim(0, &next);
        struct batch *batch = batch_for(epoch, 0);
        put(batch, "a", "t", 1, 1);
        put_part(batch, "old", 5, "t");
        put_part(batch, "same", 5, "t");
        put_part(batch, "other", 5, "t");
        ck_assert_int_eq(write_out(batch), OUT_OK);
        batch_free(batch);
        H.mappings[0]->generation = generation;
        epoch = start_again(generation, &next);
        batch = batch_for(epoch, 4);
        put_part(batch, "old", 3, "missing");
        put_part(batch, "same", 5, "t");
        put_part(batch, "other", 5, "missing");
        put_part(batch, "new", 5, "t");
        if (waits)
            put_part(batch, "waits", 5, "missing");
        ck_assert_int_eq(write_out(batch), OUT_OK);
        for (size_t i = 0; i < 4; i++)
            ck_assert_msg(batch->items[i].verdict == WANT[generation][i],
                          "%s, generation %d, %d waits: item %zu: %s", H.store->name, generation,
                          waits, i, record_class_name(batch->items[i].verdict));
        ck_assert_uint_eq(batch_count(batch, CLASS_WAITING), waits);
        batch_free(batch);
        teardown();
    }
}
END_TEST

/* Also when another one of its batch lacks a parent. */
START_TEST(what_refers_to_itself_does_not_wait)
{
    int64_t next;
    setup_mappings(STORES_OF_REFERENCES[_i], 2);
    struct batch *batch = batch_for(H.store->claim(0, &next), 0);
    put_part_of(batch, "self", 1, "whole", "self");
    put_part_of(batch, "waits", 1, "whole", "missing");
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_str_eq(record_class_name(batch->items[0].verdict), record_class_name(CLASS_APPLIED));
    ck_assert_str_eq(record_class_name(batch->items[1].verdict), record_class_name(CLASS_WAITING));
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- what only hybrid has ---------------------------------------------------------------- */

static void put_in_redis(int64_t epoch, int64_t start, const char *name, int64_t version)
{
    struct batch *batch = batch_for(epoch, start);
    put(batch, "a", name, version, (int)version);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
}

/* The row is written, the key left alone and counted, and what comes behind it goes on. */
START_TEST(a_strangers_key_is_left_alone_and_counted)
{
    int64_t next;
    setup(&HYBRID);
    int64_t epoch = H.store->claim(0, &next);
    REDIS_ASK(&H.redis, "SET", "a/thing/x", "a stranger's");
    put_in_redis(epoch, 0, "x", 5);
    put_in_redis(epoch, 1, "y", 6);
    ck_assert_int_eq(version_of_hybrid("a", "y"), 6);
    ck_assert_int_eq(version_of_postgres("a", "x"), 5);
    ck_assert_str_eq(REDIS_ASK(&H.redis, "GET", "a/thing/x"), "a stranger's");
    ck_assert_uint_eq(H.unowned, 1);
    REDIS_ASK(&H.redis, "DEL", "a/thing/x"); /* for the comparison at the end */
    H.unowned = 0;
    epoch = H.store->claim(0, &next);
    put_in_redis(epoch, 2, "x", 7);
    teardown();
}
END_TEST

/* Calls whose answers never came are sent again; the watermark waits for them. */
START_TEST(a_lost_connection_costs_nothing)
{
    int64_t next;
    setup(&HYBRID);
    int64_t epoch = H.store->claim(0, &next);
    put_in_redis(epoch, 0, "x", 1);
    wait_for_redis();
    for (int i = 1; i < 20; i++) {
        REDIS_ASK(&H.redis, "CLIENT", "PAUSE", "60000", "WRITE");
        put_in_redis(epoch, i, i % 2 ? "x" : "y", i + 1);
        turn_hybrid();
        ck_assert_int_eq(H.redis_next, i);
        REDIS_ASK(&H.redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        REDIS_ASK(&H.redis, "CLIENT", "UNPAUSE");
        ck_assert(!redis_stage_is_settled(H.stage));
        ck_assert_int_eq(version_of_hybrid("a", i % 2 ? "x" : "y"), i + 1);
    }
    teardown();
}
END_TEST

/* A crash between PostgreSQL's commit and Redis: whoever comes next finds the rows written, and
 * gives them to Redis all the same. */
START_TEST(a_redelivery_brings_redis_what_it_missed)
{
    int64_t next;
    setup(&HYBRID);
    int64_t epoch = H.store->claim(0, &next);
    put_in_redis(epoch, 0, "x", 1);
    put_in_redis(epoch, 1, "x", 2);
    put_in_redis(epoch, 2, "y", 3);
    wait_for_redis();
    REDIS_ASK(&H.redis, "DEL", "a/thing/x", "a/thing/x:v", "a/thing/y", "a/thing/y:v");
    epoch = H.store->claim(0, &next);
    ck_assert_int_eq(next, 3);
    struct batch *batch = batch_for(epoch, 0);
    batch->redelivered = true;
    put(batch, "a", "x", 1, 1);
    put(batch, "a", "x", 2, 2);
    put(batch, "a", "y", 3, 3);
    put(batch, "a", "y", 3, 3);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    ck_assert_int_eq(version_of_hybrid("a", "x"), 2);
    ck_assert_int_eq(version_of_hybrid("a", "y"), 3);
    teardown();
}
END_TEST

/* Redis is away: PostgreSQL goes on, up to the limit, and Redis has it all when it is back. */
START_TEST(what_redis_is_behind_is_bounded)
{
    int64_t next;
    int written = 0;
    char name[16];
    setup(&HYBRID);
    H.settings.redis_lag_records = 50;
    int64_t epoch = H.store->claim(0, &next);
    wait_for_redis();
    REDIS_ASK(&H.redis, "CLIENT", "PAUSE", "60000", "WRITE");
    for (; !redis_stage_is_full(H.stage); written++) {
        snprintf(name, sizeof name, "n%02d", written);
        put_in_redis(epoch, written, name, 1);
    }
    ck_assert_int_eq(written, 50);
    ck_assert(!redis_stage_has_room(H.stage));
    ck_assert_int_eq(version_of_postgres("a", "n49"), 1);
    ck_assert_int_eq(version_of_redis("a", "n49"), -1);
    REDIS_ASK(&H.redis, "CLIENT", "UNPAUSE");
    wait_for_redis();
    ck_assert(redis_stage_has_room(H.stage));
    teardown();
}
END_TEST

static Suite *sink_suite(void)
{
    Suite *suite = suite_create("sink contract");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, holds, 0, STORE_COUNT * TEST_COUNT);
    tcase_add_loop_test(tcase, holds_by_hand, 0, BY_HAND_COUNT);
    tcase_add_test(tcase, a_strangers_key_is_left_alone_and_counted);
    tcase_add_test(tcase, a_lost_connection_costs_nothing);
    tcase_add_test(tcase, a_redelivery_brings_redis_what_it_missed);
    tcase_add_test(tcase, what_redis_is_behind_is_bounded);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("references");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_newer_mapping_writes_the_same_version_again, 0, GENERATIONS_COUNT);
    tcase_add_loop_test(tcase, an_overtaken_child_does_not_wait, 0, REFERENCES_COUNT);
    tcase_add_loop_test(tcase, what_refers_to_itself_does_not_wait, 0, REFERENCES_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(sink_suite)
