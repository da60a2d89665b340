/*
 * The database of the file store. Durable in the strict sense: WAL with synchronous=FULL, so a
 * COMMIT that returned is on the disk.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/filestore/file_store_db.h"

/* A reader's snapshot never blocks; a checkpoint of another may, shortly. */
#define BUSY_MS 5000

#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS record (entity TEXT NOT NULL, tenant TEXT NOT NULL, "              \
    "id TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL, deleted INTEGER NOT NULL, " \
    "written_at INTEGER NOT NULL, json TEXT, PRIMARY KEY (entity, tenant, id));"                   \
    "CREATE TABLE IF NOT EXISTS box (tenant TEXT NOT NULL, reference TEXT NOT NULL, "              \
    "entity TEXT NOT NULL, id TEXT NOT NULL, field TEXT NOT NULL, box BLOB NOT NULL, "             \
    "created_at INTEGER NOT NULL, PRIMARY KEY (tenant, reference));"                               \
    "CREATE TABLE IF NOT EXISTS progress (\"group\" TEXT NOT NULL, topic TEXT NOT NULL, "          \
    "partition INTEGER NOT NULL, next_offset INTEGER NOT NULL DEFAULT 0, "                         \
    "redis_next INTEGER NOT NULL DEFAULT 0, results_next INTEGER NOT NULL DEFAULT 0, "             \
    "epoch INTEGER NOT NULL DEFAULT 1, owner TEXT, sequences TEXT NOT NULL DEFAULT '{}', "         \
    "PRIMARY KEY (\"group\", topic, partition));"                                                  \
    "CREATE TABLE IF NOT EXISTS pinned_topic (topic TEXT PRIMARY KEY, "                            \
    "partitions INTEGER NOT NULL);"                                                                \
    "CREATE TABLE IF NOT EXISTS pinned_group (\"group\" TEXT PRIMARY KEY, "                        \
    "fingerprint TEXT NOT NULL);"                                                                  \
    "CREATE TABLE IF NOT EXISTS file (entity TEXT NOT NULL, tenant TEXT NOT NULL, "                \
    "dirty INTEGER NOT NULL, ours INTEGER NOT NULL DEFAULT 0, digest BLOB, next_digest BLOB, "     \
    "problem TEXT, PRIMARY KEY (entity, tenant));"                                                 \
    "PRAGMA user_version = 2;"

/* What version 1 did not have: files then are clean, ours and unknown. */
#define SCHEMA_FROM_1                                                                              \
    "BEGIN; ALTER TABLE file ADD COLUMN digest BLOB; ALTER TABLE file ADD COLUMN next_digest "     \
    "BLOB; ALTER TABLE file ADD COLUMN problem TEXT; PRAGMA user_version = 2; COMMIT;"

static enum outcome failed(struct file_db *db, struct error *err)
{
    enum outcome outcome = OUT_FATAL;
    int code = db->connection ? sqlite3_errcode(db->connection) : SQLITE_NOMEM;
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
        outcome = db->reading ? OUT_FATAL : OUT_RETRY;
        break;
    default:
        break;
    }
    error_set(err, outcome, ERR_STORE_FILE, "the file store's database cannot be %s",
              db->reading ? "read" : "used");
    error_cause(err, "%s", sqlite3_errstr(code)); /* errmsg could quote what was stored */
    return outcome;
}

enum outcome file_db_exec(struct file_db *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? OUT_OK
                                                                            : failed(db, err);
}

/* ---- opening ----------------------------------------------------------------------------- */

static bool path_of(const char *dir, char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s/" FILE_STORE_OWN "/state.db", dir);
    return size > 0 && size < PATH_MAX;
}

static enum outcome open_connection(struct file_db *db, const char *path, int mode,
                                    struct error *err)
{
    if (sqlite3_open_v2(path, &db->connection, SQLITE_OPEN_NOMUTEX | mode, NULL) != SQLITE_OK)
        return failed(db, err);
    sqlite3_busy_timeout(db->connection, BUSY_MS);
    return OUT_OK;
}

/* SQLite gives the files beside it the database's own mode. */
static enum outcome make_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        close(fd);
        return OUT_OK;
    }
    error_set(err, OUT_FATAL, ERR_STORE_FILE, "the database cannot be made");
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

static enum outcome make_schema(struct file_db *db, struct error *err)
{
    sqlite3_stmt *row = NULL;
    enum outcome outcome =
        file_db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
    if (outcome == OUT_OK)
        outcome = file_db_get(db, "PRAGMA user_version", NO_VALUES, &row, err);
    bool of_version_1 = row && sqlite3_column_int(row, 0) == 1;
    sqlite3_reset(row);
    if (of_version_1)
        outcome = file_db_exec(db, SCHEMA_FROM_1, err);
    return outcome == OUT_OK ? file_db_exec(db, "BEGIN;" SCHEMA "COMMIT;", err) : outcome;
}

