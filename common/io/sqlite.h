#ifndef DROVER_IO_SQLITE_H
#define DROVER_IO_SQLITE_H

/*
 * A database of SQLite with statements that are prepared once, for the file store, the follower's
 * state and the export's sorting: a statement is run with its values in one call, and what a
 * failure means is said by who opened the database.
 */

#include <sqlite3.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"

#define SQLITE_STATEMENTS_MAX 128 /* that one connection uses */

struct sqlite_db;

/* Fills `err` by SQLite's last code (connection NULL: no memory) and gives its outcome. */
typedef enum outcome sqlite_failed(const struct sqlite_db *db, struct error *err);

struct sqlite_db {
    sqlite3 *connection;
    sqlite_failed *failed;
    size_t count;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[SQLITE_STATEMENTS_MAX];
};

struct sqlite_value {
    enum { BIND_NULL, BIND_TEXT, BIND_BLOB, BIND_NUMBER } kind;
    struct bytes bytes;
    int64_t number;
};
#define TEXT(view) ((struct sqlite_value){BIND_TEXT, (view), 0})
#define NAME(text) TEXT(bytes_text(text))
#define BLOB(view) ((struct sqlite_value){BIND_BLOB, (view), 0})
#define DIGEST(digest) BLOB(bytes_of((digest)->bytes, sizeof(digest)->bytes))
#define NUMBER(value) ((struct sqlite_value){BIND_NUMBER, {0}, (int64_t)(value)})
/* A statement's parameters, ?1 first; what they view stays as it is until the statement ended. */
#define VALUES(...)                                                                                \
    (const struct sqlite_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct sqlite_value[]){__VA_ARGS__}) / sizeof(struct sqlite_value)
#define NO_VALUES NULL, 0

/* `flags` as of sqlite3_open_v2; for one thread at a time. To be closed, also after a failure. The
 * outcomes here and below are `failed`'s. */
MUST_USE enum outcome sqlite_open(struct sqlite_db *db, const char *path, int flags,
                                  sqlite_failed *failed, struct error *err);
/* Of one that was not opened, too, when it is zeroes. */
void sqlite_close(struct sqlite_db *db);
/* Ends whatever statement was not read to its end. */
void sqlite_reset(struct sqlite_db *db);

/* Several statements, without values. */
MUST_USE enum outcome sqlite_exec(struct sqlite_db *db, const char *sql, struct error *err);
/* As the first use of the statement does, for who wants to know early. `sql` is prepared once and
 * known by its place: a constant. */
MUST_USE enum outcome sqlite_prepare(struct sqlite_db *db, const char *sql, struct error *err);
/* The first row, or NULL; sqlite3_reset ends what was not read to its end. */
MUST_USE enum outcome sqlite_get(struct sqlite_db *db, const char *sql,
                                 const struct sqlite_value *values, size_t count,
                                 sqlite3_stmt **row, struct error *err);
MUST_USE enum outcome sqlite_next(struct sqlite_db *db, sqlite3_stmt **row, struct error *err);
/* Steps to the end, which is what ends, and so commits, a statement that changes and returns. */
MUST_USE enum outcome sqlite_end(struct sqlite_db *db, sqlite3_stmt *row, struct error *err);
/* sqlite_get and that: what it returns is not wanted. */
MUST_USE enum outcome sqlite_run(struct sqlite_db *db, const char *sql,
                                 const struct sqlite_value *values, size_t count,
                                 struct error *err);
/* The first row's first column, and no more; `other` when there is none, and after a failure. */
MUST_USE enum outcome sqlite_number(struct sqlite_db *db, const char *sql,
                                    const struct sqlite_value *values, size_t count, int64_t other,
                                    int64_t *number, struct error *err);

/* A view, until the row's statement goes on. */
struct bytes sqlite_bytes(sqlite3_stmt *row, int at);
/* Zeroes for what is no digest. */
struct digest sqlite_digest(sqlite3_stmt *row, int at);

#endif
