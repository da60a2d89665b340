#ifndef DROVER_VERIFIER_EXPECTED_H
#define DROVER_VERIFIER_EXPECTED_H

/* The source side: what each record of the topic says a row must be. */

#include "verifier/verify_run.h"

/* One source record, decoded. Views into the message and run->arena. The row has no cells when it
 * was told without them. */
struct expected {
    struct record record;
    const struct mapping *mapping;
    struct row row;
    struct diff_source source;
    bool has_version; /* of expected_identify_any; else always */
};

/* The next tick of the partition's clock for a message that brings no version, as run->log_version.
 * For every message in the log's order from the topic's head, whatever becomes of it: so it is the
 * worker's. expected_read does it. */
void expected_tick(struct verify_run *run, const struct bus_message *message);

/* The key and the version that the worker gives a message; of one that the mapping refuses, as far
 * as the producer finds them, and without cells. False: it has none; what could be read of it is in
 * the record. */
bool expected_identify_any(struct verify_run *run, const struct bus_message *message,
                           struct expected *found);
/* Decodes and runs the mapping; run->log_version is the version of a message that brings none.
 * OUT_REJECT: the record is unusable, `err` says why; as far as they could be read, record.tenant
 * and record.entity are set. */
MUST_USE enum outcome expected_make(struct verify_run *run, const struct bus_message *message,
                                    struct expected *expected, struct error *err);

/* The message's dead letter; NULL: it has none, or one of an attempt that was not committed, or it
 * landed when it was read again (history_find_dead): its row is compared like any other. */
const struct dead_letter *expected_find_dead(const struct verify_run *run,
                                             const struct bus_message *message);
/* Before the first reading of run->pass: from the topic's begin. */
void expected_begin(struct verify_run *run);
/* Reads each partition from where it was read to up to its `snapshot_end`, into the table and the
 * counters. */
MUST_USE enum outcome expected_read(struct verify_run *run, struct error *err);
/* What lies behind the snapshot lags, in each pass when all before it was read. */
MUST_USE enum outcome expected_read_lagging(struct verify_run *run, struct error *err);

/* Reads what is in the dead-letter topic since the last call into run->dead. A dead letter is
 * acknowledged before its batch commits, so reading after the snapshot finds every one below it.
 * OUT_FATAL DRV-Y001 (read_once: DRV-F003) when they do not fit their share of the memory. */
MUST_USE enum outcome expected_read_dead_letters(struct verify_run *run, struct error *err);
/* read_once: records that waited and have their row now, or still wait. At the end. */
MUST_USE enum outcome expected_settle_pending(struct verify_run *run, struct error *err);

#endif
