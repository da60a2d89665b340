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

#define FILE_NAME "report.json"

static enum outcome refuse(const char *path, const char *cause, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_REPORT, "the report cannot be written there");
    error_where(err, "%s", path);
    error_cause(err, "%s", cause);
    return outcome;
}

/* The file as others wrote it may be a folder, a link, somebody else's. */
static enum outcome check_file(const char *path, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? OUT_OK : refuse(path, strerror(errno), err);
    return S_ISDIR(status.st_mode) ? refuse(path, "it is a folder", err) : OUT_OK;
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
    snprintf(path, sizeof path, "%s/" FILE_NAME, folder);
    return check_file(path, err);
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
        int size = snprintf(path, sizeof path, "%s/" FILE_NAME, folder);
        return size > 0 && (size_t)size < sizeof path && check_file(path, err) == OUT_OK;
    }
    snprintf(path, sizeof path, "%s", folder);
    const char *above = dirname(path); /* ends at "." or "/" */
    if (files_exist(above) && !files_is_folder(above))
        return refuse(above, "it is no folder", err) == OUT_OK;
    if (files_exist(above))
        return access(above, W_OK | X_OK) == 0 || refuse(above, strerror(errno), err) == OUT_OK;
    return report_folder_can_write(above, err);
}

enum outcome report_folder_write(const char *folder, struct bytes json, char **path,
                                 struct error *err)
{
    struct error why = {0};
    *path = NULL;
    if (!folder || !folder[0])
        return OUT_OK;
    char *file = mem_format("%s/" FILE_NAME, folder);
    if (files_make_folder(folder, &why) != OUT_OK || files_write(file, json, &why) != OUT_OK) {
        refuse(file, why.cause, err);
        free(file);
        return OUT_FATAL;
    }
    *path = file;
    return OUT_OK;
}
