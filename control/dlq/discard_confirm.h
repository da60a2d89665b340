#ifndef DROVER_CONTROL_DISCARD_CONFIRM_H
#define DROVER_CONTROL_DISCARD_CONFIRM_H

/* Whether somebody means it: asked for by the migration's name, which nobody types by mistake. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"

/* `what` would be discarded ("3 dead letters"). OUT_OK also with --yes. OUT_FATAL DRV-C001: they
 * say no, or nobody can be asked. */
MUST_USE enum outcome discard_confirm(const struct settings *settings, const char *what,
                                      struct error *err);

#endif
