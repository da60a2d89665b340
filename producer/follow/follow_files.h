#ifndef DROVER_PRODUCER_FOLLOW_FILES_H
#define DROVER_PRODUCER_FOLLOW_FILES_H

/* The files of the sources' arguments at this moment, and what identifies their content. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/source/source_files.h"
#include "common/policy/follow_scan.h"

/* The files there are, in the order they are read in. An argument that cannot be listed sets its
 * place in `errors` (as many as arguments; code ERR_NONE: fine) and gives none; a folder or pattern
 * without files is fine. */
void follow_files_list(const struct conf_list *arguments, const struct source_rules *rules,
                       struct source_files *files, struct error *errors);

/* The caller frees. */
char *follow_files_absolute(const char *path);
/* Whether a file of that absolute path, which is not there, would belong to the arguments. */
bool follow_files_cover(const struct conf_list *arguments, const char *path);

/* The device of the folder a file is in; false, with errno, when that folder cannot be listed. */
bool follow_files_folder(const char *path, uint64_t *device);
/* The same of a file that is not there: where its folder is gone too, of the next one above it that
 * is there, as far as an argument reaches: a folder that is an argument, or what a pattern begins
 * with. */
bool follow_files_folder_left(const struct conf_list *arguments, const char *path,
                              uint64_t *device);
/* Whether `path` is `folder` or lies below it; both absolute. */
bool follow_files_is_below(const char *path, const char *folder);

/* Sorted names of the folders to watch, no one twice: those of the files, and the arguments'. */
struct folder_names {
    char **items;
    size_t count;
};
/* `others`: of them those in which a source's bytes have other names than the source: what lies
 * behind a link, and the database of a profile. */
void follow_files_folders(const struct conf_list *arguments, const struct source_files *files,
                          struct folder_names *names, struct folder_names *others);
bool folder_names_has(const struct folder_names *names, const char *folder, size_t size);
/* Whether a file of that path, which is not followed, may be one of the sources now. */
bool follow_files_may_take(const struct conf_list *arguments, const char *path);
void folder_names_free(struct folder_names *names);

#endif
