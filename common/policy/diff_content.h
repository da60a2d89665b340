#ifndef DROVER_POLICY_DIFF_CONTENT_H
#define DROVER_POLICY_DIFF_CONTENT_H

/*
 * What is compared of one record: the JSON document, and the columns that are filled from outside
 * the payload ($key, $index …), which the way back cannot put into a document. Columns of the key
 * are left out: they are the identity by which source and row are brought together.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/model/mapping.h"

/* One digest of both; `cells` NULL: of the document alone, for stores that keep no more. `scratch`
 * is reset; false when the content does not fit its limit. */
MUST_USE bool diff_content_digest(const struct mapping *mapping, yyjson_val *root,
                                  const struct cell *cells, struct buf *scratch,
                                  struct digest *digest);
/* True when the mapping may give a record back otherwise than it was: default, decode: json. */
bool diff_content_changes(const struct mapping *mapping);
/* True when a column has a tolerance. */
bool diff_content_tolerates(const struct mapping *mapping);

/* A column that is compared although no document holds it. */
bool diff_content_is_outside(const struct column *column);

#endif
