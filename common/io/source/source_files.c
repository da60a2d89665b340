/* See the header. */
#include "common/io/source/source_files.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/source/chromium_profile.h"
#include "common/io/files.h"
#include "common/io/source/source_identity.h"

#define WAY_MAX ((size_t)64 << 10)
#define DEPTH_MAX 64 /* folders in folders; links to folders are not followed, so no loop */

static void identify(struct source_file *file, const struct stat *status)
{
    file->identified = true;
    file->device = (uint64_t)status->st_dev;
    file->inode = (uint64_t)status->st_ino;
}

static void add(struct source_files *files, char *path, const struct stat *status, int problem)
{
    files->items =
        mem_grown(files->items, &files->capacity, files->count + 1, sizeof(*files->items));
    struct source_file *file = &files->items[files->count++];
    *file = (struct source_file){.path = path, .problem = problem, .modified_ns = INT64_MAX};
    if (!status)
        return;
    file->modified_ns = files_time_ns(&status->st_mtim);
    file->size = (uint64_t)status->st_size;
    identify(file, status);
}

static char *join(const char *folder, const char *name)
{
    const char *slash = folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/";
    return mem_format("%s%s%s", folder, slash, name);
}

static bool ends_with(const char *name, size_t size, const char *ending)
{
    size_t length = strlen(ending);
    return size > length && strncasecmp(name + size - length, ending, length) == 0;
}

static bool is_json_name(const char *name)
{
    size_t size = strlen(name);
    if (ends_with(name, size, ".gz"))
        size -= 3;
    else if (ends_with(name, size, ".zst"))
        size -= 4;
    return ends_with(name, size, ".json") || ends_with(name, size, ".jsonl") ||
           ends_with(name, size, ".ndjson");
}

bool source_files_takes_name(const char *name)
{
    return name[0] != '.' && is_json_name(name);
}

static void add_folder(struct source_files *files, const char *folder, int depth);

/* `path` becomes the list's, or is freed. */
static void add_entry(struct source_files *files, char *path, const char *name, int depth)
{
    struct stat status;
    struct stat link;
    if (stat(path, &status) != 0 || lstat(path, &link) != 0) {
        if (is_json_name(name))
            add(files, path, NULL, errno);
        else
            free(path);
        return;
    }
    if (!S_ISDIR(status.st_mode) && is_json_name(name)) {
        add(files, path, &status, 0);
        return;
    }
    if (S_ISDIR(link.st_mode))
        add_folder(files, path, depth + 1);
    free(path);
}

/* False when the folder is no browser's profile. */
static bool add_profile(struct source_files *files, const char *folder)
{
    struct chromium_files profile;
    if (!chromium_profile_is(folder, &profile))
        return false;
    add(files, mem_text(folder), NULL, 0);
    struct source_file *file = &files->items[files->count - 1];
    file->modified_ns = profile.modified_ns;
    file->size = profile.size;
    file->identified = source_identity_place(folder, &file->device, &file->inode);
    return true;
}

static void add_folder(struct source_files *files, const char *folder, int depth)
{
    if (add_profile(files, folder))
        return;
    DIR *open = depth < DEPTH_MAX ? opendir(folder) : NULL;
    if (!open) {
        add(files, mem_text(folder), NULL, depth < DEPTH_MAX ? errno : ELOOP);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(open)))
        if (entry->d_name[0] != '.')
            add_entry(files, join(folder, entry->d_name), entry->d_name, depth);
    closedir(open);
}

/* Names of files may hold anything: shown so that they cannot write to the terminal. */
static void where(struct error *err, const char *path)
{
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, bytes_text(path), 200);
    error_where(err, "%s", buf_text(&safe));
    buf_free(&safe);
}

static enum outcome add_pattern(struct source_files *files, const char *pattern, struct error *err)
{
    glob_t found;
    int failed = glob(pattern, GLOB_NOSORT, NULL, &found);
    if (failed) {
        bool plain = !strpbrk(pattern, "*?[");
        error_set(err, OUT_FATAL, plain ? ERR_SOURCE_OPEN : ERR_SOURCE_EMPTY,
                  plain ? "there is no such file or folder" : "no file matches the pattern");
        where(err, pattern);
        globfree(&found);
        return OUT_FATAL;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat status;
        if (stat(found.gl_pathv[i], &status) != 0)
            add(files, mem_text(found.gl_pathv[i]), NULL, errno);
        else if (S_ISDIR(status.st_mode))
            add_folder(files, found.gl_pathv[i], 0);
        else
            add(files, mem_text(found.gl_pathv[i]), &status, 0);
    }
    globfree(&found);
    return OUT_OK;
}

