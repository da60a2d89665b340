/*
 * Tenants' files, made from the database. A reader sees the old file or the new one, whole: written
 * under another name, synced, renamed, and the folder synced. No name here is a way out of the
 * store's folder: every part is opened relative to its parent and never through a link.
 *
 * Which files are to be written is the batch's to say, in its own transaction (file.dirty). What
 * lies in a file's place must be what was written there last, else somebody edited it, and it is
 * left alone. So the digest of what is to come is noted, for good, before it comes: whatever stops
 * us in between, what then lies there is one of the two that are noted, and ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/filestore/file_store_internal.h"

#define KEPT_NAMES 100 /* copies of one file kept in one second */
#define READ_BYTES (256u << 10)

/* ---- places ------------------------------------------------------------------------------ */

void file_place_folder(struct bytes tenant, char out[FILE_FOLDER_SIZE])
{
    /* '=' is not in a tenant key's alphabet, so no other tenant has that name */
    const char *mark = tenant.size && tenant.data[0] == '.' ? "=" : "";
    if (tenant.size + strlen(mark) < FILE_FOLDER_SIZE - 1) {
        snprintf(out, FILE_FOLDER_SIZE, "%s%.*s", mark, BYTES_ARGS(tenant));
        return;
    }
    char hex[33];
    struct digest digest = digest_of(tenant);
    digest_format(&digest, hex);
    snprintf(out, FILE_FOLDER_SIZE, "=~%s", hex);
}

void file_place_init(struct file_place *place, const struct mapping_set *mappings,
                     struct bytes entity, struct bytes tenant)
{
    *place = (struct file_place){
        .entity = entity, .tenant = tenant, .mapping = mapping_set_find(mappings, entity)};
    file_place_folder(tenant, place->folder);
    snprintf(place->name, sizeof place->name, "%.*s.json", BYTES_ARGS(entity));
}

bool file_place_is_keyed(const struct file_place *place)
{
    const struct mapping *mapping = place->mapping;
    return mapping && mapping->key_count == 1 &&
           mapping->columns[mapping->key[0]].source == FROM_KEY;
}

enum outcome file_place_note(struct sqlite_db *db, const struct file_place *place,
                             struct file_note *note, struct error *err)
{
    static const char SQL[] = "SELECT dirty, ours, digest, next_digest FROM file WHERE " FILE_KEY;
    sqlite3_stmt *row;
    *note = (struct file_note){0};
    enum outcome outcome = sqlite_get(db, SQL, VALUES(FILE_OF(place)), &row, err);
    if (!row)
        return outcome;
    *note = (struct file_note){sqlite3_column_int(row, 0), sqlite3_column_int(row, 1),
                               sqlite_digest(row, 2), sqlite_digest(row, 3)};
    sqlite3_reset(row);
    return OUT_OK;
}

bool file_note_has(const struct file_note *note, const struct digest *digest)
{
    return digest_equal(&note->digest, digest) || digest_equal(&note->next, digest);
}

int file_place_open(int folder, const char *name)
{
    struct stat status;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        errno = ELOOP;
        return -1;
    }
    return fd;
}

