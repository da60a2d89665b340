#include "common/port/store_memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/diff_content.h"

#define PLACE_MOST 4096
#define FIRST_CAPACITY 1024
#define CONTENT_MOST (512u << 20)

struct entry {
    struct diff_key key; /* both 0: free */
    struct memory_row row;
};

struct progress {
    int32_t partition;
    int64_t next_offset, epoch;
};

/* A row whose cells and texts lie in the same block. */
struct kept_row {
    const struct mapping *mapping;
    struct row row;
    size_t size;
    struct cell cells[];
};

struct memory_store {
    enum memory_keeps keeps;
    size_t bytes, bytes_most;
    struct entry *entries; /* open addressing, a power of two */
    size_t capacity, used;
    struct progress *progress;
    size_t progress_count;
    struct mapping_work work;
    struct buf place, content;
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct memory_store *memory_store_new(enum memory_keeps keeps, size_t bytes_most)
{
    static_assert(sizeof(struct entry) == 64, "store_memory.h promises 64 bytes a key");
    struct memory_store *store = must(calloc(1, sizeof *store));
    store->keeps = keeps;
    store->bytes_most = bytes_most;
    mapping_work_init(&store->work);
    buf_init(&store->place, PLACE_MOST);
    buf_init(&store->content, CONTENT_MOST);
    return store;
}

void memory_store_free(struct memory_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->capacity && store->keeps == MEMORY_KEEPS_ROWS; i++)
        free(store->entries[i].row.kept);
    free(store->entries);
    free(store->progress);
    mapping_work_free(&store->work);
    buf_free(&store->place);
    buf_free(&store->content);
    free(store);
}

/* ---- progress ---------------------------------------------------------------------------- */

static struct progress *progress_of(struct memory_store *store, int32_t partition)
{
    for (size_t i = 0; i < store->progress_count; i++)
        if (store->progress[i].partition == partition)
            return &store->progress[i];
    store->progress =
        must(realloc(store->progress, (store->progress_count + 1) * sizeof *store->progress));
    store->progress[store->progress_count] = (struct progress){.partition = partition};
    return &store->progress[store->progress_count++];
}

int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset)
{
    struct progress *progress = progress_of(store, partition);
    *next_offset = progress->next_offset;
    return ++progress->epoch;
}

/* ---- places ------------------------------------------------------------------------------ */

static struct diff_key key_of(struct buf *place, struct bytes entity, struct bytes tenant,
                              struct bytes id)
{
    buf_reset(place);
    envelope_append_key(place, tenant, entity, id);
    assert(!place->failed);
    return diff_key_of(buf_view(place));
}

static bool is_free(const struct entry *entry)
{
    return entry->key.high == 0 && entry->key.low == 0;
}

static struct entry *slot_of(struct entry *entries, size_t capacity, const struct diff_key *key)
{
    for (size_t at = (size_t)key->low & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        struct entry *entry = &entries[at];
        if (is_free(entry) || diff_key_equal(&entry->key, key))
            return entry;
    }
}

static const struct entry *find_entry(const struct memory_store *store, const struct diff_key *key)
{
    if (store->capacity == 0)
        return NULL;
    const struct entry *entry = slot_of(store->entries, store->capacity, key);
    return is_free(entry) ? NULL : entry;
}

const struct memory_row *memory_store_find(const struct memory_store *store, const char *entity,
                                           struct bytes tenant, struct bytes id)
{
    struct buf place;
    buf_init(&place, PLACE_MOST);
    struct diff_key key = key_of(&place, bytes_text(entity), tenant, id);
    buf_free(&place);
    const struct entry *entry = find_entry(store, &key);
    return entry ? &entry->row : NULL;
}

bool memory_store_has(const struct memory_store *store, const struct diff_key *key)
{
    return find_entry(store, key) != NULL;
}

const struct memory_row *memory_store_next(const struct memory_store *store, size_t *at,
                                           struct diff_key *key)
{
    while (*at < store->capacity) {
        const struct entry *entry = &store->entries[(*at)++];
        if (is_free(entry))
            continue;
        *key = entry->key;
        return &entry->row;
    }
    return NULL;
}

size_t memory_store_count(const struct memory_store *store)
{
    return store->used;
}

