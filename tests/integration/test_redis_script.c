/* The script `apply` on a real server: versions, tombstones, strangers' keys, forms, any bytes; and
 * what is read back by the store reader's port. */

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/io/redis/redis_held.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"
#include "common/io/redis/redis_store_reader.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define COLUMNS                                                                                    \
    "table: thing\nkey: [name]\nrest: extra\ncolumns:\n"                                           \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: size, from: /size, type: int4 }\n"                                                \
    "  - { name: price, from: /price, type: \"numeric(10,2)\" }\n"                                 \
    "  - { name: at, from: /at, type: timestamptz }\n"                                             \
    "  - { name: tags, from: /tags, type: \"text[]\" }\n"

#define LIFE_MS 3600000

static struct {
    struct redis_server server;
    struct redis_session session;
    struct redis_rows rows;
    struct mapping *mapping;
    struct mapping_set set;
    struct settings settings;
    struct mapping_work work;
    struct arena arena;
    struct buf command;
    char codes[4096];
} T;

static void setup(const char *redis)
{
    struct error err;
    char yaml[2048];
    memset(&T, 0, sizeof T);
    snprintf(yaml, sizeof yaml, "entity: thing\n%s%s", COLUMNS, redis);
    ck_assert_msg(mapping_parse("t.yaml", bytes_text(yaml), &T.mapping, &err) == OUT_OK, "%s %s",
                  err.text, err.where);
    T.set = (struct mapping_set){&T.mapping, 1};
    redis_server_start(&T.server, NULL);
    T.settings = (struct settings){.redis_url = T.server.url, .storage = STORE_REDIS};
    ck_assert_int_eq(redis_session_open(T.server.url, 5000, true, &T.session, &err), OUT_OK);
    redis_rows_init(&T.rows, true, LIFE_MS);
    mapping_work_init(&T.work);
    arena_init(&T.arena, 64u << 20);
    buf_init(&T.command, 64u << 20);
}

static void teardown(void)
{
    redis_session_close(&T.session);
    redis_server_stop(&T.server);
    redis_rows_free(&T.rows);
    mapping_work_free(&T.work);
    mapping_free(T.mapping);
    arena_free(&T.arena);
    buf_free(&T.command);
}

/* `payload` NULL: a delete of `id`. */
static struct row row_of(const char *tenant, const char *id, int64_t version, struct bytes payload)
{
    struct error err;
    struct row row;
    struct record record = {.tenant = bytes_text(tenant),
                            .id = bytes_text(id),
                            .operation = payload.data ? OP_UPSERT : OP_DELETE,
                            .version = version,
                            .has_version = true,
                            .index = -1,
                            .payload = payload};
    enum outcome outcome = mapping_forward(T.mapping, &record, &T.work, &T.arena, &row, &err);
    ck_assert_msg(outcome == OUT_OK, "%s %s", err.text, err.path);
    return row;
}

static void put(const char *tenant, const char *id, int64_t version, struct bytes payload)
{
    struct error err;
    struct row row = row_of(tenant, id, version, payload);
    enum outcome outcome = redis_rows_add(&T.rows, T.mapping, &row, (struct bytes){0}, &err);
    ck_assert_msg(outcome == OUT_OK, "%s", err.text);
}

static void put_size(const char *tenant, const char *name, int64_t version, int size)
{
    char json[128];
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%d}", name, size);
    put(tenant, "", version, bytes_text(json));
}

static void send_call(struct redis_session *session, char mode)
{
    size_t words;
    buf_reset(&T.command);
    ck_assert(redis_rows_append_call(&T.rows, mode, NULL, &T.command, &words));
    redis_session_call(session, SCRIPT_APPLY, buf_view(&T.command), words);
    redis_rows_reset(&T.rows);
    arena_reset(&T.arena);
}

