/* Of each record its values' hashes are kept, so that a newer version frees what the older one
 * held. */
#include "common/port/store_memory_unique.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/diff.h"

#define FIRST_ROOM 64 /* a power of two */
#define TEXT_MAX ((size_t)1 << 20)

/* Of a record and index: what it holds; of values: who holds them. */
struct holding {
    struct diff_key key, other;
    bool used, live;
};

struct memory_unique {
    struct holding *items;
    size_t count, room;
    struct buf text;
    size_t indexes_max; /* of one mapping */
    bool noting;
    struct holding *before; /* what was changed since memory_unique_begin, as it was */
    size_t before_count, before_room;
};

struct memory_unique *memory_unique_new(const struct mapping_set *mappings)
{
    size_t max = 0;
    for (size_t i = 0; i < mappings->count; i++) {
        size_t count = 0;
        for (size_t k = 0; k < mappings->items[i]->index_count; k++)
            count += mappings->items[i]->indexes[k].unique;
        max = count > max ? count : max;
    }
    if (!max)
        return NULL;
    struct memory_unique *unique = mem_new(sizeof *unique);
    size_t room = FIRST_ROOM;
    while (max * 8 > room) /* so that twice the room is always enough for one row more */
        room *= 2;
    unique->items = mem_zeroed(room, sizeof *unique->items);
    unique->room = room;
    unique->indexes_max = max;
    buf_init(&unique->text, TEXT_MAX);
    return unique;
}

void memory_unique_free(struct memory_unique *unique)
{
    if (!unique)
        return;
    free(unique->items);
    free(unique->before);
    buf_free(&unique->text);
    free(unique);
}

size_t memory_unique_bytes(const struct memory_unique *unique)
{
    return unique ? unique->room * sizeof *unique->items : 0;
}

static struct holding *place_of(struct holding *items, size_t room, const struct diff_key *key)
{
    size_t at = key->low & (room - 1);
    while (items[at].used && !diff_key_equal(&items[at].key, key))
        at = (at + 1) & (room - 1);
    return &items[at];
}

/* Values that nobody holds any more need no place, nor does a record that holds none. */
static bool is_nothing(const struct holding *holding)
{
    return !holding->used || !holding->live;
}

static bool is_full(const struct memory_unique *unique)
{
    return (unique->count + 2 * unique->indexes_max) * 4 > unique->room * 3;
}

size_t memory_unique_growth(const struct memory_unique *unique)
{
    return unique && is_full(unique) ? unique->room * 2 * sizeof *unique->items : 0;
}

/* Room for one more row. */
static void grow(struct memory_unique *unique)
{
    size_t room = unique->room, count = 0;
    if (!is_full(unique))
        return;
    for (size_t i = 0; i < unique->room; i++)
        count += !is_nothing(&unique->items[i]);
    while ((count + 2 * unique->indexes_max) * 2 > room)
        room *= 2;
    struct holding *items = mem_zeroed(room, sizeof *items);
    for (size_t i = 0; i < unique->room; i++)
        if (!is_nothing(&unique->items[i]))
            *place_of(items, room, &unique->items[i].key) = unique->items[i];
    free(unique->items);
    unique->items = items;
    unique->room = room;
    unique->count = count;
}

/* ---- undoing ----------------------------------------------------------------------------- */

void memory_unique_begin(struct memory_unique *unique)
{
    if (!unique)
        return;
    unique->noting = true;
    unique->before_count = 0;
}

static void note(struct memory_unique *unique, const struct holding *holding)
{
    if (!unique->noting)
        return;
    unique->before = mem_grown(unique->before, &unique->before_room, unique->before_count + 1,
                               sizeof *unique->before);
    unique->before[unique->before_count++] = *holding;
}

void memory_unique_end(struct memory_unique *unique, bool keep)
{
    if (!unique)
        return;
    for (size_t i = unique->before_count; i-- > 0 && !keep;) {
        struct holding *holding = place_of(unique->items, unique->room, &unique->before[i].key);
        unique->count += !holding->used;
        *holding = unique->before[i];
    }
    unique->noting = false;
    unique->before_count = 0;
}

/* ---- holdings ---------------------------------------------------------------------------- */

/* Made when it is not there. */
static struct holding *holding_of(struct memory_unique *unique, const struct diff_key *key)
{
    struct holding *holding = place_of(unique->items, unique->room, key);
    if (!holding->used) {
        *holding = (struct holding){.key = *key, .used = true};
        unique->count++;
    }
    note(unique, holding);
    return holding;
}

