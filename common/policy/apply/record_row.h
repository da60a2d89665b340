#ifndef DROVER_POLICY_RECORD_ROW_H
#define DROVER_POLICY_RECORD_ROW_H

/*
 * The one path from a decoded message to a row. Worker, rehearsal, verifier and the children that
 * wait for their parents all take it, so what one of them makes of a message all do.
 */

#include "common/base/arena.h"
#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping_set.h"

/* Finds the entity's mapping, gives a record without a version its place in the log (`log_version`)
 * where the mapping takes no version from the record, runs the mapping, and sees that every sealed
 * value the row refers to came with it. The row's cells are in `arena`, or views into the record.
 * OUT_REJECT, with *mapping as far as it was found (NULL: no mapping has the entity, DRV-M004): the
 * message can become no row. */
MUST_USE enum outcome record_to_row(const struct mapping_set *mappings, struct record *record,
                                    int64_t log_version, struct mapping_work *work,
                                    struct arena *arena, const struct mapping **mapping,
                                    struct row *row, struct error *err);

/* The same for who asks no cells, without making a document of the message (mapping_forward_text).
 * False when only record_to_row can tell. */
MUST_USE bool record_to_told_row(const struct mapping_set *mappings, struct record *record,
                                 int64_t log_version, struct mapping_work *work,
                                 struct arena *arena, const struct mapping **mapping,
                                 struct row *row);

/* The row of a record of which only tenant and id are known, as its delete is one: its key cells
 * are those of the record's row. */
MUST_USE enum outcome record_key_row(const struct mapping *mapping, struct bytes tenant,
                                     struct bytes id, struct mapping_work *work,
                                     struct arena *arena, struct row *row, struct error *err);

#endif