/* Status and codes of one call. */
static const char *call(char mode)
{
    struct error err;
    redisReply *reply;
    send_call(&T.session, mode);
    enum outcome outcome = redis_session_take(&T.session, &reply, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", err.text, err.cause);
    ck_assert(reply->len < sizeof T.codes);
    memcpy(T.codes, reply->str, reply->len + 1);
    freeReplyObject(reply);
    return T.codes;
}

#define GET(key) REDIS_ASK(&T.server, "GET", key)

/* ---- versions ---------------------------------------------------------------------------- */

START_TEST(versions_of_64_bits_are_compared_exactly)
{
    setup("");
    put_size("a", "x", INT64_C(9007199254740993), 1); /* 2^53 + 1 */
    ck_assert_str_eq(call('w'), "ka");
    put_size("a", "x", INT64_C(9007199254740992), 2);
    ck_assert_str_eq(call('w'), "ks");
    put_size("a", "x", INT64_C(9007199254740993), 1);
    ck_assert_str_eq(call('w'), "ku");
    put_size("a", "x", INT64_C(9007199254740993), 3);
    ck_assert_str_eq(call('w'), "kc");
    put_size("a", "x", INT64_C(9007199254740994), 4);
    put_size("a", "n", INT64_MIN, 1);
    ck_assert_str_eq(call('w'), "kaa");
    put_size("a", "n", -1, 2);
    put_size("a", "x", INT64_MAX, 5);
    ck_assert_str_eq(call('w'), "kaa");
    put_size("a", "n", -2, 3);
    ck_assert_str_eq(call('w'), "ks");
    ck_assert_str_eq(GET("a/thing/x"), "{\"name\":\"x\",\"size\":5}");
    ck_assert_str_eq(GET("a/thing/n"), "{\"name\":\"n\",\"size\":2}");
    teardown();
}
END_TEST

START_TEST(a_tombstone_keeps_the_version)
{
    setup("");
    put_size("a", "x", 5, 1);
    ck_assert_str_eq(call('w'), "ka");
    put("a", "x", 7, (struct bytes){0});
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "a/thing/x"), "0");
    long ttl = strtol(REDIS_ASK(&T.server, "PTTL", "a/thing/x:v"), NULL, 10);
    ck_assert_msg(ttl > LIFE_MS - 60000 && ttl <= LIFE_MS, "%ld", ttl);
    put_size("a", "x", 6, 2); /* a zombie's late write */
    ck_assert_str_eq(call('w'), "ks");
    put("a", "x", 7, (struct bytes){0});
    ck_assert_str_eq(call('w'), "ku");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "a/thing/x"), "0");
    put_size("a", "x", 8, 3);
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(GET("a/thing/x"), "{\"name\":\"x\",\"size\":3}");
    ck_assert_str_eq(REDIS_ASK(&T.server, "PTTL", "a/thing/x:v"), "-1");
    teardown();
}
END_TEST

START_TEST(versions_of_a_record_follow_each_other_in_one_call)
{
    setup("");
    put_size("a", "x", 5, 1);
    put_size("a", "x", 6, 2);
    put_size("a", "x", 4, 3);
    put("a", "x", 7, (struct bytes){0});
    put_size("a", "x", 8, 4);
    put_size("a", "x", 8, 4);
    ck_assert_str_eq(call('w'), "kaasaau");
    ck_assert_str_eq(GET("a/thing/x"), "{\"name\":\"x\",\"size\":4}");
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "2");
    teardown();
}
END_TEST

/* SCRIPT FLUSH costs the call its place among the answers, not among what is taken. */
START_TEST(replies_are_taken_in_the_order_of_the_commands)
{
    struct error err;
    redisReply *reply;
    setup("");
    for (int i = 1; i <= 3; i++) {
        ck_assert_str_eq(REDIS_ASK(&T.server, "SCRIPT", "FLUSH"), "OK");
        put_size("a", "x", i, 1);
        send_call(&T.session, 'w');
        redis_session_ask(&T.session, BYTES_LITERAL("PING"));
        redis_session_ask(&T.session, BYTES_LITERAL("GET"), BYTES_LITERAL("none"));
        ck_assert_int_eq(redis_session_take(&T.session, &reply, &err), OUT_OK);
        ck_assert_str_eq(reply->str, "ka");
        freeReplyObject(reply);
        ck_assert_int_eq(redis_session_take(&T.session, &reply, &err), OUT_OK);
        ck_assert_str_eq(reply->str, "PONG");
        freeReplyObject(reply);
        ck_assert_int_eq(redis_session_take(&T.session, &reply, &err), OUT_OK);
        ck_assert_int_eq(reply->type, REDIS_REPLY_NIL);
        freeReplyObject(reply);
    }
    teardown();
}
END_TEST

