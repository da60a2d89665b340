#include "common/policy/watchdog.h"

void watchdog_init(struct watchdog *watchdog, uint64_t wait_ms, uint64_t now_ms)
{
    *watchdog = (struct watchdog){.wait_ms = wait_ms, .still_since_ms = now_ms, .from_ms = now_ms};
}

static uint64_t limit_ms(const struct watchdog *watchdog)
{
    unsigned doublings = watchdog->told < WATCHDOG_DOUBLINGS ? watchdog->told : WATCHDOG_DOUBLINGS;
    return watchdog->wait_ms << doublings;
}

bool watchdog_step(struct watchdog *watchdog, const struct watchdog_view *view, uint64_t now_ms)
{
    bool moved = view->moves != watchdog->moves;
    if (moved || !view->has_work)
        watchdog->told = 0;
    if (moved || !view->has_work || view->is_excused) {
        watchdog->moves = view->moves;
        watchdog->still_since_ms = watchdog->from_ms = now_ms;
        return false;
    }
    if (now_ms - watchdog->from_ms < limit_ms(watchdog))
        return false;
    watchdog->told++;
    watchdog->from_ms = now_ms;
    return true;
}

uint64_t watchdog_still_ms(const struct watchdog *watchdog, uint64_t now_ms)
{
    return now_ms - watchdog->still_since_ms;
}
