/*
 * The PostgreSQL sink against what a database of one's own may do to a row: triggers that raise any
 * SQLSTATE, that skip rows or change them, checks that wait for COMMIT, policies, rights, settings
 * of a role, plans that are kept, and a connection that breaks while the server commits. Needs
 * DATABASE_URL (./dev test starts a server).
 */

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/postgres/pg_tenants.h"
#include "common/model/schema/schema_load.h"
#include "common/model/schema/schema_sql.h"
#include "tests/support/database.h"
#include "tests/support/suite.h"

#define MAPPING                                                                                    \
    "entity: thing\ntable: thing\nkey: [id]\ncolumns:\n"                                           \
    "  - { name: id, from: /id, type: text }\n"                                                    \
    "  - { name: note, from: /note, type: text }\n"                                                \
    "  - { name: parent, from: /parent, type: text }\n"

/* Every SQLSTATE of PostgreSQL 15's errcodes.txt that is an error, and some that only users raise.
 */
static const char STATES[] =
    "03000 08000 08001 08003 08004 08006 08007 08P01 09000 0A000 0B000 0F000 0F001 0L000 0LP01 "
    "0P000 0Z000 0Z002 20000 21000 22000 22001 22002 22003 22004 22005 22007 22008 22009 2200B "
    "2200C 2200D 2200F 2200G 2200H 2200L 2200M 2200N 2200S 2200T 22010 22011 22012 22013 22014 "
    "22015 22016 22018 22019 2201B 2201E 2201F 2201G 2201W 2201X 22021 22022 22023 22024 22025 "
    "22026 22027 2202E 2202G 2202H 22030 22031 22032 22033 22034 22035 22036 22037 22038 22039 "
    "2203A 2203B 2203C 2203D 2203E 2203F 2203G 22P01 22P02 22P03 22P04 22P05 22P06 23000 23001 "
    "23502 23503 23505 23514 23P01 24000 25000 25001 25002 25003 25004 25005 25006 25007 25008 "
    "25P01 25P02 25P03 26000 27000 28000 28P01 2B000 2BP01 2D000 2F000 2F002 2F003 2F004 2F005 "
    "34000 38000 38001 38002 38003 38004 39000 39001 39004 39P01 39P02 39P03 3B000 3B001 3D000 "
    "3F000 40000 40001 40002 40003 40P01 42000 42501 42601 42602 42611 42622 42701 42702 42703 "
    "42704 42710 42712 42723 42725 42803 42804 42809 42830 42846 42883 428C9 42939 42P01 42P02 "
    "42P03 42P04 42P05 42P06 42P07 42P08 42P09 42P10 42P11 42P12 42P13 42P14 42P15 42P16 42P17 "
    "42P18 42P19 42P20 42P21 42P22 44000 53000 53100 53200 53300 53400 54000 54001 54011 54023 "
    "55000 55006 55P02 55P03 55P04 57000 57014 57P01 57P02 57P03 57P04 57P05 58000 58030 58P01 "
    "58P02 72000 F0000 F0001 HV000 HV001 HV002 HV004 HV005 HV006 HV007 HV008 HV009 HV00A HV00B "
    "HV00C HV00D HV00J HV00K HV00L HV00M HV00N HV00P HV00Q HV00R HV010 HV014 HV021 HV024 HV090 "
    "HV091 P0000 P0001 P0002 P0003 P0004 XX000 XX001 XX002 45000 PT409 TS101 UE001 ZZ999 DR001 "
    "DR002 DR003";

static struct {
    struct mapping *mapping;
    struct mapping_set set;
    struct mapping_work work;
    uv_loop_t loop;
    struct sink *sink;
    struct test_database database;
    int64_t epoch, next;
    int done, rejected;
    bool closed;
    enum outcome outcome;
    struct error err;
    int detours[SINK_NO_COPY + 1], in_vain, said;
    struct error why; /* the last that was said */
} H;

/* ---- harness ----------------------------------------------------------------------------- */