size_t memory_store_bytes(const struct memory_store *store)
{
    return store->bytes;
}

/* ---- room -------------------------------------------------------------------------------- */

/* Places for `more` keys, at most seven eighths used. Old and new are there at the same time. */
static bool make_room(struct memory_store *store, size_t more)
{
    size_t capacity = store->capacity ? store->capacity : FIRST_CAPACITY;
    while (store->used + more > capacity - capacity / 8)
        capacity *= 2;
    if (capacity == store->capacity)
        return true;
    size_t bytes = capacity * sizeof(struct entry);
    if (store->bytes + bytes > store->bytes_most)
        return false;
    struct entry *entries = must(calloc(capacity, sizeof *entries));
    for (size_t i = 0; i < store->capacity; i++)
        if (!is_free(&store->entries[i]))
            *slot_of(entries, capacity, &store->entries[i].key) = store->entries[i];
    store->bytes += bytes - store->capacity * sizeof(struct entry);
    free(store->entries);
    store->entries = entries;
    store->capacity = capacity;
    return true;
}

static size_t kept_size(const struct batch_item *item)
{
    size_t size = sizeof(struct kept_row) + item->row.tenant.size + item->row.id.size;
    for (size_t i = 0; i < item->mapping->column_count; i++)
        size += sizeof(struct cell) +
                (item->row.cells[i].size > 0 ? (size_t)item->row.cells[i].size : 0);
    return size;
}

static bool has_room(struct memory_store *store, const struct batch *batch)
{
    size_t rows = 0;
    for (size_t i = 0; i < batch->order_count && store->keeps == MEMORY_KEEPS_ROWS; i++)
        rows += kept_size(&batch->items[batch->order[i]]);
    return store->bytes + rows <= store->bytes_most && make_room(store, batch->order_count);
}

enum outcome memory_store_admit(struct memory_store *store, const struct batch *batch,
                                struct error *err)
{
    const struct progress *progress = progress_of(store, batch->fence.partition);
    if (batch->second_look)
        return OUT_OK;
    if (progress->epoch != batch->fence.epoch)
        return error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
    if (progress->next_offset != batch->fence.start)
        return error_set(err, OUT_FATAL, ERR_PROGRESS,
                         "the batch does not begin where the last one ended");
    if (!has_room(store, batch))
        return error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                         "the rows do not fit the memory storage");
    return OUT_OK;
}

/* ---- writing ----------------------------------------------------------------------------- */

static struct bytes put(char **at, struct bytes part)
{
    char *start = *at;
    if (part.size)
        memcpy(start, part.data, part.size);
    *at += part.size;
    return bytes_of(start, part.size);
}

static struct kept_row *keep(const struct batch_item *item)
{
    size_t size = kept_size(item), count = item->mapping->column_count;
    struct kept_row *kept = must(malloc(size));
    char *at = (char *)&kept->cells[count];
    kept->mapping = item->mapping;
    kept->size = size;
    kept->row = item->row;
    kept->row.tenant = put(&at, item->row.tenant);
    kept->row.id = put(&at, item->row.id);
    kept->row.cells = kept->cells;
    for (size_t i = 0; i < count; i++) {
        struct cell cell = item->row.cells[i];
        kept->cells[i] = cell;
        if (cell.size > 0)
            kept->cells[i].data = put(&at, bytes_of(cell.data, (size_t)cell.size)).data;
    }
    return kept;
}

static void check(struct memory_store *store, const struct batch_item *item, struct memory_row *row)
{
    yyjson_doc *doc = NULL;
    row->unreadable = false;
    if (item->row.deleted)
        return;
    row->unreadable =
        mapping_inverse(item->mapping, &item->row, &store->work, &doc, NULL) != OUT_OK ||
        !diff_content_digest(item->mapping, yyjson_doc_get_root(doc), item->row.cells,
                             &store->content, &row->given_back);
    yyjson_doc_free(doc);
}

static void write_row(struct memory_store *store, const struct batch_item *item,
                      struct memory_row *row)
{
    row->version = item->row.version;
    row->digest = item->row.digest;
    row->deleted = item->row.deleted;
    row->writes++;
    if (store->keeps == MEMORY_KEEPS_CHECKS)
        check(store, item, row);
    if (store->keeps != MEMORY_KEEPS_ROWS)
        return;
    if (row->kept)
        store->bytes -= row->kept->size;
    free(row->kept);
    row->kept = keep(item);
    store->bytes += row->kept->size;
}

