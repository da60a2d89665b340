#include "common/io/postgres/pg_wire.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

void pg_wire_init(struct pg_wire *wire)
{
    wire->count = 0;
}

void pg_wire_text(struct pg_wire *wire, struct bytes text)
{
    assert(wire->count < PG_WIRE_MAX);
    wire->params[wire->count++] = (struct pg_param){text.data, (int)text.size};
}

static void add_number(struct pg_wire *wire, const void *bytes, int size)
{
    assert(wire->count < PG_WIRE_MAX);
    memcpy(wire->numbers[wire->count], bytes, (size_t)size);
    wire->params[wire->count] = (struct pg_param){wire->numbers[wire->count], size};
    wire->count++;
}

void pg_wire_int4(struct pg_wire *wire, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    add_number(wire, &big, 4);
}

void pg_wire_int8(struct pg_wire *wire, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    add_number(wire, &big, 8);
}

int64_t pg_wire_get_int8(const PGresult *result, int row, int column)
{
    const char *value = PQgetvalue(result, row, column);
    uint64_t wide;
    uint32_t narrow;
    switch (PQgetlength(result, row, column)) {
    case 8:
        memcpy(&wide, value, 8);
        return (int64_t)be64toh(wide);
    case 4:
        memcpy(&narrow, value, 4);
        return (int32_t)be32toh(narrow);
    default:
        return 0;
    }
}

void pg_wire_append_array(struct buf *out, uint32_t oid, size_t count, bool nulls)
{
    buf_append_be32(out, 1); /* dimensions */
    buf_append_be32(out, nulls);
    buf_append_be32(out, oid);
    buf_append_be32(out, (uint32_t)count);
    buf_append_be32(out, 1); /* lower bound */
}

void pg_wire_append_element(struct buf *out, const void *data, int32_t size)
{
    buf_append_be32(out, (uint32_t)size);
    if (size > 0)
        buf_append(out, data, (size_t)size);
}

struct bytes pg_wire_get_bytes(const PGresult *result, int row, int column)
{
    return bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

void pg_wire_get_cells(const PGresult *result, int row, struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cells[i] =
            PQgetisnull(result, row, (int)i)
                ? CELL_NULL
                : (struct cell){PQgetvalue(result, row, (int)i), PQgetlength(result, row, (int)i)};
}
