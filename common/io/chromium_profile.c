/*
 * See the header. Keys of the database, in byte order:
 *
 *   META:<origin>, METAACCESS:<origin>, VERSION     not data
 *   _<origin> \0 <how written> <key>                value: <how written> <text>
 *
 * An origin of a partition (a frame inside another site) is written https://frame/^0https://top: it
 * is an origin of its own. An entry whose strings cannot be told becomes an entry without a value,
 * which its reader rejects.
 */
#include "common/io/chromium_profile.h"

#include <stdlib.h>

#include <leveldb/c.h>

#include "common/io/chromium_profile_parts.h"

#define CHUNK_SIZE (64u << 10)
#define PATH_MOST 4096
#define OPENINGS_MOST 3 /* a browser that runs may remove a file while it is copied */

enum state { AT_BEGIN, AT_ENTRY, IN_NAME, IN_VALUE, AT_END, ENDED };

struct chromium_profile {
    struct chromium_copy copy;
    struct chromium_files files;
    leveldb_options_t *options;
    leveldb_readoptions_t *reading;
    leveldb_t *database;
    leveldb_iterator_t *iterator;
    enum state state;
    struct buf origin; /* of the last entry */
    bool in_origin;    /* its list is open */
    bool in_list;      /* behind an entry of it */
    size_t at;         /* in the name or value */
    struct buf out;
};

bool chromium_profile_is(const char *folder, struct chromium_files *files)
{
    struct buf path;
    buf_init(&path, PATH_MOST);
    bool found = chromium_copy_find(folder, &path) && chromium_copy_measure(buf_text(&path), files);
    buf_free(&path);
    return found;
}

bool chromium_profile_database(const char *folder, struct buf *path)
{
    return chromium_copy_find(folder, path);
}

/* ---- opening ---- */

/* LevelDB's messages name files and places, not contents. */
static enum outcome database_failed(char *message, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE, "the browser profile's database is damaged");
    error_cause(err, "%s", message);
    leveldb_free(message);
    return OUT_REJECT;
}

static enum outcome open_database(struct chromium_profile *profile, struct error *err)
{
    char *message = NULL;
    profile->options = leveldb_options_create();
    leveldb_options_set_paranoid_checks(profile->options, 1);
    leveldb_options_set_max_open_files(profile->options, 64);
    profile->database = leveldb_open(profile->options, buf_text(&profile->copy.path), &message);
    if (message)
        return database_failed(message, err);
    profile->reading = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(profile->reading, 1);
    leveldb_readoptions_set_fill_cache(profile->reading, 0);
    profile->iterator = leveldb_create_iterator(profile->database, profile->reading);
    leveldb_iter_seek_to_first(profile->iterator);
    return OUT_OK;
}

static void close_database(struct chromium_profile *profile)
{
    if (profile->iterator)
        leveldb_iter_destroy(profile->iterator);
    if (profile->database)
        leveldb_close(profile->database);
    if (profile->reading)
        leveldb_readoptions_destroy(profile->reading);
    if (profile->options)
        leveldb_options_destroy(profile->options);
    profile->iterator = NULL;
    profile->database = NULL;
    profile->reading = NULL;
    profile->options = NULL;
    chromium_copy_remove(&profile->copy);
}

/* A copy that was made while files were replaced does not open: it is made again. */
static enum outcome open_copy(struct chromium_profile *profile, const char *database,
                              struct error *err)
{
    enum outcome outcome = OUT_RETRY;
    for (int i = 0; i < OPENINGS_MOST && outcome != OUT_OK; i++) {
        chromium_copy_measure(database, &profile->files);
        outcome = chromium_copy_make(database, &profile->copy, err);
        if (outcome == OUT_REJECT)
            return outcome;
        if (outcome == OUT_OK)
            outcome = open_database(profile, err);
        if (outcome != OUT_OK)
            close_database(profile);
    }
    if (outcome == OUT_RETRY)
        return error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE,
                         "the browser profile changes faster than it can be copied");
    return outcome;
}

enum outcome chromium_profile_open(const char *folder, struct chromium_profile **out,
                                   struct error *err)
{
    struct buf path;
    struct chromium_profile *profile = calloc(1, sizeof(*profile));
    if (!profile)
        abort();
    chromium_copy_init(&profile->copy);
    buf_init(&profile->origin, PATH_MOST * 16);
    buf_init(&profile->out, CHUNK_SIZE * 8);
    buf_init(&path, PATH_MOST);
    enum outcome outcome = OUT_REJECT;
    if (chromium_copy_find(folder, &path))
        outcome = open_copy(profile, buf_text(&path), err);
    else
        error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE, "the folder is no browser profile");
    buf_free(&path);
    if (outcome == OUT_OK)
        *out = profile;
    else
        chromium_profile_close(profile);
    return outcome;
}

