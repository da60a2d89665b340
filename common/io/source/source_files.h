#ifndef DROVER_IO_SOURCE_FILES_H
#define DROVER_IO_SOURCE_FILES_H

/*
 * What the sources named on a command line are: an ordered list of files. The order is by time of
 * last modification, then by the bytes of the path, whatever the order of arguments or of the
 * folder: so a later file's records are newer versions, and two runs see the same (fault row S13).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/source/source_rules.h"

/* Lines of a file that is NDJSON, and of one mapping: from a line's begin to behind another's end.
 */
struct source_part {
    uint64_t from, to;      /* bytes; to 0: the file is read whole */
    uint64_t line, ordinal; /* of the first of them */
};

struct source_file {
    char *path; /* as given, or below the folder given; "-" = standard input, the last one */
    int64_t modified_ns;
    uint64_t size;
    int problem;            /* errno of a folder that cannot be listed; 0 = a file */
    bool identified;        /* device and inode are known */
    uint64_t device, inode; /* source_identity.h */
    struct source_part part;
};

/* A name that was left out, because it is a file that is there already. */
struct source_repeat {
    char *path, *kept;
};

struct source_files {
    struct source_file *items;
    size_t count;
    size_t capacity;
    struct source_repeat *repeats;
    size_t repeat_count;
    uint64_t total_bytes; /* 0 when standard input is among them */
};

/* A file named in several ways (./a, a link, a hard link, a folder and a file in it) is one source,
 * unless `rules` (which may be NULL) read it in two ways: as two entities, as two tenants.
 * Files are taken as they are; folders give all files below them named *.json, *.jsonl, *.ndjson,
 * also with .gz or .zst, hidden ones left out; a folder that is a browser's profile is one source;
 * what is no file may be a pattern as of glob(3).
 * OUT_FATAL DRV-S001 (missing), DRV-S007 (neither file nor folder), DRV-S003 (a folder or a pattern
 * without any). */
MUST_USE enum outcome source_files_collect(const struct conf_list *arguments,
                                           const struct source_rules *rules,
                                           struct source_files *files, struct error *err);
/* Whether a folder gives a file of this name (without folders). */
bool source_files_takes_name(const char *name);
void source_files_free(struct source_files *files);

#endif
