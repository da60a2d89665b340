/* The boxes of a batch: one insert a part, arrays as parameters (array_recv: see pg_upsert.h). */

#include "common/io/postgres/pg_vault.h"

#include <assert.h>

#include "common/io/postgres/pg_wire.h"
#include "common/io/postgres/pg_writer.h"
#include "common/policy/secrets/secret_guard.h"

#define COLUMNS (PG_VAULT_PARAMS - 2) /* reference, record id, field, key id, box */

const char PG_VAULT_INSERT[] =
    "INSERT INTO drover.credential_vault"
    " (isolation_key, reference, entity, record_id, field, key_id, ciphertext)"
    " SELECT $1::text, u.r, $2::text, u.i, u.f, u.k, u.c FROM ROWS FROM ("
    "pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::text[]), "
    "pg_catalog.unnest($6::bytea[]), pg_catalog.unnest($7::bytea[])) AS u(r, i, f, k, c)"
    " ORDER BY u.r" /* one order of locks for everybody */
    " ON CONFLICT (isolation_key, reference) DO NOTHING";

static const struct batch_item *item_at(const struct batch *batch, size_t place)
{
    return &batch->items[batch->order[place]];
}

static size_t count_boxes(const struct batch *batch, size_t first, size_t count)
{
    size_t boxes = 0;
    struct sealed_box box;
    bool bad;
    for (size_t i = first; i < first + count; i++)
        for (size_t at = 0; secret_sealed_next(item_at(batch, i)->sealed, &at, &box, &bad);)
            boxes++;
    return boxes;
}

bool pg_vault_has(const struct batch *batch, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        if (item_at(batch, i)->sealed.size)
            return count_boxes(batch, first, count) > 0;
    return false;
}

static struct bytes part_of(const struct batch_item *item, const struct sealed_box *box, int column)
{
    switch (column) {
    case 0:
        return box->reference;
    case 1:
        return item->row.id;
    case 2:
        return box->field;
    case 3:
        return bytes_of(secret_box_key_id(box->box), SECRET_KEY_ID_SIZE);
    default:
        return box->box;
    }
}

/* Of records from order[first] on. */
static void append_array(struct buf *out, const struct batch *batch, size_t first, size_t count,
                         size_t boxes, int column)
{
    struct sealed_box box;
    bool bad;
    pg_wire_append_array(out, column < 3 ? OID_TEXT : OID_BYTEA, boxes, false);
    for (size_t i = first; i < first + count; i++) {
        const struct batch_item *item = item_at(batch, i);
        for (size_t at = 0; secret_sealed_next(item->sealed, &at, &box, &bad);) {
            struct bytes part = part_of(item, &box, column);
            pg_wire_append_element(out, part.data, (int32_t)part.size);
        }
    }
}

int pg_vault_params(const struct batch *batch, const struct batch_group *group, size_t first,
                    size_t count, struct buf *memory, struct pg_param *params)
{
    size_t ends[COLUMNS + 1] = {0};
    if (!pg_vault_has(batch, first, count))
        return 0;
    size_t boxes = count_boxes(batch, first, count);
    buf_reset(memory);
    for (int column = 0; column < COLUMNS; column++) {
        append_array(memory, batch, first, count, boxes, column);
        ends[column + 1] = memory->size;
    }
    assert(!memory->failed); /* batches are bounded far below the buffer's limit */
    params[0] = (struct pg_param){group->tenant.data, (int)group->tenant.size};
    params[1] = (struct pg_param){group->mapping->entity, (int)strlen(group->mapping->entity)};
    for (int column = 0; column < COLUMNS; column++)
        params[column + 2] =
            (struct pg_param){memory->data + ends[column], (int)(ends[column + 1] - ends[column])};
    return PG_VAULT_PARAMS;
}

void pg_vault_queue(struct writer *writer, const struct batch_group *group, size_t first,
                    size_t count)
{
    struct pg_param params[PG_VAULT_PARAMS];
    int used = pg_vault_params(writer->batch, group, first, count, &writer->sink->memory, params);
    if (used)
        pg_connection_query(writer->connection, "drover_vault", PG_VAULT_INSERT, params, used);
}