static void on_rejected(void *owner, struct batch *batch)
{
    (void)owner;
    H.rejected++;
    sink_commit(H.sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    (void)owner;
    (void)batch;
    H.done++;
    H.outcome = outcome;
    memset(&H.err, 0, sizeof H.err);
    if (err)
        H.err = *err;
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

static void on_detour(void *owner, const struct sink_detour *detour)
{
    (void)owner;
    H.detours[detour->way]++;
    H.in_vain += detour->in_vain;
    H.said += detour->why != NULL;
    if (detour->why)
        H.why = *detour->why;
}

static void on_closed(void *owner)
{
    (void)owner;
    H.closed = true;
}

static void turn(void)
{
    uv_run(&H.loop, UV_RUN_ONCE);
}

static void run(const char *sql)
{
    database_run(H.database.url, sql);
}

static const char *ask_as(const char *role, const char *sql)
{
    static char value[512];
    char set[64];
    PGconn *connection = PQconnectdb(H.database.url);
    snprintf(set, sizeof set, "SET ROLE %s", role);
    PQclear(PQexec(connection, set));
    PGresult *result = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql,
                  PQresultErrorMessage(result));
    snprintf(value, sizeof value, "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "(none)");
    PQclear(result);
    PQfinish(connection);
    return value;
}

/* One value, seen with the rows of all tenants. */
static const char *ask(const char *sql)
{
    return ask_as("drover_verifier", sql);
}

static void open_sink(const char *url)
{
    static const struct sink_events EVENTS = {on_rejected, on_done, on_ready,
                                              on_state,    NULL,    on_detour};
    struct pg_connection_config config = {url, "drover_worker", "writer", 10000};
    H.sink = pg_sink_new(&H.loop, &config, 1, &H.set, &EVENTS, NULL);
    while (!sink_can_submit(H.sink))
        turn();
}

static void claim(void)
{
    run("SELECT drover.claim('g', 't', 0, 'me')");
    H.epoch = strtoll(ask("SELECT epoch FROM drover.partition_progress"), NULL, 10);
    H.next = strtoll(ask("SELECT next_offset FROM drover.partition_progress"), NULL, 10);
}

static void close_sink(void)
{
    H.closed = false;
    sink_close(H.sink, on_closed);
    while (!H.closed)
        turn();
}

static void setup_with(const char *mapping)
{
    struct error err;
    struct buf text;
    struct schema_roles roles = {"drover_worker", "drover_verifier"};
    memset(&H, 0, sizeof H);
    ck_assert_int_eq(mapping_parse("thing.yaml", bytes_text(mapping), &H.mapping, &err), OUT_OK);
    H.set = (struct mapping_set){&H.mapping, 1};
    mapping_work_init(&H.work);
    uv_loop_init(&H.loop);
    database_create(&H.database, "writer");
    buf_init(&text, 1u << 20);
    schema_sql_all(&text, H.set.items, 1, &roles);
    run(buf_text(&text));
    buf_free(&text);
    open_sink(H.database.url);
    claim();
}

static void setup(void)
{
    setup_with(MAPPING);
}

static void teardown(void)
{
    close_sink();
    uv_run(&H.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&H.loop), 0);
    database_drop(&H.database);
    mapping_work_free(&H.work);
    mapping_free(H.mapping);
}

static struct batch *batch_of(size_t capacity)
{
    struct batch *batch = batch_new(capacity, 256u << 20);
    batch->fence = (struct batch_fence){
        .group = "g", .topic = "t", .epoch = H.epoch, .start = H.next, .end = H.next};
    return batch;
}

static void put_in(struct batch *batch, const char *tenant, const char *id, int64_t version,
                   const char *note, const char *parent)
{
    char json[256];
    struct error err;
    snprintf(json, sizeof json, "{\"id\":\"%s\",\"note\":\"%s\"%s%s%s}", id, note,
             parent ? ",\"parent\":\"" : "", parent ? parent : "", parent ? "\"" : "");
    struct batch_item *item = batch_add(batch, batch->fence.end++);
    struct record record = {.tenant = arena_copy(&batch->arena, bytes_text(tenant)),
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .payload = bytes_text(json)};
    item->mapping = H.mapping;
    ck_assert_int_eq(mapping_forward(H.mapping, &record, &H.work, &batch->arena, &item->row, &err),
                     OUT_OK);
}

static void put(struct batch *batch, const char *id, int64_t version, const char *note)
{
    put_in(batch, "a", id, version, note, NULL);
}

static void submit(struct batch *batch)
{
    int before = H.done;
    while (!sink_can_submit(H.sink))
        turn();
    sink_submit(H.sink, batch);
    while (H.done == before)
        turn();
}

/* As the worker does: again, a few times. */
static enum outcome write_out(struct batch *batch)
{
    batch_close(batch);
    submit(batch);
    for (int tries = 0; H.outcome == OUT_RETRY && tries < 12; tries++) {
        batch_retry(batch);
        submit(batch);
    }
    if (H.outcome == OUT_OK)
        H.next = batch->fence.end;
    return H.outcome;
}

static const char *class_of(const struct batch *batch, size_t at)
{
    return record_class_name(batch->items[at].verdict);
}

/* A trigger raises what stands in `note`. */
#define RAISES                                                                                     \
    "CREATE FUNCTION public.raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "                \
    "IF NEW.note LIKE '%-%' OR NEW.note = '' THEN RETURN NEW; END IF; "                            \
    "RAISE EXCEPTION 'secret %', NEW.id USING ERRCODE = NEW.note; END $$;"

/* ---- W9: what one record raises costs that record ----------------------------------------- */

static void one_among(int rows, const char *state)
{
    char id[32], note[32];
    struct batch *batch = batch_of((size_t)rows);
    int at = rows / 2;
    for (int i = 0; i < rows; i++) {
        bool bad = i == at;
        snprintf(id, sizeof id, "%s-%02d", state, i);
        snprintf(note, sizeof note, "%s", bad ? state : "n-1");
        put(batch, id, 1, note);
    }
    ck_assert_msg(write_out(batch) == OUT_OK, "%s: %s %s (%s)", state, error_code_id(H.err.code),
                  H.err.text, H.err.cause);
    ck_assert_msg(batch_count(batch, CLASS_APPLIED) == (uint64_t)rows - 1, "%s: %d applied", state,
                  (int)batch_count(batch, CLASS_APPLIED));
    const struct batch_item *item = &batch->items[at];
    ck_assert_msg(item->verdict == CLASS_DEAD && item->err, "%s: %s", state,
                  class_of(batch, (size_t)at));
    enum error_code code = strcmp(state, "DR003") == 0 ? ERR_PG_SKIPPED : ERR_PG_DATA;
    ck_assert_msg(item->err->code == code, "%s: %s", state, error_code_id(item->err->code));
    ck_assert_msg(strncmp(item->err->cause, state, 5) == 0, "%s: %s", state, item->err->cause);
    ck_assert_msg(!strstr(item->err->cause, "secret"), "%s", item->err->cause);
    batch_free(batch);
}

static void each_state(int rows)
{
    char state[6] = "", want[32];
    int count = 0;
    for (const char *at = STATES; at < STATES + sizeof STATES; at += 6, count++) {
        memcpy(state, at, 5);
        one_among(rows, state);
    }
    snprintf(want, sizeof want, "%d", count * (rows - 1));
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing"), want);
    ck_assert_int_gt(count, 240);
}

START_TEST(any_state_of_a_row_trigger_is_the_row_s)
{
    setup();
    run(RAISES "CREATE TRIGGER raises BEFORE INSERT ON public.thing FOR EACH ROW "
               "EXECUTE FUNCTION public.raises()");
    each_state(50);
    teardown();
}
END_TEST

START_TEST(any_state_of_a_deferred_trigger_is_the_row_s)
{
    setup();
    run(RAISES "CREATE CONSTRAINT TRIGGER raises AFTER INSERT ON public.thing DEFERRABLE INITIALLY "
               "DEFERRED FOR EACH ROW EXECUTE FUNCTION public.raises()");
    each_state(6);
    teardown();
}
END_TEST

/* Django's foreign keys. Rows that refer to each other, and a child before its parent, are taken
 * whoever else is refused. */
START_TEST(a_foreign_key_checked_at_commit_costs_its_record)
{
    setup();
    run(RAISES "CREATE TRIGGER raises BEFORE INSERT ON public.thing FOR EACH ROW "
               "EXECUTE FUNCTION public.raises();"
               "ALTER TABLE public.thing ADD CONSTRAINT up FOREIGN KEY (isolation_key, parent) "
               "REFERENCES public.thing (isolation_key, id) DEFERRABLE INITIALLY DEFERRED");
    struct batch *batch = batch_of(20);
    put_in(batch, "a", "1", 1, "n-1", "9"); /* which comes later */
    put_in(batch, "a", "2", 1, "n-1", "nowhere");
    put_in(batch, "a", "5", 1, "n-1", NULL);
    put_in(batch, "a", "9", 1, "n-1", "5");
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_str_eq(class_of(batch, 1), record_class_name(CLASS_DEAD));
    ck_assert_int_eq(strncmp(batch->items[1].err->cause, "23503", 5), 0);
    batch_free(batch);
    batch = batch_of(20);
    put_in(batch, "a", "3", 1, "n-1", "4"); /* a circle */
    put_in(batch, "a", "4", 1, "n-1", "3");
    put_in(batch, "a", "6", 1, "45000", NULL);
    put_in(batch, "b", "7", 1, "n-1", "8");
    put_in(batch, "b", "8", 1, "n-1", NULL);
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_str_eq(class_of(batch, 2), record_class_name(CLASS_DEAD));
    ck_assert_str_eq(ask("SELECT string_agg(id, ' ' ORDER BY id) FROM public.thing"),
                     "1 3 4 5 7 8 9");
    batch_free(batch);
    teardown();
}
END_TEST

START_TEST(a_restrictive_policy_refuses_its_row)
{
    setup();
    run("CREATE POLICY even ON public.thing AS RESTRICTIVE FOR ALL USING (true) "
        "WITH CHECK (note <> 'odd')");
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "even");
    put(batch, "2", 1, "odd");
    put(batch, "3", 1, "even");
    ck_assert_msg(write_out(batch) == OUT_OK, "%s: %s (%s)", error_code_id(H.err.code), H.err.text,
                  H.err.cause);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_DEAD);
    ck_assert_int_eq(strncmp(batch->items[1].err->cause, "42501", 5), 0);
    ck_assert_str_eq(ask("SELECT string_agg(id, ' ' ORDER BY id) FROM public.thing"), "1 3");
    batch_free(batch);
    teardown();
}
END_TEST