START_TEST(offsets_never_go_back)
{
    const char *checkpoint = redis_script_text(SCRIPT_CHECKPOINT);
    const char *apply = redis_script_text(SCRIPT_APPLY);
    setup("");
    REDIS_ASK(&T.server, "EVAL", checkpoint, "1", "p", "claim", "me");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EVAL", checkpoint, "1", "p", "set", "1", "10", "8"),
                     "k");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EVAL", checkpoint, "1", "p", "set", "1", "9", "12"),
                     "k");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "p", "redis_next"), "10");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "p", "results_next"), "12");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EVAL", apply, "1", "p", "w", "0", "1", "1", "0", "20",
                               "15", "9", "{}", "0"),
                     "k");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "p", "redis_next"), "15");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "p", "results_next"), "12");
    teardown();
}
END_TEST

START_TEST(classifying_writes_nothing)
{
    setup("");
    put_size("a", "x", 5, 1);
    call('w');
    put_size("a", "x", 6, 1);
    put_size("a", "y", 1, 1);
    put_size("a", "x", 5, 1);
    ck_assert_str_eq(call('l'), "knnu"); /* each version of a record against what is there */
    put_size("a", "x", 5, 1);
    ck_assert_str_eq(call('l'), "ku");
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "2");
    teardown();
}
END_TEST

/* 64 connections, each with a shuffled share of 10,000 versions of 100 keys, all under way at once:
 * the greatest stays, and none is counted as applied after a greater one (R13). */
START_TEST(writers_out_of_order_never_regress)
{
    enum { WRITERS = 64, KEYS = 100, VERSIONS = 10000 };
    struct redis_session writers[WRITERS];
    struct error err;
    static int order[VERSIONS];
    char name[16], key[32], want[64];
    setup("");
    srand(11);
    for (int i = 0; i < VERSIONS; i++)
        order[i] = i;
    for (int i = VERSIONS - 1; i > 0; i--) {
        int other = rand() % (i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(redis_session_open(T.server.url, 20000, false, &writers[i], &err), OUT_OK);
    for (int i = 0; i < VERSIONS; i++) {
        snprintf(name, sizeof name, "k%d", order[i] % KEYS);
        put_size("a", name, order[i], order[i]);
        send_call(&writers[i % WRITERS], 's');
    }
    for (int i = 0; i < VERSIONS; i++) {
        redisReply *reply;
        ck_assert_int_eq(redis_session_take(&writers[i % WRITERS], &reply, &err), OUT_OK);
        ck_assert(reply->str[1] == 'a' || reply->str[1] == 's');
        freeReplyObject(reply);
    }
    for (int i = 0; i < KEYS; i++) {
        int last = VERSIONS - KEYS + i;
        snprintf(key, sizeof key, "a/thing/k%d", last % KEYS);
        snprintf(want, sizeof want, "{\"name\":\"k%d\",\"size\":%d}", last % KEYS, last);
        ck_assert_str_eq(GET(key), want);
    }
    for (int i = 0; i < WRITERS; i++)
        redis_session_close(&writers[i]);
    teardown();
}
END_TEST

/* More strings than one question is asked about: what a run has in common is no more than its form;
 * all new ones, the same again, and a mixture in which each has its own answer. */
START_TEST(each_of_a_long_run_has_its_own_answer)
{
    enum { RECORDS = 1200 };
    char name[16], want[RECORDS + 2];
    setup("");
    for (int pass = 0; pass < 3; pass++) {
        memset(want, pass == 1 ? 'u' : 'a', sizeof want);
        want[0] = 'k';
        want[RECORDS + 1] = '\0';
        for (int i = 0; i < RECORDS; i++) {
            snprintf(name, sizeof name, "%s%d", pass == 2 && i % 5 == 0 ? "new" : "k", i);
            if (pass == 2 && i % 5 == 1)
                put("a", name, 6, (struct bytes){0});
            else if (pass == 2 && i % 5 == 2)
                put_size("a", name, 4, i);
            else if (pass == 2 && i % 5 == 3)
                put_size("a", name, 5, i + 1);
            else
                put_size("a", name, pass == 2 ? 6 : 5, i);
            if (pass == 2)
                want[i + 1] = "aasca"[i % 5];
        }
        ck_assert_str_eq(call('w'), want);
    }
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "a/thing/k1196"), "0");
    ck_assert_str_eq(GET("a/thing/new1195"), "{\"name\":\"new1195\",\"size\":1195}");
    ck_assert_str_eq(GET("a/thing/k1199"), "{\"name\":\"k1199\",\"size\":1199}");
    ck_assert_int_eq(strncmp(GET("a/thing/k1199:v"), "8000000000000006", 16), 0);
    ck_assert_int_eq(strncmp(GET("a/thing/k1197:v"), "8000000000000005", 16), 0);
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "2640"); /* of each two, a tombstone has one */
    teardown();
}
END_TEST

