/* The file store as a store: storage `file`. */

#include "common/io/filestore/file_store.h"
#include "common/io/stores.h"

/* The process's only one: it holds the folder's lock. */
static struct file_store *store;

static enum outcome check(const struct store_opening *opening, struct error *err)
{
    return file_store_open(opening->settings, opening->mappings, &store, err);
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    const struct file_checkpoint_config config = {opening->group, opening->topic, opening->worker,
                                                  opening->partitions};
    (void)err;
    parts->checkpoint = file_checkpoint_new(opening->loop, store, &config,
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

const struct store FILE_STORE_ROW = {.name = "file",
                                     .away = "file.away",
                                     .back = "file.back",
                                     .has_files = true,
                                     .one_writer = true,
                                     .tombstone_life_ms = store_tombstone_life_ms,
                                     .check = check,
                                     .open = open_store,
                                     .free = free_store,
                                     .open_reader = open_reader};
