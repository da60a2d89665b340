/* Every file of the store against its rows, and written anew where they differ. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io/filestore/file_store_look.h"
#include "common/io/filestore/file_store_parts.h"

struct rebuilding {
    struct file_store *store;
    struct file_look look;
    bool replace_edited, dry;
    file_rebuilt_each *each;
    void *owner;
};

static void tell(struct rebuilding *rebuilding, enum file_rebuilt how, const struct error *err)
{
    char path[FILE_FOLDER_SIZE + FILE_NAME_SIZE];
    const struct file_look *look = &rebuilding->look;
    int size = snprintf(path, sizeof path, "%s/%s", look->folder_name, look->name);
    rebuilding->each(rebuilding->owner, bytes_of(path, (size_t)size), how, err);
}

/* What a dry run says of it: the same as writing would, as far as looking tells. */
static void guess(struct rebuilding *rebuilding)
{
    struct error err;
    const struct file_look *look = &rebuilding->look;
    bool theirs = look->state == FILE_FOREIGN || (look->state == FILE_EDITED && !look->written);
    if (look->state == FILE_UNREADABLE || (theirs && !rebuilding->replace_edited)) {
        error_set(&err, OUT_REJECT, ERR_STORE_EDITED, "%s", look->reason);
        error_where(&err, "%s/%s/%s", rebuilding->store->settings->store_dir, look->folder_name,
                    look->name);
        tell(rebuilding, FILE_REBUILT_LEFT, &err);
    } else {
        tell(rebuilding, theirs ? FILE_REBUILT_KEPT : FILE_REBUILT_WRITTEN, NULL);
    }
}

static enum outcome rebuild_file(struct rebuilding *rebuilding, const struct file_cursor *at,
                                 struct error *err)
{
    struct file_written written;
    struct bytes entity = buf_view(&at->entity), tenant = buf_view(&at->tenant);
    const struct mapping *mapping = mapping_set_find(rebuilding->store->mappings, entity);
    const char *only = rebuilding->store->settings->only_tenant;
    if (!mapping || (only && only[0] && !bytes_equal(tenant, bytes_text(only))))
        return OUT_OK;
    if (file_look_take(&rebuilding->look, mapping, entity, tenant, err) != OUT_OK)
        return OUT_FATAL;
    if (rebuilding->look.state == FILE_RIGHT && !rebuilding->look.dirty) {
        tell(rebuilding, FILE_REBUILT_SAME, NULL);
        return OUT_OK;
    }
    if (rebuilding->dry) {
        guess(rebuilding);
        return OUT_OK;
    }
    enum outcome outcome = file_store_write_at(rebuilding->store, entity, tenant,
                                               rebuilding->replace_edited, &written, err);
    if (outcome == OUT_OK)
        tell(rebuilding, written.kept ? FILE_REBUILT_KEPT : FILE_REBUILT_WRITTEN, NULL);
    else if (outcome == OUT_REJECT || err->code == ERR_STORE_UNWRITTEN)
        tell(rebuilding, FILE_REBUILT_LEFT, err); /* costs this file */
    else
        return outcome;
    return OUT_OK;
}

static enum outcome rebuild_all(struct rebuilding *rebuilding, struct error *err)
{
    struct file_cursor at;
    bool any = true;
    struct file_store *store = rebuilding->store;
    enum outcome outcome =
        rebuilding->dry ? OUT_OK : file_db_run(&store->db, STATEMENT_FILE_ALL, err);
    file_cursor_init(&at);
    while (outcome == OUT_OK) {
        outcome = file_store_next(store, true, &at, &any, err);
        if (outcome != OUT_OK || !any)
            break;
        outcome = rebuild_file(rebuilding, &at, err);
    }
    file_cursor_free(&at);
    return outcome;
}

enum outcome file_store_rebuild(const struct settings *settings, const struct mapping_set *mappings,
                                bool replace_edited, bool dry, file_rebuilt_each *each, void *owner,
                                struct error *err)
{
    struct rebuilding rebuilding = {
        .replace_edited = replace_edited, .dry = dry, .each = each, .owner = owner};
    struct stored_reader *reader = NULL; /* rebuilding a store that is not there makes none */
    enum outcome outcome = file_stored_open(settings, mappings, FILE_STORED_RECORDS, &reader, err);
    if (outcome != OUT_OK)
        return outcome;
    reader->ops->close(reader);
    outcome = file_store_open(settings, mappings, &rebuilding.store, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = file_look_init(&rebuilding.look, rebuilding.store->db.connection, NULL,
                             dup(rebuilding.store->folder), mappings, err);
    if (outcome == OUT_OK)
        outcome = rebuild_all(&rebuilding, err);
    file_look_free(&rebuilding.look);
    file_store_close(rebuilding.store);
    if (outcome == OUT_OK)
        *err = (struct error){0}; /* of files that were left: each was told */
    return outcome;
}