/* A key that comes again in a later run of the same call: of the same record, and of another. */
START_TEST(versions_follow_each_other_across_runs)
{
    char name[16];
    setup("redis: { key: \"t:{isolation_key}{name}\" }\n");
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "k%d", i);
        put_size("a", name, 5, i);
    }
    put_size("a", "k499", 6, 1);
    put_size("a", "k0", 4, 1);
    put_size("ak", "1", 9, 1);
    put_size("a", "k2", 5, 2);
    const char *codes = call('s');
    ck_assert_str_eq(codes + 501, "asfu");
    ck_assert_str_eq(GET("t:ak499"), "{\"name\":\"k499\",\"size\":1}");
    ck_assert_str_eq(GET("t:ak0"), "{\"name\":\"k0\",\"size\":0}");
    ck_assert_str_eq(GET("t:ak1"), "{\"name\":\"k1\",\"size\":1}");
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "1000");
    teardown();
}
END_TEST

/* ---- strangers --------------------------------------------------------------------------- */

START_TEST(strangers_keys_are_never_touched)
{
    char name[16], key[32];
    setup("");
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "a/thing/k%d", i);
        if (i % 4 == 0)
            REDIS_ASK(&T.server, "LPUSH", key, "theirs");
        else if (i % 4 == 1)
            REDIS_ASK(&T.server, "SET", key, "theirs");
        else if (i % 4 == 2)
            REDIS_ASK(&T.server, "HSET", key, "f", "theirs");
        else
            REDIS_ASK(&T.server, "SADD", key, "theirs");
    }
    for (int i = 0; i < 101; i++) {
        snprintf(name, sizeof name, "k%d", i);
        put_size("a", name, 1, 1);
    }
    const char *codes = call('w'); /* all or nothing */
    ck_assert(codes[0] == 'f' && codes[1] == 'f' && codes[100] == 'f' && codes[101] == 'a');
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "a/thing/k100"), "0");
    for (int i = 0; i < 101; i++) {
        snprintf(name, sizeof name, "k%d", i);
        if (i % 2)
            put("a", name, 1, (struct bytes){0});
        else
            put_size("a", name, 1, 1);
    }
    codes = call('s'); /* all others */
    ck_assert(codes[0] == 'k' && codes[1] == 'f' && codes[2] == 'f' && codes[101] == 'a');
    ck_assert_str_eq(REDIS_ASK(&T.server, "LRANGE", "a/thing/k0", "0", "-1"), "(1)");
    ck_assert_str_eq(GET("a/thing/k1"), "theirs");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "a/thing/k2", "f"), "theirs");
    ck_assert_str_eq(REDIS_ASK(&T.server, "SCARD", "a/thing/k3"), "1");
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "102");
    teardown();
}
END_TEST

/* Two versions of a record whose key is a stranger's: the second one finds no better ground. */
START_TEST(a_strangers_key_is_one_for_each_version)
{
    setup("");
    REDIS_ASK(&T.server, "SET", "a/thing/x", "theirs");
    REDIS_ASK(&T.server, "LPUSH", "a/thing/y:v", "theirs");
    for (int version = 5; version < 7; version++) {
        put_size("a", "x", version, 1);
        put_size("a", "y", version, 1);
        put_size("a", "z", version, 1);
    }
    ck_assert_str_eq(call('s'), "kffaffa");
    ck_assert_str_eq(GET("a/thing/x"), "theirs");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "a/thing/y"), "0");
    ck_assert_str_eq(REDIS_ASK(&T.server, "LLEN", "a/thing/y:v"), "1");
    ck_assert_str_eq(REDIS_ASK(&T.server, "DBSIZE"), "4");
    teardown();
}
END_TEST

