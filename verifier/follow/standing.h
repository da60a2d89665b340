#ifndef DROVER_VERIFIER_FOLLOW_STANDING_H
#define DROVER_VERIFIER_FOLLOW_STANDING_H

/*
 * What a follower tells everybody in the state topic, under its key verify/ID: what gates and
 * `drover status` read. Every few seconds, and once more at its end. Told on the side: where the
 * topic is missing or does not answer nothing else waits for it.
 */

#include "common/io/settings.h"
#include "common/port/bus.h"
#include "verifier/follow/follow_view.h"

struct standing;

/* Says once when the migration has no state topic, and then tells nobody. `id` outlives it. */
struct standing *standing_open(const struct settings *settings, struct bus *bus, const char *id);
bool standing_is_due(const struct standing *standing);
void standing_tell(struct standing *standing, const struct follow_numbers *numbers, bool ended);
/* Waits a moment for the last one. NULL is allowed. */
void standing_close(struct standing *standing);

#endif
