/*
 * The stored port over the file store: one read transaction of its database is the snapshot. With
 * FILE_STORED_FILES a record is what lies in its tenant's file: rows say which there should be.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/file_store_look.h"
#include "common/io/file_store_parts.h"

#define BUSY_MS 5000
#define COLUMNS "entity, tenant, id, version, digest, deleted, json"

struct file_reader {
    struct stored_reader base;
    const struct mapping_set *mappings;
    sqlite3 *connection, *latest;
    sqlite3_stmt *progress, *next, *find;
    bool files;
    struct file_look at, found; /* the files that `next` and `find` are at */
};

static struct file_reader *of(struct stored_reader *base)
{
    return (struct file_reader *)base;
}

static enum outcome failed(struct file_reader *reader, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "the file store's database cannot be read");
    error_cause(err, "%s", sqlite3_errstr(sqlite3_errcode(reader->connection)));
    return outcome;
}

static enum outcome read_progress(struct stored_reader *base, const char *group, const char *topic,
                                  int32_t partition, int64_t *next_offset, struct error *err)
{
    struct file_reader *reader = of(base);
    sqlite3_reset(reader->progress);
    file_db_bind(reader->progress, 1, bytes_text(group));
    file_db_bind(reader->progress, 2, bytes_text(topic));
    sqlite3_bind_int(reader->progress, 3, partition);
    int code = sqlite3_step(reader->progress);
    *next_offset = code == SQLITE_ROW ? sqlite3_column_int64(reader->progress, 0) : -1;
    sqlite3_reset(reader->progress);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

/* Views into the statement's row. */
static enum outcome take_row(sqlite3_stmt *row, const struct mapping *mapping,
                             struct stored *stored, struct error *err)
{
    struct bytes digest = file_db_column(row, 4);
    *stored = (struct stored){
        .mapping = mapping,
        .tenant = file_db_column(row, 1),
        .id = file_db_column(row, 2),
        .version = sqlite3_column_int64(row, 3),
        .deleted = sqlite3_column_int(row, 5) != 0,
    };
    if (digest.size == sizeof stored->digest.bytes)
        memcpy(stored->digest.bytes, digest.data, digest.size);
    if (!stored->deleted)
        stored->json = file_db_column(row, 6);
    if (digest.size == sizeof stored->digest.bytes && (stored->deleted || stored->json.size))
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_STORE_FILE, "the stored record is damaged");
}

/* What lies in the file, of a row; *there false when that is nothing. */
static enum outcome take_file(struct file_look *look, struct stored *stored, bool *there,
                              struct error *err)
{
    *there = true;
    struct bytes entity = bytes_text(stored->mapping->entity);
    if (stored->deleted)
        return OUT_OK;
    if (!file_look_has(look, entity, stored->tenant) &&
        file_look_take(look, stored->mapping, entity, stored->tenant, err) != OUT_OK)
        return OUT_FATAL;
    if (look->state == FILE_UNREADABLE) {
        error_set(err, OUT_REJECT, ERR_STORE_FILE, "the record's file cannot be read");
        error_cause(err, "%s", look->reason);
        return OUT_REJECT;
    }
    *there = file_look_record(look, stored->id, &stored->json);
    return OUT_OK;
}

