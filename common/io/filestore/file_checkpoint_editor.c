#include "common/io/filestore/file_checkpoint_editor.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/filestore/file_store_db.h"

struct file_checkpoint_editor {
    struct checkpoint_editor base;
    struct sqlite_db db;
};

static struct sqlite_db *db_of(struct checkpoint_editor *base)
{
    return &((struct file_checkpoint_editor *)base)->db;
}

#define PLACE NAME(place->group), NAME(place->topic), NUMBER(place->partition)

static enum outcome read_one(struct checkpoint_editor *base, const struct checkpoint_place *place,
                             struct checkpoint_image *image, struct error *err)
{
    static const char SQL[] =
        "SELECT next_offset, redis_next, results_next, epoch, coalesce(owner, ''), sequences "
        "FROM progress WHERE " FILE_PARTITION_KEY;
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(db_of(base), SQL, VALUES(PLACE), &row, err);
    image->exists = row != NULL;
    image->next_offset = row ? sqlite3_column_int64(row, 0) : 0;
    image->redis_next = row ? sqlite3_column_int64(row, 1) : 0;
    image->results_next = row ? sqlite3_column_int64(row, 2) : 0;
    image->epoch = row ? sqlite3_column_int64(row, 3) : 0;
    snprintf(image->owner, sizeof image->owner, "%.*s",
             BYTES_ARGS(bytes_or_empty(row ? sqlite_bytes(row, 4) : (struct bytes){0})));
    buf_reset(&image->sequences);
    if (row)
        buf_append_bytes(&image->sequences, sqlite_bytes(row, 5));
    return row ? sqlite_end(db_of(base), row, err) : outcome;
}

static enum outcome move(struct checkpoint_editor *base, const struct checkpoint_place *place,
                         const struct checkpoint_image *was, const struct checkpoint_image *now,
                         bool *moved, struct error *err)
{
    static const char MOVE[] =
        "UPDATE progress SET next_offset = ?4, redis_next = ?5, results_next = ?6, "
        "sequences = ?7, epoch = epoch + 1, owner = NULL WHERE " FILE_PARTITION_KEY
        " AND epoch = ?8 AND next_offset = ?9 RETURNING epoch";
    static const char MAKE[] =
        "INSERT INTO progress (\"group\", topic, partition, next_offset, redis_next, "
        "results_next, sequences, epoch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0) "
        "ON CONFLICT (\"group\", topic, partition) DO NOTHING RETURNING epoch";
    const struct sqlite_value values[] = {
        PLACE,
        NUMBER(now->next_offset),
        NUMBER(now->redis_next),
        NUMBER(now->results_next),
        TEXT(buf_view(&now->sequences)),
        NUMBER(was->epoch),
        NUMBER(was->next_offset),
    };
    sqlite3_stmt *row;
    enum outcome outcome =
        sqlite_get(db_of(base), was->exists ? MOVE : MAKE, values, was->exists ? 9 : 7, &row, err);
    *moved = row != NULL;
    return row ? sqlite_end(db_of(base), row, err) : outcome;
}

static enum outcome forget(struct checkpoint_editor *base, const char *group, const char *topic,
                           int32_t partitions, struct error *err)
{
    (void)topic;
    (void)partitions;
    enum outcome outcome = sqlite_run(db_of(base), "DELETE FROM pinned_group WHERE \"group\" = ?1",
                                      VALUES(NAME(group)), err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db_of(base), "DELETE FROM progress WHERE \"group\" = ?1",
                             VALUES(NAME(group)), err);
    return outcome;
}

static void close_editor(struct checkpoint_editor *base)
{
    sqlite_close(db_of(base));
    free(base);
}

enum outcome file_checkpoint_editor_open(const struct settings *settings, int timeout_ms,
                                         struct checkpoint_editor **out, struct error *err)
{
    static const struct checkpoint_editor_ops OPS = {read_one, move, forget, close_editor};
    (void)timeout_ms;
    if (file_db_is_missing(settings->store_dir)) {
        error_set(err, OUT_FATAL, ERR_STORE_FILE, "there is no file store yet");
        error_where(err, "%s", settings->store_dir);
        error_hint(err, "drover work makes it; or name the workers' store.dir");
        return OUT_FATAL;
    }
    struct file_checkpoint_editor *editor = mem_new(sizeof *editor);
    editor->base.ops = &OPS;
    enum outcome outcome = file_db_open(&editor->db, settings->store_dir, err);
    if (outcome != OUT_OK) {
        close_editor(&editor->base);
        return outcome;
    }
    *out = &editor->base;
    return OUT_OK;
}
