/* The connection of a loop, on a real server: what a loss leaves behind. */
#include "common/io/postgres/pg_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_session.h"
#include "tests/support/database.h"
#include "tests/support/suite.h"

#define LONG_TEXT (8 << 20) /* far more than a socket takes without being read */

static struct {
    uv_loop_t loop;
    struct pg_connection *connection;
    int ready, lost, closed;
} T;

static void on_ready(void *owner, struct pg_connection *connection)
{
    (void)owner;
    (void)connection;
    T.ready++;
}

static void on_reply(void *owner, struct pg_connection *connection, const struct pg_reply *reply)
{
    (void)owner;
    (void)connection;
    (void)reply;
    ck_abort_msg("an answer of a connection that was ended");
}

static void on_lost(void *owner, struct pg_connection *connection, const struct error *err)
{
    (void)owner;
    (void)connection;
    ck_assert_int_eq(err->outcome, OUT_RETRY);
    T.lost++;
}

static void on_closed(void *owner)
{
    (void)owner;
    T.closed++;
}

static void terminate_it(void)
{
    struct error err;
    PGconn *session = NULL;
    PGresult *result = NULL;
    ck_assert_int_eq(pg_session_open(database_server(), "", "drover-other", 5000, &session, &err),
                     OUT_OK);
    ck_assert_int_eq(pg_session_query(session,
                                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                      "WHERE application_name = 'drover-ended'",
                                      NULL, 0, false, &result, &err),
                     OUT_OK);
    ck_assert_int_eq(PQntuples(result), 1);
    PQclear(result);
    PQfinish(session);
}

/* libpq closes its socket as soon as it finds the connection broken, also while an exchange is
 * being queued; on_lost comes a turn later. In between the number is whoever's opens the next
 * socket. */
START_TEST(the_descriptor_of_a_broken_connection_is_free_at_once)
{
    const struct pg_connection_config config = {
        .url = database_server(), .role = "", .application = "drover-ended", .connect_ms = 5000};
    const struct pg_connection_events events = {on_ready, on_reply, on_lost};
    ck_assert_int_eq(uv_loop_init(&T.loop), 0);
    T.connection = pg_connection_new(&T.loop, &config, &events, NULL);
    int fd = dup(0); /* the lowest that is free: libpq's socket */
    close(fd);
    while (!T.ready)
        uv_run(&T.loop, UV_RUN_ONCE);
    terminate_it();
    ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 30000), 1);
    char *text = mem_new(LONG_TEXT);
    const struct pg_param param = {text, LONG_TEXT};
    for (int i = 0; i < 4; i++)
        pg_connection_query(T.connection, NULL, "SELECT octet_length($1::bytea)", &param, 1);
    pg_connection_sync(T.connection);
    free(text);
    ck_assert_int_eq(T.lost, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);

    uv_poll_t other;
    ck_assert_int_eq(socket(AF_UNIX, SOCK_STREAM, 0), fd);
    ck_assert_int_eq(uv_poll_init(&T.loop, &other, fd), 0);
    uv_close((uv_handle_t *)&other, NULL);
    close(fd);
    for (T.ready = 0; !T.ready;)
        uv_run(&T.loop, UV_RUN_ONCE);
    ck_assert_int_eq(T.lost, 1);
    pg_connection_close(T.connection, on_closed);
    uv_run(&T.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(T.closed, 1);
    ck_assert_int_eq(uv_loop_close(&T.loop), 0);
}
END_TEST

static Suite *pg_connection_suite(void)
{
    Suite *suite = suite_create("pg_connection");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_descriptor_of_a_broken_connection_is_free_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(pg_connection_suite)
