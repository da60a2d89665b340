#ifndef DROVER_POLICY_SECRET_GUARD_TAKE_H
#define DROVER_POLICY_SECRET_GUARD_TAKE_H

/*
 * Inside the guard: one record's walk. secret_guard_find.c decides which values go,
 * secret_guard_place.c what may stand in their place, secret_guard_text.c which parts of a text go;
 * secret_guard_take.c takes them: notes what stands in a value's place, and writes the payload
 * anew.
 */

#include <yyjson.h>

#include "common/base/token_shape.h"
#include "common/model/mapping/secret_mark.h"
#include "common/policy/secrets/secret_guard.h"

#define GUARD_STRING_LEVELS 3 /* JSON in a string in a string in a string */

/* In document order, so that writing meets them one after the other. */
struct guard_take {
    yyjson_val *val;
    size_t at, size; /* what is written instead, in guard_job.texts */
};

/* What the columns that read a value can hold in its place. */
enum guard_form {
    GUARD_MARK,   /* JSON stands there: {"$sealed":"sec_…"} */
    GUARD_TEXT,   /* a text column: "${sealed:sec_…}" */
    GUARD_BESIDE, /* neither: the column is left empty, and the mark stays in rest */
};

struct guard_place {
    enum guard_form form;
    yyjson_val *member; /* what such a column reads: the value, or what is around it; NULL: none */
    int32_t length;     /* GUARD_TEXT: characters the shortest column takes; 0: any number */
    bool decoded;       /* a string, which a decode: json column reads: it may change, but not go */
    bool allowed; /* a column lists the value in `allow`: it is in the mapping for all to read */
};

struct guard_job {
    struct secret_guard *guard;
    const struct mapping *mapping;
    const struct record *record;
    yyjson_val *root;
    yyjson_val *string, *inside; /* a string of the record that holds JSON, and that JSON's root */
    yyjson_val *whole;           /* to be taken whole once the walk is out of it; NULL: nothing */
    enum shape whole_shape;
    bool spells;           /* texts may hold letters of ours that have to be spelled otherwise */
    const yyjson_alc *alc; /* wipes what it frees */
    struct guard_take *takes;
    size_t count, capacity;
    struct buf texts, path;
    uint32_t sealed_count, withheld_count;
};

/* Walks the document at `root`, `strings` levels of strings deep. */
MUST_USE enum outcome guard_find(struct guard_job *job, yyjson_val *root, unsigned strings,
                                 struct error *err);
MUST_USE enum outcome guard_refuse_key(struct guard_job *job, struct error *err);

/* The walk's state, to come back to. */
struct guard_point {
    size_t takes, texts, sealed;
    uint32_t sealed_count, withheld_count;
};
struct guard_point guard_point(const struct guard_job *job);
void guard_return(struct guard_job *job, const struct guard_point *point);

/* The value goes, a mark or (GUARD_TEXT) a reference as text stands in its place. */
MUST_USE enum outcome guard_take(struct guard_job *job, yyjson_val *val, enum shape shape,
                                 enum guard_form form, struct error *err);
/* Empties the buffer; `used` bytes of it may hold something. */
void guard_wipe(struct buf *buf, size_t used);
/* A part of a text goes: seals it under the field `job->path` is, and appends the reference. */
MUST_USE enum outcome guard_take_part(struct guard_job *job, struct bytes part, enum shape shape,
                                      struct buf *out, struct error *err);
/* The value (a string) now holds `text`. */
void guard_rewrite(struct guard_job *job, yyjson_val *val, struct bytes text);
/* The document with what the takes from `first` on say. */
void guard_write(const struct guard_job *job, yyjson_val *root, size_t first, struct buf *out);

/* ---- secret_guard_place.c */

/* `strings`: in how many strings the value is. */
struct guard_place guard_place_of(const struct guard_job *job, yyjson_val *val, unsigned strings);
/* A decode: json column reads the string. */
bool guard_is_decoded(const struct guard_job *job, yyjson_val *val, unsigned strings);
/* A key, the tenant, or what refers to another record: it must stay as it is. */
bool guard_is_key(const struct guard_job *job, yyjson_val *val);
/* Whether {"$sealed": …} may stand for the whole record: some column takes the record whole. */
bool guard_takes_whole(const struct mapping *mapping);
/* OUT_REJECT DRV-X008 when no row can be made of the record with a mark in the value's place: a
 * column that must not be empty reads it or what is in it, or there is no rest to keep the mark. */
MUST_USE enum outcome guard_check_mark(struct guard_job *job, yyjson_val *val, struct error *err);

/* ---- secret_guard_text.c */

bool guard_looks_like_json(struct bytes text);
/* A text in which parts may be secrets: replaces them. `broken`: it should be JSON and is not. */
MUST_USE enum outcome guard_text(struct guard_job *job, yyjson_val *val, unsigned strings,
                                 bool broken, struct error *err);
/* JSON in a string, with what was taken out of it since `before`, becomes the string's text; where
 * a column has no room for that, the string goes whole. */
MUST_USE enum outcome guard_json_text(struct guard_job *job, yyjson_val *val, unsigned strings,
                                      struct bytes json, const struct guard_point *before,
                                      struct error *err);
/* Takes a value that is a secret as a whole, in the form its place needs. */
MUST_USE enum outcome guard_take_found(struct guard_job *job, yyjson_val *val, enum shape shape,
                                       unsigned strings, struct error *err);
/* Once the walk is out of `val`, and it is what has to go whole. */
MUST_USE enum outcome guard_take_whole(struct guard_job *job, yyjson_val *val,
                                       const struct guard_point *before, struct error *err);

#endif
