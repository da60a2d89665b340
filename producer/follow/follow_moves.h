#ifndef DROVER_PRODUCER_FOLLOW_MOVES_H
#define DROVER_PRODUCER_FOLLOW_MOVES_H

/*
 * Renames. A file is known again by its place (device and inode), so what was produced of it goes
 * with it to its new name: half written there it keeps its records, whole it is compared with them.
 * To be called before the files of a scan are read: another file may have the old name already.
 */

#include "producer/follow/follow_read.h"
#include "producer/follow/follow_state.h"

/* Looks at the listed files for such as have another name than they are known by; `sources` are the
 * run's arguments. OUT_FATAL: the state cannot be used. */
MUST_USE enum outcome follow_moves(struct follow_state *state, const struct conf_list *sources,
                                   const struct followed_list *files, struct error *err);

#endif
