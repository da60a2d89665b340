/*
 * The stored port over the file store: one read transaction of its database is the snapshot. With
 * FILE_STORED_FILES a record is what lies in its tenant's file: rows say which there should be.
 */
#include <stdlib.h>
#include <string.h>

#include "common/io/filestore/file_store_look.h"
#include "common/io/filestore/file_store_parts.h"

#define COLUMNS "entity, tenant, id, version, digest, deleted, json"

struct file_reader {
    struct stored_reader base;
    const struct mapping_set *mappings;
    sqlite3 *connection, *latest;
    sqlite3_stmt *progress, *next, *find;
    bool files;
    struct file_look at, found; /* the files that `next` and `find` are at */
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

/* What lies in the file, of a row; *there false when that is nothing. */
static enum outcome take_file(struct file_look *look, struct stored *stored, bool *there,
                              struct error *err)
{
    *there = true;
    struct bytes entity = bytes_text(stored->mapping->entity);
    if (stored->deleted)
        return OUT_OK;
    if (!file_look_has(look, entity, stored->tenant) &&
        file_look_take(look, stored->mapping, entity, stored->tenant, err) != OUT_OK)
        return OUT_FATAL;
    if (look->state == FILE_UNREADABLE) {
        error_set(err, OUT_REJECT, ERR_STORE_FILE, "the record's file cannot be read");
        error_cause(err, "%s", look->reason);
        return OUT_REJECT;
    }
    *there = file_look_record(look, stored->id, &stored->json);
    return OUT_OK;
}

static enum outcome read_next(struct stored_reader *base, struct stored *stored, struct error *err)
{
    struct file_reader *reader = of(base);
    int code;
    while ((code = sqlite3_step(reader->next)) == SQLITE_ROW) {
        const struct mapping *mapping =
            mapping_set_find(reader->mappings, file_db_column(reader->next, 0));
        if (!mapping)
            continue;
        bool there = true;
        enum outcome outcome = take_row(reader->next, mapping, stored, err);
        if (outcome == OUT_OK && reader->files)
            outcome = take_file(&reader->at, stored, &there, err);
        if (there)
            return outcome;
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
    if (*found) {
        enum outcome outcome = take_row(reader->find, mapping, stored, err);
        if (outcome == OUT_OK && reader->files)
            outcome = take_file(&reader->found, stored, found, err);
        return outcome;
    }
    return code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

static void close_reader(struct stored_reader *base)
{
    struct file_reader *reader = of(base);
    if (reader->files) {
        file_look_free(&reader->at);
        file_look_free(&reader->found);
    }
    sqlite3_finalize(reader->progress);
    sqlite3_finalize(reader->next);
    sqlite3_finalize(reader->find);
    sqlite3_close(reader->connection);
    sqlite3_close(reader->latest);
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
                              enum file_stored_what what, struct stored_reader **out,
                              struct error *err)
{
    static const struct stored_ops OPS = {read_progress, read_next, find, close_reader};
    struct file_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        abort();
    reader->base.ops = &OPS;
    reader->mappings = mappings;
    bool files = what == FILE_STORED_FILES;
    enum outcome outcome =
        file_look_connect(settings, &reader->connection, files ? &reader->latest : NULL, err);
    if (outcome == OUT_OK && !begin(reader))
        outcome = failed(reader, err);
    reader->files = files && outcome == OUT_OK;
    if (reader->files)
        outcome = file_look_open(&reader->at, settings, reader->connection, reader->latest,
                                 mappings, err);
    if (reader->files && outcome == OUT_OK)
        outcome = file_look_open(&reader->found, settings, reader->connection, reader->latest,
                                 mappings, err);
    *out = outcome == OUT_OK ? &reader->base : NULL;
    if (outcome != OUT_OK)
        close_reader(&reader->base);
    return outcome;
}

uint64_t file_stored_unwritten(struct stored_reader *base)
{
    sqlite3_stmt *statement = NULL;
    uint64_t count = 0;
    if (prepare(of(base), "SELECT count(*) FROM file WHERE dirty = 1", &statement) &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
}
