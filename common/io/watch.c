/* Two names of one folder have one number of the system's (wd): notices are told under both. */
#include "common/io/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"

#define CHANGES_MAX 4096 /* paths told; a scan is cheaper than so many by name */
#define NOTICES (IN_ATTRIB | IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define OF_FOLDER (IN_DELETE_SELF | IN_MOVE_SELF)
#define BUFFER_BYTES (64 * 1024)

struct folder {
    char *path;
    int wd; /* -1: not watched, tried again when the folders are set again */
};

struct watch {
    int fd;
    uint64_t scan_ms, due_ms;
    struct folder *folders; /* sorted by path */
    size_t count;
    struct watch_change *changes; /* each once; the last is taken first */
    size_t change_count, change_room;
    bool lost;
    char *buffer;
};

enum outcome watch_open(uint64_t scan_ms, struct watch **watch, struct error *err)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    *watch = NULL;
    if (fd < 0) {
        error_set(err, OUT_FATAL, ERR_INTERNAL, "no notices of changes");
        error_cause(err, "%s", strerrordesc_np(errno));
        error_hint(err, "raise fs.inotify.max_user_instances");
        return OUT_FATAL;
    }
    struct watch *made = mem_zeroed(1, sizeof *made);
    made->fd = fd;
    made->scan_ms = scan_ms;
    made->due_ms = clock_monotonic_ms() + scan_ms;
    made->buffer = mem_new(BUFFER_BYTES);
    *watch = made;
    return OUT_OK;
}

void watch_forget(struct watch *watch)
{
    for (size_t i = 0; i < watch->change_count; i++)
        free(watch->changes[i].path);
    watch->change_count = 0;
    watch->lost = false;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    watch_forget(watch);
    for (size_t i = 0; i < watch->count; i++)
        free(watch->folders[i].path);
    close(watch->fd);
    free(watch->folders);
    free(watch->changes);
    free(watch->buffer);
    free(watch);
}

/* ---- folders ----------------------------------------------------------------------------- */

static bool has_number(const struct folder *folders, size_t count, int wd)
{
    for (size_t i = 0; i < count; i++)
        if (folders[i].wd == wd)
            return true;
    return false;
}

/* Of those that are watched no more: another name of the folder may be. */
static void drop(struct watch *watch, struct folder *old, size_t old_count)
{
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].path)
            continue;
        if (old[i].wd >= 0 && !has_number(watch->folders, watch->count, old[i].wd))
            inotify_rm_watch(watch->fd, old[i].wd);
        free(old[i].path);
    }
    free(old);
}

/* Both lists are sorted. A folder of the same name may be another one by now, so each is asked for
 * again: the same folder has the same number. */
size_t watch_set_folders(struct watch *watch, const char *const *folders, size_t count, bool *more)
{
    struct folder *kept = mem_zeroed(count + 1, sizeof *kept), *old = watch->folders;
    size_t old_count = watch->count, at = 0, failed = 0;
    *more = false;
    for (size_t i = 0; i < count; i++) {
        while (at < old_count && strcmp(old[at].path, folders[i]) < 0)
            at++;
        bool have = at < old_count && strcmp(old[at].path, folders[i]) == 0;
        kept[i].wd = inotify_add_watch(watch->fd, folders[i], NOTICES | OF_FOLDER | IN_ONLYDIR);
        failed += kept[i].wd < 0;
        if (have && old[at].wd == kept[i].wd) {
            kept[i].path = old[at].path;
            old[at].path = NULL;
            at++;
        } else {
            kept[i].path = mem_text(folders[i]);
            *more = *more || kept[i].wd >= 0;
        }
    }
    watch->folders = kept;
    watch->count = count;
    drop(watch, old, old_count);
    return failed;
}

/* ---- notices ----------------------------------------------------------------------------- */

/* Takes `path`. A file that is written to again and again is told once. */
static void add_change(struct watch *watch, char *path, bool left)
{
    for (size_t i = watch->change_count; i > 0; i--) { /* the newest are the likeliest */
        if (strcmp(watch->changes[i - 1].path, path) != 0)
            continue;
        watch->changes[i - 1].left |= left;
        free(path);
        return;
    }
    if (watch->change_count == CHANGES_MAX) {
        watch_forget(watch);
        watch->lost = true;
        free(path);
        return;
    }
    watch->changes = mem_grown(watch->changes, &watch->change_room, watch->change_count + 1,
                               sizeof *watch->changes);
    watch->changes[watch->change_count++] = (struct watch_change){path, left};
}

static void take_notice(struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_IGNORED)
        return;
    if ((event->mask & (IN_Q_OVERFLOW | OF_FOLDER | IN_ISDIR)) || event->len == 0) {
        watch->lost = true;
        return;
    }
    for (size_t i = 0; i < watch->count && !watch->lost; i++) {
        const char *folder = watch->folders[i].path;
        size_t size = strlen(folder);
        if (watch->folders[i].wd != event->wd)
            continue;
        while (size > 1 && folder[size - 1] == '/')
            size--;
        add_change(watch,
                   mem_format("%.*s/%s", (int)(size == 1 && folder[0] == '/' ? 0 : size), folder,
                              event->name),
                   event->mask & IN_MOVED_FROM);
    }
}

void watch_look(struct watch *watch)
{
    ssize_t size;
    while ((size = read(watch->fd, watch->buffer, BUFFER_BYTES)) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(watch->buffer + at);
            take_notice(watch, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

static bool has_changed(const struct watch *watch)
{
    return watch->lost || watch->change_count > 0;
}

enum watch_wake watch_wait(struct watch *watch, uint64_t wait_ms)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t left_ms = watch->due_ms > now_ms ? watch->due_ms - now_ms : 0;
    struct pollfd ready = {.fd = watch->fd, .events = POLLIN};
    watch_look(watch);
    if (!has_changed(watch) && left_ms > 0) {
        (void)poll(&ready, 1, (int)(left_ms < wait_ms ? left_ms : wait_ms));
        watch_look(watch);
        now_ms = clock_monotonic_ms();
    }
    if (now_ms >= watch->due_ms) {
        watch->due_ms = now_ms + watch->scan_ms;
        return WATCH_SCAN;
    }
    return has_changed(watch) ? WATCH_CHANGED : WATCH_NOTHING;
}

struct watch_change watch_take_change(struct watch *watch)
{
    return watch->change_count ? watch->changes[--watch->change_count]
                               : (struct watch_change){NULL, false};
}

bool watch_take_lost(struct watch *watch)
{
    bool lost = watch->lost;
    watch->lost = false;
    return lost;
}