static void write_item(struct memory_store *store, struct batch_item *item, bool only_look)
{
    struct diff_key key =
        key_of(&store->place, bytes_text(item->mapping->entity), item->row.tenant, item->row.id);
    const struct entry *there = find_entry(store, &key);
    int64_t version = there ? there->row.version : INT64_MIN;
    item->decided = true;
    if (there && version >= item->row.version) {
        const struct digest *digest = &there->row.digest;
        batch_decide_stored(item, version, bytes_of(digest->bytes, sizeof digest->bytes));
        if (only_look && item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
        return;
    }
    if (only_look) { /* it was refused, and its place holds an older one or nothing */
        item->verdict = CLASS_DEAD;
        return;
    }
    struct entry *entry = slot_of(store->entries, store->capacity, &key);
    if (is_free(entry)) {
        store->used++;
        entry->key = key;
    }
    write_row(store, item, &entry->row);
    item->verdict = CLASS_APPLIED;
}

void memory_store_write(struct memory_store *store, struct batch *batch)
{
    size_t i = 0;
    do {
        for (; i < batch->order_count; i++) {
            struct batch_item *item = &batch->items[batch->order[i]];
            if (!item->decided)
                write_item(store, item, batch->second_look);
        }
    } while (batch_promote(batch));
    batch_settle(batch);
    if (!batch->second_look)
        progress_of(store, batch->fence.partition)->next_offset = batch->fence.end;
}

/* ---- reading back ------------------------------------------------------------------------ */

struct memory_reader {
    struct stored_reader base;
    struct memory_store *store;
    size_t at;
};

static enum outcome read_progress(struct stored_reader *base, const char *group, const char *topic,
                                  int32_t partition, int64_t *next_offset, struct error *err)
{
    const struct memory_store *store = ((struct memory_reader *)base)->store;
    (void)group;
    (void)topic;
    (void)err;
    *next_offset = -1;
    for (size_t i = 0; i < store->progress_count; i++)
        if (store->progress[i].partition == partition)
            *next_offset = store->progress[i].next_offset;
    return OUT_OK;
}

static enum outcome give(struct memory_store *store, const struct memory_row *row,
                         struct stored *stored, struct error *err)
{
    yyjson_doc *doc = NULL;
    const struct kept_row *kept = row->kept;
    *stored = (struct stored){.mapping = kept->mapping,
                              .tenant = kept->row.tenant,
                              .id = kept->row.id,
                              .version = row->version,
                              .digest = row->digest,
                              .deleted = row->deleted,
                              .cells = kept->cells};
    if (row->deleted)
        return OUT_OK;
    enum outcome outcome = mapping_inverse(kept->mapping, &kept->row, &store->work, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(&store->content);
    canonical_append(&store->content, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    stored->json = buf_view(&store->content);
    if (store->content.failed)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to be read back");
    return OUT_OK;
}

static enum outcome read_next(struct stored_reader *base, struct stored *stored, struct error *err)
{
    struct memory_reader *reader = (struct memory_reader *)base;
    struct diff_key key;
    const struct memory_row *row = memory_store_next(reader->store, &reader->at, &key);
    if (row)
        return give(reader->store, row, stored, err);
    *stored = (struct stored){0};
    return OUT_OK;
}

static enum outcome find(struct stored_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored *stored, bool *found,
                         struct error *err)
{
    struct memory_store *store = ((struct memory_reader *)base)->store;
    const struct memory_row *row = memory_store_find(store, mapping->entity, tenant, id);
    *found = row != NULL;
    return row ? give(store, row, stored, err) : OUT_OK;
}

static void close_reader(struct stored_reader *base)
{
    free(base);
}

struct stored_reader *memory_stored_open(struct memory_store *store)
{
    static const struct stored_ops OPS = {read_progress, read_next, find, close_reader};
    assert(store->keeps == MEMORY_KEEPS_ROWS);
    struct memory_reader *reader = must(calloc(1, sizeof *reader));
    *reader = (struct memory_reader){{&OPS}, store, 0};
    return &reader->base;
}
