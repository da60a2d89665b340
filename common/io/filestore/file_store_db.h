#ifndef DROVER_IO_FILE_STORE_DB_H
#define DROVER_IO_FILE_STORE_DB_H

/* The database of the file store. Internal to filestore/. */

#include "common/io/sqlite.h"

#define FILE_STORE_OWN ".drover" /* the folder of what is the store's alone */

#define FILE_PARTITION_KEY "\"group\" = ?1 AND topic = ?2 AND partition = ?3"
#define FILE_KEY "entity = ?1 AND tenant = ?2"

#define FILE_OF(place) TEXT((place)->entity), TEXT((place)->tenant)

/* `dir` is store.dir. Makes the database when there is none. OUT_FATAL DRV-F001. What fails later:
 * full disk, I/O, locks: OUT_RETRY DRV-F001; damage and rights: OUT_FATAL. */
MUST_USE enum outcome file_db_open(struct sqlite_db *db, const char *dir, struct error *err);
/* For who writes nothing: makes none, and whatever fails is OUT_FATAL; OUT_RETRY: there is none
 * yet. The snapshot is taken by file_db_snapshot, if at all. */
MUST_USE enum outcome file_db_open_reader(struct sqlite_db *db, const char *dir, struct error *err);
/* Until the first worker has made it whole. False also when it cannot be read: ask a reader. */
bool file_db_is_missing(const char *dir);
MUST_USE enum outcome file_db_snapshot(struct sqlite_db *db, struct error *err);
/* *epoch 0, *next_offset -1: never claimed. */
MUST_USE enum outcome file_db_checkpoint(struct sqlite_db *db, const char *group, const char *topic,
                                         int32_t partition, int64_t *epoch, int64_t *next_offset,
                                         struct error *err);
/* Rows: id, json of one file's records, in its order. */
MUST_USE enum outcome file_db_records(struct sqlite_db *db, struct bytes entity,
                                      struct bytes tenant, sqlite3_stmt **row, struct error *err);

#endif
