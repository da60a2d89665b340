#ifndef DROVER_TESTS_DATABASE_H
#define DROVER_TESTS_DATABASE_H

/* A database of the test's own on the server of DATABASE_URL, dropped at the end. */

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_database {
    char name[64];
    char url[1024];
};

static inline void database_ignore_notice(void *unused, const char *text)
{
    (void)unused;
    (void)text;
}

/* Runs statements on `url`; fails the test when one does. */
static inline void database_run(const char *url, const char *sql)
{
    PGconn *connection = PQconnectdb(url);
    ck_assert_msg(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, database_ignore_notice, NULL);
    ck_assert(PQsendQuery(connection, sql));
    for (PGresult *result = PQgetResult(connection); result; result = PQgetResult(connection)) {
        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK ||
                          PQresultStatus(result) == PGRES_TUPLES_OK,
                      "%s: %s", sql, PQresultErrorMessage(result));
        PQclear(result);
    }
    PQfinish(connection);
}

static inline const char *database_server(void)
{
    const char *url = getenv("DATABASE_URL");
    ck_assert_msg(url != NULL, "DATABASE_URL is not set: run the tests by ./dev test");
    return url;
}

static inline void database_create(struct test_database *database, const char *label)
{
    const char *server = database_server();
    char sql[128];
    snprintf(database->name, sizeof(database->name), "test_%s_%ld", label, (long)getpid());
    snprintf(sql, sizeof(sql), "CREATE DATABASE \"%s\"", database->name);
    database_run(server, sql);
    const char *slash = strrchr(server, '/'); /* the stack's URL ends in /database */
    snprintf(database->url, sizeof(database->url), "%.*s/%s", (int)(slash - server), server,
             database->name);
}

/* By the server's owner: nobody else may end a vacuum that has just begun there. */
static inline void database_drop_named(const char *name)
{
    char sql[128];
    const char *owner = getenv("DROVER_ADMIN_DATABASE_URL");
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS \"%s\" WITH (FORCE)", name);
    database_run(owner ? owner : database_server(), sql);
}

static inline void database_drop(const struct test_database *database)
{
    database_drop_named(database->name);
}

#endif
