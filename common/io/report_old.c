/* Old reports: which of the folder's entries are reports of a migration that nobody put anything
 * beside, and the oldest of them removed. */

#include "common/io/report_folder_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"

struct old_report {
    char *name;
    int64_t written_ns;
};

struct old_reports {
    struct old_report *items;
    size_t count, room;
};

/* "20261129T170255-0badcafe", as run_name_make forms it. */
static bool is_run(const char *name)
{
    static const char FORM[] = "dddddddd"
                               "T"
                               "dddddd"
                               "-"
                               "xxxxxxxx";
    size_t size = sizeof FORM - 1;
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        bool fits = FORM[i] == 'd'   ? isdigit(c)
                    : FORM[i] == 'x' ? isdigit(c) || (c >= 'a' && c <= 'f')
                                     : c == (unsigned char)FORM[i];
        if (!fits)
            return false;
    }
    return true;
}

static bool is_report_of(const char *name, const char *migration)
{
    size_t size = strnlen(migration, REPORT_MIGRATION_MAX);
    return strncmp(name, migration, size) == 0 && name[size] == '-' && is_run(name + size + 1);
}

static bool is_part_of_report(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, REPORT_JSON) == 0 ||
           strcmp(name, REPORT_HTML) == 0;
}

static bool has_only_report(int folder)
{
    int fd = dup(folder);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool only = dir != NULL;
    for (const struct dirent *entry; only && (entry = readdir(dir));)
        only = is_part_of_report(entry->d_name);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return only;
}

int report_old_open(int at, const char *name)
{
    struct stat status;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && has_only_report(fd))
        return fd;
    close(fd);
    return -1;
}

static void add(struct old_reports *reports, int at, const char *name)
{
    struct stat status;
    int fd = report_old_open(at, name);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0) {
        reports->items =
            mem_grown(reports->items, &reports->room, reports->count + 1, sizeof *reports->items);
        reports->items[reports->count++] =
            (struct old_report){mem_format("%s", name), files_time_ns(&status.st_mtim)};
    }
    close(fd);
}

static int compare_newest_first(const void *left, const void *right)
{
    const struct old_report *a = left, *b = right;
    if (a->written_ns != b->written_ns)
        return a->written_ns > b->written_ns ? -1 : 1;
    return strcmp(b->name, a->name);
}

/* Goes only as far as nothing else is in it by now. */
static void remove_one(int at, const char *name)
{
    int fd = report_old_open(at, name);
    if (fd < 0)
        return;
    unlinkat(fd, REPORT_JSON, 0);
    unlinkat(fd, REPORT_HTML, 0);
    close(fd);
    unlinkat(at, name, AT_REMOVEDIR);
}

void report_old_remove(const struct report_place *place, const char *name)
{
    struct old_reports reports = {0};
    DIR *dir = opendir(place->folder);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (is_report_of(entry->d_name, place->migration) && strcmp(entry->d_name, name) != 0)
            add(&reports, dirfd(dir), entry->d_name);
    if (reports.count)
        qsort(reports.items, reports.count, sizeof *reports.items, compare_newest_first);
    for (size_t i = 0; i < reports.count; i++) {
        if (i + 1 >= place->keep) /* with the one just written */
            remove_one(dirfd(dir), reports.items[i].name);
        free(reports.items[i].name);
    }
    free(reports.items);
    closedir(dir);
}
