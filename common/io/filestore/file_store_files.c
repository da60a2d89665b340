/*
 * Tenants' files, made from the database. A reader sees the old file or the new one, whole: written
 * under another name, synced, renamed, and the folder synced. No name here is a way out of the
 * store's folder: every part is opened relative to its parent and never through a link.
 *
 * What lies in a file's place must be what was written there last, else somebody edited it, and it
 * is left alone. So the digest of what is to come is noted, for good, before it comes: whatever
 * stops us in between, what then lies there is one of the two that are noted, and ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/filestore/file_store_parts.h"
#include "common/io/filestore/file_store_text.h"

#define KEPT_NAMES 100 /* copies of one file kept in one second */

/* The file at hand. */
struct target {
    struct bytes entity, tenant;
    const char *dir;
    const struct mapping *mapping; /* NULL: of a mapping that is no longer there */
    bool ours, has_digest, has_next;
    bool is_next; /* what lies there is `next`: named, and stopped before that was noted */
    struct digest digest, next; /* of what was written last; of what was about to be written */
    struct buf problem;         /* told before */
    char folder[FILE_FOLDER_SIZE];
    char name[FILE_NAME_SIZE], temporary[FILE_NAME_SIZE + 8];
    int at; /* descriptor of its folder */
};

void file_cursor_init(struct file_cursor *cursor)
{
    buf_init(&cursor->entity, 1024);
    buf_init(&cursor->tenant, 1024);
}

void file_cursor_free(struct file_cursor *cursor)
{
    buf_free(&cursor->entity);
    buf_free(&cursor->tenant);
}

void file_cursor_reset(struct file_cursor *cursor)
{
    buf_reset(&cursor->entity);
    buf_reset(&cursor->tenant);
}

static enum outcome failed(const struct error *err)
{
    return err ? err->outcome : OUT_FATAL;
}

static void say_where(const struct target *target, struct error *err)
{
    error_where(err, "%s/%s/%s", target->dir, target->folder, target->name);
}

/* A full disk passes; a link or a file where a folder should be costs this file. */
static enum outcome system_error(const struct target *target, const char *what, struct error *err)
{
    int number = errno;
    bool passes = number == ENOSPC || number == EDQUOT || number == EIO || number == EMFILE ||
                  number == ENFILE || number == ENOMEM;
    enum outcome outcome =
        error_set(err, passes ? OUT_RETRY : OUT_REJECT, ERR_STORE_UNWRITTEN, "%s", what);
    say_where(target, err);
    error_cause(err, "%s", strerrordesc_np(number));
    return outcome;
}

/* ---- places ------------------------------------------------------------------------------ */

static enum outcome open_folder(struct file_store *store, struct target *target, struct error *err)
{
    bool made = mkdirat(store->folder, target->folder, 0700) == 0;
    if (!made && errno != EEXIST)
        return system_error(target, "the tenant's folder cannot be made", err);
    if (made && fsync(store->folder) != 0)
        return system_error(target, "the tenant's folder cannot be made", err);
    target->at =
        openat(store->folder, target->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target->at < 0)
        return system_error(target, "the tenant's folder cannot be used", err);
    return OUT_OK;
}

static enum outcome somebody_elses(const struct target *target, const char *what, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_STORE_EDITED, "%s", what);
    say_where(target, err);
    return OUT_REJECT;
}

