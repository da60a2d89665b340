/* What to type next about dead letters that are open. */
#include "common/policy/verify/verify_next.h"
#include "control/advice.h"
#include "control/dlq/cmd_dlq.h"

void dead_letter_say_next(const struct dead_letter_run *run, int64_t open, const char *id)
{
    struct buf next;
    if (!open || run->answer->wanted || run->all.other || run->settings->quiet)
        return;
    buf_init(&next, VERIFY_NEXT_MAX);
    verify_next_append_dead(id, &next);
    advice_say_next(run->conf, &next);
    buf_free(&next);
}
