#ifndef DROVER_POLICY_WATCHDOG_H
#define DROVER_POLICY_WATCHDOG_H

/*
 * Is a partition that is ours being read? It is stalled when there is something to do, nobody said
 * why it is not done, and nothing has moved for `wait_ms`. Whoever is told acts and says so; as
 * long as that does not help the wait doubles, up to sixteen times. Pure: the clock is handed in.
 */

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_DOUBLINGS 4

/* What is known of a partition now. */
struct watchdog_view {
    int64_t moves;   /* changes whenever anything moved: offsets read and written, claims */
    bool has_work;   /* messages behind where it stands, or it should be claimed */
    bool is_excused; /* it waits for something that was said: an outage, a pause, a halt */
};

struct watchdog {
    uint64_t wait_ms;
    uint64_t still_since_ms; /* nothing moved, while it should have, since then */
    uint64_t from_ms;        /* the wait runs from here */
    int64_t moves;
    unsigned told; /* times in a row without a move */
};

void watchdog_init(struct watchdog *watchdog, uint64_t wait_ms, uint64_t now_ms);
/* True when it is stalled: once, and again after twice the wait. */
bool watchdog_step(struct watchdog *watchdog, const struct watchdog_view *view, uint64_t now_ms);
/* How long nothing has moved. */
uint64_t watchdog_still_ms(const struct watchdog *watchdog, uint64_t now_ms);

#endif
