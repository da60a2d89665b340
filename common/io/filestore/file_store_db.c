/*
 * The database of the file store. Durable in the strict sense: WAL with synchronous=FULL, so a
 * COMMIT that returned is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/io/filestore/file_store_internal.h"

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

#define RECORDS "SELECT entity, tenant, id, version, digest, deleted, json FROM record "
#define FILE_KEY "entity = ?1 AND tenant = ?2"
#define PROGRESS_KEY "\"group\" = ?1 AND topic = ?2 AND partition = ?3"

static const char *const SQL[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_FENCE] = "UPDATE progress SET next_offset = ?6, redis_next = max(redis_next, ?7), "
                        "results_next = max(results_next, ?8), sequences = ?9 WHERE " PROGRESS_KEY
                        " AND epoch = ?4 AND next_offset = ?5 RETURNING 1",
    [STATEMENT_SEE_PROGRESS] = "SELECT epoch, next_offset FROM progress WHERE " PROGRESS_KEY,
    [STATEMENT_SEE_RECORD] = "SELECT version, digest, json FROM record "
                             "WHERE entity = ?1 AND tenant = ?2 AND id = ?3",
    [STATEMENT_PUT_RECORD] =
        "INSERT INTO record (entity, tenant, id, version, digest, deleted, json, written_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, unixepoch()) "
        "ON CONFLICT (entity, tenant, id) DO UPDATE SET version = excluded.version, "
        "digest = excluded.digest, deleted = excluded.deleted, json = excluded.json, "
        "written_at = excluded.written_at WHERE version < excluded.version",
    [STATEMENT_PUT_BOX] =
        "INSERT INTO box (tenant, reference, entity, id, field, box, created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, unixepoch()) ON CONFLICT (tenant, reference) DO NOTHING",
    [STATEMENT_MARK_DIRTY] = "INSERT INTO file (entity, tenant, dirty) VALUES (?1, ?2, 1) "
                             "ON CONFLICT (entity, tenant) DO UPDATE SET dirty = 1",
    [STATEMENT_NEXT_DIRTY] =
        "SELECT entity, tenant FROM file WHERE dirty = 1 AND (entity, tenant) > (?1, ?2) "
        "ORDER BY entity, tenant LIMIT 1",
    [STATEMENT_COUNT_DIRTY] = "SELECT count(*) FROM file WHERE dirty = 1",
    [STATEMENT_SEE_FILE] = "SELECT dirty, ours, digest, next_digest FROM file WHERE " FILE_KEY,
    [STATEMENT_OWN_FILE] = "UPDATE file SET ours = 1, next_digest = ?3, digest = CASE WHEN "
                           "?4 THEN next_digest ELSE digest END WHERE " FILE_KEY,
    [STATEMENT_MARK_CLEAN] = "UPDATE file SET dirty = 0, digest = next_digest, next_digest = NULL, "
                             "problem = NULL WHERE " FILE_KEY,
    [STATEMENT_SET_PROBLEM] =
        "UPDATE file SET problem = ?3 WHERE " FILE_KEY " AND problem IS NOT ?3 RETURNING 1",
    [STATEMENT_ADD_FILES] = "INSERT INTO file (entity, tenant, dirty) "
                            "SELECT DISTINCT entity, tenant, 1 FROM record WHERE true "
                            "ON CONFLICT (entity, tenant) DO NOTHING",
    [STATEMENT_FILES] = "SELECT entity, tenant FROM file ORDER BY entity, tenant",
    [STATEMENT_FILE_RECORDS] =
        "SELECT id, json FROM record WHERE " FILE_KEY " AND json IS NOT NULL ORDER BY id",
    [STATEMENT_RECORDS] = RECORDS "ORDER BY entity, tenant, id",
    [STATEMENT_RECORD] = RECORDS "WHERE " FILE_KEY " AND id = ?3",
    [STATEMENT_FORGET] = "DELETE FROM record WHERE entity = ?1 AND deleted = 1 AND json IS NULL "
                         "AND written_at < unixepoch() - ?2",
    [STATEMENT_PIN_TOPIC] =
        "INSERT INTO pinned_topic (topic, partitions) VALUES (?1, ?2) "
        "ON CONFLICT (topic) DO UPDATE SET partitions = partitions RETURNING partitions",
    [STATEMENT_PIN_GROUP] =
        "INSERT INTO pinned_group (\"group\", fingerprint) VALUES (?1, ?2) "
        "ON CONFLICT (\"group\") DO UPDATE SET fingerprint = fingerprint RETURNING fingerprint",
    [STATEMENT_CLAIM] =
        "INSERT INTO progress (\"group\", topic, partition, owner) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (\"group\", topic, partition) DO UPDATE SET epoch = epoch + 1, "
        "owner = excluded.owner "
        "RETURNING next_offset, redis_next, results_next, epoch, sequences",
    [STATEMENT_STAGES] =
        "UPDATE progress SET redis_next = max(redis_next, ?5), "
        "results_next = max(results_next, ?6) WHERE " PROGRESS_KEY " AND epoch = ?4",
    [STATEMENT_RELEASE] = "UPDATE progress SET owner = NULL WHERE " PROGRESS_KEY " AND epoch = ?4",
};

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
    sqlite3_stmt *version = NULL;
    enum outcome outcome =
        file_db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
    bool first = outcome == OUT_OK &&
                 sqlite3_prepare_v2(db->connection, "PRAGMA user_version", -1, &version, NULL) ==
                     SQLITE_OK &&
                 sqlite3_step(version) == SQLITE_ROW && sqlite3_column_int(version, 0) == 1;
    sqlite3_finalize(version);
    if (first)
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
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->connection);
    *db = (struct file_db){0};
}

/* ---- statements -------------------------------------------------------------------------- */

static void bind_value(sqlite3_stmt *statement, int at, const struct file_value *value)
{
    const char *start = value->bytes.data ? value->bytes.data : "";
    switch (value->kind) {
    case FILE_VALUE_NULL:
        sqlite3_bind_null(statement, at);
        break;
    case FILE_VALUE_TEXT:
        sqlite3_bind_text64(statement, at, start, value->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case FILE_VALUE_BLOB:
        sqlite3_bind_blob64(statement, at, start, value->bytes.size, SQLITE_STATIC);
        break;
    case FILE_VALUE_NUMBER:
        sqlite3_bind_int64(statement, at, value->number);
        break;
    }
}

enum outcome file_db_get(struct file_db *db, enum file_statement name,
                         const struct file_value *values, size_t count, sqlite3_stmt **row,
                         struct error *err)
{
    sqlite3_stmt **place = &db->statements[name];
    *row = NULL;
    if (!*place && sqlite3_prepare_v3(db->connection, SQL[name], -1, SQLITE_PREPARE_PERSISTENT,
                                      place, NULL) != SQLITE_OK)
        return failed(db, err);
    sqlite3_reset(*place);
    for (size_t i = 0; i < count; i++)
        bind_value(*place, (int)i + 1, &values[i]);
    *row = *place;
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

enum outcome file_db_run(struct file_db *db, enum file_statement name,
                         const struct file_value *values, size_t count, bool *any,
                         struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = file_db_get(db, name, values, count, &row, err);
    if (any)
        *any = row != NULL;
    return row ? file_db_end(db, row, err) : outcome;
}

struct bytes file_db_column(sqlite3_stmt *row, int at)
{
    const void *start = sqlite3_column_blob(row, at);
    return bytes_of(start, (size_t)sqlite3_column_bytes(row, at));
}
