#include "common/io/filestore/file_store_look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/filestore/file_store_parts.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"

#define CONTENT_MOST                                                                               \
    ((size_t)256 << 20) /* of a file that is taken apart: about four times that in memory */

#define RECORDS_MOST ((size_t)16 << 20)
#define READINGS_MOST 5 /* of a file that a worker goes on replacing */

static enum outcome failed(const struct file_look *look, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "the file store's database cannot be read");
    error_cause(err, "%s", sqlite3_errstr(sqlite3_errcode(look->connection)));
    return outcome;
}

static bool prepare(sqlite3 *connection, const char *sql, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v2(connection, sql, -1, statement, NULL) == SQLITE_OK;
}

enum outcome file_look_init(struct file_look *look, sqlite3 *connection, sqlite3 *latest,
                            int folder, const struct mapping_set *mappings, struct error *err)
{
    *look = (struct file_look){
        .connection = connection, .latest = latest, .folder = folder, .mappings = mappings};
    mapping_work_init(&look->work);
    buf_init(&look->entity, 1024);
    buf_init(&look->tenant, 4096);
    buf_init(&look->ids, CONTENT_MOST);
    buf_init(&look->texts, 2 * CONTENT_MOST);
    bool good = prepare(connection, FILE_STORE_SEE_FILE, &look->see) &&
                prepare(connection, FILE_STORE_LIST, &look->list) &&
                (!latest || prepare(latest, FILE_STORE_SEE_FILE, &look->see_latest));
    return good ? OUT_OK : failed(look, err);
}