/* Another tenant's record under a key of ours is a stranger's as well (P4). */
START_TEST(a_key_has_one_owner)
{
    setup("");
    put_size("a", "x", 5, 1);
    call('w');
    const char *meta = GET("a/thing/x:v");
    char other[256];
    snprintf(other, sizeof other, "%.49sb/thing/x", meta);
    REDIS_ASK(&T.server, "SET", "a/thing/x:v", other);
    put_size("a", "x", 9, 2);
    ck_assert_str_eq(call('s'), "kf");
    ck_assert_str_eq(GET("a/thing/x"), "{\"name\":\"x\",\"size\":1}");
    teardown();
}
END_TEST

/* ---- forms ------------------------------------------------------------------------------- */

#define FULL                                                                                       \
    "{\"at\":\"2024-01-15T10:30:00.123Z\",\"name\":\"x\",\"price\":1.5,\"size\":3,"                \
    "\"tags\":[\"a\",null,\"b \\\"c\\\"\"],\"z\":{\"deep\":[1]}}"

START_TEST(a_hash_has_a_field_a_column)
{
    setup("redis: { key: \"thing:{isolation_key}:{name}\", value: hash, ttl: 90s }\n");
    put("a", "", 5, BYTES_LITERAL(FULL));
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "name"), "x");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "size"), "3");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "price"), "1.50");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "at"), "2024-01-15T10:30:00.123Z");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "tags"),
                     "{\"a\",NULL,\"b \\\"c\\\"\"}");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "extra"), "{\"z\":{\"deep\":[1]}}");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "_j"), FULL);
    long ttl = strtol(REDIS_ASK(&T.server, "PTTL", "thing:a:x"), NULL, 10);
    ck_assert_msg(ttl > 30000 && ttl <= 90000, "%ld", ttl);
    put_size("a", "x", 6, 4); /* members that are gone leave no field behind */
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HEXISTS", "thing:a:x", "price"), "0");
    ck_assert_str_eq(REDIS_ASK(&T.server, "HGET", "thing:a:x", "size"), "4");
    put("a", "x", 7, (struct bytes){0});
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "thing:a:x"), "0");
    put_size("a", "x", 6, 5);
    ck_assert_str_eq(call('w'), "ks");
    put_size("a", "x", 8, 5);
    ck_assert_str_eq(call('w'), "ka");
    ck_assert_str_eq(REDIS_ASK(&T.server, "EXISTS", "thing:a:x:v"), "0");
    teardown();
}
END_TEST

START_TEST(a_value_fades_before_its_version)
{
    setup("redis: { key: \"thing:{isolation_key}:{name}\", ttl: 90s }\n");
    put_size("a", "x", 5, 1);
    ck_assert_str_eq(call('w'), "ka");
    long value = strtol(REDIS_ASK(&T.server, "PTTL", "thing:a:x"), NULL, 10);
    long version = strtol(REDIS_ASK(&T.server, "PTTL", "thing:a:x:v"), NULL, 10);
    ck_assert(value > 30000 && value <= 90000 && version > LIFE_MS && version <= LIFE_MS + 90000);
    REDIS_ASK(&T.server, "DEL", "thing:a:x"); /* as time would */
    put_size("a", "x", 4, 2);
    ck_assert_str_eq(call('w'), "ks");
    put_size("a", "x", 5, 1);
    ck_assert_str_eq(call('w'), "ka");
    teardown();
}
END_TEST

/* ---- any bytes, and back ----------------------------------------------------------------- */