enum outcome file_db_open(struct file_db *db, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    *db = (struct file_db){0};
    if (!path_of(dir, path))
        return error_set(err, OUT_FATAL, ERR_STORE_FILE, "the store's folder has too long a name");
    enum outcome outcome = make_private(path, err);
    if (outcome == OUT_OK)
        outcome = open_connection(db, path, SQLITE_OPEN_READWRITE, err);
    if (outcome == OUT_OK)
        outcome = make_schema(db, err);
    if (outcome == OUT_OK)
        return OUT_OK;
    error_where(err, "%s", path);
    file_db_close(db);
    if (err)
        err->outcome = OUT_FATAL;
    return OUT_FATAL;
}

enum outcome file_db_open_reader(struct file_db *db, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    *db = (struct file_db){.reading = true};
    if (!path_of(dir, path) || access(path, R_OK) != 0) {
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "there is no file store");
        error_where(err, "%s", dir);
        error_hint(err, "drover work with storage: file makes it; see store.dir");
        return OUT_FATAL;
    }
    enum outcome outcome = open_connection(db, path, SQLITE_OPEN_READONLY, err);
    if (outcome != OUT_OK)
        error_where(err, "%s", path);
    return outcome;
}

/* The first read takes it. */
enum outcome file_db_snapshot(struct file_db *db, struct error *err)
{
    return file_db_exec(db, "BEGIN; SELECT count(*) FROM progress", err);
}

void file_db_close(struct file_db *db)
{
    for (size_t i = 0; i < db->count; i++)
        sqlite3_finalize(db->statements[i].statement);
    sqlite3_close(db->connection);
    *db = (struct file_db){0};
}

/* ---- statements -------------------------------------------------------------------------- */

static void bind_value(sqlite3_stmt *statement, int at, const struct file_value *value)
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
static sqlite3_stmt *statement_of(struct file_db *db, const char *sql)
{
    size_t at = 0;
    while (at < db->count && db->statements[at].sql != sql)
        at++;
    assert(at < FILE_DB_STATEMENTS);
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

enum outcome file_db_get(struct file_db *db, const char *sql, const struct file_value *values,
                         size_t count, sqlite3_stmt **row, struct error *err)
{
    *row = statement_of(db, sql);
    if (!*row)
        return failed(db, err);
    for (size_t i = 0; i < count; i++)
        bind_value(*row, (int)i + 1, &values[i]);
    return file_db_next(db, row, err);
}

enum outcome file_db_next(struct file_db *db, sqlite3_stmt **row, struct error *err)
{
    int code = sqlite3_step(*row);
    if (code == SQLITE_ROW)
        return OUT_OK;
    enum outcome outcome = code == SQLITE_DONE ? OUT_OK : failed(db, err);
    sqlite3_reset(*row);
    *row = NULL;
    return outcome;
}

enum outcome file_db_end(struct file_db *db, sqlite3_stmt *row, struct error *err)
{
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && row)
        outcome = file_db_next(db, &row, err);
    return outcome;
}

enum outcome file_db_run(struct file_db *db, const char *sql, const struct file_value *values,
                         size_t count, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = file_db_get(db, sql, values, count, &row, err);
    return row ? file_db_end(db, row, err) : outcome;
}

struct bytes file_db_column(sqlite3_stmt *row, int at)
{
    const void *start = sqlite3_column_blob(row, at);
    return bytes_of(start, (size_t)sqlite3_column_bytes(row, at));
}

enum outcome file_db_checkpoint(struct file_db *db, const char *group, const char *topic,
                                int32_t partition, int64_t *epoch, int64_t *next_offset,
                                struct error *err)
{
    static const char SQL[] = "SELECT epoch, next_offset FROM progress WHERE " FILE_PARTITION_KEY;
    sqlite3_stmt *row;
    enum outcome outcome =
        file_db_get(db, SQL, VALUES(NAME(group), NAME(topic), NUMBER(partition)), &row, err);
    *epoch = row ? sqlite3_column_int64(row, 0) : 0;
    *next_offset = row ? sqlite3_column_int64(row, 1) : -1;
    sqlite3_reset(row);
    return outcome;
}

enum outcome file_db_records(struct file_db *db, struct bytes entity, struct bytes tenant,
                             sqlite3_stmt **row, struct error *err)
{
    static const char SQL[] =
        "SELECT id, json FROM record WHERE " FILE_KEY " AND json IS NOT NULL ORDER BY id";
    return file_db_get(db, SQL, VALUES(TEXT(entity), TEXT(tenant)), row, err);
}
