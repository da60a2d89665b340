#ifndef DROVER_POLICY_SECRET_GUARD_TAKE_H
#define DROVER_POLICY_SECRET_GUARD_TAKE_H

/*
 * Inside the guard: one record's walk. secret_guard_find.c decides which values go, secret_guard.c
 * takes them: notes what stands in a value's place, and writes the payload anew.
 */

#include <yyjson.h>

#include "common/policy/secret_guard.h"
#include "common/base/token_shape.h"

#define GUARD_STRING_LEVELS 3 /* JSON in a string in a string in a string */
#define MARK_OF_SEALED "$sealed"
#define MARK_OF_WITHHELD "$withheld"

/* In document order, so that writing meets them one after the other. */
struct guard_take {
    yyjson_val *val;
    size_t at, size; /* what is written instead, in guard_job.texts */
};

struct guard_job {
    struct secret_guard *guard;
    const struct mapping *mapping;
    const struct record *record;
    yyjson_val *root;
    const yyjson_alc *alc; /* wipes what it frees */
    struct guard_take *takes;
    size_t count, capacity;
    struct buf texts, path;
    uint32_t sealed_count, withheld_count;
};

/* Walks the document at `root`, `strings` levels of strings deep. */
MUST_USE enum outcome guard_find(struct guard_job *job, yyjson_val *root, unsigned strings,
                                 struct error *err);

MUST_USE enum outcome guard_take(struct guard_job *job, yyjson_val *val, enum shape shape,
                                 struct error *err);
/* The value (a string) now holds `text`. */
void guard_rewrite(struct guard_job *job, yyjson_val *val, struct bytes text);
/* The document with what the takes from `first` on say. */
void guard_write(const struct guard_job *job, yyjson_val *root, size_t first, struct buf *out);

#endif
