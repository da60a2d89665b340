#ifndef DROVER_VERIFIER_FOLLOW_ALERTS_H
#define DROVER_VERIFIER_FOLLOW_ALERTS_H

/*
 * The settings' alerts in a follower: judged once a second by what the book counts and by how far
 * the source's end is away, and kept in the book, so that a restart tells nobody twice.
 */

#include <stdbool.h>
#include <uv.h>

#include "verifier/follow/notes.h"
#include "verifier/follow/receipt_intake.h"

struct follow_alerts;

struct follow_alerts_conf {
    const struct settings *settings;
    uv_loop_t *loop;
    struct bus *bus;
    const char *source; /* the topic */
    struct notes *notes;
    const struct receipt_intake *intake;
};

/* What the conf names outlives it. Fails as alerts_open and the book do. */
MUST_USE enum outcome follow_alerts_open(const struct follow_alerts_conf *conf,
                                         struct follow_alerts **alerts, struct error *err);
/* Does nothing when it was called a moment ago. `full`: the last full pass, or NULL; `sources`: as
 * they stand now. Fails as the
 * book does; a Kafka that is away is not its concern. */
MUST_USE enum outcome follow_alerts_turn(struct follow_alerts *alerts,
                                         const struct follow_full_pass *full,
                                         const struct readings_sum *sources, struct error *err);
/* Lets what is on its way end, for so long, while the loop turns. NULL is allowed. */
void follow_alerts_close(struct follow_alerts *alerts, uint64_t wait_ms);
/* Also of NULL. */
bool follow_alerts_is_closed(const struct follow_alerts *alerts);
/* When it is closed, or the process ends anyway. */
void follow_alerts_free(struct follow_alerts *alerts);

#endif