/* Whether what lies there may be replaced: nothing, or what we wrote. */
static enum outcome look_at_place(struct target *target, struct error *err)
{
    struct stat status;
    struct digest digest;
    uint64_t size;
    int fd = openat(target->at, target->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return OUT_OK;
    if (fd < 0 && errno != ELOOP)
        return system_error(target, "what lies in the file's place cannot be read", err);
    bool regular = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    bool read = regular && file_text_read(fd, &digest, &size);
    int number = errno;
    if (fd >= 0)
        close(fd);
    errno = number;
    if (!regular)
        return somebody_elses(target, "something that is no file lies in its place", err);
    if (!read)
        return system_error(target, "what lies in the file's place cannot be read", err);
    if (!target->ours)
        return somebody_elses(target, "a file that is not the store's lies in its place", err);
    target->is_next = target->has_next && digest_equal(&digest, &target->next);
    if ((!target->has_digest && !target->has_next) || /* of a version that noted none */
        (target->has_digest && digest_equal(&digest, &target->digest)) || target->is_next)
        return OUT_OK;
    return somebody_elses(target, "the file was edited since it was written", err);
}

/* What lies there gets another name beside: thing.json.kept-20260131T235959Z. */
static enum outcome keep_beside(const struct target *target, struct error *err)
{
    char kept[FILE_NAME_SIZE + 64], stamp[32];
    time_t now = (time_t)(clock_unix_ms() / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    for (int i = 0; i < KEPT_NAMES; i++) {
        snprintf(kept, sizeof kept, i ? "%s.kept-%s.%d" : "%s.kept-%s", target->name, stamp, i);
        if (faccessat(target->at, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (renameat(target->at, target->name, target->at, kept) == 0 && fsync(target->at) == 0)
            return OUT_OK;
        break;
    }
    return system_error(target, "what lies in the file's place cannot be kept beside it", err);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void bind_target(const struct target *target, sqlite3_stmt *statement)
{
    file_db_bind(statement, 1, target->entity);
    file_db_bind(statement, 2, target->tenant);
}

static bool take_digest(sqlite3_stmt *statement, int at, struct digest *digest)
{
    struct bytes bytes = file_db_column(statement, at);
    if (bytes.size != sizeof digest->bytes)
        return false;
    memcpy(digest->bytes, bytes.data, bytes.size);
    return true;
}

static enum outcome see_file(struct file_store *store, struct target *target, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_SEE_FILE, err);
    if (!statement)
        return failed(err);
    bind_target(target, statement);
    if (file_db_step(&store->db, statement, &row, err) != OUT_OK)
        return failed(err);
    if (row) {
        target->ours = sqlite3_column_int(statement, 1);
        target->has_digest = take_digest(statement, 2, &target->digest);
        target->has_next = take_digest(statement, 3, &target->next);
        buf_append_bytes(&target->problem, file_db_column(statement, 4));
        sqlite3_reset(statement);
    }
    return OUT_OK;
}

static enum outcome print_records(struct file_store *store, const struct target *target,
                                  struct file_text *text, struct error *err)
{
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_LIST, err);
    if (!statement)
        return failed(err);
    bind_target(target, statement);
    int code = file_text_print(statement, target->mapping, text);
    enum outcome outcome = code == SQLITE_DONE ? OUT_OK : file_db_error(&store->db, err);
    sqlite3_reset(statement);
    return outcome;
}

static enum outcome write_beside(struct file_store *store, const struct target *target,
                                 struct file_text *text, struct error *err)
{
    unlinkat(target->at, target->temporary, 0); /* of a writing that was stopped */
    int fd = openat(target->at, target->temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    text->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!text->file)
        return system_error(target, "the tenant's file cannot be written", err);
    enum outcome outcome = print_records(store, target, text, err);
    bool written = fflush(text->file) == 0 && !ferror(text->file) && fsync(fd) == 0;
    int number = errno;
    fclose(text->file);
    errno = number;
    if (outcome == OUT_OK && !written)
        outcome = system_error(target, "the tenant's file cannot be written", err);
    return outcome;
}

/* On the disk before the file has its name: so what lies there is always one that is noted. What
 * lies there may be the `next` of a writing that was stopped: it stays noted, as the last one. */
static enum outcome note_next(struct file_store *store, const struct target *target,
                              const struct file_text *text, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_OWN_FILE, err);
    if (!statement)
        return failed(err);
    bind_target(target, statement);
    sqlite3_bind_blob(statement, 3, text->digest.bytes, sizeof text->digest.bytes, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, target->is_next);
    return file_db_step(&store->db, statement, &row, err);
}

/* Lost when the machine stops now: then the file is written once more, which changes nothing. So
 * this commit need not wait for the disk. */
static enum outcome mark_clean(struct file_store *store, const struct target *target,
                               const struct file_text *text, struct error *err)
{
    bool row;
    enum outcome outcome = file_db_pragma(&store->db, "PRAGMA synchronous = NORMAL", err);
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_MARK_CLEAN, err);
    if (!statement)
        return failed(err);
    bind_target(target, statement);
    sqlite3_bind_int64(statement, 3, (int64_t)text->size);
    if (outcome == OUT_OK)
        outcome = file_db_step(&store->db, statement, &row, err);
    struct error again;
    if (file_db_pragma(&store->db, "PRAGMA synchronous = FULL", &again) != OUT_OK &&
        outcome == OUT_OK) {
        *err = again;
        outcome = again.outcome;
    }
    return outcome;
}

static enum outcome replace(struct file_store *store, const struct target *target,
                            struct error *err)
{
    struct file_text text = {0};
    enum outcome outcome = write_beside(store, target, &text, err);
    if (outcome == OUT_OK)
        outcome = note_next(store, target, &text, err);
    if (outcome == OUT_OK &&
        (renameat(target->at, target->temporary, target->at, target->name) != 0 ||
         fsync(target->at) != 0))
        outcome = system_error(target, "the tenant's file cannot be written", err);
    if (outcome == OUT_OK)
        return mark_clean(store, target, &text, err);
    unlinkat(target->at, target->temporary, 0);
    return outcome;
}

/* ---- one file ---------------------------------------------------------------------------- */

/* What is wrong with it stays noted, so that it is told once. */
static enum outcome note_problem(struct file_store *store, const struct target *target,
                                 const struct error *why, bool *fresh, struct error *err)
{
    bool row;
    char text[sizeof why->text + sizeof why->cause + 8];
    snprintf(text, sizeof text, "%s %s", why->text, why->cause);
    *fresh = !bytes_equal(buf_view(&target->problem), bytes_text(text));
    if (!*fresh)
        return OUT_OK;
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_SET_PROBLEM, err);
    if (!statement)
        return failed(err);
    bind_target(target, statement);
    file_db_bind(statement, 3, bytes_text(text));
    return file_db_step(&store->db, statement, &row, err);
}

