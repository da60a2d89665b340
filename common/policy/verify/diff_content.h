#ifndef DROVER_POLICY_DIFF_CONTENT_H
#define DROVER_POLICY_DIFF_CONTENT_H

/*
 * What is compared of one record: the JSON document, and every cell of its row but those of the key
 * (they are the identity by which source and row are brought together). A document alone would not
 * do: a column from outside the payload is in none ($key, $user …), and a cell that says the same
 * as another place of the row changes none (a member of rest beside the column that took it, SQL
 * NULL beside JSON null).
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/model/mapping/mapping.h"

/* One digest of both; `cells` NULL: of the document alone, for stores that keep no more. `scratch`
 * is reset; false when the content does not fit its limit. */
MUST_USE bool diff_content_digest(const struct mapping *mapping, yyjson_val *root,
                                  const struct cell *cells, struct buf *scratch,
                                  struct digest *digest);
/* The same, for a document whose digest is known: it is that one where the document tells the cells
 * (mapping_row_is_told). */
MUST_USE bool diff_content_join(const struct mapping *mapping, const struct digest *document,
                                const struct cell *cells, struct buf *scratch,
                                struct digest *digest);

/* Of a mapping with soft deletes the digest above has two halves, and the second one is this: of
 * the cells alone, without the column that a delete sets. So it is known of a deleted row what its
 * other columns must be: what they were. */
MUST_USE bool diff_content_kept(const struct mapping *mapping, const struct cell *cells,
                                struct buf *scratch, struct digest *digest);

/* Appends what a cell says, in a form of its own: equal for two cells exactly when they say the
 * same (jsonb and arrays in canonical form, numbers without the zeros behind them). A cell that is
 * not of its type's form is taken as its bytes. */
void diff_content_append_cell(const struct value_type *type, struct cell cell, struct buf *out);

/* True when the mapping may give a record back otherwise than it was: default, decode: json. */
bool diff_content_changes(const struct mapping *mapping);
/* True when a column has a tolerance. */
bool diff_content_tolerates(const struct mapping *mapping);

#endif
