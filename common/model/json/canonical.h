#ifndef DROVER_MODEL_CANONICAL_H
#define DROVER_MODEL_CANONICAL_H

/*
 * The canonical form of a JSON value, and its digest: members sorted by key bytes, strings in one
 * escape form (only `"`, `\` and bytes below 0x20 escaped, the latter as \u00XX), numbers as exact
 * decimals without trailing zeros (canonical_number in decimal.h; -0 equals 0, 1.0 equals 1, 1e2
 * equals 100, but 2^53 differs from 2^53+1), no white space. Two values are the same record
 * content exactly when their canonical forms are the same bytes.
 */

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/hash.h"

/* Appends the canonical form of `val` (a document of json_parse: numbers raw, no duplicates).
 * Numbers of kind uint/sint (documents built in memory) are taken as well; reals are a bug. */
void canonical_append(struct buf *out, yyjson_val *val);

/* The same of JSON text that has no need to be parsed for it; false, with `out` as it was (but for
 * `failed`), when it has: json_parse says what is to be said of it, also that it is no JSON. What
 * is true here json_parse takes, with JSON_UNICODE_REJECT. */
MUST_USE bool canonical_append_text(struct buf *out, struct bytes text);

/* A member of the root in the form's order; views into the form, the name without its quotes. */
struct canonical_member {
    struct bytes name, value;
};
#define CANONICAL_MEMBERS_MAX 48 /* of one object that is told without a document */

/* In which order the members of an object stood that was told: the next one's are tried in it
 * first. Zero at the beginning. */
struct canonical_order {
    size_t count;
    bool sorted; /* as they came */
    uint8_t places[CANONICAL_MEMBERS_MAX];
};

/* The same of an object, whose members are told too: there is room for CANONICAL_MEMBERS_MAX.
 * `order` is the one before's, then this one's. False also for what is no object. */
MUST_USE bool canonical_append_members(struct buf *out, struct bytes text,
                                       struct canonical_order *order,
                                       struct canonical_member *members, size_t *count);

/* The digest of that form. `scratch` is used for the form and reset first; false when it did not
 * fit the scratch buffer's limit. */
MUST_USE bool canonical_digest(yyjson_val *val, struct buf *scratch, struct digest *digest);

struct members;
/* The same of an object whose members are sorted already (json_parse_members). */
MUST_USE bool canonical_digest_members(const struct members *members, struct buf *scratch,
                                       struct digest *digest);

/* True when two values have the same canonical form (numbers compared as numbers). */
bool canonical_equal(yyjson_val *a, yyjson_val *b);

#endif
