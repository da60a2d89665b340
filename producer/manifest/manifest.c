/* See the header. Opening, commits, and who reads a source; rows are manifest_rows.c's. */
#include "producer/manifest/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/model/value/timestamp.h"
#include "producer/manifest/manifest_internal.h"

#define FORMAT 1
#define BUSY_MS 10000 /* another producer of other sources commits: microseconds */
#define PACK_BYTES ((size_t)64 << 20)

/* The rows of `source` are columns so that people can ask them; `sum` is over all values before it.
 */
static const char SCHEMA[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-4000;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO meta VALUES ('format', 1), ('commits', 0);"
    "CREATE TABLE IF NOT EXISTS source (uri BLOB PRIMARY KEY, device INTEGER, inode INTEGER,"
    " size INTEGER, modified INTEGER, changed INTEGER, looked INTEGER, way BLOB, run TEXT,"
    " start BLOB, records INTEGER, at INTEGER, bytes INTEGER, digest BLOB, next BLOB,"
    " complete INTEGER, produced INTEGER, rejected INTEGER, withheld INTEGER, finished INTEGER,"
    " reading BLOB, sum BLOB) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tip (run TEXT PRIMARY KEY, tips BLOB, sum BLOB) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS producer (life INTEGER PRIMARY KEY, pid INTEGER, host TEXT,"
    " since INTEGER);"
    "CREATE TABLE IF NOT EXISTS taken (place INTEGER PRIMARY KEY, life INTEGER);"
    "COMMIT;";

static const char META[] = "SELECT value FROM meta WHERE name = ?1";
static const char COUNT_COMMIT[] =
    "UPDATE meta SET value = value + 1 WHERE name = 'commits' RETURNING value";
/* Whose sources were all read in later runs. */
static const char DROP_TIPS[] = "DELETE FROM tip WHERE run NOT IN (SELECT run FROM source)";
/* Who reads which source. A lock each would cost the square of their number: the system walks all
 * locks of a file for each one more. So a producer locks one byte, its life, and the rest is rows,
 * which count as long as that byte is locked. */
static const char LIVES[] = "SELECT life FROM producer";
static const char DROP_LIFE[] = "DELETE FROM producer WHERE life = ?1";
static const char DROP_TAKEN[] = "DELETE FROM taken WHERE life NOT IN (SELECT life FROM producer)";
static const char LIVE[] = "INSERT INTO producer VALUES (?1, ?2, ?3, ?4)";
static const char TAKE[] = "INSERT OR IGNORE INTO taken VALUES (?1, ?2)";
static const char TAKER[] =
    "SELECT life, pid, host, since FROM taken JOIN producer USING (life) WHERE place = ?1";

/* ---- opening ---- */

static enum outcome number_of(struct manifest *manifest, const char *name, int64_t *number,
                              struct error *err)
{
    return sqlite_number(&manifest->db, META, VALUES(NAME(name)), -1, number, err);
}

/* The lock's file tells whether there ever was a manifest: one that is empty now was lost. */
static enum outcome check_begun(const struct manifest *manifest, uint64_t commits,
                                struct error *err)
{
    struct stat file;
    bool exists = stat(manifest->path, &file) == 0;
    if (exists && file.st_size == 0 && commits > 0)
        return manifest_refuse(manifest, "is empty", "the file has no bytes", err);
    return exists || commits == 0
               ? OUT_OK
               : manifest_refuse(manifest, "is gone", "there is no such file", err);
}

static enum outcome check_pages(struct manifest *manifest, struct error *err)
{
    static const char CHECK[] = "PRAGMA quick_check(1)";
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&manifest->db, CHECK, NO_VALUES, &row, err);
    if (!row)
        return outcome;
    bool sound = bytes_equal(sqlite_bytes(row, 0), BYTES_LITERAL("ok"));
    if (!sound)
        manifest_damaged(manifest, (const char *)sqlite3_column_text(row, 0), err);
    sqlite3_reset(row);
    return sound ? OUT_OK : OUT_FATAL;
}

/* Before anything is written into a file of another format. */
static enum outcome check_format(struct manifest *manifest, struct error *err)
{
    static const char TABLES[] = "SELECT count(*) FROM sqlite_master";
    int64_t format, tables;
    char why[80];
    if (sqlite_number(&manifest->db, TABLES, NO_VALUES, 0, &tables, err) != OUT_OK)
        return OUT_FATAL;
    if (tables == 0)
        return OUT_OK;
    if (number_of(manifest, "format", &format, err) != OUT_OK)
        return OUT_FATAL;
    if (format == FORMAT)
        return OUT_OK;
    snprintf(why, sizeof(why), "it is of format %" PRId64 ", this drover reads %d", format, FORMAT);
    manifest_refuse(manifest, "is of another format", why, err);
    error_hint(err,
               "use the drover that wrote it; or remove it and %s, and all sources are sent again",
               manifest->lock.path);
    return OUT_FATAL;
}

