#include "common/port/store_memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/diff_content.h"
#include "common/port/store_memory_children.h"
#include "common/port/store_memory_unique.h"

#define PLACE_MAX 8192
#define FIRST_CAPACITY 64
#define CONTENT_MAX (512u << 20)

struct entry {
    struct diff_key key; /* both 0: free */
    struct memory_row row;
};

/* A row whose cells and texts lie in the same block. */
struct kept_row {
    const struct mapping *mapping;
    struct row row;
    size_t size;
    struct cell cells[];
};

/* A row as it was before the call that writes now. */
struct undo {
    struct diff_key key;
    bool was_there;
    struct memory_row row;
};

struct memory_store {
    enum memory_keeps keeps;
    size_t bytes, bytes_max;
    struct entry *entries; /* open addressing, a power of two */
    size_t capacity, used;
    struct undo *undos;
    size_t undo_count, undo_room;
    struct memory_checkpoint *checkpoints;
    size_t checkpoint_count;
    const struct mapping **mappings; /* those of rows, by their number */
    size_t mapping_count;
    uint16_t last_mapping;
    const struct mapping_set *set; /* NULL: they say nothing of each other */
    struct memory_unique *unique;
    struct memory_children children;
    struct mapping_work work;
    struct buf place, id, content;
};

struct memory_store *memory_store_new(enum memory_keeps keeps, size_t bytes_max)
{
    static_assert(sizeof(struct entry) == 64, "store_memory.h promises 64 bytes a key");
    struct memory_store *store = mem_new(sizeof *store);
    store->keeps = keeps;
    store->bytes_max = bytes_max;
    mapping_work_init(&store->work);
    buf_init(&store->place, PLACE_MAX);
    buf_init(&store->id, PLACE_MAX);
    buf_init(&store->content, CONTENT_MAX);
    return store;
}

void memory_store_free(struct memory_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->capacity && store->keeps == MEMORY_KEEPS_ROWS; i++)
        free(store->entries[i].row.kept);
    for (size_t i = 0; i < store->checkpoint_count; i++)
        free((char *)store->checkpoints[i].sequences.data);
    free(store->entries);
    free(store->undos);
    free(store->checkpoints);
    free(store->mappings);
    memory_unique_free(store->unique);
    memory_children_free(&store->children);
    mapping_work_free(&store->work);
    buf_free(&store->place);
    buf_free(&store->id);
    buf_free(&store->content);
    free(store);
}

void memory_store_use_mappings(struct memory_store *store, const struct mapping_set *mappings,
                               bool indexes)
{
    assert(store->used == 0 && !store->set);
    store->set = mappings;
    store->unique = indexes ? memory_unique_new(mappings) : NULL;
}

const struct mapping_set *memory_store_mappings(const struct memory_store *store)
{
    return store->set;
}

bool memory_store_keeps_rows(const struct memory_store *store)
{
    return store->keeps == MEMORY_KEEPS_ROWS;
}

struct memory_children *memory_store_children(struct memory_store *store)
{
    return &store->children;
}

size_t memory_store_bytes(const struct memory_store *store)
{
    return store->bytes + store->children.bytes + memory_unique_bytes(store->unique);
}

static bool fits(const struct memory_store *store, size_t more)
{
    size_t bytes = memory_store_bytes(store);
    return bytes <= store->bytes_max && more <= store->bytes_max - bytes;
}

static enum outcome refuse_room(struct error *err)
{
    return error_set(err, OUT_FATAL, ERR_STORE_MEMORY, "the rows do not fit the memory storage");
}

/* ---- checkpoints ------------------------------------------------------------------------- */

static struct memory_checkpoint *find_checkpoint(const struct memory_store *store,
                                                 int32_t partition)
{
    for (size_t i = 0; i < store->checkpoint_count; i++)
        if (store->checkpoints[i].partition == partition)
            return &store->checkpoints[i];
    return NULL;
}

const struct memory_checkpoint *memory_store_checkpoint(const struct memory_store *store,
                                                        int32_t partition)
{
    return find_checkpoint(store, partition);
}

