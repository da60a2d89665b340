#ifndef DROVER_CONTROL_DOCTOR_KAFKA_H
#define DROVER_CONTROL_DOCTOR_KAFKA_H

#include "common/io/stores.h"

/* Brokers and topics, as the settings name them. */
void doctor_check_kafka(struct findings *findings);

#endif
