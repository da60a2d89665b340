/* See the header. Blobs compare as bytes, which is the order of export_record_text_compare. */
#include "common/io/export_sort.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct export_sort {
    sqlite3 *db;
    sqlite3_stmt *insert, *select;
    bool failed;
};

static const char SCHEMA[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE;"
    "PRAGMA cache_size=-8192;"
    "CREATE TABLE piece (file BLOB, grp BLOB, key BLOB, idx INTEGER, kind INTEGER, id BLOB,"
    " layout INTEGER, text BLOB); BEGIN";
static const char INSERT[] = "INSERT INTO piece VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char SELECT[] = "SELECT file, grp, key, idx, kind, id, layout, text FROM piece"
                             " ORDER BY file, grp, key, idx, kind, id";

static enum outcome fail(const struct export_sort *sort, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the export's temporary file failed");
    error_cause(err, "%s", sort->db ? sqlite3_errmsg(sort->db) : "no memory");
    error_hint(err, "it is kept in TMPDIR: check the free space there");
    return outcome;
}

enum outcome export_sort_new(struct export_sort **out, struct error *err)
{
    struct export_sort *sort = mem_new(sizeof *sort);
    *out = sort;
    /* an empty name is a temporary file that SQLite unlinks as it opens it */
    if (sqlite3_open("", &sort->db) != SQLITE_OK ||
        sqlite3_exec(sort->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(sort->db, INSERT, -1, &sort->insert, NULL) != SQLITE_OK)
        return fail(sort, err);
    return OUT_OK;
}

void export_sort_free(struct export_sort *sort)
{
    if (!sort)
        return;
    sqlite3_finalize(sort->insert);
    sqlite3_finalize(sort->select);
    sqlite3_close(sort->db);
    free(sort);
}

static void bind(sqlite3_stmt *statement, int at, struct bytes value)
{
    sqlite3_bind_blob64(statement, at, value.size ? value.data : "", value.size, SQLITE_STATIC);
}

void export_sort_add(struct export_sort *sort, const struct export_record_text *part)
{
    bind(sort->insert, 1, part->file);
    bind(sort->insert, 2, part->group);
    bind(sort->insert, 3, part->key);
    sqlite3_bind_int64(sort->insert, 4, part->index);
    sqlite3_bind_int(sort->insert, 5, (int)part->kind);
    bind(sort->insert, 6, part->id);
    sqlite3_bind_int(sort->insert, 7, (int)part->layout);
    bind(sort->insert, 8, part->text);
    if (sqlite3_step(sort->insert) != SQLITE_DONE)
        sort->failed = true;
    sqlite3_reset(sort->insert);
    sqlite3_clear_bindings(sort->insert);
}

enum outcome export_sort_files(struct export_sort *sort, size_t *count, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum outcome outcome = OUT_OK;
    *count = 0;
    if (sort->failed ||
        sqlite3_prepare_v2(sort->db, "SELECT count(DISTINCT file) FROM piece", -1, &statement,
                           NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        outcome = fail(sort, err);
    else
        *count = (size_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return outcome;
}

static struct bytes blob(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_blob(statement, at); /* before the size, as SQLite asks */
    return bytes_of(data, (size_t)sqlite3_column_bytes(statement, at));
}

enum outcome export_sort_next(struct export_sort *sort, struct export_record_text *part, bool *more,
                              struct error *err)
{
    *more = false;
    if (sort->failed || (!sort->select && sqlite3_prepare_v2(sort->db, SELECT, -1, &sort->select,
                                                             NULL) != SQLITE_OK))
        return fail(sort, err);
    int result = sqlite3_step(sort->select);
    if (result == SQLITE_DONE)
        return OUT_OK;
    if (result != SQLITE_ROW)
        return fail(sort, err);
    *part = (struct export_record_text){
        .file = blob(sort->select, 0),
        .group = blob(sort->select, 1),
        .key = blob(sort->select, 2),
        .index = sqlite3_column_int64(sort->select, 3),
        .kind = (enum export_kind)sqlite3_column_int(sort->select, 4),
        .id = blob(sort->select, 5),
        .layout = (enum export_layout)sqlite3_column_int(sort->select, 6),
        .text = blob(sort->select, 7),
    };
    *more = true;
    return OUT_OK;
}
