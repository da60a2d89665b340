/* The asynchronous connection on a real server: every command its own answer, whatever the server
 * does; bounded memory; what is refused for good and what is waited for. */

#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/text.h"
#include "common/io/redis/redis_client.h"
#include "common/io/redis/redis_error.h"
#include "common/io/redis/redis_wire.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct {
    struct redis_server server;
    uv_loop_t loop;
    struct redis_client *client;
    struct buf command;
    int ready, lost, answers, nothing, mismatches, errors;
    struct error err;
    bool closed;
} T;

static void on_ready(void *owner)
{
    (void)owner;
    T.ready++;
}

static void on_lost(void *owner, const struct error *err)
{
    (void)owner;
    T.lost++;
    T.err = *err;
}

static void on_closed(void *owner)
{
    (void)owner;
    T.closed = true;
}

static void open_client(const char *url, uint32_t answer_ms)
{
    static const struct redis_client_events EVENTS = {on_ready, on_lost};
    struct redis_client_config config = {url, 2000, answer_ms};
    struct error err;
    enum outcome outcome = redis_client_new(&T.loop, &config, &EVENTS, NULL, &T.client, &err);
    ck_assert_msg(outcome == OUT_OK, "%s", err.text);
}

static void setup(const char *const *options)
{
    memset(&T, 0, sizeof T);
    redis_server_start(&T.server, options);
    uv_loop_init(&T.loop);
    buf_init(&T.command, 8u << 20);
}

static void teardown(void)
{
    redis_client_close(T.client, on_closed);
    uv_run(&T.loop, UV_RUN_DEFAULT);
    ck_assert(T.closed);
    ck_assert_int_eq(uv_loop_close(&T.loop), 0);
    redis_server_stop(&T.server);
    buf_free(&T.command);
}

static void run_until(const int *count, int least)
{
    while (*count < least)
        uv_run(&T.loop, UV_RUN_ONCE);
}

/* Each ECHO says its number; the answer must be that one, an error, or nothing. */
static void on_echo(void *owner, void *item, const redisReply *reply)
{
    int64_t said;
    (void)owner;
    T.answers++;
    if (!reply)
        T.nothing++;
    else if (reply->type == REDIS_REPLY_ERROR)
        T.errors++;
    else if (!text_parse_int64(bytes_of(reply->str, reply->len), &said) ||
             said != (int64_t)(intptr_t)item)
        T.mismatches++;
}

static void echo(int number)
{
    buf_reset(&T.command);
    redis_wire_begin(&T.command, 2);
    redis_wire_text(&T.command, "ECHO");
    redis_wire_number(&T.command, number);
    redis_client_send(T.client, buf_view(&T.command), on_echo, (void *)(intptr_t)number);
}

/* R08: a server that stops answering is left; its late answers are nobody's. */
START_TEST(a_late_answer_is_never_another_commands)
{
    setup(NULL);
    open_client(T.server.url, 100);
    for (int round = 0, number = 0; round < 20; round++) {
        run_until(&T.ready, round + 1);
        for (int i = 0; i < 50; i++)
            echo(number++);
        run_until(&T.answers, number);
        if (round % 2)
            REDIS_ASK(&T.server, "CLIENT", "PAUSE", "300", "ALL");
        else
            redisAppendCommand(T.server.control, "DEBUG SLEEP 0.3"),
                redisBufferWrite(T.server.control, &(int){0});
        redis_server_wait_silent(&T.server);
        for (int i = 0; i < 50; i++)
            echo(number++);
        run_until(&T.answers, number);
        run_until(&T.lost, round + 1);
        if (round % 2 == 0) {
            void *reply;
            ck_assert_int_eq(redisGetReply(T.server.control, &reply), REDIS_OK);
            freeReplyObject(reply);
        }
        T.lost = round + 1; /* the new connection may wait for the end of the pause too */
    }
    ck_assert_int_eq(T.mismatches, 0);
    ck_assert_int_ge(T.nothing, 20 * 50);
    teardown();
}
END_TEST

static void fill(void)
{
    char *value = NULL;
    buf_reset(&T.command);
    redis_wire_begin(&T.command, 3);
    redis_wire_text(&T.command, "SET");
    redis_wire_text(&T.command, "k");
    value = calloc(1, 1024);
    ck_assert(value != NULL);
    redis_wire_word(&T.command, bytes_of(value, 1024));
    free(value);
}

/* R15: who asks for room first never holds more than the limit, however long the server is silent.
 */
