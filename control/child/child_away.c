/* See the header. */
#include "common/io/log.h"
#include "control/child/child_away.h"

static const struct outage *find_away(const struct outages *polled, const struct child *children,
                                      size_t count, int service)
{
    if (polled->of[service].is_on)
        return &polled->of[service];
    const struct outage *last = NULL;
    bool any = false;
    for (size_t i = CHILD_WORK; i < count; i++) {
        const struct outage *away = &children[i].numbers.away.of[service];
        bool runs = child_is_running(&children[i]);
        if (runs && away->is_on)
            return away;
        any = any || runs;
        last = away->is_on ? away : last;
    }
    /* only workers ask Redis: when they have ended nobody knows that it is back */
    return service == OUTAGE_REDIS && !any ? last : NULL;
}

/* On a terminal the view says that a server is away. That it is back is said in any case. */
static void say_change(const struct outage *outage, enum outage_service service,
                       enum outage_change change, bool says_away, uint64_t now_ms)
{
    const char *event = outage_event(service, change);
    struct buf span;
    buf_init(&span, 64);
    outage_append_time(&span, now_ms - outage->since_ms);
    if (change == OUTAGE_BEGAN && says_away) {
        log_line(LOG_WARN, event, "code=%s cause=\"%s\" lost=nothing", outage->code, outage->cause);
    } else if (change == OUTAGE_ENDED) {
        log_line(LOG_INFO, event, "after=%s lost=nothing", buf_text(&span));
    }
    buf_free(&span);
}

void child_away_update(struct outages *seen, const struct outages *polled,
                       const struct child *children, size_t count, bool says_away, uint64_t now_ms)
{
    for (int service = 0; service < OUTAGE_SERVICES; service++) {
        const struct outage *away = find_away(polled, children, count, service);
        enum outage_change change =
            outage_see(seen, (enum outage_service)service, away != NULL, away ? away->code : "",
                       away ? away->cause : "", now_ms);
        if (change != OUTAGE_SAME)
            say_change(&seen->of[service], (enum outage_service)service, change, says_away, now_ms);
    }
}
