/* The stored port over the file store's database: one read transaction is the snapshot. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/file_store_parts.h"

#define COLUMNS "entity, tenant, id, version, digest, deleted, json"

struct file_reader {
    struct stored_reader base;
    const struct mapping_set *mappings;
    sqlite3 *connection;
    sqlite3_stmt *progress, *next, *find;
};

static struct file_reader *of(struct stored_reader *base)
{
    return (struct file_reader *)base;
}

static enum outcome failed(struct file_reader *reader, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "the file store's database cannot be read");
    error_cause(err, "%s", sqlite3_errstr(sqlite3_errcode(reader->connection)));
    return outcome;
}

static enum outcome read_progress(struct stored_reader *base, const char *group, const char *topic,
                                  int32_t partition, int64_t *next_offset, struct error *err)
{
    struct file_reader *reader = of(base);
    sqlite3_reset(reader->progress);
    file_db_bind(reader->progress, 1, bytes_text(group));
    file_db_bind(reader->progress, 2, bytes_text(topic));
    sqlite3_bind_int(reader->progress, 3, partition);
    int code = sqlite3_step(reader->progress);
    *next_offset = code == SQLITE_ROW ? sqlite3_column_int64(reader->progress, 0) : -1;
    sqlite3_reset(reader->progress);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

/* Views into the statement's row. */
static enum outcome take_row(sqlite3_stmt *row, const struct mapping *mapping,
                             struct stored *stored, struct error *err)
{
    struct bytes digest = file_db_column(row, 4);
    *stored = (struct stored){
        .mapping = mapping,
        .tenant = file_db_column(row, 1),
        .id = file_db_column(row, 2),
        .version = sqlite3_column_int64(row, 3),
        .deleted = sqlite3_column_int(row, 5) != 0,
    };
    if (digest.size == sizeof stored->digest.bytes)
        memcpy(stored->digest.bytes, digest.data, digest.size);
    if (!stored->deleted)
        stored->json = file_db_column(row, 6);
    if (digest.size == sizeof stored->digest.bytes && (stored->deleted || stored->json.size))
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_STORE_FILE, "the stored record is damaged");
}

static enum outcome read_next(struct stored_reader *base, struct stored *stored, struct error *err)
{
    struct file_reader *reader = of(base);
    int code;
    while ((code = sqlite3_step(reader->next)) == SQLITE_ROW) {
        const struct mapping *mapping =
            mapping_set_find(reader->mappings, file_db_column(reader->next, 0));
        if (mapping)
            return take_row(reader->next, mapping, stored, err);
    }
    *stored = (struct stored){0};
    return code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

static enum outcome find(struct stored_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored *stored, bool *found,
                         struct error *err)
{
    struct file_reader *reader = of(base);
    sqlite3_reset(reader->find);
    file_db_bind(reader->find, 1, bytes_text(mapping->entity));
    file_db_bind(reader->find, 2, tenant);
    file_db_bind(reader->find, 3, id);
    int code = sqlite3_step(reader->find);
    *found = code == SQLITE_ROW;
    if (*found)
        return take_row(reader->find, mapping, stored, err);
    return code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

static void close_reader(struct stored_reader *base)
{
    struct file_reader *reader = of(base);
    sqlite3_finalize(reader->progress);
    sqlite3_finalize(reader->next);
    sqlite3_finalize(reader->find);
    sqlite3_close(reader->connection);
    free(reader);
}

static bool prepare(struct file_reader *reader, const char *sql, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v2(reader->connection, sql, -1, statement, NULL) == SQLITE_OK;
}

/* The first read takes the snapshot. */
static bool begin(struct file_reader *reader)
{
    return sqlite3_exec(reader->connection, "BEGIN; SELECT count(*) FROM progress", NULL, NULL,
                        NULL) == SQLITE_OK &&
           prepare(reader,
                   "SELECT next_offset FROM progress "
                   "WHERE \"group\" = ?1 AND topic = ?2 AND partition = ?3",
                   &reader->progress) &&
           prepare(reader, "SELECT " COLUMNS " FROM record ORDER BY entity, tenant, id",
                   &reader->next) &&
           prepare(reader,
                   "SELECT " COLUMNS " FROM record WHERE entity = ?1 AND tenant = ?2 AND id = ?3",
                   &reader->find);
}

enum outcome file_stored_open(const struct settings *settings, const struct mapping_set *mappings,
                              struct stored_reader **out, struct error *err)
{
    static const struct stored_ops OPS = {read_progress, read_next, find, close_reader};
    char path[PATH_MAX];
    *out = NULL;
    int size = snprintf(path, sizeof path, "%s/.drover/state.db", settings->store_dir);
    if (size < 0 || (size_t)size >= sizeof path || access(path, R_OK) != 0) {
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "there is no file store");
        error_where(err, "%s", settings->store_dir);
        error_hint(err, "drover work with storage: file makes it; see store.dir");
        return OUT_FATAL;
    }
    struct file_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        abort();
    reader->base.ops = &OPS;
    reader->mappings = mappings;
    int code = sqlite3_open_v2(path, &reader->connection,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        sqlite3_busy_timeout(reader->connection, 5000);
    if (code != SQLITE_OK || !begin(reader)) {
        enum outcome outcome = failed(reader, err);
        error_where(err, "%s", path);
        close_reader(&reader->base);
        return outcome;
    }
    *out = &reader->base;
    return OUT_OK;
}