/* What is no record's fault halts, and nobody is dead-lettered: each row's statement changes the
 * table or the rights. */
static const struct {
    const char *sql;
    enum error_code code;
} HALTS[] = {
    {"REVOKE INSERT ON public.thing FROM drover_worker", ERR_PG_PERMISSION},
    {"REVOKE UPDATE ON public.thing FROM drover_worker", ERR_PG_PERMISSION},
    {"ALTER TABLE public.thing DROP COLUMN note", ERR_PG_SCHEMA},
    {"ALTER TABLE public.thing ALTER COLUMN note TYPE int USING 1", ERR_PG_SCHEMA},
    {"DROP TABLE public.thing", ERR_PG_SCHEMA},
    {"DROP FUNCTION drover.not_written()", ERR_PG_SCHEMA},
    {RAISES "CREATE TRIGGER raises BEFORE INSERT ON public.thing FOR EACH STATEMENT EXECUTE "
            "FUNCTION public.nothing()",
     ERR_PG_PROTOCOL},
};

START_TEST(a_missing_right_or_table_halts)
{
    setup();
    run("CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'closed' USING ERRCODE = '45000'; END $$;");
    run(HALTS[_i].sql);
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "n-1");
    put(batch, "2", 1, "n-1");
    ck_assert_msg(write_out(batch) == OUT_FATAL, "%s", HALTS[_i].sql);
    ck_assert_msg(H.err.code == HALTS[_i].code, "%s: %s", HALTS[_i].sql, error_code_id(H.err.code));
    ck_assert_int_eq(H.rejected, 0);
    batch_free(batch);
    teardown();
}
END_TEST

/* Every row meets what passes: nobody is blamed, however often it is tried. */
START_TEST(what_all_rows_meet_is_the_server_s)
{
    setup();
    run("CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;"
        "CREATE TRIGGER full_disk BEFORE INSERT ON public.thing FOR EACH ROW EXECUTE "
        "FUNCTION public.full()");
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "n-1");
    put(batch, "2", 1, "n-1");
    ck_assert_int_eq(write_out(batch), OUT_RETRY);
    ck_assert_int_eq(H.err.code, ERR_PG_RESOURCE);
    ck_assert_int_eq(H.rejected, 0);
    run("DROP TRIGGER full_disk ON public.thing");
    batch_retry(batch);
    submit(batch);
    ck_assert_int_eq(H.outcome, OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 2);
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- W11: what is not written is not applied ---------------------------------------------- */

static const struct {
    const char *what, *body;
} SKIPS[] = {
    {"skipped", "IF NEW.note = 'bad' THEN RETURN NULL; END IF;"},
    {"another key", "IF NEW.note = 'bad' THEN NEW.id = 'elsewhere'; END IF;"},
    {"another version", "IF NEW.note = 'bad' THEN NEW.drover_version = 7; END IF;"},
};

START_TEST(a_row_that_a_trigger_skips_or_moves_is_named)
{
    char sql[600];
    setup();
    snprintf(sql, sizeof sql,
             "CREATE FUNCTION public.skips() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s "
             "RETURN NEW; END $$; CREATE TRIGGER skips BEFORE INSERT OR UPDATE ON public.thing "
             "FOR EACH ROW EXECUTE FUNCTION public.skips()",
             SKIPS[_i].body);
    run(sql);
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "good");
    put(batch, "2", 1, "bad");
    put(batch, "3", 1, "good");
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_msg(batch->items[1].verdict == CLASS_DEAD, "%s: %s", SKIPS[_i].what,
                  class_of(batch, 1));
    ck_assert_int_eq(batch->items[1].err->code, ERR_PG_SKIPPED);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 2);
    batch_free(batch);
    batch = batch_of(20);
    put(batch, "1", 2, "bad"); /* an update */
    put(batch, "1", 3, "bad");
    put(batch, "3", 1, "good");
    put(batch, "4", 1, "good");
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_int_eq(batch->items[0].verdict, CLASS_DEAD);
    ck_assert_int_eq(batch->items[1].verdict, CLASS_DEAD);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_UNCHANGED);
    ck_assert_int_eq(batch->items[3].verdict, CLASS_APPLIED);
    ck_assert_str_eq(
        ask("SELECT string_agg(id || ':' || drover_version, ' ' ORDER BY id) FROM public.thing"),
        "1:1 3:1 4:1");
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- W3: the savepoint way tells the same classes ------------------------------------------ */

START_TEST(a_refused_record_changes_no_other_s_class)
{
    setup();
    run("ALTER TABLE public.thing ADD CHECK (note <> 'bad')");
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "same");
    put(batch, "2", 1, "old");
    put(batch, "5", 9, "newer");
    put(batch, "6", 1, "first");
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    batch = batch_of(20);
    put(batch, "1", 1, "same");
    put(batch, "2", 2, "newer");
    put(batch, "3", 1, "new");
    put(batch, "4", 1, "bad");
    put(batch, "5", 8, "older");
    put(batch, "6", 1, "second");
    ck_assert_int_eq(write_out(batch), OUT_OK);
    static const enum record_class WANT[] = {CLASS_UNCHANGED, CLASS_APPLIED,    CLASS_APPLIED,
                                             CLASS_DEAD,      CLASS_SUPERSEDED, CLASS_CONFLICT};
    for (size_t i = 0; i < batch->count; i++)
        ck_assert_msg(batch->items[i].verdict == WANT[i], "%d: %s, wanted %s", (int)i + 1,
                      class_of(batch, i), record_class_name(WANT[i]));
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- W16: as many tenants as a batch has records ------------------------------------------- */

enum { MANY = 4200 };

START_TEST(a_batch_of_as_many_tenants_with_one_refusal)
{
    char tenant[16];
    setup();
    run("ALTER TABLE public.thing ADD CHECK (note <> 'bad')");
    struct batch *batch = batch_of(MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(tenant, sizeof tenant, "t%05d", i);
        put_in(batch, tenant, "x", 1, i == 2000 ? "bad" : "good", NULL);
    }
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), MANY - 1);
    ck_assert_int_eq(batch->items[2000].verdict, CLASS_DEAD);
    batch_free(batch);
    claim();
    batch = batch_of(MANY); /* and the redelivery after a crash */
    batch->fence.start = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(tenant, sizeof tenant, "t%05d", i);
        put_in(batch, tenant, "x", 1, i == 2000 ? "bad" : "good", NULL);
    }
    batch->redelivered = true;
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), MANY - 1);
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- several tenants in a statement ------------------------------------------------------- */

