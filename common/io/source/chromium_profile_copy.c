/* The copy of a profile's database that is read in its place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/io/source/chromium_profile_internal.h"
#include "common/io/files.h"

#define NAME_BEGIN "drover-profile-"
#define COPY_AT_ONCE ((size_t)1 << 20)

static enum outcome cannot(struct error *err, const char *what, int number)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE, "the browser profile cannot be %s", what);
    error_cause(err, "%s", strerrordesc_np(number));
    return OUT_REJECT;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name);
    size_t length = strlen(ending);
    return size >= length && strcmp(name + size - length, ending) == 0;
}

/* Not the lock, and not the log for people, which changes without any data changing. */
bool chromium_profile_holds_data(const char *name)
{
    return ends_with(name, ".ldb") || ends_with(name, ".sst") || ends_with(name, ".log") ||
           strcmp(name, "CURRENT") == 0 || strncmp(name, "MANIFEST-", 9) == 0;
}

/* ---- where it is ---- */

/* A file CURRENT that names the manifest makes a folder a LevelDB database; false with errno. */
static bool is_database(const char *current)
{
    static const char BEGIN[] = "MANIFEST-";
    char text[sizeof(BEGIN) - 1];
    int fd = open(current, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof(text));
    close(fd);
    errno = EINVAL;
    return got == (ssize_t)sizeof(text) && memcmp(text, BEGIN, sizeof(text)) == 0;
}

bool chromium_profile_database(const char *folder, struct buf *path)
{
    static const char *const BELOW[] = {"/Local Storage/leveldb", "/Default/Local Storage/leveldb",
                                        ""};
    int why = ENOENT;
    for (size_t i = 0; i < sizeof(BELOW) / sizeof(BELOW[0]); i++) {
        buf_reset(path);
        buf_append_format(path, "%s%s/CURRENT", folder, BELOW[i]);
        if (path->failed || !is_database(buf_text(path))) {
            why = errno == ENOENT || errno == ENOTDIR ? why : errno;
            continue;
        }
        path->size -= strlen("/CURRENT");
        return true;
    }
    errno = why;
    return false;
}

bool chromium_copy_measure(const char *database, struct chromium_files *files)
{
    DIR *listing = opendir(database);
    struct dirent *entry;
    *files = (struct chromium_files){0};
    if (!listing)
        return false;
    while ((entry = readdir(listing))) {
        struct stat status;
        if (!chromium_profile_holds_data(entry->d_name) ||
            fstatat(dirfd(listing), entry->d_name, &status, 0) != 0)
            continue;
        int64_t modified_ns = files_time_ns(&status.st_mtim);
        if (modified_ns > files->modified_ns)
            files->modified_ns = modified_ns;
        files->size += (uint64_t)status.st_size;
    }
    closedir(listing);
    return true;
}

/* ---- copying ---- */

/* 0, or errno. */
static int copy_bytes(int from, int to)
{
    for (;;) {
        ssize_t sent = sendfile(to, from, NULL, COPY_AT_ONCE);
        if (sent == 0)
            return 0;
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
    }
}

static int copy_file(int from_folder, int to_folder, const char *name)
{
    int to = -1;
    int from = openat(from_folder, name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int failed = from < 0 ? errno : 0;
    if (!failed) {
        to = openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        failed = to < 0 ? errno : copy_bytes(from, to);
    }
    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) != 0 && !failed)
        failed = errno;
    return failed;
}

static int copy_files(const char *database, const char *copy)
{
    DIR *from = opendir(database);
    int failed = from ? 0 : errno;
    int to = failed ? -1 : open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    if (!failed && to < 0)
        failed = errno;
    while (!failed && (entry = readdir(from)))
        if (chromium_profile_holds_data(entry->d_name))
            failed = copy_file(dirfd(from), to, entry->d_name);
    if (to >= 0)
        close(to);
    if (from)
        closedir(from);
    return failed;
}

