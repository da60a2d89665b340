/*
 * Matching by trying: a '*' or {tenant} takes as many bytes as the rest of the pattern lets it,
 * fewest first. Patterns are short and typed by people; each '/' bounds what is tried.
 */
#include "common/policy/collect/tenant_path.h"

#define MARK "{tenant}"
#define MARK_SIZE (sizeof(MARK) - 1)

static bool begins_with_mark(const char *pattern)
{
    return strncmp(pattern, MARK, MARK_SIZE) == 0;
}

static bool match(const char *pattern, const char *path, struct bytes *tenant);

/* `rest` is the pattern behind a '*' or {tenant}; at least `least` bytes are taken. */
static bool match_run(const char *rest, const char *path, size_t min, struct bytes *taken,
                      struct bytes *tenant)
{
    for (size_t size = 0;; size++) {
        if (size >= min && match(rest, path + size, tenant)) {
            if (taken)
                *taken = bytes_of(path, size);
            return true;
        }
        if (path[size] == '\0' || path[size] == '/')
            return false;
    }
}

static bool match(const char *pattern, const char *path, struct bytes *tenant)
{
    for (; *pattern; pattern++, path++) {
        if (begins_with_mark(pattern))
            return match_run(pattern + MARK_SIZE, path, 1, tenant, tenant);
        if (*pattern == '*')
            return match_run(pattern + 1, path, 0, NULL, tenant);
        bool any = *pattern == '?' && *path != '/';
        if (*path == '\0' || (!any && *pattern != *path))
            return false;
    }
    return *path == '\0';
}

bool tenant_path_is_valid(const char *pattern)
{
    const char *mark = strstr(pattern, MARK);
    return mark && !strstr(mark + MARK_SIZE, MARK);
}

bool tenant_path_match(const char *pattern, const char *path, struct bytes *tenant)
{
    for (const char *start = path; start;) {
        if (match(pattern, start, tenant))
            return true;
        if (pattern[0] == '/')
            return false;
        start = strchr(start, '/');
        start = start ? start + 1 : NULL;
    }
    return false;
}
