#ifndef DROVER_MODEL_MAPPING_VALUE_H
#define DROVER_MODEL_MAPPING_VALUE_H

/* One column's step of the program, shared by forward, inverse and identify. Internal to
 * mapping_*.c. */

#include "common/model/mapping.h"

/* Where a column's value was found in a document. */
struct found {
    yyjson_val *val;    /* NULL: none of the pointers leads anywhere */
    size_t pointer;     /* which of column->pointers */
    bool through_array; /* an array is on the way: the member cannot leave the record */
    bool others;        /* a later alternative is there as well */
};

struct found column_find(const struct column *column, yyjson_val *root);

/* Encodes a found, non-null value: decode: json, type, allow, min, max. *exact as value_encode's.
 * A document that decode: json made lives in work and is freed by mapping_work's next use. */
MUST_USE enum outcome column_encode(const struct column *column, yyjson_val *val,
                                    struct arena *arena, struct cell *cell, bool *exact,
                                    struct error *err);

/* {"$sealed":"sec_…"} and {"$withheld":"token"}, what stands in a record for what the producer took
 * out (policy/secret_guard.h): the text in the mark, empty when `val` is no such mark. */
#define MARK_SEALED "$sealed"
#define MARK_WITHHELD "$withheld"
struct bytes mark_text(yyjson_val *val, const char *name);
/* OUT_REJECT DRV-X008 when a member to be sealed or withheld is there as it is. */
MUST_USE enum outcome marks_check(const struct mapping *mapping, yyjson_val *root,
                                  struct error *err);

/* $key_suffix: what the '*' of the mapping's key pattern matches in `key`; without such a pattern
 * the whole key. False when the pattern does not fit. */
bool mapping_key_suffix(const struct mapping *mapping, struct bytes key, struct bytes *suffix);

/* Puts the column's place into err: the member, and table.column of the mapping. */
void column_blame(const struct mapping *mapping, const struct column *column, size_t pointer,
                  struct error *err);

/* Parses the payload with the work's pool when it fits. */
MUST_USE enum outcome work_parse(struct mapping_work *work, struct bytes text,
                                 enum json_unicode unicode, yyjson_doc **doc, struct error *err);

/* The cell of a column whose value is not in the payload ($key, $index, $tenant_context …). */
MUST_USE enum outcome column_derive(const struct mapping *mapping, const struct column *column,
                                    const struct record *record, struct bytes tenant,
                                    struct arena *arena, struct cell *cell, struct error *err);

/* Key cells from an id: the way back for deletes. */
MUST_USE enum outcome mapping_parse_id(const struct mapping *mapping, struct bytes id,
                                       struct arena *arena, struct cell *cells, struct error *err);

#endif
