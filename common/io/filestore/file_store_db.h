#ifndef DROVER_IO_FILE_STORE_DB_H
#define DROVER_IO_FILE_STORE_DB_H

/* The database of the file store: its schema, and statements that are prepared once. Internal to
 * filestore/. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

#define FILE_STORE_OWN ".drover" /* the folder of what is the store's alone */

#define FILE_DB_STATEMENTS 24 /* the most that one connection uses */

struct file_db {
    sqlite3 *connection;
    bool reading; /* OUT_FATAL, whatever fails */
    size_t count;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[FILE_DB_STATEMENTS];
};

#define FILE_PARTITION_KEY "\"group\" = ?1 AND topic = ?2 AND partition = ?3"
#define FILE_KEY "entity = ?1 AND tenant = ?2"

struct file_value {
    enum { BIND_NULL, BIND_TEXT, BIND_BLOB, BIND_NUMBER } kind;
    struct bytes bytes;
    int64_t number;
};
#define TEXT(view) ((struct file_value){BIND_TEXT, (view), 0})
#define NAME(text) TEXT(bytes_text(text))
#define BLOB(view) ((struct file_value){BIND_BLOB, (view), 0})
#define NUMBER(value) ((struct file_value){BIND_NUMBER, {0}, (value)})
#define FILE_OF(place) TEXT((place)->entity), TEXT((place)->tenant)
/* A statement's parameters, ?1 first; what they view stays as it is until the statement ended. */
#define VALUES(...)                                                                                \
    (const struct file_value[]){__VA_ARGS__},                                                      \
        sizeof((const struct file_value[]){__VA_ARGS__}) / sizeof(struct file_value)
#define NO_VALUES NULL, 0

/* `dir` is store.dir. Makes the database when there is none. OUT_FATAL DRV-F001. */
MUST_USE enum outcome file_db_open(struct file_db *db, const char *dir, struct error *err);
/* For who writes nothing: makes none. The snapshot is taken by file_db_snapshot, if at all. */
MUST_USE enum outcome file_db_open_reader(struct file_db *db, const char *dir, struct error *err);
MUST_USE enum outcome file_db_snapshot(struct file_db *db, struct error *err);
/* Of one that was not opened, too, when it is zeroes. */
void file_db_close(struct file_db *db);
/* Full disk, I/O, locks: OUT_RETRY DRV-F001; damage and rights: OUT_FATAL. Here and below. */
MUST_USE enum outcome file_db_exec(struct file_db *db, const char *sql, struct error *err);
/* The first row, or NULL; sqlite3_reset ends what was not read to its end. `sql` is prepared once:
 * a constant. */
MUST_USE enum outcome file_db_get(struct file_db *db, const char *sql,
                                  const struct file_value *values, size_t count, sqlite3_stmt **row,
                                  struct error *err);
MUST_USE enum outcome file_db_next(struct file_db *db, sqlite3_stmt **row, struct error *err);
/* Steps to the end, which is what ends, and so commits, a statement that changes and returns. */
MUST_USE enum outcome file_db_end(struct file_db *db, sqlite3_stmt *row, struct error *err);
/* The two: what it returns is not wanted. */
MUST_USE enum outcome file_db_run(struct file_db *db, const char *sql,
                                  const struct file_value *values, size_t count, struct error *err);
/* A view, until the row's statement goes on. */
struct bytes file_db_column(sqlite3_stmt *row, int at);
/* *epoch 0, *next_offset -1: never claimed. */
MUST_USE enum outcome file_db_checkpoint(struct file_db *db, const char *group, const char *topic,
                                         int32_t partition, int64_t *epoch, int64_t *next_offset,
                                         struct error *err);
/* Rows: id, json of one file's records, in its order. */
MUST_USE enum outcome file_db_records(struct file_db *db, struct bytes entity, struct bytes tenant,
                                      sqlite3_stmt **row, struct error *err);

#endif
