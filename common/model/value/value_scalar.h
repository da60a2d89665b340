#ifndef DROVER_MODEL_VALUE_SCALAR_H
#define DROVER_MODEL_VALUE_SCALAR_H

/*
 * Values that are no arrays, both ways, and what the other files of value.h share with them. A
 * value has three forms here: the JSON value, the cell (PostgreSQL's binary), and the text
 * (PostgreSQL's input and output text); floats add their shortest decimal.
 */

#include "common/base/buf.h"
#include "common/model/value/decimal.h"
#include "common/model/value/value.h"

/* Where an encoding goes, and what it is. */
struct value_target {
    const struct value_type *type;
    struct arena *arena;
    struct cell *cell;
    bool *exact;
    struct error *err;
};

/* One value that is not an array, by the column's type and form. */
MUST_USE enum outcome value_encode_scalar(const struct value_target *to, yyjson_val *val);
MUST_USE yyjson_mut_val *value_decode_scalar(const struct value_type *type, struct cell cell,
                                             yyjson_mut_doc *doc);
MUST_USE enum outcome value_encode_array(const struct value_target *to, yyjson_val *val);
MUST_USE yyjson_mut_val *value_decode_array(const struct value_type *type, struct cell cell,
                                            yyjson_mut_doc *doc);

/* The document of a jsonb cell, numbers raw; NULL when malformed. */
MUST_USE yyjson_doc *value_parse_jsonb(struct cell cell, const yyjson_alc *alc);

/* Copies into the arena; a full arena is the answer DRV-J007. */
MUST_USE enum outcome value_store(const struct value_target *to, const void *binary, size_t size);
/* The text of a number; `memory` is for documents built in memory, whose numbers are not raw. False
 * for what is none. */
bool value_number_text(yyjson_val *val, char memory[24], struct bytes *text);
/* "expected a number, found a string" */
enum outcome value_reject_kind(const struct value_target *to, const char *expected,
                               yyjson_val *found);

/* A finite number cell of such a type; false when malformed. */
MUST_USE bool value_cell_decimal(const struct value_type *type, struct cell cell,
                                 struct decimal *number);
/* Appends the number as decoding writes it: numeric with its scale, others canonical. */
void value_append_number(const struct value_type *type, const struct decimal *number,
                         struct buf *out);
bool value_is_number(const struct value_type *type);

/* The double (or float) nearest to a decimal; false when it is out of range. */
MUST_USE bool value_float_from(const struct decimal *number, bool single, double *value);
/* The shortest decimal that reads back as `value`; false for NaN and infinities. */
MUST_USE bool value_float_shortest(double value, bool single, struct decimal *number);

/* 8-4-4-4-12 hex digits of any case, and lower case back. */
MUST_USE bool value_uuid_parse(struct bytes text, unsigned char uuid[16]);
void value_uuid_append(struct buf *out, const char *uuid);
void value_hex_append(struct buf *out, struct bytes binary);
MUST_USE bool value_hex_parse(struct bytes hex, struct buf *out);

/* Big-endian integers of a cell. */
int64_t value_be_read(const char *data, int size);

/* A buffer over the caller's memory: no heap, and `failed` when it is too small. */
static inline struct buf value_buf_over(char *memory, size_t size)
{
    /* buf keeps one byte behind its capacity for buf_text, and grows only below its limit */
    return (struct buf){.data = memory, .capacity = size - 1, .limit = size - 1};
}

#endif