int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset)
{
    struct memory_checkpoint *checkpoint = find_checkpoint(store, partition);
    if (!checkpoint) {
        store->checkpoints =
            mem_resize(store->checkpoints, store->checkpoint_count + 1, sizeof *store->checkpoints);
        checkpoint = &store->checkpoints[store->checkpoint_count++];
        *checkpoint = (struct memory_checkpoint){.partition = partition};
    }
    checkpoint->owned = true;
    *next_offset = checkpoint->next_offset;
    return ++checkpoint->epoch;
}

static struct memory_checkpoint *of_epoch(const struct memory_store *store, int32_t partition,
                                          int64_t epoch)
{
    struct memory_checkpoint *checkpoint = find_checkpoint(store, partition);
    return checkpoint && checkpoint->epoch == epoch ? checkpoint : NULL;
}

static void raise_to(int64_t *mark, int64_t reached)
{
    *mark = reached > *mark ? reached : *mark;
}

void memory_store_advance(struct memory_store *store, int32_t partition, int64_t epoch,
                          int64_t redis_next, int64_t results_next)
{
    struct memory_checkpoint *checkpoint = of_epoch(store, partition, epoch);
    if (!checkpoint)
        return;
    raise_to(&checkpoint->redis_next, redis_next);
    raise_to(&checkpoint->results_next, results_next);
}

void memory_store_release(struct memory_store *store, int32_t partition, int64_t epoch)
{
    struct memory_checkpoint *checkpoint = of_epoch(store, partition, epoch);
    if (checkpoint)
        checkpoint->owned = false;
}

static void set_sequences(struct memory_store *store, struct memory_checkpoint *checkpoint,
                          struct bytes sequences)
{
    char *copy = mem_alloc(sequences.size + 1);
    memcpy(copy, sequences.size ? sequences.data : "", sequences.size);
    free((char *)checkpoint->sequences.data);
    store->bytes += sequences.size - checkpoint->sequences.size;
    checkpoint->sequences = bytes_of(copy, sequences.size);
}

void memory_store_resume(struct memory_store *store, int32_t partition, int64_t next_offset,
                         struct bytes sequences)
{
    struct memory_checkpoint *checkpoint = find_checkpoint(store, partition);
    set_sequences(store, checkpoint, sequences);
    checkpoint->next_offset = next_offset;
    raise_to(&checkpoint->redis_next, next_offset);
    raise_to(&checkpoint->results_next, next_offset);
    checkpoint->epoch++;
    checkpoint->owned = false;
}

static enum outcome ask_epoch(const struct memory_store *store, const struct batch_fence *fence,
                              struct error *err)
{
    if (of_epoch(store, fence->partition, fence->epoch))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
}

static enum outcome ask_fence(const struct memory_store *store, const struct batch_fence *fence,
                              struct error *err)
{
    enum outcome outcome = ask_epoch(store, fence, err);
    if (outcome == OUT_OK &&
        (find_checkpoint(store, fence->partition)->next_offset != fence->start ||
         fence->end < fence->start))
        outcome = error_set(err, OUT_FATAL, ERR_CHECKPOINT,
                            "the batch does not begin where the last one ended");
    return outcome;
}

static enum outcome move_checkpoint(struct memory_store *store, const struct batch_fence *fence,
                                    struct error *err)
{
    struct memory_checkpoint *checkpoint = find_checkpoint(store, fence->partition);
    struct bytes old = checkpoint->sequences, new = fence->sequences;
    if (!bytes_equal(old, new)) {
        if (new.size > old.size && !fits(store, new.size - old.size))
            return refuse_room(err);
        set_sequences(store, checkpoint, new);
    }
    checkpoint->next_offset = fence->end;
    raise_to(&checkpoint->redis_next, fence->redis_next);
    raise_to(&checkpoint->results_next, fence->results_next);
    return OUT_OK;
}