static enum outcome add_argument(struct source_files *files, const char *path, struct error *err)
{
    struct stat status;
    size_t before = files->count;
    if (strcmp(path, "-") == 0) {
        add(files, mem_text(path), NULL, 0);
        return OUT_OK;
    }
    if (stat(path, &status) != 0)
        return add_pattern(files, path, err);
    if (S_ISREG(status.st_mode)) {
        add(files, mem_text(path), &status, 0);
        return OUT_OK;
    }
    if (S_ISDIR(status.st_mode)) {
        add_folder(files, path, 0);
        if (files->count > before)
            return OUT_OK;
        error_set(err, OUT_FATAL, ERR_SOURCE_EMPTY, "the folder holds no JSON file");
        error_hint(err, "files named *.json, *.jsonl or *.ndjson are read, also with .gz or .zst; "
                        "name others one by one");
    } else {
        error_set(err, OUT_FATAL, ERR_SOURCE_KIND, "the source is neither a file nor a folder");
    }
    where(err, path);
    return OUT_FATAL;
}

static int compare(const void *a, const void *b)
{
    const struct source_file *left = a;
    const struct source_file *right = b;
    bool left_is_input = strcmp(left->path, "-") == 0;
    bool right_is_input = strcmp(right->path, "-") == 0;
    if (left_is_input != right_is_input)
        return left_is_input ? 1 : -1;
    if (left->modified_ns != right->modified_ns)
        return left->modified_ns < right->modified_ns ? -1 : 1;
    return strcmp(left->path, right->path); /* bytes, unsigned */
}

/* ---- one file, one source -------------------------------------------------------------------- */

/* What decides whether two entries are one source: the file itself, however it is named, and the
 * way it is read (its name decides on the mapping, its path may decide on the tenant). */
struct identity {
    const struct source_file *file;
    struct buf way;
    size_t at;
};

static int compare_files(const struct source_file *a, const struct source_file *b)
{
    if (a->identified != b->identified)
        return a->identified ? -1 : 1;
    if (!a->identified)
        return strcmp(a->path, b->path);
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return (a->inode > b->inode) - (a->inode < b->inode);
}

static int compare_ways(const struct identity *a, const struct identity *b)
{
    int order = compare_files(a->file, b->file);
    return order ? order : bytes_compare(buf_view(&a->way), buf_view(&b->way));
}

/* Of several names the shortest is kept: "a.json" rather than "./a.json", whatever the order. */
static int compare_identities(const void *left, const void *right)
{
    const struct identity *a = left, *b = right;
    int order = compare_ways(a, b);
    size_t size_a = strlen(a->file->path), size_b = strlen(b->file->path);
    if (order == 0)
        order = (size_a > size_b) - (size_a < size_b);
    return order ? order : strcmp(a->file->path, b->file->path);
}

static void note_repeat(struct source_files *files, char *path, const char *kept)
{
    files->repeats = mem_resize(files->repeats, files->repeat_count + 1, sizeof(*files->repeats));
    files->repeats[files->repeat_count++] = (struct source_repeat){path, mem_text(kept)};
}

/* A file named twice is one source: else its records would come as a second version. */
static void drop_repeats(struct source_files *files, const struct source_rules *rules)
{
    struct identity *all = mem_zeroed(files->count + 1, sizeof(*all));
    for (size_t i = 0; i < files->count; i++) {
        all[i] = (struct identity){.file = &files->items[i], .at = i};
        buf_init(&all[i].way, WAY_MAX);
        if (rules)
            source_rules_append_way(rules, files->items[i].path, &all[i].way);
    }
    qsort(all, files->count, sizeof(*all), compare_identities);
    for (size_t i = 1, first = 0; i < files->count; i++) {
        struct source_file *file = &files->items[all[i].at];
        const char *kept = all[first].file->path;
        if (compare_ways(&all[first], &all[i]) != 0) {
            first = i;
        } else if (strcmp(kept, file->path) == 0) {
            free(file->path);
            file->path = NULL;
        } else {
            note_repeat(files, file->path, kept);
            file->path = NULL;
        }
    }
    size_t left = 0;
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].path)
            files->items[left++] = files->items[i];
    for (size_t i = 0; i < files->count; i++)
        buf_free(&all[i].way);
    files->count = left;
    free(all);
}

enum outcome source_files_collect(const struct conf_list *arguments,
                                  const struct source_rules *rules, struct source_files *files,
                                  struct error *err)
{
    *files = (struct source_files){0};
    for (size_t i = 0; i < arguments->count; i++)
        if (add_argument(files, arguments->items[i], err) != OUT_OK) {
            source_files_free(files);
            return OUT_FATAL;
        }
    drop_repeats(files, rules);
    if (files->count)
        qsort(files->items, files->count, sizeof(*files->items), compare);
    for (size_t i = 0; i < files->count; i++)
        files->total_bytes += files->items[i].size;
    if (files->count && strcmp(files->items[files->count - 1].path, "-") == 0)
        files->total_bytes = 0;
    return OUT_OK;
}

void source_files_free(struct source_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    for (size_t i = 0; i < files->repeat_count; i++) {
        free(files->repeats[i].path);
        free(files->repeats[i].kept);
    }
    free(files->repeats);
    free(files->items);
    *files = (struct source_files){0};
}
