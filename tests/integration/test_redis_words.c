/* What is pure of Redis: addresses, error replies, names of keys, meta. */

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_script.h"
#include "common/io/redis/redis_url.h"
#include "tests/support/suite.h"

/* ---- addresses --------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum error_code code;
    const char *user, *password, *host, *path;
    unsigned port, database;
    bool local;
} URLS[] = {
    {"redis://localhost", ERR_NONE, "", "", "localhost", "", 6379, 0, true},
    {"redis://127.0.0.1:7000/3", ERR_NONE, "", "", "127.0.0.1", "", 7000, 3, true},
    {"redis://:secret@cache.example:6380", ERR_NONE, "", "secret", "cache.example", "", 6380, 0,
     false},
    {"redis://us%40er:p%3A%2Fw@h/0", ERR_NONE, "us@er", "p:/w", "h", "", 6379, 0, false},
    {"redis://a@b:c@h", ERR_NONE, "a@b", "c", "h", "", 6379, 0, false},
    {"redis://[::1]:6390/1", ERR_NONE, "", "", "::1", "", 6390, 1, true},
    {"redis://[::1]", ERR_NONE, "", "", "::1", "", 6379, 0, true},
    {"unix:///run/redis.sock", ERR_NONE, "", "", "", "/run/redis.sock", 6379, 0, true},
    {"unix://:pw@/run/redis.sock?db=2", ERR_NONE, "", "pw", "", "/run/redis.sock", 6379, 2, true},
    {NULL, ERR_CONF_MISSING, 0, 0, 0, 0, 0, 0, 0},
    {"", ERR_CONF_MISSING, 0, 0, 0, 0, 0, 0, 0},
    {"rediss://h:6379", ERR_REDIS_TLS, 0, 0, 0, 0, 0, 0, 0},
    {"http://h", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://h:0", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://h:65536", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://h:63 79", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://h/db", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://:%00@h", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://:%zz@h", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://[::1", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"redis://[::1]x", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"unix://relative", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
    {"unix:///s?x=1", ERR_CONF_VALUE, 0, 0, 0, 0, 0, 0, 0},
};

START_TEST(urls)
{
    struct redis_url url;
    struct error err = {0};
    enum outcome outcome = redis_url_parse(URLS[_i].text, &url, &err);
    const char *name = URLS[_i].text ? URLS[_i].text : "(null)";
    if (URLS[_i].code != ERR_NONE) {
        ck_assert_msg(outcome == OUT_FATAL && err.code == URLS[_i].code, "%s", name);
        ck_assert_msg(!strstr(err.text, "%00") && !strstr(err.cause, "%00"), "%s", name);
        return;
    }
    ck_assert_msg(outcome == OUT_OK, "%s: %s", name, err.text);
    ck_assert_str_eq(url.user, URLS[_i].user);
    ck_assert_str_eq(url.password, URLS[_i].password);
    ck_assert_str_eq(url.host, URLS[_i].host);
    ck_assert_str_eq(url.path, URLS[_i].path);
    ck_assert_uint_eq(url.port, URLS[_i].port);
    ck_assert_uint_eq(url.database, URLS[_i].database);
    ck_assert_msg(redis_url_is_local(&url) == URLS[_i].local, "%s", name);
}
END_TEST

/* ---- error replies (FAULTS 3.2) ---------------------------------------------------------- */