enum outcome memory_store_has_written(const struct memory_store *store, const struct batch *batch,
                                      bool *written, struct error *err)
{
    enum outcome outcome = ask_epoch(store, &batch->fence, err);
    /* with our epoch only this batch can have moved it there */
    *written = outcome == OUT_OK &&
               find_checkpoint(store, batch->fence.partition)->next_offset == batch->fence.end;
    return outcome;
}

/* ---- places ------------------------------------------------------------------------------ */

/* Both 0, where nothing is, when it is too long to be a record's. */
static struct diff_key key_of(struct buf *place, struct bytes entity, struct bytes tenant,
                              struct bytes id)
{
    buf_reset(place);
    envelope_append_key(place, tenant, entity, id);
    return place->failed ? (struct diff_key){0} : diff_key_of(buf_view(place));
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
    buf_init(&place, PLACE_MAX);
    struct diff_key key = key_of(&place, bytes_text(entity), tenant, id);
    buf_free(&place);
    const struct entry *entry = find_entry(store, &key);
    return entry ? &entry->row : NULL;
}

static bool is_held(const struct entry *entry, const struct row *row)
{
    const struct digest *digest = &entry->row.digest;
    return batch_is_held(row, entry->row.version, (int32_t)entry->row.generation,
                         bytes_of(digest->bytes, sizeof *digest));
}

bool memory_store_has(const struct memory_store *store, const struct diff_key *key)
{
    return find_entry(store, key) != NULL;
}

bool memory_store_holds(const struct memory_store *store, const struct diff_key *key,
                        const struct row *row)
{
    const struct entry *entry = find_entry(store, key);
    return entry && is_held(entry, row);
}

size_t memory_store_count(const struct memory_store *store)
{
    return store->used;
}

/* ---- room -------------------------------------------------------------------------------- */

