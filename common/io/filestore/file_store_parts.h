#ifndef DROVER_IO_FILE_STORE_PARTS_H
#define DROVER_IO_FILE_STORE_PARTS_H

/* What the file store's own files share. Whatever says "pool" runs in libuv's pool and may block;
 * one job at a time, so that store and database need no lock. */

#include <sqlite3.h>
#include <sys/types.h>

#include "common/io/filestore/file_store.h"

/* One thing to be done in the pool, and what follows on the loop. Embedded in its owner. */
struct file_job {
    void (*work)(struct file_job *job); /* pool */
    void (*done)(struct file_job *job); /* loop; the job may be freed or posted again */
    struct file_store *store;
    struct file_job *next;
};

enum file_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_FENCE,
    STATEMENT_SEE_PROGRESS,
    STATEMENT_SEE_RECORD,
    STATEMENT_PUT_RECORD,
    STATEMENT_PUT_BOX,
    STATEMENT_MARK_DIRTY,
    STATEMENT_NEXT_DIRTY,
    STATEMENT_NEXT_FILE,
    STATEMENT_SEE_FILE,
    STATEMENT_OWN_FILE,
    STATEMENT_MARK_CLEAN,
    STATEMENT_SET_PROBLEM,
    STATEMENT_COUNT_DIRTY,
    STATEMENT_FILE_ALL,
    STATEMENT_LIST,
    STATEMENT_FORGET,
    STATEMENT_PIN_TOPIC,
    STATEMENT_PIN_GROUP,
    STATEMENT_CLAIM,
    STATEMENT_STAGES,
    STATEMENT_RELEASE,
    STATEMENT_COUNT,
};

struct file_db {
    sqlite3 *connection;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

struct file_store {
    const struct settings *settings;
    const struct mapping_set *mappings;
    int folder; /* descriptors */
    int lock;
    struct file_db db;
    struct mapping_work work;
    uv_work_t request;
    uv_loop_t *loop;
    struct file_job *first, *last;     /* the first one is running */
    bool dirty;                        /* files wait to be written; the loop's, as all below */
    bool progress_away, progress_back; /* the progress could not be written; it can again */
    dev_t database_device;             /* where state.db was when it was opened */
    ino_t database_inode;
};

/* file_store.c. check_place, in the pool: OUT_FATAL when state.db is no longer where it was. */
MUST_USE enum outcome file_store_check_place(const struct file_store *store, struct error *err);
void file_store_post(struct file_store *store, struct file_job *job);

/* file_store_db.c */
/* A reader's snapshot never blocks; a checkpoint of another may, shortly. */
#define FILE_DB_BUSY_MS 5000
MUST_USE enum outcome file_db_open(struct file_db *db, const char *path, struct error *err);
void file_db_close(struct file_db *db);
/* Prepared on first use, reset, nothing bound. NULL with err. */
sqlite3_stmt *file_db_statement(struct file_db *db, enum file_statement name, struct error *err);
void file_db_bind(sqlite3_stmt *statement, int at, struct bytes text);
struct bytes file_db_column(sqlite3_stmt *statement, int at);
/* One step: OUT_OK with *row; ends the statement's use when there is none. */
MUST_USE enum outcome file_db_step(struct file_db *db, sqlite3_stmt *statement, bool *row,
                                   struct error *err);
/* A statement without parameters and rows. */
MUST_USE enum outcome file_db_run(struct file_db *db, enum file_statement name, struct error *err);
MUST_USE enum outcome file_db_pragma(struct file_db *db, const char *sql, struct error *err);
/* Full disk, I/O, locks: OUT_RETRY; damage and rights: OUT_FATAL. */
enum outcome file_db_error(struct file_db *db, struct error *err);

/* file_store_batch.c, pool. Writes a batch as one transaction, `texts` by place in its order; sets
 * the verdicts. */
MUST_USE enum outcome file_store_write_batch(struct file_store *store, struct batch *batch,
                                             const struct bytes *texts, struct error *err);

/* file_store_files.c, pool. Where one is among the files: entity and tenant, empty before all. */
struct file_cursor {
    struct buf entity, tenant;
};
void file_cursor_init(struct file_cursor *cursor);
void file_cursor_reset(struct file_cursor *cursor);
void file_cursor_free(struct file_cursor *cursor);

/* How a writing went, besides its outcome. */
struct file_written {
    bool fresh; /* OUT_REJECT: for another reason than the last time */
    bool kept;  /* what lay there has another name now, beside it */
};

/* Moves `after` to the next file (`all`), or the next dirty one; *any false when there is none. */
MUST_USE enum outcome file_store_next(struct file_store *store, bool all, struct file_cursor *after,
                                      bool *any, struct error *err);
/* Writes one file from its records. OUT_REJECT: its place is bad, which costs this file alone:
 * DRV-F004, somebody edited it or put something there (with `replace_edited` that is kept beside,
 * and replaced), or DRV-F005. OUT_RETRY DRV-F005: the disk is full. */
MUST_USE enum outcome file_store_write_at(struct file_store *store, struct bytes entity,
                                          struct bytes tenant, bool replace_edited,
                                          struct file_written *written, struct error *err);
/* The next dirty one behind `after`, which moves there. */
MUST_USE enum outcome file_store_write_file(struct file_store *store, struct file_cursor *after,
                                            bool *any, struct file_written *written,
                                            struct error *err);

#endif
