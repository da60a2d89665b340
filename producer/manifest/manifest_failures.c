/* What is said when the manifest cannot be used: where, why, what to do. */
#include "common/base/error.h"
#include "producer/manifest/manifest_internal.h"

static void advise(const struct manifest *manifest, struct error *err)
{
    sqlite3 *connection = manifest->db.connection;
    switch (connection ? sqlite3_errcode(connection) & 0xff : SQLITE_NOMEM) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
        error_hint(err, "make room on its disk, and start again: nothing is lost");
        return;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        error_hint(err, "make it and its folder writable, and start again: nothing is lost");
        return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_hint(err, "another program has it open: end that, and start again");
        return;
    case SQLITE_NOMEM:
        error_hint(err, "give the process more memory, and start again: nothing is lost");
        return;
    default:
        error_hint(err,
                   "restore it from a copy; or remove it and %s, and all sources are sent again",
                   manifest->lock.path);
    }
}

enum outcome manifest_failed(const struct sqlite_db *db, struct error *err)
{
    const struct manifest *manifest = (const struct manifest *)db;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the producer's manifest cannot be used");
    error_where(err, "%s", manifest->path);
    error_cause(err, "%s", db->connection ? sqlite3_errmsg(db->connection) : "no memory");
    advise(manifest, err);
    return OUT_FATAL;
}

enum outcome manifest_refuse(const struct manifest *manifest, const char *what, const char *why,
                             struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the producer's manifest %s", what);
    error_where(err, "%s", manifest->path);
    error_cause(err, "%s", why);
    error_hint(err, "restore it from a copy; or remove it and %s, and all sources are sent again",
               manifest->lock.path);
    return OUT_FATAL;
}

enum outcome manifest_damaged(const struct manifest *manifest, const char *why, struct error *err)
{
    return manifest_refuse(manifest, "is damaged", why, err);
}
