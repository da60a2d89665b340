#ifndef DROVER_CONTROL_CHILD_AWAY_H
#define DROVER_CONTROL_CHILD_AWAY_H

/* Servers that are away, as a parent's own polls and its workers see them. A change is logged. */

#include "common/policy/outage.h"
#include "control/child/child.h"

/* `children` by child_role. says_away: also that one went; where it is drawn that need not be. */
void child_away_update(struct outages *seen, const struct outages *polled,
                       const struct child *children, size_t count, bool says_away, uint64_t now_ms);

#endif
