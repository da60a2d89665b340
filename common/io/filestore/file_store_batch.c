/* A batch as one transaction: fence, records, sealed boxes, and which files are to be written. */
#include <inttypes.h>
#include <string.h>

#include "common/io/filestore/file_store_parts.h"
#include "common/model/json/canonical.h"
#include "common/policy/secrets/secret_guard.h"

/* The writing of one batch. */
struct writing {
    struct file_store *store;
    struct batch *batch;
    const struct bytes *texts;
    bool only_look; /* it is in the store already: what became of it? */
    struct buf scratch;
};

static enum outcome failed(const struct error *err)
{
    return err ? err->outcome : OUT_FATAL;
}

static void bind_partition(sqlite3_stmt *statement, const struct batch_fence *fence)
{
    file_db_bind(statement, 1, bytes_text(fence->group));
    file_db_bind(statement, 2, bytes_text(fence->topic));
    sqlite3_bind_int(statement, 3, fence->partition);
}

/* *epoch 0: never claimed. */
static enum outcome see_progress(struct writing *writing, int64_t *epoch, int64_t *next,
                                 struct error *err)
{
    bool row;
    struct file_db *db = &writing->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_SEE_PROGRESS, err);
    *epoch = *next = 0;
    if (!statement)
        return failed(err);
    bind_partition(statement, &writing->batch->fence);
    if (file_db_step(db, statement, &row, err) != OUT_OK)
        return failed(err);
    if (row) {
        *epoch = sqlite3_column_int64(statement, 0);
        *next = sqlite3_column_int64(statement, 1);
        sqlite3_reset(statement);
    }
    return OUT_OK;
}

static enum outcome refuse(struct writing *writing, struct error *err)
{
    int64_t epoch, next;
    const struct batch_fence *fence = &writing->batch->fence;
    if (see_progress(writing, &epoch, &next, err) != OUT_OK)
        return failed(err);
    if (epoch != fence->epoch)
        return error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
    return error_set(err, OUT_FATAL, ERR_PROGRESS,
                     "the batch begins at %" PRId64 ", the store is at %" PRId64, fence->start,
                     next);
}

static enum outcome pass_fence(struct writing *writing, struct error *err)
{
    bool moved;
    const struct batch_fence *fence = &writing->batch->fence;
    struct file_db *db = &writing->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_FENCE, err);
    if (!statement)
        return failed(err);
    bind_partition(statement, fence);
    sqlite3_bind_int64(statement, 4, fence->epoch);
    sqlite3_bind_int64(statement, 5, fence->start);
    sqlite3_bind_int64(statement, 6, fence->end);
    sqlite3_bind_int64(statement, 7, fence->redis_next);
    sqlite3_bind_int64(statement, 8, fence->results_next);
    file_db_bind(statement, 9, fence->sequences.size ? fence->sequences : BYTES_LITERAL("{}"));
    if (file_db_step(db, statement, &moved, err) != OUT_OK)
        return failed(err);
    sqlite3_reset(statement);
    return moved ? OUT_OK : refuse(writing, err);
}

/* A soft delete leaves the record, with one member set: what is stored is parsed, changed, and put
 * into canonical form again. Empty when there is nothing to keep. */
static struct bytes soften(struct writing *writing, const struct mapping *mapping,
                           struct bytes stored)
{
    yyjson_doc *old = NULL;
    const struct column *column = &mapping->columns[mapping->soft_column];
    buf_reset(&writing->scratch);
    if (!stored.size || column->source != FROM_POINTERS ||
        json_parse(stored, JSON_UNICODE_REJECT, NULL, &old, NULL) != OUT_OK)
        return (struct bytes){0};
    yyjson_mut_doc *built = yyjson_doc_mut_copy(old, NULL);
    yyjson_mut_doc_ptr_set(built, column->pointers[0],
                           yyjson_val_mut_copy(built, mapping->soft_value));
    yyjson_doc *changed = yyjson_mut_doc_imut_copy(built, NULL);
    if (changed)
        canonical_append(&writing->scratch, yyjson_doc_get_root(changed));
    yyjson_doc_free(changed);
    yyjson_mut_doc_free(built);
    yyjson_doc_free(old);
    return buf_view(&writing->scratch);
}

static enum outcome put_record(struct writing *writing, const struct batch_item *item,
                               struct bytes json, struct error *err)
{
    bool row;
    struct file_db *db = &writing->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_PUT_RECORD, err);
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, bytes_text(item->mapping->entity));
    file_db_bind(statement, 2, item->row.tenant);
    file_db_bind(statement, 3, item->row.id);
    sqlite3_bind_int64(statement, 4, item->row.version);
    sqlite3_bind_blob(statement, 5, item->row.digest.bytes, sizeof item->row.digest.bytes,
                      SQLITE_STATIC);
    sqlite3_bind_int(statement, 6, item->row.deleted);
    if (json.size)
        file_db_bind(statement, 7, json);
    return file_db_step(db, statement, &row, err);
}

static enum outcome put_boxes(struct writing *writing, const struct batch_item *item,
                              struct error *err)
{
    bool row, bad = false;
    size_t at = 0;
    struct sealed_box box;
    struct file_db *db = &writing->store->db;
    while (secret_sealed_next(item->sealed, &at, &box, &bad)) {
        sqlite3_stmt *statement = file_db_statement(db, STATEMENT_PUT_BOX, err);
        if (!statement)
            return failed(err);
        file_db_bind(statement, 1, item->row.tenant);
        file_db_bind(statement, 2, box.reference);
        file_db_bind(statement, 3, bytes_text(item->mapping->entity));
        file_db_bind(statement, 4, item->row.id);
        file_db_bind(statement, 5, box.field);
        sqlite3_bind_blob64(statement, 6, box.box.data, box.box.size, SQLITE_STATIC);
        if (file_db_step(db, statement, &row, err) != OUT_OK)
            return failed(err);
    }
    return OUT_OK;
}