static const struct {
    const char *reply;
    enum redis_action action;
    enum outcome outcome;
    enum error_code code;
} REPLIES[] = {
    {"LOADING Redis is loading the dataset in memory", ANSWER_RETRY, OUT_RETRY,
     ERR_REDIS_TRANSIENT},
    {"BUSY Redis is busy running a script.", ANSWER_RETRY, OUT_RETRY, ERR_REDIS_TRANSIENT},
    {"TRYAGAIN Multiple keys request during rehashing of slot", ANSWER_RETRY, OUT_RETRY,
     ERR_REDIS_TRANSIENT},
    {"CLUSTERDOWN The cluster is down", ANSWER_RETRY, OUT_RETRY, ERR_REDIS_TRANSIENT},
    {"READONLY You can't write against a read only replica.", ANSWER_RECONNECT, OUT_RETRY,
     ERR_REDIS_TRANSIENT},
    {"MASTERDOWN Link with MASTER is down", ANSWER_RECONNECT, OUT_RETRY, ERR_REDIS_TRANSIENT},
    {"OOM command not allowed when used memory > 'maxmemory'.", ANSWER_RESOURCE, OUT_RETRY,
     ERR_REDIS_RESOURCE},
    {"MISCONF Redis is configured to save RDB snapshots", ANSWER_RESOURCE, OUT_RETRY,
     ERR_REDIS_RESOURCE},
    {"NOREPLICAS Not enough good replicas to write.", ANSWER_RESOURCE, OUT_RETRY,
     ERR_REDIS_RESOURCE},
    {"ERR max number of clients reached", ANSWER_RESOURCE, OUT_RETRY, ERR_REDIS_RESOURCE},
    {"NOSCRIPT No matching script.", ANSWER_SCRIPT, OUT_RETRY, ERR_REDIS_TRANSIENT},
    {"NOAUTH Authentication required.", ANSWER_HALT, OUT_FATAL, ERR_REDIS_AUTH},
    {"WRONGPASS invalid username-password pair or user is disabled.", ANSWER_HALT, OUT_FATAL,
     ERR_REDIS_AUTH},
    {"NOPERM this user has no permissions to run the 'eval' command", ANSWER_HALT, OUT_FATAL,
     ERR_REDIS_AUTH},
    {"ERR unknown command 'EVALSHA', with args beginning with: ", ANSWER_HALT, OUT_FATAL,
     ERR_REDIS_CONFIG},
    {"CROSSSLOT Keys in request don't hash to the same slot", ANSWER_HALT, OUT_FATAL,
     ERR_REDIS_CONFIG},
    {"MOVED 3999 127.0.0.1:6381", ANSWER_HALT, OUT_FATAL, ERR_REDIS_CONFIG},
    {"ASK 3999 127.0.0.1:6381", ANSWER_HALT, OUT_FATAL, ERR_REDIS_CONFIG},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", ANSWER_RECORD, OUT_REJECT,
     ERR_REDIS_UNOWNED},
    {"ERR Error running script (call to f_1): @user_script:7: OOM command not allowed",
     ANSWER_RESOURCE, OUT_RETRY, ERR_REDIS_RESOURCE},
    {"ERR Error running script (call to f_1): @user_script: 7: -READONLY You can't write",
     ANSWER_RECONNECT, OUT_RETRY, ERR_REDIS_TRANSIENT},
    {"EXECABORT Transaction discarded", ANSWER_HALT, OUT_FATAL, ERR_REDIS_PROTOCOL},
    {"ERR syntax error", ANSWER_HALT, OUT_FATAL, ERR_REDIS_PROTOCOL},
    {"", ANSWER_HALT, OUT_FATAL, ERR_REDIS_PROTOCOL},
    {"OOMPH", ANSWER_HALT, OUT_FATAL, ERR_REDIS_PROTOCOL},
};

START_TEST(replies)
{
    struct error err;
    struct bytes reply = bytes_text(REPLIES[_i].reply);
    ck_assert_msg(redis_error_classify(reply, &err) == REPLIES[_i].action, "%s", REPLIES[_i].reply);
    ck_assert_msg(err.outcome == REPLIES[_i].outcome, "%s", REPLIES[_i].reply);
    ck_assert_msg(err.code == REPLIES[_i].code, "%s", REPLIES[_i].reply);
    redis_error_classify(reply, NULL);
}
END_TEST

START_TEST(an_error_names_no_key)
{
    struct error err;
    redis_error_classify(BYTES_LITERAL("ERR something about 'cart:acme:canary'"), &err);
    ck_assert_ptr_null(strstr(err.cause, "canary"));
    ck_assert_str_eq(err.cause, "ERR something about");
}
END_TEST

/* ---- keys and meta ----------------------------------------------------------------------- */

#define COLUMNS                                                                                    \
    "entity: thing\ntable: thing\nkey: [name, number]\nrest: extra\ncolumns:\n"                    \
    "  - { name: name, from: /name, type: text }\n"                                                \
    "  - { name: number, from: /number, type: int4 }\n"

