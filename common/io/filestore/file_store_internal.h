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

#include <stdio.h>
#include <sys/types.h>

#include "common/io/filestore/file_store.h"
#include "common/io/filestore/file_store_db.h"

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
    struct sqlite_db db;
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

/* file_store_open without the database: the folder and its lock, for who only tells. */
MUST_USE enum outcome file_store_hold(const struct settings *settings,
                                      const struct mapping_set *mappings, struct file_store **store,
                                      struct error *err);

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
MUST_USE enum outcome file_place_note(struct sqlite_db *db, const struct file_place *place,
                                      struct file_note *note, struct error *err);
bool file_note_has(const struct file_note *note, const struct digest *digest);
/* What lies there, in the tenant's folder. -1 with errno; ELOOP: it is no file. */
int file_place_open(int folder, const char *name);
/* Digest of what lies behind a descriptor, from its beginning, and that itself behind `content`,
 * when there is one (whose limit is the caller's to ask); false with errno. */
bool file_place_read(int fd, struct digest *digest, struct buf *content);
/* What the rows give, into `file` when there is one; what that says (ferror) is the caller's to
 * ask. */
MUST_USE enum outcome file_place_render(struct sqlite_db *db, const struct file_place *place,
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