static const struct {
    const char *tenant, *json;
} STRANGE[] = {
    {"acme", "{\"name\":\"plain\"}"},
    {"a%2Fb:c%3Ad", "{\"name\":\"100% %s%n %00 /:{}[]*?\\\\\"}"},
    {"t%20", "{\"name\":\"nul\\u0001 tab\\t nl\\r\\n quote\\\" \xc3\xa4\xf0\x9f\x98\x80\"}"},
    {"%E2%80%AE", "{\"name\":\"\xe2\x80\xae\xef\xbb\xbf\xc2\x85 $(id) `id` ;--\"}"},
    {"v", "{\"name\":\"x:v\"}"},
    {"v", "{\"name\":\"x\"}"},
    {"z", "{\"name\":\" \"}"},
};
enum { STRANGERS = sizeof STRANGE / sizeof *STRANGE };

static void read_back(const char *redis)
{
    struct store_reader *reader;
    struct stored_record stored;
    struct error err;
    int records = 0, deleted = 0;
    bool found;
    setup(redis);
    for (int i = 0; i < STRANGERS; i++)
        put(STRANGE[i].tenant, "", i, bytes_text(STRANGE[i].json));
    call('w');
    for (int i = 0; i < 600; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        put("many", name, 1, (struct bytes){0});
    }
    ck_assert_int_eq(call('w')[600], 'a');
    ck_assert_int_eq(redis_store_reader_open(&T.settings, &T.set, true, &reader, &err), OUT_OK);
    for (;;) {
        ck_assert_int_eq(reader->ops->next(reader, &stored, &err), OUT_OK);
        if (!stored.mapping)
            break;
        deleted += stored.deleted;
        records++;
        if (stored.deleted)
            continue;
        ck_assert(stored.version >= 0 && stored.version < STRANGERS);
        ck_assert(bytes_equal(stored.tenant, bytes_text(STRANGE[stored.version].tenant)));
        struct bytes id = stored.id, tenant = stored.tenant;
        struct stored_record one;
        ck_assert_int_eq(reader->ops->find(reader, T.mapping, tenant, id, &one, &found, &err),
                         OUT_OK);
        ck_assert(found && bytes_equal(one.json, stored.json) && one.version == stored.version);
    }
    ck_assert_int_eq(records, STRANGERS + 600);
    ck_assert_int_eq(deleted, 600);
    ck_assert_int_eq(reader->ops->find(reader, T.mapping, BYTES_LITERAL("acme"),
                                       BYTES_LITERAL("absent"), &stored, &found, &err),
                     OUT_OK);
    ck_assert(!found);
    reader->ops->close(reader);
    teardown();
}

START_TEST(any_bytes_come_back_from_strings)
{
    read_back("");
}
END_TEST

START_TEST(any_bytes_come_back_from_hashes)
{
    read_back("redis: { key: \"t:{isolation_key}:{name}\", value: hash }\n");
}
END_TEST

/* What a worker's call leaves in Redis is what the verifier expects there, of each row of a run. */
static void compare_with_what_is_held(const char *redis)
{
    enum { ROWS = 40 };
    struct redis_held *held;
    struct redis_finding finding;
    struct error err;
    char name[16];
    bool found;
    setup(redis);
    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            ck_assert_int_eq(redis_held_open(&T.settings, &held, &err), OUT_OK);
        for (int i = 0; i < ROWS; i++) {
            snprintf(name, sizeof name, "k%d", i);
            bool deleted = i % 8 == 7;
            char json[64];
            snprintf(json, sizeof json, "{\"name\":\"%s\",\"size\":%d}", name,
                     i + (pass && i % 8 == 3));
            struct bytes payload = deleted ? (struct bytes){0} : bytes_text(json);
            int64_t version = 5 + (pass && i % 8 == 4);
            struct row row = row_of("a", deleted ? name : "", version, payload);
            if (pass)
                ck_assert_int_eq(redis_held_ask(held, T.mapping, &row, payload, NULL, &err),
                                 OUT_OK);
            else
                ck_assert_int_eq(redis_rows_add(&T.rows, T.mapping, &row, payload, &err), OUT_OK);
        }
        if (!pass)
            call('w');
    }
    for (int i = 0; i < ROWS; i++) {
        ck_assert_int_eq(redis_held_take(held, &finding, &found, &err), OUT_OK);
        enum redis_state want = i % 8 == 3 ? REDIS_OTHER : i % 8 == 4 ? REDIS_STALE : REDIS_RIGHT;
        ck_assert_msg(found && finding.state == want, "%d: %d %s", i, finding.state,
                      finding.reason ? finding.reason : "");
    }
    redis_held_close(held);
    teardown();
}

