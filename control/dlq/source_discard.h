#ifndef DROVER_CONTROL_SOURCE_DISCARD_H
#define DROVER_CONTROL_SOURCE_DISCARD_H

/*
 * A source that never comes again: what its last readings rejected, and what one that did not come
 * to its end did not send, is not migrated. What they sent stays in the topic and is verified; a
 * reading that is told later counts by itself.
 */

#include "control/command.h"

/* `run`: the only one of several sources that is meant, by the run that read it; or NULL. */
enum exit_code source_discard(const struct settings *settings, const char *run,
                              struct answer *answer, struct error *err);

#endif
