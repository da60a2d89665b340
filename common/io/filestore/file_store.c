/* The store's folder, its lock, and one thing after the other in the pool. */
#include "common/io/filestore/file_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/filestore/file_store_internal.h"
#include "common/io/files.h"

#define LOCK_TRIES 20
#define LOCK_STEP_MS 5

static enum outcome system_error(struct error *err, const char *what, const char *path)
{
    int number = errno;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_STORE_FILE, "%s", what);
    error_where(err, "%s", path);
    error_cause(err, "%s", strerrordesc_np(number));
    return outcome;
}

/* ---- one thing after the other, in the pool ---------------------------------------------- */

static void start_first(struct file_store *store);

static void on_work(uv_work_t *request)
{
    struct file_store *store = request->data;
    store->first->work(store->first);
}

static void on_done(uv_work_t *request, int status)
{
    struct file_store *store = request->data;
    struct file_job *job = store->first;
    (void)status; /* never cancelled */
    store->first = job->next;
    if (!store->first)
        store->last = NULL;
    else
        start_first(store);
    job->done(job);
}

static void start_first(struct file_store *store)
{
    store->request.data = store;
    if (uv_queue_work(store->loop, &store->request, on_work, on_done) != 0)
        abort();
}

void file_store_post(struct file_store *store, struct file_job *job)
{
    job->next = NULL;
    if (store->last)
        store->last->next = job;
    else
        store->first = job;
    store->last = job;
    if (store->first == job)
        start_first(store);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* A reader that asks whether the store is in use has the lock for an instant. */
static int lock_patiently(int fd)
{
    int failed = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; failed && errno == EWOULDBLOCK && i < LOCK_TRIES; i++) {
        usleep(LOCK_STEP_MS * 1000);
        failed = flock(fd, LOCK_EX | LOCK_NB);
    }
    return failed;
}

static enum outcome take_lock(struct file_store *store, const char *dir, struct error *err)
{
    store->lock = openat(store->folder, FILE_STORE_OWN "/lock",
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock < 0)
        return system_error(err, "the file store's lock cannot be made", dir);
    if (lock_patiently(store->lock) == 0)
        return OUT_OK;
    if (errno != EWOULDBLOCK)
        return system_error(err, "the file store's lock cannot be taken", dir);
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_STORE_LOCKED, "another process uses the file store");
    error_where(err, "%s", dir);
    return outcome;
}

static enum outcome open_folder(struct file_store *store, const char *dir, struct error *err)
{
    struct error cause;
    if (files_make_folder(dir, &cause) != OUT_OK) {
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_STORE_FILE, "the store's folder cannot be made");
        error_where(err, "%s", dir);
        error_cause(err, "%s", cause.cause);
        return outcome;
    }
    store->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0)
        return system_error(err, "the store's folder cannot be opened", dir);
    if (mkdirat(store->folder, FILE_STORE_OWN, 0700) != 0 && errno != EEXIST)
        return system_error(err, "the store's folder cannot be written", dir);
    struct stat status;
    if (fstatat(store->folder, FILE_STORE_OWN, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode) || (status.st_mode & 077)) {
        errno = EACCES;
        return system_error(err, FILE_STORE_OWN " must be a folder of its owner's alone", dir);
    }
    return take_lock(store, dir, err);
}

/* A database that was moved or deleted takes commits all the same, and loses them. */
static bool find_database(const struct file_store *store, struct stat *status)
{
    return fstatat(store->folder, FILE_STORE_OWN "/state.db", status, AT_SYMLINK_NOFOLLOW) == 0;
}

enum outcome file_store_check_place(const struct file_store *store, struct error *err)
{
    struct stat status;
    if (find_database(store, &status) && status.st_dev == store->database_device &&
        status.st_ino == store->database_inode)
        return OUT_OK;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_STORE_FILE,
                                     "the store's database was moved or deleted while it was used");
    error_where(err, "%s/" FILE_STORE_OWN "/state.db", store->settings->store_dir);
    error_hint(err, "put it back, or begin with another store.dir and --group");
    return outcome;
}

/* DELETE_HARD: tombstones that have had their time. */
static enum outcome forget_deletes(struct file_store *store, struct error *err)
{
    static const char SQL[] = "DELETE FROM record WHERE entity = ?1 AND deleted = 1 "
                              "AND json IS NULL AND written_at < unixepoch() - ?2";
    enum outcome outcome = OUT_OK;
    int64_t life_s = (int64_t)(store->settings->tombstone_life_ms / 1000);
    for (size_t i = 0; i < store->mappings->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = store->mappings->items[i];
        if (mapping->on_delete == DELETE_HARD)
            outcome =
                sqlite_run(&store->db, SQL, VALUES(NAME(mapping->entity), NUMBER(life_s)), err);
    }
    return outcome;
}

enum outcome file_store_hold(const struct settings *settings, const struct mapping_set *mappings,
                             struct file_store **out, struct error *err)
{
    struct file_store *store = mem_new(sizeof *store);
    store->settings = settings;
    store->mappings = mappings;
    store->folder = store->lock = -1;
    store->dirty = true; /* a crash may have left some */
    mapping_work_init(&store->work);
    buf_init(&store->entity, 1024);
    buf_init(&store->tenant, 4096);
    *out = store;
    if (open_folder(store, settings->store_dir, err) == OUT_OK)
        return OUT_OK;
    file_store_close(store);
    *out = NULL;
    return OUT_FATAL;
}

enum outcome file_store_open(const struct settings *settings, const struct mapping_set *mappings,
                             struct file_store **out, struct error *err)
{
    struct file_store *store;
    enum outcome outcome = file_store_hold(settings, mappings, &store, err);
    if (outcome == OUT_OK)
        outcome = file_db_open(&store->db, settings->store_dir, err);
    struct stat status;
    if (outcome == OUT_OK && find_database(store, &status)) {
        store->database_device = status.st_dev;
        store->database_inode = status.st_ino;
    }
    if (outcome == OUT_OK)
        outcome = forget_deletes(store, err);
    *out = outcome == OUT_OK ? store : NULL;
    if (outcome == OUT_OK)
        return OUT_OK;
    file_store_close(store);
    return OUT_FATAL;
}

void file_store_close(struct file_store *store)
{
    if (!store)
        return;
    sqlite_close(&store->db);
    mapping_work_free(&store->work);
    buf_free(&store->entity);
    buf_free(&store->tenant);
    if (store->lock >= 0)
        close(store->lock); /* after the database: the lock is what guards it */
    if (store->folder >= 0)
        close(store->folder);
    free(store);
}
