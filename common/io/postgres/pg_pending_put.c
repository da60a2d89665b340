#include "common/io/postgres/pg_pending_put.h"

#include <assert.h>

#include "common/io/postgres/pg_wire.h"

static void pack(struct buf *out, struct bytes part)
{
    buf_append_be32(out, (uint32_t)part.size);
    buf_append_bytes(out, part);
}

static void pack_headers(struct buf *out, const struct envelope *message)
{
    for (size_t i = 0; i < message->header_count; i++) {
        pack(out, message->headers[i].name);
        pack(out, message->headers[i].value);
    }
}

static bool unpack(struct bytes *rest, struct bytes *part)
{
    if (rest->size < 4)
        return false;
    const unsigned char *at = (const unsigned char *)rest->data;
    uint32_t size = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (size > rest->size - 4)
        return false;
    *part = bytes_of(rest->data + 4, size);
    *rest = bytes_of(rest->data + 4 + size, rest->size - 4 - size);
    return true;
}

bool pg_pending_unpack_headers(struct bytes packed, struct envelope *message)
{
    message->header_count = 0;
    while (packed.size) {
        struct header *header = &message->headers[message->header_count];
        if (message->header_count == ENVELOPE_HEADERS_MAX || !unpack(&packed, &header->name) ||
            !unpack(&packed, &header->value))
            return false;
        message->header_count++;
    }
    return true;
}

/* A parameter without an address is NULL. */
static struct bytes present(struct bytes bytes)
{
    return bytes.data ? bytes : BYTES_LITERAL("");
}

void pg_pending_put(struct pg_connection *connection, const struct batch_fence *fence,
                    const struct batch_item *item, const struct envelope *message,
                    struct buf *memory)
{
    struct pg_wire wire;
    buf_reset(memory);
    pack_headers(memory, message);
    assert(!memory->failed);
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(fence->group));
    pg_wire_text(&wire, bytes_text(fence->topic));
    pg_wire_int4(&wire, fence->partition);
    pg_wire_int8(&wire, item->offset);
    pg_wire_text(&wire, item->row.tenant);
    pg_wire_text(&wire, bytes_text(item->mapping->entity));
    pg_wire_int8(&wire, item->row.version);
    pg_wire_text(&wire, present(message->key));
    pg_wire_text(&wire, present(message->value));
    if (message->null_value)
        wire.params[wire.count - 1] = (struct pg_param){NULL, -1};
    pg_wire_text(&wire, present(buf_view(memory)));
    pg_wire_int4(&wire, message->key.data == NULL);
    pg_connection_query(connection, "drover_park",
                        "INSERT INTO drover.waiting (\"group\", topic, partition, \"offset\", "
                        "isolation_key, entity, version, key, value, headers, no_key) "
                        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::int4 <> 0) "
                        "ON CONFLICT DO NOTHING",
                        wire.params, wire.count);
}
