#ifndef DROVER_IO_FILE_GENERATION_H
#define DROVER_IO_FILE_GENERATION_H

/*
 * The generations of mappings in the file store (model/mapping/mapping_generation.h): its table
 * mapping_generation, by entity. A worker registers when it pins a group's mappings.
 */

#include "common/io/filestore/file_store_db.h"
#include "common/io/mappings.h"

/* For a worker: `pinned` when its group's mappings were pinned just now, which takes forms over
 * that are not the newest; otherwise they are OUT_FATAL DRV-M005. Sets the mappings' generations.
 */
MUST_USE enum outcome file_generation_take(struct sqlite_db *db, const struct mapping_set *mappings,
                                           bool pinned, struct error *err);
/* For who reads back (stores.h). Blocks. */
MUST_USE enum outcome file_generation_read(const struct settings *settings,
                                           const struct mapping_set *mappings, struct error *err);

#endif
