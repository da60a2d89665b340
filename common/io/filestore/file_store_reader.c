/*
 * What the file store holds: its rows, and what lies in its folder against what they give.
 *
 *   inspection   one file: right, pending, edited, …; an edited one is taken apart, and each of its
 *                records is matched with the row it is of (policy/file_match.h)
 *   reader       the store reader's port: one read transaction is the snapshot; of
 *                FILE_STORE_READER_FILES a record is what lies in its tenant's file, and rows say
 *                which there should be
 *   walk         every file, and what else lies among them that a reader would take for records
 *   rebuild      a walk that writes what is not right
 *
 * Blocking, on the caller's thread. Nothing here writes but rebuild, through the exporter.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/filestore/file_store_internal.h"
#include "common/model/json/canonical.h"
#include "common/policy/file_match.h"

#define CONTENT_MAX                                                                                \
    ((size_t)256 << 20) /* of a file taken apart: about four times that in memory                  \
                         */
#define RECORDS_MAX ((size_t)16 << 20)
#define READINGS_MAX 5 /* of a file that a worker goes on replacing */
#define WAIT_MS 10000  /* for a worker that is about to write */
#define STEP_MS 100

/* ---- the store, for who writes nothing --------------------------------------------------- */

struct view {
    const struct settings *settings;
    const struct mapping_set *mappings;
    struct sqlite_db db;     /* in a snapshot, */
    struct sqlite_db latest; /* and in none: a worker may have written since */
    int folder;
};

