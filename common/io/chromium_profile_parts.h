#ifndef DROVER_IO_CHROMIUM_PROFILE_PARTS_H
#define DROVER_IO_CHROMIUM_PROFILE_PARTS_H

/* Parts of the profile reader: the copy of its database, and its strings as JSON. */

#include "common/base/buf.h"
#include "common/io/chromium_profile.h"

/* Where a folder's database is: the path to it ends in a NUL in `path`; false: nowhere. */
bool chromium_copy_find(const char *folder, struct buf *path);
/* Newest time and size of the files that hold data. */
bool chromium_copy_measure(const char *database, struct chromium_files *files);
/* Copies into a new folder that only we can read, and keeps it locked: a copy that nobody has
 * locked is one of a process that was killed, and is removed by whoever copies next. OUT_RETRY: a
 * file went away while it was copied. OUT_REJECT DRV-S012. */
struct chromium_copy {
    struct buf path; /* empty: none */
    int lock;
};
void chromium_copy_init(struct chromium_copy *copy);
MUST_USE enum outcome chromium_copy_make(const char *database, struct chromium_copy *copy,
                                         struct error *err);
/* Removes it and what is in it. */
void chromium_copy_remove(struct chromium_copy *copy);
void chromium_copy_free(struct chromium_copy *copy);

/* A stored string: a byte that says how it is written, then its units. */
enum chromium_units { CHROMIUM_UTF16 = 0, CHROMIUM_LATIN1 = 1 };

/* True when the first byte is one of those and the rest are whole units. */
bool chromium_text_is_valid(struct bytes stored);
/* Appends units from byte `at` on as the inside of a JSON string, until `out` has `most` bytes or
 * more; returns where the next ones begin (stored.size: the end). Lone surrogates as escapes. */
size_t chromium_text_append(struct buf *out, struct bytes stored, size_t at, size_t most);

#endif
