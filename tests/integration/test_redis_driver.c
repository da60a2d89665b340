/* The asynchronous connection on a real server: every command its own answer, whatever the server
 * does; bounded memory; what is refused for good and what is waited for. */

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/text.h"
#include "common/io/redis/redis_driver.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_wire.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct {
    struct redis_server server;
    uv_loop_t loop;
    struct redis_driver *driver;
    struct buf command;
    int ready, back, lost, first, answers, nothing, mismatches, errors;
    struct error err;
    bool closed;
} T;

/* libuv asks this one: a name may have an address where nobody listens before the server's. */
static const char *other_address; /* NULL: it has one */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!other_address)
        return real(node, service, hints, found);
    int status = real(other_address, service, hints, found);
    return status ? status : real(node, service, hints, &(*found)->ai_next);
}

static void on_ready(void *owner, bool back)
{
    (void)owner;
    T.ready++;
    T.back += back;
}

static void on_away(void *owner, const struct error *err, bool first)
{
    (void)owner;
    T.lost++;
    T.first += first;
    T.err = *err;
}

static void on_closed(void *owner)
{
    (void)owner;
    T.closed = true;
}

static void open_driver(const char *url, uint32_t answer_ms)
{
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    struct redis_driver_config config = {url, 2000, answer_ms};
    struct error err;
    enum outcome outcome = redis_driver_new(&T.loop, &config, &EVENTS, NULL, &T.driver, &err);
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
    redis_driver_close(T.driver, on_closed);
    uv_run(&T.loop, UV_RUN_DEFAULT);
    ck_assert(T.closed);
    ck_assert_int_eq(uv_loop_close(&T.loop), 0);
    redis_server_stop(&T.server);
    buf_free(&T.command);
}

static void run_until(const int *count, int min)
{
    while (*count < min)
        uv_run(&T.loop, UV_RUN_ONCE);
}

/* Each ECHO says its number; the answer must be that one, an error, or nothing. */
static void on_echo(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    int64_t said;
    (void)owner;
    T.answers++;
    ck_assert((!reply || reply->type == REDIS_REPLY_ERROR) == (err != NULL));
    if (!reply)
        T.nothing++;
    else if (err)
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
    redis_driver_send(T.driver, buf_view(&T.command), 1, on_echo, (void *)(intptr_t)number);
}

/* R08: a server that stops answering is left; its late answers are nobody's. */
START_TEST(a_late_answer_is_never_another_commands)
{
    setup(NULL);
    open_driver(T.server.url, 100);
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
    open_driver(T.server.url, 60000);
    run_until(&T.ready, 1);
    getrusage(RUSAGE_SELF, &before);
    REDIS_ASK(&T.server, "CLIENT", "PAUSE", "1500", "ALL");
    fill();
    for (int tries = 0; tries < 300000; tries++) {
        if (tries % 1000 == 0)
            uv_run(&T.loop, UV_RUN_NOWAIT);
        if (!redis_driver_has_room(T.driver))
            continue;
        redis_driver_send(T.driver, buf_view(&T.command), 1, on_echo, NULL);
        sent++;
    }
    ck_assert_uint_le(redis_driver_in_flight(T.driver), REDIS_IN_FLIGHT_MAX + T.command.size);
    ck_assert_int_lt(sent, 5000);
    run_until(&T.answers, sent);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_msg(after.ru_maxrss - before.ru_maxrss < 32 << 10, "%ld KiB",
                  after.ru_maxrss - before.ru_maxrss);
    ck_assert_uint_eq(redis_driver_in_flight(T.driver), 0);
    teardown();
}
END_TEST

START_TEST(it_comes_back_after_a_restart)
{
    setup(NULL);
    open_driver(T.server.url, 1000);
    run_until(&T.ready, 1);
    echo(1);
    redis_server_kill(&T.server);
    run_until(&T.answers, 1);
    run_until(&T.lost, 3);
    ck_assert_int_eq(T.err.outcome, OUT_RETRY);
    ck_assert_int_eq(T.err.code, ERR_REDIS_UNREACHABLE);
    ck_assert_ptr_nonnull(redis_driver_trouble(T.driver));
    redis_server_launch(&T.server, NULL);
    run_until(&T.ready, 2);
    ck_assert_int_eq(T.first, 1); /* an outage is told once, however many tries it takes */
    ck_assert_int_eq(T.back, 1);
    ck_assert_ptr_null(redis_driver_trouble(T.driver));
    echo(2);
    run_until(&T.answers, 2);
    ck_assert_int_eq(T.mismatches, 0);
    teardown();
}
END_TEST

/* Refused later, and at once: there is no way to connect to a broadcast address. */
static const char *const OTHERS[] = {"127.0.0.2", "255.255.255.255"};

START_TEST(every_address_of_a_name_is_tried)
{
    setup(NULL);
    other_address = OTHERS[_i];
    open_driver(T.server.url, 1000);
    run_until(&T.ready, 1);
    ck_assert_int_eq(T.lost, 0);
    redis_server_kill(&T.server);
    run_until(&T.lost, 2); /* then none of them answers */
    other_address = NULL;  /* the test's own connection takes the first */
    redis_server_launch(&T.server, NULL);
    run_until(&T.ready, 2);
    teardown();
}
END_TEST