void chromium_profile_close(struct chromium_profile *profile)
{
    if (!profile)
        return;
    close_database(profile);
    chromium_copy_free(&profile->copy);
    buf_free(&profile->origin);
    buf_free(&profile->out);
    free(profile);
}

const struct chromium_files *chromium_profile_files(const struct chromium_profile *profile)
{
    return &profile->files;
}

/* ---- the document ---- */

struct entry {
    struct bytes origin;
    struct bytes name;
    struct bytes value;
};

/* False for what is not data. */
static bool entry_now(const struct chromium_profile *profile, struct entry *entry)
{
    struct bytes key;
    key.data = leveldb_iter_key(profile->iterator, &key.size);
    const char *end = key.size && key.data[0] == '_' ? memchr(key.data, '\0', key.size) : NULL;
    if (!end)
        return false;
    entry->origin = bytes_of(key.data + 1, (size_t)(end - key.data - 1));
    entry->name = bytes_of(end + 1, key.size - entry->origin.size - 2);
    entry->value.data = leveldb_iter_value(profile->iterator, &entry->value.size);
    return true;
}

static void leave_origin(struct chromium_profile *profile)
{
    if (profile->in_origin)
        buf_append_text(&profile->out, "]}");
    profile->in_origin = false;
}

static void enter_origin(struct chromium_profile *profile, struct bytes origin)
{
    bool more = profile->origin.size > 0;
    if (profile->in_origin && bytes_equal(buf_view(&profile->origin), origin))
        return;
    leave_origin(profile);
    buf_reset(&profile->origin);
    buf_append_bytes(&profile->origin, origin);
    buf_append_text(&profile->out, more ? ",{\"origin\":" : "{\"origin\":");
    buf_append_json(&profile->out, origin);
    buf_append_text(&profile->out, ",\"localStorage\":[");
    profile->in_origin = true;
    profile->in_list = false;
}

static enum state begin_entry(struct chromium_profile *profile, const struct entry *entry)
{
    enter_origin(profile, entry->origin);
    buf_append_text(&profile->out, profile->in_list ? ",{" : "{");
    profile->in_list = true;
    profile->at = 0;
    if (chromium_text_is_valid(entry->name)) {
        buf_append_text(&profile->out, "\"name\":\"");
        return IN_NAME;
    }
    buf_append_char(&profile->out, '}');
    leveldb_iter_next(profile->iterator);
    return AT_ENTRY;
}

static enum state end_name(struct chromium_profile *profile, const struct entry *entry)
{
    profile->at = 0;
    if (chromium_text_is_valid(entry->value)) {
        buf_append_text(&profile->out, "\",\"value\":\"");
        return IN_VALUE;
    }
    buf_append_text(&profile->out, "\"}");
    leveldb_iter_next(profile->iterator);
    return AT_ENTRY;
}

static enum state step_entry(struct chromium_profile *profile)
{
    struct entry entry;
    if (!leveldb_iter_valid(profile->iterator))
        return AT_END;
    if (!entry_now(profile, &entry)) {
        leveldb_iter_next(profile->iterator);
        return AT_ENTRY;
    }
    if (profile->state == AT_ENTRY)
        return begin_entry(profile, &entry);
    struct bytes text = profile->state == IN_NAME ? entry.name : entry.value;
    profile->at = chromium_text_append(&profile->out, text, profile->at, CHUNK_SIZE);
    if (profile->at < text.size)
        return profile->state;
    if (profile->state == IN_NAME)
        return end_name(profile, &entry);
    buf_append_text(&profile->out, "\"}");
    leveldb_iter_next(profile->iterator);
    return AT_ENTRY;
}

enum outcome chromium_profile_next(struct chromium_profile *profile, struct bytes *chunk,
                                   struct error *err)
{
    char *message = NULL;
    buf_reset(&profile->out);
    *chunk = (struct bytes){0};
    while (profile->state != ENDED && profile->out.size < CHUNK_SIZE) {
        switch (profile->state) {
        case AT_BEGIN:
            buf_append_text(&profile->out, "{\"cookies\":[],\"origins\":[");
            profile->state = AT_ENTRY;
            break;
        case AT_END:
            leave_origin(profile);
            buf_append_text(&profile->out, "]}\n");
            profile->state = ENDED;
            break;
        default:
            profile->state = step_entry(profile);
            break;
        }
        leveldb_iter_get_error(profile->iterator, &message);
        if (message)
            return database_failed(message, err);
    }
    *chunk = buf_view(&profile->out);
    return OUT_OK;
}
