#ifndef DROVER_IO_PG_WIRE_H
#define DROVER_IO_PG_WIRE_H

/* Binary parameters and results of small queries. Values are kept in the struct itself. */

#include <libpq-fe.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/io/pg_lane.h"

#define PG_WIRE_MOST 16

struct pg_wire {
    struct pg_param params[PG_WIRE_MOST];
    char numbers[PG_WIRE_MOST][8];
    int count;
};

void pg_wire_init(struct pg_wire *wire);
/* The text is borrowed until the query is queued. */
void pg_wire_text(struct pg_wire *wire, struct bytes text);
void pg_wire_int4(struct pg_wire *wire, int32_t value);
void pg_wire_int8(struct pg_wire *wire, int64_t value);

/* A binary int8 (or int4) result; 0 when it is NULL or of another size. */
int64_t pg_wire_get_int8(const PGresult *result, int row, int column);

#endif
