#ifndef DROVER_MODEL_MAPPING_FORM_H
#define DROVER_MODEL_MAPPING_FORM_H

/*
 * What a mapping makes of a record, as text: all that decides what a row, a tombstone or a value in
 * Redis looks like, and nothing else. Two mappings with one form write the same from the same
 * messages, so what was written under one need not be written again under the other.
 *
 * Not part of it: comments and the order of columns; what only decides whether a record becomes a
 * row (required, allow, min, max), how it is compared (tolerance), where records are found, and
 * what PostgreSQL keeps beside the rows (indexes, references, generated columns).
 */

#include "common/model/mapping/mapping_types.h"

void mapping_form_append(struct buf *out, const struct mapping *mapping);
struct digest mapping_form_digest(const struct mapping *mapping);

#endif
