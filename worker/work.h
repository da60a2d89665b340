#ifndef DROVER_WORKER_WORK_H
#define DROVER_WORKER_WORK_H

#include "common/base/error.h"
#include "common/io/settings.h"

/* `drover work`: source topic -> stores, until it is told to stop. Exit code 0 after an orderly
 * stop; otherwise err says why. */
enum exit_code work_main(const struct settings *settings, struct error *err);

#endif
