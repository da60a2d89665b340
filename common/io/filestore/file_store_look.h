#ifndef DROVER_IO_FILE_STORE_LOOK_H
#define DROVER_IO_FILE_STORE_LOOK_H

/*
 * What lies in the file store's folder against what its rows give. A file that is not byte for byte
 * what they give is taken apart, and each of its records is matched with the row it is of
 * (policy/file_match.h), so that what somebody changed can be told record by record.
 *
 * Blocking, on the caller's thread; reads the database it is given, in whatever snapshot that is
 * in, and writes nothing.
 */

#include <sqlite3.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/filestore/file_store.h"
#include "common/io/filestore/file_store_text.h"
#include "common/io/mappings.h"
#include "common/policy/file_match.h"

struct file_look {
    sqlite3 *connection;
    sqlite3 *latest; /* another connection, in no transaction: a worker may have written since the
                        snapshot. NULL: nobody writes */
    int folder;      /* the store's */
    const struct mapping_set *mappings;
    struct mapping_work work;
    sqlite3_stmt *see, *list, *see_latest;

    /* the file at hand */
    struct buf entity, tenant;
    const struct mapping *mapping;
    char folder_name[FILE_FOLDER_SIZE], name[FILE_NAME_SIZE];
    enum file_state state;
    bool dirty, written; /* as noted; what lies there is what was written last */
    const char *reason;  /* a literal, or a text of the system; NULL when right */
    /* FILE_EDITED: its records, and the rows they are of */
    struct buf ids, texts;
    size_t *id_ends, *text_ends;
    struct digest *rows, *elements;
    struct file_match match;
    size_t changed, gone, more; /* records that differ, that are not there, that no row has */
};

/* The store's database, for readers that write nothing; `latest` may be NULL. The caller closes
 * both, whatever comes of it. OUT_FATAL DRV-F001, also when there is no store. */
MUST_USE enum outcome file_look_connect(const struct settings *settings, sqlite3 **connection,
                                        sqlite3 **latest, struct error *err);
/* Takes over the descriptor, not the connections. OUT_FATAL DRV-F001. */
MUST_USE enum outcome file_look_init(struct file_look *look, sqlite3 *connection, sqlite3 *latest,
                                     int folder, const struct mapping_set *mappings,
                                     struct error *err);
/* The same with the store's folder opened for it. OUT_FATAL DRV-F001. */
MUST_USE enum outcome file_look_open(struct file_look *look, const struct settings *settings,
                                     sqlite3 *connection, sqlite3 *latest,
                                     const struct mapping_set *mappings, struct error *err);
void file_look_free(struct file_look *look);
/* Looks at a file, whatever was at hand before. OUT_FATAL DRV-F001: the database cannot be read. */
MUST_USE enum outcome file_look_take(struct file_look *look, const struct mapping *mapping,
                                     struct bytes entity, struct bytes tenant, struct error *err);
bool file_look_has(const struct file_look *look, struct bytes entity, struct bytes tenant);
/* What the file at hand holds of a row: `json`, as the database has it, is replaced by what lies in
 * the file. False when nothing of it does. OUT_REJECT is the caller's to say of FILE_UNREADABLE. */
bool file_look_record(const struct file_look *look, struct bytes id, struct bytes *json);

#endif
