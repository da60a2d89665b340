#ifndef DROVER_CONTROL_DOCTOR_HALTED_H
#define DROVER_CONTROL_DOCTOR_HALTED_H

#include "common/io/stores.h"
#include "control/status/status.h"

/* A warning for each partition that is halted, with the command that helps: `drover status`, which
 * was read, says the same. */
void doctor_say_halted(struct findings *findings, struct status *status);

#endif
