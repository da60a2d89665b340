/* See the header. */
#include "common/policy/rate/lag_mark.h"

uint64_t lag_mark_step(struct lag_mark *mark, int64_t position, int64_t end, uint64_t now_ms)
{
    if (position >= mark->end)
        *mark = (struct lag_mark){end, now_ms};
    return position >= end ? 0 : now_ms - mark->marked_ms;
}
