/* The mapping's own unique indexes: in PostgreSQL the second record with the same values is refused
 * (23505) and ends as DRV-P110. Of each record its values' hashes are kept, so that a newer version
 * frees what the older one held. */
#include <stdlib.h>
#include <string.h>

#include "common/model/message/envelope.h"
#include "control/rehearse/rehearse.h"

#define FIRST_ROOM 1024 /* a power of two */
#define TEXT_MOST ((size_t)1 << 20)

/* Of a record and index: what it holds; of values: who holds them. */
struct holding {
    struct diff_key key, other;
    int64_t version;
    bool used, live;
};

struct rehearse_unique {
    struct holding *items;
    size_t count, room;
    struct buf text;
};

struct rehearse_unique *rehearse_unique_new(const struct mapping_set *mappings)
{
    bool any = false;
    for (size_t i = 0; i < mappings->count; i++)
        for (size_t k = 0; k < mappings->items[i]->index_count; k++)
            any = any || mappings->items[i]->indexes[k].unique;
    if (!any)
        return NULL;
    struct rehearse_unique *unique = calloc(1, sizeof *unique);
    if (!unique || !(unique->items = calloc(FIRST_ROOM, sizeof *unique->items)))
        abort();
    unique->room = FIRST_ROOM;
    buf_init(&unique->text, TEXT_MOST);
    return unique;
}

void rehearse_unique_free(struct rehearse_unique *unique)
{
    if (!unique)
        return;
    free(unique->items);
    buf_free(&unique->text);
    free(unique);
}

size_t rehearse_unique_bytes(const struct rehearse_unique *unique)
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

static void grow(struct rehearse_unique *unique)
{
    size_t room = unique->room * 2;
    struct holding *items = calloc(room, sizeof *items);
    if (!items)
        abort();
    for (size_t i = 0; i < unique->room; i++)
        if (unique->items[i].used)
            *place_of(items, room, &unique->items[i].key) = unique->items[i];
    free(unique->items);
    unique->items = items;
    unique->room = room;
}

/* Made when it is not there. */
static struct holding *holding_of(struct rehearse_unique *unique, const struct diff_key *key)
{
    struct holding *holding = place_of(unique->items, unique->room, key);
    if (holding->used)
        return holding;
    *holding = (struct holding){.key = *key, .version = INT64_MIN, .used = true};
    unique->count++;
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

bool rehearse_unique_can(const struct mapping *mapping, const struct mapping_index *index)
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
static bool values_key(struct rehearse_unique *unique, const struct mapping *mapping, size_t at,
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

static struct diff_key record_key(struct rehearse_unique *unique, const struct mapping *mapping,
                                  size_t at, const struct row *row)
{
    begin_text(&unique->text, 'r', mapping, at);
    envelope_append_key(&unique->text, row->tenant, bytes_text(mapping->entity), row->id);
    return diff_key_of(buf_view(&unique->text));
}

/* Whether another record holds the values. */
static bool is_free(struct rehearse_unique *unique, const struct diff_key *values,
                    const struct diff_key *record)
{
    const struct holding *holder = place_of(unique->items, unique->room, values);
    return !holder->used || !holder->live || diff_key_equal(&holder->other, record);
}

static void hold(struct rehearse_unique *unique, const struct diff_key *record, int64_t version,
                 const struct diff_key *values)
{
    if ((unique->count + 2) * 4 > unique->room * 3)
        grow(unique);
    struct holding *own = holding_of(unique, record);
    own->version = version;
    if (own->live) { /* what the older version held is free */
        struct holding *old = place_of(unique->items, unique->room, &own->other);
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

enum outcome rehearse_unique_take(struct rehearse_unique *unique, const struct mapping *mapping,
                                  const struct row *row, struct error *err)
{
    struct diff_key values, record;
    bool stays = row->deleted && mapping->on_delete == DELETE_SOFT; /* with its values */
    for (int pass = 0; unique && pass < 2; pass++)
        for (size_t i = 0; i < mapping->index_count; i++) {
            const struct mapping_index *index = &mapping->indexes[i];
            if (!index->unique || !rehearse_unique_can(mapping, index) || stays)
                continue;
            record = record_key(unique, mapping, i, row);
            const struct holding *own = place_of(unique->items, unique->room, &record);
            if (own->used && own->version >= row->version)
                continue; /* it is not written */
            bool has = !row->deleted && values_key(unique, mapping, i, row, &values);
            if (pass == 1) {
                hold(unique, &record, row->version, has ? &values : NULL);
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