/* What an isolation key never is (but for the letters), and what lists and arrays are made of. */
static const char *const TENANTS[] = {
    "a",     "A",     "a ",  " ",    "a,b",       ",",        "'",           "a'b",
    "\\",    "a\\b",  "{a}", "{",    "}",         "NULL",     "null",        "%2C",
    "$1",    "a%2Cb", "a;b", "-- a", "org:srv:p", "\303\251", "\001\t\n",    "b\na",
    "\\054", "*",     "%",   "_",    "a\\,b",     "ABC",      "\"a\",\"b\"", "(SELECT 1)",
};
#define TENANTS_COUNT (sizeof TENANTS / sizeof *TENANTS)
enum { MODEL_IDS = 4, MODEL_ROUNDS = 40, SEED = 15 };

struct held {
    int64_t version;
    int note;
};

static enum record_class expect_class(struct held *held, int64_t version, int note)
{
    if (version < held->version)
        return CLASS_SUPERSEDED;
    if (version == held->version)
        return note == held->note ? CLASS_UNCHANGED : CLASS_CONFLICT;
    *held = (struct held){version, note};
    return CLASS_APPLIED;
}

static size_t count_held(struct held held[TENANTS_COUNT][MODEL_IDS])
{
    size_t count = 0;
    for (size_t t = 0; t < TENANTS_COUNT; t++)
        for (size_t i = 0; i < MODEL_IDS; i++)
            count += held[t][i].version > 0;
    return count;
}

static void must_hold(const char *tenant, size_t id, struct held held)
{
    char sql[400], want[64];
    PGconn *connection = PQconnectdb(H.database.url);
    char *literal = PQescapeLiteral(connection, tenant, strlen(tenant));
    snprintf(sql, sizeof sql,
             "SELECT note || ' ' || drover_version FROM public.thing WHERE isolation_key = %s AND "
             "id = 'i%d'",
             literal, (int)id);
    PQfreemem(literal);
    PQfinish(connection);
    snprintf(want, sizeof want, "n%d %d", held.note, (int)held.version);
    ck_assert_msg(strcmp(ask(sql), held.version ? want : "(none)") == 0, "%s %d: %s, wanted %s",
                  tenant, (int)id, ask(sql), held.version ? want : "(none)");
}

/* Rounds of many new records, and of many that are there: both ways of writing are taken. */
START_TEST(several_tenants_in_a_statement_against_a_model)
{
    struct held held[TENANTS_COUNT][MODEL_IDS] = {0};
    char note[16], id[16], want[16];
    setup();
    srand(SEED);
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        struct batch *batch = batch_of(TENANTS_COUNT * MODEL_IDS);
        enum record_class wanted[TENANTS_COUNT * MODEL_IDS];
        for (size_t t = 0; t < TENANTS_COUNT; t++)
            for (size_t i = 0; i < MODEL_IDS; i++) {
                bool repeat = round % 4 > 1 && rand() % 10 && held[t][i].version;
                int64_t version = repeat ? held[t][i].version : 1 + rand() % (round + 2);
                int said = repeat ? held[t][i].note : rand() % 2;
                if (rand() % 3 == 0)
                    continue;
                snprintf(id, sizeof id, "i%d", (int)i);
                snprintf(note, sizeof note, "n%d", said);
                wanted[batch->count] = expect_class(&held[t][i], version, said);
                put_in(batch, TENANTS[t], id, version, note, NULL);
            }
        ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
        for (size_t i = 0; i < batch->count; i++)
            ck_assert_msg(batch->items[i].verdict == wanted[i], "seed %d round %d %.*s: %s", SEED,
                          round, (int)batch->items[i].row.tenant.size,
                          batch->items[i].row.tenant.data, class_of(batch, i));
        batch_free(batch);
    }
    ck_assert_int_eq(H.rejected, 0);
    snprintf(want, sizeof want, "%zu", count_held(held));
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing"), want);
    for (size_t t = 0; t < TENANTS_COUNT; t++)
        for (size_t i = 0; i < MODEL_IDS; i++)
            must_hold(TENANTS[t], i, held[t][i]);
    teardown();
}
END_TEST

static struct batch *three_tenants(int64_t version)
{
    struct batch *batch = batch_of(20);
    put_in(batch, "a", "1", version, "n-1", NULL);
    put_in(batch, "b", "1", version, "n-1", NULL);
    put_in(batch, "b", "2", version, "n-1", NULL);
    put_in(batch, "c", "1", version, "n-1", NULL);
    return batch;
}

#define WORKERS "current_user = 'drover_worker'"
#define ONE "isolation_key = nullif(current_setting('app.current_tenant_key', true), '')"
#define LISTED                                                                                     \
    "isolation_key IN (SELECT unnest(string_to_array(current_setting('drover.batch_tenants', "     \
    "true), ',')))"

/* Whatever the database has of its own, or an earlier Drover made: written, and nobody is refused.
 * The third row's policy takes listed tenants alone: it shows that they are. */
static const char *const GUARDS[] = {
    "SELECT 1",
    "ALTER POLICY drover_worker ON public.thing USING (" ONE " AND " WORKERS ") WITH CHECK (" ONE
    " AND " WORKERS ")",
    "ALTER POLICY drover_worker ON public.thing USING (" LISTED " AND " WORKERS ") WITH CHECK "
    "(" LISTED " AND " WORKERS ")",
    "CREATE POLICY own ON public.thing AS RESTRICTIVE FOR ALL USING (" ONE " OR "
    "current_user <> 'drover_worker') WITH CHECK (" ONE ")",
    "CREATE FUNCTION public.asks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
    "current_setting('app.current_tenant_key') <> NEW.isolation_key THEN RAISE EXCEPTION 'whose?'; "
    "END IF; RETURN NEW; END $$; CREATE TRIGGER asks AFTER INSERT OR UPDATE ON public.thing FOR "
    "EACH ROW EXECUTE FUNCTION public.asks()",
    "ALTER TABLE public.thing ADD whose text, ADD CHECK (whose = isolation_key); ALTER TABLE "
    "public.thing ALTER whose SET DEFAULT current_setting('app.current_tenant_key', true)",
    "ALTER TABLE public.thing ADD CHECK (isolation_key = "
    "current_setting('app.current_tenant_key')) NOT VALID",
};

