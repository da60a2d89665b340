#ifndef DROVER_PRODUCER_PRODUCE_H
#define DROVER_PRODUCER_PRODUCE_H

#include "common/base/error.h"
#include "common/io/settings.h"

/* `drover produce`: the sources of the settings -> source topic. Rejected records are listed, the
 * rest goes on. Exit codes: 0 all produced; 5 something was rejected (err is then unset); 130 or
 * 143 stopped by a signal after what was read was stored; otherwise err says why. */
MUST_USE enum exit_code produce_main(const struct settings *settings, struct error *err);

#endif
