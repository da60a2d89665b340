#ifndef DROVER_IO_REDIS_STORE_READER_H
#define DROVER_IO_REDIS_STORE_READER_H

/*
 * What Redis holds, read back: the store reader's port over the keys of the mappings' patterns,
 * found by SCAN. Every record comes once, tombstones too while Redis remembers them; keys that are
 * not Drover's are passed over. A record whose value has faded by its ttl does not come.
 *
 * A key that holds the record of another one (moved, copied, swapped by hand) comes as OUT_REJECT
 * DRV-R005 without a tenant, its name in id; so does, where `strays` asks for them, a key that fits
 * a mapping's pattern and holds no record of Drover's.
 *
 * SCAN is no snapshot: what changes meanwhile comes as it was or as it is.
 */

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/store_reader.h"

/* `settings` and `mappings` must outlive the reader. OUT_FATAL: the url, the login, or Redis is
 * away. */
MUST_USE enum outcome redis_store_reader_open(const struct settings *settings,
                                              const struct mapping_set *mappings, bool strays,
                                              struct store_reader **reader, struct error *err);

#endif