/* Decides by what is stored; OUT_OK with the item undecided when it is to be written. */
static enum outcome look(struct writing *writing, struct batch_item *item, struct bytes *soft,
                         struct error *err)
{
    bool there;
    struct file_db *db = &writing->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_SEE_RECORD, err);
    *soft = (struct bytes){0};
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, bytes_text(item->mapping->entity));
    file_db_bind(statement, 2, item->row.tenant);
    file_db_bind(statement, 3, item->row.id);
    if (file_db_step(db, statement, &there, err) != OUT_OK)
        return failed(err);
    int64_t version = there ? sqlite3_column_int64(statement, 0) : INT64_MIN;
    if (there && version >= item->row.version) {
        batch_decide_stored(item, version, file_db_column(statement, 1));
        if (writing->only_look && item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
    } else if (writing->only_look) { /* refused before the crash; or ours, and gone since */
        item->decided = true;
        item->verdict = writing->batch->second_look ? CLASS_DEAD : CLASS_APPLIED;
    } else if (item->row.deleted && item->mapping->on_delete == DELETE_SOFT && there) {
        *soft = soften(writing, item->mapping, file_db_column(statement, 2));
    }
    sqlite3_reset(statement);
    return OUT_OK;
}

static enum outcome write_item(struct writing *writing, size_t at, struct error *err)
{
    struct bytes soft;
    struct batch_item *item = &writing->batch->items[writing->batch->order[at]];
    enum outcome outcome = look(writing, item, &soft, err);
    if (outcome != OUT_OK || item->decided)
        return outcome;
    outcome = put_record(writing, item, item->row.deleted ? soft : writing->texts[at], err);
    if (outcome == OUT_OK && item->sealed.size)
        outcome = put_boxes(writing, item, err);
    item->decided = true;
    item->verdict = CLASS_APPLIED;
    return outcome;
}

static enum outcome mark_dirty(struct writing *writing, const struct batch_group *group,
                               struct error *err)
{
    bool row;
    struct file_db *db = &writing->store->db;
    sqlite3_stmt *statement = file_db_statement(db, STATEMENT_MARK_DIRTY, err);
    if (!statement)
        return failed(err);
    file_db_bind(statement, 1, bytes_text(group->mapping->entity));
    file_db_bind(statement, 2, group->tenant);
    return file_db_step(db, statement, &row, err);
}

static enum outcome write_group(struct writing *writing, const struct batch_group *group,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    bool any = false;
    for (size_t i = group->first; i < group->first + group->count && outcome == OUT_OK; i++) {
        struct batch_item *item = &writing->batch->items[writing->batch->order[i]];
        if (item->decided)
            continue; /* refused before */
        outcome = write_item(writing, i, err);
        any = any || item->verdict == CLASS_APPLIED;
    }
    if (outcome == OUT_OK && any && !writing->only_look)
        outcome = mark_dirty(writing, group, err);
    return outcome;
}

static enum outcome write_all(struct writing *writing, struct error *err)
{
    enum outcome outcome = writing->only_look ? OUT_OK : pass_fence(writing, err);
    size_t i = 0;
    do {
        for (; i < writing->batch->group_count && outcome == OUT_OK; i++)
            outcome = write_group(writing, &writing->batch->groups[i], err);
    } while (outcome == OUT_OK && batch_promote(writing->batch));
    if (outcome == OUT_OK)
        batch_settle(writing->batch);
    return outcome;
}

/* A COMMIT whose answer was an error may have reached the disk. */
static enum outcome settle_unknown(struct writing *writing, struct error *err)
{
    int64_t epoch, next;
    const struct batch_fence *fence = &writing->batch->fence;
    if (!writing->batch->outcome_unknown)
        return OUT_OK;
    enum outcome outcome = see_progress(writing, &epoch, &next, err);
    if (outcome == OUT_OK && epoch == fence->epoch && next == fence->end)
        writing->only_look = true;
    return outcome;
}

static void roll_back(struct file_store *store)
{
    struct error ignored; /* what went wrong before is what is told */
    if (!sqlite3_get_autocommit(store->db.connection))
        (void)!file_db_run(&store->db, STATEMENT_ROLLBACK, &ignored);
}

enum outcome file_store_write_batch(struct file_store *store, struct batch *batch,
                                    const struct bytes *texts, struct error *err)
{
    struct writing writing = {store, batch, texts, batch->second_look, {0}};
    buf_init(&writing.scratch, 256u << 20);
    enum outcome outcome = file_store_check_place(store, err);
    if (outcome == OUT_OK)
        outcome = file_db_run(&store->db, STATEMENT_BEGIN, err);
    if (outcome == OUT_OK)
        outcome = settle_unknown(&writing, err);
    if (outcome == OUT_OK)
        outcome = write_all(&writing, err);
    if (outcome == OUT_OK) {
        outcome = file_db_run(&store->db, STATEMENT_COMMIT, err);
        batch->outcome_unknown = outcome != OUT_OK || writing.only_look;
    }
    if (outcome != OUT_OK)
        roll_back(store);
    buf_free(&writing.scratch);
    return outcome;
}
