#ifndef DROVER_CONTROL_CMD_REBUILD_H
#define DROVER_CONTROL_CMD_REBUILD_H

/* The parts of `drover rebuild`; `drover rebuild redis` is cmd_rebuild.c itself. */

#include "control/command.h"

/* `drover rebuild files`. */
enum exit_code rebuild_files_run(const struct invocation *invocation, struct error *err);

#endif
