#ifndef DROVER_CONTROL_DOCTOR_RETENTION_H
#define DROVER_CONTROL_DOCTOR_RETENTION_H

#include "common/io/stores.h"

/* What Kafka's retention has eaten before it was applied, and will eat soon; and the partitions
 * that are halted. Says nothing where topics or store cannot be asked: other checks do. */
void doctor_check_retention(struct findings *findings);

#endif
