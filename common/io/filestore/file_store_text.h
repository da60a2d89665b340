#ifndef DROVER_IO_FILE_STORE_TEXT_H
#define DROVER_IO_FILE_STORE_TEXT_H

/*
 * What a tenant's file is called and what it holds, both a function of the store's rows: for
 * whoever writes it and whoever looks whether it still is what was written.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "common/model/mapping/mapping.h"

#define FILE_FOLDER_SIZE 257 /* a tenant's folder name with its NUL; Linux allows 255 bytes */
#define FILE_NAME_SIZE 80    /* an entity has at most 63 bytes */

/* The records of one file in its order: id, json. ?1 entity, ?2 tenant. */
#define FILE_STORE_LIST                                                                            \
    "SELECT id, json FROM record WHERE entity = ?1 AND tenant = ?2 AND json IS NOT NULL ORDER BY " \
    "id"
/* What is noted of it. ?1 entity, ?2 tenant. */
#define FILE_STORE_SEE_FILE                                                                        \
    "SELECT dirty, ours, digest, next_digest, problem FROM file WHERE entity = ?1 AND tenant = ?2"

/* Name of a tenant's folder: its key, but never one that begins with a dot. */
void file_store_folder(struct bytes tenant, char out[FILE_FOLDER_SIZE]);
void file_store_name(struct bytes entity, char out[FILE_NAME_SIZE]);

/* Records under their own key, in an object: only when the key is all there is to the id. NULL: a
 * mapping that is no longer there; an array. */
bool file_text_is_keyed(const struct mapping *mapping);

struct file_text {
    FILE *file; /* NULL: only the digest is wanted */
    struct digest digest;
    uint64_t size;
};

/* Prints what FILE_STORE_LIST, bound and not begun, gives. Returns SQLite's code: SQLITE_DONE when
 * that was all. What `file` says (ferror) is the caller's to ask. */
int file_text_print(sqlite3_stmt *list, const struct mapping *mapping, struct file_text *text);

/* Size and digest of what lies behind a descriptor, from its beginning; false with errno. */
bool file_text_read(int fd, struct digest *digest, uint64_t *size);

#endif