START_TEST(a_table_with_guards_of_its_own_is_written_tenant_by_tenant)
{
    setup();
    run(GUARDS[_i]);
    for (int64_t version = 1; version < 3; version++) {
        struct batch *batch = three_tenants(version);
        batch_close(batch);
        submit(batch);
        ck_assert_msg(H.outcome == OUT_OK, "%s: %s (%s)", GUARDS[_i], H.err.text, H.err.cause);
        ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 4);
        ck_assert_uint_eq(batch->refusals, 0);
        H.next = batch->fence.end;
        batch_free(batch);
    }
    ck_assert_int_eq(H.rejected, 0);
    teardown();
}
END_TEST

/* The same, when the table gets them while a worker is at it. */
START_TEST(guards_that_come_later_cost_no_record)
{
    setup();
    struct batch *batch = three_tenants(1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    run(GUARDS[_i]);
    for (int64_t version = 2; version < 5; version++) {
        batch = three_tenants(version);
        ck_assert_msg(write_out(batch) == OUT_OK, "%s: %s (%s)", GUARDS[_i], H.err.text,
                      H.err.cause);
        ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 4);
        ck_assert_msg(version == 2 || batch->refusals == 0, "%s", GUARDS[_i]);
        batch_free(batch);
    }
    /* told: the statement that was refused for nothing, and what is written from then on */
    bool is_guarded = _i != 0 && _i != 2;
    ck_assert_int_eq(H.detours[SINK_SEARCHED_STATEMENT], is_guarded);
    ck_assert_int_eq(H.in_vain, is_guarded);
    ck_assert_int_eq(H.said, H.detours[SINK_TENANT_BY_TENANT] + is_guarded);
    ck_assert_int_eq(H.detours[SINK_TENANT_BY_TENANT], _i != 0 && _i != 2);
    ck_assert_int_eq(H.rejected, 0);
    teardown();
}
END_TEST

/* One that says nothing when it finds no tenant. */
START_TEST(a_trigger_that_comes_later_is_asked_for)
{
    setup();
    struct batch *batch = three_tenants(1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    run("CREATE TABLE public.noted (who text, whose text); GRANT INSERT ON public.noted TO "
        "drover_worker; CREATE FUNCTION public.notes() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN INSERT INTO public.noted VALUES (current_setting('app.current_tenant_key', true), "
        "NEW.isolation_key); RETURN NEW; END $$; CREATE TRIGGER notes AFTER INSERT OR UPDATE ON "
        "public.thing FOR EACH ROW EXECUTE FUNCTION public.notes()");
    usleep(1000 * (PG_TENANTS_KNOWN_MS + 100));
    batch = three_tenants(2);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    ck_assert_str_eq(ask_as("none",
                            "SELECT count(*) || ' ' || count(*) FILTER (WHERE who = whose) FROM "
                            "public.noted"),
                     "4 4");
    teardown();
}
END_TEST

/* A fault of ours: a row of a tenant that its batch does not have. The list, and the search's one
 * tenant, are made of the groups; the row says its own. */
START_TEST(a_row_of_a_tenant_that_is_not_listed_is_refused)
{
    setup();
    struct batch *batch = three_tenants(1);
    batch_close(batch);
    batch->items[2].row.tenant = BYTES_LITERAL("z");
    submit(batch);
    ck_assert_msg(H.outcome == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_int_eq(batch->items[2].verdict, CLASS_DEAD);
    ck_assert_int_eq(strncmp(batch->items[2].err->cause, "42501", 5), 0);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 3);
    ck_assert_str_eq(
        ask("SELECT string_agg(isolation_key || id, ' ' ORDER BY 1) FROM public.thing"),
        "a1 b1 c1");
    batch_free(batch);
    teardown();
}
END_TEST

START_TEST(a_list_of_very_many_long_tenants)
{
    char tenant[256];
    setup();
    struct batch *batch = batch_of(MANY);
    for (int i = 0; i < MANY; i++) {
        memset(tenant, 't', 255);
        snprintf(tenant + 200, 56, "%055d", i);
        put_in(batch, tenant, "x", 1, "n-1", NULL);
    }
    batch_close(batch);
    submit(batch);
    ck_assert_msg(H.outcome == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_uint_eq(batch->groups[0].together, MANY);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), MANY);
    batch_free(batch);
    teardown();
}
END_TEST

/* Tombstones that are to go are noted for each tenant that has some. */
START_TEST(tombstones_of_several_tenants_are_noted)
{
    setup_with(MAPPING "on_delete: hard\n");
    struct batch *batch = three_tenants(1);
    ck_assert_int_eq(write_out(batch), OUT_OK);
    batch_free(batch);
    batch = three_tenants(2);
    batch->items[0].row.deleted = batch->items[3].row.deleted = true;
    ck_assert_int_eq(write_out(batch), OUT_OK);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 4);
    batch_free(batch);
    ck_assert_str_eq(
        ask_as("drover_worker",
               "SELECT string_agg(isolation_key, ' ' ORDER BY isolation_key) FROM drover.purge"),
        "a c");
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing WHERE drover_deleted_at IS NOT NULL"),
                     "2");
    teardown();
}
END_TEST

/* ---- what the table has already ----------------------------------------------------------- */

static void write_three(int64_t version, enum record_class want)
{
    struct batch *batch = three_tenants(version);
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_uint_eq(batch_count(batch, want), 4);
    batch_free(batch);
}

static const char LOCKS[] =
    "SELECT string_agg(ctid || ' ' || xmin || ' ' || xmax, ',' ORDER BY isolation_key, id) FROM "
    "public.thing";

/* The first repetition locks what it meets; from the second on rows are left as they are. */
START_TEST(a_repetition_locks_nothing)
{
    char before[512];
    setup();
    write_three(2, CLASS_APPLIED);
    write_three(2, CLASS_UNCHANGED);
    snprintf(before, sizeof before, "%s", ask(LOCKS));
    write_three(2, CLASS_UNCHANGED);
    ck_assert_str_eq(ask(LOCKS), before);
    write_three(1, CLASS_SUPERSEDED);
    ck_assert_str_eq(ask(LOCKS), before);
    write_three(3, CLASS_APPLIED);
    ck_assert_str_ne(ask(LOCKS), before);
    teardown();
}
END_TEST

/* An emptied table that was vacuumed has statistics that say so; nobody analyses it meanwhile. */
START_TEST(a_plan_made_for_an_empty_table_does_not_stay)
{
    enum { BATCHES = 40, EACH = 50 };
    char id[16];
    setup();
    run("ALTER TABLE public.thing SET (autovacuum_enabled = off);"
        "CREATE INDEX z_other ON public.thing (isolation_key, note);"
        "CREATE INDEX a_other ON public.thing (isolation_key)");
    run("VACUUM public.thing");
    ck_assert_str_eq(ask("SELECT reltuples FROM pg_class WHERE relname = 'thing'"), "0");
    for (int i = 0; i < 2 * BATCHES; i++) {
        struct batch *batch = batch_of(EACH);
        for (int k = 0; k < EACH; k++) {
            snprintf(id, sizeof id, "%05d", i % BATCHES * EACH + k);
            put(batch, id, 1, "n-1");
        }
        ck_assert_int_eq(write_out(batch), OUT_OK);
        ck_assert_uint_eq(batch_count(batch, i < BATCHES ? CLASS_APPLIED : CLASS_UNCHANGED), EACH);
        batch_free(batch);
    }
    close_sink(); /* the backend tells what it read */
    open_sink(H.database.url);
    const char *sql = "SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
                      "WHERE relname = 'thing' AND indexrelname LIKE '%other') FROM "
                      "pg_stat_user_tables WHERE relname = 'thing'";
    while (strcmp(ask("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'thing'"),
                  "2000") != 0)
        usleep(100000);
    ck_assert_msg(strtoll(ask(sql), NULL, 10) <= 2 * BATCHES * EACH, "%s", ask(sql));
    teardown();
}
END_TEST

