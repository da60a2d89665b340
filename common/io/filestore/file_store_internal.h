#ifndef DROVER_IO_FILE_STORE_INTERNAL_H
#define DROVER_IO_FILE_STORE_INTERNAL_H

/*
 * What the file store's own files share:
 *
 *   file_store_db.c    SQLite: schema, statements
 *   file_store.c       the folder, its lock, the pool's queue
 *   file_sink.c        a batch as one transaction, and when files are written
 *   file_checkpoint.c    claims and watermarks
 *   file_export.c      a tenant's file made from its rows
 *   file_store_reader.c      rows and files read back and compared; files made anew
 *
 * "Pool": runs in libuv's pool and may block; one job at a time, so that store and database need no
 * lock.
 */

#include <sqlite3.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/io/filestore/file_store.h"

/* ---- the database ------------------------------------------------------------------------ */

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

/* ---- the store --------------------------------------------------------------------------- */

/* One thing to be done in the pool, and what follows on the loop. Embedded in its owner. */
struct file_job {
    void (*work)(struct file_job *job); /* pool */
    void (*done)(struct file_job *job); /* loop; the job may be freed or posted again */
    void *owner;
    struct file_job *next;
};

struct file_store {
    const struct settings *settings;
    const struct mapping_set *mappings;
    int folder, lock; /* descriptors */
    struct file_db db;
    struct mapping_work work;
    struct buf entity, tenant; /* the file that the exporter wrote last */
    uv_work_t request;
    uv_loop_t *loop;
    struct file_job *first, *last;         /* the first one is running */
    bool dirty;                            /* files wait to be written; the loop's, as all below */
    bool checkpoint_away, checkpoint_back; /* the checkpoint could not be written; it can again */
    dev_t database_device;                 /* where state.db was when it was opened */
    ino_t database_inode;
};

void file_store_post(struct file_store *store, struct file_job *job);
/* Pool. OUT_FATAL when state.db is no longer where it was. */
MUST_USE enum outcome file_store_check_place(const struct file_store *store, struct error *err);

/* ---- the exporter ------------------------------------------------------------------------ */

#define FILE_FOLDER_SIZE 257 /* a tenant's folder name with its NUL; Linux allows 255 bytes */
#define FILE_NAME_SIZE 80    /* an entity has at most 63 bytes */
#define FILE_PATH_SIZE (FILE_FOLDER_SIZE + FILE_NAME_SIZE)

/* A file of the store. Views of whoever made it. */
struct file_place {
    struct bytes entity, tenant;
    const struct mapping *mapping; /* NULL: of a mapping that is no longer there */
    char folder[FILE_FOLDER_SIZE]; /* of the tenant's key, but never one that begins with a dot */
    char name[FILE_NAME_SIZE];
};

/* What is noted of it. */
struct file_note {
    bool dirty, ours;
    struct digest digest, next; /* of what was written last, was about to be; zeroes: none */
};

void file_place_folder(struct bytes tenant, char out[FILE_FOLDER_SIZE]);
void file_place_init(struct file_place *place, const struct mapping_set *mappings,
                     struct bytes entity, struct bytes tenant);
/* Records under their own key, in an object: only when the key is all there is to the id. */
bool file_place_is_keyed(const struct file_place *place);
MUST_USE enum outcome file_place_note(struct file_db *db, const struct file_place *place,
                                      struct file_note *note, struct error *err);
bool file_note_has(const struct file_note *note, const struct digest *digest);
/* What lies there, in the tenant's folder. -1 with errno; ELOOP: it is no file. */
int file_place_open(int folder, const char *name);
/* Digest of what lies behind a descriptor, from its beginning, and that itself behind `content`,
 * when there is one (whose limit is the caller's to ask); false with errno. */
bool file_place_read(int fd, struct digest *digest, struct buf *content);
/* What the rows give, into `file` when there is one; what that says (ferror) is the caller's to
 * ask. */
MUST_USE enum outcome file_place_render(struct file_db *db, const struct file_place *place,
                                        FILE *file, struct digest *digest, struct error *err);

/* How a writing went, besides its outcome. */
struct file_written {
    bool fresh; /* OUT_REJECT: for another reason than the last time */
    bool kept;  /* what lay there has another name now, beside it */
};

/* Pool. Writes one file from its rows. OUT_REJECT: its place is bad, which costs this file alone:
 * DRV-F004, somebody edited it or put something there (with `replace_edited` that is kept beside,
 * and replaced), or DRV-F005. OUT_RETRY DRV-F005: the disk is full. */
MUST_USE enum outcome file_export(struct file_store *store, struct bytes entity,
                                  struct bytes tenant, bool replace_edited,
                                  struct file_written *written, struct error *err);
/* Pool. The next dirty one behind the store's last; *any false when there is none. */
MUST_USE enum outcome file_export_next(struct file_store *store, bool *any,
                                       struct file_written *written, struct error *err);
/* The next one is the first again. */
void file_export_rewind(struct file_store *store);

#endif
