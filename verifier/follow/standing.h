#ifndef DROVER_VERIFIER_FOLLOW_STANDING_H
#define DROVER_VERIFIER_FOLLOW_STANDING_H

/* What a verifier that follows tells everybody, under its key verify/ID (state_teller.h): what
 * gates and `drover status` read. */

#include "common/io/state_teller.h"
#include "verifier/follow/follow_view.h"

void standing_tell(struct state_teller *teller, const struct follow_numbers *numbers, bool ended);

#endif
