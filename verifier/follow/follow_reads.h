#ifndef DROVER_VERIFIER_FOLLOW_READS_H
#define DROVER_VERIFIER_FOLLOW_READS_H

/*
 * Reads of the old store and the new one, compared while a verification follows: of the latest
 * records that it found right, at compare.reads a second until it ends. They are threads of their
 * own (reads.h), which neither hold up the follower nor end it, whatever becomes of a store. Every
 * ten seconds what they took goes into the book, for the plots: a minute has its last one.
 */

#include "common/io/settings.h"
#include "verifier/follow/notes.h"
#include "verifier/follow/row_lookup.h"

struct follow_reads;

/* *reads is NULL without compare.reads, which all calls below allow. OUT_FATAL as reads_check. */
MUST_USE enum outcome follow_reads_open(const struct settings *settings, struct notes *notes,
                                        struct follow_reads **reads, struct error *err);
/* A record that was found right: it may be read from now on; when it is a delete, no longer. */
void follow_reads_see(struct follow_reads *reads, const struct lookup_item *item);
/* Takes what reads took, when it is time to, or `at_once`. Fails as the book does. */
MUST_USE enum outcome follow_reads_turn(struct follow_reads *reads, bool at_once,
                                        struct error *err);
/* As of the last turn; NULL: none are compared. */
const struct verify_reads *follow_reads_result(const struct follow_reads *reads);
/* Waits for reads under way, compare.timeout at most. */
void follow_reads_close(struct follow_reads *reads);

#endif
