/*
 * The database of the file store. Durable in the strict sense: WAL with synchronous=FULL, so a
 * COMMIT that returned is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/filestore/file_store_db.h"

/* A reader's snapshot never blocks; a checkpoint of another may, shortly. */
#define BUSY_MS 5000

#define SCHEMA_VERSION 3

#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS record (entity TEXT NOT NULL, tenant TEXT NOT NULL, "              \
    "id TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL, deleted INTEGER NOT NULL, " \
    "written_at INTEGER NOT NULL, json TEXT, generation INTEGER NOT NULL DEFAULT 0, "              \
    "PRIMARY KEY (entity, tenant, id));"                                                           \
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
    "CREATE TABLE IF NOT EXISTS mapping_generation (entity TEXT NOT NULL, "                        \
    "generation INTEGER NOT NULL, fingerprint TEXT NOT NULL, since INTEGER NOT NULL, "             \
    "PRIMARY KEY (entity, generation));"                                                           \
    "CREATE TABLE IF NOT EXISTS file (entity TEXT NOT NULL, tenant TEXT NOT NULL, "                \
    "dirty INTEGER NOT NULL, ours INTEGER NOT NULL DEFAULT 0, digest BLOB, next_digest BLOB, "     \
    "problem TEXT, PRIMARY KEY (entity, tenant));"                                                 \
    "PRAGMA user_version = 3; COMMIT;"

/* What version 1 did not have: files then are clean, ours and unknown. */
#define SCHEMA_FROM_1                                                                              \
    "ALTER TABLE file ADD COLUMN digest BLOB; ALTER TABLE file ADD COLUMN next_digest "            \
    "BLOB; ALTER TABLE file ADD COLUMN problem TEXT;"

/* What version 2 did not have: all records are of their mappings' first generation. */
#define SCHEMA_FROM_2 "ALTER TABLE record ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;"

static enum outcome fail(const struct sqlite_db *db, enum outcome outcome, const char *what,
                         struct error *err)
{
    int code = db->connection ? sqlite3_errcode(db->connection) : SQLITE_NOMEM;
    error_set(err, outcome, ERR_STORE_FILE, "the file store's database cannot be %s", what);
    error_cause(err, "%s", sqlite3_errstr(code)); /* errmsg could quote what was stored */
    return outcome;
}

static enum outcome failed(const struct sqlite_db *db, struct error *err)
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
    return fail(db, outcome, "used", err);
}

static enum outcome failed_reading(const struct sqlite_db *db, struct error *err)
{
    return fail(db, OUT_FATAL, "read", err);
}

/* ---- opening ----------------------------------------------------------------------------- */

static bool path_of(const char *dir, char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s/" FILE_STORE_OWN "/state.db", dir);
    return size > 0 && size < PATH_MAX;
}

static enum outcome open_connection(struct sqlite_db *db, const char *path, int mode,
                                    sqlite_failed *meaning, struct error *err)
{
    enum outcome outcome = sqlite_open(db, path, mode, meaning, err);
    if (outcome == OUT_OK)
        sqlite3_busy_timeout(db->connection, BUSY_MS);
    return outcome;
}

/* SQLite gives the files beside it the database's own mode. One that is there is not opened here:
 * closing it would drop every lock that this process has on it (sqlite.org/howtocorrupt.html 2.2).
 */
static enum outcome make_private(const char *path, struct error *err)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || (errno == EEXIST && lstat(path, &status) == 0 && S_ISREG(status.st_mode)))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STORE_FILE, "the database cannot be made");
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

static enum outcome version_of(struct sqlite_db *db, int64_t *version, struct error *err)
{
    return sqlite_number(db, "PRAGMA user_version", NO_VALUES, 0, version, err);
}

/* In a transaction that writes from its begin: one that read first is refused at once, without a
 * wait, when another has written meanwhile. */
static enum outcome change_schema(struct sqlite_db *db, struct error *err)
{
    int64_t version = 0; /* may be another's by now */
    enum outcome outcome = sqlite_exec(db, "BEGIN IMMEDIATE", err);
    if (outcome == OUT_OK)
        outcome = version_of(db, &version, err);
    if (outcome == OUT_OK && version == 1)
        outcome = sqlite_exec(db, SCHEMA_FROM_1, err);
    if (outcome == OUT_OK && (version == 1 || version == 2))
        outcome = sqlite_exec(db, SCHEMA_FROM_2, err);
    return outcome == OUT_OK ? sqlite_exec(db, SCHEMA, err) : outcome;
}