static enum outcome write_target(struct file_store *store, struct target *target,
                                 bool replace_edited, struct file_written *written,
                                 struct error *err)
{
    enum outcome outcome = open_folder(store, target, err);
    if (outcome == OUT_OK)
        outcome = look_at_place(target, err);
    if (outcome == OUT_REJECT && err->code == ERR_STORE_EDITED && replace_edited) {
        outcome = keep_beside(target, err);
        written->kept = outcome == OUT_OK;
        if (written->kept)
            *err = (struct error){0}; /* it is no reason any more */
    }
    if (outcome == OUT_OK)
        outcome = replace(store, target, err);
    if (target->at >= 0)
        close(target->at);
    return outcome;
}

enum outcome file_store_write_at(struct file_store *store, struct bytes entity, struct bytes tenant,
                                 bool replace_edited, struct file_written *written,
                                 struct error *err)
{
    struct target target = {.entity = entity, .tenant = tenant, .at = -1};
    *written = (struct file_written){0};
    buf_init(&target.problem, 1024);
    target.dir = store->settings->store_dir;
    target.mapping = mapping_set_find(store->mappings, entity);
    file_store_folder(tenant, target.folder);
    file_store_name(entity, target.name);
    snprintf(target.temporary, sizeof target.temporary, "%s.new", target.name);
    enum outcome outcome = see_file(store, &target, err);
    if (outcome == OUT_OK)
        outcome = write_target(store, &target, replace_edited, written, err);
    if (outcome == OUT_REJECT) {
        struct error again;
        if (note_problem(store, &target, err, &written->fresh, &again) != OUT_OK) {
            *err = again;
            outcome = again.outcome;
        }
    }
    buf_free(&target.problem);
    return outcome;
}

enum outcome file_store_next(struct file_store *store, bool all, struct file_cursor *after,
                             bool *any, struct error *err)
{
    sqlite3_stmt *statement =
        file_db_statement(&store->db, all ? STATEMENT_NEXT_FILE : STATEMENT_NEXT_DIRTY, err);
    *any = false;
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, buf_view(&after->entity));
    file_db_bind(statement, 2, buf_view(&after->tenant));
    enum outcome outcome = file_db_step(&store->db, statement, any, err);
    if (outcome != OUT_OK || !*any)
        return outcome;
    file_cursor_reset(after);
    buf_append_bytes(&after->entity, file_db_column(statement, 0));
    buf_append_bytes(&after->tenant, file_db_column(statement, 1));
    sqlite3_reset(statement);
    return OUT_OK;
}

enum outcome file_store_write_file(struct file_store *store, struct file_cursor *after, bool *any,
                                   struct file_written *written, struct error *err)
{
    enum outcome outcome = file_store_next(store, false, after, any, err);
    if (outcome != OUT_OK || !*any)
        return outcome;
    return file_store_write_at(store, buf_view(&after->entity), buf_view(&after->tenant), false,
                               written, err);
}
