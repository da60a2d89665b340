#ifndef DROVER_POLICY_FILE_MAGIC_H
#define DROVER_POLICY_FILE_MAGIC_H

/* Files that hold no JSON, told by their first bytes, so that people are told what they gave
 * instead of "the first byte is 0x50". Compressions that are read (gzip, zstd) are not among them.
 */

#include <stdbool.h>

#include "common/base/bytes.h"

struct file_magic {
    const char *name;   /* "a ZIP archive" */
    const char *advice; /* what to do with it */
};

#define FILE_MAGIC_BYTES 16 /* of the longest one at the beginning */

/* NULL when `start` begins like none of them. *more: what is there so far could still become one.
 * A tar archive is told only when its first 262 bytes are there. */
const struct file_magic *file_magic_find(struct bytes start, bool *more);

#endif