/* Others at the same rows, whose transaction is not over when the batch looks: `sql` of another
 * worker, and what then becomes of tenant a's row and b's. */
static const struct {
    const char *sql;
    int64_t version;
    enum record_class a, b;
    bool waits;
} OTHERS[] = {
    /* newer, when the batch's is newer than what is seen */
    {"UPDATE public.thing SET drover_version = 9 WHERE isolation_key = 'a'", 5, CLASS_SUPERSEDED,
     CLASS_APPLIED, true},
    /* the same version with other content */
    {"UPDATE public.thing SET drover_version = 5, drover_digest = 'x' WHERE isolation_key = 'a'", 5,
     CLASS_CONFLICT, CLASS_APPLIED, true},
    /* a row that is not there yet */
    {"INSERT INTO public.thing (isolation_key, id, note, drover_version, drover_digest) VALUES "
     "('a', '7', 'x', 9, 'x')",
     2, CLASS_SUPERSEDED, CLASS_UNCHANGED, true},
    /* what is unchanged waits for nobody */
    {"UPDATE public.thing SET drover_version = 9 WHERE isolation_key = 'a'", 2, CLASS_UNCHANGED,
     CLASS_UNCHANGED, false},
};

START_TEST(a_look_is_no_promise)
{
    setup();
    write_three(2, CLASS_APPLIED);
    write_three(2, CLASS_UNCHANGED);
    write_three(2, CLASS_UNCHANGED);
    PGconn *other = PQconnectdb(H.database.url);
    PQclear(PQexec(other, "SET ROLE drover_worker; SET app.current_tenant_key = 'a'; BEGIN"));
    PGresult *result = PQexec(other, OTHERS[_i].sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(other));
    ck_assert_str_eq(PQcmdTuples(result), "1");
    PQclear(result);
    struct batch *batch = batch_of(20);
    put_in(batch, "a", strstr(OTHERS[_i].sql, "INSERT") ? "7" : "1", OTHERS[_i].version, "n-1",
           NULL);
    put_in(batch, "b", "1", OTHERS[_i].version, "n-1", NULL);
    batch_close(batch);
    int before = H.done;
    sink_submit(H.sink, batch);
    for (int i = 0; i < 40 && H.done == before; i++) {
        usleep(10000);
        uv_run(&H.loop, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(H.done > before, !OTHERS[_i].waits);
    PQclear(PQexec(other, "COMMIT"));
    PQfinish(other);
    while (H.done == before)
        turn();
    for (int tries = 0; H.outcome == OUT_RETRY && tries < 5; tries++) {
        batch_retry(batch);
        submit(batch);
    }
    ck_assert_msg(H.outcome == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_msg(batch->items[0].verdict == OTHERS[_i].a, "%s: %s", OTHERS[_i].sql,
                  class_of(batch, 0));
    ck_assert_msg(batch->items[1].verdict == OTHERS[_i].b, "%s: %s", OTHERS[_i].sql,
                  class_of(batch, 1));
    batch_free(batch);
    teardown();
}
END_TEST

/* ---- W12: the answer to COMMIT is lost while the server commits ---------------------------- */

/* One connection after the other, byte by byte; `cut` breaks the client's side and leaves the
 * server's open. */
static struct {
    int listener, port, server_port;
    char server_host[64];
    atomic_bool cut, stop;
    pthread_t thread;
} PROXY;

static int connect_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)PROXY.server_port)};
    inet_pton(AF_INET, PROXY.server_host, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool pass_on(int from, int to)
{
    char bytes[65536];
    ssize_t size = read(from, bytes, sizeof bytes);
    return size > 0 && write(to, bytes, (size_t)size) == size;
}

static void serve_one(int client, int *kept)
{
    int server = connect_server();
    struct pollfd fds[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    while (!atomic_load(&PROXY.stop) && !atomic_load(&PROXY.cut)) {
        poll(fds, 2, 20);
        if ((fds[0].revents && !pass_on(client, server)) ||
            (fds[1].revents && !pass_on(server, client)))
            break;
    }
    close(client);
    if (atomic_exchange(&PROXY.cut, false))
        *kept = server;
    else
        close(server);
}

static void *proxy(void *unused)
{
    int kept = -1;
    (void)unused;
    while (!atomic_load(&PROXY.stop)) {
        struct pollfd fd = {PROXY.listener, POLLIN, 0};
        if (poll(&fd, 1, 20) == 1)
            serve_one(accept(PROXY.listener, NULL, NULL), &kept);
    }
    if (kept >= 0)
        close(kept);
    return NULL;
}

static void start_proxy(char url[600])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    char *host = strchr(H.database.url, '@'), *path = strrchr(H.database.url, '/');
    ck_assert_int_eq(sscanf(host, "@%63[0-9.]:%d", PROXY.server_host, &PROXY.server_port), 2);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    PROXY.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(PROXY.listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(PROXY.listener, 4), 0);
    getsockname(PROXY.listener, (struct sockaddr *)&at, &size);
    snprintf(url, 600, "%.*s127.0.0.1:%d%s", (int)(host + 1 - H.database.url), H.database.url,
             ntohs(at.sin_port), path);
    atomic_store(&PROXY.stop, false);
    atomic_store(&PROXY.cut, false);
    pthread_create(&PROXY.thread, NULL, proxy, NULL);
}

/* `table` has the rows in the end, which `role` sees. */
static void lose_a_commit(const char *table, const char *role)
{
    char url[600], sql[400];
    snprintf(sql, sizeof sql,
             "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
             "PERFORM pg_sleep(3); RETURN NULL; END $$;"
             "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED "
             "FOR EACH ROW WHEN (NEW.note = 'slow') EXECUTE FUNCTION public.slow()",
             table);
    run(sql);
    close_sink();
    start_proxy(url);
    open_sink(url);
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "slow");
    put(batch, "2", 1, "good");
    batch_close(batch);
    sink_submit(H.sink, batch);
    while (H.done == 0 && strcmp(ask_as("none", "SELECT count(*) FROM pg_stat_activity WHERE "
                                                "wait_event = 'PgSleep' AND datname = "
                                                "current_database()"),
                                 "1") != 0)
        uv_run(&H.loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(H.done, 0);
    atomic_store(&PROXY.cut, true);
    while (H.done == 0)
        turn();
    ck_assert_int_eq(H.outcome, OUT_RETRY);
    while (H.outcome == OUT_RETRY) {
        batch_retry(batch);
        submit(batch);
    }
    ck_assert_msg(H.outcome == OUT_OK, "%s: %s (%s)", error_code_id(H.err.code), H.err.text,
                  H.err.cause);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 2);
    ck_assert_str_eq(ask("SELECT next_offset FROM drover.partition_progress"), "2");
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    ck_assert_str_eq(ask_as(role, sql), "2");
    batch_free(batch);
    close_sink();
    atomic_store(&PROXY.stop, true);
    pthread_join(PROXY.thread, NULL);
    close(PROXY.listener);
    open_sink(H.database.url);
}