/* A place for one more key, at most seven eighths used. Old and new are there at the same time. */
static bool make_room(struct memory_store *store)
{
    if (store->used + 1 <= store->capacity - store->capacity / 8)
        return true;
    size_t capacity = store->capacity ? store->capacity * 2 : FIRST_CAPACITY;
    size_t bytes = capacity * sizeof(struct entry);
    if (!fits(store, bytes))
        return false;
    struct entry *entries = mem_zeroed(capacity, sizeof *entries);
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

/* ---- writing ----------------------------------------------------------------------------- */

static struct kept_row *keep(const struct batch_item *item)
{
    size_t size = kept_size(item), count = item->mapping->column_count;
    struct kept_row *kept = mem_alloc(size);
    char *at = (char *)&kept->cells[count];
    kept->mapping = item->mapping;
    kept->size = size;
    kept->row = item->row;
    kept->row.tenant = bytes_put(&at, item->row.tenant);
    kept->row.id = bytes_put(&at, item->row.id);
    kept->row.cells = kept->cells;
    for (size_t i = 0; i < count; i++) {
        struct cell cell = item->row.cells[i];
        kept->cells[i] = cell;
        if (cell.size > 0)
            kept->cells[i].data = bytes_put(&at, bytes_of(cell.data, (size_t)cell.size)).data;
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

/* The number of an item's mapping, which a row keeps. */
static uint16_t number_of(struct memory_store *store, const struct mapping *mapping)
{
    if (store->mapping_count && store->mappings[store->last_mapping] == mapping)
        return store->last_mapping;
    size_t at = 0;
    while (at < store->mapping_count && store->mappings[at] != mapping)
        at++;
    assert(at <= UINT16_MAX);
    if (at == store->mapping_count) {
        store->mappings =
            mem_resize(store->mappings, store->mapping_count + 1, sizeof *store->mappings);
        store->mappings[store->mapping_count++] = mapping;
    }
    return store->last_mapping = (uint16_t)at;
}

static void note_undo(struct memory_store *store, const struct entry *entry)
{
    store->undos =
        mem_grown(store->undos, &store->undo_room, store->undo_count + 1, sizeof *store->undos);
    store->undos[store->undo_count++] =
        (struct undo){.key = entry->key, .was_there = !is_free(entry), .row = entry->row};
}

/* False when it does not fit. */
static bool write_row(struct memory_store *store, const struct batch_item *item,
                      const struct diff_key *key)
{
    size_t size = store->keeps == MEMORY_KEEPS_ROWS ? kept_size(item) : 0;
    if (!make_room(store) || !fits(store, size))
        return false;
    struct entry *entry = slot_of(store->entries, store->capacity, key);
    struct memory_row *row = &entry->row;
    assert((key->high || key->low) && "a record's key is too long");
    note_undo(store, entry);
    store->undos[store->undo_count - 1].key = *key;
    store->used += is_free(entry);
    entry->key = *key;
    row->version = item->row.version;
    assert(item->row.generation >= 0 && item->row.generation < MEMORY_GENERATIONS);
    row->generation = (uint32_t)item->row.generation;
    row->digest = item->row.digest;
    row->deleted = item->row.deleted;
    row->mapping = number_of(store, item->mapping);
    row->writes++;
    if (store->keeps == MEMORY_KEEPS_CHECKS)
        check(store, item, row);
    if (store->keeps == MEMORY_KEEPS_ROWS)
        row->kept = keep(item);
    store->bytes += size;
    return true;
}

/* Closes the gap: what was placed behind it for want of its place moves up. */
static void remove_entry(struct memory_store *store, struct entry *gap)
{
    size_t mask = store->capacity - 1, hole = (size_t)(gap - store->entries);
    for (size_t at = (hole + 1) & mask; !is_free(&store->entries[at]); at = (at + 1) & mask) {
        size_t home = (size_t)store->entries[at].key.low & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        store->entries[hole] = store->entries[at];
        hole = at;
    }
    store->entries[hole] = (struct entry){0};
    store->used--;
}

static void drop_kept(struct memory_store *store, const struct memory_row *row)
{
    if (store->keeps != MEMORY_KEEPS_ROWS || !row->kept)
        return;
    store->bytes -= row->kept->size;
    free(row->kept);
}

static void begin_writing(struct memory_store *store)
{
    store->undo_count = 0;
    memory_unique_begin(store->unique);
}

static void end_writing(struct memory_store *store, bool keep)
{
    memory_unique_end(store->unique, keep);
    for (size_t i = store->undo_count; i-- > 0;) {
        const struct undo *undo = &store->undos[i];
        if (keep) {
            drop_kept(store, &undo->row);
            continue;
        }
        struct entry *entry = slot_of(store->entries, store->capacity, &undo->key);
        drop_kept(store, &entry->row);
        if (undo->was_there)
            entry->row = undo->row;
        else
            remove_entry(store, entry);
    }
    store->undo_count = 0;
}

/* ---- parents ----------------------------------------------------------------------------- */

/* The parent's place from the child's cells; false when one is NULL: no reference. */
static bool parent_key(struct memory_store *store, const struct mapping *parent,
                       const struct mapping_reference *reference, const struct row *row,
                       struct diff_key *key)
{
    struct cell cells[MAPPING_COLUMNS_MAX];
    if (reference->column_count != parent->key_count)
        return false;
    for (size_t i = 0; i < parent->column_count; i++)
        cells[i] = CELL_NULL;
    for (size_t i = 0; i < reference->column_count; i++) {
        cells[parent->key[i]] = row->cells[reference->columns[i]];
        if (cells[parent->key[i]].size < 0)
            return false;
    }
    buf_reset(&store->id);
    bool made = mapping_append_id(parent, cells, &store->id);
    *key = key_of(&store->place, bytes_text(parent->entity), row->tenant, buf_view(&store->id));
    if (store->id.failed) /* longer than any record's */
        *key = (struct diff_key){0};
    return made || store->id.failed;
}

bool memory_store_missing_parent(struct memory_store *store, const struct mapping *mapping,
                                 const struct row *row, struct diff_key *key)
{
    for (size_t i = 0; store->set && i < mapping->reference_count; i++) {
        const struct mapping_reference *reference = &mapping->references[i];
        const struct mapping *parent = mapping_set_find(store->set, bytes_text(reference->entity));
        if (!parent || !parent_key(store, parent, reference, row, key) || find_entry(store, key))
            continue;
        struct diff_key own =
            key_of(&store->place, bytes_text(mapping->entity), row->tenant, row->id);
        if (!diff_key_equal(&own, key)) /* its own parent comes with it */
            return true;
    }
    return false;
}

/* ---- items ------------------------------------------------------------------------------- */

static const struct memory_writing NOTHING_ELSE = {NULL, NULL, NULL};

/* OUT_FATAL when it does not fit. */
static enum outcome write_item(struct memory_store *store, struct batch *batch,
                               struct batch_item *item, const struct memory_writing *writing,
                               struct error *err)
{
    struct error why;
    struct diff_key key, parent;
    if (writing->refuses && writing->refuses(item)) {
        error_set(&why, OUT_REJECT, ERR_PG_DATA, "the store refused the record");
        batch_reject(batch, item, &why);
        return OUT_OK;
    }
    key = key_of(&store->place, bytes_text(item->mapping->entity), item->row.tenant, item->row.id);
    const struct entry *exists = find_entry(store, &key);
    item->decided = true;
    if (exists && is_held(exists, &item->row)) {
        const struct digest *digest = &exists->row.digest;
        batch_decide_stored(item, exists->row.version, (int32_t)exists->row.generation,
                            bytes_of(digest->bytes, sizeof *digest));
        return OUT_OK;
    }
    item->verdict = CLASS_WAITING;
    if (memory_store_missing_parent(store, item->mapping, &item->row, &parent))
        return OUT_OK;
    if (!fits(store, memory_unique_growth(store->unique)))
        return refuse_room(err);
    if (memory_unique_take(store->unique, item->mapping, &item->row, &why) != OUT_OK) {
        batch_reject(batch, item, &why);
        return OUT_OK;
    }
    item->verdict = CLASS_APPLIED;
    return write_row(store, item, &key) ? OUT_OK : refuse_room(err);
}

/* Of order, from `first` on. What waits may have its parent behind it: again, as long as that
 * brings something. */
static enum outcome write_order(struct memory_store *store, struct batch *batch, size_t first,
                                const struct memory_writing *writing, struct error *err)
{
    enum outcome outcome = OUT_OK;
    struct diff_key parent;
    bool any = false;
    for (size_t i = first; i < batch->order_count && outcome == OUT_OK; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        if (item->decided)
            continue;
        outcome = write_item(store, batch, item, writing, err);
        item->aside = item->verdict == CLASS_WAITING;
        any = any || item->aside;
    }
    while (any && outcome == OUT_OK) {
        any = false;
        for (size_t i = first; i < batch->order_count && outcome == OUT_OK; i++) {
            struct batch_item *item = &batch->items[batch->order[i]];
            if (!item->aside ||
                memory_store_missing_parent(store, item->mapping, &item->row, &parent))
                continue;
            outcome = write_item(store, batch, item, writing, err);
            item->aside = false;
            any = true;
        }
    }
    for (size_t i = first; i < batch->order_count; i++)
        batch->items[batch->order[i]].aside = false;
    return outcome;
}

static size_t count_class(const struct batch *batch, enum record_class verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        count += item->decided && item->verdict == verdict;
    }
    return count;
}

static void refuse_waiting(struct batch *batch)
{
    struct error why;
    error_set(&why, OUT_REJECT, ERR_PG_PARENT, "%s", error_code_meaning(ERR_PG_PARENT));
    for (size_t i = 0; i < batch->order_count; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        if (item->decided && item->verdict == CLASS_WAITING)
            batch_reject(batch, item, &why);
    }
}

static enum outcome write_items(struct memory_store *store, struct batch *batch,
                                const struct memory_writing *writing, bool keeps_children,
                                struct error *err)
{
    size_t first = 0;
    enum outcome outcome;
    do {
        outcome = write_order(store, batch, first, writing, err);
        first = batch->order_count;
        if (!keeps_children)
            refuse_waiting(batch);
    } while (outcome == OUT_OK && batch_promote(batch));
    if (outcome == OUT_OK)
        batch_settle(batch);
    return outcome;
}

static enum outcome keep_child(struct memory_store *store, const struct batch *batch,
                               const struct memory_writing *writing, struct error *err)
{
    struct envelope message;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        struct diff_key parent = {0};
        if (!item->decided || item->verdict != CLASS_WAITING)
            continue;
        writing->view_message(writing->owner, item, &message);
        if (!fits(store, memory_child_size(item, &message)))
            return refuse_room(err);
        memory_store_missing_parent(store, item->mapping, &item->row, &parent);
        struct diff_key own = key_of(&store->place, bytes_text(item->mapping->entity),
                                     item->row.tenant, item->row.id);
        memory_children_add(&store->children, batch->fence.partition, item, &message, &own,
                            &parent);
    }
    return OUT_OK;
}

/* An earlier call has rolled back what it wrote; what it refused or kept pending stands. */
static void undecide_written(struct batch *batch)
{
    for (size_t i = 0; i < batch->sorted_count; i++) {
        struct batch_item *item = &batch->items[batch->sorted[i]];
        if (item->decided && item->verdict != CLASS_DEAD && item->verdict != CLASS_WAITING)
            item->decided = false;
    }
}

enum outcome memory_store_write(struct memory_store *store, struct batch *batch,
                                const struct memory_writing *writing, struct error *err)
{
    writing = writing ? writing : &NOTHING_ELSE;
    enum outcome outcome = ask_fence(store, &batch->fence, err);
    if (outcome != OUT_OK)
        return outcome;
    size_t child_count = store->children.count;
    undecide_written(batch);
    size_t told = count_class(batch, CLASS_DEAD) + count_class(batch, CLASS_WAITING);
    begin_writing(store);
    outcome = write_items(store, batch, writing, writing->view_message != NULL, err);
    if (outcome == OUT_OK &&
        count_class(batch, CLASS_DEAD) + count_class(batch, CLASS_WAITING) > told)
        outcome = OUT_REJECT;
    if (outcome == OUT_OK)
        outcome = keep_child(store, batch, writing, err);
    if (outcome == OUT_OK)
        outcome = move_checkpoint(store, &batch->fence, err);
    if (outcome != OUT_OK)
        memory_children_cut(&store->children, child_count);
    end_writing(store, outcome == OUT_OK);
    return outcome;
}

enum outcome memory_store_settle(struct memory_store *store, struct batch *batch, struct error *err)
{
    begin_writing(store);
    enum outcome outcome = write_items(store, batch, &NOTHING_ELSE, true, err);
    end_writing(store, outcome == OUT_OK);
    return outcome;
}

/* ---- looking at what was written before -------------------------------------------------- */

/* What the answers prove: pg_writer.c. */
static void scan_one(struct memory_store *store, const struct batch *batch, struct batch_item *item)
{
    struct diff_key key =
        key_of(&store->place, bytes_text(item->mapping->entity), item->row.tenant, item->row.id);
    const struct entry *exists = find_entry(store, &key);
    bool purged = item->row.deleted && item->mapping->on_delete == DELETE_HARD;
    item->decided = true;
    item->seen = SEEN_NOTHING;
    if (exists) {
        const struct digest *digest = &exists->row.digest;
        batch_decide_stored(item, exists->row.version, (int32_t)exists->row.generation,
                            bytes_of(digest->bytes, sizeof *digest));
    }
    if (exists && exists->row.version >= item->row.version) {
        if (item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
    } else if (item->dead_lettered || (batch->redelivered && !purged)) {
        item->verdict = CLASS_DEAD;
    } else {
        item->verdict = CLASS_APPLIED;
    }
}

void memory_store_classify(struct memory_store *store, struct batch *batch)
{
    size_t at = 0;
    for (size_t i = 0; i < batch->sorted_count && store->children.count; i++) {
        struct batch_item *item = &batch->items[batch->sorted[i]];
        const struct memory_child *child =
            memory_children_find(&store->children, batch->fence.partition, item->offset);
        if (!child)
            continue;
        item->decided = item->tried = true;
        item->verdict = CLASS_WAITING;
    }
    do {
        for (; at < batch->order_count; at++) {
            struct batch_item *item = &batch->items[batch->order[at]];
            if (!item->decided)
                scan_one(store, batch, item);
        }
    } while (batch_promote(batch));
    batch_settle(batch);
}

/* ---- reading back ------------------------------------------------------------------------ */

struct memory_reader {
    struct store_reader base;
    struct memory_store *store;
    size_t at;
    struct diff_key key; /* of the record given last */
};

static enum outcome read_checkpoint(struct store_reader *base, const char *group, const char *topic,
                                    int32_t partition, int64_t *next_offset, struct error *err)
{
    const struct memory_store *store = ((struct memory_reader *)base)->store;
    (void)group;
    (void)topic;
    (void)err;
    *next_offset = -1;
    const struct memory_checkpoint *checkpoint = memory_store_checkpoint(store, partition);
    if (checkpoint)
        *next_offset = checkpoint->next_offset;
    return OUT_OK;
}

/* What was found when it was written: MEMORY_KEEPS_CHECKS. */
static enum outcome give_check(const struct memory_row *row, struct stored_record *stored,
                               struct error *err)
{
    if (row->deleted)
        return OUT_OK;
    if (row->unreadable)
        return error_set(err, OUT_REJECT, ERR_VALUE_FORM, "the row gives no record back");
    stored->given_back = &row->given_back;
    return OUT_OK;
}

static enum outcome give_row(struct memory_store *store, const struct kept_row *kept,
                             struct stored_record *stored, struct error *err)
{
    yyjson_doc *doc = NULL;
    stored->tenant = kept->row.tenant;
    stored->id = kept->row.id;
    stored->cells = kept->cells;
    if (stored->deleted)
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

static enum outcome give(struct memory_reader *reader, const struct diff_key *key,
                         const struct memory_row *row, struct stored_record *stored,
                         struct error *err)
{
    struct memory_store *store = reader->store;
    reader->key = *key;
    *stored = (struct stored_record){.mapping = store->mappings[row->mapping],
                                     .key = &reader->key,
                                     .version = row->version,
                                     .generation = (int32_t)row->generation,
                                     .digest = row->digest,
                                     .deleted = row->deleted};
    return store->keeps == MEMORY_KEEPS_ROWS ? give_row(store, row->kept, stored, err)
                                             : give_check(row, stored, err);
}

/* The next row from *at on, which then stands behind it; NULL at the end. In no order. */
static const struct memory_row *next_row(const struct memory_store *store, size_t *at,
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

static enum outcome read_next(struct store_reader *base, struct stored_record *stored,
                              struct error *err)
{
    struct memory_reader *reader = (struct memory_reader *)base;
    struct diff_key key;
    const struct memory_row *row = next_row(reader->store, &reader->at, &key);
    if (row)
        return give(reader, &key, row, stored, err);
    *stored = (struct stored_record){0};
    return OUT_OK;
}

static enum outcome find(struct store_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored_record *stored,
                         bool *found, struct error *err)
{
    struct memory_reader *reader = (struct memory_reader *)base;
    struct memory_store *store = reader->store;
    struct diff_key key = key_of(&store->place, bytes_text(mapping->entity), tenant, id);
    const struct entry *entry = find_entry(store, &key);
    *found = entry != NULL;
    return entry ? give(reader, &key, &entry->row, stored, err) : OUT_OK;
}

static void close_reader(struct store_reader *base)
{
    free(base);
}

struct store_reader *memory_store_reader_open(struct memory_store *store)
{
    static const struct store_reader_ops OPS = {read_checkpoint, read_next, find, close_reader};
    assert(store->keeps != MEMORY_KEEPS_VERSIONS);
    struct memory_reader *reader = mem_new(sizeof *reader);
    reader->base.ops = &OPS;
    reader->store = store;
    return &reader->base;
}
