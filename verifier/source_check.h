#ifndef DROVER_VERIFIER_SOURCE_CHECK_H
#define DROVER_VERIFIER_SOURCE_CHECK_H

/*
 * --source: the original files, read again. The record that wins a key among them (as the producer
 * decides: the greatest version of their own, else the newest file's last one) is held against the
 * record that wins it in the topic, deletes included:
 *
 *   not produced: the topic has no record of the key
 *   overtaken: the topic's newest record of the key has other content, or deletes it: the file was
 *     put back with an older time, or changed since. Not so where records bring their versions, the
 *     topic has the file's very record, and a file that was not read now brought a later one
 *   gone from the source: the topic's key came from a file that was read again and no longer has it
 *   of other sources: the topic's key came from a file that was not read now: another run's
 *
 * What the rules of the files refuse is counted here instead of being taken from the producers'
 * receipts.
 */

#include "verifier/verify_run.h"

struct source_check;

/* Before anything else, when the source topic has that many messages: reads the files for
 * source_check_begin, if they are to be read then. */
MUST_USE enum outcome source_check_read_ahead(struct verify_run *run, uint64_t messages,
                                              struct error *err);
/* Before the topic is read for the rows: reads the files, where there is room for their keys beside
 * those of the topic, and has run->watcher compare each message as it comes. Nothing without
 * --source, or of a session that reads once. */
MUST_USE enum outcome source_check_begin(struct verify_run *run, struct error *err);
/* When all else is done: adds them and `rejected` to the report's groups, the first two and that to
 * its source count too. Reads files and topic itself when that was not done on the way. A file that
 * cannot be read whole makes the report broken. */
MUST_USE enum outcome source_check_run(struct verify_run *run, struct error *err);
/* NULL is allowed. */
void source_check_free(struct source_check *check);

#endif
