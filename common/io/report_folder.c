/* The folder of reports: whether it can be written, and one report in it. */

#include "common/io/report_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"
#include "common/io/report_folder_internal.h"

static enum outcome refuse(const char *path, const char *cause, struct error *err)
{
    return report_files_refuse(path, cause, err);
}

/* As somebody else made it it may be anything. */
static enum outcome check_latest(const char *folder, struct error *err)
{
    char *path = mem_format("%s/" REPORT_LATEST, folder);
    enum outcome outcome =
        report_latest_is_ours(folder)
            ? OUT_OK
            : refuse(path, "it is neither drover's link nor its copy of a report", err);
    free(path);
    return outcome;
}

enum outcome report_folder_try(const char *folder, struct error *err)
{
    char path[PATH_MAX];
    struct error why = {0};
    if (!folder || !folder[0])
        return OUT_OK;
    if (files_make_folder(folder, &why) != OUT_OK)
        return refuse(folder, why.cause, err);
    int size = snprintf(path, sizeof path, "%s/.try.XXXXXX", folder);
    if (size < 0 || (size_t)size >= sizeof path)
        return refuse(folder, strerror(ENAMETOOLONG), err);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return refuse(folder, strerror(errno), err);
    bool ok = write(fd, "x", 1) == 1 && fsync(fd) == 0;
    int number = errno;
    close(fd);
    unlink(path);
    if (!ok)
        return refuse(folder, strerror(number), err);
    return check_latest(folder, err);
}

bool report_folder_can_write(const char *folder, struct error *err)
{
    char path[PATH_MAX];
    if (!folder || !folder[0])
        return true;
    if (files_exist(folder)) {
        if (!files_is_folder(folder))
            return refuse(folder, "it is no folder", err) == OUT_OK;
        if (access(folder, W_OK | X_OK) != 0)
            return refuse(folder, strerror(errno), err) == OUT_OK;
        return check_latest(folder, err) == OUT_OK;
    }
    snprintf(path, sizeof path, "%s", folder);
    const char *above = dirname(path); /* ends at "." or "/" */
    if (files_exist(above) && !files_is_folder(above))
        return refuse(above, "it is no folder", err) == OUT_OK;
    if (files_exist(above))
        return access(above, W_OK | X_OK) == 0 || refuse(above, strerror(errno), err) == OUT_OK;
    return report_folder_can_write(above, err);
}

/* ---- one report -------------------------------------------------------------------------- */

enum outcome report_folder_write(const struct report_place *place, struct bytes json,
                                 struct bytes html, char **path, struct error *err)
{
    *path = NULL;
    if (!place->folder || !place->folder[0])
        return OUT_OK;
    char *name = mem_format("%.*s-%s", REPORT_MIGRATION_MAX, place->migration, place->run);
    char *folder = mem_format("%s/%s", place->folder, name);
    enum outcome outcome = report_files_write(folder, json, html, path, err);
    if (outcome == OUT_OK)
        outcome = report_latest_point(place->folder, name, json, html, err);
    if (outcome == OUT_OK && place->keep)
        report_old_remove(place, name);
    if (outcome != OUT_OK) {
        free(*path);
        *path = NULL;
    }
    free(folder);
    free(name);
    return outcome;
}
