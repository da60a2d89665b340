#ifndef DROVER_CONTROL_REHEARSE_H
#define DROVER_CONTROL_REHEARSE_H

/*
 * Everything in one process and without a server: `drover rehearse`, and `drover run` with storage
 * memory. Producer, worker and verifier run as they always do, over ports of memory; whenever the
 * producer polls, the other two take their turn:
 *
 *   producer ─► bus ─► worker ─► store
 *                └──► verifier: what each row must be ─► at the end the store, row by row ─► report
 *
 * A rehearsal keeps 64 bytes a key on both sides and runs each row backwards at once; a run in
 * memory keeps the rows and reads them back at the end. Either fits store.memory, or is DRV-F003.
 */

#include "common/io/settings.h"
#include "common/port/store_memory.h"

/* Both commands. `keeps`: rows for a run, checks for a rehearsal. */
MUST_USE enum exit_code rehearse_main(const struct settings *settings, enum memory_keeps keeps,
                                      struct error *err);

#endif
