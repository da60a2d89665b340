/* `latest`, the report written last: a symbolic link beside the reports, or where there can be none
 * a folder with copies. */

#include "common/io/report_folder_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

bool report_latest_is_ours(const char *folder)
{
    struct stat status;
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return true; /* nothing is there */
    bool exists = fstatat(at, REPORT_LATEST, &status, AT_SYMLINK_NOFOLLOW) == 0;
    int copies = exists && S_ISDIR(status.st_mode) ? report_old_open(at, REPORT_LATEST) : -1;
    bool ours = !exists || S_ISLNK(status.st_mode) || copies >= 0;
    if (copies >= 0)
        close(copies);
    close(at);
    return ours;
}

/* vfat, exfat, some network file systems. */
static bool knows_no_links(int number)
{
    return number == EPERM || number == EOPNOTSUPP || number == ENOSYS;
}

static enum outcome copy(const char *latest, struct bytes json, struct bytes html,
                         struct error *err)
{
    char *path = NULL;
    enum outcome outcome = report_files_write(latest, json, html, &path, err);
    free(path);
    return outcome;
}

enum outcome report_latest_point(const char *folder, const char *name, struct bytes json,
                                 struct bytes html, struct error *err)
{
    struct stat status;
    char *latest = mem_format("%s/" REPORT_LATEST, folder);
    char *link = mem_format("%s/." REPORT_LATEST ".%ld.new", folder, (long)getpid());
    enum outcome outcome = OUT_OK;
    bool has_copies = lstat(latest, &status) == 0 && S_ISDIR(status.st_mode);
    unlink(link); /* of a process that ended in between, with this number */
    if (!report_latest_is_ours(folder))
        outcome = report_files_refuse(latest, "somebody else made it", err);
    else if (has_copies)
        outcome = copy(latest, json, html, err);
    else if (symlink(name, link) == 0)
        outcome =
            rename(link, latest) == 0 ? OUT_OK : report_files_refuse(latest, strerror(errno), err);
    else if (knows_no_links(errno))
        outcome = copy(latest, json, html, err);
    else
        outcome = report_files_refuse(latest, strerror(errno), err);
    if (outcome != OUT_OK)
        unlink(link);
    free(link);
    free(latest);
    return outcome;
}
