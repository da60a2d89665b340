#ifndef DROVER_MODEL_HALTED_H
#define DROVER_MODEL_HALTED_H

/*
 * What a worker says when it takes nothing more of a partition, because something is wrong with its
 * messages: a JSON message of kind "halted" in the results topic. It is current as long as the
 * partition's checkpoint is where it says, and nobody has claimed the partition since; `drover
 * status` shows it then, and `drover resume` knows from it what would be accepted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/message/topic.h"

struct halted {
    char topic[TOPIC_NAME_SIZE];
    char group[256];
    int32_t partition;
    int64_t offset; /* the checkpoint's next_offset, */
    int64_t epoch;  /* and the claim under which it halted */
    char code[16];  /* "DRV-E002" */
    char text[240]; /* of the error */
    /* What is missing, [expected, found). With a run: numbers of its messages in this partition,
     * `found` the one that came. Without: offsets of the topic that are gone, `found` the first one
     * that is still there. -1 both: nothing is missing (and found alone: nobody said). */
    char run[80]; /* as checkpoints keep it (policy/apply/sequence.h); empty: none */
    int64_t expected, found;
    char worker[128];
    int64_t at_ms; /* Unix time */
};

/* Nobody has moved, resumed or claimed the partition since; the arguments are its checkpoint's. */
static inline bool halted_is_current(const struct halted *halted, int64_t next_offset,
                                     int64_t epoch)
{
    return halted->offset == next_offset && halted->epoch == epoch;
}

void halted_append(struct buf *out, const struct halted *halted);
/* Tolerant of unknown members; OUT_REJECT DRV-E001 when it is not of this kind. */
MUST_USE enum outcome halted_parse(struct bytes json, struct halted *halted, struct error *err);

#endif