static enum outcome open_db(struct manifest *manifest, uint64_t noted, struct error *err)
{
    mode_t old = umask(0077); /* what rejections name is for its owner */
    enum outcome outcome =
        sqlite_open(&manifest->db, manifest->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    manifest_failed, err);
    if (outcome == OUT_OK)
        sqlite3_busy_timeout(manifest->db.connection, BUSY_MS);
    if (outcome == OUT_OK)
        outcome = check_format(manifest, err);
    if (outcome == OUT_OK)
        outcome = check_pages(manifest, err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&manifest->db, SCHEMA, err);
    umask(old);
    int64_t commits = 0;
    if (outcome == OUT_OK)
        outcome = number_of(manifest, "commits", &commits, err);
    if (outcome == OUT_OK && commits < 0)
        outcome = manifest_damaged(manifest, "its count of commits is gone", err);
    if (outcome == OUT_OK && (uint64_t)commits < noted)
        manifest->lost = noted - (uint64_t)commits;
    if (outcome == OUT_OK)
        outcome = manifest_check_rows(manifest, err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(&manifest->db, DROP_TIPS, NO_VALUES, err);
    return outcome;
}

enum outcome manifest_open(const char *folder, const char *topic, struct manifest **out,
                           struct error *err)
{
    uint64_t noted = 0;
    *out = NULL;
    if (files_make_folder(folder, err) != OUT_OK)
        return OUT_FATAL;
    struct manifest *manifest = mem_new(sizeof(*manifest));
    buf_init(&manifest->scratch, PACK_BYTES);
    manifest->path = mem_format("%s/%s.manifest.db", folder, topic);
    char *lock = mem_format("%s/%s.manifest.lock", folder, topic);
    enum outcome outcome = manifest_lock_open(&manifest->lock, lock, err);
    if (outcome == OUT_OK)
        outcome = manifest_lock_commits(&manifest->lock, &noted, err);
    if (outcome == OUT_OK)
        outcome = check_begun(manifest, noted, err);
    if (outcome == OUT_OK)
        outcome = open_db(manifest, noted, err);
    if (outcome == OUT_OK)
        *out = manifest;
    else
        manifest_close(manifest);
    return outcome;
}

void manifest_close(struct manifest *manifest)
{
    if (!manifest)
        return;
    sqlite_close(&manifest->db);
    manifest_lock_close(&manifest->lock);
    buf_free(&manifest->scratch);
    free(manifest->path);
    free(manifest);
}

uint64_t manifest_lost(const struct manifest *manifest)
{
    return manifest->lost;
}

const char *manifest_path(const struct manifest *manifest)
{
    return manifest->path;
}

/* ---- commits ---- */

enum outcome manifest_begin(struct manifest *manifest, struct error *err)
{
    return sqlite_exec(&manifest->db, "BEGIN IMMEDIATE", err);
}

/* What was begun and cannot be ended is undone: the next one begins anew. */
enum outcome manifest_commit(struct manifest *manifest, struct error *err)
{
    int64_t commits = 0;
    enum outcome outcome = sqlite_number(&manifest->db, COUNT_COMMIT, NO_VALUES, 0, &commits, err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&manifest->db, "COMMIT", err);
    if (outcome != OUT_OK) {
        sqlite_reset(&manifest->db);
        sqlite3_exec(manifest->db.connection, "ROLLBACK", NULL, NULL, NULL);
        return outcome;
    }
    return manifest_lock_note(&manifest->lock, (uint64_t)commits, err);
}

/* ---- sources taken ---- */

static int64_t place_of(const char *kind, const void *what, size_t size)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    buf_append_text(&text, kind);
    buf_append(&text, what, size);
    int64_t place = (int64_t)(hash64(buf_view(&text)) & (INT64_MAX >> 1));
    buf_free(&text);
    return place;
}

