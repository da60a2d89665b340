#include "common/io/source/source_identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/io/source/chromium_profile.h"
#include "common/io/files.h"

#define PATH_BYTES 8192
#define LISTING_BYTES (8u << 20) /* some 100,000 data files */

/* Where a folder that is a profile has its database; NULL, with errno: it is none. The caller
 * frees. */
static char *database_of(const char *folder)
{
    struct buf path;
    buf_init(&path, PATH_BYTES);
    char *found =
        chromium_profile_database(folder, &path) ? mem_text_part(buf_text(&path), path.size) : NULL;
    int failed = errno;
    buf_free(&path);
    errno = failed;
    return found;
}

static bool is_folder(const char *path, struct stat *status)
{
    return stat(path, status) == 0 && S_ISDIR(status->st_mode);
}

static void take(const struct stat *status, struct scan_identity *identity)
{
    *identity = (struct scan_identity){.device = (uint64_t)status->st_dev,
                                       .inode = (uint64_t)status->st_ino,
                                       .size = (uint64_t)status->st_size,
                                       .modified_ns = files_time_ns(&status->st_mtim),
                                       .changed_ns = files_time_ns(&status->st_ctim)};
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_data(const struct dirent *entry)
{
    return chromium_profile_holds_data(entry->d_name);
}

/* One data file of a database: its name and all that stat tells into `all`; nothing of one that has
 * just gone. */
static void add_file(const char *database, const char *name, struct buf *path, struct buf *all,
                     struct scan_identity *identity)
{
    struct stat status;
    struct scan_identity file;
    buf_reset(path);
    buf_append_format(path, "%s/%s", database, name);
    if (path->failed || stat(buf_text(path), &status) != 0)
        return;
    take(&status, &file);
    buf_append(all, name, strlen(name) + 1);
    buf_append_be64(all, file.inode);
    buf_append_be64(all, file.size);
    buf_append_be64(all, (uint64_t)file.modified_ns);
    buf_append_be64(all, (uint64_t)file.changed_ns);
    identity->size += file.size;
    identity->modified_ns = MAX(identity->modified_ns, file.modified_ns);
    identity->changed_ns = MAX(identity->changed_ns, file.changed_ns);
}

static bool read_database(const char *database, struct scan_identity *identity)
{
    struct dirent **names;
    struct stat status;
    struct buf path, all;
    if (stat(database, &status) != 0)
        return false;
    int count = scandir(database, &names, is_data, compare_names);
    if (count < 0)
        return false;
    buf_init(&path, PATH_BYTES);
    buf_init(&all, LISTING_BYTES);
    *identity = (struct scan_identity){
        .device = (uint64_t)status.st_dev, .modified_ns = INT64_MIN, .changed_ns = INT64_MIN};
    buf_append_be64(&all, (uint64_t)status.st_ino);
    for (int i = 0; i < count; i++) {
        add_file(database, names[i]->d_name, &path, &all, identity);
        free(names[i]);
    }
    free(names);
    struct digest digest = digest_of(buf_view(&all));
    memcpy(&identity->inode, digest.bytes, sizeof(identity->inode));
    buf_free(&path);
    buf_free(&all);
    return true;
}

bool source_identity_read(const char *path, struct scan_identity *identity)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    if (!S_ISDIR(status.st_mode)) {
        take(&status, identity);
        return true;
    }
    char *database = database_of(path);
    if (!database)
        return false;
    bool done = read_database(database, identity);
    int failed = errno;
    free(database);
    errno = failed;
    return done;
}

bool source_identity_place(const char *path, uint64_t *device, uint64_t *inode)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    char *database = S_ISDIR(status.st_mode) ? database_of(path) : NULL;
    bool done = !database || stat(database, &status) == 0;
    free(database);
    if (done) {
        *device = (uint64_t)status.st_dev;
        *inode = (uint64_t)status.st_ino;
    }
    return done;
}

bool source_identity_is_born_after(const char *path, int64_t time_ns)
{
    struct statx status;
    if (statx(AT_FDCWD, path, AT_STATX_SYNC_AS_STAT, STATX_BTIME, &status) != 0 ||
        !(status.stx_mask & STATX_BTIME))
        return false;
    return (int64_t)status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec > time_ns;
}

char *source_identity_folder(const char *path)
{
    struct stat status;
    char *database = is_folder(path, &status) ? database_of(path) : NULL;
    if (database)
        return database;
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_text(".");
    return mem_text_part(path, slash == path ? 1 : (size_t)(slash - path));
}
