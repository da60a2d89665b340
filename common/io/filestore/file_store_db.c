/*
 * The database of the file store. Durable in the strict sense: WAL with synchronous=FULL, so a
 * COMMIT that returned is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/io/filestore/file_store_parts.h"
#include "common/io/filestore/file_store_text.h"

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
    "dirty INTEGER NOT NULL, ours INTEGER NOT NULL DEFAULT 0, size INTEGER, digest BLOB, "         \
    "next_digest BLOB, problem TEXT, PRIMARY KEY (entity, tenant));"                               \
    "PRAGMA user_version = 2;"

/* What version 1 did not have: files then are clean, ours and unknown. */
#define SCHEMA_FROM_1                                                                              \
    "BEGIN; ALTER TABLE file ADD COLUMN size INTEGER; ALTER TABLE file ADD COLUMN digest BLOB; "   \
    "ALTER TABLE file ADD COLUMN next_digest BLOB; ALTER TABLE file ADD COLUMN problem TEXT; "     \
    "PRAGMA user_version = 2; COMMIT;"

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
    [STATEMENT_NEXT_FILE] = "SELECT entity, tenant FROM file WHERE (entity, tenant) > (?1, ?2) "
                            "ORDER BY entity, tenant LIMIT 1",
    [STATEMENT_SEE_FILE] = FILE_STORE_SEE_FILE,
    [STATEMENT_OWN_FILE] = "UPDATE file SET ours = 1, next_digest = ?3, digest = CASE WHEN "
                           "?4 THEN next_digest ELSE digest END WHERE entity = ?1 AND tenant = ?2",
    [STATEMENT_MARK_CLEAN] =
        "UPDATE file SET dirty = 0, size = ?3, digest = next_digest, next_digest = NULL, "
        "problem = NULL WHERE entity = ?1 AND tenant = ?2",
    [STATEMENT_SET_PROBLEM] = "UPDATE file SET problem = ?3 WHERE entity = ?1 AND tenant = ?2",
    [STATEMENT_COUNT_DIRTY] = "SELECT count(*) FROM file WHERE dirty = 1",
    [STATEMENT_FILE_ALL] = "INSERT INTO file (entity, tenant, dirty) "
                           "SELECT DISTINCT entity, tenant, 1 FROM record WHERE true "
                           "ON CONFLICT (entity, tenant) DO NOTHING",
    [STATEMENT_LIST] = FILE_STORE_LIST,
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

enum outcome file_db_error(struct file_db *db, struct error *err)
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
        outcome = OUT_RETRY;
        break;
    default:
        break;
    }
    error_set(err, outcome, ERR_STORE_FILE, "the file store's database cannot be used");
    error_cause(err, "%s", sqlite3_errstr(code)); /* errmsg could quote what was stored */
    return outcome;
}

enum outcome file_db_pragma(struct file_db *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK
               ? OUT_OK
               : file_db_error(db, err);
}

/* SQLite gives the files beside it the database's own mode. */
static bool make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static int version_of(struct file_db *db)
{
    sqlite3_stmt *statement = NULL;
    int version = 0;
    if (sqlite3_prepare_v2(db->connection, "PRAGMA user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static enum outcome make_schema(struct file_db *db, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (version_of(db) == 1)
        outcome = file_db_pragma(db, SCHEMA_FROM_1, err);
    return outcome == OUT_OK ? file_db_pragma(db, "BEGIN;" SCHEMA "COMMIT;", err) : outcome;
}

enum outcome file_db_open(struct file_db *db, const char *path, struct error *err)
{
    *db = (struct file_db){0};
    enum outcome outcome = OUT_OK;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE;
    if (!make_private(path)) {
        outcome = error_set(err, OUT_FATAL, ERR_STORE_FILE, "the database cannot be made");
        error_cause(err, "%s", strerrordesc_np(errno));
    }
    if (outcome == OUT_OK && sqlite3_open_v2(path, &db->connection, flags, NULL) != SQLITE_OK)
        outcome = file_db_error(db, err);
    if (outcome == OUT_OK)
        sqlite3_busy_timeout(db->connection, FILE_DB_BUSY_MS);
    if (outcome == OUT_OK)
        outcome = file_db_pragma(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
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

void file_db_close(struct file_db *db)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->connection);
    *db = (struct file_db){0};
}

sqlite3_stmt *file_db_statement(struct file_db *db, enum file_statement name, struct error *err)
{
    sqlite3_stmt **place = &db->statements[name];
    if (!*place && sqlite3_prepare_v3(db->connection, SQL[name], -1, SQLITE_PREPARE_PERSISTENT,
                                      place, NULL) != SQLITE_OK) {
        file_db_error(db, err);
        return NULL;
    }
    sqlite3_reset(*place);
    sqlite3_clear_bindings(*place);
    return *place;
}

void file_db_bind(sqlite3_stmt *statement, int at, struct bytes text)
{
    const char *start = text.data ? text.data : "";
    sqlite3_bind_text64(statement, at, start, text.size, SQLITE_STATIC, SQLITE_UTF8);
}

struct bytes file_db_column(sqlite3_stmt *statement, int at)
{
    const void *start = sqlite3_column_blob(statement, at);
    return bytes_of(start, (size_t)sqlite3_column_bytes(statement, at));
}

enum outcome file_db_step(struct file_db *db, sqlite3_stmt *statement, bool *row, struct error *err)
{
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (*row)
        return OUT_OK;
    enum outcome outcome = code == SQLITE_DONE ? OUT_OK : file_db_error(db, err);
    sqlite3_reset(statement);
    return outcome;
}

enum outcome file_db_run(struct file_db *db, enum file_statement name, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = file_db_statement(db, name, err);
    return statement ? file_db_step(db, statement, &row, err) : err ? err->outcome : OUT_FATAL;
}