/* One that is as it should be is not written to. */
static enum outcome make_schema(struct sqlite_db *db, struct error *err)
{
    int64_t version;
    enum outcome outcome =
        sqlite_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
    if (outcome == OUT_OK)
        outcome = version_of(db, &version, err);
    if (outcome != OUT_OK || version == SCHEMA_VERSION)
        return outcome;
    if (version > SCHEMA_VERSION)
        return error_set(err, OUT_FATAL, ERR_STORE_FILE,
                         "the file store was made by a later version of drover");
    return change_schema(db, err);
}

enum outcome file_db_open(struct sqlite_db *db, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    *db = (struct sqlite_db){0};
    if (!path_of(dir, path))
        return error_set(err, OUT_FATAL, ERR_STORE_FILE, "the store's folder has too long a name");
    enum outcome outcome = make_private(path, err);
    if (outcome == OUT_OK)
        outcome = open_connection(db, path, SQLITE_OPEN_READWRITE, failed, err);
    if (outcome == OUT_OK)
        outcome = make_schema(db, err);
    if (outcome == OUT_OK)
        return OUT_OK;
    error_where(err, "%s", path);
    sqlite_close(db);
    if (err)
        err->outcome = OUT_FATAL;
    return OUT_FATAL;
}

static enum outcome fail_missing(const char *dir, struct error *err)
{
    error_set(err, OUT_RETRY, ERR_STORE_FILE, "there is no file store");
    error_where(err, "%s", dir);
    error_hint(err, "drover work with storage: file makes it; see store.dir");
    return OUT_RETRY;
}

/* *version 0: there is none, or a worker is just making it. */
static enum outcome open_reader(struct sqlite_db *db, const char *dir, int64_t *version,
                                struct error *err)
{
    char path[PATH_MAX];
    *db = (struct sqlite_db){0};
    *version = 0;
    if (!path_of(dir, path) || access(path, R_OK) != 0)
        return OUT_OK;
    enum outcome outcome = open_connection(db, path, SQLITE_OPEN_READONLY, failed_reading, err);
    if (outcome == OUT_OK)
        outcome = version_of(db, version, err);
    if (outcome != OUT_OK)
        error_where(err, "%s", path);
    return outcome;
}

enum outcome file_db_open_reader(struct sqlite_db *db, const char *dir, struct error *err)
{
    int64_t version;
    enum outcome outcome = open_reader(db, dir, &version, err);
    return outcome == OUT_OK && version == 0 ? fail_missing(dir, err) : outcome;
}

bool file_db_is_missing(const char *dir)
{
    struct sqlite_db db;
    int64_t version;
    bool missing = open_reader(&db, dir, &version, NULL) == OUT_OK && version == 0;
    sqlite_close(&db);
    return missing;
}

/* The first read takes it. */
enum outcome file_db_snapshot(struct sqlite_db *db, struct error *err)
{
    return sqlite_exec(db, "BEGIN; SELECT count(*) FROM progress", err);
}

enum outcome file_db_checkpoint(struct sqlite_db *db, const char *group, const char *topic,
                                int32_t partition, int64_t *epoch, int64_t *next_offset,
                                struct error *err)
{
    static const char SQL[] = "SELECT epoch, next_offset FROM progress WHERE " FILE_PARTITION_KEY;
    sqlite3_stmt *row;
    enum outcome outcome =
        sqlite_get(db, SQL, VALUES(NAME(group), NAME(topic), NUMBER(partition)), &row, err);
    *epoch = row ? sqlite3_column_int64(row, 0) : 0;
    *next_offset = row ? sqlite3_column_int64(row, 1) : -1;
    sqlite3_reset(row);
    return outcome;
}

enum outcome file_db_records(struct sqlite_db *db, struct bytes entity, struct bytes tenant,
                             sqlite3_stmt **row, struct error *err)
{
    static const char SQL[] =
        "SELECT id, json FROM record WHERE " FILE_KEY " AND json IS NOT NULL ORDER BY id";
    return sqlite_get(db, SQL, VALUES(TEXT(entity), TEXT(tenant)), row, err);
}