START_TEST(what_waits_for_an_answer_is_bounded)
{
    struct rusage before, after;
    int sent = 0;
    setup(NULL);
    open_client(T.server.url, 60000);
    run_until(&T.ready, 1);
    getrusage(RUSAGE_SELF, &before);
    REDIS_ASK(&T.server, "CLIENT", "PAUSE", "1500", "ALL");
    fill();
    for (int tries = 0; tries < 300000; tries++) {
        if (tries % 1000 == 0)
            uv_run(&T.loop, UV_RUN_NOWAIT);
        if (!redis_client_has_room(T.client))
            continue;
        redis_client_send(T.client, buf_view(&T.command), on_echo, NULL);
        sent++;
    }
    ck_assert_uint_le(redis_client_in_flight(T.client), REDIS_IN_FLIGHT_MOST + T.command.size);
    ck_assert_int_lt(sent, 5000);
    run_until(&T.answers, sent);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_msg(after.ru_maxrss - before.ru_maxrss < 32 << 10, "%ld KiB",
                  after.ru_maxrss - before.ru_maxrss);
    ck_assert_uint_eq(redis_client_in_flight(T.client), 0);
    teardown();
}
END_TEST

START_TEST(it_comes_back_after_a_restart)
{
    setup(NULL);
    open_client(T.server.url, 1000);
    run_until(&T.ready, 1);
    echo(1);
    redis_server_kill(&T.server);
    run_until(&T.answers, 1);
    run_until(&T.lost, 3);
    ck_assert_int_eq(T.err.outcome, OUT_RETRY);
    ck_assert_int_eq(T.err.code, ERR_REDIS_UNREACHABLE);
    redis_server_launch(&T.server, NULL);
    run_until(&T.ready, 2);
    echo(2);
    run_until(&T.answers, 2);
    ck_assert_int_eq(T.mismatches, 0);
    teardown();
}
END_TEST

/* R07: one client too many is waited for. */
START_TEST(too_many_clients_is_waited_for)
{
    setup(NULL);
    REDIS_ASK(&T.server, "CONFIG", "SET", "maxclients", "1");
    open_client(T.server.url, 1000);
    run_until(&T.lost, 2);
    ck_assert_int_eq(T.err.outcome, OUT_RETRY);
    REDIS_ASK(&T.server, "CONFIG", "SET", "maxclients", "100");
    run_until(&T.ready, 1);
    teardown();
}
END_TEST

START_TEST(a_dropped_connection_is_made_again)
{
    struct error err;
    setup(NULL);
    open_client(T.server.url, 1000);
    run_until(&T.ready, 1);
    echo(1);
    redis_error_classify(BYTES_LITERAL("READONLY You can't write"), &err);
    redis_client_drop(T.client, &err);
    ck_assert_int_eq(T.nothing, 1);
    ck_assert_int_eq(T.lost, 1);
    run_until(&T.ready, 2);
    teardown();
}
END_TEST

/* ---- refused for good -------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *options[5];
    const char *setup[8]; /* a command to the server before */
    const char *login;
    enum error_code code;
} REFUSED[] = {
    {"wrong password", {"--requirepass", "sesame"}, {0}, ":canary@", ERR_REDIS_AUTH},
    {"no password", {"--requirepass", "sesame"}, {0}, "", ERR_REDIS_AUTH},
    {"a user without scripts",
     {0},
     {"ACL", "SETUSER", "u", "on", ">canary", "~*", "+@all", "-@scripting"},
     "u:canary@",
     ERR_REDIS_AUTH},
    {"keys may be thrown away",
     {"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"},
     {0},
     "",
     ERR_REDIS_CONFIG},
    {"a cluster", {"--cluster-enabled", "yes"}, {0}, "", ERR_REDIS_CONFIG},
    {"no such database", {0}, {0}, "/99", ERR_REDIS_CONFIG},
};

START_TEST(refused_for_good)
{
    char url[128];
    bool path = REFUSED[_i].login[0] == '/';
    setup(REFUSED[_i].options[0] ? REFUSED[_i].options : NULL);
    if (REFUSED[_i].setup[0])
        ck_assert_str_eq(redis_server_ask(&T.server, 8, REFUSED[_i].setup), "OK");
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d%s", path ? "" : REFUSED[_i].login,
             T.server.port, path ? REFUSED[_i].login : "");
    open_client(url, 1000);
    run_until(&T.lost, 1);
    ck_assert_msg(T.err.outcome == OUT_FATAL && T.err.code == REFUSED[_i].code, "%s: %s %s",
                  REFUSED[_i].name, error_code_id(T.err.code), T.err.cause);
    char text[2048];
    error_format(&T.err, text, sizeof text);
    ck_assert_ptr_null(strstr(text, "canary"));
    ck_assert_int_eq(T.ready, 0);
    teardown();
}
END_TEST

static Suite *client_suite(void)
{
    Suite *suite = suite_create("redis client");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, a_late_answer_is_never_another_commands);
    tcase_add_test(tcase, what_waits_for_an_answer_is_bounded);
    tcase_add_test(tcase, it_comes_back_after_a_restart);
    tcase_add_test(tcase, too_many_clients_is_waited_for);
    tcase_add_test(tcase, a_dropped_connection_is_made_again);
    tcase_add_loop_test(tcase, refused_for_good, 0, (int)(sizeof REFUSED / sizeof *REFUSED));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(client_suite)
