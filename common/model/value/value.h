#ifndef DROVER_MODEL_VALUE_H
#define DROVER_MODEL_VALUE_H

/*
 * One column's value between JSON and PostgreSQL's binary form, both ways from one definition.
 * A cell is what a binary parameter or a binary result holds. Arrays travel as jsonb (version
 * byte 1 + a JSON array of the elements' PostgreSQL input texts, or null), because unnest flattens
 * arrays of arrays: the statement turns them into the real array type, and reading uses to_jsonb.
 *
 * Encoding is strict: no silent coercion (fault row J21). `exact` tells whether decoding gives
 * back the same JSON value; when it does not, the mapping keeps the original in its rest column.
 */

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "common/base/arena.h"
#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum value_base {
    VALUE_TEXT,
    VALUE_VARCHAR,
    VALUE_BOOL,
    VALUE_INT2,
    VALUE_INT4,
    VALUE_INT8,
    VALUE_FLOAT4,
    VALUE_FLOAT8,
    VALUE_NUMERIC,
    VALUE_DATE,
    VALUE_TIMESTAMP,
    VALUE_TIMESTAMPTZ,
    VALUE_UUID,
    VALUE_JSONB,
    VALUE_BYTEA, /* base64 in JSON */
};

/* How the source writes the value in JSON. */
enum value_form {
    FORM_NATURAL, /* numbers as numbers, bool as bool, everything else as a string */
    FORM_LOOSE,  /* as: loose: natural, or the other way JavaScript writes it: a number in a string,
                    a number for a text, Unix milliseconds for a time; what is not natural is never
                    exact, so rest keeps it */
    FORM_STRING, /* as: string: a number or bool held in a string */
    FORM_NUMBER, /* as: number: a text column whose source is a number */
    FORM_EPOCH_S, /* as: epoch_s | epoch_ms | epoch_us: a time as Unix time number */
    FORM_EPOCH_MS,
    FORM_EPOCH_US,
};

struct value_type {
    enum value_base base;
    bool array;        /* text[] and so on; jsonb[] and varchar(n)[] included */
    int32_t length;    /* varchar(n), counted in characters; 0 = unlimited */
    int32_t precision; /* numeric(p,s); 0 = unconstrained */
    int32_t scale;
    enum value_form form;
};

/* size -1 is NULL. */
struct cell {
    const char *data;
    int32_t size;
};

#define CELL_NULL ((struct cell){NULL, -1})

/* "varchar(255)", "numeric(10,2)", "text[]", "timestamptz" … as a mapping writes them, and the
 * usual synonyms (integer, bigint, boolean, double precision, float, json is not taken). False when
 * unknown. */
MUST_USE bool value_type_parse(struct bytes text, struct value_type *type);
/* Names known, for suggestions: NULL-terminated. */
const char *const *value_type_names(void);
/* SQL spelling of the column's type: "varchar(255)", "numeric(10,2)", "text[]". */
void value_type_append_sql(struct buf *out, const struct value_type *type);
/* Type name a parameter array of it has: "text[]" -> arrays travel as "jsonb[]"; scalar int4 ->
 * "int4[]", varchar(n) -> "text[]" (so that length is checked by the column, not cut by a cast). */
const char *value_type_param_array(const struct value_type *type);
/* Element OID for the binary array header of that parameter (pg_type.h, stable since 8.x). */
uint32_t value_type_param_oid(const struct value_type *type);
bool value_form_fits(const struct value_type *type);

/* Encodes a non-null JSON value. The cell's bytes live in `arena`. OUT_REJECT: DRV-V002 type,
 * -V003 range, -V004 length, -V007 form (path and column are added by the caller); OUT_RETRY is
 * never returned; a full arena is OUT_REJECT with DRV-J007. */
MUST_USE enum outcome value_encode(const struct value_type *type, yyjson_val *val,
                                   struct arena *arena, struct cell *cell, bool *exact,
                                   struct error *err);

/* Whether `cell`, which value_encode made of `val`, says all of it: false when digits were rounded
 * or cut. A spelling that does not come back is no loss. Not for arrays. */
MUST_USE bool value_is_held(const struct value_type *type, yyjson_val *val, struct cell cell);

/* The JSON value of a non-null cell, made in `doc` (strings copied; numbers as raw). NULL when
 * the cell is malformed for its type (a foreign change, or a bug). For an array the cell is what
 * to_jsonb() gave. */
MUST_USE yyjson_mut_val *value_decode(const struct value_type *type, struct cell cell,
                                      yyjson_mut_doc *doc);

/* Text of a non-null cell for ids: canonical, so that equal keys have equal text (numeric without
 * trailing zeros, uuid in lower case, times as epoch microseconds, bytea as hex). Not for arrays,
 * jsonb. */
MUST_USE bool value_append_key(const struct value_type *type, struct cell cell, struct buf *out);
/* The inverse, for deletes that carry only an id; DRV-V013 for digits a float does not hold. */
MUST_USE enum outcome value_parse_key(const struct value_type *type, struct bytes text,
                                      struct arena *arena, struct cell *cell, struct error *err);

/* Parses a scalar written in YAML (default, allow, min, max) into a JSON value of the form the
 * column takes. `plain` = unquoted in YAML. NULL when it cannot be one. */
MUST_USE yyjson_mut_val *value_from_yaml(const struct value_type *type, struct bytes text,
                                         bool plain, yyjson_mut_doc *doc);

#endif
