/* See the header. */
#include "common/io/sqlite.h"

#include <assert.h>
#include <string.h>

enum outcome sqlite_open(struct sqlite_db *db, const char *path, int flags, sqlite_failed *failed,
                         struct error *err)
{
    *db = (struct sqlite_db){.failed = failed};
    return sqlite3_open_v2(path, &db->connection, SQLITE_OPEN_NOMUTEX | flags, NULL) == SQLITE_OK
               ? OUT_OK
               : failed(db, err);
}

void sqlite_close(struct sqlite_db *db)
{
    for (size_t i = 0; i < db->count; i++)
        sqlite3_finalize(db->statements[i].statement);
    sqlite3_close(db->connection);
    *db = (struct sqlite_db){0};
}

void sqlite_reset(struct sqlite_db *db)
{
    for (size_t i = 0; i < db->count; i++)
        sqlite3_reset(db->statements[i].statement);
}

enum outcome sqlite_exec(struct sqlite_db *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? OUT_OK
                                                                            : db->failed(db, err);
}

static void bind_value(sqlite3_stmt *statement, int at, const struct sqlite_value *value)
{
    const char *start = value->bytes.data ? value->bytes.data : "";
    switch (value->kind) {
    case BIND_NULL:
        sqlite3_bind_null(statement, at);
        break;
    case BIND_TEXT:
        sqlite3_bind_text64(statement, at, start, value->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case BIND_BLOB:
        sqlite3_bind_blob64(statement, at, start, value->bytes.size, SQLITE_STATIC);
        break;
    case BIND_NUMBER:
        sqlite3_bind_int64(statement, at, value->number);
        break;
    }
}

/* Prepared on first use. A text is known by its place: the program has few. */
static sqlite3_stmt *statement_of(struct sqlite_db *db, const char *sql)
{
    size_t at = 0;
    while (at < db->count && db->statements[at].sql != sql)
        at++;
    assert(at < SQLITE_STATEMENTS_MAX);
    sqlite3_stmt **statement = &db->statements[at].statement;
    if (at < db->count)
        sqlite3_reset(*statement);
    else if (sqlite3_prepare_v3(db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
                                NULL) != SQLITE_OK)
        return NULL;
    db->statements[at].sql = sql;
    db->count += at == db->count;
    return *statement;
}

enum outcome sqlite_prepare(struct sqlite_db *db, const char *sql, struct error *err)
{
    return statement_of(db, sql) ? OUT_OK : db->failed(db, err);
}

enum outcome sqlite_get(struct sqlite_db *db, const char *sql, const struct sqlite_value *values,
                        size_t count, sqlite3_stmt **row, struct error *err)
{
    *row = statement_of(db, sql);
    if (!*row)
        return db->failed(db, err);
    for (size_t i = 0; i < count; i++)
        bind_value(*row, (int)i + 1, &values[i]);
    return sqlite_next(db, row, err);
}

enum outcome sqlite_next(struct sqlite_db *db, sqlite3_stmt **row, struct error *err)
{
    int code = sqlite3_step(*row);
    if (code == SQLITE_ROW)
        return OUT_OK;
    enum outcome outcome = code == SQLITE_DONE ? OUT_OK : db->failed(db, err);
    sqlite3_reset(*row);
    *row = NULL;
    return outcome;
}

enum outcome sqlite_end(struct sqlite_db *db, sqlite3_stmt *row, struct error *err)
{
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && row)
        outcome = sqlite_next(db, &row, err);
    return outcome;
}

enum outcome sqlite_run(struct sqlite_db *db, const char *sql, const struct sqlite_value *values,
                        size_t count, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(db, sql, values, count, &row, err);
    return row ? sqlite_end(db, row, err) : outcome;
}

struct bytes sqlite_bytes(sqlite3_stmt *row, int at)
{
    const void *start = sqlite3_column_blob(row, at);
    return bytes_of(start, (size_t)sqlite3_column_bytes(row, at));
}

enum outcome sqlite_number(struct sqlite_db *db, const char *sql, const struct sqlite_value *values,
                           size_t count, int64_t other, int64_t *number, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(db, sql, values, count, &row, err);
    *number = row ? sqlite3_column_int64(row, 0) : other;
    sqlite3_reset(row);
    return outcome;
}

struct digest sqlite_digest(sqlite3_stmt *row, int at)
{
    struct digest digest = {0};
    struct bytes bytes = sqlite_bytes(row, at);
    if (bytes.size == sizeof digest.bytes)
        memcpy(digest.bytes, bytes.data, sizeof digest.bytes);
    return digest;
}
