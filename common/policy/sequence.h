#ifndef DROVER_POLICY_SEQUENCE_H
#define DROVER_POLICY_SEQUENCE_H

/*
 * Are a producer's messages all there? Each run numbers its messages per partition from 0 without
 * gaps (header drover-seq); the worker keeps the next number of the last 32 runs with the
 * partition's progress. A gap means lost messages; a repeat is a producer's retry that was stored
 * twice, which the version guard absorbs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

#define SEQUENCE_RUNS 32
#define SEQUENCE_RUN_MOST 64 /* bytes of a run's name; longer ones are not tracked */

struct sequences {
    struct {
        char run[SEQUENCE_RUN_MOST + 1];
        int64_t next;
    } runs[SEQUENCE_RUNS]; /* most recently seen first */
    size_t count;
};

enum sequence_result {
    SEQUENCE_OK,
    SEQUENCE_REPEAT,
    SEQUENCE_GAP, /* *missing messages are not there; the message itself was not counted */
};

enum sequence_result sequence_see(struct sequences *sequences, struct bytes run, int64_t sequence,
                                  int64_t *missing);
/* Goes on behind a gap. */
void sequence_accept(struct sequences *sequences, struct bytes run, int64_t sequence);

/* {"run": next, …}, as stored with the progress. */
void sequence_append(const struct sequences *sequences, struct buf *out);
/* False when the text is not such an object. */
bool sequence_parse(struct bytes json, struct sequences *sequences);

#endif
