/* See the header. Blobs compare as bytes, which is the order of export_record_text_compare. */
#include "common/io/export_sort.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/sqlite.h"

struct export_sort {
    struct sqlite_db db;
    sqlite3_stmt *row; /* that export_sort_next is at */
    bool begun;
    struct error failure; /* of an add; ERR_NONE: none */
};

static const char SCHEMA[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE;"
    "PRAGMA cache_size=-8192;"
    "CREATE TABLE piece (file BLOB, grp BLOB, key BLOB, idx INTEGER, kind INTEGER, id BLOB,"
    " layout INTEGER, text BLOB); BEGIN";
static const char INSERT[] = "INSERT INTO piece VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char SELECT[] = "SELECT file, grp, key, idx, kind, id, layout, text FROM piece"
                             " ORDER BY file, grp, key, idx, kind, id";

static enum outcome fail(const struct sqlite_db *db, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the export's temporary file failed");
    error_cause(err, "%s", db->connection ? sqlite3_errmsg(db->connection) : "no memory");
    error_hint(err, "it is kept in TMPDIR: check the free space there");
    return OUT_FATAL;
}

enum outcome export_sort_new(struct export_sort **out, struct error *err)
{
    struct export_sort *sort = *out = mem_new(sizeof *sort);
    /* an empty name is a temporary file that SQLite unlinks as it opens it */
    enum outcome outcome =
        sqlite_open(&sort->db, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, fail, err);
    return outcome == OUT_OK ? sqlite_exec(&sort->db, SCHEMA, err) : outcome;
}

void export_sort_free(struct export_sort *sort)
{
    if (!sort)
        return;
    sqlite_close(&sort->db);
    free(sort);
}

void export_sort_add(struct export_sort *sort, const struct export_record_text *part)
{
    if (sort->failure.code != ERR_NONE)
        return;
    (void)!sqlite_run(&sort->db, INSERT,
                      VALUES(BLOB(part->file), BLOB(part->group), BLOB(part->key),
                             NUMBER(part->index), NUMBER(part->kind), BLOB(part->id),
                             NUMBER(part->layout), BLOB(part->text)),
                      &sort->failure);
}

static enum outcome told(const struct export_sort *sort, struct error *err)
{
    *err = sort->failure;
    return err->outcome;
}

enum outcome export_sort_files(struct export_sort *sort, size_t *count, struct error *err)
{
    int64_t files = 0;
    enum outcome outcome = sort->failure.code != ERR_NONE
                               ? told(sort, err)
                               : sqlite_number(&sort->db, "SELECT count(DISTINCT file) FROM piece",
                                               NO_VALUES, 0, &files, err);
    *count = (size_t)files;
    return outcome;
}

enum outcome export_sort_next(struct export_sort *sort, struct export_record_text *part, bool *more,
                              struct error *err)
{
    *more = false;
    if (sort->failure.code != ERR_NONE)
        return told(sort, err);
    enum outcome outcome = sort->begun ? sqlite_next(&sort->db, &sort->row, err)
                                       : sqlite_get(&sort->db, SELECT, NO_VALUES, &sort->row, err);
    sort->begun = true;
    if (!sort->row)
        return outcome;
    *part = (struct export_record_text){
        .file = sqlite_bytes(sort->row, 0),
        .group = sqlite_bytes(sort->row, 1),
        .key = sqlite_bytes(sort->row, 2),
        .index = sqlite3_column_int64(sort->row, 3),
        .kind = (enum export_kind)sqlite3_column_int(sort->row, 4),
        .id = sqlite_bytes(sort->row, 5),
        .layout = (enum export_layout)sqlite3_column_int(sort->row, 6),
        .text = sqlite_bytes(sort->row, 7),
    };
    *more = true;
    return OUT_OK;
}