/* R07: one client too many is waited for. */
START_TEST(too_many_clients_is_waited_for)
{
    setup(NULL);
    REDIS_ASK(&T.server, "CONFIG", "SET", "maxclients", "1");
    open_driver(T.server.url, 1000);
    run_until(&T.lost, 2);
    ck_assert_int_eq(T.err.outcome, OUT_RETRY);
    REDIS_ASK(&T.server, "CONFIG", "SET", "maxclients", "100");
    run_until(&T.ready, 1);
    teardown();
}
END_TEST

/* The answer comes first, then the connection goes: behind it there may be another server by now.
 */
START_TEST(a_replica_is_left_and_tried_again)
{
    setup(NULL);
    open_driver(T.server.url, 1000);
    run_until(&T.ready, 1);
    ck_assert_str_eq(REDIS_ASK(&T.server, "REPLICAOF", "127.0.0.1", "1"), "OK");
    fill();
    redis_driver_send(T.driver, buf_view(&T.command), 1, on_echo, NULL);
    echo(1);
    run_until(&T.lost, 1);
    ck_assert_int_eq(T.errors, 1);
    ck_assert_int_eq(T.nothing, 1);
    ck_assert_int_eq(T.err.outcome, OUT_RETRY);
    run_until(&T.ready, 2);
    teardown();
}
END_TEST

/* A server that greets, and answers the first command byte by byte, 50 ms each. */
static void answer_slowly(int listener)
{
    static const char GREETING[] = "+OK\r\n+OK\r\n+OK\r\n", ANSWER[] = "$12\r\n000000000007\r\n";
    char asked[4096];
    int fd = accept(listener, NULL, NULL);
    if (read(fd, asked, sizeof asked) <= 0 ||
        write(fd, GREETING, sizeof GREETING - 1) != (ssize_t)sizeof GREETING - 1 ||
        read(fd, asked, sizeof asked) <= 0)
        _exit(1);
    for (size_t i = 0; i < sizeof ANSWER - 1; i++, usleep(50000))
        if (write(fd, ANSWER + i, 1) != 1)
            _exit(1);
    _exit(0);
}

START_TEST(a_slow_answer_is_no_silence)
{
    char url[64];
    struct error err;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    static const struct redis_driver_events EVENTS = {on_ready, on_away};
    setup(NULL);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    pid_t child = fork();
    if (child == 0)
        answer_slowly(listener);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", ntohs(address.sin_port));
    struct redis_driver_config config = {url, 2000, 500, .no_scripts = true};
    ck_assert_int_eq(redis_driver_new(&T.loop, &config, &EVENTS, NULL, &T.driver, &err), OUT_OK);
    run_until(&T.ready, 1);
    echo(7);
    run_until(&T.answers, 1);
    ck_assert_int_eq(T.nothing + T.errors + T.mismatches, 0);
    waitpid(child, NULL, 0);
    close(listener);
    teardown();
}
END_TEST

static void on_codes(void *owner, void *item, const redisReply *reply, const struct error *err)
{
    struct bytes codes;
    struct error strange;
    (void)owner;
    (void)item;
    ck_assert_msg(err == NULL, "%s", err ? err->cause : "");
    ck_assert_int_eq(redis_driver_codes(reply, 0, &codes, &strange), OUT_OK);
    ck_assert_int_eq(redis_driver_codes(reply, 1, &codes, &strange), OUT_FATAL);
    T.answers++;
}

/* SCRIPT FLUSH while calls are on their way: whoever sends them sees one good answer for each. */
START_TEST(a_script_that_is_not_known_is_sent_whole)
{
    size_t words;
    struct redis_rows rows;
    setup(NULL);
    redis_rows_init(&rows, true, 1000);
    ck_assert(redis_rows_append_call(&rows, REDIS_MODE_SKIP, NULL, &T.command, &words));
    open_driver(T.server.url, 1000);
    run_until(&T.ready, 1);
    for (int round = 1; round <= 3; round++) {
        ck_assert_str_eq(REDIS_ASK(&T.server, "SCRIPT", "FLUSH"), "OK");
        for (int i = 0; i < 5; i++)
            redis_driver_call(T.driver, SCRIPT_APPLY, buf_view(&T.command), words, on_codes, NULL);
        run_until(&T.answers, 5 * round);
    }
    ck_assert_uint_eq(redis_driver_in_flight(T.driver), 0);
    redis_rows_free(&rows);
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
    open_driver(url, 1000);
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

static Suite *driver_suite(void)
{
    Suite *suite = suite_create("redis driver");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, a_late_answer_is_never_another_commands);
    tcase_add_test(tcase, what_waits_for_an_answer_is_bounded);
    tcase_add_test(tcase, it_comes_back_after_a_restart);
    tcase_add_loop_test(tcase, every_address_of_a_name_is_tried, 0, 2);
    tcase_add_test(tcase, a_slow_answer_is_no_silence);
    tcase_add_test(tcase, too_many_clients_is_waited_for);
    tcase_add_test(tcase, a_replica_is_left_and_tried_again);
    tcase_add_test(tcase, a_script_that_is_not_known_is_sent_whole);
    tcase_add_loop_test(tcase, refused_for_good, 0, (int)(sizeof REFUSED / sizeof *REFUSED));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(driver_suite)
