/* The handles of folders are kept in a sorted array of pointers: each belongs to the loop until its
 * close callback ran. */
#include "common/io/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/base/mem.h"

struct folder {
    uv_fs_event_t handle;
    struct watch *watch;
    char *path;
    bool failed; /* not watched: tried again when the folders are set again */
};

struct watch {
    uv_loop_t loop;
    uv_timer_t scan;
    uv_timer_t patience;
    struct folder **folders;
    size_t count;
    bool changed, due, over;
};

static void on_change(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct folder *folder = handle->data;
    (void)name;
    (void)events;
    (void)status;
    folder->watch->changed = true;
}

static void on_scan(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    watch->due = true;
}

static void on_patience(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    watch->over = true;
}

static void on_closed(uv_handle_t *handle)
{
    struct folder *folder = handle->data;
    free(folder->path);
    free(folder);
}

enum outcome watch_open(uint64_t scan_ms, struct watch **watch, struct error *err)
{
    struct watch *made = mem_new(sizeof(*made));
    int failed = uv_loop_init(&made->loop);
    if (failed) {
        free(made);
        *watch = NULL;
        error_set(err, OUT_FATAL, ERR_INTERNAL, "no event loop");
        error_cause(err, "%s", uv_strerror(failed));
        return OUT_FATAL;
    }
    uv_timer_init(&made->loop, &made->scan);
    uv_timer_init(&made->loop, &made->patience);
    made->scan.data = made;
    made->patience.data = made;
    uv_timer_start(&made->scan, on_scan, scan_ms, scan_ms);
    *watch = made;
    return OUT_OK;
}

static void drop(struct folder *folder)
{
    uv_close((uv_handle_t *)&folder->handle, on_closed);
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->count; i++)
        drop(watch->folders[i]);
    uv_close((uv_handle_t *)&watch->scan, NULL);
    uv_close((uv_handle_t *)&watch->patience, NULL);
    uv_run(&watch->loop, UV_RUN_DEFAULT);
    int open = uv_loop_close(&watch->loop);
    assert(open == 0);
    (void)open;
    free(watch->folders);
    free(watch);
}

static struct folder *add(struct watch *watch, const char *path)
{
    struct folder *folder = mem_new(sizeof(*folder));
    folder->path = mem_text(path);
    folder->watch = watch;
    uv_fs_event_init(&watch->loop, &folder->handle);
    folder->handle.data = folder;
    folder->failed = uv_fs_event_start(&folder->handle, on_change, path, 0) != 0;
    return folder;
}

/* Both lists are sorted: those of one only are added or dropped. A failed one is tried again. */
size_t watch_set_folders(struct watch *watch, const char *const *folders, size_t count)
{
    struct folder **kept = mem_zeroed(count, sizeof(struct folder *));
    size_t old = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        while (old < watch->count && strcmp(watch->folders[old]->path, folders[i]) < 0)
            drop(watch->folders[old++]);
        bool have = old < watch->count && strcmp(watch->folders[old]->path, folders[i]) == 0;
        if (have && watch->folders[old]->failed) {
            drop(watch->folders[old++]);
            have = false;
        }
        kept[i] = have ? watch->folders[old++] : add(watch, folders[i]);
        failed += kept[i]->failed;
    }
    while (old < watch->count)
        drop(watch->folders[old++]);
    free(watch->folders);
    watch->folders = kept;
    watch->count = count;
    return failed;
}

enum watch_wake watch_wait(struct watch *watch, uint64_t wait_ms)
{
    watch->over = false;
    uv_update_time(&watch->loop);
    uv_timer_start(&watch->patience, on_patience, wait_ms, 0);
    while (!watch->changed && !watch->due && !watch->over)
        uv_run(&watch->loop, UV_RUN_ONCE);
    uv_timer_stop(&watch->patience);
    enum watch_wake wake = watch->due ? WATCH_SCAN : watch->changed ? WATCH_CHANGED : WATCH_NOTHING;
    if (wake == WATCH_SCAN)
        watch->due = false;
    if (wake != WATCH_NOTHING) /* a look answers all that came before it */
        watch->changed = false;
    return wake;
}
