#ifndef DROVER_WORKER_INTAKE_H
#define DROVER_WORKER_INTAKE_H

/* Message ─► record ─► row in the partition's open batch. */

#include "common/base/buf.h"
#include "common/model/mapping/mapping.h"
#include "worker/partition.h"

struct intake {
    struct partitions *partitions;
    struct mapping_work work;
    struct buf text; /* the sequences of the batch being closed */
};

void intake_init(struct intake *intake, struct partitions *partitions);
void intake_reset(struct intake *intake);
/* The message is taken, or released. */
void intake_message(struct intake *intake, const struct bus_arrival *arrival);
/* The partition holds nothing more by now. */
void intake_end(struct intake *intake, int32_t partition);
/* What Kafka says of a partition, or of itself (-1). */
void intake_on_error(struct intake *intake, int32_t partition, const struct error *err);
/* Closes the open batch and queues it; nothing when it is empty. */
void intake_close(struct intake *intake, struct partition *partition);

#endif
