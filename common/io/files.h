#ifndef DROVER_IO_FILES_H
#define DROVER_IO_FILES_H

/*
 * Whole small files: configuration, mappings, secrets, state, reports; and those of any size that
 * are written piece by piece. A file written here is either the old one or the new one after any
 * crash, never a part (temporary name, fsync, rename, fsync of the folder), and readable by its
 * owner only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* Initialises `content` with `limit` and reads the file into it; the caller frees it, also after a
 * failure: OUT_FATAL DRV-C002 (missing, unreadable, no regular file or pipe, larger than `limit`).
 */
MUST_USE enum outcome files_read(const char *path, size_t limit, struct buf *content,
                                 struct error *err);
/* OUT_FATAL DRV-X004. */
MUST_USE enum outcome files_write(const char *path, struct bytes content, struct error *err);

/* The same, piece by piece. */
struct file_output;
/* `path` NULL: standard output, of which all this is not true. OUT_FATAL DRV-X004, here and below.
 */
MUST_USE enum outcome file_output_open(const char *path, struct file_output **output,
                                       struct error *err);
MUST_USE enum outcome file_output_write(struct file_output *output, struct bytes content,
                                        struct error *err);
/* Makes it the file at `path`. */
MUST_USE enum outcome file_output_commit(struct file_output *output, struct error *err);
/* What was not committed is removed. NULL is taken; open has set *output also when it failed. */
void file_output_close(struct file_output *output);

/* Makes the folder and those above it (0700). OUT_FATAL DRV-X004. */
MUST_USE enum outcome files_make_folder(const char *path, struct error *err);

/* A secret for conf_load_env: malloc'ed, without the final newline. NULL after DRV-C010:
 * unreadable, empty, larger than 64 KiB, holding a NUL, or open to other users (but below
 * /run/secrets, where container engines put world-readable files into a private mount). */
char *files_read_secret(const char *path, struct error *err);

/* Nanoseconds since 1970; what int64_t cannot hold (before 1677, after 2262) is its end. */
int64_t files_time_ns(const struct timespec *time);

bool files_exist(const char *path);
bool files_is_folder(const char *path);
/* Whether it is, or would be, on a file system that takes no writes at all. */
bool files_is_read_only(const char *path);

#endif
