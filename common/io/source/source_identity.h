#ifndef DROVER_IO_SOURCE_IDENTITY_H
#define DROVER_IO_SOURCE_IDENTITY_H

/*
 * What a source is, whatever it is made of: decided here alone, for producer, follower and
 * verifier.
 *
 *   a file                 itself
 *   a browser's profile    the data files of its database, however the profile was named
 *
 * The place (device, inode) says whether two names are one source; the identity says whether what
 * it holds may be another content than before.
 */

#include <stdbool.h>

#include "common/policy/follow_scan.h"

/* Of a profile `inode` is a hash over the names, inodes, sizes and times of its data files, size
 * their sum and the times those of the newest: an entry appended inside it is another identity.
 * False with errno; ENOENT also for a folder that is no profile. */
bool source_identity_read(const char *path, struct scan_identity *identity);
/* Device and inode of what the source lies in: the file, or the profile's database. False with
 * errno. */
bool source_identity_place(const char *path, uint64_t *device, uint64_t *inode);
/* Whether the file was made after that time, so is none that had its inode then; false where that
 * cannot be told. */
bool source_identity_is_born_after(const char *path, int64_t time_ns);
/* The folder in which its bytes are written, for whoever watches it. The caller frees. */
char *source_identity_folder(const char *path);

#endif
