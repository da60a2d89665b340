#ifndef DROVER_POLICY_MAPPING_PLACE_H
#define DROVER_POLICY_MAPPING_PLACE_H

/* Which line of which mapping file says what becomes of a member: for a page that names what
 * differs. Pure. */

#include "common/base/buf.h"
#include "common/model/mapping/mapping_set.h"

/* The column that a differing member is stored in; `path`: RFC 6901, or "column NAME". What no
 * column takes is in the rest column; NULL: nowhere. */
const struct column *mapping_place_find(const struct mapping *mapping, struct bytes path);

/* HTML, dim, on a line of its own below the member: "column NAME, FILE:LINE"; nothing when the
 * mapping or the column is not known. `mappings` NULL: they are not. */
void mapping_place_append_column(const struct mapping_set *mappings, struct bytes entity,
                                 struct bytes path, struct buf *out);
/* HTML: " by FILE", of a record; nothing when it is not known. */
void mapping_place_append_file(const struct mapping_set *mappings, struct bytes entity,
                               struct buf *out);

#endif