static enum outcome view_open(struct view *view, const struct settings *settings,
                              const struct mapping_set *mappings, struct error *err)
{
    *view = (struct view){.settings = settings, .mappings = mappings, .folder = -1};
    enum outcome outcome = file_db_open_reader(&view->db, settings->store_dir, err);
    if (outcome == OUT_OK)
        outcome = file_db_open_reader(&view->latest, settings->store_dir, err);
    if (outcome != OUT_OK)
        return outcome;
    view->folder = open(settings->store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (view->folder >= 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STORE_FILE, "the store's folder cannot be opened");
    error_where(err, "%s", settings->store_dir);
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

static void view_close(struct view *view)
{
    sqlite_close(&view->db);
    sqlite_close(&view->latest);
    if (view->folder >= 0)
        close(view->folder);
}

/* ---- an edited file's records ------------------------------------------------------------ */

struct list {
    struct bytes *texts;    /* of rows: their ids; of a file: its records in canonical form */
    struct digest *digests; /* of the canonical forms */
    size_t count, room;
};

struct inspection {
    struct view *view;
    struct buf entity, tenant;
    struct file_place place;
    struct file_found found;
    char path[FILE_PATH_SIZE];

    /* FILE_EDITED */
    struct mapping_work work;
    struct arena texts;
    struct buf scratch;
    struct list rows, elements;
    struct file_match match;
};

/* False: too many, or too large. */
static bool add(struct inspection *at, struct list *list, struct bytes text, struct digest digest)
{
    size_t count = list->count;
    struct bytes copy = arena_copy(&at->texts, text);
    if (!copy.data || count >= RECORDS_MAX)
        return false;
    size_t room = list->room; /* the same for both */
    list->texts = mem_grown(list->texts, &room, count + 1, sizeof *list->texts);
    list->digests = mem_grown(list->digests, &list->room, count + 1, sizeof *list->digests);
    list->texts[count] = copy;
    list->digests[count] = digest;
    list->count++;
    return true;
}

static bool add_element(struct inspection *at, yyjson_val *value)
{
    buf_reset(&at->scratch);
    canonical_append(&at->scratch, value);
    struct bytes text = buf_view(&at->scratch);
    return !at->scratch.failed && add(at, &at->elements, text, digest_of(text));
}

static bool add_document(struct inspection *at, yyjson_val *root)
{
    size_t i, count;
    yyjson_val *key, *value;
    bool added = true;
    if (yyjson_is_arr(root)) {
        yyjson_arr_foreach(root, i, count, value) added = added && add_element(at, value);
    } else if (file_place_is_keyed(&at->place)) {
        yyjson_obj_foreach(root, i, count, key, value) added = added && add_element(at, value);
    } else {
        added = add_element(at, root);
    }
    return added;
}

/* A line is a record, as they are written; behind a key in an object. What is none is passed over.
 */
static bool add_line(struct inspection *at, struct bytes line)
{
    yyjson_doc *doc = NULL;
    while (line.size && strchr(" \t\r,", line.data[line.size - 1]))
        line.size--;
    if (file_place_is_keyed(&at->place) && line.size && line.data[0] == '"') {
        size_t end = 1;
        while (end < line.size && line.data[end] != '"')
            end += line.data[end] == '\\' ? 2 : 1;
        while (end < line.size && line.data[end] != ':')
            end++;
        line = end < line.size ? bytes_of(line.data + end + 1, line.size - end - 1)
                               : (struct bytes){0};
    }
    if (line.size < 2 || json_parse(line, JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
        return true;
    bool added = add_element(at, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return added;
}

static bool add_content(struct inspection *at, struct bytes content)
{
    yyjson_doc *doc = NULL;
    bool added = true;
    if (json_parse(content, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK) {
        added = add_document(at, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        return added;
    }
    while (content.size && added) {
        const char *end = memchr(content.data, '\n', content.size);
        size_t size = end ? (size_t)(end - content.data) : content.size;
        added = add_line(at, bytes_of(content.data, size));
        size += end != NULL;
        content = bytes_of(content.data + size, content.size - size);
    }
    return added;
}

static enum outcome add_rows(struct inspection *at, bool *all, struct error *err)
{
    sqlite3_stmt *row;
    struct sqlite_db *db = &at->view->db;
    enum outcome outcome = file_db_records(db, at->place.entity, at->place.tenant, &row, err);
    *all = true;
    while (row && *all) {
        *all = add(at, &at->rows, sqlite_bytes(row, 0), digest_of(sqlite_bytes(row, 1)));
        outcome = sqlite_next(db, &row, err);
    }
    sqlite3_reset(row);
    return outcome;
}

/* Rows are in the order of their ids, byte by byte. FILE_MATCH_OTHER when there is none. */
static uint32_t find_row(const struct inspection *at, struct bytes id)
{
    size_t low = 0, high = at->rows.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bytes_compare(at->rows.texts[middle], id);
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

static uint32_t hint_of(struct inspection *at, size_t element)
{
    int64_t version;
    bool has_version;
    struct record record = {.tenant = at->place.tenant,
                            .entity = at->place.entity,
                            .payload = at->elements.texts[element],
                            .index = -1,
                            .sequence = -1};
    buf_reset(&at->scratch);
    if (mapping_identify(at->place.mapping, &record, &at->work, NULL, &at->scratch, &version,
                         &has_version, NULL) != OUT_OK)
        return FILE_MATCH_NONE;
    return find_row(at, buf_view(&at->scratch));
}

static void match_all(struct inspection *at)
{
    struct file_match *match = &at->match;
    uint32_t *hints = mem_zeroed(at->elements.count, sizeof *hints);
    bool names = names_its_id(at->place.mapping);
    *match = (struct file_match){at->rows.digests,
                                 at->elements.digests,
                                 at->rows.count,
                                 at->elements.count,
                                 mem_zeroed(at->rows.count, sizeof(uint32_t)),
                                 mem_zeroed(at->elements.count, sizeof(uint32_t))};
    file_match_same(match);
    for (size_t i = 0; i < match->element_count; i++)
        hints[i] = names && match->row_of[i] == FILE_MATCH_NONE ? hint_of(at, i) : FILE_MATCH_NONE;
    file_match_rest(match, hints);
    for (size_t i = 0; i < match->row_count; i++) {
        uint32_t element = match->element_of[i];
        at->found.gone += element == FILE_MATCH_NONE;
        at->found.changed +=
            element != FILE_MATCH_NONE && !digest_equal(&match->rows[i], &match->elements[element]);
    }
    for (size_t i = 0; i < match->element_count; i++)
        at->found.more += match->row_of[i] == FILE_MATCH_NONE;
    free(hints);
}

/* ---- inspection -------------------------------------------------------------------------- */

static void inspection_init(struct inspection *at, struct view *view)
{
    *at = (struct inspection){.view = view};
    mapping_work_init(&at->work);
    arena_init(&at->texts, 3 * CONTENT_MAX);
    buf_init(&at->scratch, CONTENT_MAX);
    buf_init(&at->entity, 1024);
    buf_init(&at->tenant, 4096);
}

static void free_list(struct list *list)
{
    free(list->texts);
    free(list->digests);
    *list = (struct list){0};
}

static void forget(struct inspection *at)
{
    free(at->match.element_of);
    free(at->match.row_of);
    at->match = (struct file_match){0};
    free_list(&at->rows);
    free_list(&at->elements);
    arena_reset(&at->texts);
    buf_reset(&at->entity);
    buf_reset(&at->tenant);
}

static void inspection_free(struct inspection *at)
{
    if (!at->view)
        return; /* it was not begun */
    forget(at);
    mapping_work_free(&at->work);
    arena_free(&at->texts);
    buf_free(&at->scratch);
    buf_free(&at->entity);
    buf_free(&at->tenant);
}

static void say(struct inspection *at, enum file_state state, const char *reason)
{
    at->found.state = state;
    at->found.reason = reason;
}

static enum outcome take_apart(struct inspection *at, int fd, bool written, struct error *err)
{
    struct buf content;
    struct digest digest;
    bool all;
    buf_init(&content, CONTENT_MAX);
    bool read = file_place_read(fd, &digest, &content) && !content.failed;
    enum outcome outcome = add_rows(at, &all, err);
    at->found.as_written = written;
    say(at, FILE_EDITED,
        written ? "as it was written, but its records in state.db are others now"
                : "edited since it was written");
    if (outcome == OUT_OK && (!read || !all || !add_content(at, buf_view(&content))))
        say(at, FILE_UNREADABLE, "edited since it was written, and too large to say where");
    else if (outcome == OUT_OK)
        match_all(at);
    buf_free(&content);
    return outcome;
}

/* Descriptor of the file, or -1 when the state is decided. */
static int open_file(struct inspection *at)
{
    int folder =
        openat(at->view->folder, at->place.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = folder < 0 ? -1 : file_place_open(folder, at->place.name);
    int number = errno;
    if (folder >= 0)
        close(folder);
    if (fd >= 0)
        return fd;
    if (number == ENOENT)
        say(at, FILE_MISSING, "it is not there");
    else if (number == ELOOP || number == ENOTDIR)
        say(at, FILE_UNOWNED, "something that is no file lies in its place");
    else
        say(at, FILE_UNREADABLE, strerrordesc_np(number));
    return -1;
}

/* What lies there is not what the snapshot's rows give. A worker that writes meanwhile has noted
 * what it wrote, in `latest`. */
static enum outcome judge(struct inspection *at, int fd, const struct digest *digest,
                          const struct file_note *note, const struct file_note *latest,
                          struct error *err)
{
    bool before = file_note_has(note, digest), since = file_note_has(latest, digest);
    if (!note->ours && !latest->ours)
        say(at, FILE_UNOWNED, "a file that is not the store's lies in its place");
    else if (before ? note->dirty : since)
        say(at, FILE_PENDING, "not written yet");
    else
        return take_apart(at, fd, before, err);
    return OUT_OK;
}

/* A file that was replaced between reading it and asking for the note is read again. */
static enum outcome compare(struct inspection *at, const struct file_note *note,
                            const struct digest *rows, struct error *err)
{
    struct digest digest;
    struct file_note latest = {0}, last;
    for (int i = 1;; i++) {
        int fd = open_file(at);
        if (fd < 0)
            return OUT_OK;
        enum outcome outcome = OUT_OK;
        bool over = true;
        if (!file_place_read(fd, &digest, NULL)) {
            say(at, FILE_UNREADABLE, strerrordesc_np(errno));
        } else if (!digest_equal(&digest, rows)) {
            last = latest;
            outcome = file_place_note(&at->view->latest, &at->place, &latest, err);
            over = outcome != OUT_OK || i == READINGS_MAX || file_note_has(note, &digest) ||
                   file_note_has(&latest, &digest) ||
                   (i > 1 && digest_equal(&last.digest, &latest.digest) &&
                    digest_equal(&last.next, &latest.next));
            if (outcome == OUT_OK && over)
                outcome = judge(at, fd, &digest, note, &latest, err);
        }
        close(fd);
        if (over)
            return outcome;
    }
}

/* Compares a file with its rows, whatever was at hand before. OUT_FATAL: the database cannot be
 * read. */
static enum outcome inspect(struct inspection *at, struct bytes entity, struct bytes tenant,
                            struct error *err)
{
    static const struct digest NONE; /* it never had its name */
    struct file_note note;
    struct digest rows;
    struct file_place *place = &at->place;
    forget(at);
    buf_append_bytes(&at->entity, entity);
    buf_append_bytes(&at->tenant, tenant);
    file_place_init(place, at->view->mappings, buf_view(&at->entity), buf_view(&at->tenant));
    int size = snprintf(at->path, sizeof at->path, "%s/%s", place->folder, place->name);
    at->found = (struct file_found){
        .path = bytes_of(at->path, (size_t)size), .entity = place->entity, .tenant = place->tenant};
    enum outcome outcome = file_place_note(&at->view->db, place, &note, err);
    if (outcome == OUT_OK)
        outcome = file_place_render(&at->view->db, place, NULL, &rows, err);
    if (outcome == OUT_OK)
        outcome = compare(at, &note, &rows, err);
    at->found.dirty = note.dirty;
    if (at->found.state == FILE_MISSING && note.dirty && digest_equal(&note.digest, &NONE))
        say(at, FILE_PENDING, "not written yet");
    return outcome;
}

/* ---- the reader -------------------------------------------------------------------------- */

struct file_reader {
    struct store_reader base;
    struct view view;
    bool files;
    sqlite3_stmt *row; /* that `next` is at; NULL: before all, or behind */
    bool begun;
    struct inspection next, lookup; /* the files that `next` and `find` are at */
};

static struct file_reader *of(struct store_reader *base)
{
    return (struct file_reader *)base;
}

static enum outcome read_checkpoint(struct store_reader *base, const char *group, const char *topic,
                                    int32_t partition, int64_t *next_offset, struct error *err)
{
    int64_t epoch;
    return file_db_checkpoint(&of(base)->view.db, group, topic, partition, &epoch, next_offset,
                              err);
}

/* Views into the statement's row. */
static enum outcome take_row(sqlite3_stmt *row, const struct mapping *mapping,
                             struct stored_record *stored, struct error *err)
{
    struct bytes digest = sqlite_bytes(row, 4);
    *stored = (struct stored_record){
        .mapping = mapping,
        .tenant = sqlite_bytes(row, 1),
        .id = sqlite_bytes(row, 2),
        .version = sqlite3_column_int64(row, 3),
        .generation = sqlite3_column_int(row, 7),
        .deleted = sqlite3_column_int(row, 5) != 0,
    };
    if (!stored->deleted)
        stored->json = sqlite_bytes(row, 6);
    if (digest.size == sizeof stored->digest.bytes && (stored->deleted || stored->json.size)) {
        memcpy(stored->digest.bytes, digest.data, digest.size);
        return OUT_OK;
    }
    return error_set(err, OUT_REJECT, ERR_STORE_FILE, "the stored record is damaged");
}

/* What lies in the file, of a row; *exists false when that is nothing. */
static enum outcome take_file(struct inspection *at, struct stored_record *stored, bool *exists,
                              struct error *err)
{
    struct bytes entity = bytes_text(stored->mapping->entity);
    *exists = true;
    if (stored->deleted)
        return OUT_OK;
    bool at_hand = at->entity.size && bytes_equal(at->place.entity, entity) &&
                   bytes_equal(at->place.tenant, stored->tenant);
    if (!at_hand && inspect(at, entity, stored->tenant, err) != OUT_OK)
        return OUT_FATAL;
    if (at->found.state == FILE_RIGHT || at->found.state == FILE_PENDING)
        return OUT_OK;
    if (at->found.state == FILE_UNREADABLE) {
        error_set(err, OUT_REJECT, ERR_STORE_FILE, "the record's file cannot be read");
        error_cause(err, "%s", at->found.reason);
        return OUT_REJECT;
    }
    uint32_t row = find_row(at, stored->id); /* of an edited one; else there are none */
    uint32_t element = row < at->rows.count ? at->match.element_of[row] : FILE_MATCH_NONE;
    *exists = element != FILE_MATCH_NONE;
    if (*exists)
        stored->json = at->elements.texts[element];
    return OUT_OK;
}

#define SELECT_RECORDS                                                                             \
    "SELECT entity, tenant, id, version, digest, deleted, json, generation FROM record "

static enum outcome read_next(struct store_reader *base, struct stored_record *stored,
                              struct error *err)
{
    static const char SQL[] = SELECT_RECORDS "ORDER BY entity, tenant, id";
    struct file_reader *reader = of(base);
    struct sqlite_db *db = &reader->view.db;
    enum outcome outcome = OUT_OK;
    *stored = (struct stored_record){0};
    for (;;) {
        if (!reader->begun)
            outcome = sqlite_get(db, SQL, NO_VALUES, &reader->row, err);
        else if (reader->row)
            outcome = sqlite_next(db, &reader->row, err);
        reader->begun = true;
        if (!reader->row)
            return outcome;
        const struct mapping *mapping =
            mapping_set_find(reader->view.mappings, sqlite_bytes(reader->row, 0));
        if (!mapping)
            continue;
        bool exists = true;
        outcome = take_row(reader->row, mapping, stored, err);
        if (outcome == OUT_OK && reader->files)
            outcome = take_file(&reader->next, stored, &exists, err);
        if (exists)
            return outcome;
        *stored = (struct stored_record){0};
    }
}

static enum outcome find(struct store_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored_record *stored,
                         bool *found, struct error *err)
{
    static const char SQL[] = SELECT_RECORDS "WHERE " FILE_KEY " AND id = ?3";
    sqlite3_stmt *row;
    struct file_reader *reader = of(base);
    enum outcome outcome = sqlite_get(
        &reader->view.db, SQL, VALUES(NAME(mapping->entity), TEXT(tenant), TEXT(id)), &row, err);
    *found = row != NULL;
    if (!row)
        return outcome;
    outcome = take_row(row, mapping, stored, err);
    if (outcome == OUT_OK && reader->files)
        outcome = take_file(&reader->lookup, stored, found, err);
    return outcome;
}

static void close_reader(struct store_reader *base)
{
    struct file_reader *reader = of(base);
    inspection_free(&reader->next);
    inspection_free(&reader->lookup);
    view_close(&reader->view);
    free(reader);
}

enum outcome file_store_reader_open(const struct settings *settings,
                                    const struct mapping_set *mappings,
                                    enum file_store_reader_what what, struct store_reader **out,
                                    struct error *err)
{
    static const struct store_reader_ops OPS = {read_checkpoint, read_next, find, close_reader};
    struct file_reader *reader = mem_new(sizeof *reader);
    reader->base.ops = &OPS;
    reader->files = what == FILE_STORE_READER_FILES;
    enum outcome outcome = view_open(&reader->view, settings, mappings, err);
    if (outcome == OUT_OK)
        outcome = file_db_snapshot(&reader->view.db, err);
    inspection_init(&reader->next, &reader->view);
    inspection_init(&reader->lookup, &reader->view);
    *out = outcome == OUT_OK ? &reader->base : NULL;
    if (outcome != OUT_OK)
        close_reader(&reader->base);
    return outcome;
}

static uint64_t count_dirty(struct sqlite_db *db)
{
    struct error ignored;
    int64_t count;
    (void)!sqlite_number(db, "SELECT count(*) FROM file WHERE dirty = 1", NO_VALUES, 0, &count,
                         &ignored);
    return (uint64_t)count;
}

uint64_t file_store_reader_unwritten(struct store_reader *base)
{
    return count_dirty(&of(base)->view.db);
}

/* ---- the walk ---------------------------------------------------------------------------- */

struct walk {
    struct view view;
    struct inspection file;
    struct digest *names; /* of the files the store has: folder/name */
    size_t name_count, name_room;
    const char *only_tenant; /* NULL: of all */
    file_walk_each *each;
    void *owner;
};

static bool is_wanted(const struct walk *walk, struct bytes tenant)
{
    return !walk->only_tenant || bytes_equal(tenant, bytes_text(walk->only_tenant));
}

/* While a worker has the store it is about to write what is dirty. */
static bool is_in_use(const struct view *view)
{
    int fd = openat(view->folder, FILE_STORE_OWN "/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool used = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return used;
}

static void wait_for_writer(struct view *view)
{
    uint64_t by_ms = clock_monotonic_ms() + WAIT_MS;
    while (count_dirty(&view->latest) && clock_monotonic_ms() < by_ms && is_in_use(view))
        usleep(STEP_MS * 1000);
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

static void add_name(struct walk *walk, struct bytes entity, struct bytes tenant)
{
    struct file_place place;
    walk->names =
        mem_grown(walk->names, &walk->name_room, walk->name_count + 1, sizeof *walk->names);
    file_place_init(&place, walk->view.mappings, entity, tenant);
    walk->names[walk->name_count++] = digest_name(place.folder, place.name);
}

static enum outcome walk_files(struct walk *walk, struct error *err)
{
    static const char SQL[] = "SELECT entity, tenant FROM file ORDER BY entity, tenant";
    sqlite3_stmt *row = NULL;
    struct sqlite_db *db = &walk->view.db;
    enum outcome outcome = file_db_snapshot(db, err);
    inspection_init(&walk->file, &walk->view);
    if (outcome == OUT_OK)
        outcome = sqlite_get(db, SQL, NO_VALUES, &row, err);
    while (outcome == OUT_OK && row) {
        struct bytes entity = sqlite_bytes(row, 0), tenant = sqlite_bytes(row, 1);
        add_name(walk, entity, tenant);
        if (mapping_set_find(walk->view.mappings, entity) && is_wanted(walk, tenant)) {
            outcome = inspect(&walk->file, entity, tenant, err);
            if (outcome == OUT_OK)
                walk->each(walk->owner, &walk->file.found);
        }
        if (outcome == OUT_OK)
            outcome = sqlite_next(db, &row, err);
    }
    return outcome;
}

static bool is_json(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static void tell_stray(struct walk *walk, const char *folder, const char *name)
{
    char path[FILE_FOLDER_SIZE + NAME_MAX + 2];
    int size = snprintf(path, sizeof path, "%s%s%s", folder, folder[0] ? "/" : "", name);
    struct file_found found = {.path = bytes_of(path, (size_t)size),
                               .state = FILE_UNOWNED,
                               .is_stray = true,
                               .reason = "the store has no such file"};
    walk->each(walk->owner, &found);
}

/* What somebody who reads the folder would take for records: names that end in .json. */
static void walk_folder(struct walk *walk, const char *folder)
{
    int fd = openat(walk->view.folder, folder[0] ? folder : ".",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    if (!entries && fd >= 0)
        close(fd);
    while (entries && (entry = readdir(entries))) {
        struct digest digest = digest_name(folder, entry->d_name);
        if (folder[0] == '\0' && entry->d_name[0] != '.' && !is_json(entry->d_name)) {
            if (is_wanted(walk, (struct bytes){0}))
                walk_folder(walk, entry->d_name);
        } else if (is_json(entry->d_name) && !bsearch(&digest, walk->names, walk->name_count,
                                                      sizeof digest, compare_digests)) {
            tell_stray(walk, folder, entry->d_name);
        }
    }
    if (entries)
        closedir(entries);
}

static void walk_strays(struct walk *walk)
{
    char folder[FILE_FOLDER_SIZE] = "";
    if (walk->only_tenant)
        file_place_folder(bytes_text(walk->only_tenant), folder);
    if (walk->name_count)
        qsort(walk->names, walk->name_count, sizeof *walk->names, compare_digests);
    walk_folder(walk, folder);
}

static void walk_close(struct walk *walk)
{
    inspection_free(&walk->file);
    view_close(&walk->view);
    free(walk->names);
}

enum outcome file_store_reader_walk(const struct settings *settings,
                                    const struct mapping_set *mappings, const char *only_tenant,
                                    file_walk_each *each, void *owner, struct error *err)
{
    struct walk walk = {.only_tenant = only_tenant, .each = each, .owner = owner};
    enum outcome outcome = view_open(&walk.view, settings, mappings, err);
    if (outcome == OUT_OK) {
        wait_for_writer(&walk.view);
        outcome = walk_files(&walk, err);
    }
    if (outcome == OUT_OK)
        walk_strays(&walk);
    walk_close(&walk);
    return outcome;
}

/* ---- rebuilding -------------------------------------------------------------------------- */

struct rebuilding {
    struct file_store *store;
    bool replace_edited, dry;
    file_rebuilt_each *each;
    void *owner;
    enum outcome outcome; /* of what ends it all */
    struct error *err;
};

/* What a dry run says of a file: the same as writing would, as far as looking tells. */
static enum outcome guess(const struct rebuilding *rebuilding, const struct file_found *found,
                          struct file_written *written, struct error *err)
{
    bool theirs =
        found->state == FILE_UNOWNED || (found->state == FILE_EDITED && !found->as_written);
    written->kept = theirs;
    if (found->state != FILE_UNREADABLE && (!theirs || rebuilding->replace_edited))
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_STORE_EDITED, "%s", found->reason);
    error_where(err, "%s/%.*s", rebuilding->store->settings->store_dir, BYTES_ARGS(found->path));
    return OUT_REJECT;
}

static void rebuild_file(void *owner, const struct file_found *found)
{
    struct rebuilding *rebuilding = owner;
    struct file_written written = {0};
    struct error err;
    enum file_rebuilt how = FILE_REBUILT_SAME;
    enum outcome outcome = rebuilding->outcome;
    if (outcome != OUT_OK)
        return;
    if (found->state != FILE_RIGHT || found->dirty) {
        outcome = rebuilding->dry ? guess(rebuilding, found, &written, &err)
                                  : file_export(rebuilding->store, found->entity, found->tenant,
                                                rebuilding->replace_edited, &written, &err);
        how = outcome != OUT_OK ? FILE_REBUILT_LEFT
              : written.kept    ? FILE_REBUILT_KEPT
                                : FILE_REBUILT_WRITTEN;
    }
    if (outcome == OUT_OK || outcome == OUT_REJECT || err.code == ERR_STORE_UNWRITTEN) {
        rebuilding->each(rebuilding->owner, found->path, how, outcome == OUT_OK ? NULL : &err);
        return; /* what is left costs itself alone */
    }
    rebuilding->outcome = outcome;
    *rebuilding->err = err;
}

enum outcome file_store_rebuild(const struct settings *settings, const struct mapping_set *mappings,
                                bool replace_edited, bool dry, file_rebuilt_each *each, void *owner,
                                struct error *err)
{
    static const char SQL[] = "INSERT INTO file (entity, tenant, dirty) "
                              "SELECT DISTINCT entity, tenant, 1 FROM record WHERE true "
                              "ON CONFLICT (entity, tenant) DO NOTHING";
    struct rebuilding rebuilding = {
        .replace_edited = replace_edited, .dry = dry, .each = each, .owner = owner, .err = err};
    const char *only = settings->only_tenant;
    struct walk walk = {
        .only_tenant = only && only[0] ? only : NULL, .each = rebuild_file, .owner = &rebuilding};
    /* first: rebuilding a store that is not there makes none */
    enum outcome outcome = view_open(&walk.view, settings, mappings, err);
    if (outcome == OUT_OK)
        outcome =
            (dry ? file_store_hold : file_store_open)(settings, mappings, &rebuilding.store, err);
    if (outcome == OUT_OK && !dry)
        outcome = sqlite_run(&rebuilding.store->db, SQL, NO_VALUES, err);
    if (outcome == OUT_OK)
        outcome = walk_files(&walk, err);
    walk_close(&walk);
    file_store_close(rebuilding.store);
    return outcome == OUT_OK ? rebuilding.outcome : outcome;
}