bool file_place_read(int fd, struct digest *digest, struct buf *content)
{
    struct digest_parts *parts = digest_begin();
    char *part = mem_alloc(READ_BYTES);
    off_t at = 0;
    ssize_t got;
    while ((got = pread(fd, part, READ_BYTES, at)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        digest_add_part(parts, bytes_of(part, (size_t)got));
        if (content)
            buf_append(content, part, (size_t)got);
        at += got;
    }
    int number = errno;
    *digest = digest_finish(parts);
    free(part);
    errno = number;
    return got == 0;
}

/* ---- text -------------------------------------------------------------------------------- */

struct printer {
    FILE *file;
    struct digest_parts *parts;
    struct buf name, key; /* of a record in an object */
};

static void print(struct printer *printer, struct bytes part)
{
    if (printer->file)
        fwrite(part.data, 1, part.size, printer->file);
    digest_add_part(printer->parts, part);
}

static void print_key(struct printer *printer, struct bytes id)
{
    buf_reset(&printer->name);
    buf_reset(&printer->key);
    if (!text_percent_decode(&printer->name, id))
        buf_append_bytes(&printer->name, id);
    buf_append_json(&printer->key, buf_view(&printer->name));
    buf_append_char(&printer->key, ':');
    print(printer, buf_view(&printer->key));
}

enum outcome file_place_render(struct sqlite_db *db, const struct file_place *place, FILE *file,
                               struct digest *digest, struct error *err)
{
    bool keyed = file_place_is_keyed(place);
    struct printer printer = {.file = file, .parts = digest_begin()};
    struct bytes before = BYTES_LITERAL("\n");
    sqlite3_stmt *row;
    buf_init(&printer.name, 4096);
    buf_init(&printer.key, 32768);
    enum outcome outcome = file_db_records(db, place->entity, place->tenant, &row, err);
    print(&printer, keyed ? BYTES_LITERAL("{") : BYTES_LITERAL("["));
    while (outcome == OUT_OK && row) {
        print(&printer, before);
        before = BYTES_LITERAL(",\n");
        if (keyed)
            print_key(&printer, sqlite_bytes(row, 0));
        print(&printer, sqlite_bytes(row, 1));
        if (file && ferror(file))
            break;
        outcome = sqlite_next(db, &row, err);
    }
    sqlite3_reset(row);
    if (before.size > 1)
        print(&printer, BYTES_LITERAL("\n"));
    print(&printer, keyed ? BYTES_LITERAL("}\n") : BYTES_LITERAL("]\n"));
    *digest = digest_finish(printer.parts);
    buf_free(&printer.name);
    buf_free(&printer.key);
    return outcome;
}

/* ---- one file ---------------------------------------------------------------------------- */

struct target {
    struct file_store *store;
    struct file_place place;
    struct file_note note;
    bool is_next; /* what lies there is `next`: named, and stopped before that was noted */
    int at;       /* descriptor of its folder */
    char temporary[FILE_NAME_SIZE + 8];
};

static void say_where(const struct target *target, struct error *err)
{
    error_where(err, "%s/%s/%s", target->store->settings->store_dir, target->place.folder,
                target->place.name);
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

static enum outcome somebody_elses(const struct target *target, const char *what, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_STORE_EDITED, "%s", what);
    say_where(target, err);
    return OUT_REJECT;
}

static enum outcome open_folder(struct target *target, struct error *err)
{
    int store = target->store->folder;
    bool made = mkdirat(store, target->place.folder, 0700) == 0;
    if ((!made && errno != EEXIST) || (made && fsync(store) != 0))
        return system_error(target, "the tenant's folder cannot be made", err);
    target->at =
        openat(store, target->place.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target->at < 0)
        return system_error(target, "the tenant's folder cannot be used", err);
    return OUT_OK;
}

/* Whether what lies there may be replaced: nothing, or what we wrote. */
static enum outcome check_place(struct target *target, struct error *err)
{
    static const struct digest NONE;
    struct digest digest;
    const struct file_note *note = &target->note;
    int fd = file_place_open(target->at, target->place.name);
    if (fd < 0 && errno == ENOENT)
        return OUT_OK;
    if (fd < 0 && errno == ELOOP)
        return somebody_elses(target, "something that is no file lies in its place", err);
    bool read = fd >= 0 && file_place_read(fd, &digest, NULL);
    int number = errno;
    if (fd >= 0)
        close(fd);
    errno = number;
    if (!read)
        return system_error(target, "what lies in the file's place cannot be read", err);
    if (!note->ours)
        return somebody_elses(target, "a file that is not the store's lies in its place", err);
    bool of_version_1 = digest_equal(&note->digest, &NONE) && digest_equal(&note->next, &NONE);
    target->is_next = digest_equal(&note->next, &digest);
    if (of_version_1 || file_note_has(note, &digest))
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
        snprintf(kept, sizeof kept, i ? "%s.kept-%s.%d" : "%s.kept-%s", target->place.name, stamp,
                 i);
        if (faccessat(target->at, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (renameat(target->at, target->place.name, target->at, kept) == 0 &&
            fsync(target->at) == 0)
            return OUT_OK;
        break;
    }
    return system_error(target, "what lies in the file's place cannot be kept beside it", err);
}

static enum outcome write_beside(struct target *target, struct digest *digest, struct error *err)
{
    unlinkat(target->at, target->temporary, 0); /* of a writing that was stopped */
    int fd = openat(target->at, target->temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return system_error(target, "the tenant's file cannot be written", err);
    enum outcome outcome = file_place_render(&target->store->db, &target->place, file, digest, err);
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fd) == 0;
    int number = errno;
    fclose(file);
    errno = number;
    if (outcome == OUT_OK && !written)
        outcome = system_error(target, "the tenant's file cannot be written", err);
    return outcome;
}

/* On the disk before the file has its name: so what lies there is always one that is noted. What
 * lies there may be the `next` of a writing that was stopped: it stays noted, as the last one. */
static enum outcome note_next(const struct target *target, const struct digest *digest,
                              struct error *err)
{
    static const char SQL[] = "UPDATE file SET ours = 1, next_digest = ?3, digest = CASE WHEN "
                              "?4 THEN next_digest ELSE digest END WHERE " FILE_KEY;
    const struct file_place *place = &target->place;
    return sqlite_run(&target->store->db, SQL,
                      VALUES(FILE_OF(place), DIGEST(digest), NUMBER(target->is_next)), err);
}

/* Lost when the machine stops now: then the file is written once more, which changes nothing. So
 * this commit need not wait for the disk. */
static enum outcome mark_clean(const struct target *target, struct error *err)
{
    static const char SQL[] = "UPDATE file SET dirty = 0, digest = next_digest, "
                              "next_digest = NULL, problem = NULL WHERE " FILE_KEY;
    struct error again;
    struct sqlite_db *db = &target->store->db;
    const struct file_place *place = &target->place;
    enum outcome outcome = sqlite_exec(db, "PRAGMA synchronous = NORMAL", err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL, VALUES(FILE_OF(place)), err);
    if (sqlite_exec(db, "PRAGMA synchronous = FULL", &again) != OUT_OK && outcome == OUT_OK) {
        *err = again;
        outcome = again.outcome;
    }
    return outcome;
}

static enum outcome replace(struct target *target, struct error *err)
{
    struct digest digest;
    enum outcome outcome = write_beside(target, &digest, err);
    if (outcome == OUT_OK)
        outcome = note_next(target, &digest, err);
    if (outcome == OUT_OK &&
        (renameat(target->at, target->temporary, target->at, target->place.name) != 0 ||
         fsync(target->at) != 0))
        outcome = system_error(target, "the tenant's file cannot be written", err);
    if (outcome == OUT_OK)
        return mark_clean(target, err);
    unlinkat(target->at, target->temporary, 0);
    return outcome;
}

/* What is wrong with it stays noted, so that it is told once. */
static enum outcome note_problem(const struct target *target, const struct error *why, bool *fresh,
                                 struct error *err)
{
    static const char SQL[] =
        "UPDATE file SET problem = ?3 WHERE " FILE_KEY " AND problem IS NOT ?3 RETURNING 1";
    char text[sizeof why->text + sizeof why->cause + 8];
    snprintf(text, sizeof text, "%s %s", why->text, why->cause);
    sqlite3_stmt *row;
    struct sqlite_db *db = &target->store->db;
    enum outcome outcome =
        sqlite_get(db, SQL, VALUES(FILE_OF(&target->place), NAME(text)), &row, err);
    *fresh = row != NULL;
    return row ? sqlite_end(db, row, err) : outcome;
}

static enum outcome write_target(struct target *target, bool replace_edited, bool *kept,
                                 struct error *err)
{
    enum outcome outcome = open_folder(target, err);
    if (outcome == OUT_OK)
        outcome = check_place(target, err);
    if (outcome == OUT_REJECT && err->code == ERR_STORE_EDITED && replace_edited) {
        outcome = keep_beside(target, err);
        *kept = outcome == OUT_OK;
        if (*kept)
            *err = (struct error){0}; /* it is no reason any more */
    }
    if (outcome == OUT_OK)
        outcome = replace(target, err);
    if (target->at >= 0)
        close(target->at);
    return outcome;
}

enum outcome file_export(struct file_store *store, struct bytes entity, struct bytes tenant,
                         bool replace_edited, struct file_written *written, struct error *err)
{
    struct error again;
    struct target target = {.store = store, .at = -1};
    *written = (struct file_written){0};
    file_place_init(&target.place, store->mappings, entity, tenant);
    snprintf(target.temporary, sizeof target.temporary, "%s.new", target.place.name);
    enum outcome outcome = file_place_note(&store->db, &target.place, &target.note, err);
    if (outcome == OUT_OK)
        outcome = write_target(&target, replace_edited, &written->kept, err);
    if (outcome == OUT_REJECT && note_problem(&target, err, &written->fresh, &again) != OUT_OK) {
        *err = again;
        outcome = again.outcome;
    }
    return outcome;
}

enum outcome file_export_next(struct file_store *store, bool *any, struct file_written *written,
                              struct error *err)
{
    static const char SQL[] =
        "SELECT entity, tenant FROM file WHERE dirty = 1 AND (entity, tenant) > (?1, ?2) "
        "ORDER BY entity, tenant LIMIT 1";
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(
        &store->db, SQL, VALUES(TEXT(buf_view(&store->entity)), TEXT(buf_view(&store->tenant))),
        &row, err);
    *any = row != NULL;
    if (!row)
        return outcome;
    file_export_rewind(store);
    buf_append_bytes(&store->entity, sqlite_bytes(row, 0));
    buf_append_bytes(&store->tenant, sqlite_bytes(row, 1));
    sqlite3_reset(row);
    return file_export(store, buf_view(&store->entity), buf_view(&store->tenant), false, written,
                       err);
}

void file_export_rewind(struct file_store *store)
{
    buf_reset(&store->entity);
    buf_reset(&store->tenant);
}