/* The column of an index entry; NULL for an expression and for what PostgreSQL fills. */
static const struct column *column_of(const struct mapping *mapping, const char *entry)
{
    size_t size = strlen(entry);
    if (size > 5 && strcmp(entry + size - 5, " DESC") == 0)
        size -= 5;
    for (size_t i = 0; i < mapping->column_count; i++)
        if (bytes_equal(bytes_text(mapping->columns[i].name), bytes_of(entry, size)))
            return &mapping->columns[i];
    return NULL;
}

bool memory_unique_can(const struct mapping *mapping, const struct mapping_index *index)
{
    for (size_t i = 0; i < index->column_count; i++)
        if (!column_of(mapping, index->columns[i]))
            return false;
    return true;
}

static void begin_text(struct buf *text, char kind, const struct mapping *mapping, size_t at)
{
    buf_reset(text);
    buf_append_format(text, "%c/%zu/%s/", kind, at, mapping->entity);
}

/* False when a value is NULL: it is equal to none. */
static bool values_key(struct memory_unique *unique, const struct mapping *mapping, size_t at,
                       const struct row *row, struct diff_key *key)
{
    const struct mapping_index *index = &mapping->indexes[at];
    struct buf *text = &unique->text;
    begin_text(text, 'v', mapping, at);
    buf_append_be32(text, (uint32_t)row->tenant.size);
    buf_append_bytes(text, row->tenant);
    for (size_t i = 0; i < index->column_count; i++) {
        const struct column *column = column_of(mapping, index->columns[i]);
        struct cell cell = row->cells[column - mapping->columns];
        if (cell.size < 0)
            return false;
        size_t before = text->size;
        bool plain = !column->type.array && column->type.base != VALUE_JSONB;
        if (!plain || !value_append_key(&column->type, cell, text)) {
            text->size = before;
            buf_append_bytes(text, bytes_of(cell.data, (size_t)cell.size));
        }
        buf_append_be32(text, (uint32_t)(text->size - before));
    }
    *key = diff_key_of(buf_view(text));
    return !text->failed;
}

static struct diff_key record_key(struct memory_unique *unique, const struct mapping *mapping,
                                  size_t at, const struct row *row)
{
    begin_text(&unique->text, 'r', mapping, at);
    envelope_append_key(&unique->text, row->tenant, bytes_text(mapping->entity), row->id);
    return diff_key_of(buf_view(&unique->text));
}

/* Whether another record holds the values. */
static bool is_free(struct memory_unique *unique, const struct diff_key *values,
                    const struct diff_key *record)
{
    const struct holding *holder = place_of(unique->items, unique->room, values);
    return !holder->used || !holder->live || diff_key_equal(&holder->other, record);
}

static void hold(struct memory_unique *unique, const struct diff_key *record,
                 const struct diff_key *values)
{
    struct holding *own = holding_of(unique, record);
    if (own->live) { /* what the older version held is free */
        struct holding *old = holding_of(unique, &own->other);
        old->live = old->live && !diff_key_equal(&old->other, record);
    }
    own->live = values != NULL;
    if (!values)
        return;
    own->other = *values;
    struct holding *held = holding_of(unique, values);
    held->other = *record;
    held->live = true;
}

enum outcome memory_unique_take(struct memory_unique *unique, const struct mapping *mapping,
                                const struct row *row, struct error *err)
{
    struct diff_key values, record;
    bool stays = row->deleted && mapping->on_delete == DELETE_SOFT; /* with its values */
    if (unique)
        grow(unique);
    for (int pass = 0; unique && pass < 2; pass++)
        for (size_t i = 0; i < mapping->index_count; i++) {
            const struct mapping_index *index = &mapping->indexes[i];
            if (!index->unique || !memory_unique_can(mapping, index) || stays)
                continue;
            record = record_key(unique, mapping, i, row);
            bool has = !row->deleted && values_key(unique, mapping, i, row, &values);
            if (pass == 1) {
                hold(unique, &record, has ? &values : NULL);
            } else if (has && !is_free(unique, &values, &record)) {
                error_set(err, OUT_REJECT, ERR_PG_DATA,
                          "another record of the tenant has the same values in the unique index %s",
                          index->name);
                error_path(err, "index %s", index->name);
                return OUT_REJECT;
            }
        }
    return OUT_OK;
}
