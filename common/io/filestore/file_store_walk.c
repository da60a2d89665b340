/*
 * The file store's folder, file by file: those that the rows want, and what else lies among them
 * that a reader of the folder would take for records.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/filestore/file_store_look.h"
#include "common/io/filestore/file_store_parts.h"

enum {
    WAIT_MS = 10000, /* for a worker that is about to write */
    STEP_MS = 100,
};

struct file_walk {
    const struct settings *settings;
    const struct mapping_set *mappings;
    sqlite3 *connection;
    struct file_look look;
    sqlite3_stmt *files;
    struct digest *names; /* of the files the store has, sorted: folder/name */
    size_t name_count;
    file_walk_each *each;
    void *owner;
};

/* While a worker has the store it is about to write what is dirty. */
static bool is_in_use(const struct settings *settings)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/.drover/lock", settings->store_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool used = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return used;
}

static void wait_for_writer(struct file_walk *walk)
{
    sqlite3_stmt *statement = NULL;
    uint64_t by_ms = clock_monotonic_ms() + WAIT_MS;
    if (sqlite3_prepare_v2(walk->connection, "SELECT 1 FROM file WHERE dirty = 1 LIMIT 1", -1,
                           &statement, NULL) != SQLITE_OK)
        return;
    while (sqlite3_step(statement) == SQLITE_ROW && clock_monotonic_ms() < by_ms &&
           is_in_use(walk->settings)) {
        sqlite3_reset(statement); /* ends the read: the next one sees what came since */
        usleep(STEP_MS * 1000);
    }
    sqlite3_finalize(statement);
}

static struct digest digest_name(const char *folder, const char *name)
{
    char path[FILE_FOLDER_SIZE + NAME_MAX + 2];
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    return digest_of(bytes_of(path, (size_t)size));
}

static int compare_digests(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct digest));
}

static void add_name(struct file_walk *walk, const char *folder, const char *name)
{
    if ((walk->name_count & (walk->name_count - 1)) == 0) {
        size_t room = walk->name_count ? 2 * walk->name_count : 1;
        walk->names = realloc(walk->names, room * sizeof *walk->names);
        if (!walk->names)
            abort();
    }
    walk->names[walk->name_count++] = digest_name(folder, name);
}

static bool in_scope(const struct file_walk *walk, struct bytes tenant)
{
    const char *only = walk->settings->only_tenant;
    return !only || !only[0] || bytes_equal(tenant, bytes_text(only));
}

static void tell(struct file_walk *walk)
{
    const struct file_look *look = &walk->look;
    char path[FILE_FOLDER_SIZE + FILE_NAME_SIZE];
    int size = snprintf(path, sizeof path, "%s/%s", look->folder_name, look->name);
    struct file_found found = {.path = bytes_of(path, (size_t)size),
                               .entity = buf_view(&look->entity),
                               .tenant = buf_view(&look->tenant),
                               .state = look->state,
                               .reason = look->reason,
                               .changed = look->changed,
                               .gone = look->gone,
                               .more = look->more};
    walk->each(walk->owner, &found);
}

static enum outcome walk_files(struct file_walk *walk, struct error *err)
{
    int code;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && (code = sqlite3_step(walk->files)) == SQLITE_ROW) {
        char folder[FILE_FOLDER_SIZE], name[FILE_NAME_SIZE];
        struct bytes entity = file_db_column(walk->files, 0);
        struct bytes tenant = file_db_column(walk->files, 1);
        const struct mapping *mapping = mapping_set_find(walk->mappings, entity);
        file_store_folder(tenant, folder);
        file_store_name(entity, name);
        add_name(walk, folder, name);
        if (!mapping || !in_scope(walk, tenant))
            continue;
        outcome = file_look_take(&walk->look, mapping, entity, tenant, err);
        if (outcome == OUT_OK)
            tell(walk);
    }
    if (outcome == OUT_OK && code != SQLITE_DONE)
        outcome =
            error_set(err, OUT_FATAL, ERR_STORE_FILE, "the file store's database cannot be read");
    return outcome;
}

static bool is_json(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static void tell_stray(struct file_walk *walk, const char *folder, const char *name)
{
    char path[FILE_FOLDER_SIZE + NAME_MAX + 2];
    int size = snprintf(path, sizeof path, "%s%s%s", folder, folder[0] ? "/" : "", name);
    struct file_found found = {.path = bytes_of(path, (size_t)size),
                               .state = FILE_FOREIGN,
                               .is_stray = true,
                               .reason = "the store has no such file"};
    walk->each(walk->owner, &found);
}

/* What somebody who reads the folder would take for records: names that end in .json. */
static void walk_folder(struct file_walk *walk, const char *folder)
{
    int fd = openat(walk->look.folder, folder[0] ? folder : ".",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    if (!entries && fd >= 0)
        close(fd);
    while (entries && (entry = readdir(entries))) {
        struct digest digest = digest_name(folder, entry->d_name);
        if (folder[0] == '\0' && entry->d_name[0] != '.' && !is_json(entry->d_name)) {
            if (!walk->settings->only_tenant || !walk->settings->only_tenant[0])
                walk_folder(walk, entry->d_name);
        } else if (is_json(entry->d_name) && !bsearch(&digest, walk->names, walk->name_count,
                                                      sizeof digest, compare_digests)) {
            tell_stray(walk, folder, entry->d_name);
        }
    }
    if (entries)
        closedir(entries);
}

static void walk_strays(struct file_walk *walk)
{
    char folder[FILE_FOLDER_SIZE] = "";
    const char *only = walk->settings->only_tenant;
    if (only && only[0])
        file_store_folder(bytes_text(only), folder);
    if (walk->name_count)
        qsort(walk->names, walk->name_count, sizeof *walk->names, compare_digests);
    walk_folder(walk, folder);
}

enum outcome file_stored_walk(const struct settings *settings, const struct mapping_set *mappings,
                              file_walk_each *each, void *owner, struct error *err)
{
    struct file_walk walk = {
        .settings = settings, .mappings = mappings, .each = each, .owner = owner};
    sqlite3 *latest = NULL;
    walk.look.folder = -1;
    enum outcome outcome = file_look_connect(settings, &walk.connection, &latest, err);
    if (outcome == OUT_OK) {
        wait_for_writer(&walk);
        bool begun = sqlite3_exec(walk.connection, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
                     sqlite3_prepare_v2(walk.connection,
                                        "SELECT entity, tenant FROM file ORDER BY entity, tenant",
                                        -1, &walk.files, NULL) == SQLITE_OK;
        outcome = begun
                      ? file_look_open(&walk.look, settings, walk.connection, latest, mappings, err)
                      : error_set(err, OUT_FATAL, ERR_STORE_FILE,
                                  "the file store's database cannot be read");
    }
    if (outcome == OUT_OK)
        outcome = walk_files(&walk, err);
    if (outcome == OUT_OK)
        walk_strays(&walk);
    sqlite3_finalize(walk.files);
    if (walk.look.folder >= 0)
        file_look_free(&walk.look);
    sqlite3_close(walk.connection);
    sqlite3_close(latest);
    free(walk.names);
    return outcome;
}