START_TEST(what_is_written_is_what_must_be_held)
{
    compare_with_what_is_held("redis: { key: \"t:{isolation_key}:{name}\" }\n");
    compare_with_what_is_held("redis: { key: \"t:{isolation_key}:{name}\", ttl: 90s }\n");
    compare_with_what_is_held(
        "redis: { key: \"t:{isolation_key}:{name}\", value: hash, ttl: 9h }\n");
}
END_TEST

/* What mapping_forward keeps is what the inverse gives, and it keeps nothing where they differ. */
START_TEST(kept_json_is_what_the_row_gives_back)
{
    static const char *const RECORDS[] = {
        FULL, "{\"name\":\"x\",\"size\":null,\"b\":1.50,\"a\":[1e2,{\"z\":0.10,\"y\":null}]}",
        "{\"price\":2.50,\"at\":\"2024-01-15T10:30:00+02:00\",\"name\":\"\\u00e4\",\"tags\":[]}"};
    setup("");
    for (size_t i = 0; i < sizeof RECORDS / sizeof *RECORDS; i++) {
        struct buf kept;
        buf_init(&kept, 1u << 20);
        T.work.keep_json = true;
        put("a", "", 1, bytes_text(RECORDS[i]));
        buf_append_bytes(&kept, buf_view(&T.rows.words));
        redis_rows_reset(&T.rows);
        T.work.keep_json = false;
        put("a", "", 1, bytes_text(RECORDS[i]));
        ck_assert_msg(bytes_equal(buf_view(&kept), buf_view(&T.rows.words)), "%s", RECORDS[i]);
        redis_rows_reset(&T.rows);
        buf_free(&kept);
    }
    T.mapping->columns[1].withhold = true;
    struct row row;
    struct error err;
    struct record record = {.tenant = BYTES_LITERAL("a"),
                            .version = 1,
                            .has_version = true,
                            .index = -1,
                            .payload = BYTES_LITERAL("{\"name\":\"x\"}")};
    T.work.keep_json = true;
    ck_assert_msg(mapping_forward(T.mapping, &record, &T.work, &T.arena, &row, &err) == OUT_OK,
                  "%s %s", err.text, err.path);
    ck_assert_uint_eq(row.json.size, 0);
    T.mapping->columns[1].withhold = false;
    ck_assert_int_eq(mapping_forward(T.mapping, &record, &T.work, &T.arena, &row, &err), OUT_OK);
    ck_assert(bytes_equal(row.json, record.payload));
    teardown();
}
END_TEST

static Suite *script_suite(void)
{
    Suite *suite = suite_create("redis script");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, versions_of_64_bits_are_compared_exactly);
    tcase_add_test(tcase, a_tombstone_keeps_the_version);
    tcase_add_test(tcase, versions_of_a_record_follow_each_other_in_one_call);
    tcase_add_test(tcase, replies_are_taken_in_the_order_of_the_commands);
    tcase_add_test(tcase, offsets_never_go_back);
    tcase_add_test(tcase, classifying_writes_nothing);
    tcase_add_test(tcase, writers_out_of_order_never_regress);
    tcase_add_test(tcase, each_of_a_long_run_has_its_own_answer);
    tcase_add_test(tcase, versions_follow_each_other_across_runs);
    tcase_add_test(tcase, strangers_keys_are_never_touched);
    tcase_add_test(tcase, a_strangers_key_is_one_for_each_version);
    tcase_add_test(tcase, a_key_has_one_owner);
    tcase_add_test(tcase, a_hash_has_a_field_a_column);
    tcase_add_test(tcase, a_value_fades_before_its_version);
    tcase_add_test(tcase, what_is_written_is_what_must_be_held);
    tcase_add_test(tcase, kept_json_is_what_the_row_gives_back);
    tcase_add_test(tcase, any_bytes_come_back_from_strings);
    tcase_add_test(tcase, any_bytes_come_back_from_hashes);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(script_suite)
