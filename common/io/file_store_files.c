/*
 * Tenants' files, made from the database. A reader sees the old file or the new one, whole: written
 * under another name, synced, renamed, and the folder synced. No name here is a way out of the
 * store's folder: every part is opened relative to its parent and never through a link.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/io/file_store_parts.h"

#define NAME_MOST 80 /* an entity has at most 63 bytes */
#define DIGEST_TEXT 33

/* The file at hand. */
struct target {
    struct bytes entity, tenant;
    const struct mapping *mapping; /* NULL: of a mapping that is no longer there */
    bool ours;
    char folder[FILE_FOLDER_SIZE];
    char name[NAME_MOST], temporary[NAME_MOST];
    int at; /* descriptor of its folder */
};

void file_store_folder(struct bytes tenant, char out[FILE_FOLDER_SIZE])
{
    /* '=' is not in a tenant key's alphabet, so no other tenant has that name */
    const char *mark = tenant.size && tenant.data[0] == '.' ? "=" : "";
    if (tenant.size + strlen(mark) < FILE_FOLDER_SIZE - 1) {
        snprintf(out, FILE_FOLDER_SIZE, "%s%.*s", mark, BYTES_ARGS(tenant));
        return;
    }
    char hex[DIGEST_TEXT];
    struct digest digest = digest_of(tenant);
    digest_format(&digest, hex);
    snprintf(out, FILE_FOLDER_SIZE, "=~%s", hex);
}

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

static enum outcome failed(const struct error *err)
{
    return err ? err->outcome : OUT_FATAL;
}

/* A full disk passes; a link or a file where a folder should be does not. */
static enum outcome system_error(const struct target *target, const char *what, struct error *err)
{
    int number = errno;
    bool passes = number == ENOSPC || number == EDQUOT || number == EIO || number == EMFILE ||
                  number == ENFILE || number == ENOMEM;
    enum outcome outcome =
        error_set(err, passes ? OUT_RETRY : OUT_FATAL, ERR_STORE_FILE, "%s", what);
    error_where(err, "%s/%s", target->folder, target->name);
    error_cause(err, "%s", strerrordesc_np(number));
    return outcome;
}

/* ---- content ----------------------------------------------------------------------------- */

/* Records under their own key: only when the key is all there is to the id. */
static bool is_keyed(const struct mapping *mapping)
{
    return mapping && mapping->key_count == 1 &&
           mapping->columns[mapping->key[0]].source == FROM_KEY;
}

static void print_key(FILE *file, struct bytes id, struct buf *decoded, struct buf *key)
{
    buf_reset(decoded);
    buf_reset(key);
    if (!text_percent_decode(decoded, id))
        buf_append_bytes(decoded, id);
    buf_append_json(key, buf_view(decoded));
    fwrite(key->data, 1, key->size, file);
    fputc(':', file);
}

static enum outcome print_records(struct file_store *store, const struct target *target, FILE *file,
                                  struct error *err)
{
    bool keyed = is_keyed(target->mapping), row = false;
    struct buf decoded, key;
    enum outcome outcome = OUT_OK;
    size_t count = 0;
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_LIST, err);
    if (!statement)
        return failed(err);
    buf_init(&decoded, 4096);
    buf_init(&key, 32768);
    file_db_bind(statement, 1, target->entity);
    file_db_bind(statement, 2, target->tenant);
    fputc(keyed ? '{' : '[', file);
    while ((outcome = file_db_step(&store->db, statement, &row, err)) == OUT_OK && row) {
        fputs(count++ ? ",\n" : "\n", file);
        if (keyed)
            print_key(file, file_db_column(statement, 0), &decoded, &key);
        struct bytes json = file_db_column(statement, 1);
        fwrite(json.data, 1, json.size, file);
        if (ferror(file))
            break;
    }
    sqlite3_reset(statement);
    fputs(count ? "\n" : "", file);
    fputs(keyed ? "}\n" : "]\n", file);
    buf_free(&decoded);
    buf_free(&key);
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

/* Before the first writing: a file somebody else put there is not replaced. What is ours is noted
 * before it is there, so a crash in between makes nobody a stranger. */
static enum outcome take_possession(struct file_store *store, const struct target *target,
                                    struct error *err)
{
    bool row;
    if (target->ours)
        return OUT_OK;
    if (faccessat(target->at, target->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "a file that is not the store's is in its place");
        error_where(err, "%s/%s", target->folder, target->name);
        error_hint(err, "give the store a folder of its own (store.dir), or move the file away");
        return OUT_FATAL;
    }
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_OWN_FILE, err);
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, target->entity);
    file_db_bind(statement, 2, target->tenant);
    return file_db_step(&store->db, statement, &row, err);
}

static enum outcome replace(struct file_store *store, const struct target *target,
                            struct error *err)
{
    int fd = openat(target->at, target->temporary,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return system_error(target, "the tenant's file cannot be written", err);
    enum outcome outcome = print_records(store, target, file, err);
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fd) == 0;
    int number = errno;
    fclose(file);
    errno = number;
    if (outcome == OUT_OK &&
        (!written || renameat(target->at, target->temporary, target->at, target->name) ||
         fsync(target->at) != 0))
        outcome = system_error(target, "the tenant's file cannot be written", err);
    if (outcome != OUT_OK)
        unlinkat(target->at, target->temporary, 0);
    return outcome;
}

/* Lost when the machine stops now: then the file is written once more, which changes nothing. So
 * this commit need not wait for the disk. */
static enum outcome mark_clean(struct file_store *store, const struct target *target,
                               struct error *err)
{
    bool row;
    enum outcome outcome = file_db_pragma(&store->db, "PRAGMA synchronous = NORMAL", err);
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_MARK_CLEAN, err);
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, target->entity);
    file_db_bind(statement, 2, target->tenant);
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

static enum outcome write_target(struct file_store *store, struct target *target, struct error *err)
{
    struct bytes entity = target->entity;
    target->mapping = mapping_set_find(store->mappings, entity);
    target->at = -1;
    file_store_folder(target->tenant, target->folder);
    snprintf(target->name, sizeof target->name, "%.*s.json", BYTES_ARGS(entity));
    snprintf(target->temporary, sizeof target->temporary, "%.*s.json.new", BYTES_ARGS(entity));
    enum outcome outcome = open_folder(store, target, err);
    if (outcome == OUT_OK)
        outcome = take_possession(store, target, err);
    if (outcome == OUT_OK)
        outcome = replace(store, target, err);
    if (outcome == OUT_OK)
        outcome = mark_clean(store, target, err);
    if (target->at >= 0)
        close(target->at);
    return outcome;
}

enum outcome file_store_write_file(struct file_store *store, struct file_cursor *after, bool *any,
                                   struct error *err)
{
    struct target target = {0};
    sqlite3_stmt *statement = file_db_statement(&store->db, STATEMENT_NEXT_DIRTY, err);
    *any = false;
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, buf_view(&after->entity));
    file_db_bind(statement, 2, buf_view(&after->tenant));
    enum outcome outcome = file_db_step(&store->db, statement, any, err);
    if (outcome != OUT_OK || !*any)
        return outcome;
    buf_reset(&after->entity);
    buf_reset(&after->tenant);
    buf_append_bytes(&after->entity, file_db_column(statement, 0));
    buf_append_bytes(&after->tenant, file_db_column(statement, 1));
    target.ours = sqlite3_column_int(statement, 2);
    sqlite3_reset(statement);
    target.entity = buf_view(&after->entity);
    target.tenant = buf_view(&after->tenant);
    return write_target(store, &target, err);
}