static bool open_database(const char *path, sqlite3 **connection)
{
    if (sqlite3_open_v2(path, connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_busy_timeout(*connection, FILE_DB_BUSY_MS);
    return true;
}

enum outcome file_look_connect(const struct settings *settings, sqlite3 **connection,
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

enum outcome file_look_open(struct file_look *look, const struct settings *settings,
                            sqlite3 *connection, sqlite3 *latest,
                            const struct mapping_set *mappings, struct error *err)
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

static void forget(struct file_look *look)
{
    free(look->id_ends);
    free(look->text_ends);
    free(look->rows);
    free(look->elements);
    free(look->match.element_of);
    free(look->match.row_of);
    look->id_ends = look->text_ends = NULL;
    look->rows = look->elements = NULL;
    look->match = (struct file_match){0};
    look->changed = look->gone = look->more = 0;
    buf_reset(&look->ids);
    buf_reset(&look->texts);
    buf_reset(&look->entity);
    buf_reset(&look->tenant);
}

void file_look_free(struct file_look *look)
{
    forget(look);
    sqlite3_finalize(look->see);
    sqlite3_finalize(look->list);
    sqlite3_finalize(look->see_latest);
    mapping_work_free(&look->work);
    buf_free(&look->entity);
    buf_free(&look->tenant);
    buf_free(&look->ids);
    buf_free(&look->texts);
    if (look->folder >= 0)
        close(look->folder);
    look->folder = -1;
}

bool file_look_has(const struct file_look *look, struct bytes entity, struct bytes tenant)
{
    return look->entity.size && bytes_equal(buf_view(&look->entity), entity) &&
           bytes_equal(buf_view(&look->tenant), tenant);
}

static void bind_file(const struct file_look *look, sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    file_db_bind(statement, 1, buf_view(&look->entity));
    file_db_bind(statement, 2, buf_view(&look->tenant));
}

/* ---- what is noted ----------------------------------------------------------------------- */

struct noted {
    bool dirty, ours;
    struct digest digest, next; /* zeros: none */
};

static struct digest digest_at(sqlite3_stmt *row, int at)
{
    struct digest digest = {0};
    struct bytes bytes = file_db_column(row, at);
    if (bytes.size == sizeof digest.bytes)
        memcpy(digest.bytes, bytes.data, sizeof digest.bytes);
    return digest;
}

static enum outcome see(const struct file_look *look, sqlite3_stmt *statement, struct noted *noted,
                        struct error *err)
{
    bind_file(look, statement);
    *noted = (struct noted){0};
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        noted->dirty = sqlite3_column_int(statement, 0);
        noted->ours = sqlite3_column_int(statement, 1);
        noted->digest = digest_at(statement, 2);
        noted->next = digest_at(statement, 3);
    }
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OUT_OK : failed(look, err);
}

static bool is_noted(const struct noted *noted, const struct digest *digest)
{
    return digest_equal(&noted->digest, digest) || digest_equal(&noted->next, digest);
}

static bool same_note(const struct noted *left, const struct noted *right)
{
    return digest_equal(&left->digest, &right->digest) && digest_equal(&left->next, &right->next);
}

/* ---- a file taken apart ------------------------------------------------------------------ */

static void *grow(void *items, size_t count, size_t size)
{
    void *more = items;
    if ((count & (count - 1)) == 0) { /* twice as many at each power of two */
        more = realloc(items, (count ? 2 * count : 1) * size);
        if (!more)
            abort();
    }
    return more;
}

static bool add_element(struct file_look *look, yyjson_val *value)
{
    size_t count = look->match.element_count, begin = look->texts.size;
    canonical_append(&look->texts, value);
    if (look->texts.failed || count >= RECORDS_MOST)
        return false;
    look->elements = grow(look->elements, count, sizeof *look->elements);
    look->text_ends = grow(look->text_ends, count, sizeof *look->text_ends);
    look->elements[count] = digest_of(bytes_of(look->texts.data + begin, look->texts.size - begin));
    look->text_ends[count] = look->texts.size;
    look->match.element_count++;
    return true;
}

static bool take_document(struct file_look *look, yyjson_val *root)
{
    size_t at, most;
    yyjson_val *key, *value;
    bool good = true;
    if (yyjson_is_arr(root)) {
        yyjson_arr_foreach(root, at, most, value) good = good && add_element(look, value);
    } else if (file_text_is_keyed(look->mapping)) {
        yyjson_obj_foreach(root, at, most, key, value) good = good && add_element(look, value);
    } else {
        good = add_element(look, root);
    }
    return good;
}

/* A line is a record, as they are written; behind a key in an object. What is none is passed over.
 */
static bool take_line(struct file_look *look, struct bytes line)
{
    yyjson_doc *doc = NULL;
    while (line.size && strchr(" \t\r,", line.data[line.size - 1]))
        line.size--;
    if (file_text_is_keyed(look->mapping) && line.size && line.data[0] == '"') {
        size_t at = 1;
        while (at < line.size && line.data[at] != '"')
            at += line.data[at] == '\\' ? 2 : 1;
        while (at < line.size && line.data[at] != ':')
            at++;
        line =
            at < line.size ? bytes_of(line.data + at + 1, line.size - at - 1) : (struct bytes){0};
    }
    if (line.size < 2 || json_parse(line, JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
        return true;
    bool good = add_element(look, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return good;
}

/* False: too many records to be matched. */
static bool take_elements(struct file_look *look, struct bytes content)
{
    yyjson_doc *doc = NULL;
    bool good = true;
    if (json_parse(content, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK) {
        good = take_document(look, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        return good;
    }
    while (content.size && good) {
        const char *end = memchr(content.data, '\n', content.size);
        size_t size = end ? (size_t)(end - content.data) : content.size;
        good = take_line(look, bytes_of(content.data, size));
        size += end != NULL;
        content = bytes_of(content.data + size, content.size - size);
    }
    return good;
}

static enum outcome take_rows(struct file_look *look, bool *all, struct error *err)
{
    int code;
    *all = true;
    bind_file(look, look->list);
    while ((code = sqlite3_step(look->list)) == SQLITE_ROW && *all) {
        size_t count = look->match.row_count;
        buf_append_bytes(&look->ids, file_db_column(look->list, 0));
        *all = !look->ids.failed && count < RECORDS_MOST;
        look->rows = grow(look->rows, count, sizeof *look->rows);
        look->id_ends = grow(look->id_ends, count, sizeof *look->id_ends);
        look->rows[count] = digest_of(file_db_column(look->list, 1));
        look->id_ends[count] = look->ids.size;
        look->match.row_count += *all;
    }
    sqlite3_reset(look->list);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OUT_OK : failed(look, err);
}

static struct bytes part_of(const struct buf *all, const size_t *ends, size_t at)
{
    size_t begin = at ? ends[at - 1] : 0;
    return bytes_of(all->data + begin, ends[at] - begin);
}

/* Rows are in the order of their ids, byte by byte. FILE_MATCH_OTHER when there is none. */
static uint32_t find_row(const struct file_look *look, struct bytes id)
{
    size_t low = 0, high = look->match.row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bytes_compare(part_of(&look->ids, look->id_ends, middle), id);
        if (order == 0)
            return (uint32_t)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return FILE_MATCH_OTHER;
}

/* True when a record names its id itself: no part of it comes from where the record was read. */
static bool names_its_id(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->key_count; i++)
        if (mapping->columns[mapping->key[i]].source != FROM_POINTERS)
            return false;
    return true;
}

static uint32_t hint_of(struct file_look *look, size_t element, struct buf *id)
{
    int64_t version;
    bool has_version;
    struct record record = {.tenant = buf_view(&look->tenant),
                            .entity = buf_view(&look->entity),
                            .payload = part_of(&look->texts, look->text_ends, element),
                            .index = -1,
                            .sequence = -1};
    buf_reset(id);
    if (mapping_identify(look->mapping, &record, &look->work, NULL, id, &version, &has_version,
                         NULL) != OUT_OK)
        return FILE_MATCH_NONE;
    return find_row(look, buf_view(id));
}

static uint32_t *room_for(size_t count)
{
    uint32_t *room = malloc((count + 1) * sizeof *room);
    if (!room)
        abort();
    return room;
}

static void match_all(struct file_look *look)
{
    struct buf id;
    struct file_match *match = &look->match;
    uint32_t *hints = room_for(match->element_count);
    bool names = names_its_id(look->mapping);
    buf_init(&id, 64u << 10);
    match->rows = look->rows;
    match->elements = look->elements;
    match->element_of = room_for(match->row_count);
    match->row_of = room_for(match->element_count);
    file_match_same(match);
    for (size_t i = 0; i < match->element_count; i++)
        hints[i] =
            names && match->row_of[i] == FILE_MATCH_NONE ? hint_of(look, i, &id) : FILE_MATCH_NONE;
    file_match_rest(match, hints);
    for (size_t i = 0; i < match->row_count; i++) {
        uint32_t element = match->element_of[i];
        look->gone += element == FILE_MATCH_NONE;
        look->changed +=
            element != FILE_MATCH_NONE && !digest_equal(&match->rows[i], &match->elements[element]);
    }
    for (size_t i = 0; i < match->element_count; i++)
        look->more += match->row_of[i] == FILE_MATCH_NONE;
    buf_free(&id);
    free(hints);
}

static bool read_content(int fd, struct buf *content)
{
    off_t at = 0;
    for (;;) {
        char *room = buf_extend(content, 64u << 10);
        ssize_t got = room ? pread(fd, room, 64u << 10, at) : -1;
        if (got < 0)
            return false;
        content->size -= (64u << 10) - (size_t)got;
        at += got;
        if (got == 0)
            return true;
    }
}

static enum outcome take_apart(struct file_look *look, int fd, bool written, struct error *err)
{
    struct buf content;
    bool all;
    buf_init(&content, CONTENT_MOST);
    bool read = read_content(fd, &content);
    enum outcome outcome = take_rows(look, &all, err);
    look->state = FILE_EDITED;
    look->written = written;
    look->reason = written ? "as it was written, but its records in state.db are others now"
                           : "edited since it was written";
    if (outcome == OUT_OK && (!read || !all || !take_elements(look, buf_view(&content)))) {
        look->state = FILE_UNREADABLE;
        look->reason = "edited since it was written, and too large to say where";
    } else if (outcome == OUT_OK) {
        match_all(look);
    }
    buf_free(&content);
    return outcome;
}

/* ---- a file ------------------------------------------------------------------------------ */

static void say(struct file_look *look, enum file_state state, const char *reason)
{
    look->state = state;
    look->reason = reason;
}

/* Descriptor of the file, or -1 when the state is decided. */
static int open_file(struct file_look *look)
{
    struct stat status;
    int folder =
        openat(look->folder, look->folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = folder < 0
                 ? -1
                 : openat(folder, look->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = errno;
    if (folder >= 0)
        close(folder);
    if (fd < 0 && number == ENOENT) {
        say(look, FILE_MISSING, "it is not there");
    } else if (fd < 0 && (number == ELOOP || number == ENOTDIR)) {
        say(look, FILE_FOREIGN, "something that is no file lies in its place");
    } else if (fd < 0) {
        say(look, FILE_UNREADABLE, strerrordesc_np(number));
    } else if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        say(look, FILE_FOREIGN, "something that is no file lies in its place");
        close(fd);
        fd = -1;
    }
    return fd;
}

static enum outcome print_rows(struct file_look *look, struct digest *digest, struct error *err)
{
    struct file_text text = {0};
    bind_file(look, look->list);
    int code = file_text_print(look->list, look->mapping, &text);
    sqlite3_reset(look->list);
    *digest = text.digest;
    return code == SQLITE_DONE ? OUT_OK : failed(look, err);
}

/* What lies there is not what the snapshot's rows give. A worker that writes meanwhile has noted
 * what it wrote, in `latest`. */
static enum outcome judge(struct file_look *look, int fd, const struct digest *digest,
                          const struct noted *noted, const struct noted *latest, struct error *err)
{
    bool before = is_noted(noted, digest), since = is_noted(latest, digest);
    if (!noted->ours && !latest->ours)
        say(look, FILE_FOREIGN, "a file that is not the store's lies in its place");
    else if (before ? noted->dirty : since)
        say(look, FILE_PENDING, "not written yet");
    else
        return take_apart(look, fd, before, err);
    return OUT_OK;
}

static bool is_right(struct file_look *look, int fd, const struct digest *rows,
                     struct digest *digest, bool *read)
{
    uint64_t size;
    *read = file_text_read(fd, digest, &size);
    if (!*read)
        say(look, FILE_UNREADABLE, strerrordesc_np(errno));
    else if (digest_equal(digest, rows))
        say(look, FILE_RIGHT, NULL);
    return *read && digest_equal(digest, rows);
}

/* A file that was replaced between reading it and asking for the note is read again. */
static enum outcome compare(struct file_look *look, const struct noted *noted, struct error *err)
{
    struct digest digest, rows;
    struct noted latest = {0};
    struct noted last;
    bool read = false;
    enum outcome outcome = print_rows(look, &rows, err);
    for (int i = 0; outcome == OUT_OK && i < READINGS_MOST; i++) {
        int fd = open_file(look);
        if (fd < 0 || is_right(look, fd, &rows, &digest, &read) || !read) {
            if (fd >= 0)
                close(fd);
            return OUT_OK;
        }
        last = latest;
        if (look->see_latest)
            outcome = see(look, look->see_latest, &latest, err);
        bool settled = !look->see_latest || is_noted(noted, &digest) ||
                       is_noted(&latest, &digest) || (i && same_note(&last, &latest));
        if (outcome == OUT_OK && (settled || i + 1 == READINGS_MOST)) {
            outcome = judge(look, fd, &digest, noted, &latest, err);
            i = READINGS_MOST;
        }
        close(fd);
    }
    return outcome;
}

enum outcome file_look_take(struct file_look *look, const struct mapping *mapping,
                            struct bytes entity, struct bytes tenant, struct error *err)
{
    struct noted noted;
    forget(look);
    buf_append_bytes(&look->entity, entity);
    buf_append_bytes(&look->tenant, tenant);
    look->mapping = mapping;
    file_store_folder(tenant, look->folder_name);
    file_store_name(entity, look->name);
    if (see(look, look->see, &noted, err) != OUT_OK)
        return OUT_FATAL;
    look->dirty = noted.dirty;
    enum outcome outcome = compare(look, &noted, err);
    static const struct digest NONE; /* it never had its name */
    if (look->state == FILE_MISSING && noted.dirty && digest_equal(&noted.digest, &NONE))
        say(look, FILE_PENDING, "not written yet");
    return outcome;
}

bool file_look_record(const struct file_look *look, struct bytes id, struct bytes *json)
{
    if (look->state == FILE_RIGHT || look->state == FILE_PENDING)
        return true;
    if (look->state != FILE_EDITED)
        return false;
    uint32_t row = find_row(look, id);
    uint32_t element = row < look->match.row_count ? look->match.element_of[row] : FILE_MATCH_NONE;
    if (element == FILE_MATCH_NONE)
        return false;
    *json = part_of(&look->texts, look->text_ends, element);
    return true;
}