static const struct {
    const char *redis, *key, *glob;
} KEYS[] = {
    {"", "a%3Ab:c/thing/x%20%25:-7", "*/*/**"},
    {"redis: { key: \"t:{isolation_key}:{id}\" }\n", "t:a%3Ab:c:x%20%25:-7", "t:*:**"},
    {"redis: { key: \"{entity}[{isolation_key}]{number}/{name}?\" }\n", "thing[a%3Ab:c]-7/x%20%25?",
     "*\\[*\\]*/*\\?*"},
};

START_TEST(keys)
{
    struct error err;
    struct mapping *mapping;
    struct mapping_work work;
    struct arena arena;
    struct buf text;
    struct row row;
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "%s%s", COLUMNS, KEYS[_i].redis);
    ck_assert_msg(mapping_parse("t.yaml", bytes_text(yaml), &mapping, &err) == OUT_OK, "%s %s",
                  err.text, err.where);
    mapping_work_init(&work);
    arena_init(&arena, 1u << 20);
    buf_init(&text, 4096);
    struct record record = {.tenant = BYTES_LITERAL("a%3Ab:c"),
                            .version = 1,
                            .has_version = true,
                            .index = -1,
                            .payload = BYTES_LITERAL("{\"name\":\"x %\",\"number\":-7}")};
    ck_assert_int_eq(mapping_forward(mapping, &record, &work, &arena, &row, &err), OUT_OK);
    ck_assert(redis_rows_append_key(&text, mapping, row.tenant, row.id, row.cells));
    ck_assert_str_eq(buf_text(&text), KEYS[_i].key);
    buf_reset(&text);
    redis_rows_append_glob(&text, mapping);
    ck_assert_str_eq(buf_text(&text), KEYS[_i].glob);
    buf_free(&text);
    arena_free(&arena);
    mapping_work_free(&work);
    mapping_free(mapping);
}
END_TEST

static const struct {
    int64_t version;
    const char *digits;
} VERSIONS[] = {
    {INT64_MIN, "0000000000000000"},
    {-1, "7fffffffffffffff"},
    {0, "8000000000000000"},
    {1, "8000000000000001"},
    {9007199254740993, "8020000000000001"},
    {INT64_MAX, "ffffffffffffffff"},
};

START_TEST(meta)
{
    struct redis_meta back;
    struct buf text;
    struct mapping mapping = {.entity = "thing"};
    struct row row = {.tenant = BYTES_LITERAL("a:b"),
                      .id = BYTES_LITERAL("x:y"),
                      .version = VERSIONS[_i].version,
                      .deleted = _i % 2,
                      .digest = {{1, 2, 3}}};
    buf_init(&text, 4096);
    redis_meta_append(&text, &mapping, &row);
    ck_assert_int_eq(memcmp(text.data, VERSIONS[_i].digits, 16), 0);
    ck_assert_str_eq(buf_text(&text) + (REDIS_META_MARK + 1), "a:b/thing/x:y");
    ck_assert(redis_meta_parse(buf_view(&text), &back));
    ck_assert_int_eq(back.version, row.version);
    ck_assert_int_eq(back.deleted, row.deleted);
    ck_assert(bytes_equal(back.tenant, row.tenant) && bytes_equal(back.id, row.id));
    ck_assert(row.deleted || digest_equal(&back.digest, &row.digest));
    for (size_t size = 0; size < (REDIS_META_MARK + 1); size++)
        ck_assert(!redis_meta_parse(bytes_of(text.data, size), &back));
    text.data[3] = 'g';
    ck_assert(!redis_meta_parse(buf_view(&text), &back));
    buf_free(&text);
}
END_TEST

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

static Suite *words_suite(void)
{
    Suite *suite = suite_create("redis words");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, urls, 0, COUNT(URLS));
    tcase_add_loop_test(tcase, replies, 0, COUNT(REPLIES));
    tcase_add_test(tcase, an_error_names_no_key);
    tcase_add_loop_test(tcase, keys, 0, COUNT(KEYS));
    tcase_add_loop_test(tcase, meta, 0, COUNT(VERSIONS));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(words_suite)
