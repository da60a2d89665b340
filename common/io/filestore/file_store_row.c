/* The file store as a store: storage `file`. */

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io/files.h"
#include "common/io/filestore/file_checkpoint_editor.h"
#include "common/io/filestore/file_generation.h"
#include "common/io/filestore/file_store.h"
#include "common/io/filestore/file_store_db.h"
#include "common/io/held_file.h"
#include "common/io/stores.h"

/* The process's only one: it holds the folder's lock. */
static struct file_store *store;

static enum outcome check(const struct store_opening *opening, struct error *err)
{
    struct held_wait wait = {0};
    enum outcome outcome;
    do
        outcome = file_store_open(opening->settings, opening->checkpoint.mappings, &store, err);
    while (outcome != OUT_OK && err->code == ERR_STORE_LOCKED && held_wait_turn(&wait, err));
    return outcome;
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    (void)err;
    parts->checkpoint = file_checkpoint_new(opening->loop, store, &opening->checkpoint,
                                            opening->checkpoint_events, opening->owner);
    parts->sink = file_sink_new(opening->loop, store, opening->sink_events, opening->owner);
    return OUT_OK;
}

static void free_store(void)
{
    file_store_close(store);
    store = NULL;
}

static enum outcome open_reader(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    return file_store_reader_open(
        settings, mappings,
        reading->as_it_lies ? FILE_STORE_READER_FILES : FILE_STORE_READER_RECORDS, reader, err);
}

/* Before the first worker there is no store, and no checkpoint. No mapping's records are read. */
static enum outcome read_status(struct store_status *status, struct error *err)
{
    static const struct mapping_set NONE;
    struct store_reader *reader = NULL;
    if (file_db_is_missing(status->settings->store_dir))
        return OUT_OK;
    if (file_store_reader_open(status->settings, &NONE, FILE_STORE_READER_RECORDS, &reader, err) !=
        OUT_OK)
        return OUT_RETRY; /* a damaged one the worker names */
    status->unwritten = file_store_reader_unwritten(reader);
    reader->ops->close(reader);
    struct checkpoint_editor *editor = NULL;
    if (file_checkpoint_editor_open(status->settings, status->timeout_ms, &editor, err) != OUT_OK)
        return OUT_RETRY;
    return store_read_checkpoints(status, editor, err);
}

static bool is_writable(const char *dir)
{
    if (files_exist(dir))
        return files_is_folder(dir) && access(dir, W_OK | X_OK) == 0;
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", dir);
    return is_writable(dirname(copy)); /* ends at "." or "/" */
}

static void examine(struct findings *findings)
{
    const char *dir = findings->settings->store_dir;
    if (is_writable(dir)) {
        findings->say(findings, FINDING_OK, "files", NULL, "store.dir %s can be written", dir);
    } else {
        struct error err;
        error_set(&err, OUT_FATAL, ERR_STORE_FILE, "store.dir cannot be written");
        error_where(&err, "%s", dir);
        error_hint(&err, "give another store.dir, or its rights");
        findings->say_error(findings, FINDING_PROBLEM, "files", &err);
    }
}

const struct store FILE_STORE_ROW = {.away = "file.away",
                                     .back = "file.back",
                                     .has_files = true,
                                     .one_writer = true,
                                     .tombstone_life_ms = store_tombstone_life_ms,
                                     .check = check,
                                     .open = open_store,
                                     .free = free_store,
                                     .open_reader = open_reader,
                                     .read_generations = file_generation_read,
                                     .read_status = read_status,
                                     .open_editor = file_checkpoint_editor_open,
                                     .examine = examine};
