/*
 * The process that runs LevelDB over the copy of a profile's database. Keys, in byte order:
 *
 *   META:<origin>, METAACCESS:<origin>, VERSION     not data
 *   _<origin> \0 <how written> <key>                value: <how written> <text>
 *
 * An origin of a partition (a frame inside another site) is written https://frame/^0https://top: it
 * is an origin of its own. An entry whose strings cannot be told becomes an entry without a value,
 * which its reader rejects.
 *
 * A damaged database may make LevelDB assert, throw, ask for any amount of memory or never end:
 * what this process takes is bounded here, and whoever waits for it gives up and kills it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <leveldb/c.h>

#include "common/io/source/chromium_profile_internal.h"

#define CHUNK_SIZE ((size_t)64 << 10)
#define ORIGIN_MAX ((size_t)64 << 10)
/* What LevelDB maps of the files comes on top. Reading 1 GiB of values of 1 MiB took 68 MiB of real
 * memory, the mapped files among it. */
#define MEMORY_MAX ((rlim_t)512 << 20)
/* A document may be larger than its files: zeros shrink to a 21st by LevelDB's compression and
 * become six letters each, and keys share their beginnings. Measured of 100 MiB of zeros: 104
 * times. */
#define LARGER_MAX 1000
#define LARGER_FREE ((uint64_t)64 << 20)

struct reader {
    leveldb_t *database;
    leveldb_iterator_t *iterator;
    int out, words;
    uint64_t written, max;
    struct buf origin; /* of the last entry */
    bool in_origin;    /* its list is open */
    bool in_list;      /* behind an entry of it */
    struct buf text;   /* not yet written */
};

/* ---- words ---- */

void chromium_word_fail(struct chromium_word *word, const char *text, const char *cause)
{
    struct error whole; /* masks before it cuts */
    error_set(&whole, OUT_REJECT, ERR_NONE, "%s", text);
    error_cause(&whole, "%s", cause ? cause : "");
    word->said = CHROMIUM_FAILED;
    memcpy(word->text, whole.text, sizeof(word->text));
    memcpy(word->cause, whole.cause, sizeof(word->cause));
}

_Noreturn static void end_with(struct reader *reader, const struct chromium_word *word)
{
    ssize_t said = write(reader->words, word, sizeof(*word));
    _exit(said == (ssize_t)sizeof(*word) ? EXIT_SUCCESS : EXIT_FAILURE);
}

_Noreturn static void end_failed(struct reader *reader, const char *text, const char *cause)
{
    struct chromium_word word = {0};
    chromium_word_fail(&word, text, cause);
    end_with(reader, &word);
}

/* LevelDB's messages name files and places, not contents; the copy's folder says nothing. */
_Noreturn static void end_damaged(struct reader *reader, char *message, const char *folder)
{
    char *at = strstr(message, folder);
    size_t size = strlen(folder);
    if (at && at[size] == '/')
        memmove(at, at + size + 1, strlen(at + size + 1) + 1);
    end_failed(reader, "the browser profile's database is damaged", message);
}

/* ---- the document ---- */

