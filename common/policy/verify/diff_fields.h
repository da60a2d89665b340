#ifndef DROVER_POLICY_DIFF_FIELDS_H
#define DROVER_POLICY_DIFF_FIELDS_H

/* Names the members in which a row differs from its source record, for people; tells which of the
 * differences the mapping tolerates. */

#include <stddef.h>

#include "common/base/arena.h"
#include "common/model/mapping/mapping.h"

#define DIFF_FIELDS_MAX 8

/* One member that differs. Texts are JSON; size 0 = the member is not there. */
struct diff_field {
    struct bytes path; /* RFC 6901, or "column NAME" */
    struct bytes expected;
    struct bytes actual;
    const struct column *rule; /* the column whose tolerance covers it, or NULL */
};

struct diff_fields {
    struct diff_field items[DIFF_FIELDS_MAX];
    size_t count;     /* in items */
    size_t total;     /* all that differ */
    size_t tolerated; /* of total */
};

/* One side of a comparison. */
struct diff_side {
    yyjson_val *root;
    const struct cell *cells;
};

/* Names what differs, in the order of the expected document, then the columns whose cells differ
 * although no member named says so ("column NAME"). Texts live in `arena`. */
void diff_fields_find(const struct mapping *mapping, struct diff_side expected,
                      struct diff_side actual, struct arena *arena, struct diff_fields *fields);

/* Names one more thing that differs, without values; `path` must outlive the fields. */
void diff_fields_note(struct diff_fields *fields, struct bytes path);

#endif