static void remove_folder(const char *path)
{
    DIR *listing = opendir(path);
    struct dirent *entry;
    if (!listing)
        return;
    while ((entry = readdir(listing)))
        unlinkat(dirfd(listing), entry->d_name, 0); /* "." and ".." refuse */
    closedir(listing);
    rmdir(path);
}

/* -1: it cannot be opened, or somebody has it. */
static int lock_folder(const char *path)
{
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        close(lock);
        lock = -1;
    }
    return lock;
}

/* What killed processes of this user left: values in plain are not to stay there. */
static void sweep(const char *base)
{
    DIR *listing = opendir(base);
    struct dirent *entry;
    struct buf path;
    if (!listing)
        return;
    buf_init(&path, PATH_MAX);
    while ((entry = readdir(listing))) {
        struct stat status;
        buf_reset(&path);
        buf_append_format(&path, "%s/%s", base, entry->d_name);
        if (strncmp(entry->d_name, NAME_BEGIN, strlen(NAME_BEGIN)) != 0 || path.failed ||
            lstat(buf_text(&path), &status) != 0 || !S_ISDIR(status.st_mode) ||
            status.st_uid != geteuid())
            continue;
        int lock = lock_folder(buf_text(&path));
        if (lock < 0)
            continue;
        remove_folder(buf_text(&path));
        close(lock);
    }
    buf_free(&path);
    closedir(listing);
}

/* A copy that would fill a place others need as well, shared memory first of all, is not made
 * there. */
static bool has_room(const char *base, uint64_t size)
{
    struct statvfs place;
    return statvfs(base, &place) == 0 && size <= place.f_bavail * place.f_frsize / 2;
}

static int make_below(const char *base, const char *database, int owner, uint64_t size,
                      struct chromium_copy *copy)
{
    sweep(base);
    if (!has_room(base, size))
        return access(base, F_OK) == 0 ? ENOSPC : ENOTDIR;
    buf_reset(&copy->path);
    buf_append_format(&copy->path, "%s/" NAME_BEGIN "%d-XXXXXX", base, owner);
    if (copy->path.failed)
        return ENAMETOOLONG;
    buf_text(&copy->path);           /* ends it with a NUL */
    if (!mkdtemp(copy->path.data)) { /* 0700 */
        buf_reset(&copy->path);
        return errno;
    }
    copy->lock = lock_folder(copy->path.data);
    int failed = copy->lock < 0 ? ENOENT : copy_files(database, copy->path.data);
    if (failed)
        chromium_copy_remove(copy);
    return failed;
}

void chromium_copy_init(struct chromium_copy *copy)
{
    buf_init(&copy->path, PATH_MAX);
    copy->lock = -1;
}

#define BASES 3

/* The places for copies; the caller skips NULL and "". */
static void list_bases(const char *bases[BASES])
{
    bases[0] = "/dev/shm";
    bases[1] = getenv("TMPDIR");
    bases[2] = "/tmp";
}

void chromium_copy_sweep(void)
{
    const char *bases[BASES];
    list_bases(bases);
    for (size_t i = 0; i < BASES; i++)
        if (bases[i] && bases[i][0])
            sweep(bases[i]);
}

enum outcome chromium_copy_make(const char *database, int owner, uint64_t size,
                                struct chromium_copy *copy, struct error *err)
{
    const char *bases[BASES];
    list_bases(bases);
    int failed = ENOENT;
    for (size_t i = 0; i < BASES; i++) {
        if (!bases[i] || !bases[i][0])
            continue;
        failed = make_below(bases[i], database, owner, size, copy);
        if (failed == 0)
            return OUT_OK;
        if (failed == ENOENT && access(bases[i], F_OK) == 0)
            return OUT_RETRY; /* compacted away under our hands */
    }
    return cannot(err, "copied", failed);
}

void chromium_copy_remove(struct chromium_copy *copy)
{
    if (copy->path.size)
        remove_folder(buf_text(&copy->path));
    if (copy->lock >= 0)
        close(copy->lock);
    copy->lock = -1;
    buf_reset(&copy->path);
}

void chromium_copy_free(struct chromium_copy *copy)
{
    chromium_copy_remove(copy);
    buf_free(&copy->path);
}
