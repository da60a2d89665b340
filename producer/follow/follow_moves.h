#ifndef DROVER_PRODUCER_FOLLOW_MOVES_H
#define DROVER_PRODUCER_FOLLOW_MOVES_H

/*
 * Renames. A file is known again by its place (device and inode), so what was produced of it goes
 * with it to its new name: half written there it keeps its records, whole it is compared with them.
 */

#include "common/io/source/source_identity.h"
#include "producer/follow/follow_state.h"
#include "producer/follow/followed.h"

bool follow_same_place(const struct scan_identity *a, const struct scan_identity *b);
/* Of all that are listed. To be called before the files of a scan are read: another file may have
 * the old name already. Fails as the state does. */
MUST_USE enum outcome follow_moves_keep(struct follow_state *state, const struct conf_list *sources,
                                        const struct followed_list *files, struct error *err);
/* Whether the next has anything to keep. */
MUST_USE enum outcome follow_moves_has_one(struct follow_state *state,
                                           const struct conf_list *sources, struct followed *file,
                                           bool *has, struct error *err);
/* Of one that has another place than the state says, when it is read: it may have been renamed
 * since the others were asked, and once its place is stored under the new name nobody asks again.
 */
MUST_USE enum outcome follow_moves_keep_one(struct follow_state *state,
                                            const struct conf_list *sources, struct followed *file,
                                            struct error *err);

#endif
