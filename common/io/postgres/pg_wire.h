#ifndef DROVER_IO_PG_WIRE_H
#define DROVER_IO_PG_WIRE_H

/* PostgreSQL's binary formats: parameters and results of small queries, whose values are kept in
 * the struct itself, and arrays of any length. */

#include <endian.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/io/postgres/pg_connection.h"
#include "common/model/value/value.h"

#define PG_WIRE_MAX 16

struct pg_wire {
    struct pg_param params[PG_WIRE_MAX];
    char numbers[PG_WIRE_MAX][8];
    int count;
};

void pg_wire_init(struct pg_wire *wire);
/* The text is borrowed until the query is queued. */
void pg_wire_text(struct pg_wire *wire, struct bytes text);
void pg_wire_int4(struct pg_wire *wire, int32_t value);
void pg_wire_int8(struct pg_wire *wire, int64_t value);

/* pg_type.dat's oids of the types that Drover names itself. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };
/* The head of a one-dimensional array as array_recv (arrayfuncs.c) reads it; `count` elements
 * follow. `nulls`: some may be NULL. */
void pg_wire_append_array(struct buf *out, uint32_t oid, size_t count, bool nulls);
/* An element; of size -1: NULL. */
void pg_wire_append_element(struct buf *out, const void *data, int32_t size);

/* The same where there is room for it, of pg_wire_element_size; returns what is behind it. */
static inline size_t pg_wire_element_size(int32_t size)
{
    return 4 + (size > 0 ? (size_t)size : 0);
}
static inline char *pg_wire_put_element(char *place, const void *data, int32_t size)
{
    uint32_t big = htobe32((uint32_t)size);
    memcpy(place, &big, 4);
    if (size == 8) /* in one move */
        memcpy(place + 4, data, 8);
    else if (size > 0)
        memcpy(place + 4, data, (size_t)size);
    return place + pg_wire_element_size(size);
}

/* A binary int8 (or int4) result; 0 when it is NULL or of another size. */
int64_t pg_wire_get_int8(const PGresult *result, int row, int column);
/* Views into the result: a value (empty when it is NULL), and a row's first `count` ones. */
struct bytes pg_wire_get_bytes(const PGresult *result, int row, int column);
void pg_wire_get_cells(const PGresult *result, int row, struct cell *cells, size_t count);

#endif
