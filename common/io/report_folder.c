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

#define JSON_NAME "report.json"
#define HTML_NAME "report.html"

static enum outcome refuse(const char *path, const char *cause, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_REPORT, "the report cannot be written there");
    error_where(err, "%s", path);
    error_cause(err, "%s", cause);
    return outcome;
}

/* As others wrote it a file may be a folder, a link, somebody else's. */
static enum outcome check_file(const char *path, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? OUT_OK : refuse(path, strerror(errno), err);
    return S_ISDIR(status.st_mode) ? refuse(path, "it is a folder", err) : OUT_OK;
}

static enum outcome check_files(const char *folder, struct error *err)
{
    static const char *const NAMES[] = {JSON_NAME, HTML_NAME};
    enum outcome outcome = OUT_OK;
    for (int i = 0; i < 2 && outcome == OUT_OK; i++) {
        char *path = mem_format("%s/%s", folder, NAMES[i]);
        outcome = check_file(path, err);
        free(path);
    }
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
    return check_files(folder, err);
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
        return check_files(folder, err) == OUT_OK;
    }
    snprintf(path, sizeof path, "%s", folder);
    const char *above = dirname(path); /* ends at "." or "/" */
    if (files_exist(above) && !files_is_folder(above))
        return refuse(above, "it is no folder", err) == OUT_OK;
    if (files_exist(above))
        return access(above, W_OK | X_OK) == 0 || refuse(above, strerror(errno), err) == OUT_OK;
    return report_folder_can_write(above, err);
}

static enum outcome write_file(const char *path, struct bytes content, struct error *err)
{
    struct error why = {0};
    return files_write(path, content, &why) == OUT_OK ? OUT_OK : refuse(path, why.cause, err);
}

enum outcome report_folder_write(const char *folder, struct bytes json, struct bytes html,
                                 char **path, struct error *err)
{
    struct error why = {0};
    *path = NULL;
    if (!folder || !folder[0])
        return OUT_OK;
    if (files_make_folder(folder, &why) != OUT_OK)
        return refuse(folder, why.cause, err);
    char *json_path = mem_format("%s/" JSON_NAME, folder);
    char *html_path = mem_format("%s/" HTML_NAME, folder);
    enum outcome outcome = write_file(json_path, json, err);
    if (outcome == OUT_OK) {
        outcome = write_file(html_path, html, err);
        if (outcome != OUT_OK)
            unlink(html_path);
    }
    free(json_path);
    if (outcome == OUT_OK)
        *path = html_path;
    else
        free(html_path);
    return outcome;
}
