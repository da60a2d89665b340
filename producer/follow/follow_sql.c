/*
 * Tables: file and record are what is known. A record with an empty digest is unknown: an intent
 * (it is on its way, or was when the process ended), or one that must be produced again. highest is
 * kept for records that bring their own versions or once did, and outlives their files: a delete
 * must be above every version a key ever had. seen (of this reading), change (what is to be sent)
 * and unfollowed (files that no source covers in this run) are temporary. rejection is
 * follow_rejected.c's; a state from before it reads all files again, as nobody knows what is
 * rejected of them.
 */
#include "producer/follow/follow_sql.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"

static const char SCHEMA[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=FILE;"
    "PRAGMA cache_size=-4000; PRAGMA temp.cache_size=-4000;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO meta VALUES ('format', 1), ('bound', 0);"
    "CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE,"
    " device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER,"
    " folder_device INTEGER, done INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS record (file INTEGER NOT NULL, key BLOB NOT NULL,"
    " digest BLOB NOT NULL, version INTEGER NOT NULL, own INTEGER NOT NULL,"
    " deleted INTEGER NOT NULL, PRIMARY KEY (file, key)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS record_key ON record (key);"
    "CREATE TABLE IF NOT EXISTS rejection (uri BLOB NOT NULL, source BLOB NOT NULL,"
    " path BLOB NOT NULL, content BLOB NOT NULL, open INTEGER NOT NULL, broken INTEGER NOT NULL,"
    " stage INTEGER NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (uri, source)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS rejection_path ON rejection (path);"
    "CREATE INDEX IF NOT EXISTS rejection_stage ON rejection (stage);"
    "CREATE TABLE IF NOT EXISTS grown (file INTEGER PRIMARY KEY, \"end\" INTEGER, line INTEGER,"
    " ordinal INTEGER, size INTEGER, changed INTEGER, proof BLOB, verified INTEGER);"
    "CREATE TABLE IF NOT EXISTS grown_part (file INTEGER, upto INTEGER, digest BLOB,"
    " PRIMARY KEY (file, upto)) WITHOUT ROWID;"

    "UPDATE file SET done = 0 WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = 'surveyed');"
    "DELETE FROM grown WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = 'surveyed');"
    "INSERT OR IGNORE INTO meta VALUES ('surveyed', 0), ('told', 0);"
    "CREATE INDEX IF NOT EXISTS file_place ON file (device, inode);"
    "CREATE TABLE IF NOT EXISTS highest (key BLOB PRIMARY KEY, version INTEGER NOT NULL) WITHOUT "
    "ROWID;"
    "COMMIT;"
    "CREATE TEMP TABLE unfollowed (file INTEGER PRIMARY KEY, away INTEGER NOT NULL);"
    "CREATE TEMP TABLE seen (key BLOB PRIMARY KEY, digest BLOB, version INTEGER, ordinal INTEGER,"
    " own INTEGER) WITHOUT ROWID;"
    "CREATE TEMP TABLE change (key BLOB PRIMARY KEY, kind INTEGER, digest BLOB, ordinal INTEGER,"
    " own INTEGER, floor INTEGER, blank INTEGER, version INTEGER, given INTEGER,"
    " below INTEGER, file INTEGER) WITHOUT ROWID;";

static const char *const TEXTS[STATEMENTS] = {
    [SQL_META] = "SELECT value FROM meta WHERE name = ?1",
    [SQL_RESERVE] = "UPDATE meta SET value = max(value, ?1) WHERE name = 'bound'",
    /* of one that was gone, the identity says nothing about what is there now */
    [SQL_FIND] = "SELECT id, CASE WHEN NOT gone THEN device END, CASE WHEN NOT gone THEN inode "
                 "END, size, modified, changed, folder_device, done AND NOT gone FROM file WHERE "
                 "path = ?1",
    [SQL_PATHS] = "SELECT path FROM file WHERE NOT gone ORDER BY path",
    [SQL_UNFOLLOW] =
        "INSERT OR IGNORE INTO temp.unfollowed SELECT id, ?2 FROM file WHERE path = ?1",
    [SQL_UNFOLLOWED] = "SELECT count(DISTINCT key) FROM record AS r WHERE NOT deleted AND file IN "
                       "(SELECT file FROM temp.unfollowed) AND NOT EXISTS (SELECT 1 FROM record "
                       "AS o WHERE o.key = r.key AND NOT o.deleted AND o.file NOT IN (SELECT file "
                       "FROM temp.unfollowed))",
    [SQL_COUNT] = "SELECT count(*) FROM record WHERE NOT deleted",
    [SQL_ADD_FILE] = "INSERT INTO file (path, gone) VALUES (?1, 1)",
    [SQL_SEE] = "INSERT INTO temp.seen VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET "
                "digest = ?2, version = ?3, ordinal = ?4, own = ?5 WHERE NOT ?5 OR ?3 >= version",
    [SQL_OLD] = "SELECT key, digest, version, deleted, own FROM record WHERE file = ?1 ORDER BY "
                "key",
    [SQL_NOW] = "SELECT key, digest, version, ordinal, own FROM temp.seen ORDER BY key",
    [SQL_FOLLOW] = "DELETE FROM temp.unfollowed WHERE file = ?1",
    [SQL_FLOOR] = "SELECT max(coalesce((SELECT max(version) FROM record WHERE key = ?1), 0), "
                  "coalesce((SELECT version FROM highest WHERE key = ?1), 0))",
    /* deleted when another file lost it, and nobody has it now */
    [SQL_BEHIND_DELETE] =
        "SELECT 1 FROM record WHERE key = ?1 AND deleted = 1 AND version >= ?2 AND NOT "
        "EXISTS (SELECT 1 FROM record WHERE key = ?1 AND NOT deleted) LIMIT 1",
    [SQL_OTHER] = "SELECT file, version, digest = ?3 FROM record WHERE key = ?1 AND file <> ?2 "
                  "AND NOT deleted AND file NOT IN (SELECT file FROM temp.unfollowed WHERE NOT "
                  "(away AND own)) ORDER BY version DESC LIMIT 1",
    [SQL_CHANGE] = "INSERT INTO temp.change VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, ?9, ?10)",
    /* few changes, and of a reading any number */
    [SQL_CLASH] =
        "SELECT 1 FROM temp.change AS c CROSS JOIN temp.seen AS s ON s.key = c.key LIMIT 1",
    [SQL_INTEND] = "INSERT OR REPLACE INTO record SELECT ?1, key, x'', given, own, "
                   "CASE WHEN kind = 2 AND own THEN 2 ELSE 0 END FROM temp.change WHERE file = ?1 "
                   "AND kind IN (1, 2)",
    [SQL_HIGHEST] =
        "INSERT INTO highest SELECT key, given FROM temp.change WHERE file = ?1 AND "
        "kind IN (1, 2) AND (own OR floor > 0 AND given > (SELECT value FROM meta WHERE name = "
        "'bound')) ON CONFLICT (key) DO UPDATE SET version = max(version, "
        "excluded.version)",
    [SQL_UNDONE] = "UPDATE file SET done = 0, folder_device = ?2, gone = 0, "
                   "device = CASE WHEN gone OR device IS NULL THEN ?3 ELSE device END, "
                   "inode = CASE WHEN gone OR inode IS NULL THEN ?4 ELSE inode END, "
                   "changed = CASE WHEN gone OR changed IS NULL THEN ?5 ELSE changed END "
                   "WHERE id = ?1",
    [SQL_WANTS] =
        "SELECT kind, floor, below FROM temp.change WHERE key = ?1 AND ordinal = ?2 AND digest "
        "= ?3 AND file = ?4",
    [SQL_SENT] = "UPDATE temp.change SET version = ?2 WHERE key = ?1 AND file = ?3",
    [SQL_KEEP] = "UPDATE temp.change SET kind = 3 WHERE key = ?1",
    /* Nothing of it got into the topic: it is tried again whenever the file is read. */
    [SQL_REFUSED] = "UPDATE temp.change SET digest = x'' WHERE key = ?1 AND file = ?2 AND kind = 1",
    [SQL_REFUSED_LATE] =
        "UPDATE temp.change SET digest = x'' WHERE ordinal = ?1 AND file = ?2 AND kind = 1",
    [SQL_UNSENT] =
        "SELECT count(*) FROM temp.change WHERE version IS NULL AND kind = 1 AND file = ?1",
    [SQL_DELETES] =
        "SELECT key, floor, own FROM temp.change WHERE kind = 2 AND key > ?1 AND file = ?2 "
        "ORDER BY key LIMIT 1",
    [SQL_STORE] = "INSERT OR REPLACE INTO record SELECT ?1, key, digest, version, own, 0 FROM "
                  "temp.change WHERE file = ?1 AND kind = 1 AND version IS NOT NULL",
    [SQL_TOMBSTONE] = "INSERT OR REPLACE INTO record SELECT ?1, key, digest, version, 1, 1 FROM "
                      "temp.change WHERE file = ?1 AND kind = 2 AND own",
    [SQL_REMOVE] = "DELETE FROM record WHERE file = ?1 AND key IN (SELECT key FROM temp.change "
                   "WHERE file = ?1 AND (kind = 3 OR kind = 2 AND NOT own))",
    [SQL_BLANK] = "UPDATE record SET digest = x'' WHERE NOT deleted AND (file, key) IN (SELECT "
                  "blank, key FROM temp.change WHERE blank > 0)",
    /* Who is not there now, or not followed, held it: should it come back, it is produced again. */
    [SQL_BLANK_AWAY] = "UPDATE record SET digest = x'' WHERE NOT deleted AND file IN (SELECT file "
                       "FROM temp.unfollowed) AND key IN (SELECT key FROM temp.change WHERE kind = "
                       "2)",
    [SQL_DIRTY_AWAY] = "UPDATE file SET done = 0 WHERE id IN (SELECT r.file FROM record AS r JOIN "
                       "temp.change AS c ON c.key = r.key AND c.kind = 2 WHERE r.file IN (SELECT "
                       "file FROM temp.unfollowed))",
    [SQL_DIRTY] = "UPDATE file SET done = 0 WHERE id IN (SELECT blank FROM temp.change WHERE blank "
                  "> 0)",
    [SQL_FILE_STORED] = "UPDATE file SET device = ?2, inode = ?3, size = ?4, modified = ?5, "
                        "changed = ?6, folder_device = ?7, done = ?8, gone = 0 WHERE id = ?1",
    [SQL_FILE_GONE] = "UPDATE file SET gone = 1, done = 0 WHERE id = ?1",
    [SQL_PLACE] = "SELECT id, path, size, modified, changed, folder_device FROM file WHERE device "
                  "= ?1 AND inode = ?2 AND id <> ?3 AND NOT gone ORDER BY changed DESC, id LIMIT 1 "
                  "OFFSET ?4",
    [SQL_OLD_ONE] = "SELECT key, digest, version, deleted, own FROM record WHERE file = ?1 AND key "
                    "= ?2",
    /* Good for the identity it was stored with, whoever wrote the file's row since. */
    [SQL_GROWN] = "SELECT g.\"end\", g.line, g.ordinal, g.size, g.changed, g.proof, g.verified, "
                  "(SELECT count(*) FROM grown_part AS p WHERE p.file = g.file) FROM grown AS g "
                  "JOIN file AS f ON f.id = g.file WHERE g.file = ?1 AND f.size = g.size AND "
                  "f.changed = g.changed AND NOT f.gone",
    [SQL_PARTS] = "SELECT upto, digest FROM grown_part WHERE file = ?1 ORDER BY upto",
    [SQL_GROW] = "INSERT OR REPLACE INTO grown VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_ADD_PART] = "INSERT OR REPLACE INTO grown_part VALUES (?1, ?2, ?3)",
    [SQL_DROP_PARTS] = "DELETE FROM grown_part WHERE file = ?1",
    [SQL_SHRINK] = "DELETE FROM grown WHERE file = ?1",
    /* Its records are to be produced again: it must be read whole. */
    [SQL_SHRINK_OTHERS] = "DELETE FROM grown WHERE file IN (SELECT blank FROM temp.change WHERE "
                          "blank > 0)",
    [SQL_SHRINK_AWAY] = "DELETE FROM grown WHERE file IN (SELECT file FROM temp.unfollowed)",
    /* Files may change names in a circle, so all give theirs up first. No path begins so. */
    [SQL_MOVE_OFF] = "UPDATE file SET path = CAST('moved ' || id AS BLOB), done = 0 WHERE id = ?1",
    /* What was known of the file that had the name before (?2) is the moved one's (?1) now: of one
     * key the newer row. Live rows are produced again, under the new name. */
    [SQL_MOVE_BLANK] = "UPDATE record SET digest = x'' WHERE file = ?1 AND NOT deleted AND NOT "
                       "EXISTS (SELECT 1 FROM record AS o WHERE o.file = ?2 AND o.key = record.key "
                       "AND o.digest = record.digest AND NOT o.deleted)",
    [SQL_MOVE_MERGE] = "INSERT INTO record SELECT ?1, key, digest, version, own, deleted FROM "
                       "record WHERE file = ?2 ON CONFLICT (file, key) DO UPDATE SET digest = "
                       "excluded.digest, version = excluded.version, own = excluded.own, deleted = "
                       "excluded.deleted WHERE excluded.version > version",
    [SQL_MOVE_DROP_RECORDS] = "DELETE FROM record WHERE file = ?1",
    [SQL_MOVE_DROP_FILE] = "DELETE FROM file WHERE id = ?1",
    [SQL_MOVE_NAME] = "UPDATE file SET path = ?2 WHERE id = ?1",
};

void follow_sql_begin_anew(const struct follow_state *state, const char *why, struct error *err)
{
    error_hint(err,
               "%s; or remove it and %s, and all records are produced again (what was deleted "
               "meanwhile is then found by 'drover verify --source' alone)",
               why, state->lock_path);
}

/* SQLite takes a file for read-only also when its header names a format of the future. */
static bool is_writable(const struct follow_state *state)
{
    const char *slash = strrchr(state->path, '/');
    char *folder =
        slash ? mem_text_part(state->path, (size_t)(slash - state->path) + 1) : mem_text(".");
    bool writable = access(state->path, W_OK) == 0 && access(folder, W_OK) == 0;
    free(folder);
    return writable;
}

static void advise(const struct follow_state *state, struct error *err)
{
    sqlite3 *connection = state->db.connection;
    int code = connection ? sqlite3_errcode(connection) & 0xff : SQLITE_NOMEM;
    if (files_is_read_only(state->path)) { /* SQLite calls it an I/O error, or damage */
        error_cause(err, "%s; its file system is read-only",
                    connection ? sqlite3_errmsg(connection) : "no memory");
        error_hint(err, "make it writable again, and start again: nothing is lost");
        return;
    }
    switch (code == SQLITE_READONLY && is_writable(state) ? SQLITE_CORRUPT : code) {
    case SQLITE_FULL:
        error_hint(err, "make room on its disk, and start again: nothing is lost");
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        error_hint(err, "make it and its folder writable, and start again: nothing is lost");
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_hint(err, "another program has it open: end that, and start again");
        break;
    case SQLITE_NOMEM:
        error_hint(err, "give the process more memory, and start again: nothing is lost");
        break;
    case SQLITE_IOERR:
        follow_sql_begin_anew(state,
                              "the disk failed, or the file is cut: see the system's log, and "
                              "start again, or restore it from a copy",
                              err);
        break;
    default: /* no other program writes it: what SQLite cannot make sense of is damaged */
        follow_sql_begin_anew(state, "it is damaged: restore it from a copy", err);
        break;
    }
}

static enum outcome failed(const struct sqlite_db *db, struct error *err)
{
    const struct follow_state *state = (const struct follow_state *)db;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's state cannot be used");
    error_where(err, "%s", state->path);
    error_cause(err, "%s", db->connection ? sqlite3_errmsg(db->connection) : "no memory");
    advise(state, err);
    return OUT_FATAL;
}

enum outcome follow_sql_get(struct follow_state *state, enum statement which,
                            const struct sqlite_value *values, size_t count, sqlite3_stmt **row,
                            struct error *err)
{
    return sqlite_get(&state->db, TEXTS[which], values, count, row, err);
}

enum outcome follow_sql_run(struct follow_state *state, enum statement which,
                            const struct sqlite_value *values, size_t count, struct error *err)
{
    return sqlite_run(&state->db, TEXTS[which], values, count, err);
}

/* Readable by its owner alone: keys are in it. */
enum outcome follow_sql_open(struct follow_state *state, struct error *err)
{
    mode_t old = umask(0077);
    enum outcome outcome = sqlite_open(&state->db, state->path,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, failed, err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&state->db, SCHEMA, err);
    umask(old);
    for (int i = 0; i < STATEMENTS && outcome == OUT_OK; i++)
        outcome = sqlite_prepare(&state->db, TEXTS[i], err);
    return outcome;
}