static enum outcome read_next(struct stored_reader *base, struct stored *stored, struct error *err)
{
    struct file_reader *reader = of(base);
    int code;
    while ((code = sqlite3_step(reader->next)) == SQLITE_ROW) {
        const struct mapping *mapping =
            mapping_set_find(reader->mappings, file_db_column(reader->next, 0));
        if (!mapping)
            continue;
        bool there = true;
        enum outcome outcome = take_row(reader->next, mapping, stored, err);
        if (outcome == OUT_OK && reader->files)
            outcome = take_file(&reader->at, stored, &there, err);
        if (there)
            return outcome;
    }
    *stored = (struct stored){0};
    return code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

static enum outcome find(struct stored_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored *stored, bool *found,
                         struct error *err)
{
    struct file_reader *reader = of(base);
    sqlite3_reset(reader->find);
    file_db_bind(reader->find, 1, bytes_text(mapping->entity));
    file_db_bind(reader->find, 2, tenant);
    file_db_bind(reader->find, 3, id);
    int code = sqlite3_step(reader->find);
    *found = code == SQLITE_ROW;
    if (*found) {
        enum outcome outcome = take_row(reader->find, mapping, stored, err);
        if (outcome == OUT_OK && reader->files)
            outcome = take_file(&reader->found, stored, found, err);
        return outcome;
    }
    return code == SQLITE_DONE ? OUT_OK : failed(reader, err);
}

static void close_reader(struct stored_reader *base)
{
    struct file_reader *reader = of(base);
    if (reader->files) {
        file_look_free(&reader->at);
        file_look_free(&reader->found);
    }
    sqlite3_finalize(reader->progress);
    sqlite3_finalize(reader->next);
    sqlite3_finalize(reader->find);
    sqlite3_close(reader->connection);
    sqlite3_close(reader->latest);
    free(reader);
}

static bool prepare(struct file_reader *reader, const char *sql, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v2(reader->connection, sql, -1, statement, NULL) == SQLITE_OK;
}

/* The first read takes the snapshot. */
static bool begin(struct file_reader *reader)
{
    return sqlite3_exec(reader->connection, "BEGIN; SELECT count(*) FROM progress", NULL, NULL,
                        NULL) == SQLITE_OK &&
           prepare(reader,
                   "SELECT next_offset FROM progress "
                   "WHERE \"group\" = ?1 AND topic = ?2 AND partition = ?3",
                   &reader->progress) &&
           prepare(reader, "SELECT " COLUMNS " FROM record ORDER BY entity, tenant, id",
                   &reader->next) &&
           prepare(reader,
                   "SELECT " COLUMNS " FROM record WHERE entity = ?1 AND tenant = ?2 AND id = ?3",
                   &reader->find);
}

static bool open_database(const char *path, sqlite3 **connection)
{
    if (sqlite3_open_v2(path, connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_busy_timeout(*connection, BUSY_MS);
    return true;
}

/* Database and folder, for readers that write nothing; `latest` may be NULL. */
static enum outcome open_store(const struct settings *settings, sqlite3 **connection,
                               sqlite3 **latest, struct error *err)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/.drover/state.db", settings->store_dir);
    if (size < 0 || (size_t)size >= sizeof path || access(path, R_OK) != 0) {
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "there is no file store");
        error_where(err, "%s", settings->store_dir);
        error_hint(err, "drover work with storage: file makes it; see store.dir");
        return OUT_FATAL;
    }
    if (open_database(path, connection) && (!latest || open_database(path, latest)))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STORE_FILE, "the file store's database cannot be opened");
    error_where(err, "%s", path);
    error_cause(err, "%s", sqlite3_errstr(sqlite3_errcode(*connection)));
    return OUT_FATAL;
}

static enum outcome open_look(const struct settings *settings, sqlite3 *connection, sqlite3 *latest,
                              const struct mapping_set *mappings, struct file_look *look,
                              struct error *err)
{
    int folder = open(settings->store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        return file_look_init(look, connection, latest, folder, mappings, err);
    *look = (struct file_look){.folder = -1};
    error_set(err, OUT_FATAL, ERR_STORE_FILE, "the store's folder cannot be opened");
    error_where(err, "%s", settings->store_dir);
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

enum outcome file_stored_open(const struct settings *settings, const struct mapping_set *mappings,
                              enum file_stored_what what, struct stored_reader **out,
                              struct error *err)
{
    static const struct stored_ops OPS = {read_progress, read_next, find, close_reader};
    struct file_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        abort();
    reader->base.ops = &OPS;
    reader->mappings = mappings;
    bool files = what == FILE_STORED_FILES;
    enum outcome outcome =
        open_store(settings, &reader->connection, files ? &reader->latest : NULL, err);
    if (outcome == OUT_OK && !begin(reader))
        outcome = failed(reader, err);
    reader->files = files && outcome == OUT_OK;
    if (reader->files)
        outcome =
            open_look(settings, reader->connection, reader->latest, mappings, &reader->at, err);
    if (reader->files && outcome == OUT_OK)
        outcome =
            open_look(settings, reader->connection, reader->latest, mappings, &reader->found, err);
    *out = outcome == OUT_OK ? &reader->base : NULL;
    if (outcome != OUT_OK)
        close_reader(&reader->base);
    return outcome;
}

uint64_t file_stored_unwritten(struct stored_reader *base)
{
    sqlite3_stmt *statement = NULL;
    uint64_t count = 0;
    if (prepare(of(base), "SELECT count(*) FROM file WHERE dirty = 1", &statement) &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

/* ---- the folder -------------------------------------------------------------------------- */

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
    enum outcome outcome = open_store(settings, &walk.connection, &latest, err);
    if (outcome == OUT_OK) {
        wait_for_writer(&walk);
        bool begun = sqlite3_exec(walk.connection, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
                     sqlite3_prepare_v2(walk.connection,
                                        "SELECT entity, tenant FROM file ORDER BY entity, tenant",
                                        -1, &walk.files, NULL) == SQLITE_OK;
        outcome = begun ? open_look(settings, walk.connection, latest, mappings, &walk.look, err)
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
