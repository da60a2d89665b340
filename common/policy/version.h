#ifndef DROVER_POLICY_VERSION_H
#define DROVER_POLICY_VERSION_H

/*
 * Versions of records that bring none: a hybrid logical clock (Kulkarni et al. 2014), 48 bits of
 * milliseconds and 16 bits of counter, strictly growing within a producer and never going back.
 *
 * The physical part is, for a record of a regular file, the file's time of last modification
 * (files are read in that order), for a stream the time of reading. So reading the same files
 * again gives the same versions, and a second run changes nothing; stamping the time of reading
 * would rewrite every row. docs/architecture.md tells why this departs from the design.
 */

#include <stdint.h>

#define VERSION_COUNTER_BITS 16

struct version_clock {
    int64_t last; /* greatest version given, 0 at first */
};

/* Next version at physical time `now_ms` (Unix milliseconds, 0 <= now_ms < 2^47): greater than all
 * before. */
int64_t version_next(struct version_clock *clock, int64_t now_ms);
/* Never gives a version <= `version` again (what a state file or the past run says). */
void version_observe(struct version_clock *clock, int64_t version);

/* Version of a message that brings none and whose mapping names none: its place in the log, as a
 * clock of its partition. The physical part is the Kafka timestamp, the counter the low bits of the
 * offset; where that would not be greater than all before (a timestamp that goes back, equal ones
 * across a multiple of 65,536 offsets) it is the one after the last. So log order is version order.
 * Whoever reads a partition from the same offset with the same clock gets the same versions: the
 * worker keeps the clock with its sequences, the verifier reads from the topic's head. */
int64_t version_in_log(struct version_clock *clock, int64_t timestamp_ms, int64_t offset);

#endif