START_TEST(a_commit_whose_answer_is_lost_is_asked_for_until_it_is_over)
{
    setup();
    lose_a_commit("public.thing", "drover_verifier");
    teardown();
}
END_TEST

/* ---- W18: settings of a role, a server that is read only ----------------------------------- */

START_TEST(a_role_s_settings_do_not_reach_the_writer)
{
    char sql[200];
    setup();
    close_sink();
    run("CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_sleep(0.02); RETURN NEW; END $$;"
        "CREATE TRIGGER slow BEFORE INSERT ON public.thing FOR EACH ROW EXECUTE FUNCTION "
        "public.slow()");
    static const char *const SETTINGS[] = {"statement_timeout = '10ms'", "lock_timeout = '1ms'",
                                           "idle_session_timeout = '200ms'",
                                           "default_transaction_isolation = 'serializable'"};
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
        snprintf(sql, sizeof sql, "ALTER DATABASE %s SET %s", H.database.name, SETTINGS[i]);
        run(sql);
    }
    open_sink(H.database.url);
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "good");
    put(batch, "2", 1, "good");
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_uint_eq(batch_count(batch, CLASS_APPLIED), 2);
    batch_free(batch);
    teardown();
}
END_TEST

START_TEST(a_connection_to_a_standby_is_dropped)
{
    char sql[200], url[1200];
    setup();
    close_sink();
    snprintf(sql, sizeof sql, "ALTER DATABASE %s SET default_transaction_read_only = on",
             H.database.name);
    run(sql);
    open_sink(H.database.url);
    struct batch *batch = batch_of(20);
    put(batch, "1", 1, "good");
    batch_close(batch);
    submit(batch);
    ck_assert_int_eq(H.outcome, OUT_RETRY);
    ck_assert_int_eq(strncmp(H.err.cause, "25006", 5), 0);
    snprintf(url, sizeof url, "%s?options=-c%%20default_transaction_read_only%%3Doff",
             H.database.url);
    snprintf(sql, sizeof sql, "ALTER DATABASE %s RESET default_transaction_read_only",
             H.database.name);
    database_run(url, sql); /* "the failover": sessions that are there keep what they have */
    for (int tries = 0; H.outcome == OUT_RETRY && tries < 3; tries++) {
        batch_retry(batch);
        submit(batch);
    }
    ck_assert_msg(H.outcome == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    batch_free(batch);
    teardown();
}
END_TEST

static void put_many(int first, int count)
{
    char id[32];
    struct batch *batch = batch_of((size_t)count);
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%06d", first + i);
        put(batch, id, 1, "n-1");
    }
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    batch_free(batch);
}

/* The plan kept is from when the table had a page, which nobody reads by its index. */
START_TEST(a_plan_is_made_once_and_probes_the_key_however_the_table_grows)
{
    char before[512];
    setup();
    run("CREATE TABLE public.plans (custom bigint, kept bigint);"
        "CREATE FUNCTION public.note_plans() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN INSERT INTO public.plans SELECT sum(custom_plans), sum(generic_plans) FROM "
        "pg_catalog.pg_prepared_statements WHERE name ~ '^drover_(upsert|looking)_'; "
        "RETURN NULL; END $$;"
        "CREATE TRIGGER plans AFTER INSERT ON public.thing EXECUTE FUNCTION public.note_plans();"
        "GRANT SELECT ON public.plans TO drover_verifier");
    put_many(0, 3);
    close_sink();
    run("VACUUM ANALYZE public.thing");
    open_sink(H.database.url);
    put_many(0, 3);
    snprintf(before, sizeof before, "%s",
             ask("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'thing'"));
    for (int i = 0; i < 8; i++)
        put_many(i * 1000, 2000); /* half of them are there and looked up */
    close_sink();
    ck_assert_str_eq(ask("SELECT count(*) FROM public.plans WHERE kept > 8"), "1");
    ck_assert_str_eq(ask("SELECT count(*) FROM public.plans WHERE custom > 0"), "0");
    ck_assert_str_eq(ask("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'thing'"),
                     before);
    open_sink(H.database.url);
    teardown();
}
END_TEST

/* ---- loads that begin and end while the sink is open (pg_load.h) --------------------------- */

/* As another process begins one. */
static void begin_load(const char *group)
{
    static const struct schema_roles ROLES = {"drover_worker", "drover_verifier"};
    struct buf sql;
    buf_init(&sql, 1u << 20);
    schema_sql_append(&sql,
                      "INSERT INTO drover.load (\"group\", table_schema, table_name) VALUES (%l,"
                      " 'public', 'thing');",
                      group);
    schema_load_sql(&sql, H.mapping, 1, &ROLES);
    run(buf_text(&sql));
    buf_free(&sql);
}

static void write_one(const char *id)
{
    struct batch *batch = batch_of(1);
    put(batch, id, 1, "n-1");
    ck_assert_msg(write_out(batch) == OUT_OK, "%s: %s (%s)", id, H.err.text, H.err.cause);
    ck_assert_str_eq(class_of(batch, 0), record_class_name(CLASS_APPLIED));
    ck_assert_uint_eq(batch->refusals, 0); /* a COPY that PostgreSQL cannot read is refused whole */
    batch_free(batch);
}

START_TEST(a_load_of_the_group_that_begins_is_taken_up)
{
    setup();
    write_one("1");
    begin_load("g");
    write_one("2");
    write_one("3");
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing"), "1");
    ck_assert_str_eq(
        ask_as("drover", "SELECT string_agg(id, ',' ORDER BY id) FROM drover_load.load_1"), "2,3");
    ck_assert_str_eq(ask_as("drover", "SELECT appended FROM drover.load_appended"), "2");
    teardown();
}
END_TEST