/* Rows of producers that are gone; no table grows with every file there ever was. */
static enum outcome drop_dead(struct manifest *manifest, struct error *err)
{
    int64_t *dead = NULL;
    size_t count = 0, room = 0;
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&manifest->db, LIVES, NO_VALUES, &row, err);
    while (outcome == OUT_OK && row) {
        int64_t life = sqlite3_column_int64(row, 0);
        bool lives = true;
        outcome = manifest_lock_is_taken(&manifest->lock, life, &lives, err);
        if (!lives && life != manifest->life) {
            dead = mem_grown(dead, &room, count + 1, sizeof(*dead));
            dead[count++] = life;
        }
        if (outcome == OUT_OK)
            outcome = sqlite_next(&manifest->db, &row, err);
        else
            sqlite3_reset(row);
    }
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = sqlite_run(&manifest->db, DROP_LIFE, VALUES(NUMBER(dead[i])), err);
    if (outcome == OUT_OK && count)
        outcome = sqlite_run(&manifest->db, DROP_TAKEN, NO_VALUES, err);
    free(dead);
    return outcome;
}

/* Its byte is locked before anybody can read of it. */
static enum outcome begin_life(struct manifest *manifest, struct error *err)
{
    char host[256] = "";
    int64_t life = 0;
    enum outcome outcome = OUT_RETRY;
    gethostname(host, sizeof(host) - 1);
    while (outcome == OUT_RETRY) {
        if (getrandom(&life, sizeof(life), 0) != (ssize_t)sizeof(life))
            abort();
        life = (life & (INT64_MAX >> 1)) | 1;
        outcome = manifest_lock_take(&manifest->lock, life, err);
    }
    if (outcome != OUT_OK)
        return outcome;
    manifest->life = life;
    outcome = manifest_begin(manifest, err);
    if (outcome == OUT_OK)
        outcome = drop_dead(manifest, err);
    return outcome == OUT_OK ? sqlite_run(&manifest->db, LIVE,
                                          VALUES(NUMBER(life), NUMBER(getpid()), NAME(host),
                                                 NUMBER(clock_unix_ms())),
                                          err)
                             : outcome;
}

static enum outcome insert_place(struct manifest *manifest, int64_t place, bool *inserted,
                                 struct error *err)
{
    enum outcome outcome =
        sqlite_run(&manifest->db, TAKE, VALUES(NUMBER(place), NUMBER(manifest->life)), err);
    *inserted = outcome == OUT_OK && sqlite3_changes(manifest->db.connection) > 0;
    return outcome;
}

/* Ours when it was named twice. */
static enum outcome say_taker(struct manifest *manifest, const char *path, int64_t place,
                              struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&manifest->db, TAKER, VALUES(NUMBER(place)), &row, err);
    if (!row)
        return outcome == OUT_OK ? manifest_damaged(manifest, "a source's taker is gone", err)
                                 : outcome;
    if (sqlite3_column_int64(row, 0) != manifest->life) {
        struct buf since;
        buf_init(&since, 64);
        timestamp_append_ms(&since, sqlite3_column_int64(row, 3));
        outcome = error_set(err, OUT_FATAL, ERR_SOURCE_TAKEN, "another producer reads the source");
        error_where(err, "%s", path);
        error_cause(err, "process %" PRId64 " on %s, since %s",
                    (int64_t)sqlite3_column_int64(row, 1),
                    (const char *)sqlite3_column_text(row, 2), buf_text(&since));
        buf_free(&since);
    }
    sqlite3_reset(row);
    return outcome;
}

static enum outcome take_place(struct manifest *manifest, const char *path, int64_t place,
                               struct error *err)
{
    bool inserted;
    enum outcome outcome = insert_place(manifest, place, &inserted, err);
    if (outcome != OUT_OK || inserted)
        return outcome;
    outcome = drop_dead(manifest, err); /* who has it may have ended since */
    if (outcome == OUT_OK)
        outcome = insert_place(manifest, place, &inserted, err);
    return outcome != OUT_OK || inserted ? outcome : say_taker(manifest, path, place, err);
}

enum outcome manifest_take(struct manifest *manifest, const char *path,
                           const struct scan_identity *identity, struct error *err)
{
    const uint64_t file[] = {identity->device, identity->inode};
    char *whole = realpath(path, NULL);
    const char *name = whole ? whole : path;
    enum outcome outcome = manifest->life ? OUT_OK : begin_life(manifest, err);
    if (outcome == OUT_OK)
        outcome = take_place(manifest, path, place_of("name", name, strlen(name)), err);
    if (outcome == OUT_OK)
        outcome = take_place(manifest, path, place_of("file", file, sizeof(file)), err);
    free(whole);
    return outcome;
}

enum outcome manifest_say_taken(struct manifest *manifest, struct error *err)
{
    return manifest->life ? manifest_commit(manifest, err) : OUT_OK;
}