/* A closed pipe ends the process by SIGPIPE: nobody reads any more. */
static void flush(struct reader *reader, size_t min)
{
    struct bytes left = buf_view(&reader->text);
    if (left.size < min)
        return;
    if (reader->text.failed || left.size > reader->max - reader->written)
        end_failed(reader, "the browser profile's database is damaged",
                   "it gives far more than its files can hold");
    reader->written += left.size;
    while (left.size) {
        ssize_t gone = write(reader->out, left.data, left.size);
        if (gone < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        size_t size = gone > 0 ? (size_t)gone : 0;
        left = bytes_of(left.data + size, left.size - size);
    }
    buf_reset(&reader->text);
}

static void add_text(struct reader *reader, const char *text)
{
    buf_append_text(&reader->text, text);
}

struct entry {
    struct bytes origin;
    struct bytes name;
    struct bytes value;
};

/* False for what is not data. */
static bool entry_now(const struct reader *reader, struct entry *entry)
{
    struct bytes key;
    key.data = leveldb_iter_key(reader->iterator, &key.size);
    const char *end = key.size && key.data[0] == '_' ? memchr(key.data, '\0', key.size) : NULL;
    if (!end)
        return false;
    entry->origin = bytes_of(key.data + 1, (size_t)(end - key.data - 1));
    entry->name = bytes_of(end + 1, key.size - entry->origin.size - 2);
    entry->value.data = leveldb_iter_value(reader->iterator, &entry->value.size);
    return true;
}

static void leave_origin(struct reader *reader)
{
    if (reader->in_origin)
        add_text(reader, "]}");
    reader->in_origin = false;
}

static void enter_origin(struct reader *reader, struct bytes origin)
{
    bool more = reader->origin.size > 0;
    if (reader->in_origin && bytes_equal(buf_view(&reader->origin), origin))
        return;
    if (origin.size > ORIGIN_MAX)
        end_failed(reader, "the browser profile's database is damaged", "an origin is too long");
    leave_origin(reader);
    buf_reset(&reader->origin);
    buf_append_bytes(&reader->origin, origin);
    add_text(reader, more ? ",{\"origin\":" : "{\"origin\":");
    buf_append_json(&reader->text, origin);
    add_text(reader, ",\"localStorage\":[");
    reader->in_origin = true;
    reader->in_list = false;
}

/* ,"NAME":"…" of a string that can be told. */
static void add_string(struct reader *reader, const char *begin, struct bytes stored)
{
    size_t at = 0;
    add_text(reader, begin);
    do {
        at = chromium_text_append(&reader->text, stored, at, CHUNK_SIZE);
        flush(reader, CHUNK_SIZE);
    } while (at < stored.size);
    add_text(reader, "\"");
}

static void add_entry(struct reader *reader, const struct entry *entry)
{
    enter_origin(reader, entry->origin);
    add_text(reader, reader->in_list ? ",{" : "{");
    reader->in_list = true;
    if (chromium_text_is_valid(entry->name)) {
        add_string(reader, "\"name\":\"", entry->name);
        if (chromium_text_is_valid(entry->value))
            add_string(reader, ",\"value\":\"", entry->value);
    }
    add_text(reader, "}");
    flush(reader, CHUNK_SIZE);
}

/* LevelDB goes on behind a block that it could not read. */
static void stop_at_damage(struct reader *reader, const char *folder)
{
    char *message = NULL;
    leveldb_iter_get_error(reader->iterator, &message);
    if (message)
        end_damaged(reader, message, folder);
}

static void write_document(struct reader *reader, const char *folder)
{
    struct entry entry;
    add_text(reader, "{\"cookies\":[],\"origins\":[");
    stop_at_damage(reader, folder);
    while (leveldb_iter_valid(reader->iterator)) {
        if (entry_now(reader, &entry))
            add_entry(reader, &entry);
        leveldb_iter_next(reader->iterator);
        stop_at_damage(reader, folder);
    }
    leave_origin(reader);
    add_text(reader, "]}\n");
    flush(reader, 0);
}

/* ---- the process ---- */

static void open_database(struct reader *reader, const char *folder)
{
    char *message = NULL;
    leveldb_options_t *options = leveldb_options_create();
    leveldb_readoptions_t *reading = leveldb_readoptions_create();
    leveldb_options_set_paranoid_checks(options, 1);
    leveldb_options_set_max_open_files(options, 64);
    reader->database = leveldb_open(options, folder, &message);
    if (message)
        end_damaged(reader, message, folder);
    leveldb_readoptions_set_verify_checksums(reading, 1);
    leveldb_readoptions_set_fill_cache(reading, 0);
    reader->iterator = leveldb_create_iterator(reader->database, reading);
    leveldb_iter_seek_to_first(reader->iterator);
}

/* So much more address space than there is now: sanitizers have terabytes of it. */
static void bound_memory(uint64_t size)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    bool known = fscanf(file, "%lu", &pages) == 1;
    fclose(file);
    rlim_t max = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_MAX + size;
    if (known)
        setrlimit(RLIMIT_AS, &(struct rlimit){max, max});
}

void chromium_reader_run(const char *folder, uint64_t size, int out, int words)
{
    struct reader reader = {.out = out, .words = words, .max = LARGER_FREE + size * LARGER_MAX};
    struct chromium_word word = {.said = CHROMIUM_OPENED};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);
    if (nowhere >= 0) /* an assertion's text would stand in the middle of a person's screen */
        dup2(nowhere, STDERR_FILENO);
    bound_memory(size);
    buf_init(&reader.origin, ORIGIN_MAX);
    buf_init(&reader.text, CHUNK_SIZE * 8);
    open_database(&reader, folder);
    if (write(words, &word, sizeof(word)) != (ssize_t)sizeof(word))
        _exit(EXIT_FAILURE);
    write_document(&reader, folder);
    word.said = CHROMIUM_ENDED;
    end_with(&reader,
             &word); /* without tearing LevelDB down: what it holds goes with the process */
}