START_TEST(a_load_of_another_group_is_waited_for)
{
    setup();
    write_one("1");
    begin_load("other");
    struct batch *batch = batch_of(1);
    put(batch, "2", 1, "n-1");
    batch_close(batch);
    for (int i = 0; i < 3; i++) {
        submit(batch);
        ck_assert_int_eq(H.outcome, OUT_RETRY);
        ck_assert_int_eq(H.err.code, ERR_PG_LOADING);
        ck_assert_str_eq(H.err.where, "public.thing");
        batch_retry(batch);
    }
    run("UPDATE drover.load SET state = 'done';"
        "GRANT INSERT, UPDATE ON public.thing TO drover_worker");
    submit(batch);
    ck_assert_msg(H.outcome == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing"), "2");
    batch_free(batch);
    teardown();
}
END_TEST

/* Appended by a worker that knew of the load, which died before its receipt. */
START_TEST(what_another_worker_appended_is_no_dead_letter)
{
    setup();
    write_one("1");
    begin_load("g");
    run("INSERT INTO drover_load.load_1 (isolation_key, id, note, drover_version, drover_digest,"
        " drover_deleted, drover_load_partition, drover_load_offset) VALUES"
        " ('a', '2', 'n-1', 1, '', false, 0, 1)");
    struct batch *batch = batch_of(1);
    put(batch, "2", 1, "n-1");
    batch->redelivered = true;
    ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
    ck_assert_str_eq(class_of(batch, 0), record_class_name(CLASS_APPLIED));
    batch_free(batch);
    teardown();
}
END_TEST

START_TEST(a_copy_whose_commit_is_lost_is_asked_for_until_it_is_over)
{
    setup();
    begin_load("g");
    lose_a_commit("drover_load.load_1", "drover");
    ck_assert_str_eq(ask("SELECT count(*) FROM public.thing"), "0");
    teardown();
}
END_TEST

/* A COPY that the server refuses, whatever the rows: row level security does not take it, and takes
 * the INSERT of the search. All is right then, and dear: it has to be told. */
START_TEST(a_copy_that_is_always_refused_is_told)
{
    setup();
    begin_load("g");
    run("ALTER TABLE drover_load.load_1 ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON "
        "drover_load.load_1 USING (true)");
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct batch *batch = batch_of(1);
        put(batch, id, 1, "n-1");
        ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
        batch_free(batch);
    }
    ck_assert_int_eq(H.detours[SINK_SEARCHED_COPY], 3);
    ck_assert_int_eq(H.in_vain, 3);
    ck_assert_int_eq(H.said, 1);
    ck_assert_int_eq(H.why.code, ERR_PG_SLOW_WAY);
    ck_assert_str_eq(H.why.where, "public.thing");
    ck_assert_msg(strncmp(H.why.cause, "0A000", 5) == 0, "%s", H.why.cause);
    ck_assert_str_eq(ask_as("drover", "SELECT count(*) FROM drover_load.load_1"), "3");
    teardown();
}
END_TEST

/* A search that finds a record is worth it, and told as no more than a number. */
START_TEST(a_search_that_finds_is_counted)
{
    setup();
    run("ALTER TABLE public.thing ADD CONSTRAINT small CHECK (note <> 'bad')");
    for (int i = 0; i < 2; i++) {
        if (i)
            begin_load("g");
        struct batch *batch = batch_of(2);
        put(batch, i ? "1" : "3", 1, "n-1");
        put(batch, i ? "2" : "4", 1, "bad");
        ck_assert_msg(write_out(batch) == OUT_OK, "%s (%s)", H.err.text, H.err.cause);
        ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 1);
        batch_free(batch);
    }
    ck_assert_int_eq(H.detours[SINK_SEARCHED_STATEMENT], 1);
    ck_assert_int_eq(H.detours[SINK_SEARCHED_COPY], 1);
    ck_assert_str_eq(ask_as("drover", "SELECT appended FROM drover.load_appended"), "1");
    ck_assert_int_eq(H.in_vain, 0);
    ck_assert_int_eq(H.said, 0);
    teardown();
}
END_TEST

static Suite *pg_writer_suite(void)
{
    Suite *suite = suite_create("pg_writer");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, any_state_of_a_row_trigger_is_the_row_s);
    tcase_add_test(tcase, any_state_of_a_deferred_trigger_is_the_row_s);
    tcase_add_test(tcase, a_foreign_key_checked_at_commit_costs_its_record);
    tcase_add_test(tcase, a_restrictive_policy_refuses_its_row);
    tcase_add_loop_test(tcase, a_missing_right_or_table_halts, 0, sizeof HALTS / sizeof *HALTS);
    tcase_add_test(tcase, what_all_rows_meet_is_the_server_s);
    tcase_add_loop_test(tcase, a_row_that_a_trigger_skips_or_moves_is_named, 0,
                        sizeof SKIPS / sizeof *SKIPS);
    tcase_add_test(tcase, a_refused_record_changes_no_other_s_class);
    tcase_add_test(tcase, a_batch_of_as_many_tenants_with_one_refusal);
    tcase_add_test(tcase, several_tenants_in_a_statement_against_a_model);
    tcase_add_loop_test(tcase, a_table_with_guards_of_its_own_is_written_tenant_by_tenant, 0,
                        sizeof GUARDS / sizeof *GUARDS);
    tcase_add_loop_test(tcase, guards_that_come_later_cost_no_record, 0,
                        sizeof GUARDS / sizeof *GUARDS);
    tcase_add_test(tcase, a_trigger_that_comes_later_is_asked_for);
    tcase_add_test(tcase, a_row_of_a_tenant_that_is_not_listed_is_refused);
    tcase_add_test(tcase, a_list_of_very_many_long_tenants);
    tcase_add_test(tcase, tombstones_of_several_tenants_are_noted);
    tcase_add_test(tcase, a_repetition_locks_nothing);
    tcase_add_test(tcase, a_plan_made_for_an_empty_table_does_not_stay);
    tcase_add_loop_test(tcase, a_look_is_no_promise, 0, sizeof OTHERS / sizeof *OTHERS);
    tcase_add_test(tcase, a_commit_whose_answer_is_lost_is_asked_for_until_it_is_over);
    tcase_add_test(tcase, a_role_s_settings_do_not_reach_the_writer);
    tcase_add_test(tcase, a_connection_to_a_standby_is_dropped);
    tcase_add_test(tcase, a_plan_is_made_once_and_probes_the_key_however_the_table_grows);
    suite_add_tcase(suite, tcase);
    TCase *loads = tcase_create("loads");
    tcase_set_timeout(loads, 60);
    tcase_add_test(loads, a_load_of_the_group_that_begins_is_taken_up);
    tcase_add_test(loads, a_copy_that_is_always_refused_is_told);
    tcase_add_test(loads, a_search_that_finds_is_counted);
    tcase_add_test(loads, a_load_of_another_group_is_waited_for);
    tcase_add_test(loads, what_another_worker_appended_is_no_dead_letter);
    tcase_add_test(loads, a_copy_whose_commit_is_lost_is_asked_for_until_it_is_over);
    suite_add_tcase(suite, loads);
    return suite;
}

SUITE_MAIN(pg_writer_suite)
