#ifndef DROVER_VERIFIER_PASS_MAP_H
#define DROVER_VERIFIER_PASS_MAP_H

/*
 * To which pass each message of the topic belongs: one byte a message, written while the first pass
 * makes every record. The later ones need not make those of the others only to find that out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/policy/verify/verify_report.h"

struct pass_map {
    uint8_t *passes; /* NULL: there is none, every message is to be looked at */
    size_t *starts;  /* by partition */
    int64_t *lows;
};

/* Of the messages below the partitions' snapshot_end. There is none for a single pass, for more
 * passes than a byte counts, and when it would take more than `bytes`. */
void pass_map_begin(struct pass_map *map, const struct verify_partition *partitions, size_t count,
                    uint32_t passes, size_t bytes);
/* A message whose pass is not said belongs to the first. */
void pass_map_set(struct pass_map *map, int32_t partition, int64_t offset, uint32_t pass);
/* Known to be none of this pass, which is not the first. */
bool pass_map_skips(const struct pass_map *map, int32_t partition, int64_t offset, uint32_t pass);
void pass_map_free(struct pass_map *map);

#endif
