#include "producer/follow/follow_files.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"
#include "common/io/source/source_identity.h"

/* Which of the arguments can be listed. */
static void list_each(const struct conf_list *arguments, const struct source_rules *rules,
                      struct conf_list *kept, const char **ok, struct error *errors)
{
    for (size_t i = 0; i < arguments->count; i++) {
        struct conf_list one = {.items = &arguments->items[i], .count = 1};
        struct source_files found;
        if (source_files_collect(&one, rules, &found, &errors[i]) == OUT_OK) {
            ok[kept->count++] = arguments->items[i];
            errors[i] = (struct error){0};
        } else if (errors[i].code == ERR_SOURCE_EMPTY) {
            errors[i] = (struct error){0};
        }
        source_files_free(&found);
    }
}

void follow_files_list(const struct conf_list *arguments, const struct source_rules *rules,
                       struct source_files *files, struct error *errors)
{
    const char **ok = mem_zeroed(arguments->count, sizeof(*ok));
    struct conf_list kept = {.items = ok};
    struct error ignored;
    for (size_t i = 0; i < arguments->count; i++)
        errors[i] = (struct error){0};
    if (source_files_collect(arguments, rules, files, &ignored) != OUT_OK) {
        source_files_free(files);
        list_each(arguments, rules, &kept, ok, errors);
        /* all together, for their order; one that went away between comes with the next scan */
        if (source_files_collect(&kept, rules, files, &ignored) != OUT_OK)
            *files = (struct source_files){0};
    }
    free(ok);
}

char *follow_files_absolute(const char *path)
{
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (!folder)
        return mem_text(path);
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    char *made = mem_format("%s/%s", folder, path);
    free(folder);
    return made;
}

/* A pattern covers what it names, and what lies below folders that it names. */
static bool pattern_covers(const char *pattern, char *path)
{
    if (!strpbrk(pattern, "*?["))
        return false;
    bool covers = fnmatch(pattern, path, FNM_PATHNAME) == 0;
    for (char *slash = strrchr(path, '/'); slash && slash > path && !covers;
         slash = strrchr(path, '/')) {
        *slash = '\0';
        covers = fnmatch(pattern, path, FNM_PATHNAME) == 0;
    }
    return covers;
}

bool follow_files_cover(const struct conf_list *arguments, const char *path)
{
    bool covers = false;
    for (size_t i = 0; i < arguments->count && !covers; i++) {
        char *argument = follow_files_absolute(arguments->items[i]);
        size_t size = strlen(argument);
        while (size > 1 && argument[size - 1] == '/')
            argument[--size] = '\0';
        char *whole = mem_text(path);
        covers = strcmp(argument, path) == 0 ||
                 (strncmp(argument, path, size) == 0 && path[size] == '/') ||
                 pattern_covers(argument, whole);
        free(whole);
        free(argument);
    }
    return covers;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_text(".");
    return mem_text_part(path, slash == path ? 1 : (size_t)(slash - path));
}

bool follow_files_folder(const char *path, uint64_t *device)
{
    char *folder = folder_of(path);
    struct stat status;
    DIR *open = opendir(folder);
    bool readable = open && fstat(dirfd(open), &status) == 0 && access(folder, X_OK) == 0;
    int failed = errno;
    if (readable)
        *device = (uint64_t)status.st_dev;
    if (open)
        closedir(open);
    free(folder);
    errno = failed;
    return readable;
}

bool follow_files_is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    return strncmp(path, folder, size) == 0 &&
           (path[size] == '\0' || path[size] == '/' || (size == 1 && folder[0] == '/'));
}

/* How long the part of the path is that must be there: the argument, or what a pattern begins with;
 * of an argument that is the file itself, its folder. 0: the argument does not reach to it. */
static size_t root_size(const char *argument, const char *path)
{
    char *absolute = follow_files_absolute(argument);
    size_t size = strcspn(absolute, "*?[");
    bool pattern = absolute[size] != '\0';
    while (size > 1 && (pattern ? absolute[size - 1] != '/' : absolute[size - 1] == '/'))
        size--;
    while (size > 1 && absolute[size - 1] == '/')
        size--;
    absolute[size] = '\0';
    bool reaches =
        follow_files_is_below(path, absolute) && (pattern || strcmp(path, absolute) != 0);
    free(absolute);
    return reaches ? size : 0;
}

bool follow_files_folder_left(const struct conf_list *arguments, const char *path, uint64_t *device)
{
    size_t root = strlen(path);
    for (size_t i = 0; i < arguments->count; i++) {
        size_t size = root_size(arguments->items[i], path);
        root = size > 0 && size < root ? size : root;
    }
    char *at = mem_text(path);
    bool readable;
    for (;;) {
        readable = follow_files_folder(at, device);
        char *slash = strrchr(at, '/');
        if (readable || (errno != ENOENT && errno != ENOTDIR) || !slash ||
            (size_t)(slash - at) <= root)
            break;
        *slash = '\0';
    }
    free(at);
    return readable;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes `name`. */
static void add_name(struct folder_names *names, char *name)
{
    names->items = mem_resize(names->items, names->count + 1, sizeof(char *));
    names->items[names->count++] = name;
}

/* Each once, by their bytes. */
static void sort_names(struct folder_names *names)
{
    size_t kept = 0;
    if (names->count)
        qsort(names->items, names->count, sizeof(char *), compare_names);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && strcmp(names->items[kept - 1], names->items[i]) == 0)
            free(names->items[i]);
        else
            names->items[kept++] = names->items[i];
    }
    names->count = kept;
}

void follow_files_folders(const struct conf_list *arguments, const struct source_files *files,
                          struct folder_names *names, struct folder_names *others)
{
    *names = *others = (struct folder_names){0};
    for (size_t i = 0; i < arguments->count; i++) {
        const char *argument = arguments->items[i];
        if (files_is_folder(argument))
            add_name(names, mem_text(argument));
        else
            add_name(names, folder_of(argument));
    }
    for (size_t i = 0; i < files->count; i++) {
        char *folder = source_identity_folder(files->items[i].path);
        char *own = folder_of(files->items[i].path);
        if (strcmp(folder, own) != 0)
            add_name(others, mem_text(folder));
        free(own);
        bool same = names->count > 0 && strcmp(names->items[names->count - 1], folder) == 0;
        if (same) /* files of one folder stand together more often than not */
            free(folder);
        else
            add_name(names, folder);
    }
    sort_names(names);
    sort_names(others);
}

bool folder_names_has(const struct folder_names *names, const char *folder, size_t size)
{
    for (size_t i = 0; i < names->count; i++)
        if (strncmp(names->items[i], folder, size) == 0 && names->items[i][size] == '\0')
            return true;
    return false;
}

bool follow_files_may_take(const struct conf_list *arguments, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (source_files_takes_name(slash ? slash + 1 : path))
        return true;
    for (size_t i = 0; i < arguments->count; i++) {
        const struct conf_list one = {.items = &arguments->items[i], .count = 1};
        if (!files_is_folder(arguments->items[i]) && follow_files_cover(&one, path))
            return true;
    }
    return false;
}

void folder_names_free(struct folder_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct folder_names){0};
}
